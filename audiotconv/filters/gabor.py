"""Gabor filters: complex sine waves under a Gaussian."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ParameterError
from .bank import FilterBank, check_band_limits, check_size
from .scales import mel_space

__all__ = ["gabor_bank"]


def gabor_bank(
    bands: int = 40,
    *,
    sample_rate: int,
    fmin: float = 60.0,
    fmax: float = 7800.0,
    cut: float = 1e-3,
    centres: ArrayLike | None = None,
    bandwidths: ArrayLike | None = None,
) -> FilterBank:
    """A bank of complex Gabor FIR filters with the centres and widths of mel triangles, or with given ones.

    bands + 2 frequencies are evenly spaced in mel from fmin to fmax; band b is centred at the one in the middle of
    three neighbours, and its amplitude response, a Gaussian, has the triangle's full width at half maximum,
    (upper - lower) / 2. The filters are symmetric about their middle tap, so they delay nothing, and end where the
    envelope has fallen to `cut`. The gain at the centre frequency is sqrt(2): see `gammatone_bank`.

    Parameters
    ----------
    bands : int
    sample_rate, fmin, fmax : Hz
    cut : float
        Between 0 and 1.
    centres, bandwidths : (bands,) Hz, optional
        Both or neither; where they are given, as LEAF has them after training, bands, fmin and fmax do not count.

    Returns
    -------
    FilterBank
        `bandwidths` are the full widths at half maximum. Shape of taps: (bands, span), zero-padded at both ends.

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    Notes
    -----
    Source: Zeghidour, Teboul, de Chaumont Quitry and Tagliasacchi, "LEAF: a learnable frontend for audio
    classification", ICLR 2021, for the initial filters (which end at 401 taps at 16 kHz).

    Examples
    --------
    >>> bank = gabor_bank(40, sample_rate=16000)
    >>> bank.taps.shape[0], bank.advance == bank.span // 2
    (40, True)
    """
    if centres is None and bandwidths is None:
        check_band_limits(fmin, fmax, sample_rate)
    if not 0.0 < cut < 1.0:
        raise ParameterError(f"cut is {cut}; it must lie between 0 and 1")
    if centres is None and bandwidths is None:
        edges = mel_space(fmin, fmax, bands, more=2)
        centres, bandwidths = edges[1:-1], (edges[2:] - edges[:-2]) / 2
    else:
        centres, bandwidths = _given(centres, bandwidths, sample_rate)
    narrowest = float(bandwidths.min())
    widest = math.sqrt(-4 * math.log(2) * math.log(cut)) / (math.pi * max(narrowest, 1e-200)) * sample_rate
    check_size(len(centres), 2 * widest + 1, narrowest)
    sigma = math.sqrt(2 * math.log(2)) / (np.pi * bandwidths)
    reach = np.ceil(sigma * math.sqrt(-2 * math.log(cut)) * sample_rate).astype(int)
    sample = np.arange(-reach.max(), reach.max() + 1)
    time = sample / sample_rate
    envelope = np.exp(-0.5 * (time / sigma[:, None]) ** 2)
    taps = np.where(np.abs(sample) <= reach[:, None], envelope * np.exp(2j * np.pi * centres[:, None] * time), 0.0)
    return FilterBank(taps, centres, bandwidths, sample_rate, int(reach.max())).scaled(math.sqrt(2.0))


def _given(
    centres: ArrayLike | None, bandwidths: ArrayLike | None, sample_rate: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both as float64, checked."""
    if centres is None or bandwidths is None:
        raise ParameterError("centres and bandwidths must be given together")
    if not 1 <= sample_rate < np.inf:
        raise ParameterError(f"the sample rate is {sample_rate} Hz; it must be at least 1")
    middle, width = np.asarray(centres, np.float64), np.asarray(bandwidths, np.float64)
    if middle.ndim != 1 or not middle.size or middle.shape != width.shape:
        raise ParameterError(
            f"centres have the shape {middle.shape} and bandwidths {width.shape}; both must be (bands,)"
        )
    for name, values in (("centres", middle), ("bandwidths", width)):
        if not ((values > 0) & (values <= sample_rate / 2)).all():
            raise ParameterError(f"{name} must all be above 0 and at most {sample_rate / 2:g} Hz, half the sample rate")
    return middle, width
