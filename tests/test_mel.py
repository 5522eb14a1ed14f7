"""Mel filter banks against published ones, librosa and Kaldi, and by their laws."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import audiotconv as atc
from audiotconv.bench.kaldi_archives import archives, options_of
from audiotconv.errors import ParameterError
from audiotconv.filters import SpectralBank, hz_to_mel, mel_bank, mel_to_hz

KALDI = {"scale": "kaldi", "triangles": "mel"}


@pytest.mark.parametrize("bands", [80, 128])
def test_as_whisper(conformance, bands):
    theirs = np.load(conformance / "whisper" / "mel_filters.npz")[f"mel_{bands}"]
    mine = mel_bank(bands, sample_rate=16000, n_fft=400, norm="slaney")
    np.testing.assert_allclose(mine.weights, theirs, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("htk", {"scale": "htk"}),
        ("slaney", {"scale": "slaney"}),
        ("slaney_norm", {"scale": "slaney", "norm": "slaney"}),
        ("kaldi_tri_in_mel", KALDI),
    ],
)
def test_as_transformers(conformance, name, options):
    expected = json.loads((conformance / "transformers" / "expected.json").read_text())["mel_filter_bank"][name]
    mine = mel_bank(4, sample_rate=4000, n_fft=30, fmax=2000, **options)
    tolerance = 1e-6 if name == "kaldi_tri_in_mel" else 1e-8  # theirs is of 32 bits
    np.testing.assert_allclose(mine.weights.T, expected, rtol=1e-5, atol=tolerance)


@given(
    st.integers(1, 60),
    st.sampled_from([8000, 11025, 16000, 44100]),
    st.integers(2, 2100),
    st.floats(0, 3000),
    st.floats(0.3, 1.0),
    st.booleans(),
    st.sampled_from([None, "slaney"]),
)
def test_as_librosa(bands, rate, n_fft, fmin, top, htk, norm):
    librosa = pytest.importorskip("librosa")
    fmax = top * rate / 2
    assume(fmin + 1 < fmax)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that bands are empty
        theirs = librosa.filters.mel(
            sr=rate, n_fft=n_fft, n_mels=bands, fmin=fmin, fmax=fmax, htk=htk, norm=norm, dtype=np.float64
        )
    scale = "htk" if htk else "slaney"
    mine = mel_bank(bands, sample_rate=rate, n_fft=n_fft, fmin=fmin, fmax=fmax, scale=scale, norm=norm)
    # The sides of narrow bands are as steep as the bands are many, and so are errors in where their edges are.
    steepest = 1 / np.diff(librosa.mel_frequencies(bands + 2, fmin=fmin, fmax=fmax, htk=htk)).min()
    np.testing.assert_allclose(mine.weights, theirs, rtol=0, atol=1e-14 + 2e-11 * steepest)
    np.testing.assert_allclose(
        mine.centres, librosa.mel_frequencies(bands + 2, fmin=fmin, fmax=fmax, htk=htk)[1:-1], rtol=1e-12
    )


def kaldi(bands, *, rate=16000.0, length, power_of_two, vtln_warp=1.0, **options):
    knf = pytest.importorskip("kaldi_native_fbank")
    frame, mel = knf.FrameExtractionOptions(), knf.MelBanksOptions()
    frame.samp_freq, frame.frame_length_ms, frame.round_to_power_of_two = rate, length, power_of_two
    mel.num_bins = bands
    for name, value in options.items():
        setattr(mel, name, value)
    return knf.MelBanks(mel, frame, vtln_warp).get_matrix()


@pytest.mark.parametrize("kind", ["fbank", "mfcc"])
def test_as_kaldi_with_the_options_of_its_files(conformance, kind):
    """Its files are of every combination, some with frequencies warped beyond recognition."""
    seen = warped = 0
    for path in archives(conformance / "kaldi", kind):
        _, option = options_of(path)
        length, power_of_two = option["frame_length"], option["round_to_power_of_two"]
        samples = int(16 * length)
        n_fft = 1 << (samples - 1).bit_length() if power_of_two else samples
        shared = {name: option[name] for name in ("vtln_low", "vtln_high", "vtln_warp")}
        low, high, bands = option["low_freq"], option["high_freq"], int(option["num_mel_bins"])
        theirs = kaldi(bands, length=length, power_of_two=power_of_two, low_freq=low, high_freq=high, **shared)
        mine = mel_bank(bands, sample_rate=16000, n_fft=n_fft, fmin=low, fmax=high, **shared, **KALDI)
        np.testing.assert_allclose(mine.weights, theirs, rtol=0, atol=1e-5)
        seen += 1
        warped += shared["vtln_warp"] != 1.0
    assert (seen > 40, warped > 0) == (True, True)


@pytest.mark.parametrize("bands", [23, 40, 80])
@pytest.mark.parametrize("warp", [1.0, 0.8, 0.95, 1.2])
@pytest.mark.parametrize(("rate", "high"), [(16000, 0.0), (16000, -400.0), (16000, 7600.0), (8000, 3800.0)])
def test_as_kaldi(bands, warp, rate, high):
    length = 50.0 if rate == 8000 and bands == 80 else 25.0
    n_fft = 1 << (int(rate * length / 1000) - 1).bit_length()
    shared = {"vtln_warp": warp, "vtln_low": 100.0, "vtln_high": -500.0 if high <= 0 else high - 300}
    options = {"sample_rate": rate, "n_fft": n_fft, "fmin": 20, "fmax": high, **shared, **KALDI}
    try:
        theirs = kaldi(
            bands, rate=float(rate), length=length, power_of_two=True, low_freq=20.0, high_freq=high, **shared
        )
    except ValueError as refusal:
        assert "num_mel_bins too large" in str(refusal)
        with pytest.raises(ParameterError, match="is empty, as no bin falls into it"):
            mel_bank(bands, **options)
    else:
        np.testing.assert_allclose(mel_bank(bands, **options).weights, theirs, rtol=0, atol=1e-4)


@pytest.mark.parametrize("low", [0.0, 20.0, 31.25, 64.0])
def test_the_first_weight_of_htk(low):
    """31.25 Hz is a bin, which lies outside of the first band that begins there."""
    knf = pytest.importorskip("kaldi_native_fbank")
    assert knf.MelBanksOptions().htk_mode is False
    theirs = kaldi(23, length=25.0, power_of_two=True, low_freq=low, htk_mode=True)
    mine = mel_bank(23, sample_rate=16000, n_fft=512, fmin=low, htk_compat=True, **KALDI)
    np.testing.assert_allclose(mine.weights, theirs, rtol=0, atol=1e-5)
    plain = mel_bank(23, sample_rate=16000, n_fft=512, fmin=low, **KALDI)
    changed = np.argwhere(plain.weights != mine.weights)
    assert changed.tolist() == ([] if low == 0 else [[0, 3 if low == 64 else 2 if low == 31.25 else 1]])


def test_a_first_band_of_one_weight_that_htk_takes_away():
    options = {"sample_rate": 16000, "n_fft": 512, "htk_compat": True, **KALDI}
    assert mel_bank(80, fmin=40, **options).empty.tolist() == [0]
    assert 0 in mel_bank(300, fmin=40, **options, allow_empty=True).empty


banks = st.fixed_dictionaries(
    {
        "bands": st.integers(1, 50),
        "sample_rate": st.sampled_from([8000, 16000, 22050]),
        "n_fft": st.integers(2, 1200),
        "fmin": st.floats(0, 1000),
        "fmax": st.one_of(st.none(), st.floats(1100, 4000), st.floats(-2000, 0)),
        "scale": st.sampled_from(["htk", "slaney", "kaldi"]),
        "triangles": st.sampled_from(["hertz", "mel"]),
        "allow_empty": st.just(True),
    }
)


@given(banks)
def test_neighbouring_bands_share_each_bin(options):
    bank = mel_bank(**options)
    bins = options["n_fft"] // 2 + 1
    assert bank.weights.shape == (options["bands"], bins)
    assert bank.weights.dtype == np.float64
    assert 0 <= bank.weights.min() <= bank.weights.max() <= 1
    assert ((bank.weights > 0).sum(axis=0) <= 2).all()
    between = (bank.frequencies >= bank.centres[0]) & (bank.frequencies <= bank.centres[-1])
    if options["triangles"] == "mel":
        between[options["n_fft"] // 2 :] = False
        assert not bank.weights[:, options["n_fft"] // 2 :].any()
    np.testing.assert_allclose(bank.weights[:, between].sum(axis=0), 1.0, rtol=1e-9)


@given(banks)
def test_the_norm_divides_by_half_the_width(options):
    bank, normed = mel_bank(**options), mel_bank(**options, norm="slaney")
    mel = hz_to_mel(bank.centres, options["scale"])
    if options["bands"] > 2:
        step = mel[1] - mel[0]
        width = mel_to_hz(mel + step, options["scale"]) - mel_to_hz(mel - step, options["scale"])
        np.testing.assert_allclose(normed.weights, bank.weights * (2 / width)[:, None], rtol=1e-7)
    np.testing.assert_array_equal(normed.empty, bank.empty)


@given(banks, st.floats(0.8, 1.25))
def test_warping_moves_the_centres_between_the_cutoffs(options, warp):
    options |= {"fmin": 50.0, "fmax": 3900.0}
    plain, warped = mel_bank(**options), mel_bank(**options, vtln_warp=warp, vtln_low=200, vtln_high=3000)
    between = (plain.centres >= 200 * max(1, warp)) & (plain.centres < 3000 * min(1, warp))
    np.testing.assert_allclose(warped.centres[between], plain.centres[between] / warp)
    assert (np.diff(warped.centres) > 0).all()
    assert 50 < warped.centres[0] <= warped.centres[-1] < 3900


def test_a_warping_that_turns_a_band_inside_out_leaves_it_finite():
    options = {"sample_rate": 16000, "n_fft": 512, "fmin": 20, "fmax": 5000, "norm": "slaney"}
    for triangles in ("hertz", "mel"):
        for warp in (0.3, 3.0):
            bank = mel_bank(40, **options, triangles=triangles, vtln_warp=warp, vtln_high=4900, allow_empty=True)
            low = mel_bank(
                40, **options, triangles=triangles, vtln_warp=warp, vtln_low=4000, vtln_high=4900, allow_empty=True
            )
            assert np.isfinite(bank.weights).all()
            assert low.weights.min() >= 0


def test_fmax_counts_from_half_the_sample_rate_as_in_kaldi():
    for fmax, same in ((None, 8000.0), (0.0, 8000.0), (-400.0, 7600.0)):
        one, two = (mel_bank(23, sample_rate=16000, n_fft=512, fmax=value) for value in (fmax, same))
        np.testing.assert_array_equal(one.weights, two.weights)
    one, two = (
        mel_bank(23, sample_rate=16000, n_fft=512, vtln_warp=0.9, vtln_high=value) for value in (-500.0, 7500.0)
    )
    np.testing.assert_array_equal(one.weights, two.weights)


def test_empty_bands():
    """By default as in the programs: librosa has them, Kaldi does not; and either kind when told."""
    common = {"sample_rate": 16000, "n_fft": 512, "fmin": 20}
    bank = mel_bank(400, **common)
    assert bank.empty.size > 80
    assert not bank.weights[bank.empty].any()
    message = "band 0, from 20 to 29.004 Hz, is empty, as no bin falls into it: they are 31.25 Hz apart; take fewer "
    with pytest.raises(ParameterError, match=message + "bands than 400 or a longer n_fft, or say allow_empty=True"):
        mel_bank(400, **common, **KALDI)
    with pytest.raises(ParameterError, match=r"band 2, from .* is empty"):
        mel_bank(400, **common, allow_empty=False)
    assert mel_bank(400, **common, **KALDI, allow_empty=True).empty.size > 80
    assert mel_bank(80, **common, **KALDI).empty.size == 0


def test_the_public_names():
    bank = atc.mel_bank(4, sample_rate=8000, n_fft=64)
    assert isinstance(bank, atc.SpectralBank)
    assert bank.frequencies[[0, -1]].tolist() == [0.0, 4000.0]
    assert len(mel_bank(4, sample_rate=8000, n_fft=65).frequencies) == 33
    assert SpectralBank([[1, 2]], [5], 8000, 3).weights.dtype == np.float64


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bands": 0}, "the number of bands is 0; it must be at least 1"),
        ({"bands": 2.5}, "the number of bands is 2.5; it must be an integer"),
        ({"bands": 10**6}, "the number of bands is 1000000 and n_fft 512, which makes 257,000,000 weights; at most "),
        ({"sample_rate": 0}, "the sample rate is 0 Hz; it must be at least 1"),
        ({"sample_rate": float("nan")}, "the sample rate is nan Hz"),
        ({"n_fft": 1}, "n_fft is 1; it must be at least 2 samples"),
        ({"n_fft": 512.0}, "n_fft is 512.0; it must be an integer"),
        ({"fmin": -1.0}, "fmin is -1.0 Hz and fmax 8000.0 Hz; at a sample rate of 16000 Hz they must satisfy 0 <="),
        ({"fmin": 100.0, "fmax": 100.0}, "fmin is 100.0 Hz and fmax 100.0 Hz"),
        ({"fmax": 8001.0}, "fmax 8001.0 Hz; .* 0 <= fmin < fmax <= 8000"),
        ({"fmin": 600.0, "fmax": -7500.0}, r"fmin is 600.0 Hz and fmax -7500.0 Hz \(500 Hz\); at a"),
        ({"fmax": float("nan")}, "fmax nan Hz"),
        ({"fmin": 1000.0, "fmax": 1000.0000000000002}, "fmin is 1000.0 Hz .* for 8 bands they must lie further apart"),
        ({"scale": "bark"}, 'scale is \'bark\'; it must be "htk", "slaney" or "kaldi"'),
        ({"triangles": "log"}, 'triangles is \'log\'; it must be "hertz" or "mel"'),
        ({"norm": "l2"}, "norm is 'l2'; it must be None or \"slaney\""),
        ({"vtln_warp": 0.0}, "vtln_warp is 0.0; it must be from 0.1 to 10, and is 1 for no warping"),
        ({"vtln_warp": float("nan")}, "vtln_warp is nan"),
        ({"vtln_warp": 1.1, "vtln_low": 0.0}, "vtln_low is 0.0 Hz and vtln_high -500.0 Hz .7500 Hz.; they must"),
        ({"vtln_warp": 1.1, "vtln_low": 3000.0, "vtln_high": 2000.0}, "vtln_low is 3000.0 Hz and vtln_high 2000.0 Hz;"),
        ({"vtln_warp": 1.1, "fmax": 7000.0}, "vtln_high < fmax, where fmin is 0.0 Hz and fmax 7000.0 Hz"),
    ],
)
def test_impossible_parameters(options, message):
    with pytest.raises(ParameterError, match=message):
        mel_bank(**({"bands": 8, "sample_rate": 16000, "n_fft": 512} | options))


@pytest.mark.parametrize(
    ("weights", "centres", "message"),
    [
        (np.zeros(3), np.zeros(3), r"weights have the shape \(3,\); n_fft = 4 needs \(bands, 3\), and at least one"),
        (np.zeros((0, 3)), np.zeros(0), "weights have the shape"),
        (np.zeros((2, 4)), np.zeros(2), "weights have the shape"),
        (np.array([[0, 0, 0], [0, np.nan, 0]]), np.zeros(2), "the weights of band 1 are not all finite"),
        (np.zeros((2, 3)), np.zeros(3), r"centres have the shape \(3,\); it must be one per band"),
    ],
)
def test_impossible_banks(weights, centres, message):
    with pytest.raises(ParameterError, match=message):
        SpectralBank(weights, centres, 8000, 4)
