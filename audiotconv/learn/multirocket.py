"""MultiRocket: four poolings of MiniRocket's convolutions, of the series and of its difference."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..filters.nine_taps import KERNEL_PLACES, NineTapBank
from ..kernels.multirocket import PACE, multirocket
from ..kernels.nine_taps import SLOTS
from .base import SeriesTransformer
from .minirocket import fitted_bank

__all__ = ["MultiRocket"]

_POOLINGS = ("ppv", "lspv", "mpv", "mipv")
_RUNS = 32  # of a long series, for threads: as many whatever their number


class MultiRocket(SeriesTransformer):
    """How often, how much, when and for how long each of some 6,000 dilated convolutions exceeds its limit.

    The convolutions are MiniRocket's, of the series and of its difference. Of each limit's outputs there are four
    features: the share that is above (PPV), the longest stretch (LSPV), the mean (MPV) and the mean place (MIPV) of
    those that are above.

    Parameters
    ----------
    n_kernels : int
        Limits, for the series and for its difference, rounded down to a multiple of 84; each gives four features.
    max_dilations_per_kernel : int
        How many dilations at most.
    normalise : bool
        Whether to subtract each channel's mean and divide by its standard deviation first.
    random_state : int, RandomState or None
    n_jobs : int, optional
        Threads: 1 by default, -1 for all. They have no influence on the features.

    Attributes
    ----------
    bank_, difference_bank_ : NineTapBank
        For the series and for its difference.
    n_channels_ : int

    Notes
    -----
    Series may have different lengths of at least 2; see MiniRocket. In their order, the features are all PPV, all LSPV,
    all MPV, all MIPV of the series, and then those of the difference.

    Source: Tan, Dempster, Bergmeir and Webb, "MultiRocket: multiple pooling operators and transformations for fast and
    effective time series classification", arXiv 2102.00457. Features are those of aeon's MultiRocket, given the same
    parameters, with what it does otherwise than the paper: MPV is the mean of output plus limit. LSPV is the longest
    way from one output below the limit to the next, where the first output counts as below, and the last; outputs equal
    to the limit are neither above nor below. MIPV is -1, and MPV 0, where no output is above. In the difference, the
    four taps before the middle one see one step less far back. (aeon's kernels see the same channels of the
    difference as of the series, with limits fitted to others; here the difference has its own.)

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> clips = rng.standard_normal((4, 500))
    >>> MultiRocket(1000, random_state=0).fit(clips).transform(clips).shape
    (4, 7392)
    """

    _least = 2

    def __init__(
        self,
        n_kernels: int = 6_250,
        max_dilations_per_kernel: int = 32,
        *,
        normalise: bool = False,
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.n_kernels = n_kernels
        self.max_dilations_per_kernel = max_dilations_per_kernel
        self.normalise = normalise
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _fit(self, series: list[NDArray[np.float32]], random: np.random.RandomState) -> None:
        series = [self._scaled(x) for x in series]
        sizes = self.n_kernels, self.max_dilations_per_kernel
        self.bank_ = fitted_bank(series, *sizes, random)
        self.difference_bank_ = fitted_bank([np.diff(x) for x in series], *sizes, random)

    def _scaled(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        if not self.normalise:
            return x
        spread = x.std(axis=1, keepdims=True) + np.float32(1e-8)
        return np.asarray((x - x.mean(axis=1, keepdims=True)) / spread)

    def _features(self, x: NDArray[np.float32], threads: int) -> NDArray[np.float32]:
        x = self._scaled(x)
        difference = np.diff(x)
        pooled = (_pooled(self.bank_, x, 0, threads), _pooled(self.difference_bank_, difference, 1, threads))
        return np.concatenate(pooled)

    def _names(self) -> list[str]:
        banks = (("", self.bank_), (" of the difference", self.difference_bank_))
        return [f"{pool}{what}, {name}" for what, bank in banks for pool in _POOLINGS for name in bank.feature_names]

    def _arrays(self) -> dict[str, NDArray[Any]]:
        banks = {"series_": self.bank_, "difference_": self.difference_bank_}
        return {prefix + name: array for prefix, bank in banks.items() for name, array in bank.arrays().items()}

    def _restore(self, arrays: dict[str, NDArray[Any]], where: str) -> None:
        self.bank_ = NineTapBank.from_arrays(arrays, where, "series_")
        self.difference_bank_ = NineTapBank.from_arrays(arrays, where, "difference_")


def _pooled(bank: NineTapBank, x: NDArray[np.float32], skew: int, threads: int) -> NDArray[np.float32]:
    """The four poolings, one after the other."""
    n, features = x.shape[1], len(bank.limits)
    pace = min(PACE, -(-n // SLOTS))
    stretches = -(-n // (SLOTS * pace))
    together = -(-stretches // _RUNS)
    whole = np.zeros((-(-stretches // together), 5, features), np.int64)
    whole[:, 2] = -1
    total = np.zeros((len(whole), features))
    multirocket(
        x, bank.dilations, bank.features_per_dilation, KERNEL_PLACES, bank.starts, bank.channel_indices, bank.limits,
        1, skew, pace, together, whole, total, threads=threads,
    )  # fmt: skip
    low = bank.leads(n)
    count, places, sums = whole[:, 0].sum(axis=0), whole[:, 1].sum(axis=0), total.sum(axis=0)
    below, longest = low.copy(), np.zeros(features, np.int64)
    for _, _, first, last, gap in whole:
        there = first >= 0
        longest = np.where(there, np.maximum(np.maximum(longest, gap), first - below), longest)
        below = np.where(there, last, below)
    longest = np.maximum(longest, n - 1 - low - below)
    some = np.maximum(count, 1)
    mean = np.where(count > 0, sums / some + bank.limits, 0.0)
    place = np.where(count > 0, places / some, -1.0)
    return np.concatenate([count / (n - 2 * low), longest, mean, place], dtype=np.float32, casting="same_kind")
