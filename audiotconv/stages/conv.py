"""Temporal convolution as a function."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ParameterError
from ..geometry import padding_of
from ..kernels import conv as kernels
from ..kernels import conv_rows as few
from ..kernels.simd import TILE_COLS, TILE_ROWS, VECTOR_BITS
from .base import aligned_empty
from .checks import checked_out, floating, integer_at_least, threads_for

__all__ = ["conv1d"]

# Up to so many filters in a group, one at a time is faster than a register tile that is mostly idle. Both add in the
# same order, so this is a matter of speed alone.
_FEW_FILTERS = 3 * TILE_ROWS // 4
_FEW_STRIDES = 16  # its scratch holds every phase of the stride


def conv1d(
    x: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: int = 1,
    dilation: int = 1,
    padding: str | int | tuple[int, int] = "valid",
    groups: int = 1,
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
        Zeros around x. "same" needs stride 1; "causal" puts all of it on the left.
    groups : int
        Channels and filters are split into as many groups, and each group of filters sees its group of channels.
    threads : int, optional
        At most this many; by default as many as pay. The result does not depend on it.
    out : array, optional
        Where to write the result: C-contiguous, of the result's shape and type.

    Returns
    -------
    array
        Shape: (..., filters, frames), frames = (time + left + right - dilation * (taps - 1) - 1) // stride + 1;
        (frames,) where x and weight have one axis.

    Raises
    ------
    ParameterError
        If shapes or parameters do not fit, or the padded input is shorter than a filter.

    Examples
    --------
    >>> conv1d([1.0, 2.0, 4.0, 8.0], [1.0, 1.0]).tolist()
    [3.0, 6.0, 12.0]
    >>> conv1d(np.ones((3, 100), np.float32), np.ones((8, 3, 5), np.float32), padding="causal").shape
    (8, 100)
    """
    signal, taps = np.asarray(x), np.asarray(weight)
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
    if padding == "same" and stride != 1:
        raise ParameterError(f'padding is "same" and stride {stride}; "same" needs a stride of 1')
    reach = dilation * (span - 1) + 1
    left, right = padding_of(padding, reach)
    frames = (signal.shape[-1] + left + right - reach) // stride + 1
    if frames == 1:
        stride = 1  # of no influence, and scratch need not be sized for it
    if frames < 1:
        raise ParameterError(
            f"x has {signal.shape[-1]} time steps, {signal.shape[-1] + left + right} with its padding; "
            f"the filters span {reach}"
        )
    offset = np.zeros(filters, dtype) if bias is None else np.asarray(bias, dtype)
    if offset.shape != (filters,):
        raise ParameterError(f"bias has the shape {offset.shape}; it must be ({filters},)")
    shape = (frames,) if flat else (*signal.shape[:-2], filters, frames)
    result = checked_out(out, shape, dtype, signal, taps, offset)
    data = np.require(signal.reshape(math.prod(signal.shape[:-2]), *signal.shape[-2:]), dtype, ["C", "W", "A"])
    operations = 2.0 * result.size * per_group * span
    workers = threads_for(operations, threads)
    target = result.reshape(data.shape[0], filters, frames)
    if filters // groups <= _FEW_FILTERS and stride <= _FEW_STRIDES:
        rows = np.require(taps, dtype, ["C", "W", "A"])
        few.conv1d_rows(data, rows, offset, groups, stride, dilation, left, target, threads=workers)
    else:
        layout = _layout(per_group, span, stride, dilation, dtype)
        weights = _packed(taps, offset, groups, dtype)
        kernels.conv1d(data, *weights, *layout, stride, left, target, threads=workers)
    return result


def _layout(
    channels: int, taps: int, stride: int, dilation: int, dtype: np.dtype[Any]
) -> tuple[NDArray[np.int64], int, NDArray[np.int64]]:
    """How inputs are packed: where rows begin, how long they are, and where each product finds its inputs.

    A row for each tap holds just a tile; a row for all taps of a phase (distances that differ by multiples of the
    stride) is longer, but there are fewer.
    """
    lanes = VECTOR_BITS // (8 * dtype.itemsize)
    width = TILE_COLS * lanes
    distances = dilation * np.arange(taps)
    phases, row_of = np.unique(distances % stride, return_inverse=True)
    shift = distances // stride
    length = -(-(width + int(shift.max())) // lanes) * lanes
    if len(phases) * length >= taps * width:
        phases, row_of, shift, length = distances, np.arange(taps), np.zeros(taps, np.int64), width
    where = (np.arange(channels)[:, None] * len(phases) + row_of) * length + shift
    return phases.astype(np.int64), length, where.reshape(-1).astype(np.int64)


def _packed(taps: NDArray[Any], bias: NDArray[Any], groups: int, dtype: np.dtype[Any]) -> tuple[NDArray[Any], ...]:
    """Weights and bias in the kernel's order: blocks of TILE_ROWS filters side by side for each channel and tap."""
    filters, per_group, span = taps.shape
    each = filters // groups
    blocks = -(-each // TILE_ROWS)
    padded = np.zeros((groups, blocks * TILE_ROWS, per_group * span), dtype)
    padded[:, :each] = taps.reshape(groups, each, -1)
    weight = aligned_empty((groups, blocks, per_group * span, TILE_ROWS), dtype)
    weight[...] = padded.reshape(groups, blocks, TILE_ROWS, -1).transpose(0, 1, 3, 2)
    offsets = np.zeros((groups, blocks * TILE_ROWS), dtype)
    offsets[:, :each] = bias.reshape(groups, each)
    return weight, offsets.reshape(groups, blocks, TILE_ROWS)
