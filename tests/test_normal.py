"""Means and deviations: against float64, with Kaldi's windows, and without drift."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from conftest import JIT
from hypothesis import given
from hypothesis import strategies as st

from audiotconv.errors import ParameterError
from audiotconv.stages import MeanVariance


def names(count):
    return tuple(str(n) for n in range(count))


def whole(stage, x, threads=1):
    frames = stage.geometry.count(x.shape[2])
    assert frames == x.shape[2]
    return stage.run(x, -stage.geometry.lead, frames, threads)


@given(data=st.data())
def test_sliding_against_float64(data):
    window = data.draw(st.integers(1, 12), label="window")
    least = data.draw(st.integers(1, window), label="least")
    centre, variance = data.draw(st.booleans(), label="centre"), data.draw(st.booleans(), label="variance")
    rows = data.draw(st.integers(1, 17), label="rows")
    n = data.draw(st.integers(0, 60), label="frames")
    x = np.random.default_rng(data.draw(st.integers(0, 99))).standard_normal((1, rows, n)).astype(np.float32) + 10
    stage = MeanVariance(names(rows), mode="sliding", window=window, least=least, centre=centre, variance=variance)
    got = whole(stage, x, data.draw(st.sampled_from([1, 2])))
    want = reference.sliding_normal(x[0], window, least, centre, variance)
    np.testing.assert_allclose(got[0], want, rtol=2e-6, atol=2e-6)


def kaldi(x, window, least, centre, variance):
    """Kaldi's own loop, step by step, with sums that are updated."""
    x = x.astype(np.float64)
    out = np.zeros_like(x)
    last = None
    for t in range(len(x)):
        start, stop = (t - window // 2, t - window // 2 + window) if centre else (t - window, t + 1)
        if start < 0:
            start, stop = 0, stop - start
        if not centre and stop > t:
            stop = max(t + 1, least)
        if stop > len(x):
            start, stop = max(0, start - (stop - len(x))), len(x)
        if last is None:
            total, square = x[start:stop].sum(0), (x[start:stop] ** 2).sum(0)
        else:
            for lost in range(last[0], start):
                total, square = total - x[lost], square - x[lost] ** 2
            for come in range(last[1], stop):
                total, square = total + x[come], square + x[come] ** 2
        last, size = (start, stop), stop - start
        out[t] = x[t] - total / size
        if variance:
            out[t] *= np.maximum(square / size - (total / size) ** 2, 1e-10) ** -0.5 if size > 1 else 0
    return out


@pytest.mark.parametrize("n", [1, 50, 150, 700] if JIT else [1, 60])
@pytest.mark.parametrize("variance", [False, True])
@pytest.mark.parametrize("centre", [False, True])
def test_windows_are_kaldis(n, centre, variance, rng):
    x = rng.standard_normal((1, 13, n)).astype(np.float32)
    window, least = (300, 100) if JIT else (20, 10)
    stage = MeanVariance(names(13), mode="sliding", window=window, least=least, centre=centre, variance=variance)
    want = kaldi(x[0].T, window, least, centre, variance).T
    np.testing.assert_allclose(whole(stage, x)[0], want, rtol=1e-6, atol=1e-6)


def test_a_loud_frame_is_forgotten(rng):
    x = rng.standard_normal((1, 2, 200)).astype(np.float32)
    x[0, :, 20] = 1e25
    stage = MeanVariance(names(2), mode="sliding", window=30, least=30)
    np.testing.assert_allclose(
        whole(stage, x)[0, :, 60:], reference.sliding_normal(x[0], 30, 30, False, True)[:, 60:], rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("n", [0, 1, 2, 100])
@pytest.mark.parametrize("ddof", [0, 1])
def test_utterance(n, ddof, rng):
    x = (rng.standard_normal((2, 5, n)) * 3 + 20).astype(np.float32)
    centred = x - x.mean(axis=2, dtype=np.float64, keepdims=True) if n else x
    got = whole(MeanVariance(names(5), ddof=ddof), x)
    assert got.dtype == np.float32
    if n > 1:
        np.testing.assert_allclose(got, centred / x.astype(np.float64).std(axis=2, ddof=ddof, keepdims=True), rtol=1e-6)
    else:
        np.testing.assert_array_equal(got, 0 * x)
    np.testing.assert_allclose(whole(MeanVariance(names(5), variance=False), x), centred, rtol=1e-6)


def test_given(rng):
    x = rng.standard_normal((2, 3, 50)).astype(np.float32)
    mean, std = [1.0, -2.0, 3.0], [0.5, 1.0, 4.0]
    stage = MeanVariance(names(3), mode="given", mean=mean, std=std)
    assert not stage.whole
    want = (x - np.array(mean)[:, None]) / np.array(std)[:, None]
    np.testing.assert_allclose(whole(stage, x), want, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(stage.run(x, 10, 7, 1), whole(stage, x)[..., 10:17])
    plain = whole(MeanVariance(names(3), mode="given", mean=mean, std=std, variance=False), x)
    np.testing.assert_array_equal(plain, whole(MeanVariance(names(3), mode="given", mean=mean), x))


@pytest.mark.parametrize("value", [0.0, 0.1, 1e9])
def test_constants_give_zeros(value):
    x = np.full((1, 2, 40), value, np.float32)
    for stage in (MeanVariance(names(2)), MeanVariance(names(2), mode="sliding", window=7, least=3)):
        np.testing.assert_allclose(whole(stage, x), 0, atol=1e-3)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"mode": "global"}, "mode is 'global'"),
        ({"variance": 1}, "variance is 1"),
        ({"centre": None}, "centre is None"),
        ({"ddof": 2}, "ddof is 2"),
        ({"floor": 0}, "floor is 0"),
        ({"mode": "sliding", "window": 0}, "window is 0"),
        ({"mode": "sliding", "window": 1 << 21}, "window is 2097152"),
        ({"mode": "sliding", "window": 10, "least": 11}, "least is 11"),
        ({"mode": "given"}, 'mode is "given" and mean and std are missing'),
        ({"mean": [0, 0, 0]}, 'mode is "utterance" and mean and std are not missing'),
        ({"mode": "given", "mean": [0, 0]}, r"mean has the shape \(2,\); it must be 3"),
        ({"mode": "given", "mean": [0, 0, float("nan")]}, "mean has the shape"),
        ({"mode": "given", "mean": [0, 0, 0], "std": [1, 1, 0]}, "std is 0.0"),
        ({"mode": "given", "mean": "abc"}, "mean is of type"),
    ],
)
def test_impossible_parameters(parameters, message):
    with pytest.raises(ParameterError, match=message):
        MeanVariance(names(3), **parameters)
