"""What a file's header says, read without libsndfile: the length it claims, and layouts that libsndfile gets wrong.

libsndfile clamps what ends early without a word. Raw files, and PAF, PVF, IRCAM, XI, MAT4 and MAT5 have no length in
the header that is read here; neither has MP3 without an encoder's table.
"""

from __future__ import annotations

from .fixed import au, avr, mpc2000, nist, voc, wve
from .iff import caf, form
from .mpeg import mpeg
from .ogg import ogg
from .riff import riff, wave64
from .source import NOTHING, Descriptor, FileObject, Header, Source

__all__ = ["Descriptor", "FileObject", "Header", "read_header"]

_READERS = {
    b"RIFF": riff,
    b"RIFX": riff,
    b"RF64": riff,
    b"riff": wave64,
    b"FORM": form,
    b"caff": caf,
    b"OggS": ogg,
    b".snd": au,
    b"dns.": au,
    b"2BIT": avr,
    b"\1\4": mpc2000,
    b"NIST": nist,
    b"Creative Voice File\x1a": voc,
    b"ALawSoundFile**": wve,
    b"ID3": mpeg,
    b"\xff": mpeg,
}
_SAMPLE_DUMP = (b"\xf0\x7e", b"\x01")  # the channel stands between them


def read_header(source: Source) -> Header:
    """What the header tells of a file of any kind; an empty Header where it is not known here."""
    start = source.at(0, 32)
    if start[:2] == _SAMPLE_DUMP[0] and start[3:4] == _SAMPLE_DUMP[1]:
        # libsndfile prints what it does not like in one on the standard output.
        return Header("is a MIDI sample dump (SDS), which is not read; convert it to WAV")
    for magic, reader in _READERS.items():
        if start.startswith(magic):
            return reader(source)
    return NOTHING
