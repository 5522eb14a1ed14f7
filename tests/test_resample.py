"""Resampling: the same bits however the signal arrives, tones stay tones, and what is too high is gone."""

from __future__ import annotations

import numpy as np
import pytest
import soxr
from hypothesis import example, given
from hypothesis import strategies as st

from audiotconv.audio import MAX_RATIO, Intake, Resampler, mean_of_channels, resampled_length, scale_of
from audiotconv.errors import AudioError

RATES = [8000, 11025, 16000, 22050, 44100, 48000, 96000, 7919, 12345]


def noise(seed, channels, n, dtype="float32"):
    values = np.random.default_rng(seed).standard_normal((channels, n))
    return (values * {"float32": 0.3, "int16": 3000, "int32": 2e8}[dtype]).astype(dtype)


def cut(x, cuts):
    return [x[:, a:b] for a, b in zip([0, *cuts], [*cuts, x.shape[1]], strict=True)]


def resampled(pieces, source_rate, sample_rate):
    resampler = Resampler(source_rate, sample_rate, pieces[0].shape[0])
    parts = [resampler.push(piece) for piece in pieces[:-1]]
    return np.concatenate([*parts, resampler.push(pieces[-1], last=True)], axis=1)


@st.composite
def signals(draw):
    """A signal and where it is cut, also twice at one place: some blocks are empty."""
    channels, dtype = draw(st.sampled_from([1, 2, 5])), draw(st.sampled_from(["int16", "int32", "float32"]))
    n = draw(st.one_of(st.integers(0, 20), st.integers(0, 9000), st.just(80_000)))
    cuts = sorted(draw(st.lists(st.integers(0, n), max_size=10)))
    return noise(draw(st.integers(0, 99)), channels, n, dtype), cuts


@given(signals(), st.sampled_from(RATES), st.sampled_from(RATES))
def test_the_same_bits_in_blocks_of_any_size_and_as_soxr_at_once(signal, source_rate, sample_rate):
    x, cuts = signal
    if source_rate == sample_rate:
        return
    whole = resampled([x], source_rate, sample_rate)
    assert whole.dtype == np.float32
    assert whole.shape == (x.shape[0], resampled_length(x.shape[1], source_rate, sample_rate))
    np.testing.assert_array_equal(resampled(cut(x, cuts), source_rate, sample_rate), whole)
    scaled = x.astype(np.float32) * scale_of(x.dtype)
    np.testing.assert_array_equal(resampled([scaled], source_rate, sample_rate), whole)
    for row, channel in zip(whole, scaled, strict=True):
        once = soxr.resample(channel, source_rate, sample_rate, quality="HQ")
        assert abs(len(once) - len(row)) <= 1
        most = min(len(once), len(row))
        np.testing.assert_array_equal(row[:most], once[:most])


@pytest.mark.parametrize("rates", [(44100, 16000), (8000, 16000), (16000, 15999), (50, 12_800), (2_000_000, 8000)])
def test_one_sample_at_a_time(rates):
    x = noise(1, 2, 1500, "int16")
    np.testing.assert_array_equal(resampled([x[:, [i]] for i in range(1500)], *rates), resampled([x], *rates))


@given(st.integers(0, 10**12), st.integers(50, 2_000_000), st.integers(50, 2_000_000))
@example(320, 48000, 11025)
def test_lengths_are_rounded_to_the_nearest_halves_up(n, source_rate, sample_rate):
    got = resampled_length(n, source_rate, sample_rate)
    assert -source_rate < 2 * (got * source_rate - n * sample_rate) <= source_rate


@pytest.mark.parametrize("n", [1, 2, 320, 960, 1600])
def test_lengths_that_end_in_a_half(n):
    x = noise(n, 1, n)
    assert resampled([x], 48000, 11025).shape[1] == resampled_length(n, 48000, 11025) == int(n * 11025 / 48000 + 0.5)
    assert resampled([x], 96000, 48000).shape[1] == (n + 1) // 2


def decibels(error, signal):
    return 20 * np.log10(np.abs(error).max() / np.abs(signal).max())


@pytest.mark.parametrize("dtype", ["int32", "float32"])
@pytest.mark.parametrize(
    ("source_rate", "sample_rate"), [(44100, 16000), (48000, 16000), (8000, 16000), (11025, 16000)]
)
def test_a_tone_stays_the_tone_at_the_same_times(source_rate, sample_rate, dtype):
    def tone(rate):
        return 0.5 * np.sin(2 * np.pi * 1000 * np.arange(rate) / rate + 0.3)

    full = 2.0**31 if dtype == "int32" else 1.0
    got = resampled([(tone(source_rate) * full).astype(dtype)[None]], source_rate, sample_rate)[0]
    want = tone(sample_rate)
    assert got.shape == want.shape
    inside = slice(1000, -1000)
    assert decibels((got - want)[inside], want) < -100


@pytest.mark.parametrize("frequency", [8050, 9000, 12_000, 20_000])
def test_a_tone_above_the_new_half_is_gone(frequency):
    tone = np.sin(2 * np.pi * frequency * np.arange(44100) / 44100).astype(np.float32)[None]
    got = resampled([tone], 44100, 16000)[0]
    assert decibels(got[1000:-1000], tone) < -100


@pytest.mark.parametrize("rates", [(16000, 16000 * MAX_RATIO + 1), (2_000_000, 7812), (1, 16000)])
def test_absurd_ratios(rates):
    message = f"a recording of {rates[0]} Hz cannot be resampled to {rates[1]} Hz; one rate may be at most 256 times"
    for make in (lambda: Resampler(*rates, 1), lambda: Intake(*rates)):
        with pytest.raises(AudioError, match=message) as caught:
            make()
        assert caught.value.reason == "unsupported"


def test_the_loudest_samples_that_are_accepted_stay_finite():
    x = 1e12 * np.sign(noise(0, 1, 20_000))
    assert np.abs(resampled([x], 44100, 16000)).max() < 1e13


# --- what a recipe runs on ---


@given(
    signals(),
    st.sampled_from([None, 8000, 11025]),
    st.one_of(st.none(), st.integers(1, 12_000)),
    st.booleans(),
)
def test_intake(signal, sample_rate, samples, mono):
    x, cuts = signal
    intake = Intake(8000, sample_rate, samples, mono=mono)
    want = mean_of_channels(x) if mono else x
    if intake.resamples:
        want = resampled([want], 8000, sample_rate)
    if samples is not None:
        want = np.pad(want[:, :samples], ((0, 0), (0, max(0, samples - want.shape[1]))))
    for blocks in ([x], cut(x, cuts)):
        pieces = list(intake.pieces(blocks))
        assert [last for _, last in pieces] == [False] * (len(pieces) - 1) + [True]
        got = np.concatenate([piece for piece, _ in pieces], axis=1)
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)
        assert got.shape == (intake.channels(x.shape[0]), intake.length(x.shape[1]))
    assert not list(intake.pieces([]))


def test_pieces_stay_small_and_all_is_read():
    pieces = [piece for piece, _ in Intake(8000, 96000, 4_000_000).pieces([np.zeros((2, 200_000), np.int16)])]
    assert max(piece.size for piece in pieces) < 1.1 * (1 << 20)
    assert sum(piece.shape[1] for piece in pieces) == 4_000_000
    read = []
    blocks = (read.append(number) or np.ones((1, 100), np.float32) for number in range(10))
    assert sum(piece.shape[1] for piece, _ in Intake(8000, samples=150).pieces(blocks)) == 150
    assert len(read) == 10
