"""Stages in a row, run over any part of a signal with the same bits as over the whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import Geometry
from .base import Stage

__all__ = ["Chain"]


class Chain:
    """Stages that run one after the other.

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
        self.stages = tuple(stages)
        self.geometry = Geometry.chain(*(stage.geometry for stage in self.stages))
        self.features = self.stages[-1].features
        self.operations = self.stages[0].operations  # what comes later works on frames, of which there are few

    def run(
        self, x: NDArray[Any], first: int, total: int | None, start: int, stop: int, threads: int = 1
    ) -> NDArray[np.float32]:
        """Frames `start` to `stop` of a signal of which x holds the samples from number `first` on.

        Parameters
        ----------
        x : (channels, time)
            Must hold every sample of the signal that those frames see.
        first : int
            The number of x's first sample in the signal.
        total : int or None
            The signal's length, or None while it is not known: then only frames that are settled
            (``geometry.ready``) may be asked for.
        start, stop : int
        threads : int

        Shape: (channels, time) -> (channels, features, stop - start)
        """
        # Backwards: which frames of each stage are needed; what a stage sees beyond its input's ends is its padding.
        lengths: list[int | None] = [total]
        for stage in self.stages[:-1]:
            lengths.append(None if lengths[-1] is None else stage.geometry.count(lengths[-1]))
        wanted = [(start, stop)]
        begins = []
        for stage, length in zip(reversed(self.stages), reversed(lengths), strict=True):
            low, high = stage.geometry.inputs(*wanted[-1])
            begins.append(low)
            low = max(0, low)
            wanted.append((low, max(low, high if length is None else min(high, length))))
        # Forwards.
        at = first
        for stage, begin, (low, high) in zip(self.stages, reversed(begins), reversed(wanted[:-1]), strict=True):
            x = stage.run(x, begin - at, high - low, threads)
            at = low
        return x
