"""Windowed-sinc band-pass filters."""

from __future__ import annotations

import math

import numpy as np

from ..errors import ParameterError
from ..geometry import integer
from .bank import FilterBank, check_band_limits, check_size
from .scales import mel_space

__all__ = ["sinc_bank"]

_TRANSITION = 3.3  # the width of a Hamming window's transition, in sample rates per tap


def sinc_bank(
    bands: int = 80, *, sample_rate: int, fmin: float = 30.0, fmax: float = 7800.0, span: int | None = None
) -> FilterBank:
    """A bank of real band-pass filters: the difference of two sinc functions under a Hamming window.

    bands + 1 edges are evenly spaced in mel from fmin to fmax; band b passes what lies between edges b and b + 1. The
    filters are symmetric about their middle tap. The gain at the centre frequency is 1, and about a half at the edges.

    Parameters
    ----------
    bands : int
    sample_rate, fmin, fmax : Hz
    span : int, optional
        The number of taps, odd. The transition is about 3.3 * sample_rate / span Hz wide, and bands narrower than it
        peak beside their centres. By default the span is the shortest whose transition is no wider than the
        narrowest band.

    Returns
    -------
    FilterBank
        Shape of taps: (bands, span), real.

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    Notes
    -----
    Source: Ravanelli and Bengio, "Speaker recognition from raw waveform with SincNet", SLT 2018, for the filters and
    their window. They take 251 taps at 16 kHz, whose transition of 210 Hz is wider than most bands of an initial bank;
    say ``span=251`` for theirs. The transition is that of a Hamming window.

    Examples
    --------
    >>> sinc_bank(80, sample_rate=16000).span, sinc_bank(80, sample_rate=16000, span=251).span
    (2323, 251)
    """
    check_band_limits(fmin, fmax, sample_rate)
    if span is not None and (integer("span", span) < 3 or span % 2 == 0):
        raise ParameterError(f"span is {span}; it must be an odd number of at least 3")
    edges = mel_space(fmin, fmax, bands, more=1)[:, None] / sample_rate
    width = (edges[1:] - edges[:-1])[:, 0] * sample_rate
    narrowest = float(width.min())
    needed = _TRANSITION * sample_rate / max(narrowest, 1e-200)
    check_size(len(width), needed if span is None else span, narrowest)
    span = max(3, math.ceil(needed) | 1) if span is None else int(span)
    sample = np.arange(span) - span // 2
    low_pass = 2 * edges * np.sinc(2 * edges * sample)
    taps = (low_pass[1:] - low_pass[:-1]) * np.hamming(span)
    centres = (edges[1:] + edges[:-1])[:, 0] / 2 * sample_rate
    return FilterBank(taps, centres, width, sample_rate, span // 2).scaled(1.0)
