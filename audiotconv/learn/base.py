"""What the transformers of series have in common: their input, their threads, and their files."""

from __future__ import annotations

import json
import os
import tempfile
from abc import abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..errors import ParameterError
from ..filters.nine_taps import arrays_of
from ..kernels.compile import available_threads
from .series import series_of

__all__ = ["SeriesTransformer"]

PARALLEL_FROM = 1 << 18  # time steps from which on a series has all threads to itself


class SeriesTransformer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A transformer from series of any lengths to rows of features.

    Attributes
    ----------
    n_channels_ : int
        Of the series that it was fitted to.
    """

    _least = 1  # time steps of a series

    def fit(self, X: Any, y: Any = None) -> Self:
        """Choose the parameters that depend on the series.

        Parameters
        ----------
        X : array (cases, time) or (cases, channels, time), or list of arrays (time,) or (channels, time), or of
            feature maps
        y : ignored

        Raises
        ------
        ParameterError
            If a parameter is out of its range, or X is no such collection.
        """
        series = series_of(X, type(self).__name__, self._least)
        self.n_channels_ = len(series[0])
        self._fit(series, check_random_state(self.random_state))
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """The features of each series.

        Shape: cases -> (cases, features), float32

        Raises
        ------
        ParameterError
            If X is no such collection, or has another number of channels than what was fitted.
        """
        check_is_fitted(self)
        series = series_of(X, type(self).__name__, self._least)
        if len(series[0]) != self.n_channels_:
            raise ParameterError(
                f"the series have {len(series[0])} channels; {type(self).__name__} was fitted to {self.n_channels_}"
            )
        return np.stack(self._each(series, self._features))

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """The names of the features, in their order."""
        check_is_fitted(self)
        return np.array(self._names(), dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # features are float32
        return tags

    @property
    def _n_features_out(self) -> int:
        return len(self._names())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted parameters to a .npz file of plain arrays, in place of what was there before.

        Raises
        ------
        OSError
            If it cannot be written; what was there before is left as it was.
        """
        check_is_fitted(self)
        params = {name: value for name, value in self.get_params().items() if _is_plain(value)}
        head = {"estimator": type(self).__name__, "params": params, "n_channels": self.n_channels_}
        folder = os.path.dirname(os.path.abspath(os.fsdecode(path)))
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".", suffix=".npz")
        try:
            with os.fdopen(handle, "wb") as file:
                arrays: dict[str, Any] = self._arrays()
                np.savez(file, head=np.array(json.dumps(head)), **arrays)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """What `save` wrote, fitted.

        Raises
        ------
        ParameterError
            If the file cannot be read, or holds something else.
        """
        where = f"the file {os.fspath(path)!r}"
        arrays = arrays_of(path, where)
        try:
            head = json.loads(str(arrays["head"]))
            kind, params, channels = head["estimator"], dict(head["params"]), int(head["n_channels"])
        except (KeyError, TypeError, ValueError):
            raise ParameterError(f"{where} was not saved by a transformer of series") from None
        if kind != cls.__name__:
            raise ParameterError(f"{where} holds a {kind}; it must be read by {kind}.load")
        known = cls().get_params()
        loaded = cls(**{name: value for name, value in params.items() if name in known})
        loaded.n_channels_ = channels
        loaded._restore(arrays, where)
        return loaded

    @abstractmethod
    def _fit(self, series: list[NDArray[np.float32]], random: np.random.RandomState) -> None: ...

    @abstractmethod
    def _features(self, x: NDArray[np.float32], threads: int) -> NDArray[np.float32]: ...

    @abstractmethod
    def _names(self) -> list[str]: ...

    @abstractmethod
    def _arrays(self) -> dict[str, NDArray[Any]]: ...

    @abstractmethod
    def _restore(self, arrays: dict[str, NDArray[Any]], where: str) -> None: ...

    def _each(
        self, series: list[NDArray[np.float32]], work: Callable[[NDArray[np.float32], int], NDArray[np.float32]]
    ) -> list[NDArray[np.float32]]:
        """Short series on a thread each, and a long one on all threads: the same bits."""
        jobs = min(effective_n_jobs(self.n_jobs), available_threads())
        if jobs == 1:
            return [work(x, 1) for x in series]
        short = [number for number, x in enumerate(series) if x.shape[1] < PARALLEL_FROM]
        if len(short) < jobs:
            short = []
        out: dict[int, NDArray[np.float32]] = {}
        if short:
            with ThreadPoolExecutor(jobs) as pool:
                out.update(zip(short, pool.map(lambda number: work(series[number], 1), short), strict=True))
        return [out[number] if number in out else work(x, jobs) for number, x in enumerate(series)]


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, bool | int | float | str)
