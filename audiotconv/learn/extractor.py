"""Recordings to feature maps, or to rows of statistics, as a scikit-learn transformer."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ..errors import AudioError, ParameterError
from ..extraction import FeatureMap, extract
from ..recipes import Recipe, get_recipe
from ..stages import Statistics

__all__ = ["FeatureExtractor"]


class FeatureExtractor(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Feature maps of recordings, pooled over time to rows of equal length.

    Parameters
    ----------
    recipe : str, path or Recipe
        A name from `list_recipes`, a TOML file, or a Recipe.
    pool : "stats", sequence of str, or None
        "stats" is mean and standard deviation of each feature over time; a sequence names statistics, as
        `audiotconv.stages.Statistics` has them ("mean", "std", "min", "max", "median", "p10", "delta_std", ...). None
        leaves maps as they are: a list of (features, frames) arrays, for MiniRocket and its kin.
    segments : int
        Into how many stretches time is divided, with statistics of their own.
    attention : array, optional
        (heads, features) weights of attention-weighted means, which come after the statistics.
    sample_rate : int, optional
        Of recordings that are arrays, in Hz. Files know their own.
    n_jobs : int, optional
        Threads, over recordings: 1 by default, -1 for all. They have no influence on the features.

    Attributes
    ----------
    feature_names_ : tuple of str
        Of the feature maps.

    Raises
    ------
    ParameterError, RecipeError
        From `fit`, if a parameter is wrong.
    AudioFileError, AudioError
        If a recording cannot be used: the message says which, and why.

    Notes
    -----
    `fit` looks at the first recording only, for the names of the features: nothing is learnt from the recordings, so
    it may be done before they are divided to train and to test. Channels are mixed to one.

    Recordings are paths, sample arrays (time,) or (channels, time), FeatureMaps, or a store that `audiotconv.load` has
    read, whose maps are taken as they are: they must be of the same recipe. Maps of several channels become the mean of
    their channels.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> sounds = [rng.standard_normal(rng.integers(4000, 8000)).astype(np.float32) for _ in range(3)]
    >>> extractor = FeatureExtractor("whisper-80", sample_rate=16000).fit(sounds)
    >>> extractor.transform(sounds).shape, extractor.get_feature_names_out()[0]
    ((3, 160), 'mean 37.2 Hz')
    """

    def __init__(
        self,
        recipe: str | os.PathLike[str] | Recipe = "whisper-80",
        pool: Any = "stats",
        *,
        segments: int = 1,
        attention: Any = None,
        sample_rate: int | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.recipe = recipe
        self.pool = pool
        self.segments = segments
        self.attention = attention
        self.sample_rate = sample_rate
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the parameters, and find the names of the features.

        Parameters
        ----------
        X : recordings
        y : ignored
        """
        self.recipe_ = get_recipe(self.recipe)
        first = next(iter(self._recordings(X)))
        self.feature_names_ = self._map(first, 0)[1]
        self._stage = self._statistics()
        return self

    def transform(self, X: Any) -> Any:
        """Rows of features, or with ``pool=None`` a list of (features, frames) arrays.

        Shape: recordings -> (recordings, features), float32
        """
        check_is_fitted(self)
        recordings = self._recordings(X)
        jobs = min(effective_n_jobs(self.n_jobs), len(recordings))
        if jobs == 1:
            rows = [self._row(item, number) for number, item in enumerate(recordings)]
        else:
            with ThreadPoolExecutor(jobs) as pool:
                rows = list(pool.map(self._row, recordings, range(len(recordings))))
        return rows if self._stage is None else np.stack(rows)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """The names of a row's features."""
        check_is_fitted(self)
        return np.array(self.feature_names_ if self._stage is None else self._stage.features, dtype=object)

    @property
    def _n_features_out(self) -> int:
        return len(self.get_feature_names_out())

    def _statistics(self) -> Statistics | None:
        if self.pool is None:
            return None
        if isinstance(self.pool, str) and self.pool != "stats":
            raise ParameterError(f'pool is {self.pool!r}; it must be "stats", a list of statistics, or None')
        names = ("mean", "std") if isinstance(self.pool, str) else tuple(self.pool)
        return Statistics(self.feature_names_, statistics=names, segments=self.segments, attention=self.attention)

    def _recordings(self, X: Any) -> Any:  # with a length
        if isinstance(X, str | bytes | os.PathLike) or not isinstance(X, Iterable):
            raise ParameterError(f"X is {X!r}; it must be a list of recordings: paths, arrays or feature maps")
        recordings: Any = (
            X if hasattr(X, "__len__") and hasattr(X, "__getitem__") and not hasattr(X, "iloc") else list(X)
        )
        if not len(recordings):
            raise ParameterError("X holds no recordings; there must be at least one")
        return recordings

    def _row(self, item: Any, number: int) -> NDArray[np.float32]:
        values, names = self._map(item, number)
        if names != self.feature_names_:
            raise ParameterError(
                f"recording {number} has other features than the first one had ({names[0]}, not "
                f"{self.feature_names_[0]}), as its sample rate is another; take a recipe with a sample_rate of its own"
            )
        if self._stage is None:
            return values
        return np.asarray(self._stage.run(values[None], 0, 1, 1)[0, :, 0])

    def _map(self, item: Any, number: int) -> tuple[NDArray[np.float32], tuple[str, ...]]:
        """(features, frames), and the features' names."""
        stored = getattr(item, "values", None)
        if isinstance(item, str | os.PathLike):
            found = extract(item, self.recipe_, channels="mono", threads=1)
        elif isinstance(stored, np.ndarray):
            chain = self.recipe_.build(item.sample_rate)
            names = item.feature_names if isinstance(item, FeatureMap) else chain.features
            if names != chain.features or stored.shape[1] != len(names):
                raise ParameterError(
                    f"recording {number} is a map of {stored.shape[1]} features; {self.recipe_.name} has other ones"
                )
            values, where = stored.mean(axis=0) if len(stored) > 1 else stored[0], f"recording {number}"
            return self._some(values, where), names
        else:
            try:
                found = extract(item, self.recipe_, sample_rate=self.sample_rate, channels="mono", threads=1)
            except AudioError as error:
                raise AudioError(f"recording {number}: {error}", error.reason) from None
        where = os.fspath(item) if isinstance(item, str | os.PathLike) else f"recording {number}"
        return self._some(found.values[0], str(where)), found.feature_names

    def _some(self, values: NDArray[np.float32], where: str) -> NDArray[np.float32]:
        if not values.shape[1]:
            raise AudioError(f"{where} is shorter than one frame of {self.recipe_.name}", "too short")
        return values
