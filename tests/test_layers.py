"""Layers and stacks: what the functions and torch give, of any length, and errors that say what does not fit."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

import audiotconv as atc
from audiotconv.errors import ParameterError
from audiotconv.geometry import Geometry
from audiotconv.stages import Chain


def weights(*shape, seed=0):
    return (np.random.default_rng(seed).standard_normal(shape) / np.sqrt(shape[1] * shape[2])).astype(np.float32)


def tcn(layers=4, channels=6, taps=3, **options):
    options = {"padding": "causal", "activation": "relu", **options}
    return atc.Stack(
        [atc.Conv1d(weights(channels, channels, taps, seed=n), dilation=2**n, **options) for n in range(layers)]
    )


@settings(max_examples=30)
@given(st.integers(1, 60), st.integers(1, 4), st.integers(1, 3), st.sampled_from(["valid", "same", "causal", 3]))
def test_a_layer_is_the_function(n, taps, dilation, padding):
    weight, bias = weights(5, 4, taps), np.arange(5.0)
    x = np.random.default_rng(n).standard_normal((2, 4, n)).astype(np.float32)
    layer = atc.Conv1d(weight, bias, dilation=dilation, padding=padding, activation="tanh")
    frames = layer.geometry.count(n)
    got = atc.Stack([layer])(x)
    assert got.shape == (2, 5, frames)
    if frames:
        want = atc.conv1d(x, weight, bias.astype(np.float32), dilation=dilation, padding=padding, activation="tanh")
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("how", ["max", "min", "mean", "energy", "rms", "lp", "ppv", "median"])
def test_a_pooling_layer_is_the_function(how, rng):
    x = rng.standard_normal((2, 3, 50)).astype(np.float32)
    layer = atc.Pool1d(3, 5, 2, how=how, padding=2)
    np.testing.assert_array_equal(atc.Stack([layer])(x), atc.pool1d(x, 5, 2, how=how, padding=2))
    whole = atc.Stack([atc.Pool1d(("a", "b", "c"), how=how)])
    assert whole.features == ("a", "b", "c")
    np.testing.assert_array_equal(whole(x), atc.pool1d(x, how=how))


def test_pooled_statistics_and_attention(rng):
    x = rng.standard_normal((3, 40)).astype(np.float32)
    stats = atc.Pool1d(("a", "b", "c"), 8, how="stats", ddof=1)
    assert stats.features[:2] == ("a mean", "a deviation")
    want = atc.pool1d(x, 8, how="stats", ddof=1)
    np.testing.assert_array_equal(atc.Stack([stats])(x), want.reshape(6, 5))
    attention = atc.Pool1d(("a", "score", "b"), 8, 4, how="attention", scores=1)
    want = atc.pool1d(x[[0, 2]], 8, 4, how="attention", weights=x[1])
    np.testing.assert_array_equal(atc.Stack([attention])(x), want)


def test_a_stack_against_float64(rng):
    x = rng.standard_normal((6, 200))
    y = x
    for n in range(4):
        weight = weights(6, 6, 3, seed=n).astype(np.float64)
        y = np.maximum(reference.conv1d(y[None], weight, dilation=2**n, left=2 * 2**n)[0], 0)
    np.testing.assert_allclose(tcn()(x), y, rtol=1e-5, atol=1e-6)


def test_receptive_field_stride_and_latency():
    assert tcn().geometry == Geometry(span=31, lead=30, centre=60, least=1)
    strided = atc.Stack([atc.Conv1d(weights(4, 1, 5), stride=2), atc.Pool1d(4, 3), atc.Conv1d(weights(2, 4, 3))])
    assert (strided.geometry.span, strided.geometry.hop) == (5 + 2 * 2 + 2 * 6, 6)
    ahead = atc.Residual([atc.Conv1d(weights(4, 4, 5), dilation=3, padding="same")])
    assert (ahead.geometry.latency, ahead.geometry.lead) == (6, 6)
    causal = atc.Residual([atc.Conv1d(weights(4, 4, 5), padding="causal")])
    assert causal.geometry == Geometry(span=5, lead=4, centre=8, least=1)
    assert causal.geometry.times(3, 1).tolist() == [0, 1, 2]


def test_residual_sums(rng):
    x = rng.standard_normal((2, 4, 30)).astype(np.float32)
    layer = atc.Conv1d(weights(4, 4, 3), padding="same", activation="relu")
    want = x + atc.conv1d(x, weights(4, 4, 3), padding="same", activation="relu")
    np.testing.assert_array_equal(atc.Residual([layer])(x), want)
    np.testing.assert_array_equal(atc.Residual([layer], activation="relu")(x), np.maximum(want, 0))
    wider = atc.Residual([atc.Conv1d(weights(7, 4, 3), stride=2, padding=1)], [atc.Conv1d(weights(7, 4, 1), stride=2)])
    want = atc.conv1d(x, weights(7, 4, 3), stride=2, padding=1) + atc.conv1d(x, weights(7, 4, 1), stride=2)
    np.testing.assert_array_equal(wider(x), want)
    for block in (wider, atc.Residual([layer])):
        flow = block.flow(batch=2)
        parts = [flow.push(x[..., at : at + 4], last=at + 4 >= 30) for at in range(0, 30, 4)]
        np.testing.assert_array_equal(np.concatenate(parts, axis=-1), block(x))
        assert flow.given == block.geometry.count(30)
        with pytest.raises(ParameterError, match="begin another flow"):
            flow.push(x)


def test_samples_through_a_stack(rng):
    """A stack can be the first stage: samples of integers are scaled, also those that pass a block by."""
    x = rng.integers(-3000, 3000, (2, 90)).astype(np.int16)
    block = atc.Residual([atc.Conv1d(weights(1, 1, 5), padding="same")])
    chain = Chain([atc.Stack([block, atc.Conv1d(weights(3, 1, 4))])])
    scaled = (x / 32768).astype(np.float32)[:, None]
    np.testing.assert_array_equal(chain.run(x), atc.Stack([block, atc.Conv1d(weights(3, 1, 4))])(scaled))


def test_leading_dimensions_and_layouts(rng):
    stack = tcn()
    x = rng.standard_normal((2, 3, 6, 40))
    whole = stack(x)
    assert whole.shape == (2, 3, 6, 40)
    np.testing.assert_array_equal(whole[1, 2], stack(x[1, 2]))
    np.testing.assert_array_equal(stack(np.asfortranarray(x.astype(">f4"))), stack(x.astype(np.float32)))
    np.testing.assert_array_equal(stack(x, threads=2), whole)
    assert stack(x[..., :0]).shape == (2, 3, 6, 0)
    assert stack.flow().push(x[0, 0, :, :0]).shape == (6, 0)
    assert stack.flow(3).push(x[0, :, :, :0]).shape == (3, 6, 0)
    with np.errstate(all="ignore"):
        assert not np.isfinite(atc.Stack([atc.Conv1d(weights(1, 1, 1))])(np.full((1, 1), 1e300))).any()


def test_a_state_of_a_stack_goes_on(rng):
    from audiotconv.stages import Flow

    stack = atc.Stack([tcn(2, padding="same"), atc.Residual([atc.Conv1d(weights(6, 6, 5), padding="same")])])
    x = rng.standard_normal((1, 6, 100)).astype(np.float32)
    one, other = (Flow(Chain([stack]), 1) for _ in range(2))
    one.push(x[..., :41])
    other.restore(one.state())
    for chunk, last in ((x[..., 41:43], False), (x[..., 43:], True)):
        np.testing.assert_array_equal(other.push(chunk, last), one.push(chunk, last))
    state = one.state()
    with pytest.raises(ParameterError, match="no place in the signal"):
        other.restore({name: value for name, value in state.items() if not name.endswith(".at")})


def test_a_stack_can_be_pickled(rng):
    x = rng.standard_normal((6, 40))
    stack = atc.Stack([tcn(), atc.Residual([atc.Conv1d(weights(6, 6, 200), padding="same", method="overlap-save")])])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(stack))(x), stack(x))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: atc.Conv1d(np.ones((2, 3))), r"shape \(2, 3\)"),
        (lambda: atc.Conv1d(np.ones((2, 0, 3))), r"shape \(2, 0, 3\)"),
        (lambda: atc.Conv1d(np.ones((3, 1, 3)), groups=2), "multiple of 2 filters"),
        (lambda: atc.Conv1d(np.ones((2, 1, 3)), stride=2, padding="same"), "needs a stride of 1"),
        (lambda: atc.Conv1d(np.ones((2, 1, 3)), pad_mode="wrap"), "pad_mode is 'wrap'"),
        (lambda: atc.Conv1d(np.ones((2, 1, 3)), np.ones(3)), r"bias has the shape \(3,\)"),
        (lambda: atc.Conv1d(np.ones((2, 1, 3)), padding=1 << 41), "most is"),
        (lambda: atc.Pool1d(0, 2), "features is 0"),
        (lambda: atc.Pool1d(2, 2, how="mode"), "how is 'mode'"),
        (lambda: atc.Pool1d(2, 2, how="attention"), "scores None"),
        (lambda: atc.Pool1d(2, 2, scores=0), "scores 0"),
        (lambda: atc.Pool1d(2, 2, how="attention", scores=2), "counted from 0"),
        (lambda: atc.Pool1d(1, 2, how="attention", scores=0), "the only feature"),
        (lambda: atc.Pool1d(1, None, 2), "size is not given"),
        (lambda: atc.Pool1d(1, 3, how="stats", ddof=3), "ddof is 3"),
        (lambda: atc.Pool1d(1, 3, padding=3), "must not lie in padding alone"),
        (lambda: atc.Pool1d(1, 2, dilation=4, padding=4), "could see padding alone"),
        (lambda: atc.Pool1d(1, 3, dilation=1 << 40), "most is"),
        (lambda: atc.Pool1d(1, 3, p=1e40), "p is 1e"),
        (lambda: atc.Stack([]), "at least one"),
        (lambda: atc.Stack([5]), "must be stages"),
        (lambda: atc.Stack(5), "must be stages"),
        (lambda: tcn().flow(-1), "batch is -1"),
        (lambda: tcn().flow(2.5), r"batch is 2\.5"),
        (lambda: atc.Stack([atc.Conv1d(weights(4, 1, 2)), atc.Conv1d(weights(4, 3, 2))]), "layer 2 takes 3 features"),
        (lambda: atc.Residual([atc.Conv1d(weights(4, 1, 3), padding=1)]), "give 4 features, and 1 are"),
        (lambda: atc.Residual([atc.Conv1d(weights(1, 1, 3))]), "998 frames, and 1000"),
        (lambda: atc.Residual([atc.Conv1d(weights(4, 1, 1))], [atc.Conv1d(weights(4, 2, 1))]), "skip takes 2"),
        (lambda: atc.Residual([atc.Conv1d(weights(1, 1, 1))], activation="squared_modulus"), "a sum does not have"),
        (lambda: tcn()(np.ones((5, 10))), r"must be \(..., 6, time\)"),
        (lambda: tcn()(np.ones(10)), r"shape \(10,\)"),
        (lambda: tcn().flow(batch=2).push(np.ones((6, 4))), r"must be \(2,\)"),
    ],
)
def test_what_does_not_fit(make, words):
    with pytest.raises(ParameterError, match=words):
        make()
