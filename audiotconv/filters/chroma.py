"""Chroma filter banks: what sums a spectrum into pitch classes, whatever the octave."""

from __future__ import annotations

import math

import numpy as np

from ..errors import ParameterError
from ..geometry import integer
from .spectral import SpectralBank, bin_frequencies, check_spectrum

__all__ = ["chroma_bank"]

_A0, _A3 = 27.5, 220.0  # Hz


def chroma_bank(
    n_chroma: int = 12,
    *,
    sample_rate: int,
    n_fft: int,
    tuning: float = 0.0,
    ctroct: float = 5.0,
    octwidth: float | None = 2.0,
    norm: float | None = 2.0,
    base_c: bool = True,
) -> SpectralBank:
    """A bank whose bands are pitch classes: the notes of an equally tempered octave.

    Each bin of the spectrum is spread over the classes by a Gaussian around its pitch, whose standard deviation is half
    a class, or half the distance to the next bin where that is more. Then the bin's weights are normalized, and bins
    are weighted by a wide Gaussian over octaves.

    Parameters
    ----------
    n_chroma : int
        Pitch classes in an octave: 12 for semitones.
    sample_rate : int
        In Hz.
    n_fft : int
        The length of the Fourier transform in samples.
    tuning : float
        How far the tuning lies above A = 440 Hz, in classes, at most an octave.
    ctroct, octwidth : float
        Centre and standard deviation of the Gaussian over octaves, in octaves; its centre counts from 27.5 Hz (A0).
        No `octwidth`, None, weights all octaves alike.
    norm : float, optional
        By which norm of its weights each bin is normalized: 2 for Euclid's, ``float("inf")`` for the largest weight,
        any number above 0; None does not normalize.
    base_c : bool
        Whether band 0 is C, if n_chroma is a multiple of 12, or A.

    Returns
    -------
    SpectralBank
        `centres` are the classes' pitches in one octave, from C4 or A3 on. Shape of weights:
        (n_chroma, n_fft // 2 + 1).

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    Notes
    -----
    Source: Ellis, "Chroma feature analysis and synthesis", 2007, as librosa.filters.chroma has it: the bin at 0 Hz is
    taken to lie one and a half octaves below the first, and C is 3 * (n_chroma // 12) classes above A.

    Examples
    --------
    >>> bank = chroma_bank(sample_rate=22050, n_fft=4096)
    >>> bank.weights.shape, bank.centres[[0, 9]].round(1).tolist()
    ((12, 2049), [261.6, 440.0])
    """
    if integer("n_chroma", n_chroma) < 1:
        raise ParameterError(f"n_chroma is {n_chroma}; it must be at least 1")
    n_fft = check_spectrum(sample_rate, n_fft, n_chroma)
    if not -n_chroma <= tuning <= n_chroma:
        raise ParameterError(f"tuning is {tuning}; it must lie within an octave, from {-n_chroma} to {n_chroma}")
    if not math.isfinite(ctroct):
        raise ParameterError(f"ctroct is {ctroct}; it must be a finite number of octaves")
    if octwidth is not None and not 0.0 < octwidth < math.inf:
        raise ParameterError(f"octwidth is {octwidth}; it must be a number of octaves above 0, or None")
    if norm is not None and not norm > 0.0:
        raise ParameterError(f"norm is {norm}; it must be above 0, or None")
    bins = n_fft // 2 + 1
    tuned = 2.0 ** (tuning / n_chroma)
    # One bin more than the bank has, if the transform has one, for the distance to the next.
    frequencies = np.append(bin_frequencies(sample_rate, n_fft), sample_rate / n_fft * bins)[1 : min(n_fft, bins + 1)]
    pitch = n_chroma * np.log2(frequencies / (_A0 * tuned))  # in classes above A0
    pitch = np.concatenate([pitch[:1] - 1.5 * n_chroma, pitch])
    width = np.append(np.maximum(np.diff(pitch), 1.0), 1.0)[:bins]
    pitch = pitch[:bins]
    shift = 3 * (n_chroma // 12) if base_c else 0
    kind = np.arange(n_chroma) + shift
    half = round(n_chroma / 2)
    away = np.mod(pitch - kind[:, None] + half, n_chroma) - half
    weights = np.exp(-0.5 * (2 * away / width) ** 2)
    if norm is not None:
        weights /= np.linalg.norm(weights, norm, axis=0)
    if octwidth is not None:
        with np.errstate(over="ignore"):  # a weight whose exponent is beyond all numbers is 0
            weights *= np.exp(-0.5 * ((pitch / n_chroma - ctroct) / octwidth) ** 2)
    return SpectralBank(weights, _A3 * tuned * 2.0 ** (kind / n_chroma), sample_rate, n_fft)
