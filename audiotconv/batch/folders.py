"""The folders in a target: whether it is a store at all, which of them is the store, and which a run can go on with."""

from __future__ import annotations

import itertools
from typing import Any

from ..audio import shown
from ..errors import ParameterError, StoreError
from .ledger import Ledger
from .manifest import FAILURES, JOURNAL, MANIFEST, read_manifest, run_number, same_work
from .place import HIDDEN, LOCK, Place

__all__ = ["check_target", "find_ledger", "stored_folder", "stored_ledger"]

_OWN = (MANIFEST, FAILURES, LOCK)


def stored_folder(place: Place) -> str | None:
    """The folder that is the store, if there is one."""
    if not place.exists(MANIFEST):
        return None
    name: str = read_manifest(place)["folder"]
    return name


def check_target(place: Place) -> None:
    """Refuse to write where there is something else.

    Raises
    ------
    ParameterError
    """
    names = place.names()
    if MANIFEST in names:
        return
    found = [
        name
        for name in names
        if name not in _OWN
        and not name.startswith(HIDDEN)
        and not (run_number(name) and place.exists(f"{name}/{JOURNAL}"))
    ]
    if found:
        raise ParameterError(
            f"{place.name} is neither empty nor a feature store (it holds {shown(found[0])!r} and no {MANIFEST}); "
            "choose another target"
        )


def find_ledger(
    place: Place, description: dict[str, Any], *, overwrite: bool, by_content: bool
) -> tuple[str, Ledger] | None:
    """The folder that a run can go on with, and what is done there: one that was begun last before the store itself.

    To `overwrite` a store goes on only with a run that has begun to. Folders with lower numbers than the store's are
    what it has replaced: a kill may have left half of one.

    Raises
    ------
    ParameterError
        If the store holds recordings of another folder.
    StoreError
        If it is damaged.
    """
    store = stored_folder(place)
    first_number = run_number(store) if store else 1
    names = [name for name in place.names() if run_number(name) >= first_number]
    names.sort(key=run_number, reverse=True)
    for name in sorted(names, key=lambda name: name == store):
        needed = name == store and not overwrite
        ledger = Ledger(f"{place.name}/{name}/{JOURNAL}", by_content=by_content)
        try:
            ledger.read(itertools.islice(place.records(f"{name}/{JOURNAL}"), 1))
            same_root = ledger.description["root"] == description["root"]
            if needed and not same_root:
                raise ParameterError(
                    f"{place.name} holds recordings below {shown(ledger.description['root'])}, and these are below "
                    f"{shown(description['root'])}; choose another target, or overwrite"
                )
            if same_root and same_work(ledger.description, description) and (ledger.overwrites or not overwrite):
                ledger.read(itertools.islice(place.records(f"{name}/{JOURNAL}"), 1, None))
                if ledger.overwrites or not overwrite:
                    return name, ledger
        except (FileNotFoundError, NotADirectoryError):
            if needed:
                raise StoreError(f"{place.name} is damaged: {name} has no journal; overwrite begins anew") from None
        except StoreError:
            if needed:
                raise
    return None


def stored_ledger(place: Place) -> tuple[str, Ledger]:
    """The folder that is the store, and what is done there.

    Raises
    ------
    StoreError
        If there is none, or it is damaged.
    """
    name: str = read_manifest(place)["folder"]
    try:
        return name, Ledger(f"{place.name}/{name}/{JOURNAL}").read(place.records(f"{name}/{JOURNAL}"))
    except FileNotFoundError:
        raise StoreError(f"{place.name} is damaged: {name} has no journal; overwrite begins anew") from None
