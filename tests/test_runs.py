"""Runs that go on: what is done again and what is not, what is told, and what a store says of itself."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import JIT, ROOT, SMALL
from sounds import wav_bytes, write

import audiotconv as atc
from audiotconv.batch import feed, journal, verify
from audiotconv.batch.executors import Crew
from audiotconv.batch.feed import Feed
from audiotconv.batch.journal import Journal
from audiotconv.batch.manifest import FAILURES, JOURNAL, MANIFEST
from audiotconv.batch.place import LocalPlace
from audiotconv.batch.plan import Item
from audiotconv.errors import AudioError, AudioFileError, ParameterError, StoreError

N = 400 if JIT else 200
RECIPE = atc.get_recipe(SMALL)
FORMS = ("parquet", "npy")


@pytest.fixture
def top(tmp_path):
    for number, name in enumerate(("a.wav", "cats/b.wav", "cats/c.wav", "dogs/d.wav")):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, n=N + 10 * number, seed=number)
    (tmp_path / "in" / "bad.wav").write_text("<html>")
    return tmp_path / "in"


def run(top, out, **options):
    return atc.extract_folder(top, out, RECIPE, **options)


def counts(report):
    return report.done, report.unchanged, len(report.failures)


def values(out):
    return {row.key: row.values.tobytes() for row in atc.load(out)}


@pytest.mark.parametrize("form", FORMS)
def test_what_is_done_again(top, tmp_path, form):
    out = tmp_path / "out"
    assert counts(run(top, out, format=form)) == (4, 0, 1)
    assert counts(run(top, out, format=form)) == (4, 4, 1)
    before = values(out)
    write(top / "a.wav", n=N, seed=30)
    report = run(top, out, format=form)
    assert counts(report) == (4, 3, 1)
    assert report.frames == atc.extract(top / "a.wav", RECIPE).shape[2]
    after = values(out)
    assert {key for key in after if after[key] != before[key]} == {"a.wav"}
    os.utime(top / "cats" / "b.wav", ns=(1, 1))
    assert run(top, out, format=form).unchanged == 3
    write(top / "bad.wav", n=N)
    assert counts(run(top, out, format=form)) == (5, 4, 0)
    assert not (out / FAILURES).exists()
    (top / "cats" / "c.wav").write_text("no sound any more")
    assert counts(run(top, out, format=form)) == (4, 4, 1)
    assert "cats/c.wav" not in atc.load(out).keys
    assert [row["key"] for row in atc.load(out).failures] == ["cats/c.wav"]
    assert verify(out).problems == []


@pytest.mark.parametrize("form", FORMS)
def test_inputs_that_are_gone(top, tmp_path, form):
    out = tmp_path / "out"
    run(top, out, format=form)
    (top / "cats" / "b.wav").unlink()
    (top / "bad.wav").unlink()
    report = run(top, out, format=form)
    assert (*counts(report), report.kept) == (3, 3, 0, 1)
    assert len(atc.load(out)) == 4
    assert atc.load(out).failures == []
    report = run(top, out, format=form, prune=True)
    assert (*counts(report), report.kept, report.removed) == (3, 3, 0, 0, 1)
    assert len(atc.load(out)) == 3
    assert not list(out.rglob("b.wav*"))
    assert verify(out).problems == []


def test_known_by_their_content(top, tmp_path):
    out = tmp_path / "out"
    assert run(top, out, by_content=True).done == 4
    assert run(top, out, by_content=True, dry_run=True).todo == []
    for path in top.rglob("*.wav"):
        os.utime(path, ns=(5, 5))
    assert run(top, out, by_content=True, dry_run=True).todo == ["bad.wav"]  # it has no content to know it by
    report = run(top, out, by_content=True)
    assert (*counts(report), report.frames) == (4, 4, 1, 0)
    status = (top / "a.wav").stat()
    write(top / "a.wav", n=N, seed=99)
    os.utime(top / "a.wav", ns=(status.st_atime_ns, status.st_mtime_ns))  # the same size and time, and another content
    assert run(top, out, by_content=True, dry_run=True).todo == ["a.wav"]
    assert run(top, out, by_content=True).unchanged == 3
    assert values(out)["a.wav"] == atc.extract(top / "a.wav", RECIPE).values.tobytes()


def test_odd_recordings_are_known_by_their_content_too(top, tmp_path):
    (top / "cut.wav").write_bytes(wav_bytes(b"\1\0" * N, declared=4 * N))
    out = tmp_path / "out"
    assert len(run(top, out, by_content=True).warnings) == 1
    report = run(top, out, by_content=True)
    assert (*counts(report), report.warnings) == (5, 5, 1, [])
    assert counts(run(top, out, by_content=True, strict=True)) == (4, 4, 2)


def test_what_took_too_long_is_tried_again_with_more_time(top, tmp_path, monkeypatch):
    monkeypatch.setattr("audiotconv.batch.work.Job.limit", lambda job, item: job.time_limit)
    (top / "bad.wav").unlink()
    out = tmp_path / "out"
    for limit, tried in ((2e-9, 4), (2e-9, 0), (1e-9, 0), (3e-9, 4), (3e-9, 0)):
        assert len(run(top, out, time_limit=limit, dry_run=True).todo) == tried
        report = run(top, out, time_limit=limit)
        assert [failure.reason for failure in report.failures] == ["timed out"] * 4
    assert counts(run(top, out)) == (4, 0, 0)


def test_what_has_failed_is_tried_again_where_that_may_help(top, tmp_path, monkeypatch):
    out = tmp_path / "out"
    tried = []
    before = atc.audio.AudioReader.__init__

    def opened(self, source, **options):
        tried.append(os.path.basename(source))
        if str(source).endswith("b.wav") and not refused:
            raise AudioFileError("b.wav cannot be read: permission denied", "unreadable", errno.EACCES)
        before(self, source, **options)

    refused = []
    monkeypatch.setattr("audiotconv.audio.AudioReader.__init__", opened)
    assert counts(run(top, out)) == (3, 0, 2)
    tried.clear()
    assert counts(run(top, out)) == (3, 3, 2)
    assert tried == ["b.wav"]  # and not what is no sound
    refused.append(False)
    assert counts(run(top, out, retry_failed=True)) == (4, 3, 1)
    assert sorted(tried[1:]) == ["b.wav", "bad.wav"]


def test_transient_errors_are_tried_again_at_once(top, tmp_path, monkeypatch):
    monkeypatch.setattr("audiotconv.batch.work._PAUSES", (0.0, 0.0))
    before = atc.audio.AudioReader.__init__
    left = {"b.wav": 2, "c.wav": 3, "d.wav": 1}
    codes = {"b.wav": errno.EMFILE, "c.wav": errno.EIO, "d.wav": errno.EACCES}

    def opened(self, source, **options):
        name = os.path.basename(source)
        if left.get(name, 0):
            left[name] -= 1
            raise AudioFileError(f"{name} cannot be read", "unreadable", codes[name])
        before(self, source, **options)

    monkeypatch.setattr("audiotconv.audio.AudioReader.__init__", opened)
    report = run(top, tmp_path / "out")
    assert {failure.key for failure in report.failures} == {"bad.wav", "cats/c.wav", "dogs/d.wav"}
    assert left == {"b.wav": 0, "c.wav": 0, "d.wav": 0}


def test_strict_and_then_not(top, tmp_path):
    (top / "cut.wav").write_bytes(wav_bytes(b"\1\0" * N, declared=4 * N))
    out = tmp_path / "out"
    assert counts(run(top, out)) == (5, 0, 1)
    assert counts(run(top, out, strict=True)) == (4, 4, 2)
    assert "cut.wav" not in atc.load(out).keys
    assert counts(run(top, out, strict=True)) == (4, 4, 2)
    report = run(top, out)
    assert counts(report) == (5, 4, 1)
    assert "is truncated" in report.warnings[0]


@pytest.mark.parametrize("what", ["recipe", "label", "channels", "format"])
def test_other_settings_do_all_again(top, tmp_path, what):
    out = tmp_path / "out"
    run(top, out)
    other = {"label": "parent", "channels": "mono", "format": "npy"}
    recipe = atc.Recipe.from_dict({**RECIPE_TABLE, "version": 2}) if what == "recipe" else RECIPE
    options = {} if what == "recipe" else {what: other[what]}
    assert atc.extract_folder(top, out, recipe, **options).unchanged == 0
    assert atc.extract_folder(top, out, recipe, **options).unchanged == 4
    assert sorted(name for name in os.listdir(out) if name.startswith("run")) == ["run-2"]


RECIPE_TABLE = {
    "name": "small",
    "version": 1,
    "stage": [{"kind": "spectrum", "window": "hann", "length": "10 ms", "hop": "10 ms"}],
}


def test_overwriting(top, tmp_path, monkeypatch):
    out = tmp_path / "out"
    run(top, out)
    monkeypatch.setattr(feed, "_LEAST", 1)
    stopped = []

    def stop(state):
        if state.files_done and not stopped:
            stopped.append(True)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(top, out, overwrite=True, workers=1, progress=stop)
    assert len(atc.load(out)) == 4  # the earlier one
    assert sorted(name for name in os.listdir(out) if name.startswith("run")) == ["run-1", "run-2"]
    report = run(top, out)  # goes on with what has begun
    assert report.done == 4
    assert 0 < report.unchanged < 4
    assert sorted(name for name in os.listdir(out) if name.startswith("run")) == ["run-2"]


def test_a_dry_run_writes_nothing(top, tmp_path):
    out = tmp_path / "out"
    report = run(top, out, dry_run=True)
    assert report.todo == ["a.wav", "bad.wav", "cats/b.wav", "cats/c.wav", "dogs/d.wav"]
    assert not out.exists()
    run(top, out)
    write(top / "new.wav", n=N)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    report = run(top, out, dry_run=True)
    assert (report.todo, report.unchanged, len(report.failures)) == (["new.wav"], 4, 1)
    assert len(run(top, out, dry_run=True, overwrite=True).todo) == 6
    assert run(top, out, dry_run=True, prune=True, exclude=["cats"]).removed == 2
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_too_many_failures(top, tmp_path, monkeypatch):
    monkeypatch.setattr(feed, "_LEAST", 1)
    for number in range(20):
        (top / f"0{number}.wav").write_text("<html>")
    out = tmp_path / "out"
    with pytest.raises(StoreError, match="more than 3 recordings have failed"):
        run(top, out, max_failures=3, workers=1)
    assert 3 < len(atc.load(out).failures) < 20
    assert pq.read_table(out / FAILURES).num_rows == len(atc.load(out).failures)
    assert run(top, out, max_failures=21).done == 4


def test_the_table_of_failures(top, tmp_path):
    run(top, tmp_path / "out")
    (row,) = pq.read_table(tmp_path / "out" / FAILURES).to_pylist()
    assert (row["key"], row["reason"]) == ("bad.wav", "not audio")
    assert row["path"] == str(top / "bad.wav")
    assert "bad.wav is not a sound file" in row["message"]


def test_a_store_is_read_while_it_is_written(top, tmp_path, monkeypatch):
    monkeypatch.setattr(feed, "_LEAST", 1)
    for number in range(20):
        write(top / f"{number}.wav", n=N, seed=number)
    seen = []

    def look(state):
        if (tmp_path / "out" / "audiotconv.json").exists():
            store = atc.load(tmp_path / "out")
            seen.append(len(list(store)))

    run(top, tmp_path / "out", workers=1, progress=look)
    assert seen == sorted(seen)
    assert len(set(seen)) > 3
    assert seen[-1] == 24


def test_errors_while_writing_are_tried_again_if_that_may_help(top, tmp_path, monkeypatch):
    monkeypatch.setattr("audiotconv.batch.owner._PAUSES", (0.0, 0.01))
    for code, tries, ends in ((errno.EIO, 2, True), (errno.EIO, 9, False), (errno.ENOSPC, 1, False)):
        left = [tries]

        def finish(file, code=code, left=left):
            if threading.current_thread().name == "audiotconv-work" and left[0]:
                left[0] -= 1
                raise OSError(code, os.strerror(code))

        out = tmp_path / f"out{tries}"
        with monkeypatch.context() as patch:
            patch.setattr("audiotconv.batch.store.finish", finish)
            if ends:
                assert run(top, out, workers=1).done == 4
            else:
                with pytest.raises(StoreError, match=os.strerror(code)) as caught:
                    run(top, out, workers=1)
                assert caught.value.code == code
        assert run(top, out).done == 4
        assert verify(out).problems == []


def test_errors_of_the_owner_are_tried_again_if_that_may_help(top, tmp_path, monkeypatch):
    """Each kind of record, the tables of outdated rows, and what is written at the end fail once."""
    monkeypatch.setattr("audiotconv.batch.owner._PAUSES", (0.0,) * 9)
    monkeypatch.setattr("audiotconv.batch.patience._PAUSES", (0.0,) * 9)
    out = tmp_path / "out"
    run(top, out)
    failed = set()

    def once(function, kind):
        def call(self, *arguments):
            if (found := kind(*arguments)) not in failed:
                failed.add(found)
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return function(self, *arguments)

        return call

    monkeypatch.setattr(LocalPlace, "write", once(LocalPlace.write, lambda name, content: name))
    monkeypatch.setattr(LocalPlace, "publish", once(LocalPlace.publish, lambda pairs: "publish"))
    for options in ({"prune": True}, {"overwrite": True}):
        failed |= {"run"}  # the store is opened or not, and then there is nothing to lose
        monkeypatch.setattr(Journal, "add", once(Journal.add, lambda record: next(iter(record))))
        write(top / "a.wav", n=N, seed=len(failed))
        (top / "cats" / "b.wav").unlink(missing_ok=True)
        (top / "worse.wav").write_text("<html>")
        report = run(top, out, **options)
        assert counts(report)[::2] == (3, 2)
        assert verify(out).problems == []
        assert sorted(values(out)) == ["a.wav", "cats/c.wav", "dogs/d.wav"]
    assert {"publish", "failed", "gone", "tidied", "overwritten", MANIFEST, FAILURES} <= failed


# --- other executors ---


class Elsewhere:
    """An executor that pickles what it is given, as those that run on other machines do."""

    def __init__(self):
        self.batches = 0

    def submit(self, function, *arguments):
        import pickle

        self.batches += 1
        future = Future()
        try:
            future.set_result(pickle.loads(pickle.dumps(function(*pickle.loads(pickle.dumps(arguments))))))
        except Exception as error:
            future.set_exception(pickle.loads(pickle.dumps(error)))
        return future


@pytest.mark.parametrize("form", FORMS)
def test_any_executor(top, tmp_path, form):
    run(top, tmp_path / "here", format=form)
    elsewhere = Elsewhere()
    states = []
    report = run(
        top, tmp_path / "out", format=form, executor=elsewhere, progress=lambda state: states.append(state.files_done)
    )
    assert counts(report) == (4, 0, 1)
    assert elsewhere.batches
    assert states[-1] == 5
    assert values(tmp_path / "out") == values(tmp_path / "here")
    with ThreadPoolExecutor(3) as pool:
        assert counts(run(top, tmp_path / "out", format=form, executor=pool, overwrite=True)) == (4, 0, 1)
    with pytest.raises(ParameterError, match="it must have submit"):
        run(top, tmp_path / "no", executor=5)
    with pytest.raises(ParameterError, match="cannot both be given"):
        run(top, tmp_path / "no", executor=elsewhere, scheduler="local")


def test_processes(top, tmp_path):
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        assert counts(run(top, tmp_path / "out", executor=pool)) == (4, 0, 1)
    run(top, tmp_path / "here")
    assert values(tmp_path / "out") == values(tmp_path / "here")


def test_a_worker_that_dies_ends_the_run(top, tmp_path):
    class Broken(Elsewhere):
        def submit(self, function, *arguments):
            future = Future()
            future.set_exception(BrokenProcessPool("a child process terminated abruptly"))
            return future

    with pytest.raises(StoreError, match=r"a worker process has died .*the same command goes on"):
        run(top, tmp_path / "out", executor=Broken())
    assert run(top, tmp_path / "out").done == 4


def test_unexpected_errors_of_an_executor_are_not_hidden(top, tmp_path):
    class Odd(Elsewhere):
        def submit(self, function, *arguments):
            future = Future()
            future.set_exception(ZeroDivisionError("odd"))
            return future

    with pytest.raises(StoreError, match=r"batch of 5 recordings .* \(ZeroDivisionError: odd\)") as caught:
        run(top, tmp_path / "out", executor=Odd())
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert run(top, tmp_path / "out").done == 4


FORKS = """
import os
import re
os.environ["OPENBLAS_NUM_THREADS"] = "1"
import sys, time
from audiotconv.batch import executors, extract_folder, run
from audiotconv.recipes import get_recipe
executors._MANY = 8
before = executors.Crew.fork
def fork(self, job):
    before(self, job)
    print("forked", " ".join(str(process.pid) for process in self._children), flush=True)
executors.Crew.fork = fork
def work():
    return extract_folder(sys.argv[1], sys.argv[2], get_recipe(sys.argv[3]), workers=2, processes=True,
                          progress=lambda state: time.sleep(float(sys.argv[4])))
"""


@pytest.fixture
def many(tmp_path):
    (tmp_path / "many").mkdir()
    for number in range(60):
        write(tmp_path / "many" / f"{number:02}.wav", n=N + number, seed=number)
    return tmp_path / "many"


def forking(program, top, out, pause=0.0):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", FORKS + program, str(top), str(out), str(SMALL), str(pause)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


linux = pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="what threads there are is told in /proc")


@linux
def test_forked_processes(many, tmp_path):
    with forking("print(work().done)", many, tmp_path / "out") as process:
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert output.splitlines()[0].startswith("forked")
    assert output.splitlines()[-1] == "60"
    run(many, tmp_path / "here")
    assert values(tmp_path / "out") == values(tmp_path / "here")
    assert verify(tmp_path / "out").problems == []


@linux
def test_no_fork_where_there_are_threads(many, tmp_path):
    program = """
import threading
threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
print(work().done, flush=True)
os._exit(0)
"""
    with forking(program, many, tmp_path / "out") as process:
        output, _ = process.communicate(timeout=120)
    assert output.splitlines() == ["60"]


@linux
def test_a_process_that_dies_is_replaced(many, tmp_path):
    with forking("print(work().done)", many, tmp_path / "out", 0.2) as process:
        children = [int(word) for word in process.stdout.readline().split()[1:]]
        os.kill(children[0], signal.SIGKILL)
        output, _ = process.communicate(timeout=120)
    assert output.split()[-1] == "60"
    assert verify(tmp_path / "out").problems == []


# Some recordings end the process that works on them, as they could whose decoder fails.
CRASHES = """
from audiotconv.batch import work as working
extract = working._Work._extract
def crash(self, item, known, sink):
    if item.path.endswith(("/07.wav", "/33.wav")) and os.getpid() != self.job.owner[1]:
        os._exit(3)
    return extract(self, item, known, sink)
working._Work._extract = crash
"""
TELL = """
report = work()
print(report.done, [(failure.key, failure.reason) for failure in report.failures])
"""


@linux
def test_recordings_that_crash_their_process_are_set_aside(many, tmp_path):
    with forking(CRASHES + TELL, many, tmp_path / "out") as process:
        output, errors = process.communicate(timeout=240)
    assert output.splitlines()[-1] == "58 [('07.wav', 'crashed'), ('33.wav', 'crashed')]", errors
    assert output.count("forked") == 1  # those made later are told from it
    assert verify(tmp_path / "out").problems == []
    assert run(many, tmp_path / "out").done == 60  # tried again, here without what made them crash


@linux
def test_processes_are_made_anew_where_there_are_threads(many, tmp_path):
    """They are not forked then, and so do not have what makes the first ones crash."""
    program = """
import threading
make = executors.Crew._make
def making(self, how, job):
    make(self, how, job)
    print(how, flush=True)
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
executors.Crew._make = making
"""
    with forking(CRASHES + program + TELL + "os._exit(0)", many, tmp_path / "out") as process:
        output, errors = process.communicate(timeout=240)
    assert [line.split()[0] for line in output.splitlines()] == ["fork", "forked", "spawn", "60"], errors
    assert values(tmp_path / "out").keys() == {f"{number:02}.wav" for number in range(60)}


@linux
def test_no_new_processes(many, tmp_path):
    program = """
def none(self, job):
    raise executors.BrokenExecutor("none to be had")
executors.Crew.renew = none
try:
    work()
except Exception as error:
    print(type(error).__name__, error)
"""
    with forking(CRASHES + program, many, tmp_path / "out") as process:
        output, errors = process.communicate(timeout=240)
    found = re.search(r"StoreError a worker process has died .none to be had.; .*the same command goes on", output)
    assert found, errors


@linux
def test_forked_processes_die_with_their_owner(many, tmp_path):
    process = forking("from audiotconv.batch import feed; feed._LEAST = 1\nwork()", many, tmp_path / "out", 0.2)
    with process:
        children = [int(word) for word in process.stdout.readline().split()[1:]]
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    deadline = time.monotonic() + 10
    while any(os.path.exists(f"/proc/{child}/task") and alive(child) for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert run(many, tmp_path / "out").done == 60
    assert verify(tmp_path / "out").problems == []


def alive(process):
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().split()[2] != "Z"
    except OSError:
        return False


def test_a_crew_without_much_to_do_does_not_fork(monkeypatch):
    pool = ThreadPoolExecutor(1)
    assert not Crew(pool, 2, True, forks=True).wants_to_fork(5)
    assert not Crew(pool, 1, True, forks=True).wants_to_fork(10**6)
    monkeypatch.setattr("audiotconv.batch.executors.Path.glob", lambda *_: (_ for _ in ()).throw(OSError))
    assert not Crew(pool, 2, True, forks=True).wants_to_fork(10**6)
    pool.shutdown()


# --- batches ---


def test_batches_become_smaller_and_long_recordings_come_first():
    items = [Item(f"{number}.wav", f"{number}.wav", 10**6) for number in range(200)]
    items.insert(150, Item("long.wav", "long.wav", 10**9))
    fed = Feed(iter(items), 2, lambda item: True, lambda failure: None)
    batches = []
    while batch := fed.next():
        batches.append(batch)
    assert fed.ended
    assert [item.key for item in batches[0]] == ["long.wav"]
    assert sorted(item.key for batch in batches for item in batch) == sorted(item.key for item in items)
    sizes = [len(batch) for batch in batches[1:]]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 1
    assert (fed.found, fed.taken) == (201, 201)
    fed.again(items[:2])
    assert not fed.ended
    assert fed.next() == items[:2]


def test_a_feed_does_not_look_at_everything_at_once(monkeypatch):
    monkeypatch.setattr(feed, "_AHEAD", 100)
    drawn = []

    def plan():
        for number in range(10_000):
            drawn.append(number)
            yield Item(f"{number}.wav", f"{number}.wav", 10)

    fed = Feed(plan(), 2, lambda item: True, lambda failure: None)
    fed.next()
    assert len(drawn) == 100
    monkeypatch.setattr(feed, "_WAIT", 0.0)
    fed.next()
    assert len(drawn) < 300


# --- errors and their pickles ---


def test_errors_can_be_sent():
    import pickle

    for error in (AudioError("a", "empty"), AudioFileError("b", "missing", 2), StoreError("c", 28)):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


# --- verify ---


def damage(path, how):
    content = path.read_bytes()
    if how == "gone":
        path.unlink()
    elif how == "short":
        path.write_bytes(content[:-5])
    elif how == "flipped":
        path.write_bytes(
            content[: len(content) // 2] + bytes([content[len(content) // 2] ^ 1]) + content[len(content) // 2 + 1 :]
        )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("how", ["gone", "short", "flipped"])
@pytest.mark.parametrize("which", ["shard", "file"])
def test_verify_finds_damage_and_a_run_mends_it(top, tmp_path, monkeypatch, form, how, which):
    if which == "file" and form == "parquet":
        pytest.skip("values are in the shards")
    monkeypatch.setattr(feed, "_LEAST", 1)
    out = tmp_path / "out"
    run(top, out, format=form, workers=1)
    whole = values(out)
    report = verify(out)
    assert (report.rows, report.problems, report.redo) == (4, [], {})
    assert report.bytes > 0
    damage(next((out / "run-1").rglob("*.npy" if which == "file" else "*-000001.parquet")), how)
    report = verify(out)
    assert len(report.redo) == 1
    assert report.problems[0].keys == list(report.redo)
    assert next(iter(report.redo.values())).startswith(str(top))
    assert not report.repaired
    report = verify(out, repair=True)
    assert report.repaired
    assert verify(out).problems == []
    assert len(atc.load(out)) == 3
    assert run(top, out, format=form).unchanged == 3
    assert values(out) == whole
    assert verify(out).problems == []


def test_verify_compares_everything(top, tmp_path, monkeypatch):
    out = tmp_path / "out"
    run(top, out)
    (shard,) = (out / "run-1").glob("*.parquet")
    journal = out / "run-1" / JOURNAL
    lines = journal.read_bytes().splitlines()
    table = pq.read_table(shard)

    def rewritten(table, **changes):
        """A store whose shard and journal agree on the bytes, and maybe on nothing else."""
        import zlib

        pq.write_table(table, shard)
        content = shard.read_bytes()
        new = []
        for line in lines:
            record = json.loads(line[9:])
            if "shard" in record:
                record |= {"bytes": len(content), "crc32": zlib.crc32(content), **changes}
            told = json.dumps(record).encode()
            new.append(b"%08x %s\n" % (zlib.crc32(told), told))
        journal.write_bytes(b"".join(new))
        return " ".join(problem.message for problem in verify(out).problems)

    assert rewritten(table) == ""
    assert "and the journal says 9" in rewritten(table, rows=9)
    assert "recordings that the journal names are not in it" in rewritten(table.slice(1))
    place = table.column_names.index("values")
    lists = table["values"].to_pylist()
    lists[1][3] = float("nan")
    assert "not finite" in rewritten(
        table.set_column(place, table.field("values"), pa.array(lists, table.field("values").type))
    )
    lists[1].pop()
    assert "values of the shape" in rewritten(
        table.set_column(place, table.field("values"), pa.array(lists, table.field("values").type))
    )
    place = table.column_names.index("recipe_hash")
    assert "it is of the recipe other" in rewritten(table.set_column(place, "recipe_hash", [["other"] * 4]))
    place = table.column_names.index("key")
    names = table["key"].to_pylist()
    assert "count nowhere in the journal" in rewritten(table.set_column(place, "key", [["x", *names[1:]]]))
    items = json.loads(lines[2][9:])["items"]
    items[0]["frames"] += 1
    assert "frames, and the journal says" in rewritten(table, items=items)
    assert rewritten(table) == ""
    (out / "run-1" / "features-000099.parquet").write_bytes(b"")
    assert "not in the journal" in rewritten(table)
    (out / ".audiotconv-x").mkdir()
    assert len(verify(out).problems) == 2
    journal.write_bytes(b"")
    with pytest.raises(StoreError, match="does not say what the store is"):
        verify(out)
    journal.unlink()
    with pytest.raises(StoreError, match="has to be made anew"):
        verify(out)
    with pytest.raises(StoreError, match="no journal; overwrite begins anew"):
        run(top, out)
    assert run(top, out, overwrite=True).done == 4
    assert verify(out).problems == []


def test_journals_of_somebody_else(top, tmp_path):
    out = tmp_path / "out"
    run(top, out)
    journal = out / "run-1" / JOURNAL
    import zlib

    for record in ({"shard": "x"}, {"failed": [5]}, {"run": {"format": "x"}}, {"gone": [5]}):
        told = json.dumps(record).encode()
        line = b"%08x %s\n" % (zlib.crc32(told), told)
        first = journal.read_bytes().splitlines(keepends=True)[0]
        journal.write_bytes((b"" if "run" in record else first) + line)
        with pytest.raises(StoreError, match="damaged"):
            atc.load(out)
        journal.write_bytes(first)


# --- reading for classifiers ---


def test_arrays_tables_and_splits(top, tmp_path):
    out = tmp_path / "out"
    run(top, out, label="parent")
    store = atc.load(out)
    frames = [row.values.shape[2] for row in store]
    assert store.frames.tolist() == frames
    x = store.to_numpy()
    assert x.shape == (4, 1, 3, max(frames))
    for number, row in enumerate(store):
        np.testing.assert_array_equal(x[number, :, :, : frames[number]], row.values)
        assert not x[number, :, :, frames[number] :].any()
    assert (store.to_numpy(max(frames) + 2, fill=-1)[:, :, :, -2:] == -1).all()
    middle = store.to_numpy(2, crop="center")
    start = (frames[0] - 2) // 2
    np.testing.assert_array_equal(middle[0], store[0].values[:, :, start : start + 2])
    assert store.to_numpy(0).shape == (4, 1, 3, 0)
    for wrong in ({"frames": -1}, {"frames": 1.5}, {"crop": "end"}):
        with pytest.raises(ParameterError):
            store.to_numpy(**wrong)
    train, test = store.split(0.5, by="folder")
    assert sorted([*train.keys, *test.keys]) == store.keys
    assert not {key.rpartition("/")[0] for key in train.keys} & {key.rpartition("/")[0] for key in test.keys}
    assert [row.key for row in train] == train.keys
    assert train[train.keys[0]].key == train.keys[0]
    assert len(train.labels) == len(train.frames) == len(train)
    with pytest.raises(KeyError):
        train[test.keys[0]]
    assert [part.keys for part in store.split(0.5)] == [train.keys, test.keys]
    for by in ("label", "key", lambda key: key[-5]):
        parts = store.split(0.25, by=by)
        assert sum(map(len, parts)) == 4
    assert list(map(len, store.split(0.0))) == [4, 0]
    assert list(map(len, store.split(1.0))) == [0, 4]
    for wrong in ({"test": 2}, {"by": "speaker"}):
        with pytest.raises(ParameterError):
            store.split(**wrong)
    assert store.subset(["a.wav"]).keys == ["a.wav"]
    with pytest.raises(KeyError):
        store.subset(["none"])
    assert atc.load(out).subset([]).to_numpy().shape == (0, 0, 0, 0)


def test_arrays_of_unlike_recordings(tmp_path):
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "a.wav", n=N)
    write(tmp_path / "in" / "b.wav", n=N, channels=2)
    run(tmp_path / "in", tmp_path / "out")
    with pytest.raises(ParameterError, match=r"b.wav has 2 channels of 3 features, and a.wav 1 of 3"):
        atc.load(tmp_path / "out").to_numpy()


def test_pandas(top, tmp_path, monkeypatch):
    run(top, tmp_path / "out", label="parent")
    store = atc.load(tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pandas", None)
        with pytest.raises(ParameterError, match="pip install pandas"):
            store.to_pandas()
    pytest.importorskip("pandas")
    table = store.to_pandas(values=True)
    assert list(table.columns) == ["key", "path", "label", "sample_rate", "start", "duration", "frames", "values"]
    assert table["key"].tolist() == store.keys
    assert table["duration"].tolist() == pytest.approx([row.duration for row in store])
    np.testing.assert_array_equal(table["values"][2], store[2].values)
    assert len(store.subset(store.keys[1:3]).to_pandas()) == 2


# --- long lists ---


def test_records_of_many_entries_can_be_read(top, tmp_path, monkeypatch):
    """Of failures in the inputs, of recordings that are removed, and of those that a repair takes out."""
    monkeypatch.setattr(journal, "_PIECE", 1 << 10)
    monkeypatch.setattr(journal, "_MOST_LINE", 1 << 15)
    for number in range(150):
        write(top / f"{number:03}.wav", n=20)
    out = tmp_path / "out"
    lines = "".join(f"bad{number}.wav,x\n" for number in range(300))
    (top / "list.csv").write_text(f"path,start\n{lines}")
    monkeypatch.setattr(feed, "_MOST_ITEMS", 16)
    assert len(run([top], out, manifest=top / "list.csv", prune=True).failures) == 301
    assert len(atc.load(out)) == 154
    shards = sorted((out / "run-1").glob("*.parquet"))
    for shard in shards[1:]:
        shard.unlink()
    assert verify(out, repair=True).repaired
    assert len(atc.load(out)) < 40
    assert len(atc.load(out).failures) == 301
    assert run([top], out, prune=True).done == 154
    for path in top.glob("[0-9]*.wav"):
        path.unlink()
    assert run([top], out, prune=True).removed == 150
    assert atc.load(out).keys == ["a.wav", "cats/b.wav", "cats/c.wav", "dogs/d.wav"]
    assert verify(out).problems == []


# --- recordings that cannot be read for a while ---


@pytest.mark.parametrize("form", FORMS)
def test_rows_stay_while_their_files_are_away(top, tmp_path, monkeypatch, form):
    monkeypatch.chdir(top.parent)  # what names in lists are relative to, and their keys
    out = tmp_path / "out"
    listed = tmp_path / "list"
    listed.write_text("in/a.wav\nin/cats/b.wav\n")
    run([], out, format=form, files_from=listed)
    before = values(out)
    top.rename(tmp_path / "away")
    for _ in range(2):
        report = run([], out, format=form, files_from=listed)
        assert (*counts(report), report.kept) == (0, 0, 2, 0)
        assert {failure.reason for failure in report.failures} == {"missing"}
        assert values(out) == before
        assert [row["key"] for row in atc.load(out).failures] == ["in/a.wav", "in/cats/b.wav"]
        assert verify(out).problems == []
    (tmp_path / "away").rename(top)
    assert counts(run([], out, format=form, files_from=listed)) == (2, 2, 0)
    assert atc.load(out).failures == []
    (top / "a.wav").unlink()
    report = run([], out, format=form, files_from=listed, prune=True)
    assert (*counts(report), report.removed) == (1, 1, 1, 1)
    assert atc.load(out).keys == ["in/cats/b.wav"]
    assert [row["key"] for row in atc.load(out).failures] == ["in/a.wav"]
    assert not list(out.rglob("a.wav*"))
    assert verify(out).problems == []


def test_what_is_known_is_not_written_again(top, tmp_path):
    (top / "list.csv").write_text("path,start\nbad1.wav,x\nnone.wav,0\n")
    (top / "gone.wav").symlink_to(top / "nowhere.wav")
    out = tmp_path / "out"
    assert len(run(top, out, manifest=top / "list.csv").failures) == 4
    before = (out / "run-1" / JOURNAL).read_bytes()
    report = run(top, out, manifest=top / "list.csv")
    assert (*counts(report), report.kept) == (4, 4, 4, 0)
    assert (out / "run-1" / JOURNAL).read_bytes() == before
    (top / "gone.wav").unlink()
    assert len(run(top, out, manifest=top / "list.csv").failures) == 3
    (top / "gone.wav").symlink_to(top / "nowhere.wav")
    assert len(run(top, out, manifest=top / "list.csv").failures) == 4
    assert len(atc.load(out).failures) == 4


@pytest.mark.parametrize("prune", [False, True])
def test_rows_stay_while_their_files_cannot_be_read(top, tmp_path, monkeypatch, prune):
    out = tmp_path / "out"
    run(top, out)
    before = values(out)
    write(top / "a.wav", n=N, seed=30)
    opened = atc.audio.AudioReader.__init__

    def refused(self, source, **options):
        if str(source).endswith("a.wav"):
            raise AudioFileError("a.wav cannot be read: permission denied", "unreadable", errno.EACCES)
        opened(self, source, **options)

    with monkeypatch.context() as patch:
        patch.setattr("audiotconv.audio.AudioReader.__init__", refused)
        assert counts(run(top, out, prune=prune)) == (3, 3, 2)
    assert values(out) == before
    assert counts(run(top, out, prune=prune)) == (4, 3, 1)
    assert values(out)["a.wav"] != before["a.wav"]
    (top / "a.wav").write_text("<html>")
    assert counts(run(top, out)) == (3, 3, 2)
    assert "a.wav" not in atc.load(out).keys
