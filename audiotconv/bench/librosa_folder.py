"""What `audiotconv bench folder` stands beside: librosa on every file of a folder, in processes of their own."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

__all__ = ["librosa_on_folder"]

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


@contextlib.contextmanager
def librosa_on_folder(processes: int, warm: Path) -> Iterator[Callable[[Path, Path], Any]]:
    """A function of (folder, target) that writes an .npy file for each recording.

    Its processes have imported and run everything once, on the recording `warm`, when this begins.

    Raises
    ------
    ImportError
        If librosa is not installed.
    """
    import librosa  # noqa: F401

    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(_ONE_THREAD)
    try:
        pool = multiprocessing.get_context("spawn").Pool(processes)
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})

    def run(folder: Path, target: Path) -> None:
        target.mkdir()
        for _ in pool.imap_unordered(partial(_log_mel, target), sorted(folder.iterdir()), chunksize=4):
            pass

    with pool:
        for _ in range(2):
            pool.map(_warm, [warm] * 2 * processes, chunksize=1)
        yield run


def _warm(path: Path) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        _log_mel(Path(name), path)


def _log_mel(target: Path, path: Path) -> None:
    import librosa
    import numpy as np

    x, rate = librosa.load(path, sr=None)
    powers = librosa.feature.melspectrogram(y=x, sr=rate, n_fft=512, win_length=400, hop_length=160, n_mels=80)
    np.save(target / f"{path.stem}.npy", np.log(np.maximum(powers, np.float32(1e-10))))
