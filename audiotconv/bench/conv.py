"""`audiotconv bench conv`: temporal convolution of many shapes, against torch, scipy and NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..filters import sinc_bank
from ..stages import BankEnergy, conv1d, filter_energy, plan
from .timing import Case, Work

__all__ = ["SHAPES", "Shape", "conv_cases", "leaf_case"]

_RATE = 16_000
_DIRECT_TAPS = 2048  # with more, sums of products take minutes


@dataclass(frozen=True, slots=True)
class Shape:
    """A convolution of `time` steps, without padding."""

    name: str
    channels: int
    filters: int
    taps: int
    time: int
    dilation: int = 1
    stride: int = 1
    groups: int = 1

    @property
    def frames(self) -> int:
        """The number of outputs of each filter."""
        return (self.time - self.dilation * (self.taps - 1) - 1) // self.stride + 1

    @property
    def operations(self) -> float:
        """Two for each product."""
        return 2.0 * self.filters * (self.channels // self.groups) * self.taps * self.frames


SHAPES = (
    Shape("dense 64 -> 64, K=3", 64, 64, 3, 65_536),
    Shape("dense 64 -> 64, K=3, dilation 64", 64, 64, 3, 65_536, dilation=64),
    Shape("dense 64 -> 64, K=3, dilation 512", 64, 64, 3, 65_536, dilation=512),
    Shape("dense 16 -> 32, K=9, dilation 4", 16, 32, 9, 65_536, dilation=4),
    Shape("dense 64 -> 64, K=1", 64, 64, 1, 65_536),
    Shape("dense 128 -> 128, K=5, dilation 2", 128, 128, 5, 65_536, dilation=2),
    Shape("dense 8 -> 8, K=3, dilation 16", 8, 8, 3, 65_536, dilation=16),
    Shape("bank 1 -> 64, K=9, dilation 16", 1, 64, 9, 65_536, dilation=16),
    Shape("bank 1 -> 64, K=401", 1, 64, 401, 65_536),
    Shape("bank 1 -> 64, K=400, stride 160", 1, 64, 400, 60 * _RATE, stride=160),
    Shape("depthwise 256, K=31", 256, 256, 31, 16_384, groups=256),
    Shape("depthwise 256, K=3", 256, 256, 3, 16_384, groups=256),
    Shape("depthwise 64, K=9, dilation 8", 64, 64, 9, 65_536, dilation=8, groups=64),
    Shape("one filter, K=3", 1, 1, 3, 1_000_000),
    Shape("one filter, K=9", 1, 1, 9, 1_000_000),
    Shape("one filter, K=64", 1, 1, 64, 1_000_000),
    Shape("one filter, K=401", 1, 1, 401, 1_000_000),
    Shape("one filter, K=1024", 1, 1, 1024, 1_000_000),
    Shape("one filter, K=8192", 1, 1, 8192, 1_000_000),
    Shape("one filter, K=65536", 1, 1, 65_536, 1_000_000),
)


def conv_cases(threads: int, shapes: tuple[Shape, ...] = SHAPES) -> Iterator[Case]:
    """Every shape on noise, float32, and the front end of LEAF."""
    for shape in shapes:
        yield _case(shape, threads)
    if shapes is SHAPES:
        yield leaf_case(threads)


def _case(shape: Shape, threads: int) -> Case:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, shape.channels, shape.time)).astype(np.float32)
    weight = rng.standard_normal((shape.filters, shape.channels // shape.groups, shape.taps)).astype(np.float32)
    options: dict[str, Any] = {"stride": shape.stride, "dilation": shape.dilation, "groups": shape.groups}
    way = plan(weight, **options)
    contenders: dict[str, Work] = {"audiotconv": lambda: conv1d(x, weight, **options, threads=threads)[0]}
    if shape.taps <= _DIRECT_TAPS:
        if way.method == "overlap-save":
            direct = "rows" if shape.filters == shape.groups else "packed"
            name = f"audiotconv by sums ({direct})"
            contenders[name] = lambda: conv1d(x, weight, **options, method=direct, threads=threads)[0]
        torch_work = _torch(x, weight, options, threads)
        if torch_work is not None:
            contenders["torch conv1d"] = torch_work
    if shape.channels == shape.filters == 1:
        contenders |= _one_filter(x[0, 0], weight[0, 0])
    size = 4.0 * (x.size + weight.size + shape.filters * shape.frames)
    seconds = shape.time / _RATE
    return Case(shape.name, seconds, shape.operations, _reference(x, weight, shape), contenders, way.method, size)


def _torch(x: NDArray[Any], weight: NDArray[Any], options: dict[str, Any], threads: int) -> Work | None:
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(threads)
    signal, taps = torch.from_numpy(x), torch.from_numpy(weight)

    def work() -> Any:
        with torch.no_grad():
            return torch.nn.functional.conv1d(signal, taps, **options)[0].numpy()

    return work


def _one_filter(x: NDArray[Any], taps: NDArray[Any]) -> dict[str, Work]:
    from scipy import signal

    flipped = taps[::-1].copy()
    transforms: dict[str, Work] = {
        "scipy fftconvolve": lambda: signal.fftconvolve(x, flipped, "valid")[None],
        "scipy oaconvolve": lambda: signal.oaconvolve(x, flipped, "valid")[None],
    }
    if len(taps) > _DIRECT_TAPS:
        return transforms
    return transforms | {
        "scipy correlate": lambda: signal.correlate(x, taps, "valid", "direct")[None],
        "scipy lfilter": lambda: signal.lfilter(flipped, np.float32(1.0), x)[None, len(taps) - 1 :],
        "scipy upfirdn": lambda: signal.upfirdn(flipped, x)[None, len(taps) - 1 : len(x)],
        "numpy convolve": lambda: np.convolve(x, flipped, "valid")[None],
    }


def _reference(x: NDArray[Any], weight: NDArray[Any], shape: Shape) -> NDArray[np.float64]:
    if shape.taps > _DIRECT_TAPS:
        from scipy.signal import oaconvolve

        whole: NDArray[np.float64] = oaconvolve(x[0].astype(np.float64), weight[0, :, ::-1].astype(np.float64), "valid")
        return whole
    each, per_group = shape.filters // shape.groups, shape.channels // shape.groups
    signal = x[0].reshape(shape.groups, per_group, shape.time).astype(np.float64)
    taps = weight.reshape(shape.groups, each, per_group, shape.taps).astype(np.float64)
    out = np.zeros((shape.groups, each, shape.frames))
    for tap in range(shape.taps):
        first = tap * shape.dilation
        seen = signal[:, :, first : first + (shape.frames - 1) * shape.stride + 1 : shape.stride]
        out += taps[:, :, :, tap] @ seen
    return out.reshape(shape.filters, shape.frames)


def leaf_case(threads: int, seconds: float = 10.0) -> Case:
    """80 filters of 401 taps, squared and averaged over 400 samples every 160."""
    bank = sinc_bank(80, sample_rate=_RATE, span=401)
    x = np.random.default_rng(0).standard_normal(int(seconds * _RATE)).astype(np.float32)
    window, hop = 400, 160
    frames = -(-len(x) // hop)
    lead = BankEnergy(bank, window=window, hop=hop).geometry.lead
    padded = np.pad(x, (lead, bank.span + window))

    def ours() -> Any:
        return filter_energy(x, bank, window=window, hop=hop, threads=threads)

    filtered = [np.convolve(padded.astype(np.float64), row, "valid") ** 2 for row in bank.taps]
    windows = np.lib.stride_tricks.sliding_window_view(np.array(filtered), window, axis=1)
    reference = windows[:, ::hop][:, :frames].mean(axis=2)
    contenders: dict[str, Work] = {"audiotconv": ours}
    weight = np.ascontiguousarray(bank.taps[:, None, ::-1], np.float32)
    convolution = _torch(padded[None, None], weight, {}, threads)
    if convolution is not None:
        from torch.nn.functional import avg_pool1d

        torch_conv = convolution

        def theirs() -> Any:
            from torch import from_numpy

            return avg_pool1d(from_numpy(torch_conv()) ** 2, window, hop)[:, :frames].numpy()

        contenders["torch conv1d"] = theirs
    method = plan((80, 1, bank.span)).method
    operations = 2.0 * 80 * bank.span * len(x)
    size = 4.0 * (x.size + reference.size)
    return Case("1 -> 80, K=401, squared, pooled to hop 160", seconds, operations, reference, contenders, method, size)
