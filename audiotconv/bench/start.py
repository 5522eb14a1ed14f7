"""`audiotconv bench start`: what the first features of a new process cost."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from .folder import write_wav

__all__ = ["start_times"]


def start_times(recipe: str, seconds: float, repeats: int) -> dict[str, float]:
    """The time of the command line on one recording, in s: with all kernels in the cache, and with none."""
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        write_wav(top / "one.wav", int(seconds * 16_000))
        cold = _run(top, recipe, {"NUMBA_CACHE_DIR": str(top / "empty")})
        _run(top, recipe, {})
        warm = [_run(top, recipe, {}) for _ in range(repeats)]
    return {"warm": float(np.median(warm)), "first_ever": cold, "repeats": float(repeats)}


def _run(top: Path, recipe: str, more: dict[str, str]) -> float:
    command = [sys.executable, "-m", "audiotconv", "extract", str(top / "one.wav"), "-o", str(top / "out")]
    environment = {**os.environ, **more}
    start = time.perf_counter()
    done = subprocess.run([*command, "--recipe", recipe], env=environment, capture_output=True, text=True)
    taken = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"the extraction ended with exit code {done.returncode}: {done.stderr.strip()}")
    return taken
