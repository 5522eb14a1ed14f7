"""Features less their means, divided by their standard deviations."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ParameterError
from ..geometry import Geometry
from ..kernels.sliding import sliding_normal
from .checks import floating, integer_at_least, positive
from .frame_stage import FrameStage

__all__ = ["MeanVariance"]

_MODES = ("utterance", "sliding", "given")
_MOST = 1 << 20  # frames of a sliding window
_PART = 1 << 18  # values in float64 at a time


class MeanVariance(FrameStage):
    """Every feature less its mean over time, and divided by its standard deviation: CMVN.

    Parameters
    ----------
    features : tuple of str
        The input's feature names.
    mode : "utterance", "sliding" or "given"
        Means over the whole signal, which cannot stream; over a window of frames; or `mean` and `std`.
    variance : bool
        Whether to divide by the standard deviation.
    window : int
        For "sliding": the frames of a window, at least 1. In the middle of a signal, frame t sees frames t - window to
        t, one more than that, as in Kaldi; if centred, frames t - window // 2 to t - window // 2 + window - 1.
    least : int
        For "sliding", not centred: the first frames wait for so many, and see them. At most `window`.
    centre : bool
        For "sliding": whether windows are around their frames. At the ends they stay within the signal, as wide.
    mean, std : (features,) array, optional
        For "given": of each feature. Without `std`, or without `variance`, nothing is divided.
    floor : float
        The smallest variance to divide by.
    ddof : 0 or 1
        For "utterance": variances are divided by the number of frames less this, or by 1.

    Raises
    ------
    ParameterError
        If a parameter is out of its range or does not fit `mode`.

    Notes
    -----
    Shape: (channels, features, frames) -> the same. Sums are float64, and in a window they are of its frames alone.

    Source: Kaldi's apply-cmvn and apply-cmvn-sliding (cmn-window, min-cmn-window, center, norm-vars).

    Examples
    --------
    >>> MeanVariance(("x",)).run(np.array([[[1, 2, 3, 6]]], np.float32), 0, 4, 1).round(3).tolist()[0][0][1]
    -0.5350000262260437
    >>> MeanVariance(("x",), mode="sliding", window=300, centre=True).geometry.latency
    149
    """

    def __init__(
        self,
        features: tuple[str, ...],
        *,
        mode: str = "utterance",
        variance: bool = True,
        window: int = 600,
        least: int = 100,
        centre: bool = False,
        mean: ArrayLike | None = None,
        std: ArrayLike | None = None,
        floor: float = 1e-10,
        ddof: int = 0,
    ) -> None:
        if mode not in _MODES:
            raise ParameterError(f"mode is {mode!r}; it must be one of {', '.join(_MODES)}")
        for name, flag in (("variance", variance), ("centre", centre)):
            if not isinstance(flag, bool):
                raise ParameterError(f"{name} is {flag!r}; it must be True or False")
        if ddof not in (0, 1):
            raise ParameterError(f"ddof is {ddof!r}; it must be 0 or 1")
        self.features, self.mode = features, mode
        self._variance, self._floor, self._ddof = variance, positive("floor", floor), int(ddof)
        self.geometry, self.whole = Geometry(), mode == "utterance"
        if mode == "sliding":
            self._window, self._centre = integer_at_least("window", window, 1), centre
            self._least = integer_at_least("least", least, 1)
            if self._window > _MOST:
                raise ParameterError(f"window is {window} frames; it must be at most {_MOST}")
            if centre:
                lead = self._window // 2
                self.geometry = Geometry(self._window, lead=lead, trail=self._window - 1 - lead, centre=2 * lead)
                self.border = self._window
            else:
                if least > window:
                    raise ParameterError(f"least is {least} frames; it must be at most window, which is {window}")
                self.geometry = Geometry(self._window + 1, lead=self._window, centre=2 * self._window)
                self.border = self._least
        if (mean is not None) != (mode == "given") or (std is not None and mode != "given"):
            raise ParameterError(
                f'mode is "{mode}" and mean and std are {"" if mean is None else "not "}missing; '
                'they must be there with mode "given", and only then'
            )
        if mean is not None:
            self._mean = self._column("mean", mean)
            scale = np.ones((len(features), 1), np.float32) if std is None else self._column("std", std)
            if not (scale > 0).all():
                raise ParameterError(f"std is {scale.min()} for a feature; it must be above 0")
            self._scale = np.float32(1.0) / scale if variance else np.ones_like(scale)

    def _column(self, name: str, given: ArrayLike) -> NDArray[np.float32]:
        values = np.asarray(given)
        floating(name, values)
        if values.shape != (len(self.features),) or not np.isfinite(values).all():
            raise ParameterError(f"{name} has the shape {values.shape}; it must be {len(self.features)} finite numbers")
        return values.astype(np.float32)[:, None]

    def begin(self, channels: int) -> list[NDArray[np.float64]] | None:
        """Where the whole signal's statistics will be kept."""
        return [] if self.whole else None

    def run(
        self, x: NDArray[Any], origin: int, frames: int, threads: int, first: int = 0, memory: Any = None
    ) -> NDArray[np.float32]:
        """Shape: (channels, features, time) -> (channels, features, frames)"""
        if self.mode == "sliding":
            return self._slide(x, origin + self.geometry.lead, frames, threads, first)
        seen = x[..., origin : origin + frames]
        if self.mode == "given":
            given: NDArray[np.float32] = seen - self._mean
            given *= self._scale
            return given
        if not memory:
            found = self._statistics(x)
            if memory is not None:
                memory.extend(found)
        mean, scale = memory or found
        return ((seen - mean) * scale).astype(np.float32)

    def _statistics(self, x: NDArray[Any]) -> list[NDArray[np.float64]]:
        """Means of the rows, and what to multiply with: (channels, features, 1)"""
        channels, features, time = x.shape
        rows = x.reshape(channels * features, time)
        mean, scale = np.zeros((len(rows), 1)), np.ones((len(rows), 1))
        step = max(1, _PART // max(1, time))
        for start in range(0, len(rows) if time else 0, step):
            part = slice(start, start + step)
            values = rows[part].astype(np.float64, order="C")
            mean[part] = values.sum(axis=1, keepdims=True) / time
            if self._variance:
                values -= mean[part]
                values *= values
                spread = values.sum(axis=1, keepdims=True) / max(1, time - self._ddof)
                scale[part] = 1.0 / np.sqrt(np.maximum(spread, self._floor))
        return [values.reshape(channels, features, 1) for values in (mean, scale)]

    def _slide(self, x: NDArray[Any], at: int, frames: int, threads: int, first: int) -> NDArray[np.float32]:
        channels, features, time = x.shape
        out = np.empty((channels, features, frames), np.float32)
        longest = self._window if self._centre else self._window + 1
        if frames:
            sliding_normal(
                np.ascontiguousarray(x).reshape(channels * features, time), at - first, first, self._window, longest,
                self._least, int(self._centre), int(self._variance), self._floor,
                out.reshape(channels * features, frames), threads=threads,
            )  # fmt: skip
        return out
