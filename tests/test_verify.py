"""What verify finds, what its repair takes out, and what it leaves alone."""

from __future__ import annotations

import os
import tracemalloc

import pyarrow.parquet as pq
import pytest
from conftest import JIT, SMALL
from sounds import write

import audiotconv as atc
from audiotconv.batch import feed, verify
from audiotconv.batch.journal import Journal
from audiotconv.batch.manifest import JOURNAL, read_manifest
from audiotconv.batch.remote import place_of
from audiotconv.batch.target import Target
from audiotconv.batch.verifying import _Check
from audiotconv.errors import StoreError

N = 400 if JIT else 200
RECIPE = atc.get_recipe(SMALL)
FORMS = ("parquet", "npy")


@pytest.fixture
def top(tmp_path):
    for number, name in enumerate(("a.wav", "b.wav", "c.wav", "d.wav")):
        (tmp_path / "in").mkdir(exist_ok=True)
        write(tmp_path / "in" / name, n=N + 10 * number, seed=number)
    return tmp_path / "in"


def run(source, out, **options):
    return atc.extract_folder(source, out, RECIPE, workers=1, **options)


def folders(out):
    return sorted(name for name in os.listdir(out) if name.startswith("run-"))


def damage(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def stopping():
    """Progress that asks once for the end, after the first recordings."""
    asked = []

    def stop(state):
        if state.files_done and not asked:
            asked.append(True)
            raise KeyboardInterrupt

    return stop


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("options", [{"label": "parent"}, {"overwrite": True}], ids=["other", "same"])
def test_a_repair_leaves_a_run_alone_that_has_begun(top, tmp_path, monkeypatch, form, options):
    monkeypatch.setattr(feed, "_LEAST", 1)
    out = tmp_path / "out"
    run(top, out, format=form)
    with pytest.raises(KeyboardInterrupt):
        run(top, out, format=form, progress=stopping(), **options)
    damage(next((out / "run-1").glob("*-000001.parquet")))
    assert verify(out, repair=True).repaired
    assert verify(out).problems == []
    assert folders(out) == ["run-1", "run-2"]
    assert len(atc.load(out)) == 3
    report = run(top, out, format=form, **options)
    assert report.done == 4
    assert report.unchanged
    assert folders(out) == ["run-2"]


def test_a_repair_waits_for_no_run(top, tmp_path):
    out = tmp_path / "out"
    refused = []

    def repair(state):
        with pytest.raises(StoreError, match="another run") as caught:
            verify(out, repair=True)
        refused.append(caught.value)

    run(top, out, progress=repair)
    assert refused
    with pytest.raises(StoreError, match="is not a feature store"):
        verify(tmp_path / "none", repair=True)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("killed", [False, True])
def test_a_repair_removes_the_files_of_a_table_that_is_lost(top, tmp_path, monkeypatch, killed):
    monkeypatch.setattr(feed, "_LEAST", 1)
    out = tmp_path / "out"
    run(top, out, format="npy")
    write(top / "b.wav", n=N, seed=9)
    run(top, out, format="npy")
    tables = {path: pq.read_table(path)["key"].to_pylist() for path in (out / "run-1").glob("index-*.parquet")}
    for path, keys in tables.items():
        if keys in (["a.wav"], ["b.wav"]):
            damage(path)
    (top / "a.wav").unlink()  # so that it does not come again
    if killed:  # when the recordings are out, and the tables are not

        def record(store, record, before=Target.record):
            if "lost" in record:
                raise KeyboardInterrupt
            before(store, record)

        with monkeypatch.context() as patch:
            patch.setattr(Target, "record", record)
            with pytest.raises(KeyboardInterrupt):
                verify(out, repair=True)
    assert len(verify(out, repair=True).redo) == (0 if killed else 2)
    assert sorted(path.name for path in out.rglob("*.npy")) == ["c.wav.npy", "d.wav.npy"]
    assert run(top, out, format="npy").done == 3
    assert sorted(path.name for path in out.rglob("*.npy")) == ["b.wav.npy", "c.wav.npy", "d.wav.npy"]
    assert verify(out).problems == []


def test_memory_for_each_recording(tmp_path):
    out = tmp_path / "out"
    write(tmp_path / "a.wav", n=N)
    run(tmp_path / "a.wav", out)
    count = 20_000
    with Journal(out / "run-1" / JOURNAL) as journal:
        for shard in range(count // 1000):
            items = [
                {"key": f"{shard}/{number:04}.wav", "size": number, "mtime": number, "frames": 9, "seconds": 0.5}
                for number in range(1000)
            ]
            journal.add(
                {"shard": f"features-{shard}.parquet", "rows": 1, "values": 1, "bytes": 0, "crc32": 0, "items": items}
            )
    place = place_of(out)
    tracemalloc.start()
    check = _Check(place, read_manifest(place))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert check.ledger.done == count + 1
    assert used / count < 300


def test_folders_named_like_tables_are_no_problem(tmp_path):
    for name in ("set.parquet", "features-000001.parquet"):
        (tmp_path / "in" / name).mkdir(parents=True)
        write(tmp_path / "in" / name / "a.wav", n=N)
    run(tmp_path / "in", tmp_path / "out", format="npy")
    assert verify(tmp_path / "out").problems == []
