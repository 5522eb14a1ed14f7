"""Which files a folder run processes, in which order, and under which keys."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..audio import is_sound_name, shown
from ..errors import AudioFileError

__all__ = ["Failure", "Item", "plan", "text"]


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
    """One recording of a run.

    Attributes
    ----------
    path : str
        As the operating system has it (undecodable bytes as surrogates).
    key : str
        The path below the folder that all inputs share, with "/" on every system, as valid Unicode: unique in the
        run.
    size : int
        In bytes, 0 where it cannot be told.
    """

    path: str
    key: str
    size: int

    @property
    def label(self) -> str:
        """The name of the folder that the file is in."""
        return os.path.basename(os.path.dirname(os.path.abspath(self.path)))


def plan(inputs: Sequence[str | bytes | os.PathLike[str]]) -> tuple[list[Item], list[Failure]]:
    """The recordings that the inputs name, sorted by key, and the folders that could not be searched.

    A file that is named is always taken. A folder is searched with its subfolders, following symbolic links, each
    real folder once, under its own name if that is in the inputs; there, files count whose names end like a sound
    file's and do not begin with a dot.

    Raises
    ------
    AudioFileError
        If an input does not exist, or cannot be looked at.
    """
    starts = [os.path.abspath(os.fsdecode(entry)) for entry in inputs]
    folders = {start: None for start in starts if _is_folder(start)}
    if not starts:
        return [], []
    root = os.path.commonpath([start if start in folders else os.path.dirname(start) for start in starts])
    found, troubles = _search(folders)
    items: dict[str, Item] = {}
    for path in sorted(found.union(starts) - folders.keys()):
        key = plain = _key(path, root)
        number = 1
        while key in items:  # an undecodable name and one that is spelled like its escapes
            number += 1
            key = f"{plain}~{number}"
        items[key] = Item(path, key, _size(path))
    failures = [
        Failure(_key(path, root), text(path), "unreadable", f"{shown(path)} cannot be searched: {reason}")
        for path, reason in troubles
    ]
    return [items[key] for key in sorted(items)], failures


def text(name: str) -> str:
    """A name as valid Unicode: undecodable bytes are written as backslash escapes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _key(path: str, root: str) -> str:
    return text(os.path.relpath(path, root).replace(os.sep, "/"))


def _is_folder(start: str) -> bool:
    try:
        if stat.S_ISLNK(os.lstat(start).st_mode):
            return os.path.isdir(start)  # a link to nowhere is one file's failure
        return stat.S_ISDIR(os.stat(start).st_mode)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise AudioFileError(f"{shown(start)} does not exist", "missing") from None
    except OSError as error:
        raise AudioFileError(f"{shown(start)} cannot be read: {error.strerror}", "unreadable") from None


def _search(starts: Iterable[str]) -> tuple[set[str], list[tuple[str, str]]]:
    """The sound files below, and the folders that could not be read with the reason.

    All real folders come before what links lead to, so that it is the link that is passed over.
    """
    found: set[str] = set()
    troubles: list[tuple[str, str]] = []
    seen: set[tuple[int, int]] = set()
    folders: deque[str] = deque()
    links: deque[str] = deque()
    for start in starts:
        (links if os.path.islink(start) else folders).append(start)
    while folders or links:
        folder = (folders or links).popleft()
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    if _leads_to_folder(entry):
                        (links if entry.is_symlink() else folders).append(entry.path)
                    elif is_sound_name(Path(entry.name)) and not entry.name.startswith("."):
                        found.add(entry.path)
        except OSError as error:
            troubles.append((folder, error.strerror or str(error)))
    return found, sorted(troubles)


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, or to where nobody may look
        return False


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
