"""Sample rate conversion of a signal that arrives in blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from ..errors import AudioError
from .samples import scale_of

__all__ = ["MAX_RATIO", "QUALITY", "Resampler", "check_rates", "resampled_length"]

QUALITY = "HQ"  # soxr's: 20 bits, linear phase, a passband up to 0.913 of the lower rate's half
MAX_RATIO = 256

_STRETCH = 1 << 15  # samples that are converted and resampled at a time: they stay in the second-level cache


def check_rates(source_rate: int, sample_rate: int) -> None:
    """Raise AudioError, reason "unsupported", where one rate is more than MAX_RATIO times the other."""
    if max(source_rate, sample_rate) > MAX_RATIO * min(source_rate, sample_rate):
        raise AudioError(
            f"a recording of {source_rate} Hz cannot be resampled to {sample_rate} Hz; "
            f"one rate may be at most {MAX_RATIO} times the other",
            "unsupported",
        )


def resampled_length(n: int, source_rate: int, sample_rate: int) -> int:
    """How many samples `n` samples become: n * sample_rate / source_rate, rounded to the nearest, halves up.

    >>> resampled_length(44100, 44100, 16000), resampled_length(3, 16000, 8000)
    (16000, 2)
    """
    return (2 * n * sample_rate + source_rate) // (2 * source_rate)


class Resampler:
    """Resamples a signal by soxr, quality "HQ", in blocks of any size; these have no influence on any bit.

    What soxr gives does not depend on its chunks (the tests hold it to that), and channels do not see each other. Its
    delay is taken out: sample k of the result is the signal at the time k / sample_rate. Before and after the signal
    there are zeros. All samples together are as many as `resampled_length` says.

    Parameters
    ----------
    source_rate, sample_rate : int
        In Hz, from and to.
    channels : int

    Raises
    ------
    AudioError
        If one rate is more than MAX_RATIO times the other.

    Examples
    --------
    >>> tone = np.sin(np.arange(4410) * 0.1).astype(np.float32)[None]
    >>> resampler = Resampler(44100, 16000, 1)
    >>> first, rest = resampler.push(tone[:, :3000]), resampler.push(tone[:, 3000:], last=True)
    >>> first.shape[1] + rest.shape[1]
    1600
    """

    def __init__(self, source_rate: int, sample_rate: int, channels: int) -> None:
        check_rates(source_rate, sample_rate)
        self._rates = source_rate, sample_rate
        # One for each channel: nothing is interleaved, which takes longer than the rest with many channels.
        self._streams = [
            soxr.ResampleStream(source_rate, sample_rate, 1, dtype="float32", quality=QUALITY) for _ in range(channels)
        ]
        self._taken = self._given = 0

    def push(
        self, block: NDArray[np.int16] | NDArray[np.int32] | NDArray[np.float32], last: bool = False
    ) -> NDArray[np.float32]:
        """The samples that `block` completes, at full scale 1; with `last`, all that remain.

        Shape: (channels, time) -> (channels, time), of which there may be none
        """
        self._taken += block.shape[1]
        rows = [self._row(stream, row, last) for stream, row in zip(self._streams, block, strict=True)]
        most = rows[0].size
        if last:
            most = resampled_length(self._taken, *self._rates) - self._given
        out = np.stack([row[:most] for row in rows])
        self._given += out.shape[1]
        return out

    def _row(self, stream: soxr.ResampleStream, row: NDArray[Any], last: bool) -> NDArray[np.float32]:
        scale = scale_of(row.dtype)
        parts = [np.empty(0, np.float32)]
        for start in range(0, row.size, _STRETCH):
            samples = row[start : start + _STRETCH].astype(np.float32) * scale
            parts.append(stream.resample_chunk(samples))
        if last:
            # soxr rounds the length in floating point: it gets zeros that are enough for two more samples, and what
            # is too much is cut.
            source_rate, sample_rate = self._rates
            parts.append(stream.resample_chunk(np.zeros(2 * source_rate // sample_rate + 2, np.float32), last=True))
        return np.concatenate(parts)
