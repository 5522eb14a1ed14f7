"""Temporal convolution of many filters at strides above one: a small matrix product per stretch of time.

The lanes of a vector are neighbouring *filters*, and a tile's rows are neighbouring *outputs*: each step loads one
tap of many filters and multiplies it with one broadcast input per row, so a stride is only an address. The outputs of
a stretch of time are then transposed into rows. The order of additions is that of the packed kernel, so the bits are.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .bank import COLS, ROWS
from .compile import kernel
from .exp import SQUARED_MODULUS, activate
from .simd import copy, fma, lanes, load, load_tile, outer, store, store_rows, transpose, zeros

__all__ = ["COLS", "STRETCH", "conv1d_bank"]

STRETCH = 48  # outputs: a multiple of every vector's lanes and of ROWS
_INPUTS = 32768  # inputs of one task, where one stretch does not need more


@kernel
def conv1d_bank(x, weight, bias, groups, stride, dilation, left, kind, slope, out):  # type: ignore[no-untyped-def]
    """Cross-correlation along the last axis.

    Parameters
    ----------
    x : (batch, groups * channels, inputs)
    weight : (groups, blocks, channels, taps, COLS * lanes); filters in blocks, the last padded
    bias : (groups, blocks, COLS * lanes)
    groups, stride, dilation, left : int; `left` zeros stand before x, and as many as needed behind it
    kind, slope : an activation of `exp`, and its parameter
    out : (batch, groups * filters, outputs), or half as many rows for SQUARED_MODULUS; all arrays of one type
    """
    batch, _, inputs = x.shape
    _, blocks, channels, taps, side = weight.shape
    pairs = kind == SQUARED_MODULUS
    filters = out.shape[1] // groups * (2 if pairs else 1)
    outputs = out.shape[2]
    width = lanes(x)
    run = max(1, min(8, _INPUTS // (STRETCH * stride))) * STRETCH  # outputs of one task
    runs = (outputs + run - 1) // run if outputs else 0
    length = (run - 1) * stride + (taps - 1) * dilation + 1
    for task in prange(batch * groups * runs):
        which = np.intp(task) // runs
        start = (np.intp(task) - which * runs) * run
        here = min(run, outputs - start)
        item = which // groups
        group = which - item * groups
        signal = np.empty(channels * length, x.dtype)
        tile = np.empty(run * side, x.dtype)
        rows = np.empty(side * run, x.dtype)
        one = np.ones(1, x.dtype)
        edge = np.empty(width, x.dtype)
        source = start * stride - left
        low = min(length, max(0, -source))
        high = max(low, min(length, inputs - source))
        for channel in range(channels):
            at = channel * length
            signal[at : at + low] = 0
            row = (item * groups + group) * channels + channel
            copy(x, row * inputs + source + low, signal, at + low, high - low)
            signal[at + high : at + length] = 0
        whole = (here + ROWS - 1) // ROWS * ROWS
        for block in range(blocks):
            base = (group * blocks + block) * channels * taps * side
            for t in range(0, whole, ROWS):
                acc = outer(zeros(x, ROWS, COLS), one, 0, 0, load_tile(bias, (group * blocks + block) * side, COLS))
                for channel in range(channels):
                    at = channel * length + t * stride
                    to = base + channel * taps * side
                    for k in range(taps):
                        acc = outer(acc, signal, at + k * dilation, stride, load_tile(weight, to + k * side, COLS))
                store_rows(tile, t * side, side, acc)
            for t in range(0, here, width):
                for v in range(0, side, width):
                    transpose(tile, t * side + v, side, rows, v * run + t, run)
            used = min(side, filters - block * side)
            first = group * filters + block * side
            for row in range(0, used, 2 if pairs else 1):
                at = row * run
                if pairs:
                    for t in range(0, here, width):
                        v, u = load(rows, at + t), load(rows, at + run + t)
                        store(rows, at + t, fma(u, u, v * v))
                elif kind:
                    activate(rows, at, (here + width - 1) // width * width, kind, slope, edge)
                target = (first + row) // 2 if pairs else first + row
                copy(rows, at, out, (item * out.shape[1] + target) * outputs + start, here)
