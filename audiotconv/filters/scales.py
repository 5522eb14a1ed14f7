"""Frequency scales of hearing: mel and ERB."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ParameterError
from ..geometry import integer

__all__ = ["check_scale", "erb_bandwidth", "erb_space", "hz_to_mel", "mel_space", "mel_to_hz"]

# Glasberg and Moore (1990), in the form of Slaney (1993): bandwidth = frequency / EAR_Q + MIN_BANDWIDTH.
_EAR_Q, _MIN_BANDWIDTH = 9.26449, 24.7

# Slaney's mel scale: linear to 1 kHz, then 27 steps for a factor of 6.4.
_BREAK, _BREAK_MEL = 1000.0, 15.0
_LINEAR_STEP, _LOG_STEP = 200.0 / 3.0, np.log(6.4) / 27.0

_MOST_BANDS = 1_000_000


def erb_bandwidth(frequency: ArrayLike) -> NDArray[np.float64]:
    """Equivalent rectangular bandwidth in Hz of the auditory filter centred at `frequency` (Hz).

    Source: Glasberg and Moore, "Derivation of auditory filter shapes from notched-noise data", 1990.

    >>> float(erb_bandwidth(1000.0).round(2))
    132.64
    """
    return np.asarray(frequency, np.float64) / _EAR_Q + _MIN_BANDWIDTH


def erb_space(fmin: float, fmax: float, count: int) -> NDArray[np.float64]:
    """`count` frequencies (Hz), evenly spaced on the ERB scale, rising from fmin to one step below fmax.

    Source: Slaney, "An efficient implementation of the Patterson-Holdsworth auditory filter bank", Apple Computer
    technical report 35, 1993 (its ERBSpace, which falls).

    Shape: (count,)

    >>> erb_space(100.0, 8000.0, 3).round(1).tolist()
    [100.0, 733.0, 2584.5]
    """
    _check(fmin, fmax, count)
    offset = _EAR_Q * _MIN_BANDWIDTH
    step = np.arange(count) / count
    return np.asarray((fmin + offset) * ((fmax + offset) / (fmin + offset)) ** step - offset)


def hz_to_mel(frequency: ArrayLike, scale: str = "htk") -> NDArray[np.float64]:
    """Frequency (Hz) in mel.

    Parameters
    ----------
    frequency : array_like
        In Hz, 0 or more.
    scale : "htk", "slaney" or "kaldi"
        HTK's is ``2595 log10(1 + f / 700)``, which gives 1000 Hz 1000 mel. Kaldi's is ``1127 ln(1 + f / 700)``, the
        same but for the fifth digit. Slaney's is linear to 1000 Hz, at 3 mel per 200 Hz, and logarithmic above, at
        27 mel per factor of 6.4; it is librosa's default.

    Shape: as `frequency`

    Raises
    ------
    ParameterError
        If the scale is unknown.

    Notes
    -----
    Source: Young et al., "The HTK book"; Slaney, "Auditory toolbox", 1998; Povey et al., "The Kaldi speech recognition
    toolkit", 2011.

    Examples
    --------
    >>> [float(hz_to_mel(2000.0, scale).round(2)) for scale in ("htk", "slaney", "kaldi")]
    [1521.36, 25.08, 1521.37]
    """
    check_scale(scale)
    hertz = np.asarray(frequency, np.float64)
    if scale == "htk":
        return np.asarray(2595.0 * np.log10(1.0 + hertz / 700.0))
    if scale == "kaldi":
        return np.asarray(1127.0 * np.log(1.0 + hertz / 700.0))
    above = _BREAK_MEL + np.log(np.maximum(hertz, _BREAK) / _BREAK) / _LOG_STEP
    return np.where(hertz < _BREAK, hertz / _LINEAR_STEP, above)


def mel_to_hz(mel: ArrayLike, scale: str = "htk") -> NDArray[np.float64]:
    """The inverse of `hz_to_mel`: Hz.

    Parameters
    ----------
    mel : array_like
    scale : "htk", "slaney" or "kaldi"

    Shape: as `mel`

    Raises
    ------
    ParameterError
        If the scale is unknown.

    Notes
    -----
    Source: as for `hz_to_mel`.

    Examples
    --------
    >>> mel_to_hz([15.0, 42.0], "slaney").round(6).tolist()
    [1000.0, 6400.0]
    """
    check_scale(scale)
    mel = np.asarray(mel, np.float64)
    if scale == "htk":
        return np.asarray(700.0 * (10.0 ** (mel / 2595.0) - 1.0))
    if scale == "kaldi":
        return np.asarray(700.0 * (np.exp(mel / 1127.0) - 1.0))
    above = _BREAK * np.exp(_LOG_STEP * (np.maximum(mel, _BREAK_MEL) - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, mel * _LINEAR_STEP, above)


def mel_space(fmin: float, fmax: float, count: int, *, more: int = 0, scale: str = "htk") -> NDArray[np.float64]:
    """`count` + `more` frequencies (Hz), evenly spaced in mel, from fmin to fmax.

    `more` is for edges, which `count` bands have one or two more of; `scale` is that of `hz_to_mel`.

    Shape: (count + more,)
    """
    _check(fmin, fmax, count)
    return mel_to_hz(np.linspace(hz_to_mel(fmin, scale), hz_to_mel(fmax, scale), count + more), scale)


def check_scale(scale: str) -> None:
    """Raise ParameterError unless `scale` is a mel scale's name."""
    if scale not in ("htk", "slaney", "kaldi"):
        raise ParameterError(f'scale is {scale!r}; it must be "htk", "slaney" or "kaldi"')


def _check(fmin: float, fmax: float, count: int) -> None:
    if not 1 <= integer("the number of bands", count) <= _MOST_BANDS:
        raise ParameterError(f"the number of bands is {count}; it must be from 1 to {_MOST_BANDS:,}")
    if not 0.0 <= fmin < fmax < np.inf:
        raise ParameterError(f"fmin is {fmin} Hz and fmax {fmax} Hz; they must satisfy 0 <= fmin < fmax")
