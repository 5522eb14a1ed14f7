"""Derivatives along time, in lanes of neighbouring frames.

A filter for a derivative of odd order is odd and one of even order even, and both give zero for a constant. So odd
ones add up taps[j] * (x[t + j] - x[t - j]), even ones taps[j] * ((x[t + j] - x[t]) + (x[t - j] - x[t])): differences
of neighbours, which lose nothing of small changes of large values.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from .compile import kernel
from .simd import broadcast, copy, fma, lanes, load, store

__all__ = ["AGAIN", "INNER", "REPEAT", "deltas"]

REPEAT, AGAIN, INNER = range(3)
_RUN = 1024


@njit(nogil=True)
def _filtered(source, at, taps, row, half, even, count, out):  # type: ignore[no-untyped-def]
    """out[i] = the derivative at source[at + i], for i up to `count`, rounded up to whole vectors."""
    base = row * taps.shape[1]
    flat = taps.reshape(-1)
    for i in range(0, count, lanes(source)):
        here = at + i
        total = broadcast(np.float32(0.0))
        if even:
            centre = load(source, here)
            for j in range(1, half + 1):
                pair = (load(source, here + j) - centre) + (load(source, here - j) - centre)
                total = fma(broadcast(flat[base + j]), pair, total)
        else:
            for j in range(1, half + 1):
                pair = load(source, here + j) - load(source, here - j)
                total = fma(broadcast(flat[base + j]), pair, total)
        store(out, i, total)


@njit(nogil=True)
def _cut(x, row, start, count, out):  # type: ignore[no-untyped-def]
    """out[i] = x[row, start + i], or the nearest frame there is."""
    n = x.shape[1]
    left = min(count, max(0, -start))
    right = max(left, min(count, n - start))
    if left:
        out[:left] = x[row, 0]
    copy(x, row * n + start + left, out, left, right - left)
    if right < count:
        out[right:count] = x[row, n - 1]


@kernel
def deltas(x, origin, taps, halves, edges, statics, features, out):  # type: ignore[no-untyped-def]
    """Derivatives of every row.

    Parameters
    ----------
    x : (channels * features, time) float32, at least one frame
    origin : int; where in x the first frame stands
    taps : (orders, half + 1) float32; taps[k, j] of the filter for order k + 1, j frames from its middle
    halves : (orders,) int64; how far each filter reaches
    edges : REPEAT: the first and last frame go on; AGAIN: each order is the first filter of the order before, whose
        edge values go on; INNER: edge frames have the value of the nearest frame whose filter lies in x
    statics : int; 1 to begin with x itself, else 0
    features : int
    out : (channels, (statics + orders) * features, frames) float32
    """
    rows, n = x.shape
    orders = taps.shape[0]
    sets = statics + orders
    frames = out.shape[2]
    width = lanes(x)
    runs = (frames + _RUN - 1) // _RUN
    reach = 0
    for order in range(orders):
        reach = max(reach, halves[order])
    if edges == AGAIN:
        reach = orders * halves[0]
    for task in prange(rows * runs):
        row = np.intp(task) // runs
        first = (np.intp(task) - row * runs) * _RUN
        here = min(_RUN, frames - first)
        channel = row // features
        target = (channel * sets * features + row - channel * features) * frames + first
        room = here + 2 * reach + 2 * width
        source, result = np.zeros(room, np.float32), np.zeros(room, np.float32)
        _cut(x, row, origin + first - reach, here + 2 * reach, source)
        if statics:
            copy(source, reach, out, target, here)
            target += features * frames
        for order in range(orders):
            if edges == AGAIN:
                half = halves[0]
                left = reach - order * half  # frames before the first one, in source
                count = here + 2 * (left - half)
                _filtered(source, half, taps, 0, half, False, count, result)
                start = origin + first - (left - half)  # where in x the first result stands
                for i in range(min(count, max(0, -start))):
                    result[i] = result[-start]
                for i in range(min(count, n - start), count):
                    result[i] = result[n - 1 - start]
                copy(result, left - half, out, target, here)
                source, result = result, source
            else:
                half = halves[order]
                _filtered(source, reach, taps, order, half, order % 2 == 1, here, result)
                if edges == INNER and n > 2 * half:
                    inner = np.empty(2 * half + width, np.float32)
                    edge = np.empty(width, np.float32)
                    start = origin + first
                    for side in range(2):
                        low = 0 if side == 0 else max(0, n - half - start)
                        high = min(here, half - start) if side == 0 else here
                        if low < high:
                            _cut(x, row, 0 if side == 0 else n - 1 - 2 * half, 2 * half + width, inner)
                            _filtered(inner, half, taps, order, half, order % 2 == 1, 1, edge)
                            result[low:high] = edge[0]
                copy(result, 0, out, target, here)
            target += features * frames
