"""Sample rate conversion of a signal that arrives in blocks."""

from __future__ import annotations

import functools
import math
from collections import deque
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from ..errors import AudioError, ParameterError
from .samples import scale_of

__all__ = ["MAX_RATIO", "QUALITY", "Resampler", "check_rates", "resampled_length", "resampling_delay"]

QUALITY = "HQ"  # soxr's: 20 bits, linear phase, a passband up to 0.913 of the lower rate's half
MAX_RATIO = 256

# soxr's state cannot be had, so a long signal is resampled in stretches, each by a soxr of its own that begins early
# enough to be settled. The stretches lie on a fixed grid; a saved stream goes on from where its stretch began.
_LEAST_STRETCH = 1 << 17  # samples; each of a whole number of samples at both rates
_SETTLED = 256  # samples of the lower rate: soxr's filters reach about 110 to each side

_MOST_BURSTS = 1024  # after which the delay is taken to be known
_AT_ONCE = 1 << 15  # samples that are converted and resampled at a time: they stay in the second-level cache


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
    resumable : bool
        Keep what `state` needs.

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

    def __init__(self, source_rate: int, sample_rate: int, channels: int, *, resumable: bool = False) -> None:
        check_rates(source_rate, sample_rate)
        self._rates = source_rate, sample_rate
        self._channels = channels
        common = math.gcd(source_rate, sample_rate)
        unit, self._made = source_rate // common, sample_rate // common  # samples of both rates take as long
        self._unit = unit
        lead = _SETTLED * max(1.0, source_rate / sample_rate)
        self._lead = math.ceil(lead / unit) * unit
        self._stretch = math.ceil(max(_LEAST_STRETCH, 16 * lead) / unit) * unit
        self._taken = self._given = 0
        self._runs: deque[_Run] = deque()
        self._past: deque[NDArray[Any]] | None = deque() if resumable else None
        self._past_begin = 0
        self._begin(0)

    def _begin(self, number: int) -> None:
        """Begin the run of a stretch."""
        self._next = (number + 1) * self._stretch - self._lead  # where the following one begins
        first, end = (self._of(stretch * self._stretch) for stretch in (number, number + 1))
        made = self._of(max(0, number * self._stretch - self._lead))
        self._runs.append(_Run(self._rates, self._channels, made, first, end))

    def _of(self, position: int) -> int:
        """The result's sample at a position of the signal, a multiple of the unit."""
        return position // self._unit * self._made

    def push(
        self, block: NDArray[np.int16] | NDArray[np.int32] | NDArray[np.float32], last: bool = False
    ) -> NDArray[np.float32]:
        """The samples that `block` completes, at full scale 1; with `last`, all that remain.

        Shape: (channels, time) -> (channels, time), of which there may be none
        """
        parts: list[NDArray[np.float32]] = []
        scale = scale_of(block.dtype)
        start = 0
        while start < block.shape[1]:
            if self._taken == self._next:
                self._begin(self._next // self._stretch + 1)
            stop = min(block.shape[1], start + _AT_ONCE, start + self._next - self._taken)
            piece = block[:, start:stop]
            if self._past is not None:
                self._past.append(piece.copy())
            samples = piece.astype(np.float32) * scale
            for run in self._runs:
                run.feed(samples)
            self._taken += stop - start
            start = stop
            self._collect(parts)
        if last:
            # soxr rounds the length in floating point: it gets zeros that are enough for two more samples, and what
            # is too much is cut.
            source_rate, sample_rate = self._rates
            zeros = np.zeros((self._channels, 2 * source_rate // sample_rate + 2), np.float32)
            for run in self._runs:
                run.feed(zeros, last=True)
            self._collect(parts)
        out: NDArray[np.float32] = np.concatenate([np.empty((self._channels, 0), np.float32), *parts], axis=1)
        if last:
            out = out[:, : resampled_length(self._taken, *self._rates) - self._given]
        self._given += out.shape[1]
        return out

    def _collect(self, parts: list[NDArray[np.float32]]) -> None:
        """What the runs have made, in order; runs that are done go."""
        while True:
            parts += self._runs[0].collect()
            if not self._runs[0].done or len(self._runs) == 1:
                break
            self._runs.popleft()
            if self._past is not None:
                begin = (self._next // self._stretch) * self._stretch - self._lead
                while self._past and self._past_begin + self._past[0].shape[1] <= begin:
                    self._past_begin += self._past.popleft().shape[1]

    def state(self) -> dict[str, NDArray[Any]]:
        """What a resumable one needs to go on, as arrays by name."""
        assert self._past is not None
        past = np.concatenate(self._past, axis=1) if self._past else np.empty((self._channels, 0), np.float32)
        return {"past": past, "at": np.array([self._past_begin, self._given])}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Go on where another one was.

        Raises
        ------
        ParameterError
            If the state cannot be that of one with these rates.
        """
        past, at = state.get("past"), state.get("at")
        if past is None or at is None or past.ndim != 2 or at.shape != (2,) or past.shape[0] != self._channels:
            raise ParameterError("the state of the resampling is not whole")
        begin, given = (int(value) for value in at)
        number = 0 if begin == 0 else (begin + self._lead) // self._stretch
        if begin != max(0, number * self._stretch - self._lead) or begin < 0:
            raise ParameterError(f"the state of the resampling begins at sample {begin}, where no stretch does")
        self._runs.clear()
        self._past = deque()
        self._taken = self._past_begin = begin
        self._given = self._of(number * self._stretch)
        self._begin(number)
        self.push(past)
        if self._given != given:
            raise ParameterError(f"the state of the resampling is at sample {given}; what it holds gives {self._given}")


class _Run:
    """A soxr for each channel, of whose result the samples from `first` to `end` count; the first is number `made`."""

    def __init__(self, rates: tuple[int, int], channels: int, made: int, first: int, end: int) -> None:
        # One for each channel: nothing is interleaved, which takes longer than the rest with many channels.
        self._streams = [soxr.ResampleStream(*rates, 1, dtype="float32", quality=QUALITY) for _ in range(channels)]
        self._made, self._next, self._end = made, first, end
        self._waiting: list[NDArray[np.float32]] = []

    @property
    def done(self) -> bool:
        """Whether all of its samples have been collected."""
        return self._next == self._end

    def feed(self, samples: NDArray[np.float32], last: bool = False) -> None:
        """Take the next samples. Shape: (channels, time)"""
        rows = [stream.resample_chunk(row, last=last) for stream, row in zip(self._streams, samples, strict=True)]
        early = max(0, self._next - self._made) if not self._waiting else 0
        self._made += rows[0].size
        if rows[0].size > early:
            self._waiting.append(np.stack(rows)[:, early:])

    def collect(self) -> list[NDArray[np.float32]]:
        """The samples that count, and have not been collected."""
        parts = []
        for part in self._waiting:
            parts.append(part[:, : self._end - self._next])
            self._next += parts[-1].shape[1]
        self._waiting.clear()
        return parts


@functools.lru_cache(maxsize=64)
def resampling_delay(source_rate: int, sample_rate: int) -> float:
    """By how many samples, at the source's rate, the resampled signal is late at most.

    A sample at time t has been given when all samples before t, and as many after it, have been taken.

    >>> 400 < resampling_delay(44100, 16000) < 4000, resampling_delay(16000, 16000)
    (True, 0.0)
    """
    if source_rate == sample_rate:
        return 0.0
    # soxr gives what it has in bursts, at a fixed distance once the first two have come.
    stream = soxr.ResampleStream(source_rate, sample_rate, 1, dtype="float32", quality=QUALITY)
    one = np.zeros(1, np.float32)
    taken = given = 0
    arrivals: list[int] = []
    late = 0.0

    def feed(samples: NDArray[np.float32]) -> int:
        nonlocal taken, given, late
        taken += samples.size
        count = int(stream.resample_chunk(samples).size)
        if count:
            late = max(late, taken - given * source_rate / sample_rate)
        given += count
        return count

    while len(arrivals) < 3:
        if feed(one):
            arrivals.append(taken)
    apart = arrivals[2] - arrivals[1]
    nothing = np.zeros(apart - 1, np.float32)
    for _ in range(min(_MOST_BURSTS, sample_rate // math.gcd(source_rate, sample_rate))):
        feed(nothing)
        feed(one)
    return late
