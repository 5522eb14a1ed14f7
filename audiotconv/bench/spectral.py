"""`audiotconv bench spectral`: spectral features, against librosa, torch, kaldi-native-fbank and bare transforms."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..filters import mel_bank, window
from ..recipes import get_recipe
from ..stages import Bands, Chain, Log, Spectrum
from .timing import Case, Work

__all__ = ["spectral_cases"]

_RATE, _LENGTH, _HOP, _BANDS, _FLOOR = 16_000, 400, 160, 80, 1e-10
_COMPARED = 900  # frames whose error is measured
_MOST_BARE = 600.0  # s; a bare transform holds all frames at once


def spectral_cases(threads: int, only: str = "") -> Iterator[Case]:
    """Log-mel of several lengths and sizes, and what is made of it, on noise: the cases whose name holds `only`."""
    cases: dict[str, Callable[[], Case]] = {}
    for seconds in (10.0, 600.0, 3600.0):
        name = f"log-mel 512/400/160/80, {_time(seconds)}"
        cases[name] = partial(_log_mel, name, 512, seconds, threads)
    name = "log-mel 512/400/160/80, 10 s, int16"
    cases[name] = partial(_log_mel, name, 512, 10.0, threads, np.int16)
    name = "log-mel 400/400/160/80, 10 s"
    cases[name] = partial(_log_mel, name, 400, 10.0, threads)
    for name, peer, rate, make in (
        ("kaldi-fbank-80", "kaldi-native-fbank", _RATE, _kaldi_native),
        ("librosa-mfcc-20", "librosa", 22_050, _librosa_mfcc),
        ("pcen-80", "librosa", _RATE, _librosa_pcen),
    ):
        cases[f"{name}, 10 s"] = partial(_recipe, name, 10.0, threads, peer, make, rate)
    cases["stft 512/400/160, 10 s"] = partial(_stft, "stft 512/400/160, 10 s", 10.0, threads)
    return (make_case() for name, make_case in cases.items() if only in name)


def _time(seconds: float) -> str:
    return (
        f"{seconds:g} s" if seconds < 60 else (f"{seconds / 60:g} min" if seconds < 3600 else f"{seconds / 3600:g} h")
    )


def _noise(seconds: float, rate: int = _RATE, dtype: Any = np.float32) -> NDArray[Any]:
    x = np.random.default_rng(0).uniform(-0.5, 0.5, int(seconds * rate))
    return (x * 32768).astype(dtype) if dtype == np.int16 else x.astype(dtype)


def _frames(x: NDArray[Any], n_fft: int) -> NDArray[np.float64]:
    """Windowed frames, centred, of which only the first are needed."""
    start = np.pad(x[: _COMPARED * _HOP + n_fft].astype(np.float64), n_fft // 2)
    taps = np.zeros(n_fft)
    taps[(n_fft - _LENGTH) // 2 :][:_LENGTH] = window("hann", _LENGTH, periodic=True)
    return np.lib.stride_tricks.sliding_window_view(start, n_fft)[::_HOP][:_COMPARED] * taps


def _log_mel(name: str, n_fft: int, seconds: float, threads: int, dtype: Any = np.float32) -> Case:
    x = _noise(seconds, dtype=dtype)
    bank = mel_bank(_BANDS, sample_rate=_RATE, n_fft=n_fft, norm="slaney")
    spectrum = Spectrum(window("hann", _LENGTH, periodic=True), _HOP, sample_rate=_RATE, n_fft=n_fft)
    bands = Bands(bank.weights, tuple(f"{centre:.1f} Hz" for centre in bank.centres))
    chain = Chain([spectrum, bands, Log(bands.features, floor=_FLOOR)])
    unit = 1 / 32768 if dtype == np.int16 else 1.0
    powers = np.abs(np.fft.rfft(_frames(x * unit, n_fft))) ** 2
    reference = np.log(np.maximum(bank.weights @ powers.T, _FLOOR))
    contenders: dict[str, Work] = {"audiotconv": lambda: chain.run(x[None], threads)[0, :, :_COMPARED]}
    as_float = x.astype(np.float32) * np.float32(unit)
    peers: list[Callable[..., dict[str, Work]]] = [_librosa_mel, _torch_mel]
    for peer in peers:
        with contextlib.suppress(ImportError):
            contenders |= peer(as_float, n_fft, bank.weights.astype(np.float32), threads)
    if seconds <= _MOST_BARE:
        contenders |= _bare(as_float, n_fft, threads, reference)
    return Case(name, seconds, chain.operations * len(x), reference, contenders)


def _librosa_mel(x: NDArray[Any], n_fft: int, weights: NDArray[Any], threads: int) -> dict[str, Work]:
    import librosa

    def work() -> Any:
        powers = librosa.feature.melspectrogram(
            y=x, sr=_RATE, n_fft=n_fft, win_length=_LENGTH, hop_length=_HOP, n_mels=_BANDS
        )
        return np.log(np.maximum(powers, np.float32(_FLOOR)))[:, :_COMPARED]

    return {"librosa": work}


def _torch_mel(x: NDArray[Any], n_fft: int, weights: NDArray[Any], threads: int) -> dict[str, Work]:
    import torch

    torch.set_num_threads(threads)
    signal, matrix = torch.from_numpy(x), torch.from_numpy(weights)
    taps = torch.hann_window(_LENGTH)

    def work() -> Any:
        spectrum = torch.stft(signal, n_fft, _HOP, _LENGTH, taps, center=True, pad_mode="constant", return_complex=True)
        return torch.log(torch.clamp(matrix @ spectrum.abs().square(), min=_FLOOR))[:, :_COMPARED].numpy()

    return {"torch": work}


def _bare(x: NDArray[Any], n_fft: int, threads: int, reference: Any) -> dict[str, Work]:
    """Nothing but the transforms of frames that lie ready, windowed, one after the other."""
    from scipy import fft

    padded = np.pad(x, n_fft // 2)
    frames = np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(padded, n_fft)[::_HOP])

    def only(transform: Callable[[], Any]) -> Work:
        def work() -> Any:
            transform()
            return reference

        return work

    works = {"scipy.fft (transform only)": only(lambda: fft.rfft(frames, axis=1, workers=threads))}
    with contextlib.suppress(ImportError):
        import ducc0

        works["ducc0 (transform only)"] = only(lambda: ducc0.fft.r2c(frames, axes=(1,), nthreads=threads))
    with contextlib.suppress(ImportError):
        import pyfftw

        out = pyfftw.empty_aligned((len(frames), n_fft // 2 + 1), np.complex64)
        source = pyfftw.empty_aligned(frames.shape, np.float32)
        planned = pyfftw.FFTW(source, out, axes=(1,), threads=threads, flags=("FFTW_MEASURE",))
        source[...] = frames
        works["pyfftw (transform only)"] = only(planned)
    return works


def _recipe(
    name: str, seconds: float, threads: int, peer: str, make: Callable[[NDArray[Any]], Work], rate: int
) -> Case:
    """A recipe beside the program that it stands for, which is also what the error is measured against."""
    x = _noise(seconds, rate)
    chain = get_recipe(name).build(rate)
    contenders: dict[str, Work] = {"audiotconv": lambda: chain.run(x[None], threads)[0]}
    with contextlib.suppress(ImportError):
        contenders[peer] = make(x)
    reference = np.asarray(contenders[list(contenders)[-1]](), np.float64)
    return Case(f"{name}, {_time(seconds)}", seconds, chain.operations * len(x), reference, contenders)


def _kaldi_native(x: NDArray[Any]) -> Work:
    import kaldi_native_fbank as knf

    options = knf.FbankOptions()
    options.frame_opts.dither = 0.0
    options.frame_opts.samp_freq = _RATE
    options.mel_opts.num_bins = 80
    loud = (x * 32768).astype(np.float32)

    def work() -> Any:
        bank = knf.OnlineFbank(options)
        bank.accept_waveform(_RATE, loud)
        bank.input_finished()
        return np.stack([bank.get_frame(frame) for frame in range(bank.num_frames_ready)], axis=1)

    return work


def _librosa_mfcc(x: NDArray[Any]) -> Work:
    import librosa

    return lambda: librosa.feature.mfcc(y=x, sr=22_050)


def _librosa_pcen(x: NDArray[Any]) -> Work:
    import librosa

    def work() -> Any:
        magnitudes = librosa.feature.melspectrogram(
            y=x, sr=_RATE, n_fft=512, win_length=_LENGTH, hop_length=_HOP, n_mels=_BANDS, power=1.0
        )
        return librosa.pcen(magnitudes * 2**31, sr=_RATE, hop_length=_HOP)

    return work


def _stft(name: str, seconds: float, threads: int) -> Case:
    x = _noise(seconds)
    taps = window("hann", _LENGTH, periodic=True)
    chain = Chain([Spectrum(taps, _HOP, sample_rate=_RATE, n_fft=512, values="complex")])

    def parts(values: NDArray[Any]) -> NDArray[Any]:
        some = values[:, :_COMPARED]
        return np.stack([some.real, some.imag], axis=1).reshape(-1, some.shape[1])

    reference = parts(np.fft.rfft(_frames(x, 512)).T)
    contenders: dict[str, Work] = {"audiotconv": lambda: chain.run(x[None], threads)[0, :, :_COMPARED]}

    with contextlib.suppress(ImportError):
        import librosa

        contenders["librosa"] = lambda: parts(librosa.stft(x, n_fft=512, hop_length=_HOP, win_length=_LENGTH))
    with contextlib.suppress(ImportError):
        import torch

        torch.set_num_threads(threads)
        signal, shape = torch.from_numpy(x), torch.hann_window(_LENGTH)
        contenders["torch"] = lambda: parts(
            torch.stft(signal, 512, _HOP, _LENGTH, shape, pad_mode="constant", return_complex=True).numpy()
        )
    return Case(name, seconds, chain.operations * len(x), reference, contenders)
