"""Mel filter banks: triangles over the bins of a spectrum, as librosa, HTK and Kaldi draw them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from .scales import hz_to_mel, mel_to_hz
from .spectral import SpectralBank, bin_frequencies, check_spectrum

__all__ = ["mel_bank"]


def mel_bank(
    bands: int,
    *,
    sample_rate: int,
    n_fft: int,
    fmin: float = 0.0,
    fmax: float | None = None,
    scale: str = "slaney",
    triangles: str = "hertz",
    norm: str | None = None,
    vtln_warp: float = 1.0,
    vtln_low: float = 100.0,
    vtln_high: float = -500.0,
    htk_compat: bool = False,
    allow_empty: bool | None = None,
) -> SpectralBank:
    """Triangular filters whose edges are evenly spaced in mel.

    bands + 2 edges go from fmin to fmax; band b rises from edge b to edge b + 1, its centre, where its weight is 1,
    and falls to edge b + 2. The programs that this follows are

    - librosa.filters.mel: ``norm="slaney"`` (and ``scale="htk"`` for htk=True); Whisper's too
    - torchaudio's melscale_fbanks: ``scale="htk"``
    - Kaldi: ``fmin=20, scale="kaldi", triangles="mel"``
    - HTK: ``scale="htk", triangles="mel", htk_compat=True``

    Parameters
    ----------
    bands : int
    sample_rate : int
        In Hz.
    n_fft : int
        The length of the Fourier transform in samples.
    fmin : float
        In Hz, 0 or more.
    fmax : float, optional
        In Hz, at most half the sample rate, which is the default. As in Kaldi, 0 or a negative number counts from
        there: -400 at 16 kHz is 7600.
    scale : "slaney", "htk" or "kaldi"
        As in `hz_to_mel`.
    triangles : "hertz" or "mel"
        In what the sides are straight lines. With "mel" the bins are the first n_fft // 2, as in Kaldi: the last
        weight, which is that of half the sample rate if n_fft is even, is always 0.
    norm : None or "slaney"
        "slaney" divides a band's weights by half its width in Hz, so that white noise has about as much in each.
    vtln_warp : float
        Vocal tract length normalization: by what frequencies are divided between the two inflection points, from
        0.1 to 10; 1 is none. Unlike in Kaldi, it works with either kind of triangle.
    vtln_low, vtln_high : float
        The cutoffs of the warping in Hz, within fmin and fmax; a negative vtln_high counts from half the sample rate.
        Frequencies beyond them are warped such that fmin and fmax stay.
    htk_compat : bool
        Zero the first weight of band 0 if fmin is not 0, as HTK does. Kaldi does it in what it calls htk_mode, not by
        its option --htk-compat.
    allow_empty : bool, optional
        Whether a band may be so narrow that no bin falls into it. Its weights are all 0 then, and its energy is 0
        for every sound; `SpectralBank.empty` names such bands. By default as in the programs: librosa allows it for
        "hertz" (we do not warn), Kaldi refuses it for "mel". True is torchaudio's version of Kaldi.

    Returns
    -------
    SpectralBank
        `centres` are edges 1 to bands, warped. Shape of weights: (bands, n_fft // 2 + 1).

    Raises
    ------
    ParameterError
        If a parameter is out of its range, or a band is empty that must not be.

    Notes
    -----
    Source: Slaney, "Auditory toolbox", 1998, and librosa; Young et al., "The HTK book"; Povey et al., "The Kaldi
    speech recognition toolkit", 2011, and its mel-computations, also for the warping. Where the inflection points of
    a strong warping cross, Kaldi's order holds: what is below the lower one follows the first line.

    Examples
    --------
    >>> whisper = mel_bank(80, sample_rate=16000, n_fft=400, norm="slaney")
    >>> whisper.weights.shape, whisper.centres[:2].round(1).tolist()
    ((80, 201), [37.2, 74.5])
    >>> kaldi = mel_bank(23, sample_rate=16000, n_fft=512, fmin=20, scale="kaldi", triangles="mel")
    >>> kaldi.weights[22, -2:].round(3).tolist()
    [0.035, 0.0]
    """
    n_fft = check_spectrum(sample_rate, n_fft, bands)
    top = _check_limits(fmin, fmax, sample_rate)
    for name, value, right in (
        ("triangles", triangles, ("hertz", "mel")),
        ("norm", norm, (None, "slaney")),
    ):
        if value not in right:
            raise ParameterError(f"{name} is {value!r}; it must be {' or '.join(_quoted(each) for each in right)}")
    mel = np.linspace(hz_to_mel(fmin, scale), hz_to_mel(top, scale), bands + 2)
    edges = mel_to_hz(mel, scale)
    edges[0], edges[-1] = fmin, top  # a bin on the outermost edge belongs to no band
    if not ((np.diff(mel) > 0).all() and (np.diff(edges) > 0).all()):
        raise ParameterError(f"fmin is {fmin} Hz and fmax {top} Hz; for {bands} bands they must lie further apart")
    if vtln_warp != 1.0:
        edges = _warp(edges, vtln_warp, *_check_warp(vtln_warp, vtln_low, vtln_high, fmin, top, sample_rate))
        mel = hz_to_mel(edges, scale)
    frequencies = bin_frequencies(sample_rate, n_fft)
    if triangles == "hertz":
        weights = _triangles(edges, frequencies)
    else:
        weights = np.zeros((bands, len(frequencies)))
        weights[:, : n_fft // 2] = _triangles(mel, hz_to_mel(frequencies[: n_fft // 2], scale))
    if not (triangles == "hertz" if allow_empty is None else allow_empty):
        _check_not_empty(weights, edges, sample_rate / n_fft)
    if htk_compat and fmin != 0 and weights[0].any():
        weights[0, np.flatnonzero(weights[0])[0]] = 0.0
    if norm == "slaney":
        width = edges[2:] - edges[:-2]
        weights *= (2.0 / np.where(width > 0, width, np.inf))[:, None]  # a warped band that is inside out is empty
    return SpectralBank(weights, edges[1:-1], sample_rate, n_fft)


def _triangles(edges: NDArray[np.float64], place: NDArray[np.float64]) -> NDArray[np.float64]:
    """The heights at `place` of triangles over neighbouring edges, which must rise unless they are warped."""
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    inside = (left < place) & (place < right)
    rising = inside & (place <= centre)
    weights = np.zeros(inside.shape)
    np.divide(place - left, centre - left, out=weights, where=rising)
    np.divide(right - place, right - centre, out=weights, where=inside & ~rising)
    return weights


def _warp(edges: NDArray[np.float64], warp: float, low: float, high: float) -> NDArray[np.float64]:
    """The edges (Hz) with those from `low` to `high` divided by `warp`, or nearly: see `mel_bank`."""
    fmin, fmax = edges[0], edges[-1]
    lower, upper = low * max(1.0, warp), high * min(1.0, warp)  # the inflection points, before the warping
    first = fmin + (lower / warp - fmin) / (lower - fmin) * (edges - fmin)
    last = fmax + (fmax - upper / warp) / (fmax - upper) * (edges - fmax)
    return np.where(edges < lower, first, np.where(edges < upper, edges / warp, last))


def _check_limits(fmin: float, fmax: float | None, sample_rate: int) -> float:
    """Give fmax in Hz."""
    half = sample_rate / 2
    top = half if fmax is None else half + fmax if fmax <= 0 else fmax
    if not 0.0 <= fmin < top <= half:
        counted = f" ({top:g} Hz)" if fmax is not None and fmax <= 0 else ""
        raise ParameterError(
            f"fmin is {fmin} Hz and fmax {top if fmax is None else fmax} Hz{counted}; at a sample rate of "
            f"{sample_rate} Hz they must satisfy 0 <= fmin < fmax <= {half:g}"
        )
    return float(top)


def _check_warp(
    warp: float, low: float, high: float, fmin: float, fmax: float, sample_rate: int
) -> tuple[float, float]:
    """Give the cutoffs in Hz."""
    if not 0.1 <= warp <= 10.0:
        raise ParameterError(f"vtln_warp is {warp}; it must be from 0.1 to 10, and is 1 for no warping")
    top = sample_rate / 2 + high if high < 0 else high
    if not fmin < low < top < fmax:
        counted = f" ({top:g} Hz)" if high < 0 else ""
        raise ParameterError(
            f"vtln_low is {low} Hz and vtln_high {high} Hz{counted}; they must satisfy "
            f"fmin < vtln_low < vtln_high < fmax, where fmin is {fmin} Hz and fmax {fmax} Hz"
        )
    return low, top


def _check_not_empty(weights: NDArray[np.float64], edges: NDArray[np.float64], spacing: float) -> None:
    empty = np.flatnonzero(~weights.any(axis=1))
    if empty.size:
        band = int(empty[0])
        raise ParameterError(
            f"band {band}, from {edges[band]:.5g} to {edges[band + 2]:.5g} Hz, is empty, as no bin falls into it: they "
            f"are {spacing:.5g} Hz apart; take fewer bands than {len(weights)} or a longer n_fft, or say "
            "allow_empty=True"
        )


def _quoted(value: str | None) -> str:
    return "None" if value is None else f'"{value}"'
