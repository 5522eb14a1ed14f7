"""`audiotconv bench stream`: chunks pushed through recipes and stacks, beside whole signals and peers."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..extraction import extract
from ..stages import Conv1d, Stack
from ..stream import Stream
from .timing import Case, Work

__all__ = ["push_times", "stream_cases"]

_RATE = 16_000
_PUSHED = ("kaldi-fbank-80", "gammatone-64", "htk-mfcc-39", "pcen-80")
_LAYERS, _CHANNELS, _TAPS = 10, 64, 3


def push_times(milliseconds: float = 10.0, seconds: float = 20.0) -> dict[str, dict[str, float]]:
    """How long a push of a chunk of int16 samples at 16 kHz takes, on one thread: median and 99th percentile, in us."""
    signal = _noise(seconds)
    size = round(_RATE * milliseconds / 1e3)
    found = {}
    for recipe in _PUSHED:
        stream = Stream(recipe, _RATE, threads=1)
        stream.push(signal)  # compiles
        stream.reset()
        times = []
        for start in range(0, signal.size, size):
            chunk = signal[start : start + size]
            before = time.perf_counter()
            stream.push(chunk)
            times.append(time.perf_counter() - before)
        middle, high = np.percentile(times, [50, 99]) * 1e6
        found[recipe] = {"median_us": float(middle), "p99_us": float(high)}
    return found


def stream_cases(threads: int, only: str = "") -> Iterator[Case]:
    """Recipes and a dilated stack, by chunks and whole: the cases whose name holds `only`."""
    cases: dict[str, Callable[[], Case]] = {}
    for milliseconds in (10, 100):
        name = f"kaldi-fbank-80, {milliseconds} ms chunks"
        cases[name] = partial(_recipe, name, _RATE * milliseconds // 1000, threads)
    name = f"{_LAYERS} dilated layers of {_CHANNELS} channels, 20 ms chunks"
    cases[name] = partial(_stack, name, _RATE // 50, threads)
    return (make_case() for name, make_case in cases.items() if only in name)


def _noise(seconds: float) -> NDArray[np.int16]:
    return np.random.default_rng(0).integers(-16384, 16384, int(seconds * _RATE)).astype(np.int16)


def _recipe(name: str, size: int, threads: int) -> Case:
    recipe, seconds = "kaldi-fbank-80", 30.0
    x = _noise(seconds)
    stream = Stream(recipe, _RATE, threads=threads)

    def chunks() -> Any:
        stream.reset()
        maps = [stream.push(x[start : start + size]).values for start in range(0, x.size, size)]
        return np.concatenate([*maps, stream.flush().values], axis=2)[0]

    def whole() -> Any:
        return extract(x, recipe, sample_rate=_RATE, threads=threads).values[0]

    contenders: dict[str, Work] = {"audiotconv": chunks, "audiotconv whole": whole}
    with contextlib.suppress(ImportError):
        contenders["kaldi-native-fbank"] = _kaldi_native(x, size)
    # The bits are those of the whole; `bench accuracy` compares these with Kaldi's own.
    return Case(name, seconds, 0.0, np.asarray(whole(), np.float64), contenders)


def _kaldi_native(x: NDArray[np.int16], size: int) -> Work:
    import kaldi_native_fbank as knf

    options = knf.FbankOptions()
    options.frame_opts.dither = 0.0
    options.mel_opts.num_bins = 80
    samples = x.astype(np.float32)

    def work() -> Any:
        online = knf.OnlineFbank(options)
        for start in range(0, samples.size, size):
            online.accept_waveform(_RATE, samples[start : start + size])
        online.input_finished()
        return np.stack([online.get_frame(frame) for frame in range(online.num_frames_ready)], axis=1)

    return work


def _stack(name: str, size: int, threads: int) -> Case:
    seconds = 2.0
    rng = np.random.default_rng(1)
    x = rng.standard_normal((_CHANNELS, int(seconds * _RATE))).astype(np.float32)
    scale = np.sqrt(2 / (_CHANNELS * _TAPS))
    weights = [(scale * rng.standard_normal((_CHANNELS, _CHANNELS, _TAPS))).astype(np.float32) for _ in range(_LAYERS)]
    stack = Stack([Conv1d(w, dilation=2**n, padding="causal", activation="relu") for n, w in enumerate(weights)])
    length = x.shape[1]

    def chunks() -> Any:
        flow = stack.flow(threads=threads)
        parts = [flow.push(x[:, at : at + size], last=at + size >= length) for at in range(0, length, size)]
        return np.concatenate(parts, axis=1)

    contenders: dict[str, Work] = {"audiotconv": chunks, "audiotconv whole": lambda: stack(x, threads)}
    with contextlib.suppress(ImportError):
        contenders |= _torch_stack(x, weights, size, stack.geometry.span, threads)
    operations = 2.0 * _LAYERS * _CHANNELS**2 * _TAPS * length
    return Case(name, seconds, operations, _layers(x, weights), contenders)


def _layers(x: NDArray[Any], weights: list[NDArray[Any]]) -> NDArray[np.float64]:
    """In float64."""
    y = x.astype(np.float64)
    for number, weight in enumerate(weights):
        apart = 2**number
        padded = np.pad(y, ((0, 0), ((_TAPS - 1) * apart, 0)))
        rows = [padded[:, tap * apart :][:, : y.shape[1]] for tap in range(_TAPS)]
        y = np.maximum(sum(weight[:, :, tap].astype(np.float64) @ row for tap, row in enumerate(rows)), 0.0)
    return y


def _torch_stack(x: NDArray[Any], weights: list[NDArray[Any]], size: int, span: int, threads: int) -> dict[str, Work]:
    import torch
    from torch.nn.functional import conv1d, pad

    torch.set_num_threads(threads)
    signal, filters = torch.from_numpy(x)[None], [torch.from_numpy(weight) for weight in weights]

    def layers(y: Any) -> Any:
        for number, weight in enumerate(filters):
            y = torch.relu(conv1d(pad(y, ((_TAPS - 1) * 2**number, 0)), weight, dilation=2**number))
        return y

    def whole() -> Any:
        with torch.inference_mode():
            return layers(signal)[0].numpy()

    def chunks() -> Any:
        """Each chunk with what its receptive field holds."""
        parts = []
        with torch.inference_mode():
            for at in range(0, x.shape[1], size):
                begin = max(0, at - span + 1)
                parts.append(layers(signal[:, :, begin : at + size])[0, :, at - begin :])
            return torch.cat(parts, dim=1).numpy()

    return {"torch-chunks (context recomputed)": chunks, "torch-whole": whole}
