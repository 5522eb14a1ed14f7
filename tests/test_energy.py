"""filter_energy against the float64 reference."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from conftest import JIT
from hypothesis import given, settings
from hypothesis import strategies as st
from test_contract import small_bank

import audiotconv as atc
from audiotconv.errors import ParameterError


@settings(max_examples=40 if JIT else 5)
@given(
    st.integers(1, 5),
    st.integers(1, 40),
    st.booleans(),
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(0, 2000 if JIT else 300),
    st.integers(0, 99),
)
def test_against_reference(bands, span, is_complex, window, hop, time, seed):
    window, hop = max(window, hop), min(window, hop)
    rng = np.random.default_rng(seed)
    bank = small_bank(bands, span, int(rng.integers(0, span)), is_complex, seed)
    x = rng.standard_normal((2, time)).astype(np.float32)
    want = reference.bank_energy(x, bank, window, hop, 1)
    limit = {"rtol": 0, "atol": 2e-6 * max(1.0, want.max(initial=0))}
    for method in ("direct", "overlap-save", "auto"):
        got = atc.filter_energy(x, bank, window=window, hop=hop, method=method, threads=1)
        np.testing.assert_allclose(got, want, **limit, err_msg=method)
        again = atc.filter_energy(x, bank, window=window, hop=hop, method=method, threads=2)
        np.testing.assert_array_equal(again, got)
    weights = rng.uniform(0, 1, window)
    got = atc.filter_energy(x, bank, window=window, hop=hop, pool=weights)
    want = reference.bank_energy(x, bank, window, hop, 1, weights)
    np.testing.assert_allclose(got, want, rtol=0, atol=2e-6 * max(1.0, want.max(initial=0)))


def test_gaussian_windows_weigh_the_middle():
    bank = small_bank(1, 1, 0, False)
    x = np.zeros(1000, np.float32)
    x[500] = 1.0
    out = atc.filter_energy(x, bank, window=401, hop=1, pool="gaussian")[0]
    assert abs(int(out.argmax()) - 500) <= 1
    place = (np.arange(401) - 200) / 200
    bell = np.exp(-0.5 * (place / 0.4) ** 2)
    shape = out[300:701] / out.max()
    np.testing.assert_allclose(shape, bell, atol=1e-5)
    np.testing.assert_allclose(out.sum(), bank.taps[0, 0] ** 2, rtol=1e-5)


def test_what_the_blocks_see_of_the_end_is_zeros(rng):
    """Frames settled before the end have the same bits however long the signal is."""
    bank = small_bank(3, 33, 0, False)
    x = rng.standard_normal(5000 if JIT else 1500).astype(np.float32)
    whole = atc.filter_energy(x, bank, window=50, hop=20, method="overlap-save")
    part = atc.filter_energy(x[:-700], bank, window=50, hop=20, method="overlap-save")
    np.testing.assert_allclose(part[:, :-3], whole[:, : part.shape[1] - 3], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hop": 0}, "hop is 0"),
        ({"window": 2.5}, "window is 2.5"),
        ({"window": 5}, "gaps"),
        ({"pool": "max"}, "pool is 'max'"),
        ({"pool": [1.0, 2.0]}, "pool has the shape"),
        ({"pool": [1.0] * 19 + [np.nan]}, "pool holds nan"),
        ({"pool": [1.0] * 19 + [1e300]}, r"pool holds 1e\+300"),
        ({"pool": [[1.0], [1.0, 2.0]]}, "pool is not an array of numbers"),
        ({"x": [[1.0], [1.0, 2.0]]}, "x is not an array of numbers"),
        ({"method": ["direct"]}, r"method is \['direct'\]"),
        ({"method": np.array(["direct", "auto"])}, "method is array"),
        ({"pool": "gaussian", "method": "direct"}, "averages only"),
        ({"method": "best"}, "method is 'best'"),
        ({"x": 1.0}, "time axis"),
        ({"x": [1j]}, "real numbers"),
    ],
)
def test_one_clear_error(arguments, message):
    call = {"x": np.zeros(50), "bank": small_bank(2, 3, 0, False), "window": 20, "hop": 10, **arguments}
    with pytest.raises(ParameterError, match=message):
        atc.filter_energy(**call)
