"""extract: arrays, files and file objects give the same, and say what is wrong."""

from __future__ import annotations

import dataclasses
import io
import warnings

import numpy as np
import pytest
import soundfile
from conftest import BANDS, JIT, SMALL
from hypothesis import given
from hypothesis import strategies as st
from sounds import tone, wav_bytes, write

import audiotconv as atc
from audiotconv.audio import Resampler
from audiotconv.errors import AudioError, AudioFileError, AudioWarning, ParameterError

N = 4000 if JIT else 900


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize("block_size", [None, 1, 37, 1000, 65_536])
def test_a_file_in_any_blocks_is_the_array(tmp_path, subtype, block_size):
    path = write(tmp_path / "a.wav", n=N, channels=2, subtype=subtype)
    samples, rate = soundfile.read(path, dtype={"PCM_16": "int16", "PCM_24": "int32", "FLOAT": "float32"}[subtype])
    want = atc.extract(samples.T, SMALL, sample_rate=rate, threads=1)
    for threads in (1, 2):
        got = atc.extract(path, SMALL, block_size=block_size, threads=threads)
        np.testing.assert_array_equal(got.values, want.values)
        np.testing.assert_array_equal(got.frame_times, want.frame_times)
    assert got.shape == (2, BANDS, -(-N // 80))
    assert got.values.flags.c_contiguous
    assert got.feature_names == want.feature_names
    assert len(got.feature_names) == BANDS
    assert got.sample_rate == 8000
    assert got.recipe == atc.get_recipe(SMALL)
    assert len(got.frame_times) == got.shape[2]


def test_sources(tmp_path):
    path = write(tmp_path / "a.flac", n=N)
    want = atc.extract(path, SMALL).values
    np.testing.assert_array_equal(atc.extract(str(path), SMALL).values, want)
    np.testing.assert_array_equal(atc.extract(io.BytesIO(path.read_bytes()), SMALL).values, want)
    np.testing.assert_array_equal(atc.extract(path, SMALL, sample_rate=8000).values, want)
    with open(path, "rb") as file:
        np.testing.assert_array_equal(atc.extract(file, SMALL).values, want)


def test_mono_is_the_mean(tmp_path):
    path = write(tmp_path / "a.wav", n=N, channels=3, subtype="FLOAT")
    samples = soundfile.read(path, dtype="float32")[0]
    got = atc.extract(path, SMALL, channels="mono")
    want = atc.extract(samples.astype(np.float64).mean(axis=1), SMALL, sample_rate=8000)
    assert got.shape[0] == 1
    np.testing.assert_allclose(got.values, want.values, atol=1e-4)
    np.testing.assert_array_equal(atc.extract(samples.T, SMALL, channels="mono", sample_rate=8000).values, got.values)


def test_a_clip_shorter_than_a_window_has_a_frame():
    for n in (1, 2, 79, 80, 81):
        assert atc.extract(np.ones(n, np.float32), SMALL, sample_rate=8000).shape == (1, BANDS, -(-n // 80))


def test_digital_silence_is_the_floor():
    values = atc.extract(np.zeros(N, np.int16), SMALL, sample_rate=8000).values
    np.testing.assert_array_equal(values, np.float32(np.log(np.float32(1e-10))))


def test_the_time_of_a_click_is_the_time_of_its_frame():
    click = np.zeros(N, np.float32)
    click[N // 2] = 1.0
    features = atc.extract(click, SMALL, sample_rate=8000)
    loudest = features.frame_times[features.values[0].mean(axis=0).argmax()]
    assert abs(loudest - N / 2 / 8000) <= 0.0125


def test_truncated_files_warn_or_raise(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes((tone(N)[:, 0] * 9999).astype("<i2").tobytes(), declared=4 * N))
    with pytest.warns(AudioWarning, match="is truncated"):
        features = atc.extract(path, SMALL)
    assert features.shape[2] == -(-N // 80)
    with pytest.raises(AudioError, match="is truncated"):
        atc.extract(path, SMALL, strict=True)


@pytest.mark.parametrize("frames", [10, 3 * N, 2**40, None])
def test_headers_that_are_wrong_about_the_length(tmp_path, frames, monkeypatch):
    path = write(tmp_path / "a.wav", n=N)
    want = atc.extract(path, SMALL).values
    from audiotconv.audio import AudioReader

    original = AudioReader._check_format

    def lie(self):
        original(self)
        self.frames = frames

    monkeypatch.setattr(AudioReader, "_check_format", lie)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioWarning)
        np.testing.assert_array_equal(atc.extract(path, SMALL, block_size=100).values, want)


def small(**head):
    return dataclasses.replace(atc.get_recipe(SMALL), **head)


def resampled(samples, source_rate, sample_rate):
    return Resampler(source_rate, sample_rate, samples.shape[0]).push(samples, last=True)


@pytest.mark.parametrize("rate", [8000, 11025, 22050])
@pytest.mark.parametrize("channels", ["keep", "mono"])
def test_a_recipe_with_a_sample_rate_resamples(tmp_path, rate, channels):
    path = write(tmp_path / "a.wav", n=N, rate=rate, channels=2)
    samples = np.ascontiguousarray(soundfile.read(path, dtype="int16")[0].T)
    at_8000 = samples
    if channels == "mono":
        at_8000 = (samples.astype(np.float64).sum(axis=0, keepdims=True) / 65536).astype(np.float32)
    if rate != 8000:
        at_8000 = resampled(at_8000, rate, 8000)
    want = atc.extract(at_8000, SMALL, sample_rate=8000)
    recipe = small(sample_rate=8000)
    options = {"channels": channels, "threads": 1}
    for got in (
        atc.extract(samples, recipe, sample_rate=rate, **options),
        atc.extract(path, recipe, **options),
        atc.extract(io.BytesIO(path.read_bytes()), recipe, block_size=333, **options),
    ):
        np.testing.assert_array_equal(got.values, want.values)
        np.testing.assert_array_equal(got.frame_times, want.frame_times)
        assert got.values.flags.c_contiguous
        assert got.feature_names == want.feature_names
        assert (got.sample_rate, got.source_rate) == (8000, rate)
    shape = " x ".join(map(str, got.shape))
    said = "8000 Hz" if rate == 8000 else f"8000 Hz, resampled from {rate} Hz"
    assert repr(got) == f"<FeatureMap small, {shape}, {said}>"


@given(st.data())
def test_blocks_do_not_show_in_what_is_resampled_and_cut(data):
    dtype = data.draw(st.sampled_from(["int16", "int32", "float32"]))
    n, rate = data.draw(st.integers(1, N)), data.draw(st.sampled_from([8000, 11025, 5512]))
    samples = np.random.default_rng(n).standard_normal((data.draw(st.sampled_from([1, 2])), n)) * 0.1
    samples = (samples * {"int16": 2**15, "int32": 2**31, "float32": 1}[dtype]).astype(dtype)
    recipe = small(sample_rate=8000, duration=data.draw(st.sampled_from([None, 0.02, 0.1])))
    whole = atc.extract(samples, recipe, sample_rate=rate, threads=1)
    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=8)))
    chain, intake = recipe.build(rate), recipe.intake(rate)
    blocks = [samples[:, a:b] for a, b in zip([0, *cuts], [*cuts, n], strict=True)]
    for threads in (1, 2):
        frames = list(atc.extraction.feature_blocks(chain, blocks, threads=threads, intake=intake))
        np.testing.assert_array_equal(np.concatenate([whole.values[:, :, :0], *frames], axis=2), whole.values)
    assert len(whole.frame_times) == whole.shape[2]


def test_a_click_keeps_its_time_where_it_is_resampled():
    click = np.zeros(2 * N, np.float32)
    click[N] = 1.0
    features = atc.extract(click, small(sample_rate=8000), sample_rate=22050)
    loudest = features.frame_times[features.values[0].mean(axis=0).argmax()]
    assert abs(loudest - N / 22050) <= 0.0125


@pytest.mark.parametrize("n", [1, 100, 799, 800, 801, 900])
@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_a_recipe_with_a_duration_cuts_or_pads(n, dtype):
    samples = (tone(n)[:, 0] * (9999 if dtype == "int16" else 1)).astype(dtype)
    want = np.zeros(800, dtype)
    want[: min(n, 800)] = samples[:800]
    got = atc.extract(samples, small(duration=0.1), sample_rate=8000)
    assert got.shape == (1, BANDS, 10)
    np.testing.assert_array_equal(got.values, atc.extract(want, SMALL, sample_rate=8000).values)
    assert len(got.frame_times) == 10


def test_what_is_cut_is_read_and_checked_all_the_same(tmp_path):
    recipe = small(duration=0.01)
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes((tone(N)[:, 0] * 9999).astype("<i2").tobytes(), declared=4 * N))
    with pytest.warns(AudioWarning, match="is truncated"):
        assert atc.extract(path, recipe, block_size=50).shape[2] == 1
    samples = np.zeros(N, np.float32)
    samples[-1] = np.nan
    soundfile.write(path, samples, 8000, "FLOAT")
    for source, rate in ((path, None), (samples, 8000)):
        with pytest.raises(AudioError, match=f"sample {N - 1} of channel 0"):
            atc.extract(source, recipe, sample_rate=rate)


@pytest.mark.parametrize("recipe", [SMALL, "gabor-40"])
def test_the_bits_of_the_same_rate_are_those_without_one(recipe):
    samples = (tone(N)[:, 0] * 9999).astype(np.int16)
    plain = atc.extract(samples, recipe, sample_rate=8000)
    given_rate = dataclasses.replace(atc.get_recipe(recipe), sample_rate=8000)
    np.testing.assert_array_equal(atc.extract(samples, given_rate, sample_rate=8000).values, plain.values)
    assert plain.source_rate == plain.sample_rate == 8000


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: atc.extract(np.zeros(10), SMALL), ParameterError, "give sample_rate"),
        (lambda: atc.extract(np.zeros(0), SMALL, sample_rate=8000), AudioError, "no samples"),
        (lambda: atc.extract([np.nan], SMALL, sample_rate=8000), AudioError, "sample 0 of channel 0"),
        (lambda: atc.extract(np.zeros(9), SMALL, sample_rate=8000, channels="left"), ParameterError, "keep, mono"),
        (lambda: atc.extract(np.zeros(9), SMALL, sample_rate=8000, threads=0), ParameterError, "threads is 0"),
        (
            lambda: atc.extract(np.zeros(9), small(sample_rate=16000), sample_rate=50),
            AudioError,
            "a recording of 50 Hz cannot be resampled to 16000 Hz",
        ),
        (lambda: atc.extract(np.zeros(9), small(sample_rate=8000), sample_rate=0.5), ParameterError, "rate is 0.5"),
        (lambda: atc.extract("none.wav"), AudioFileError, "does not exist"),
        (lambda: atc.extract(3.5, SMALL, sample_rate=8000), ParameterError, "shape"),
    ],
)
def test_one_clear_error(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_files_know_their_rate(tmp_path):
    path = write(tmp_path / "a.wav", n=N)
    with pytest.raises(ParameterError, match=r"sample_rate is 16000 Hz and .* has 8000 Hz"):
        atc.extract(path, SMALL, sample_rate=16000)
    with pytest.raises(ParameterError, match="block_size is 0"):
        atc.extract(path, SMALL, block_size=0)


def test_public_names():
    assert set(atc.__all__) <= set(dir(atc))
    for name in atc.__all__:
        assert getattr(atc, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = atc.nonsense


@pytest.mark.parametrize("recipe", atc.list_recipes() if JIT else ["gammatone-64", "gabor-40"])
def test_features_of_whatever_is_accepted_are_finite(tmp_path, recipe, rng):
    n = 16000 if JIT else 500
    time = np.arange(n) / 16000
    waves = [np.ones(n), (-1.0) ** np.arange(n), np.sign(np.sin(2 * np.pi * 1000 * time)), np.sign(rng.normal(size=n))]
    waves.append(np.sin(2 * np.pi * 4000 * time * time))
    samples = 1e12 * np.array(waves, np.float32)
    for channels in ("keep", "mono"):
        assert np.isfinite(atc.extract(samples, recipe, sample_rate=16000, channels=channels).values).all()
        assert np.isfinite(atc.extract(samples.astype(np.float64) * 1e-54, recipe, sample_rate=16000).values).all()
    samples[2, 300] = 1e20
    soundfile.write(tmp_path / "a.wav", samples.T, 16000, "FLOAT")
    for source in (samples, tmp_path / "a.wav"):
        rate = 16000 if source is samples else None
        with pytest.raises(AudioError, match=r"sample 300 of channel 2 is 1e[+]20.*at most 1e[+]12"):
            atc.extract(source, recipe, sample_rate=rate)


def test_what_lies_between_two_times(tmp_path):
    path = write(tmp_path / "a.wav", n=N, channels=2)
    samples, rate = soundfile.read(path, dtype="int16")
    whole = atc.extract(path, SMALL)
    want = atc.extract(samples[160:640].T.copy(), SMALL, sample_rate=rate)
    for source, options in ((path, {}), (samples.T, {"sample_rate": rate})):
        got = atc.extract(source, SMALL, start=0.02, stop=0.08, **options)
        np.testing.assert_array_equal(got.values, want.values)
        np.testing.assert_array_equal(got.frame_times, want.frame_times + 0.02)
    assert np.isin(got.frame_times.round(9), whole.frame_times.round(9)).all()
    with pytest.warns(AudioWarning, match="before the 100 s asked for"):
        atc.extract(path, SMALL, stop=100)
    with pytest.warns(AudioWarning, match="the signal ends at"):
        atc.extract(samples.T, SMALL, stop=100, sample_rate=rate)
    with pytest.raises(AudioError, match="nothing from 100 s on"):
        atc.extract(samples.T, SMALL, start=100, sample_rate=rate)
    with pytest.raises(AudioError, match="nothing from 100 s on"):
        atc.extract(path, SMALL, start=100)
