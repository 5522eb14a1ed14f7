"""Where a run's features go: one class for each store format.

`keep` is called by the worker that computes a recording, `take` by the run's own thread with what `keep` gave, in
the order of the plan, so that the store does not depend on which worker was faster.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..audio import shown
from ..errors import AudioFileError, AudiotconvError, StoreError
from .folder import RunFolder
from .manifest import INDEX
from .names import longest_name, npy_names
from .npy import NpyWriter
from .plan import Item, text
from .store import ROW_VALUES, Part, ShardWriter, write_index

__all__ = ["Kept", "NpySink", "ParquetSink", "Recording", "Sink"]

# What file systems say to names that they cannot have.
_REFUSED = (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.EEXIST, errno.ENOTDIR, errno.EISDIR)


@dataclass(frozen=True, slots=True)
class Recording:
    """What is known of a recording before its features are computed."""

    item: Item
    label: str | None
    sample_rate: int
    recipe_rate: int  # that the recipe runs at
    rows: tuple[int, int]  # channels and features
    hop: int
    expected: int | None  # frames
    samples: int | None  # of the recipe's fixed length, at its rate
    recipe: str
    recipe_hash: str

    def part(self, number: int, first: int, frames: int, samples: int, last: bool) -> Part:
        """One row; `samples` of the recording have been read, and are all of them where the row is its last one."""
        # Times in units of which a second has a whole number, at both rates.
        start, end = first * self.hop * self.sample_rate, (first + frames) * self.hop * self.sample_rate
        if self.samples is not None:
            read = min(samples * self.recipe_rate, self.samples * self.sample_rate)
            end = read if last else min(end, read)
        elif last:
            end = samples * self.recipe_rate
        return Part(
            key=self.item.key,
            path=text(self.item.path),
            label=self.label,
            sample_rate=self.sample_rate,
            duration=max(0, end - start) / (self.sample_rate * self.recipe_rate),
            part=number,
            first_frame=first,
            recipe=self.recipe,
            recipe_hash=self.recipe_hash,
            shape=[*self.rows, frames],
        )


@dataclass(slots=True)
class Kept:
    """A recording's features in memory, or the file they were written to."""

    parts: list[Part]
    values: NDArray[np.float32] | None = None
    file: Path | None = None


class Length(Protocol):
    """Tells how many samples of a recording have been read: its length, in the end."""

    def __call__(self) -> int: ...


class Sink(Protocol):
    """A store format."""

    def keep(self, recording: Recording, blocks: Iterable[NDArray[np.float32]], length: Length) -> Kept:
        """Hold or write one recording's features: in a worker's thread."""

    def take(self, kept: Kept) -> None:
        """Put what was kept into the store: in the run's thread, in the plan's order."""

    def close(self) -> None:
        """Finish the store's files."""


@contextlib.contextmanager
def _writing(folder: RunFolder) -> Iterator[None]:
    """System errors while writing are the store's, and end the run; they are not the recording's."""
    try:
        yield
    except AudiotconvError:
        raise
    except OSError as error:
        raise StoreError(f"{shown(folder.target)} cannot be written: {error.strerror or error}") from None


class ParquetSink:
    """Rows in Parquet shards. A recording that is too long for one row gets a shard of its own, written as it comes."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._count = 0
        self._shard: ShardWriter | None = None

    def keep(self, recording: Recording, blocks: Iterable[NDArray[np.float32]], length: Length) -> Kept:
        """In memory, if it fits into one row."""
        most = max(1, ROW_VALUES // (recording.rows[0] * recording.rows[1]))
        if recording.expected is not None and recording.expected <= most:
            found = list(blocks)
            empty = np.empty((*recording.rows, 0), np.float32)
            values = found[0] if len(found) == 1 else np.concatenate([empty, *found], axis=2)
            return Kept([recording.part(0, 0, values.shape[2], length(), True)], values)
        return self._keep_long(recording, _regrouped(blocks, most), length)

    def _keep_long(self, recording: Recording, rows: Iterable[NDArray[np.float32]], length: Length) -> Kept:
        """Write its file."""
        path = self._folder.scratch / f"{os.urandom(8).hex()}.parquet"
        parts: list[Part] = []
        with _writing(self._folder):
            writer = ShardWriter(path)
        try:
            first = 0
            held: NDArray[np.float32] | None = None
            for row in rows:  # one row late, as the last one knows the recording's length
                if held is not None:
                    parts.append(recording.part(len(parts), first, held.shape[2], length(), False))
                    with _writing(self._folder):
                        writer.add(parts[-1], held)
                    first += held.shape[2]
                held = row
            last = np.empty((*recording.rows, 0), np.float32) if held is None else held
            parts.append(recording.part(len(parts), first, last.shape[2], length(), True))
            with _writing(self._folder):
                writer.add(parts[-1], last)
                writer.close()
        except BaseException:
            with contextlib.suppress(Exception):
                writer.close()
            path.unlink(missing_ok=True)
            raise
        return Kept(parts, file=path)

    def take(self, kept: Kept) -> None:
        """Append to the current shard, or give a shard of its own its number."""
        with _writing(self._folder):
            if kept.file is not None:
                self._close_shard()
                os.replace(kept.file, self._next())
                return
            if self._shard is None:
                self._shard = ShardWriter(self._next())
            assert kept.values is not None
            self._shard.add(kept.parts[0], kept.values)
            if self._shard.full:
                self._close_shard()

    def _next(self) -> Path:
        self._count += 1
        return self._folder.files / f"features-{self._count - 1:05d}.parquet"

    def _close_shard(self) -> None:
        if self._shard is not None:
            self._shard.close()
            self._shard = None

    def close(self) -> None:
        """Close the current shard."""
        with _writing(self._folder):
            self._close_shard()


class NpySink:
    """One .npy file per recording, in the inputs' tree, and `index.parquet` with the rows' other columns."""

    def __init__(self, folder: RunFolder, items: Sequence[Item]) -> None:
        self._folder = folder
        self._names = npy_names([item.key for item in items], longest_name(folder.files))
        self._placing = threading.Lock()
        self._parts: list[Part] = []
        self._files: list[str] = []

    def keep(self, recording: Recording, blocks: Iterable[NDArray[np.float32]], length: Length) -> Kept:
        """Write its file."""
        path = self._folder.scratch / f"{os.urandom(8).hex()}.npy"
        with _writing(self._folder):
            writer = NpyWriter(path, recording.rows, recording.expected or 0)
        try:
            for block in blocks:
                with _writing(self._folder):
                    writer.add(block)
            with _writing(self._folder):
                writer.close()
                place = self._place(path, recording.item)
        except BaseException:
            writer.abandon()
            path.unlink(missing_ok=True)
            raise
        return Kept([recording.part(0, 0, writer.frames, length(), True)], file=place)

    def _place(self, path: Path, item: Item) -> Path:
        """Give the file its name in the tree; a name that the file system refuses is the recording's failure."""
        place = self._folder.files / self._names[item.key]
        try:
            with self._placing:
                place.parent.mkdir(parents=True, exist_ok=True)
                if place.exists():  # under another spelling: there are file systems without upper and lower case
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
                os.replace(path, place)
        except OSError as error:
            if error.errno not in _REFUSED:
                raise
            message = f"{shown(item.path)} cannot be stored under its name: {error.strerror}; rename it, or use Parquet"
            raise AudioFileError(message, "unusable name") from None
        return place

    def take(self, kept: Kept) -> None:
        """Note its row."""
        assert kept.file is not None
        self._parts += kept.parts
        self._files.append(kept.file.relative_to(self._folder.files).as_posix())

    def close(self) -> None:
        """Write the index."""
        with _writing(self._folder):
            write_index(self._folder.files / INDEX, self._parts, self._files)


def _regrouped(blocks: Iterable[NDArray[np.float32]], frames: int) -> Iterator[NDArray[np.float32]]:
    """The same frames in blocks of `frames`, the last one shorter."""
    held: list[NDArray[np.float32]] = []
    count = 0
    for block in blocks:
        held.append(block)
        count += block.shape[2]
        while count >= frames:
            joined = np.concatenate(held, axis=2)
            yield np.ascontiguousarray(joined[:, :, :frames])
            held = [joined[:, :, frames:].copy()]
            count -= frames
    if count:
        yield np.concatenate(held, axis=2)
