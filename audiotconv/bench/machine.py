"""The machine's own limits, measured: multiply-adds and bytes per second."""

from __future__ import annotations

import time

import numpy as np

from ..kernels.bank import BAND_GROUP, ROWS
from ..kernels.machine import multiply_add_loop

__all__ = ["copy_bandwidth", "multiply_add_peak"]


def multiply_add_peak(seconds: float = 0.2) -> float:
    """The float32 operations per second of one core's fused multiply-adds (two operations each), at their best."""
    steps, repeats = 64, 2000
    rng = np.random.default_rng(0)
    numbers = rng.standard_normal(steps + ROWS).astype(np.float32)
    vectors = rng.standard_normal((steps, BAND_GROUP)).astype(np.float32)
    out = np.empty((ROWS, BAND_GROUP), np.float32)
    multiply_add_loop(numbers, vectors, 1, out)
    best, end = np.inf, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        multiply_add_loop(numbers, vectors, repeats, out)
        best = min(best, time.perf_counter() - start)
    return 2.0 * ROWS * BAND_GROUP * steps * repeats / best


def copy_bandwidth(seconds: float = 0.2) -> float:
    """Bytes per second of one core's copies between large arrays, read and written bytes together."""
    source, target = np.ones(1 << 24, np.float32), np.empty(1 << 24, np.float32)
    best, end = np.inf, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        np.copyto(target, source)
        best = min(best, time.perf_counter() - start)
    return 2.0 * source.nbytes / best
