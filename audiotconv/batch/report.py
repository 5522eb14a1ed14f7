"""How a run goes, and what it has done."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field
from typing import Any

from .plan import Failure

__all__ = ["FolderReport", "Progress"]


@dataclass
class Progress:
    """How far a run is, for a progress bar.

    `bytes_done` are those of finished files and of the finished parts of long ones. `files` and `bytes` grow as long as
    the inputs have not all been looked at (`planned`). Files that were done before do not count.
    """

    files: int = 0
    files_done: int = 0
    bytes: int = 0
    bytes_done: float = 0.0
    audio_seconds: float = 0.0
    unchanged: int = 0
    planned: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def advance(self, *, files: int = 0, bytes: float = 0.0, seconds: float = 0.0) -> None:
        """Count what a worker has done."""
        with self._lock:
            self.files_done += files
            self.bytes_done += bytes
            self.audio_seconds += seconds


@dataclass(frozen=True)
class FolderReport:
    """What a run has done.

    Attributes
    ----------
    target : str
    recipe, recipe_hash : str
    files : int
        Recordings found.
    done : int
        Of these, how many are in the store.
    unchanged : int
        Of those, how many were in it before.
    kept : int
        Recordings in the store that are not among the inputs.
    removed : int
        Recordings that were in the store, and are not any more; of a dry run, that would be removed.
    failures : list of Failure
        What is set aside: recordings that could not be used, and folders that could not be searched. A recording that
        was "missing" or "unreadable" is in the store as it was before, if it was.
    warnings : list of str
        Recordings that this run has put into the store although something was odd.
    frames : int
    audio_seconds, seconds : float
        Length of what this run has processed, summed over files, and the time that it took.
    resampled : dict
        How many of the recordings that this run has processed were resampled to the recipe's rate, by their own (Hz).
    todo : list of str
        Of a dry run, the keys of what would be processed.
    """

    target: str
    recipe: str
    recipe_hash: str
    files: int
    done: int
    frames: int
    audio_seconds: float
    seconds: float
    unchanged: int = 0
    kept: int = 0
    removed: int = 0
    failures: list[Failure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    resampled: dict[int, int] = field(default_factory=dict)
    todo: list[str] = field(default_factory=list)

    @property
    def speed(self) -> float:
        """Seconds of audio per second of time."""
        return self.audio_seconds / self.seconds if self.seconds else 0.0

    def to_dict(self) -> dict[str, Any]:
        """The report as plain lists, texts and numbers."""
        return {**asdict(self), "failed": len(self.failures), "real_time_factor": round(self.speed, 1)}
