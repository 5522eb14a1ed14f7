"""What a run is to process: lists, manifests, patterns, and names of all kinds."""

from __future__ import annotations

import io
import os
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import SMALL
from sounds import write

import audiotconv as atc
from audiotconv.batch.plan import Failure, Plan
from audiotconv.errors import AudioFileError, ParameterError

N = 400


@pytest.fixture
def top(tmp_path):
    for number, name in enumerate(
        ("a.wav", "day1/b.wav", "day1/c.flac", "day2/d.wav", "day2/deep/e.WAV", "day2/f.dat")
    ):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, n=N + number, seed=number, format="WAV" if name.endswith(("dat", "WAV", "wav")) else None)
    (tmp_path / "in" / "notes.txt").write_text("not sound")
    return tmp_path / "in"


def keys(*arguments, **options):
    return [entry.key for entry in Plan(*arguments, **options)]


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, "a.wav day1/b.wav day1/c.flac day2/d.wav day2/deep/e.WAV"),
        ({"include": ["*.dat"]}, "day2/f.dat"),
        ({"include": ["*.dat", "day1/*"]}, "day1/b.wav day1/c.flac day2/f.dat"),
        ({"exclude": ["day2"]}, "a.wav day1/b.wav day1/c.flac"),
        ({"exclude": ["deep", "*.flac"]}, "a.wav day1/b.wav day2/d.wav"),
        ({"exclude": ["day2/deep"]}, "a.wav day1/b.wav day1/c.flac day2/d.wav"),
        ({"include": ["*.wav"], "exclude": ["day1/*"]}, "a.wav day2/d.wav"),
    ],
)
def test_patterns_of_what_counts(top, options, wanted):
    assert keys([top], **options) == wanted.split()
    with pytest.raises(ParameterError, match="lists of patterns"):
        Plan([top], include="*.wav")


def test_patterns_as_inputs(top, monkeypatch):
    monkeypatch.chdir(top.parent)
    assert keys(["in/day*/*.wav"]) == ["day1/b.wav", "day2/d.wav"]
    assert keys(["in/**/e.*"]) == ["day2/deep/e.WAV"]
    assert keys(["in/day?"]) == ["day1/b.wav", "day1/c.flac", "day2/d.wav", "day2/deep/e.WAV"]
    with pytest.raises(AudioFileError, match="nothing matches in/x\\*"):
        keys(["in/x*"])
    write(top / "[odd].wav", n=N)
    assert keys([top / "[odd].wav"]) == ["[odd].wav"]


@pytest.mark.parametrize("end", [b"\n", b"\0", b"\r\n"])
def test_lists_of_files(top, tmp_path, monkeypatch, end):
    monkeypatch.chdir(tmp_path)
    names = [b"in/a.wav", b"in/day2/f.dat", os.fsencode(top / "day1" / "b.wav"), b"in/none.wav", b"\xff.wav"]
    if end == b"\0":
        names.append(b"new\nline.wav")
        write(tmp_path / "new\nline.wav", n=N)
    (tmp_path / "list").write_bytes(end.join(names) + end)
    for source, stdin in (("list", b""), ("-", (tmp_path / "list").read_bytes())):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        report = atc.extract_folder([], tmp_path / f"out{len(source)}", SMALL, files_from=source)
        found = atc.load(tmp_path / f"out{len(source)}")
        assert found.keys[:3] == ["in/a.wav", "in/day1/b.wav", "in/day2/f.dat"]
        assert report.done == 3 + (end == b"\0")
        assert {failure.reason for failure in report.failures} == {"missing"}
        assert {failure.key for failure in report.failures} == {"in/none.wav", r"\xff.wav"}
    with pytest.raises(AudioFileError, match="cannot be read"):
        atc.extract_folder([], tmp_path / "no", SMALL, files_from="nowhere")
    with pytest.raises(ParameterError, match="cannot both be given"):
        atc.extract_folder([], tmp_path / "no", SMALL, files_from="list", manifest="list")


def test_a_list_longer_than_what_is_read_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("audiotconv.batch.lists._CHUNK", 7)
    (tmp_path / "list").write_bytes(b"first.wav\nsecond.wav\n\nthird")
    from audiotconv.batch.lists import FileList

    assert [entry.path for entry in FileList(tmp_path / "list")] == ["first.wav", "second.wav", "third"]


ROWS = [
    {"path": "in/a.wav", "start": None, "stop": None, "label": "whole", "key": None},
    {"path": "in/a.wav", "start": 0.01, "stop": 0.03, "label": "cut", "key": None},
    {"path": "in/a.wav", "start": 0.02, "stop": None, "label": None, "key": "mine"},
    {"path": "in/day1/b.wav", "start": 9.0, "stop": None, "label": "late", "key": None},
]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_manifests(top, tmp_path, form, monkeypatch):
    path = tmp_path / f"table.{form}"
    if form == "csv":
        lines = ["path,start,stop,label,key,more"]
        lines += [",".join("" if value is None else str(value) for value in [*row.values(), "x"]) for row in ROWS]
        lines += ["in/a.wav,soon,,,,x", "in/a.wav,3,2,,,x", ",,,,,", '"in/a.wav",-1,,,,x']
        path.write_text("\n".join(lines))
    else:
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    report = atc.extract_folder([], tmp_path / "out", SMALL, manifest=path, label="parent")
    store = atc.load(tmp_path / "out")
    assert store.keys == ["in/a.wav", "in/a.wav#0.01-0.03", "mine"]
    assert store.labels == ["whole", "cut", "in"]
    cut = store["in/a.wav#0.01-0.03"]
    np.testing.assert_array_equal(cut.values, atc.extract(top / "a.wav", SMALL, start=0.01, stop=0.03).values)
    assert (cut.start, cut.duration) == (0.01, pytest.approx(0.02))
    reasons = sorted(failure.reason for failure in report.failures)
    assert reasons == (["bad entry"] * 4 if form == "csv" else []) + ["too short"]
    if form == "csv":
        messages = " ".join(failure.message for failure in report.failures)
        for words in (
            "row 5 of",
            "has the start 'soon'; it must be a number",
            "row 6 of",
            "stops at 2 s and starts at 3 s",
        ):
            assert words in messages
    assert atc.extract_folder([], tmp_path / "out", SMALL, manifest=path, label="parent").unchanged == 3
    if form == "csv":
        path.write_text(path.read_text().replace("whole", "other"))
        again = atc.extract_folder([], tmp_path / "out", SMALL, manifest=path, label="parent")
        assert (again.unchanged, again.done) == (2, 3)
        assert atc.load(tmp_path / "out").labels == ["other", "cut", "in"]


def test_what_is_no_manifest(tmp_path):
    for name, content in (("a.csv", b"file,label\nx,y\n"), ("b.parquet", b"PAR1"), ("c.csv", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ParameterError, match=name):
            atc.extract_folder([], tmp_path / "out", SMALL, manifest=tmp_path / name)


def test_recordings_that_are_named_twice(top):
    assert keys([top / "a.wav", top, top / "day1"]).count("a.wav") == 1
    listed = top / "list"
    listed.write_text(f"{top}/a.wav\n{top}/a.wav\n")
    from audiotconv.batch.lists import FileList, Manifest

    assert [key.rpartition("/")[2] for key in keys([], FileList(listed))] == ["a.wav"]
    assert len(keys([top], FileList(listed))) == len(keys([top]))
    table = top / "table.csv"
    table.write_text(f"path,label\n{top}/a.wav,cat\n{top}/a.wav,black\n")  # two rows, each with a label of its own
    assert [key.rpartition("/")[2] for key in keys([], Manifest(table))] == ["a.wav", "a.wav~2"]
    table.write_text(f"path,key\n{top}/a.wav,b\n{top}/b.wav,b\n")
    assert keys([], Manifest(table)) == ["b", "b~2"]


def test_names_with_two_colons_are_no_addresses(top, monkeypatch):
    monkeypatch.chdir(top)
    write(top / "take::1.wav", n=N)
    assert keys(["take::1.wav"]) == ["take::1.wav"]
    assert "take::1.wav" in keys([f"file://{top}"])


def test_folders_that_cannot_be_searched_for_a_while(top, monkeypatch):
    wanted = keys([top])
    before, tries = os.scandir, []

    def scandir(path):
        tries.append(path)
        if tries.count(path) < 3:
            raise OSError(24, "Too many open files")
        return before(path)

    monkeypatch.setattr("audiotconv.batch.patience._PAUSES", (0.0, 0.0))
    monkeypatch.setattr(os, "scandir", scandir)
    assert keys([top]) == wanted


def test_folders_that_cannot_be_searched(top, monkeypatch):
    before = os.scandir

    def scandir(path):
        if str(path).endswith("day1"):
            raise PermissionError(13, "Permission denied")
        return before(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = list(Plan([top]))
    (failure,) = [entry for entry in found if isinstance(entry, Failure)]
    assert (failure.key, failure.reason) == ("day1", "unreadable")
    out = top.parent / "out"
    monkeypatch.setattr(os, "scandir", before)
    atc.extract_folder(top, out, SMALL)
    monkeypatch.setattr(os, "scandir", scandir)
    report = atc.extract_folder(top, out, SMALL, prune=True)  # what is below it is not known to be gone
    assert [failure.key for failure in report.failures] == ["day1"]
    assert (report.removed, len(atc.load(out))) == (0, 5)
    monkeypatch.setattr(os, "scandir", before)
    assert atc.extract_folder(top, out, SMALL).failures == []
