"""How a run's files become the store, wholly or not at all.

A target holds one folder of files, `run-1`, and the manifest that names it. A later run writes into a hidden folder,
renames that to `run-2`, where nobody looks yet, and then replaces the manifest: this one rename makes its files the
store. Whatever happens before it leaves the old store, whatever happens after it the new one. Then the old run's files
are removed; where that does not come to its end, the next run goes on with it.

A run holds a lock on the target, so what it finds of other runs is of dead ones. It removes hidden folders with our
prefix, and in folders `run-...` the files that the manifest in them names: files of the user's own stay.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ..audio import shown
from ..errors import ParameterError, StoreError
from ..recipes import Recipe
from .manifest import COPY, MANIFEST, manifest_of, parse, read_manifest, run_number

__all__ = ["RunFolder", "finish"]

_HIDDEN = ".audiotconv-"


class RunFolder:
    """The target of a run, locked, and the hidden folder inside it that holds the run's files until it has finished.

    Attributes
    ----------
    files : Path
        What is in this folder at the end becomes the store.
    scratch : Path
        A folder on the same file system for what is not complete yet.
    replaces : bool
        Whether there is a store already.

    Raises
    ------
    StoreError
        If the target cannot be written, or another run is writing into it.
    ParameterError
        If it holds something that is not a feature store.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self._lock: int | None = None
        self._own: list[str] = []  # names in the target that are ours even where there are no locks
        self._made: list[Path] = []  # folders that were not there before, innermost first
        try:
            self._made = [place for place in (target, *target.parents) if not place.exists()]
            target.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(target)
            self._clean()
            self.replaces = self._check()
            self.scratch = Path(tempfile.mkdtemp(prefix=_HIDDEN, dir=target))
            self._own.append(self.scratch.name)
            self.files = self.scratch / "files"
            self.files.mkdir()
        except BaseException as error:
            self.discard()
            if isinstance(error, OSError) and not isinstance(error, StoreError):
                raise StoreError(f"{shown(target)} cannot be written: {error.strerror or error}") from None
            raise

    def _check(self) -> bool:
        found = sorted(
            name
            for name in os.listdir(self.target)
            if not name.startswith(_HIDDEN) and not (run_number(name) and (self.target / name / COPY).exists())
        )
        if found and MANIFEST not in found:
            raise ParameterError(
                f"{shown(self.target)} is neither empty nor a feature store (it holds {shown(found[0])!r} and no "
                f"{MANIFEST}); choose another target"
            )
        return MANIFEST in found and bool(read_manifest(self.target)["files"])

    def commit(self, recipe: Recipe, form: str, summary: dict[str, Any]) -> None:
        """Make the run's files the store, and remove an earlier run's. Ctrl-C has to wait so long."""
        with _uninterrupted("the run had finished, and its store is complete"):
            folder = f"run-{1 + max(map(run_number, os.listdir(self.target)), default=0)}"
            files = sorted(
                os.path.relpath(os.path.join(place, name), self.files)
                for place, _, names in os.walk(self.files)
                for name in names
            )
            manifest = json.dumps(manifest_of(recipe, form, summary, folder, files), indent=1)
            draft = self.scratch / MANIFEST
            for path in (self.files / COPY, draft):
                with open(path, "wb") as file:
                    file.write(manifest.encode())
                    finish(file)
            for place, _, _ in os.walk(self.files):
                _sync_folder(Path(place))
            self._own += [folder, *self._store()]
            os.rename(self.files, self.target / folder)
            _sync_folder(self.target)
            os.replace(draft, self.target / MANIFEST)
            try:
                _sync_folder(self.target)
            except OSError as error:
                raise StoreError(
                    f"{shown(self.target)} holds the new store, but may lose it in a power failure: {error.strerror}"
                ) from None
            self.discard()

    def discard(self) -> None:
        """Remove what the run has written, if it is not the store now, and let other runs write."""
        self._clean()
        for folder in self._made:
            with contextlib.suppress(OSError):
                folder.rmdir()
        if self._lock is not None:
            fcntl.flock(self._lock, fcntl.LOCK_UN)  # a forked process may hold it too
            os.close(self._lock)
            self._lock = None

    def _store(self) -> list[str]:
        """The folder that is the store, if there is one."""
        try:
            return [parse(self.target / MANIFEST)["folder"]]
        except FileNotFoundError:
            return []

    def _clean(self) -> None:
        """Remove what is left of dead runs, of stores that have been replaced, and of this run: all but the store."""
        with contextlib.suppress(OSError):  # StoreError too: where it is not known what the store is, nothing goes
            kept = self._store()
            runs = []
            for name in os.listdir(self.target):
                path = self.target / name
                if path.is_symlink() or not path.is_dir() or not (name in self._own or self._lock is not None):
                    continue
                if name.startswith(_HIDDEN):
                    shutil.rmtree(path, ignore_errors=True)
                elif run_number(name) and name not in kept and (name in self._own or kept):
                    runs.append(path)  # others' only where there is a store: a manifest can get lost
            if runs:
                _sync_folder(self.target)  # what the manifest says must be on the disk first
            for path in runs:
                _remove_run(path)


def _locked(target: Path) -> int | None:
    """A lock on the folder, or None where the file system has no locks. It ends with the process."""
    descriptor = os.open(target, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StoreError(
            f"another run is writing into {shown(target)}; wait until it has finished, or choose another target"
        ) from None
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _remove_run(path: Path) -> None:
    """Remove the files that a run has written, the manifest last, and the folders that are empty then."""
    with contextlib.suppress(OSError):  # what is damaged, or in use, stays
        with contextlib.suppress(FileNotFoundError):
            manifest = parse(path / COPY)
            if manifest["folder"] != path.name:  # somebody's copy
                return
            folders: set[Path] = set()
            for name in manifest["files"]:
                (path / name).unlink(missing_ok=True)
                folders.update(Path(name).parents)
            for folder in sorted(folders - {Path()}, reverse=True):  # inner folders come first
                _remove_empty(path / folder)
            (path / COPY).unlink()
        _remove_empty(path)


def _remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
            raise


@contextlib.contextmanager
def _uninterrupted(state: str) -> Iterator[None]:
    """Hold Ctrl-C back. If it came, KeyboardInterrupt is raised afterwards, and says how things stand."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or handler is None:
        yield  # Python interrupts the main thread only
        return
    came: list[bool] = []
    signal.signal(signal.SIGINT, lambda *_: came.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if came:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(state) from None


def finish(file: IO[bytes]) -> None:
    """Wait until the file's content is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    """Wait until the folder's names are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems cannot
            raise
    finally:
        os.close(descriptor)
