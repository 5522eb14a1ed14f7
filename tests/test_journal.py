"""The journal keeps every record that was added, whatever happens to the last one."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiotconv.batch.journal import Journal, read_journal
from audiotconv.errors import StoreError

RECORDS = [{"shard": "a", "keys": ["é", "\udcff", "new\nline"]}, {}, {"n": 2**60, "x": [1.5, None, True]}]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal"


def written(path, records=RECORDS):
    with Journal(path) as journal:
        for record in records:
            journal.add(record)
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
    with Journal(path) as journal:

        def fail(descriptor, *data):
            if data:
                real(descriptor, bytes(data[0])[:7])
            raise OSError(28, "No space left on device")

        real = os.write
        monkeypatch.setattr(os, failing, fail)
        with pytest.raises(OSError, match="No space left"):
            journal.add({"lost": 1})
        monkeypatch.undo()
        assert path.read_bytes() == whole
        journal.add({"more": 1})
    assert list(read_journal(path)) == [*RECORDS, {"more": 1}]
