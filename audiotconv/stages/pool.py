"""Pooling along time as a function."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ParameterError
from ..geometry import Geometry
from ..kernels import pool as kernels
from .checks import checked_out, floating, integer_at_least, threads_for

__all__ = ["pool1d"]

_HOW = {"max": kernels.MAX, "mean": kernels.MEAN, "energy": kernels.ENERGY}


def pool1d(
    x: ArrayLike,
    size: int,
    hop: int | None = None,
    *,
    how: str = "max",
    dilation: int = 1,
    padding: str | int | tuple[int, int] = "valid",
    threads: int | None = None,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Reduce windows of the last axis to one value each.

    Parameters
    ----------
    x : (..., time)
        float32 or float64; other types are computed as float64.
    size : int
        The number of values in a window.
    hop : int, optional
        Time steps from one window to the next; `size` by default.
    how : "max", "mean" or "energy"
        The maximum (NaN if one is in the window), the mean, or the mean of the squares.
    dilation : int
        Time steps between the values of a window.
    padding : "valid", "same", "causal", int or (left, right)
        Around x. Padding never wins a maximum; in means it counts as zeros.
    threads : int, optional
        At most this many; by default as many as pay. The result does not depend on it.
    out : array, optional
        Where to write the result.

    Returns
    -------
    array
        Shape: (..., frames), frames = (time + left + right - dilation * (size - 1) - 1) // hop + 1, or 0.

    Raises
    ------
    ParameterError
        If a parameter is out of its range, or a window could lie in the padding alone.

    Examples
    --------
    >>> pool1d([1.0, 3.0, 2.0, 5.0, 4.0], 2, 1).tolist()
    [3.0, 3.0, 5.0, 5.0]
    >>> pool1d([1.0, 3.0, 2.0, 5.0], 2, how="mean").tolist()
    [2.0, 3.5]
    """
    signal = np.asarray(x)
    dtype = floating("x", signal)
    if signal.ndim < 1:
        raise ParameterError("x is a single number; it must have a time axis")
    size = integer_at_least("size", size, 1)
    hop = size if hop is None else integer_at_least("hop", hop, 1)
    dilation = integer_at_least("dilation", dilation, 1)
    if how not in _HOW:
        raise ParameterError(f"how is {how!r}; it must be one of {', '.join(_HOW)}")
    geometry = Geometry.window(size, hop, dilation, padding)
    if geometry.lead >= geometry.span or geometry.trail >= geometry.span:
        raise ParameterError(
            f"padding is {padding!r}; a window spans {geometry.span}, and must not lie in padding alone"
        )
    frames = geometry.count(signal.shape[-1])
    if frames == 1:
        hop = 1  # of no influence, and scratch need not be sized for it
    result = checked_out(out, (*signal.shape[:-1], frames), dtype, signal)
    rows = int(np.prod(signal.shape[:-1]))
    data = np.require(signal.reshape(rows, signal.shape[-1]), dtype, ["C", "W", "A"])
    kernels.pool1d(
        data, _HOW[how], size, hop, dilation, geometry.lead, result.reshape(rows, frames),
        threads=threads_for(float(result.size) * size, threads),
    )  # fmt: skip
    return result
