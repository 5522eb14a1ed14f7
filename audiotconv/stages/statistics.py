"""Statistics of features over all of a signal: a row of fixed length for recordings of any length."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ParameterError
from .base import WHOLE
from .checks import array_of, integer_at_least
from .frame_stage import FrameStage

__all__ = ["STATISTICS", "Statistics"]

STATISTICS = ("mean", "std", "min", "max", "median", "delta_mean", "delta_std", "delta_abs")
_PERCENTILE = re.compile(r"p(\d{1,2})")


class Statistics(FrameStage):
    """Statistics of each feature over time, as one frame.

    Parameters
    ----------
    features : tuple of str
        The input's feature names.
    statistics : sequence of str
        "mean", "std", "min", "max", "median", and "p10", "p25", ... for percentiles; "delta_mean", "delta_std" and
        "delta_abs" are the mean, standard deviation and mean size of the difference between neighbouring frames,
        which is 0 where there is one frame only.
    segments : int
        Into how many stretches of equal length (to a frame) time is divided; each has its own statistics. Where there
        are fewer frames than stretches, neighbouring ones share frames.
    attention : array, optional
        (heads, features) or (features,): for each head the mean of all frames, weighted with the softmax over time of
        the frames' products with these weights.

    Raises
    ------
    ParameterError
        If a parameter is none of these.

    Notes
    -----
    Shape: (channels, features, frames) -> (channels, statistics * segments * features + heads * features, 1). Depends
    on the whole signal, and cannot stream. Percentiles are interpolated as NumPy's are; the standard deviation divides
    by the number of frames.

    Source of attention pooling: Okabe, Koshinaka and Shinoda, "Attentive statistics pooling for deep speaker
    embedding", arXiv 1803.10963, with a linear score.

    Examples
    --------
    >>> stage = Statistics(("x", "y"), statistics=("mean", "max"))
    >>> stage.features
    ('mean x', 'mean y', 'max x', 'max y')
    >>> stage.run(np.array([[[1, 2, 6], [0, 0, 3]]], np.float32), 0, 1, 1)[0, :, 0].tolist()
    [3.0, 1.0, 6.0, 3.0]
    """

    whole = True

    def __init__(
        self,
        features: tuple[str, ...],
        *,
        statistics: Sequence[str] = ("mean", "std"),
        segments: int = 1,
        attention: ArrayLike | None = None,
    ) -> None:
        self._statistics = checked_statistics(statistics)
        self._segments = integer_at_least("segments", segments, 1)
        self._attention = np.zeros((0, len(features)))
        if attention is not None:
            given = np.atleast_2d(array_of("attention", attention))
            if given.ndim != 2 or given.shape[1] != len(features) or given.dtype.kind not in "fiu":
                raise ParameterError(
                    f"attention is {given.dtype} {given.shape}; it must be numbers for each of {len(features)} features"
                )
            if not np.isfinite(given).all():
                raise ParameterError("attention holds NaN or infinity; it must be finite")
            self._attention = given.astype(np.float64)
        if not self._statistics and not len(self._attention):
            raise ParameterError("statistics are empty and there is no attention; nothing would be left")
        parts = [""] if self._segments == 1 else [f", part {i + 1} of {self._segments}" for i in range(self._segments)]
        heads = [f"attention {head + 1}" for head in range(len(self._attention))]
        names = [statistic + part for part in parts for statistic in self._statistics] + heads
        self.features = tuple(f"{head} {name}" for head in names for name in features)
        self.geometry = WHOLE

    def run(
        self, x: NDArray[Any], origin: int, frames: int, threads: int, first: int = 0, memory: Any = None
    ) -> NDArray[np.float32]:
        """Shape: (channels, features, time) -> (channels, features, frames)"""
        out = np.empty((len(x), len(self.features), frames), np.float32)
        if not frames:
            return out
        n = x.shape[2]
        for signal, result in zip(x, out, strict=True):
            values = np.ascontiguousarray(signal, np.float64)
            rows = []
            for part in range(self._segments):
                start = min(n - 1, part * n // self._segments)
                seen = values[:, start : max(start + 1, (part + 1) * n // self._segments)]
                rows += [_statistic(name, seen) for name in self._statistics]
            for weights in self._attention:
                scores = (weights[:, None] * values).sum(axis=0)
                shares = np.exp(scores - scores.max())
                rows.append((values * shares).sum(axis=1) / shares.sum())
            result[:, 0] = np.concatenate(rows)
        return out


def _statistic(name: str, seen: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of every row."""
    if name.startswith("delta"):
        steps = np.diff(seen, axis=1)
        if not steps.shape[1]:
            return np.zeros(len(seen))
        found = np.abs(steps).mean(axis=1) if name == "delta_abs" else getattr(steps, name[6:])(axis=1)
    elif name == "median":
        found = np.median(seen, axis=1)
    elif name in STATISTICS:
        found = getattr(seen, name)(axis=1)
    else:
        found = np.percentile(seen, int(name[1:]), axis=1)
    return np.asarray(found, np.float64)


def checked_statistics(statistics: Any) -> tuple[str, ...]:
    """The names as a tuple; ParameterError for one that there is not."""
    names = (statistics,) if isinstance(statistics, str) else tuple(statistics)
    for name in names:
        if not isinstance(name, str) or not (name in STATISTICS or _PERCENTILE.fullmatch(name)):
            raise ParameterError(
                f"statistics name {name!r}; they must be some of {', '.join(STATISTICS)}, or percentiles such as p10"
            )
    if len(set(names)) < len(names):
        raise ParameterError(f"statistics are {', '.join(names)}; each can be there once")
    return names
