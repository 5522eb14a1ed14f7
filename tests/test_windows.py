"""Windows against scipy, torch and Kaldi, and by their laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from audiotconv.errors import ParameterError
from audiotconv.filters import window

NAMES = ("hann", "hamming", "povey", "blackman", "rectangular", "gaussian")
SCIPY = {name: name for name in ("hann", "hamming", "blackman")} | {"rectangular": "boxcar"}
KALDI = {"hann": "hanning"} | {name: name for name in ("hamming", "povey", "blackman", "rectangular")}


def options(name):
    return {"std": 7.5} if name == "gaussian" else {}


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("length", [1, 2, 3, 4, 15, 16, 400, 1023])
def test_as_scipy(length, periodic):
    for name, theirs in SCIPY.items():
        expected = signal.get_window(theirs, length, fftbins=periodic)
        np.testing.assert_allclose(window(name, length, periodic=periodic), expected, rtol=0, atol=1e-15)
    expected = signal.get_window(("gaussian", 7.5), length, fftbins=periodic)
    np.testing.assert_allclose(window("gaussian", length, periodic=periodic, std=7.5), expected, rtol=1e-13, atol=1e-30)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("length", [1, 2, 25, 400])
def test_as_torch(length, periodic):
    torch = pytest.importorskip("torch")
    for name in ("hann", "hamming", "blackman"):
        theirs = getattr(torch, f"{name}_window")(length, periodic=periodic, dtype=torch.float64).numpy()
        np.testing.assert_allclose(window(name, length, periodic=periodic), theirs, rtol=0, atol=1e-15)


@pytest.mark.parametrize("length", [2, 15, 400])
@pytest.mark.parametrize("coefficient", [0.42, 0.2512, 0.5])
def test_as_kaldi(length, coefficient):
    knf = pytest.importorskip("kaldi_native_fbank")
    for name, theirs in KALDI.items():
        frame = knf.FrameExtractionOptions()
        frame.samp_freq, frame.frame_length_ms = 1000.0, float(length)
        frame.window_type, frame.blackman_coeff = theirs, coefficient
        mine = window(name, length, periodic=False, blackman_coeff=coefficient)
        np.testing.assert_allclose(mine, knf.FeatureWindowFunction(frame).window, rtol=0, atol=1e-7)


@given(st.sampled_from(NAMES), st.integers(1, 2000))
def test_laws(name, length):
    symmetric = window(name, length, periodic=False, **options(name))
    assert symmetric.dtype == np.float64
    assert symmetric.shape == (length,)
    np.testing.assert_array_equal(symmetric, symmetric[::-1])
    assert symmetric.max() <= 1.0
    assert symmetric.min() >= -1e-15
    if length > 1:
        longer = window(name, length + 1, periodic=False, **options(name))
        np.testing.assert_array_equal(window(name, length, periodic=True, **options(name)), longer[:-1])
    else:
        assert symmetric == [1.0]


def test_a_gaussian_window_far_narrower_than_a_sample():
    np.testing.assert_array_equal(window("gaussian", 5, periodic=False, std=1e-300), [0, 0, 1, 0, 0])


@given(st.integers(1, 500))
def test_periodic_windows_half_a_length_apart_add_up_to_a_constant(half):
    for name, total in (("hann", 1.0), ("hamming", 1.08), ("rectangular", 2.0)):
        weights = window(name, 2 * half, periodic=True)
        np.testing.assert_allclose(weights[:half] + weights[half:], total, rtol=1e-14)


@given(st.integers(2, 500), st.floats(-2, 2))
def test_the_mean_of_a_blackman_window_is_its_coefficient(length, coefficient):
    weights = window("blackman", length, periodic=True, blackman_coeff=coefficient)
    mean = 0.5 if length == 2 else coefficient  # at two samples the second cosine is a constant too
    np.testing.assert_allclose(weights.mean(), mean, atol=1e-14)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"name": "kaiser"}, "the window is 'kaiser'; it must be one of hann, hamming, povey, blackman, rect"),
        ({"length": 0}, "the window's length is 0; it must be from 1 to 10,000,000 samples"),
        ({"length": 10**12}, "the window's length is 1000000000000"),
        ({"length": 25.0}, "the window's length is 25.0; it must be an integer"),
        ({"name": "blackman", "blackman_coeff": float("nan")}, "blackman_coeff is nan; it must be a finite number"),
        ({"name": "gaussian"}, "std is None; a gaussian window needs a number of samples above 0"),
        ({"name": "gaussian", "std": 0.0}, "std is 0.0"),
        ({"name": "gaussian", "std": float("inf")}, "std is inf"),
        ({"std": 3.0}, "std is 3.0, but a hann window has none"),
    ],
)
def test_impossible_parameters(parameters, message):
    with pytest.raises(ParameterError, match=message):
        window(**({"name": "hann", "length": 25, "periodic": False} | parameters))
