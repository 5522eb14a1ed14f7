"""Chroma filter banks against librosa, and by tones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import audiotconv as atc
from audiotconv.errors import ParameterError
from audiotconv.filters import chroma_bank

options = st.fixed_dictionaries(
    {
        "n_chroma": st.integers(1, 40),
        "n_fft": st.integers(2, 3000),
        "tuning": st.floats(-1, 1),
        "ctroct": st.floats(0, 10),
        "octwidth": st.one_of(st.none(), st.floats(0.5, 5)),
        "norm": st.sampled_from([None, 1, 2, 3.5, np.inf]),
        "base_c": st.booleans(),
    }
)


@given(options, st.sampled_from([8000, 16000, 22050, 44100]))
def test_as_librosa(options, rate):
    librosa = pytest.importorskip("librosa")
    theirs = librosa.filters.chroma(sr=rate, dtype=np.float64, **options)
    mine = chroma_bank(sample_rate=rate, **options)
    np.testing.assert_allclose(mine.weights, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n_fft", [2, 3, 4, 5, 512, 2048, 4097])
def test_as_librosa_by_default(n_fft):
    librosa = pytest.importorskip("librosa")
    theirs = librosa.filters.chroma(sr=22050, n_fft=n_fft, dtype=np.float64)
    np.testing.assert_allclose(chroma_bank(sample_rate=22050, n_fft=n_fft).weights, theirs, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("tuning", [0.0, 0.3])
@pytest.mark.parametrize(("n_chroma", "base_c"), [(12, True), (12, False), (24, True), (7, True)])
def test_a_note_is_in_its_class(n_chroma, base_c, tuning):
    bank = chroma_bank(n_chroma, sample_rate=16000, n_fft=1 << 15, tuning=tuning, base_c=base_c)
    for note, pitch in enumerate(bank.centres):
        for octave in (1, 2, 4):
            nearest = np.argmin(np.abs(bank.frequencies - pitch * octave))
            assert bank.weights[:, nearest].argmax() == note
    assert bank.centres[0] == pytest.approx((261.6256 if base_c and n_chroma > 7 else 220.0) * 2 ** (tuning / n_chroma))


@given(options)
def test_every_bin_is_normalized_and_then_weighted_by_its_octave(options):
    options |= {"norm": 2.0, "octwidth": None}
    weights = chroma_bank(sample_rate=16000, **options).weights
    np.testing.assert_allclose((weights**2).sum(axis=0), 1.0)
    weighted = chroma_bank(sample_rate=16000, **options | {"octwidth": 2.0}).weights
    ratio = (weighted / np.maximum(weights, 1e-300))[weights.argmax(axis=0), np.arange(weights.shape[1])]
    assert ratio.max() <= 1.0 + 1e-12
    np.testing.assert_allclose(weighted, weights * ratio, rtol=1e-9, atol=1e-300)


def test_octaves_beyond_all_weights():
    bank = chroma_bank(sample_rate=16000, n_fft=512, ctroct=1e300, octwidth=1e-300)
    assert bank.empty.size == 12


def test_the_public_name():
    bank = atc.chroma_bank(sample_rate=16000, n_fft=512)
    assert isinstance(bank, atc.SpectralBank)
    assert bank.weights.shape == (12, 257)
    assert bank.empty.size == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_chroma": 0}, "n_chroma is 0; it must be at least 1"),
        ({"n_chroma": 12.0}, "n_chroma is 12.0; it must be an integer"),
        ({"n_chroma": 10**6}, "the number of bands is 1000000 and n_fft 512"),
        ({"sample_rate": 0}, "the sample rate is 0 Hz"),
        ({"n_fft": 1}, "n_fft is 1; it must be at least 2 samples"),
        ({"tuning": float("nan")}, "tuning is nan; it must lie within an octave, from -12 to 12"),
        ({"tuning": 12.5}, "tuning is 12.5"),
        ({"ctroct": float("inf")}, "ctroct is inf; it must be a finite number of octaves"),
        ({"octwidth": 0}, "octwidth is 0; it must be a number of octaves above 0, or None"),
        ({"norm": 0}, "norm is 0; it must be above 0, or None"),
        ({"norm": float("nan")}, "norm is nan; it must be above 0, or None"),
    ],
)
def test_impossible_parameters(options, message):
    with pytest.raises(ParameterError, match=message):
        chroma_bank(**({"sample_rate": 16000, "n_fft": 512} | options))
