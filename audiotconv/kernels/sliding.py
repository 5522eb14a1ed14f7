"""Means and deviations in a sliding window, in float64, in lanes of neighbouring features.

Frames are cut into blocks of one window's length, the first at frame 0. A window is then the end of one block and the
beginning of the next, and its sum that of the block from there on, added up backwards, plus that of the next block up
to there. No sum has more terms than a window, none is ever subtracted, and the order of its terms follows from the
frame's number alone: nothing drifts, and a loud frame is forgotten when it has left.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .compile import kernel
from .simd import broadcast, fma, lanes, load, maximum, sqrt, store

__all__ = ["sliding_normal"]


@kernel
def sliding_normal(x, zero, first, window, longest, least, centred, variance, floor, out):  # type: ignore[no-untyped-def]
    """(x - mean) of every row, divided by the standard deviation if asked for.

    Parameters
    ----------
    x : (rows, time) float32, at least one frame
    zero : int; where in x frame 0 of the signal stands, negative if x begins later
    first : int; the first frame's number
    window : int; its frames
    longest : int; the frames of the longest window, and of a block
    least : int; the frames of the shortest window, if it is not centred
    centred : int; 1 for windows around their frames, 0 for windows that end with them
    variance : int; 1 to divide by the deviation
    floor : float64; the smallest variance to divide by
    out : (rows, frames) float32
    """
    rows, time = x.shape
    frames = out.shape[1]
    kind = np.empty(1, np.float64)
    width = lanes(kind)
    groups = (rows + width - 1) // width
    end = time - zero  # the number of the frame after x
    for task in prange(groups):
        row = np.intp(task) * width
        here = min(width, rows - row)
        # One window's worth of frames more on either side than those to be computed.
        low = max(0, -zero, (first - longest) // longest * longest)
        high = min(end, first + frames + longest)
        count = high - low
        values = np.zeros((count, width), np.float64)
        for r in range(here):
            for i in range(count):
                values[i, r] = np.float64(x[row + r, zero + low + i])
        # sums[0, i]: of values[i] to the end of its block; sums[1, i]: from the block's beginning to values[i]
        sums, squares = np.empty((2, count, width), np.float64), np.empty((2, count, width), np.float64)
        nothing = broadcast(np.float64(0.0))
        total, square = nothing, nothing
        for i in range(count - 1, -1, -1):
            if (low + i + 1) % longest == 0:
                total, square = nothing, nothing
            v = load(values, i * width)
            total, square = total + v, fma(v, v, square)
            store(sums, i * width, total)
            store(squares, i * width, square)
        total, square = nothing, nothing
        for i in range(count):
            if (low + i) % longest == 0:
                total, square = nothing, nothing
            v = load(values, i * width)
            total, square = total + v, fma(v, v, square)
            store(sums, (count + i) * width, total)
            store(squares, (count + i) * width, square)
        result = np.empty(width, np.float64)
        for f in range(frames):
            t = first + f
            start = max(0, t - window // 2 if centred else t - window)
            stop = start + window if centred else max(t + 1, least)
            if stop > end:
                start, stop = max(0, start - (stop - end)), end
            size = np.float64(stop - start)
            last = (count + stop - 1 - low) * width
            total, square = load(sums, last), load(squares, last)
            if start % longest:
                total, square = load(sums, (start - low) * width) + total, load(squares, (start - low) * width) + square
            share = broadcast(np.float64(1.0) / size)
            mean = total * share
            v = load(values, (t - low) * width) - mean
            if variance:
                spread = maximum(fma(square, share, -(mean * mean)), broadcast(np.float64(floor)))
                v = v / sqrt(spread)
            store(result, 0, v)
            for r in range(here):
                out[row + r, f] = np.float32(result[r])
