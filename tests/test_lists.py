"""Lists of recordings that cannot be read, or hold what nobody expects: one clear error, and nothing else is lost."""

from __future__ import annotations

import datetime
import io
import os
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import SMALL
from sounds import write

import audiotconv as atc
from audiotconv.batch import place
from audiotconv.errors import AudioFileError, ParameterError, StoreError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for number in range(3):
        write(tmp_path / f"{number}.wav", n=50 + number, seed=number)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(target="out", inputs=(), **options):
    return atc.extract_folder(list(inputs), target, SMALL, workers=1, **options)


@pytest.mark.parametrize("format", ["parquet", "npy"])
def test_labels_and_keys_that_are_not_unicode(folder, format):
    (folder / "l.csv").write_bytes(b"path,label,key\n0.wav,caf\xe9,na\xefve\n1.wav,b,c\n")
    assert run(manifest="l.csv", format=format).done == 2
    store = atc.load("out")
    assert (store.keys, store.labels) == (["c", "na\\xefve"], ["b", "caf\\xe9"])


def test_a_quote_that_is_not_closed(folder):
    (folder / "l.csv").write_text('path,label\n0.wav,a\n1.wav,"b\n2.wav,c\n')
    with pytest.raises(ParameterError, match=r"l\.csv cannot be read to its end"):
        run(manifest="l.csv")
    (folder / "l.csv").write_text('path,label\n0.wav,a\n1.wav,"b"\n2.wav,c\n')
    assert run(manifest="l.csv").done == 3


def test_tables_with_times_of_other_types_and_damaged_pages(folder):
    pq.write_table(pa.table({"path": ["0.wav", "1.wav"], "start": [datetime.timedelta(seconds=1), None]}), "l.parquet")
    report = run(manifest="l.parquet")
    assert (report.done, [failure.reason for failure in report.failures]) == (1, ["bad entry"])
    pq.write_table(pa.table({"path": [f"{n % 3}.wav" for n in range(5000)]}), "d.parquet", compression="none")
    content = bytearray((folder / "d.parquet").read_bytes())
    content[8:200] = os.urandom(192)
    (folder / "d.parquet").write_bytes(content)
    with pytest.raises(ParameterError, match=r"d\.parquet cannot be read"):
        run(manifest="d.parquet")


def test_lists_that_cannot_be_read(folder, monkeypatch):
    with pytest.raises(AudioFileError, match="/proc/self/mem cannot be read"):
        run(files_from="/proc/self/mem")
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(AudioFileError, match="standard input, which names are to come from, is closed"):
        run(files_from="-")


def test_a_byte_order_mark(folder, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbf0.wav\n1.wav\n")))
    assert run(files_from="-").done == 2


def test_empty_names(folder):
    with pytest.raises(ParameterError, match="one of the inputs is an empty name"):
        run(inputs=[""])
    with pytest.raises(ParameterError, match="the target is an empty name"):
        run("", ["0.wav"])
    assert not (folder / "audiotconv.json").exists()


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="locks of POSIX")
def test_a_forked_process_does_not_keep_the_lock(folder):
    target = place.LocalPlace(str(folder / "locked"))
    target.prepare()
    lock = target.lock()
    with pytest.raises(StoreError, match="another run"):
        place.LocalPlace(str(folder / "locked")).lock()
    descriptor = lock._descriptor
    read, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.fstat(descriptor)
            os.write(write_end, b"held")
        except OSError:
            os.write(write_end, b"free")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 4) == b"free"
    os.close(read)
    os.close(write_end)
    lock.release()


def test_a_target_is_the_same_folder_wherever_a_worker_is(folder, monkeypatch):
    target = place.LocalPlace("out")
    monkeypatch.chdir("/")
    assert target.root == folder / "out"


# --- at addresses ---


def test_a_run_whose_lock_was_taken_ends(folder, monkeypatch):
    pytest.importorskip("fsspec")
    from audiotconv.batch import remote

    monkeypatch.setattr(remote, "_BEAT", -1.0)
    first = remote.RemotePlace("memory://lists/lock")
    first.prepare()
    lock = first.lock()
    lock.beat()
    monkeypatch.setattr(place, "_STALE", -1.0)  # however old the lock is: its process lives here
    with pytest.raises(StoreError, match="another run"):
        first.lock()
    first.write(place.LOCK, b'{"host": "elsewhere", "process": 1, "since": 1, "alive": 1}')
    with pytest.raises(StoreError, match="another run has taken the lock"):
        lock.beat()
    lock.release()
    assert b"elsewhere" in first.read(place.LOCK)  # it was not ours to remove


def test_odd_names_at_addresses(folder):
    pytest.importorskip("fsspec")
    write(folder / "take[1]*.wav", n=60)
    for form in ("npy", "parquet"):
        target = f"memory://lists/odd[1]-{form}"
        assert run(target, [str(folder)], format=form).done == 4
        assert "take[1]*.wav" in atc.load(target).keys


def test_folders_at_addresses_that_cannot_be_searched(folder, monkeypatch):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    for name in ("a/0.wav", "b/1.wav"):
        memory.pipe_file(f"/search/{name}", (folder / name[2:]).read_bytes())
    listed = type(memory).ls

    def failing(self, path, *args, **options):
        if path.rstrip("/").endswith("/b"):
            raise OSError(5, "Input/output error")
        return listed(self, path, *args, **options)

    monkeypatch.setattr(type(memory), "ls", failing)
    report = run("out", ["memory://search"])
    assert report.done == 1
    assert [(failure.reason, "cannot be searched" in failure.message) for failure in report.failures] == [
        ("unreadable", True)
    ]


def test_files_by_address_are_files(folder):
    assert run(f"file://{folder}/by-address", ["0.wav"]).done == 1
    assert atc.load(folder / "by-address").keys == atc.load(f"file://{folder}/by-address").keys == ["0.wav"]
