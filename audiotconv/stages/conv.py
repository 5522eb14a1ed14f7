"""Temporal convolution as a function."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ParameterError
from ..geometry import Geometry
from ..kernels.exp import SQUARED_MODULUS
from .checks import MOST, activation_of, array_of, checked_out, floating, integer_at_least, threads_for
from .convolver import Convolver
from .plan import plan

__all__ = ["bias_of", "conv1d", "geometry_of"]

_PAD_MODES = ("zero", "reflect", "edge")


def conv1d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: int = 1,
    dilation: int = 1,
    padding: str | int | tuple[int, int] = "valid",
    pad_mode: str = "zero",
    groups: int = 1,
    activation: str | tuple[str, float] | None = None,
    method: str = "auto",
    threads: int | None = None,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Temporal convolution: filters that slide along the last axis (cross-correlation, as torch's conv1d).

    out[..., o, t] = bias[o] + sum over c, k of weight[o, c, k] * x[..., c, t * stride + k * dilation - left]

    Parameters
    ----------
    x : (..., channels, time) or (time,)
        float32 or float64; other types are computed as float64. Need not be contiguous or writable.
    weight : (filters, channels // groups, taps) or (taps,)
        A single axis is one filter on one channel.
    bias : (filters,), optional
    stride, dilation : int
        Time steps between outputs, and between the taps of a filter.
    padding : "valid", "same", "causal", int or (left, right)
        Around x. "same" needs stride 1; "causal" puts all of it on the left.
    pad_mode : "zero", "reflect" or "edge"
        What the padding holds: zeros, x mirrored at its ends (which are not repeated), or its first and last value.
    groups : int
        Channels and filters are split into as many groups, and each group of filters sees its group of channels.
        With as many groups as channels it is a depthwise convolution.
    activation : str or (str, float), optional
        Applied to each output while it is in cache: "relu", "leaky_relu" (slope 0.01, or say ("leaky_relu", slope)),
        "gelu" (by the error function), "silu", "tanh", "sigmoid", or "squared_modulus", which takes filters 2 i and
        2 i + 1 for the real and imaginary part of one and gives the sum of their squares: half as many outputs.
    method : "auto", "packed", "rows", "bank" or "overlap-save"
        The algorithm; `plan` says which is taken, and why. By the first three, an output depends on nothing but what
        its filter sees. By "overlap-save" (Fourier transforms of blocks, for long filters) its error relates to the
        largest values in the block, and one that is not finite, or so large that sums over a block overflow, spoils
        the blocks around it.
    threads : int, optional
        At most this many; by default as many as pay. The result does not depend on it.
    out : array, optional
        Where to write the result: C-contiguous, of the result's shape and type.

    Returns
    -------
    array
        Shape: (..., filters, frames), or (frames,) if x and weight have one axis;
        frames = (time + left + right - dilation * (taps - 1) - 1) // stride + 1.

    Raises
    ------
    ParameterError
        If shapes or parameters do not fit, or x with its padding is shorter than a filter.

    Examples
    --------
    >>> conv1d([1.0, 2.0, 4.0], [1.0, -1.0]).tolist()
    [-1.0, -2.0]
    >>> conv1d(np.ones((3, 100), np.float32), np.ones((8, 3, 5), np.float32), padding="causal").shape
    (8, 100)
    >>> conv1d([-1.0, 2.0, 4.0], [1.0], activation="relu").tolist()
    [0.0, 2.0, 4.0]
    """
    signal, taps = array_of("x", x), array_of("weight", weight)
    floating("weight", taps)
    dtype = floating("x", signal, taps)
    stride = integer_at_least("stride", stride, 1)
    dilation = integer_at_least("dilation", dilation, 1)
    groups = integer_at_least("groups", groups, 1)
    flat = signal.ndim == 1 and taps.ndim == 1
    if signal.ndim == 1:
        signal = signal[None]
    if taps.ndim == 1:
        taps = taps[None, None]
    if signal.ndim < 2 or taps.ndim != 3 or 0 in taps.shape:
        raise ParameterError(
            f"x has the shape {np.shape(x)} and weight {np.shape(weight)}; they must be (..., channels, time) or "
            "(time,), and (filters, channels // groups, taps) or (taps,), with at least one filter and tap"
        )
    filters, per_group, span = taps.shape
    if signal.shape[-2] != groups * per_group or filters % groups:
        raise ParameterError(
            f"x has {signal.shape[-2]} channels and weight the shape {taps.shape}; with {groups} groups they must be "
            f"{groups} * {per_group} channels and a multiple of {groups} filters"
        )
    geometry = geometry_of(span, stride, dilation, padding, pad_mode)
    reach, left, right = geometry.span, geometry.lead, geometry.trail
    kind, slope = activation_of(activation)
    frames = (signal.shape[-1] + left + right - reach) // stride + 1
    if frames < 1:
        raise ParameterError(
            f"x has {signal.shape[-1]} time steps, {signal.shape[-1] + left + right} with its padding; "
            f"the filters span {reach}"
        )
    way = plan(taps.shape, stride=stride, dilation=dilation, groups=groups, activation=activation, method=method)
    offset = bias_of(bias, filters, dtype)
    rows = filters // 2 if kind == SQUARED_MODULUS else filters
    asked = (frames,) if flat else (*signal.shape[:-2], rows, frames)
    result = checked_out(out, asked, dtype, signal, taps, offset)
    signal, left = _padded(signal, left, right, pad_mode)
    data = np.require(signal.reshape(math.prod(signal.shape[:-2]), *signal.shape[-2:]), dtype, ["C", "W", "A"])
    target = result.reshape(data.shape[0], rows, frames)
    workers = threads_for(2.0 * data.shape[0] * filters * frames * per_group * span, threads)
    if frames == 1:
        stride = 1  # of no influence, and scratch need not be sized for it
    shape: dict[str, Any] = {"groups": groups, "stride": stride, "dilation": dilation, "kind": kind, "slope": slope}
    Convolver(taps, offset, way, **shape, dtype=dtype, threads=workers)(data, left, target, workers)
    return result


def geometry_of(span: int, stride: int, dilation: int, padding: str | int | tuple[int, int], pad_mode: str) -> Geometry:
    """How the frames of a convolution lie on its input.

    Raises
    ------
    ParameterError
        If padding, its mode and the stride do not fit each other, or are too large.
    """
    if isinstance(padding, str) and padding == "same" and stride != 1:
        raise ParameterError(f'padding is "same" and stride {stride}; "same" needs a stride of 1')
    if pad_mode not in _PAD_MODES:
        raise ParameterError(f"pad_mode is {pad_mode!r}; it must be one of {', '.join(_PAD_MODES)}")
    geometry = Geometry.window(span, stride, dilation, padding)
    if max(geometry.span, geometry.lead, geometry.trail) > MOST:
        raise ParameterError(
            f"filters span {geometry.span} time steps with a padding of {geometry.lead} and {geometry.trail}; "
            f"most is {MOST}"
        )
    return geometry


def bias_of(bias: ArrayLike | None, filters: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The bias as an array of the result's type; zeros without one."""
    if bias is None:
        return np.zeros(filters, dtype)
    given = array_of("bias", bias)
    floating("bias", given)
    if given.shape != (filters,):
        raise ParameterError(f"bias has the shape {given.shape}; it must be ({filters},)")
    with np.errstate(over="ignore"):
        offset = np.require(given, dtype, ["C", "W", "A"])
    lost = np.isinf(offset) & np.isfinite(given)
    if lost.any():
        raise ParameterError(f"bias holds {given[lost][0]}, which {dtype} cannot hold")
    return offset


def _padded(signal: NDArray[Any], left: int, right: int, mode: str) -> tuple[NDArray[Any], int]:
    """The signal, padded unless with zeros, which the kernels see by themselves; and the zeros that stand before."""
    time = signal.shape[-1]
    if mode == "zero" or not (left or right):
        return signal, left
    least = max(left, right) if mode == "reflect" else 0
    if time <= least:
        raise ParameterError(f"x has {time} time steps; a padding of {left} and {right} by {mode!r} needs more")
    sides = [(0, 0)] * (signal.ndim - 1) + [(left, right)]
    try:
        return np.pad(signal, sides, mode="reflect" if least else "edge"), 0
    except MemoryError:
        raise ParameterError(f"padding is {left} and {right} by {mode!r}, which memory cannot hold") from None
