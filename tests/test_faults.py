"""A machine that fails beneath everything: reads and writes that end in errors, by a library that is loaded before."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from conftest import JIT, ROOT, SMALL
from sounds import write

import audiotconv as atc
from audiotconv.batch import verify

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Fails once so many of the calls for files of whose name a part is given have been let through. */
static int fails(int fd, const char *what, const char *of, const char *after) {
    char link[64], name[4096];
    const char *part = getenv(of);
    static __thread int inside;
    if (!part || inside) return 0;
    inside = 1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, name, sizeof name - 1);
    int hit = 0;
    if (n > 0) {
        name[n] = 0;
        const char *left = getenv(after);
        static int count[2];
        hit = strstr(name, part) && __sync_add_and_fetch(&count[what[0] == 'r'], 1) > (left ? atoi(left) : 0);
    }
    inside = 0;
    if (hit) errno = atoi(getenv("FAULT_ERRNO"));
    return hit;
}
ssize_t read(int fd, void *to, size_t n) {
    static ssize_t (*real)(int, void *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "read");
    return fails(fd, "read", "FAULT_READ", "FAULT_AFTER") ? -1 : real(fd, to, n);
}
ssize_t pread64(int fd, void *to, size_t n, off_t at) {
    static ssize_t (*real)(int, void *, size_t, off_t);
    if (!real) real = dlsym(RTLD_NEXT, "pread64");
    return fails(fd, "read", "FAULT_READ", "FAULT_AFTER") ? -1 : real(fd, to, n, at);
}
ssize_t pread(int fd, void *to, size_t n, off_t at) { return pread64(fd, to, n, at); }
ssize_t write(int fd, const void *from, size_t n) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "write");
    return fails(fd, "write", "FAULT_WRITE", "FAULT_AFTER") ? -1 : real(fd, from, n);
}
int fsync(int fd) {
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fsync");
    return fails(fd, "write", "FAULT_SYNC", "FAULT_AFTER") ? -1 : real(fd);
}
"""
PROGRAM = """
import sys
import audiotconv as atc
from audiotconv.batch import owner, work
owner._PAUSES = work._PAUSES = (0.0, 0.0)
report = atc.extract_folder(sys.argv[1], sys.argv[2], sys.argv[3], workers=2, format=sys.argv[4])
print(report.done, sorted((failure.key, failure.reason) for failure in report.failures))
"""

pytestmark = [
    pytest.mark.skipif(not JIT, reason="failing calls are the same in both passes"),
    pytest.mark.skipif(not sys.platform.startswith("linux") or not shutil.which("cc"), reason="needs a C compiler"),
]


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shim")
    (folder / "shim.c").write_text(SHIM)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "shim.so", "shim.c", "-ldl"], cwd=folder, check=True)
    return folder / "shim.so"


@pytest.fixture
def top(tmp_path):
    for name in ("a.wav", "b/victim.wav", "b/c.flac", "d.wav"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        write(tmp_path / "in" / name, n=3000, seed=len(name))
    return tmp_path / "in"


def run(shim, top, out, form, **faults):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LD_PRELOAD": str(shim), **faults}
    command = [sys.executable, "-c", PROGRAM, str(top), str(out), str(SMALL), form]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


@pytest.mark.parametrize("form", ["parquet", "npy"])
@pytest.mark.parametrize(
    ("where", "part", "code"),
    [
        ("FAULT_WRITE", "/_journal", 28),
        ("FAULT_WRITE", ".parquet", 28),
        ("FAULT_WRITE", ".parquet", 122),
        ("FAULT_SYNC", ".parquet", 5),
        ("FAULT_SYNC", "/run-1", 5),
        ("FAULT_WRITE", ".npy", 28),
    ],
    ids=["full journal", "full shard", "quota", "failing shard", "failing folder", "full file"],
)
def test_writing_fails(shim, top, tmp_path, form, where, part, code):
    """Whenever it does, what is there is right, and the next run does the rest."""
    wanted = {
        row.key: row.values.tobytes()
        for row in (atc.extract_folder(top, tmp_path / "here", SMALL), atc.load(tmp_path / "here"))[1]
    }
    for after in (0, 3):
        out = tmp_path / f"out{after}"
        done = run(shim, top, out, form, **{where: part, "FAULT_AFTER": str(after), "FAULT_ERRNO": str(code)})
        if done.returncode:
            assert "StoreError" in done.stderr.splitlines()[-1]
            assert os.strerror(code) in done.stderr
        if (out / "audiotconv.json").exists():
            found = {row.key: row.values.tobytes() for row in atc.load(out)}
            assert found.items() <= wanted.items()
        assert atc.extract_folder(top, out, SMALL, format=form).done == 4
        assert {row.key: row.values.tobytes() for row in atc.load(out)} == wanted
        assert verify(out).problems == []


@pytest.mark.parametrize("code", [5])
@pytest.mark.parametrize("after", [0, 5, 9])
def test_reading_fails(shim, top, tmp_path, code, after):
    """Not the file is damaged but the way to it: it is tried again, now and by the next run."""
    out = tmp_path / "out"
    done = run(shim, top, out, "parquet", FAULT_READ="victim", FAULT_AFTER=str(after), FAULT_ERRNO=str(code))
    assert done.stdout == "3 [('b/victim.wav', 'unreadable')]\n", done.stderr
    assert run(shim, top, out, "parquet").stdout == "4 []\n"
    assert verify(out).problems == []
