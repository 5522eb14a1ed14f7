"""Whatever happens while drafts become a store: what is read is right, and the same run comes to the same end."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import JIT, ROOT, SMALL
from sounds import write

import audiotconv as atc
from audiotconv.batch import feed, place, verify
from audiotconv.batch.manifest import MANIFEST
from audiotconv.batch.target import Target
from audiotconv.errors import ParameterError, StoreError

N = 400 if JIT else 200
RECIPE = atc.get_recipe(SMALL)
FORMS = ("parquet", "npy")
CALLS = ("replace", "rename", "fsync", "unlink", "rmdir", "mkdir", "write", "ftruncate", "open")


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate(("a.wav", "cats/b.wav", "cats/c.wav", "dogs/d.wav")):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, n=N + 10 * number, seed=number)
    return tmp_path / "in"


def values(target):
    return {row.key: (row.label, row.values.tobytes()) for row in atc.load(target)}


def run(source, target, form, label=None, **options):
    """With another label it is another store."""
    return atc.extract_folder(source, target, RECIPE, format=form, label=label, workers=1, **options)


def entries(target):
    return sorted(os.listdir(target))


def files(target):
    """What lies in the store, and nothing else is there."""
    return sorted(path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file())


def change(folder):
    """One recording is new, one has changed, one is not sound any more."""
    write(folder / "cats" / "b.wav", n=N + 77, seed=9)
    write(folder / "e.wav", n=N, seed=10)
    (folder / "dogs" / "d.wav").write_text("<html>")


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


ERRORS = [
    OSError(errno.ENOSPC, "No space left on device"),
    OSError(errno.EIO, "Input/output error"),
    KeyboardInterrupt(),
]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("error", ERRORS, ids=["full", "failing", "interrupted"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("label", [None, "parent"])
def test_an_error_at_any_step(folder, tmp_path, monkeypatch, form, error, after, label):
    """In a run that goes on with a store, and in one whose result replaces it."""
    monkeypatch.setattr("audiotconv.batch.owner._PAUSES", (0.0, 0.0))
    monkeypatch.setattr("audiotconv.batch.patience._PAUSES", (0.0, 0.0))
    monkeypatch.setattr("audiotconv.batch.work._PAUSES", (0.0,))
    monkeypatch.setattr("audiotconv.batch.feed._LEAST", 1)  # a batch for each recording
    run(folder, tmp_path / "stored", form)
    before = values(tmp_path / "stored")
    change(folder)
    run(folder, tmp_path / "other", form, label)
    wanted = values(tmp_path / "other")
    seen = set()
    steps = range(1 + ERRORS.index(error) + 2 * after, 400, 5 if JIT else 17)  # all cases together meet most
    for at in steps:
        out = tmp_path / f"out{at}"
        shutil.copytree(tmp_path / "stored", out)
        failed = False
        with monkeypatch.context() as patch:
            trouble = Trouble(patch, at, error, after)
            try:
                report = run(folder, out, form, label)
            except (StoreError, KeyboardInterrupt):
                failed = True
        found = values(out)
        if label is None:
            assert all(row in (before.get(key), wanted.get(key)) for key, row in found.items()), at
            assert {"a.wav", "cats/c.wav"} <= set(found)
        # A recording that could not be opened is a failure of its own, and its earlier row stays.
        lost = {} if failed else {failure.key: failure.reason for failure in report.failures}
        rest = {key: row for key, row in wanted.items() if key not in lost}
        rest |= {key: row for key, row in before.items() if lost.get(key) == "unreadable"}
        if label is not None or not failed:
            assert found in ([before, wanted] if failed else [rest]), at
        seen.add((failed, found == wanted))
        assert run(folder, out, form, label, retry_failed=True).done == 4
        assert values(out) == wanted, at
        assert len([name for name in files(out) if "/_" not in name and "run" in name]) == expected(out, form)
        assert not [name for name in entries(out) if name.startswith(".")]
        shutil.rmtree(out)
        if trouble.left > 0:
            break
    else:
        raise AssertionError("the run has more steps than the test")
    assert (True, False) in seen or not JIT


def expected(out, form):
    """How many files its journal says that there are."""
    store = atc.load(out)
    return len(store._shards) + (len(store) if form == "npy" else 0)


@pytest.mark.parametrize(("form", "kills"), [("parquet", 100), ("npy", 40)] if JIT else [("parquet", 6), ("npy", 6)])
def test_killed_at_any_moment(tmp_path, form, kills):
    """SIGKILL at random moments over a run of 500 recordings, of which some change now and then; resumed each time."""
    count = 500 if JIT else 40
    top = tmp_path / "in"
    for number in range(count):
        path = top / f"{number % 10}" / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, n=50 + number, seed=number)
    (top / "bad.wav").write_text("<html>")
    out = tmp_path / "out"
    # One process loads the modules, and is copied before it has threads. Half of the runs begin with a change.
    program = f"""
import os, random, signal, sys, time
import audiotconv as atc
from audiotconv.batch import feed, run
from audiotconv.recipes import get_recipe
import pyarrow.parquet, soundfile
recipe = get_recipe({str(SMALL)!r})
recipe.build(8000)
feed._LEAST = 1 << 19
feed._MOST_ITEMS = 16
random.seed(7)
names = {[str(path) for path in sorted(top.rglob("[0-9]*.wav"))]!r}
ended, span = 0, 0.6
def forked(work):
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(1)
        os._exit(0)
    return child
for trial in range({kills}):
    if trial % 2:
        for name in random.sample(names, 20):
            os.utime(name, ns=(trial * 10**9, trial * 10**9))
    child = forked(lambda: atc.extract_folder({str(top)!r}, {str(out)!r}, recipe, format={form!r}, workers=2))
    time.sleep(random.random() * span)
    os.kill(child, signal.SIGKILL)
    at_end = os.waitpid(child, 0)[1] == 0
    span *= 0.86 if at_end else 1.07  # on any machine, about three in ten end before they are killed
    ended += at_end
    if os.path.exists({str(out / MANIFEST)!r}):
        assert os.waitpid(forked(lambda: atc.load({str(out)!r})[::50]), 0)[1] == 0
print("ended", ended, flush=True)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 1, lines
    assert 0 < int(lines[0].split()[1]) < kills * 0.9  # most were killed before their end
    report = atc.extract_folder(top, out, SMALL, format=form)
    assert (report.done, len(report.failures)) == (count, 1)
    assert verify(out).problems == []
    atc.extract_folder(top, tmp_path / "undisturbed", SMALL, format=form)
    assert values(out) == values(tmp_path / "undisturbed")
    tables = [pq.read_table(path, columns=["key"]) for path in sorted((out / "run-1").glob("*.parquet"))]
    assert sorted(pa.concat_tables(tables)["key"].to_pylist()) == atc.load(out).keys  # as others see it
    assert not [name for name in entries(out) if name.startswith(".")]
    inside = [name for name in files(out) if name.startswith("run-") and "/_" not in name]
    assert len(inside) == expected(out, form)
    assert atc.extract_folder(top, out, SMALL, format=form).unchanged == count


def test_leftovers_of_dead_runs_are_removed(folder, tmp_path):
    out = tmp_path / "out"
    run(folder, out, "parquet")
    (out / ".audiotconv-dead").mkdir()
    (out / ".audiotconv-dead" / "features-00000.parquet").write_bytes(b"half")
    run(folder, out, "parquet")
    assert entries(out) == [MANIFEST, "run-1"]


@pytest.mark.parametrize("form", FORMS)
def test_a_users_files_stay(folder, tmp_path, form):
    out = tmp_path / "out"
    run(folder, out, form)
    mine = {
        out / "run-1" / "cats" / "notes.txt": b"mine",
        out / "run-1" / "features-9.parquet": b"mine",
        out / "features-00001.parquet": b"mine",
        out / "index.parquet": b"mine",
        out / "run-9" / "notes.txt": b"mine",
        out / "run-8": b"mine",
    }
    for path, content in mine.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    run(folder, out, form, "parent")
    run(folder, out, form, "parent", overwrite=True)
    assert {path: path.read_bytes() for path in mine} == mine
    assert len(atc.load(out)) == 4


def test_one_run_at_a_time(folder, tmp_path):
    out = tmp_path / "out"
    errors = []

    def second(state):
        with pytest.raises(StoreError, match=rf"another run \(process {os.getpid()} on .*\) is writing into") as caught:
            run(folder, out, "parquet")
        errors.append(caught.value)

    run(folder, out, "parquet", progress=second)
    assert errors
    run(folder, out, "parquet")


def test_where_there_are_no_locks(folder, tmp_path, monkeypatch):
    """Some network file systems have none: then the lock's content and age tell."""

    def refuse(*args):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    out = tmp_path / "out"
    errors = []

    def second(state):
        with pytest.raises(StoreError, match="another run") as caught:
            run(folder, out, "parquet")
        errors.append(caught.value)

    run(folder, out, "parquet", progress=second)
    assert errors
    ours = json.loads(place.our_name())
    lock = out / place.LOCK
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        dead.wait()
    for content, age, free in (
        ({**ours, "process": dead.pid}, 0, True),
        ({**ours, "process": 1}, 0, False),
        ({**ours, "host": "elsewhere"}, 0, False),
        ({**ours, "host": "elsewhere"}, 1000, True),
        ({}, 0, False),
    ):
        lock.write_text(json.dumps(content))
        os.utime(lock, (time.time() - age,) * 2)
        if free:
            assert run(folder, out, "parquet").unchanged == 4
        else:
            with pytest.raises(StoreError, match="another run"):
                run(folder, out, "parquet")
    lock.unlink(missing_ok=True)


def test_a_lock_without_locks_says_that_it_lives(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("fcntl.flock", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOLCK, "none")))
    held = place.LocalPlace(str(tmp_path)).lock()
    os.utime(tmp_path / place.LOCK, (0, 0))
    monkeypatch.setattr(place, "_STALE", 0.0)
    held.beat()
    assert (tmp_path / place.LOCK).stat().st_mtime > 0
    held.release()
    held.release()
    assert place.LOCK not in entries(tmp_path)


def test_an_open_store_that_is_replaced_says_so(folder, tmp_path):
    for form in FORMS:
        out = tmp_path / form
        run(folder, out, form)
        opened = atc.load(out)
        run(folder, out, form, "parent")
        with pytest.raises(StoreError, match="cannot be read"):
            opened["cats/b.wav"]


def test_a_store_without_its_manifest(folder, tmp_path):
    """Killed before it was written, or lost: the run's folder goes on being one."""
    out = tmp_path / "out"
    run(folder, out, "parquet")
    (out / MANIFEST).unlink()
    assert run(folder, out, "parquet").unchanged == 4
    (out / MANIFEST).unlink()
    assert run(folder, out, "parquet", "parent").done == 4
    assert set(entries(out)) == {MANIFEST, "run-1", "run-2"}  # what it was is not known for sure
    assert atc.load(out).labels == ["in", "cats", "cats", "dogs"]
    run(folder, out, "parquet", "parent")
    assert set(entries(out)) == {MANIFEST, "run-2"}
    (out / MANIFEST).unlink()
    (out / "thesis.txt").write_text("years of work")
    with pytest.raises(ParameterError, match="neither empty nor a feature store"):
        run(folder, out, "parquet")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_after_what_is_in_hand(folder, tmp_path, monkeypatch, number):
    monkeypatch.setattr(feed, "_LEAST", 1)
    out = tmp_path / "out"
    sent = []

    def ask(state):
        if state.files_done and not sent:
            sent.append(number)
            signal.raise_signal(number)

    for name in range(40):
        write(folder / f"{name}.wav", n=N)
    with pytest.raises(KeyboardInterrupt, match="the same command goes on with the rest") as caught:
        run(folder, out, "parquet", progress=ask)
    assert caught.value.signal == number
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    done = len(atc.load(out))
    assert 0 < done < 44
    report = run(folder, out, "parquet")
    assert (report.done, report.unchanged) == (44, done)
    assert not [name for name in entries(out) if name.startswith(".")]


def test_a_kill_while_outdated_rows_are_taken_out(folder, tmp_path, monkeypatch):
    """A recording with outdated rows in two shards: one of them taken out does not make the other one count."""
    monkeypatch.setattr(feed, "_LEAST", 1)
    out = tmp_path / "out"
    run(folder, out, "parquet")
    before = Target.tidy
    monkeypatch.setattr(Target, "tidy", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
    write(folder / "a.wav", n=N, seed=20)
    with pytest.raises(KeyboardInterrupt):
        run(folder, out, "parquet")
    write(folder / "a.wav", n=N, seed=21)
    rewritten = []

    def once(self, name, gone, rewrite=Target._rewrite):
        if rewritten:
            raise KeyboardInterrupt
        rewritten.append(name)
        rewrite(self, name, gone)

    monkeypatch.setattr(Target, "tidy", before)
    with monkeypatch.context() as patch:
        patch.setattr(Target, "_rewrite", once)
        with pytest.raises(KeyboardInterrupt):
            run(folder, out, "parquet")
    wanted = {"a.wav": atc.extract(folder / "a.wav", RECIPE).values.tobytes()}
    assert len(atc.load(out)) == 4
    assert atc.load(out)["a.wav"].values.tobytes() == wanted["a.wav"]
    assert verify(out).problems == []
    run(folder, out, "parquet")
    assert pq.read_table(out / "run-1").num_rows == 4
    assert verify(out).problems == []


@pytest.mark.parametrize("form", FORMS)
def test_the_names_of_new_folders_are_on_the_disk(folder, tmp_path, monkeypatch, form):
    """A power failure must not take a folder whose files the journal has."""
    synced = set()

    def sync(path, before=place._sync_folder):
        synced.update((path, entry) for entry in path.iterdir())
        before(path)

    monkeypatch.setattr(place, "_sync_folder", sync)
    (folder / "x" / "y").mkdir(parents=True)
    write(folder / "x" / "y" / "z.wav", n=N)
    out = tmp_path / "new" / "out"
    run(folder, out, form)
    made = [path for path in (tmp_path / "new").rglob("*") if path.is_dir()]
    assert len(made) == (6 if form == "npy" else 2)
    assert {(path.parent, path) for path in [tmp_path / "new", *made]} <= synced
