"""Containers whose header has its fields at fixed places: AU, AVR, MPC 2000, NIST SPHERE, VOC, Psion WVE."""

from __future__ import annotations

import re
import struct

from .source import NOTHING, Header, Source, shortfall

__all__ = ["au", "avr", "mpc2000", "nist", "voc", "wve"]

_AU_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}  # per sample, by encoding
_MOST_BLOCKS = 10_000


def au(source: Source) -> Header:
    """Sun's and NeXT's .au, either way round; a length of 0xFFFFFFFF is unknown."""
    head = source.at(0, 24)
    if len(head) < 24:
        return NOTHING
    order = ">" if head[:4] == b".snd" else "<"
    begin, length, encoding, _rate, channels = struct.unpack(order + "IIIII", head[4:])
    if length >= 0xFFFFFF00:
        return NOTHING
    return Header(truncated=shortfall(length, source.size - begin, channels * _AU_BYTES.get(encoding, 0)))


def avr(source: Source) -> Header:
    """Audio Visual Research: 128 bytes of header."""
    head = source.at(0, 30)
    if len(head) < 30:
        return NOTHING
    stereo, bits = struct.unpack(">HH", head[12:16])
    frame_bytes = (2 if stereo else 1) * ((bits + 7) // 8)
    return Header(truncated=shortfall(struct.unpack(">I", head[26:])[0] * frame_bytes, source.size - 128, frame_bytes))


def mpc2000(source: Source) -> Header:
    """Akai's sampler: 42 bytes of header, 16-bit samples."""
    head = source.at(0, 34)
    if len(head) < 34:
        return NOTHING
    frame_bytes = 4 if head[21] else 2
    return Header(truncated=shortfall(struct.unpack("<I", head[30:])[0] * frame_bytes, source.size - 42, frame_bytes))


def nist(source: Source) -> Header:
    """NIST SPHERE: lines of text, padded to the length in the second one."""
    text = source.at(0, 4096).split(b"end_head")[0]
    begin = re.match(rb"NIST_1A\s+(\d{1,9})\s", text)
    fields = dict(re.findall(rb"^(\w+) -i (\d{1,18})\s*$", text, re.MULTILINE))
    coding = re.search(rb"^sample_coding -s\d+ ([^\r\n]*)", text, re.MULTILINE)
    if begin is None or b"sample_count" not in fields or (coding and b"shorten" in coding[1]):
        return NOTHING
    channels, width = int(fields.get(b"channel_count", b"1")), int(fields.get(b"sample_n_bytes", b"1"))
    if coding and coding[1].startswith((b"ulaw", b"alaw", b"mu-law")):
        width = 1
    frame_bytes = channels * width
    declared = int(fields[b"sample_count"]) * frame_bytes
    return Header(truncated=shortfall(declared, source.size - int(begin[1]), frame_bytes))


def voc(source: Source) -> Header:
    """Creative Voice: blocks of at most 16 MB, each with its length."""
    head = source.at(20, 2)
    at = struct.unpack("<H", head)[0] if len(head) == 2 else source.size
    for _ in range(_MOST_BLOCKS):
        block = source.at(at, 4)
        if len(block) < 4 or block[0] == 0:
            break
        length = int.from_bytes(block[1:], "little")
        if at + 4 + length > source.size and block[0] in (1, 2, 9):
            return Header(truncated=shortfall(length, source.size - at - 4))
        at += 4 + length
    return NOTHING


def wve(source: Source) -> Header:
    """Psion's A-law recordings: 32 bytes of header, one byte per sample."""
    count = source.at(18, 4)
    return Header(truncated=shortfall(int.from_bytes(count, "big"), source.size - 32, 1))
