"""What verify finds, what its repair takes out, and what it leaves alone."""

from __future__ import annotations

import os

import pytest
from conftest import JIT, SMALL
from sounds import write

import audiotconv as atc
from audiotconv.batch import feed, verify
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


def stop(state):
    if state.files_done:
        raise KeyboardInterrupt


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("options", [{"label": "parent"}, {"overwrite": True}], ids=["other", "same"])
def test_a_repair_leaves_a_run_alone_that_has_begun(top, tmp_path, monkeypatch, form, options):
    monkeypatch.setattr(feed, "_LEAST", 1)
    out = tmp_path / "out"
    run(top, out, format=form)
    with pytest.raises(KeyboardInterrupt):
        run(top, out, format=form, progress=stop, **options)
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
