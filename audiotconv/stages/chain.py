"""Stages in a row, and a signal on its way through them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import Geometry
from .base import Stage
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
        step.forget(last)


class _Step:
    """A stage, the inputs that it still needs, and how far it is."""

    def __init__(self, stage: Stage, channels: int) -> None:
        self.stage = stage
        self.memory = stage.begin(channels)
        self.nothing = np.empty((channels, len(stage.features), 0), np.float32)
        self.held: list[NDArray[Any]] = []
        self.first = self.end = self.done = 0  # the numbers of the first input held, of the next, of the next frame

    def take(self, x: NDArray[Any], last: bool) -> int:
        """Hold x, and say how many frames can be computed."""
        self.held.append(x)
        self.end += x.shape[-1]
        stage = self.stage
        if last:
            return stage.geometry.count(self.end) - self.done
        if stage.whole or (self.end < stage.border and stage.geometry.lead > 0):
            return 0
        return max(0, stage.geometry.ready(self.end) - self.done)

    def give(self, frames: int, threads: int) -> NDArray[np.float32]:
        """The next `frames` frames."""
        if len(self.held) > 1:
            self.held = [np.concatenate(self.held, axis=-1)]
        geometry = self.stage.geometry
        origin = self.done * geometry.hop - geometry.lead - self.first
        out = self.stage.run(self.held[0], origin, frames, threads, self.done, self.memory)
        self.done += frames
        return out

    def forget(self, last: bool) -> None:
        """Drop what no later frame sees. What stays is copied: the caller may change its array, or let it go."""
        if last:
            self.held.clear()
            return
        low, _ = self.stage.geometry.inputs(self.done, self.done + 1)
        keep = min(low, self.end - self.stage.border)
        if len(self.held) == 1 and keep > self.first:
            self.held[0] = self.held[0][..., keep - self.first :]
            self.first = keep
        self.held[-1] = self.held[-1].copy()
