"""Gammatone filters: the impulse responses of the inner ear."""

from __future__ import annotations

import math

import numpy as np

from ..errors import ParameterError
from ..geometry import integer
from .bank import FilterBank, check_band_limits, check_size
from .scales import erb_bandwidth, erb_space, mel_space

__all__ = ["gammatone_bank"]

_MOST_ORDER = 20  # powers of times as short as one sample stay far above the smallest number


def gammatone_bank(
    bands: int = 64,
    *,
    sample_rate: int,
    fmin: float = 50.0,
    fmax: float = 8000.0,
    spacing: str = "erb",
    order: int = 4,
    cut: float = 1e-3,
) -> FilterBank:
    """A bank of complex gammatone FIR filters.

    Band b has the impulse response ``t**(order - 1) * exp(-2 pi 1.019 ERB(f) t) * exp(2 pi i f t)``, f its centre
    frequency, sampled from t = 0 on and ended where its envelope has fallen to `cut` of its maximum. It is causal.
    The gain at the centre frequency is sqrt(2), so that the mean squared modulus of the output for a sine wave at
    that frequency is the sine's power.

    Parameters
    ----------
    bands : int
    sample_rate : int
        In Hz.
    fmin, fmax : float
        In Hz. With "erb" spacing the highest centre frequency lies one step below fmax.
    spacing : "erb" or "mel"
    order : int
        4 fits human hearing; at most 20.
    cut : float
        Between 0 and 1.

    Returns
    -------
    FilterBank
        `bandwidths` are 1.019 ERB, the parameter b of the envelope. Shape of taps: (bands, span), zero-padded.

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    Notes
    -----
    Source: Patterson, Robinson, Holdsworth, McKeown, Zhang and Allerhand, "Complex sounds and auditory images", 1992;
    bandwidths of Glasberg and Moore (1990), spacing of Slaney (1993).

    Examples
    --------
    >>> bank = gammatone_bank(8, sample_rate=16000)
    >>> bank.taps.shape, round(float(bank.centres[0]), 6)
    ((8, 1220), 50.0)
    """
    check_band_limits(fmin, fmax, sample_rate)
    if spacing not in ("erb", "mel"):
        raise ParameterError(f'spacing is {spacing!r}; it must be "erb" or "mel"')
    if not 1 <= integer("order", order) <= _MOST_ORDER:
        raise ParameterError(f"order is {order}; it must be an integer from 1 to {_MOST_ORDER}")
    if not 0.0 < cut < 1.0:
        raise ParameterError(f"cut is {cut}; it must lie between 0 and 1")
    centres = erb_space(fmin, fmax, bands) if spacing == "erb" else mel_space(fmin, fmax, bands)
    bandwidths = 1.019 * erb_bandwidth(centres)
    lengths = np.ceil(_decay(order, cut) / (2 * np.pi * bandwidths) * sample_rate).astype(int) + 1
    check_size(len(centres), int(lengths.max()), float(bandwidths.min()))
    sample = np.arange(lengths.max())
    time = sample / sample_rate
    envelope = time ** (order - 1) * np.exp(-2 * np.pi * bandwidths[:, None] * time)
    taps = np.where(sample < lengths[:, None], envelope * np.exp(2j * np.pi * centres[:, None] * time), 0.0)
    return FilterBank(taps, centres, bandwidths, sample_rate).scaled(math.sqrt(2.0))


def _decay(order: int, cut: float) -> float:
    """The u beyond its maximum where u**(order - 1) * exp(-u) has fallen to `cut` of the maximum."""
    power = order - 1
    peak = power * math.log(power) - power if power else 0.0
    u = max(1.0, 2.0 * power)
    for _ in range(100):  # u = power * log(u) - peak - log(cut) contracts beyond the maximum
        u = power * math.log(u) - peak - math.log(cut)
    return u
