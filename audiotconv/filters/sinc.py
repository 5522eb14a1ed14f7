"""Windowed-sinc band-pass filters."""

from __future__ import annotations

import numpy as np

from ..errors import ParameterError
from .bank import FilterBank, check_band_limits, check_size
from .scales import mel_space

__all__ = ["sinc_bank"]


def sinc_bank(
    bands: int = 80, *, sample_rate: int, fmin: float = 30.0, fmax: float = 7800.0, span: int = 251
) -> FilterBank:
    """A bank of real band-pass filters: the difference of two sinc functions under a Hamming window.

    bands + 1 edges are evenly spaced in mel from fmin to fmax; band b passes what lies between edges b and b + 1. The
    filters are symmetric about their middle tap. The gain at the centre frequency is 1.

    Parameters
    ----------
    bands : int
    sample_rate, fmin, fmax : Hz
    span : int
        The number of taps, odd. The transition is about 3.3 * sample_rate / span Hz wide.

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
    Source: Ravanelli and Bengio, "Speaker recognition from raw waveform with SincNet", SLT 2018.

    Examples
    --------
    >>> sinc_bank(80, sample_rate=16000).taps.shape
    (80, 251)
    """
    check_band_limits(fmin, fmax, sample_rate)
    if span < 3 or span % 2 == 0:
        raise ParameterError(f"span is {span}; it must be an odd number of at least 3")
    edges = mel_space(fmin, fmax, bands, more=1)[:, None] / sample_rate
    width = (edges[1:] - edges[:-1])[:, 0] * sample_rate
    check_size(len(width), span, float(width.min()))
    sample = np.arange(span) - span // 2
    low_pass = 2 * edges * np.sinc(2 * edges * sample)
    taps = (low_pass[1:] - low_pass[:-1]) * np.hamming(span)
    centres = (edges[1:] + edges[:-1])[:, 0] / 2 * sample_rate
    return FilterBank(taps, centres, width, sample_rate, span // 2).scaled(1.0)
