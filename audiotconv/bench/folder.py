"""`audiotconv bench folder`, `resume`, `reading` and `memory`: the whole job, and what surrounds the kernels."""

from __future__ import annotations

import contextlib
import multiprocessing
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ..audio import AudioReader
from ..batch import extract_folder, load, verify
from ..batch.manifest import JOURNAL
from ..recipes import Recipe
from .librosa_folder import librosa_on_folder

__all__ = ["LOG_MEL", "folder_run", "memory_of_long_file", "reading_share", "resumed_run", "write_wav"]

_MOST_WAV = (1 << 32) - 64
_RATE = 16_000


LOG_MEL = {
    "name": "log-mel-80",
    "version": 1,
    "sample_rate": "16 kHz",
    "stage": [
        {"kind": "spectrum", "window": "hann", "length": 400, "n_fft": 512, "hop": 160},
        {"kind": "mel", "bands": 80, "scale": "slaney", "norm": "slaney"},
        {"kind": "log", "floor": 1e-10, "unit": "natural"},
    ],
}


def write_wav(path: Path, samples: int, noise: bool = True, rate: int = _RATE, channels: int = 1) -> None:
    """A 16-bit WAV file of noise and a tone; or, without noise, a hole of digital silence, whatever its length.

    Where it is longer than a WAV file can be it is an RF64 file.
    """
    frame = 2 * channels
    size = frame * samples
    layout = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, frame * rate, frame, 16)
    if size < _MOST_WAV:
        head = struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE") + layout + struct.pack("<4sI", b"data", size)
    else:
        sizes = struct.pack("<4sIQQQI", b"ds64", 28, 72 + size, size, samples, 0)
        head = struct.pack("<4sI4s", b"RF64", 0xFFFFFFFF, b"WAVE") + sizes + layout
        head += struct.pack("<4sI", b"data", 0xFFFFFFFF)
    with open(path, "wb") as file:
        file.write(head)
        if noise:
            rng = np.random.default_rng(samples)
            tone = np.sin(2 * np.pi * 440 / rate * np.arange(samples))[:, None]
            file.write((rng.standard_normal((samples, channels)) * 3000 + tone * 3000).astype("<i2").tobytes())
        else:
            file.truncate(len(head) + size)


def folder_run(files: int, seconds: float, threads: int, repeats: int) -> dict[str, Any]:
    """Median times, in s, of log-mel features of a folder, read and written, by us and by librosa in as many processes.

    Ours are threads of this process, and processes, which are as warm as librosa's. `error` is the largest difference
    between the two; what belongs to librosa is None where it is not installed.
    """
    recipe = Recipe.from_dict(LOG_MEL)
    pool = ProcessPoolExecutor(threads, multiprocessing.get_context("spawn"))
    works: dict[str, Callable[[Path, Path], Any]] = {
        "threads": lambda folder, target: extract_folder(folder, target, recipe, workers=threads),
        "processes": lambda folder, target: extract_folder(folder, target, recipe, executor=pool),
    }
    error = None
    with pool, tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        top = Path(name)
        folder = top / "in"
        folder.mkdir()
        for number in range(files):
            write_wav(folder / f"{number:04d}.wav", int(seconds * _RATE))
        with contextlib.suppress(ImportError):
            works["librosa"] = stack.enter_context(librosa_on_folder(threads, folder / "0000.wav"))
        extract_folder(folder / "0000.wav", top / "warm", recipe, workers=threads)
        extract_folder(folder, top / "warm processes", recipe, executor=pool)
        if "librosa" in works:
            (top / "one").mkdir()
            write_wav(top / "one" / "one.wav", int(seconds * _RATE))
            works["librosa"](top / "one", top / "npy")
            error = float(np.abs(load(top / "warm")[0].values[0] - np.load(top / "npy" / "one.npy")).max())
        times: dict[str, list[float]] = {who: [] for who in works}
        for _ in range(repeats):
            for who, work in works.items():
                start = time.perf_counter()
                work(folder, top / "out")
                times[who].append(time.perf_counter() - start)
                shutil.rmtree(top / "out")
    medians = {who: float(np.median(found)) for who, found in times.items()}
    librosa = medians.get("librosa")
    return {
        "audio": files * seconds,
        **medians,
        "librosa": librosa,
        "ratios": {who: librosa / medians[who] for who in ("threads", "processes")} if librosa else None,
        "error": error,
    }


def resumed_run(files: int) -> dict[str, float]:
    """Times (s) of a run over tiny files and of its resumption with one more, and the latter's peak memory (MB)."""
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        folder, out = top / "in", top / "out"
        for number in range(files):
            path = folder / f"{number // 1000:03d}" / f"{number:06d}.wav"
            if number % 1000 == 0:
                path.parent.mkdir(parents=True)
            write_wav(path, 400 + number % 400, noise=False)
        start = time.perf_counter()
        _command_line(["extract", str(folder), "-o", str(out), "--recipe", "gabor-40"])
        first = time.perf_counter() - start
        write_wav(folder / "new.wav", 400, noise=False)
        start = time.perf_counter()
        peak = _command_line(["extract", str(folder), "-o", str(out), "--recipe", "gabor-40"])
        again = time.perf_counter() - start
        start = time.perf_counter()
        report = verify(out)
        checked = time.perf_counter() - start
        if report.problems or report.rows != files + 1:
            raise RuntimeError(f"the store has {report.rows} rows and these problems: {report.problems}")
        start = time.perf_counter()
        load(out)
        loaded = time.perf_counter() - start
        journal = (out / "run-1" / JOURNAL).stat().st_size / 1e6
    return {
        "first": first,
        "again": again,
        "peak_mb": peak,
        "journal_mb": journal,
        "verify": checked,
        "load": loaded,
    }


def reading_share(files: int, seconds: float, recipe: str) -> dict[str, float]:
    """Time to read a folder of recordings, and to run the whole job on it, both on one thread, in seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "in"
        folder.mkdir()
        for number in range(files):
            write_wav(folder / f"{number:04d}.wav", int(seconds * _RATE))
        extract_folder(folder, Path(name) / "out", recipe, workers=1)  # warm: kernels compiled, files in memory
        start = time.perf_counter()
        for path in sorted(folder.iterdir()):
            with AudioReader(path) as reader:
                for _ in reader.blocks(1 << 20):
                    pass
        reading = time.perf_counter() - start
        report = extract_folder(folder, Path(name) / "out", recipe, workers=1)
    return {
        "reading": reading,
        "whole": report.seconds,
        "share": reading / report.seconds,
        "audio": report.audio_seconds,
    }


# The command line in a process of its own, which reports the most memory that it ever held. (A parent that waits for it
# would be told of its own size, if that was larger when it forked.)
_MEASURED = """
import sys
from audiotconv.cli import main
sys.argv[0] = "audiotconv"
try:
    main()
finally:
    try:
        with open("/proc/self/status") as file:
            peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
    except OSError:
        import resource
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(peak)
"""


def memory_of_long_file(hours: float, recipe: str, form: str, rate: int, channels: int) -> dict[str, float]:
    """Peak resident memory (MB) and time (s) of the command line on one long recording."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "long.wav"
        write_wav(path, int(hours * 3600 * rate), noise=False, rate=rate, channels=channels)
        command = ["extract", str(path), "-o", str(Path(name) / "out"), "--recipe", recipe, "--format", form]
        start = time.perf_counter()
        peak = _command_line(command)
        seconds = time.perf_counter() - start
    return {"hours": hours, "peak_mb": peak, "seconds": seconds, "factor": hours * 3600 / seconds}


def _command_line(arguments: list[str]) -> float:
    """Run the command line in a process of its own; its peak memory, in MB."""
    done = subprocess.run([sys.executable, "-c", _MEASURED, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"audiotconv {arguments[0]} ended with exit code {done.returncode}: {done.stderr.strip()}")
    return int(done.stdout.split()[-1]) / 1024
