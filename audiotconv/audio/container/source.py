"""The bytes of a sound file by position, and what is found out about them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["NOTHING", "Descriptor", "FileObject", "Header", "Source", "shortfall"]


@dataclass(frozen=True, slots=True)
class Header:
    """What a container's header tells that libsndfile does not.

    `refused` and `truncated` are the ends of sentences that begin with the file's name, empty where all is well;
    `reason` is the AudioError's for the former.
    `samples` is a number that must be decoded at the least, where only decoding tells how many there are.
    """

    refused: str = ""
    truncated: str = ""
    samples: int | None = None
    reason: str = "unsupported"


NOTHING = Header()


class Source(Protocol):
    """A file of `size` bytes; `at` gives up to `count` of them from `offset` on."""

    size: int

    def at(self, offset: int, count: int) -> bytes:
        """Fewer bytes than `count` only at the file's end."""


class Descriptor:
    """An open file; its own position is left alone."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    def at(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset` on."""
        return os.pread(self._descriptor, count, offset) if 0 <= offset < self.size and count > 0 else b""


class FileObject:
    """A caller's binary file object; whoever reads from it next must seek."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.size = int(file.seek(0, os.SEEK_END))

    def at(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset` on; `read` of an unbuffered file may give fewer at a time."""
        if not 0 <= offset < self.size:
            return b""
        self._file.seek(offset)
        parts = []
        while count > 0 and (part := self._file.read(count)):
            parts.append(bytes(part))
            count -= len(part)
        return b"".join(parts)


def shortfall(declared: int, present: int, frame_bytes: int = 0) -> str:
    """The end of a sentence where fewer bytes are there than declared; frames are counted where their size is known."""
    present = max(0, present)
    if declared <= present:
        return ""
    if frame_bytes > 0 and declared // frame_bytes > present // frame_bytes:
        return f"its header declares {declared // frame_bytes} samples and it holds {present // frame_bytes}"
    return f"its header declares {declared} bytes of sound and it holds {present}"
