"""Reading sound: every format's samples exactly, and every lie of a header noticed."""

from __future__ import annotations

import io
import os
import socket
import struct

import numpy as np
import pytest
import soundfile
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st
from sounds import tone, wav_bytes, write

from audiotconv.audio import AudioReader, as_samples, is_sound_name, mean_of_channels, scale_of, shown
from audiotconv.audio.container import Descriptor, Header, read_header
from audiotconv.errors import AudioError, AudioFileError, ParameterError


def everything(source, **options):
    with AudioReader(source, **options) as reader:
        blocks = list(reader.blocks(1000))
        return reader, np.concatenate([np.empty((reader.channels, 0), reader.dtype), *blocks], axis=1)


@pytest.mark.parametrize(
    ("name", "subtype", "dtype"),
    [
        ("a.wav", "PCM_16", "int16"),
        ("a.wav", "PCM_24", "int32"),
        ("a.wav", "PCM_32", "int32"),
        ("a.wav", "PCM_U8", "int16"),
        ("a.wav", "FLOAT", "float32"),
        ("a.wav", "DOUBLE", "float32"),
        ("a.wav", "ULAW", "int16"),
        ("a.wav", "ALAW", "int16"),
        ("a.wav", "IMA_ADPCM", "int16"),
        ("a.flac", "PCM_16", "int16"),
        ("a.flac", "PCM_24", "int32"),
        ("a.flac", "PCM_S8", "int16"),
        ("a.ogg", "VORBIS", "float32"),
        ("a.opus", "OPUS", "float32"),
        ("a.mp3", "MPEG_LAYER_III", "float32"),
        ("a.aiff", "PCM_16", "int16"),
        ("a.au", "PCM_16", "int16"),
        ("a.w64", "PCM_24", "int32"),
        ("a.caf", "PCM_16", "int16"),
    ],
)
def test_formats_and_exact_scaling(tmp_path, name, subtype, dtype):
    path = tmp_path / name
    kind = {"format": "OGG"} if name.endswith(".opus") else {}
    write(path, rate=16000, channels=2, subtype=subtype, **kind)
    reader, samples = everything(path)
    assert (reader.sample_rate, reader.channels, reader.subtype, reader.dtype) == (16000, 2, subtype, dtype)
    assert reader.notes == []
    with soundfile.SoundFile(path) as file:  # soundfile.read seeks first, after which MP3 decodes a bit differently
        want = file.read(dtype="float32", always_2d=True)
    np.testing.assert_array_equal(samples.astype(np.float32) * scale_of(samples.dtype), want.T)
    with AudioReader(path) as reader:
        np.testing.assert_array_equal(np.concatenate(list(reader.blocks(37)), axis=1), samples)


def test_aiff_under_a_wav_name(tmp_path):
    write(tmp_path / "a.aiff")
    os.rename(tmp_path / "a.aiff", tmp_path / "a.wav")
    reader, samples = everything(tmp_path / "a.wav")
    assert reader.format == "AIFF"
    assert samples.shape == (1, 4000)


@pytest.mark.parametrize("size", [1, 37, 999, 1000, 1001, 65536])
def test_blocks_join_to_the_whole(tmp_path, size):
    path = write(tmp_path / "a.wav", n=2000, channels=3)
    _, whole = everything(path)
    with AudioReader(path) as reader:
        blocks = list(reader.blocks(size))
    assert all(block.shape[1] == size for block in blocks[:-1])
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1), whole)


def test_file_objects_stay_open(tmp_path):
    path = write(tmp_path / "a.flac")
    with open(path, "rb") as file:
        file.seek(100)
        _, samples = everything(file)
        assert not file.closed
    np.testing.assert_array_equal(samples, everything(path)[1])
    memory = io.BytesIO(path.read_bytes())
    np.testing.assert_array_equal(everything(memory)[1], samples)
    with pytest.raises(AudioFileError, match="seekable"):
        AudioReader(object())
    with pytest.raises(AudioError, match="not a sound file"):
        AudioReader(io.BytesIO(b"no sound at all"))


def refused(source, error, reason, *words, **options):
    with pytest.raises(error) as caught:
        everything(source, **options)
    assert caught.value.reason == reason
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message
    return message


def test_not_files(tmp_path):
    refused(tmp_path / "none.wav", AudioFileError, "missing", "does not exist", "none.wav")
    refused(tmp_path / "none.wav" / "x.wav", AudioFileError, "missing")
    refused(tmp_path, AudioFileError, "not a regular file", "a directory")
    os.mkfifo(tmp_path / "fifo.wav")
    refused(tmp_path / "fifo.wav", AudioFileError, "not a regular file")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        refused(tmp_path / "s", AudioFileError, "not a regular file", "socket")
    os.symlink("loop.wav", tmp_path / "loop.wav")
    refused(tmp_path / "loop.wav", AudioFileError, "unreadable", "symbolic links")
    refused("/dev/null", AudioFileError, "not a regular file")
    refused("a\0b.wav", AudioFileError, "unreadable", "null")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_no_permission(tmp_path):
    path = write(tmp_path / "a.wav")
    path.chmod(0)
    refused(path, AudioFileError, "unreadable", "permission denied")


def test_permission_and_too_many_files_are_named(tmp_path, monkeypatch):
    path = write(tmp_path / "a.wav")
    for number, word in ((13, "permission denied"), (24, "Too many open files"), (5, "Input/output error")):
        monkeypatch.setattr(os, "open", lambda *a, n=number: (_ for _ in ()).throw(OSError(n, os.strerror(n))))
        refused(path, AudioFileError, "unreadable", word)
        monkeypatch.undo()


def test_read_errors_are_the_files(tmp_path, monkeypatch):
    path = write(tmp_path / "a.wav")

    def fail(*args, **options):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", fail)
    refused(path, AudioFileError, "unreadable", "Input/output error")
    monkeypatch.undo()
    monkeypatch.setattr(soundfile.SoundFile, "read", fail)
    refused(path, AudioFileError, "unreadable", "Input/output error")
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *a, **k: (_ for _ in ()).throw(RuntimeError("bad block")))
    refused(path, AudioError, "damaged", "after sample 0", "bad block")


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", b"<html></html>" * 100, b"\0" * 5000, b"RIFF\0\0\0\0WAVEfmt ", b"fLaC" + b"\xff" * 60]
)
def test_not_sound(tmp_path, content):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    refused(path, AudioError, "not audio" if content else "empty", "a.wav")


def test_no_samples(tmp_path):
    refused(write(tmp_path / "a.wav", n=0), AudioError, "empty", "holds no samples")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"rate": 1}, ["sample rate of 1 Hz", "50 to"]),
        ({"rate": 2_000_000_000}, ["2000000000 Hz"]),
        ({"channels": 1024}, ["1024 channels"]),
        ({"bits": 24, "block": 4}, ["24-bit samples in 4-byte containers"]),
    ],
)
def test_impossible_formats(tmp_path, fields, words):
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(b"\1\2" * 4096, **fields))
    refused(path, AudioError, "unsupported", *words)


def test_truncated(tmp_path):
    path = tmp_path / "a.wav"
    content = wav_bytes(b"\1\0" * 1000, declared=4000)
    path.write_bytes(content)
    reader, samples = everything(path)
    assert samples.shape == (1, 1000)
    assert reader.notes == [f"{path} is truncated: its header declares 2000 samples and it holds 1000"]
    refused(path, AudioError, "truncated", "declares 2000", strict=True)
    path.write_bytes(wav_bytes(b"\1\0" * 1000, declared=0xFFFFFFF0))
    assert "declares 2147483640" in everything(path)[0].notes[0]


@pytest.mark.parametrize("declared", [0xFFFFFFFF])
def test_a_length_that_the_writer_did_not_know_is_no_lie(tmp_path, declared):
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(b"\1\0" * 1000, declared=declared))
    reader, samples = everything(path)
    assert samples.shape == (1, 1000)
    assert reader.notes == []


def test_truncated_flac_is_noticed(tmp_path):
    path = write(tmp_path / "a.flac", n=50_000)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with AudioReader(path) as reader:
        try:
            total = sum(block.shape[1] for block in reader.blocks(1000))
        except AudioError as error:
            assert error.reason == "damaged"
        else:
            assert total < 50_000
            assert "truncated" in reader.notes[0]


def test_big_endian_and_long_headers(tmp_path):
    values = np.arange(-500, 500, dtype=np.int16)
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(values.astype(">i2").tobytes(), magic=b"RIFX"))
    np.testing.assert_array_equal(everything(path)[1][0], values)
    ds64 = b"ds64" + struct.pack("<IQQQI", 28, 2000 + 80, 2000, 1000, 0)
    path.write_bytes(wav_bytes(values.tobytes(), magic=b"RF64", declared=0xFFFFFFFF, extra=ds64))
    reader, samples = everything(path)
    np.testing.assert_array_equal(samples[0], values)
    path.write_bytes(wav_bytes(values[:300].tobytes(), magic=b"RF64", declared=0xFFFFFFFF, extra=ds64))
    reader, samples = everything(path)
    assert samples.shape == (1, 300)
    assert "declares 1000 samples and it holds 300" in reader.notes[0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite(tmp_path, bad):
    wave = tone(3000, channels=2)
    wave[1234, 1] = bad
    soundfile.write(tmp_path / "a.wav", wave, 8000, "FLOAT")
    refused(tmp_path / "a.wav", AudioError, "non-finite", "sample 1234 of channel 1", str(bad))


@pytest.mark.parametrize("bad", [1.1e12, -3e38])
def test_too_large(tmp_path, bad):
    wave = tone(3000, channels=2)
    wave[1234, 1] = bad
    soundfile.write(tmp_path / "a.wav", wave, 8000, "FLOAT")
    refused(tmp_path / "a.wav", AudioError, "too large", "sample 1234 of channel 1", "at most 1e+12")
    with pytest.raises(AudioError, match=r"sample 1234 of channel 1 is .*at most 1e") as caught:
        as_samples(wave.T)
    assert caught.value.reason == "too large"


def test_as_large_as_accepted(tmp_path):
    wave = np.full((3000, 1), 1e12)
    soundfile.write(tmp_path / "a.wav", wave, 8000, "FLOAT")
    assert everything(tmp_path / "a.wav")[1].max() == np.float32(1e12)


def test_changed_while_reading(tmp_path):
    path = write(tmp_path / "a.wav")
    with AudioReader(path) as reader:
        reader.read(100)
        with open(path, "ab") as file:
            file.write(b"more")
        with pytest.raises(AudioError, match="changed while") as caught:
            list(reader.blocks(1000))
    assert caught.value.reason == "changed while reading"


def test_names_on_one_line(tmp_path):
    assert shown("a\nb\x1b.wav") == "a\\nb\\x1b.wav"
    assert len(shown("x" * 5000)) < 500
    assert shown(b"\xff.wav") == "\\xff.wav"
    assert shown(io.BytesIO()) == "the file object"
    path = os.fsencode(tmp_path) + b"/\xff\n'\".wav"
    with open(path, "wb") as file:
        file.write(wav_bytes(b"\1\0" * 100))
    assert everything(path)[1].shape == (1, 100)
    assert everything(os.fsdecode(path))[1].shape == (1, 100)


def test_descriptors_are_closed_once(tmp_path):
    """One too many closes another thread's file: every close of a descriptor that is not open must be an error."""
    good = write(tmp_path / "a.wav")
    (tmp_path / "b.wav").write_bytes(b"RIFF but not really")
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    for _ in range(20):
        everything(good)
        with pytest.raises(AudioError):
            AudioReader(tmp_path / "b.wav")
        with pytest.raises(AudioFileError):
            AudioReader(tmp_path)
    if before is not None:
        assert len(os.listdir("/proc/self/fd")) == before


@given(st.data())
def test_a_damaged_header_never_crashes_or_hangs(tmp_path, data):
    content = bytearray(wav_bytes(b"\1\0" * 200))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, 47))] = data.draw(st.integers(0, 255))
    path = tmp_path / "a.wav"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        reader, samples = everything(path)
    except (AudioError, AudioFileError) as error:
        assert "a.wav" in str(error)
    else:
        assert samples.shape[0] == reader.channels
        assert np.isfinite(samples).all()


def test_headers_that_are_none(tmp_path):
    path = tmp_path / "a"
    for content in (b"RIFF\0\0\0\0WAVEdata\0\0\0\0", b"RIFF\0\0\0\0WAVEfmt \4\0\0\0\1\0", b"RIFF\0\0\0\0AVI "):
        path.write_bytes(content)
        descriptor = os.open(path, os.O_RDONLY)
        assert read_header(Descriptor(descriptor)) == Header()
        os.close(descriptor)


def test_sound_names():

    assert all(is_sound_name(name) for name in ("a.wav", "A.WAV", "b.flac", "c.mp3", "d.AIF", "e.opus"))
    assert not any(is_sound_name(name) for name in ("a.txt", "wav", "a.npy", "b.raw", "c.mat"))


def test_arrays():
    assert as_samples([0.5, 1.0]).dtype == np.float32
    assert as_samples(np.zeros((2, 3), np.float64)).shape == (2, 3)
    assert as_samples(np.zeros(3, ">i4")).dtype == np.int32
    with pytest.raises(ParameterError, match="type int64"):
        as_samples([1, 2])
    with pytest.raises(ParameterError, match="shape"):
        as_samples(np.zeros((1, 2, 3)))
    with pytest.raises(ParameterError, match="at least one channel"):
        as_samples(np.zeros((0, 3)))
    with pytest.raises(AudioError, match="sample 2 of channel 1 is nan"):
        as_samples([[0.0, 0.0, 0.0], [0.0, 0.0, np.nan]])
    with pytest.raises(AudioError, match="sample 1 of channel 0 is 1e"):
        as_samples([0.0, 1e300])


def test_mean_of_channels():
    one = np.arange(5, dtype=np.int16)[None]
    assert mean_of_channels(one) is one
    both = np.array([[32767, 0], [-32768, 16384]], np.int16)
    np.testing.assert_array_equal(mean_of_channels(both), np.array([[-0.5 / 32768, 0.25]], np.float32))


@pytest.mark.parametrize(("name", "subtype"), [("a.mp3", "MPEG_LAYER_III"), ("a.opus", "OPUS"), ("a.ogg", "VORBIS")])
def test_compressed_samples_do_not_depend_on_blocks(tmp_path, name, subtype, monkeypatch):
    """libsndfile's do, so it must always be asked for the same stretches; and no stretch begins in the last packet."""
    path = write(tmp_path / name, n=50_123, rate=16000, subtype=subtype, format="MP3" if name == "a.mp3" else "OGG")
    monkeypatch.setattr("audiotconv.audio.reader.DECODED_VALUES", 10_000)
    asked = []
    original = soundfile.SoundFile.read

    def read(self, frames, **options):
        asked.append(frames)
        return original(self, frames, **options)

    monkeypatch.setattr(soundfile.SoundFile, "read", read)
    with AudioReader(path) as reader:
        whole = reader.read(100_000)
        assert whole.shape == (1, 50_123)
    assert asked[:4] == [10_000] * 4
    assert asked[4] == 10_123
    for size in (1, 37, 1000, 65_536):
        with AudioReader(path) as reader:
            np.testing.assert_array_equal(np.concatenate(list(reader.blocks(size)), axis=1), whole)


def test_own_recordings():
    paths = sorted((ROOT / "data").rglob("*.wav"))
    assert len(paths) == 44
    for path in paths:
        reader, samples = everything(path, strict=True)
        assert samples.shape[1] > 0.2 * reader.sample_rate
        assert np.abs(samples.astype(np.float32) * scale_of(samples.dtype)).max() > 0.1


SELECTED = [
    ("a.wav", "PCM_16"),
    ("a.wav", "FLOAT"),
    ("a.wav", "IMA_ADPCM"),
    ("a.flac", "PCM_24"),
    ("a.ogg", "VORBIS"),
    ("a.mp3", "MPEG_LAYER_III"),
]


@pytest.mark.parametrize(("name", "subtype"), SELECTED)
@pytest.mark.parametrize("times", [(0.1, 0.4), (0.25, None), (None, 0.3), (0.9, 0.9001), (0, 5)])
def test_a_stretch_of_a_file_is_that_of_the_whole(tmp_path, name, subtype, times, monkeypatch):
    monkeypatch.setattr("audiotconv.audio.reader.DECODED_VALUES", 5000)  # so that several are decoded
    path = write(tmp_path / name, n=16000, rate=16000, subtype=subtype)
    _, whole = everything(path)
    first, end = round((times[0] or 0) * 16000), None if times[1] is None else round(times[1] * 16000)
    with AudioReader(path) as reader:
        reader.select(*times)
        assert (reader.first, reader.position) == (first, first)
        samples = np.concatenate(list(reader.blocks(700)), axis=1)
        np.testing.assert_array_equal(samples, whole[:, first:end])
        if "ADPCM" not in subtype and "MPEG" not in subtype:  # which fill their last block
            assert reader.length == samples.shape[1]
        assert len(reader.notes) == (times[1] == 5)


def test_stretches_that_are_not_there(tmp_path):
    path = write(tmp_path / "a.wav", n=1000, rate=8000)
    for times, words in (
        ((-1, None), "start is -1; it must be"),
        ((None, "2"), "stop is '2'"),
        ((float("nan"), None), "start is nan"),
        ((0.1, 0.1), "no sample lies between"),
        ((None, 1e-6), "no sample lies between"),
        ((True, None), "start is True"),
    ):
        with AudioReader(path) as reader, pytest.raises(ParameterError, match=words):
            reader.select(*times)
    with AudioReader(path) as reader, pytest.raises(AudioError, match=r"0.125 s long; it holds nothing from 3 s on"):
        reader.select(3)
    with AudioReader(path, strict=True) as reader:
        reader.select(0.1, 3)
        with pytest.raises(AudioError, match=r"ends at 0.125 s, before the 3 s asked for"):
            list(reader.blocks())
    write(tmp_path / "a.mp3", n=8000, rate=16000, subtype="MPEG_LAYER_III")
    with AudioReader(tmp_path / "a.mp3") as reader, pytest.raises(AudioError, match="it holds nothing from 30 s on"):
        reader.select(30)


@pytest.mark.parametrize("kind", ["RF64", "W64"])
def test_files_of_more_than_4_gb(tmp_path, kind):
    """Read from their end: a hole on the disk, and behind it what shows that positions are right."""
    path = tmp_path / f"a.{'wav' if kind == 'RF64' else 'w64'}"
    frames, tail = (1 << 31) + 5000, np.arange(1000, dtype="<i2")
    with soundfile.SoundFile(path, "w", 16000, 1, "PCM_16", format=kind) as file:
        file.write(np.zeros(1, np.int16))
    head = path.read_bytes()[:-2]
    size = 2 * frames
    if kind == "RF64":
        at = head.index(b"ds64") + 8
        head = head[:at] + struct.pack("<QQQ", len(head) + size - 8, size, frames) + head[at + 24 :]
        assert head[-4:] == b"\xff\xff\xff\xff"
    else:
        head = head[:16] + struct.pack("<Q", len(head) + size) + head[24:-8] + struct.pack("<Q", size + 24)
    with open(path, "wb") as file:
        file.write(head)
        file.truncate(len(head) + size - tail.nbytes)
        file.seek(0, os.SEEK_END)
        file.write(tail.tobytes())
    with AudioReader(path, strict=True) as reader:
        assert reader.frames == frames
        reader.select((frames - 1500) / 16000)
        samples = reader.rest()
    assert samples.shape == (1, 1500)
    assert not samples[0, :500].any()
    np.testing.assert_array_equal(samples[0, 500:], tail)
