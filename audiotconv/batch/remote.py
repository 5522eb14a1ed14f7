"""Recordings and stores at addresses such as s3://bucket/folder, on any file system that fsspec knows.

There, a file appears whole or not at all when its upload ends, and nothing can be added to one: so each record of a
journal is a file, and so is the lock, which its owner renews while it is at work.
"""

from __future__ import annotations

import contextlib
import json
import os
import posixpath
import re
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ..audio import shown
from ..errors import AudioFileError, ParameterError, StoreError
from .place import HIDDEN, LOCK, Drafts, LocalPlace, Log, Place, RunLock, locked, our_name, unlocked

__all__ = ["RemotePlace", "is_url", "open_remote", "place_of", "remote_entries", "remote_root"]

_BEAT = 30.0
_TIMES = ("mtime", "LastModified", "last_modified", "modified", "updated", "created")


def is_url(name: str) -> bool:
    """Whether it is an address, and no path of this machine."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+(://|::.*://)", name) is not None


def place_of(target: str | bytes | os.PathLike[str]) -> Place:
    """The place of a store."""
    name = os.fsdecode(target).removeprefix("file://")
    if not name:
        raise ParameterError("the target is an empty name; it must be a folder or an address")
    return RemotePlace(name) if is_url(name) else LocalPlace(name)


def _system(url: str) -> tuple[Any, str]:
    """The address's file system, and the path there."""
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise ParameterError(f"{shown(url)} needs fsspec: pip install 'audiotconv[cloud]'") from None
    try:
        system, path = url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise ParameterError(f"{shown(url)} cannot be reached: {error}") from None
    return system, str(path).rstrip("/")


@contextlib.contextmanager
def _plain(name: str) -> Iterator[None]:
    """Whatever a file system's client raises, as an OSError."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(None, f"{type(error).__name__}: {error}") from None


def open_remote(url: str) -> BinaryIO:
    """A recording at an address, as a binary file object.

    Raises
    ------
    AudioFileError
    """
    system, path = _system(url)
    try:
        with _plain(url):
            file: BinaryIO = system.open(path, "rb")
            return file
    except FileNotFoundError:
        raise AudioFileError(f"{shown(url)} does not exist", "missing") from None
    except OSError as error:
        why = error.strerror or error
        raise AudioFileError(f"{shown(url)} cannot be read: {why}", "unreadable", error.errno) from None


def remote_root(urls: Sequence[str]) -> str:
    """The address that all have in common.

    Raises
    ------
    AudioFileError
        If one is not there.
    ParameterError
        If they are on different file systems.
    """
    roots = []
    for url in urls:
        system, path = _system(url)
        try:
            with _plain(url):
                folder = system.isdir(path)
                found = folder or system.exists(path)
        except OSError as error:
            raise AudioFileError(f"{shown(url)} cannot be read: {error.strerror or error}", "unreadable") from None
        if not found:
            raise AudioFileError(f"{shown(url)} does not exist", "missing")
        whole = str(system.unstrip_protocol(path))
        roots.append(whole if folder else whole.rpartition("/")[0])
    kinds = {root.partition("://")[0] for root in roots}
    if len(kinds) > 1:
        raise ParameterError(f"{', '.join(sorted(kinds))} cannot be in one store; use a store for each")
    kind, _, _ = roots[0].partition("://")
    return f"{kind}://{posixpath.commonpath([root.partition('://')[2] for root in roots])}"


def remote_entries(
    urls: Sequence[str], wanted: Callable[[str, str], bool], unsearched: list[tuple[str, OSError]]
) -> Iterator[tuple[str, int, int]]:
    """Addresses, sizes and times of the files that are named, and of those below folders that are wanted.

    Folders that cannot be searched are added to `unsearched`, with the reason.
    """
    for url in urls:
        system, path = _system(url)
        with _plain(url):
            if not system.isdir(path):
                yield _entry(system, system.info(path))
                continue
        folders = deque([path])
        while folders:
            folder = folders.popleft()
            try:
                with _plain(url):
                    found = sorted(system.ls(folder, detail=True), key=lambda entry: str(entry["name"]))
            except OSError as error:
                unsearched.append((str(system.unstrip_protocol(folder)), error))
                continue
            for entry in found:
                name = str(entry["name"]).rstrip("/")
                if entry["type"] == "directory":
                    if name != folder:
                        folders.append(name)
                elif wanted(posixpath.basename(name), name.removeprefix(path).lstrip("/")):
                    yield _entry(system, entry)


def _entry(system: Any, entry: dict[str, Any]) -> tuple[str, int, int]:
    moment: Any = next((entry[name] for name in _TIMES if entry.get(name)), 0)
    seconds = moment.timestamp() if hasattr(moment, "timestamp") else moment
    mtime = int(seconds * 1e9) if isinstance(seconds, int | float) else 0
    return str(system.unstrip_protocol(entry["name"])), int(entry.get("size") or 0), mtime


class RemotePlace:
    """A folder at an address."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.name = shown(url)
        self._system, self._root = _system(url)
        self._scratch = ""

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    def prepare(self) -> None:
        with _plain(self.name):
            self._system.makedirs(self._root, exist_ok=True)

    def lock(self) -> RunLock:
        return _RemoteLock(self)

    def names(self, folder: str = "") -> list[str]:
        with _plain(self.name):
            self._system.invalidate_cache()
            try:
                found = self._system.ls(self._path(folder), detail=False)
            except (FileNotFoundError, NotADirectoryError):
                return []
        inside = [str(name).rstrip("/") for name in found]
        return sorted(posixpath.basename(name) for name in inside if name != self._path(folder).rstrip("/"))

    def exists(self, name: str) -> bool:
        with _plain(self.name):
            return bool(self._system.exists(self._path(name)))

    def size(self, name: str) -> int:
        with _plain(self.name):
            return int(self._system.size(self._path(name)))

    def read(self, name: str) -> bytes:
        with _plain(self.name):
            return bytes(self._system.cat_file(self._path(name)))

    def open(self, name: str) -> BinaryIO:
        with _plain(self.name):
            file: BinaryIO = self._system.open(self._path(name), "rb")
            return file

    def local(self, name: str) -> Path | None:
        return None

    def write(self, name: str, content: bytes) -> None:
        with _plain(self.name):
            self._make_folder(name)
            self._system.pipe_file(self._path(name), content)

    def _make_folder(self, name: str) -> None:
        # File systems of objects have none, but others do.
        self._system.makedirs(self._path(name).rpartition("/")[0], exist_ok=True)

    def publish(self, drafts: Iterable[tuple[str, str]]) -> None:
        with _plain(self.name):
            for draft, name in drafts:
                self._make_folder(name)
                self._move(self._path(draft), self._path(name))

    def _move(self, source: str, target: str) -> None:
        from fsspec import AbstractFileSystem

        if type(self._system).mv is not AbstractFileSystem.mv:
            self._system.mv(source, target)
            return
        self._system.cp_file(source, target)  # the general `mv` takes *, ? and [ in names for patterns
        self._system.rm_file(source)

    def remove(self, names: Iterable[str]) -> None:
        folders: set[str] = set()
        for name in names:
            with contextlib.suppress(FileNotFoundError), _plain(self.name):
                self._system.rm_file(self._path(name))
            parts = name.split("/")
            folders.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
        for folder in sorted(folders, reverse=True):  # inner ones first; there are none in systems of objects
            with contextlib.suppress(Exception):
                self._system.invalidate_cache()
                if self._system.ls(self._path(folder), detail=False) == []:
                    self._system.rmdir(self._path(folder))

    def remove_folder(self, name: str) -> None:
        with contextlib.suppress(Exception):
            self._system.rm(self._path(name), recursive=True)

    def journal(self, name: str) -> Log:
        return _RemoteJournal(self, name)

    def records(self, name: str) -> Iterator[dict[str, Any]]:
        names = self.names(name)
        if not names:
            raise FileNotFoundError(name)
        for number, entry in enumerate(names):
            try:
                if entry != _number(number):
                    raise ValueError(f"{_number(number)} is not there")
                record = json.loads(self.read(f"{name}/{entry}"))
                if not isinstance(record, dict):
                    raise ValueError("it is no record")
            except ValueError as error:
                raise StoreError(f"{self.name}/{name} is damaged: {error}") from None
            yield record

    def remove_journal(self, name: str) -> None:
        for entry in reversed(self.names(name)):  # what a kill leaves of it is a journal still
            self.remove([f"{name}/{entry}"])

    def drafts(self) -> Drafts:
        self._scratch = self._scratch or HIDDEN + os.urandom(8).hex()
        return _RemoteDrafts(self.url, self._scratch)

    def stop(self) -> None:
        """Workers elsewhere finish the batch that they have in hand."""

    def close(self) -> None:
        if self._scratch:
            self.remove_folder(self._scratch)
            self._scratch = ""


@dataclass(frozen=True)
class _RemoteDrafts:
    url: str
    scratch: str

    def folder(self) -> Path:
        return Path(tempfile.mkdtemp(prefix="audiotconv-"))

    def deliver(self, folder: Path, names: Iterable[str]) -> str:
        system, root = _system(self.url)
        draft = f"{self.scratch}/{folder.name}"
        with _plain(self.url):
            for name in names:
                path = f"{root}/{draft}/{name}"
                system.makedirs(path.rpartition("/")[0], exist_ok=True)
                system.put_file(str(folder / name), path)
        self.discard(folder)
        return draft

    def discard(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)

    def stopped(self) -> bool:
        return False


def _number(number: int) -> str:
    return f"{number:09d}.json"


class _RemoteJournal:
    """A folder of files with a record each, numbered."""

    def __init__(self, place: RemotePlace, name: str) -> None:
        self._place, self._name = place, name
        self._next = len(place.names(name))

    def add(self, record: dict[str, Any]) -> None:
        self._place.write(f"{self._name}/{_number(self._next)}", json.dumps(record, separators=(",", ":")).encode())
        self._next += 1

    def close(self) -> None:
        pass


class _RemoteLock:
    """A file that its owner renews. Two runs that begin in the same second may not see each other."""

    def __init__(self, place: RemotePlace) -> None:
        self._place = place
        with contextlib.suppress(FileNotFoundError):
            content = place.read(LOCK)
            try:
                age = time.time() - float(json.loads(content)["alive"])
            except (ValueError, LookupError, TypeError):
                age = float("inf")
            if not unlocked(content, age):
                raise locked(place.name, content)
        self._name = json.loads(our_name())
        self._held = False
        self._beaten = -float("inf")
        self.beat()

    def beat(self) -> None:
        if time.monotonic() - self._beaten > _BEAT:
            self._beaten = time.monotonic()
            if self._held and not self._is_ours():
                raise StoreError(f"another run has taken the lock of {self._place.name}; this one ends")
            self._held = True
            self._place.write(LOCK, json.dumps({**self._name, "alive": time.time()}).encode())

    def _is_ours(self) -> bool:
        try:
            found = json.loads(self._place.read(LOCK))
        except (FileNotFoundError, ValueError):
            return False
        return isinstance(found, dict) and {name: found.get(name) for name in self._name} == self._name

    def release(self) -> None:
        with contextlib.suppress(OSError):
            if self._is_ours():
                self._place.remove([LOCK])
