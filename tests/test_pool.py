"""pool1d against the float64 reference, over random shapes."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from conftest import JIT
from hypothesis import given
from hypothesis import strategies as st

import audiotconv as atc
from audiotconv.errors import ParameterError
from audiotconv.kernels.simd import VECTOR_BITS

LANES = VECTOR_BITS // 32
WAYS = ["max", "min", "mean", "energy", "rms", "lp", "ppv", "stats", "median", "attention"]
EXACT = ("max", "min")


def tolerance(how, dtype):
    return 0 if how in EXACT else 16 * np.finfo(dtype).eps


def options_for(how, x, rng):
    """The parameters that belong to a way of pooling."""
    own = {"attention": {"weights": (rng.standard_normal(x.shape) * 30).astype(x.dtype)}, "lp": {"p": 3.0}}
    return own.get(how, {})


lengths_of_time = st.one_of(
    st.integers(0, 40), st.sampled_from([LANES, 8 * LANES - 1, 8 * LANES, 8 * LANES + 1, 700] if JIT else [LANES])
)
kinds = st.sampled_from([np.float32, np.float64])
seeds = st.integers(0, 2**32 - 1)


@given(
    st.sampled_from(WAYS),
    st.integers(1, 70),
    st.one_of(st.integers(1, 6), st.integers(1, 300)),
    st.integers(1, 3),
    st.tuples(st.integers(0, 8), st.integers(0, 8)),
    st.booleans(),
    lengths_of_time,
    kinds,
    seeds,
)
def test_against_reference(how, size, hop, dilation, padding, count_include_pad, time, dtype, seed):
    reach = dilation * (size - 1) + 1
    padding = tuple(min(side, reach - 1) for side in padding)
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((3, time)).astype(dtype)
    options = options_for(how, x, rng)
    shape = {"dilation": dilation, "padding": padding, "how": how, "count_include_pad": count_include_pad}
    try:
        got = atc.pool1d(x, size, hop, **shape, **options, threads=1)
    except ParameterError as error:
        assert "padding alone" in str(error)
        assert dilation > 1
        return
    want = reference.pool1d(x, size, hop, how, dilation, *padding, count_include_pad, **options)
    assert got.dtype == dtype
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance(how, dtype) * max(1, np.abs(want).max(initial=0)))
    np.testing.assert_array_equal(got, atc.pool1d(x, size, hop, **shape, **options, threads=2))


@given(st.sampled_from(WAYS), st.integers(1, 9), st.integers(1, 600), kinds, seeds)
def test_adaptive_and_global(how, frames, time, dtype, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, time)).astype(dtype)
    options = options_for(how, x, rng)
    got = atc.pool1d(x, how=how, frames=frames, **options)
    want = reference.adaptive_pool1d(x, frames, how, **options)
    limit = {"rtol": 0, "atol": tolerance(how, dtype) * np.abs(want).max()}
    np.testing.assert_allclose(got, want, **limit)
    whole = atc.pool1d(x, how=how, **options)
    np.testing.assert_array_equal(whole, atc.pool1d(x, how=how, frames=1, **options))
    np.testing.assert_array_equal(whole, atc.pool1d(x, how=how, frames=1, **options, threads=2))
    np.testing.assert_allclose(whole, reference.adaptive_pool1d(x, 1, how, **options), **limit)


@given(
    st.sampled_from(WAYS),
    st.one_of(st.none(), st.integers(1, 40)),
    st.integers(1, 50),
    st.lists(st.integers(1, 90), min_size=1, max_size=3),
    st.booleans(),
    seeds,
)
def test_a_padded_batch_pools_like_each_clip_alone(how, size, hop, lengths, count_include_pad, seed):
    rng = np.random.default_rng(seed)
    time = max(lengths) + int(rng.integers(0, 9))
    x = rng.standard_normal((len(lengths), 2, time)).astype(np.float32)
    options = options_for(how, x, rng)
    shape = {} if size is None else {"size": size, "hop": hop, "padding": "same"}
    common = {**shape, "how": how, "count_include_pad": count_include_pad}
    together = atc.pool1d(x, lengths=lengths, **common, **options)
    for item, length in enumerate(lengths):
        own = {name: value[item, :, :length] if name == "weights" else value for name, value in options.items()}
        alone = atc.pool1d(x[item, :, :length], **common, **own)
        frames = alone.shape[-1]
        np.testing.assert_array_equal(together[item, ..., :frames], alone)
        assert not together[item, ..., frames:].any()


@given(st.sampled_from(WAYS), st.integers(1, 50), st.integers(1, 60), st.integers(0, 99), seeds)
def test_a_frame_depends_on_its_window_alone(how, size, hop, start, seed):
    """Any stretch of the input gives the same bits as the whole."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((1, 400)).astype(np.float32)
    options = options_for(how, x, rng)
    whole = atc.pool1d(x, size, hop, how=how, **options)
    first = start * hop
    if first + size > 400:
        return
    part = {name: value[:, first:] if name == "weights" else value for name, value in options.items()}
    np.testing.assert_array_equal(atc.pool1d(x[:, first:], size, hop, how=how, **part), whole[..., start:])


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize(("size", "hop"), [(197, 768), (99, 303), (50, 400), (7, 200)])
def test_one_frame_has_the_bits_it_has_among_many(how, size, hop, rng):
    """Also where windows are so far apart that one of them alone might be computed in another way."""
    x = (rng.standard_normal((1, 3 * hop + size)) + 100).astype(np.float32)
    options = options_for(how, x, rng)
    whole = atc.pool1d(x, size, hop, how=how, **options)
    part = {name: value[:, hop : hop + size] if name == "weights" else value for name, value in options.items()}
    alone = atc.pool1d(x[:, hop : hop + size], size, hop, how=how, **part)
    np.testing.assert_array_equal(alone, whole[..., 1:2])


@pytest.mark.parametrize("how", ["max", "min", "median"])
@pytest.mark.parametrize("hop", [1, 400])
def test_not_a_number_wins_wherever_it_stands(how, hop):
    for place in range(0, 60, 7):
        x = np.arange(100, dtype=np.float32)
        x[20 + place] = np.nan
        assert np.isnan(atc.pool1d(x[20:80], 60, hop, how=how)).all()


def test_long_windows_keep_their_precision():
    """A running sum of ten million float32 numbers drifts by per cents."""
    n = 10_000_000 if JIT else 10_000
    x = np.full(n, 0.1, np.float32)
    want = float(np.float32(0.1))
    for how, value in (("mean", want), ("energy", want**2), ("rms", want)):
        for shape in ({}, {"size": n - 3, "hop": 1}):
            np.testing.assert_allclose(atc.pool1d(x, how=how, **shape), value, rtol=3e-7)


def test_deviations_far_from_zero_are_right(rng):
    x = rng.standard_normal(5000) + 1e9
    for shape in ({}, {"size": 700, "hop": 1}, {"size": 100, "hop": 4000}):
        mean, std = atc.pool1d(x, how="stats", ddof=1, **shape)
        first = x[: shape.get("size", 5000)]
        np.testing.assert_allclose(std[0], (first - 1e9).std(ddof=1), rtol=1e-6)
        np.testing.assert_allclose(mean[0], first.mean(), rtol=1e-15)


def test_attention_is_stable_for_large_scores():
    x = np.array([1.0, 2.0, 3.0, 4.0], np.float32)
    for scores in ([1e30, -1e30, 0, 0], [3e38, -np.inf, -np.inf, -3e38]):
        assert atc.pool1d(x, how="attention", weights=np.array(scores, np.float32)).tolist() == [1.0]
    assert atc.pool1d(x, 2, how="attention", weights=np.full(4, 1e30)).tolist() == [1.5, 3.5]
    assert atc.pool1d([x, x], 4, how="attention", weights=np.zeros(4)).tolist() == [[2.5], [2.5]]


def test_attention_keeps_the_scores_own_precision():
    x = np.array([1.0, 2.0, 3.0, 4.0], np.float32)
    got = atc.pool1d(x, 2, how="attention", weights=np.array([1e300, -1e300, 1e9, 1e9 + 1]))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, [1.0, 3.0 + 1 / (1 + np.exp(-1.0))], rtol=2e-7)
    got = atc.pool1d(np.array([1.0, 1e300]), how="attention", weights=[0.0, -300.0])
    np.testing.assert_allclose(got, 1.0 + np.exp(-300.0) * 1e300, rtol=1e-13)


def test_attention_without_a_finite_largest_score_is_not_a_number():
    for scores in ([np.inf, 0.0], [np.inf, np.inf], [-np.inf, -np.inf], [np.nan, 0.0]):
        for kind in (np.float32, np.float64):
            assert np.isnan(atc.pool1d(np.ones(2, kind), how="attention", weights=np.array(scores, kind))).all()


def test_shapes_hop_and_out(rng):
    x = rng.standard_normal((2, 3, 20)).astype(np.float32)
    out = np.empty((2, 3, 5), np.float32)
    assert atc.pool1d(x, 4, out=out) is out
    np.testing.assert_array_equal(out, x.reshape(2, 3, 5, 4).max(axis=3))
    np.testing.assert_array_equal(atc.pool1d(x[..., ::2].astype(">f4"), 2), x[..., ::2].reshape(2, 3, 5, 2).max(axis=3))
    assert atc.pool1d([1, 2, 3], 5).shape == (0,)
    assert atc.pool1d([1, 2, 3], 5, how="stats").shape == (2, 0)
    assert atc.pool1d([1, 2, 3], 3, how="mean").tolist() == [2.0]
    assert atc.pool1d(np.zeros((0, 9)), 3).shape == (0, 3)
    stats = np.empty((2, 3, 2, 5), np.float32)
    assert atc.pool1d(x, 4, how="stats", out=stats) is stats
    np.testing.assert_allclose(stats[:, :, 0], atc.pool1d(x, 4, how="mean"), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "size is 0"),
        ({"hop": 0}, "hop is 0"),
        ({"dilation": 0}, "dilation is 0"),
        ({"dilation": 10**30}, "at most"),
        ({"how": "sum"}, "max, min, mean"),
        ({"dilation": 2**40, "size": 2**40, "padding": "same"}, "size is 1099511627776 and dilation 1099511627776"),
        ({"size": 2**39, "hop": 1, "padding": "same", "how": "mean"}, "a window that memory cannot hold"),
        ({"how": ["max"]}, r"how is \['max'\]"),
        ({"padding": np.array([1, 1])}, "padding is array"),
        ({"size": None, "padding": np.array([1, 1])}, "padding is array"),
        ({"size": None, "padding": [0, 1]}, "hop, dilation and padding"),
        ({"padding": 3}, "padding alone"),
        ({"padding": 10**30}, "padding"),
        ({"padding": (1, 1), "dilation": 2, "size": 2, "x": [1.0]}, "frame 0 would see padding alone"),
        ({"x": 1.0}, "time axis"),
        ({"x": ["a"]}, "real numbers"),
        ({"x": [[1.0], [1.0, 2.0]]}, "x is not an array of numbers"),
        ({"lengths": [[1], [1, 2]]}, "lengths is not an array of numbers"),
        ({"threads": -1}, "threads is -1"),
        ({"how": "attention"}, "a score for each"),
        ({"weights": [1.0, 2.0, 3.0]}, 'only "attention"'),
        ({"how": "attention", "weights": [1.0, 2.0]}, "weights"),
        ({"how": "lp", "p": 0}, "p is 0"),
        ({"how": "lp", "p": float("nan")}, "p is nan"),
        ({"how": "lp", "p": 10**400}, "p is 10000"),
        ({"how": "lp", "p": np.complex128(2)}, "p is np.complex128"),
        ({"how": "lp", "p": 1e-320}, "p is 1e-320"),
        ({"how": "lp", "p": 1e-60, "x": np.ones(3, np.float32)}, "p is 1e-60, which float32 cannot"),
        ({"how": "lp", "p": 1e60, "x": np.ones(3, np.float32)}, r"p is 1e\+60, which float32 cannot"),
        ({"how": "stats", "ddof": 3}, "ddof is 3"),
        ({"frames": 2}, "only one of them"),
        ({"size": None, "frames": 0}, "frames is 0"),
        ({"size": None, "hop": 2}, "hop, dilation and padding"),
        ({"size": None, "x": np.zeros((2, 0))}, "none that is valid"),
        ({"lengths": [1, 2]}, "lengths are"),
        ({"lengths": 4}, "lengths hold 4"),
        ({"lengths": 1.0}, "must be integers"),
    ],
)
def test_one_clear_error(arguments, message):
    with pytest.raises(ParameterError, match=message):
        atc.pool1d(**{"x": [1.0, 2.0, 3.0], "size": 3, **arguments})


@pytest.mark.parametrize("how", ["max", "mean", "stats", "median"])
def test_lengths_of_nothing(how):
    """No clip, or none that is long enough for a frame."""
    pair = (2,) if how == "stats" else ()
    assert atc.pool1d(np.zeros((2, 3)), 5, how=how, lengths=[3, 2]).shape == (2, *pair, 0)
    assert atc.pool1d(np.zeros((0, 4, 9)), 5, how=how, lengths=np.zeros(0, int)).shape == (0, 4, *pair, 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_medians_of_huge_values_are_among_them(dtype):
    most = np.finfo(dtype).max
    x = np.array([most, most, -most, -most, most, most], dtype)
    np.testing.assert_array_equal(atc.pool1d(x, 1, how="median"), x)
    np.testing.assert_array_equal(atc.pool1d(x, 2, how="median"), x[::2])
    np.testing.assert_array_equal(atc.pool1d(x, 2, 1, how="median"), [most, 0, -most, 0, most])
    least = np.finfo(dtype).smallest_subnormal
    np.testing.assert_array_equal(atc.pool1d(np.array([least] * 3, dtype), 1, how="median"), [least] * 3)
    np.testing.assert_array_equal(atc.pool1d(np.array([np.inf, np.inf, -np.inf], dtype), 3, how="median"), [np.inf])


def test_no_padding_may_be_said_in_any_way():
    for padding in ("valid", "same", "causal", 0, (0, 0), [0, 0]):
        assert atc.pool1d([1.0, 3.0], padding=padding).tolist() == [3.0]


def test_huge_hops_cost_nothing():
    assert atc.pool1d([1.0, 3.0, 2.0], 2, 10**12).tolist() == [3.0]
    x = np.zeros(300_000, np.float32)
    x[100_001] = 7.0
    assert atc.pool1d(x, 3, 100_000).tolist() == [0.0, 7.0, 0.0]
