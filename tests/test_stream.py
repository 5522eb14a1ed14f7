"""Streams give what `extract` gives, whatever the chunks, also across a saved state; and never grow."""

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
from conftest import JIT, SMALL
from hypothesis import given, settings
from hypothesis import strategies as st

import audiotconv as atc
from audiotconv.audio import Resampler, resampling_delay
from audiotconv.errors import AudioError, ParameterError, RecipeError
from audiotconv.stream import Latency

SMALL_16K = atc.get_recipe(SMALL).changed(sample_rate=16000)


def signal(n, channels=1, dtype=np.int16, seed=0):
    x = np.random.default_rng(seed).integers(-9000, 9000, (channels, n)).astype(np.int16)
    return x if dtype == np.int16 else (x / 32768).astype(dtype)


def streamed(stream, x, cuts):
    edges = [0, *sorted(cuts), x.shape[-1]]
    maps = [stream.push(x[..., a:b]) for a, b in itertools.pairwise(edges)] + [stream.flush()]
    return np.concatenate([each.values for each in maps], axis=-1), np.concatenate([each.frame_times for each in maps])


@settings(max_examples=20 if JIT else 3)
@given(data=st.data())
@pytest.mark.parametrize("recipe", [SMALL, SMALL_16K], ids=["plain", "resampled"])
def test_a_stream_is_the_whole_in_chunks(recipe, data):
    n = data.draw(st.integers(0, 3000))
    channels = data.draw(st.sampled_from([1, 2, 8]))
    x = signal(n, channels, data.draw(st.sampled_from([np.int16, np.float32])))
    stream = atc.Stream(recipe, 8000, channels)
    for _ in range(2):  # again after a reset
        values, times = streamed(stream, x, data.draw(st.lists(st.integers(0, n), max_size=9)))
        if n:
            whole = atc.extract(x, recipe, sample_rate=8000)
            np.testing.assert_array_equal(values, whole.values)
            np.testing.assert_array_equal(times, whole.frame_times)
        else:
            assert values.shape == (channels, len(stream.feature_names), 0)
        stream.reset()


def test_a_batch_is_its_signals_alone():
    x = np.stack([signal(2000, 2, seed=seed) for seed in range(3)])
    values, _ = streamed(atc.Stream(SMALL, 8000, 2, batch=3), x, [3, 700, 701])
    assert values.shape[:2] == (3, 2)
    for item, one in zip(x, values, strict=True):
        np.testing.assert_array_equal(one, atc.extract(item, SMALL, sample_rate=8000).values)
    mono, _ = streamed(atc.Stream(SMALL, 8000, 2, batch=3, mono=True), x, [512])
    for item, one in zip(x, mono, strict=True):
        np.testing.assert_array_equal(one, atc.extract(item, SMALL, sample_rate=8000, channels="mono").values)


def test_samples_one_at_a_time_and_the_latency():
    stream = atc.Stream(SMALL, 8000)
    chain = atc.get_recipe(SMALL).build(8000)
    x = signal(chain.geometry.span + 5 * chain.geometry.hop)
    frame = 0
    for number, sample in enumerate(x[0]):
        given = stream.push(sample[None]).shape[-1]
        for _ in range(given):
            assert number == frame * chain.geometry.hop + stream.latency.samples
            frame += 1
    assert frame >= 4
    assert stream.latency.seconds == stream.latency.samples / 8000


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
def test_the_latency_with_resampling_is_that_of_the_frame_that_waits_longest(rate):
    stream = atc.Stream(SMALL_16K, rate)
    hop = atc.get_recipe(SMALL_16K).build(rate).geometry.hop * rate / 16000
    x = signal(8 * rate if JIT else rate // 4)[0]
    size, frame, waited = 16, 0, []
    for start in range(0, x.size, size):
        for _ in range(stream.push(x[start : start + size]).shape[-1]):
            waited.append(min(start + size, x.size) - 1 - frame * hop)
            frame += 1
    assert max(waited) < stream.latency.samples + size
    if JIT:
        assert max(waited) > stream.latency.samples - hop - size


def test_the_delay_of_resampling():
    assert resampling_delay(16000, 16000) == 0.0
    for rates in ((44100, 16000), (8000, 16000), (16000, 15999)):
        resampler, given, late = Resampler(*rates, 1), 0, 0.0
        for taken in range(1, 20_001):
            count = resampler.push(np.zeros((1, 1), np.float32)).shape[1]
            if count:
                late = max(late, taken - given * rates[0] / rates[1])
            given += count
        assert 0.99 * resampling_delay(*rates) <= late <= resampling_delay(*rates)


@pytest.mark.parametrize("recipe", [SMALL, SMALL_16K], ids=["plain", "resampled"])
@pytest.mark.parametrize("seconds", [0.0, 0.03, 0.5, 40.0 if JIT else 0.6])
def test_a_saved_state_goes_on_with_the_same_bits(recipe, seconds):
    x = signal(int(8000 * seconds) + 1000, 2)
    at = x.shape[1] - 1000
    one, other = atc.Stream(recipe, 8000, 2), atc.Stream(recipe, 8000, 2)
    one.push(x[:, : at // 3])
    one.push(x[:, at // 3 : at])
    other.push(signal(77, 2, seed=5))  # is forgotten
    other.load(one.save())
    for chunk in (x[:, at : at + 1], x[:, at + 1 :]):
        mine, its = one.push(chunk), other.push(chunk)
        np.testing.assert_array_equal(its.values, mine.values)
        np.testing.assert_array_equal(its.frame_times, mine.frame_times)
    other.load(one.save())
    np.testing.assert_array_equal(other.flush().values, one.flush().values)
    other.load(one.save())
    with pytest.raises(ParameterError, match="flushed"):
        other.push(x)


@pytest.mark.skipif(not JIT, reason="recipes are written for compiled speed")
@pytest.mark.parametrize("name", atc.list_recipes())
def test_every_recipe_streams_and_resumes_or_says_why_not(name):
    recipe = atc.get_recipe(name)
    if recipe.whole_stages(16000):
        with pytest.raises(RecipeError, match=r"cannot stream: its stage (range|cmvn).*nearest recipe that can is \w+"):
            atc.Stream(name, 16000)
        return
    x = signal(16000)
    stream = atc.Stream(name, 16000)
    parts = []
    for start in range(0, 16000, 1111):
        parts.append(stream.push(x[:, start : start + 1111]).values)
        state = stream.save()
        stream = atc.Stream(name, 16000)
        stream.load(state)
    parts.append(stream.flush().values)
    np.testing.assert_array_equal(np.concatenate(parts, axis=2), atc.extract(x, name, sample_rate=16000).values)


def test_long_resampled_signals_are_seamless():
    """Stretches that are resampled one by one join to what soxr gives of the whole, to float32's last places."""
    import soxr

    n = 500_000 if JIT else 300_000
    t = np.arange(n) / 8000
    x = (0.5 * np.sin(2 * np.pi * (100 + 20 * t) * t)).astype(np.float32)
    ours = Resampler(8000, 16000, 1).push(x[None], last=True)[0]
    once = soxr.resample(x, 8000, 16000, quality="HQ")
    assert np.abs(ours - once[: ours.size]).max() < 1e-6


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"recipe": "whisper-80"}, "its stage range needs the whole recording"),
        ({"channels": 0}, "channels is 0"),
        ({"channels": 2.0}, "channels is 2.0"),
        ({"batch": 0}, "batch is 0"),
        ({"batch": 5000}, "at most 4096"),
        ({"mono": 1}, "mono is 1"),
        ({"threads": 0}, "threads is 0"),
        ({"sample_rate": 0}, "the sample rate is 0"),
    ],
)
def test_wrong_streams(options, words):
    with pytest.raises(ValueError, match=words):
        atc.Stream(**{"recipe": SMALL, "sample_rate": 16000, **options})


def test_wrong_chunks_change_nothing():
    x = signal(2000, 2, np.float32)
    stream = atc.Stream(SMALL, 8000, 2)
    parts = [stream.push(x[:, :900]).values]
    bad = x[:, 900:950].copy()
    bad[1, 3] = np.nan
    for chunk, error, words in (
        (bad, AudioError, "sample 903 of channel 1 is nan"),
        (signal(10, 2), ParameterError, "the chunk is int16; those before it were float32"),
        (x[:1], ParameterError, r"shape \(1, 2000\); it must be \(2, time\)"),
        (x[0], ParameterError, r"shape \(2000,\)"),
        (x[None], ParameterError, r"shape \(1, 2, 2000\)"),
        (x.astype(complex), ParameterError, "complex"),
        ([[1.0, 2.0], [3.0]], ParameterError, "its parts differ in shape"),
    ):
        with pytest.raises(error, match=words):
            stream.push(chunk)
    parts += [stream.push(x[:, 900:]).values, stream.flush().values]
    np.testing.assert_array_equal(np.concatenate(parts, axis=2), atc.extract(x, SMALL, sample_rate=8000).values)
    for ended in (stream.flush, lambda: stream.push(x)):
        with pytest.raises(ParameterError, match=r"reset\(\) begins a new signal"):
            ended()


def test_empty_chunks_of_any_type_change_nothing():
    x = signal(1500)
    stream = atc.Stream(SMALL, 8000)
    for other in (atc.Stream(SMALL, 8000, 2, batch=3), atc.Stream(SMALL, 8000, 2, mono=True)):
        assert other.push(np.zeros((*other._shape, 0))).shape[-1] == 0
    parts = [stream.push(empty).values for empty in (np.zeros(0), np.zeros((1, 0), np.int32), [])]
    parts += [stream.push(x).values, stream.push(np.zeros(0, np.float32)).values, stream.flush().values]
    np.testing.assert_array_equal(np.concatenate(parts, axis=2), atc.extract(x, SMALL, sample_rate=8000).values)


def test_states_of_something_else_are_refused():
    stream = atc.Stream(SMALL, 8000)
    stream.push(signal(1000))
    state = stream.save()
    for other, words in (
        (atc.Stream(SMALL, 16000), "sample_rate 8000; here it is 16000"),
        (atc.Stream(SMALL, 8000, 2), "channels 1; here it is 2"),
        (atc.Stream(SMALL_16K, 8000), "recipe"),
        (atc.Stream(SMALL, 8000, batch=2), "batch None; here it is 2"),
    ):
        with pytest.raises(ParameterError, match=words):
            other.load(state)
    for broken in (b"", b"nothing", state[:100], state[:-30], None, 5):
        with pytest.raises(ParameterError, match="the state cannot be read"):
            stream.load(broken)
    assert stream.push(signal(1000)).shape[-1] > 0


@pytest.mark.parametrize("name", ["flow/0.at", "flow/0.held", "flow/given", "inlet/missing", "inlet/past", "inlet/at"])
def test_incomplete_states_are_refused(name):
    import io

    stream = atc.Stream(SMALL_16K, 8000)
    stream.push(signal(3000))
    with np.load(io.BytesIO(stream.save())) as file:
        arrays = dict(file.items())
    assert name in arrays
    for change in (None, np.array([-1, 2, 3])):
        file = io.BytesIO()
        others = {key: value for key, value in arrays.items() if key != name}
        np.savez(file, **(others if change is None else {**others, name: change}))
        if (name, change is None) == ("flow/0.held", True):
            continue  # of a stream that is flushed nothing need be held
        with pytest.raises(ParameterError):
            atc.Stream(SMALL_16K, 8000).load(file.getvalue())


@pytest.mark.parametrize("resampled", [False, True])
def test_damaged_states_are_refused_or_harmless(resampled):
    """A changed byte is found by the archive's own checksums, mostly; nothing but ParameterError comes of it."""
    recipe = SMALL_16K if resampled else SMALL
    stream = atc.Stream(recipe, 8000)
    stream.push(signal(3000))
    state = stream.save()
    rng = np.random.default_rng(0)
    for _ in range(300 if JIT else 20):
        damaged = bytearray(state)
        damaged[rng.integers(len(state))] ^= int(rng.integers(1, 256))
        try:
            stream.load(bytes(damaged))
        except ParameterError:
            continue
        assert stream.push(signal(100)).values.shape[0] == 1


def test_states_that_cannot_be_are_refused():
    import io

    stream = atc.Stream(SMALL, 8000)
    stream.push(signal(3000))
    with np.load(io.BytesIO(stream.save())) as file:
        arrays = dict(file.items())
    end, done = arrays["flow/0.at"]
    held = arrays["flow/0.held"]
    for change in (
        {"flow/0.at": np.array([end, 10**6])},
        {"flow/0.at": np.array([end, 0])},
        {"flow/0.at": np.array([end + 10_000, done])},
        {"flow/given": np.array(-5)},
        {"flow/0.held": held[:, :0]},
        {"flow/0.held": np.concatenate([held, held])},
        {"flow/0.held": np.zeros(())},
        {"head": np.frombuffer(b"[" * 200_000, np.uint8)},
    ):
        file = io.BytesIO()
        np.savez(file, **{**arrays, **change})
        with pytest.raises(ParameterError):
            stream.load(file.getvalue())


def test_a_stream_does_not_grow():
    stream = atc.Stream(SMALL, 8000, threads=1)
    chunk = signal(16)
    many = 20_000 if JIT else 300
    for _ in range(many):
        stream.push(chunk)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(many):
            stream.push(chunk)
        assert tracemalloc.get_traced_memory()[0] - before < 20_000
    finally:
        tracemalloc.stop()


def test_what_a_stream_says_of_itself():
    stream = atc.Stream(SMALL, 8000, 2, batch=3)
    assert "batch of 3" in repr(stream)
    assert "2 x 8000 Hz" in repr(stream)
    assert isinstance(stream.latency, Latency)
    given = stream.push(np.zeros((3, 2, 500), np.int16))
    assert given.recipe is stream.recipe
    assert given.feature_names == stream.feature_names
    assert (given.sample_rate, given.source_rate) == (8000, 8000)
