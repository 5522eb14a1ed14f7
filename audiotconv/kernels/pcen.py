"""Per-channel energy normalisation, in lanes of neighbouring bands.

A smoother along time is a chain of dependent steps, so lanes cannot be neighbouring frames. Squares of bands x frames
are transposed on the way in and out, which costs little beside the logarithm and the exponential of every value, and
the smoother's few operations for one frame hide behind those of the frame before.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from .compile import kernel
from .exp import exp, expm1
from .log import log, log1p
from .simd import broadcast, fma, lanes, load, maximum, minimum, select, sqrt, store, transpose

__all__ = ["LOGARITHM", "POWER", "PURE_POWER", "ROOT", "pcen"]

ROOT, POWER, PURE_POWER, LOGARITHM = range(4)
_F = np.float32
_TINY = _F(1e-35)  # what is smaller would decay into numbers that processors are slow with


@njit(nogil=True)
def _copy_square(x, at, step, rows, columns, out, out_at, out_step):  # type: ignore[no-untyped-def]
    source, target = x.reshape(-1), out.reshape(-1)
    for r in range(rows):
        for c in range(columns):
            target[out_at + r * out_step + c] = source[at + r * step + c]


@kernel
def pcen(x, state, start, table, kind, out):  # type: ignore[no-untyped-def]
    """Normalise every band by its own past.

    Parameters
    ----------
    x : (channels, bands, frames) float32
    state : (channels, groups * lanes) float32; the smoothers before the first frame, changed to those after the last
    start : int; 1 where the smoothers are to begin with the first frame's values, else 0
    table : (9, groups * lanes) float32; for each band s or 1 - s, the smaller one; eps; gain; bias (for POWER
        1 / bias); power; the bias to that power; the largest x and the largest v that nothing overflows with; and 1
        where 1 - s was smaller, else 0
    kind : int; the compression of v = x / (eps + smoother)**gain. ROOT: sqrt(v + bias) - sqrt(bias); POWER: the same
        with any power; PURE_POWER: v**power, LOGARITHM: log(1 + v)
    out : (channels, bands, frames) float32
    """
    channels, bands, frames = x.shape
    width = lanes(x)
    groups = (bands + width - 1) // width
    padded = table.shape[1]
    for task in prange(channels * groups):
        channel = np.intp(task) // groups
        group = (np.intp(task) - channel * groups) * width
        rows = min(width, bands - group)
        base = (channel * bands + group) * frames
        square, edge = np.zeros(width * width, x.dtype), np.zeros(width * width, x.dtype)
        part, eps = load(table, group), load(table, padded + group)
        less_gain = -load(table, 2 * padded + group)
        bias, power = load(table, 3 * padded + group), load(table, 4 * padded + group)
        biased = load(table, 5 * padded + group)
        most, most_v = load(table, 6 * padded + group), load(table, 7 * padded + group)
        zero, tiny = broadcast(_F(0.0)), broadcast(_TINY)
        # The new value is what is nearer to it, the old one or v, and a part of their difference: nothing is lost where
        # it is far below one of them, and a constant stays as it is.
        quick = load(table, 8 * padded + group) > zero
        smooth = load(state, channel * padded + group)
        for t in range(0, frames, width):
            columns = min(width, frames - t)
            if rows == width and columns == width:
                transpose(x, base + t, frames, square, 0, width)
            else:
                _copy_square(x, base + t, frames, rows, columns, edge, 0, width)
                transpose(edge, 0, width, square, 0, width)
            for i in range(0, columns * width, width):
                v = minimum(maximum(load(square, i), zero), most)
                if start and t == 0 and i == 0:
                    smooth = v
                nearer = select(quick, v, smooth)
                smooth = fma(part, select(quick, smooth, v) - nearer, nearer)
                smooth = select(smooth > tiny, smooth, zero)
                v = v * exp(less_gain * log(eps + smooth))
                if kind == ROOT:  # the difference of roots, without its cancellation
                    v = v / (sqrt(v + bias) + biased)
                elif kind == POWER:
                    v = biased * expm1(power * log1p(minimum(v, most_v) * bias))
                elif kind == PURE_POWER:
                    v = select(v > tiny, exp(power * log(maximum(minimum(v, most_v), tiny))), zero)
                else:
                    v = log1p(v)
                store(square, i, v)
            if rows == width and columns == width:
                transpose(square, 0, width, out, base + t, frames)
            else:
                transpose(square, 0, width, edge, 0, width)
                _copy_square(edge, 0, width, rows, columns, out, base + t, frames)
        store(state, channel * padded + group, smooth)
