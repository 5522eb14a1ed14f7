"""conv1d and pool1d beside the libraries that do the same job."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from conftest import JIT
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

import audiotconv as atc


@settings(max_examples=80 if JIT else 10)
@given(
    st.integers(1, 3),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 6),
    st.integers(0, 90),
    st.integers(0, 2**32 - 1),
)
def test_conv1d_as_torch(groups, per_group, each, taps, stride, dilation, padding, extra, seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    time = max(0, dilation * (taps - 1) + 1 - 2 * padding) + extra
    x = rng.standard_normal((2, groups * per_group, time)).astype(np.float32)
    weight = rng.standard_normal((groups * each, per_group, taps)).astype(np.float32)
    bias = rng.standard_normal(groups * each).astype(np.float32)
    options = {"stride": stride, "dilation": dilation, "padding": padding, "groups": groups}
    theirs = torch.nn.functional.conv1d(*map(torch.from_numpy, (x, weight, bias)), **options).numpy()
    np.testing.assert_allclose(atc.conv1d(x, weight, bias, **options), theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("taps", [1, 2, 5, 8])
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_same_padding_as_torch(taps, dilation, rng):
    torch = pytest.importorskip("torch")
    x = rng.standard_normal((1, 2, 40))
    weight = rng.standard_normal((3, 2, taps))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that even windows cost it a copy
        theirs = torch.nn.functional.conv1d(
            torch.from_numpy(x), torch.from_numpy(weight), padding="same", dilation=dilation
        )
    np.testing.assert_allclose(atc.conv1d(x, weight, padding="same", dilation=dilation), theirs.numpy(), atol=1e-12)


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("hop", [1, 3])
@pytest.mark.parametrize("padding", [0, 1])
def test_pool1d_as_torch(size, hop, padding, rng):
    torch = pytest.importorskip("torch")
    if 2 * padding > size:
        pytest.skip("torch allows padding up to half the window")
    x = rng.standard_normal((2, 3, 50)).astype(np.float32)
    pooled = torch.nn.functional.max_pool1d(torch.from_numpy(x), size, hop, padding)
    np.testing.assert_array_equal(atc.pool1d(x, size, hop, padding=padding), pooled.numpy())
    pooled = torch.nn.functional.avg_pool1d(torch.from_numpy(x), size, hop, padding)
    np.testing.assert_allclose(atc.pool1d(x, size, hop, how="mean", padding=padding), pooled.numpy(), atol=1e-6)


def test_one_filter_as_scipy_and_numpy(rng):
    x, taps = rng.standard_normal(500), rng.standard_normal(33)
    np.testing.assert_allclose(atc.conv1d(x, taps), signal.correlate(x, taps, "valid", "direct"), atol=1e-12)
    np.testing.assert_allclose(atc.conv1d(x, taps[::-1], padding=32), np.convolve(x, taps), atol=1e-12)
    np.testing.assert_allclose(atc.conv1d(x, taps[::-1], padding="causal"), signal.lfilter(taps, 1, x), atol=1e-12)


@pytest.mark.skipif(not JIT, reason="a benchmark of compiled code")
def test_contenders_of_the_benchmark_do_the_same_job():
    from dataclasses import replace

    from audiotconv.bench.conv import SHAPES, conv_cases
    from audiotconv.bench.timing import interleaved

    short = tuple(replace(shape, time=min(shape.time, 4000)) for shape in SHAPES)
    for case in conv_cases(1, short):
        results = interleaved(case, 1, 1)
        assert results[0].contender == "audiotconv"
        assert all(result.error < 3e-6 for result in results), results
