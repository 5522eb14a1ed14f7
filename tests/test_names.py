"""Names that files may have, and that something on the way does not like."""

from __future__ import annotations

import errno
import os
import time
import unicodedata

import pytest
from conftest import SMALL
from sounds import wav_bytes, write

import audiotconv as atc
from audiotconv.batch import npy
from audiotconv.batch.names import NpyNames
from audiotconv.errors import StoreError

FORMS = ("parquet", "npy")
SOUND = wav_bytes(b"\1\0" * 200)


@pytest.fixture
def top(tmp_path):
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "a.wav", n=200)
    return tmp_path / "in"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", [b"a:b", b"file:", b"s3:x", b"\xff\xfe", b"a b%20c?d#e", "\u00fc".encode()])
def test_targets(top, tmp_path, monkeypatch, form, name):
    monkeypatch.chdir(tmp_path)
    for target in (os.fsdecode(name), str(tmp_path / "new" / os.fsdecode(name))):
        monkeypatch.setattr("audiotconv.batch.sinks.ROW_VALUES", 1)  # long recordings are written elsewhere
        assert atc.extract_folder(top, target, SMALL, format=form).done == 1
        monkeypatch.undo()
        monkeypatch.chdir(tmp_path)
        assert atc.extract_folder(top, target, SMALL, format=form).done == 1
        assert atc.load(target)["a.wav"].values.shape == (1, 3, 3)


@pytest.mark.parametrize("form", FORMS)
def test_stores_that_are_damaged(top, tmp_path, form):
    for number in range(40):
        write(top / f"b{number}.wav", n=200)
    out = tmp_path / "out"
    atc.extract_folder(top, out, SMALL, format=form)
    for path in sorted(out.glob("run-1/[!.]*"))[-2:]:
        whole = path.read_bytes()
        for part in (whole[:0], whole[:6], whole[:-9]):
            path.write_bytes(part)
            with pytest.raises(StoreError, match="cannot be read"):
                list(atc.load(out))
        middle = len(whole) // 3
        for byte in range(0, len(whole), 1 + len(whole) // 150):  # any damage is an error of ours, or goes unseen
            path.write_bytes(whole[:byte] + bytes([whole[byte] ^ 255]) + whole[byte + 1 :])
            try:
                list(atc.load(out))
            except StoreError:
                pass
        path.write_bytes(whole[:middle] + whole[2 * middle :])
        with pytest.raises(StoreError, match="cannot be read"):
            list(atc.load(out))
        path.write_bytes(whole)
    assert len(atc.load(out)) == 41


def test_a_run_that_fails_leaves_no_new_folder(top, tmp_path, monkeypatch):
    def refuse(*args, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    def stop(state):  # again and again: nothing in hand is waited for
        raise KeyboardInterrupt

    for form in FORMS:
        with monkeypatch.context() as patch:
            patch.setattr("audiotconv.batch.work._Work._recording", lambda *_: time.sleep(1))
            with pytest.raises(KeyboardInterrupt, match="0 recordings are in"):
                atc.extract_folder(top, tmp_path / "x" / "out", SMALL, format=form, progress=stop)
            assert not (tmp_path / "x").exists()
            (tmp_path / "empty").mkdir()
            with pytest.raises(KeyboardInterrupt):
                atc.extract_folder(top, tmp_path / "empty", SMALL, format=form, progress=stop)
            assert os.listdir(tmp_path / "empty") == []
            (tmp_path / "empty").rmdir()
    for function in ("os.fsync", "os.replace", "tempfile.mkdtemp"):
        with monkeypatch.context() as patch:
            patch.setattr(function, refuse)
            with pytest.raises(StoreError, match="No space left on device"):
                atc.extract_folder(top, tmp_path / "x" / "out", SMALL)
        assert not (tmp_path / "x").exists()


def keys_and_values(out):
    return {row.key: row.values.tobytes() for row in atc.load(out)}


def test_npy_names_that_would_collide_or_are_too_long(top, tmp_path):
    names = [
        b"n" * 250 + b".wav",  # 255 with its ending: .npy does not fit
        b"n" * 251 + b".wav",
        b"\xc3\xbc" * 125 + b".wav",
        b"\xff" * 200 + b".wav",  # its escapes are four times as long
        b"\xff" * 200 + b"/a.wav",
        b"0.wav",
        b"0.wav.npy/0.wav",
        b"b.wav.npy.draft/0.wav",
        b"b.wav",
        b"index.parquet/0.wav",
        b"index.parquet.wav",
        b"audiotconv.json/0.wav",
        b".audiotconv.json/0.wav",
        b"a/" * 200 + b"a.wav",
    ]
    descriptor = os.open(top, os.O_RDONLY)
    for number, name in enumerate(names):
        folder = os.path.dirname(os.fsencode(top) + b"/" + name)
        os.makedirs(folder, exist_ok=True)
        with open(os.fsencode(top) + b"/" + name, "wb") as file:
            file.write(wav_bytes(bytes([1, number]) * 200))
    os.close(descriptor)
    for path in (names[-1], names[6]):
        assert os.path.exists(os.fsencode(top) + b"/" + path)
    atc.extract_folder(top, tmp_path / "parquet", SMALL)
    report = atc.extract_folder(top, tmp_path / "npy", SMALL, format="npy", workers=3)
    assert (report.done, report.failures) == (len(names) + 1, [])
    assert keys_and_values(tmp_path / "npy") == keys_and_values(tmp_path / "parquet")
    again = atc.extract_folder(top, tmp_path / "again", SMALL, format="npy", workers=1)
    assert again.done == len(names) + 1
    files = [
        sorted(path.relative_to(out).as_posix() for path in out.rglob("*"))
        for out in (tmp_path / "npy", tmp_path / "again")
    ]
    assert files[0] == files[1]
    assert "run-1/a.wav.npy" in files[0]


def test_names_where_capitals_make_no_difference():
    names = NpyNames(255, True)
    keys = ["a/b.wav", "a/B.wav", "A/b.wav", "\u00e9.wav", "e\u0301.wav"]
    given = [names.name(key) for key in keys]
    assert given[0] == "a/b.wav.npy"
    assert len({unicodedata.normalize("NFC", name).casefold() for name in given}) == len(keys)
    assert NpyNames().name("A/b.wav") == "A/b.wav.npy"


def test_names_that_lead_nowhere():
    """Keys come from manifests too."""
    for key in (
        "../a.wav",
        "a/../../b",
        "/etc/x",
        ".",
        "",
        "a//b",
        "a\0b",
        "_journal",
        "_journal/a",
        "index-000000.parquet",
    ):
        parts = NpyNames().name(key).split("/")
        assert not {"", ".", ".."} & set(parts)
        assert parts[0] != "_journal"
        assert len(parts) == 1 or not parts[0].endswith(".parquet")
        assert "\0" not in "".join(parts)


def test_inputs_named_as_the_stores_own_files(tmp_path):
    names = ("index.parquet", "audiotconv.json", ".audiotconv.json", "features-00000.parquet")
    (tmp_path / "in").mkdir()
    for name in names:
        (tmp_path / "in" / name).write_bytes(SOUND)
    for form in FORMS:
        report = atc.extract_folder([tmp_path / "in" / name for name in names], tmp_path / form, SMALL, format=form)
        assert report.done == 4
        assert len(keys_and_values(tmp_path / form)) == 4


@pytest.mark.parametrize("code", [errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ])
def test_names_that_the_targets_file_system_refuses(top, tmp_path, monkeypatch, code):
    write(top / "b.wav", n=200)
    before = open

    def refuse(path, *arguments):
        if os.path.basename(path) == "a.wav.npy":
            raise OSError(code, os.strerror(code))
        return before(path, *arguments)

    monkeypatch.setattr(npy, "open", refuse, raising=False)
    report = atc.extract_folder(top, tmp_path / "out", SMALL, format="npy")
    assert [(failure.key, failure.reason) for failure in report.failures] == [("a.wav", "unusable name")]
    assert "a.wav cannot be stored under its name" in report.failures[0].message
    assert atc.load(tmp_path / "out").keys == ["b.wav"]
    assert not list((tmp_path / "out").rglob("a*.npy"))
