"""Recipes whose filters come from a file."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import JIT

import audiotconv as atc
from audiotconv.errors import ParameterError, RecipeError
from audiotconv.filters import gabor_bank, read_filters

TOML = """
name = "mine"
version = 1

[[stage]]
kind = "bank-energy"
filters = "file"
file = "bank.npz"
window = "20 ms"
hop = "10 ms"
"""
N = 4000 if JIT else 400


@pytest.fixture
def home(tmp_path):
    (tmp_path / "mine.toml").write_text(TOML)
    return tmp_path


def save(home, **arrays):
    np.savez(home / "bank.npz", **arrays)
    return home / "mine.toml"


def signal():
    return np.random.default_rng(0).standard_normal(N).astype(np.float32)


def test_taps_are_those_of_the_design(home):
    bank = gabor_bank(4, sample_rate=8000, fmin=300, fmax=3000)
    path = save(
        home, taps=bank.taps, sample_rate=8000, centres=bank.centres, bandwidths=bank.bandwidths, advance=bank.advance
    )
    designed = {"kind": "bank-energy", "filters": "gabor", "bands": 4, "fmin": "300 Hz", "fmax": "3 kHz"}
    same = atc.Recipe.from_dict({"name": "x", "version": 1, "stage": [designed | {"window": "20 ms", "hop": "10 ms"}]})
    got, want = (atc.extract(signal(), recipe, sample_rate=8000) for recipe in (path, same))
    np.testing.assert_array_equal(got.values, want.values)
    assert got.feature_names == want.feature_names


def test_centres_and_bandwidths_are_gabor_filters(home):
    recipe = atc.get_recipe(save(home, centres=[500.0, 1000.0], bandwidths=[100.0, 150.0]))
    for rate in (8000, 16000):
        want = gabor_bank(sample_rate=rate, centres=[500.0, 1000.0], bandwidths=[100.0, 150.0])
        np.testing.assert_array_equal(recipe.build(rate).stages[0].bank.taps, want.taps)


def test_the_hash_is_of_the_numbers(home, tmp_path_factory):
    taps = np.arange(6.0).reshape(2, 3)
    first = atc.get_recipe(save(home, taps=taps, sample_rate=8000))
    before = first.build(8000).stages[0].bank.taps
    changed = atc.get_recipe(save(home, taps=taps + 1, sample_rate=8000))
    assert changed.hash != first.hash
    # What was read is what runs, whatever became of the file.
    np.testing.assert_array_equal(first.build(8000).stages[0].bank.taps, before)
    np.testing.assert_array_equal(changed.build(8000).stages[0].bank.taps, before + 1)
    other = tmp_path_factory.mktemp("elsewhere")
    (other / "mine.toml").write_text(TOML)
    assert atc.get_recipe(save(other, sample_rate=np.float32(8000), taps=taps)).hash == first.hash
    table = {
        "kind": "bank-energy",
        "filters": "file",
        "file": str(other / "bank.npz"),
        "window": "20 ms",
        "hop": "10 ms",
    }
    assert atc.Recipe.from_dict({"name": "y", "version": 1, "stage": [table]}).hash == first.hash
    assert isinstance(first.hash, str)
    assert str(dict(first.stages[0][1])["file"]) == read_filters(other / "bank.npz").digest


def test_safetensors(home):
    safetensors = pytest.importorskip("safetensors.numpy")
    bank = gabor_bank(2, sample_rate=8000, fmin=300, fmax=3000)
    safetensors.save_file(
        {"taps_real": bank.taps.real.copy(), "taps_imag": bank.taps.imag.copy(), "sample_rate": np.array([8000.0])},
        home / "bank.safetensors",
    )
    np.savez(home / "bank.npz", taps=bank.taps, sample_rate=8000)
    assert read_filters(home / "bank.safetensors").digest == read_filters(home / "bank.npz").digest


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"taps": np.ones((2, 3))}, "lacks their sample_rate"),
        ({"weights": np.ones(3)}, "holds weights; it must hold taps and sample_rate, or centres and bandwidths"),
        ({"taps": np.full((2, 3), np.nan), "sample_rate": 8000}, "taps is of type float64; it must be finite numbers"),
        ({"taps": np.array([["a"]]), "sample_rate": 8000}, "taps is of type <U1"),
        ({"taps": np.array([[None]]), "sample_rate": 8000}, "is not a file of plain arrays"),
        ({"taps": np.ones(3), "sample_rate": 8000}, r"it must be \(bands, span\)"),
        (
            {"taps": np.ones((2, 3)), "sample_rate": 16000},
            "for a sample rate of 16000 Hz, and the samples",
        ),
        ({"taps": np.ones((2, 3)), "sample_rate": 8000, "centres": np.ones(3)}, "centres have the shape"),
        ({"centres": [500.0], "bandwidths": [100.0, 200.0]}, "bandwidths"),
    ],
)
def test_one_clear_error(home, arrays, message):
    with pytest.raises(RecipeError, match=message):
        atc.get_recipe(save(home, **arrays)).build(8000)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("bank.npz", "none.npz"), "cannot be read: No such file"),
        (("bank.npz", "mine.toml"), "is not a file of plain arrays"),
        (('file = "bank.npz"', "file = 3"), "file is 3; it must be the path"),
        (('file = "bank.npz"\n', ""), "lacks the key 'file'"),
        (('filters = "file"', 'filters = "gabor"'), "lacks the key 'bands'"),
        (('file = "bank.npz"', 'file = "bank.npz"\nbands = 3'), "bands is given"),
        (('filters = "file"', 'filters = "gabor"\nbands = 3\nfmin = "1 Hz"\nfmax = "9 Hz"'), "file is for filters"),
    ],
)
def test_recipes_that_do_not_fit(home, change, message):
    path = save(home, taps=np.ones((2, 3)), sample_rate=8000)
    path.write_text(TOML.replace(*change))
    with pytest.raises(RecipeError, match=message):
        atc.get_recipe(path)


def test_safetensors_that_cannot_be_read(tmp_path, monkeypatch):
    (tmp_path / "bank.safetensors").write_bytes(b"nothing")
    with pytest.raises(ParameterError, match=r"not a file of plain arrays|not installed"):
        read_filters(tmp_path / "bank.safetensors")
    monkeypatch.setattr("audiotconv.filters.stored._MOST_BYTES", 3)
    with pytest.raises(ParameterError, match="larger than 3 bytes"):
        read_filters(tmp_path / "bank.safetensors")


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"taps": 3.0}, r"taps has the shape \(\); it must be \(bands, span\)"),
        ({"taps": np.ones(5)}, r"taps has the shape \(5,\)"),
        ({"centres": 500.0, "bandwidths": 100.0}, "it must be one for each band"),
        ({"taps_real": np.ones((5, 9)), "taps_imag": np.ones((2, 9))}, r"\(5, 9\) and taps_imag \(2, 9\)"),
        ({"taps": np.ones((2, 9)), "taps_real": np.ones((2, 9))}, "only one of them"),
        ({"taps": np.ones((2, 9)), "advance": 2.7}, "advance is 2.7; it must be a whole number"),
        ({"taps": np.ones((2, 9)), "advance": 1e300}, "advance is 1e"),
        ({"taps": np.ones((2, 9)) * 1e300}, "the taps of band 0 are not all finite and at most 1e"),
    ],
)
def test_malformed_files(home, arrays, words):
    path = save(home, sample_rate=8000, **arrays)
    with pytest.raises(RecipeError, match=words):
        atc.extract(signal(), path, sample_rate=8000)


def test_a_file_that_inflates(home, monkeypatch):
    monkeypatch.setattr("audiotconv.filters.stored._MOST_BYTES", 100_000)
    np.savez_compressed(home / "bank.npz", taps=np.zeros((100, 1000)), sample_rate=8000)
    with pytest.raises(RecipeError, match="holds more than 100,000 bytes"):
        atc.extract(signal(), home / "mine.toml", sample_rate=8000)


def test_names_of_taps_without_centres(home):
    path = save(home, taps=np.random.default_rng(0).standard_normal((3, 9)), sample_rate=8000)
    assert atc.extract(signal(), path, sample_rate=8000).feature_names == ("filter 0", "filter 1", "filter 2")
