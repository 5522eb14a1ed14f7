"""`audiotconv.json`: which run's files are the store, and what the run has found."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from .. import __version__
from ..audio import shown
from ..errors import StoreError
from ..recipes import Recipe

__all__ = ["COPY", "FORMATS", "INDEX", "MANIFEST", "manifest_of", "parse", "read_manifest", "run_number"]

FORMATS = ("parquet", "npy")
MANIFEST = "audiotconv.json"
INDEX = "index.parquet"  # of a tree of .npy files
COPY = ".audiotconv.json"  # the same in the run's folder, so that a later run knows which files are ours


def run_number(name: str) -> int:
    """The number in the name of a run's folder; 0 where it is no such name."""
    found = re.fullmatch("run-([1-9][0-9]*)", name)
    return int(found[1]) if found else 0


def manifest_of(recipe: Recipe, form: str, summary: dict[str, Any], folder: str, files: list[str]) -> dict[str, Any]:
    """The manifest of a run whose files, named from there, are in the target's subfolder `folder`."""
    return {
        "store": "audiotconv",
        "version": __version__,
        "format": form,
        "recipe": {
            "name": recipe.name,
            "version": recipe.version,
            "hash": recipe.hash,
            "description": recipe.description,
            **recipe.head,
            "stages": [{"kind": kind, **dict(values)} for kind, values in recipe.stages],
        },
        **summary,
        "folder": folder,
        "files": files,
    }


def read_manifest(target: Path) -> dict[str, Any]:
    """The manifest of a feature store.

    Raises
    ------
    StoreError
        If there is none, or it cannot be read.
    """
    try:
        return parse(target / MANIFEST)
    except FileNotFoundError:
        raise StoreError(f"{shown(target)} is not a feature store: it has no {MANIFEST}") from None


def parse(path: Path) -> dict[str, Any]:
    """The manifest in a file.

    Raises
    ------
    FileNotFoundError
    StoreError
        If it cannot be read, or is damaged.
    """
    try:
        manifest = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreError(f"{shown(path)} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{shown(path)} is damaged: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("store") != "audiotconv":
        raise StoreError(f"{shown(path)} is not the manifest of a feature store")
    trouble = _trouble(manifest)
    if trouble:
        raise StoreError(f"{shown(path)} is damaged: {trouble}")
    return manifest


def _trouble(manifest: dict[str, Any]) -> str | None:
    files = manifest.get("files")
    if not isinstance(files, list) or not all(isinstance(name, str) for name in files):
        return "its files are no list of names"
    for name in files:  # a run removes these, so none may lead out of the store
        if os.path.isabs(name) or ".." in Path(name).parts or "\0" in name:
            return f"{name!r} lies outside of the store"
    folder = manifest.get("folder")
    if not isinstance(folder, str) or not run_number(folder):
        return f'its folder is {folder!r}; it must be a name like "run-1"'
    if manifest.get("format") not in FORMATS:
        return f"its format is {manifest.get('format')!r}; it must be one of {', '.join(FORMATS)}"
    recipe, failures = manifest.get("recipe"), manifest.get("failures")
    if not _has_texts(recipe, "name", "hash"):
        return "its recipe is no object with a name and a hash"
    if not isinstance(failures, list) or not all(
        _has_texts(failure, "key", "path", "reason", "message") for failure in failures
    ):
        return "its failures are no list of objects with key, path, reason and message"
    return None


def _has_texts(value: Any, *names: str) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name), str) for name in names)
