"""A rolling first-in-first-out buffer of samples or frames."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import ParameterError
from .checks import integer_at_least

__all__ = ["SequentialBuffer", "in_storage"]

_LEAST_ROOM, _ROOM = 1024, 16384  # values of a row, and of all rows
_SAME_LINES, _OFF = 512, 48


class SequentialBuffer:
    """Holds the last `size` samples or frames of a signal that arrives in chunks, side by side in memory.

    What a filter with a span of ``size + 1`` needs to go on is exactly this: `push` gives the values held and the new
    ones behind them as one array, in which every new output's inputs lie next to each other. Nothing is copied for
    that: values are written once, behind the last ones, and when the end of the storage is reached, once in at least
    `size` values, those that are still held move to its front. A chunk longer than the storage is joined in an array
    of its own. So the storage never grows.

    Parameters
    ----------
    shape : int or tuple of int
        What comes before time: the number of channels, or (channels, features).
    size : int
        How many values of each to hold; 0 holds none.
    dtype : dtype
        float32 by default.

    Attributes
    ----------
    shape : tuple of int
    size : int
    dtype : numpy.dtype
    total : int
        How many values have come so far: the next one's number.

    Raises
    ------
    ParameterError
        If a size is negative or not an integer, or the storage cannot be held.

    Examples
    --------
    >>> buffer = SequentialBuffer(1, 2)
    >>> buffer.push(np.array([[1, 2, 3]], np.float32)).tolist()
    [[1.0, 2.0, 3.0]]
    >>> buffer.push(np.array([[4]], np.float32)).tolist()
    [[2.0, 3.0, 4.0]]
    >>> buffer.held.tolist(), buffer.total
    ([[3.0, 4.0]], 4)
    """

    def __init__(self, shape: int | tuple[int, ...], size: int, dtype: DTypeLike = np.float32) -> None:
        sizes = shape if isinstance(shape, tuple) else (shape,)
        self.shape = tuple(integer_at_least("shape", each, 0) for each in sizes)
        self.size = integer_at_least("size", size, 0)
        try:
            self.dtype = np.dtype(dtype)
        except TypeError:
            self.dtype = np.dtype(object)
        if self.dtype.kind not in "fiubc":
            raise ParameterError(f"dtype is {dtype!r}; it must be a type of numbers")
        self._room = max(_LEAST_ROOM, _ROOM // max(1, math.prod(self.shape)), self.size)
        try:
            self._store = np.zeros((*self.shape, self._pitch()), self.dtype)
        except (MemoryError, ValueError):
            raise ParameterError(
                f"a buffer of {self.dtype} {(*self.shape, self.size)} is more than memory can hold"
            ) from None
        self.total = 0
        self._begin = self._end = 0

    def _pitch(self) -> int:
        """The storage's length: rows that are a large power of two apart would meet in the same lines of the cache."""
        pitch = self.size + self._room
        return pitch + _OFF if pitch % _SAME_LINES < _OFF else pitch

    def push(self, x: NDArray[Any]) -> NDArray[Any]:
        """What is held and x, the next values, behind it; from then on, the last `size` of these are held.

        Shape: (..., time) -> (..., held + time), a view that is good until the next call.

        Raises
        ------
        ParameterError
            If x has another shape or type than the buffer's.
        """
        x = np.asarray(x)
        if x.shape[:-1] != self.shape or x.dtype != self.dtype:
            raise ParameterError(
                f"a chunk is {x.dtype} {x.shape}; it must be {self.dtype} {(*self.shape, 'time')}".replace("'", "")
            )
        arrived = x.shape[-1]
        self.total += arrived
        if arrived > self._room:
            both: NDArray[Any] = np.concatenate([self.held, x], axis=-1)
            self._begin, self._end = 0, min(self.size, both.shape[-1])
            self._store[..., : self._end] = both[..., both.shape[-1] - self._end :]
            return both
        begin, end = max(self._begin, self._end - self.size), self._end
        if end + arrived > self._store.shape[-1]:
            self._store[..., : end - begin] = self._store[..., begin:end]
            begin, end = 0, end - begin
        self._begin, self._end = begin, end + arrived
        self._store[..., end : self._end] = x
        return self._store[..., begin : self._end]

    @property
    def held(self) -> NDArray[Any]:
        """The last `size` values, fewer as long as there are fewer.

        Shape: (..., time), a view that is good until the next push
        """
        return self._store[..., max(self._begin, self._end - self.size) : self._end]

    def clear(self) -> None:
        """Forget everything; the next value has the number 0."""
        self.total = self._begin = self._end = 0

    def restore(self, held: NDArray[Any], total: int) -> None:
        """Go on where another buffer of this kind was, with what it held and its total.

        Raises
        ------
        ParameterError
            If these cannot be such a buffer's.
        """
        held, total = np.asarray(held), integer_at_least("total", total, 0)
        fits = held.shape[:-1] == self.shape and held.dtype == self.dtype
        if not fits or held.shape[-1] != min(self.size, total):
            raise ParameterError(
                f"what was held is {held.dtype} {held.shape} of {total} values; "
                f"it must be {self.dtype} {(*self.shape, min(self.size, total))}"
            )
        self.clear()
        self.total, self._end = total, held.shape[-1]
        self._store[..., : self._end] = held


def in_storage(x: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """A contiguous array in whose rows x's rows lie, and where: the storage that x is a view of, if there is one.

    Kernels take contiguous arrays. What lies in the storage before and behind x is finite, and not x's.

    Shape: (..., time) -> (..., at least time)
    """
    if x.flags.c_contiguous:
        return x, 0
    base = x.base
    if (
        isinstance(base, np.ndarray)
        and base.flags.c_contiguous
        and (base.dtype, base.shape[:-1], base.strides) == (x.dtype, x.shape[:-1], x.strides)
    ):
        begin = (x.__array_interface__["data"][0] - base.__array_interface__["data"][0]) // x.itemsize
        if 0 <= begin <= base.shape[-1] - x.shape[-1]:
            return base, begin
    return np.ascontiguousarray(x), 0
