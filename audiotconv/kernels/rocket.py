"""Rocket: many kernels with dilations of their own, and how their outputs are pooled: how often above 0, how large.

A block of outputs stays in registers while a kernel's taps pass; inputs are loaded where they lie, and only blocks
that reach beyond an end are cut out with zeros around them.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from .compile import kernel
from .nine_taps import aligned, cut
from .simd import broadcast, lanes, load, load_tile, maximum, outer, select, store, store_rows, zeros

__all__ = ["rocket"]

_COLS = 6  # vectors of a block
_STRETCH = 1 << 13  # time steps that all kernels see before the next ones


@njit(nogil=True)
def _pooled(out, inside, best, counts, one):  # type: ignore[no-untyped-def]
    """counts += how many of the first `inside` outputs are above 0; best = the largest; in every lane."""
    width = lanes(out)
    if inside < _COLS * width:
        out[inside:] = -np.inf
    up = load(one, 0)
    n, most = load(counts, 0), load(best, 0)
    nothing = broadcast(np.float32(0.0))
    for i in range(0, _COLS * width, width):
        v = load(out, i)
        n = select(v > nothing, n + up, n)
        most = maximum(v, most)
    store(counts, 0, n)
    store(best, 0, most)


@kernel
def rocket(x, lengths, weights, starts, biases, dilations, paddings, firsts, channels, runs, above, best):  # type: ignore[no-untyped-def]
    """Pool the outputs of kernels.

    Parameters
    ----------
    x : (channels, time) float32; zeros stand before and after
    lengths, dilations, paddings : (kernels,) int64
    weights : (...) float32; those of a kernel's first channel, of its second, ... from starts[k] on
    channels : (...) int64; of kernel k from firsts[k] to firsts[k + 1]
    biases : (kernels,) float32
    runs : int; into how many stretches time is divided for threads
    above : (runs, kernels) int64, zeros: how many outputs are above 0
    best : (runs, kernels) float32, -inf: the largest output
    """
    n = x.shape[1]
    width = lanes(x)
    block = _COLS * width
    stretches = (2 * n + _STRETCH - 1) // _STRETCH  # padding at most doubles the number of outputs
    per = (stretches + runs - 1) // runs
    flat = x.reshape(-1)
    for task in prange(runs):
        run = np.intp(task)
        out, line, ones = aligned(block, x), aligned(block, x), np.ones(width, np.float32)
        most, up, counts = np.empty(width, np.float32), np.ones(width, np.int32), np.empty(width, np.int32)
        for stretch in range(run * per, min(stretches, (run + 1) * per)):
            for k in range(lengths.shape[0]):
                length, dilation, padding = lengths[k], dilations[k], paddings[k]
                outputs = n + 2 * padding - (length - 1) * dilation
                end = min(outputs, (stretch + 1) * _STRETCH)
                if stretch * _STRETCH >= end:
                    continue
                counts[:] = 0
                most[:] = -np.inf
                for t in range(stretch * _STRETCH, end, block):
                    acc = zeros(x, 1, _COLS)
                    for col in range(0, block, width):
                        store(line, col, load(ones, 0))
                    acc = outer(acc, biases, k, 0, load_tile(line, 0, _COLS))
                    at = starts[k]
                    for m in range(firsts[k], firsts[k + 1]):
                        row = channels[m]
                        for tap in range(length):
                            start = t + tap * dilation - padding
                            if start >= 0 and start + block <= n:
                                acc = outer(acc, weights, at, 0, load_tile(flat, row * n + start, _COLS))
                            else:
                                cut(x, row, start, block, line, 0)
                                acc = outer(acc, weights, at, 0, load_tile(line, 0, _COLS))
                            at += 1
                    store_rows(out, 0, 0, acc)
                    _pooled(out, end - t, most, counts, up)
                for lane in range(width):
                    above[run, k] += counts[lane]
                    best[run, k] = max(best[run, k], most[lane])
