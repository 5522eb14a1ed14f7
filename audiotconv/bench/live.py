"""Comparisons with installed peers, and with float64, on a signal like speech."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..extraction import extract
from ..recipes import Recipe, get_recipe
from ..stages import BankEnergy, Log, stft
from .accuracy import Comparison, Tolerance
from .filterbank import bank_energies
from .sounds import speech_like

__all__ = ["live_comparisons"]

_SIGNAL = "like speech, 3 s"
_LIBROSA_RATE, _RATE = 22_050, 16_000
# Of each value, or of a millionth of the largest, where float32's transform has no more.
_CLOSE = Tolerance(relative=1e-4, of_largest=1e-6)
_DECIBELS = Tolerance(absolute=1e-3, relative=1e-4)

_Pair = tuple[Any, Any]
_Case = tuple[str, Tolerance, Callable[[], _Pair]]


def live_comparisons() -> Iterator[Comparison]:
    """librosa, kaldi-native-fbank, torch, and float64."""
    for against, package, cases in _PEERS:
        for what, tolerance, pair in cases:
            yield Comparison(what, against, _SIGNAL, tolerance, partial(_once, pair), package)


def _once(pair: Callable[[], _Pair]) -> list[_Pair]:
    return [pair()]


def _features(recipe: str | Recipe, rate: int) -> NDArray[np.float32]:
    values: NDArray[np.float32] = extract(speech_like(), recipe, sample_rate=rate).values[0]
    return values


def _of(*stages: dict[str, Any]) -> NDArray[np.float32]:
    """What stages give that begin with librosa's spectrum."""
    spectrum = {"kind": "spectrum", "window": "hann", "length": 2048, "hop": 512}
    recipe = Recipe.from_dict({"name": "compared", "version": 1, "stage": [spectrum, *stages]})
    return _features(recipe, _LIBROSA_RATE)


def _librosa_powers() -> _Pair:
    import librosa

    want = librosa.feature.melspectrogram(y=speech_like(), sr=_LIBROSA_RATE)
    return _of({"kind": "mel", "bands": 128, "norm": "slaney"}), want


def _librosa_mel() -> _Pair:
    import librosa

    powers = librosa.feature.melspectrogram(y=speech_like(), sr=_LIBROSA_RATE)
    return _features("librosa-mel-128", _LIBROSA_RATE), librosa.power_to_db(powers)


def _librosa_mfcc() -> _Pair:
    import librosa

    return _features("librosa-mfcc-20", _LIBROSA_RATE), librosa.feature.mfcc(y=speech_like(), sr=_LIBROSA_RATE)


def _librosa_pcen() -> _Pair:
    import librosa

    magnitudes = librosa.feature.melspectrogram(
        y=speech_like(), sr=_RATE, n_fft=512, win_length=400, hop_length=160, n_mels=80, power=1.0
    )
    return _features("pcen-80", _RATE), librosa.pcen(magnitudes * 2**31, sr=_RATE, hop_length=160)


def _librosa_stft() -> _Pair:
    import librosa

    x = speech_like()
    return stft(x, 600, 150, win_length=500), librosa.stft(x, n_fft=600, hop_length=150, win_length=500)


def _librosa_chroma() -> _Pair:
    import librosa

    want = librosa.feature.chroma_stft(y=speech_like(), sr=_LIBROSA_RATE, norm=None, tuning=0.0)
    return _of({"kind": "chroma"}), want


def _kaldi_fbank(recipe: str, bands: int) -> _Pair:
    import kaldi_native_fbank as knf

    options = knf.FbankOptions()
    options.mel_opts.num_bins = bands
    return _features(recipe, _RATE), _kaldi_native(knf.OnlineFbank, options)


def _kaldi_mfcc() -> _Pair:
    import kaldi_native_fbank as knf

    options = knf.MfccOptions()
    options.use_energy = True
    return _features("kaldi-mfcc-13", _RATE), _kaldi_native(knf.OnlineMfcc, options)


def _kaldi_native(make: Callable[[Any], Any], options: Any) -> NDArray[np.float32]:
    options.frame_opts.dither, options.frame_opts.samp_freq = 0.0, _RATE
    online = make(options)
    online.accept_waveform(_RATE, (speech_like() * 32768).tolist())
    online.input_finished()
    frames: NDArray[np.float32] = np.stack([online.get_frame(f) for f in range(online.num_frames_ready)], axis=1)
    return frames


def _torch_stft() -> _Pair:
    import torch

    x = speech_like()
    want = torch.stft(
        torch.from_numpy(x), 512, 160, 400, torch.hann_window(400), pad_mode="constant", return_complex=True
    )
    return stft(x, 512, 160, win_length=400), want.numpy()


def _float64(name: str) -> _Pair:
    """A bank's filters, squared and averaged, and their logarithm, in float64."""
    x = speech_like()
    chain = get_recipe(name).build(_RATE)
    stage, log = chain.stages
    assert isinstance(stage, BankEnergy)
    assert isinstance(log, Log)
    padded = np.pad(x.astype(np.float64), (stage.geometry.lead, stage.geometry.span))
    want = bank_energies(stage, padded, stage.geometry.count(len(x)), np.float64)
    return chain.run(x[None])[0], np.log(np.maximum(want, log.floor))


_LIBROSA: list[_Case] = [
    ("librosa-mel-128", _DECIBELS, _librosa_mel),
    ("librosa-mel-128, as powers", _CLOSE, _librosa_powers),
    ("librosa-mfcc-20", _CLOSE, _librosa_mfcc),
    ("pcen-80", _CLOSE, _librosa_pcen),
    ("stft 600/150", Tolerance(of_largest=1e-6), _librosa_stft),
    ("chroma", _CLOSE, _librosa_chroma),
]
_KALDI: list[_Case] = [
    ("kaldi-fbank-80", Tolerance(absolute=1e-3), partial(_kaldi_fbank, "kaldi-fbank-80", 80)),
    ("kaldi-fbank-23", Tolerance(absolute=1e-3), partial(_kaldi_fbank, "kaldi-fbank-23", 23)),
    ("kaldi-mfcc-13", Tolerance(absolute=1e-3), _kaldi_mfcc),
]
_TORCH: list[_Case] = [("stft 512/160", Tolerance(absolute=1e-5), _torch_stft)]
_EXACT: list[_Case] = [
    (name, Tolerance(absolute=1e-4), partial(_float64, name)) for name in ("gammatone-64", "gabor-40")
]
_PEERS: tuple[tuple[str, tuple[str, str] | None, list[_Case]], ...] = (
    ("librosa", ("librosa", "librosa"), _LIBROSA),
    ("kaldi-native-fbank", ("kaldi_native_fbank", "kaldi-native-fbank"), _KALDI),
    ("torch.stft", ("torch", "torch"), _TORCH),
    ("float64", None, _EXACT),
)
