"""Convolution and pooling called from a user's own compiled functions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit, prange

import audiotconv as atc
from audiotconv import njit as kernels

WAYS = {name.lower(): getattr(kernels, name) for name in ("MAX", "MIN", "MEAN", "ENERGY", "RMS", "PPV", "MEDIAN")}


@njit
def convolved(x, weight, bias, stride, dilation, left, out):
    kernels.conv1d(x, weight, bias, stride, dilation, left, out)


@njit(parallel=True)
def all_convolved(x, weight, bias, out, peaks):
    for item in prange(x.shape[0]):
        kernels.conv1d(x[item], weight, bias, 1, 2, 4, out[item])
        kernels.pool1d(out[item], kernels.MAX, 5, 3, 0, peaks[item])


@njit
def pooled(x, how, size, hop, left, out):
    kernels.pool1d(x, how, size, hop, left, out)


@given(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 20), st.integers(1, 6), st.integers(1, 20), st.integers(1, 3),
    st.tuples(st.integers(0, 5), st.integers(0, 5)), st.sampled_from([np.float32, np.float64]),
    st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_convolution(groups, channels, each, taps, stride, dilation, padding, dtype, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((groups * channels, 60)).astype(dtype)
    weight = rng.standard_normal((groups * each, channels, taps)).astype(dtype)
    bias = rng.standard_normal(groups * each).astype(dtype)
    shape = {"stride": stride, "dilation": dilation, "padding": padding, "groups": groups}
    want = atc.conv1d(x, weight, bias, **shape, method="packed")
    out = np.empty_like(want)
    convolved(x, weight, bias, stride, dilation, padding[0], out)
    np.testing.assert_array_equal(out, want)


@pytest.mark.parametrize("how", WAYS)
def test_pooling(how, rng):
    x = rng.standard_normal((3, 90)).astype(np.float32)
    want = atc.pool1d(x, 12, 5, how=how, padding=(3, 4))
    out = np.empty_like(want)
    pooled(x, WAYS[how], 12, 5, 3, out)
    np.testing.assert_allclose(out, want, rtol=3e-7, atol=3e-7)


def test_in_parallel(rng):
    x = rng.standard_normal((4, 2, 50)).astype(np.float32)
    weight, bias = rng.standard_normal((9, 2, 3)).astype(np.float32), np.zeros(9, np.float32)
    want = atc.conv1d(x, weight, dilation=2, padding="causal")
    out, peaks = np.empty_like(want), np.empty((4, 9, 16), np.float32)
    all_convolved(x, weight, bias, out, peaks)
    np.testing.assert_array_equal(out, want)
    np.testing.assert_array_equal(peaks, atc.pool1d(want, 5, 3))
