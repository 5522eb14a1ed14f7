"""A folder of malformed and odd files: each gives its right features, or is set aside for its reason."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time

import numpy as np
import pytest
import soundfile
from conftest import JIT, SMALL
from sounds import tone, wav_bytes

import audiotconv as atc
from audiotconv.audio import AudioReader
from audiotconv.batch import verify

N = 300
RATE = 8000
PCM = (tone(N, RATE)[:, 0] * 32000).astype("<i2")
SOUND = PCM[None]
RECIPE = atc.get_recipe(SMALL)


def header(tag=1, channels=1, rate=RATE, byte_rate=None, block=2, bits=16, fmt_size=16, size=None, riff=None, tail=b""):
    """A WAV file of PCM in which any field may lie."""
    fmt = struct.pack("<HHIIHH", tag, channels, rate, rate * 2 % 2**32 if byte_rate is None else byte_rate, block, bits)
    data = PCM.tobytes()
    body = b"WAVEfmt " + struct.pack("<I", fmt_size) + fmt + tail + b"data"
    body += struct.pack("<I", len(data) if size is None else size) + data
    return b"RIFF" + struct.pack("<I", len(body) if riff is None else riff) + body


def written(format, subtype, samples=SOUND, **options):
    def write(path):
        soundfile.write(path, samples.T, RATE, subtype, format=format, **options)

    return write


def decoded(subtype, format="WAV"):
    """What libsndfile itself gives of a file that it has just written: for lossy formats."""

    def samples(path):
        values = soundfile.read(path, dtype="int16", always_2d=True)[0]
        return np.ascontiguousarray(values.T)

    return written(format, subtype), samples


def chunk(name, content):
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def cut(samples):
    return SOUND[:, :samples]


def files():
    """Name: (content or a function that writes it, the samples or a function of the path, or the reasons)."""
    found = {}
    # --- what must work ---
    for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"):
        whole = {"PCM_U8": SOUND >> 8 << 8, "ULAW": None, "ALAW": None}.get(subtype, SOUND)
        if whole is None or subtype == "PCM_U8":
            found[f"wav {subtype}"] = decoded(subtype)
        else:
            wide = SOUND.astype(np.int32) << 16 if subtype in ("PCM_24", "PCM_32") else SOUND
            samples = SOUND.astype(np.float32) / 32768 if subtype in ("FLOAT", "DOUBLE") else wide
            found[f"wav {subtype}"] = written("WAV", subtype, samples), samples
    for subtype in ("IMA_ADPCM", "MS_ADPCM", "GSM610"):
        found[f"wav {subtype}"] = decoded(subtype)
    for format, subtype in (
        ("RF64", "PCM_16"), ("W64", "PCM_16"), ("AIFF", "PCM_16"), ("AU", "PCM_16"), ("CAF", "PCM_16"),
        ("WAVEX", "PCM_16"), ("WAVEX", "PCM_24"), ("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("NIST", "PCM_16"),
    ):  # fmt: skip
        samples = SOUND if subtype == "PCM_16" else SOUND.astype(np.int32) << 16
        found[f"{format} {subtype} under another name"] = written(format, subtype), samples
    for order, format in (("BIG", "WAV"), ("LITTLE", "AIFF")):
        found[f"{format} {order} endian"] = written(format, "PCM_16", endian=order), SOUND
    found["256 channels"] = written("WAV", "PCM_16", np.repeat(SOUND, 256, axis=0)), np.repeat(SOUND, 256, axis=0)
    found["one sample"] = wav_bytes(PCM[:1].tobytes()), cut(1)
    found["silence"] = wav_bytes(b"\0" * 600), np.zeros((1, 300), np.int16)
    found["shorter than a window"] = wav_bytes(PCM[:50].tobytes()), cut(50)
    listed = chunk(b"LIST", b"INFOISFT\4\0\0\0abc\0")
    found["chunk before"] = wav_bytes(PCM.tobytes(), extra=listed), SOUND
    found["chunk behind"] = wav_bytes(PCM.tobytes()) + listed, SOUND
    found["odd chunk"] = wav_bytes(PCM.tobytes(), extra=chunk(b"note", b"odd")), SOUND
    found["garbage behind"] = wav_bytes(PCM.tobytes()) + b"\xff" * 1000, SOUND
    # --- what must be refused ---
    found["no bytes"] = b"", {"empty"}
    found["zero frames"] = wav_bytes(b""), {"empty"}
    found["zero frames FLAC"] = written("FLAC", "PCM_16", SOUND[:, :0]), {"empty"}
    found["1024 channels"] = written("WAV", "PCM_16", np.repeat(SOUND, 1024, axis=0)), {"unsupported"}
    for name, value in (("nan", np.nan), ("inf", np.inf), ("minus inf", -np.inf), ("huge", 1e30)):
        for place in (0, 150, N - 1):
            wave = SOUND.astype(np.float32) / 32768
            wave[0, place] = value
            for subtype in ("FLOAT", "DOUBLE"):
                reasons = {"too large" if name == "huge" else "non-finite"}
                found[f"{name} at {place} {subtype}"] = written("WAV", subtype, wave), reasons
    found["text"] = b"Dear listener,\n" * 50, {"not audio"}
    found["html"] = b"<!DOCTYPE html><html><body>404</body></html>", {"not audio"}
    found["zeros"] = b"\0" * 4096, {"not audio"}
    found["ones"] = b"\xff" * 4096, {"not audio", "damaged", "unsupported", "empty"}
    found["png"] = b"\x89PNG\r\n\x1a\n" + b"\0" * 100, {"not audio"}
    found["zip"] = b"PK\3\4" + b"\0" * 100, {"not audio"}
    found["a feature store"] = b"PAR1" + b"\0" * 100 + b"PAR1", {"not audio"}
    found["64 bit integers"] = header(bits=64, block=8), {"unsupported", "not audio"}
    found["12 bits in 2 bytes"] = header(bits=12), SOUND
    for bits in (0, 1, 7, 20, 48, 65535):
        found[f"{bits} bits"] = header(bits=bits), {"unsupported", "not audio", "damaged", "empty"}
    for tag in (0, 0x55, 0x161, 0x2000, 0xFFFF):
        found[f"tag {tag:#x}"] = header(tag=tag), {"unsupported", "not audio", "damaged"}
    for rate in (0, 1, 49, 2_000_001, 2**32 - 1):
        found[f"rate {rate}"] = header(rate=rate), {"unsupported", "not audio"}
    for channels in (0, 300, 1024, 65535):
        found[f"{channels} channels claimed"] = header(channels=channels), {"unsupported", "not audio"}
    found["fmt of no bytes"] = header(fmt_size=0), {"not audio", "unsupported", "damaged"}
    found["fmt of 2 GB"] = header(fmt_size=2**31), {"not audio", "unsupported", "damaged", "truncated"}
    found["24 bits in 4 bytes"] = header(bits=24, block=4), {"unsupported"}
    # --- headers that lie and do no harm, or whose claims can be followed ---
    for byte_rate in (0, 1, 2**32 - 1):
        found[f"byte rate {byte_rate}"] = header(byte_rate=byte_rate), SOUND
    for riff in (0, 4, 36, 2**32 - 1, 100):
        found[f"riff size {riff}"] = header(riff=riff), SOUND
    found["two channels claimed"] = header(channels=2, block=4), np.ascontiguousarray(PCM.reshape(-1, 2).T)
    found["data size too small"] = header(size=200), cut(100)
    found["data size odd"] = header(size=201), cut(100)
    for size in (602, 2**31 - 2, 2**31, 2**32 - 2, 2**32 - 1):
        found[f"data size {size}"] = header(size=size), SOUND
    # --- truncations: at every boundary of a chunk, and a byte beside it ---
    whole = wav_bytes(PCM.tobytes(), extra=listed)
    start = len(whole) - 2 * N
    for at in (1, 4, 8, 11, 12, 16, 20, 30, 36, 37, 40, 44, 52, 60, 61, 64, 68):
        if at < start:
            found[f"cut at {at:03}"] = whole[:at], {"not audio", "truncated", "empty", "damaged"}
    for samples in (0, 1, 2, 100, N - 1):
        for more in (0, 1):
            expected = cut(samples) if samples else {"empty", "truncated", "not audio"}
            found[f"cut in sample {samples} + {more}"] = whole[: start + 2 * samples + more], expected
    flac = soundfile_bytes("FLAC", "PCM_16")
    for at in (1, 4, 20, 42, len(flac) // 2, len(flac) - 1):
        found[f"flac cut at {at}"] = flac[:at], {"not audio", "truncated", "empty", "damaged"}
    broken = bytearray(flac)
    broken[len(flac) // 2] ^= 0xFF
    found["flac with a flipped byte"] = bytes(broken), {"damaged", "truncated"}
    return found


def soundfile_bytes(format, subtype):
    import io

    file = io.BytesIO()
    soundfile.write(file, SOUND.T, RATE, subtype, format=format)
    return file.getvalue()


CORPUS = files()


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    top = tmp_path_factory.mktemp("in")
    for name, (content, _) in CORPUS.items():
        path = top / f"{name}.wav"
        if callable(content):
            content(path)
        else:
            path.write_bytes(content)
    os.mkfifo(top / "fifo.wav")
    (top / "folder.wav").mkdir()
    os.symlink("loop.wav", top / "loop.wav")
    os.symlink("nowhere", top / "dangling.wav")
    os.symlink(top, top / "again.wav")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(top)  # the names of sockets are short
        listener.bind("socket.wav")
        os.chdir(here)
        if os.geteuid() != 0:
            (top / "secret.wav").write_bytes(wav_bytes(PCM.tobytes()))
            (top / "secret.wav").chmod(0)
        report = atc.extract_folder(top, top / "out", RECIPE, workers=2, time_limit=20)
    return top, report, atc.load(top / "out")


def test_there_are_enough():
    assert len(CORPUS) >= 100


@pytest.mark.parametrize("name", CORPUS)
def test_each_gives_its_features_or_its_reason(outcome, name):
    top, report, store = outcome
    key = f"{name}.wav"
    expected = CORPUS[name][1]
    reasons = {failure.key: failure for failure in report.failures}
    if isinstance(expected, set):
        assert key not in store.keys
        assert reasons[key].reason in expected, reasons[key]
        assert key in reasons[key].message
        assert "\n" not in reasons[key].message
        return
    assert key not in reasons, reasons[key].message
    samples = expected(top / key) if callable(expected) else expected
    wanted = atc.extract(samples, RECIPE, sample_rate=store[key].sample_rate)
    np.testing.assert_array_equal(store[key].values, wanted.values)
    # Sizes of 2 GiB and 4 GiB are what writers put there who did not know.
    short = name.startswith("cut in") or name in ("data size 602", "data size 2147483646", "data size 4294967294")
    assert any(key in note for note in report.warnings) == short


def test_what_is_no_file(outcome):
    _, report, _ = outcome
    reasons = {failure.key: failure.reason for failure in report.failures}
    assert reasons["fifo.wav"] == "not a regular file"
    assert reasons["socket.wav"] == "not a regular file"
    assert reasons["loop.wav"] in ("unreadable", "missing")
    assert reasons["dangling.wav"] == "missing"
    assert "folder.wav" not in reasons
    assert not [key for key in reasons if key.startswith("again.wav")]
    if os.geteuid() != 0:
        assert reasons["secret.wav"] == "unreadable"


def test_the_store_is_whole(outcome):
    top, report, store = outcome
    assert verify(top / "out").problems == []
    assert len(store) == report.done
    assert report.done + len(report.failures) == report.files


@pytest.mark.parametrize("how", ["grows", "shrinks", "is rewritten"])
def test_a_file_that_changes_while_it_is_read(tmp_path, monkeypatch, how):
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "a.wav"
    path.write_bytes(wav_bytes(PCM.tobytes()))
    (tmp_path / "in" / "b.wav").write_bytes(wav_bytes(PCM.tobytes()))
    before = AudioReader.read
    changed = []

    def read(self, count):
        block = before(self, count)
        if self.name.endswith("a.wav") and not changed:
            changed.append(True)
            time.sleep(0.02)
            if how == "grows":
                with open(path, "ab") as file:
                    file.write(b"\0\0")
            elif how == "shrinks":
                os.truncate(path, 300)
            else:
                path.write_bytes(wav_bytes(PCM[::-1].tobytes()))
        return block

    monkeypatch.setattr(AudioReader, "read", read)
    report = atc.extract_folder(tmp_path / "in", tmp_path / "out", RECIPE)
    assert [(failure.key, failure.reason) for failure in report.failures] == [("a.wav", "changed while reading")]
    assert report.done == 1
    again = atc.extract_folder(tmp_path / "in", tmp_path / "out", RECIPE)  # it is tried again by itself
    assert (again.done, again.failures) == (2, [])


@pytest.mark.parametrize("form", ["parquet", "npy"])
def test_a_file_that_never_comes_to_its_end(tmp_path, monkeypatch, form):
    """As of a network that is gone: reading hangs, and nothing can interrupt it."""
    (tmp_path / "in").mkdir()
    for number in range(9):
        (tmp_path / "in" / f"{number}.wav").write_bytes(wav_bytes(PCM[number:].tobytes()))
    before = AudioReader.read
    release = threading.Event()

    def read(self, count):
        if self.name.endswith("4.wav"):
            release.wait(30)
        return before(self, count)

    monkeypatch.setattr(AudioReader, "read", read)
    begin = time.monotonic()
    report = atc.extract_folder(tmp_path / "in", tmp_path / "out", RECIPE, format=form, time_limit=1)
    assert time.monotonic() - begin < (10 if JIT else 25)
    release.set()
    assert [(failure.key, failure.reason) for failure in report.failures] == [("4.wav", "timed out")]
    assert "took longer than 1 s" in report.failures[0].message
    assert len(atc.load(tmp_path / "out")) == report.done == 8
    time.sleep(0.3)
    assert verify(tmp_path / "out").problems == []
    assert not [name for name in os.listdir(tmp_path / "out") if name.startswith(".")]
    assert atc.extract_folder(tmp_path / "in", tmp_path / "out", RECIPE, format=form).unchanged == 8
    assert atc.extract_folder(tmp_path / "in", tmp_path / "out", RECIPE, format=form, retry_failed=True).done == 9


def test_a_slow_one_is_told_of_between_blocks(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.wav").write_bytes(wav_bytes(PCM.tobytes()))
    before = AudioReader.blocks

    def blocks(self, size=None):
        for block in before(self, 10):
            time.sleep(0.02)
            yield block

    monkeypatch.setattr(AudioReader, "blocks", blocks)
    report = atc.extract_folder(tmp_path / "in", tmp_path / "out", RECIPE, time_limit=0.1)
    assert [failure.reason for failure in report.failures] == ["timed out"]
