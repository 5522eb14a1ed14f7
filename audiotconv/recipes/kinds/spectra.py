"""Spectra of frames, and bands of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import RecipeError
from ...filters import chroma_bank, cosine_matrix, mel_bank, window
from ...stages import Bands, Samples, SpectralShape, Spectrum, Stage, Waveform
from ...stages.shape import MEASURES as SHAPES
from ...stages.spectrum import ENERGIES, FRAMINGS, PADS, VALUES
from ...stages.waveform import MEASURES as WAVEFORMS
from ..quantities import Choice, Count, Flag, Length, Number, Quantity, Words, samples
from .frames import energies
from .kind import StageKind

__all__ = ["SPECTRA"]

_WINDOWS = ("hann", "hamming", "povey", "blackman", "rectangular", "gaussian")
_LONGEST = 1 << 20  # samples of a frame


def _spectrum(values: dict[str, Any], sample_rate: int, before: Sequence[Stage]) -> Stage:
    length, hop = (samples(name, values[name], sample_rate) for name in ("length", "hop"))
    if length > _LONGEST:
        raise RecipeError(f"a length of {length:,} samples is more than {_LONGEST:,}")
    n_fft = values.get("n_fft", 0)
    if values["round_up"]:
        n_fft = 1 << (length - 1).bit_length()
    options = {"blackman_coeff": values["blackman_coeff"]}
    if values["window"] == "gaussian":
        options = {"std": values["std"] * length}
    taps = window(values["window"], length, periodic=values["periodic"], **options)
    names = (
        "framing", "pad", "drop_last", "values", "scale", "remove_mean", "preemphasis", "energy", "energy_floor",
        "zero_frequency", "dither", "seed",
    )  # fmt: skip
    given = {name: values[name] for name in names}
    return Spectrum(taps, hop, sample_rate=sample_rate, n_fft=n_fft or length, **given)


def _check_spectrum(values: dict[str, Any]) -> None:
    if values["round_up"] and "n_fft" in values:
        raise RecipeError(f"n_fft is {values['n_fft']} and round_up is true; only one of them can say the size")


def _mel(values: dict[str, Any], sample_rate: int, before: Sequence[Stage]) -> Stage:
    previous = _powers(before, "mel bands")
    options = {name: values[name] for name in ("fmin", "scale", "triangles", "htk_compat", "vtln_warp")}
    options |= {name: values[name] for name in ("fmax", "vtln_low", "vtln_high", "allow_empty") if name in values}
    if "fmax" in options:
        options["fmax"] = min(options["fmax"], sample_rate / 2)
    norm = None if values["norm"] == "none" else values["norm"]
    bank = mel_bank(values["bands"], sample_rate=sample_rate, n_fft=previous.n_fft, norm=norm, **options)
    names = tuple(f"{centre:.1f} Hz" for centre in bank.centres)
    return Bands(bank.weights, names, previous.features[: previous.aside])


def _chroma(values: dict[str, Any], sample_rate: int, before: Sequence[Stage]) -> Stage:
    previous = _powers(before, "chroma")
    norm = None if values["norm"] == 0 else values["norm"]
    bank = chroma_bank(
        values["count"], sample_rate=sample_rate, n_fft=previous.n_fft, tuning=values["tuning"], norm=norm
    )
    names = tuple(f"chroma {number}" for number in range(values["count"]))
    return Bands(bank.weights, names, previous.features[: previous.aside])


def _shape(values: dict[str, Any], sample_rate: int, before: Sequence[Stage]) -> Stage:
    previous = _powers(before, "the shape of spectra")
    if previous.aside:
        raise RecipeError("the shape of spectra cannot be had beside frames' energies; leave energy out")
    return SpectralShape(previous.features, previous.frequencies, spectrum=previous.values, **values)


def _powers(before: Sequence[Stage], what: str) -> Spectrum:
    previous = before[-1]
    if not isinstance(previous, Spectrum) or previous.values == "complex" or not previous.zero_frequency:
        raise RecipeError(
            f"{what}: the stage before must be a spectrum of powers or magnitudes, with the zero frequency"
        )
    return previous


def _waveform(values: dict[str, Any], sample_rate: int, before: Sequence[Stage]) -> Stage:
    window, hop = (samples(name, values[name], sample_rate) for name in ("window", "hop"))
    return Waveform(values["measures"], window=window, hop=hop, centre=values["centre"])


def _cepstrum(values: dict[str, Any], sample_rate: int, before: Sequence[Stage]) -> Stage:
    previous = before[-1]
    energy = energies(previous)
    bands = len(previous.features) - len(energy)
    if energy and values["count"] < 2:
        raise RecipeError("count is 1, and the frames' energy stands in the first cepstrum's place; take 2 or more")
    if values["count"] > bands:
        raise RecipeError(f"count is {values['count']}, and there are {bands} bands; cepstra are at most as many")
    matrix = cosine_matrix(
        values["count"], bands, norm=values["norm"], lifter=values["lifter"], lifter_kind=values["lifter_kind"]
    )
    names = tuple(f"C{number}" for number in range(values["count"]))
    return Bands(matrix[1:], names[1:], energy) if energy else Bands(matrix, names)


def _first_last(values: dict[str, Any], sample_rate: int, before: Sequence[Stage]) -> Stage:
    previous = before[-1]
    names = (*previous.features[1:], previous.features[0])
    return Bands(np.roll(np.eye(len(names)), 1, axis=1), names)


SPECTRA = {
    "spectrum": StageKind(
        {
            "window": Choice("the shape of the window", words=_WINDOWS),
            "periodic": Flag("whether the window's first value comes again after its end (or at it)", default=True),
            "blackman_coeff": Number("of a Blackman window", default=0.42, least=0.0, most=10.0),
            "std": Number("of a Gaussian window, in window lengths", default=0.2, least=1e-3, most=1e3),
            "length": Length("the length of the window"),
            "hop": Length("from one frame to the next"),
            "n_fft": Count("points of the transform, by default the window's", optional=True, most=_LONGEST),
            "round_up": Flag("take the next power of two for n_fft", default=False),
            "framing": Choice("where frames begin", default="centre", words=FRAMINGS),
            "pad": Choice("what stands beyond the ends", default="zero", words=tuple(PADS)),
            "drop_last": Flag("one frame less", default=False),
            "values": Choice("what is given", default="power", words=tuple(VALUES)),
            "scale": Number("samples from -1 to 1 are multiplied by it", default=1.0, least=1e-6, most=1e12),
            "remove_mean": Flag("subtract each frame's mean", default=False),
            "preemphasis": Number("times the sample before, subtracted", default=0.0, least=0.0, most=1.0),
            "energy": Choice("the logarithm of the frame's energy as first feature", default="none", words=ENERGIES),
            "energy_floor": Number("the least energy", default=0.0, least=0.0, most=1e6),
            "zero_frequency": Flag("whether frequency zero is given", default=True),
            "dither": Number("standard deviation of noise added to scaled samples", default=0.0, least=0.0, most=1e5),
            "seed": Count("of the noise", default=0, least=0, most=2**40),
        },
        _spectrum,
        takes_samples=True,
        check=_check_spectrum,
    ),
    "mel": StageKind(
        {
            "bands": Count("how many", most=10_000),
            "fmin": Quantity("where the lowest band begins", default="0 Hz", kind="frequency", least=0.0),
            "fmax": Quantity(
                "where the highest ends: half the sample rate at most and by default; below zero: so much less",
                optional=True, kind="frequency", least=-1e9,
            ),
            "scale": Choice("the mel scale", default="slaney", words=("slaney", "htk", "kaldi")),
            "triangles": Choice("bands are triangles in hertz or in mel", default="hertz", words=("hertz", "mel")),
            "norm": Choice("slaney: the same area for all bands", default="none", words=("none", "slaney")),
            "allow_empty": Flag("bands may be so narrow that they are always zero", optional=True),
            "htk_compat": Flag("the first band ignores the lowest bin, as HTK has it", default=False),
            "vtln_warp": Number("frequencies are divided by it", default=1.0, least=0.1, most=10),
            "vtln_low": Quantity("where warping begins", optional=True, kind="frequency"),
            "vtln_high": Quantity("where it ends", optional=True, kind="frequency", least=-1e9),
        },
        _mel,
        takes_samples=False,
    ),
    "chroma": StageKind(
        {
            "count": Count("how many in an octave", default=12, most=10_000),
            "tuning": Number("of the instrument, in parts of a step", default=0.0, least=-1e3, most=1e3),
            "norm": Number("the exponent of the bins' norm; 0 for none", default=2.0, least=0.0, most=1e3),
        },
        _chroma,
        takes_samples=False,
    ),
    "shape": StageKind(
        {
            "measures": Words("what is measured", default=tuple(SHAPES), words=tuple(SHAPES)),
            "roll_percent": Number("below the rolloff lies so much of the sum", default=0.85, least=1e-6, most=1.0),
            "fmin": Number("where contrast's lowest band ends, in Hz", default=200.0, least=1e-3, most=1e6),
            "n_bands": Count("of contrast, above the lowest", default=6, most=100),
            "quantile": Number("of a band's bins that are its peaks and valleys", default=0.02, least=1e-6, most=1.0),
        },
        _shape,
        takes_samples=False,
    ),
    "waveform": StageKind(
        {
            "measures": Words("what is measured", default=tuple(WAVEFORMS), words=tuple(WAVEFORMS)),
            "window": Length("the length of the window"),
            "hop": Length("from one frame to the next"),
            "centre": Flag("frames are centred on multiples of the hop, or begin there", default=True),
        },
        _waveform,
        takes_samples=True,
    ),
    "samples": StageKind({}, lambda values, sample_rate, before: Samples(), takes_samples=True),
    "cepstrum": StageKind(
        {
            "count": Count("how many; the first is left out where there is a frame's energy", most=10_000),
            "norm": Choice("ortho: rows of length 1; htk: C0 is longer", default="ortho", words=("ortho", "htk")),
            "lifter": Number("HTK's and Kaldi's Q, or librosa's lifter; 0 for none", default=0.0, least=0.0, most=1e4),
            "lifter_kind": Choice("whose", default="kaldi", words=("kaldi", "librosa")),
        },
        _cepstrum,
        takes_samples=False,
    ),
    "first-last": StageKind({}, _first_last, takes_samples=False),
}  # fmt: skip
