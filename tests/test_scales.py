"""Mel scales against published values and librosa, and by their laws."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiotconv.errors import ParameterError
from audiotconv.filters import hz_to_mel, mel_space, mel_to_hz

SCALES = ("htk", "slaney", "kaldi")
frequencies = st.floats(0, 1e6)


@pytest.mark.parametrize("scale", SCALES)
def test_as_transformers(conformance, scale):
    expected = json.loads((conformance / "transformers" / "expected.json").read_text())["hertz_to_mel"][scale]
    np.testing.assert_allclose(hz_to_mel(expected["in"], scale), expected["out"], rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(mel_to_hz(expected["out"], scale), expected["in"], rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("scale", ["htk", "slaney"])
def test_as_librosa(scale):
    librosa = pytest.importorskip("librosa")
    hertz = np.concatenate([np.linspace(0, 2000, 401), np.geomspace(2000, 96000, 101)])
    mel = librosa.hz_to_mel(hertz, htk=scale == "htk")
    np.testing.assert_allclose(hz_to_mel(hertz, scale), mel, rtol=1e-14)
    np.testing.assert_allclose(mel_to_hz(mel, scale), librosa.mel_to_hz(mel, htk=scale == "htk"), rtol=1e-14)


@given(st.sampled_from(SCALES), frequencies)
def test_there_and_back(scale, hertz):
    mel = hz_to_mel(hertz, scale)
    assert mel.shape == ()
    np.testing.assert_allclose(mel_to_hz(mel, scale), hertz, rtol=1e-12, atol=1e-9)


@given(st.sampled_from(SCALES), st.lists(frequencies, min_size=2, max_size=20))
def test_scales_rise(scale, hertz):
    rising = np.unique(np.round(hertz, 3))
    mel = hz_to_mel(rising, scale)
    assert mel.shape == rising.shape
    assert (np.diff(mel) > 0).all()


def test_slaney_bends_at_1000_hz_without_a_step():
    below, at, above = hz_to_mel([1000.0 - 1e-9, 1000.0, 1000.0 + 1e-9], "slaney")
    assert below < at == 15.0 < above
    assert hz_to_mel(0.0, "slaney") == 0.0
    assert mel_to_hz(hz_to_mel(6400.0, "slaney"), "slaney") == pytest.approx(6400.0)


def test_the_default_is_htk():
    assert hz_to_mel(1000.0) == hz_to_mel(1000.0, "htk")
    assert mel_to_hz(1000.0) == mel_to_hz(1000.0, "htk")
    np.testing.assert_array_equal(mel_space(60, 7800, 40), mel_space(60, 7800, 40, scale="htk"))
    even = hz_to_mel(mel_space(60, 7800, 4, more=2, scale="slaney"), "slaney")
    np.testing.assert_allclose(np.diff(even), np.diff(even)[0])


@pytest.mark.parametrize("call", [hz_to_mel, mel_to_hz, lambda _, scale: mel_space(0, 1, 1, scale=scale)])
def test_unknown_scales(call):
    with pytest.raises(ParameterError, match='scale is \'bark\'; it must be "htk", "slaney" or "kaldi"'):
        call(1.0, "bark")
