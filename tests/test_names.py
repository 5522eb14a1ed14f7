"""Names that files may have, and that something on the way does not like."""

from __future__ import annotations

import errno
import os

import pytest
from conftest import SMALL
from sounds import wav_bytes, write

import audiotconv as atc
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

    def stop(state):
        raise KeyboardInterrupt

    for form in FORMS:
        with pytest.raises(KeyboardInterrupt):
            atc.extract_folder(top, tmp_path / "x" / "out", SMALL, format=form, progress=stop)
        assert not (tmp_path / "x").exists()
    (tmp_path / "empty").mkdir()
    with pytest.raises(KeyboardInterrupt):
        atc.extract_folder(top, tmp_path / "empty", SMALL, progress=stop)
    assert os.listdir(tmp_path / "empty") == []
    for function in ("os.fsync", "os.replace", "tempfile.mkdtemp"):
        with monkeypatch.context() as patch:
            patch.setattr(function, refuse)
            with pytest.raises(StoreError, match="No space left on device"):
                atc.extract_folder(top, tmp_path / "x" / "out", SMALL)
        assert not (tmp_path / "x").exists()
