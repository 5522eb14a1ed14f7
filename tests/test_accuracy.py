"""`audiotconv bench accuracy`: how it measures, and that every tolerance is met."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
from conftest import JIT

from audiotconv.bench import accuracy, live, published
from audiotconv.bench.accuracy import Comparison, Outcome, Tolerance, compare, markdown
from audiotconv.bench.kaldi_archives import options_of, read_archive
from audiotconv.errors import ParameterError


def compared(ours, theirs, **tolerance):
    pairs = list(zip(ours, theirs, strict=True))
    return compare(Comparison("a", "b", "c", Tolerance(**tolerance), lambda: pairs))


def test_errors_relate_to_the_tolerance():
    found = compared([[1.0, 100.5]], [[1.0, 100.0]], absolute=0.5, relative=0.005)
    assert (found.status, found.largest_error, found.of_tolerance) == ("met", 0.5, 0.5)
    assert compared([[1.0, 102.0]], [[1.0, 100.0]], absolute=0.5, relative=0.005).status == "missed"
    assert compared([[1.5, 100.0]], [[1.0, 100.0]], of_largest=0.01).of_tolerance == 0.5
    assert compared([[1j]], [[1.0]], absolute=2).largest_error == pytest.approx(2**0.5)
    assert str(Tolerance(1e-3, 1e-4, 1e-6)) == "0.001 + 0.0001 of it + 1e-06 of the largest"


def test_the_largest_error_of_all_counts():
    found = compared([[1.0], [3.0], [2.0]], [[1.0], [1.0], [1.5]], absolute=1)
    assert (found.status, found.largest_error, found.met, found.of) == ("missed", 2.0, 2, 3)
    assert found.cells()[-1] == "missed, 2 of 3"


@pytest.mark.parametrize("ours", [[[1.0, 2.0]], [[np.nan]], [[np.inf]]])
def test_another_shape_and_no_number_are_missed(ours):
    found = compared(ours, [[1.0]], absolute=1e9)
    assert (found.status, found.largest_error, found.of_tolerance) == ("missed", None, None)
    json.dumps(found.to_dict(), allow_nan=False)


def test_no_tolerance_is_met_by_equal_values_only():
    assert compared([[0.0]], [[0.0]]).of_tolerance == 0.0
    assert compared([[1e-9]], [[0.0]]).status == "missed"


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    assert {compare(row).status for row in published.published_comparisons(None)} == {"not there"}
    assert {compare(row).status for row in published.published_comparisons(tmp_path)} == {"not there"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    found = [compare(row) for row in live.live_comparisons() if row.package]
    assert {row.status for row in found} == {"not installed"}
    assert [row.against for row in found][-1] == "torch.stft"


def test_wrong_data_are_named(tmp_path):
    (tmp_path / "spec-1-2.ark").write_bytes(b"nothing")
    with pytest.raises(ParameterError, match="has 2 options; it needs 12"):
        options_of(tmp_path / "spec-1-2.ark")
    with pytest.raises(ParameterError, match="is no archive of Kaldi"):
        read_archive(tmp_path / "spec-1-2.ark")
    (tmp_path / "transformers").mkdir()
    (tmp_path / "transformers" / "expected.json").write_text("{}")
    row = next(row for row in published.published_comparisons(tmp_path) if row.what == "hz_to_mel, htk")
    with pytest.raises(ParameterError, match="does not hold what transformers gave"):
        compare(row)


@pytest.mark.skipif(not JIT, reason="seconds of sound")
@pytest.mark.parametrize("row", list(live.live_comparisons()), ids=lambda row: f"{row.against}, {row.what}")
def test_live(row):
    found = compare(row)
    if found.status == "not installed":
        pytest.skip(f"{row.against} is not installed")
    assert (found.status, found.of) == ("met", 1)


@pytest.mark.skipif(not JIT, reason="many recipes")
def test_published(conformance):
    found = [compare(row) for row in published.published_comparisons(conformance)]
    assert [row.what for row in found if row.status != "met"] == []
    assert [row.of for row in found[:3]] == [74, 47, 74]


@pytest.mark.parametrize("missed", [False, True])
def test_the_command(monkeypatch, capsys, missed):
    from audiotconv.cli import main

    outcomes = [
        Outcome("a", "b 1.0", "c", "0.1", "missed" if missed else "met", 0.01, 0.1, 1, 1),
        Outcome("a", "d", "c", "0.1", "not installed"),
    ]
    monkeypatch.setattr(accuracy, "rows", lambda folder: iter(outcomes))

    def run(*options):
        monkeypatch.setattr("sys.argv", ["audiotconv", "bench", "accuracy", *options])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert (stopped.value.code or 0) == missed
        return capsys.readouterr().out

    assert json.loads(run("--json")) == [outcome.to_dict() for outcome in outcomes]
    table = run("--markdown")
    assert table.strip() == markdown(outcomes)
    assert table.splitlines()[-1] == "| a | d | c |  |  | 0.1 | not installed |"
    assert "not installed" in run()
