"""Where a store's files lie, and how they get there so that nobody ever meets half of one.

A worker writes into a draft; the run's owner gives drafts their names. Names are relative to the store, with "/".
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol

from ..audio import shown
from ..errors import StoreError
from .journal import Journal, read_journal

__all__ = [
    "HIDDEN",
    "LOCK",
    "Drafts",
    "LocalPlace",
    "Log",
    "Place",
    "RunLock",
    "finish",
    "locked",
    "our_name",
    "unlocked",
]

HIDDEN = ".audiotconv-"
LOCK = ".audiotconv-lock"
_STOP = "stop"
_STALE = 300.0  # seconds after which the lock of a run on another machine counts as left behind


class Log(Protocol):
    """A journal that is open for adding to."""

    def add(self, record: dict[str, Any]) -> None:
        """Add a record, durably."""

    def close(self) -> None:
        """Close it."""


class Drafts(Protocol):
    """What a worker needs of a place, anywhere: pickled it goes to other processes and machines."""

    def folder(self) -> Path:
        """A new folder on this machine to write into."""

    def deliver(self, folder: Path, names: Iterable[str]) -> str:
        """Hand over files in the folder that are complete and on the disk; the folder's name as a draft."""

    def discard(self, folder: Path) -> None:
        """Remove the folder."""

    def stopped(self) -> bool:
        """Whether the run has asked its workers to come to an end."""


class Place(Protocol):
    """The folder of a store."""

    name: str  # for messages

    def prepare(self) -> None:
        """Make sure that it is there."""

    def lock(self) -> RunLock:
        """Make sure that nobody else writes, or raise StoreError."""

    def names(self, folder: str = "") -> list[str]:
        """The names of what is in the folder; nothing where there is no folder."""

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""

    def size(self, name: str) -> int:
        """In bytes."""

    def read(self, name: str) -> bytes:
        """A whole small file. FileNotFoundError where there is none."""

    def open(self, name: str) -> BinaryIO:
        """A file, to read anywhere in it."""

    def local(self, name: str) -> Path | None:
        """The file's path, if it is on this machine."""

    def write(self, name: str, content: bytes) -> None:
        """A whole small file, in place of one that is there: at no moment is it half written."""

    def publish(self, drafts: Iterable[tuple[str, str]]) -> None:
        """Give drafts their names, durably."""

    def remove(self, names: Iterable[str]) -> None:
        """Remove files, and folders that become empty; what is not there is no error."""

    def remove_folder(self, name: str) -> None:
        """Remove a folder that only runs write in, and what is in it."""

    def journal(self, name: str) -> Log:
        """A journal, new or to go on with."""

    def records(self, name: str) -> Iterator[dict[str, Any]]:
        """A journal's records. FileNotFoundError where there is none."""

    def remove_journal(self, name: str) -> None:
        """Remove a journal, and its folder if that is empty then."""

    def drafts(self) -> Drafts:
        """Where this run's workers write."""

    def stop(self) -> None:
        """Ask workers in other processes to come to an end."""

    def close(self) -> None:
        """Remove this run's drafts, and the folder if it was made for nothing."""


class LocalPlace:
    """A folder of this machine, or of a file system that is mounted here."""

    def __init__(self, target: str) -> None:
        self.root = Path(os.path.abspath(target))  # workers may be in another current folder
        self.name = shown(target)
        self._made: list[Path] = []  # folders that were not there before, innermost first
        self._scratch: Path | None = None

    def prepare(self) -> None:
        self._made = [place for place in (self.root, *self.root.parents) if not place.exists()]
        self.root.mkdir(parents=True, exist_ok=True)
        for folder in self._made:
            _sync_folder(folder.parent)

    def lock(self) -> RunLock:
        return _FileLock(self.root / LOCK, self.name)

    def names(self, folder: str = "") -> list[str]:
        try:
            return sorted(os.listdir(self.root / folder))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def exists(self, name: str) -> bool:
        return (self.root / name).exists()

    def size(self, name: str) -> int:
        return (self.root / name).stat().st_size

    def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def open(self, name: str) -> BinaryIO:
        return open(self.root / name, "rb")

    def local(self, name: str) -> Path | None:
        return self.root / name

    def write(self, name: str, content: bytes) -> None:
        path = self.root / name
        _make_folder(path.parent)
        draft = self._scratch_folder() / f"{os.urandom(8).hex()}.draft"
        with open(draft, "wb") as file:
            file.write(content)
            finish(file)
        os.replace(draft, path)
        _sync_folder(path.parent)

    def publish(self, drafts: Iterable[tuple[str, str]]) -> None:
        folders: dict[Path, None] = {}
        for draft, name in drafts:
            path = self.root / name
            if path.parent not in folders:
                _make_folder(path.parent)
                folders[path.parent] = None
            os.replace(self.root / draft, path)
        for folder in folders:
            _sync_folder(folder)

    def remove(self, names: Iterable[str]) -> None:
        folders: set[Path] = set()
        for name in names:
            path = self.root / name
            path.unlink(missing_ok=True)
            folders.update(parent for parent in path.parents if self.root in parent.parents)
        for folder in sorted(folders, reverse=True):  # inner folders come first
            try:
                folder.rmdir()
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ENOTDIR):
                    raise

    def remove_folder(self, name: str) -> None:
        shutil.rmtree(self.root / name, ignore_errors=True)

    def journal(self, name: str) -> Log:
        path = self.root / name
        _make_folder(path.parent)
        journal = Journal(path)
        _sync_folder(path.parent)
        return journal

    def records(self, name: str) -> Iterator[dict[str, Any]]:
        return read_journal(self.root / name)

    def remove_journal(self, name: str) -> None:
        self.remove([name])

    def drafts(self) -> Drafts:
        return _LocalDrafts(str(self.root), self._scratch_folder().name)

    def _scratch_folder(self) -> Path:
        if self._scratch is None:
            self._scratch = Path(tempfile.mkdtemp(prefix=HIDDEN, dir=self.root))
        return self._scratch

    def stop(self) -> None:
        if self._scratch is not None:
            with contextlib.suppress(OSError):  # on a full disk they finish what they have in hand
                (self._scratch / _STOP).touch()

    def close(self) -> None:
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None
        for folder in self._made:
            with contextlib.suppress(OSError):
                folder.rmdir()


@dataclass(frozen=True)
class _LocalDrafts:
    root: str
    scratch: str

    def folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=os.path.join(self.root, self.scratch)))

    def deliver(self, folder: Path, names: Iterable[str]) -> str:
        return f"{self.scratch}/{folder.name}"

    def discard(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)

    def stopped(self) -> bool:
        return os.path.exists(os.path.join(self.root, self.scratch, _STOP))


class RunLock(Protocol):
    """What keeps other runs out."""

    def beat(self) -> None:
        """Say, from time to time, that this run is alive."""

    def release(self) -> None:
        """Let others write."""


class _FileLock:
    """A lock file. The system's own lock on it ends with the process; where the file system has none, the file's
    content tells who holds it, and its age whether they still do.
    """

    def __init__(self, path: Path, store: str) -> None:
        self._path = path
        self._beaten = time.monotonic()
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
            try:
                self._system = self._taken(descriptor, store)
                with contextlib.suppress(FileNotFoundError):
                    if os.stat(path).st_ino == os.fstat(descriptor).st_ino:
                        self._sign(descriptor)
                        break
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)  # its last owner has just removed it
        self._descriptor: int | None = descriptor
        _held.add(descriptor)

    def _sign(self, descriptor: int) -> None:
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, our_name(), 0)
        except OSError:
            if not self._system:  # otherwise it is for messages only
                raise

    def _taken(self, descriptor: int, store: str) -> bool:
        """Whether it is the system's lock."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise locked(store, os.pread(descriptor, 4096, 0)) from None
        except OSError:
            content = os.pread(descriptor, 4096, 0)
            if not unlocked(content, time.time() - os.fstat(descriptor).st_mtime):
                raise locked(store, content) from None
            return False
        return True

    def beat(self) -> None:
        if not self._system and self._descriptor is not None and time.monotonic() - self._beaten > _STALE / 10:
            self._beaten = time.monotonic()
            with contextlib.suppress(OSError):
                os.utime(self._path)

    def release(self) -> None:
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        _held.discard(descriptor)
        try:
            with contextlib.suppress(OSError):
                self._path.unlink()
        finally:
            if self._system:
                fcntl.flock(descriptor, fcntl.LOCK_UN)  # a forked process may hold it too
            os.close(descriptor)


_held: set[int] = set()  # descriptors of lock files


def _let_go() -> None:
    """In a forked process: the lock is its parent's, with whom it ends."""
    for descriptor in _held:
        with contextlib.suppress(OSError):
            os.close(descriptor)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


def our_name() -> bytes:
    """What a lock says of its owner."""
    return json.dumps({"host": socket.gethostname(), "process": os.getpid(), "since": time.time()}).encode()


def unlocked(content: bytes, age: float) -> bool:
    """Whether a lock that the system does not hold, last touched `age` seconds ago, has been left behind."""
    try:
        owner = json.loads(content)
        if owner["host"] != socket.gethostname():
            return age > _STALE
        os.kill(owner["process"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    except (ValueError, LookupError, TypeError):
        return not content or age > _STALE
    return False


def locked(store: str, content: bytes) -> StoreError:
    """The error that a lock with this content is."""
    try:
        owner = json.loads(content)
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(owner["since"]))
        who = f" (process {int(owner['process'])} on {str(owner['host'])[:99]}, since {since})"
    except (ValueError, LookupError, TypeError, OSError, OverflowError):
        who = ""
    return StoreError(f"another run{who} is writing into {store}; wait until it has finished, or choose another target")


def finish(file: IO[bytes]) -> None:
    """Wait until the file's content is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def _make_folder(path: Path) -> None:
    """Make a folder, and those above it; their names are on the disk then."""
    if not path.is_dir():
        _make_folder(path.parent)
        path.mkdir(exist_ok=True)
        _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    """Wait until the folder's names are on the disk."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:
        return  # one that may be written, but not looked at
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems cannot
            raise
    finally:
        os.close(descriptor)
