"""Measures of a spectrum's shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ParameterError
from ..geometry import Geometry
from ..kernels import shape as kernels
from .checks import floating, integer_at_least, positive
from .frame_stage import FrameStage

__all__ = ["MEASURES", "SpectralShape", "places_of"]

MEASURES = {
    "centroid": kernels.CENTROID,
    "bandwidth": kernels.BANDWIDTH,
    "rolloff": kernels.ROLLOFF,
    "flatness": kernels.FLATNESS,
    "flux": kernels.FLUX,
    "contrast": kernels.CONTRAST,
}
_SPECTRA = ("magnitude", "power")


class SpectralShape(FrameStage):
    """Measures of the shape of every frame's spectrum.

    Parameters
    ----------
    features : tuple of str
        The bins' names.
    frequencies : (bins,) array
        Of the bins in Hz, rising.
    measures : sequence of str
        Of the features, in their order:

        - "centroid": the mean of the frequencies, weighted with the bins, in Hz; 0 for silence
        - "bandwidth": the root of the mean of the squared distances from the centroid, weighted so, in Hz
        - "rolloff": the first frequency up to which the bins' sum is at least `roll_percent` of all, in Hz
        - "flatness": the geometric mean of the powers divided by their mean; powers are at least `floor`
        - "flux": the mean of what the bins have risen by since the frame before; 0 for the first frame
        - "contrast": for octave bands (0 to `fmin`, `fmin` to 2 * `fmin`, ..., the last one up to the highest bin) the
          mean of the largest `quantile` of the bins less that of the smallest, in dB (10 times log10, as librosa has it
          for magnitudes too), each at least `floor`; ``n_bands + 1`` features
    spectrum : "magnitude" or "power"
        What the bins are. The flatness squares magnitudes; all else takes the bins as they are.
    roll_percent : float
        Above 0, below 1.
    fmin : float
        The upper end of the contrast's lowest band, in Hz.
    n_bands : int
        The contrast's octave bands above that one.
    quantile : float
        Above 0, below 1; of each band at least one bin is taken.
    floor : float
        From 1e-30 on.

    Raises
    ------
    ParameterError
        If a parameter is out of its range, or a band of the contrast has no bins.

    Notes
    -----
    Shape: (channels, bins, frames) -> (channels, measures, frames). Streams. But for the flux, bins count as 0 where
    they are negative, and as 1e18 where they are larger.

    Source: librosa's spectral_centroid, spectral_bandwidth (p=2), spectral_rolloff, spectral_flatness and
    spectral_contrast, but for the latter's limit to 80 dB below the signal's loudest band, which cannot stream; the
    flux of a spectrum in dB is librosa.onset.onset_strength (lag=1, center=False).

    Examples
    --------
    >>> stage = SpectralShape(("a", "b", "c"), (0.0, 100.0, 200.0), measures=("centroid", "rolloff"))
    >>> stage.run(np.array([[[1.0], [0.0], [3.0]]], np.float32), 0, 1, 1).tolist()
    [[[150.0], [200.0]]]
    """

    def __init__(
        self,
        features: tuple[str, ...],
        frequencies: ArrayLike,
        *,
        measures: Sequence[str] = tuple(MEASURES),
        spectrum: str = "magnitude",
        roll_percent: float = 0.85,
        fmin: float = 200.0,
        n_bands: int = 6,
        quantile: float = 0.02,
        floor: float = 1e-10,
    ) -> None:
        hertz = np.asarray(frequencies)
        floating("frequencies", hertz)
        if not features or hertz.shape != (len(features),):
            raise ParameterError(f"frequencies has the shape {hertz.shape}; it must be ({len(features)},), one per bin")
        if not (np.isfinite(hertz).all() and hertz[0] >= 0 and hertz[-1] <= 1e9 and (np.diff(hertz) > 0).all()):
            raise ParameterError("frequencies must be finite, of at least 0 and rising")
        if spectrum not in _SPECTRA:
            raise ParameterError(f"spectrum is {spectrum!r}; it must be one of {', '.join(_SPECTRA)}")
        for name, part in (("roll_percent", roll_percent), ("quantile", quantile)):
            if not positive(name, part) < 1:
                raise ParameterError(f"{name} is {part}; it must be below 1")
        if not 1e-30 <= positive("floor", floor) <= 1e30:
            raise ParameterError(f"floor is {floor}; it must be from 1e-30 to 1e30")
        n_bands = integer_at_least("n_bands", n_bands, 1)
        sizes = dict.fromkeys(MEASURES, 1) | {"contrast": n_bands + 1}
        self.features, self._places = places_of(measures, sizes, MEASURES)
        self._bands = np.zeros((0, 3), np.int64)
        if "contrast" in measures:
            self._bands = _contrast_bands(hertz, positive("fmin", fmin), n_bands, quantile)
        self._frequencies = hertz.astype(np.float32)
        self._squared, self._share, self._floor = int(spectrum == "magnitude"), np.float32(roll_percent), floor
        flux = "flux" in measures
        self.geometry = Geometry(2, lead=1, centre=2) if flux else Geometry()

    def run(
        self, x: NDArray[Any], origin: int, frames: int, threads: int, first: int = 0, memory: Any = None
    ) -> NDArray[np.float32]:
        """Shape: (channels, bins, time) -> (channels, measures, frames)"""
        out = np.empty((x.shape[0], len(self.features), frames), np.float32)
        if frames:
            kernels.shape(
                np.ascontiguousarray(x), origin + self.geometry.lead, self._frequencies, self._places, self._squared,
                self._share, np.float32(self._floor), self._bands, out, threads=threads,
            )  # fmt: skip
        return out


def places_of(
    measures: Sequence[str], sizes: Mapping[str, int], numbers: Mapping[str, int]
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The features' names, and the first row of each measure by its number, -1 where it is not wanted."""
    names: list[str] = []
    places = np.full(len(numbers), -1, np.int64)
    for measure in (measures,) if isinstance(measures, str) else tuple(measures):
        if measure not in numbers:
            raise ParameterError(f"there is no measure {measure!r}; it must be one of {', '.join(numbers)}")
        if places[numbers[measure]] >= 0:
            raise ParameterError(f"the measure {measure} is wanted twice; it must be once")
        places[numbers[measure]] = len(names)
        names += [measure] if sizes[measure] == 1 else [f"{measure} {k}" for k in range(sizes[measure])]
    if not names:
        raise ParameterError(f"measures is empty; it must have some of {', '.join(numbers)}")
    return tuple(names), places


def _contrast_bands(hertz: NDArray[Any], fmin: float, n_bands: int, quantile: float) -> NDArray[np.int64]:
    """For each band the first bin, the bin after the last, and how many are averaged, by librosa's rules."""
    bands = []
    for k in range(n_bands + 1):
        low, high = (0.0 if k == 0 else fmin * 2.0 ** (k - 1)), fmin * 2.0**k
        inside = np.flatnonzero((hertz >= low) & (hertz <= high))
        if not len(inside):
            raise ParameterError(
                f"the contrast's band from {low:g} to {high:g} Hz has no bins; choose another fmin ({fmin:g} Hz) or "
                f"n_bands ({n_bands})"
            )
        first = max(0, int(inside[0]) - 1) if k else int(inside[0])  # a bin below
        stop = len(hertz) if k == n_bands else int(inside[-1]) + 1
        count = max(1, round(quantile * (stop - first)))
        if k < n_bands:
            stop -= 1  # that belongs to the next band
        if stop <= first:
            raise ParameterError(f"the contrast's band from {low:g} to {high:g} Hz has one bin; it must have two")
        bands.append((first, stop, min(count, stop - first)))
    return np.array(bands, np.int64)
