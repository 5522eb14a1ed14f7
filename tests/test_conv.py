"""conv1d against the float64 reference, over random shapes."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from conftest import JIT
from hypothesis import given
from hypothesis import strategies as st

import audiotconv as atc
from audiotconv.errors import ParameterError
from audiotconv.kernels.simd import TILE_COLS, VECTOR_BITS

EDGE = TILE_COLS * VECTOR_BITS // 32  # a tile's width in float32


METHODS = ("packed", "rows", "bank", "overlap-save")
seeds = st.integers(0, 2**32 - 1)


@st.composite
def cases(draw):
    groups = draw(st.integers(1, 3))
    per_group, each = draw(st.integers(1, 4)), draw(st.integers(1, 9))
    taps, dilation, stride = draw(st.integers(1, 7)), draw(st.integers(1, 5)), draw(st.integers(1, 4))
    left, right = draw(st.integers(0, 9)), draw(st.integers(0, 9))
    reach = dilation * (taps - 1) + 1
    least = max(0, reach - left - right)
    frames = draw(st.sampled_from([1, 2, 7, EDGE - 1, EDGE, EDGE + 1, 8 * EDGE + 1] if JIT else [1, 2, EDGE + 1]))
    time = max(least, reach + (frames - 1) * stride - left - right + draw(st.integers(0, stride - 1)))
    seed = draw(st.integers(0, 2**32 - 1))
    return groups, per_group, each, taps, dilation, stride, (left, right), time, draw(st.integers(1, 3)), seed


def limit(dtype, want):
    return (4e-6 if dtype == np.float32 else 1e-14) * max(1.0, np.abs(want).max(initial=0))


@given(cases(), st.sampled_from([np.float32, np.float64]), st.booleans())
def test_every_method_against_reference(case, dtype, with_bias):
    groups, per_group, each, taps, dilation, stride, padding, time, batch, seed = case
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((batch, groups * per_group, time)).astype(dtype)
    weight = rng.standard_normal((groups * each, per_group, taps)).astype(dtype)
    bias = rng.standard_normal(groups * each).astype(dtype) if with_bias else None
    shape = {"stride": stride, "dilation": dilation, "padding": padding, "groups": groups}
    want = reference.conv1d(x, weight, bias, stride, dilation, *padding, groups)
    direct = []
    for method in METHODS:
        got = atc.conv1d(x, weight, bias, **shape, method=method, threads=1)
        assert got.dtype == dtype
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=0, atol=limit(dtype, want), err_msg=method)
        np.testing.assert_array_equal(got, atc.conv1d(x, weight, bias, **shape, method=method, threads=2))
        if method != "overlap-save":
            direct.append(got)
    for other in direct[1:]:
        np.testing.assert_array_equal(other, direct[0])
    auto = atc.conv1d(x, weight, bias, **shape)
    chosen = atc.plan(weight, stride=stride, dilation=dilation, groups=groups).method
    np.testing.assert_array_equal(auto, atc.conv1d(x, weight, bias, **shape, method=chosen))


@given(cases(), st.sampled_from(METHODS), st.sampled_from(sorted(reference.ACTIVATIONS)))
def test_activations_are_those_of_the_plain_result(case, method, activation):
    groups, per_group, each, taps, dilation, stride, padding, time, batch, seed = case
    each += each % 2
    if activation == "squared_modulus" and method == "rows":
        return
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((batch, groups * per_group, time))
    weight = rng.standard_normal((groups * each, per_group, taps))
    shape = {"stride": stride, "dilation": dilation, "padding": padding, "groups": groups, "method": method}
    for dtype in (np.float32, np.float64):
        plain = atc.conv1d(x.astype(dtype), weight.astype(dtype), **shape)
        got = atc.conv1d(x.astype(dtype), weight.astype(dtype), **shape, activation=activation)
        want = reference.ACTIVATIONS[activation](plain.astype(np.float64))
        np.testing.assert_allclose(got, want, rtol=8 * np.finfo(dtype).eps, atol=4 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", [name for name in reference.ACTIVATIONS if name != "squared_modulus"])
def test_activations_over_all_sizes(activation, dtype):
    x = np.concatenate(
        [np.linspace(-20, 20, 4001 if JIT else 101), [0.0, -0.0, 1e-30, -1e-6, 1e-6, 200.0, -200.0, 1e30]]
    )
    x = np.concatenate([x, -x]).astype(dtype)
    got = atc.conv1d(x, np.ones(1, dtype), activation=activation)
    want = reference.ACTIVATIONS[activation](x.astype(np.float64))
    np.testing.assert_allclose(got, want, rtol=8 * np.finfo(dtype).eps, atol=1e-36 if dtype == np.float32 else 1e-20)
    assert np.isnan(atc.conv1d(np.full(3, np.nan, dtype), np.ones(1, dtype), activation=activation)).all()


def test_a_slope_of_ones_own():
    assert atc.conv1d([-2.0, 4.0], [1.0], activation=("leaky_relu", 0.25)).tolist() == [-0.5, 4.0]


@given(st.sampled_from(["zero", "reflect", "edge"]), st.integers(0, 7), st.integers(0, 7), st.integers(8, 30), seeds)
def test_pad_modes(mode, left, right, time, seed):
    rng = np.random.default_rng(seed)
    x, weight = rng.standard_normal((2, 3, time)), rng.standard_normal((4, 3, 5))
    named = {"zero": "constant"}.get(mode, mode)
    padded = np.pad(x, ((0, 0), (0, 0), (left, right)), mode=named)
    got = atc.conv1d(x, weight, padding=(left, right), pad_mode=mode)
    np.testing.assert_array_equal(got, atc.conv1d(padded, weight))


@given(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 9), st.integers(1, 5), st.integers(1, 5), st.integers(1, 30),
    st.tuples(st.integers(0, 4), st.integers(0, 4)), st.booleans(), seeds,
)  # fmt: skip
def test_transposed(groups, per_group, taps, stride, dilation, time, padding, with_bias, seed):
    rng = np.random.default_rng(seed)
    more = int(rng.integers(0, max(stride, dilation)))
    if (time - 1) * stride - sum(padding) + dilation * (taps - 1) + more + 1 < 1:
        return
    x = rng.standard_normal((2, groups * per_group, time))
    weight = rng.standard_normal((groups * per_group, 2, taps))
    bias = rng.standard_normal(2 * groups) if with_bias else None
    shape = {"stride": stride, "dilation": dilation, "padding": padding, "output_padding": more, "groups": groups}
    want = reference.conv_transpose1d(x, weight, bias, stride, dilation, *padding, more, groups)
    got = atc.conv_transpose1d(x, weight, bias, **shape)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-13)
    np.testing.assert_array_equal(got, atc.conv_transpose1d(x, weight, bias, **shape, threads=2))
    by_blocks = atc.conv_transpose1d(x, weight, bias, **shape, method="overlap-save", activation="relu")
    np.testing.assert_allclose(by_blocks, np.maximum(want, 0), rtol=0, atol=1e-13)


def test_outputs_between_the_taps_of_the_transposed_are_the_bias():
    """No input reaches them, whatever it holds; and there may be many for each input."""
    x = np.array([[np.nan, np.inf, 1.0]])
    got = atc.conv_transpose1d(x, np.ones((1, 1, 1)), [-2.0], stride=3, padding=(1, 0), output_padding=2)
    np.testing.assert_array_equal(got, [[-2.0, -2.0, np.inf, -2.0, -2.0, -1.0, -2.0, -2.0]])
    got = atc.conv_transpose1d(x, np.ones((1, 2, 1)), [-2.0, 3.0], stride=2, dilation=2, activation="relu")
    np.testing.assert_array_equal(got, [[np.nan, 0.0, np.inf, 0.0, 0.0], [np.nan, 3.0, np.inf, 3.0, 4.0]])
    far = atc.conv_transpose1d(np.ones((1, 4)), np.ones((1, 1, 2)), stride=10**6, dilation=7)
    assert np.flatnonzero(far[0]).tolist() == [n * 10**6 + k for n in range(4) for k in (0, 7)]


@pytest.mark.parametrize("taps", [300, 1500] if JIT else [100])
def test_long_filters_by_blocks(taps, rng):
    """Every output near the edges of blocks is there, once, and has the same bits wherever the signal ends."""
    way = atc.plan((3, 2, taps), method="overlap-save")
    block = way.size - taps + 1
    x = rng.standard_normal((2, 5 * block + taps))
    weight = rng.standard_normal((3, 2, taps))
    whole = atc.conv1d(x, weight, method="overlap-save")
    np.testing.assert_allclose(whole, atc.conv1d(x, weight, method="packed"), rtol=0, atol=1e-11)
    for end in (2 * block + taps - 1, 2 * block + taps, 2 * block + taps - 2, taps, 3 * block):
        part = atc.conv1d(x[:, :end], weight, method="overlap-save")
        settled = part.shape[1] // (2 * block) * 2 * block  # pairs of blocks that saw nothing of the end
        np.testing.assert_array_equal(part[:, :settled], whole[:, :settled])
        np.testing.assert_allclose(part, whole[:, : part.shape[1]], rtol=0, atol=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(0, 70), st.integers(1, 70))
def test_an_output_does_not_depend_on_its_place(seed, start, length):
    """Any stretch of the input gives the same bits as the whole: tiles and edges leave no trace."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, 150)).astype(np.float32)
    weight = rng.standard_normal((3, 2, 5)).astype(np.float32)
    whole = atc.conv1d(x, weight)
    part = atc.conv1d(x[:, start : start + length + 4], weight)
    np.testing.assert_array_equal(part, whole[:, start : start + part.shape[1]])


def test_arrays_of_every_layout(rng):
    x = rng.standard_normal((4, 60))
    weight = rng.standard_normal((3, 4, 5))
    want = atc.conv1d(x, weight)
    big = np.zeros((8, 120))
    big[::2, ::2] = x
    readonly = x.copy()
    readonly.flags.writeable = False
    for other in (big[::2, ::2], readonly, x.astype(">f8"), np.asfortranarray(x), x[:, ::-1].copy()[:, ::-1]):
        np.testing.assert_array_equal(atc.conv1d(other, weight), want)
    np.testing.assert_array_equal(atc.conv1d(x.tolist(), weight.tolist()), want)
    integers = rng.integers(-9, 9, (4, 60))
    assert atc.conv1d(integers.astype(np.int16), weight.astype(np.float32)).dtype == np.float64
    np.testing.assert_array_equal(atc.conv1d(integers, weight), atc.conv1d(integers.astype(float), weight))


def test_shapes_and_out(rng):
    x = rng.standard_normal((2, 3, 4, 30)).astype(np.float32)
    weight = rng.standard_normal((5, 4, 3)).astype(np.float32)
    out = np.empty((2, 3, 5, 28), np.float32)
    assert atc.conv1d(x, weight, out=out) is out
    np.testing.assert_array_equal(out[1, 2], atc.conv1d(x[1, 2], weight))
    assert atc.conv1d(x[0, 0, 0], weight[0, 0]).shape == (28,)
    assert atc.conv1d(x[0, 0, 0], weight[:, :1]).shape == (5, 28)
    assert atc.conv1d(np.zeros((0, 4, 30)), weight).shape == (0, 5, 28)
    assert atc.conv1d(x, weight, padding="same").shape == (2, 3, 5, 30)
    np.testing.assert_array_equal(atc.conv1d(x, weight, padding="causal")[..., 2:], out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stride": 0}, "stride is 0"),
        ({"stride": 1.5}, "stride is 1.5"),
        ({"dilation": -1}, "dilation is -1"),
        ({"groups": 2}, "with 2 groups"),
        ({"padding": "full"}, "padding is 'full'"),
        ({"padding": "same", "stride": 2}, "stride of 1"),
        ({"threads": 0}, "threads is 0"),
        ({"bias": [1.0, 2.0, 3.0]}, "bias has the shape"),
        ({"out": np.zeros(3)}, "out is"),
        ({"out": np.zeros((8, 2)).T}, "out must be C-contiguous"),
        ({"x": np.zeros((2, 2))}, "filters span 3"),
        ({"x": np.zeros((3, 10))}, "3 channels"),
        ({"x": np.zeros((2, 10), complex)}, "real numbers"),
        ({"weight": np.zeros((2, 0, 3))}, "at least one"),
        ({"x": np.array(1.0)}, "must be"),
        ({"dilation": 10**30}, "at most"),
        ({"padding": 10**30}, "padding"),
        ({"padding": (0, 2**39)}, "memory cannot hold"),
        ({"padding": (0, 2**40), "stride": 2**38, "pad_mode": "edge"}, "memory cannot hold"),
        ({"padding": np.array([1, 1])}, "padding is array"),
        ({"method": np.array(["packed", "rows"])}, "method is array"),
        ({"weight": np.ones((2, 2, 3), complex)}, "weight is of type complex128"),
        ({"x": [[1.0, 2.0], [1.0]]}, "x is not an array of numbers"),
        ({"weight": [[1.0, 2.0], [1.0]]}, "weight is not an array of numbers"),
        ({"bias": [[1.0, 2.0], [1.0]]}, "bias is not an array of numbers"),
        ({"activation": ("leaky_relu", 10**400)}, "finite"),
        ({"activation": ("leaky_relu", np.complex128(1))}, "finite"),
        ({"padding": (-1, 0)}, "padding is"),
        ({"pad_mode": "wrap"}, "pad_mode is 'wrap'"),
        ({"padding": 10, "pad_mode": "reflect"}, "needs more"),
        ({"x": np.zeros((2, 0)), "padding": 3, "pad_mode": "edge"}, "needs more"),
        ({"method": "fft"}, "method is 'fft'"),
        ({"method": "rows", "activation": "squared_modulus"}, "cannot do this"),
        ({"activation": "softmax"}, "activation is 'softmax'"),
        ({"activation": ("relu", 1.0)}, "only leaky_relu"),
        ({"activation": ("leaky_relu", float("nan"))}, "finite"),
        ({"activation": "squared_modulus", "weight": np.ones((3, 2, 3))}, "pairs"),
        ({"bias": [1j, 0]}, "real numbers"),
        ({"bias": ["a", "b"]}, "real numbers"),
        ({"bias": [None, 1.0]}, "real numbers"),
        (
            {"x": np.zeros((2, 9), np.float32), "weight": np.ones((2, 2, 3), np.float32), "bias": [0, 1e300]},
            "float32 cannot hold",
        ),
    ],
)
def test_one_clear_error(arguments, message):
    call = {"x": np.zeros((2, 10)), "weight": np.ones((2, 2, 3)), **arguments}
    with pytest.raises(ParameterError, match=message):
        atc.conv1d(**call)


def test_huge_strides_cost_nothing():
    x = np.arange(12.0).reshape(2, 6)
    weight = np.ones((1, 2, 3))
    assert atc.conv1d(x, weight, stride=10**12).tolist() == [[24.0]]
    assert atc.conv1d(x[:1], weight[:, :1], stride=10**5, padding=(0, 10**6)).shape == (1, 11)
    assert atc.plan((64, 1, 400), stride=160).method == "bank"
    assert atc.plan((64, 1, 400), stride=10**7).method == "packed"  # gigabytes of inputs, side by side


def test_out_must_not_overlap_the_input():
    x = np.ones((2, 50))
    with pytest.raises(ParameterError, match="overlaps"):
        atc.conv1d(x, np.ones((2, 2, 3)), padding="same", out=x)
    with pytest.raises(ParameterError, match="overlaps"):
        atc.pool1d(x, 3, 1, padding="same", out=x)


def test_out_may_lie_between_the_rows_of_the_input(rng):
    both = rng.standard_normal((4, 50))
    want = atc.conv1d(both[::2].copy(), np.ones((1, 2, 3)), padding="same")
    atc.conv1d(both[::2], np.ones((1, 2, 3)), padding="same", out=both[1:2])
    np.testing.assert_array_equal(both[1:2], want)
    with pytest.raises(ParameterError, match="overlaps"):
        atc.conv1d(both[::2], np.ones((1, 2, 3)), padding="same", out=both[2:3])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": np.zeros(4)}, "must be"),
        ({"x": np.zeros((3, 4))}, "same number of channels"),
        ({"groups": 3}, "3 groups"),
        ({"output_padding": 2}, "output_padding is 2"),
        ({"padding": "same"}, "padding is 'same'"),
        ({"padding": 9}, "1 or more"),
        ({"x": np.zeros((2, 0))}, "1 or more"),
        ({"stride": 2**39, "x": np.zeros((2, 9))}, "4398046511107 outputs; most is"),
        ({"activation": "squared_modulus"}, "does not have"),
    ],
)
def test_one_clear_error_of_the_transposed(arguments, message):
    call = {"x": np.zeros((2, 5)), "weight": np.ones((2, 2, 3)), "stride": 2, **arguments}
    with pytest.raises(ParameterError, match=message):
        atc.conv_transpose1d(**call)


def test_plans_explain_themselves():
    chosen = {
        (64, 64, 3): "packed", (1, 1, 9): "rows", (64, 1, 401): "overlap-save", (1, 1, 65_536): "overlap-save",
    }  # fmt: skip
    for shape, method in chosen.items():
        way = atc.plan(shape)
        assert way.method == method
        text = way.explain()
        assert text.startswith(f"{method}: ")
        assert all(name in text for name in METHODS)
        assert "-> " + method in text
    assert atc.plan((64, 1, 400), stride=160).method == "bank"
    assert atc.plan(np.ones(401)).method == "overlap-save"
    assert atc.plan((256, 1, 31), groups=256).method == "rows"
    forced = atc.plan((64, 64, 3), method="overlap-save")
    assert forced.size >= 256
    assert "asked for" in forced.explain()
    for wrong, message in (
        ({"weight": (1, 2)}, "weight has the shape"),
        ({"weight": (0, 1, 1)}, "length of weight is 0"),
        ({"weight": (1, 1, 5), "method": "best"}, "method is 'best'"),
        ({"weight": (64, 1, 5), "groups": 7}, "64 filters, which 7 groups cannot share"),
        ({"weight": (64, 1, 5), "activation": "squared-modulus"}, "activation is 'squared-modulus'"),
        ({"weight": (6, 1, 5), "groups": 2, "activation": "squared_modulus"}, "3 filters in a group"),
    ):
        with pytest.raises(ParameterError, match=message):
            atc.plan(**wrong)
    with pytest.raises(ParameterError, match="cannot do this"):
        atc.plan((64, 64, 2**30), method="overlap-save")
