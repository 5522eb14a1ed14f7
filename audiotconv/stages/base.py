"""What a stage is: parameters checked once and frozen, a geometry, and `run`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import Geometry

__all__ = ["Stage", "aligned_empty"]


class Stage(ABC):
    """A step from (channels, features, time) to (channels, features, frames) with exact geometry.

    The first stage of a chain takes samples, (channels, time), as int16, int32 or float32.

    Attributes
    ----------
    geometry : Geometry
    features : tuple of str
        The names of the output's features.
    """

    geometry: Geometry
    features: tuple[str, ...]

    @property
    def operations(self) -> float:
        """About how many floating-point operations one input of one channel costs."""
        return 0.0

    @abstractmethod
    def run(self, x: NDArray[Any], origin: int, frames: int, threads: int) -> NDArray[np.float32]:
        """The `frames` frames that begin at x[..., origin], x[..., origin + hop], ...

        Where a frame reaches outside of x it sees the stage's padding. A frame's bits depend on nothing but what it
        sees: not on `origin`, the number of frames or threads, or what else x holds.

        Shape: (channels, features, time) -> (channels, features, frames)
        """


def aligned_empty(shape: tuple[int, ...], dtype: Any = np.float32) -> NDArray[Any]:
    """An uninitialised array that begins on a cache line, so that no vector of it lies on two."""
    dtype = np.dtype(dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    raw = np.empty(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    aligned: NDArray[Any] = raw[start : start + size].view(dtype).reshape(shape)
    return aligned
