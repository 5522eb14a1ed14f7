"""Stages whose frames are functions of a window of inputs: most of them."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from .base import Stage, Step
from .buffer import SequentialBuffer

__all__ = ["FrameStage"]

_NOTHING = np.empty(0, np.float32)


class FrameStage(Stage):
    """A stage with `run`, which computes any frames from the inputs that they see.

    Attributes
    ----------
    border : int
        A frame that reaches beyond an end of the input may see this many inputs next to that end, beside its span:
        what its padding is made of.
    group : int
        Frames are computed together in groups of as many, counted from frame 0, and known when their group is; 1 where
        each stands alone. The geometry's `wait` is what the first of a group waits for.
    """

    border: int = 0
    group: int = 1

    def begin(self, channels: int) -> Any:
        """What the stage remembers from frame to frame, before the first one; None for most.

        `run` of a stage with a memory changes it, and is then called for all frames in order. Where the stage can
        stream it is an array.
        """
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

    def step(self, channels: int) -> Step:
        """A step that holds what later frames still see."""
        return _FrameStep(self, channels)


class _FrameStep(Step):
    """The inputs that a stage still needs, its memory, and how far it is."""

    def __init__(self, stage: FrameStage, channels: int) -> None:
        geometry = stage.geometry
        self._stage, self._channels = stage, channels
        self._memory = stage.begin(channels)
        self._done = 0  # the number of the next frame
        # What a frame sees that is not settled yet, as the input may go on; and what padding is made of.
        unsettled = geometry.span + max(geometry.wait, -geometry.trail) - 1
        self._size = max(stage.border, geometry.least - 1, unsettled)
        self._buffer: SequentialBuffer | None = None  # made with the first input, whose type it takes
        self._parts: list[NDArray[Any]] = []  # of a whole signal, where a stage needs it
        self._seen: NDArray[Any] = _NOTHING  # the inputs that can be seen now, the last of which is number end - 1
        self._end = 0

    def take(self, x: NDArray[Any], last: bool, threads: int) -> int:
        stage = self._stage
        before = self._end
        self._end += x.shape[-1]
        if stage.whole:
            self._parts.append(x if last else x.copy())
            if not last:
                return 0
            self._seen = x if len(self._parts) == 1 else np.concatenate(self._parts, axis=-1)
            self._parts.clear()
        elif self._size == 0 or (last and before == 0):
            self._seen = x
        else:
            if self._buffer is None:
                self._buffer = SequentialBuffer(x.shape[:-1], self._size, x.dtype)
            self._seen = self._buffer.push(x)
        if last:
            return stage.geometry.count(self._end) - self._done
        return max(0, self._settled() - self._done)

    def _settled(self) -> int:
        """How many frames are known, whatever may follow."""
        geometry, group = self._stage.geometry, self._stage.group
        if self._end < self._stage.border and geometry.lead > 0:
            return 0
        if group == 1:
            return geometry.ready(self._end)
        # The last frame of a group waits for what the first one does, less what lies between them.
        beyond = geometry.wait - (group - 1) * geometry.hop
        settled = (self._end - beyond + geometry.lead - geometry.span) // geometry.hop + 1
        return min(settled, geometry.count(self._end)) // group * group

    def give(self, frames: int, threads: int) -> NDArray[np.float32]:
        geometry = self._stage.geometry
        first = self._end - self._seen.shape[-1]
        origin = self._done * geometry.hop - geometry.lead - first
        out = self._stage.run(self._seen, origin, frames, threads, self._done, self._memory)
        self._done += frames
        return out

    def release(self) -> None:
        self._seen = _NOTHING

    def state(self) -> dict[str, NDArray[Any]]:
        state = {"at": np.array([self._end, self._done])}
        if self._buffer is not None:
            state["held"] = self._buffer.held.copy()
        if self._memory is not None:
            state["memory"] = self._memory.copy()
        return state

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        held, memory, at = state.get("held"), state.get("memory"), state.get("at")
        if at is None or at.shape != (2,) or at.dtype.kind != "i" or at.min() < 0:
            raise ParameterError(f"the state of {type(self._stage).__name__} has no place in the signal")
        if memory is not None or self._memory is not None:
            if not _alike(memory, self._memory):
                raise ParameterError(f"the state of {type(self._stage).__name__} does not have the memory's shape")
            self._memory = None if memory is None else memory.copy()
        self._end, self._done = (int(value) for value in at)
        self._buffer = None
        if held is not None:
            if held.ndim not in (2, 3) or len(held) != self._channels:
                raise ParameterError(f"the state of {type(self._stage).__name__} holds {held.shape}; that does not fit")
            self._buffer = SequentialBuffer(held.shape[:-1], self._size, held.dtype)
            self._buffer.restore(held, self._end)
        if self._done not in (self._settled(), self._stage.geometry.count(self._end)):
            raise ParameterError(
                f"the state of {type(self._stage).__name__} has given {self._done} frames of {self._end} inputs"
            )


def _alike(a: Any, b: Any) -> bool:
    return a is not None and b is not None and bool(a.shape == b.shape and a.dtype == b.dtype)
