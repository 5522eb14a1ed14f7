"""Which recordings a run processes, in which order, and under which keys.

Nothing is collected: recordings come out as the inputs are walked, so that a run over millions of them starts at once.
"""

from __future__ import annotations

import fnmatch
import glob
import hashlib
import os
import re
import stat
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ..audio import is_sound_name, shown
from ..errors import AudioFileError, ParameterError
from .lists import Entry, Listing
from .patience import patiently
from .remote import is_url, remote_entries, remote_root

__all__ = ["Failure", "Item", "Plan", "text"]


@dataclass(frozen=True, slots=True)
class Failure:
    """A recording that gave no features, or a folder that could not be searched.

    `reason` is in a word or two, `message` in a sentence.
    """

    key: str
    path: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Item:
    """One recording of a run, or a stretch of one.

    Attributes
    ----------
    path : str
        As the operating system has it (undecodable bytes as surrogates), or an address.
    key : str
        The path below the folder that all inputs share, with "/" on every system, as valid Unicode: unique in the
        run.
    size, mtime : int
        In bytes, and in nanoseconds since 1970; 0 where they cannot be told.
    start, stop : float or None
        In seconds.
    label : str or None
        From a manifest.
    """

    path: str
    key: str
    size: int = 0
    mtime: int = 0
    start: float | None = None
    stop: float | None = None
    label: str | None = None

    @property
    def folder(self) -> str:
        """The name of the folder that the file is in."""
        if is_url(self.path):
            return self.path.rpartition("/")[0].rpartition("/")[2]
        return os.path.basename(os.path.dirname(os.path.abspath(self.path)))


class Plan:
    """The recordings that inputs name, as an iterable of `Item`, and of `Failure` for what cannot be one.

    A file that is named is always taken. A folder is searched with its subfolders, following symbolic links, each
    real folder once, under its own name if that is in the inputs; there, files count whose names end like a sound
    file's, or match one of `include`, and do not begin with a dot. Where no file has the name of an input with *, ? or
    [, it is a pattern, in which ** stands for any number of folders. The order depends on names alone.

    Parameters
    ----------
    inputs : sequence of paths
        Files, folders, patterns and addresses such as "s3://bucket/folder".
    listing : Listing, optional
        A list or manifest of files.
    include, exclude : sequence of str
        Patterns as the shell's: of names at any depth or, with a "/", of paths below the root.

    Attributes
    ----------
    root : str
        What keys are relative to.

    Raises
    ------
    AudioFileError
        If an input does not exist, or cannot be looked at.
    ParameterError
    """

    def __init__(
        self,
        inputs: Sequence[str | bytes | os.PathLike[str]],
        listing: Listing | None = None,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
    ) -> None:
        self._listing = listing
        self._keyed = False  # whether a manifest gives keys of its own
        self._include, self._exclude = _Names(include), _Names(exclude)
        names = [os.fsdecode(entry).removeprefix("file://") for entry in inputs]
        if "" in names:
            raise ParameterError(
                "one of the inputs is an empty name; it must be a file, a folder, a pattern or an address"
            )
        self._remote = [name for name in names if is_url(name)]
        self._named: dict[str, None] = {}  # files, in the order of the inputs
        self._folders: dict[str, None] = {}
        bases = [] if listing is None else [listing.base]
        bases += [self._local(name) for name in names if not is_url(name)]
        if self._remote and bases:
            raise ParameterError(
                f"{shown(self._remote[0])} and files of this machine cannot be in one store; use a store for each"
            )
        self.root = remote_root(self._remote) if self._remote else os.path.commonpath(bases) if bases else ""

    def _local(self, name: str) -> str:
        """Note an input, and give the folder that its keys are relative to."""
        start = os.path.abspath(name)
        if not os.path.lexists(start) and glob.has_magic(name):
            found = sorted(glob.glob(name, recursive=True))
            if not found:
                raise AudioFileError(f"nothing matches {shown(name)}", "missing")
            for path in found:
                self._note(os.path.abspath(path))
            plain = re.split(r"[*?\[]", name, maxsplit=1)[0]
            return os.path.abspath(os.path.dirname(plain) or ".")
        return start if self._note(start) else os.path.dirname(start)

    def _note(self, start: str) -> bool:
        folder = _is_folder(start)
        (self._folders if folder else self._named)[start] = None
        return folder

    def __iter__(self) -> Iterator[Item | Failure]:
        taken: set[bytes] = set()  # digests of keys: a tenth of their memory
        for entry in self._entries():
            if isinstance(entry, Failure):
                yield entry
                continue
            key, number = entry.key, 1
            while (digest := hashlib.blake2b(key.encode(), digest_size=12).digest()) in taken:
                if self._is_plain(entry):
                    break  # a file that is named twice
                # An undecodable name and one that is spelled like its escapes, or a manifest's rows with one key.
                number += 1
                key = f"{entry.key}~{number}"
            else:
                taken.add(digest)
                yield entry if number == 1 else replace(entry, key=key)

    def _is_plain(self, item: Item) -> bool:
        """Whether no other file can have an item's key."""
        own = item.label is None and item.start is None and item.stop is None
        return own and not self._keyed and "\\" not in item.key

    def _entries(self) -> Iterator[Item | Failure]:
        for path in self._named:
            yield self._item(path)
        yield from self._search()
        if self._listing is not None:
            for entry in self._listing:
                yield self._listed(entry)
        unsearched: list[tuple[str, OSError]] = []
        for path, size, mtime in remote_entries(self._remote, self._wanted, unsearched):
            yield Item(path, text(path.removeprefix(self.root).lstrip("/")), size, mtime)
        for path, error in unsearched:
            message = f"{shown(path)} cannot be searched: {error.strerror or error}"
            yield Failure(text(path.removeprefix(self.root).lstrip("/")), text(path), "unreadable", message)

    def _item(self, path: str, key: str | None = None, entry: os.DirEntry[str] | None = None) -> Item:
        key = self._key(path) if key is None else key
        try:
            status = os.stat(path) if entry is None else entry.stat()
        except (OSError, ValueError):
            return Item(path, key)
        return Item(path, key, status.st_size, status.st_mtime_ns)

    def _listed(self, entry: Entry) -> Item | Failure:
        if entry.trouble:
            return Failure(text(entry.key or entry.path), text(entry.path), "bad entry", entry.trouble)
        if is_url(entry.path):
            item = Item(entry.path, text(entry.path))
        else:
            item = self._item(os.path.join(entry.base, entry.path))
        self._keyed |= bool(entry.key)
        key = text(entry.key) if entry.key else item.key
        if not entry.key and (entry.start is not None or entry.stop is not None):
            key += f"#{entry.start or 0:g}-{'' if entry.stop is None else f'{entry.stop:g}'}"
        label = None if entry.label is None else text(entry.label)
        return replace(item, key=key, start=entry.start, stop=entry.stop, label=label)

    def _key(self, path: str) -> str:
        below = os.path.relpath(path, self.root) if self.root else path
        if below.startswith(os.pardir + os.sep):
            below = os.path.abspath(path)
        return text(below.replace(os.sep, "/").lstrip("/"))

    def _wanted(self, name: str, below: str) -> bool:
        if name.startswith(".") or self._exclude.match(name, below):
            return False
        return self._include.match(name, below) if self._include else is_sound_name(name)

    def _search(self) -> Iterator[Item | Failure]:
        """The sound files below the folders. All real ones come before what links lead to, which are passed over."""
        seen: set[tuple[int, int]] = set()
        folders: deque[str] = deque()
        links: deque[str] = deque()
        for start in self._folders:
            (links if os.path.islink(start) else folders).append(start)
        while folders or links:
            folder = (folders or links).popleft()
            try:
                status = patiently(partial(os.stat, folder))
                if (status.st_dev, status.st_ino) in seen:
                    continue
                seen.add((status.st_dev, status.st_ino))
                entries = patiently(partial(_sorted_entries, folder))
            except OSError as error:
                message = f"{shown(folder)} cannot be searched: {error.strerror or error}"
                yield Failure(self._key(folder), text(folder), "unreadable", message)
                continue
            key = self._key(folder)
            begin = "" if key == "." else f"{key}/"
            for entry in entries:
                below = begin + text(entry.name)
                if _leads_to_folder(entry):
                    if not self._exclude.match(entry.name, below):
                        (links if entry.is_symlink() else folders).append(entry.path)
                elif self._wanted(entry.name, below) and entry.path not in self._named:
                    yield self._item(entry.path, below, entry)


def _sorted_entries(folder: str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as opened:
        return sorted(opened, key=lambda entry: entry.name)


class _Names:
    """Patterns of names."""

    def __init__(self, patterns: Sequence[str]) -> None:
        if isinstance(patterns, str):
            raise ParameterError(f"include and exclude are lists of patterns, and not {patterns!r}")
        self._names = self._joined(pattern for pattern in patterns if "/" not in pattern)
        self._paths = self._joined(pattern.lstrip("/") for pattern in patterns if "/" in pattern)
        self._any = bool(patterns)

    @staticmethod
    def _joined(patterns: Iterable[str]) -> re.Pattern[str] | None:
        found = [fnmatch.translate(pattern) for pattern in patterns]
        return re.compile("|".join(found)) if found else None

    def __bool__(self) -> bool:
        return self._any

    def match(self, name: str, below: str) -> bool:
        """Whether one of them matches a file's name, or its path below the root."""
        return bool((self._names and self._names.match(name)) or (self._paths and self._paths.match(below)))


def text(name: str) -> str:
    """A name as valid Unicode: undecodable bytes are written as backslash escapes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _is_folder(start: str) -> bool:
    try:
        if stat.S_ISLNK(os.lstat(start).st_mode):
            return os.path.isdir(start)  # a link to nowhere is one file's failure
        return stat.S_ISDIR(os.stat(start).st_mode)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise AudioFileError(f"{shown(start)} does not exist", "missing") from None
    except OSError as error:
        raise AudioFileError(f"{shown(start)} cannot be read: {error.strerror}", "unreadable", error.errno) from None


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, or to where nobody may look
        return False
