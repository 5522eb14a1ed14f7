"""MiniRocket, and how the limits of its kernels are chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..filters.nine_taps import KERNEL_PLACES, NineTapBank, dilations_for, quantiles
from ..stages.checks import integer_at_least
from ..stages.minirocket import ppv
from .base import SeriesTransformer

__all__ = ["MiniRocket", "fitted_bank", "kernel_outputs"]

_EXCERPT = 1 << 16  # time steps of a series that limits are chosen from: quantiles of more differ little


class MiniRocket(SeriesTransformer):
    """Shares of a series' time at which each of some 10,000 dilated convolutions exceeds its limit.

    The 84 kernels have nine taps, of which six weigh -1 and three 2. Dilations are spread so that the widest just fits
    the series; limits are quantiles of a kernel's output for a series drawn from those it is fitted to.

    Parameters
    ----------
    n_kernels : int
        Features, rounded down to a multiple of 84, at least 84.
    max_dilations_per_kernel : int
        How many dilations at most.
    random_state : int, RandomState or None
        What draws the series and, for several channels, which of them a kernel sees the sum of.
    n_jobs : int, optional
        Threads: 1 by default, -1 for all. They have no influence on the features.

    Attributes
    ----------
    bank_ : NineTapBank
        Dilations, channels and limits.
    n_channels_ : int

    Notes
    -----
    Series may have different lengths, in `fit` as in `transform`: nothing is padded or cut, each has the features of
    its own time steps. Dilations are chosen for the median length. Every second kernel counts only outputs of which
    all taps lie in the series; in a series too short for that, all outputs, with zeros beyond its ends. Limits are
    chosen from at most 65,536 steps of a series.

    Source: Dempster, Schmidt and Webb, "MiniRocket: a very fast (almost) deterministic transform for time series
    classification", arXiv 2012.08791. Features are those of aeon's MiniRocket, given the same parameters. For several
    channels, which the paper does not treat, kernels see random subsets of them, as in aeon.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> clips = [rng.standard_normal(rng.integers(500, 1000)) for _ in range(4)]
    >>> MiniRocket(random_state=0).fit(clips).transform(clips).shape
    (4, 9996)
    """

    def __init__(
        self,
        n_kernels: int = 10_000,
        max_dilations_per_kernel: int = 32,
        *,
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.n_kernels = n_kernels
        self.max_dilations_per_kernel = max_dilations_per_kernel
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _fit(self, series: list[NDArray[np.float32]], random: np.random.RandomState) -> None:
        self.bank_ = fitted_bank(series, self.n_kernels, self.max_dilations_per_kernel, random)

    def _features(self, x: NDArray[np.float32], threads: int) -> NDArray[np.float32]:
        return ppv(self.bank_, x, threads)

    def _names(self) -> list[str]:
        return [f"ppv, {name}" for name in self.bank_.feature_names]

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return self.bank_.arrays()

    def _restore(self, arrays: dict[str, NDArray[Any]], where: str) -> None:
        self.bank_ = NineTapBank.from_arrays(arrays, where)


def fitted_bank(
    series: list[NDArray[np.float32]], features: int, most_dilations: int, random: np.random.RandomState
) -> NineTapBank:
    """Kernels for series like these: dilations for their median length, limits from quantiles of the outputs."""
    features = integer_at_least("n_kernels", features, 1)
    most_dilations = integer_at_least("max_dilations_per_kernel", most_dilations, 1)
    channels = len(series[0])
    length = sorted(x.shape[1] for x in series)[(len(series) - 1) // 2]
    dilations, per_dilation = dilations_for(length, features, most_dilations)
    kernels = len(KERNEL_PLACES)
    counts = (2 ** random.uniform(0, np.log2(min(channels, 9) + 1), len(dilations) * kernels)).astype(np.int64)
    indices = [random.choice(channels, count, replace=False) for count in counts]
    spread = quantiles(int(per_dilation.sum()) * kernels)
    limits = np.empty(len(spread), np.float32)
    at = 0
    for number, rows in enumerate(indices):
        dilation, count = int(dilations[number // kernels]), int(per_dilation[number // kernels])
        if not count:
            continue
        x = series[random.randint(len(series))]
        start = random.randint(x.shape[1] - _EXCERPT) if x.shape[1] > _EXCERPT else 0
        outputs = kernel_outputs(x[rows, start : start + _EXCERPT], dilation, KERNEL_PLACES[number % kernels])
        limits[at : at + count] = np.quantile(outputs, spread[at : at + count])
        at += count
    # Adding zero makes a limit of -0 one of 0; both are above and below the same.
    return NineTapBank(channels, dilations, per_dilation, counts, np.concatenate(indices), limits + np.float32(0))


def kernel_outputs(x: NDArray[Any], dilation: int, places: NDArray[np.int64]) -> NDArray[Any]:
    """A kernel's outputs for the sum of some channels, zeros beyond the ends, added up as kernels.nine_taps does it."""
    n = x.shape[1]
    negative, triple = -x, x * np.float32(3)
    out = negative.copy()
    for taps, terms in ((range(9), negative), (places.tolist(), triple)):
        for tap in taps:
            shift = (tap - 4) * dilation
            if terms is triple and shift == 0:
                out += triple
            elif 0 < shift < n:
                out[:, :-shift] += terms[:, shift:]
            elif 0 < -shift < n:
                out[:, -shift:] += terms[:, :shift]
    return np.asarray(out.sum(axis=0))
