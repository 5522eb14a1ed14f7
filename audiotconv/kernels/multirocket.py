"""MultiRocket's four poolings of the outputs of 84 kernels, dilated, for each of their limits.

How many outputs are above the limit, their sum, the sum of their places, and the longest time from one output below
the limit to the next. The last depends on the order of time, so a tile stands in columns (see nine_taps): each slot
walks along a stretch of its own, remembers where it was below first and last, and the stretches are joined at the end.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from .compile import kernel
from .nine_taps import KERNELS, SLOTS, TAPS, aligned, output, pair, rows_of_tile, shifts, validity
from .simd import broadcast, lanes, load, select, spread, store

__all__ = ["PACE", "multirocket"]

PACE = 1024  # time steps of a slot, where there are so many
_FIELDS = 5  # of a limit and slot: how many above, sum of their places, last below, first below, longest gap
_NEVER = 1 << 30


@njit(nogil=True, forceinline=True)
def _step(v, t, limit, one, n, total, places, last, first, best):  # type: ignore[no-untyped-def]
    """What an output of every slot changes."""
    above, below = v > limit, v < limit
    gap = t - last
    return (
        select(above, n + one, n),
        select(above, total + v, total),
        select(above, places + t, places),
        select(below, t, last),
        select(below, select(t < first, t, first), first),
        select(below, select(gap > best, gap, best), best),
    )


@njit(nogil=True, forceinline=True)
def _pool(out, rows, at, limits, first, last, one, state, sums, place):  # type: ignore[no-untyped-def]
    """Take `rows` outputs of every slot, the first of which is number `at`, for limits first to last - 1."""
    width = lanes(out)
    field = SLOTS
    up = load(one, 0)
    for phase in range(0, SLOTS, width):
        for f in range(first, last, 2):
            s0 = (place + f - first) * _FIELDS * SLOTS + phase
            r0 = (place + f - first) * SLOTS + phase
            b0 = spread(limits, f)
            n0, p0 = load(state, s0), load(state, s0 + field)
            l0, f0, g0 = load(state, s0 + 2 * field), load(state, s0 + 3 * field), load(state, s0 + 4 * field)
            t0 = broadcast(np.float32(0.0))
            t = broadcast(np.int32(at))
            if last - f == 1:
                for i in range(phase, rows * SLOTS, SLOTS):
                    n0, t0, p0, l0, f0, g0 = _step(load(out, i), t, b0, up, n0, t0, p0, l0, f0, g0)
                    t = t + up
            else:
                s1, r1 = s0 + _FIELDS * SLOTS, r0 + SLOTS
                b1 = spread(limits, f + 1)
                n1, p1 = load(state, s1), load(state, s1 + field)
                l1, f1, g1 = load(state, s1 + 2 * field), load(state, s1 + 3 * field), load(state, s1 + 4 * field)
                t1 = broadcast(np.float32(0.0))
                for i in range(phase, rows * SLOTS, SLOTS):
                    v = load(out, i)
                    n0, t0, p0, l0, f0, g0 = _step(v, t, b0, up, n0, t0, p0, l0, f0, g0)
                    n1, t1, p1, l1, f1, g1 = _step(v, t, b1, up, n1, t1, p1, l1, f1, g1)
                    t = t + up
                store(state, s1, n1)
                store(state, s1 + field, p1)
                store(state, s1 + 2 * field, l1)
                store(state, s1 + 3 * field, f1)
                store(state, s1 + 4 * field, g1)
                store(sums, r1, load(sums, r1) + t1)
            store(state, s0, n0)
            store(state, s0 + field, p0)
            store(state, s0 + 2 * field, l0)
            store(state, s0 + 3 * field, f0)
            store(state, s0 + 4 * field, g0)
            store(sums, r0, load(sums, r0) + t0)


@njit(nogil=True)
def _join(state, sums, f, begin, pace, low, whole, total, run, to):  # type: ignore[no-untyped-def]
    """Add the slots of one limit to what a run holds: above, sum of places, first and last below, longest gap."""
    for s in range(SLOTS):
        at = f * _FIELDS * SLOTS + s
        n, start = np.int64(state[at]), begin + s * pace
        whole[run, 0, to] += n
        whole[run, 1, to] += state[at + SLOTS] + n * (start - low)
        total[run, to] += np.float64(sums[f * SLOTS + s])
        if state[at + 3 * SLOTS] < _NEVER:
            first = start + np.int64(state[at + 3 * SLOTS])
            gap = np.int64(state[at + 4 * SLOTS])
            if whole[run, 2, to] < 0:
                whole[run, 2, to] = first
            else:
                gap = max(gap, first - whole[run, 3, to])
            whole[run, 3, to] = start + np.int64(state[at + 2 * SLOTS])
            whole[run, 4, to] = max(whole[run, 4, to], gap)


@kernel
def multirocket(x, dilations, features, places, firsts, channels, limits, cut, skew, pace, together, whole, total):  # type: ignore[no-untyped-def]
    """Pool a series.

    Parameters
    ----------
    x : (channels, time) float32; zeros stand before and after
    dilations, features, places, firsts, channels, limits, cut : as for `minirocket`; all of the time counts
    skew : int; how much nearer the inputs before the middle one are than the dilation says
    pace, together : int; time steps of a slot, and how many stretches of SLOTS slots make a run
    whole : (runs, 5, features in all) int64, to begin with 0, 0, -1, 0, 0: how many outputs are above, the sum of their
        places among those that count, the first and the last time below, the longest time from below to below
    total : (runs, features in all) float64, to begin with 0: the sum of the outputs that are above
    """
    n = x.shape[1]
    runs = whole.shape[0]
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
        everything, inside = aligned(size, x), aligned(size, x)
        state, sums = np.empty(KERNELS * here * _FIELDS * SLOTS, np.int32), np.empty(KERNELS * here * SLOTS, np.float32)
        several = x.shape[0] > 1
        reach = TAPS // 2 * dilation
        inner = cut and n > 2 * reach
        for stretch in range(run * together, (run + 1) * together):
            begin = stretch * pace * SLOTS
            if begin >= n:
                break
            sums[:] = 0.0
            for k in range(KERNELS):
                low = reach if inner and (j + k) % 2 == 1 else 0
                for f in range(k * here, (k + 1) * here):
                    at = f * _FIELDS * SLOTS
                    for s in range(SLOTS):
                        state[at + s] = 0
                        state[at + SLOTS + s] = 0
                        # Where a slot begins it may have been below just before: a gap from there is not too long.
                        state[at + 2 * SLOTS + s] = min(pace, max(0, low - begin - s * pace))
                        state[at + 3 * SLOTS + s] = _NEVER
                        state[at + 4 * SLOTS + s] = 0
            for step in range(0, pace, rows):
                here_rows = min(rows, pace - step)
                for channel in range(x.shape[0]):
                    shifts(x, channel, begin + step, pace, here_rows, dilation, skew, line, tile)
                last_time = begin + step + (SLOTS - 1) * pace + here_rows
                ends = last_time > n
                narrows = begin + step < reach or last_time > n - reach
                if ends:
                    validity(begin + step, pace, here_rows, 0, n, everything)
                if inner and narrows:
                    validity(begin + step, pace, here_rows, reach, n - reach, inside)
                for k in range(KERNELS):
                    narrow = inner and (j + k) % 2 == 1
                    a, b, c = places[k, 0], places[k, 1], places[k, 2]
                    if c == b + 1 and not several:
                        pair(tile, here_rows, a, b, partial)
                    first = firsts[j * KERNELS + k]
                    number = firsts[j * KERNELS + k + 1] - first
                    output(
                        tile, here_rows, a, b, c, several, channels, first, number, partial,
                        inside if narrow else everything, narrows if narrow else ends, out,
                    )  # fmt: skip
                    place = feature + k * here
                    _pool(out, here_rows, step, limits, place, place + here, one, state, sums, k * here)
            for k in range(KERNELS):
                low = reach if inner and (j + k) % 2 == 1 else 0
                for f in range(k * here, (k + 1) * here):
                    _join(state, sums, f, begin, pace, low, whole, total, run, feature + f)
