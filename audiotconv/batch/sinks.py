"""Where a worker puts features: one class for each store format.

Everything of a batch goes into one folder of drafts. The tables in it, and the .npy files, get their names from the
run's owner when the batch has ended.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..audio import shown
from ..errors import AudioFileError, AudiotconvError, StoreError
from .names import NpyNames
from .npy import NpyWriter
from .plan import Item, text
from .store import ROW_VALUES, SHARD_VALUES, Row, Shard, ShardWriter

__all__ = ["Draft", "NpySink", "ParquetSink", "Recording", "Sink"]

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

    def row(self, number: int, first: int, frames: int, samples: int, last: bool) -> Row:
        """One row; `samples` of the recording have been read, and are all of them where the row is its last one."""
        # Times in units of which a second has a whole number, at both rates.
        start, end = first * self.hop * self.sample_rate, (first + frames) * self.hop * self.sample_rate
        if self.samples is not None:
            read = min(samples * self.recipe_rate, self.samples * self.sample_rate)
            end = read if last else min(end, read)
        elif last:
            end = samples * self.recipe_rate
        return Row(
            key=self.item.key,
            path=text(self.item.path),
            label=self.label,
            sample_rate=self.sample_rate,
            start=self.item.start or 0.0,
            duration=max(0, end - start) / (self.sample_rate * self.recipe_rate),
            part=number,
            first_frame=first,
            recipe=self.recipe,
            recipe_hash=self.recipe_hash,
            shape=[*self.rows, frames],
        )


@dataclass(slots=True)
class Draft:
    """A table in the folder of drafts, and what goes with it."""

    name: str
    shard: Shard
    items: list[dict[str, Any]]  # records of the recordings in it
    files: list[str] = field(default_factory=list)  # names of .npy files in the folder, and in the store


class Length(Protocol):
    """Tells how many samples of a recording have been read: its length, in the end."""

    def __call__(self) -> int: ...


class Record(Protocol):
    """Gives what the journal is to say of a recording, once it has been read."""

    def __call__(self) -> dict[str, Any]: ...


class Sink(Protocol):
    """The features of a batch."""

    def keep(self, recording: Recording, blocks: Iterable[NDArray[np.float32]], length: Length, record: Record) -> None:
        """Write one recording's features, and note its record with how many frames there are."""

    def close(self) -> list[Draft]:
        """Finish the tables."""

    def abandon(self) -> None:
        """Close files as they are."""


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """System errors while writing are the store's, and not the recording's."""
    try:
        yield
    except AudiotconvError:
        raise
    except OSError as error:
        raise StoreError(f"it cannot be written: {error.strerror or error}", error.errno) from None


class ParquetSink:
    """Rows in shards. A recording that is too long for one row gets a shard of its own, written as it comes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._drafts: list[Draft] = []
        self._shard: ShardWriter | None = None
        self._items: list[dict[str, Any]] = []

    def keep(self, recording: Recording, blocks: Iterable[NDArray[np.float32]], length: Length, record: Record) -> None:
        most = max(1, ROW_VALUES // (recording.rows[0] * recording.rows[1]))
        rows = _regrouped(blocks, most)
        first = next(rows, np.empty((*recording.rows, 0), np.float32))
        second = next(rows, None)
        if second is not None:
            self._keep_long(recording, first, second, rows, length, record)
            return
        with _writing():
            if self._shard is None:
                self._shard = self._new()
            self._shard.add(recording.row(0, 0, first.shape[2], length(), True), first)
            self._items.append({**record(), "frames": first.shape[2]})
            if self._shard.values >= SHARD_VALUES:
                self._finish()

    def _new(self) -> ShardWriter:
        return ShardWriter(self._folder / f"{len(self._drafts)}.parquet", "parquet")

    def _finish(self) -> None:
        if self._shard is not None:
            shard, self._shard = self._shard, None
            self._drafts.append(Draft(shard.path.name, shard.close(), self._items))
            self._items = []

    def _keep_long(
        self,
        recording: Recording,
        held: NDArray[np.float32],
        following: NDArray[np.float32],
        rest: Iterator[NDArray[np.float32]],
        length: Length,
        record: Record,
    ) -> None:
        with _writing():
            self._finish()
            writer = self._new()
        try:
            number = first = 0
            upcoming: NDArray[np.float32] | None = following
            while upcoming is not None:  # one row late, as the last one knows the recording's length
                with _writing():
                    writer.add(recording.row(number, first, held.shape[2], length(), False), held)
                number, first = number + 1, first + held.shape[2]
                held, upcoming = upcoming, next(rest, None)
            with _writing():
                writer.add(recording.row(number, first, held.shape[2], length(), True), held)
                shard = writer.close()
        except BaseException:
            writer.abandon()
            writer.path.unlink(missing_ok=True)
            raise
        self._drafts.append(Draft(writer.path.name, shard, [{**record(), "frames": first + held.shape[2]}]))

    def close(self) -> list[Draft]:
        with _writing():
            self._finish()
        return self._drafts

    def abandon(self) -> None:
        if self._shard is not None:
            self._shard.abandon()


class NpySink:
    """One .npy file per recording, in the inputs' tree, and a table with the rows' other columns."""

    def __init__(self, folder: Path, names: NpyNames) -> None:
        self._folder = folder
        self._names = names
        self._folders = {folder / "files"}
        with _writing():
            (folder / "files").mkdir()
            self._table = ShardWriter(folder / "table.parquet", "npy")
        self._items: list[dict[str, Any]] = []

    def keep(self, recording: Recording, blocks: Iterable[NDArray[np.float32]], length: Length, record: Record) -> None:
        name = self._names.name(recording.item.key)
        writer = self._open(name, recording)
        try:
            for block in blocks:
                with _writing():
                    writer.add(block)
            with _writing():
                crc32 = writer.close()
                self._table.add_file(recording.row(0, 0, writer.frames, length(), True), name, crc32)
        except BaseException:
            writer.abandon()
            writer.path.unlink(missing_ok=True)
            raise
        self._items.append({**record(), "frames": writer.frames, "file": name})

    def _open(self, name: str, recording: Recording) -> NpyWriter:
        """A name that the file system refuses is the recording's failure."""
        path = self._folder / "files" / name
        try:
            self._make(path.parent)
            return NpyWriter(path, recording.rows, recording.expected or 0)
        except OSError as error:
            why = error.strerror or error
            if error.errno not in _REFUSED:
                raise StoreError(f"it cannot be written: {why}", error.errno) from None
            message = f"{shown(recording.item.path)} cannot be stored under its name: {why}; rename it, or use Parquet"
            raise AudioFileError(message, "unusable name", error.errno) from None

    def _make(self, folder: Path) -> None:
        # Not what is above: where the run has ended, and its drafts have gone, none come again.
        if folder not in self._folders:
            self._make(folder.parent)
            folder.mkdir(exist_ok=True)
            self._folders.add(folder)

    def close(self) -> list[Draft]:
        with _writing():
            shard = self._table.close()
        if not self._items:
            return []
        return [Draft("table.parquet", shard, self._items, [item["file"] for item in self._items])]

    def abandon(self) -> None:
        self._table.abandon()


def _regrouped(blocks: Iterable[NDArray[np.float32]], frames: int) -> Iterator[NDArray[np.float32]]:
    """The same frames in blocks of `frames`, the last one shorter."""
    held: list[NDArray[np.float32]] = []
    count = 0
    for block in blocks:
        held.append(block)
        count += block.shape[2]
        while count > frames:
            joined = np.concatenate(held, axis=2) if len(held) > 1 else held[0]
            yield np.ascontiguousarray(joined[:, :, :frames])
            held = [joined[:, :, frames:].copy()]
            count -= frames
    if count:
        yield held[0] if len(held) == 1 else np.concatenate(held, axis=2)
