"""Measures of spectra and of samples: against float64 and librosa."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from conftest import JIT
from hypothesis import given
from hypothesis import strategies as st

from audiotconv.errors import ParameterError
from audiotconv.stages import SpectralShape, Waveform

PLAIN = ("centroid", "bandwidth", "rolloff", "flatness", "flux")


compiled_only = pytest.mark.skipif(not JIT, reason="librosa's own kernels need the compiler")


def names(count):
    return tuple(str(n) for n in range(count))


def whole(stage, x, threads=1):
    return stage.run(x, -stage.geometry.lead, stage.geometry.count(x.shape[-1]), threads)


@given(data=st.data())
def test_spectra_against_float64(data):
    bins = data.draw(st.integers(1, 40), label="bins")
    frames = data.draw(st.one_of(st.integers(0, 3), st.sampled_from([8, 15, 16, 17, 33])), label="frames")
    spectrum = data.draw(st.sampled_from(["magnitude", "power"]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    x = np.exp(rng.uniform(-5, 5, (2, bins, frames))).astype(np.float32)
    frequencies = np.cumsum(rng.integers(1, 100, bins))
    stage = SpectralShape(names(bins), frequencies, measures=PLAIN, spectrum=spectrum, roll_percent=0.7)
    assert stage.features == PLAIN
    got = whole(stage, x, data.draw(st.sampled_from([1, 2])))
    want = reference.spectral_shape(x, frequencies, spectrum == "magnitude", 0.7)
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=5e-6, atol=1e-3 if bins == 1 else 1e-6)
    for number, measure in enumerate(PLAIN):
        stage = SpectralShape(names(bins), frequencies, measures=measure, spectrum=spectrum, roll_percent=0.7)
        np.testing.assert_array_equal(whole(stage, x)[:, 0], got[:, number])


@compiled_only
def test_spectra_as_librosa(rng):
    librosa = pytest.importorskip("librosa")
    sound = rng.standard_normal(22050).astype(np.float32)
    sound[:2000] *= 0.01
    magnitudes = np.abs(librosa.stft(sound, n_fft=1024, hop_length=256))
    frequencies = librosa.fft_frequencies(sr=22050, n_fft=1024)
    stage = SpectralShape(names(513), frequencies)
    got = whole(stage, magnitudes[None])[0]
    feature = librosa.feature
    want = {
        "centroid": feature.spectral_centroid(S=magnitudes, freq=frequencies),
        "bandwidth": feature.spectral_bandwidth(S=magnitudes, freq=frequencies),
        "rolloff": feature.spectral_rolloff(S=magnitudes, freq=frequencies),
        "flatness": feature.spectral_flatness(S=magnitudes),
        "contrast": feature.spectral_contrast(S=magnitudes, freq=frequencies),
    }
    decibels = librosa.power_to_db(magnitudes**2)
    onset = librosa.onset.onset_strength(S=decibels, center=False)
    for measure, values in want.items():
        at = stage.features.index(measure if measure != "contrast" else "contrast 0")
        np.testing.assert_allclose(got[at : at + len(values)], values, rtol=2e-5, err_msg=measure)
    flux = SpectralShape(names(513), frequencies, measures=("flux",))
    np.testing.assert_allclose(whole(flux, decibels[None])[0, 0], onset, rtol=1e-5)


def test_silence_and_the_largest_numbers_are_finite():
    x = np.zeros((1, 8, 20), np.float32)
    stage = SpectralShape(names(8), 100.0 * np.arange(8), n_bands=1)
    got = whole(stage, x)[0]
    np.testing.assert_allclose(got[3], 1.0, rtol=1e-6)
    assert not np.delete(got, 3, axis=0).any()
    x[0, ::2, 5:] = 3e38
    x[0, 1, 5::2] = -3e38
    x[0, 3, 7] = 1e-45
    assert np.isfinite(whole(stage, x)).all()


SPECTRUM_MISTAKES = [
    ({"frequencies": [1, 2]}, r"frequencies has the shape \(2,\)"),
    ({"frequencies": [1, 3, 2]}, "rising"),
    ({"frequencies": [-1, 2, 3]}, "at least 0"),
    ({"frequencies": "abc"}, "frequencies is of type"),
    ({"measures": ("tilt",)}, "there is no measure 'tilt'"),
    ({"measures": ()}, "measures is empty"),
    ({"measures": ("flux", "flux")}, "flux is wanted twice"),
    ({"spectrum": "complex"}, "spectrum is 'complex'"),
    ({"roll_percent": 1.0}, "roll_percent is 1.0"),
    ({"quantile": 0}, "quantile is 0"),
    ({"floor": 1e-40}, "floor is 1e-40"),
    ({"n_bands": 0}, "n_bands is 0"),
    ({"fmin": 0.0, "measures": "contrast"}, "fmin is 0.0"),
    ({"fmin": 1000.0, "measures": "contrast"}, "from 1000 to 2000 Hz has no bins"),
    ({"fmin": 120.0, "n_bands": 1, "measures": "contrast"}, "from 0 to 120 Hz has one bin"),
]


@pytest.mark.parametrize(("parameters", "message"), SPECTRUM_MISTAKES)
def test_impossible_parameters(parameters, message):
    with pytest.raises(ParameterError, match=message):
        SpectralShape(names(3), **({"frequencies": (100, 200, 300), "measures": ("flux",)} | parameters))


@given(data=st.data())
def test_samples_against_float64(data):
    window, hop = data.draw(st.integers(1, 20), label="window"), data.draw(st.integers(1, 25), label="hop")
    n = data.draw(st.one_of(st.integers(0, 40), st.sampled_from([63, 64, 200])), label="samples")
    centre = data.draw(st.booleans(), label="centre")
    x = np.random.default_rng(data.draw(st.integers(0, 99))).integers(-3, 4, (2, n)).astype(np.float32) / 4
    stage = Waveform(window=window, hop=hop, centre=centre)
    got = whole(stage, x, data.draw(st.sampled_from([1, 2])))
    want = reference.waveform(x, window, hop, centre)
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)


@compiled_only
@pytest.mark.parametrize("window", [400, 401])
def test_samples_as_librosa(window, rng):
    librosa = pytest.importorskip("librosa")
    x = rng.standard_normal(5000).astype(np.float32)
    x[1000:1500] = 0
    got = whole(Waveform(window=window, hop=160), x[None])[0]
    crossings = librosa.feature.zero_crossing_rate(x, frame_length=window, hop_length=160)
    np.testing.assert_allclose(got[0], crossings[0], rtol=1e-6)
    np.testing.assert_allclose(got[1], librosa.feature.rms(y=x, frame_length=window, hop_length=160)[0], rtol=2e-6)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"measures": ("pitch",)}, "there is no measure 'pitch'"),
        ({"window": 0}, "window is 0"),
        ({"hop": 1.5}, "hop is 1.5"),
        ({"centre": "yes"}, "centre is 'yes'"),
        ({"threshold": -1}, "threshold is -1"),
        ({"floor": 0}, "floor is 0"),
    ],
)
def test_impossible_frames(parameters, message):
    with pytest.raises(ParameterError, match=message):
        Waveform(**parameters)
