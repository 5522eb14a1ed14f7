"""Signals that comparisons are made on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..audio import AudioReader, scale_of

__all__ = ["read_sound", "speech_like"]


def speech_like(seconds: float = 3.0, rate: int = 22_050) -> NDArray[np.float32]:
    """Gliding harmonics with pauses over a little noise, the same ones every time."""
    rng = np.random.default_rng(3)
    time = np.arange(int(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(120 + 60 * np.sin(2 * np.pi * 0.7 * time)) / rate
    harmonics = np.zeros(len(time))
    for k in range(1, 30):
        harmonics += np.sin(k * phase) / k
    voice = harmonics * (np.sin(2 * np.pi * 1.3 * time) > -0.3)
    return (0.1 * voice + 1e-3 * rng.standard_normal(len(time))).astype(np.float32)


def read_sound(path: Path) -> NDArray[np.float32]:
    """A file's first channel, full scale 1."""
    with AudioReader(path) as reader:
        first = [block[0].astype(np.float32) * scale_of(block.dtype) for block in reader.blocks()]
    whole: NDArray[np.float32] = np.concatenate(first)
    return whole
