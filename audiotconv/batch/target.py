"""The store that a run writes: which of its folders it goes on with, and how drafts become part of it.

A store holds one folder of files, `run-1`, with a journal in it, and the manifest that names the folder. A run whose
recipe and settings are those of this folder goes on in it. Any other begins a new one, `run-2`, and only when it has
come to its end the manifest names that, and the old one is removed: until then the earlier store is whole, and it stays
where recordings would be lost that nobody has said may go. If it does not come to its end, the same run goes on in
`run-2` later. A folder with a lower number than the one that the manifest names has been replaced, and is what a kill
has left of it.

Files get their names after the journal says that they are about to, and count from when it says that they are there.
What a kill leaves in between is removed by the next run, which holds a lock on the store: what it finds of others is of
dead ones.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..audio import shown
from ..errors import StoreError
from .folders import check_target, find_ledger, stored_folder, stored_ledger
from .journal import pieces
from .ledger import Ledger
from .manifest import FAILURES, JOURNAL, MANIFEST, run_number, shard_name, shard_number
from .patience import patiently
from .place import HIDDEN, LOCK, Log, Place, RunLock
from .plan import Failure
from .sinks import Draft
from .store import SCHEMAS, Shard, ShardWriter

__all__ = ["Target", "unwritable"]


class Target:
    """A store, locked, that a run goes on with or begins.

    Parameters
    ----------
    place : Place
    description : dict or None
        What the run makes; None for whoever takes the store as it is, to repair it.
    overwrite : bool
        Whether to do everything again, whatever is there, unless such a run has begun: then to go on with that.
    by_content : bool
        Whether recordings are known by their content's hash.

    Attributes
    ----------
    ledger : Ledger
        What is done.

    Raises
    ------
    StoreError
        If the target cannot be written, or another run is writing into it.
    ParameterError
        If it holds something that is not a feature store, or recordings of another folder.
    """

    def __init__(
        self, place: Place, description: dict[str, Any] | None, *, overwrite: bool = False, by_content: bool = False
    ) -> None:
        self.place = place
        self._overwrite = overwrite
        self._journal: Log | None = None
        self._lock: RunLock | None = None
        self._fresh = ""  # the folder, if there was no store before
        self._earlier = ""  # the folder of the store, if it is to be replaced
        try:
            place.prepare()
            check_target(place)
            self._lock = place.lock()
            self._open(description, by_content)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError) and not isinstance(error, StoreError):
                raise unwritable(place, error) from None
            raise

    def _open(self, description: dict[str, Any] | None, by_content: bool) -> None:
        place = self.place
        self._store = stored_folder(place)
        names = place.names()
        for name in names:
            if name.startswith(HIDDEN) and name != LOCK:
                place.remove_folder(name)
        if description is None:
            self.folder, self.ledger = stored_ledger(place)
        else:
            found = find_ledger(place, description, overwrite=self._overwrite, by_content=by_content)
            kept = {self._store, found and found[0]}
            for name in names:
                if run_number(name) and name not in kept and (self._store or not place.exists(f"{name}/{JOURNAL}")):
                    self._remove_run(name)
            if found is None:
                self.folder = f"run-{1 + max(map(run_number, names), default=0)}"
                self.ledger = Ledger(f"{place.name}/{self.folder}/{JOURNAL}", by_content=by_content)
                self._fresh = "" if self._store else self.folder
            else:
                self.folder, self.ledger = found
        self._journal = place.journal(f"{self.folder}/{JOURNAL}")
        if not self.ledger.description:
            self.record({"run": description, **({"overwrite": True} if self._overwrite else {})})
        if self._store is None:
            self._name_store()
        elif self._store != self.folder:
            self._earlier = self._store
        self._form = self.ledger.description["format"]
        named = [*self.ledger.shards, *self.ledger.leftovers, *place.names(self.folder)]
        self._next = 1 + max((shard_number(name, self._form) for name in named), default=-1)
        self._remove_leftovers()

    @property
    def replaces(self) -> bool:
        """Whether there is a store already, which stays until this run has come to its end."""
        return bool(self._earlier)

    def _name_store(self) -> None:
        manifest = {**self.ledger.description, "folder": self.folder}
        self.place.write(MANIFEST, json.dumps(manifest, indent=1).encode())
        self._store = self.folder

    def record(self, record: dict[str, Any]) -> None:
        """Add to the journal, and to the ledger."""
        assert self._journal is not None
        self._journal.add(record)
        self.ledger.take(record)

    def record_each(self, what: str, entries: Iterable[Any]) -> None:
        """Add any number of entries, in as many records as they take, and wait for errors to pass."""
        for piece in pieces(entries):
            patiently(functools.partial(self.record, {what: piece}))

    def beat(self) -> None:
        """Tell others that the lock is still held; StoreError if somebody else has it now."""
        assert self._lock is not None
        try:
            self._lock.beat()
        except StoreError:
            raise
        except OSError:  # the network stumbles: the lock is not old yet
            pass

    def publish(self, folder: str, drafts: Sequence[Draft], **more: Any) -> None:
        """Make a batch's drafts part of the store. `more` goes into the records."""
        self.beat()
        placed = []
        for draft in drafts:
            placed.append((draft, shard_name(self._next, self._form)))
            self._next += 1
        if not placed:
            return
        # A recording's .npy file is replaced under its name, so its old row must not count while that happens.
        redone = [item["key"] for draft in drafts for item in draft.items if "file" in item]
        redone = [key for key in redone if self.ledger.knows(key)]
        names = [name for draft, shard in placed for name in (shard, *draft.files)]
        self.record({"placing": names, **({"gone": redone} if redone else {})})
        for draft, shard in placed:
            pairs = [(f"{folder}/files/{name}", f"{self.folder}/{name}") for name in draft.files]
            self.place.publish([*pairs, (f"{folder}/{draft.name}", f"{self.folder}/{shard}")])
            self.record({"shard": shard, **asdict(draft.shard), "items": draft.items, **more})
        self.place.remove_folder(folder)

    def stored_keys(self) -> Iterator[str]:
        """Of all rows that count."""
        for name in self.ledger.shards:
            with self._table(name) as file:
                for key in file.read(columns=["key"])["key"].to_pylist():
                    if self.ledger.knows(key):
                        yield key

    @contextlib.contextmanager
    def _table(self, name: str) -> Iterator[pq.ParquetFile]:
        with self.place.open(f"{self.folder}/{name}") as raw, pq.ParquetFile(raw) as file:
            yield file

    def tidy(self) -> None:
        """Take rows that have been replaced, or are no longer wanted, out of the shards, and remove leftovers."""
        self._remove_leftovers()
        ledger = self.ledger
        if not ledger.stale:
            return
        newest: dict[str, str] = {}  # where the row of an outdated key is that counts
        keys: dict[str, list[str]] = {}
        for name in ledger.shards:
            with self._table(name) as file:
                keys[name] = file.read(columns=["key"])["key"].to_pylist()
            for key in keys[name]:
                if key in ledger.stale and ledger.knows(key):
                    newest[key] = name
        for name, held in keys.items():
            gone = {key for key in held if key in ledger.stale and newest.get(key) != name}
            if gone:
                self._rewrite(name, gone)
        self.record({"tidied": True})  # not before all are: a key may have outdated rows in several shards

    def _rewrite(self, name: str, gone: set[str]) -> None:
        drafts = self.place.drafts()
        folder = drafts.folder()
        files: list[str] = []
        try:
            shard = self._without(name, gone, folder / "table.parquet", files)
            draft = drafts.deliver(folder, ["table.parquet"])
        except BaseException:
            drafts.discard(folder)
            raise
        more = {"replaces": [name], "removes": files, "without": sorted(gone)}
        self.publish(draft, [Draft("table.parquet", shard, [])], **more)
        self._remove_leftovers()

    def _remove_leftovers(self) -> None:
        self.place.remove(f"{self.folder}/{name}" for name in self.ledger.leftovers)
        self.ledger.leftovers.clear()

    def _without(self, name: str, gone: set[str], path: Path, files: list[str]) -> Shard:
        """A shard without some rows, and the files of these that no row has any more."""
        writer = ShardWriter(path, self._form)
        try:
            with self._table(name) as file:
                for group in range(file.num_row_groups):
                    table = file.read_row_group(group).cast(SCHEMAS[self._form])
                    keep = [key not in gone for key in table["key"].to_pylist()]
                    writer.copy(table.filter(pa.array(keep, pa.bool_())))
                    if self._form == "npy":
                        lost = table.filter(pa.array([not kept for kept in keep], pa.bool_()))
                        pairs = zip(lost["key"].to_pylist(), lost["file"].to_pylist(), strict=True)
                        files += [entry for key, entry in pairs if not self.ledger.knows(key)]
            return writer.close()
        except BaseException:
            writer.abandon()
            raise

    def drop(self, names: Sequence[str], keys: Sequence[str]) -> None:
        """Take damaged shards, with the files that only they name, and recordings out of the store."""
        self.record_each("gone", keys)  # first: recordings of a shard that is lost must not count any more
        self.record_each("lost", names)
        self.tidy()

    def finish(self, *, prune: bool) -> None:
        """Make this run's folder the store, if another one is, and remove that.

        Raises
        ------
        StoreError
            If recordings would be lost by that, and it is neither `prune` nor to overwrite the store.
        """
        if self._earlier and not prune and not self._overwrite:
            self._check_losses()
        self.tidy()
        self.list_failures()
        if self._earlier:
            self._name_store()
        if self.ledger.overwrites:
            self.record({"overwritten": True})
        if self._earlier:
            self._remove_run(self._earlier)

    def _check_losses(self) -> None:
        name = f"{self._earlier}/{JOURNAL}"
        try:
            earlier = Ledger(f"{self.place.name}/{name}").read(self.place.records(name))
        except FileNotFoundError:
            return  # nobody can read it
        lost: dict[str, None] = {}
        for record in self.place.records(name):
            keys = (item["key"] for item in record.get("items", ()))
            lost.update((key, None) for key in keys if earlier.knows(key) and not self.ledger.judged(key))
        if lost:
            named = ", ".join(map(shown, itertools.islice(lost, 3))) + (", ..." if len(lost) > 3 else "")
            raise StoreError(
                f"{self.place.name} would lose {len(lost):,} of its recordings ({named}); it stays as it is, and what "
                "has been done is kept; the same over all of them goes on, and with prune it replaces the store"
            )

    def list_failures(self) -> None:
        """Write the table of what is set aside."""
        failures = [asdict(failure) for failure in self.ledger.failures.values()]
        if not failures:
            self.place.remove([FAILURES])
            return
        fields = [(name, pa.string()) for name in Failure.__slots__]
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist(sorted(failures, key=lambda row: row["key"]), pa.schema(fields)), sink)
        self.place.write(FAILURES, sink.getvalue().to_pybytes())

    def abandon(self) -> None:
        """Remove this run's folder, if it is not the store."""
        if self._store != self.folder:
            self._close_journal()
            self._remove_run(self.folder)

    def _remove_run(self, name: str) -> None:
        """Remove the files that the folder's journal names, the journal last: others' files stay."""
        files: dict[str, None] = {}
        try:
            for record in self.place.records(f"{name}/{JOURNAL}"):
                files.update(dict.fromkeys(record.get("placing", ())))
        except FileNotFoundError:
            pass  # somebody else's, or a kill has left the empty folder
        except (NotADirectoryError, StoreError):
            return  # a file, or nobody knows any more what is in it
        self.place.remove(f"{name}/{file}" for file in files if not _leads_out(file))
        self.place.remove_journal(f"{name}/{JOURNAL}")

    def _close_journal(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def close(self) -> None:
        """Let others write. What has been published stays; a new store in which there is nothing does not."""
        with contextlib.ExitStack() as stack:  # all of it, whatever comes in between
            stack.callback(self.place.close)
            if self._lock is not None:
                stack.callback(self._lock.release)
                self._lock = None
            stack.callback(self._drop_nothing)
            self._close_journal()

    def _drop_nothing(self) -> None:
        if self._fresh and not self.ledger.shards and not self.ledger.failures:
            with contextlib.suppress(OSError):
                self.place.remove([MANIFEST])
                self._remove_run(self._fresh)


def _leads_out(name: str) -> bool:
    return name.startswith("/") or ".." in name.split("/") or "\0" in name


def unwritable(place: Place, error: OSError) -> StoreError:
    """The error of a store that cannot be written."""
    return StoreError(f"{place.name} cannot be written: {error.strerror or error}", error.errno)
