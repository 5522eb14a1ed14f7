"""Hydra: in every group of kernels, which one answers most and which least at each moment.

A tile's nine shifted rows are shared by all groups that see the same channels. A group's outputs on a tile are
computed as a small matrix product, in registers, and compete while they are in the first cache: places take the number
of their largest and their smallest output, and then each kernel adds up where it won.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from .compile import kernel
from .nine_taps import SLOTS, TAPS, aligned, cut
from .simd import TILE_COLS, broadcast, lanes, load, load_tile, outer, select, store, store_rows, zeros

__all__ = ["ROWS", "TILE", "hydra"]

ROWS = 4  # of a tile of accumulators; weights are padded with kernels of zeros to a multiple
TILE = 384  # time steps: eight times what the accumulators hold


@njit(nogil=True)
def _rows(x, channels, at, several, start, dilation, line, tile):  # type: ignore[no-untyped-def]
    """tile[g * TILE + i] = the input g taps of the middle one away from time start + i, summed over channels."""
    width = lanes(x)
    for g in range(TAPS):
        shift = start + (g - TAPS // 2) * dilation
        if not several:
            cut(x, 0, shift, TILE, tile, g * TILE)
            continue
        for m in range(channels.shape[2]):
            row = channels.reshape(-1)[at + m]
            if m == 0:
                cut(x, row, shift, TILE, tile, g * TILE)
            else:
                cut(x, row, shift, TILE, line, 0)
                for i in range(0, TILE, width):
                    store(tile, g * TILE + i, load(tile, g * TILE + i) + load(line, i))


@njit(nogil=True)
def _answers(tile, weights, at, padded, out):  # type: ignore[no-untyped-def]
    """out[r * TILE + i] = the output of the group's kernel r."""
    step = TILE_COLS * lanes(tile)
    for r in range(0, padded, ROWS):
        for i in range(0, TILE, step):
            acc = zeros(tile, ROWS, TILE_COLS)
            for g in range(TAPS):
                acc = outer(acc, weights, at + r * TAPS + g, TAPS, load_tile(tile, g * TILE + i, TILE_COLS))
            store_rows(out, r * TILE + i, TILE, acc)


@njit(nogil=True)
def _compete(out, kernels, inside, largest, most, least):  # type: ignore[no-untyped-def]
    """For each of the first `inside` places the largest output, and whose it and the smallest are; -1 after them."""
    width = lanes(out)
    for i in range(0, TILE, width):
        high = load(out, i)
        low = high
        top = broadcast(np.int32(0))
        bottom = top
        for r in range(1, kernels):
            v = load(out, r * TILE + i)
            number = broadcast(np.int32(r))
            above, below = v > high, v < low
            high, top = select(above, v, high), select(above, number, top)
            low, bottom = select(below, v, low), select(below, number, bottom)
        store(largest, i, high)
        store(most, i, top)
        store(least, i, bottom)
    most[inside:] = -1
    least[inside:] = -1


@njit(nogil=True)
def _score(largest, most, least, r, one, slots, counts, sums, numbers, to):  # type: ignore[no-untyped-def]
    """sums[to + r] += what kernel r won with, numbers[to + r] += how often it was least."""
    width = lanes(largest)
    up = load(one, 0)
    mine = broadcast(np.int32(r))
    for phase in range(0, SLOTS, width):
        total, n = broadcast(np.float32(0.0)), load(counts, phase)
        for i in range(phase, TILE, SLOTS):
            total = select(load(most, i) == mine, total + load(largest, i), total)
            n = select(load(least, i) == mine, n + up, n)
        store(slots, phase, total)
        store(counts, SLOTS + phase, n)
    for s in range(SLOTS):
        sums[to + r] += np.float64(slots[s])
        numbers[to + r] += np.int64(counts[SLOTS + s])


@kernel
def hydra(x, dilations, weights, channels, kernels, length, sums, numbers):  # type: ignore[no-untyped-def]
    """Competitions of groups of kernels.

    Parameters
    ----------
    x : (channels, time) float32; zeros stand before and after
    dilations : (dilations,) int64
    weights : (dilations, groups, padded, 9) float32; a group's kernels, and zeros to a multiple of ROWS
    channels : (dilations, groups, summed) int64; which channels a group sees the sum of, where there are several
    kernels : int; of a group
    length : int; time steps of a run, a multiple of TILE
    sums : (runs, dilations, groups, kernels) float64, zeros: the sum of the largest outputs of a group, by kernel
    numbers : the same, int64: how often a kernel's output was the group's smallest
    """
    n = x.shape[1]
    groups, padded = weights.shape[1], weights.shape[2]
    summed = channels.shape[2]
    several = x.shape[0] > 1
    all_sums, all_numbers = sums.reshape(-1), numbers.reshape(-1)
    one = np.ones(SLOTS, np.int32)
    for task in prange(sums.shape[0] * dilations.shape[0]):
        run = np.intp(task) // dilations.shape[0]
        j = np.intp(task) - run * dilations.shape[0]
        tile, line = aligned(TAPS * TILE, x), aligned(TILE, x)
        out, largest = aligned(padded * TILE, x), aligned(TILE, x)
        most, least = aligned(TILE, one), aligned(TILE, one)
        slots, counts = np.empty(SLOTS, np.float32), np.zeros(2 * SLOTS, np.int32)
        for start in range(run * length, min(n, (run + 1) * length), TILE):
            for group in range(groups):
                if several or group == 0:
                    _rows(x, channels, (j * groups + group) * summed, several, start, dilations[j], line, tile)
                _answers(tile, weights, (j * groups + group) * padded * TAPS, padded, out)
                _compete(out, kernels, min(TILE, n - start), largest, most, least)
                to = ((run * dilations.shape[0] + j) * groups + group) * kernels
                for r in range(kernels):
                    _score(largest, most, least, r, one, slots, counts, all_sums, all_numbers, to)
