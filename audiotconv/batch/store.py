"""The tables of a feature store: shards with the features, or the index of a tree of .npy files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from .folder import finish

__all__ = ["ROW_VALUES", "SCHEMA", "Part", "ShardWriter", "write_index"]

ROW_VALUES = 1 << 18  # values in one row at most (1 MiB): longer recordings go on in further rows
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
        # An open file: pyarrow takes some paths for addresses, and cannot take those that are not Unicode.
        self._file = open(path, "wb")  # noqa: SIM115
        self._writer = pq.ParquetWriter(
            self._file,
            SCHEMA,
            compression="none",  # features shrink by a tenth at most, and take more time to than to be computed
            use_dictionary=["label", "recipe", "recipe_hash"],
            write_statistics=[name for name, _ in _ROW_FIELDS if name != "shape"],
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
        with self._file:
            try:
                self._flush()
            finally:
                self._writer.close()
            finish(self._file)


def write_index(path: Path, parts: Sequence[Part], files: Sequence[str]) -> None:
    """The rows of a tree of .npy files, each with its file's name, as one Parquet table."""
    schema = pa.schema([*_ROW_FIELDS, ("file", pa.string())])
    rows = [{**asdict(part), "file": file} for part, file in zip(parts, files, strict=True)]
    with open(path, "wb") as file:
        pq.write_table(pa.Table.from_pylist(rows, schema), file)
        finish(file)
