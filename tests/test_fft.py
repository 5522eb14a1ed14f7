"""The transform in vectors, and the exponential, against NumPy in double precision."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import JIT
from numba import njit

from audiotconv.kernels import exp, fft, simd

SIZES = [256, 512, 1024, 8192, 32_768] if JIT else [256, 512]


@njit
def there(re, im, at, n, w, edge):
    fft.forward(re, im, at, n, w, edge)


@njit
def back(re, im, at, n, w, edge):
    fft.inverse(re, im, at, n, w, edge)


def frequencies(n, dtype):
    """Which frequency stands at each place: the digits of its number in the steps' radices, reversed."""
    width = simd.VECTOR_BITS // (8 * np.dtype(dtype).itemsize)
    # The last 16 points of `width` blocks are stored transposed.
    place = np.arange(n).reshape(-1, width, 16).transpose(0, 2, 1).reshape(-1)
    frequency, step, length = np.zeros(n, np.int64), 1, n
    for radix in fft.radices(n):
        length //= radix
        frequency += place // length % radix * step
        step *= radix
    return frequency


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_there_and_back(n, dtype, rng):
    dtype = np.dtype(dtype)
    at = 7  # a transform may begin anywhere
    z = rng.standard_normal(n) + 1j * rng.standard_normal(n)
    re, im = np.full(n + 20, 5, dtype), np.full(n + 20, 6, dtype)
    re[at : at + n], im[at : at + n] = z.real, z.imag
    w, edge = fft.twiddles(n, dtype), np.empty(32 * 16, dtype)
    there(re, im, at, n, w, edge)
    order = frequencies(n, dtype)
    assert sorted(order.tolist()) == list(range(n))
    want = np.fft.fft(z)[order]
    limit = 4 * np.finfo(dtype).eps * np.abs(want).max()
    np.testing.assert_allclose(re[at : at + n] + 1j * im[at : at + n], want, rtol=0, atol=limit)
    back(re, im, at, n, w, edge)
    np.testing.assert_allclose((re[at : at + n] + 1j * im[at : at + n]) / n, z, rtol=0, atol=20 * np.finfo(dtype).eps)
    for part, value in ((re[:at], 5), (re[at + n :], 5), (im[:at], 6), (im[at + n :], 6)):
        assert (part == value).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exponential(dtype):
    @njit
    def work(x, out):
        for i in range(0, x.shape[0], simd.lanes(x)):
            simd.store(out, i, exp.exp(simd.load(x, i)))

    low, high = (-87, 88.3) if dtype == np.float32 else (-708, 709.4)
    x = np.linspace(low, high, 4096 if JIT else 64).astype(dtype)
    x[:4] = [0, -1e-30, 1e-9, -5e5]
    out = np.empty_like(x)
    work(x, out)
    np.testing.assert_allclose(out, np.exp(x.astype(np.float64)), rtol=3 * np.finfo(dtype).eps, atol=0)
