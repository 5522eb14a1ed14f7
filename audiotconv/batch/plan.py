"""Which files a folder run processes, in which order, and under which keys."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..audio import is_sound_name, shown
from ..errors import AudioFileError

__all__ = ["Item", "plan", "text"]


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


def plan(inputs: Sequence[str | os.PathLike[str]]) -> list[Item]:
    """The recordings that the inputs name, sorted by key.

    A file that is named is always taken. A folder is searched with its subfolders, following symbolic links, each
    real folder once; there, files count whose names end like a sound file's and do not begin with a dot.

    Raises
    ------
    AudioFileError
        If an input does not exist.
    """
    starts = [os.path.abspath(os.fsdecode(entry)) for entry in inputs]
    for given, start in zip(inputs, starts, strict=True):
        if not os.path.lexists(start):
            raise AudioFileError(f"{shown(given)} does not exist", "missing")
    if not starts:
        return []
    roots = [start if os.path.isdir(start) else os.path.dirname(start) for start in starts]
    root = os.path.commonpath(roots)
    paths: set[str] = set()
    for start in starts:
        paths.update(_walk(start) if os.path.isdir(start) else [start])
    items: dict[str, Item] = {}
    for path in sorted(paths):
        key = plain = text(os.path.relpath(path, root).replace(os.sep, "/"))
        number = 1
        while key in items:  # an undecodable name and one that is spelled like its escapes
            number += 1
            key = f"{plain}~{number}"
        items[key] = Item(path, key, _size(path))
    return [items[key] for key in sorted(items)]


def text(name: str) -> str:
    """A name as valid Unicode: undecodable bytes are written as backslash escapes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _walk(start: str) -> Iterator[str]:
    seen: set[tuple[int, int]] = set()
    for folder, below, files in os.walk(start, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            below.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        below.sort()
        for name in files:
            if is_sound_name(Path(name)) and not name.startswith("."):
                yield os.path.join(folder, name)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
