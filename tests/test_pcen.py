"""Per-channel energy normalisation: against float64 and librosa, and where numbers are at their ends."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from conftest import JIT
from hypothesis import given
from hypothesis import strategies as st

from audiotconv.errors import ParameterError
from audiotconv.kernels.log import log1p
from audiotconv.stages import Pcen
from audiotconv.stages.pcen import smoothing_of


def names(count):
    return tuple(str(n) for n in range(count))


def energies(rng, *shape):
    return np.exp(rng.uniform(-12, 8, shape)).astype(np.float32)


KINDS = {
    "root": {},
    "power": {"power": 0.3, "gain": 0.8},
    "pure power": {"bias": 0.0, "power": 0.4},
    "logarithm": {"power": 0.0},
}


@given(data=st.data())
def test_against_float64(data):
    bands = data.draw(st.one_of(st.integers(1, 5), st.sampled_from([8, 15, 16, 17, 33])), label="bands")
    frames = data.draw(st.one_of(st.integers(0, 5), st.sampled_from([8, 15, 16, 17, 33])), label="frames")
    options = KINDS[data.draw(st.sampled_from(list(KINDS)))]
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    smoothing = rng.uniform(0.01, 1.0, bands)
    initial = data.draw(st.sampled_from([0.0, 1.0, "first"]))
    x = energies(rng, 2, bands, frames)
    got = Pcen(names(bands), smoothing=smoothing, initial=initial, **options).run(
        x, 0, frames, data.draw(st.sampled_from([1, 2]))
    )
    want = reference.pcen(x, smoothing, initial=initial, **options)
    np.testing.assert_allclose(got, want, rtol=4e-6)


def test_parameters_of_each_band(rng):
    x = energies(rng, 1, 20, 50)
    options = {
        "gain": rng.uniform(0.5, 1, 20),
        "bias": rng.uniform(0.1, 10, 20),
        "power": 1 / rng.uniform(1, 4, 20),
        "eps": np.exp(rng.uniform(-20, 0, 20)),
    }
    got = Pcen(names(20), smoothing=0.04, initial="first", **options).run(x, 0, 50, 1)
    np.testing.assert_allclose(got, reference.pcen(x, 0.04, initial="first", **options), rtol=4e-6)
    alone = Pcen(("x",), smoothing=0.04, initial="first", **{name: values[7] for name, values in options.items()})
    np.testing.assert_array_equal(alone.run(x[:, 7:8], 0, 50, 1), got[:, 7:8])


@pytest.mark.parametrize("kind", KINDS)
def test_as_librosa(kind, rng):
    librosa = pytest.importorskip("librosa")
    x = energies(rng, 40, 300 if JIT else 40)
    want = librosa.pcen(x.astype(np.float64), sr=22050, hop_length=512, **KINDS[kind])
    stage = Pcen(names(40), smoothing=smoothing_of(0.4, 22050 / 512), **KINDS[kind])
    np.testing.assert_allclose(stage.run(x[None], 0, x.shape[1], 1)[0], want, rtol=4e-6)


def test_small_values_keep_their_places(rng):
    x = np.float32(1e-9) * energies(rng, 1, 4, 40)
    got = Pcen(names(4), smoothing=0.1).run(x, 0, 40, 1)
    loss_free = np.asarray(x, np.float64) / (1e-6 + reference_smoother(x, 0.1)) ** 0.98
    want = loss_free / (np.sqrt(loss_free + 2) + np.sqrt(2))
    np.testing.assert_allclose(got, want, rtol=4e-6)


def reference_smoother(x, s, smooth=1.0):
    rows = [smooth := (1 - s) * smooth + s * np.asarray(x[:, :, t], np.float64) for t in range(x.shape[2])]
    return np.stack(rows, axis=2)


def test_a_smoother_does_not_drift():
    x = np.full((1, 1, 100_000 if JIT else 1000), 0.1, np.float32)
    stage = Pcen(("x",), smoothing=1e-3, initial="first")
    state = stage.begin(1)
    got = stage.run(x, 0, x.shape[2], 1, 0, state)
    assert state[0, 0] == np.float32(0.1)
    assert (got == got[0, 0, 0]).all()


@pytest.mark.parametrize("initial", [0.0, 1.0, "first"])
@pytest.mark.parametrize("kind", KINDS)
def test_silence_and_the_largest_numbers_are_finite(kind, initial):
    x = np.zeros((1, 4, 4000 if JIT else 400), np.float32)
    stage = Pcen(names(4), smoothing=0.1, initial=initial, **KINDS[kind])
    assert not stage.run(x, 0, x.shape[2], 1).any()
    x[0, :, 7::9] = [[3e38], [1e-45], [1e-30], [-1.0]]
    got = stage.run(x, 0, x.shape[2], 1)
    assert np.isfinite(got).all()
    assert (got >= 0).all()
    state = stage.begin(1)
    silence = np.zeros((1, 4, 3000), np.float32)
    stage.run(silence, 0, silence.shape[2], 1, 1, state)
    assert ((state == 0) | (state > 1e-36)).all()


def test_log1p_over_the_whole_range(rng):
    from audiotconv.kernels.compile import KERNELS, kernel
    from audiotconv.kernels.simd import lanes, load, store

    @kernel
    def every(x, out):
        for i in range(0, x.shape[0], lanes(x)):
            store(out, i, log1p(load(x, i)))

    x = np.exp(rng.uniform(-80, 80, 1 << 14)).astype(np.float32)
    x[: 1 << 13] = rng.uniform(0, 2, 1 << 13)
    x[0] = 0
    out = np.empty_like(x)
    every(x, out)
    KERNELS.remove(every)
    want = np.log1p(x.astype(np.float64))
    assert (np.abs(out - want) <= 2.1 * np.spacing(want.astype(np.float32))).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"smoothing": 0.0}, "smoothing is 0.0"),
        ({"smoothing": 1.5}, "smoothing is 1.5"),
        ({"smoothing": [0.1, 0.2]}, r"smoothing is \[0.1, 0.2\]; it must be a number, or 3 of them"),
        ({"smoothing": [0.1, 0.2, float("nan")]}, "smoothing is nan"),
        ({"smoothing": True}, "smoothing is True"),
        ({"smoothing": "slow"}, "smoothing is of type"),
        ({"gain": -1}, "gain is -1"),
        ({"bias": float("inf")}, "bias is inf"),
        ({"bias": 1e-35}, "bias is 1e-35"),
        ({"bias": [0.0, 1.0, 1.0]}, "bias is .*for all features or for none"),
        ({"power": [0.0, 1.0, 1.0]}, "power is .*for all features or for none"),
        ({"power": 50.0, "bias": 1e10}, r"bias to its power is 10\*\*500"),
        ({"eps": 0}, "eps is 0"),
        ({"eps": 1e-30, "gain": 3}, r"eps to the gain is 10\*\*-90"),
        ({"initial": "last"}, "initial is 'last'"),
        ({"initial": -1.0}, "initial is -1.0"),
        ({"initial": None}, "initial is None"),
    ],
)
def test_impossible_parameters(parameters, message):
    with pytest.raises(ParameterError, match=message):
        Pcen(names(3), **({"smoothing": 0.1} | parameters))


@pytest.mark.parametrize("parameters", [(0, 100), (0.4, -1), ("long", 100)])
def test_impossible_time_constants(parameters):
    with pytest.raises(ParameterError, match="must be a number above 0"):
        smoothing_of(*parameters)
