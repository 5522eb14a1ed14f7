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
    border : int
        A frame that reaches beyond an end of the input may see this many inputs next to that end, beside its span:
        what its padding is made of.
    whole : bool
        Whether every frame depends on the whole signal. Such a stage cannot stream.
    """

    geometry: Geometry
    features: tuple[str, ...]
    border: int = 0
    whole: bool = False

    @property
    def operations(self) -> float:
        """About how many floating-point operations one input of one channel costs."""
        return 0.0

    def begin(self, channels: int) -> Any:
        """What the stage remembers from frame to frame, before the first one; None for most.

        `run` of a stage with a memory changes it, and is then called for all frames in order.
        """
        return None

    def absorb(self, following: Stage) -> Stage | None:
        """One stage that does this one's work and then that of `following`, with the same bits, if there is any."""
        return None

    @abstractmethod
    def run(
        self, x: NDArray[Any], origin: int, frames: int, threads: int, first: int = 0, memory: Any = None
    ) -> NDArray[np.float32]:
        """The `frames` frames from number `first` on, which begin at x[..., origin], x[..., origin + hop], ...

        Where a frame reaches outside of x it sees the stage's padding. A frame's bits depend on nothing but what it
        sees, its number and the memory: not on `origin`, how many frames or threads there are, or what else x holds.

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
