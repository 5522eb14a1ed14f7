"""Collections of series: whatever transformers are given, as a list of (channels, time) arrays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array

from ..errors import ParameterError

__all__ = ["series_of"]


def _is_table(X: Any) -> bool:
    """Whether X is scikit-learn's kind of input: a row of equal length for each case."""
    if isinstance(X, np.ndarray):
        return X.ndim == 2 or (X.ndim < 2 and X.dtype != object)
    if hasattr(X, "iloc") or hasattr(X, "toarray"):  # a data frame, a sparse matrix
        return True
    return isinstance(X, list | tuple) and bool(X) and all(isinstance(row, list) for row in X)


def series_of(X: Any, estimator: str, least: int = 1) -> list[NDArray[np.float32]]:
    """The series in X, float32 and C-contiguous.

    Parameters
    ----------
    X : array, or iterable of arrays or of feature maps
        (cases, time); (cases, channels, time); or for each case (time,), (channels, time), or something with `values`
        (channels, features, frames), of which every feature is a channel of the series: a FeatureMap, or what a store
        holds.
    estimator : str
        For messages.
    least : int
        How many time steps a series must have.

    Raises
    ------
    ParameterError
        If a series is too short, is not finite or has another number of channels than the first.
    """
    if hasattr(X, "__array__") and not hasattr(X, "iloc"):
        X = np.asarray(X)
    if _is_table(X):
        table = check_array(X, dtype=np.float32, estimator=estimator, ensure_min_features=least)
        return list(np.ascontiguousarray(table)[:, None, :])
    if isinstance(X, str | bytes) or not isinstance(X, Iterable):
        raise ParameterError(f"X is {X!r}; it must hold series: an array (cases, channels, time) or a list of arrays")
    found: list[NDArray[np.float32]] = []
    for number, item in enumerate(X):
        where = f"series {number}"
        values = np.asarray(getattr(item, "values", item))
        if values.dtype.kind not in "fiub":
            raise ParameterError(f"{where} is of type {values.dtype}; it must be real numbers")
        if values.ndim == 1:
            values = values[None]
        elif values.ndim == 3 and hasattr(item, "values"):
            values = values.reshape(-1, values.shape[2])
        if values.ndim != 2:
            raise ParameterError(f"{where} has the shape {values.shape}; it must be (time,) or (channels, time)")
        if values.shape[1] < least or not values.shape[0]:
            steps = f"{values.shape[0]} channels of {values.shape[1]} time steps"
            raise ParameterError(f"{where} has {steps}; {estimator} needs at least {least}")
        if found and len(values) != len(found[0]):
            raise ParameterError(f"{where} has {len(values)} channels, and series 0 has {len(found[0])}")
        with np.errstate(over="ignore"):
            series = np.require(values, np.float32, ["C", "A"])
        if not np.isfinite(series).all():
            channel, time = (int(at) for at in np.argwhere(~np.isfinite(series))[0])
            raise ParameterError(
                f"{where} holds NaN or infinity, first in channel {channel} at step {time}; all values must be finite"
            )
        found.append(series)
    if not found:
        raise ParameterError("X holds no series; there must be at least one")
    return found
