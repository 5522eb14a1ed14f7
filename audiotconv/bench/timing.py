"""Side-by-side timing: every candidate in turn, over and over, and the median of each."""

from __future__ import annotations

import contextlib
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from importlib import metadata
from typing import Any

import numpy as np

from ..kernels.compile import available_threads
from ..kernels.simd import VECTOR_BITS
from .machine import MultiplyAdds

__all__ = ["Case", "Result", "Work", "environment", "interleaved", "medians", "on_threads"]

_SETTLE = 0.05  # s; OpenMP threads of the one before spin for a while when they have nothing to do

Work = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Case:
    """One job, and who does it: functions that take nothing and give the result, by name, ours first.

    `size` is how many bytes are read and written at least.
    """

    name: str
    audio_seconds: float
    operations: float
    reference: Any
    contenders: dict[str, Work]
    method: str = ""
    size: float = 0.0


@dataclass(frozen=True, slots=True)
class Result:
    """One contender's figures in a case.

    `peak_gflops` is the multiply-add peak of one core in the same minutes, and `of_peak` relates to all threads.
    `error` is the largest difference from the float64 reference, relative to the reference's largest value.
    """

    case: str
    contender: str
    method: str
    seconds: float
    real_time_factor: float
    gflops: float
    peak_gflops: float
    of_peak: float
    gb_per_second: float
    error: float
    times_ours: float = field(default=1.0)

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers and texts."""
        return asdict(self)


def interleaved(case: Case, repeats: int, threads: int) -> list[Result]:
    """Run each contender once to warm up and to measure its error, then all in turn `repeats` times.

    The multiply-add peak that they are compared with is measured in turn with them, too: on a shared machine it
    changes as the times do.
    """
    multiply_adds = MultiplyAdds()
    peaks: list[float] = []
    scale = float(np.abs(case.reference).max())
    errors = {
        name: float(np.abs(np.asarray(work(), np.float64) - case.reference).max()) / scale
        for name, work in case.contenders.items()
    }
    times = medians(case.contenders, repeats, lambda: peaks.append(max(multiply_adds() for _ in range(10))))
    first, ours = next(iter(times.items()))
    peak = float(np.median(peaks))
    return [
        Result(
            case=case.name,
            contender=name,
            method=case.method if name == first else "",
            seconds=seconds,
            real_time_factor=case.audio_seconds / seconds,
            gflops=case.operations / seconds / 1e9,
            peak_gflops=peak / 1e9,
            of_peak=case.operations / seconds / (threads * peak),
            gb_per_second=case.size / seconds / 1e9,
            error=errors[name],
            times_ours=seconds / ours,
        )
        for name, seconds in times.items()
    ]


def medians(works: dict[str, Work], repeats: int, before: Callable[[], None] = lambda: None) -> dict[str, float]:
    """Run all in turn `repeats` times, and give the median time of each in seconds; `before` runs before each turn.

    In its turn a work runs twice, so that caches and threads are as in a loop of it alone, and the second time counts.
    """
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            time.sleep(_SETTLE)
            before()
            work()
            start = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - start)
    return {name: float(np.median(values)) for name, values in times.items()}


@contextlib.contextmanager
def on_threads(threads: int) -> Iterator[None]:
    """Pin this process to as many cores, where the system can, so that no contender uses more."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(before)[:threads]))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def environment(threads: int) -> dict[str, Any]:
    """The machine and the versions that figures belong to."""
    packages = ("audiotconv", "numba", "llvmlite", "numpy", "scipy", "soundfile", "pyarrow", "torch", "librosa", "aeon")
    versions = {}
    for name in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return {
        "processor": _processor(),
        "vector_bits": VECTOR_BITS,
        "cores": available_threads(),
        "threads": threads,
        "python": platform.python_version(),
        "versions": versions,
    }


def _processor() -> str:
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
