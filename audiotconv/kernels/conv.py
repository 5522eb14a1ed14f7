"""Dense temporal convolution by packing: any stride, dilation, padding, groups and number of channels.

A tile of output times is chosen, and every input it needs is packed side by side into scratch, in rows whose
neighbours are `stride` inputs apart; there the padding becomes zeros, and strides vanish. A row serves one tap, or all
taps whose distance is a multiple of the stride, whichever copies less: the caller says with `leads` and `where`. What
is left is a small matrix product in registers: output channels are the tile's rows, times its lanes. Each output adds
its bias, then its products by input channel and by tap, in that order.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .compile import kernel
from .exp import RELU, SQUARED_MODULUS, activate
from .simd import TILE_COLS, TILE_ROWS, copy, fma, gather, lanes, load, load_tile, outer, relu, store, store_rows, zeros

__all__ = ["conv1d"]

MOST_TILES, SCRATCH_BYTES = 32, 1 << 19  # the scratch is half of a second-level cache


@kernel
def conv1d(x, weight, bias, leads, length, where, stride, left, kind, slope, out):  # type: ignore[no-untyped-def]
    """Cross-correlation along the last axis.

    Parameters
    ----------
    x : (batch, groups * channels, inputs)
    weight : (groups, blocks, channels * taps, TILE_ROWS); output channels in blocks of TILE_ROWS, the last padded
    bias : (groups, blocks, TILE_ROWS)
    leads : (rows,) int64; how many inputs after a tile's first one each packed row of a channel begins
    length : int; of a packed row, a multiple of the lanes
    where : (channels * taps,) int64; at which number in the scratch the inputs of each product begin
    stride, left : int; `left` zeros stand before x, and as many as needed behind it
    kind, slope : an activation of `exp`, and its parameter
    out : (batch, groups * filters, outputs), or half as many rows for SQUARED_MODULUS, which takes each two
        neighbouring filters for a real and an imaginary part; all arrays float32 or all float64
    """
    batch, _, inputs = x.shape
    groups, blocks, depth, _ = weight.shape
    channels = x.shape[1] // groups
    pairs = kind == SQUARED_MODULUS
    filters = out.shape[1] // groups * (2 if pairs else 1)
    outputs = out.shape[2]
    rows = leads.shape[0]
    width = TILE_COLS * lanes(x)
    tiles = (outputs + width - 1) // width
    size = channels * rows * length
    # Tiles of one task are packed together, and then each block of filters runs over all of them: its weights stay in
    # the first-level cache, and rows of x and out are touched in long stretches. (Rows a power of two apart would
    # otherwise drive each other out of the caches.)
    run = max(1, min(tiles, MOST_TILES, SCRATCH_BYTES // (size * x.itemsize)))
    runs = (tiles + run - 1) // run if tiles else 0
    for task in prange(batch * groups * runs):
        which = np.intp(task) // runs
        first = (np.intp(task) - which * runs) * run
        count = min(run, tiles - first)
        item = which // groups
        group = which - item * groups
        # Rows begin on cache lines, so that no vector of them lies on two.
        packed = np.empty(count * size + 64 // x.itemsize, x.dtype)
        skip = ((64 - (np.intp(packed.ctypes.data) & 63)) & 63) // x.itemsize
        edge = np.empty(TILE_ROWS * width, x.dtype)
        ones = np.ones(width, x.dtype)
        for channel in range(channels):
            number = (item * x.shape[1] + group * channels + channel) * inputs
            for row in range(rows):
                for tile in range(count):
                    at = skip + tile * size + (channel * rows + row) * length
                    source = (first + tile) * width * stride + leads[row] - left
                    if source >= 0 and source + (length - 1) * stride < inputs:
                        for t in range(0, length, lanes(x)):
                            if stride == 1:
                                store(packed, at + t, load(x, number + source + t))
                            else:
                                store(packed, at + t, gather(x, number + source + t * stride, stride))
                    else:
                        # t is inside where 0 <= source + t * stride < inputs
                        low = min(length, max(0, -(source // stride)))
                        high = min(length, max(low, (inputs - source + stride - 1) // stride))
                        packed[at : at + low] = 0
                        for t in range(low, high):
                            packed[at + t] = x[item, group * channels + channel, source + t * stride]
                        packed[at + high : at + length] = 0
        for block in range(blocks):
            base = (group * blocks + block) * depth * TILE_ROWS
            used = min(TILE_ROWS, filters - block * TILE_ROWS)
            for tile in range(count):
                start = (first + tile) * width
                here = min(width, outputs - start)
                at = skip + tile * size
                one = load_tile(ones, 0, TILE_COLS)
                acc = outer(zeros(x, TILE_ROWS, TILE_COLS), bias, (group * blocks + block) * TILE_ROWS, 1, one)
                for k in range(depth):
                    acc = outer(acc, weight, base + k * TILE_ROWS, 1, load_tile(packed, at + where[k], TILE_COLS))
                if pairs:
                    store_rows(edge, 0, width, acc)
                    for pair in range(used // 2):
                        for t in range(0, width, lanes(x)):
                            v, u = load(edge, 2 * pair * width + t), load(edge, (2 * pair + 1) * width + t)
                            store(edge, pair * width + t, fma(u, u, v * v))
                        row = (group * filters + block * TILE_ROWS) // 2 + pair
                        copy(edge, pair * width, out, (item * out.shape[1] + row) * outputs + start, here)
                    continue
                if kind == RELU:
                    acc = relu(acc)
                to = ((item * groups + group) * filters + block * TILE_ROWS) * outputs + start
                if used == TILE_ROWS and here == width:
                    store_rows(out, to, outputs, acc)
                    if kind > RELU:
                        for row in range(TILE_ROWS):
                            activate(out, to + row * outputs, width, kind, slope, edge)
                else:
                    store_rows(edge, 0, width, acc)
                    if kind > RELU:
                        activate(edge, 0, TILE_ROWS * width, kind, slope, edge)
                    for row in range(used):
                        copy(edge, row * width, out, to + row * outputs, here)
