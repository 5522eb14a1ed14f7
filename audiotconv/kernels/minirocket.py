"""MiniRocket: how often the outputs of 84 kernels, dilated, exceed their limits.

The outputs are those of nine_taps. A limit costs a comparison and a masked addition of integers for each vector of
outputs; four limits at a time stay in registers. Counts are whole numbers, so neither tiles nor threads change them.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from .compile import kernel
from .nine_taps import KERNELS, SLOTS, TAPS, aligned, output, pair, rows_of_tile, shifts, validity
from .simd import lanes, load, select, spread, store

__all__ = ["minirocket"]

_RUN = 1 << 13  # time steps of a task, where blocks are shorter


@njit(nogil=True)
def _above(v, limit, count, one):  # type: ignore[no-untyped-def]
    # `one` is loaded: of a constant the compiler makes a mask of ones, which costs an instruction more.
    return select(v > limit, count + one, count)


@njit(nogil=True, forceinline=True)
def _tally(a, b, at, both, size, limits, first, last, counts, place, one):  # type: ignore[no-untyped-def]
    """Count for each of some limits how many outputs are above it, in every slot.

    The outputs are a[i] + b[at + i] if `both`, else a[i], for i up to `size`; limit f's counts stand in counts from
    (place + f - first) * SLOTS on.
    """
    width = lanes(a)
    up = load(one, 0)
    for phase in range(0, SLOTS, width):
        for f in range(first, last, 4):
            many = min(4, last - f)
            to = (place + f - first) * SLOTS + phase
            n0, n1, n2, n3 = load(counts, to), up, up, up
            b0 = spread(limits, f)
            b1, b2, b3 = b0, b0, b0
            if many > 1:
                n1, b1 = load(counts, to + SLOTS), spread(limits, f + 1)
            if many > 2:
                n2, b2 = load(counts, to + 2 * SLOTS), spread(limits, f + 2)
            if many > 3:
                n3, b3 = load(counts, to + 3 * SLOTS), spread(limits, f + 3)
            if many == 4:
                for i in range(phase, size, SLOTS):
                    v = load(a, i) + load(b, at + i) if both else load(a, i)
                    n0, n1 = _above(v, b0, n0, up), _above(v, b1, n1, up)
                    n2, n3 = _above(v, b2, n2, up), _above(v, b3, n3, up)
            elif many == 3:
                for i in range(phase, size, SLOTS):
                    v = load(a, i) + load(b, at + i) if both else load(a, i)
                    n0, n1, n2 = _above(v, b0, n0, up), _above(v, b1, n1, up), _above(v, b2, n2, up)
            elif many == 2:
                for i in range(phase, size, SLOTS):
                    v = load(a, i) + load(b, at + i) if both else load(a, i)
                    n0, n1 = _above(v, b0, n0, up), _above(v, b1, n1, up)
            else:
                for i in range(phase, size, SLOTS):
                    v = load(a, i) + load(b, at + i) if both else load(a, i)
                    n0 = _above(v, b0, n0, up)
            store(counts, to, n0)
            if many > 1:
                store(counts, to + SLOTS, n1)
            if many > 2:
                store(counts, to + 2 * SLOTS, n2)
            if many > 3:
                store(counts, to + 3 * SLOTS, n3)


@kernel
def minirocket(x, start, length, dilations, features, places, firsts, channels, limits, cut, low, high, counts):  # type: ignore[no-untyped-def]
    """Count outputs above limits, for blocks of time that follow each other.

    Parameters
    ----------
    x : (channels, time) float32; zeros stand before and after
    start, length : int; block i covers the times from start + i * length on
    dilations, features : (dilations,) int64; how far the taps are apart, and how many limits each kernel has there
    places : (84, 3) int64; where a kernel's weights are 2
    firsts, channels : (dilations * 84 + 1,) and (...,) int64; the channels that a kernel of a dilation sees
    limits : (features in all,) float32; those of dilation 0 and kernel 0, of dilation 0 and kernel 1, ...
    cut : int; 1 where every second kernel counts only outputs of which all taps are within [low, high), if there are
    low, high : int; the times that count at all
    counts : (blocks, features in all) int64
    """
    blocks = counts.shape[0]
    together = max(1, _RUN // length)
    runs = (blocks + together - 1) // together
    rows = rows_of_tile(x.shape[0])
    size = rows * SLOTS
    one = np.ones(SLOTS, np.int32)
    for task in prange(runs * dilations.shape[0]):
        run = np.intp(task) // dilations.shape[0]
        j = np.intp(task) - run * dilations.shape[0]
        dilation = dilations[j]
        feature = 0
        for earlier in range(j):
            feature += features[earlier] * KERNELS
        here = features[j]
        tile = aligned(x.shape[0] * (TAPS + 1) * size, x)
        line, partial, out = aligned(size, x), aligned(size, x), aligned(size, x)
        whole, inside = aligned(size, x), aligned(size, x)
        sums = np.empty(KERNELS * here * SLOTS, np.int32)
        several = x.shape[0] > 1
        reach = TAPS // 2 * dilation
        inner = cut and high - low > 2 * reach
        for block in range(run * together, min(blocks, (run + 1) * together)):
            sums[:] = 0
            begin = max(low, start + block * length)
            end = min(start + (block + 1) * length, high)
            for at in range(begin, end, size):
                here_rows = min(rows, (end - at + SLOTS - 1) // SLOTS)
                used = here_rows * SLOTS
                for channel in range(x.shape[0]):
                    shifts(x, channel, at, 0, here_rows, dilation, 0, line, tile)
                ends = at + used > end
                if ends:
                    validity(at, 0, here_rows, at, end, whole)
                first_inside = max(at, low + reach)
                end_inside = min(min(end, at + used), high - reach)
                some = first_inside < end_inside
                partly = end_inside - first_inside < used
                if inner and some and partly:
                    validity(at, 0, here_rows, first_inside, end_inside, inside)
                for k in range(KERNELS):
                    narrow = inner and (j + k) % 2 == 1
                    a, b, c = places[k, 0], places[k, 1], places[k, 2]
                    if c == b + 1 and not several:
                        pair(tile, here_rows, a, b, partial)
                    if narrow and not some:
                        continue
                    cut_off = partly if narrow else ends
                    if several or cut_off:
                        first = firsts[j * KERNELS + k]
                        number = firsts[j * KERNELS + k + 1] - first
                        valid = inside if narrow else whole
                        output(
                            tile, here_rows, a, b, c, several, channels, first, number, partial, valid, cut_off, out
                        )  # fmt: skip
                    alone = not (several or cut_off)
                    place = feature + k * here
                    _tally(
                        partial if alone else out, tile, c * used, alone, used, limits, place, place + here, sums,
                        k * here, one,
                    )  # fmt: skip
            for f in range(KERNELS * here):
                total = 0
                for s in range(SLOTS):
                    total += sums[f * SLOTS + s]
                counts[block, feature + f] = total
