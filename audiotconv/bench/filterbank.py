"""`audiotconv bench filterbank`: filtered, squared and averaged, against scipy and torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..filters import sinc_bank
from ..recipes import get_recipe
from ..stages import BankEnergy
from .timing import Case

__all__ = ["bank_energies", "filterbank_cases"]

_RATE = 16_000


def filterbank_cases(seconds: float, threads: int) -> list[Case]:
    """64 bands x 401 taps at every sample, and the banks of the two recipes, on noise of 16 bits."""
    noise = np.random.default_rng(0).standard_normal(int(seconds * _RATE)) * 3000
    signal = noise.astype(np.int16)[None]
    stages = {"64 bands x 401 taps": BankEnergy(sinc_bank(64, sample_rate=_RATE, span=401), window=400, hop=160)}
    for name in ("gammatone-64", "gabor-40"):
        stage = get_recipe(name).build(_RATE).stages[0]
        assert isinstance(stage, BankEnergy)
        stages[name] = stage
    return [_case(name, stage, signal, threads) for name, stage in stages.items()]


def _case(name: str, stage: BankEnergy, signal: NDArray[np.int16], threads: int) -> Case:
    geometry = stage.geometry
    frames = geometry.count(signal.shape[1])

    def ours() -> Any:
        return stage.run(signal, -geometry.lead, frames, threads)[0]

    padded = np.pad(signal[0], (geometry.lead, geometry.span)) / np.float32(32768)
    contenders = {"audiotconv": ours, "scipy oaconvolve": lambda: bank_energies(stage, padded, frames, np.float32)}
    torch_work = _torch(stage, padded, frames, threads)
    if torch_work is not None:
        contenders["torch conv1d"] = torch_work
    reference = bank_energies(stage, padded.astype(np.float64), frames, np.float64)
    return Case(name, signal.shape[1] / _RATE, stage.operations * signal.shape[1], reference, contenders, "bank")


def bank_energies(stage: BankEnergy, padded: NDArray[Any], frames: int, dtype: Any) -> NDArray[Any]:
    """What the stage computes, band by band, in `dtype`; `padded` has zeros before and after the signal."""
    from scipy.signal import oaconvolve

    taps = stage.bank.taps
    taps = taps.astype(np.result_type(dtype, np.complex64) if np.iscomplexobj(taps) else dtype)
    out = np.empty((len(taps), frames), dtype)
    outputs = ((frames - 1) * stage.hop + stage.window) // stage.stride
    for band, row in enumerate(taps):
        filtered = oaconvolve(padded, row, mode="valid")[:: stage.stride][:outputs]
        power = filtered.real**2 + filtered.imag**2 if np.iscomplexobj(filtered) else filtered**2
        windows = np.lib.stride_tricks.sliding_window_view(power, stage.window // stage.stride)
        out[band] = windows[:: stage.hop // stage.stride][:frames].mean(axis=1)
    return out


def _torch(stage: BankEnergy, padded: NDArray[Any], frames: int, threads: int) -> Any:
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(threads)
    taps = stage.bank.taps[:, ::-1]
    parts = [taps.real, taps.imag] if np.iscomplexobj(taps) else [taps]
    weight = torch.from_numpy(np.concatenate(parts).astype(np.float32))[:, None]
    samples = torch.from_numpy(padded)[None, None]

    def work() -> Any:
        with torch.no_grad():
            power = torch.nn.functional.conv1d(samples, weight, stride=stage.stride) ** 2
            if len(parts) == 2:
                power = power[:, : len(taps)] + power[:, len(taps) :]
            pooled = torch.nn.functional.avg_pool1d(power, stage.window // stage.stride, stage.hop // stage.stride)
            return pooled[0, :, :frames].numpy()

    return work
