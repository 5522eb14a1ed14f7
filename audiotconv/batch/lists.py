"""Lists of recordings in files: names alone, or a table with stretches, labels and keys."""

from __future__ import annotations

import codecs
import csv
import math
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

import pyarrow.parquet as pq

from ..audio import shown
from ..errors import AudioFileError, ParameterError

__all__ = ["Entry", "FileList", "Listing", "Manifest"]

_CHUNK = 1 << 20
_COLUMNS = ("path", "start", "stop", "label", "key")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: a path, relative to `base`, and what is said of it. `trouble` is a sentence where it cannot be used."""

    path: str
    base: str
    start: float | None = None
    stop: float | None = None
    label: str | None = None
    key: str | None = None
    trouble: str = ""


class Listing(Protocol):
    """Entries one after the other; `base` is the folder that their paths are relative to."""

    base: str

    def __iter__(self) -> Iterator[Entry]: ...


class FileList:
    """Names in a file or, for "-", on standard input: a line each or, where there is a zero byte, ended by one.

    Relative names are relative to the current folder.

    Raises
    ------
    AudioFileError
        If it cannot be opened.
    """

    def __init__(self, source: str | os.PathLike[str]) -> None:
        self.base = os.getcwd()
        self._source = os.fspath(source)
        if self._source != "-":
            _check_readable(self._source)
        elif sys.stdin is None:
            raise AudioFileError("standard input, which names are to come from, is closed", "unreadable")

    def __iter__(self) -> Iterator[Entry]:
        if self._source == "-":
            yield from self._names(sys.stdin.buffer)
            return
        with open(self._source, "rb") as file:
            yield from self._names(file)

    def _read(self, file: BinaryIO) -> bytes:
        try:
            return file.read(_CHUNK)
        except OSError as error:
            name = "standard input" if self._source == "-" else shown(self._source)
            raise AudioFileError(f"{name} cannot be read: {error.strerror}", "unreadable", error.errno) from None

    def _names(self, file: BinaryIO) -> Iterator[Entry]:
        chunk = self._read(file).removeprefix(codecs.BOM_UTF8)
        end = b"\0" if b"\0" in chunk else b"\n"
        held = b""
        while chunk:
            *names, held = (held + chunk).split(end)
            for name in names:
                yield from self._entry(name, end)
            chunk = self._read(file)
        yield from self._entry(held, end)

    def _entry(self, name: bytes, end: bytes) -> Iterator[Entry]:
        name = name.removesuffix(b"\r") if end == b"\n" else name
        if name:
            yield Entry(os.fsdecode(name), self.base)


class Manifest:
    """A CSV or Parquet table with the columns path and, if wanted, start, stop (in seconds), label and key.

    Relative paths are relative to the table's folder. Other columns are left alone.

    Raises
    ------
    AudioFileError
        If it cannot be opened.
    ParameterError
        If it is no such table.
    """

    def __init__(self, source: str | os.PathLike[str]) -> None:
        self._source = os.fspath(source)
        self.base = os.path.dirname(os.path.abspath(self._source))
        _check_readable(self._source)
        self._parquet = self._source.lower().endswith((".parquet", ".pq"))
        names = self._columns()
        if "path" not in names:
            found = ", ".join(map(repr, names[:9])) or "nothing"
            raise ParameterError(f"{shown(self._source)} has no column path; its first line has {found}")

    def _columns(self) -> list[str]:
        try:
            if self._parquet:
                with open(self._source, "rb") as raw, pq.ParquetFile(raw) as file:
                    return [str(name) for name in file.schema_arrow.names]
            with self._text() as lines:
                return next(csv.reader(lines), [])
        except Exception as error:  # whatever decoders of damaged files raise
            raise ParameterError(f"{shown(self._source)} is no table that can be read: {error}") from None

    def _text(self) -> Any:
        return open(self._source, encoding="utf-8-sig", errors="surrogateescape", newline="")

    def __iter__(self) -> Iterator[Entry]:
        for number, row in enumerate(self._rows(), 1):
            yield self._entry(number, row)

    def _rows(self) -> Iterator[dict[str, Any]]:
        try:
            if self._parquet:
                with open(self._source, "rb") as raw, pq.ParquetFile(raw) as file:
                    columns = [name for name in _COLUMNS if name in file.schema_arrow.names]
                    for batch in file.iter_batches(4096, columns=columns):
                        yield from batch.to_pylist()
            else:
                with self._text() as lines:
                    yield from csv.DictReader(lines, strict=True)  # a quote that is not closed is an error
        except Exception as error:  # whatever decoders of damaged files raise
            raise ParameterError(f"{shown(self._source)} cannot be read to its end: {error}") from None

    def _entry(self, number: int, row: dict[str, Any]) -> Entry:
        where = f"row {number} of {shown(self._source)}"
        row_key = f"{os.path.basename(self._source)}:{number}"  # what cannot be used must not stand for what can
        path = row.get("path")
        if not isinstance(path, str) or not path or "\0" in path:
            return Entry(self._source, self.base, key=row_key, trouble=f"{where} has the path {path!r}")
        times: list[float | None] = []
        for name in ("start", "stop"):
            try:
                times.append(_time(row.get(name)))
            except (TypeError, ValueError):
                trouble = f"{where} has the {name} {row.get(name)!r}; it must be a number of seconds of at least 0"
                return Entry(path, self.base, key=row_key, trouble=trouble)
        start, stop = times
        if stop is not None and stop <= (start or 0):
            trouble = f"{where} stops at {stop:g} s and starts at {start or 0:g} s"
            return Entry(path, self.base, key=row_key, trouble=trouble)
        label, key = (None if row.get(name) in (None, "") else str(row[name]) for name in ("label", "key"))
        return Entry(path, self.base, start, stop, label, key)


def _time(value: Any) -> float | None:
    if value is None or value == "":
        return None
    seconds = float(value)
    if not 0 <= seconds < math.inf:
        raise ValueError
    return seconds


def _check_readable(path: str) -> None:
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise AudioFileError(f"{shown(path)} cannot be read: {error.strerror}", "missing", error.errno) from None
