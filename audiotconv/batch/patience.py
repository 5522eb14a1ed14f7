"""Errors that may have gone when it is tried again."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..errors import StoreError
from .work import TRANSIENT

__all__ = ["passes", "patiently"]

_PAUSES = (0.2, 1.0, 5.0)  # seconds before it is tried again


def passes(error: OSError) -> bool:
    """Whether an error may have gone after a while."""
    return (error.code if isinstance(error, StoreError) else error.errno) in TRANSIENT


def patiently(act: Callable[[], None]) -> None:
    """Do what can be done twice, again after errors that may pass."""
    for pause in _PAUSES:
        try:
            return act()
        except OSError as error:
            if not passes(error):
                raise
        time.sleep(pause)
    return act()
