"""The machine's own limits, measured: multiply-adds and bytes per second."""

from __future__ import annotations

import time

import numpy as np

from ..kernels.bank import BAND_GROUP, ROWS
from ..kernels.machine import multiply_add_loop

__all__ = ["MultiplyAdds", "copy_bandwidth", "multiply_add_peak"]


class MultiplyAdds:
    """Runs of nothing but float32 fused multiply-adds on one core, which count two operations each."""

    def __init__(self) -> None:
        steps = 64
        rng = np.random.default_rng(0)
        self._numbers = rng.standard_normal(steps + ROWS).astype(np.float32)
        self._vectors = rng.standard_normal((steps, BAND_GROUP)).astype(np.float32)
        self._out = np.empty((ROWS, BAND_GROUP), np.float32)
        self._repeats = 2000
        self._operations = 2.0 * ROWS * BAND_GROUP * steps * self._repeats
        self()

    def __call__(self) -> float:
        """The operations per second of one run of a millisecond or so."""
        start = time.perf_counter()
        multiply_add_loop(self._numbers, self._vectors, self._repeats, self._out)
        return self._operations / (time.perf_counter() - start)


def multiply_add_peak(seconds: float = 0.2) -> float:
    """The most operations per second that one core's multiply-adds reach."""
    run = MultiplyAdds()
    best, end = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        best = max(best, run())
    return best


def copy_bandwidth(seconds: float = 0.2) -> float:
    """Bytes per second of one core's copies between large arrays, read and written bytes together."""
    source, target = np.ones(1 << 24, np.float32), np.empty(1 << 24, np.float32)
    best, end = np.inf, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        np.copyto(target, source)
        best = min(best, time.perf_counter() - start)
    return 2.0 * source.nbytes / best
