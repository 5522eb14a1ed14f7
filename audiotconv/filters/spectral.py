"""A bank of weights over the bins of a spectrum: what sums a power spectrum into bands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from ..geometry import integer

__all__ = ["SpectralBank", "bin_frequencies", "check_spectrum"]

_MOST_WEIGHTS = 10_000_000


@dataclass(frozen=True, eq=False)
class SpectralBank:
    """Weights of bands that look at the same spectrum.

    Band b of a frame is ``sum(weights[b, k] * spectrum[k] for k in range(n_fft // 2 + 1))``.

    Parameters
    ----------
    weights : (bands, n_fft // 2 + 1) float64
    centres : (bands,) float64
        In Hz, as the design defines them.
    sample_rate : int
        In Hz.
    n_fft : int
        The length of the Fourier transform in samples, at least 2.

    Raises
    ------
    ParameterError
        If shapes disagree, or a weight is not finite.

    Examples
    --------
    >>> bank = SpectralBank(np.eye(2, 3), [0.0, 2000.0], sample_rate=8000, n_fft=4)
    >>> bank.frequencies.tolist(), bank.empty.tolist()
    ([0.0, 2000.0, 4000.0], [])
    """

    weights: NDArray[np.float64]
    centres: NDArray[np.float64]
    sample_rate: int
    n_fft: int

    def __post_init__(self) -> None:
        for name in ("weights", "centres"):
            object.__setattr__(self, name, np.ascontiguousarray(getattr(self, name), np.float64))
        bins = check_spectrum(self.sample_rate, self.n_fft) // 2 + 1
        shape = self.weights.shape
        if len(shape) != 2 or shape[0] == 0 or shape[1] != bins:
            raise ParameterError(
                f"weights have the shape {shape}; n_fft = {self.n_fft} needs (bands, {bins}), and at least one band"
            )
        if not np.isfinite(self.weights).all():
            band = int(np.argwhere(~np.isfinite(self.weights))[0, 0])
            raise ParameterError(f"the weights of band {band} are not all finite")
        if self.centres.shape != shape[:1]:
            raise ParameterError(f"centres have the shape {self.centres.shape}; it must be one per band")

    @property
    def frequencies(self) -> NDArray[np.float64]:
        """The frequencies of the bins in Hz.

        Shape: (n_fft // 2 + 1,)
        """
        return bin_frequencies(self.sample_rate, self.n_fft)

    @property
    def empty(self) -> NDArray[np.intp]:
        """The numbers of the bands whose weights are all zero, which are the same for every sound.

        Shape: (empty bands,)
        """
        return np.flatnonzero(~self.weights.any(axis=1))


def bin_frequencies(sample_rate: int, n_fft: int) -> NDArray[np.float64]:
    """The frequencies in Hz of the bins of a Fourier transform of n_fft real samples.

    Shape: (n_fft // 2 + 1,)
    """
    return np.arange(n_fft // 2 + 1, dtype=np.float64) * (sample_rate / n_fft)


def check_spectrum(sample_rate: int, n_fft: int, bands: int = 1) -> int:
    """Give n_fft as an int; raise ParameterError if it is none, or there cannot be so many bands over its bins."""
    if not 1 <= sample_rate < np.inf:
        raise ParameterError(f"the sample rate is {sample_rate} Hz; it must be at least 1")
    n_fft, bands = integer("n_fft", n_fft), integer("the number of bands", bands)
    if n_fft < 2:
        raise ParameterError(f"n_fft is {n_fft}; it must be at least 2 samples")
    if bands < 1:
        raise ParameterError(f"the number of bands is {bands}; it must be at least 1")
    weights = bands * (n_fft // 2 + 1)
    if weights > _MOST_WEIGHTS:
        raise ParameterError(
            f"the number of bands is {bands} and n_fft {n_fft}, which makes {weights:,} weights; at most "
            f"{_MOST_WEIGHTS:,} are possible, so take fewer bands or a shorter transform"
        )
    return n_fft
