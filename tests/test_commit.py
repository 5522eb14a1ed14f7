"""Whatever happens while a run's files become the store: what is read afterwards is one whole store."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys

import pytest
from conftest import JIT, ROOT, SMALL
from sounds import write

import audiotconv as atc
from audiotconv.batch.manifest import MANIFEST
from audiotconv.errors import ParameterError, StoreError

N = 400 if JIT else 200
FORMS = ("parquet", "npy")
CALLS = ("replace", "rename", "fsync", "unlink", "rmdir", "mkdir")


@pytest.fixture
def folders(tmp_path):
    """Two inputs that share one key, so that a mixture of their stores is seen."""
    for top, names in (("old", ("a.wav", "cats/b.wav")), ("new", ("cats/b.wav", "cats/c.wav", "dogs/d.wav"))):
        for number, name in enumerate(names):
            path = tmp_path / top / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path, n=N, seed=number + len(top + names[0]))
    return tmp_path / "old", tmp_path / "new"


def values(target):
    return {row.key: row.values.tobytes() for row in atc.load(target)}


def run(source, target, form):
    return atc.extract_folder(source, target, SMALL, format=form, workers=1)


def entries(target):
    return sorted(os.listdir(target))


class Trouble:
    """Lets the calls of some functions of `os` pass until the wanted one, which raises before or after its work."""

    def __init__(self, patch, at, error, after):
        self.left, self.error, self.after = at, error, after
        for name in CALLS:
            patch.setattr(os, name, self.wrapped(getattr(os, name)))

    def wrapped(self, function):
        def call(*args, **options):
            self.left -= 1
            if self.left == 0 and not self.after:
                raise self.error
            result = function(*args, **options)
            if self.left == 0:
                raise self.error
            return result

        return call


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("form", FORMS)
def test_an_error_at_any_step_leaves_one_whole_store(folders, tmp_path, monkeypatch, form, error, after):
    old, new = folders
    run(old, tmp_path / "stored", form)
    run(new, tmp_path / "other", form)
    before, wanted = values(tmp_path / "stored"), values(tmp_path / "other")
    seen = set()
    for at in range(1, 200):
        out = tmp_path / f"out{at}"
        shutil.copytree(tmp_path / "stored", out)
        failed = False
        with monkeypatch.context() as patch:
            trouble = Trouble(patch, at, error, after)
            try:
                run(new, out, form)
            except (StoreError, KeyboardInterrupt):
                failed = True
        found = values(out)
        assert found in (before, wanted), at
        assert failed or found == wanted
        seen.add((failed, found == wanted))
        run(old, out, form)
        assert values(out) == before
        assert len(entries(out)) == 2, at  # nothing is left of either run
        shutil.rmtree(out)
        if trouble.left > 0:
            break
    else:
        raise AssertionError("the run has more steps than the test")
    assert {(True, False), (False, True)} <= seen


@pytest.mark.parametrize("form", FORMS)
def test_killed_at_any_moment(folders, tmp_path, form):
    """Processes that replace a store over and over are killed; it is one or the other, and the next run cleans up."""
    out = tmp_path / "out"
    run(folders[0], tmp_path / "one", form)
    run(folders[1], tmp_path / "two", form)
    whole = [values(tmp_path / "one"), values(tmp_path / "two")]
    # One process loads the modules, and is copied before it has threads.
    program = f"""
import os, random, signal, sys, time
import audiotconv as atc
from audiotconv.batch import run
from audiotconv.recipes import get_recipe
recipe = get_recipe({str(SMALL)!r})
random.seed(5)
for trial in range(8):
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        for number in range(10**6):
            for source in {[str(folder) for folder in folders]!r}:
                atc.extract_folder(source, {str(out)!r}, recipe, format={form!r}, workers=1)
                os.write(told, b"x")
    os.read(ready, 1)
    time.sleep(random.random() / 20)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    print("killed", flush=True)
    sys.stdin.readline()
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        for _ in range(8):
            assert process.stdout.readline() == "killed\n"
            assert values(out) in whole
            process.stdin.write("\n")
            process.stdin.flush()
    run(folders[0], out, form)
    assert values(out) == whole[0]
    assert len(entries(out)) == 2


@pytest.mark.parametrize("form", FORMS)
def test_an_interrupt_waits_for_the_commit(folders, tmp_path, monkeypatch, form):
    """Ctrl-C while the manifest is replaced: the run finishes, and then the interrupt arrives."""
    old, new = folders
    out = tmp_path / "out"
    run(old, out, form)
    before = os.replace

    def replace(source, target):
        if os.path.basename(target) == MANIFEST:
            signal.raise_signal(signal.SIGINT)
        before(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(KeyboardInterrupt, match="the run had finished"):
        run(new, out, form)
    assert atc.load(out).keys == ["cats/b.wav", "cats/c.wav", "dogs/d.wav"]
    assert len(entries(out)) == 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("form", FORMS)
def test_leftovers_of_dead_runs_are_removed(folders, tmp_path, form):
    out = tmp_path / "out"
    run(folders[0], out, form)
    (out / ".audiotconv-dead").mkdir()
    (out / ".audiotconv-dead" / "features-00000.parquet").write_bytes(b"half")
    run(folders[1], out, form)
    assert len(entries(out)) == 2


@pytest.mark.parametrize("form", FORMS)
def test_a_users_files_stay(folders, tmp_path, form):
    out = tmp_path / "out"
    run(folders[0], out, form)
    (out / "cats").mkdir(exist_ok=True)
    mine = {
        out / "cats" / "c.wav.npy": b"mine",
        out / "features-00000.parquet": b"mine",
        out / "features-00001.parquet": b"mine",
        out / "index.parquet": b"mine",
        out / "run-9" / "notes.txt": b"mine",
        out / "run-2": b"mine",
    }
    mine = {path: text for path, text in mine.items() if not path.exists()}
    for path, text in mine.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text)
    inside = next(path for path in out.rglob("*.parquet") if path.read_bytes()[:4] == b"PAR1").with_name("notes.txt")
    mine[inside] = b"mine"
    inside.write_bytes(b"mine")
    run(folders[1], out, form)
    run(folders[1], out, form)
    assert {path: path.read_bytes() for path in mine} == mine
    assert len(atc.load(out)) == 3


def test_one_run_at_a_time(folders, tmp_path, monkeypatch):
    out = tmp_path / "out"
    errors = []

    def second(state):
        with pytest.raises(StoreError, match="another run is writing") as caught:
            run(folders[1], out, "parquet")
        errors.append(caught.value)

    atc.extract_folder(folders[0], out, SMALL, workers=1, progress=second)
    assert errors
    assert len(atc.load(out)) == 2
    run(folders[1], out, "parquet")


def test_without_locks_runs_still_work(folders, tmp_path, monkeypatch):
    """Some network file systems have none: then nothing is removed that may be another run's."""

    def refuse(*args):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    out = tmp_path / "out"
    run(folders[0], out, "parquet")
    (out / ".audiotconv-other").mkdir()
    run(folders[1], out, "parquet")
    assert len(atc.load(out)) == 3
    assert ".audiotconv-other" in entries(out)


def test_an_open_store_that_is_replaced_says_so(folders, tmp_path):
    for form in FORMS:
        out = tmp_path / form
        run(folders[0], out, form)
        opened = atc.load(out)
        run(folders[1], out, form)
        with pytest.raises(StoreError, match="cannot be read"):
            opened["cats/b.wav"]


def test_a_run_that_was_cut_off_before_its_manifest(folders, tmp_path):
    """Killed there, or the manifest was lost: a run's folder alone goes only when there is a store again."""
    out = tmp_path / "out"
    run(folders[0], out, "parquet")
    (out / MANIFEST).unlink()

    def stop(state):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        atc.extract_folder(folders[1], out, SMALL, progress=stop)
    assert entries(out) == ["run-1"]
    assert len(list((out / "run-1").iterdir())) == 2
    run(folders[1], out, "parquet")
    assert entries(out) == [MANIFEST, "run-2"]
    assert len(atc.load(out)) == 3
    (out / MANIFEST).unlink()
    (out / "thesis.txt").write_text("years of work")
    with pytest.raises(ParameterError, match="neither empty nor a feature store"):
        run(folders[1], out, "parquet")


def test_nothing_is_removed_before_the_new_store_is_on_the_disk(folders, tmp_path, monkeypatch):
    out = tmp_path / "out"
    run(folders[0], out, "parquet")
    before, done = os.fsync, []

    def fsync(descriptor):
        if done:
            raise OSError(errno.EIO, "Input/output error")
        before(descriptor)

    def replace(source, target, replace=os.replace):
        replace(source, target)
        done.append(target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(StoreError, match="holds the new store, but may lose it in a power failure"):
        run(folders[1], out, "parquet")
    monkeypatch.undo()
    assert entries(out) == [MANIFEST, "run-1", "run-2"]
    assert len(atc.load(out)) == 3
    run(folders[1], out, "parquet")
    assert entries(out) == [MANIFEST, "run-3"]
