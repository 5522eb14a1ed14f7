"""Spectra in lanes against the float64 reference, NumPy's transform and torch."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from conftest import JIT
from hypothesis import given, settings
from hypothesis import strategies as st

import audiotconv as atc
from audiotconv.errors import ParameterError
from audiotconv.filters import window
from audiotconv.kernels import fft_lanes
from audiotconv.kernels.simd import VECTOR_BITS
from audiotconv.stages import Bands, Chain, Flow, Log, Spectrum
from audiotconv.stages.spectrum import ENERGIES, FRAMINGS, PADS, VALUES

LANES = VECTOR_BITS // 32
SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 16, 24, 35, 49, 60, 64] + [128, 200, 256, 300, 400, 512, 551, 600, 1024] * JIT


@pytest.mark.parametrize("n", SIZES)
def test_transforms_of_every_radix(n, rng):
    z = rng.standard_normal((n, LANES)) + 1j * rng.standard_normal((n, LANES))
    buf = np.stack([z.real, z.imag], axis=1).astype(np.float32)
    radices = fft_lanes.radices(n)
    assert np.prod(radices, dtype=int) == n
    scratch = np.zeros(2 * LANES * max([1, *radices]), np.float32)
    fft_lanes.transform(buf, n, np.array(radices, np.int64), len(radices), fft_lanes.turns(n), scratch)
    got = (buf[:, 0] + 1j * buf[:, 1])[fft_lanes.order(n)]
    want = np.fft.fft(z, axis=0)
    assert np.abs(got - want).max() <= 3e-7 * np.abs(want).max() * (1 + n // 500)


def test_sizes_are_split_as_documented():
    assert fft_lanes.radices(1) == ()
    assert fft_lanes.radices(256) == (8, 8, 4)
    assert fft_lanes.radices(200) == (5, 5, 8)
    assert fft_lanes.radices(2**13) == (8, 8, 8, 4, 4)
    assert fft_lanes.radices(551) == (29, 19)
    assert fft_lanes.radices(1009) == (1009,)


def close(got, want, most, energy=False):
    """Within float32's precision of the largest value of each frame; logarithms of energies for themselves.

    What cancels is as exact as what it was made of, which is at most `most`.
    """
    assert got.shape == want.shape
    assert got.dtype == np.float32
    if energy:
        np.testing.assert_allclose(got[:, 0], want[:, 0], atol=2e-5)
        got, want = got[:, 1:], want[:, 1:]
    if want.size:
        scale = np.abs(want).max(axis=1, keepdims=True)
        assert (np.abs(got - want) <= 2e-6 * scale + 1e-7 * most).all()


@settings(max_examples=150 if JIT else 10)
@given(data=st.data())
def test_against_reference(data):
    length = data.draw(st.integers(1, 80 if JIT else 20), label="window")
    n_fft = length + data.draw(st.sampled_from([0, 0, 1, 2, 5, 30]), label="more")
    hop = data.draw(st.integers(1, 2 * length), label="hop")
    framing = data.draw(st.sampled_from(FRAMINGS), label="framing")
    energy = data.draw(st.sampled_from(ENERGIES), label="energy")
    options = {
        "n_fft": n_fft,
        "framing": framing,
        "pad": data.draw(st.sampled_from(list(PADS)), label="pad"),
        "values": data.draw(st.sampled_from(list(VALUES)), label="values"),
        "drop_last": data.draw(st.booleans(), label="drop_last"),
        "remove_mean": data.draw(st.booleans(), label="remove_mean"),
        "preemphasis": data.draw(st.sampled_from([0.0, 0.97]), label="preemphasis"),
        "energy": energy,
        "zero_frequency": n_fft < 2 or data.draw(st.booleans(), label="zero_frequency"),
        "scale": data.draw(st.sampled_from([1.0, 32768.0]), label="scale"),
    }
    rng = np.random.default_rng(data.draw(st.integers(0, 99), label="seed"))
    edges = [0, 1, 2, length, n_fft, n_fft + 1, hop * LANES, hop * (8 * LANES) + length]
    n = data.draw(st.one_of(st.sampled_from(edges), st.integers(0, 500 if JIT else 60)), label="n")
    window = rng.uniform(0.2, 1.0, length)
    window[: data.draw(st.integers(0, length - 1), label="zeros")] = 0.0
    x = rng.standard_normal((2, n)).astype(np.float32)
    got = Chain([Spectrum(window, hop, sample_rate=1000, **options)]).run(x, 1)
    most = (options["scale"] * np.abs(x).max(initial=0.0) * window.sum()) ** (2 if options["values"] == "power" else 1)
    close(got, reference.spectrum(x, window, hop, **options), most, energy != "none")


@pytest.mark.parametrize("dtype", ["int16", "int32"])
def test_integers_are_scaled_exactly(dtype, rng):
    x = rng.integers(-30000, 30000, (1, 300)).astype(dtype)
    unit = {"int16": 2.0**-15, "int32": 2.0**-31}[dtype]
    stage = Chain([Spectrum(np.ones(20), 7, sample_rate=1000)])
    np.testing.assert_array_equal(stage.run(x), stage.run((x * unit).astype(np.float32)))


@pytest.mark.parametrize("energy", ENERGIES)
def test_joined_stages_have_the_bits_of_separate_ones(energy, rng):
    x = rng.standard_normal((2, 700)).astype(np.float32)
    stages = [Spectrum(np.hanning(40), 10, sample_rate=1000, n_fft=48, energy=energy)]
    aside = stages[0].features[: stages[0].aside]
    weights = rng.uniform(0, 1, (5, 25)) * (rng.uniform(0, 1, (5, 25)) < 0.3)
    weights[2] = 0
    stages.append(Bands(weights, tuple("abcde"), aside))
    stages.append(Log(stages[1].features, unit="dB", aside=len(aside)))
    joined = Chain(stages)
    assert len(joined.stages) == 1
    want = x
    for stage in stages:
        want = Chain([stage]).run(want, 1)
    np.testing.assert_array_equal(joined.run(x, 1), want)
    assert joined.features == (*aside, *"abcde")
    assert len(Chain([stages[0], stages[2]]).stages) == 1
    assert len(Chain([*stages, Log(stages[2].features)]).stages) == 2
    assert len(Chain([*stages[:2], Bands(np.eye(5), tuple("abcde"), aside)]).stages) == 2


def test_dither_is_noise_that_depends_on_the_sample_alone():
    x = np.zeros((2, 4000), np.int16)
    chain = Chain([Spectrum(np.ones(20), 20, sample_rate=1000, framing="snip", dither=3.0, seed=5, values="complex")])
    got = chain.run(x)
    np.testing.assert_array_equal(got[0], got[1])
    assert np.var(got[0, 0] / 20**0.5) == pytest.approx(9.0, rel=0.3)
    other = Chain([Spectrum(np.ones(20), 20, sample_rate=1000, framing="snip", dither=3.0, seed=6, values="complex")])
    assert abs(np.corrcoef(got[0, 0], other.run(x)[0, 0])[0, 1]) < 0.3
    np.testing.assert_array_equal(chain.run(x[:, :1000]), got[:, :, :50])


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("n_fft", [64, 50, 33])
def test_torch(center, n_fft, rng):
    torch = pytest.importorskip("torch")
    x = rng.standard_normal((2, 1000)).astype(np.float32)
    window = np.hanning(33)[:-1]
    want = torch.stft(
        torch.from_numpy(x), n_fft, 16, 32, torch.from_numpy(window.astype(np.float32)), center=center,
        pad_mode="reflect", return_complex=True,
    ).numpy()  # fmt: skip
    framing = "centre" if center else "valid"
    stage = Spectrum(window, 16, n_fft=n_fft, sample_rate=1000, framing=framing, pad="reflect", values="complex")
    got = Chain([stage]).run(x).reshape(2, -1, 2, want.shape[2])
    np.testing.assert_allclose(got[:, :, 0] + 1j * got[:, :, 1], want, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": np.zeros(4)}, "are all zero"),
        ({"window": [[1.0]]}, "one axis"),
        ({"window": [np.nan]}, "finite"),
        ({"hop": 0}, "hop is 0"),
        ({"n_fft": 3}, "n_fft is 3; it must be at least the window's 4"),
        ({"n_fft": 1 << 30}, "at most"),
        ({"framing": "center"}, "framing is 'center'; it must be one of centre, valid"),
        ({"pad": None}, "pad is None"),
        ({"values": "db"}, "values is 'db'"),
        ({"energy": "all"}, "energy is 'all'"),
        ({"preemphasis": -1.0}, "preemphasis is -1"),
        ({"dither": np.nan}, "dither is nan"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_one_clear_error(options, message):
    with pytest.raises(ParameterError, match=message):
        Spectrum(**{"window": np.ones(4), "hop": 2, "sample_rate": 1000, **options})


@pytest.mark.parametrize(
    ("weights", "names", "message"),
    [(np.ones(3), ("a",), "shape"), (np.ones((2, 3)), ("a",), "1 bands"), ([[np.inf]], ("a",), "finite")],
)
def test_weights_of_bands(weights, names, message):
    with pytest.raises(ParameterError, match=message):
        Bands(weights, names)


@settings(max_examples=40 if JIT else 5)
@given(st.integers(1, 9), st.integers(1, 12), st.integers(0, 70), st.integers(0, 2), st.integers(0, 99))
def test_bands_against_reference(bands, rows, time, aside, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, aside + rows, time)).astype(np.float32)
    weights = rng.standard_normal((bands, rows)) * (rng.uniform(size=(bands, rows)) < 0.5)
    names = tuple(map(str, range(aside)))
    got = Chain([Bands(weights, tuple(map(str, range(bands))), names)]).run(x, 1)
    np.testing.assert_array_equal(got[:, :aside], x[:, :aside])
    np.testing.assert_allclose(got[:, aside:], np.float32(weights) @ x[:, aside:].astype(np.float64), atol=2e-5)


@pytest.mark.parametrize("centre", [True, False])
def test_stft(centre, rng):
    x = rng.standard_normal((2, 3, 90))
    got = atc.stft(x, 16, 5, win_length=12, centre=centre, pad="reflect")
    want = atc.stft(x[1, 2], 16, 5, window=np.hanning(13)[:-1], centre=centre, pad="reflect")
    assert got.dtype == np.complex64
    np.testing.assert_array_equal(got[1, 2], want)
    options = {"n_fft": 16, "framing": "centre" if centre else "valid", "pad": "reflect", "values": "complex"}
    rows = reference.spectrum(x[1, 2:].astype(np.float32), np.hanning(13)[:-1], 5, **options)[0]
    np.testing.assert_allclose(want, rows[::2] + 1j * rows[1::2], atol=1e-5)
    assert atc.stft(np.zeros(100, np.int16), 16).shape == (9, 26)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: atc.stft(1.0), "single number"),
        (lambda: atc.stft([1j]), "complex128; it must be real"),
        (lambda: atc.stft([1.0], pad="wrap"), "pad is 'wrap'"),
        (lambda: atc.stft([1.0], 16, window=np.ones(8), win_length=9), "and win_length is 9"),
        (lambda: atc.stft([1.0], 16, win_length=0), "win_length is 0"),
        (lambda: atc.stft([1.0], 16, 0), "hop is 0"),
    ],
)
def test_stft_says_what_is_wrong(call, message):
    with pytest.raises(ParameterError, match=message):
        call()


@pytest.mark.parametrize("n", [521, 1042, 2 * 3 * 5 * 523])
@pytest.mark.parametrize("values", ["power", "magnitude", "complex"])
def test_large_prime_factors_go_by_scipy(n, values, rng):
    """The same frames, to float32, as sizes next to them in the lanes would give by definition."""
    x = rng.standard_normal((2, 3 * n)).astype(np.float32)
    length = min(n, 400)
    taps = window("hann", length, periodic=True)
    stage = Spectrum(taps, 150, sample_rate=8000, n_fft=n, values=values, pad="reflect", preemphasis=0.9,
                     remove_mean=True, energy="windowed", framing="snip", zero_frequency=False)  # fmt: skip
    got = Chain([stage]).run(x)
    frames = np.lib.stride_tricks.sliding_window_view(x.astype(np.float64), length, axis=1)[:, ::150]
    frames = frames - frames.mean(axis=2, keepdims=True)
    frames = (frames - 0.9 * np.concatenate([frames[..., :1], frames[..., :-1]], axis=2)) * taps
    spectra = np.fft.rfft(frames, n)[..., 1:]
    want = {"power": np.abs(spectra) ** 2, "magnitude": np.abs(spectra)}.get(values)
    if want is None:
        want = np.stack([spectra.real, spectra.imag], axis=-1).reshape(*spectra.shape[:2], -1)
    assert got.shape == (2, want.shape[2] + 1, want.shape[1])
    np.testing.assert_allclose(got[:, 1:], want.swapaxes(1, 2), rtol=1e-5, atol=1e-6 * np.abs(want).max())
    np.testing.assert_allclose(got[:, 0], np.log((frames**2).sum(axis=2)), rtol=1e-5)
    flow = Flow(Chain([stage]), 2)
    parts = [flow.push(x[:, at : at + 333], last=at + 333 >= x.shape[1]) for at in range(0, x.shape[1], 333)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=2), got)


def test_large_prime_factors_in_a_recipe():
    x = np.random.default_rng(0).standard_normal(8000)
    mel = {"kind": "mel", "bands": 20, "allow_empty": True}
    near, prime = (
        atc.extract(
            x,
            atc.Recipe.from_dict(
                {
                    "name": "t",
                    "version": 1,
                    "stage": [
                        {"kind": "spectrum", "window": "hann", "length": 400, "hop": 160, "n_fft": n},
                        mel,
                        {"kind": "log"},
                    ],
                }
            ),
            sample_rate=8000,
        ).values
        for n in (1048, 1049)
    )
    assert near.shape[2] - prime.shape[2] == 1  # an odd number of points is centred a sample less
    assert np.abs(near[..., :-1] - prime).mean() < 0.1


def test_stft_of_nothing():
    assert atc.stft(np.ones(10), centre=False).shape == (257, 0)
    assert atc.stft(np.zeros((2, 0))).shape == (2, 257, 0)
    assert atc.stft(np.zeros((0, 100))).shape == (0, 257, 1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pad": ["zero"]}, r"pad is \['zero'\]"),
        ({"window": None}, "window is None"),
        ({"window": "gaussian"}, "needs a width"),
        ({"n_fft": "512"}, "n_fft is '512'"),
        ({"n_fft": 0}, "n_fft is 0"),
        ({"n_fft": 1 << 21}, "n_fft is 2097152; it must be at most 1,048,576"),
    ],
)
def test_wrong_parameters_of_stft(options, words):
    with pytest.raises(ParameterError, match=words):
        atc.stft(np.ones(100), **options)


def test_no_frequency_left():
    with pytest.raises(ParameterError, match="no frequency is left"):
        Spectrum([1.0], 1, sample_rate=8000, zero_frequency=False)
