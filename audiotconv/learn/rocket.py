"""Rocket: random dilated convolutions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from ..kernels.rocket import rocket
from ..stages.checks import integer_at_least
from .base import SeriesTransformer

__all__ = ["Rocket"]

_LENGTHS = np.array([7, 9, 11])
_RUN = 1 << 16  # time steps of a thread's share of a long series
_KERNELS = {
    "lengths_": np.int64,
    "weights_": np.float32,
    "biases_": np.float32,
    "dilations_": np.int64,
    "paddings_": np.int64,
    "channel_counts_": np.int64,
    "channel_indices_": np.int64,
}


class Rocket(SeriesTransformer):
    """How often random dilated convolutions are above zero, and how large they get.

    Parameters
    ----------
    n_kernels : int
        Each gives two features.
    normalise : bool
        Whether to subtract each channel's mean and divide by its standard deviation first (where it is not 0).
    random_state : int, RandomState or None
        What draws the kernels.
    n_jobs : int, optional
        Threads: 1 by default, -1 for all. They have no influence on the features.

    Attributes
    ----------
    lengths_, biases_, dilations_, paddings_, channel_counts_ : (n_kernels,) arrays
    weights_, channel_indices_ : arrays
        Those of kernel 0, of kernel 1, ...: for each of its channels, its weights.
    n_channels_ : int

    Notes
    -----
    Series may have different lengths. Dilations are drawn for the median length of the series it is fitted to. A kernel
    without padding that is longer than a series has padding for it, as every second kernel has anyway.

    Source: Dempster, Petitjean and Webb, "ROCKET: exceptionally fast and accurate time series classification using
    random convolutional kernels", arXiv 1910.13051. Features are those of aeon's Rocket, given the same kernels: PPV
    and maximum of kernel 0, of kernel 1, ... For several channels, which the paper does not treat, kernels see random
    subsets of them, as in aeon.

    Examples
    --------
    >>> clips = np.random.default_rng(0).standard_normal((4, 300))
    >>> Rocket(100, random_state=0).fit(clips).transform(clips).shape
    (4, 200)
    """

    def __init__(
        self,
        n_kernels: int = 10_000,
        *,
        normalise: bool = True,
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.n_kernels = n_kernels
        self.normalise = normalise
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _fit(self, series: list[NDArray[np.float32]], random: np.random.RandomState) -> None:
        count = integer_at_least("n_kernels", self.n_kernels, 1)
        length = sorted(x.shape[1] for x in series)[(len(series) - 1) // 2]
        channels = len(series[0])
        self.lengths_ = random.choice(_LENGTHS, count).astype(np.int64)
        most = np.log2(np.minimum(channels, self.lengths_) + 1)
        self.channel_counts_ = (2 ** random.uniform(0, most)).astype(np.int64)
        seen = [random.choice(channels, each, replace=False) for each in self.channel_counts_]
        self.channel_indices_ = np.concatenate(seen).astype(np.int64)
        drawn = [random.normal(size=(c, n)) for c, n in zip(self.channel_counts_, self.lengths_, strict=True)]
        weights = [(w - w.mean(axis=1, keepdims=True)).ravel() for w in drawn]
        self.weights_ = np.concatenate(weights).astype(np.float32)
        self.biases_ = random.uniform(-1, 1, count).astype(np.float32)
        widest = np.log2(np.maximum(1.0, (length - 1) / (self.lengths_ - 1)))
        self.dilations_ = (2 ** random.uniform(0, widest)).astype(np.int64)
        self.paddings_ = random.randint(2, size=count) * ((self.lengths_ - 1) * self.dilations_ // 2)

    def _features(self, x: NDArray[np.float32], threads: int) -> NDArray[np.float32]:
        if self.normalise:
            spread = x.std(axis=1, keepdims=True)
            x = (x - x.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, np.float32(1))
        n = x.shape[1]
        reach = (self.lengths_ - 1) * self.dilations_
        paddings = np.where(n + 2 * self.paddings_ <= reach, reach // 2, self.paddings_)
        runs = min(32, -(-n // _RUN))
        above = np.zeros((runs, len(self.lengths_)), np.int64)
        best = np.full(above.shape, -np.inf, np.float32)
        starts = np.concatenate([[0], np.cumsum(self.lengths_ * self.channel_counts_)])
        firsts = np.concatenate([[0], np.cumsum(self.channel_counts_)])
        rocket(
            x, self.lengths_, self.weights_, starts, self.biases_, self.dilations_, paddings, firsts,
            self.channel_indices_, runs, above, best, threads=threads,
        )  # fmt: skip
        shares = above.sum(axis=0) / (n + 2 * paddings - reach)
        return np.stack([shares, best.max(axis=0)], axis=1).ravel().astype(np.float32)

    def _names(self) -> list[str]:
        return [f"{pool}, kernel {number}" for number in range(len(self.lengths_)) for pool in ("ppv", "max")]

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name) for name in _KERNELS}

    def _restore(self, arrays: dict[str, NDArray[Any]], where: str) -> None:
        for name, dtype in _KERNELS.items():
            if name not in arrays or arrays[name].ndim != 1:
                raise ParameterError(f"{where} lacks the row {name}; it is not a fitted Rocket")
            setattr(self, name, arrays[name].astype(dtype))
        counts = self.channel_counts_
        fits = len({len(getattr(self, name)) for name in ("lengths_", "biases_", "dilations_", "paddings_")}) == 1
        fits = fits and len(counts) == len(self.lengths_) and counts.sum() == len(self.channel_indices_)
        fits = fits and (counts * self.lengths_).sum() == len(self.weights_) and len(counts) > 0
        if not fits or self.channel_indices_.min() < 0 or self.channel_indices_.max() >= self.n_channels_:
            raise ParameterError(f"{where}: the arrays of its kernels do not fit each other")
