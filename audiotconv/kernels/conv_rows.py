"""Temporal convolution one filter at a time: for depthwise convolution, and for single or few filters.

A register tile of the packed kernel holds many filters; with one filter, most of it would be idle. Here a tile is one
row of many vectors along time, and each step multiplies one tap into all of them. Inputs are read where they lie;
only at the ends, and for strides, they are first copied to scratch, each of the `stride` phases by itself, so that
neighbouring outputs find neighbouring inputs. The order of additions is that of the packed kernel, so the bits are.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from .compile import kernel
from .exp import activate
from .simd import VECTOR_BITS, copy, lanes, load_tile, outer, store_rows, zeros

__all__ = ["conv1d_rows"]

ROW_COLS = 16 if VECTOR_BITS == 512 else 12
_TILES = 8  # tiles of one task: their inputs stay in the first-level cache


@njit(nogil=True)
def _filter_row(  # type: ignore[no-untyped-def]
    x, base, pitch, phase, weight, bias, f, stride, dilation, ones, edge, kind, slope, out, to, here
):
    """One filter's outputs. Channel c's phase p begins at x[base + c * pitch + p * phase]."""
    channels, taps = weight.shape[1:]
    width = ROW_COLS * lanes(x)
    for t in range(0, here, width):
        acc = outer(zeros(x, 1, ROW_COLS), bias, f, 1, load_tile(ones, 0, ROW_COLS))
        for channel in range(channels):
            row = base + channel * pitch + t
            number = (f * channels + channel) * taps
            if stride == 1:
                for tap in range(taps):
                    acc = outer(acc, weight, number + tap, 1, load_tile(x, row + tap * dilation, ROW_COLS))
            else:
                for tap in range(taps):
                    offset = tap * dilation
                    at = row + offset % stride * phase + offset // stride
                    acc = outer(acc, weight, number + tap, 1, load_tile(x, at, ROW_COLS))
        if here - t >= width:
            store_rows(out, to + t, 0, acc)
            if kind:
                activate(out, to + t, width, kind, slope, edge)
        else:
            store_rows(edge, 0, 0, acc)
            if kind:
                activate(edge, 0, width, kind, slope, edge)
            copy(edge, 0, out, to + t, here - t)


@kernel
def conv1d_rows(x, weight, bias, groups, stride, dilation, left, kind, slope, out):  # type: ignore[no-untyped-def]
    """Cross-correlation along the last axis.

    Parameters
    ----------
    x : (batch, groups * channels, inputs)
    weight : (groups * filters, channels, taps)
    bias : (groups * filters,)
    stride, dilation, left : int; `left` zeros stand before x, and as many as needed behind it
    kind, slope : an activation of `exp` (not SQUARED_MODULUS), and its parameter
    out : (batch, groups * filters, outputs); all arrays float32 or all float64
    """
    batch, _, inputs = x.shape
    channels, taps = weight.shape[1:]
    filters = weight.shape[0] // groups
    outputs = out.shape[2]
    reach = dilation * (taps - 1) + 1
    width = ROW_COLS * lanes(x)
    run = min(_TILES, (outputs + width - 1) // width) * width  # outputs of one task
    runs = (outputs + run - 1) // run if outputs else 0
    phase = run + (reach - 1) // stride + 1
    for task in prange(batch * groups * runs):
        pair = np.intp(task) // runs
        start = (np.intp(task) - pair * runs) * run
        here = min(run, outputs - start)
        item = pair // groups
        group = pair - item * groups
        first = start * stride - left
        ones = np.ones(width, x.dtype)
        edge = np.empty(width, x.dtype)
        rows = (item * groups + group) * channels
        inside = stride == 1 and first >= 0 and first + (here + width - 1) // width * width + reach - 1 <= inputs
        if inside:
            for f in range(group * filters, (group + 1) * filters):
                to = (item * groups * filters + f) * outputs + start
                base = rows * inputs + first
                _filter_row(x, base, inputs, 0, weight, bias, f, 1, dilation, ones, edge, kind, slope, out, to, here)
        else:
            scratch = np.zeros(channels * stride * phase, x.dtype)
            for channel in range(channels):
                for p in range(stride):
                    at = (channel * stride + p) * phase
                    begin = first + p  # x[begin + j * stride] is number j of the phase
                    low = min(phase, max(0, -(begin // stride)))
                    high = min(phase, max(low, (inputs - begin + stride - 1) // stride))
                    for j in range(low, high):
                        scratch[at + j] = x[item, group * channels + channel, begin + j * stride]
            for f in range(group * filters, (group + 1) * filters):
                to = (item * groups * filters + f) * outputs + start
                pitch = stride * phase
                _filter_row(
                    scratch, 0, pitch, phase, weight, bias, f, stride, dilation, ones, edge, kind, slope, out, to, here
                )
