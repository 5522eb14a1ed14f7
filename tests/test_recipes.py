"""Recipes: what is shipped, what a user may write, and one sentence for what he may not."""

from __future__ import annotations

import dataclasses
import os

import pytest

import audiotconv as atc
from audiotconv.errors import ParameterError, RecipeError

GOOD = """
name = "mine"
version = 2
description = "a few bands"

[[stage]]
kind = "bank-energy"
filters = "sinc"
bands = 5
fmin = "100 Hz"
fmax = "3.5 kHz"
window = "20 ms"
hop = "0.005 s"

[[stage]]
kind = "log"
unit = "dB"
"""


@pytest.fixture
def write(tmp_path):
    def to_file(content):
        path = tmp_path / "mine.toml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return to_file


def test_shipped_recipes_never_change_silently():
    """A hash stands for published numbers. If this fails, raise the recipe's version and say so in the changelog."""
    assert {name: atc.get_recipe(name).hash for name in atc.list_recipes()} == {
        "gabor-40": "f04b9110974c5cd5",
        "gammatone-64": "d2dbd55e193a19d0",
    }


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000])
@pytest.mark.parametrize("name", ["gammatone-64", "gabor-40"])
def test_25_and_10_ms_at_any_rate(name, rate):
    chain = atc.get_recipe(name).build(rate)
    stage = chain.stages[0]
    assert stage.hop == round(0.010 * rate)
    assert abs(stage.window - 0.025 * rate) <= stage.stride / 2 + 0.5
    assert chain.geometry.count(rate) == -(-rate // stage.hop)
    assert stage.stride <= 0.00025 * rate + 1e-6 or stage.stride == 1
    assert chain.features[0] == ("50.0 Hz" if name == "gammatone-64" else chain.features[0])
    assert stage.bank.centres.max() <= 0.45 * rate
    times = chain.geometry.times(rate, rate)
    assert times[0] == pytest.approx(0.005, abs=0.0003)


def test_own_recipe(write):
    recipe = atc.get_recipe(write(GOOD))
    assert (recipe.name, recipe.version, recipe.description) == ("mine", 2, "a few bands")
    assert dict(recipe.stages[0][1])["hop"] == 0.005
    chain = recipe.build(8000)
    assert len(chain.features) == 5
    assert chain.geometry.hop == 40
    assert recipe == atc.Recipe.from_toml(os.fspath(write(GOOD)))
    assert atc.get_recipe(recipe) is recipe
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.version = 3


def test_the_hash_is_of_what_counts(write):
    base = atc.get_recipe(write(GOOD)).hash
    assert atc.get_recipe(write(GOOD.replace('"mine"', '"yours"').replace("a few", "five"))).hash == base
    assert atc.get_recipe(write(GOOD.replace('"20 ms"', '"0.02 s"'))).hash == base
    assert atc.get_recipe(write(GOOD.replace("version = 2", "version = 3"))).hash != base
    assert atc.get_recipe(write(GOOD.replace('"20 ms"', '"25 ms"'))).hash != base


@pytest.mark.parametrize(
    ("old", "ways"),
    [
        ('"20 ms"', ["35 ms", "35000 us", "0.035 s", "35e-3s", " +.0350e0 s ", "0.35e+2ms"]),
        ('"20 ms"', ["17.3 ms", "17300 us", "0.0173 s"]),
        ('"3.5 kHz"', ["2.3 kHz", "2300 Hz", "2300.0 Hz", "0.0023e6 Hz"]),
        ('"3.5 kHz"', ["1.001 kHz", "1001 Hz"]),
    ],
)
def test_one_quantity_has_one_hash_however_it_is_written(write, old, ways):
    assert len({atc.get_recipe(write(GOOD.replace(old, f'"{way}"'))).hash for way in ways}) == 1


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name = "mine"', "", ["name None"]),
        ('name = "mine"', "name = 3", ["name 3"]),
        ("version = 2", 'version = "two"', ["version", "'two'"]),
        ("version = 2", "version = 2\nauthor = 'me'", ["unknown key 'author'"]),
        ('description = "a few bands"', "description = 1", ["description 1"]),
        ("bands = 5", "bands = 0", ["stage 1 (bank-energy): bands is 0", "1 to 10000"]),
        ("bands = 5", "bands = true", ["bands is True"]),
        ("bands = 5", "", ["lacks the key 'bands'"]),
        ("bands = 5", "bnads = 5", ["unknown key 'bnads'; did you mean bands?"]),
        ("bands = 5", "bands = 5\nqwerty = 5", ["unknown key 'qwerty'", "the keys are"]),
        ('"20 ms"', '"20 Hz"', ["window is '20 Hz'", "time"]),
        ('"20 ms"', "20", ["window is 20", "in quotes"]),
        ('"20 ms"', '"20"', ["window is '20'"]),
        ('"20 ms"', '"-20 ms"', ["window is '-20 ms'", "above zero"]),
        ('"100 Hz"', '"100 ms"', ["fmin is '100 ms'", "frequency"]),
        ('"100 Hz"', '"1e999 Hz"', ["fmin is '1e999 Hz'"]),
        ('"sinc"', '"mel"', ["filters is 'mel'", "gammatone, gabor, sinc"]),
        ('unit = "dB"', "floor = 0.0", ["floor is 0.0"]),
        ('unit = "dB"', 'floor = "0"', ["floor is '0'"]),
        ('kind = "log"', 'kind = "logarithm"', ["stage 2", "'logarithm'"]),
        ('kind = "log"', 'kind = "bank-energy"', ["stage 2", "must come first"]),
        ("version = 2", "version 2", ["not TOML"]),
        ('"20 ms"', '"2 ms"', ["stage 1 (bank-energy)", "window is 2 ms", "hop 5 ms"]),
        ('"100 Hz"', '"4 kHz"', ["stage 1 (bank-energy)", "fmin is 4000 Hz", "fmax 3500 Hz"]),
        ('"100 Hz"', '"3500 Hz"', ["stage 1 (bank-energy)", "fmin is 3500 Hz", "fmax 3500 Hz"]),
    ],
)
def test_wrong_recipes(write, old, new, words):
    assert old in GOOD
    with pytest.raises(RecipeError) as caught:
        atc.get_recipe(write(GOOD.replace(old, new, 1)))
    for word in ["mine.toml", *words]:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value).strip()


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ('name = "x"\nversion = 1\n', "no stages"),
        ('name = "x"\nversion = 1\nstage = 3\n', "no stages"),
        ('name = "x"\nversion = 1\n[[stage]]\nkind = "log"\n', "cannot come first"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_wrong_files(write, content, word):
    with pytest.raises(RecipeError, match=word):
        atc.get_recipe(write(content))


def test_no_such_recipe(tmp_path):
    with pytest.raises(RecipeError, match="did you mean gammatone-64"):
        atc.get_recipe("gamatone-64")
    with pytest.raises(RecipeError, match="there are gabor-40, gammatone-64"):
        atc.get_recipe("zzz")
    with pytest.raises(RecipeError, match="cannot be read: No such file"):
        atc.get_recipe(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("old", "new", "rate", "word"),
    [
        ('"100 Hz"', '"100 Hz"', 150, "bands reach up to 67.5 Hz"),
        ('"0.005 s"', '"5 us"', 8000, "less than one sample"),
    ],
)
def test_recipes_that_do_not_fit_a_rate(write, old, new, rate, word):
    recipe = atc.get_recipe(write(GOOD.replace(old, new, 1)))
    with pytest.raises(RecipeError, match=word) as caught:
        recipe.build(rate)
    assert "recipe mine, stage 1 (bank-energy)" in str(caught.value)


@pytest.mark.parametrize("rate", [0, -1, 8000.5, True, "8000", float("nan"), float("inf")])
def test_impossible_rates(rate):
    with pytest.raises(ParameterError, match="sample rate is"):
        atc.get_recipe("gabor-40").build(rate)


def test_rates_of_every_integer_kind():
    import numpy as np

    recipe = atc.get_recipe("gabor-40")
    assert recipe.build(np.int64(8000)) is recipe.build(8000.0) is recipe.build(8000)
