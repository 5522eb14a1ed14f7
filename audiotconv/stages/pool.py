"""Pooling along time as a function."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ParameterError
from ..geometry import Geometry, padding_of
from ..kernels import pool as sliding
from ..kernels import pool_windows as single
from .checks import MOST, array_of, checked_out, floating, integer_at_least, positive, threads_for

__all__ = ["HOW", "NEVER_PADDED", "geometry_of", "pool1d", "pooled"]

HOW = {
    "max": sliding.MAX,
    "min": sliding.MIN,
    "mean": sliding.MEAN,
    "energy": sliding.ENERGY,
    "rms": sliding.RMS,
    "lp": sliding.LP,
    "ppv": sliding.PPV,
    "stats": sliding.STATS,
    "median": single.MEDIAN,
    "attention": single.ATTENTION,
}
_OPERATIONS = 16.0  # for each value, about; levels of sums cost more than their additions
NEVER_PADDED = ("max", "min", "median", "attention")


def pool1d(
    x: ArrayLike,
    size: int | None = None,
    hop: int | None = None,
    *,
    how: str = "max",
    frames: int | None = None,
    dilation: int = 1,
    padding: str | int | tuple[int, int] = "valid",
    count_include_pad: bool = True,
    weights: ArrayLike | None = None,
    p: float = 2.0,
    ddof: int = 0,
    lengths: ArrayLike | None = None,
    threads: int | None = None,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Reduce windows of the last axis to one value each.

    Parameters
    ----------
    x : (..., time)
        float32 or float64; other types are computed as float64.
    size : int, optional
        The number of values in a window. Without it, and without `frames`, one window takes everything.
    hop : int, optional
        Time steps from one window to the next; `size` by default.
    how : str
        One of

        - "max", "min": the largest or smallest value (NaN if one is in the window)
        - "mean", "energy", "rms": the mean, the mean of the squares, and its root
        - "lp": the p-norm, (sum of abs(x) ** p) ** (1 / p)
        - "ppv": the proportion of positive values
        - "stats": the mean and the standard deviation, on an axis of two before the frames
        - "median": the middle value, or the mean of the two middle ones
        - "attention": the mean weighted with the softmax over the window of `weights`; NaN where the largest of them
          is not finite
    frames : int, optional
        Adaptive pooling, in place of `size`: time is divided into as many windows, as equal as can be; window i takes
        the values from floor(i * time / frames) to ceil((i + 1) * time / frames), as in torch.
    dilation : int
        Time steps between the values of a window.
    padding : "valid", "same", "causal", int or (left, right)
        Around x.
    count_include_pad : bool
        Whether padding counts as zeros in means, in "ppv" and in "stats", or not at all. It never does in "max",
        "min", "median" and "attention".
    weights : (..., time), optional
        For "attention": a score for each time step, of any size; broadcast to x.
    p : float
        The norm of "lp", above 0.
    ddof : int
        For "stats": deviations are divided by the number of values less this: 0 for a population, 1 for a sample.
        The deviation of so few values that nothing is left to divide by is 0.
    lengths : (batch, ...) of int, optional
        How many time steps of each item, along x's first axes, are valid. An item pools like itself alone, cut at its
        length; frames that it would not have are 0.
    threads : int, optional
        At most this many; by default as many as pay. The result does not depend on it.
    out : array, optional
        Where to write the result.

    Returns
    -------
    array
        Shape: (..., frames), frames = (time + left + right - dilation * (size - 1) - 1) // hop + 1, or 0;
        (..., 2, frames) for "stats".

    Raises
    ------
    ParameterError
        If a parameter is out of its range, or a window could lie in the padding alone.

    Notes
    -----
    Where windows overlap or touch, the cost hardly depends on `size`, except for "median" and "attention". Sums run up
    a tree of pairs, so that errors do not grow with the window.

    Examples
    --------
    >>> pool1d([1.0, 3.0, 2.0, 5.0, 4.0], 2, 1).tolist()
    [3.0, 3.0, 5.0, 5.0]
    >>> pool1d([1.0, 3.0, 2.0, 5.0], 2, how="mean").tolist()
    [2.0, 3.5]
    >>> pool1d([1.0, 3.0, 2.0, 6.0], how="stats", ddof=1).round(3).tolist()
    [[3.0], [2.16]]
    >>> pool1d([[1.0, 3.0, 2.0], [7.0, 0.0, 0.0]], how="mean", lengths=[3, 1]).tolist()
    [[2.0], [7.0]]
    """
    signal = array_of("x", x)
    if signal.ndim < 1:
        raise ParameterError("x is a single number; it must have a time axis")
    if not isinstance(how, str) or how not in HOW:
        raise ParameterError(f"how is {how!r}; it must be one of {', '.join(HOW)}")
    if how == "attention" and weights is None:
        raise ParameterError('how is "attention" without weights; it needs a score for each time step')
    if how != "attention" and weights is not None:
        raise ParameterError(f'weights are given for how={how!r}; only "attention" has them')
    scores = signal if weights is None else array_of("weights", weights)
    dtype = floating("x", signal)
    wide = np.promote_types(dtype, floating("weights", scores))
    *leading, time = signal.shape
    rows = math.prod(leading)
    counts = _lengths(lengths, signal.shape)
    size, hop, geometry = _windows(size, hop, frames, dilation, padding, time, counts)
    dilation = integer_at_least("dilation", dilation, 1)
    ddof = integer_at_least("ddof", ddof, 0)
    if how == "stats" and size and ddof >= size:
        raise ParameterError(f"ddof is {ddof}; it must be less than the window's size, {size}")
    power = positive("p", p)
    if not float(np.finfo(dtype).tiny) <= power <= float(np.finfo(dtype).max):
        raise ParameterError(f"p is {p}, which {dtype} cannot hold with its inverse")
    padded = bool(count_include_pad) and how not in NEVER_PADDED
    if geometry is None:
        assert frames is not None or size == 0
        total = 1 if frames is None else frames
    else:
        if not padded:
            _check_windows(geometry, size, dilation, padding, np.unique(counts))
        total = geometry.count(time)
    pair = (2,) if how == "stats" else ()
    result = checked_out(out, (*leading, *pair, total), dtype, signal, scores)
    data = np.require(signal.reshape(rows, time), dtype, ["C", "W", "A"])
    asked = data if weights is None else _scores(scores, signal.shape, wide).reshape(rows, time)
    lead = 0 if geometry is None else geometry.lead
    target = result.reshape(rows, *(pair or (1,)), total)
    pooled(data, asked, counts, how, size, hop, dilation, lead, padded, power, ddof, target, threads)
    if geometry is not None and lengths is not None:
        own = np.array([geometry.count(int(count)) for count in counts])
        absent = (np.arange(total) >= own[:, None]).reshape(rows, 1, total)
        np.copyto(target, 0, where=absent)
    return result


def geometry_of(size: int, hop: int | None, dilation: int, padding: str | int | tuple[int, int]) -> Geometry:
    """How windows of `size` values lie on their input.

    Raises
    ------
    ParameterError
        If hop, dilation or padding is out of its range, or a window could lie in padding alone.
    """
    hop = size if hop is None else integer_at_least("hop", hop, 1)
    geometry = Geometry.window(size, hop, integer_at_least("dilation", dilation, 1), padding)
    if geometry.span > MOST:
        raise ParameterError(
            f"size is {size} and dilation {dilation}; a window spans {geometry.span} time steps, and most is {MOST}"
        )
    if geometry.lead >= geometry.span or geometry.trail >= geometry.span:
        raise ParameterError(
            f"padding is {padding!r}; a window spans {geometry.span}, and must not lie in padding alone"
        )
    return geometry


def pooled(
    data: NDArray[Any],
    scores: NDArray[Any],
    counts: NDArray[np.int64],
    how: str,
    size: int,
    hop: int,
    dilation: int,
    lead: int,
    padded: bool,
    power: float,
    ddof: int,
    target: NDArray[Any],
    threads: int | None,
) -> None:
    """What `pool1d` does once everything is checked: from (rows, time) to (rows, 1 or 2, frames)."""
    # By the windows alone, so that one frame has the bits that it has among many.
    shared = size and how in list(HOW)[:8] and _overlap(size, hop, dilation) and (padded or how != "stats")
    if target.shape[2] == 1 and size:
        hop = 1  # of no influence, and scratch need not be sized for it
    kind = data.dtype.type
    both = [target[:, 0]] if target.shape[1] == 1 else [np.empty(target[:, 0].shape, data.dtype) for _ in range(2)]
    common = (size, hop, dilation, lead, padded, kind(power), ddof, both[0], both[-1])
    workers = threads_for(_OPERATIONS * data.size, threads)
    try:
        if shared:
            sliding.pool1d(data, counts, HOW[how], *common, threads=workers)
        else:
            single.pool_windows(data, scores, counts, HOW[how], *common, threads=workers)
    except MemoryError:
        raise ParameterError(f"size is {size} and dilation {dilation}, a window that memory cannot hold") from None
    if len(both) == 2:
        for number, part in enumerate(both):
            target[:, number] = part


def _scores(scores: NDArray[Any], shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    try:
        return np.require(np.broadcast_to(scores, shape), dtype, ["C", "W", "A"])
    except ValueError:
        raise ParameterError(
            f"weights have the shape {scores.shape}; there must be one for each time step of x, {shape}"
        ) from None


def _windows(
    size: int | None,
    hop: int | None,
    frames: int | None,
    dilation: int,
    padding: str | int | tuple[int, int],
    time: int,
    counts: NDArray[np.int64],
) -> tuple[int, int, Geometry | None]:
    """The window's size and hop; 0, 1 and no geometry for windows that divide what there is."""
    if size is not None:
        if frames is not None:
            raise ParameterError(f"size is {size} and frames {frames}; only one of them can be given")
        size = integer_at_least("size", size, 1)
        geometry = geometry_of(size, hop, dilation, padding)
        return size, geometry.hop, geometry
    if hop is not None or dilation != 1 or padding_of(padding, 1) != (0, 0):
        raise ParameterError("hop, dilation and padding belong to windows of a size, and size is not given")
    if frames is not None:
        integer_at_least("frames", frames, 1)
    if counts.size and counts.min() < 1:
        raise ParameterError(f"x has {time} time steps, of which an item has none that is valid; nothing can be pooled")
    return 0, 1, None


def _lengths(lengths: ArrayLike | None, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """How many time steps of each row are valid."""
    *leading, time = shape
    if lengths is None:
        return np.full(math.prod(leading), time, np.int64)
    given = array_of("lengths", lengths)
    if given.dtype.kind not in "iu" or given.shape != tuple(leading[: given.ndim]):
        raise ParameterError(
            f"lengths are {given.dtype} {given.shape}; they must be integers, one for each item along the first axes "
            f"of x, {shape}"
        )
    if given.size and (given.min() < 0 or given.max() > time):
        worst = given.min() if given.min() < 0 else given.max()
        raise ParameterError(f"lengths hold {worst}; x has {time} time steps")
    spread = given.reshape(given.shape + (1,) * (len(leading) - given.ndim))
    return np.broadcast_to(spread, leading).astype(np.int64).reshape(-1)


def _check_windows(geometry: Geometry, size: int, dilation: int, padding: Any, counts: NDArray[np.int64]) -> None:
    """With a dilation, a window that reaches into x may yet have every tap in the padding."""
    if dilation == 1 or (geometry.lead <= 0 and geometry.trail <= 0):
        return
    for count in counts.tolist():
        starts = np.arange(geometry.count(count)) * geometry.hop - geometry.lead
        low = np.maximum(0, -(starts // dilation))
        high = np.minimum(size, -((starts - count) // dilation))
        if (low >= high).any():
            raise ParameterError(
                f"padding is {padding!r}; with a dilation of {dilation} and {count} time steps, frame "
                f"{int(np.argmax(low >= high))} would see padding alone"
            )


def _overlap(size: int, hop: int, dilation: int) -> bool:
    """Whether windows are near enough to share sums: a matter of speed (see kernels.pool and pool_windows)."""
    levels = size.bit_length()
    halvings = min((size & -size).bit_length(), (hop & -hop).bit_length()) - 1 if dilation == 1 else 0
    if halvings:
        levels = 1 + (levels - halvings) // 2**halvings
    return hop * (2 + levels) < 700 + 2 * size
