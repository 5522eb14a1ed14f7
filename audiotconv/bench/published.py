"""Comparisons with the conformance data: what Kaldi, Whisper and transformers gave."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ParameterError
from ..extraction import extract
from ..filters import hz_to_mel, mel_bank, window
from ..recipes import Recipe
from ..stages import Chain, Spectrum
from .accuracy import Comparison, Tolerance
from .kaldi_archives import KINDS, archives, options_of, read_archive, recipe_of
from .sounds import read_sound

__all__ = ["FBANK_400", "published_comparisons"]

_KALDI = Tolerance(absolute=1e-3, relative=1e-4)
_PROGRAMS = {"spec": "compute-spectrogram-feats", "fbank": "compute-fbank-feats", "mfcc": "compute-mfcc-feats"}
_ALLCLOSE = Tolerance(absolute=1e-8, relative=1e-5)  # numpy's
_RATE = 16_000

# Kaldi's fbank as a test of transformers has it, with more bands than there are frequencies below 2 kHz.
FBANK_400 = {
    "name": "fbank-400",
    "version": 1,
    "stage": [
        {
            "kind": "spectrum", "window": "povey", "periodic": False, "length": 400, "hop": 160, "n_fft": 512,
            "framing": "snip", "remove_mean": True, "preemphasis": 0.97,
        },
        {"kind": "mel", "bands": 400, "fmin": "20 Hz", "scale": "kaldi", "triangles": "mel", "allow_empty": True},
        {"kind": "log", "floor": 1.192092955078125e-07},
    ],
}  # fmt: skip

_BANKS: dict[str, dict[str, Any]] = {
    "htk": {"scale": "htk"},
    "slaney": {"scale": "slaney"},
    "slaney_norm": {"scale": "slaney", "norm": "slaney"},
    "kaldi_tri_in_mel": {"scale": "kaldi", "triangles": "mel"},
}


def published_comparisons(folder: Path | None) -> Iterator[Comparison]:
    """Those that the folder has data for; without one they say that it is not there."""
    top = folder or Path("no-conformance-data")
    yield from _kaldi(top / "kaldi")
    yield from _whisper(top / "whisper" / "mel_filters.npz")
    yield from _transformers(top / "transformers")


def _kaldi(folder: Path) -> Iterator[Comparison]:
    sound = folder / "kaldi_file.wav"
    for kind in KINDS:

        def pairs(kind: str = kind) -> Iterator[tuple[Any, Any]]:
            for path in archives(folder, kind):
                yield extract(sound, recipe_of(*options_of(path))).values[0].T, read_archive(path)

        yield Comparison(f"Kaldi's {kind}, all options", _PROGRAMS[kind], sound.name, _KALDI, pairs, path=sound)


def _whisper(path: Path) -> Iterator[Comparison]:
    for bands in (80, 128):

        def pairs(bands: int = bands) -> Iterator[tuple[Any, Any]]:
            with np.load(path) as theirs:
                yield mel_bank(bands, sample_rate=_RATE, n_fft=400, norm="slaney").weights, theirs[f"mel_{bands}"]

        yield Comparison(f"mel_bank, {bands} bands", "Whisper's filters", "", _ALLCLOSE, pairs, path=path)


def _transformers(folder: Path) -> Iterator[Comparison]:
    path, sound = folder / "expected.json", folder / "1272-128104-0000.flac"

    def row(what: str, tolerance: Tolerance, pair: Callable[[Any], tuple[Any, Any]], heard: bool = True) -> Comparison:
        def pairs() -> list[tuple[Any, Any]]:
            try:
                return [pair(json.loads(path.read_text("utf-8")))]
            except (ValueError, KeyError) as error:
                if isinstance(error, ParameterError):
                    raise
                raise ParameterError(f"{path} does not hold what transformers gave: {error}") from None

        signal = sound.name if heard else ""
        return Comparison(what, "transformers", signal, tolerance, pairs, path=sound if heard else path)

    def whisper(expected: Any) -> tuple[Any, Any]:
        got = extract(sound, "whisper-80-30s").values
        return _slice(got, expected["whisper_log_mel"], lambda values: values[0, 0, :30])

    def padded(name: str, options: dict[str, Any], expected: Any) -> tuple[Any, Any]:
        want = expected["spectrogram_hann512_hop128_mag_col0_first64"]
        stage = Spectrum(window("hann", 512, periodic=True), 128, sample_rate=_RATE, values="magnitude", **options)
        return Chain([stage]).run(read_sound(sound)[None])[0, :64, 0], want[name]["values"]

    def middle(expected: Any) -> tuple[Any, Any]:
        want = expected["spectrogram_win400_in_512_hop128_center_reflect_mag_col400_first64"]
        taps = window("hann", 400, periodic=True)
        stage = Spectrum(taps, 128, sample_rate=_RATE, n_fft=512, pad="reflect", values="magnitude")
        return _slice(Chain([stage]).run(read_sound(sound)[None])[0], want, lambda values: values[:64, 400])

    def fbank(expected: Any) -> tuple[Any, Any]:
        got = extract(sound, Recipe.from_dict(FBANK_400)).values[0]
        want = expected["kaldi_fbank400_povey_preemph_dc_log_col400_first64"]
        return _slice(got, want, lambda values: values[:64, 400])

    def bank(name: str, options: dict[str, Any], expected: Any) -> tuple[Any, Any]:
        got = mel_bank(4, sample_rate=4000, n_fft=30, fmax=2000, **options).weights.T
        return got, expected["mel_filter_bank"][name]

    def scale(name: str, expected: Any) -> tuple[Any, Any]:
        want = expected["hertz_to_mel"][name]
        return hz_to_mel(want["in"], name), want["out"]

    log, spectra = Tolerance(absolute=1e-4), Tolerance(absolute=1e-6)
    yield row("whisper-80-30s", log, whisper)
    for name, options in (
        ("reflect", {"pad": "reflect"}),
        ("constant", {"pad": "zero"}),
        ("no_center", {"framing": "valid"}),
    ):
        yield row(f"magnitudes 512/128, {name.replace('_', ' ')}", spectra, partial(padded, name, options))
    yield row("magnitudes 400 in 512/128", spectra, middle)
    yield row("Kaldi's fbank, 400 bands", log, fbank)
    for name, options in _BANKS.items():
        allowed = _ALLCLOSE if options["scale"] != "kaldi" else Tolerance(absolute=1e-6, relative=1e-5)
        yield row(f"mel_bank, {name.replace('_', ' ')}", allowed, partial(bank, name, options), heard=False)
    for name in ("htk", "slaney", "kaldi"):
        yield row(f"hz_to_mel, {name}", _ALLCLOSE, partial(scale, name), heard=False)


def _slice(got: Any, want: Any, part: Callable[[Any], Any]) -> tuple[Any, Any]:
    """The published part of a result, unless the whole has another shape than published."""
    return part(got) if list(got.shape) == want["shape"] else got, want["values"]
