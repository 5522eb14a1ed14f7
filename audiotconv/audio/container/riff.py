"""WAV in its forms: RIFF, RIFX, RF64 and Sony's Wave64."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from .source import NOTHING, Header, Source, shortfall

__all__ = ["riff", "wave64"]

_PCM, _FLOAT, _EXTENSIBLE = 0x0001, 0x0003, 0xFFFE
_PCM_KIND = bytes.fromhex("0100000000001000800000aa00389b71")  # of WAVE_FORMAT_EXTENSIBLE, as it stands in the file
_MOST_CHUNKS = 10_000
# What programs that write to a pipe put where they cannot know: most, SoX, and arecord.
_UNKNOWN = {0xFFFFFFFF, 0x7FFFF000, 0x7FFFFFFF, 0x80000000}
_W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
_W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")  # of the identifiers of Wave64's chunks


def riff(source: Source) -> Header:
    """A RIFF, RIFX or RF64 file."""
    start = source.at(0, 12)
    if start[8:] != b"WAVE":
        return NOTHING
    order = ">" if start[:4] == b"RIFX" else "<"
    long_data: int | None = None
    layout = b""
    for name, length, body in _chunks(source, order):
        if name == b"fmt ":
            layout = source.at(body, min(length, 40))
        elif name == b"ds64":
            sizes = source.at(body, 16)
            if len(sizes) == 16:
                long_data = struct.unpack(order + "QQ", sizes)[1]
        elif name == b"data":
            declared: int | None = length
            if start[:4] == b"RF64" and length == 0xFFFFFFFF:
                declared = long_data
            elif length in _UNKNOWN or length == 0:
                declared = None
            return _header(layout, order, declared, source.size - body)
    return NOTHING


def _chunks(source: Source, order: str) -> Iterator[tuple[bytes, int, int]]:
    at = 12
    for _ in range(_MOST_CHUNKS):
        head = source.at(at, 8)
        if len(head) < 8:
            return
        length = struct.unpack(order + "I", head[4:])[0]
        yield head[:4], length, at + 8
        at += 8 + length + (length & 1)


def wave64(source: Source) -> Header:
    """A Wave64 file: its chunks are named by 16 bytes, begin at multiples of 8, and count themselves in."""
    if source.at(0, 16) != _W64_RIFF or source.at(24, 16) != b"wave" + _W64_TAIL:
        return NOTHING
    layout = b""
    at = 40
    for _ in range(_MOST_CHUNKS):
        head = source.at(at, 24)
        if len(head) < 24:
            break
        length = struct.unpack("<Q", head[16:])[0]
        if head[:4] == b"fmt ":
            layout = source.at(at + 24, 40)
        elif head[:4] == b"data":
            declared = length - 24 if 24 < length < 2**62 else None  # a pipe's writer leaves 0 or -1
            return _header(layout, "<", declared, source.size - at - 24)
        if length < 24:
            break
        at += (length + 7) & ~7
    return NOTHING


def _header(layout: bytes, order: str, declared: int | None, present: int) -> Header:
    if len(layout) < 16:
        return NOTHING
    tag, channels, _rate, _speed, frame_bytes, bits = struct.unpack(order + "HHIIHH", layout[:16])
    pcm = tag == _PCM or (tag == _EXTENSIBLE and layout[24:40] == _PCM_KIND)
    fits = frame_bytes == channels * ((bits + 7) // 8)
    refused = _misread(channels, frame_bytes, bits) if pcm and channels and bits and not fits else ""
    counted = fits and (pcm or tag in (_FLOAT, _EXTENSIBLE))
    truncated = "" if declared is None else shortfall(declared, present, frame_bytes if counted else 0)
    return Header(refused, truncated)


def _misread(channels: int, frame_bytes: int, bits: int) -> str:
    """libsndfile goes by the bits alone, so where they do not fill the frame it reads noise."""
    container, rest = divmod(frame_bytes, channels)
    if rest == 0 and container > (bits + 7) // 8:
        return (
            f"holds {bits}-bit samples in {container}-byte containers under a header that does not say where in the "
            f"container they stand; convert it to a plain {bits}-bit or 32-bit file"
        )
    return (
        f"has a header that gives {frame_bytes} bytes to a frame (block align); {channels} channels of {bits} bits "
        f"take {channels * ((bits + 7) // 8)}"
    )
