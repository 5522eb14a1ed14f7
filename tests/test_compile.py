"""Compilation done safely: caches, threads and imports, in processes of their own."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from conftest import JIT

import audiotconv as atc
from audiotconv.kernels import compile as compiling
from audiotconv.kernels.compile import available_threads, cache_directory, kernel, on_compile
from audiotconv.kernels.simd import TILE_COLS, TILE_ROWS, VECTOR_BITS

compiled_only = pytest.mark.skipif(not JIT, reason="about compiled code")

POOL = """
import numpy as np, audiotconv as atc
from audiotconv.kernels.compile import on_compile
compiled = []
with on_compile(compiled.append):
    result = atc.pool1d(np.arange(64, dtype=np.float32), 4, how="mean")
assert result.tolist() == [4 * i + 1.5 for i in range(16)], result
print(len(compiled))
"""


def python(program, *arguments, **environment):
    settings = {key: value for key, value in {**os.environ, **environment}.items() if value is not None}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program), *arguments],
        env=settings,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_import_has_no_side_effects_and_loads_little():
    program = """
    import os, sys, threading
    before = dict(os.environ)
    import audiotconv
    assert "numba" not in sys.modules and "scipy" not in sys.modules and "pyarrow" not in sys.modules
    assert before == dict(os.environ)
    import numba
    settings = {name: getattr(numba.config, name) for name in dir(numba.config) if name.isupper()}
    from audiotconv import extract, extract_folder, conv1d
    from audiotconv.kernels.compile import KERNELS
    assert settings == {name: getattr(numba.config, name) for name in settings}
    assert threading.active_count() == 1
    assert KERNELS and all(not vars(kernel).keys() & {"serial", "parallel"} for kernel in KERNELS)
    """
    python(program)


def test_import_is_quick():
    """At most 0.2 s more than NumPy: measured as what is imported, as times on shared machines are not."""
    program = """
    import sys, numpy
    before = set(sys.modules)
    import audiotconv
    print(len(set(sys.modules) - before))
    """
    assert int(python(program).stdout) < 40


@compiled_only
def test_the_cache_is_used_by_the_next_process(tmp_path):
    assert python(POOL, NUMBA_CACHE_DIR=str(tmp_path)).stdout.strip() == "1"
    entries = list(tmp_path.rglob("*.pickle"))
    assert len(entries) == 1
    assert python(POOL, NUMBA_CACHE_DIR=str(tmp_path)).stdout.strip() == "0"
    for damage in (b"", entries[0].read_bytes()[:1000], b"nonsense"):
        entries[0].write_bytes(damage)
        assert python(POOL, NUMBA_CACHE_DIR=str(tmp_path)).stdout.strip() == "1"
        assert python(POOL, NUMBA_CACHE_DIR=str(tmp_path)).stdout.strip() == "0"
    assert not list(tmp_path.rglob("*.tmp"))


@compiled_only
def test_the_cache_knows_the_processor_and_the_form(tmp_path):
    python(POOL, NUMBA_CACHE_DIR=str(tmp_path))
    assert python(POOL, NUMBA_CACHE_DIR=str(tmp_path), NUMBA_CPU_NAME="generic").stdout.strip() == "1"
    parallel = POOL.replace('how="mean"', 'how="mean", threads=2')
    if available_threads() > 1:
        assert python(parallel, NUMBA_CACHE_DIR=str(tmp_path)).stdout.strip() == "1"
        assert python(parallel, NUMBA_CACHE_DIR=str(tmp_path)).stdout.strip() == "0"
    assert python(POOL, NUMBA_CACHE_DIR=str(tmp_path)).stdout.strip() == "0"


def test_the_cache_is_keyed_by_the_kernels_content(tmp_path, monkeypatch):
    """A helper in another file that changes makes another key."""
    before = cache_directory()
    (tmp_path / "a.py").write_text("x = 1")
    monkeypatch.setattr(compiling, "__file__", str(tmp_path / "compile.py"))
    compiling._content.cache_clear()
    first = cache_directory()
    (tmp_path / "a.py").write_text("x = 2")
    compiling._content.cache_clear()
    second = cache_directory()
    monkeypatch.undo()
    compiling._content.cache_clear()
    assert len({before, first, second}) == 3
    assert cache_directory() == before


@compiled_only
@pytest.mark.parametrize("obstacle", ["a file in the way", "no home"])
def test_without_a_place_to_write_it_works_without_a_word(tmp_path, obstacle):
    blocked = tmp_path / "blocked"
    blocked.write_text("not a folder")
    if obstacle == "no home":
        done = python(POOL, NUMBA_CACHE_DIR=None, HOME=str(blocked / "none"), XDG_CACHE_HOME=str(blocked / "none"))
    else:
        done = python(POOL, NUMBA_CACHE_DIR=str(blocked))
    assert done.stdout.strip() == "1"
    assert done.stderr == ""


@compiled_only
def test_a_full_disk_only_costs_the_cache(tmp_path):
    program = "import os\ndef full(*a): raise OSError(28, 'No space left')\nos.replace = full\n" + POOL
    assert python(program, NUMBA_CACHE_DIR=str(tmp_path)).stdout.strip() == "1"
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize("home", [None, ""])
def test_without_a_home_nothing_is_kept(tmp_path, home):
    """A user whom the system does not know has no home, and an empty XDG_CACHE_HOME is none either."""
    program = """
    import os, pwd
    def unknown(uid): raise KeyError(uid)
    pwd.getpwuid = unknown
    from audiotconv.kernels.compile import cache_directory, cache_writable
    assert cache_directory() is None and not cache_writable()
    os.chdir(os.environ["EMPTY"])
    """
    environment = {"HOME": None, "NUMBA_CACHE_DIR": None, "XDG_CACHE_HOME": home, "EMPTY": str(tmp_path)}
    python(textwrap.dedent(program) + POOL, **environment)
    assert not list(tmp_path.iterdir())


@compiled_only
@pytest.mark.parametrize("setting", ["NUMBA_OPT", "NUMBA_BOUNDSCHECK", "NUMBA_SLP_VECTORIZE", "NUMBA_LOOP_VECTORIZE"])
def test_the_cache_knows_numbas_settings(tmp_path, setting):
    python(POOL, NUMBA_CACHE_DIR=str(tmp_path), **{setting: "1"})
    assert python(POOL, NUMBA_CACHE_DIR=str(tmp_path), **{setting: "0"}).stdout.strip() == "1"


@compiled_only
@pytest.mark.parametrize("layer", ["workqueue", "omp"])
def test_a_forked_process_computes_the_same(layer):
    """Its parent's kernel threads are not there, and the lock may have been held by one of them."""
    program = """
    import os, sys, signal, numpy as np, audiotconv as atc
    from audiotconv.kernels import compile as compiling
    x = np.random.default_rng(0).standard_normal((4, 3000)).astype(np.float32)
    weight = np.ones((8, 4, 3), np.float32)
    want = atc.conv1d(x, weight, threads=2)
    with compiling._parallel_lock:
        child = os.fork()
    if child == 0:
        signal.alarm(20)
        os._exit(0 if np.array_equal(atc.conv1d(x, weight, threads=2), want) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert np.array_equal(atc.conv1d(x, weight, threads=2), want)
    """
    python(program, NUMBA_THREADING_LAYER=layer, NUMBA_NUM_THREADS="2")


def installed_layers():
    layers = ["workqueue", "omp"]
    try:
        import tbb  # noqa: F401
    except ImportError:
        return layers
    return [*layers, "tbb"]


@compiled_only
@pytest.mark.parametrize("layer", installed_layers())
def test_eight_threads_call_parallel_kernels(layer):
    program = """
    import threading, sys, numpy as np, audiotconv as atc
    from audiotconv.kernels.compile import threading_layer
    x = np.random.default_rng(0).standard_normal((4, 3000)).astype(np.float32)
    weight = np.ones((8, 4, 3), np.float32)
    want = atc.conv1d(x, weight, threads=1)
    wrong = []
    def work():
        for _ in range(20):
            if not np.array_equal(atc.conv1d(x, weight, threads=2), want):
                wrong.append(1)
    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert not wrong
    assert threading_layer() == sys.argv[1], threading_layer()
    """
    python(program, layer, NUMBA_THREADING_LAYER=layer, NUMBA_NUM_THREADS="2")


@compiled_only
def test_kernels_release_the_gil():
    """While a serial kernel runs in one thread, Python runs in another."""
    import threading
    import time

    import audiotconv as atc

    x = np.zeros((1, 3_000_000), np.float32)
    weight = np.ones((64, 1, 31), np.float32)
    atc.conv1d(x[:, :100], weight, threads=1)
    done = threading.Event()

    def work():
        atc.conv1d(x, weight, threads=1)
        done.set()

    thread = threading.Thread(target=work)
    start = time.perf_counter()
    thread.start()
    turns = 0
    while not done.is_set():
        time.sleep(0.001)
        turns += 1
    thread.join()
    assert turns > 20, time.perf_counter() - start


@compiled_only
def test_threads_are_asked_for_and_given_back():
    import numba

    @kernel
    def count(out):
        for i in numba.prange(out.shape[0]):
            out[i] = numba.get_num_threads()

    try:
        before = numba.get_num_threads()
        out = np.zeros(4, np.int64)
        count(out, threads=10_000)
        assert out.tolist() == [available_threads()] * 4
        numba.set_num_threads(1)
        count(out, threads=10_000)
        numba.set_num_threads(before)
        assert out.tolist() == [1] * 4
        assert numba.get_num_threads() == before
        assert not list(cache_directory().glob("count*"))  # its code holds an address of this process
    finally:
        compiling.KERNELS.remove(count)


def test_listeners_hear_of_their_block_only():
    heard = []
    with on_compile(heard.append):
        assert compiling._listeners == [heard.append]
    assert compiling._listeners == []


def bank_tile():
    from test_contract import small_bank

    from audiotconv.kernels.bank import COLS, ROWS
    from audiotconv.stages import BankEnergy

    stage = BankEnergy(small_bank(16, 8, 0, False), window=8, hop=8)
    stage.run(np.zeros((1, 64), np.int16), 0, 4, 1)
    return ROWS * COLS


def conv_tile():
    atc.conv1d(np.zeros((4, 64), np.float32), np.zeros((8, 4, 3), np.float32), method="packed", threads=1)
    return TILE_ROWS * TILE_COLS


@compiled_only
@pytest.mark.parametrize(("module", "name", "run"), [("bank", "bank_energy", bank_tile), ("conv", "conv1d", conv_tile)])
def test_fused_instructions_and_no_spills(tmp_path, monkeypatch, module, name, run):
    """The inner loops are multiply-adds on the widest registers, and keep their sums in them."""
    if VECTOR_BITS < 256:
        pytest.skip("no fused multiply-add to look for")
    monkeypatch.setattr(compiling.config, "CACHE_DIR", str(tmp_path))  # what comes from a cache cannot be inspected
    home = importlib.import_module(f"audiotconv.kernels.{module}")
    fresh = compiling.Kernel(getattr(home, name).function)
    compiling.KERNELS.remove(fresh)
    monkeypatch.setattr(home, name, fresh)
    tile = run()
    assembly = next(iter(fresh.serial.inspect_asm().values()))
    register = "zmm" if VECTOR_BITS == 512 else "ymm"
    loops = re.split(r"^\.L\w+:", assembly, flags=re.MULTILINE)
    best = max(loops, key=lambda block: len(re.findall(rf"vfmadd\w+ps.*%{register}", block)))
    assert len(re.findall(rf"vfmadd\w+ps.*%{register}", best)) >= tile
    assert not re.findall(rf"vmov[au]ps\s+%{register}\d+, [-\d]*\(%r[sb]p", best), "a sum is spilled to the stack"
