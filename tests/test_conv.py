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


@given(cases(), st.sampled_from([np.float32, np.float64]), st.booleans())
def test_against_reference(case, dtype, with_bias):
    groups, per_group, each, taps, dilation, stride, padding, time, batch, seed = case
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((batch, groups * per_group, time)).astype(dtype)
    weight = rng.standard_normal((groups * each, per_group, taps)).astype(dtype)
    bias = rng.standard_normal(groups * each).astype(dtype) if with_bias else None
    got = atc.conv1d(x, weight, bias, stride=stride, dilation=dilation, padding=padding, groups=groups, threads=1)
    want = reference.conv1d(x, weight, bias, stride, dilation, *padding, groups)
    assert got.dtype == dtype
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=0, atol=(2e-5 if dtype == np.float32 else 1e-13))
    two = atc.conv1d(x, weight, bias, stride=stride, dilation=dilation, padding=padding, groups=groups, threads=2)
    np.testing.assert_array_equal(got, two)


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


def test_out_must_not_overlap_the_input():
    x = np.ones((2, 50))
    with pytest.raises(ParameterError, match="overlaps"):
        atc.conv1d(x, np.ones((2, 2, 3)), padding="same", out=x)
    with pytest.raises(ParameterError, match="overlaps"):
        atc.pool1d(x, 3, 1, padding="same", out=x)
