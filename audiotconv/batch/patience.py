"""Errors that may have gone when it is tried again."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import TypeVar

from ..errors import StoreError

__all__ = ["TRANSIENT", "passes", "patiently"]

# Errors that may be gone when it is tried again.
TRANSIENT = frozenset(
    getattr(errno, name)
    for name in ("EIO", "EAGAIN", "EINTR", "EBUSY", "EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "ETIMEDOUT", "ESTALE",
                 "ECONNRESET", "ECONNABORTED", "ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ENETDOWN", "EREMOTEIO",
                 "EPIPE", "ENOLCK", "EDEADLK")
    if hasattr(errno, name)
)  # fmt: skip
_PAUSES = (0.2, 1.0, 5.0)  # seconds before it is tried again
_T = TypeVar("_T")


def passes(error: OSError) -> bool:
    """Whether an error may have gone after a while."""
    return (error.code if isinstance(error, StoreError) else error.errno) in TRANSIENT


def patiently(act: Callable[[], _T]) -> _T:
    """Do what can be done twice, again after errors that may pass."""
    for pause in _PAUSES:
        try:
            return act()
        except OSError as error:
            if not passes(error):
                raise
        time.sleep(pause)
    return act()
