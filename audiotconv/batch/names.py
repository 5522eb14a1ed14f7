"""The names of the .npy files in a store: as the recordings' own wherever that can be."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from .manifest import INDEX, JOURNAL

__all__ = ["NpyNames"]

_SUFFIX = ".npy"


@dataclass(frozen=True)
class NpyNames:
    """A file's name for each key: the key and ".npy".

    It depends on nothing but the key and two properties of the file system, so that workers who know nothing of each
    other never take the same one. Parts of it that are too long get a shorter name with a hash of themselves; so do
    folders that could be taken for one of these files, and what is named like the store's own files. Where capital
    letters or the forms of accents make no difference, so does every name that has some.

    Attributes
    ----------
    longest : int
        How many bytes the name of a file may have.
    folds : bool
        Whether names that differ in such things only are one name.
    """

    longest: int = 255
    folds: bool = False

    @classmethod
    def of(cls, folder: Path | None) -> NpyNames:
        """What holds in a folder, which is tried out; without one, of file systems in general."""
        if folder is None:
            return cls()
        try:
            longest = os.pathconf(folder, "PC_NAME_MAX")
        except (OSError, ValueError):  # not known there
            longest = 255
        (folder / "a").touch()
        folds = (folder / "A").exists()
        (folder / "a").unlink()
        return cls(longest, folds)

    def name(self, key: str) -> str:
        """The name for a key, with "/"."""
        *folders, file = key.split("/")
        parts = [self._fitting(part, part.endswith(_SUFFIX)) for part in folders]
        parts.append(self._fitting(file + _SUFFIX, False))
        if parts[0] == JOURNAL or (len(parts) > 1 and parts[0].startswith(INDEX)):
            parts[0] = self._marked(parts[0])
        return "/".join(part if part not in ("", ".", "..") else self._marked(part) for part in parts)

    def _fitting(self, part: str, ambiguous: bool) -> str:
        different = self.folds and not (part.isascii() and part.islower())
        if ambiguous or different or len(os.fsencode(part)) > self.longest or "\0" in part:
            return self._marked(part)
        return part

    def _marked(self, part: str) -> str:
        """A name with a hash: as much of its beginning as fits, and its ending if that is ours."""
        ending = _SUFFIX if part.endswith(_SUFFIX) else ""
        ending = f"~{hashlib.sha256(part.encode()).hexdigest()[:16]}{ending}"
        begin = os.fsencode(part.removesuffix(_SUFFIX).replace("\0", "_"))[: max(0, self.longest - len(ending))]
        return begin.decode("utf-8", "ignore") + ending
