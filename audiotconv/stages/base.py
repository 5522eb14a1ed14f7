"""What a stage is: parameters checked once and frozen, a geometry, and the steps that it takes along a signal."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import Geometry

__all__ = ["WHOLE", "Stage", "Step", "aligned_empty"]

WHOLE = Geometry(hop=1 << 40)  # one frame of all that there is


class Stage(ABC):
    """A step from (channels, features, time) to (channels, features, frames) with exact geometry.

    The first stage of a chain takes samples, (channels, time), as int16, int32 or float32.

    Attributes
    ----------
    geometry : Geometry
    features : tuple of str
        The names of the output's features.
    inputs : int
        How many features it takes; 0 for samples, and where the stages before are made to fit.
    whole : bool
        Whether every frame depends on the whole signal. Such a stage cannot stream.
    """

    geometry: Geometry
    features: tuple[str, ...]
    inputs: int = 0
    whole: bool = False

    @property
    def operations(self) -> float:
        """About how many floating-point operations one input of one channel costs."""
        return 0.0

    def absorb(self, following: Stage) -> Stage | None:
        """One stage that does this one's work and then that of `following`, with the same bits, if there is any."""
        return None

    @abstractmethod
    def step(self, channels: int) -> Step:
        """The stage at the beginning of a signal of `channels`, which then arrives in pieces."""


class Step(ABC):
    """A stage on its way along a signal: it takes inputs as they come, and gives each frame once."""

    @abstractmethod
    def take(self, x: NDArray[Any], last: bool, threads: int) -> int:
        """Take the next inputs, and say how many frames can now be had; with `last`, all that remain.

        All of these are asked for by `give` before more is taken.

        Shape: (channels, features, time)
        """

    @abstractmethod
    def give(self, frames: int, threads: int) -> NDArray[np.float32]:
        """The next `frames` frames.

        Shape: (channels, features, frames)
        """

    def release(self) -> None:  # noqa: B027
        """Let go of what is not needed between one piece and the next."""

    @abstractmethod
    def state(self) -> dict[str, NDArray[Any]]:
        """What it holds and remembers between two pieces; `restore` of an equal stage's step takes it."""

    @abstractmethod
    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Go on where another step was.

        Raises
        ------
        ParameterError
            If the state cannot be such a step's.
        """


def aligned_empty(shape: tuple[int, ...], dtype: Any = np.float32) -> NDArray[Any]:
    """An uninitialised array that begins on a cache line, so that no vector of it lies on two."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    raw = np.empty(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    aligned: NDArray[Any] = raw[start : start + size].view(dtype).reshape(shape)
    return aligned
