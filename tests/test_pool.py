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


@given(
    st.sampled_from(["max", "mean", "energy"]),
    st.integers(1, 9),
    st.integers(1, 6),
    st.integers(1, 3),
    st.tuples(st.integers(0, 8), st.integers(0, 8)),
    st.one_of(
        st.integers(0, 40), st.sampled_from([LANES, 8 * LANES - 1, 8 * LANES, 8 * LANES + 1, 700] if JIT else [LANES])
    ),
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 2**32 - 1),
)
def test_against_reference(how, size, hop, dilation, padding, time, dtype, seed):
    reach = dilation * (size - 1) + 1
    padding = tuple(min(side, reach - 1) for side in padding)
    x = np.random.default_rng(seed).standard_normal((3, time)).astype(dtype)
    got = atc.pool1d(x, size, hop, how=how, dilation=dilation, padding=padding, threads=1)
    want = reference.pool1d(x, size, hop, how, dilation, *padding)
    if time == 0:  # no input, no frames
        want = want[:, :0]
    np.testing.assert_allclose(got, want, rtol=0, atol=0 if how == "max" else 8 * np.finfo(dtype).eps)
    assert got.dtype == dtype
    two = atc.pool1d(x, size, hop, how=how, dilation=dilation, padding=padding, threads=2)
    np.testing.assert_array_equal(got, two)


def test_not_a_number_wins_a_maximum_wherever_it_stands():
    for place in range(4):
        x = np.arange(8, dtype=np.float32)
        x[2 + place] = np.nan
        assert np.isnan(atc.pool1d(x[2:6], 4)).all()


def test_shapes_hop_and_out(rng):
    x = rng.standard_normal((2, 3, 20)).astype(np.float32)
    out = np.empty((2, 3, 5), np.float32)
    assert atc.pool1d(x, 4, out=out) is out
    np.testing.assert_array_equal(out, x.reshape(2, 3, 5, 4).max(axis=3))
    np.testing.assert_array_equal(atc.pool1d(x[..., ::2].astype(">f4"), 2), x[..., ::2].reshape(2, 3, 5, 2).max(axis=3))
    assert atc.pool1d([1, 2, 3], 5).shape == (0,)
    assert atc.pool1d([1, 2, 3], 3, how="mean").tolist() == [2.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "size is 0"),
        ({"hop": 0}, "hop is 0"),
        ({"dilation": 0}, "dilation is 0"),
        ({"how": "sum"}, "max, mean, energy"),
        ({"padding": 3}, "padding alone"),
        ({"x": 1.0}, "time axis"),
        ({"x": ["a"]}, "real numbers"),
        ({"threads": -1}, "threads is -1"),
    ],
)
def test_one_clear_error(arguments, message):
    with pytest.raises(ParameterError, match=message):
        atc.pool1d(**{"x": [1.0, 2.0, 3.0], "size": 3, **arguments})


def test_huge_hops_cost_nothing():
    assert atc.pool1d([1.0, 3.0, 2.0], 2, 10**12).tolist() == [3.0]
    x = np.zeros(300_000, np.float32)
    x[100_001] = 7.0
    assert atc.pool1d(x, 3, 100_000).tolist() == [0.0, 7.0, 0.0]
