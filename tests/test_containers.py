"""Headers of every container: what is cut short is noticed, what is whole is not, nothing unexpected is raised."""

from __future__ import annotations

import io
import struct
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from sounds import tone, wav_bytes

from audiotconv.audio import AudioReader
from audiotconv.errors import AudioError, AudiotconvError

# SD2 keeps its header in a second file, RAW has none, and sample dumps are refused.
UNREAD = {"RAW", "SD2", "SDS"}
NO_LENGTH = {"PAF", "PVF", "IRCAM", "XI", "MAT4", "MAT5"}  # none in the header, or none that is read


def written(kind, subtype, n=20_000, channels=1):
    """A whole file; None where libsndfile does not write it or not read it back."""
    file = io.BytesIO()
    try:
        soundfile.write(file, tone(n, channels=channels), 8000, subtype, format=kind)
        soundfile.read(io.BytesIO(file.getvalue()))
    except soundfile.LibsndfileError:
        return None
    return file.getvalue()


KINDS = [
    (kind, subtype)
    for kind in soundfile.available_formats()
    if kind not in UNREAD
    for subtype in soundfile.available_subtypes(kind)
    if written(kind, subtype, 100) is not None
]


def notes_of(content, **options):
    with AudioReader(io.BytesIO(content), **options) as reader:
        for _ in reader.blocks():
            pass
        return reader.notes


@pytest.mark.parametrize(("kind", "subtype"), KINDS)
def test_whole_files_are_not_called_truncated(kind, subtype, tmp_path):
    for n in (1, 4001, 20_000):
        for channels in (1, 2):
            content = written(kind, subtype, n, channels)
            if content is None or (n == 1 and kind in ("OGG", "MP3", "PAF")):
                continue
            assert notes_of(content, strict=True) == []
            (tmp_path / "a").write_bytes(content)
            with AudioReader(tmp_path / "a", strict=True) as reader:
                assert sum(block.shape[1] for block in reader.blocks(3000)) >= n


@pytest.mark.parametrize(("kind", "subtype"), [pair for pair in KINDS if pair[0] not in NO_LENGTH])
@pytest.mark.parametrize("part", [0.5, 0.8, 0.97])
def test_truncated_files_are_noticed(kind, subtype, part):
    for channels in (1, 2):
        content = written(kind, subtype, channels=channels)
        if content is None:
            continue
        cut = content[: int(len(content) * part)]
        try:
            notes = notes_of(cut)
        except AudioError as error:
            assert error.reason in ("truncated", "damaged", "not audio", "empty")
        else:
            assert len(notes) == 1
            assert "is truncated: " in notes[0]
            with pytest.raises(AudioError) as caught:
                notes_of(cut, strict=True)
            assert caught.value.reason == "truncated"


@pytest.mark.parametrize("declared", [0xFFFFFFFF, 0x7FFFF000, 0x7FFFFFFF, 0x80000000])
def test_wav_from_a_pipe(declared):
    assert notes_of(wav_bytes(b"\1\0" * 1000, declared=declared), strict=True) == []


def test_other_containers_from_a_pipe():
    au = written("AU", "PCM_16")
    assert notes_of(au[:8] + b"\xff" * 4 + au[12:15_000], strict=True) == []
    aiff = written("AIFF", "PCM_16")
    comm, ssnd = aiff.index(b"COMM"), aiff.index(b"SSND")
    piped = aiff[: comm + 10] + struct.pack(">I", 0x3F800000) + aiff[comm + 14 : ssnd + 4]
    piped += struct.pack(">I", 0x7F000008) + aiff[ssnd + 8 : 15_000]
    assert notes_of(piped, strict=True) == []
    w64 = written("W64", "PCM_16")
    data = w64.index(b"data")
    for size in (b"\0" * 8, b"\xff" * 8):
        try:
            assert notes_of(w64[: data + 16] + size + w64[data + 24 : 15_000], strict=True) == []
        except AudioError as error:
            assert error.reason != "truncated"


def test_frames_that_an_aiff_header_counts_and_does_not_hold():
    aiff = written("AIFF", "PCM_16")
    comm = aiff.index(b"COMM")
    more = aiff[: comm + 10] + struct.pack(">I", 30_000) + aiff[comm + 14 :]
    assert "declares 30000 samples and it holds 20000" in notes_of(more)[0]


def test_what_follows_the_sound_is_no_sound():
    wav = written("WAV", "PCM_U8", 4001)
    assert notes_of(wav + b"\0LIST\4\0\0\0INFO", strict=True) == []
    cut = wav[:3000] + b"LIST\4\0\0\0INFO"
    assert "declares 4001 samples" in notes_of(cut)[0]
    ogg = written("OGG", "VORBIS")
    for tail in (b"\0" * 100, b"TAG" + b"x" * 125):
        assert notes_of(ogg + tail, strict=True) == []
    mp3 = written("MP3", "MPEG_LAYER_III")
    tags = b"ID3\4\0\0\0\0\1\0" + b"\0" * 128, b"TAG" + b"x" * 125
    assert notes_of(tags[0] + mp3 + tags[1], strict=True) == []
    assert "bytes of sound" in notes_of(tags[0] + mp3[:-200] + tags[1])[0]


def test_ogg_without_its_last_page():
    ogg = written("OGG", "VORBIS", 200_000)
    whole_pages = ogg[: ogg.rindex(b"OggS")]
    assert "not marked as the end" in notes_of(whole_pages)[0]
    assert "incomplete" in notes_of(whole_pages + b"OggS\0\0")[0]


def test_mp3_with_a_count_of_frames_and_none_of_bytes():
    mp3 = written("MP3", "MPEG_LAYER_III")
    table = max(mp3.find(b"Xing"), mp3.find(b"Info"))
    flags, frames, _ = struct.unpack(">III", mp3[table + 4 : table + 16])
    assert flags & 3 == 3
    no_bytes = mp3[: table + 4] + struct.pack(">II", flags & 1, frames) + b"\0" * 4 + mp3[table + 16 :]
    assert notes_of(no_bytes, strict=True) == []
    assert "declares at least" in notes_of(no_bytes[: len(mp3) // 2])[0]


def test_file_objects_of_every_kind_are_checked(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(b"\1\0" * 1000, declared=4000))
    for buffering in (0, -1):
        with open(path, "rb", buffering) as file, AudioReader(file) as reader:
            assert sum(block.shape[1] for block in reader.blocks()) == 1000
            assert reader.notes == [f"{path} is truncated: its header declares 2000 samples and it holds 1000"]
    with pytest.raises(AudiotconvError, match="binary file"), open(path, encoding="latin-1") as file:
        AudioReader(file)
    with pytest.raises(AudioError, match="is empty"):
        AudioReader(io.BytesIO())


PCM_KIND = bytes.fromhex("0100000000001000800000aa00389b71")


def extensible(data, *, bits, valid, block, kind=PCM_KIND):
    fmt = struct.pack("<HHIIHHHHI", 0xFFFE, 1, 8000, 8000 * block, block, bits, 22, valid, 0) + kind
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def test_24_bits_in_4_bytes(tmp_path):
    """Under WAVE_FORMAT_EXTENSIBLE libsndfile goes by wBitsPerSample: 32 is read right, 24 as noise."""
    values = [(value * 7919 % 2**24 - 2**23) << 8 for value in range(300)]
    data = struct.pack("<300i", *values)
    with AudioReader(io.BytesIO(extensible(data, bits=32, valid=24, block=4))) as reader:
        assert reader.read(1000)[0].tolist() == values
    wrong = [extensible(data, bits=24, valid=24, block=4), wav_bytes(data, bits=24, block=4)]
    wrong.append(extensible(data, bits=24, valid=32, block=4))
    for content in wrong:
        (tmp_path / "a.wav").write_bytes(content)
        for source in (io.BytesIO(content), tmp_path / "a.wav"):
            with pytest.raises(AudioError, match="24-bit samples in 4-byte containers") as caught:
                AudioReader(source)
            assert caught.value.reason == "unsupported"


@pytest.mark.parametrize(("block", "channels"), [(0, 1), (1, 1), (3, 2)])
def test_impossible_block_align(block, channels):
    content = wav_bytes(b"\1\0" * 600, block=block, channels=channels)
    with pytest.raises(AudioError, match=f"gives {block} bytes to a frame") as caught:
        AudioReader(io.BytesIO(content))
    assert f"{channels} channels of 16 bits take {2 * channels}" in str(caught.value)


def test_nothing_is_printed_on_the_standard_output(tmp_path):
    """libsndfile prints while it reads broken sample dumps and ALAC packet tables, past Python's sys.stdout."""
    sds = bytearray(written("SDS", "PCM_16"))
    sds[30:3000] = b"\x99" * 2970
    caf = bytearray(written("CAF", "ALAC_16"))
    table = caf.index(b"pakt") + 36
    (tmp_path / "a.sds").write_bytes(sds)
    (tmp_path / "b.caf").write_bytes(caf[: table + 2] + b"\xff" * 8 + caf[table + 10 :])
    program = (
        "import sys\nfrom audiotconv.audio import AudioReader\nfrom audiotconv.errors import AudioError\n"
        "for name in sys.argv[1:]:\n"
        "    try:\n        AudioReader(name).read(1000)\n"
        "    except AudioError as error:\n        print(error.reason, error, file=sys.stderr)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "a.sds"), str(tmp_path / "b.caf")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert "unsupported " in done.stderr
    assert "MIDI sample dump" in done.stderr
    assert "damaged " in done.stderr


# soundfile's callbacks for file objects report a seek before the beginning on standard error and go on.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", [kind for kind in soundfile.available_formats() if kind not in ("RAW", "SD2")])
def test_damaged_files_raise_only_errors_of_the_project(kind, tmp_path):
    """Each of 15 damaged files of every container, some 330, is read or refused."""
    rng = np.random.default_rng(len(kind) + ord(kind[-1]))
    subtypes = [subtype for subtype in soundfile.available_subtypes(kind) if written(kind, subtype, 300)]
    for number in range(15):
        content = bytearray(written(kind, subtypes[number % len(subtypes)], 300))
        for _ in range(rng.integers(1, 12)):
            reach = rng.choice([40, 120, len(content)])
            content[rng.integers(0, min(reach, len(content)))] = rng.choice([0, 127, 128, 255, rng.integers(256)])
        if number % 3 == 0:
            del content[rng.integers(4, len(content)) :]
        (tmp_path / "a").write_bytes(content)
        for source in (io.BytesIO(content), tmp_path / "a"):
            try:
                with AudioReader(source) as reader:
                    for block, _ in zip(reader.blocks(), range(20), strict=False):
                        assert np.isfinite(block).all()
            except AudiotconvError as error:
                assert "\n" not in str(error)
