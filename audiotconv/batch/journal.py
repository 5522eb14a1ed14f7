"""What a run has finished, written down as it goes: a file of lines to which only is added.

Each line is a record in JSON behind its checksum. A line is written whole, in one call, and is on the disk before
anything relies on it. What a kill or a power failure can leave is a torn last line: a reader leaves it out, and a
writer removes it before it goes on. A damaged line with others behind it is no accident of that kind, and an error.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..audio import shown
from ..errors import StoreError

__all__ = ["Journal", "pieces", "read_journal"]

_MOST_LINE = 1 << 26  # bytes: what is longer is damage, and no line
_PIECE = 1 << 20


class Journal:
    """A journal that is open for adding to; what is in it is kept.

    Parameters
    ----------
    path : Path

    Raises
    ------
    OSError
        If it cannot be written.
    StoreError
        If it is damaged before its last line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        end = max((end for _, end in _lines(path)), default=0) if path.exists() else 0
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
        try:
            os.ftruncate(self._file, end)
            os.lseek(self._file, end, os.SEEK_SET)
        except BaseException:
            self.close()
            raise

    def add(self, record: dict[str, Any]) -> None:
        """Add a record, and wait until it is on the disk. Where that fails, nothing of it stays.

        Raises
        ------
        OSError
        StoreError
            If it is longer than what is read back.
        """
        begin = os.lseek(self._file, 0, os.SEEK_CUR)
        line = memoryview(_line(record))
        if len(line) > _MOST_LINE:
            raise StoreError(f"{shown(self.path)} takes no record of {len(line):,} bytes: it is too long")
        try:
            while line:
                line = line[os.write(self._file, line) :]
            os.fsync(self._file)
        except BaseException:
            os.ftruncate(self._file, begin)
            os.lseek(self._file, begin, os.SEEK_SET)
            raise

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def pieces(entries: Iterable[Any]) -> Iterator[list[Any]]:
    """Any number of entries in lists of which each fits well into a record."""
    held: list[Any] = []
    size = 0
    for entry in entries:
        held.append(entry)
        size += len(json.dumps(entry))
        if size >= _PIECE:
            yield held
            held, size = [], 0
    if held:
        yield held


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a journal, in order, also while it is written.

    Raises
    ------
    StoreError
        If a line before the last one is damaged.
    OSError
        If it cannot be read.
    """
    for record, _ in _lines(path):
        yield record


def _line(record: dict[str, Any]) -> bytes:
    content = json.dumps(record, separators=(",", ":")).encode("ascii")
    return b"%08x %s\n" % (zlib.crc32(content), content)


def _lines(path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """The records, and where in the file the line of each ends."""
    end = 0
    with open(path, "rb") as file:
        number = 0
        while line := file.readline(_MOST_LINE):
            number += 1
            record = _parsed(line)
            if record is None:
                if file.read(1):
                    raise StoreError(f"{shown(path)} is damaged: line {number} is not what was written")
                return
            end += len(line)
            yield record, end


def _parsed(line: bytes) -> dict[str, Any] | None:
    """A line's record; None where it is torn or damaged."""
    content = line[9:-1]
    if line[-1:] != b"\n" or line[8:9] != b" " or line[:8] != b"%08x" % zlib.crc32(content):
        return None
    record = json.loads(content)
    return record if isinstance(record, dict) else None
