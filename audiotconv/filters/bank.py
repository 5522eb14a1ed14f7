"""A bank of FIR filters: impulse responses with their frequencies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ParameterError

__all__ = ["FilterBank", "check_band_limits", "check_size"]

_LARGEST_TAP = 1e9
_MOST_TAPS = 10_000_000  # 64 gammatone filters at 2 MHz; designing so many takes a second and a gigabyte


@dataclass(frozen=True, eq=False)
class FilterBank:
    """Impulse responses of filters that look at the same signal side by side.

    Output t of band b is ``sum(taps[b, k] * x[t + advance - k] for k in range(taps.shape[1]))``.

    Parameters
    ----------
    taps : (bands, span) float64 or complex128
        Impulse responses. Complex ones give an analytic signal, whose squared modulus is a smooth energy.
    centres, bandwidths : (bands,) float64
        In Hz, as the design defines them.
    sample_rate : int
        In Hz.
    advance : int
        By how many samples an output looks ahead: 0 for causal filters, half the span for symmetric ones.
    names : tuple of str, optional
        Of the bands; by default their centre frequencies.

    Raises
    ------
    ParameterError
        If shapes disagree, a tap is not finite, or `advance` is outside of the span.
    """

    taps: NDArray[np.float64] | NDArray[np.complex128]
    centres: NDArray[np.float64]
    bandwidths: NDArray[np.float64]
    sample_rate: int
    advance: int = 0
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        taps = np.asarray(self.taps)
        if taps.ndim != 2 or 0 in taps.shape:
            raise ParameterError(f"taps have the shape {taps.shape}; a bank needs (bands, span), each at least 1")
        fits = np.abs(taps) <= _LARGEST_TAP
        if not fits.all():
            band = int(np.argwhere(~fits)[0, 0])
            raise ParameterError(f"the taps of band {band} are not all finite and at most {_LARGEST_TAP:g} in size")
        for name in ("centres", "bandwidths"):
            if np.shape(getattr(self, name)) != taps.shape[:1]:
                raise ParameterError(f"{name} have the shape {np.shape(getattr(self, name))}; it must be one per band")
        if not self.names:
            object.__setattr__(self, "names", tuple(f"{centre:.1f} Hz" for centre in self.centres))
        if len(self.names) != taps.shape[0]:
            raise ParameterError(f"there are {len(self.names)} names; it must be one per band")
        if not 0 <= self.advance < taps.shape[1]:
            raise ParameterError(f"advance is {self.advance}; it must lie within the span of {taps.shape[1]} taps")

    @property
    def span(self) -> int:
        """The number of taps."""
        return int(self.taps.shape[1])

    def response(self, frequency: ArrayLike) -> NDArray[np.complex128]:
        """The complex gain of each band at the frequencies (Hz).

        Shape: (bands, frequencies)
        """
        phase = -2j * np.pi / self.sample_rate * np.outer(np.arange(self.span), np.atleast_1d(frequency))
        return np.asarray(self.taps @ np.exp(phase), np.complex128)

    def scaled(self, gain: float) -> FilterBank:
        """The bank with every band's gain at its centre frequency set to `gain`."""
        phase = -2j * np.pi / self.sample_rate * np.outer(self.centres, np.arange(self.span))
        now = np.abs(np.sum(self.taps * np.exp(phase), axis=1))
        return FilterBank(
            self.taps * (gain / now)[:, None], self.centres, self.bandwidths, self.sample_rate, self.advance, self.names
        )


def check_band_limits(fmin: float, fmax: float, sample_rate: int) -> None:
    """Raise ParameterError unless 0 < fmin < fmax <= sample_rate / 2."""
    if not 1 <= sample_rate < np.inf:
        raise ParameterError(f"the sample rate is {sample_rate} Hz; it must be at least 1")
    if not 0.0 < fmin < fmax <= sample_rate / 2:
        raise ParameterError(
            f"fmin is {fmin} Hz and fmax {fmax} Hz; at a sample rate of {sample_rate} Hz they must satisfy "
            f"0 < fmin < fmax <= {sample_rate / 2:g}"
        )


def check_size(bands: int, span: float, narrowest: float) -> None:
    """Raise ParameterError unless that many filters of `span` taps can be held; `narrowest` is a bandwidth in Hz."""
    if not bands * span <= _MOST_TAPS:
        raise ParameterError(
            f"{bands} filters, of which the narrowest is {narrowest:.3g} Hz wide, need {span:.3g} taps each; "
            f"at most {_MOST_TAPS:,} taps in all are possible, so take fewer or wider bands"
        )
