"""Derivatives of features along time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from ..geometry import Geometry
from ..kernels import deltas as kernels
from .checks import integer_at_least
from .frame_stage import FrameStage

__all__ = ["Deltas"]

_EDGES = {"repeat": kernels.REPEAT, "htk": kernels.AGAIN, "interp": kernels.INNER}
_KINDS = ("regression", "savgol")
_MOST = 1000  # frames of a filter on either side


class Deltas(FrameStage):
    """The features, their derivatives along time ("delta"), the derivatives of those ("delta2"), and so on.

    Parameters
    ----------
    features : tuple of str
        The input's feature names.
    window : int
        How many frames a derivative looks ahead and back, at least 1.
    order : int
        How many derivatives, at least 1.
    kind : "regression" or "savgol"
        "regression": d[t] = sum of theta * (c[t + theta] - c[t - theta]) / (2 * sum of theta**2), theta = 1 to window;
        the second derivative is that of the first, which sees twice as many frames. "savgol": the k-th derivative of
        the polynomial of order k that fits 2 * window + 1 frames best, as librosa has it. First derivatives are equal.
    edges : "repeat", "htk" or "interp"
        What stands beyond the first and the last frame. "repeat": that frame again and again, as in Kaldi. "htk": the
        same, but second derivatives see the first or last first derivative there, as in HTK; only for "regression".
        "interp": frames too near to an end have the derivative of the nearest frame that is not, as in librosa; a
        signal too short for one frame is treated as by "repeat".
    statics : bool
        Whether the features themselves stand before their derivatives.

    Raises
    ------
    ParameterError
        If a parameter is none of these.

    Notes
    -----
    Shape: (channels, features, frames) -> (channels, (1 + order) * features, frames). Streams, with a latency of
    ``order * window`` frames (``window`` for "savgol").

    Sources: Young et al., The HTK Book (2006), section 5.9; Kaldi's add-deltas; Savitzky and Golay, Smoothing and
    differentiation of data by simplified least squares procedures (1964); librosa.feature.delta.

    Examples
    --------
    >>> ramp = np.arange(6, dtype=np.float32).reshape(1, 1, 6)
    >>> stage = Deltas(("x",), window=1)
    >>> stage.features
    ('x', 'delta x', 'delta2 x')
    >>> stage.run(ramp, -stage.geometry.lead, 6, 1)[0, 1].tolist()
    [0.5, 1.0, 1.0, 1.0, 1.0, 0.5]
    """

    def __init__(
        self,
        features: tuple[str, ...],
        *,
        window: int = 2,
        order: int = 2,
        kind: str = "regression",
        edges: str = "repeat",
        statics: bool = True,
    ) -> None:
        window, order = integer_at_least("window", window, 1), integer_at_least("order", order, 1)
        if kind not in _KINDS:
            raise ParameterError(f"kind is {kind!r}; it must be one of {', '.join(_KINDS)}")
        if edges not in _EDGES:
            raise ParameterError(f"edges is {edges!r}; it must be one of {', '.join(_EDGES)}")
        if edges == "htk" and kind == "savgol":
            raise ParameterError('edges is "htk", which is for kind="regression"; it must be "repeat" or "interp"')
        if not isinstance(statics, bool):
            raise ParameterError(f"statics is {statics!r}; it must be True or False")
        if kind == "savgol" and order > 2 * window:
            raise ParameterError(f"order is {order}; a window of {window} fits polynomials of at most {2 * window}")
        self.kind, self.edges, self.statics = kind, edges, statics
        reach = window if kind == "savgol" else order * window
        if reach > _MOST:
            raise ParameterError(f"derivatives would look {reach} frames ahead; it must be at most {_MOST}")
        filters = _savgol(window, order) if kind == "savgol" else _regression(window, order)
        self._halves = np.array([len(taps) // 2 for taps in filters])
        self._taps = np.zeros((order, reach + 1), np.float32)
        for row, taps in zip(self._taps, filters, strict=True):
            half = len(taps) // 2
            row[: half + 1] = taps[half:]
        prefixes = [""] * statics + [f"delta{k if k > 1 else ''} " for k in range(1, order + 1)]
        self.features = tuple(prefix + name for prefix in prefixes for name in features)
        self.geometry = Geometry(2 * reach + 1, lead=reach, trail=reach)
        self.border = 2 * reach + 1 if edges == "interp" else 0

    def run(
        self, x: NDArray[Any], origin: int, frames: int, threads: int, first: int = 0, memory: Any = None
    ) -> NDArray[np.float32]:
        """Shape: (channels, features, time) -> (channels, (1 + order) * features, frames)"""
        channels, features, time = x.shape
        out = np.empty((channels, len(self.features), frames), np.float32)
        if frames:
            kernels.deltas(
                np.ascontiguousarray(x).reshape(channels * features, time), origin + self.geometry.lead, self._taps,
                self._halves, _EDGES[self.edges], int(self.statics), features, out, threads=threads,
            )  # fmt: skip
        return out


def _regression(window: int, order: int) -> list[NDArray[np.float64]]:
    theta = np.arange(-window, window + 1, dtype=np.float64)
    taps = [theta / (theta**2).sum()]
    for _ in range(order - 1):
        taps.append(np.convolve(taps[-1], taps[0]))
    return taps


def _savgol(window: int, order: int) -> list[NDArray[np.float64]]:
    # Scaled to -1 to 1, where powers are as well apart as they can be.
    place = np.arange(-window, window + 1, dtype=np.float64) / window
    return [
        math.factorial(k) / float(window) ** k * np.linalg.pinv(np.vander(place, k + 1, increasing=True))[k]
        for k in range(1, order + 1)
    ]
