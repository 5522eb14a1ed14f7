"""Containers of big-endian chunks: AIFF and AIFF-C, Amiga's 8SVX and 16SV, and Apple's CAF."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from .source import NOTHING, Header, Source, shortfall

__all__ = ["caf", "form"]

_MOST_CHUNKS = 10_000
_LONGEST_TABLE = 1 << 26
_IMPOSSIBLE_SIZES = re.compile(rb"[\x80-\xff]{3}|[\x80-\xff]\Z")  # 2 MB and more, or without an end
_UNKNOWN = 0x7F000000  # SoX into a pipe writes this and a bit; nobody has an AIFF file of 2 GB less 16 MB cut short
_PLAIN = {b"NONE", b"twos", b"sowt", b"raw ", b"in24", b"in32", b"fl32", b"FL32", b"fl64", b"FL64", b"ulaw", b"alaw"}


def form(source: Source) -> Header:
    """A FORM file: AIFF, AIFC, 8SVX or 16SV."""
    kind = source.at(8, 4)
    if kind in (b"8SVX", b"16SV"):
        for name, length, body in _chunks(source, 12, ">4sI", 1):
            if name == b"BODY":
                return Header(truncated=shortfall(length, source.size - body)) if _known(length) else NOTHING
    if kind not in (b"AIFF", b"AIFC"):
        return NOTHING
    frame_bytes, frames = 0, 0
    data: tuple[int, int] | None = None
    for name, length, body in _chunks(source, 12, ">4sI", 1):
        if name == b"COMM":
            frame_bytes, frames = _common(source.at(body, 22), kind)
        elif name == b"SSND":
            offset = source.at(body, 4)
            skipped = 8 + (struct.unpack(">I", offset)[0] if len(offset) == 4 else 0)
            data = (length - skipped, min(source.size - body, length if _known(length) else 2**62) - skipped)
    if data is None:
        return NOTHING
    declared, present = data
    if not _known(declared):
        declared = 0
    if frame_bytes and _known(frames * frame_bytes):
        declared = max(declared, frames * frame_bytes)
    return Header(truncated=shortfall(declared, present, frame_bytes))


def _known(length: int) -> bool:
    return length > 0 and not _UNKNOWN <= length < _UNKNOWN + 256 and length < 0xFFFFFF00


def _common(fields: bytes, kind: bytes) -> tuple[int, int]:
    """Bytes per frame (0 where frames have none of their own) and the number of frames."""
    if len(fields) < 18:
        return 0, 0
    channels, frames, bits = struct.unpack(">HIH", fields[:8])
    compression = fields[18:22] if kind == b"AIFC" else b"NONE"
    if compression in (b"ulaw", b"alaw"):
        bits = 8
    return (channels * ((bits + 7) // 8), frames) if compression in _PLAIN else (0, 0)


def caf(source: Source) -> Header:
    """A Core Audio file; -1 is the length of data that go on to the file's end."""
    truncated = ""
    for name, length, body in _chunks(source, 8, ">4sq", 0):
        if length < 0:
            break
        if name == b"data" and length:
            truncated = shortfall(length, source.size - body)
        elif name == b"pakt" and _IMPOSSIBLE_SIZES.search(source.at(body + 24, min(length - 24, _LONGEST_TABLE))):
            # libsndfile prints what it finds in such a table on the standard output.
            return Header("holds a packet table (pakt) with sizes that no packet has", reason="damaged")
    return Header(truncated=truncated)


def _chunks(source: Source, at: int, head: str, padding: int) -> Iterator[tuple[bytes, int, int]]:
    size = struct.calcsize(head)
    for _ in range(_MOST_CHUNKS):
        fields = source.at(at, size)
        if len(fields) < size:
            return
        name, length = struct.unpack(head, fields)
        yield name, length, at + size
        at += size + length + (length & padding)
