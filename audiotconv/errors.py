"""The errors that audiotconv raises: one root, and each is also the built-in error a caller would expect."""

from __future__ import annotations

from typing import Any

__all__ = [
    "AudioError",
    "AudioFileError",
    "AudioWarning",
    "AudiotconvError",
    "ParameterError",
    "RecipeError",
    "StoreError",
]


class AudiotconvError(Exception):
    """The root of every error raised on purpose here."""


class ParameterError(AudiotconvError, ValueError):
    """A parameter has an impossible value; the message names it, the value and what would be right."""


class RecipeError(AudiotconvError, ValueError):
    """A recipe is unknown, cannot be read, or does not fit the sound it is given."""


class AudioError(AudiotconvError, ValueError):
    """A recording's content cannot be used.

    `reason` is one word or two for tables: "empty", "not audio", "unsupported", "non-finite", "too large",
    "too short", "truncated", "damaged", "changed while reading" or "timed out".
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason

    def __reduce__(self) -> Any:
        return type(self), (str(self), self.reason)


class AudioFileError(AudiotconvError, OSError):
    """A file cannot be opened, read or stored.

    `reason` is "missing", "unreadable", "not a regular file" or "unusable name"; `code` is the system's error number,
    where there is one.
    """

    def __init__(self, message: str, reason: str, code: int | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.code = code

    def __reduce__(self) -> Any:
        return type(self), (str(self), self.reason, self.code)


class StoreError(AudiotconvError, OSError):
    """A feature store cannot be written or read; `code` is the system's error number, where there is one."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> Any:
        return type(self), (str(self), self.code)


class AudioWarning(UserWarning):
    """A recording could be used, but is not what its header says."""
