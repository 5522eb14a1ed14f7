"""What a run finds: every recording once, in one order, and what it could not look into."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest
from conftest import ROOT, SMALL
from sounds import write

import audiotconv as atc
from audiotconv.batch.plan import Failure, Plan
from audiotconv.errors import AudioFileError


@pytest.fixture
def top(tmp_path):
    for name in ("a.wav", "closed/b.wav", "open/c.wav"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        write(tmp_path / "in" / name, n=200)
    return tmp_path / "in"


def refused(monkeypatch, function, last):
    before = getattr(os, function)

    def call(path, *args, **options):
        if not isinstance(path, int) and os.path.basename(path) == last:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return before(path, *args, **options)

    monkeypatch.setattr(os, function, call)


@pytest.mark.parametrize("function", ["scandir", "stat"])
def test_a_folder_that_cannot_be_read_is_listed(top, tmp_path, monkeypatch, function):
    refused(monkeypatch, function, "closed")
    report = atc.extract_folder(top, tmp_path / "out", SMALL)
    assert [(failure.key, failure.path, failure.reason) for failure in report.failures] == [
        ("closed", str(top / "closed"), "unreadable")
    ]
    assert report.failures[0].message == f"{top / 'closed'} cannot be searched: Permission denied"
    assert atc.load(tmp_path / "out").keys == ["a.wav", "open/c.wav"]
    assert atc.load(tmp_path / "out").failures[0]["key"] == "closed"


@pytest.mark.parametrize("function", ["scandir", "stat", "lstat"])
def test_an_input_that_cannot_be_read(top, tmp_path, monkeypatch, function):
    refused(monkeypatch, function, "closed")
    with pytest.raises(AudioFileError, match=r"closed cannot be .*: Permission denied") as caught:
        atc.extract_folder(top / "closed", tmp_path / "out", SMALL)
    assert caught.value.reason == "unreadable"
    assert not (tmp_path / "out").exists()


def test_a_folder_that_ends_in_an_error(top, tmp_path, monkeypatch):
    before = os.scandir

    class Broken:
        def __init__(self, entries):
            self.entries = entries

        def __enter__(self):
            return self

        def __exit__(self, *args):
            self.entries.close()

        def __iter__(self):
            yield next(self.entries)
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(
        os, "scandir", lambda path: Broken(before(path)) if str(path).endswith("open") else before(path)
    )
    monkeypatch.setattr("audiotconv.batch.patience._PAUSES", (0.0, 0.0))
    report = atc.extract_folder(top, tmp_path / "out", SMALL)
    assert [failure.message for failure in report.failures] == [
        f"{top / 'open'} cannot be searched: Input/output error"
    ]


@pytest.mark.skipif(os.getuid() != 0, reason="becomes another user")
def test_folders_of_somebody_else(top, tmp_path):
    (top / "closed").chmod(0)
    for place in (tmp_path, *tmp_path.parents[:-2]):
        place.chmod(0o755)
    program = f"""
import os
from audiotconv.batch.plan import Failure, Plan
os.setuid(65534)
failures = [entry for entry in Plan([{str(top)!r}]) if isinstance(entry, Failure)]
items = [entry for entry in Plan([{str(top)!r}]) if not isinstance(entry, Failure)]
print([item.key for item in items], [(failure.key, failure.reason) for failure in failures])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.stdout == "['a.wav', 'open/c.wav'] [('closed', 'unreadable')]\n", done.stderr


def keys(*inputs):
    found = list(Plan(inputs))
    items = sorted((entry for entry in found if not isinstance(entry, Failure)), key=lambda item: item.key)
    failures = [entry for entry in found if isinstance(entry, Failure)]
    assert failures == []
    return [item.key for item in items]


def test_links_to_folders_do_not_count_twice(top, tmp_path):
    whole = keys(top)
    for name in ("0first", "zlast"):  # in whatever order they are met
        os.symlink("open", top / name)
        os.symlink("..", top / "open" / f"{name}-up")
        os.symlink(top / "open", tmp_path / name)
    assert keys(top) == whole == ["a.wav", "closed/b.wav", "open/c.wav"]
    assert keys(tmp_path) == [f"in/{key}" for key in whole]
    assert keys(top, top / "0first", tmp_path / "zlast", top / "open") == [f"in/{key}" for key in whole]
    assert keys(top / "0first", tmp_path / "zlast") == [  # links only: the first one, and from there upwards
        "in/0first/0first-up/a.wav",
        "in/0first/0first-up/closed/b.wav",
        "in/0first/c.wav",
    ]


def test_links_out_of_the_folder_are_followed_once(top, tmp_path):
    (tmp_path / "more" / "deep").mkdir(parents=True)
    write(tmp_path / "more" / "deep" / "d.wav", n=200)
    os.symlink(tmp_path / "more", top / "b-more")
    os.symlink(tmp_path / "more" / "deep", top / "a-deep")
    assert keys(top) == ["a-deep/d.wav", "a.wav", "closed/b.wav", "open/c.wav"]
    assert keys(top, tmp_path / "more") == ["in/a.wav", "in/closed/b.wav", "in/open/c.wav", "more/deep/d.wav"]


def test_bytes_and_paths(top, tmp_path):
    out = tmp_path / "out"
    assert atc.extract_folder(os.fsencode(top), os.fsencode(out), SMALL).target == str(out)
    assert atc.load(os.fsencode(out)).keys == ["a.wav", "closed/b.wav", "open/c.wav"]
    atc.extract_folder([os.fsencode(top / "a.wav"), top / "open"], out, SMALL, prune=True)
    assert len(atc.load(out)) == 2
