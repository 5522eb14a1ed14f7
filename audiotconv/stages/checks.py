"""Checks of parameters that several public functions take."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ParameterError
from ..kernels.compile import available_threads
from ..kernels.exp import GELU, LEAKY_RELU, NONE, RELU, SIGMOID, SILU, SQUARED_MODULUS, TANH

__all__ = [
    "activation_of",
    "array_of",
    "checked_out",
    "floating",
    "integer_at_least",
    "number",
    "positive",
    "threads_for",
]

MOST = 1 << 40  # of any size, step or padding: products of two stay within 64 bits with room for an index
_MOST_WORK: Any = 10_000  # steps to find out whether arrays overlap (NumPy's types know only 0 and -1)
_PARALLEL_FROM = 5e7  # operations below which waking threads costs more than it saves


_ACTIVATIONS = {
    "relu": RELU,
    "leaky_relu": LEAKY_RELU,
    "gelu": GELU,
    "silu": SILU,
    "tanh": TANH,
    "sigmoid": SIGMOID,
    "squared_modulus": SQUARED_MODULUS,
}


def array_of(name: str, value: ArrayLike) -> NDArray[Any]:
    """The value as an array; ParameterError for lists whose parts differ in shape."""
    try:
        return np.asarray(value)
    except ValueError:
        raise ParameterError(f"{name} is not an array of numbers; its parts differ in shape") from None


def floating(name: str, *arrays: NDArray[Any]) -> np.dtype[Any]:
    """float32 if every array is float32 (or shorter), else float64.

    Raises ParameterError for complex numbers and for what is not numbers.
    """
    for array in arrays:
        if array.dtype.kind not in "fiub":
            raise ParameterError(f"{name} is of type {array.dtype}; it must be real numbers")
    short = all(array.dtype.kind == "f" and array.dtype.itemsize <= 4 for array in arrays)
    return np.dtype(np.float32 if short else np.float64)


def integer_at_least(name: str, value: Any, least: int) -> int:
    """The value as an int; ParameterError unless it is an integer of at least `least`, and below 2**40."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ParameterError(f"{name} is {value!r}; it must be an integer of at least {least}")
    if value > MOST:
        raise ParameterError(f"{name} is {value}; it must be at most {MOST}")
    return int(value)


def number(value: Any) -> float:
    """The value as a float; NaN unless it is a real number that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return math.nan
    try:
        return float(value)
    except OverflowError:  # an int
        return math.nan


def positive(name: str, value: Any) -> float:
    """The value as a float; ParameterError unless it is a finite number above 0."""
    if not 0 < number(value) < math.inf:
        raise ParameterError(f"{name} is {value!r}; it must be a number above 0")
    return float(value)


def activation_of(activation: Any) -> tuple[int, float]:
    """The kernels' number of an activation, and its slope."""
    if activation is None:
        return NONE, 0.0
    name, slope = activation if isinstance(activation, tuple) and len(activation) == 2 else (activation, 0.01)
    if not isinstance(name, str) or name not in _ACTIVATIONS:
        raise ParameterError(f"activation is {activation!r}; it must be None or one of {', '.join(_ACTIVATIONS)}")
    if isinstance(activation, tuple) and name != "leaky_relu":
        raise ParameterError(f"activation is {activation!r}; only leaky_relu has a parameter")
    if not math.isfinite(number(slope)):
        raise ParameterError(f"activation is {activation!r}; the slope must be a finite number")
    return _ACTIVATIONS[name], float(slope)


def checked_out(
    out: NDArray[Any] | None, shape: tuple[int, ...], dtype: np.dtype[Any], *inputs: NDArray[Any]
) -> NDArray[Any]:
    """`out` if it can take the result, a new array if it is None."""
    if out is None:
        try:
            return np.empty(shape, dtype)
        except (MemoryError, ValueError):
            raise ParameterError(f"the result would be {dtype} {shape}, which memory cannot hold") from None
    if not isinstance(out, np.ndarray) or out.shape != shape or out.dtype != dtype:
        raise ParameterError(f"out is {getattr(out, 'dtype', type(out))} {np.shape(out)}; it must be {dtype} {shape}")
    if not (out.flags.c_contiguous and out.flags.writeable and out.flags.aligned):
        raise ParameterError("out must be C-contiguous, aligned and writable")
    if any(_overlap(out, array) for array in inputs):
        raise ParameterError("out overlaps an input in memory; results would depend on what is written first")
    return out


def _overlap(a: NDArray[Any], b: NDArray[Any]) -> bool:
    """Whether two arrays have a byte in common; also if that would take long to find out."""
    try:
        return np.shares_memory(a, b, max_work=_MOST_WORK)
    except np.exceptions.TooHardError:
        return True


def threads_for(operations: float, threads: int | None) -> int:
    """How many threads to use: what was asked for, or as many as pay for so many operations."""
    if threads is not None:
        return integer_at_least("threads", threads, 1)
    return available_threads() if operations >= _PARALLEL_FROM else 1
