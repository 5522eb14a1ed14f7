"""Hydra: groups of random kernels that compete at every moment, and the scaler for their counts."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ..errors import ParameterError
from ..kernels.hydra import ROWS, TILE, hydra
from ..stages.checks import integer_at_least
from .base import SeriesTransformer

__all__ = ["Hydra", "SparseScaler"]

_RUN = 1 << 14  # time steps that a thread takes, at least
_RUNS = 32  # at most


class Hydra(SeriesTransformer):
    """Dictionaries of random dilated kernels: which kernel of a group answers most, and which least, at each moment.

    Half of the groups see the series, half its difference. For each kernel there are two features: the sum of its
    outputs where they are the group's largest, and how often its output is the smallest. Scale them with SparseScaler
    before a linear classifier.

    Parameters
    ----------
    n_kernels : int
        Of a group.
    n_groups : int
        Groups for each dilation, half of them for the difference.
    max_num_channels : int
        Of how many channels a group sees the sum of, at most.
    random_state : int, RandomState or None
        What draws the kernels and channels.
    n_jobs : int, optional
        Threads: 1 by default, -1 for all. They have no influence on the features.

    Attributes
    ----------
    dilations_ : (dilations,) int64
        Powers of two, up to what nine taps fit in.
    weights_ : (dilations, 1 or 2, groups, n_kernels, 9) float32
        For the series and for its difference.
    channel_indices_ : (dilations, 1 or 2, groups, summed) int64
    n_channels_ : int

    Notes
    -----
    Series may have different lengths of at least 2; dilations are chosen for the median length of those it is fitted
    to. Zeros stand beyond the ends. In their order, the features are those of the first dilation: sums for the series,
    counts for the series, sums for the difference, counts for the difference; then those of the next dilation.

    Source: Dempster, Schmidt and Webb, "Hydra: competing convolutional kernels for fast and accurate time series
    classification", arXiv 2203.13652. Features are those of aeon's HydraTransformer, given the same kernels.

    Examples
    --------
    >>> clips = np.random.default_rng(0).standard_normal((4, 300))
    >>> Hydra(random_state=0).fit(clips).transform(clips).shape
    (4, 6144)
    """

    _least = 2

    def __init__(
        self,
        n_kernels: int = 8,
        n_groups: int = 64,
        max_num_channels: int = 8,
        *,
        random_state: Any = None,
        n_jobs: int | None = None,
    ) -> None:
        self.n_kernels = n_kernels
        self.n_groups = n_groups
        self.max_num_channels = max_num_channels
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _fit(self, series: list[NDArray[np.float32]], random: np.random.RandomState) -> None:
        kernels, groups = (integer_at_least(name, getattr(self, name), 1) for name in ("n_kernels", "n_groups"))
        most = integer_at_least("max_num_channels", self.max_num_channels, 1)
        length = sorted(x.shape[1] for x in series)[(len(series) - 1) // 2]
        channels = len(series[0])
        self.dilations_ = 2 ** np.arange(int(np.log2(max(1.0, (length - 1) / 8))) + 1, dtype=np.int64)
        halves = min(2, groups)
        shape = len(self.dilations_), halves, groups // halves
        weights = random.normal(size=(*shape, kernels, 9))
        weights -= weights.mean(axis=-1, keepdims=True)
        self.weights_ = (weights / np.abs(weights).sum(axis=-1, keepdims=True)).astype(np.float32)
        summed = 1 if channels == 1 else int(np.clip(channels // 2, min(2, most), most))
        self.channel_indices_ = random.randint(channels, size=(*shape, summed)).astype(np.int64)

    def _features(self, x: NDArray[np.float32], threads: int) -> NDArray[np.float32]:
        dilations, halves, groups, kernels, _ = self.weights_.shape
        out = np.empty((dilations, halves, 2, groups, kernels), np.float32)
        padded = -(-kernels // ROWS) * ROWS
        for half in range(halves):
            seen = np.ascontiguousarray(np.diff(x)) if half else x
            n = seen.shape[1]
            length = -(-max(_RUN, -(-n // _RUNS)) // TILE) * TILE
            sums = np.zeros((-(-n // length), dilations, groups, kernels))
            numbers = np.zeros(sums.shape, np.int64)
            weights = np.zeros((dilations, groups, padded, 9), np.float32)
            weights[:, :, :kernels] = self.weights_[:, half]
            indices = np.ascontiguousarray(self.channel_indices_[:, half])
            hydra(seen, self.dilations_, weights, indices, kernels, length, sums, numbers, threads=threads)
            out[:, half, 0], out[:, half, 1] = sums.sum(axis=0), numbers.sum(axis=0)
        return out.ravel()

    def _names(self) -> list[str]:
        _, halves, groups, kernels, _ = self.weights_.shape
        return [
            f"{pool}{' of the difference' if half else ''}, dilation {dilation}, group {group}, kernel {kernel}"
            for dilation in self.dilations_
            for half in range(halves)
            for pool in ("sum where largest", "count where smallest")
            for group in range(groups)
            for kernel in range(kernels)
        ]

    def _arrays(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name) for name in ("dilations_", "weights_", "channel_indices_")}

    def _restore(self, arrays: dict[str, NDArray[Any]], where: str) -> None:
        lacking = [name for name in ("dilations_", "weights_", "channel_indices_") if name not in arrays]
        if lacking:
            raise ParameterError(f"{where} lacks {', '.join(lacking)}; it is not a fitted Hydra")
        self.dilations_ = arrays["dilations_"].astype(np.int64)
        self.weights_ = arrays["weights_"].astype(np.float32)
        self.channel_indices_ = arrays["channel_indices_"].astype(np.int64)
        shape, indices = self.weights_.shape, self.channel_indices_
        fits = len(shape) == 5 and shape[-1] == 9 and indices.ndim == 4 and indices.shape[:3] == shape[:3]
        if not (fits and self.dilations_.shape == shape[:1] and indices.size):
            raise ParameterError(f"{where}: the arrays of its kernels do not fit each other")
        if indices.min() < 0 or indices.max() >= self.n_channels_ or self.dilations_.min() < 1:
            raise ParameterError(f"{where}: its channels or dilations are out of their range")


class SparseScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Square roots of counts, less their mean and divided by their deviation, where zeros stay zeros.

    Parameters
    ----------
    mask : bool
        Whether zeros stay zeros.
    exponent : int
        The share of zeros to this power is added to a feature's deviation, so that rare ones do not weigh too much.

    Attributes
    ----------
    mean_, scale_ : (features,) float32

    Notes
    -----
    Source: Dempster, Schmidt and Webb, arXiv 2203.13652; as in aeon. Deviations divide by one less than the number of
    cases; with a single case they are 0.

    Examples
    --------
    >>> print(SparseScaler().fit_transform([[0.0, 4.0], [1.0, 1.0]]).round(2))
    [[ 0.    0.71]
     [ 0.65 -0.71]]
    """

    def __init__(self, mask: bool = True, exponent: int = 4) -> None:
        self.mask = mask
        self.exponent = exponent

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find the mean and deviation of each feature."""
        roots = self._roots(X, reset=True)
        zeros = (roots == 0).mean(axis=0) ** self.exponent + 1e-8
        spread = roots.std(axis=0, ddof=1) if len(roots) > 1 else np.zeros(roots.shape[1])
        self.mean_ = roots.mean(axis=0, dtype=np.float64).astype(np.float32)
        self.scale_ = (spread + zeros).astype(np.float32)
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Shape: (cases, features) -> the same"""
        check_is_fitted(self)
        roots = self._roots(X, reset=False)
        out = (roots - self.mean_) / self.scale_
        if self.mask:
            out[roots == 0] = 0
        return np.asarray(out)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _roots(self, X: Any, reset: bool) -> NDArray[np.float32]:
        given = validate_data(self, X, reset=reset, dtype=np.float32)
        return np.asarray(np.sqrt(np.maximum(given, 0)))
