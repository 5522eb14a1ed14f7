"""Measures of a spectrum's shape, in lanes of neighbouring frames.

A few frames' bins are copied side by side, bin by bin, and every measure reads them there. Sums run over the bins in
their order, so a frame's bits do not depend on its lane.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from .compile import kernel
from .exp import exp
from .log import log
from .simd import broadcast, copy, fma, lanes, load, maximum, minimum, select, sqrt, store

__all__ = ["BANDWIDTH", "CENTROID", "CONTRAST", "FLATNESS", "FLUX", "MEASURES", "ROLLOFF", "shape"]

CENTROID, BANDWIDTH, ROLLOFF, FLATNESS, FLUX, CONTRAST = range(6)
MEASURES = 6
_F = np.float32
_DECIBELS = _F(10.0 / np.log(10.0))
_VECTORS = 4  # of frames that are copied at a time: a row's cache lines follow each other
_LEAST = _F(1e-30)  # energies that sum up to less have no shape
_MOST_RISE = _F(1e30)
_LARGEST = _F(1e18)  # amplitudes whose squares add up in any number


@njit(nogil=True)
def _centroid(bins, count, frequencies):  # type: ignore[no-untyped-def]
    """The sum of the bins, and of bins times frequencies divided by it."""
    width = lanes(bins)
    total = moment = broadcast(_F(0.0))
    for k in range(count):
        v = load(bins, k * width)
        total = total + v
        moment = fma(v, broadcast(frequencies[k]), moment)
    return total, moment / maximum(total, broadcast(_LEAST))


@njit(nogil=True)
def _bandwidth(bins, count, frequencies, total, centroid):  # type: ignore[no-untyped-def]
    width = lanes(bins)
    moment = broadcast(_F(0.0))
    for k in range(count):
        away = broadcast(frequencies[k]) - centroid
        moment = fma(load(bins, k * width) * away, away, moment)
    return sqrt(moment / maximum(total, broadcast(_LEAST)))


@njit(nogil=True)
def _rolloff(bins, count, frequencies, total, share):  # type: ignore[no-untyped-def]
    width = lanes(bins)
    threshold = total * broadcast(share)
    below = broadcast(_F(0.0))
    found = broadcast(frequencies[0])
    for k in range(count - 1):
        below = below + load(bins, k * width)
        found = select(below < threshold, broadcast(frequencies[k + 1]), found)
    return found


@njit(nogil=True)
def _flatness(bins, count, squared, least):  # type: ignore[no-untyped-def]
    width = lanes(bins)
    total = logs = broadcast(_F(0.0))
    floor = broadcast(least)
    share = broadcast(_F(1.0) / _F(count))
    for k in range(count):
        v = load(bins, k * width)
        if squared:
            v = v * v
        v = maximum(v, floor)
        total = fma(v, share, total)
        logs = fma(log(v), share, logs)
    return exp(logs) / total


@njit(nogil=True)
def _flux(bins, before, count):  # type: ignore[no-untyped-def]
    width = lanes(bins)
    total = zero = broadcast(_F(0.0))
    half, most = broadcast(_F(0.5)), broadcast(_MOST_RISE)
    for k in range(count):
        # The difference of halves cannot overflow.
        rise = minimum(maximum(load(bins, k * width) * half - load(before, k * width) * half, zero), most)
        total = total + (rise + rise)
    return total * broadcast(_F(1.0) / _F(count))


@njit(nogil=True)
def _extreme_mean(bins, first, last, number, sign, kept):  # type: ignore[no-untyped-def]
    """The mean of the `number` smallest of some bins, or of the largest, with a sign of -1."""
    width = lanes(bins)
    direction = broadcast(sign)
    for j in range(number):
        store(kept, j * width, broadcast(_F(3e38)))
    for k in range(first, last):
        v = load(bins, k * width) * direction
        for j in range(number):  # each pushes the next larger one on
            held = load(kept, j * width)
            store(kept, j * width, minimum(v, held))
            v = maximum(v, held)
    total = broadcast(_F(0.0))
    for j in range(number):
        total = total + load(kept, j * width)
    return total * direction * broadcast(_F(1.0) / _F(number))


@kernel
def shape(x, origin, frequencies, places, squared, share, least, bands, out):  # type: ignore[no-untyped-def]
    """The measures of every frame.

    Parameters
    ----------
    x : (channels, bins, time) float32, at least one frame
    origin : int; where in x the first frame stands
    frequencies : (bins,) float32, rising
    places : (MEASURES,) int64; the row of `out` for each measure, -1 for those that are not wanted
    squared : int; 1 to square what the flatness sees
    share : float32; of the rolloff
    least : float32; the floor of the flatness and the contrast
    bands : (number, 3) int64; of the contrast: first bin, bin after the last, and how many bins are averaged
    out : (channels, rows, frames) float32
    """
    channels, bins, time = x.shape
    rows, frames = out.shape[1], out.shape[2]
    width = lanes(x)
    run = _VECTORS * width
    runs = (frames + run - 1) // run
    most = 1
    for band in range(bands.shape[0]):
        most = max(most, bands[band, 2])
    for task in prange(channels * runs):
        channel = np.intp(task) // runs
        begin = (np.intp(task) - channel * runs) * run
        block = np.zeros((_VECTORS, bins * width), x.dtype)
        before = np.zeros(bins * width, x.dtype)
        kept, edge = np.empty(most * width, x.dtype), np.empty(width, x.dtype)
        zero = broadcast(_F(0.0))
        vectors = (min(run, frames - begin) + width - 1) // width
        for k in range(bins):
            for vector in range(vectors):
                at = begin + vector * width
                start = (channel * bins + k) * time + origin + at
                if at + width <= frames:
                    store(block, (vector * bins + k) * width, load(x, start))
                else:
                    copy(x, start, block, (vector * bins + k) * width, frames - at)
        for vector in range(vectors):
            now = block[vector]
            at = begin + vector * width
            here = min(width, frames - at)
            base = channel * rows * frames + at
            if places[FLUX] >= 0:
                first = 0 if origin + at > 0 else 1  # nothing is before the first frame, so it counts as itself
                for k in range(bins):
                    start = (channel * bins + k) * time + origin + at - 1
                    if first == 0 and here == width:
                        store(before, k * width, load(x, start))
                    else:
                        before[k * width] = now[k * width]
                        copy(x, start + first, before, k * width + first, here - first)
                store(edge, 0, _flux(now, before, bins))
                copy(edge, 0, out, base + places[FLUX] * frames, here)
            for k in range(bins):
                store(now, k * width, minimum(maximum(load(now, k * width), zero), broadcast(_LARGEST)))
            if places[CENTROID] >= 0 or places[BANDWIDTH] >= 0 or places[ROLLOFF] >= 0:
                total, centroid = _centroid(now, bins, frequencies)
                if places[CENTROID] >= 0:
                    store(edge, 0, centroid)
                    copy(edge, 0, out, base + places[CENTROID] * frames, here)
                if places[BANDWIDTH] >= 0:
                    store(edge, 0, _bandwidth(now, bins, frequencies, total, centroid))
                    copy(edge, 0, out, base + places[BANDWIDTH] * frames, here)
                if places[ROLLOFF] >= 0:
                    store(edge, 0, _rolloff(now, bins, frequencies, total, share))
                    copy(edge, 0, out, base + places[ROLLOFF] * frames, here)
            if places[FLATNESS] >= 0:
                store(edge, 0, _flatness(now, bins, squared, least))
                copy(edge, 0, out, base + places[FLATNESS] * frames, here)
            if places[CONTRAST] >= 0:
                for band in range(bands.shape[0]):
                    first, last, number = bands[band, 0], bands[band, 1], bands[band, 2]
                    floor = broadcast(least)
                    peak = maximum(_extreme_mean(now, first, last, number, _F(-1.0), kept), floor)
                    valley = maximum(_extreme_mean(now, first, last, number, _F(1.0), kept), floor)
                    store(edge, 0, (log(peak) - log(valley)) * broadcast(_DECIBELS))
                    copy(edge, 0, out, base + (places[CONTRAST] + band) * frames, here)
