"""Samples themselves as a feature."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..audio import scale_of
from ..geometry import Geometry
from .frame_stage import FrameStage

__all__ = ["Samples"]


class Samples(FrameStage):
    """The waveform as one feature, "sample", with full scale 1: a first stage, for what works on any series.

    Notes
    -----
    Shape: (channels, time) -> (channels, 1, time). Streams.

    Examples
    --------
    >>> Samples().run(np.array([[16384, -32768]], np.int16), 0, 2, 1).tolist()
    [[[0.5, -1.0]]]
    """

    def __init__(self) -> None:
        self.features = ("sample",)
        self.geometry = Geometry()

    def run(
        self, x: NDArray[Any], origin: int, frames: int, threads: int, first: int = 0, memory: Any = None
    ) -> NDArray[np.float32]:
        """Shape: (channels, time) -> (channels, 1, frames)"""
        seen = x[:, None, origin : origin + frames].astype(np.float32)
        seen *= np.float32(scale_of(x.dtype))
        return np.asarray(seen)
