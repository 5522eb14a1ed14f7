"""Stages in a row, and a signal on its way through them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import Geometry
from .base import Stage
from .buffer import SequentialBuffer
from .checks import threads_for

__all__ = ["Chain", "Flow"]

_PART_VALUES = 1 << 18  # of a stage's frames that the next one takes at a time: they stay in the second-level cache


class Chain:
    """Stages that run one after the other; neighbours that one stage can do together are joined.

    Parameters
    ----------
    stages : sequence of Stage
        At least one; the first takes samples.

    Attributes
    ----------
    geometry : Geometry
        Of the whole chain.
    features : tuple of str
        Of the last stage.
    operations : float
        About how many floating-point operations one sample of one channel costs.
    """

    def __init__(self, stages: Sequence[Stage]) -> None:
        joined: list[Stage] = []
        for stage in stages:
            both = joined[-1].absorb(stage) if joined else None
            joined[-1:] = [both] if both is not None else [*joined[-1:], stage]
        self.stages = tuple(joined)
        self.geometry = Geometry.chain(*(stage.geometry for stage in self.stages))
        self.features = self.stages[-1].features
        self.operations = self.stages[0].operations  # what comes later works on frames, of which there are few

    def run(self, x: NDArray[Any], threads: int | None = None) -> NDArray[np.float32]:
        """All frames of a whole signal.

        Shape: (channels, time) -> (channels, features, frames)
        """
        return Flow(self, x.shape[0], threads).push(x, last=True)


class Flow:
    """A signal on its way through a chain, in pieces of any size: every frame is computed once, as soon as it can be.

    Each stage holds what its later frames still see, and nothing else. The pieces have no influence on the frames.

    Parameters
    ----------
    chain : Chain
    channels : int
    threads : int, optional
        At most this many; by default as many as pay for each piece.
    """

    def __init__(self, chain: Chain, channels: int, threads: int | None = None) -> None:
        self._operations = chain.operations
        self._threads = threads
        self._steps = [_Step(stage, channels) for stage in chain.stages]
        self._nothing = np.empty((channels, len(chain.features), 0), np.float32)

    @property
    def given(self) -> int:
        """How many frames there have been."""
        return self._steps[-1].done

    def push(self, x: NDArray[Any], last: bool = False) -> NDArray[np.float32]:
        """The frames that x, the next samples, completes; with `last`, all that remain.

        Shape: (channels, time) -> (channels, features, frames), of which there may be none
        """
        threads = threads_for(self._operations * x.size, self._threads)
        parts = list(self._through(0, x, last, threads))
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts, axis=2) if parts else self._nothing

    def _through(self, number: int, x: NDArray[Any], last: bool, threads: int) -> Iterator[NDArray[np.float32]]:
        step, following = self._steps[number], number + 1
        frames = step.take(x, last)
        if following == len(self._steps):
            if frames:
                yield step.give(frames, threads)
        else:
            part = max(64, _PART_VALUES // len(step.stage.features))
            for start in range(0, frames, part):
                end = last and start + part >= frames
                yield from self._through(following, step.give(min(part, frames - start), threads), end, threads)
            if last and not frames:
                yield from self._through(following, step.nothing, True, threads)
        step.seen = _NOTHING

    def state(self) -> list[dict[str, Any]]:
        """What each stage holds and remembers, as arrays and integers; `restore` of an equal chain's flow takes it."""
        return [step.state() for step in self._steps]

    def restore(self, state: list[dict[str, Any]]) -> None:
        """Go on where another flow was."""
        for step, its in zip(self._steps, state, strict=True):
            step.restore(its)


_NOTHING = np.empty(0, np.float32)


class _Step:
    """A stage, the inputs that it still needs, and how far it is."""

    def __init__(self, stage: Stage, channels: int) -> None:
        geometry = stage.geometry
        self.stage = stage
        self.memory = stage.begin(channels)
        self.nothing = np.empty((channels, len(stage.features), 0), np.float32)
        self.done = 0  # the number of the next frame
        # What a frame sees that is not settled yet, as the input may go on; and what padding is made of.
        unsettled = geometry.span + max(geometry.wait, -geometry.trail) - 1
        self.size = max(stage.border, geometry.least - 1, unsettled)
        self.buffer: SequentialBuffer | None = None  # made with the first input, whose type it takes
        self.parts: list[NDArray[Any]] = []  # of a whole signal, where a stage needs it
        self.seen: NDArray[Any] = _NOTHING  # the inputs that can be seen now, the last of which is number end - 1
        self.end = 0

    def take(self, x: NDArray[Any], last: bool) -> int:
        """See x and what is held before it, and say how many frames can be computed."""
        stage = self.stage
        if stage.whole:
            self.end += x.shape[-1]
            self.parts.append(x if last else x.copy())
            if not last:
                return 0
            self.seen = x if len(self.parts) == 1 else np.concatenate(self.parts, axis=-1)
            self.parts.clear()
        elif self.size == 0 or (last and self.end == 0):
            self.end += x.shape[-1]
            self.seen = x
        else:
            if self.buffer is None:
                self.buffer = SequentialBuffer(x.shape[:-1], self.size, x.dtype)
            self.end += x.shape[-1]
            self.seen = self.buffer.push(x)
        if last:
            return stage.geometry.count(self.end) - self.done
        if self.end < stage.border and stage.geometry.lead > 0:
            return 0
        return max(0, stage.geometry.ready(self.end) - self.done)

    def give(self, frames: int, threads: int) -> NDArray[np.float32]:
        """The next `frames` frames."""
        geometry = self.stage.geometry
        first = self.end - self.seen.shape[-1]
        origin = self.done * geometry.hop - geometry.lead - first
        out = self.stage.run(self.seen, origin, frames, threads, self.done, self.memory)
        self.done += frames
        return out

    def state(self) -> dict[str, Any]:
        """As `Flow.state` gives it."""
        held = None if self.buffer is None else self.buffer.held.copy()
        memory = None if self.memory is None else self.memory.copy()
        return {"end": self.end, "done": self.done, "held": held, "memory": memory}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where another step was."""
        self.end, self.done, self.memory = state["end"], state["done"], state["memory"]
        held = state["held"]
        self.buffer = None
        if held is not None:
            self.buffer = SequentialBuffer(held.shape[:-1], self.size, held.dtype)
            self.buffer.restore(held, self.end)
