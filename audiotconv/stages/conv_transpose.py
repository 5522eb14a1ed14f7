"""Transposed temporal convolution as a function."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ParameterError
from ..geometry import padding_of
from ..kernels.exp import SQUARED_MODULUS
from .checks import MOST, activation_of, array_of, checked_out, floating, integer_at_least, threads_for
from .conv import bias_of
from .convolver import Convolver
from .plan import plan

__all__ = ["conv_transpose1d"]


def conv_transpose1d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: int = 1,
    dilation: int = 1,
    padding: int | tuple[int, int] = 0,
    output_padding: int = 0,
    groups: int = 1,
    activation: str | tuple[str, float] | None = None,
    method: str = "auto",
    threads: int | None = None,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Transposed temporal convolution: every input adds a scaled filter to the output (as torch's conv_transpose1d).

    out[..., o, t] = bias[o] + sum of weight[c, o, k] * x[..., c, i] over c, k and i with i * stride + k * dilation =
    t + left

    Parameters
    ----------
    x : (..., channels, time)
        float32 or float64; other types are computed as float64.
    weight : (channels, filters // groups, taps)
    bias : (filters,), optional
    stride, dilation : int
        Time steps of the output between inputs, and between the taps of a filter.
    padding : int or (left, right)
        How many outputs to leave out at the ends: what a convolution with this padding would have added.
    output_padding : int
        How many outputs to add on the right; less than `stride` or `dilation`.
    groups : int
        Channels and filters are split into as many groups.
    activation, method, threads, out
        As for `conv1d`; "squared_modulus" is not to be had.

    Returns
    -------
    array
        Shape: (..., filters, frames),
        frames = (time - 1) * stride - left - right + dilation * (taps - 1) + output_padding + 1.

    Raises
    ------
    ParameterError
        If shapes or parameters do not fit, or no output is left.

    Notes
    -----
    Outputs a stride apart see the same taps, so each such phase is a convolution of its own, with a part of the taps
    in reverse order; its sums are those of `conv1d`.

    Examples
    --------
    >>> conv_transpose1d([[1.0, 2.0]], [[[1.0, 10.0, 100.0]]], stride=2).tolist()
    [[1.0, 10.0, 102.0, 20.0, 200.0]]
    """
    signal, taps = array_of("x", x), array_of("weight", weight)
    floating("weight", taps)
    dtype = floating("x", signal, taps)
    stride = integer_at_least("stride", stride, 1)
    dilation = integer_at_least("dilation", dilation, 1)
    groups = integer_at_least("groups", groups, 1)
    output_padding = integer_at_least("output_padding", output_padding, 0)
    if signal.ndim < 2 or taps.ndim != 3 or 0 in taps.shape:
        raise ParameterError(
            f"x has the shape {signal.shape} and weight {taps.shape}; they must be (..., channels, time) and "
            "(channels, filters // groups, taps), with at least one filter and tap"
        )
    channels, each, span = taps.shape
    if signal.shape[-2] != channels or channels % groups:
        raise ParameterError(
            f"x has {signal.shape[-2]} channels and weight the shape {taps.shape}; they must have the same number of "
            f"channels, a multiple of {groups} groups"
        )
    if output_padding >= max(stride, dilation):
        raise ParameterError(
            f"output_padding is {output_padding}; it must be less than the stride ({stride}) or the dilation "
            f"({dilation})"
        )
    if isinstance(padding, str):
        raise ParameterError(f"padding is {padding!r}; it must be an integer of at least 0, or a pair of them")
    left, right = padding_of(padding, 1)
    time = signal.shape[-1]
    frames = (time - 1) * stride - left - right + dilation * (span - 1) + output_padding + 1
    if time < 1 or frames < 1:
        raise ParameterError(f"x has {time} time steps, of which {frames} outputs would be left; it must be 1 or more")
    if max(frames, left, right) > MOST:
        raise ParameterError(
            f"x has {time} time steps, a stride of {stride} and a padding of {left} and {right}, which gives {frames} "
            f"outputs; most is {MOST}"
        )
    kind, slope = activation_of(activation)
    if kind == SQUARED_MODULUS:
        raise ParameterError("activation is 'squared_modulus', which a transposed convolution does not have")
    filters = groups * each
    offset = bias_of(bias, filters, dtype)
    result = checked_out(out, (*signal.shape[:-2], filters, frames), dtype, signal, taps, offset)
    data = np.require(signal.reshape(math.prod(signal.shape[:-2]), channels, time), dtype, ["C", "W", "A"])
    target = result.reshape(data.shape[0], filters, frames)
    # As filters of a convolution: (filters, channels // groups, taps).
    turned = taps.reshape(groups, channels // groups, each, span).swapaxes(1, 2).reshape(filters, -1, span)
    common = math.gcd(stride, dilation)
    step, apart = stride // common, dilation // common  # taps of a phase, and their distance in inputs
    shape: dict[str, Any] = {"groups": groups, "activation": activation, "method": method}
    fixed: dict[str, Any] = {"groups": groups, "stride": 1, "kind": kind, "slope": slope, "dtype": dtype}
    if min(step, span) < stride:  # no input reaches the other phases, so not even NaN does: they are the bias
        part, value = np.zeros((*turned.shape[:2], 1)), np.empty((*target.shape[:2], 1), dtype)
        way = plan(part.shape, **shape)
        Convolver(part, offset, way, dilation=1, **fixed)(data[:, :, :0], 0, value, 1)
        target[:] = value
    for first in range(min(step, span)):  # the first tap of a phase
        phase = (first * dilation - left) % stride
        if phase >= frames:
            continue
        part = turned[:, :, first::step][:, :, ::-1]
        newest = (phase + left - first * dilation) // stride
        many = part.shape[2]
        way = plan(part.shape, dilation=apart, **shape)
        piece = target if stride == 1 else np.empty((*target.shape[:2], -(-(frames - phase) // stride)), dtype)
        before = (many - 1) * apart - newest
        workers = threads_for(2.0 * piece.size * part[0].size, threads)
        Convolver(part, offset, way, dilation=apart, **fixed)(data, before, piece, workers)
        if stride > 1:
            target[:, :, phase::stride] = piece
    return result
