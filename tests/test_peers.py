"""conv1d and pool1d beside the libraries that do the same job."""

from __future__ import annotations

import json
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


@settings(max_examples=60 if JIT else 10)
@given(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 6), st.integers(1, 4), st.integers(1, 3),
    st.integers(0, 3), st.integers(4, 40), st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_conv_transpose1d_as_torch(groups, per_group, each, taps, stride, dilation, padding, time, seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    more = int(rng.integers(0, max(stride, dilation)))
    if (time - 1) * stride - 2 * padding + dilation * (taps - 1) + more + 1 < 1:
        return
    x = rng.standard_normal((2, groups * per_group, time))
    weight = rng.standard_normal((groups * per_group, each, taps))
    bias = rng.standard_normal(groups * each)
    options = {"stride": stride, "padding": padding, "output_padding": more, "groups": groups, "dilation": dilation}
    theirs = torch.nn.functional.conv_transpose1d(*map(torch.from_numpy, (x, weight, bias)), **options).numpy()
    np.testing.assert_allclose(atc.conv_transpose1d(x, weight, bias, **options), theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "gelu", "silu", "tanh", "sigmoid"])
def test_activations_as_torch(activation, rng):
    torch = pytest.importorskip("torch")
    x = (rng.standard_normal(4000) * 5).astype(np.float32)
    theirs = getattr(torch.nn.functional, activation)(torch.from_numpy(x).double()).numpy()
    got = atc.conv1d(x, np.ones(1, np.float32), activation=activation)
    np.testing.assert_allclose(got, theirs, rtol=1e-6, atol=1e-14)


def test_more_pooling_as_torch(rng):
    torch = pytest.importorskip("torch")
    x = rng.standard_normal((2, 3, 50)).astype(np.float32)
    signal = torch.from_numpy(x)
    functional = torch.nn.functional
    for include in (True, False):
        theirs = functional.avg_pool1d(signal, 5, 3, 2, count_include_pad=include).numpy()
        got = atc.pool1d(x, 5, 3, how="mean", padding=2, count_include_pad=include)
        np.testing.assert_allclose(got, theirs, atol=1e-6)
    theirs = functional.max_pool1d(signal, 4, 2, 2, dilation=3).numpy()
    np.testing.assert_array_equal(atc.pool1d(x, 4, 2, padding=2, dilation=3), theirs)
    for frames in (1, 7, 50):
        theirs = functional.adaptive_avg_pool1d(signal, frames).numpy()
        np.testing.assert_allclose(atc.pool1d(x, how="mean", frames=frames), theirs, atol=1e-6)
        theirs = functional.adaptive_max_pool1d(signal, frames).numpy()
        np.testing.assert_array_equal(atc.pool1d(x, frames=frames), theirs)
    for p in (1.0, 2.0, 3.0):
        theirs = functional.lp_pool1d(signal.abs(), p, 6, 2).numpy()
        np.testing.assert_allclose(atc.pool1d(x, 6, 2, how="lp", p=p), theirs, rtol=1e-5)


def test_onnx(conformance):
    """The operators of ONNX, as its own tests have them."""
    sides = {"AveragePool": "mean", "MaxPool": "max"}
    tests = json.loads((conformance / "onnx" / "manifest.json").read_text("utf-8"))
    for name, test in tests.items():
        data = np.load(conformance / "onnx" / f"{name}.npz")
        inputs = {key.split("__")[1]: array for key, array in data.items()}
        (node,) = [node for node in test["nodes"] if node["op"] not in ("Squeeze", "Unsqueeze")]
        attributes = node["attrs"]
        pads = attributes.get("pads", [0, 0])
        padding = (pads[0], pads[len(pads) // 2])
        common = {"dilation": attributes.get("dilations", [1])[0], "padding": padding}
        stride = attributes.get("strides", [1])[0]
        (want,) = [array for key, array in data.items() if key.startswith("out")]
        if node["op"] in sides:
            x = next(array for key, array in data.items() if key.startswith("in0"))
            size = attributes["kernel_shape"][0]
            got = atc.pool1d(x, size, stride, how=sides[node["op"]], **common)
            np.testing.assert_allclose(got, want, rtol=0, atol=0 if node["op"] == "MaxPool" else 1e-6, err_msg=name)
            continue
        run = atc.conv_transpose1d if node["op"] == "ConvTranspose" else atc.conv1d
        got = run(*[inputs[key] for key in node["inputs"]], **common, stride=stride, groups=attributes.get("group", 1))
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-6, err_msg=name)


def test_one_filter_as_scipy_and_numpy(rng):
    x, taps = rng.standard_normal(500), rng.standard_normal(33)
    np.testing.assert_allclose(atc.conv1d(x, taps), signal.correlate(x, taps, "valid", "direct"), atol=1e-12)
    np.testing.assert_allclose(atc.conv1d(x, taps[::-1], padding=32), np.convolve(x, taps), atol=1e-12)
    np.testing.assert_allclose(atc.conv1d(x, taps[::-1], padding="causal"), signal.lfilter(taps, 1, x), atol=1e-12)


@pytest.mark.skipif(not JIT, reason="a benchmark of compiled code")
def test_contenders_of_the_benchmark_do_the_same_job():
    from dataclasses import replace

    from audiotconv.bench.conv import SHAPES, conv_cases, leaf_case
    from audiotconv.bench.pool import pool_cases
    from audiotconv.bench.timing import interleaved

    short = tuple(replace(shape, time=min(shape.time, 4000)) for shape in SHAPES if shape.taps < 2000)
    long = replace(SHAPES[-2], taps=2100, time=4000)
    cases = [*conv_cases(1, (*short, long)), leaf_case(1, 0.3), *pool_cases(1, time=1000)]
    for case in cases:
        results = interleaved(case, 1, 1)
        assert results[0].contender == "audiotconv"
        assert all(result.error < 3e-6 for result in results), results
