"""The names of the .npy files in a store: as the recordings' own wherever that can be."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from .manifest import COPY, INDEX, MANIFEST

__all__ = ["longest_name", "npy_names"]

_SUFFIX = ".npy"


def longest_name(folder: Path) -> int:
    """How many bytes the name of a file in the folder may have."""
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (OSError, ValueError):  # not known there
        return 255


def npy_names(keys: Sequence[str], longest: int) -> dict[str, str]:
    """A file's name for each key: the key and ".npy".

    Folders and files whose names are too long then, or are those of the store's own files, get a shorter one with a
    hash of the key; so do files that share their name with a folder. The names depend on the keys only.
    """
    names = {key: _fitting(key, longest) for key in keys}
    taken = {parent for name in names.values() for parent in PurePosixPath(name).parents}
    given = {}
    for key, name in names.items():
        path = PurePosixPath(name)
        rounds = 0
        while path in taken:
            rounds += 1
            path = path.with_name(_marked(PurePosixPath(name).name, longest, f"{key}\0{rounds}"))
        taken.add(path)
        given[key] = path.as_posix()
    return given


def _fitting(key: str, longest: int) -> str:
    *folders, file = key.split("/")
    parts = [*folders, file + _SUFFIX]
    for place, part in enumerate(parts):
        own = place == 0 and part in (COPY, INDEX, MANIFEST)
        if own or len(os.fsencode(part)) > longest:
            parts[place] = _marked(part, longest, part)
    return "/".join(parts)


def _marked(part: str, longest: int, content: str) -> str:
    """A name with the content's hash: as much of its beginning as fits, and its ending if that is ours."""
    ending = _SUFFIX if part.endswith(_SUFFIX) else ""
    ending = f"~{hashlib.sha256(content.encode()).hexdigest()[:16]}{ending}"
    begin = os.fsencode(part.removesuffix(_SUFFIX))[: max(0, longest - len(ending))]
    return begin.decode("utf-8", "ignore") + ending
