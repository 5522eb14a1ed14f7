"""`audiotconv stream`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from ..errors import AudioFileError, AudiotconvError, StoreError
from .shell import RecipeName, announced_compilation, app, console_for, stoppable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..extraction import FeatureMap
    from ..stream import Stream

__all__ = ["stream"]

_MOST_BYTES = 1 << 16  # read at a time; a pipe gives what it has, which is less


class _Type(StrEnum):
    INT16 = "int16"
    INT32 = "int32"
    FLOAT32 = "float32"


class _Frames(StrEnum):
    NDJSON = "ndjson"
    FLOAT32 = "float32"


@app.command()
def stream(
    rate: Annotated[int, typer.Option(min=1, help="The sample rate of the input, in Hz.")],
    channels: Annotated[int, typer.Option(min=1, help="How many channels, interleaved.")] = 1,
    dtype: Annotated[_Type, typer.Option(help="The type of the samples, little-endian.")] = _Type.INT16,
    recipe: RecipeName = "gammatone-64",
    format: Annotated[
        _Frames,
        typer.Option(
            help="A line of JSON for each frame, or its values alone as little-endian float32: channel by channel.",
        ),
    ] = _Frames.NDJSON,
    mono: Annotated[bool, typer.Option("--mono", help="One feature map, of the mean of the channels.")] = False,
    stats: Annotated[
        bool, typer.Option("--stats", help="Print the real-time factor and the latency on standard error at the end.")
    ] = False,
) -> None:
    """Raw PCM on standard input, frames of features on standard output as they come.

    For example: arecord -t raw -f S16_LE -r 16000 | audiotconv stream --rate 16000

    A line is {"time": seconds, "values": [[...], ...]}: a list for each channel. The stream ends with the input, or
    when nobody reads its output any more.
    """
    import numpy as np

    from ..stream import Stream

    live = Stream(recipe, rate, channels, mono=mono)
    if sys.stdin is None or sys.stdout is None:
        raise AudioFileError("standard input or output is closed; both are needed", "missing")
    if sys.stdin.isatty():
        raise AudioFileError(
            "standard input is a terminal; raw PCM is needed, as from arecord, sox or ffmpeg", "missing"
        )
    with announced_compilation(console_for(stderr=True)):  # before sound is kept waiting
        Stream(recipe, rate, channels, mono=mono).push(np.zeros((channels, rate), dtype.value))
    counts = _Counts()
    with stoppable("frames that wait for more sound are lost"):
        write = _written if format is _Frames.NDJSON else _raw
        try:
            for chunk in _chunks(sys.stdin.buffer, channels, dtype.value):
                _put(write(counts.timed(live, chunk)))
            _put(write(counts.timed(live, None)))
        except AudiotconvError:
            raise
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if not isinstance(error, BrokenPipeError):  # whose reader has what it wanted
                raise StoreError(f"the stream broke off: {error.strerror or error}") from None
    if stats:
        counts.report(live)


@dataclass
class _Counts:
    """What `--stats` prints."""

    samples: int = 0
    frames: int = 0
    spent: float = 0.0
    seconds: list[float] = field(default_factory=list)

    def timed(self, live: Stream, chunk: NDArray[Any] | None) -> FeatureMap:
        """The frames that a chunk gives, or the end of the signal where there is none."""
        started = time.perf_counter()
        given = live.flush() if chunk is None else live.push(chunk)
        elapsed = time.perf_counter() - started
        self.spent += elapsed
        if len(self.seconds) < 1 << 20:
            self.seconds.append(elapsed)
        self.frames += given.shape[2]
        self.samples += 0 if chunk is None else chunk.shape[1]
        return given

    def report(self, live: Stream) -> None:
        """On standard error, as standard output has the frames."""
        import numpy as np

        audio, spent = self.samples / live.sample_rate, self.spent
        middle, high = np.percentile(self.seconds, [50, 99]) * 1e6
        factor = f"{audio / spent:,.0f} x real time" if spent else "no time"
        typer.echo(
            f"{audio:.2f} s of audio, {self.frames:,} frames in {spent:.3f} s of computing ({factor}); "
            f"a chunk takes {middle:.0f} us, the slowest of a hundred {high:.0f} us; "
            f"latency {live.latency.samples} samples, {live.latency.seconds * 1e3:.1f} ms",
            err=True,
        )


def _chunks(source: BinaryIO, channels: int, dtype: str) -> Iterator[NDArray[Any]]:
    """What standard input holds, as it comes: (channels, time)."""
    import numpy as np

    kind = np.dtype(dtype).newbyteorder("<")
    size = channels * kind.itemsize
    held = b""
    while data := source.raw.read(_MOST_BYTES) if hasattr(source, "raw") else source.read(_MOST_BYTES):
        held += data
        whole = len(held) // size * size
        if whole:
            yield np.frombuffer(held[:whole], kind).reshape(-1, channels).T
        held = held[whole:]
    if held:
        typer.echo(f"warning: the input ends within a sample; its last {len(held)} bytes are left out", err=True)


def _written(given: FeatureMap) -> bytes:
    """A line of JSON for each frame; nine digits are enough to tell every float32 apart."""
    lines = []
    for time_, frame in zip(given.frame_times.tolist(), given.values.transpose(2, 0, 1), strict=True):
        rows = ",".join(f"[{','.join(map('{:.9g}'.format, row))}]" for row in frame.tolist())
        lines.append(f'{{"time":{time_!r},"values":[{rows}]}}\n')
    return "".join(lines).encode()


def _raw(given: FeatureMap) -> bytes:
    """The frames one after the other: (frames, channels, features)."""
    return given.values.transpose(2, 0, 1).astype("<f4").tobytes()


def _put(data: bytes) -> None:
    """Write all of it now."""
    if data:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
