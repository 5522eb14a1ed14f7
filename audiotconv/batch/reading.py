"""A feature store, read back."""

from __future__ import annotations

import bisect
import contextlib
import copy
import functools
import hashlib
import io
import operator
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self, SupportsIndex, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ..errors import AudiotconvError, ParameterError, StoreError
from .ledger import Ledger
from .manifest import JOURNAL, read_manifest
from .remote import place_of
from .store import checksum

_MAPPED = 1 << 25  # bytes; each mapping takes one of the files that a process can have open
_TRIES = 5  # to open a store whose files are being replaced

__all__ = ["FeatureStore", "StoredFeatures", "load"]


@dataclass(frozen=True, eq=False)
class StoredFeatures:
    """One recording of a store. `values`: (channels, features, frames); `sample_rate` is the recording's.

    `start` is where in its file the recording begins, in seconds: 0, unless a manifest says otherwise. Values of an npy
    store that take 32 MB and more are mapped from their file: only what is used is read, and they cannot be written to.
    """

    key: str
    path: str
    label: str | None
    sample_rate: int
    start: float
    duration: float
    values: NDArray[np.float32]


class FeatureStore:
    """The recordings of a feature store, by number, slice or key, as they were when it was opened.

    Values are read when they are asked for. A store can be opened while a run is writing it; recordings of an npy store
    that are done again are not in it while their files are replaced.

    Attributes
    ----------
    recipe : dict
        The recipe's name, version, hash and stages, as the manifest has them.
    failures : list of dict
        What the run has found and could not use, each with "key", "path", "reason" and "message". What was "missing" or
        "unreadable" is in the store as it was before, if it was.
    frames : (recordings,) int64
        How many each recording has.
    """

    def __init__(self, target: str | bytes | os.PathLike[str]) -> None:
        self.target = os.fsdecode(target)
        self._place = place_of(self.target)
        for left in reversed(range(_TRIES)):
            try:
                with self._reading():
                    self._open()
                break
            except _ReplacedError as error:
                if not left:
                    raise StoreError(str(error)) from None
        # One attribute, so that a thread sees a group and its values together.
        self._held: tuple[str, int, Any] = ("", -1, None)

    def _open(self) -> None:
        manifest = read_manifest(self._place)
        self.format: str = manifest["format"]
        self.recipe: dict[str, Any] = manifest["recipe"]
        self._folder: str = manifest["folder"]
        name = f"{self._folder}/{JOURNAL}"
        journal = self._place.local(name)
        self._journal_size = -1 if journal is None else journal.stat().st_size
        ledger = Ledger(f"{self._place.name}/{name}").read(self._place.records(name))
        self.failures: list[dict[str, str]] = sorted(map(asdict, ledger.failures.values()), key=lambda row: row["key"])
        self._shards = list(ledger.shards)
        table = pa.concat_tables([self._index(number) for number in range(len(self._shards))] or [_NOTHING])
        table = self._current(table, ledger)
        if table["key"].null_count:
            raise ValueError("a row has no key")
        self._table = table.take(pc.sort_indices(table, [("key", "ascending"), ("part", "ascending")]))
        keys = self._table["key"].to_pylist()
        first = np.array([at == 0 or keys[at - 1] != key for at, key in enumerate(keys)], bool)
        self._starts = np.append(np.flatnonzero(first), len(keys))
        self._all = [keys[start] for start in self._starts[:-1]]
        shapes = self._table["shape"].combine_chunks()
        lengths = shapes.flatten().to_numpy().reshape(len(keys), -1)[:, -1:] if keys else np.empty((0, 1), np.int64)
        total = np.append(0, np.cumsum(lengths))
        self._frames = np.diff(total[self._starts])
        self._order = np.arange(len(self._all))

    def _index(self, number: int) -> pa.Table:
        """A shard's rows without their values, and where each is."""
        with self._file(self._shards[number]) as file:
            columns = [column for column in file.schema_arrow.names if column != "values"]
            table = file.read(columns=columns)
            sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        places = {
            "shard": np.full(len(table), number, np.int32),
            "group": np.repeat(np.arange(len(sizes), dtype=np.int32), sizes),
            "row": np.concatenate([np.arange(size, dtype=np.int32) for size in sizes] or [np.empty(0, np.int32)]),
        }
        for name, values in places.items():
            table = table.append_column(name, pa.array(values))
        return table

    def _current(self, table: pa.Table, ledger: Ledger) -> pa.Table:
        """Without the rows that others have replaced, and those that are no longer wanted."""
        if not ledger.stale:
            return table
        newest: dict[str, int] = {}
        rows = list(zip(table["key"].to_pylist(), table["shard"].to_pylist(), strict=True))
        for key, shard in rows:
            if key in ledger.stale:
                newest[key] = shard if ledger.knows(key) else -1
        return table.filter(pa.array([newest.get(key, shard) == shard for key, shard in rows], pa.bool_()))

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise _ReplacedError(
                f"{self._place.name} cannot be read: it is damaged, or was replaced after it was opened "
                f"({error.strerror or error}: {error.filename or ''})"
            ) from None
        except AudiotconvError:
            raise
        except Exception as error:  # decoders of damaged files raise whatever they stumble on
            raise StoreError(
                f"{self._place.name} cannot be read: it is damaged, or was replaced after it was opened "
                f"({str(error) or type(error).__name__})"
            ) from None

    @contextlib.contextmanager
    def _file(self, name: str) -> Iterator[pq.ParquetFile]:
        # An open file: pyarrow takes some paths for addresses, and cannot take those that are not Unicode.
        with self._place.open(f"{self._folder}/{name}") as raw, pq.ParquetFile(raw) as file:
            yield file

    @functools.cached_property
    def keys(self) -> list[str]:
        """The recordings' keys, in their order: sorted."""
        return [self._all[number] for number in self._order]

    @functools.cached_property
    def labels(self) -> list[str | None]:
        """The recordings' labels."""
        with self._reading():
            labels: list[str | None] = self._table["label"].take(self._starts[self._order]).to_pylist()
            return labels

    @property
    def frames(self) -> NDArray[np.int64]:
        """How many frames each recording has."""
        frames: NDArray[np.int64] = self._frames[self._order]
        return frames

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[StoredFeatures]:
        return (self._recording(number) for number in self._order)

    @overload
    def __getitem__(self, which: SupportsIndex | str) -> StoredFeatures: ...

    @overload
    def __getitem__(self, which: slice) -> list[StoredFeatures]: ...

    def __getitem__(self, which: SupportsIndex | str | slice) -> StoredFeatures | list[StoredFeatures]:
        if isinstance(which, slice):
            return [self._recording(number) for number in self._order[which]]
        if not isinstance(which, str):
            return self._recording(self._order[operator.index(which)])
        number = bisect.bisect_left(self._all, which)
        if number == len(self._all) or self._all[number] != which or not self._has(number):
            raise KeyError(which)
        return self._recording(number)

    def _has(self, number: int) -> bool:
        at = int(np.searchsorted(self._order, number))
        return at < len(self._order) and bool(self._order[at] == number)

    def _recording(self, number: Any) -> StoredFeatures:
        first = int(self._starts[number])
        with self._reading():
            metas = self._table.slice(first, int(self._starts[number + 1]) - first).to_pylist()
            meta = metas[0]
            if self.format == "npy":
                values = self._whole(meta)
            else:
                parts = [self._part(meta) for meta in metas]
                values = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
            names = ("key", "path", "label", "sample_rate", "start")
            duration = sum(meta["duration"] for meta in metas)
            return StoredFeatures(**{name: meta[name] for name in names}, duration=duration, values=values)

    def _whole(self, meta: dict[str, Any]) -> NDArray[np.float32]:
        name = meta["file"]
        if name.startswith("/") or ".." in name.split("/"):
            raise ValueError(f"the index names {name!r}, which is not one of its files")
        stored = f"{self._folder}/{name}"
        path = self._place.local(stored)
        large = path is not None and path.stat().st_size >= _MAPPED
        whole = None if large else io.BytesIO(self._place.read(stored))
        opened: Any = np.lib.format.open_memmap  # typed in some versions of NumPy only
        values: NDArray[np.float32] = (
            np.asarray(opened(path, mode="r")) if whole is None else np.load(whole, allow_pickle=False)
        )
        if self._written_since():
            with self._place.open(stored) if whole is None else whole as file:
                file.seek(0)
                if checksum(file) != meta["crc32"]:
                    raise ValueError(f"{name!r} has another checksum than the index says")
        if list(values.shape) != meta["shape"] or values.dtype != np.float32:
            raise ValueError(f"{name!r} is {values.dtype} of shape {list(values.shape)}")
        return values

    def _written_since(self) -> bool:
        """Whether a run may have replaced files since the store was opened: then each is compared with its checksum."""
        path = self._place.local(f"{self._folder}/{JOURNAL}")
        return path is None or path.stat().st_size != self._journal_size

    def _part(self, meta: dict[str, Any]) -> NDArray[np.float32]:
        shard, group = self._shards[meta["shard"]], meta["group"]
        held = self._held
        if held[:2] != (shard, group):  # neighbouring rows are usually read one after the other
            with self._file(shard) as file:
                held = self._held = (shard, group, file.read_row_group(group, columns=["values"])["values"])
        values = held[2][meta["row"]].values.to_numpy(zero_copy_only=False)
        return np.asarray(values, np.float32).reshape(meta["shape"])

    # --- for classifiers ---

    def to_numpy(self, frames: int | None = None, *, crop: str = "start", fill: float = 0.0) -> NDArray[np.float32]:
        """All values in one array: longer recordings cut, shorter ones filled up at their end.

        Parameters
        ----------
        frames : int, optional
            By default as many as the longest recording has. `FeatureStore.frames` says how many are real.
        crop : "start" or "center"
            Which frames of longer ones to take.
        fill : float

        Returns
        -------
        array, float32
            Shape: (recordings, channels, features, frames)

        Raises
        ------
        ParameterError
            If recordings have different numbers of channels or features.
        """
        if crop not in ("start", "center"):
            raise ParameterError(f'crop is {crop!r}; it must be "start" or "center"')
        if frames is None:
            frames = int(self.frames.max(initial=0))
        elif isinstance(frames, bool) or not isinstance(frames, int | np.integer) or frames < 0:
            raise ParameterError(f"frames is {frames!r}; it must be an integer of at least 0")
        out: NDArray[np.float32] | None = None
        for number, recording in enumerate(self):
            values = recording.values
            if out is None:
                rows = values.shape[:2]
                out = np.full((len(self), *rows, frames), fill, np.float32)
            if values.shape[:2] != rows:
                raise ParameterError(
                    f"{recording.key} has {values.shape[0]} channels of {values.shape[1]} features, and {self.keys[0]} "
                    f"{rows[0]} of {rows[1]}; one array takes one kind"
                )
            start = max(0, values.shape[2] - frames) // 2 if crop == "center" else 0
            part = values[:, :, start : start + frames]
            out[number, :, :, : part.shape[2]] = part
        return np.empty((0, 0, 0, frames), np.float32) if out is None else out

    def to_pandas(self, values: bool = False) -> Any:
        """A row for each recording with its key, path, label, sample rate, start, duration and frames.

        With `values`, also an array (channels, features, frames) each.

        Raises
        ------
        ParameterError
            If pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise ParameterError("to_pandas needs pandas: pip install pandas") from None
        first = self._starts[self._order]
        names = ("key", "path", "label", "sample_rate", "start")
        columns: dict[str, Any] = {name: self._table[name].take(first).to_pylist() for name in names}
        total = np.append(0.0, np.cumsum(self._table["duration"].to_numpy()))
        columns["duration"] = total[self._starts[self._order + 1]] - total[first]
        columns["frames"] = self.frames
        if values:
            columns["values"] = [recording.values for recording in self]
        return pandas.DataFrame(columns)

    def subset(self, keys: Sequence[str]) -> Self:
        """A store of some of the recordings.

        Raises
        ------
        KeyError
            If there is no such key.
        """
        wanted = set(keys)
        numbers = [number for number in self._order if self._all[number] in wanted]
        if len(numbers) < len(wanted):
            raise KeyError(next(iter(wanted - {self._all[number] for number in numbers})))
        return self._view(np.array(numbers, np.int64))

    def _view(self, order: NDArray[np.int64]) -> Self:
        view = copy.copy(self)
        view._order = order
        for name in ("keys", "labels"):
            view.__dict__.pop(name, None)
        return view

    def split(
        self, test: float = 0.25, *, by: str | Callable[[str], Any] = "folder", seed: int = 0
    ) -> tuple[Self, Self]:
        """Two stores, to train and to test on, of which no group has recordings in both.

        Parameters
        ----------
        test : float
            The share of recordings to test on; groups are taken whole, so it is met as well as they allow.
        by : "folder", "label", "key" or callable
            What makes a group: the folder in a key, the label, each recording for itself, or what the callable gives
            for a key, such as the speaker.
        seed : int
            Other numbers give other splits; the same gives the same again of the same recordings. Where recordings have
            come or gone, others may change sides, as the share is kept.

        Raises
        ------
        ParameterError

        Examples
        --------
        >>> import tempfile, numpy, soundfile, os
        >>> folder = tempfile.mkdtemp()
        >>> for name in ("anna", "ben", "cleo", "dora"):
        ...     os.mkdir(f"{folder}/{name}")
        ...     soundfile.write(f"{folder}/{name}/a.wav", numpy.zeros(800), 8000)
        >>> from audiotconv import extract_folder
        >>> _ = extract_folder(folder, folder + "/features", "gabor-40")
        >>> train, test = load(folder + "/features").split(0.25)
        >>> len(train), len(test)
        (3, 1)
        """
        if not isinstance(test, int | float) or not 0 <= test <= 1:
            raise ParameterError(f"test is {test!r}; it must be a share of 0 to 1")
        if callable(by):
            groups = [by(key) for key in self.keys]
        elif by == "folder":
            groups = [key.rpartition("/")[0] for key in self.keys]
        elif by in ("label", "key"):
            groups = list(self.labels if by == "label" else self.keys)
        else:
            raise ParameterError(f'by is {by!r}; it must be "folder", "label", "key" or a function of a key')
        members: dict[Any, list[int]] = {}
        for at, group in enumerate(groups):
            members.setdefault(group, []).append(at)
        names = sorted(members, key=lambda group: hashlib.sha256(f"{seed}\0{group!r}".encode()).digest())
        chosen = np.zeros(len(self), bool)
        for name in names:
            missing = test * len(self) - chosen.sum()
            if len(members[name]) <= 2 * missing:  # otherwise it would be farther from the share than without it
                chosen[members[name]] = True
        return self._view(self._order[~chosen]), self._view(self._order[chosen])


class _ReplacedError(StoreError):
    """A file of the store has gone since it was looked up."""


_NOTHING = pa.table(
    {
        **{name: pa.array([], pa.string()) for name in ("key", "path", "label", "file")},
        **{name: pa.array([], pa.int32()) for name in ("sample_rate", "part", "shard", "group", "row")},
        **{name: pa.array([], pa.float64()) for name in ("start", "duration")},
        "shape": pa.array([], pa.list_(pa.int64())),
    }
)


def load(target: str | bytes | os.PathLike[str]) -> FeatureStore:
    """Open a feature store that `extract_folder` or the command line has written, or is writing.

    Parameters
    ----------
    target : path
        The store's folder, or its address.

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
    >>> store.keys, store["a.wav"].values.shape, store.to_numpy(frames=50).shape
    (['a.wav'], (1, 40, 100), (1, 1, 40, 50))
    """
    return FeatureStore(target)
