"""`audiotconv.json`: which run's files are the store, and what they are."""

from __future__ import annotations

import json
import re
from typing import Any

from .. import __version__
from ..errors import StoreError
from ..recipes import Recipe
from .place import Place

__all__ = [
    "FAILURES",
    "FORMATS",
    "INDEX",
    "JOURNAL",
    "MANIFEST",
    "describe",
    "description_trouble",
    "read_manifest",
    "run_number",
    "same_work",
    "shard_name",
    "shard_number",
]

FORMATS = ("parquet", "npy")
MANIFEST = "audiotconv.json"
FAILURES = "failures.parquet"
JOURNAL = "_journal"  # in a run's folder; readers of whole folders pass over such names
INDEX = "index-"  # what shards' names begin with where they are an index of .npy files
_SHARDS = {"parquet": "features-", "npy": INDEX}


def run_number(name: str) -> int:
    """The number in the name of a run's folder; 0 where it is no such name."""
    found = re.fullmatch("run-([1-9][0-9]*)", name)
    return int(found[1]) if found else 0


def shard_name(number: int, form: str) -> str:
    """The name of a store's shard."""
    return f"{_SHARDS[form]}{number:06d}.parquet"


def shard_number(name: str, form: str) -> int:
    """The number in the name of a shard; -1 where it is no such name."""
    found = re.fullmatch(re.escape(_SHARDS[form]) + "([0-9]+)\\.parquet", name)
    return int(found[1]) if found else -1


def describe(recipe: Recipe, form: str, root: str, settings: dict[str, Any]) -> dict[str, Any]:
    """What a store is: the first record of its journal and, with the folder's name, its manifest."""
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
        "settings": settings,
        "root": root,
    }


def same_work(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether a recording's row is the same in stores of two descriptions."""
    return all(one[name] == other[name] for name in ("format", "settings")) and (
        one["recipe"]["hash"] == other["recipe"]["hash"]
    )


def read_manifest(place: Place) -> dict[str, Any]:
    """The manifest of a feature store.

    Raises
    ------
    StoreError
        If there is none, or it cannot be read.
    """
    try:
        content = place.read(MANIFEST)
    except (FileNotFoundError, NotADirectoryError):
        raise StoreError(f"{place.name} is not a feature store: it has no {MANIFEST}") from None
    except OSError as error:
        why = error.strerror or error
        raise StoreError(f"{place.name}/{MANIFEST} cannot be read: {why}", error.errno) from None
    try:
        manifest = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{place.name}/{MANIFEST} is damaged: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("store") != "audiotconv":
        raise StoreError(f"{place.name}/{MANIFEST} is not the manifest of a feature store")
    folder = manifest.get("folder")
    trouble = description_trouble(manifest)
    if not isinstance(folder, str) or not run_number(folder):
        trouble = f'its folder is {folder!r}; it must be a name like "run-1"'
    if trouble:
        raise StoreError(f"{place.name}/{MANIFEST} is damaged: {trouble}")
    return manifest


def description_trouble(description: Any) -> str | None:
    """What is wrong with a description, if anything."""
    if not isinstance(description, dict):
        return "it is no object"
    if description.get("format") not in FORMATS:
        return f"its format is {description.get('format')!r}; it must be one of {', '.join(FORMATS)}"
    recipe = description.get("recipe")
    if not isinstance(recipe, dict) or not all(isinstance(recipe.get(name), str) for name in ("name", "hash")):
        return "its recipe is no object with a name and a hash"
    if not isinstance(description.get("root"), str) or not isinstance(description.get("settings"), dict):
        return "it does not say which recordings it holds"
    return None
