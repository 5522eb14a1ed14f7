"""Is a store whole? Every shard and file against the journal, every row against its shape."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import AudiotconvError, StoreError
from .ledger import Ledger
from .manifest import JOURNAL, read_manifest, shard_number
from .place import HIDDEN, Place
from .plan import text
from .remote import place_of
from .store import SCHEMAS, checksum
from .target import Target

__all__ = ["Problem", "VerifyReport", "verify"]

_CHANGED = "its content is not what was written (another checksum)"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a store: in which file, what, and the keys of the recordings that it concerns."""

    file: str
    message: str
    keys: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class VerifyReport:
    """What `verify` has found.

    Attributes
    ----------
    target : str
    recipe, recipe_hash : str
    shards, rows, values, bytes : int
        How much was looked at.
    problems : list of Problem
    redo : dict of key: path
        The inputs that have to be processed again.
    repaired : bool
        Whether what is damaged has been taken out of the store, so that the command that made it does these again.
    seconds : float
    """

    target: str
    recipe: str
    recipe_hash: str
    shards: int
    rows: int
    values: int
    bytes: int
    problems: list[Problem]
    redo: dict[str, str]
    repaired: bool
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """The report as plain lists, texts and numbers."""
        return asdict(self)


def verify(target: str | bytes | os.PathLike[str], *, repair: bool = False) -> VerifyReport:
    """Check a whole feature store: all that its manifest and journal say, every checksum, every value.

    Parameters
    ----------
    target : path
        The store's folder, or its address.
    repair : bool
        Take what is damaged out of the store, while nobody else writes. The command that made it then does those
        recordings again; another run that is to replace the store is left as it is.

    Raises
    ------
    StoreError
        If there is no store, or its manifest or journal is damaged: then it has to be made anew. To repair it, also if
        a run is writing.

    Examples
    --------
    >>> import tempfile, numpy, soundfile
    >>> from audiotconv import extract_folder
    >>> folder = tempfile.mkdtemp()
    >>> soundfile.write(folder + "/a.wav", numpy.zeros(8000), 8000)
    >>> _ = extract_folder(folder, folder + "/features", "gabor-40")
    >>> report = verify(folder + "/features")
    >>> report.rows, report.problems
    (1, [])
    """
    started = time.perf_counter()
    place = place_of(target)
    manifest = read_manifest(place)
    with contextlib.ExitStack() as stack:
        store = None
        if repair:
            store = Target(place, None)
            stack.callback(store.close)
            manifest = read_manifest(place)  # as it is now, when nobody else writes
        check = _Check(place, manifest)
        check.run()
        if store is not None and check.problems:
            store.drop(check.lost, sorted(check.redo))
    return VerifyReport(
        target=place.name,
        recipe=manifest["recipe"]["name"],
        recipe_hash=manifest["recipe"]["hash"],
        shards=len(check.ledger.shards),
        rows=check.rows,
        values=check.values,
        bytes=check.bytes,
        problems=check.problems,
        redo=dict(sorted(check.redo.items())),
        repaired=repair and bool(check.problems),
        seconds=time.perf_counter() - started,
    )


class _Check:
    """One look through a store."""

    def __init__(self, place: Place, manifest: dict[str, Any]) -> None:
        self._place = place
        self._folder: str = manifest["folder"]
        self._form: str = manifest["format"]
        self._hash: str = manifest["recipe"]["hash"]
        self.problems: list[Problem] = []
        self.redo: dict[str, str] = {}
        self.lost: list[str] = []  # shards of which nothing can be kept, and the files that only they name
        self.rows = self.values = self.bytes = 0
        name = f"{self._folder}/{JOURNAL}"
        self.ledger = Ledger(f"{place.name}/{name}")
        self._frames: dict[str, dict[str, int]] = {}  # in each shard that counts, by key: there may be millions
        try:
            for record in place.records(name):
                self.ledger.read([record])
                if "shard" in record:
                    self._note(record)
        except FileNotFoundError:
            raise StoreError(f"{place.name}/{name} is not there; the store has to be made anew (overwrite)") from None
        self.ledger.read(())  # says so where there was nothing
        if self.ledger.description["recipe"]["hash"] != self._hash:
            told = self.ledger.description["recipe"]["hash"]
            self._problem(name, f"it is of the recipe {told}, and the manifest says {self._hash}")

    def _note(self, record: dict[str, Any]) -> None:
        frames = {item["key"]: item["frames"] for item in record["items"]}
        for old in record.get("replaces", ()):
            frames |= self._frames.pop(old, {})
        for key in record.get("without", ()):
            frames.pop(key, None)
        self._frames[record["shard"]] = frames

    def _problem(self, file: str, message: str, keys: list[str] | None = None) -> None:
        keys = [key for key in keys or [] if self.ledger.knows(key)]
        self.problems.append(Problem(file, message, keys))
        self.redo.update(dict.fromkeys(keys, ""))

    def run(self) -> None:
        """Look at everything."""
        newest: dict[str, str] = {}  # of the keys that may be in several
        for shard, frames in self._frames.items():
            newest.update((key, shard) for key in frames if key in self.ledger.stale)
        unread: set[str] = set()
        for shard, record in self.ledger.shards.items():
            counted = {key for key in self._frames[shard] if newest.get(key, shard) == shard}
            self._shard(shard, record, counted)
            if shard in self.lost[-1:]:
                unread |= counted
        if self.redo or unread:
            self._trace(unread)
        present = set(self._place.names(self._folder))
        for name in sorted(present):
            if shard_number(name, self._form) >= 0 and name not in self.ledger.shards:
                self._problem(
                    f"{self._folder}/{name}", "it is not in the journal; the next run removes it, if a run left it"
                )
        if any(name.startswith(HIDDEN) and not name.endswith("lock") for name in self._place.names()):
            self._problem(self._place.name, "a run is writing, or has left drafts behind; the next run removes them")

    def _trace(self, unread: set[str]) -> None:
        """Find the paths of what has to be done again, and the files of rows that cannot be read."""
        files: dict[str, str] = {}
        for record in self._place.records(f"{self._folder}/{JOURNAL}"):
            for item in record.get("items", ()):
                key = item["key"]
                if key in self.redo:
                    self.redo[key] = text(self.ledger.path(item))
                if key in unread and "file" in item:
                    files[key] = item["file"]
        self.lost += sorted(files.values())

    def _shard(self, shard: str, record: dict[str, Any], counted: set[str]) -> None:
        name = f"{self._folder}/{shard}"
        keys = sorted(counted)
        try:
            if self._place.size(name) != record["bytes"]:
                self.lost.append(shard)
                said = f"it has {self._place.size(name):,} bytes, and the journal says {record['bytes']:,}"
                self._problem(name, said, keys)
                return
            with self._place.open(name) as file:
                if checksum(file) != record["crc32"]:
                    self.lost.append(shard)
                    self._problem(name, _CHANGED, keys)
                    return
            self.bytes += record["bytes"]
            with self._place.open(name) as raw, pq.ParquetFile(raw) as file:
                self._rows(name, file, record, counted)
        except FileNotFoundError:
            self.lost.append(shard)
            self._problem(name, "it is not there", keys)
        except (AudiotconvError, OSError) as error:
            self._problem(name, f"it cannot be read: {error}", keys)
        except Exception as error:  # decoders of damaged files raise whatever they stumble on
            self.lost.append(shard)
            self._problem(name, f"it cannot be read: {error}", keys)

    def _rows(self, name: str, file: pq.ParquetFile, record: dict[str, Any], counted: set[str]) -> None:
        seen: dict[str, int] = {}
        rows = values = 0
        for group in range(file.num_row_groups):
            table = file.read_row_group(group).cast(SCHEMAS[self._form])
            rows += table.num_rows
            for row, held in zip(_metas(table), self._values(table), strict=True):
                key = row["key"]
                seen[key] = seen.get(key, 0) + row["shape"][2]
                values += int(np.prod(row["shape"]))
                trouble = self._row(row, held)
                if trouble:
                    self._problem(name, f"{text(key)}: {trouble}", [key])
        self.rows += rows
        self.values += values
        if (rows, values) != (record["rows"], record["values"]):
            self._problem(
                name,
                f"it has {rows:,} rows of {values:,} values, and the journal says {record['rows']:,} of "
                f"{record['values']:,}",
                sorted(counted),
            )
        strange = sorted(seen.keys() - counted - self.ledger.stale.keys())
        if strange:
            self._problem(name, f"{len(strange):,} rows in it count nowhere in the journal, or twice", strange)
        missing = sorted(counted - seen.keys())
        if missing:
            self._problem(name, f"{len(missing):,} recordings that the journal names are not in it", missing)
        frames = self._frames[name.rpartition("/")[2]]
        for key in sorted(counted & seen.keys()):
            if frames[key] != seen[key]:
                said = f"{text(key)} has {seen[key]} frames, and the journal says {frames[key]}"
                self._problem(name, said, [key])

    def _values(self, table: pa.Table) -> Iterator[Any]:
        if self._form == "parquet":
            for chunk in table["values"].chunks:
                flat, offsets = chunk.values.to_numpy(zero_copy_only=False), chunk.offsets.to_numpy()
                for start, stop in pairwise(offsets):
                    yield flat[start:stop]
        else:
            yield from zip(table["file"].to_pylist(), table["crc32"].to_pylist(), strict=True)

    def _row(self, row: dict[str, Any], held: Any) -> str:
        """What is wrong with a row, if anything."""
        if row["recipe_hash"] != self._hash:
            return f"it is of the recipe {row['recipe_hash']}"
        if self._form == "npy":
            return self._file(row, *held)
        if held.size != int(np.prod(row["shape"])):
            return f"it has {held.size} values of the shape {row['shape']}"
        return "" if np.isfinite(held).all() else "it has values that are not finite"

    def _file(self, row: dict[str, Any], file: str, crc32: int) -> str:
        if not self.ledger.knows(row["key"]):
            return ""
        name = f"{self._folder}/{file}"
        try:
            with self._place.open(name) as opened:
                if checksum(opened) != crc32:
                    return f"{text(file)}: {_CHANGED}"
                self.bytes += opened.tell()
                opened.seek(0)
                values = np.load(opened, allow_pickle=False)
        except FileNotFoundError:
            return f"{text(file)} is not there"
        except (OSError, ValueError) as error:
            return f"{text(file)} cannot be read: {error}"
        if list(values.shape) != row["shape"] or values.dtype != np.float32:
            return f"{text(file)} is {values.dtype} of shape {list(values.shape)}, and the row says {row['shape']}"
        return "" if np.isfinite(values).all() else f"{text(file)} has values that are not finite"


def _metas(table: pa.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.select(["key", "shape", "recipe_hash"]).to_pylist()
    return rows
