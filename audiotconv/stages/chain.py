"""Stages in a row, and a signal on its way through them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from ..geometry import Geometry
from .base import Stage
from .checks import threads_for
from .frame_stage import FrameStage

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

    def held(self, n: int) -> int:
        """How many values of a channel, of n samples, are held at a time by stages that need a whole signal at once."""
        most, width = 0, 1
        for stage in self.stages:
            at_once = stage.whole and isinstance(stage, FrameStage)
            if at_once:
                most = max(most, n * width)
            n, width = stage.geometry.count(n), len(stage.features)
            if at_once:
                most = max(most, n * width)
        return most

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

    Attributes
    ----------
    given : int
        How many frames there have been.
    threads : int or None
        As given; it may change between pieces.
    """

    def __init__(self, chain: Chain, channels: int, threads: int | None = None) -> None:
        self._operations = chain.operations
        self.threads = threads
        self._steps = [stage.step(channels) for stage in chain.stages]
        # Parts begin with a group, so that no group is computed in two parts.
        self._parts = [_part_of(stage) for stage in chain.stages]
        self._empty = [np.empty((channels, len(stage.features), 0), np.float32) for stage in chain.stages]
        self.given = 0

    def push(self, x: NDArray[Any], last: bool = False) -> NDArray[np.float32]:
        """The frames that x, the next samples, completes; with `last`, all that remain.

        Shape: (channels, time) -> (channels, features, frames), of which there may be none
        """
        return self.advance(x, last, threads_for(self._operations * x.size, self.threads))

    def advance(self, x: NDArray[Any], last: bool, threads: int) -> NDArray[np.float32]:
        """As `push`, on so many threads."""
        parts: list[NDArray[np.float32]] = []
        self._through(0, x, last, threads, parts)
        out = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2) if parts else self._empty[-1]
        self.given += out.shape[2]
        return out

    def _through(
        self, number: int, x: NDArray[Any], last: bool, threads: int, parts: list[NDArray[np.float32]]
    ) -> None:
        """From a stage on, adding what comes out of the last one to `parts`."""
        step, following = self._steps[number], number + 1
        frames = step.take(x, last, threads)
        if following == len(self._steps):
            if frames:
                parts.append(step.give(frames, threads))
        else:
            part = self._parts[number]
            for start in range(0, frames, part):
                end = last and start + part >= frames
                self._through(following, step.give(min(part, frames - start), threads), end, threads, parts)
            if last and not frames:
                self._through(following, self._empty[number], True, threads, parts)
        step.release()

    def state(self) -> dict[str, NDArray[Any]]:
        """What the stages hold and remember, as arrays by name; `restore` of an equal chain's flow takes it."""
        state = {"given": np.array(self.given)}
        for number, step in enumerate(self._steps):
            state |= {f"{number}.{name}": array for name, array in step.state().items()}
        return state

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Go on where another flow was.

        Raises
        ------
        ParameterError
            If the state cannot be such a flow's.
        """
        self.given = int(state["given"])
        for number, step in enumerate(self._steps):
            head = f"{number}."
            step.restore({name[len(head) :]: array for name, array in state.items() if name.startswith(head)})
        if self.given < 0:
            raise ParameterError(f"the state has given {self.given} frames")


def _part_of(stage: Stage) -> int:
    part = max(64, _PART_VALUES // len(stage.features))
    group = stage.group if isinstance(stage, FrameStage) else 1
    return -(-part // group) * group
