"""Stores that are replaced by another run: what stays, and when the earlier one goes."""

from __future__ import annotations

import errno
import json
import os

import pytest
from conftest import JIT, SMALL
from sounds import write

import audiotconv as atc
from audiotconv.audio import AudioReader
from audiotconv.batch import feed, verify
from audiotconv.batch.manifest import JOURNAL, MANIFEST
from audiotconv.batch.place import LocalPlace
from audiotconv.errors import AudioFileError, StoreError

N = 400 if JIT else 200
RECIPE = atc.get_recipe(SMALL)
FORMS = ("parquet", "npy")


@pytest.fixture
def top(tmp_path):
    for number, name in enumerate(("a.wav", "cats/b.wav", "cats/c.wav", "dogs/d.wav")):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, n=N + 10 * number, seed=number)
    return tmp_path / "in"


def run(source, out, **options):
    return atc.extract_folder(source, out, RECIPE, workers=1, **options)


def folders(out):
    return sorted(name for name in os.listdir(out) if name.startswith("run-"))


class Killed(BaseException):
    """What nothing handles."""


@pytest.fixture
def killed_at_the_end(monkeypatch):
    """A function that does a run, which ends when so many files of the earlier store have been removed."""

    def kill(left, top, out, **options):
        before = LocalPlace.remove

        def remove(place, names):
            nonlocal left
            for name in names:
                if name.startswith("run-1/"):
                    if not left:
                        raise Killed
                    left -= 1
                    if name.endswith(JOURNAL) and not left:
                        (place.root / name).unlink()
                        raise Killed
                before(place, [name])

        with monkeypatch.context() as patch:
            patch.setattr(LocalPlace, "remove", remove)
            with pytest.raises(Killed):
                run(top, out, **options)
        assert json.loads((out / MANIFEST).read_text())["folder"] == "run-2"

    return kill


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("back", [None, "parent"])
@pytest.mark.parametrize("removed", [0, 1, "all"])
def test_a_kill_while_the_earlier_store_is_removed(top, tmp_path, killed_at_the_end, form, back, removed):
    """The store is the new one from then on, also for a run that would have gone on with the earlier one."""
    out = tmp_path / "out"
    run(top, out, format=form)
    files = 2 if form == "parquet" else 6  # the shard, what is in it, the journal
    options = {"label": "parent"} if back is None else {"overwrite": True}
    killed_at_the_end(files if removed == "all" else removed, top, out, format=form, **options)
    assert len(atc.load(out)) == 4
    report = run(top, out, format=form, label=back)
    assert report.done == 4
    assert len(atc.load(out)) == 4
    assert verify(out).problems == []
    assert folders(out) == ["run-3"]
    assert run(top, out, format=form, label=back).unchanged == 4


@pytest.mark.parametrize("removed", [0, 1, 2])
def test_the_same_command_after_a_kill_at_the_end(top, tmp_path, killed_at_the_end, removed):
    out = tmp_path / "out"
    run(top, out)
    killed_at_the_end(removed, top, out, overwrite=True)
    assert run(top, out).unchanged == 4
    assert folders(out) == ["run-2"]
    assert verify(out).problems == []


def test_folders_of_somebody_else_stay(top, tmp_path):
    out = tmp_path / "out"
    run(top, out)
    (tmp_path / "elsewhere").mkdir()
    (out / "run-9").symlink_to(tmp_path / "elsewhere")
    run(top, out, overwrite=True)
    assert folders(out) == ["run-10", "run-9"]


class Stop:
    """Progress that asks for the end after the first recordings."""

    def __init__(self):
        self.asked = False

    def __call__(self, state):
        if state.files_done and not self.asked:
            self.asked = True
            raise KeyboardInterrupt


def interrupted(top, out, monkeypatch, **options):
    with monkeypatch.context() as patch:
        patch.setattr(feed, "_LEAST", 1)
        with pytest.raises(KeyboardInterrupt, match="the same command goes on"):
            run(top, out, progress=Stop(), **options)


@pytest.mark.parametrize("form", FORMS)
def test_a_run_over_less_does_not_replace_a_store(top, tmp_path, monkeypatch, form):
    out = tmp_path / "out"
    run(top, out, format=form)
    interrupted(top, out, monkeypatch, format=form, overwrite=True)
    report = r"would lose \d of its recordings \(.*\); .*prune"
    with pytest.raises(StoreError, match=report):
        run([top / "a.wav"], out, format=form)
    assert len(atc.load(out)) == 4
    assert folders(out) == ["run-1", "run-2"]
    assert run(top, out, format=form).done == 4
    assert folders(out) == ["run-2"]
    for options in ({"overwrite": True}, {"label": "parent", "prune": True}):
        assert run([top / "a.wav", top / "dogs"], out, format=form, **options).done == 2
        assert atc.load(out).keys == ["a.wav", "dogs/d.wav"]
        run(top, out, format=form, **options)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("how", ["moved", "unreadable", "damaged"])
def test_another_recipe_does_not_lose_what_is_away(top, tmp_path, monkeypatch, form, how):
    """What has been read and is bad goes; what could not be read stays with the earlier store."""
    out = tmp_path / "out"
    run(top, out, format=form)
    before = AudioReader.__init__

    def opened(self, source, **options):
        if str(source).endswith("b.wav"):
            raise AudioFileError("b.wav cannot be read: permission denied", "unreadable", errno.EACCES)
        before(self, source, **options)

    if how == "moved":
        (top / "cats" / "b.wav").rename(tmp_path / "b.wav")
    elif how == "damaged":
        (top / "cats" / "b.wav").write_text("<html>")
        assert run(top, out, format=form, label="parent").done == 3
        assert len(atc.load(out)) == 3
        return
    with monkeypatch.context() as patch:
        if how == "unreadable":
            patch.setattr("audiotconv.audio.AudioReader.__init__", opened)
        with pytest.raises(StoreError, match=r"would lose 1 of its recordings \(cats/b.wav\)"):
            run(top, out, format=form, label="parent")
    assert len(atc.load(out)) == 4
    if how == "moved":
        (tmp_path / "b.wav").rename(top / "cats" / "b.wav")
    report = run(top, out, format=form, label="parent")
    assert (report.done, report.unchanged) == (4, 3)
    assert atc.load(out).labels == ["in", "cats", "cats", "dogs"]
    assert folders(out) == ["run-2"]


@pytest.mark.parametrize("form", FORMS)
def test_an_overwriting_run_goes_on(top, tmp_path, monkeypatch, form):
    """The same command does what is left of it, and when it has come to its end, everything again."""
    out = tmp_path / "out"
    for _ in range(2):  # into a new store, and then over it
        interrupted(top, out, monkeypatch, format=form, overwrite=True)
        left = len(run(top, out, format=form, overwrite=True, dry_run=True).todo)
        assert 0 < left < 4
        report = run(top, out, format=form, overwrite=True)
        assert (report.done, report.unchanged) == (4, 4 - left)
        assert len(run(top, out, format=form, overwrite=True, dry_run=True).todo) == 4
    assert folders(out) == ["run-2"]
    interrupted(top, out, monkeypatch, format=form, overwrite=True)
    assert 0 < run(top, out, format=form).unchanged < 4  # without the word, too
    assert run(top, out, format=form, overwrite=True).unchanged == 0
    assert len(atc.load(out)) == 4


def test_an_overwriting_run_does_not_go_on_with_another(top, tmp_path, monkeypatch):
    out = tmp_path / "out"
    run(top, out)
    interrupted(top, out, monkeypatch, label="parent")
    assert run(top, out, label="parent", overwrite=True).unchanged == 0
    interrupted(top, out, monkeypatch, overwrite=True)
    assert run(top, out, label="parent", overwrite=True).unchanged == 0
    assert len(atc.load(out)) == 4


@pytest.mark.parametrize("removed", [0, 2])
def test_an_overwriting_run_that_was_killed_at_its_end(top, tmp_path, killed_at_the_end, removed):
    out = tmp_path / "out"
    run(top, out)
    killed_at_the_end(removed, top, out, overwrite=True)
    run(top, out, overwrite=True)
    assert len(folders(out)) == 1
    assert len(atc.load(out)) == 4
