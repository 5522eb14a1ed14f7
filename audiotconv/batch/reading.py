"""A feature store, read back."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, SupportsIndex, overload

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ..audio import shown
from ..errors import StoreError
from .manifest import read_manifest

_MAPPED = 1 << 25  # bytes; each mapping takes one of the files that a process can have open

__all__ = ["FeatureStore", "StoredFeatures", "load"]


@dataclass(frozen=True, eq=False)
class StoredFeatures:
    """One recording of a store. `values`: (channels, features, frames); `sample_rate` is the recording's.

    Values of an npy store that take 32 MB and more are mapped from their file: only what is used is read, and they
    cannot be written to.
    """

    key: str
    path: str
    label: str | None
    sample_rate: int
    duration: float
    values: NDArray[np.float32]


@dataclass(slots=True)
class _Row:
    """Where a recording's parts lie."""

    meta: dict[str, Any]
    duration: float
    places: list[tuple[str, int, int]]  # file, row group, row in the group


class FeatureStore:
    """The recordings of a feature store, by number, slice or key. Values are read when they are asked for.

    Attributes
    ----------
    keys : list of str
        In the order of the recordings: sorted.
    labels : list of str or None
    recipe : dict
        The recipe's name, version, hash and stages, as the manifest has them.
    failures : list of dict
        What the run has found and is not in the store, each with "key", "path", "reason" and "message".
    """

    def __init__(self, target: str | bytes | os.PathLike[str]) -> None:
        self.target = Path(os.fsdecode(target))
        manifest = read_manifest(self.target)
        self.format: str = manifest["format"]
        self.recipe: dict[str, Any] = manifest["recipe"]
        self.failures: list[dict[str, str]] = manifest["failures"]
        self._folder = self.target / manifest["folder"]
        self._files = frozenset(manifest["files"])
        self._rows: dict[str, _Row] = {}
        # One attribute, so that a thread sees a group and its values together.
        self._held: tuple[str, int, Any] = ("", -1, None)
        with self._reading():
            for name in manifest["files"]:
                if name.endswith(".parquet"):
                    self._index(name)
            self.keys = sorted(self._rows)
            self.labels: list[str | None] = [self._rows[key].meta["label"] for key in self.keys]

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # decoders of damaged files raise whatever they stumble on
            raise StoreError(
                f"{shown(self.target)} cannot be read: it is damaged, or was replaced after it was opened "
                f"({str(error) or type(error).__name__})"
            ) from None

    @contextlib.contextmanager
    def _table(self, name: str) -> Iterator[pq.ParquetFile]:
        # An open file: pyarrow takes some paths for addresses, and cannot take those that are not Unicode.
        with open(self._folder / name, "rb") as raw, pq.ParquetFile(raw) as file:
            yield file

    def _index(self, name: str) -> None:
        with self._table(name) as file:
            columns = [column for column in file.schema_arrow.names if column != "values"]
            for group in range(file.num_row_groups):
                for number, meta in enumerate(file.read_row_group(group, columns=columns).to_pylist()):
                    if not isinstance(meta["key"], str):
                        raise ValueError(f"{name} has the key {meta['key']!r}; it must be a text")
                    row = self._rows.setdefault(meta["key"], _Row(meta, 0.0, []))
                    row.duration += meta["duration"]
                    row.places.append((name, group, number))

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[StoredFeatures]:
        return (self[key] for key in self.keys)

    @overload
    def __getitem__(self, which: SupportsIndex | str) -> StoredFeatures: ...

    @overload
    def __getitem__(self, which: slice) -> list[StoredFeatures]: ...

    def __getitem__(self, which: SupportsIndex | str | slice) -> StoredFeatures | list[StoredFeatures]:
        if isinstance(which, slice):
            return [self[key] for key in self.keys[which]]
        key = which if isinstance(which, str) else self.keys[which]
        row = self._rows[key]
        with self._reading():
            if self.format == "npy":
                values = self._whole(row.meta)
            else:
                values = np.concatenate([self._part(*place) for place in row.places], axis=2)
            names = ("key", "path", "label", "sample_rate")
            return StoredFeatures(**{name: row.meta[name] for name in names}, duration=row.duration, values=values)

    def _whole(self, meta: dict[str, Any]) -> NDArray[np.float32]:
        if meta["file"] not in self._files:
            raise ValueError(f"the index names {meta['file']!r}, which is not one of its files")
        opened: Any = np.lib.format.open_memmap  # typed in some versions of NumPy only
        path = self._folder / meta["file"]
        if path.stat().st_size >= _MAPPED:
            values: NDArray[np.float32] = np.asarray(opened(path, mode="r"))
        else:
            values = np.load(path, allow_pickle=False)
        if list(values.shape) != meta["shape"] or values.dtype != np.float32:
            raise ValueError(f"{meta['file']!r} is {values.dtype} of shape {list(values.shape)}")
        return values

    def _part(self, name: str, group: int, number: int) -> NDArray[np.float32]:
        held = self._held
        if held[:2] != (name, group):  # neighbouring rows are usually read one after the other
            with self._table(name) as file:
                held = self._held = (name, group, file.read_row_group(group, columns=["shape", "values"]))
        shape = held[2]["shape"][number].as_py()
        values = held[2]["values"][number].values.to_numpy(zero_copy_only=False)
        return np.asarray(values, np.float32).reshape(shape)


def load(target: str | bytes | os.PathLike[str]) -> FeatureStore:
    """Open a feature store that `extract_folder` or the command line has written.

    Raises
    ------
    StoreError
        If the folder is not a feature store, or is damaged.

    Examples
    --------
    >>> import tempfile, numpy, soundfile
    >>> folder = tempfile.mkdtemp()
    >>> soundfile.write(folder + "/a.wav", numpy.zeros(8000), 8000)
    >>> from audiotconv import extract_folder
    >>> _ = extract_folder(folder, folder + "/features", "gabor-40")
    >>> store = load(folder + "/features")
    >>> store.keys, store["a.wav"].values.shape
    (['a.wav'], (1, 40, 100))
    """
    return FeatureStore(target)
