"""Measures of frames of samples: zero crossings, which are counted, and energies, which are summed in float64."""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from .bank import copy_samples
from .compile import kernel
from .simd import broadcast, lanes, load, store

__all__ = ["LOG_ENERGY", "MEASURES", "RMS", "ZERO_CROSSING_RATE", "waveform"]

ZERO_CROSSING_RATE, RMS, LOG_ENERGY = range(3)
MEASURES = 3
_RUN = 32  # frames at a time


@kernel
def waveform(x, scale, origin, window, hop, threshold, floor, places, out):  # type: ignore[no-untyped-def]
    """The measures of every frame.

    Parameters
    ----------
    x : (channels, samples), int16, int32 or float32
    scale : float32; samples are multiplied by it
    origin : int; the first frame's first sample, negative in the padding
    window, hop : int
    threshold : float32; samples of at most this size count as 0, which counts as positive
    floor : float64; of the energy, before its logarithm
    places : (MEASURES,) int64; the row of `out` for each measure, -1 for those that are not wanted
    out : (channels, rows, frames) float32
    """
    channels, samples = x.shape
    frames = out.shape[2]
    runs = (frames + _RUN - 1) // _RUN
    for task in prange(channels * runs):
        channel = np.intp(task) // runs
        at = (np.intp(task) - channel * runs) * _RUN
        here = min(_RUN, frames - at)
        start = origin + at * hop
        size = (here - 1) * hop + window
        signal = np.empty(size, np.float32)
        copy_samples(x, channel, start, scale, signal)
        if places[ZERO_CROSSING_RATE] >= 0:
            crossings = np.empty(size, np.int64)  # up to each sample
            low = min(size, max(1, 1 - start))
            high = max(low, min(size, samples - start))
            crossed, last = 0, int(signal[low - 1] < -threshold)
            crossings[:low] = 0
            for i in range(low, high):
                sign = int(signal[i] < -threshold)
                crossed += sign ^ last
                last = sign
                crossings[i] = crossed
            crossings[high:] = crossed
            for f in range(here):
                count = crossings[f * hop + window - 1] - crossings[f * hop]
                out[channel, places[ZERO_CROSSING_RATE], at + f] = np.float32(count / window)
        if places[RMS] >= 0 or places[LOG_ENERGY] >= 0:
            squares, parts = np.empty(size, np.float64), np.empty(8, np.float64)
            for i in range(size):
                squares[i] = np.float64(signal[i]) * np.float64(signal[i])
            for f in range(here):
                # Eight sums, whatever the width of a vector, so that the bits do not depend on it.
                first = f * hop
                even = first + window // 8 * 8
                for part in range(0, 8, lanes(squares)):
                    sums = broadcast(np.float64(0.0))
                    for i in range(first + part, even + part, 8):
                        sums = sums + load(squares, i)
                    store(parts, part, sums)
                for i in range(even, first + window):
                    parts[i - even] += squares[i]
                total = ((parts[0] + parts[1]) + (parts[2] + parts[3])) + (
                    (parts[4] + parts[5]) + (parts[6] + parts[7])
                )
                if places[RMS] >= 0:
                    out[channel, places[RMS], at + f] = np.float32(math.sqrt(total / window))
                if places[LOG_ENERGY] >= 0:
                    out[channel, places[LOG_ENERGY], at + f] = np.float32(math.log(max(total, floor)))
