"""Stores read back: by number, by key, by slice, and from manifests that somebody has edited."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import SMALL
from sounds import write

import audiotconv as atc
from audiotconv.batch import reading, verify
from audiotconv.batch.manifest import MANIFEST
from audiotconv.batch.target import Target
from audiotconv.errors import StoreError


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    top = tmp_path_factory.mktemp("in")
    for name in "abcd":
        write(top / f"{name}.wav", n=200, seed=ord(name))
    target = tmp_path_factory.mktemp("out")
    atc.extract_folder(top, target, SMALL)
    return target


def test_numbers_and_slices(out):
    found = atc.load(out)
    rows = list(found)
    for number in (1, -3, np.int64(1), np.uint8(1), np.array(1)):
        assert found[number].key == "b.wav"
        np.testing.assert_array_equal(found[number].values, rows[1].values)
    assert [row.key for row in found[1:3]] == ["b.wav", "c.wav"]
    assert [row.key for row in found[::-2]] == ["d.wav", "b.wav"]
    assert [row.key for row in found[np.int64(2) :]] == ["c.wav", "d.wav"]
    assert found[4:] == []
    assert found["d.wav"].key == "d.wav"
    assert found[np.str_("d.wav")].key == "d.wav"
    for wrong, error in ((4, IndexError), (-5, IndexError), ("e.wav", KeyError), (1.0, TypeError), (None, TypeError)):
        with pytest.raises(error):
            found[wrong]


WRONG = [None, 5, "text", [], [5], {}, {"a": 5}, True, [{"key": 1}], ["../x"], ["/etc/passwd"], "run-0", "../run-1"]


@pytest.mark.parametrize("name", ["store", "format", "recipe", "settings", "root", "folder"])
def test_edited_manifests(out, tmp_path, name):
    """A missing value or one of another type is an error that names the file."""
    good = json.loads((out / MANIFEST).read_text())
    contents = [{**good, name: wrong} for wrong in WRONG]
    contents.append({key: value for key, value in good.items() if key != name})
    accepted = []
    for content in contents:
        (out / MANIFEST).write_text(json.dumps(content))
        try:
            atc.load(out)
            accepted.append(content[name])
        except StoreError as error:
            assert str(out / MANIFEST) in str(error)
        (out / MANIFEST).write_text(json.dumps(good))
    wanted = {"settings": [{}, {"a": 5}], "root": ["text", "run-0", "../run-1"]}
    assert accepted == wanted.get(name, [])
    assert len(atc.load(out)) == 4


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"5", b'"text"', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_manifest(tmp_path, content):
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(StoreError, match=MANIFEST):
        atc.load(tmp_path)
    (tmp_path / MANIFEST).unlink()
    (tmp_path / MANIFEST).mkdir()
    with pytest.raises(StoreError, match=MANIFEST):
        atc.load(tmp_path)


@pytest.mark.parametrize("form", ["parquet", "npy"])
def test_tables_of_somebody_else(tmp_path, form):
    write(tmp_path / "a.wav", n=200)
    (tmp_path / "secret.npy").write_bytes(b"")
    out = tmp_path / "out"
    atc.extract_folder(tmp_path / "a.wav", out, SMALL, format=form)
    path = next(out.glob("run-1/*.parquet"))
    table = pq.read_table(path)
    for name in table.column_names:
        place = table.column_names.index(name)
        columns = ([None], [[["x"]]], ["../../secret.npy"])
        wrong = [table.set_column(place, name, pa.array(column)) for column in columns]
        for number, other in enumerate([table.drop_columns([name]), *wrong]):
            pq.write_table(other, path)
            try:
                list(atc.load(out))
            except StoreError:
                continue
            assert number > 0 or name in ("part", "first_frame", "recipe", "recipe_hash", "shape", "crc32", "start")


def test_a_store_whose_only_table_is_taken_out(tmp_path, monkeypatch):
    """It is read in the middle of a repair: nothing is left, and outdated rows have not been taken out."""
    write(tmp_path / "a.wav", n=200)
    out = tmp_path / "out"
    atc.extract_folder(tmp_path / "a.wav", out, SMALL)
    next(out.glob("run-1/*.parquet")).unlink()
    with monkeypatch.context() as patch:
        patch.setattr(Target, "tidy", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            verify(out, repair=True)
    assert len(atc.load(out)) == 0


@pytest.mark.parametrize("mapped", [1, 1 << 25])
def test_a_file_that_was_replaced_is_not_taken_for_the_earlier_one(tmp_path, monkeypatch, mapped):
    """Also where it has the same shape; what has not been replaced can be read on."""
    monkeypatch.setattr(reading, "_MAPPED", mapped)
    (tmp_path / "in").mkdir()
    for name in "ab":
        write(tmp_path / "in" / f"{name}.wav", n=200, seed=1)
    out = tmp_path / "out"
    atc.extract_folder(tmp_path / "in", out, SMALL, format="npy")
    opened = atc.load(out)
    before = opened["b.wav"].values.copy()
    write(tmp_path / "in" / "a.wav", n=200, seed=2)
    atc.extract_folder(tmp_path / "in", out, SMALL, format="npy")
    with pytest.raises(StoreError, match="was replaced after it was opened"):
        opened["a.wav"]
    np.testing.assert_array_equal(opened["b.wav"].values, before)
    assert len([row.values for row in atc.load(out)]) == 2


def test_large_files_are_not_read_whole_where_nothing_was_written(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_MAPPED", 1)
    write(tmp_path / "a.wav", n=200)
    out = tmp_path / "out"
    atc.extract_folder(tmp_path / "a.wav", out, SMALL, format="npy")
    opened = atc.load(out)
    monkeypatch.setattr(reading, "checksum", None)
    assert not opened["a.wav"].values.flags.writeable
