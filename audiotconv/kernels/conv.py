"""Dense temporal convolution by packing: any stride, dilation, padding, groups and number of channels.

A tile of output times is chosen, and every input it needs, (input channels x taps) rows of as many times, is packed
side by side into scratch; there the padding becomes zeros, and strides and dilations vanish. What is left is a small
matrix product in registers: output channels are the tile's rows, times its lanes. Each output adds its bias, then
its products by input channel and by tap, in that order.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .compile import kernel
from .simd import TILE_COLS, TILE_ROWS, lanes, load_tile, outer, store_rows, zeros

__all__ = ["conv1d"]


@kernel
def conv1d(x, weight, bias, stride, dilation, left, out):  # type: ignore[no-untyped-def]
    """Cross-correlation along the last axis.

    Parameters
    ----------
    x : (batch, groups * channels, inputs)
    weight : (groups, blocks, channels * taps, TILE_ROWS); output channels in blocks of TILE_ROWS, the last padded
    bias : (groups, blocks, TILE_ROWS)
    stride, dilation, left : int; `left` zeros stand before x, and as many as needed behind it
    out : (batch, groups * filters, outputs); all arrays float32 or all float64
    """
    batch, _, inputs = x.shape
    groups, blocks, depth, _ = weight.shape
    channels = x.shape[1] // groups
    filters = out.shape[1] // groups
    outputs = out.shape[2]
    taps = depth // channels
    width = TILE_COLS * lanes(x)
    tiles = (outputs + width - 1) // width
    run = min(tiles, 8)  # tiles of one task share their scratch
    runs = (tiles + run - 1) // run if tiles else 0
    for task in prange(batch * groups * runs):
        pair = np.intp(task) // runs
        first = (np.intp(task) - pair * runs) * run
        item = pair // groups
        group = pair - item * groups
        packed = np.empty(depth * width, x.dtype)
        edge = np.empty(TILE_ROWS * width, x.dtype)
        ones = np.ones(width, x.dtype)
        for tile in range(first, min(first + run, tiles)):
            start = tile * width
            here = min(width, outputs - start)
            for channel in range(channels):
                for tap in range(taps):
                    at = (channel * taps + tap) * width
                    source = start * stride + tap * dilation - left
                    # t is inside where 0 <= source + t * stride < inputs
                    low = min(width, max(0, -(source // stride)))
                    high = min(width, max(low, (inputs - source + stride - 1) // stride))
                    packed[at : at + low] = 0
                    for t in range(low, high):
                        packed[at + t] = x[item, group * channels + channel, source + t * stride]
                    packed[at + high : at + width] = 0
            for block in range(blocks):
                base = (group * blocks + block) * depth * TILE_ROWS
                one = load_tile(ones, 0, TILE_COLS)
                acc = outer(zeros(x, TILE_ROWS, TILE_COLS), bias, (group * blocks + block) * TILE_ROWS, 1, one)
                for k in range(depth):
                    acc = outer(acc, weight, base + k * TILE_ROWS, 1, load_tile(packed, k * width, TILE_COLS))
                rows = min(TILE_ROWS, filters - block * TILE_ROWS)
                to = ((item * groups + group) * filters + block * TILE_ROWS) * outputs + start
                if rows == TILE_ROWS and here == width:
                    store_rows(out, to, outputs, acc)
                else:
                    store_rows(edge, 0, width, acc)
                    for row in range(rows):
                        for t in range(here):
                            out[item, group * filters + block * TILE_ROWS + row, start + t] = edge[row * width + t]
