"""The vector layer: every operation, compiled, against its plain Python body."""

from __future__ import annotations

import operator
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import JIT
from numba import config, njit
from numba.core.errors import TypingError

from audiotconv.kernels import simd

REALS = (np.float32, np.float64)


def lanes_of(dtype):
    return simd.VECTOR_BITS // (8 * np.dtype(dtype).itemsize)


@pytest.mark.parametrize("dtype", REALS)
def test_load_store_gather_broadcast_and_arithmetic(dtype, rng):
    count = lanes_of(dtype)
    a = rng.standard_normal(4 * count + 3).astype(dtype)
    b = rng.uniform(0.5, 2.0, 4 * count + 3).astype(dtype)

    @njit
    def work(a, b, scale, out):
        n = simd.lanes(a)
        x, y = simd.load(a, 1), simd.load(b, 2)
        simd.store(out, 0, x + y)
        simd.store(out, n, x - y)
        simd.store(out, 2 * n, x * y)
        simd.store(out, 3 * n, x / y)
        simd.store(out, 4 * n, simd.fma(x, y, simd.broadcast(scale)))
        simd.store(out, 5 * n, simd.sqrt(y))
        simd.store(out, 6 * n, simd.minimum(x, y))
        simd.store(out, 7 * n, simd.maximum(x, y))
        simd.store(out, 8 * n, simd.gather(a, 1, 3))
        simd.store(out, 9 * n, -x)
        simd.store(out, 10 * n, simd.evens(x, y))
        simd.store(out, 11 * n, simd.odds(x, y))
        simd.store(out, 12 * n, simd.splat(x, 3) + simd.splat(y, simd.itemsize(x)))
        return n

    out = np.full(13 * count + 1, 77, dtype)
    assert work(a, b, dtype(3), out) == count
    x, y = a[1 : 1 + count], b[2 : 2 + count]
    exact = [x + y, x - y, x * y, x / y, None, np.sqrt(y), np.minimum(x, y), np.maximum(x, y), a[1 : 1 + 3 * count : 3]]
    both = np.concatenate([x, y])
    exact += [-x, both[::2], both[1::2], np.full(count, 3 + np.dtype(dtype).itemsize)]
    for got, want in zip(out.reshape(-1)[: 13 * count].reshape(13, count), exact, strict=True):
        if want is not None:
            np.testing.assert_array_equal(got, want)
    fused = np.asarray(x, np.longdouble) * y + 3
    np.testing.assert_allclose(
        out[4 * count : 5 * count], fused, rtol=2 * np.finfo(dtype).eps, atol=np.finfo(dtype).eps
    )
    assert out[-1] == 77  # no store beyond its vector


@pytest.mark.parametrize("dtype", REALS)
@pytest.mark.parametrize("compare", [operator.lt, operator.le, operator.gt, operator.ge, operator.eq])
def test_comparisons_and_select(dtype, compare, rng):
    count = lanes_of(dtype)
    a = rng.integers(-1, 2, count).astype(dtype)
    b = rng.integers(-1, 2, count).astype(dtype)
    a[0] = np.nan

    @njit
    def work(a, b, out):
        x, y = simd.load(a, 0), simd.load(b, 0)
        simd.store(out, 0, simd.select(compare(x, y), x, y))

    out = np.zeros(count, dtype)
    work(a, b, out)
    np.testing.assert_array_equal(out, np.where(compare(a, b), a, b))


def test_bits(rng):
    count = lanes_of(np.float32)
    a = rng.standard_normal(count).astype(np.float32)

    @njit
    def work(a, out, numbers):
        bits = simd.as_int(simd.load(a, 0))
        one = simd.broadcast(np.int32(1))
        shifted = ((bits >> simd.broadcast(np.int32(3))) & simd.broadcast(np.int32(255))) | (one << one)
        simd.store(out, 0, simd.as_float(bits))
        simd.store(numbers, 0, simd.to_float(shifted + one - one))

    out, numbers = np.empty_like(a), np.empty_like(a)
    work(a, out, numbers)
    np.testing.assert_array_equal(out, a)
    np.testing.assert_array_equal(numbers, ((a.view(np.int32) >> 3) & 255) | 2)


@pytest.mark.parametrize("dtype", REALS)
def test_tiles(dtype, rng):
    count = lanes_of(dtype)
    rows, cols = 3, 2
    a = rng.standard_normal(20).astype(dtype)
    w = rng.standard_normal(5 * cols * count).astype(dtype)

    @njit
    def work(a, w, out):
        width = 2 * simd.lanes(a)
        acc = simd.zeros(a, 3, 2)
        for k in range(5):
            acc = simd.outer(acc, a, k, 4, simd.load_tile(w, k * width, 2))
        acc = acc * acc + acc - acc
        simd.store_rows(out, 1, width + 1, acc)

    out = np.full(rows * (cols * count + 1) + 1, 55, dtype)
    work(a, w, out)
    taps = w.reshape(5, cols * count).astype(np.longdouble)
    want = np.array([sum(a[k + 4 * r] * taps[k] for k in range(5)) for r in range(rows)]) ** 2
    got = out[1:].reshape(rows, cols * count + 1)
    np.testing.assert_allclose(got[:, :-1], want, rtol=1e3 * np.finfo(dtype).eps, atol=20 * np.finfo(dtype).eps)
    assert out[0] == 55
    assert (got[:, -1] == 55).all()


@pytest.mark.parametrize("dtype", REALS)
def test_tiles_without_what_is_negative(dtype):
    count = lanes_of(dtype)
    w = np.resize(np.array([-2, -0.0, 0, 3, np.nan, -np.inf, np.inf], dtype), 2 * count)

    @njit
    def work(w, out):
        acc = simd.outer(simd.zeros(w, 1, 2), np.ones(1, w.dtype), 0, 0, simd.load_tile(w, 0, 2))
        simd.store_rows(out, 0, 0, simd.relu(acc))

    out = np.empty_like(w)
    work(w, out)
    np.testing.assert_array_equal(out, np.where(w < 0, 0, w))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_transpose(dtype, rng):
    count = lanes_of(dtype)
    a = rng.integers(0, 1000, (count + 2, count + 5)).astype(dtype)
    out = np.zeros((count + 1, count + 3), dtype)

    @njit
    def work(a, out):
        simd.transpose(a, a.shape[1] + 2, a.shape[1], out, 1, out.shape[1])

    work(a, out)
    want = np.zeros_like(out)
    want[:count, 1 : 1 + count] = a[1 : 1 + count, 2 : 2 + count].T
    np.testing.assert_array_equal(out, want)


@pytest.mark.skipif(not JIT, reason="typing happens in the compiler only")
def test_operations_refuse_what_they_do_not_know():
    @njit
    def strided(a):
        return simd.load(a, 0)

    @njit
    def mixed(a, b):
        return simd.load(a, 0) + simd.load(b, 0)

    with pytest.raises(TypingError):
        strided(np.zeros(100, np.float32)[::2])
    with pytest.raises(TypingError):
        mixed(np.zeros(100, np.float32), np.zeros(100))


@pytest.mark.skipif(not JIT, reason="the processor's features matter to compiled code only")
@pytest.mark.parametrize(
    ("cpu", "features", "bits"),
    [("generic", None, 128), ("haswell", "+sse4.2,+avx,+avx2,+fma", 256)],
)
def test_other_processors_compute_the_same(cpu, features, bits, tmp_path):
    """Without AVX, and without fused multiply-add, results are right; with them, they do not depend on the width."""
    if bits == 256 and simd.VECTOR_BITS < 256:
        pytest.skip("this processor has no AVX2")
    program = """
import sys, numpy as np, audiotconv as atc
from audiotconv.kernels.simd import VECTOR_BITS
rng = np.random.default_rng(0)
x = rng.standard_normal((3, 2000)).astype(np.float32)
np.savez(sys.argv[1], bits=VECTOR_BITS,
    energy=atc.extract(x, "gabor-40", sample_rate=8000).values,
    conv=atc.conv1d(x, rng.standard_normal((5, 3, 7)).astype(np.float32), dilation=3, padding="causal"),
    pool=atc.pool1d(x, 5, 2, how="energy"))
"""
    results = []
    for name, environment in (("here", {}), ("there", {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": features})):
        path = tmp_path / f"{name}.npz"
        settings = {**os.environ, **{key: value for key, value in environment.items() if value is not None}}
        subprocess.run([sys.executable, "-c", program, str(path)], check=True, env=settings)
        with np.load(path) as file:
            results.append({key: file[key] for key in file.files})
    here, there = results
    assert there["bits"] == bits
    for key in ("energy", "conv", "pool"):
        if bits == 256:
            np.testing.assert_array_equal(here[key], there[key])
        else:
            np.testing.assert_allclose(there[key], here[key], rtol=2e-4, atol=1e-5)
    assert config.CPU_NAME is None or cpu != config.CPU_NAME


def test_the_loop_that_measures_the_peak_computes(rng):
    from audiotconv.kernels.bank import BAND_GROUP, ROWS
    from audiotconv.kernels.machine import multiply_add_loop

    numbers = rng.standard_normal(5 + ROWS).astype(np.float32)
    vectors = rng.standard_normal((5, BAND_GROUP)).astype(np.float32)
    out = np.empty((ROWS, BAND_GROUP), np.float32)
    multiply_add_loop(numbers, vectors, 3, out)
    want = 3 * np.lib.stride_tricks.sliding_window_view(numbers, 5)[:ROWS] @ vectors
    np.testing.assert_allclose(out, want, atol=1e-5)


@pytest.mark.parametrize("dtype", REALS)
def test_copy(dtype, rng):
    a = rng.standard_normal(100).astype(dtype)

    @njit
    def work(a, out, count):
        simd.copy(a, 3, out, 5, count)

    for count in (-1, 0, 1, lanes_of(dtype), 2 * lanes_of(dtype) + 1):
        out = np.zeros(60, dtype)
        work(a, out, count)
        np.testing.assert_array_equal(out[5 : 5 + max(0, count)], a[3 : 3 + max(0, count)])
        assert not out[:5].any()
        assert not out[5 + max(0, count) :].any()
