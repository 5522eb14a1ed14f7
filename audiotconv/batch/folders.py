"""The folders in a target: whether it is a store at all, which of them is the store, and which a run can go on with."""

from __future__ import annotations

from typing import Any

from ..audio import shown
from ..errors import ParameterError, StoreError
from .ledger import Ledger
from .manifest import FAILURES, JOURNAL, MANIFEST, read_manifest, run_number, same_work
from .place import HIDDEN, LOCK, Place

__all__ = ["check_target", "find_ledger", "stored_folder"]

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


def find_ledger(place: Place, description: dict[str, Any], by_content: bool) -> tuple[str, Ledger] | None:
    """The folder that a run can go on with, and what is done there: one that was begun last before the store itself.

    Folders with lower numbers than the store's are what it has replaced: a kill may have left half of one.

    Raises
    ------
    ParameterError
        If the store holds recordings of another folder.
    """
    store = stored_folder(place)
    first_number = run_number(store) if store else 1
    names = [name for name in place.names() if run_number(name) >= first_number]
    names.sort(key=run_number, reverse=True)
    for name in sorted(names, key=lambda name: name == store):
        label = f"{place.name}/{name}/{JOURNAL}"
        try:
            first = next(place.records(f"{name}/{JOURNAL}"), None)
        except (FileNotFoundError, NotADirectoryError):
            if name == store:
                raise StoreError(f"{place.name} is damaged: {name} has no journal; overwrite begins anew") from None
            continue
        except StoreError:
            if name == store:
                raise
            continue
        if first is None or "run" not in first:
            continue
        found = Ledger(label, by_content=by_content)
        found.read([first])
        if found.description["root"] != description["root"] and name == store:
            raise ParameterError(
                f"{place.name} holds recordings below {shown(found.description['root'])}, and these are below "
                f"{shown(description['root'])}; choose another target, or overwrite"
            )
        if found.description["root"] == description["root"] and same_work(found.description, description):
            ledger = Ledger(label, by_content=by_content).read(place.records(f"{name}/{JOURNAL}"))
            return name, ledger
    return None
