"""The tables of a feature store: shards with the features, or with the names of .npy files that hold them."""

from __future__ import annotations

import contextlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from .place import finish

__all__ = ["ROW_VALUES", "SCHEMAS", "SHARD_VALUES", "Row", "Shard", "ShardWriter", "checksum"]

ROW_VALUES = 1 << 18  # values in one row at most (1 MiB): longer recordings go on in further rows
SHARD_VALUES = 1 << 26  # after so many, rows go into another shard
_GROUP_VALUES = 1 << 20
_GROUP_ROWS = 1 << 14  # in tables without values
_CHUNK = 1 << 20

_ROW_FIELDS = [
    ("key", pa.string()),
    ("path", pa.string()),
    ("label", pa.string()),
    ("sample_rate", pa.int32()),
    ("start", pa.float64()),
    ("duration", pa.float64()),
    ("part", pa.int32()),
    ("first_frame", pa.int64()),
    ("recipe", pa.string()),
    ("recipe_hash", pa.string()),
    ("shape", pa.list_(pa.int64())),
]
SCHEMAS = {
    "parquet": pa.schema([*_ROW_FIELDS, ("values", pa.list_(pa.float32()))]),
    "npy": pa.schema([*_ROW_FIELDS, ("file", pa.string()), ("crc32", pa.int64())]),
}
_WORDS = ["label", "recipe", "recipe_hash"]


@dataclass(frozen=True, slots=True)
class Row:
    """A recording, or a stretch of a long one. `shape` is (channels, features, frames)."""

    key: str
    path: str
    label: str | None
    sample_rate: int
    start: float
    duration: float
    part: int
    first_frame: int
    recipe: str
    recipe_hash: str
    shape: list[int]


@dataclass(frozen=True, slots=True)
class Shard:
    """A table that has been written, as the journal describes it."""

    rows: int
    values: int
    bytes: int
    crc32: int


class ShardWriter:
    """Writes rows to one Parquet file, some MiB at a time.

    Parameters
    ----------
    path : Path
    form : "parquet" or "npy"
        Whether the values are in it.
    """

    def __init__(self, path: Path, form: str) -> None:
        self.path = path
        self.rows = 0
        self.values = 0
        self._schema = SCHEMAS[form]
        self._with_values = form == "parquet"
        self._columns: list[list[Any]] = [[] for _ in self._schema.names[: len(_ROW_FIELDS)]]
        self._files: list[tuple[str, int]] = []
        self._arrays: list[NDArray[np.float32]] = []
        self._pending = 0
        # An open file: pyarrow takes some paths for addresses, and cannot take those that are not Unicode.
        self._file = _Counting(path)
        try:
            self._writer = pq.ParquetWriter(
                self._file,
                self._schema,
                compression="none",  # features shrink by a tenth at most, and take more time to than to be computed
                use_dictionary=_WORDS,
                write_statistics=[name for name, _ in _ROW_FIELDS if name != "shape"],
            )
        except BaseException:
            self._file.close()
            raise

    def add(self, row: Row, values: NDArray[np.float32]) -> None:
        """Add one row with its values, flattened in C order."""
        self._note(row)
        self._arrays.append(values.reshape(-1))
        self._pending += values.size
        if self._pending >= _GROUP_VALUES:
            self._flush()

    def add_file(self, row: Row, name: str, crc32: int) -> None:
        """Add one row whose values are in a file."""
        self._note(row)
        self._files.append((name, crc32))
        if len(self._files) >= _GROUP_ROWS:
            self._flush()

    def copy(self, table: pa.Table) -> None:
        """Add rows of another shard."""
        if table.num_rows:
            self._flush()
            self._writer.write_table(table)
            self.rows += table.num_rows
            for shape in table["shape"].to_pylist():
                self.values += int(np.prod(shape))

    def _note(self, row: Row) -> None:
        for column, name in zip(self._columns, Row.__slots__, strict=True):
            column.append(getattr(row, name))
        channels, features, frames = row.shape
        self.rows += 1
        self.values += channels * features * frames

    def _flush(self) -> None:
        if not self._columns[0]:
            return
        columns = [pa.array(column, kind) for column, (_, kind) in zip(self._columns, _ROW_FIELDS, strict=True)]
        if self._with_values:
            offsets = np.zeros(len(self._arrays) + 1, np.int32)
            np.cumsum([array.size for array in self._arrays], out=offsets[1:])
            values = self._arrays[0] if len(self._arrays) == 1 else np.concatenate(self._arrays)
            columns.append(pa.ListArray.from_arrays(pa.array(offsets), pa.array(values)))
        else:
            columns += [pa.array([name for name, _ in self._files]), pa.array([crc for _, crc in self._files])]
        self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema))
        self._columns = [[] for _ in self._columns]
        self._arrays, self._files, self._pending = [], [], 0

    def close(self) -> Shard:
        """Write what is left, and make sure that it is on the disk."""
        try:
            try:
                self._flush()
            finally:
                self._writer.close()
            finish(self._file.file)
        finally:
            self._file.close()
        return Shard(self.rows, self.values, self._file.size, self._file.crc32)

    def abandon(self) -> None:
        """Close the file without finishing it."""
        self._file.abandoned = True
        for file in (self._writer, self._file):
            with contextlib.suppress(Exception):  # whatever is still wrong with it
                file.close()


class _Counting:
    """A file that counts and sums up what is written to it."""

    def __init__(self, path: Path) -> None:
        self.file = open(path, "wb")  # noqa: SIM115
        self.size = 0
        self.crc32 = 0
        self.abandoned = False

    @property
    def closed(self) -> bool:
        return self.file.closed

    def write(self, data: Any) -> int:
        if self.abandoned:
            return len(data)
        self.crc32 = zlib.crc32(data, self.crc32)
        self.size += len(data)
        return self.file.write(data)

    def tell(self) -> int:
        return self.size

    def seekable(self) -> bool:
        return False

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def flush(self) -> None:
        self.file.flush()

    def close(self) -> None:
        self.file.close()


def checksum(file: Any) -> int:
    """CRC-32 of what an open file holds from where it is."""
    crc32 = 0
    while chunk := file.read(_CHUNK):
        crc32 = zlib.crc32(chunk, crc32)
    return crc32
