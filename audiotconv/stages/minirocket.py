"""MiniRocket's features of a signal: of all of it, and of windows along it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from ..filters.nine_taps import KERNEL_PLACES, NineTapBank
from ..geometry import Geometry
from ..kernels.minirocket import minirocket
from .base import WHOLE, Stage, Step
from .checks import integer_at_least
from .frame_stage import FrameStage

__all__ = ["MiniRocketClip", "MiniRocketMap", "ppv"]

_BLOCK = 1 << 16  # time steps that are counted together
_FAR = 1 << 60


def ppv(bank: NineTapBank, x: NDArray[np.float32], threads: int = 1) -> NDArray[np.float32]:
    """The share of a series' outputs above each limit: MiniRocket's features.

    Shape: (channels, time), C-contiguous, at least one time step -> (features,)
    """
    n = x.shape[1]
    counts = np.empty((-(-n // _BLOCK), len(bank.limits)), np.int64)
    _count(bank, x, 0, _BLOCK, 1, 0, n, counts, threads)
    return _shares(bank, counts.sum(axis=0), n)


def _shares(bank: NineTapBank, counts: NDArray[np.int64], n: int) -> NDArray[np.float32]:
    return (counts / (n - 2 * bank.leads(n))).astype(np.float32)


def _count(
    bank: NineTapBank,
    x: NDArray[np.float32],
    start: int,
    length: int,
    cut: int,
    low: int,
    high: int,
    counts: NDArray[np.int64],
    threads: int,
) -> None:
    minirocket(
        x, start, length, bank.dilations, bank.features_per_dilation, KERNEL_PLACES, bank.starts, bank.channel_indices,
        bank.limits, cut, low, high, counts, threads=threads,
    )  # fmt: skip


def _fitting(features: tuple[str, ...], bank: NineTapBank) -> None:
    if len(features) != bank.channels:
        raise ParameterError(
            f"the MiniRocket was fitted to {bank.channels} channels, and there are {len(features)} features"
        )


class MiniRocketMap(FrameStage):
    """MiniRocket's features of windows: what a classifier of clips says about every moment of a recording.

    Parameters
    ----------
    features : tuple of str
        The input's feature names; they are the series' channels.
    bank : NineTapBank
    size, hop : int
        The window's length, and from one to the next, in inputs.

    Raises
    ------
    ParameterError
        If the bank is for another number of channels, or a parameter is out of its range.

    Notes
    -----
    Shape: (channels, features, time) -> (channels, the bank's features, frames). Streams.

    A feature is the share of a window's outputs that are above a limit. All of a window's outputs count: they see
    what stands before and after it, and zeros beyond the signal's ends.
    """

    def __init__(self, features: tuple[str, ...], bank: NineTapBank, size: int, hop: int) -> None:
        _fitting(features, bank)
        self._bank = bank
        self.size, self.hop = integer_at_least("size", size, 1), integer_at_least("hop", hop, 1)
        reach = bank.span // 2
        self.features = bank.feature_names
        self.geometry = Geometry(self.size + 2 * reach, self.hop, reach, reach)

    @property
    def operations(self) -> float:
        """Operations for each value of the input: a comparison and an addition for each limit."""
        return 2.0 * len(self._bank.limits) / self._bank.channels

    def run(
        self, x: NDArray[Any], origin: int, frames: int, threads: int, first: int = 0, memory: Any = None
    ) -> NDArray[np.float32]:
        """Shape: (channels, features, time) -> (channels, features, frames)"""
        out = np.empty((len(x), len(self.features), frames), np.float32)
        if not frames:
            return out
        block = math.gcd(self.size, self.hop)
        blocks = ((frames - 1) * self.hop + self.size) // block
        at = np.arange(frames) * (self.hop // block)
        begin = origin + self.geometry.lead
        for signal, result in zip(x, out, strict=True):
            counts = np.empty((blocks, len(self.features)), np.int64)
            part = np.ascontiguousarray(signal)
            _count(self._bank, part, begin, block, 0, begin, begin + blocks * block, counts, threads)
            sums = np.concatenate([np.zeros((1, len(self.features)), np.int64), np.cumsum(counts, axis=0)])
            result[:] = ((sums[at + self.size // block] - sums[at]) / self.size).T
        return out


class MiniRocketClip(Stage):
    """MiniRocket's features of a whole signal, as one frame.

    Parameters
    ----------
    features : tuple of str
        The input's feature names; they are the series' channels.
    bank : NineTapBank

    Raises
    ------
    ParameterError
        If the bank is for another number of channels.

    Notes
    -----
    Shape: (channels, features, time) -> (channels, the bank's features, 1). Depends on the whole signal, of which it
    holds no more than the longest kernel's span and a block.
    """

    whole = True

    def __init__(self, features: tuple[str, ...], bank: NineTapBank) -> None:
        _fitting(features, bank)
        self.bank = bank
        self.features = bank.feature_names
        self.geometry = WHOLE

    @property
    def operations(self) -> float:
        """Operations for each value of the input."""
        return 2.0 * len(self.bank.limits) / self.bank.channels

    def step(self, channels: int) -> Step:
        """A step that counts as the signal comes."""
        return _ClipStep(self.bank, channels)


class _ClipStep(Step):
    """Counts so far, and the inputs that outputs not counted yet still see."""

    def __init__(self, bank: NineTapBank, channels: int) -> None:
        self._bank = bank
        self._counts = np.zeros((channels, len(bank.limits)), np.int64)
        self._parts: list[NDArray[Any]] = []
        self._first = 0  # the number of the first input that is held
        self._held = 0
        self._next = 0  # the first output that is not counted

    def take(self, x: NDArray[Any], last: bool, threads: int) -> int:
        self._parts.append(x.astype(np.float32))
        self._held += x.shape[-1]
        end = self._first + self._held
        # While the signal may be shorter than a kernel nothing is known about which outputs count.
        reach = self._bank.span // 2
        stop = end
        if not last:
            stop = self._next + (end - reach - self._next) // _BLOCK * _BLOCK if end > 2 * reach else 0
        if stop > self._next:
            joined = np.concatenate(self._parts, axis=-1)
            first = self._first
            # Times of the kernel are places in what is held; where the signal ends is known at the end only.
            high = end - first if last else _FAR
            for signal, counts in zip(joined, self._counts, strict=True):
                found = np.empty((-(-(stop - self._next) // _BLOCK), len(counts)), np.int64)
                part = np.ascontiguousarray(signal)
                _count(self._bank, part, self._next - first, _BLOCK, 1, -first, high, found, threads)
                counts += found.sum(axis=0)
            self._next = stop
            drop = max(0, stop - reach - first)
            self._parts = [joined[..., drop:].copy()]
            self._first, self._held = first + drop, joined.shape[-1] - drop
        return int(last and end > 0)

    def give(self, frames: int, threads: int) -> NDArray[np.float32]:
        return np.stack([_shares(self._bank, counts, self._next) for counts in self._counts])[:, :, None]

    def state(self) -> dict[str, NDArray[Any]]:
        state = {"at": np.array([self._first, self._next]), "counts": self._counts.copy()}
        return state | ({"held": np.concatenate(self._parts, axis=-1)} if self._parts else {})

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        at, counts, held = state.get("at"), state.get("counts"), state.get("held")
        if at is None or counts is None or at.shape != (2,) or counts.shape != self._counts.shape or at.min() < 0:
            raise ParameterError("the state of a MiniRocket has no counts, or those of another one")
        self._first, self._next = (int(value) for value in at)
        self._counts = counts.astype(np.int64)
        self._parts = [] if held is None else [held.astype(np.float32)]
        self._held = 0 if held is None else held.shape[-1]
