"""The kinds of stages that recipes name: what each builds, and one clear sentence for what cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import JIT

import audiotconv as atc
from audiotconv.errors import RecipeError
from audiotconv.recipes import Recipe
from audiotconv.recipes.kinds import KINDS

SPECTRUM = {"kind": "spectrum", "window": "hann", "length": "25 ms", "hop": "10 ms"}
ENERGY = {**SPECTRUM, "energy": "raw"}
MEL = {"kind": "mel", "bands": 8}
LOG = {"kind": "log"}
N = 4000 if JIT else 900


def recipe(*stages):
    return Recipe.from_dict({"name": "test", "version": 1, "stage": list(stages)})


def features(*stages, rate=8000):
    x = np.random.default_rng(0).standard_normal(N).astype(np.float32)
    return atc.extract(0.1 * x, recipe(*stages), sample_rate=rate)


def test_every_kind_says_what_its_parameters_mean():
    for kind in KINDS.values():
        assert all(parameter.meaning for parameter in kind.parameters.values())


@pytest.mark.parametrize(
    ("stages", "names"),
    [
        ([SPECTRUM], ["0.0 Hz", "40.0 Hz"]),
        ([{**SPECTRUM, "round_up": True}], ["0.0 Hz", "31.2 Hz"]),
        ([{**SPECTRUM, "window": "gaussian", "length": 100, "hop": 80, "std": 0.1}], ["0.0 Hz", "80.0 Hz"]),
        ([{**SPECTRUM, "values": "complex"}], ["0.0 Hz, real", "0.0 Hz, imaginary"]),
        ([ENERGY, MEL, LOG], ["log energy"]),
        ([SPECTRUM, MEL, LOG, {"kind": "cepstrum", "count": 5}], ["C0", "C1"]),
        ([ENERGY, MEL, LOG, {"kind": "cepstrum", "count": 5}], ["log energy", "C1"]),
        ([SPECTRUM, MEL, LOG, {"kind": "cepstrum", "count": 3}, {"kind": "first-last"}], ["C1", "C2", "C0"]),
        ([SPECTRUM, {"kind": "chroma", "norm": 0}], ["chroma 0"]),
        ([SPECTRUM, {"kind": "shape", "measures": ["flux", "centroid"]}], ["flux", "centroid"]),
        ([{"kind": "waveform", "window": "20 ms", "hop": "10 ms"}], ["zero_crossing_rate", "rms", "log_energy"]),
        ([SPECTRUM, MEL, {"kind": "pcen"}, {"kind": "deltas", "order": 1, "statics": False}], []),
        ([SPECTRUM, MEL, LOG, {"kind": "normal", "mode": "sliding", "window": 20, "least": 5}], []),
        ([SPECTRUM, MEL, LOG, {"kind": "normal", "mode": "given", "mean": [1] * 8, "std": 2, "variance": True}], []),
        ([SPECTRUM, MEL, LOG, {"kind": "range", "below": 80, "from_maximum": True}], []),
        ([SPECTRUM, MEL, {"kind": "gaussian-pool", "length": 5, "hop": "20 ms"}], []),
        ([SPECTRUM, MEL, {"kind": "pool", "how": "median", "length": "50 ms", "hop": "20 ms"}], []),
    ],
)
def test_kinds(stages, names):
    got = features(*stages)
    assert got.feature_names[: len(names)] == tuple(names)
    assert got.shape[1] == len(got.feature_names)
    assert got.shape[2] > 3
    assert np.isfinite(got.values).all()


def test_the_zero_of_a_range():
    got = features(SPECTRUM, MEL, {"kind": "log", "unit": "dB"}, {"kind": "range", "from_maximum": True, "below": 30})
    assert got.values.max() == 0
    assert got.values.min() >= -30


def test_the_time_constant_of_pcen_is_in_seconds():
    slow, fast = (
        recipe({**SPECTRUM, "hop": hop}, MEL, {"kind": "pcen"}).build(8000).stages[1] for hop in ("5 ms", "20 ms")
    )
    from audiotconv.stages.pcen import smoothing_of

    assert smoothing_of(0.4, 200) < smoothing_of(0.4, 50)
    x = np.ones((1, 8, 400), np.float32)
    settled = [stage.run(x, 0, 400, 1, 0, stage.begin(1))[0, 0] for stage in (slow, fast)]
    assert np.abs(np.diff(settled[0])).max() <= np.abs(np.diff(settled[1])).max() + 1e-6


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([ENERGY, MEL, {"kind": "pcen"}], "is a logarithm, which pcen cannot take"),
        ([ENERGY, MEL, LOG, {"kind": "cepstrum", "count": 1}], "take 2 or more"),
        ([SPECTRUM, {"kind": "normal", "mode": "given", "std": 2}], "std is given and variance is false"),
        ([SPECTRUM, {"kind": "range", "zero": 10**400}], "it must be a number from -1e"),
        ([SPECTRUM, {"kind": "range", "scale": float("inf")}], "it must be a number from -1e"),
        ([{**SPECTRUM, "seed": 2**41}], "seed is"),
        ([{**SPECTRUM, "length": "1 us"}], "a length of 0.001 ms is less than one sample at 8000 Hz"),
        ([{**SPECTRUM, "hop": True}], "hop is True; it must be a time with a unit, in quotes, or a whole number"),
        ([{**SPECTRUM, "hop": 0}], "hop is 0; it must be an integer from 1"),
        ([{**SPECTRUM, "hop": "10"}], "hop is '10'"),
        ([{**SPECTRUM, "periodic": 1}], "periodic is 1; it must be true or false"),
        ([{**SPECTRUM, "length": "1000 s"}], "a length of 8,000,000 samples is more than"),
        ([{**SPECTRUM, "round_up": True, "n_fft": 512}], "only one of them can say the size"),
        ([{**SPECTRUM, "n_fft": 100}], "n_fft is 100; it must be at least the window's 200"),
        ([{**SPECTRUM, "window": "kaiser"}], "window is 'kaiser'; it must be one of hann"),
        ([{**SPECTRUM, "values": "complex"}, MEL], "mel bands: the stage before must be a spectrum of powers"),
        ([{**SPECTRUM, "zero_frequency": False}, MEL], "with the zero frequency"),
        ([SPECTRUM, MEL, MEL], "mel bands: the stage before"),
        ([SPECTRUM, {**MEL, "fmin": "5 kHz"}], "fmin is 5000"),
        ([SPECTRUM, {**MEL, "fmin": "-5 Hz"}], "fmin is '-5 Hz'; it must be from 0 to"),
        ([SPECTRUM, {**MEL, "bands": 80, "triangles": "mel", "scale": "kaldi"}], "is empty"),
        ([SPECTRUM, MEL, {"kind": "cepstrum", "count": 9}], "count is 9, and there are 8 bands"),
        ([ENERGY, {"kind": "shape"}], "leave energy out"),
        ([SPECTRUM, {"kind": "shape", "measures": []}], "measures is"),
        ([SPECTRUM, {"kind": "shape", "measures": ["size"]}], "it must be a list of some of centroid"),
        ([SPECTRUM, {"kind": "shape", "measures": "flux"}], "measures is 'flux'"),
        ([SPECTRUM, MEL, {"kind": "normal", "mode": "given"}], "mean and std are missing"),
        ([SPECTRUM, MEL, {"kind": "normal", "mode": "given", "mean": [1, 2]}], "mean"),
        ([SPECTRUM, MEL, {"kind": "normal", "mode": "given", "mean": [1, "2"]}], r"mean\[1\] is '2'; it must be"),
        ([SPECTRUM, MEL, {"kind": "range", "from_maximum": True, "zero": 1.0}], "can say what becomes 0"),
        ([SPECTRUM, MEL, {"kind": "deltas", "window": 0}], "window is 0"),
        ([SPECTRUM, MEL, {"kind": "pcen", "gain": -1}], "gain is -1"),
        ([MEL], "mel cannot come first"),
        ([SPECTRUM, SPECTRUM], "takes samples and must come first"),
    ],
)  # fmt: skip
def test_one_clear_error(stages, message):
    with pytest.raises(RecipeError, match=message):
        recipe(*stages).build(8000)


def test_recipes_are_dicts():
    with pytest.raises(ValueError, match="it must be a dict"):
        Recipe.from_dict("whisper-80")
