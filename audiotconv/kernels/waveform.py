"""Measures of frames of samples: zero crossings, which are counted, and energies, which are summed in float64."""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from .bank import copy_samples
from .compile import kernel

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
            crossings = np.zeros(size, np.int64)  # up to each sample
            for i in range(1, size):
                change = 0
                if start + i > 0 and start + i < samples:
                    change = int((signal[i - 1] < -threshold) != (signal[i] < -threshold))
                crossings[i] = crossings[i - 1] + change
            for f in range(here):
                count = crossings[f * hop + window - 1] - crossings[f * hop]
                out[channel, places[ZERO_CROSSING_RATE], at + f] = np.float32(count / window)
        if places[RMS] >= 0 or places[LOG_ENERGY] >= 0:
            squares = np.empty(size, np.float64)
            for i in range(size):
                squares[i] = np.float64(signal[i]) * np.float64(signal[i])
            for f in range(here):
                # Four sums do not wait for each other.
                first = f * hop
                even = window // 4 * 4
                a = b = c = d = 0.0
                for i in range(first, first + even, 4):
                    a += squares[i]
                    b += squares[i + 1]
                    c += squares[i + 2]
                    d += squares[i + 3]
                for i in range(first + even, first + window):
                    a += squares[i]
                total = (a + b) + (c + d)
                if places[RMS] >= 0:
                    out[channel, places[RMS], at + f] = np.float32(math.sqrt(total / window))
                if places[LOG_ENERGY] >= 0:
                    out[channel, places[LOG_ENERGY], at + f] = np.float32(math.log(max(total, floor)))
