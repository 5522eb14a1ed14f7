"""Stores and recordings at addresses, and runs on a Dask cluster."""

from __future__ import annotations

import json
import os
import signal
import time

import numpy as np
import pytest
from conftest import JIT, SMALL
from sounds import write

import audiotconv as atc
from audiotconv.batch import feed, verify
from audiotconv.batch.place import LOCK
from audiotconv.batch.remote import RemotePlace
from audiotconv.errors import AudioFileError, ParameterError, StoreError

N = 400 if JIT else 200
RECIPE = atc.get_recipe(SMALL)


@pytest.fixture
def top(tmp_path):
    for number, name in enumerate(("a.wav", "cats/b.wav", "cats/c.wav", "dogs/d.wav")):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, n=N + 10 * number, seed=number)
    (tmp_path / "in" / "bad.wav").write_text("<html>")
    return tmp_path / "in"


def values(out):
    return {row.key: row.values.tobytes() for row in atc.load(out)}


@pytest.fixture
def memory():
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


def uploaded(system, top, folder):
    for path in sorted(top.rglob("*.wav")):
        system.makedirs(f"{folder}/{path.relative_to(top).parent}", exist_ok=True)
        system.put_file(str(path), f"{folder}/{path.relative_to(top).as_posix()}")


@pytest.fixture(params=["memory", "local"])
def place(request, tmp_path):
    """A file system, and the address of a folder in it."""
    fsspec = pytest.importorskip("fsspec")
    if request.param == "memory":
        system = request.getfixturevalue("memory")
        return system, "memory://far"
    return fsspec.filesystem("local"), f"local://{tmp_path}/far"  # as far as we know, somewhere else


@pytest.mark.parametrize("form", ["parquet", "npy"])
def test_recordings_and_stores_at_addresses(top, tmp_path, place, form):
    system, far = place
    uploaded(system, top, f"{far}/in")
    atc.extract_folder(top, tmp_path / "here", RECIPE, format=form, label="parent")
    out = f"{far}/out"
    report = atc.extract_folder(f"{far}/in", out, RECIPE, format=form, label="parent")
    assert (report.done, [failure.reason for failure in report.failures]) == (4, ["not audio"])
    assert values(out) == values(tmp_path / "here")
    store = atc.load(out)
    assert store.labels == atc.load(tmp_path / "here").labels
    assert store[0].path.endswith("/far/in/a.wav")
    assert store[0].path.startswith(("memory://", "file://"))
    assert verify(out).problems == []
    assert atc.extract_folder(f"{far}/in", out, RECIPE, format=form, label="parent").unchanged == 4
    write(top / "a.wav", n=N + 5, seed=50)
    uploaded(system, top, f"{far}/in")
    system.rm_file(system._strip_protocol(f"{far}/in/cats/b.wav"))
    report = atc.extract_folder(f"{far}/in", out, RECIPE, format=form, label="parent", prune=True)
    assert (report.done, report.removed) == (3, 1)
    assert verify(out).problems == []
    assert atc.extract_folder(f"{far}/in", out, RECIPE, format=form, overwrite=True).unchanged == 0
    names = [name.rpartition("/")[2] for name in system.ls(system._strip_protocol(out), detail=False)]
    assert sorted(names) == ["audiotconv.json", "failures.parquet", "run-2"]
    one = atc.extract_folder(f"{far}/in/dogs/d.wav", f"{far}/one", RECIPE)
    assert (one.done, atc.load(f"{far}/one").keys) == (1, ["d.wav"])
    mixed = atc.extract_folder(top / "dogs", f"{far}/mixed", RECIPE, format=form)
    assert mixed.done == 1
    with pytest.raises(ParameterError, match="cannot be in one store"):
        atc.extract_folder([top, f"{far}/in"], tmp_path / "no", RECIPE)
    with pytest.raises(AudioFileError, match="does not exist"):
        atc.extract_folder(f"{far}/none", tmp_path / "no", RECIPE)
    with pytest.raises(StoreError, match="not a feature store"):
        atc.load(f"{far}/in")
    with pytest.raises(ParameterError, match="neither empty nor a feature store"):
        atc.extract_folder(f"{far}/in", f"{far}/in", RECIPE)


def test_locks_at_addresses(top, place):
    system, far = place
    atc.extract_folder(top, far, RECIPE)
    held = RemotePlace(far).lock()
    with pytest.raises(StoreError, match=rf"another run \(process {os.getpid()}"):
        atc.extract_folder(top, far, RECIPE)
    held.release()
    lock = json.loads(json.dumps({"host": "elsewhere", "process": 1, "since": 0.0, "alive": time.time()}))
    path = system._strip_protocol(f"{far}/{LOCK}")
    system.pipe_file(path, json.dumps(lock).encode())
    with pytest.raises(StoreError, match="on elsewhere"):
        atc.extract_folder(top, far, RECIPE)
    system.pipe_file(path, json.dumps({**lock, "alive": time.time() - 3600}).encode())
    assert atc.extract_folder(top, far, RECIPE).unchanged == 4
    system.pipe_file(path, b"{")
    assert atc.extract_folder(top, far, RECIPE).unchanged == 4


def test_journals_at_addresses_that_lack_a_record(top, place):
    system, far = place
    atc.extract_folder(top, far, RECIPE)
    path = system._strip_protocol(f"{far}/run-1/_journal/000000001.json")
    system.pipe_file(path, b"{")
    with pytest.raises(StoreError, match="damaged"):
        atc.load(far)
    system.rm_file(path)
    with pytest.raises(StoreError, match=r"000000001\.json is not there"):
        atc.load(far)


def test_far_errors_are_plain(top, tmp_path, memory, monkeypatch):
    """Clients raise what they like."""
    uploaded(memory, top, "memory://in")

    def fail(*_, **__):
        raise RuntimeError("no credentials")

    with monkeypatch.context() as patch:
        patch.setattr(type(memory), "pipe_file", fail)
        with pytest.raises(StoreError, match="no credentials"):
            atc.extract_folder(top, "memory://out", RECIPE)
    with monkeypatch.context() as patch:
        patch.setattr(type(memory), "open", fail)
        report = atc.extract_folder("memory://in", tmp_path / "out", RECIPE)
        assert {failure.reason for failure in report.failures} == {"unreadable"}
        assert "no credentials" in report.failures[0].message
    with pytest.raises(ParameterError, match="cannot be reached"):
        atc.load("nosuchprotocol://bucket")
    monkeypatch.setitem(__import__("sys").modules, "fsspec.core", None)
    with pytest.raises(ParameterError, match=r"pip install 'audiotconv\[cloud\]'"):
        atc.load("memory://out")


@pytest.fixture(scope="module")
def bucket():
    """A server on this machine that speaks S3."""
    server_of = pytest.importorskip("moto.server")
    s3fs = pytest.importorskip("s3fs")
    server = server_of.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    system = s3fs.S3FileSystem()
    system.mkdir("bucket")
    yield system
    server.stop()
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("form", ["parquet", "npy"])
def test_s3(top, tmp_path, bucket, form):
    uploaded(bucket, top, f"s3://bucket/{form}/in")
    atc.extract_folder(top, tmp_path / "here", RECIPE, format=form)
    out = f"s3://bucket/{form}/out"
    report = atc.extract_folder(f"s3://bucket/{form}/in", out, RECIPE, format=form)
    assert (report.done, len(report.failures)) == (4, 1)
    assert values(out) == values(tmp_path / "here")
    bucket.invalidate_cache()
    assert atc.extract_folder(f"s3://bucket/{form}/in", out, RECIPE, format=form).unchanged == 4
    bucket.pipe_file(f"bucket/{form}/in/e.wav", (top / "a.wav").read_bytes())
    bucket.invalidate_cache()
    report = atc.extract_folder(f"s3://bucket/{form}/in", out, RECIPE, format=form)
    assert (report.done, report.unchanged) == (5, 4)
    assert verify(out).problems == []
    np.testing.assert_array_equal(atc.load(out)["e.wav"].values, atc.extract(top / "a.wav", RECIPE).values)


# --- Dask ---


@pytest.fixture
def cluster():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster


@pytest.mark.skipif(not JIT, reason="the interpreter's pass has seen the code that runs on a cluster")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_cluster_of_which_a_worker_is_killed(tmp_path, cluster, monkeypatch):
    monkeypatch.setattr(feed, "_LEAST", 1)
    (tmp_path / "in").mkdir()
    for number in range(200):
        write(tmp_path / "in" / f"{number:03}.wav", n=2000 + number, seed=number)
    killed = []

    def kill(state):
        if state.files_done > 20 and not killed:
            worker = next(iter(cluster.workers.values()))
            killed.append(worker.pid)
            os.kill(worker.pid, signal.SIGKILL)

    report = atc.extract_folder(
        tmp_path / "in", tmp_path / "out", RECIPE, scheduler=cluster.scheduler_address, progress=kill
    )
    assert killed
    assert (report.done, report.failures) == (200, [])
    atc.extract_folder(tmp_path / "in", tmp_path / "here", RECIPE)
    assert values(tmp_path / "out") == values(tmp_path / "here")
    assert verify(tmp_path / "out").problems == []


@pytest.mark.skipif(not JIT, reason="processes take seconds to start")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_cluster_of_its_own(top, tmp_path):
    pytest.importorskip("distributed")
    report = atc.extract_folder(top, tmp_path / "out", RECIPE, scheduler="local", workers=1)
    assert (report.done, len(report.failures)) == (4, 1)
    assert len(atc.load(tmp_path / "out")) == 4


def test_schedulers_that_are_not_there(top, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setitem(__import__("sys").modules, "distributed", None)
        with pytest.raises(ParameterError, match=r"pip install 'audiotconv\[dask\]'"):
            atc.extract_folder(top, tmp_path / "out", RECIPE, scheduler="local")
    pytest.importorskip("distributed")
    monkeypatch.setattr("audiotconv.batch.executors._PATIENCE", 0.5)
    with pytest.raises(ParameterError, match="cannot be reached"):
        atc.extract_folder(top, tmp_path / "out", RECIPE, scheduler="tcp://127.0.0.1:9")
