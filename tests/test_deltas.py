"""Derivatives along time: against float64, librosa, and torch as HTK and Kaldi define them."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from conftest import JIT
from hypothesis import given
from hypothesis import strategies as st

from audiotconv.errors import ParameterError
from audiotconv.stages import Deltas


def whole(stage, x, threads=1):
    frames = stage.geometry.count(x.shape[2])
    assert frames == x.shape[2]
    return stage.run(x, -stage.geometry.lead, frames, threads)


WAYS = [(kind, edges) for kind in ("regression", "savgol") for edges in ("repeat", "htk", "interp")]
WAYS.remove(("savgol", "htk"))


@given(data=st.data())
def test_against_float64(data):
    kind, edges = data.draw(st.sampled_from(WAYS))
    window = data.draw(st.integers(1, 5), label="window")
    order = data.draw(st.integers(1, min(3, 2 * window)), label="order")
    n = data.draw(st.one_of(st.integers(0, 40), st.sampled_from([1024, 1025, 1040] if JIT else [63])), label="frames")
    statics = data.draw(st.booleans())
    x = np.random.default_rng(data.draw(st.integers(0, 99))).standard_normal((2, 3, n)).astype(np.float32)
    stage = Deltas(("a", "b", "c"), window=window, order=order, kind=kind, edges=edges, statics=statics)
    got = whole(stage, x, data.draw(st.sampled_from([1, 2])))
    assert got.shape == (2, 3 * (order + statics), n)
    assert got.dtype == np.float32
    want = reference.deltas(x.reshape(6, n), window, order, kind, edges).reshape(order, 2, 3, n).swapaxes(0, 1)
    np.testing.assert_allclose(got[:, 3 * statics :].reshape(2, order, 3, n), want, atol=2e-6, rtol=2e-6)
    if statics:
        np.testing.assert_array_equal(got[:, :3], x)


@pytest.mark.parametrize("width", [3, 5, 9])
def test_as_librosa(width, rng):
    librosa = pytest.importorskip("librosa")
    x = (20 * rng.standard_normal((13, 100))).astype(np.float32)
    for mode, edges in (("interp", "interp"), ("nearest", "repeat")):
        got = whole(Deltas(tuple("abcdefghijklm"), window=width // 2, kind="savgol", edges=edges), x[None])[0]
        for order in (1, 2):
            want = librosa.feature.delta(x.astype(np.float64), width=width, order=order, mode=mode)
            np.testing.assert_allclose(got[13 * order : 13 * order + 13], want, atol=3e-7 * np.abs(want).max())


def test_a_constant_gives_nothing_and_large_values_lose_nothing():
    ramp = np.float32(1e6) + np.arange(50, dtype=np.float32)[None, None] / 4
    got = whole(Deltas(("x",), window=3), ramp)
    np.testing.assert_allclose(got[0, 1, 3:-3], 0.25, rtol=1e-6)
    np.testing.assert_allclose(got[0, 2, 6:-6], 0, atol=1e-7)
    assert not whole(Deltas(("x",), order=3), np.full((1, 1, 20), 0.1, np.float32))[0, 1:].any()


def test_htk_and_kaldi_differ_in_edges_of_second_derivatives_only(rng):
    x = rng.standard_normal((1, 1, 40)).astype(np.float32)
    htk, kaldi = (whole(Deltas(("x",), edges=edges), x)[0] for edges in ("htk", "repeat"))
    np.testing.assert_array_equal(htk[:2], kaldi[:2])
    np.testing.assert_allclose(htk[2, 4:-4], kaldi[2, 4:-4], atol=1e-6)
    assert (np.abs(htk[2, :2] - kaldi[2, :2]) > 1e-3).all()


def test_names_and_geometry():
    stage = Deltas(("a", "b"), window=3, order=3)
    assert stage.features == ("a", "b", "delta a", "delta b", "delta2 a", "delta2 b", "delta3 a", "delta3 b")
    assert stage.geometry.latency == 9
    assert Deltas(("a",), window=3, kind="savgol", statics=False).features == ("delta a", "delta2 a")
    assert Deltas(("a",), window=3, kind="savgol").geometry.latency == 3


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"window": 0}, "window is 0"),
        ({"window": 2.0}, "window is 2.0"),
        ({"order": 0}, "order is 0"),
        ({"kind": "sobel"}, "kind is 'sobel'"),
        ({"edges": "zero"}, "edges is 'zero'"),
        ({"edges": "htk", "kind": "savgol"}, 'edges is "htk"'),
        ({"statics": 1}, "statics is 1"),
        ({"kind": "savgol", "window": 1, "order": 3}, "order is 3"),
        ({"window": 501}, "1002 frames ahead"),
    ],
)
def test_impossible_parameters(parameters, message):
    with pytest.raises(ParameterError, match=message):
        Deltas(("x",), **parameters)
