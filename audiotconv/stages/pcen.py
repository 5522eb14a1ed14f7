"""Per-channel energy normalisation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ParameterError
from ..geometry import Geometry
from ..kernels import pcen as kernels
from ..kernels.simd import VECTOR_BITS
from .base import aligned_empty
from .checks import floating, positive
from .frame_stage import FrameStage

__all__ = ["Pcen", "smoothing_of"]

_LANES = VECTOR_BITS // 32
_LARGEST = 1e37


class Pcen(FrameStage):
    """Energies divided by their smoothed past, and compressed: E[t] of a band becomes

        (E[t] / (eps + M[t])**gain + bias)**power - bias**power,  M[t] = (1 - s) * M[t - 1] + s * E[t]

    with the smoothing coefficient s.

    Parameters
    ----------
    features : tuple of str
        The input's feature names.
    gain, bias, power : float, or a number for each feature
        At least 0. Where bias is 0, it is for all features. A power of 0, for all, means log(1 + E / (eps + M)**gain).
    smoothing : float, or a number for each feature
        The coefficient s, above 0 and at most 1; `smoothing_of` computes it from a time constant.
    eps : float, or a number for each feature
        From 1e-30 on.
    initial : float or "first"
        M before the first frame: a number, 1 in librosa; or the first frame's energies, as in LEAF.

    Raises
    ------
    ParameterError
        If a parameter is out of its range, or is neither one number nor one for each feature.

    Notes
    -----
    Shape: (channels, features, frames) -> the same. Streams; frames come at once, and depend on all before them.
    Energies below 0 count as 0. librosa's defaults are those here, with a time constant of 0.4 s, and suit energies
    of samples scaled to 2**31; LEAF begins with gain=0.96, bias=2, power=0.5, smoothing=0.04, eps=1e-12.

    Sources: Wang et al., Trainable frontend for robust and far-field keyword spotting (2017), arXiv 1607.05666;
    Zeghidour et al., LEAF (2021), arXiv 2101.08596; librosa.pcen.

    Examples
    --------
    >>> steady = np.full((1, 1, 3), 1e6, np.float32)
    >>> stage = Pcen(("x",), gain=1.0, smoothing=0.5, initial="first")
    >>> [round(float(value), 4) for value in stage.run(steady, 0, 3, 1)[0, 0]]
    [0.3178, 0.3178, 0.3178]
    """

    def __init__(
        self,
        features: tuple[str, ...],
        *,
        smoothing: ArrayLike,
        gain: ArrayLike = 0.98,
        bias: ArrayLike = 2.0,
        power: ArrayLike = 0.5,
        eps: ArrayLike = 1e-6,
        initial: float | str = 1.0,
    ) -> None:
        number = len(features)
        smoothing = _numbers("smoothing", smoothing, number, 1e-9, 1.0)
        eps, gain = _numbers("eps", eps, number, 1e-30, 1e30), _numbers("gain", gain, number, 0.0, 100.0)
        bias, power = _numbers("bias", bias, number, 0.0, 1e30), _numbers("power", power, number, 0.0, 100.0)
        if ((bias > 0) & (bias < 1e-30)).any():
            raise ParameterError(f"bias is {bias.min()}; it must be 0 or at least 1e-30")
        for name, values in (("bias", bias), ("power", power)):
            if (values == 0).any() and values.any():
                raise ParameterError(f"{name} is {values.tolist()}; it must be 0 for all features or for none")
        if initial != "first" and (
            isinstance(initial, bool) or not isinstance(initial, int | float | np.number) or not 0 <= initial <= 1e30
        ):
            raise ParameterError(f'initial is {initial!r}; it must be "first" or a number from 0 to 1e30')
        self.features, self.geometry = features, Geometry()
        self._first, self._initial = initial == "first", 0.0 if isinstance(initial, str) else float(initial)
        if not power.any():
            self._kind = kernels.LOGARITHM
        elif not bias.any():
            self._kind = kernels.PURE_POWER
        else:
            self._kind = kernels.ROOT if (power == 0.5).all() else kernels.POWER
        with np.errstate(divide="ignore"):
            biased, most_v = np.log10(bias) * power, np.minimum(37.0, 37.0 / power)
            if (biased > 36).any():
                raise ParameterError(f"bias to its power is 10**{biased.max():.0f}; it must be at most 1e36")
            most_v = np.where(bias > 0, np.minimum(most_v, 37.0 + np.log10(np.where(bias > 0, bias, 1.0))), most_v)
        most = np.minimum(36.0, most_v if self._kind in (kernels.ROOT, kernels.LOGARITHM) else 36.0)
        most = most + np.minimum(0.0, gain * np.log10(eps))
        if (most < -30).any():
            raise ParameterError(
                f"eps to the gain is 10**{(gain * np.log10(eps)).min():.0f}; it must be at least 1e-60"
            )
        # Bands that fill up the last vector are 0 and stay 0.
        self._table = aligned_empty((9, -(-max(1, number) // _LANES) * _LANES))
        self._table[...] = 0
        self._table[1] = self._table[3] = self._table[5] = 1
        part = np.minimum(smoothing, 1.0 - smoothing)
        scale = 1.0 / bias if self._kind == kernels.POWER else bias
        scales = (part, eps, gain, scale, power)
        columns: tuple[NDArray[Any], ...] = (*scales, 10.0**biased, 10.0**most, 10.0**most_v, part < smoothing)
        for row, values in zip(self._table, columns, strict=True):
            row[:number] = values

    def begin(self, channels: int) -> NDArray[np.float32]:
        """The smoothers before the first frame."""
        return np.full((channels, self._table.shape[1]), self._initial, np.float32)

    def run(
        self, x: NDArray[Any], origin: int, frames: int, threads: int, first: int = 0, memory: Any = None
    ) -> NDArray[np.float32]:
        """Shape: (channels, features, time) -> (channels, features, frames)"""
        if (origin, frames) != (0, x.shape[-1]):
            x = x[..., origin : origin + frames]
        x = np.ascontiguousarray(x)
        out = np.empty_like(x)
        if frames:
            state = self.begin(x.shape[0]) if memory is None else memory
            start = int(self._first and first == 0)
            kernels.pcen(x, state, start, self._table, self._kind, out, threads=threads)
        return out


def smoothing_of(time_constant: float, frame_rate: float) -> float:
    """The smoothing coefficient of a time constant in seconds, as librosa computes it.

    It gives the low-pass filter about half of its height at the frequency 1 / `time_constant`.

    Raises
    ------
    ParameterError
        If either is no number above 0.

    Examples
    --------
    >>> round(smoothing_of(0.4, 100.0), 5)
    0.02469
    """
    frames = positive("time_constant", time_constant) * positive("frame_rate", frame_rate)
    # (sqrt(1 + 4 * frames**2) - 1) / (2 * frames**2), without its cancellation
    return 2.0 / (math.sqrt(1.0 + 4.0 * frames * frames) + 1.0)


def _numbers(name: str, given: ArrayLike, count: int, least: float, most: float) -> NDArray[np.float64]:
    values = np.asarray(given)
    floating(name, values)
    if values.dtype.kind == "b" or values.shape not in ((), (count,)):
        raise ParameterError(f"{name} is {given!r}; it must be a number, or {count} of them")
    wrong = values[~((values >= least) & (values <= most))]
    if wrong.size:
        raise ParameterError(f"{name} is {wrong.flat[0]!s}; it must be from {least:g} to {most:g}")
    return np.broadcast_to(values.astype(np.float64), (count,))
