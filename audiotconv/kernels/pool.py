"""Pooling along time: the maximum, the mean or the mean square of windows.

The lanes of a vector are neighbouring windows, so every window is reduced in the order of its own time steps,
whatever the vector width. Runs of windows are first copied to scratch with their padding.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from .compile import kernel
from .simd import broadcast, fma, gather, lanes, select, store

__all__ = ["ENERGY", "MAX", "MEAN", "pool1d"]

MAX, MEAN, ENERGY = 0, 1, 2
_SCRATCH = 1 << 16  # inputs of one task, where windows are not even further apart


@kernel
def pool1d(x, how, size, hop, dilation, left, out):  # type: ignore[no-untyped-def]
    """Reduce windows of the last axis.

    Parameters
    ----------
    x : (rows, inputs) float32 or float64
    how : MAX (the padding never wins; NaN does), MEAN or ENERGY (the mean square); the padding counts as zeros
    size, hop, dilation, left : int; the window, the step between windows, the step within, the left padding
    out : (rows, frames), as x
    """
    rows, inputs = x.shape
    frames = out.shape[1]
    width = lanes(x)
    run = max(1, min(8, _SCRATCH // (width * hop))) * width  # windows of one task
    runs = (frames + run - 1) // run
    for task in prange(rows * runs):
        row = np.intp(task) // runs
        first = (np.intp(task) - row * runs) * run
        here = min(run, frames - first)
        vectors = (here + width - 1) // width
        reach = (vectors * width - 1) * hop + (size - 1) * dilation + 1
        scratch = np.empty(reach, x.dtype)
        source = first * hop - left
        low = min(reach, max(0, -source))
        high = max(low, min(reach, inputs - source))
        outside = x.dtype.type(-np.inf if how == MAX else 0.0)
        scratch[:low] = outside
        for i in range(low, high):
            scratch[i] = x[row, source + i]
        scratch[high:] = outside
        result = np.empty(vectors * width, x.dtype)
        for vector in range(vectors):
            at = vector * width * hop
            if how == MAX:
                best = gather(scratch, at, hop)
                for j in range(1, size):
                    v = gather(scratch, at + j * dilation, hop)
                    best = select(v == v, select(best < v, v, best), v)
                store(result, vector * width, best)
            else:
                total = broadcast(x.dtype.type(0.0))
                for j in range(size):
                    v = gather(scratch, at + j * dilation, hop)
                    total = fma(v, v, total) if how == ENERGY else total + v
                store(result, vector * width, total / broadcast(x.dtype.type(size)))
        for frame in range(here):
            out[row, first + frame] = result[frame]
