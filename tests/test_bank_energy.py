"""The filter-bank energy stage against the float64 reference, and against scipy and torch."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from conftest import JIT, ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from test_contract import small_bank

import audiotconv as atc
from audiotconv.errors import ParameterError
from audiotconv.filters import FilterBank
from audiotconv.stages import BankEnergy


def energies(stage, x):
    return stage.run(x, -stage.geometry.lead, stage.geometry.count(x.shape[1]), 1)


@settings(max_examples=80 if JIT else 8)
@given(
    st.integers(1, 40 if JIT else 20),
    st.integers(1, 40),
    st.data(),
    st.booleans(),
    st.integers(1, 3),
    st.integers(1, 6),
    st.integers(0, 9),
    st.integers(0, 300 if JIT else 60),
    st.integers(0, 2**32 - 1),
)
def test_against_reference(bands, span, data, is_complex, stride, hops, more, n, seed):
    advance = data.draw(st.integers(0, span - 1))
    bank = small_bank(bands, span, advance, is_complex, seed)
    hop, window = hops * stride, (hops + more) * stride
    stage = BankEnergy(bank, window=window, hop=hop, stride=stride)
    x = np.random.default_rng(seed).standard_normal((2, n)).astype(np.float32)
    want = reference.bank_energy(x, bank, window, hop, stride)
    # Relative to what the filter could give at most: a sum that cancels has no relative precision in any format.
    scale = (np.abs(bank.taps).sum(axis=1) ** 2)[:, None] * max(1.0, float(np.abs(x).max(initial=0.0)) ** 2)
    got = energies(stage, x)
    assert got.shape == want.shape
    assert (np.abs(got - want) <= 1e-6 * scale).all()


def recordings():
    import soundfile

    for path in sorted((ROOT / "data").rglob("*.wav"))[:: 1 if JIT else 50]:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        length = len(samples) if JIT else 1200
        yield path, np.ascontiguousarray(samples[:length, :1].T), rate


@pytest.mark.parametrize("name", ["gammatone-64", "gabor-40", "sincnet-80"])
def test_recipes_agree_with_float64(name):
    """1e-5 relative before the logarithm and 1e-4 after it; see the comment on what "relative" can mean."""
    worst = 0.0
    # SincNet's filters at every sample take the reference ten times as long.
    for path, x, rate in list(recordings())[:: 12 if name == "sincnet-80" else 1]:
        chain = atc.get_recipe(name).build(rate)
        stage = chain.stages[0]
        # The reference is slow: every tenth frame's neighbourhood of a long file would do, and short files are short.
        x = x[:, : rate // 2] if JIT else x
        want = reference.bank_energy(x, stage.bank, stage.window, stage.hop, stage.stride)
        got = energies(stage, x)
        # float32 sums have an error relative to the signal under the filter, not to what is left after the filter
        # has cancelled it. So each energy is held to 1e-5 of itself, down to 50 dB below the frame's strongest band.
        significant = want > 1e-5 * want.max(axis=1, keepdims=True)
        np.testing.assert_array_less(np.abs(got - want)[significant], 1e-5 * want[significant] + 1e-30, str(path))
        log = chain.run(x)
        worst = max(worst, float(np.abs(log - reference.log(want, 1e-10)).max()))
    assert worst < 1e-4


@pytest.mark.parametrize("name", ["gammatone-64", "gabor-40"])
def test_noise_agrees_with_float64_in_every_value(name, rng):
    rate = 8000
    stage = atc.get_recipe(name).build(rate).stages[0]
    x = rng.standard_normal((1, 2000 if JIT else 600)).astype(np.float32)
    want = reference.bank_energy(x, stage.bank, stage.window, stage.hop, stage.stride)
    np.testing.assert_allclose(energies(stage, x), want, rtol=1e-5)


@pytest.mark.parametrize("name", ["gammatone-64", "gabor-40"])
def test_a_sine_at_a_centre_frequency_gives_its_power_there(name):
    rate = 8000
    chain = atc.get_recipe(name).build(rate)
    bank = chain.stages[0].bank
    band = len(bank.centres) // 2
    tone = 0.5 * np.sin(2 * np.pi * bank.centres[band] / rate * np.arange(rate // 4 if JIT else rate // 8))
    values = energies(chain.stages[0], tone.astype(np.float32)[None])[0]
    middle = values.shape[1] // 2
    assert values[:, middle].argmax() == band
    assert values[band, middle] == pytest.approx(0.125, rel=0.01)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"window": 0, "hop": 1}, "window is 0"),
        ({"window": 4, "hop": 0}, "hop is 0"),
        ({"window": 4, "hop": 2, "stride": 0}, "stride is 0"),
        ({"window": 5, "hop": 2, "stride": 2}, "multiples of the stride"),
        ({"window": 4, "hop": 8}, "gaps"),
    ],
)
def test_impossible_sizes(sizes, message):
    with pytest.raises(ParameterError, match=message):
        BankEnergy(small_bank(2, 3, 0, False), **sizes)


def test_taps_that_are_zero_are_not_seen():
    bank = FilterBank(np.array([[0, 0, 1.0, 2.0, 0], [0, 3.0, 0, 0, 0]]), np.ones(2), np.ones(2), 1000, 1)
    stage = BankEnergy(bank, window=2, hop=2)
    assert stage.geometry.span == 4
    x = np.arange(1.0, 8.0, dtype=np.float32)[None]
    np.testing.assert_allclose(energies(stage, x), reference.bank_energy(x, bank, 2, 2, 1), rtol=1e-6)
    with pytest.raises(ParameterError, match="every tap"):
        BankEnergy(FilterBank(np.zeros((2, 3)), np.ones(2), np.ones(2), 1000), window=2, hop=2)


@pytest.mark.skipif(not JIT, reason="a benchmark of compiled code")
def test_peers_of_the_filter_bank_do_the_same_job():
    """The benchmark's contenders agree with each other, so their times can be compared."""
    from audiotconv.bench.filterbank import filterbank_cases
    from audiotconv.bench.timing import interleaved

    pytest.importorskip("scipy")
    for case in filterbank_cases(0.3, 1):
        results = interleaved(case, 1, 1)
        assert results[0].contender == "audiotconv"
        assert all(result.error < 3e-6 for result in results), results
        assert len(results) >= 2
