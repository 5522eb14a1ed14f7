"""A bank of FIR filters, squared and averaged over windows, in one pass: sound in, energies out.

The lanes of a vector are neighbouring *bands*, and a tile's rows are neighbouring *time steps*: each step loads one
tap of 16 bands and multiplies it with a broadcast sample per row. So any stride along time is only an address, every
sum runs in the order of the taps and then of time, and the filtered waveform never leaves the first-level cache.

A window that is not a whole number of hops, W = q * hop + r, is a sum over cells of one hop each: both parts of q
cells, and the head (the first r outputs) of one more. Each output is therefore squared and added once, however much
the windows overlap.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from .compile import kernel
from .simd import VECTOR_BITS, broadcast, fma, lanes, load, load_tile, outer, store, store_rows, zeros

__all__ = ["BAND_GROUP", "ROWS", "bank_energy", "copy_samples"]

# Time steps x vectors of bands held in registers. With one vector of bands the taps of a group stay in the first-level
# cache; two are better where 16 registers leave room for few rows.
ROWS, COLS = (24, 1) if VECTOR_BITS == 512 else (6, 2)
BAND_GROUP = COLS * VECTOR_BITS // 32  # how many bands are filtered together


@njit(nogil=True)
def copy_samples(x, channel, start, scale, out):  # type: ignore[no-untyped-def]
    """out = scale * x[channel, start : start + len(out)] as float32, zero outside of x."""
    n = x.shape[1]
    size = out.shape[0]
    first = min(max(0, -start), size)
    last = max(first, min(size, n - start))
    out[:first] = np.float32(0.0)
    for i in range(first, last):
        out[i] = np.float32(x[channel, start + i]) * scale
    out[last:] = np.float32(0.0)


@kernel
def bank_energy(x, scale, origin, stride, taps, extent, hop, window, chunk, sums, out):  # type: ignore[no-untyped-def]
    """Energies per band and frame.

    Parameters
    ----------
    x : (channels, samples), int16, int32 or float32
    scale : float32; samples are multiplied by it (a power of two, so exactly)
    origin : int; the sample under tap 0 of the first frame's first output, negative in the left padding
    stride : int; samples between filter outputs
    taps : (groups, parts, span, BAND_GROUP) float32; parts are 1, or 2 for the real and imaginary part
    extent : (groups, 2) int64; the half-open range of taps that are not zero in the whole group
    hop, window : int; of the average, in filter outputs
    chunk : int; how many hops are filtered at a time (of no influence on the result)
    sums : (channels, cells, 2, groups * BAND_GROUP) float32 scratch, cells = frames + ceil(window / hop) - 1
    out : (channels, bands, frames) float32; the mean over the window of the squared outputs, parts added
    """
    channels = x.shape[0]
    groups, parts, span, group = taps.shape
    cells = sums.shape[1]
    bands = out.shape[1]
    frames = out.shape[2]
    whole = window // hop
    rest = window - whole * hop
    chunks = (cells + chunk - 1) // chunk
    most = (chunk * hop + ROWS - 1) // ROWS * ROWS
    for task in prange(channels * chunks):
        channel = np.intp(task) // chunks
        first = (np.intp(task) - channel * chunks) * chunk
        here = min(chunk, cells - first)
        outputs = (here * hop + ROWS - 1) // ROWS * ROWS
        signal = np.empty((outputs - 1) * stride + span, np.float32)
        filtered = np.empty(parts * most * group, np.float32)
        copy_samples(x, channel, origin + first * hop * stride, scale, signal)
        for g in range(groups):
            for part in range(parts):
                base = (g * parts + part) * span * group
                for t in range(0, outputs, ROWS):
                    acc = zeros(taps, ROWS, COLS)
                    for k in range(extent[g, 0], extent[g, 1]):
                        acc = outer(acc, signal, t * stride + k, stride, load_tile(taps, base + k * group, COLS))
                    store_rows(filtered, (part * most + t) * group, group, acc)
            for cell in range(here):
                for half in range(2):
                    start = cell * hop + (rest if half else 0)
                    stop = cell * hop + (hop if half else rest)
                    for v in range(0, group, lanes(taps)):
                        total = broadcast(np.float32(0.0))
                        for i in range(start, stop):
                            for part in range(parts):
                                y = load(filtered, (part * most + i) * group + v)
                                total = fma(y, y, total)
                        at = ((channel * cells + first + cell) * 2 + half) * groups * group
                        store(sums, at + g * group + v, total)
    for row in prange(channels * bands):
        channel = np.intp(row) // bands
        band = np.intp(row) - channel * bands
        for frame in range(frames):
            total_energy = np.float32(0.0)
            for cell in range(frame, frame + whole):
                total_energy += sums[channel, cell, 0, band] + sums[channel, cell, 1, band]
            if rest:
                total_energy += sums[channel, frame + whole, 0, band]
            out[channel, band, frame] = total_energy / np.float32(window)
