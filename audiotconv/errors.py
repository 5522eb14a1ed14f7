"""The errors that audiotconv raises: one root, and each is also the built-in error a caller would expect."""

from __future__ import annotations

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
    "too short", "truncated", "damaged" or "changed while reading".
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class AudioFileError(AudiotconvError, OSError):
    """A file cannot be opened, read or stored.

    `reason` is "missing", "unreadable", "not a regular file" or "unusable name".
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class StoreError(AudiotconvError, OSError):
    """A feature store cannot be written or read."""


class AudioWarning(UserWarning):
    """A recording could be used, but is not what its header says."""
