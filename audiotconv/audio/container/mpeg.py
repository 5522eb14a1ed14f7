"""MP3: what the first frame tells of the whole, where an encoder wrote its table (Xing, Info, LAME or VBRI) there."""

from __future__ import annotations

import struct

from .source import NOTHING, Header, Source

__all__ = ["mpeg"]

_SLACK_FRAMES = 4  # the encoder's delay and padding, the decoder's delay, and whether the table's own frame is counted
_SEARCHED = 1 << 16


def _tag_length(source: Source) -> int:
    """How many bytes the ID3 tags at the beginning take."""
    at = 0
    while (head := source.at(at, 10))[:3] == b"ID3" and len(head) == 10:
        a, b, c, d = (byte & 0x7F for byte in head[6:])
        at += 10 + (a << 21 | b << 14 | c << 7 | d) + (10 if head[5] & 0x10 else 0)
    return at


def mpeg(source: Source) -> Header:
    """An MPEG audio file of layer III."""
    begin = _tag_length(source)
    found = source.at(begin, _SEARCHED)
    at = found.find(b"\xff")
    while at >= 0 and not _is_frame(found[at : at + 4]):
        at = found.find(b"\xff", at + 1)
    if at < 0:
        return NOTHING
    old = not found[at + 1] & 0x08  # MPEG 2 and 2.5 have half as long frames
    mono = found[at + 3] >> 6 == 3
    side = (9 if mono else 17) if old else (17 if mono else 32)
    table = found[at + 4 + side : at + 4 + side + 16]
    frames = size = None
    if table[:4] in (b"Xing", b"Info") and len(table) == 16:
        flags, first, second = struct.unpack(">III", table[4:])
        frames = first if flags & 1 else None
        size = (second if flags & 1 else first) if flags & 2 else None
    elif found[at + 36 : at + 40] == b"VBRI" and len(found) >= at + 54:
        size, frames = struct.unpack(">II", found[at + 46 : at + 54])
    truncated = ""
    present = source.size - begin - at - (128 if source.at(source.size - 128, 3) == b"TAG" else 0)
    if size is not None and size > present:
        truncated = f"its header declares {size} bytes of sound and it holds {present}"
    samples = max(0, frames - _SLACK_FRAMES) * (576 if old else 1152) if frames else None
    return Header(truncated=truncated, samples=samples)


def _is_frame(head: bytes) -> bool:
    """Whether four bytes begin a frame of layer III, with no reserved value in them."""
    return (
        len(head) == 4
        and head[0] == 0xFF
        and head[1] & 0xE6 == 0xE2
        and head[1] & 0x18 != 0x08
        and head[2] >> 4 != 15
        and head[2] & 0x0C != 0x0C
    )
