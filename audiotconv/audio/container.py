"""What a WAV header says, read without libsndfile: the size it claims, and layouts that libsndfile gets wrong."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

__all__ = ["WavHeader", "read_wav_header"]

_PCM = 0x0001  # not WAVE_FORMAT_EXTENSIBLE, which names container and width apart
_MOST_CHUNKS = 10_000


@dataclass(frozen=True, slots=True)
class WavHeader:
    """The fields of a RIFF, RIFX or RF64 header that tell whether the data are all there.

    `declared_bytes` and `present_bytes` are of the sample data; declared is None where the writer did not know it (a
    pipe), as 0 or 2**32 - 1 in the header say.
    """

    pcm: bool
    channels: int
    bits: int
    frame_bytes: int
    declared_bytes: int | None
    present_bytes: int

    @property
    def padded_container(self) -> bool:
        """Whether plain PCM samples stand in larger containers than their width, such as 24 bits in 4 bytes."""
        return self.pcm and self.channels > 0 and self.frame_bytes != self.channels * ((self.bits + 7) // 8)

    @property
    def declared_frames(self) -> int | None:
        """Frames that the header promises."""
        if self.declared_bytes is None or self.frame_bytes == 0:
            return None
        return self.declared_bytes // self.frame_bytes

    @property
    def missing_frames(self) -> int:
        """Frames that the header promises and the file is too short for."""
        if self.declared_bytes is None or self.declared_bytes <= self.present_bytes or self.frame_bytes == 0:
            return 0
        return self.declared_bytes // self.frame_bytes - self.present_bytes // self.frame_bytes


def read_wav_header(descriptor: int, size: int) -> WavHeader | None:
    """The header of an open WAV file of `size` bytes; None where it is no WAV file or has no data chunk.

    Reads by position, so the descriptor's own is left alone.
    """
    start = os.pread(descriptor, 12, 0)
    if len(start) < 12 or start[:4] not in (b"RIFF", b"RIFX", b"RF64") or start[8:] != b"WAVE":
        return None
    order = ">" if start[:4] == b"RIFX" else "<"
    long_data: int | None = None
    layout: tuple[int, int, int, int] | None = None
    at = 12
    for _ in range(_MOST_CHUNKS):
        head = os.pread(descriptor, 8, at)
        if len(head) < 8:
            return None
        name, length = head[:4], struct.unpack(order + "I", head[4:])[0]
        body = at + 8
        if name == b"fmt ":
            fields = os.pread(descriptor, 16, body)
            if len(fields) < 16:
                return None
            tag, channels, _rate, _speed, frame_bytes, bits = struct.unpack(order + "HHIIHH", fields)
            layout = (tag, channels, frame_bytes, bits)
        elif name == b"ds64":
            sizes = os.pread(descriptor, 16, body)
            if len(sizes) == 16:
                long_data = struct.unpack(order + "QQ", sizes)[1]
        elif name == b"data":
            if layout is None:
                return None
            tag, channels, frame_bytes, bits = layout
            declared: int | None = length
            if length == 0xFFFFFFFF:
                declared = long_data
            elif length == 0 and size > body + 8:
                declared = None
            return WavHeader(tag == _PCM, channels, bits, frame_bytes, declared, max(0, size - body))
        at = body + length + (length & 1)
    return None
