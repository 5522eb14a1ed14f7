"""`audiotconv bench folder`, `rocket` and `start`, on little."""

from __future__ import annotations

import builtins
import importlib.util
import json

import pytest
from conftest import JIT, SMALL

LIBROSA = importlib.util.find_spec("librosa") is not None

pytestmark = pytest.mark.skipif(not JIT, reason="times compiled code")


@pytest.fixture
def run(monkeypatch, capsys):
    from audiotconv.cli import main

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["audiotconv", "bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        assert not stopped.value.code
        return capsys.readouterr().out

    return run


@pytest.mark.skipif(not LIBROSA, reason="librosa is not installed")
def test_a_folder_beside_librosa(run):
    found = json.loads(run("folder", "--files", 3, "--seconds", 1, "--repeats", 1, "--threads", 1, "--json"))
    assert found["audio"] == 3
    for who in ("threads", "processes"):
        assert found["ratios"][who] == pytest.approx(found["librosa"] / found[who])
    text = run("folder", "--files", 3, "--seconds", 1, "--repeats", 1, "--threads", 1)
    assert "1 processes: " in text
    assert "librosa's time / ours" in text
    assert found["error"] < 1e-4


def test_a_folder_without_librosa(run, monkeypatch):
    real = builtins.__import__

    def none(name, *rest):
        if name == "librosa":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", none)
    text = run("folder", "--files", 2, "--seconds", 0.5, "--repeats", 1)
    assert "x real time" in text
    assert "librosa: not installed" in text


def test_the_rocket_family(run):
    pytest.importorskip("sklearn")
    given = ("rocket", "--clips", 2, "--seconds", 1, "--repeats", 1, "--json")
    rows = json.loads(run(*given))["results"]
    assert {row["case"].split(",")[0] for row in rows} == {"MiniRocket", "MultiRocket", "Hydra"}
    assert {row["contender"] for row in rows} >= {"audiotconv"}
    assert max(row["error"] for row in rows) < 2e-3, rows  # a tie that falls to the other side: 1 of 16,000


def test_start(run):
    options = ("--recipe", SMALL, "--seconds", 0.5, "--repeats", 1)
    found = json.loads(run("start", *options, "--json"))
    assert 0 < found["warm"] < found["first_ever"]


def test_start_of_what_fails(run):
    from audiotconv.bench.start import start_times

    with pytest.raises(RuntimeError, match="exit code 2: audiotconv: there is no recipe"):
        start_times("none", 0.5, 1)


def test_stream(run):
    text = run("stream", "--only", "100 ms", "--repeats", 1)
    assert "a push of 10 ms takes" in text
    assert "audiotconv whole" in text
    found = json.loads(run("stream", "--repeats", 1, "--json"))
    assert found["pushes"]["kaldi-fbank-80"]["p99_us"] >= found["pushes"]["kaldi-fbank-80"]["median_us"] > 0
    assert all(row["error"] < 3e-5 for row in found["results"])
    assert len({row["case"] for row in found["results"]}) == 3


def test_resume(run):
    assert "5 files: " in run("resume", "--files", 5)
    found = json.loads(run("resume", "--files", 1005, "--json"))
    assert min(found.values()) > 0
