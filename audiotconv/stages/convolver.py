"""Filters laid out in memory for the algorithm that applies them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels import conv, conv_bank, conv_rows, overlap_save
from ..kernels.fft import twiddles
from ..kernels.simd import TILE_COLS, TILE_ROWS, VECTOR_BITS
from .base import aligned_empty
from .plan import Plan

__all__ = ["Convolver"]


class Convolver:
    """A convolution of which everything is decided but the signal.

    Parameters
    ----------
    taps : (filters, channels // groups, taps)
    offset : (filters,), of type `dtype`
    way : Plan
    groups, stride, dilation : int
    kind, slope : an activation of `kernels.exp`, and its parameter
    dtype : float32 or float64
    threads : int
        For the filters' spectra, by overlap-save.
    """

    def __init__(
        self,
        taps: NDArray[Any],
        offset: NDArray[Any],
        way: Plan,
        *,
        groups: int,
        stride: int,
        dilation: int,
        kind: int,
        slope: float,
        dtype: np.dtype[Any],
        threads: int = 1,
    ) -> None:
        filters, per_group, span = taps.shape
        self._fixed: tuple[Any, ...]
        if way.method == "overlap-save":
            rows = np.require(taps.reshape(filters * per_group, span), dtype, ["C", "W", "A"])
            w = twiddles(way.size, dtype)
            re, im = (aligned_empty((len(rows), way.size), dtype) for _ in range(2))
            overlap_save.spectra(rows, dilation, way.size, w, re, im, threads=threads)
            block = way.block(dilation * (span - 1) + 1, stride)
            self._kernel, self._fixed = overlap_save.conv1d_blocks, (re, im, offset, groups, w, block, stride)
        elif way.method == "rows":
            rows = np.require(taps, dtype, ["C", "W", "A"])
            self._kernel, self._fixed = conv_rows.conv1d_rows, (rows, offset, groups, stride, dilation)
        elif way.method == "bank":
            side = conv_bank.COLS * VECTOR_BITS // (8 * dtype.itemsize)
            weight, offsets = _blocks(taps, offset, groups, side, dtype)
            weight = weight.reshape(*weight.shape[:2], per_group, span, side)
            self._kernel, self._fixed = conv_bank.conv1d_bank, (weight, offsets, groups, stride, dilation)
        else:
            layout = _layout(per_group, span, stride, dilation, dtype)
            self._kernel = conv.conv1d
            self._fixed = (*_blocks(taps, offset, groups, TILE_ROWS, dtype), *layout, stride)
        self._flat = way.method == "overlap-save"
        self._activation = kind, slope

    def __call__(self, data: NDArray[Any], left: int, target: NDArray[Any], threads: int) -> None:
        """From (batch, channels, time) to (batch, rows, frames); `left` zeros stand before the data.

        A negative `left` skips as many values. As many zeros stand behind the data as the frames need.
        """
        if self._flat:
            data = data.reshape(data.shape[0] * data.shape[1], data.shape[2])
        self._kernel(data, *self._fixed, left, *self._activation, target, threads=threads)


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


def _blocks(
    taps: NDArray[Any], bias: NDArray[Any], groups: int, side: int, dtype: np.dtype[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Weights and bias in the kernels' order: blocks of `side` filters side by side for each channel and tap."""
    filters, per_group, span = taps.shape
    each = filters // groups
    blocks = -(-each // side)
    padded = np.zeros((groups, blocks * side, per_group * span), dtype)
    padded[:, :each] = taps.reshape(groups, each, -1)
    weight = aligned_empty((groups, blocks, per_group * span, side), dtype)
    weight[...] = padded.reshape(groups, blocks, side, -1).transpose(0, 1, 3, 2)
    offsets = np.zeros((groups, blocks * side), dtype)
    offsets[:, :each] = bias.reshape(groups, each)
    return weight, offsets.reshape(groups, blocks, side)
