"""The filter-bank energy stage: samples in, mean squared filter outputs per band and frame out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..audio import scale_of
from ..errors import ParameterError
from ..filters import FilterBank
from ..geometry import Geometry
from ..kernels import bank as kernels
from .base import aligned_empty
from .frame_stage import FrameStage

__all__ = ["BankEnergy", "used_taps"]

_CHUNK_OUTPUTS = 512  # filter outputs held at a time: they and the samples under them stay in the second-level cache


class BankEnergy(FrameStage):
    """Filter a signal with every filter of a bank, square (the modulus, if complex) and average over windows.

    Frame f is centred on samples ``f * hop`` to ``(f + 1) * hop - 1``, so n samples give ceil(n / hop) frames; zeros
    stand before and after the signal.

    Parameters
    ----------
    bank : FilterBank
    window : int
        The length of the average in samples, a multiple of `stride`.
    hop : int
        The samples from one frame to the next, a multiple of `stride` and at most `window`.
    stride : int
        The filters' outputs are computed at every `stride`-th sample. The squared modulus of a complex filter of
        bandwidth B varies no faster than about 2 * B, so a stride below sample_rate / (2 * B) loses next to nothing.

    Raises
    ------
    ParameterError
        If the lengths do not fit each other, or all taps are zero.

    Notes
    -----
    Its geometry: span ``window - stride + taps``, hop ``hop``, latency ``(window + hop) // 2 - stride`` and what the
    filters look ahead. Sums are float32, added in the order of taps, then of time.

    Examples
    --------
    >>> from audiotconv.filters import gammatone_bank
    >>> stage = BankEnergy(gammatone_bank(4, sample_rate=8000, fmax=3600), window=200, hop=80, stride=2)
    >>> stage.run(np.ones((1, 8000), np.float32), -stage.geometry.lead, stage.geometry.count(8000), 1).shape
    (1, 4, 100)
    """

    def __init__(self, bank: FilterBank, *, window: int, hop: int, stride: int = 1) -> None:
        for name, value in (("window", window), ("hop", hop), ("stride", stride)):
            if value < 1:
                raise ParameterError(f"{name} is {value} samples; it must be at least 1")
        if window % stride or hop % stride:
            raise ParameterError(f"window ({window}) and hop ({hop}) must be multiples of the stride ({stride})")
        if hop > window:
            raise ParameterError(f"hop is {hop} and window {window} samples; windows must not leave gaps")
        self.bank = bank
        self.window, self.hop, self.stride = window, hop, stride
        self.features = bank.names
        taps, back = used_taps(bank)
        span = window - stride + taps.shape[1]
        lead = (window - hop) // 2 + back
        self.geometry = Geometry(
            span=span, hop=hop, lead=lead, trail=span - 1 - lead, centre=2 * back + window - stride
        )
        self._taps, self._extent = _packed(taps)
        self._chunk = _chunk_hops(hop // stride)

    def run(
        self, x: NDArray[Any], origin: int, frames: int, threads: int, first: int = 0, memory: Any = None
    ) -> NDArray[np.float32]:
        """Shape: (channels, time) -> (channels, bands, frames)"""
        bands = len(self.features)
        out = np.empty((x.shape[0], bands, frames), np.float32)
        hop, window = self.hop // self.stride, self.window // self.stride
        cells = frames + -(-window // hop) - 1 if frames else 0
        sums = aligned_empty((x.shape[0], cells, 2, self._taps.shape[0] * kernels.BAND_GROUP))
        kernels.bank_energy(
            x, scale_of(x.dtype), origin, self.stride, self._taps, self._extent, hop, window, self._chunk, sums, out,
            threads=threads,
        )  # fmt: skip
        return out

    @property
    def operations(self) -> float:
        """Floating-point operations for each sample and channel: two for every tap that is multiplied."""
        taps = int((self._extent[:, 1] - self._extent[:, 0]).sum()) * int(kernels.BAND_GROUP * self._taps.shape[1])
        return 2.0 * taps / self.stride


def used_taps(bank: FilterBank) -> tuple[NDArray[Any], int]:
    """The taps without those that are zero in all bands, and how far before its own sample an output sees.

    What a frame sees is what its taps do not ignore: a gammatone's first one, for example, is always zero.
    """
    used = np.flatnonzero(bank.taps.any(axis=0))
    if not len(used):
        raise ParameterError("every tap of the bank is zero")
    return bank.taps[:, used[0] : used[-1] + 1], int(used[-1]) - bank.advance


def _packed(taps: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Taps in the kernel's order: (groups, parts, span, BAND_GROUP), last tap first; and where they are not zero."""
    bands, span = taps.shape
    groups = -(-bands // kernels.BAND_GROUP)
    parts = [taps.real, taps.imag] if np.iscomplexobj(taps) else [taps]
    rows = np.zeros((len(parts), groups * kernels.BAND_GROUP, span))
    for row, part in zip(rows, parts, strict=True):
        row[:bands] = part[:, ::-1]
    packed = aligned_empty((groups, len(parts), span, kernels.BAND_GROUP))
    packed[...] = rows.reshape(len(parts), groups, kernels.BAND_GROUP, span).transpose(1, 0, 3, 2)
    extent = np.zeros((groups, 2), np.int64)
    for group in range(groups):
        at = np.flatnonzero(packed[group].any(axis=(0, 2)))
        if len(at):
            extent[group] = at[0], at[-1] + 1
    return packed, extent


def _chunk_hops(hop: int) -> int:
    """How many hops to filter at a time so that whole register tiles are filled best."""
    choices = range(1, max(1, _CHUNK_OUTPUTS // hop) + 1)
    return max(choices, key=lambda hops: (hops * hop / (-(-hops * hop // kernels.ROWS) * kernels.ROWS), hops))
