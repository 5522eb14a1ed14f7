"""Recipes and stages against the programs that they stand for: Whisper, transformers, librosa, kaldi-native-fbank."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
from conftest import JIT

import audiotconv as atc
from audiotconv.bench.published import FBANK_400
from audiotconv.bench.sounds import speech_like
from audiotconv.filters import window
from audiotconv.recipes import Recipe
from audiotconv.stages import Chain, Spectrum

pytestmark = pytest.mark.skipif(not JIT, reason="seconds of sound")


@pytest.fixture(scope="module")
def expected(conformance):
    return json.loads((conformance / "transformers" / "expected.json").read_text())


@pytest.fixture(scope="module")
def utterance(conformance):
    return soundfile.read(conformance / "transformers" / "1272-128104-0000.flac", dtype="float32")[0]


@pytest.fixture(scope="module")
def clip():
    return speech_like()


def close(got, want, relative=1e-4):
    """Within a part of each value, or of a millionth of the largest one, where float32's transform has no more."""
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=relative, atol=1e-6 * np.abs(want).max())


def test_whisper_slice(expected, utterance):
    features = atc.extract(utterance, "whisper-80-30s", sample_rate=16_000)
    want = expected["whisper_log_mel"]
    assert list(features.shape) == want["shape"]
    np.testing.assert_allclose(features.values[0, 0, :30], want["values"], atol=1e-4)


def test_whisper_of_any_length_is_the_beginning_of_30_seconds(conformance):
    path = conformance / "whisper" / "jfk.wav"
    short, long = atc.extract(path, "whisper-128"), atc.extract(path, "whisper-128-30s")
    assert short.shape == (1, 128, 1100)
    assert long.shape == (1, 128, 3000)
    # The last frames see the mirrored end of the recording in one and silence in the other.
    np.testing.assert_array_equal(short.values[:, :, :1098], long.values[:, :, :1098])


@pytest.mark.parametrize("pad", ["reflect", "constant", "no_center"])
def test_paddings_of_transformers(expected, utterance, pad):
    want = expected["spectrogram_hann512_hop128_mag_col0_first64"][pad]
    options = {"framing": "valid"} if pad == "no_center" else {"pad": {"constant": "zero"}.get(pad, pad)}
    stage = Spectrum(window("hann", 512, periodic=True), 128, sample_rate=16_000, values="magnitude", **options)
    got = Chain([stage]).run(utterance[None])[0]
    assert list(got.shape) == want.get("shape", list(got.shape))
    np.testing.assert_allclose(got[:64, 0], want["values"], atol=1e-6)


def test_a_window_in_the_middle_of_a_transform(expected, utterance):
    want = expected["spectrogram_win400_in_512_hop128_center_reflect_mag_col400_first64"]
    stage = Spectrum(
        window("hann", 400, periodic=True), 128, sample_rate=16_000, n_fft=512, pad="reflect", values="magnitude"
    )
    got = Chain([stage]).run(utterance[None])[0]
    assert list(got.shape) == want["shape"]
    np.testing.assert_allclose(got[:64, 400], want["values"], atol=1e-6)


def test_400_bands_of_kaldi_in_transformers(expected, utterance):
    want = expected["kaldi_fbank400_povey_preemph_dc_log_col400_first64"]
    got = atc.extract(utterance, Recipe.from_dict(FBANK_400), sample_rate=16_000).values[0]
    assert list(got.shape) == want["shape"]
    np.testing.assert_allclose(got[:64, 400], want["values"], atol=1e-4)


def test_librosa_melspectrogram_and_db(clip):
    librosa = pytest.importorskip("librosa")
    powers = librosa.feature.melspectrogram(y=clip, sr=22_050)
    spectrum = {"kind": "spectrum", "window": "hann", "length": 2048, "hop": 512}
    mel = {"kind": "mel", "bands": 128, "norm": "slaney"}
    plain = Recipe.from_dict({"name": "mel", "version": 1, "stage": [spectrum, mel]})
    close(atc.extract(clip, plain, sample_rate=22_050).values[0], powers)
    got = atc.extract(clip, "librosa-mel-128", sample_rate=22_050).values[0]
    np.testing.assert_allclose(got, librosa.power_to_db(powers), atol=1e-3, rtol=1e-4)


def test_librosa_mfcc(clip):
    librosa = pytest.importorskip("librosa")
    got = atc.extract(clip, "librosa-mfcc-20", sample_rate=22_050).values[0]
    close(got, librosa.feature.mfcc(y=clip, sr=22_050), 1e-4)


def test_librosa_pcen(clip):
    librosa = pytest.importorskip("librosa")
    magnitudes = librosa.feature.melspectrogram(
        y=clip, sr=16_000, n_fft=512, win_length=400, hop_length=160, n_mels=80, power=1.0
    )
    want = librosa.pcen(magnitudes * 2**31, sr=16_000, hop_length=160)
    close(atc.extract(clip, "pcen-80", sample_rate=16_000).values[0], want)


def test_librosa_stft(clip):
    librosa = pytest.importorskip("librosa")
    want = librosa.stft(clip, n_fft=600, hop_length=150, win_length=500)
    got = atc.stft(clip, 600, 150, win_length=500)
    assert got.dtype == np.complex64
    np.testing.assert_allclose(got, want, atol=1e-6 * np.abs(want).max())
    batch = atc.stft(np.stack([[clip, -clip]]), 600, 150, win_length=500)
    np.testing.assert_array_equal(batch[0, 0], got)
    np.testing.assert_array_equal(batch[0, 1], -got)


def test_librosa_chroma(clip):
    librosa = pytest.importorskip("librosa")
    spectrum = {"kind": "spectrum", "window": "hann", "length": 2048, "hop": 512}
    recipe = Recipe.from_dict({"name": "chroma", "version": 1, "stage": [spectrum, {"kind": "chroma"}]})
    want = librosa.feature.chroma_stft(y=clip, sr=22_050, norm=None, tuning=0.0)
    close(atc.extract(clip, recipe, sample_rate=22_050).values[0], want)


def test_librosa_shapes(clip):
    librosa = pytest.importorskip("librosa")
    spectrum = {"kind": "spectrum", "window": "hann", "length": 2048, "hop": 512, "values": "magnitude"}
    shape = {"kind": "shape", "measures": ["centroid", "bandwidth", "rolloff", "flatness", "contrast"]}
    recipe = Recipe.from_dict({"name": "shape", "version": 1, "stage": [spectrum, shape]})
    got = atc.extract(clip, recipe, sample_rate=22_050).values[0]
    feature, options = librosa.feature, {"y": clip, "sr": 22_050}
    wants = [feature.spectral_centroid(**options), feature.spectral_bandwidth(**options)]
    wants += [feature.spectral_rolloff(**options), feature.spectral_flatness(y=clip)]
    for row, want in zip(got, wants, strict=False):
        np.testing.assert_allclose(row, want[0], rtol=1e-4, atol=1e-6 * np.abs(want).max())
    np.testing.assert_allclose(got[4:], feature.spectral_contrast(**options), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("recipe", "bands"), [("kaldi-fbank-80", 80), ("kaldi-fbank-23", 23)])
def test_kaldi_native_fbank(clip, recipe, bands):
    knf = pytest.importorskip("kaldi_native_fbank")
    options = knf.FbankOptions()
    options.frame_opts.dither, options.frame_opts.samp_freq, options.mel_opts.num_bins = 0.0, 16_000, bands
    online = knf.OnlineFbank(options)
    online.accept_waveform(16_000, (clip * 32768).tolist())
    online.input_finished()
    want = np.stack([online.get_frame(frame) for frame in range(online.num_frames_ready)], axis=1)
    got = atc.extract(clip, recipe, sample_rate=16_000).values[0]
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, atol=1e-3)


def test_kaldi_native_mfcc(clip):
    knf = pytest.importorskip("kaldi_native_fbank")
    options = knf.MfccOptions()
    options.frame_opts.dither, options.frame_opts.samp_freq = 0.0, 16_000
    options.use_energy = True
    online = knf.OnlineMfcc(options)
    online.accept_waveform(16_000, (clip * 32768).tolist())
    online.input_finished()
    want = np.stack([online.get_frame(frame) for frame in range(online.num_frames_ready)], axis=1)
    got = atc.extract(clip, "kaldi-mfcc-13", sample_rate=16_000).values[0]
    np.testing.assert_allclose(got, want, atol=1e-3)


def test_htk_mfcc(clip):
    """The HTK Book's definitions in NumPy."""
    from scipy.fft import dct

    x = (clip * 32768).astype(np.float64)
    frames = np.lib.stride_tricks.sliding_window_view(x, 400)[::160]
    frames = frames - 0.97 * np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    magnitudes = np.abs(np.fft.rfft(frames * np.hamming(400), 512))
    mel = 1127 * np.log1p(np.arange(257) * 16_000 / 512 / 700)
    edges = np.linspace(0, 1127 * np.log1p(8000 / 700), 28)
    weights = [np.interp(mel, edges[b : b + 3], [0, 1, 0]) for b in range(26)]
    logs = np.log(np.maximum(magnitudes @ np.array(weights).T, 1.0))
    cepstra = dct(logs, norm=None)[:, :13] / 2 * np.sqrt(2 / 26)
    cepstra[:, 1:] *= 1 + 11 * np.sin(np.pi * np.arange(1, 13) / 22)
    static = np.roll(cepstra, -1, axis=1)

    def delta(c):
        padded = np.pad(c, ((2, 2), (0, 0)), mode="edge")
        n = len(c)
        return sum(k * (padded[2 + k : 2 + k + n] - padded[2 - k : 2 - k + n]) for k in (1, 2)) / 10

    want = np.concatenate([static, delta(static), delta(delta(static))], axis=1).T
    got = atc.extract(clip, "htk-mfcc-39", sample_rate=16_000)
    assert got.feature_names[11:14] == ("C12", "C0", "delta C1")
    np.testing.assert_allclose(got.values[0], want, atol=2e-3, rtol=1e-4)


def test_leaf_is_what_its_paper_says(clip):
    """Gabor filters, squared modulus, Gaussian pooling, PCEN, at every sample in float64."""
    import reference

    chain = atc.get_recipe("leaf-40").build(16_000)
    bank = chain.stages[0].bank
    x = clip[:16_000].astype(np.float64)
    energy = np.array([np.abs(np.convolve(x, row)[bank.advance :][: len(x)]) ** 2 for row in bank.taps])
    place = np.arange(400) - 199.5
    taps = np.exp(-0.5 * (place / (0.4 * 200)) ** 2)
    taps /= taps.sum()
    padded = np.pad(energy, ((0, 0), (120, 400)))
    pooled = np.stack([padded[:, 160 * f : 160 * f + 400] @ taps for f in range(100)], axis=1)
    want = reference.pcen(pooled[None], 0.04, gain=0.96, eps=1e-12, initial="first")
    got = atc.extract(clip[:16_000], "leaf-40", sample_rate=16_000).values
    # Energies are taken at 8,000 of the 16,000 samples a second.
    np.testing.assert_allclose(got, want, atol=0.02)
