"""The journal keeps every record that was added, whatever happens to the last one."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiotconv.batch import journal
from audiotconv.batch.journal import Journal, pieces, read_journal
from audiotconv.errors import StoreError

RECORDS = [{"shard": "a", "keys": ["é", "\udcff", "new\nline"]}, {}, {"n": 2**60, "x": [1.5, None, True]}]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal"


def written(path, records=RECORDS):
    with Journal(path) as opened:
        for record in records:
            opened.add(record)
    return path.read_bytes()


def test_what_is_added_is_read(path):
    written(path)
    assert list(read_journal(path)) == RECORDS
    written(path, [{"more": 1}])
    assert list(read_journal(path)) == [*RECORDS, {"more": 1}]


@given(st.data())
def test_a_torn_last_line_is_left_out_and_removed(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("torn") / "journal"
    whole = written(path)
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    kept = whole[:cut].count(b"\n")
    assert list(read_journal(path)) == RECORDS[:kept]
    written(path, [{"more": 1}])
    assert list(read_journal(path)) == [*RECORDS[:kept], {"more": 1}]


@given(st.data())
def test_no_changed_byte_passes_unnoticed(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damaged") / "journal"
    whole = bytearray(written(path))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    try:
        found = list(read_journal(path))
    except StoreError as error:
        assert "is damaged: line" in str(error)
    else:  # the last line, which could as well be torn
        assert found == RECORDS[:-1]


@pytest.mark.parametrize("failing", ["write", "fsync"])
def test_a_record_that_cannot_be_written_leaves_nothing(path, monkeypatch, failing):
    whole = written(path)
    with Journal(path) as opened:

        def fail(descriptor, *data):
            if data:
                real(descriptor, bytes(data[0])[:7])
            raise OSError(28, "No space left on device")

        real = os.write
        monkeypatch.setattr(os, failing, fail)
        with pytest.raises(OSError, match="No space left"):
            opened.add({"lost": 1})
        monkeypatch.undo()
        assert path.read_bytes() == whole
        opened.add({"more": 1})
    assert list(read_journal(path)) == [*RECORDS, {"more": 1}]


def test_a_line_is_never_longer_than_a_reader_takes(path, monkeypatch):
    monkeypatch.setattr(journal, "_MOST_LINE", 100)
    whole = written(path)
    with Journal(path) as opened, pytest.raises(StoreError, match="too long"):
        opened.add({"gone": ["x" * 100]})
    assert path.read_bytes() == whole
    longest = {"x": "y" * (100 - len(b"01234567 " + b'{"x":""}' + b"\n"))}
    written(path, [longest])
    assert list(read_journal(path)) == [*RECORDS, longest]


def test_many_entries_in_lines_of_some_size(monkeypatch):
    monkeypatch.setattr(journal, "_PIECE", 25)
    entries = [{"key": "x" * length} for length in (1, 50, 2, 3, 4, 5)]
    assert list(pieces(entries)) == [entries[:2], entries[2:4], entries[4:]]
    assert list(pieces([])) == []
