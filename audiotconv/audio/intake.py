"""A recording's samples become what a recipe runs on: one channel or all, at its sample rate, of its length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .resample import Resampler, check_rates, resampled_length
from .samples import mean_of_channels

__all__ = ["Intake"]

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

    def pieces(self, blocks: Iterable[NDArray[Any]]) -> Iterator[tuple[NDArray[Any], bool]]:
        """The samples in pieces, and with each whether it is the last one.

        All blocks are read, also those after the end of a fixed length: whatever is wrong with the rest is found.

        Shape of each: (channels, time)
        """
        resampler = empty = None
        missing = self.samples
        for arrived in blocks:
            if missing == 0:
                continue
            block = mean_of_channels(arrived) if self.mono else arrived
            if self.resamples and resampler is None:
                resampler = Resampler(self.source_rate, self.sample_rate, block.shape[0])
            empty = block[:, :0].copy()
            for part in self._parts(block, resampler):
                piece = part if resampler is None else resampler.push(part)
                if missing is not None:
                    piece = piece[:, :missing]
                    missing -= piece.shape[1]
                yield piece, missing == 0
                if missing == 0:
                    break
        if empty is None or missing == 0:
            return
        rest = empty if resampler is None else resampler.push(empty, last=True)
        if missing is None:
            yield rest, True
            return
        rest = rest[:, :missing]
        missing -= rest.shape[1]
        yield rest, missing == 0
        zeros = np.zeros((rest.shape[0], min(missing, max(1, _PIECE_VALUES // rest.shape[0]))), rest.dtype)
        while missing:
            piece = zeros[:, :missing]
            missing -= piece.shape[1]
            yield piece, missing == 0

    def _parts(self, block: NDArray[Any], resampler: Resampler | None) -> Iterator[NDArray[Any]]:
        """The block in parts that become at most about _PIECE_VALUES values."""
        if resampler is None or block.shape[1] == 0:
            yield block
            return
        most = max(self.source_rate, self.sample_rate) * block.shape[0]
        step = max(1, _PIECE_VALUES * self.source_rate // most)
        for start in range(0, block.shape[1], step):
            yield block[:, start : start + step]
