"""Feature stores on disk: Parquet shards or a tree of .npy files, beside a manifest.

A run writes into a folder of its own inside the target. Only when it has finished are its files renamed into place,
those of an earlier run removed, and the manifest written; each file is complete under its name or not there.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from .. import __version__
from ..errors import ParameterError, StoreError
from ..recipes import Recipe

__all__ = ["FORMATS", "MANIFEST", "ROW_VALUES", "SCHEMA", "Part", "RunFolder", "ShardWriter", "read_manifest"]

FORMATS = ("parquet", "npy")
MANIFEST = "audiotconv.json"
ROW_VALUES = 1 << 20  # values in one row at most (4 MiB): longer recordings go on in further rows
_GROUP_VALUES = 1 << 20
_SHARD_VALUES = 1 << 26

_ROW_FIELDS = [
    ("key", pa.string()),
    ("path", pa.string()),
    ("label", pa.string()),
    ("sample_rate", pa.int32()),
    ("duration", pa.float64()),
    ("part", pa.int32()),
    ("first_frame", pa.int64()),
    ("recipe", pa.string()),
    ("recipe_hash", pa.string()),
    ("shape", pa.list_(pa.int64())),
]
SCHEMA = pa.schema([*_ROW_FIELDS, ("values", pa.list_(pa.float32()))])


@dataclass(frozen=True, slots=True)
class Part:
    """One row: a recording, or a stretch of a long one. `shape` is (channels, features, frames)."""

    key: str
    path: str
    label: str | None
    sample_rate: int
    duration: float
    part: int
    first_frame: int
    recipe: str
    recipe_hash: str
    shape: list[int]


class ShardWriter:
    """Writes rows to one Parquet file, some MiB at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self.values = 0
        self._parts: list[Part] = []
        self._arrays: list[NDArray[np.float32]] = []
        self._pending = 0
        self._writer = pq.ParquetWriter(
            path, SCHEMA, compression="zstd", compression_level=1, use_dictionary=["label", "recipe", "recipe_hash"]
        )

    def add(self, part: Part, values: NDArray[np.float32]) -> None:
        """Add one row; `values` are flattened in C order."""
        self._parts.append(part)
        self._arrays.append(values.reshape(-1))
        self._pending += values.size
        self.rows += 1
        self.values += values.size
        if self._pending >= _GROUP_VALUES:
            self._flush()

    @property
    def full(self) -> bool:
        """Whether the next rows should go to another shard."""
        return self.values >= _SHARD_VALUES

    def _flush(self) -> None:
        if not self._parts:
            return
        table = pa.Table.from_pylist([asdict(part) for part in self._parts], pa.schema(_ROW_FIELDS))
        offsets = np.zeros(len(self._arrays) + 1, np.int32)
        np.cumsum([array.size for array in self._arrays], out=offsets[1:])
        values = pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.concatenate(self._arrays)))
        self._writer.write_table(table.append_column(SCHEMA.field("values"), values))
        self._parts, self._arrays, self._pending = [], [], 0

    def close(self) -> None:
        """Write what is left, and make sure that it is on the disk."""
        try:
            self._flush()
        finally:
            self._writer.close()
        sync(self.path)


def sync(path: Path) -> None:
    """Wait until the file's content is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class RunFolder:
    """The target of a run, and the folder inside it that holds the run's files until it has finished.

    Raises
    ------
    StoreError
        If the target cannot be written.
    ParameterError
        If it holds something that is not a feature store.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        try:
            target.mkdir(parents=True, exist_ok=True)
            foreign = [entry.name for entry in target.iterdir() if not entry.name.startswith(".audiotconv-")]
        except OSError as error:
            raise StoreError(f"{target} cannot be written: {error.strerror}") from None
        if foreign and MANIFEST not in foreign:
            raise ParameterError(
                f"{target} is neither empty nor a feature store (it holds {sorted(foreign)[0]!r} and no {MANIFEST}); "
                "choose another target"
            )
        self._old = list(read_manifest(target)["files"]) if foreign else []
        self.replaces = bool(self._old)
        try:
            self.path = Path(tempfile.mkdtemp(prefix=".audiotconv-", dir=target))
        except OSError as error:
            raise StoreError(f"{target} cannot be written: {error.strerror}") from None

    def commit(self, recipe: Recipe, form: str, summary: dict[str, Any]) -> None:
        """Move the run's files into place, remove an earlier run's, and write the manifest."""
        files = sorted(
            os.path.relpath(os.path.join(folder, name), self.path)
            for folder, _, names in os.walk(self.path)
            for name in names
        )
        for name in files:
            place = self.target / name
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(self.path / name, place)
        for name in set(self._old) - set(files):
            gone = self.target / name
            gone.unlink(missing_ok=True)
            _remove_empty(gone.parent, self.target)
        manifest = {
            "store": "audiotconv",
            "version": __version__,
            "format": form,
            "recipe": {
                "name": recipe.name,
                "version": recipe.version,
                "hash": recipe.hash,
                "description": recipe.description,
                "stages": [{"kind": kind, **dict(values)} for kind, values in recipe.stages],
            },
            **summary,
            "files": files,
        }
        draft = self.path / MANIFEST
        draft.write_text(json.dumps(manifest, indent=1), "utf-8")
        sync(draft)
        os.replace(draft, self.target / MANIFEST)
        self.discard()

    def discard(self) -> None:
        """Remove the run's folder; what an earlier run has written stays as it was."""
        shutil.rmtree(self.path, ignore_errors=True)


def _remove_empty(folder: Path, root: Path) -> None:
    while folder != root:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


def read_manifest(target: Path) -> dict[str, Any]:
    """The manifest of a feature store.

    Raises
    ------
    StoreError
        If there is none, or it cannot be read.
    """
    try:
        manifest = json.loads((target / MANIFEST).read_text("utf-8"))
    except FileNotFoundError:
        raise StoreError(f"{target} is not a feature store: it has no {MANIFEST}") from None
    except OSError as error:
        raise StoreError(f"{target / MANIFEST} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise StoreError(f"{target / MANIFEST} is damaged: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("store") != "audiotconv" or "files" not in manifest:
        raise StoreError(f"{target / MANIFEST} is not the manifest of a feature store")
    files = manifest["files"]
    if not isinstance(files, list) or not all(isinstance(name, str) for name in files):
        raise StoreError(f"{target / MANIFEST} is damaged: its files are no list of names")
    for name in files:  # a run removes these, so none may lead out of the store
        if os.path.isabs(name) or ".." in Path(name).parts:
            raise StoreError(f"{target / MANIFEST} is damaged: {name!r} lies outside of the store")
    return manifest


def write_index(path: Path, parts: Sequence[Part], files: Sequence[str]) -> None:
    """The rows of a tree of .npy files, each with its file's name, as one Parquet table."""
    schema = pa.schema([*_ROW_FIELDS, ("file", pa.string())])
    rows = [{**asdict(part), "file": file} for part, file in zip(parts, files, strict=True)]
    pq.write_table(pa.Table.from_pylist(rows, schema), path)
    sync(path)
