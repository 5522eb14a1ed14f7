"""Ogg: the last page of a stream is marked as such."""

from __future__ import annotations

from .source import NOTHING, Header, Source

__all__ = ["ogg"]

_LARGEST_PAGE = 27 + 255 + 255 * 255
_LAST = 4  # the flag of a stream's last page
_CUT = "its last Ogg page is {}"


def ogg(source: Source) -> Header:
    """An Ogg file of whatever codec."""
    begin = max(0, source.size - 2 * _LARGEST_PAGE)
    tail = source.at(begin, 2 * _LARGEST_PAGE)
    at = len(tail)
    while (at := tail.rfind(b"OggS", 0, at)) >= 0:
        page = tail[at : at + 27 + 255]
        if len(page) < 27 or len(page) < 27 + page[26]:
            return Header(truncated=_CUT.format("incomplete"))
        end = at + 27 + page[26] + sum(page[27 : 27 + page[26]])
        if page[4] != 0 or (end < len(tail) and tail[end : end + 4] != b"OggS" and not _tag(tail[end:])):
            continue  # the four letters may stand in a packet too
        if end > len(tail):
            return Header(truncated=_CUT.format("incomplete"))
        return NOTHING if page[5] & _LAST else Header(truncated=_CUT.format("not marked as the end of the stream"))
    return NOTHING


def _tag(rest: bytes) -> bool:
    """Whether what follows the last page is no sound: zeros, or a tag that a careless program appended."""
    return rest[:3] == b"TAG" or rest[:8] == b"APETAGEX" or not rest.strip(b"\0")
