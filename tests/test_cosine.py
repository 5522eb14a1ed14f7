"""The cosine transform and its lifters against scipy, librosa and Kaldi, and by their laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import fft

from audiotconv.errors import ParameterError
from audiotconv.filters import cepstral_lifter, cosine_matrix, mel_bank, window

sizes = st.integers(1, 200).flatmap(lambda bands: st.tuples(st.integers(1, bands), st.just(bands)))


@given(sizes, st.sampled_from(["ortho", None]))
def test_as_scipy(size, norm):
    count, bands = size
    theirs = fft.dct(np.eye(bands), type=2, norm=norm, axis=0)[:count]
    np.testing.assert_allclose(cosine_matrix(count, bands, norm=norm), theirs, rtol=0, atol=3e-15)


@pytest.mark.parametrize("lifter", [0, 22, 35.5])
def test_as_librosa(lifter, rng):
    librosa = pytest.importorskip("librosa")
    decibels = 20 * rng.standard_normal((128, 9)) - 40
    theirs = librosa.feature.mfcc(S=decibels, n_mfcc=20, lifter=lifter)
    mine = cosine_matrix(20, 128, lifter=lifter, lifter_kind="librosa") @ decibels
    np.testing.assert_allclose(mine, theirs, rtol=1e-11, atol=1e-10)


@pytest.mark.parametrize("lifter", [0.0, 22.0, 34.0918])
def test_as_kaldi(lifter, rng):
    """A frame of its MFCC, from the window on."""
    knf = pytest.importorskip("kaldi_native_fbank")
    options = knf.MfccOptions()
    options.num_ceps, options.cepstral_lifter, options.use_energy = 13, lifter, False
    frame = options.frame_opts
    frame.samp_freq, frame.dither, frame.preemph_coeff, frame.remove_dc_offset = 16000.0, 0.0, 0.0, False
    frame.window_type = "povey"
    options.mel_opts.num_bins = 23
    samples = 1000 * rng.standard_normal(400)
    program = knf.OnlineMfcc(options)
    program.accept_waveform(16000.0, samples.tolist())
    power = np.abs(np.fft.rfft(samples * window("povey", 400, periodic=False), 512)) ** 2
    bank = mel_bank(23, sample_rate=16000, n_fft=512, fmin=20, scale="kaldi", triangles="mel")
    mine = cosine_matrix(13, 23, lifter=lifter) @ np.log(bank.weights @ power)
    np.testing.assert_allclose(mine, program.get_frame(0), rtol=1e-5, atol=2e-4)


@given(sizes)
def test_the_rows_are_orthonormal(size):
    count, bands = size
    matrix = cosine_matrix(count, bands)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(count), atol=1e-12)
    assert (matrix.dtype, matrix.shape) == (np.float64, size)
    htk = cosine_matrix(count, bands, norm="htk")
    np.testing.assert_array_equal(htk[1:], matrix[1:])
    np.testing.assert_allclose(htk[0], np.sqrt(2) * matrix[0])


@given(st.integers(1, 60), st.floats(1, 100))
def test_lifters(count, lifter):
    kaldi = cepstral_lifter(count + 1, lifter)
    np.testing.assert_array_equal(cepstral_lifter(count, lifter, "librosa"), kaldi[1:])
    assert kaldi[0] == 1.0
    np.testing.assert_allclose(kaldi, 1 + lifter / 2 * np.sin(np.pi * np.arange(count + 1) / lifter))
    plain, lifted = cosine_matrix(count, 60), cosine_matrix(count, 60, lifter=lifter)
    np.testing.assert_array_equal(lifted, plain * kaldi[:count, None])
    np.testing.assert_array_equal(cepstral_lifter(count, 0), np.ones(count))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cosine_matrix(0, 23), "count is 0; it must be from 1 to the number of bands, 23"),
        (lambda: cosine_matrix(24, 23), "count is 24; it must be from 1 to the number of bands, 23"),
        (lambda: cosine_matrix(2.0, 23), "count is 2.0; it must be an integer"),
        (lambda: cosine_matrix(1, 0), "bands is 0; it must be at least 1"),
        (lambda: cosine_matrix(1, 2.0), "bands is 2.0; it must be an integer"),
        (lambda: cosine_matrix(10**6, 10**6), "count is 1000000 and bands 1000000, which makes 1,000,000,000,000 wei"),
        (lambda: cosine_matrix(13, 23, norm="l2"), 'norm is \'l2\'; it must be "ortho", "htk" or None'),
        (
            lambda: cosine_matrix(13, 23, lifter=-1),
            "lifter is -1; it must be a number of at least 0.001, or 0 for none",
        ),
        (lambda: cosine_matrix(13, 23, lifter=1e-320), "lifter is 1e-320"),
        (lambda: cosine_matrix(13, 23, lifter=float("nan")), "lifter is nan"),
        (lambda: cosine_matrix(13, 23, lifter_kind="htk"), 'lifter is \'htk\'; it must be "kaldi" or "librosa"'),
        (lambda: cepstral_lifter(0, 22), "count is 0; it must be at least 1"),
    ],
)
def test_impossible_parameters(call, message):
    with pytest.raises(ParameterError, match=message):
        call()
