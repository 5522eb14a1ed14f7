"""Frequency scales of hearing: mel and ERB."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ParameterError
from ..geometry import integer

__all__ = ["erb_bandwidth", "erb_space", "hz_to_mel", "mel_space", "mel_to_hz"]

# Glasberg and Moore (1990), in the form of Slaney (1993): bandwidth = frequency / EAR_Q + MIN_BANDWIDTH.
_EAR_Q, _MIN_BANDWIDTH = 9.26449, 24.7

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


def hz_to_mel(frequency: ArrayLike) -> NDArray[np.float64]:
    """Frequency in mel (HTK's formula, 2595 * log10(1 + f / 700)).

    >>> float(hz_to_mel(1000.0).round(2))
    999.99
    """
    return 2595.0 * np.log10(1.0 + np.asarray(frequency, np.float64) / 700.0)


def mel_to_hz(mel: ArrayLike) -> NDArray[np.float64]:
    """The inverse of `hz_to_mel`."""
    return 700.0 * (10.0 ** (np.asarray(mel, np.float64) / 2595.0) - 1.0)


def mel_space(fmin: float, fmax: float, count: int, *, more: int = 0) -> NDArray[np.float64]:
    """`count` + `more` frequencies (Hz), evenly spaced in mel, from fmin to fmax.

    `more` is for edges, which `count` bands have one or two more of.

    Shape: (count + more,)
    """
    _check(fmin, fmax, count)
    return mel_to_hz(np.linspace(hz_to_mel(fmin), hz_to_mel(fmax), count + more))


def _check(fmin: float, fmax: float, count: int) -> None:
    if not 1 <= integer("the number of bands", count) <= _MOST_BANDS:
        raise ParameterError(f"the number of bands is {count}; it must be from 1 to {_MOST_BANDS:,}")
    if not 0.0 <= fmin < fmax < np.inf:
        raise ParameterError(f"fmin is {fmin} Hz and fmax {fmax} Hz; they must satisfy 0 <= fmin < fmax")
