"""A recording's samples become what a recipe runs on: one channel or all, at its sample rate, of its length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from .resample import Resampler, check_rates, resampled_length
from .samples import mean_of_channels

__all__ = ["Inlet", "Intake"]

_PIECE_VALUES = 1 << 20  # given at a time where resampling or padding makes new samples


class Intake:
    """Takes a recording's blocks; gives the mean of its channels or each, resampled, and cut or padded at its end.

    Where none of this is asked for, the samples are given as they are. Blocks have no influence on the samples.

    Parameters
    ----------
    source_rate : int
        The recording's, in Hz.
    sample_rate : int, optional
        What it is resampled to; by default `source_rate`.
    samples : int, optional
        The length that is given, at `sample_rate`: longer recordings are cut, shorter ones get zeros at their end.
    mono : bool
        Give the mean of the channels.

    Raises
    ------
    AudioError
        If one rate is more than MAX_RATIO times the other.

    Examples
    --------
    >>> intake = Intake(44100, 16000, samples=20000)
    >>> pieces = [piece for piece, _ in intake.pieces([np.ones((1, 44100), np.int16)])]
    >>> sum(piece.shape[1] for piece in pieces), intake.length(44100)
    (20000, 20000)
    """

    def __init__(
        self, source_rate: int, sample_rate: int | None = None, samples: int | None = None, *, mono: bool = False
    ) -> None:
        self.source_rate = source_rate
        self.sample_rate = source_rate if sample_rate is None else sample_rate
        self.samples = samples
        self.mono = mono
        check_rates(self.source_rate, self.sample_rate)

    @property
    def resamples(self) -> bool:
        """Whether the recording has another rate."""
        return self.source_rate != self.sample_rate

    def channels(self, channels: int) -> int:
        """How many channels a recording of `channels` gives."""
        return 1 if self.mono else channels

    def length(self, n: int) -> int:
        """How many samples a recording of `n` samples gives."""
        return resampled_length(n, self.source_rate, self.sample_rate) if self.samples is None else self.samples

    def pieces(self, blocks: Iterable[NDArray[Any]], *, ahead: bool = False) -> Iterator[tuple[NDArray[Any], bool]]:
        """The samples in pieces, and with each whether it is the last one.

        All blocks are read, also those after the end of a fixed length: whatever is wrong with the rest is found. With
        `ahead` they are read one ahead, so that a recording of one block is one piece.

        Shape of each: (channels, time)
        """
        inlet = held = None
        for block in blocks:
            inlet = inlet or Inlet(self, block.shape[0])
            if held is not None:
                yield from inlet.push(held)
            held = block
            if not ahead:
                yield from inlet.push(held)
                held = None
        if inlet is not None:
            yield from inlet.finish() if held is None else inlet.end(held)


class Inlet:
    """An `Intake` on its way along one recording, whose blocks are pushed.

    Parameters
    ----------
    intake : Intake
    channels : int
        Of the recording.
    resumable : bool
        Keep what `state` needs.
    """

    def __init__(self, intake: Intake, channels: int, *, resumable: bool = False) -> None:
        self._intake = intake
        self._missing = intake.samples
        self._rows = intake.channels(channels)
        self._empty = np.empty((self._rows, 0), np.float32)
        self._plain = not intake.resamples and intake.samples is None
        self._resampler: Resampler | None = None
        if intake.resamples:
            self._resampler = Resampler(intake.source_rate, intake.sample_rate, self._rows, resumable=resumable)

    def push(self, arrived: NDArray[Any]) -> Iterable[tuple[NDArray[Any], bool]]:
        """The samples that a block gives, in pieces, and with each whether it is the last one."""
        block = mean_of_channels(arrived) if self._intake.mono else arrived
        if self._resampler is None and self._empty.dtype != block.dtype:
            self._empty = np.empty((self._rows, 0), block.dtype)
        return ((block, False),) if self._plain else self._pieces(block)

    def end(self, arrived: NDArray[Any]) -> Iterator[tuple[NDArray[Any], bool]]:
        """The samples that the last block gives: in one piece where they are taken as they are."""
        pieces = self.push(arrived)
        if self._plain:
            yield from ((piece, True) for piece, _ in pieces)
            return
        yield from pieces
        yield from self.finish()

    def _pieces(self, block: NDArray[Any]) -> Iterator[tuple[NDArray[Any], bool]]:
        if self._missing == 0:
            return
        for part in self._parts(block):
            piece = part if self._resampler is None else self._resampler.push(part)
            if self._missing is not None:
                piece = piece[:, : self._missing]
                self._missing -= piece.shape[1]
            yield piece, self._missing == 0
            if self._missing == 0:
                return

    def finish(self) -> Iterator[tuple[NDArray[Any], bool]]:
        """What remains at the recording's end."""
        if self._missing == 0:
            return
        rest = self._empty if self._resampler is None else self._resampler.push(self._empty, last=True)
        if self._missing is None:
            yield rest, True
            return
        rest = rest[:, : self._missing]
        self._missing -= rest.shape[1]
        yield rest, self._missing == 0
        zeros = np.zeros((self._rows, min(self._missing, max(1, _PIECE_VALUES // self._rows))), rest.dtype)
        while self._missing:
            piece = zeros[:, : self._missing]
            self._missing -= piece.shape[1]
            yield piece, self._missing == 0

    def _parts(self, block: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """The block in parts that become at most about _PIECE_VALUES values."""
        if self._resampler is None or block.shape[1] == 0:
            yield block
            return
        most = max(self._intake.source_rate, self._intake.sample_rate) * block.shape[0]
        step = max(1, _PIECE_VALUES * self._intake.source_rate // most)
        for start in range(0, block.shape[1], step):
            yield block[:, start : start + step]

    def state(self) -> dict[str, NDArray[Any]]:
        """What a resumable one needs to go on, as arrays by name."""
        missing = -1 if self._missing is None else self._missing
        state = {} if self._resampler is None else self._resampler.state()
        return {"missing": np.array(missing), "kind": self._empty, **state}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Go on where another one was.

        Raises
        ------
        ParameterError
            If the state cannot be that of a like one.
        """
        missing, kind = state.get("missing"), state.get("kind")
        if missing is None or missing.shape or kind is None or kind.shape != self._empty.shape:
            raise ParameterError("the state of the samples' way in is not whole")
        if self._missing is not None:
            self._missing = min(self._missing, max(0, int(missing)))
        self._empty = kind
        if self._resampler is not None:
            self._resampler.restore(state)
