"""Recipes: what is shipped, what a user may write, and one sentence for what he may not."""

from __future__ import annotations

import dataclasses
import os
import time
import tomllib
from importlib import resources

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

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
        "ast-128": "bffeddcfa3b55ddb",
        "gabor-40": "f04b9110974c5cd5",
        "gammatone-64": "d2dbd55e193a19d0",
        "htk-mfcc-39": "dca893392563cf7d",
        "kaldi-fbank-23": "810311a45aca283b",
        "kaldi-fbank-80": "adeeab3770404cd5",
        "kaldi-mfcc-13": "575d8e74bc6812c3",
        "kaldi-spectrogram": "5b27e409f33632c4",
        "leaf-40": "5ad74073adbed67d",
        "librosa-mel-128": "ac10176123f0e65d",
        "librosa-mfcc-20": "d18ad91d0fe26366",
        "pcen-80": "620097e78c8c9c2b",
        "sincnet-80": "35154c6a1ccae78a",
        "waveform-16k": "b9cafb50f73470fb",
        "whisper-128-30s": "4b79d42b960d91f6",
        "whisper-128": "f71aca6222df0167",
        "whisper-80-30s": "dd4eb19ab5381646",
        "whisper-80": "756b51535d07e4ba",
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


@pytest.mark.parametrize(("rate", "hop"), [(11025, 110), (22050, 220)])
def test_a_hop_of_10_ms_that_is_no_whole_number_of_samples(rate, hop):
    geometry = atc.get_recipe("gabor-40").build(rate).geometry
    assert geometry.hop == hop
    times = geometry.times(100 * rate, rate)
    np.testing.assert_allclose(times, times[0] + np.arange(len(times)) * hop / rate, rtol=1e-14)


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


def test_sinc_filters_are_as_long_as_asked_or_needed(write):
    from audiotconv.filters import sinc_bank

    base = atc.get_recipe(write(GOOD))
    bank = base.build(8000).stages[0].bank
    np.testing.assert_array_equal(bank.taps, sinc_bank(5, sample_rate=8000, fmin=100, fmax=3500).taps)
    published = atc.get_recipe(write(GOOD.replace("bands = 5", 'bands = 5\nlength = "15.69 ms"')))
    assert [published.build(rate).stages[0].bank.span for rate in (8000, 16000, 48000)] == [125, 251, 753]
    assert published.hash != base.hash
    assert dict(published.stages[0][1])["length"] == 0.01569
    assert "length" not in dict(base.stages[0][1])


def test_the_hash_is_of_what_counts(write):
    base = atc.get_recipe(write(GOOD)).hash
    assert atc.get_recipe(write(GOOD.replace('"mine"', '"yours"').replace("a few", "five"))).hash == base
    assert atc.get_recipe(write(GOOD.replace('"20 ms"', '"0.02 s"'))).hash == base
    assert atc.get_recipe(write(GOOD.replace("version = 2", "version = 3"))).hash != base
    assert atc.get_recipe(write(GOOD.replace('"20 ms"', '"25 ms"'))).hash != base


def test_a_head_with_a_sample_rate_and_a_duration(write):
    base = atc.get_recipe(write(GOOD))
    assert (base.sample_rate, base.duration, base.head) == (None, None, {})
    rate, length = 'sample_rate = "8 kHz"\n', 'duration = "1.5 s"\n'
    both = atc.get_recipe(write(rate + length + GOOD))
    assert both.head == {"sample_rate": 8000, "duration": 1.5}
    assert type(both.sample_rate) is int
    kinds = [both, base, *(atc.get_recipe(write(head + GOOD)) for head in (rate, length, rate.replace("8", "16")))]
    assert len({recipe.hash for recipe in kinds}) == 5
    same = 'sample_rate = "8000 Hz"\n' + 'duration = "1500 ms"\n'
    assert atc.get_recipe(write(same + GOOD)).hash == both.hash
    assert both.build(44100) is both.build(8000)
    intake = both.intake(44100)
    assert (intake.source_rate, intake.sample_rate, intake.samples, intake.resamples) == (44100, 8000, 12000, True)
    assert not both.intake(8000).resamples
    assert not base.intake(44100).resamples
    assert atc.get_recipe(write(length + GOOD)).intake(11025).samples == 16538  # 16537.5 to even


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("sample_rate = 16000", ["sample_rate is 16000", "frequency", "in quotes"]),
        ('sample_rate = "16"', ["sample_rate is '16'", "frequency"]),
        ('sample_rate = "16 s"', ["sample_rate is '16 s'", "frequency"]),
        ('sample_rate = "8000.5 Hz"', ["sample_rate is '8000.5 Hz'", "whole number of Hz from 50 to 2,000,000"]),
        ('sample_rate = "49 Hz"', ["sample_rate is '49 Hz'", "whole number of Hz from 50"]),
        ('sample_rate = "3000 kHz"', ["sample_rate is '3000 kHz'", "2,000,000"]),
        ("duration = 30", ["duration is 30", "time", "in quotes"]),
        ('duration = "30 Hz"', ["duration is '30 Hz'", "time"]),
        ('duration = "0 s"', ["duration is '0 s'", "above zero"]),
        ('duration = "3601 s"', ["duration is '3601 s'", "at most 3600 s"]),
    ],
)
def test_one_sentence_for_a_head_that_is_wrong(write, head, words):
    with pytest.raises(RecipeError) as caught:
        atc.get_recipe(write(f"{head}\n{GOOD}"))
    message = str(caught.value)
    assert "\n" not in message
    for word in ["mine.toml", *words]:
        assert word in message


def test_a_duration_of_no_sample(write):
    recipe = atc.get_recipe(write('duration = "50 us"\n' + GOOD))
    for call in (recipe.build, recipe.intake):
        with pytest.raises(
            RecipeError, match=r"recipe mine: a duration of 0\.05 ms is less than one sample at 8000 Hz"
        ):
            call(8000)


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
        ('"sinc"', '"gabor"\nlength = "20 ms"', ["length is for sinc filters", "gabor"]),
        ("bands = 5", "bands = 5\nlength = 251", ["length is 251", "time"]),
        ('"sinc"', '"mel"', ["filters is 'mel'", "gammatone, gabor, sinc"]),
        ('unit = "dB"', "floor = 0.0", ["floor is 0.0"]),
        ('unit = "dB"', 'floor = "0"', ["floor is '0'"]),
        ('kind = "log"', 'kind = "logarithm"', ["stage 2", "'logarithm'"]),
        ('kind = "log"', 'kind = "bank-energy"', ["stage 2", "must come first"]),
        ("version = 2", "version 2", ["not TOML"]),
        ("version = 2", "version = " + "9" * 5000, ["not TOML"]),
        ("version = 2", "version = 0x" + "f" * 5000, ["version", "too large"]),
        ('name = "mine"', 'name = "two\\nlines"', ["name 'two\\nlines'", "one line"]),
        ('name = "mine"', 'name = "\\u001b[31m"', ["name '\\x1b[31m'", "one line"]),
        ('name = "mine"', f'name = "{"n" * 5000}"', ["name 'nnn", "..."]),
        ('description = "a few bands"', 'description = "\\u0007"', ["description '\\x07'"]),
        ('kind = "log"', 'kind = ["log"]', ["stage 2", "['log']"]),
        ('kind = "log"', "kind = {a = 1}", ["stage 2", "{'a': 1}"]),
        ('filters = "sinc"', 'filters = ["sinc"]', ["filters is ['sinc']"]),
        ("bands = 5", "bands = " + "[" * 90 + "]" * 90, ["bands is [[["]),
        ("bands = 5", "bands = " + "[" * 4000 + "]" * 4000, ["not TOML", "nested"]),
        ("bands = 5", f"{'b.' * 3000}a = 1", ["unknown key 'b'"]),
        ("bands = 5", f"bands.{'b.' * 3000}a = 1", ["bands is a dict"]),
        ("bands = 5", f"{'b' * 5000} = 1", ["unknown key 'bbb", "..."]),
        ("bands = 5", "bands = 1979-05-27", ["bands is datetime.date"]),
        ('"20 ms"', f'"{"9" * 5000} ms"', ["window is '999", "..."]),
        ('"20 ms"', f'"{"9" * 15000}!"', ["window is '999", "number and"]),
        ('"20 ms"', f'"1{" " * 15000}!"', ["window is '1  ", "number and"]),
        ('"20 ms"', '"2 h"', ["window is '2 h'"]),
        ('"20 ms"', '"3601 s"', ["window is '3601 s'", "at most 3600 s"]),
        ('"20 ms"', '"1e300 s"', ["window is '1e300 s'", "at most 3600 s"]),
        ('"20 ms"', '"1e99999999999 s"', ["window is '1e99999999999 s'"]),
        ('"0.005 s"', '"1e-320 us"', ["hop is '1e-320 us'", "above zero"]),
        ('"100 Hz"', '"-1 Hz"', ["fmin is '-1 Hz'", "above zero"]),
        ('"3.5 kHz"', '"1e300 kHz"', ["fmax is '1e300 kHz'", "at most 1e+09 Hz"]),
        ('window = "20 ms"\nhop = "0.005 s"', 'window = "1 h"\nhop = "1 us"', ["window is '1 h'"]),
        (
            'window = "20 ms"\nhop = "0.005 s"',
            'window = "3600 s"\nhop = "100 us"',
            ["window is 3.6e+06 ms", "hop 0.1 ms"],
        ),
        ('unit = "dB"', "floor = nan", ["floor is nan", "1e-37"]),
        ('unit = "dB"', "floor = inf", ["floor is inf", "1e-37"]),
        ('unit = "dB"', "floor = -1e-10", ["floor is -1e-10", "1e-37"]),
        ('unit = "dB"', "floor = true", ["floor is True"]),
        ('unit = "dB"', "floor = 1" + "0" * 400, ["floor is 1000"]),
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
    assert len(str(caught.value)) < 600


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


def test_files_that_are_not_files(tmp_path):
    with pytest.raises(RecipeError, match=r"a\\x00.toml cannot be read"):
        atc.get_recipe("a\0.toml")
    with pytest.raises(RecipeError, match=r"two\\nlines.toml cannot be read"):
        atc.get_recipe("two\nlines.toml")
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(RecipeError, match="Is a directory"):
        atc.Recipe.from_toml(tmp_path)
    for path in (tmp_path / "pipe.toml", "/dev/zero"):
        with pytest.raises(RecipeError, match="not a regular file"):
            atc.Recipe.from_toml(path)
    with pytest.raises(RecipeError, match="cannot be read: File name too long"):
        atc.get_recipe("a" * 5000 + ".toml")
    os.symlink("loop.toml", tmp_path / "loop.toml")
    with pytest.raises(RecipeError, match=r"loop.toml cannot be read"):
        atc.get_recipe(tmp_path / "loop.toml")
    (tmp_path / "long.toml").write_text(GOOD + "#" * 20_000)
    with pytest.raises(RecipeError, match=r"long.toml is longer than 16,384 bytes"):
        atc.get_recipe(tmp_path / "long.toml")


@pytest.mark.parametrize("recipe", [3, None, ["gabor-40"], {"name": "gabor-40"}, 1.5])
def test_what_is_no_name_of_a_recipe(recipe):
    for find in (atc.get_recipe, atc.Recipe.from_toml):
        with pytest.raises(ParameterError, match="recipe is"):
            find(recipe)


def test_no_such_recipe(tmp_path):
    with pytest.raises(RecipeError, match="there is no recipe 'aaa") as caught:
        atc.get_recipe("a" * 5000)
    assert len(str(caught.value)) < 600
    with pytest.raises(RecipeError, match="did you mean gammatone-64"):
        atc.get_recipe("gamatone-64")
    with pytest.raises(RecipeError, match="there are ast-128, gabor-40, gammatone-64"):
        atc.get_recipe("zzz")
    with pytest.raises(RecipeError, match="cannot be read: No such file"):
        atc.get_recipe(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("old", "new", "rate", "word"),
    [
        ('"100 Hz"', '"100 Hz"', 150, "bands reach up to 67.5 Hz"),
        ('"0.005 s"', '"5 us"', 8000, "less than one sample"),
        (
            "bands = 5",
            'bands = 5\nlength = "0.1 ms"',
            8000,
            "length of 0.1 ms is 1 sample at 8000 Hz; it must be at least 3",
        ),
        ("bands = 5", 'bands = 5\nlength = "3600 s"', 8000, "taps"),
    ],
)
def test_recipes_that_do_not_fit_a_rate(write, old, new, rate, word):
    recipe = atc.get_recipe(write(GOOD.replace(old, new, 1)))
    with pytest.raises(RecipeError, match=word) as caught:
        recipe.build(rate)
    assert "recipe mine, stage 1 (bank-energy)" in str(caught.value)


def test_the_longest_hop_finds_its_stride_soon(write):
    text = GOOD.replace('"20 ms"', '"3600 s"').replace('hop = "0.005 s"', 'hop = "3599.99 s"\nstride = "3000 s"')
    started = time.perf_counter()
    stage = atc.get_recipe(write(text)).build(1_999_993).stages[0]
    assert time.perf_counter() - started < 5
    assert stage.hop == round(3599.99 * 1_999_993)
    assert stage.hop % stage.stride == 0 < stage.stride <= 3000 * 1_999_993


@pytest.mark.parametrize("filters", ["gabor", "sinc", "gammatone"])
@pytest.mark.parametrize(
    ("bands", "fmin", "fmax", "rate"),
    [
        (5, "1000 Hz", "1000.001 Hz", 8000),
        (5, "1000 Hz", "1000.0000000000001 Hz", 8000),
        (10_000, "1e-300 Hz", "3.5 kHz", 8000),
        (10_000, "50 Hz", "900 kHz", 2_000_000),
    ],
)
def test_absurd_filters_end_soon(write, filters, bands, fmin, fmax, rate):
    text = GOOD.replace("sinc", filters).replace("bands = 5", f"bands = {bands}")
    text = text.replace("100 Hz", fmin).replace("3.5 kHz", fmax)
    if filters == "gammatone" and rate == 8000:  # its bands are never narrow
        return
    started = time.perf_counter()
    with pytest.raises(RecipeError, match=r"recipe mine, stage 1 .* taps"):
        atc.get_recipe(write(text)).build(rate)
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize("rate", [0, -1, 8000.5, True, "8000", float("nan"), float("inf"), 2_000_001, 10**30])
def test_impossible_rates(rate):
    with pytest.raises(ParameterError, match="sample rate is"):
        atc.get_recipe("gabor-40").build(rate)
    with pytest.raises(ParameterError, match="sample rate is"):
        atc.get_recipe("gabor-40").intake(rate)


def test_rates_of_every_integer_kind():
    recipe = atc.get_recipe("gabor-40")
    assert recipe.build(np.int64(8000)) is recipe.build(8000.0) is recipe.build(8000)


SHIPPED = {
    name: resources.files("audiotconv.recipes").joinpath(f"{name}.toml").read_text("utf-8")
    for name in ("gabor-40", "gammatone-64")
}
# Where a value stands in the shipped recipes: at the head, or in one of the two stages.
PLACES = [(None, key) for key in ("name", "version", "description", "sample_rate", "duration", "stage")] + [
    (stage, key)
    for stage, keys in enumerate(("kind filters bands fmin fmax window hop stride length", "kind floor unit"))
    for key in keys.split()
]
NUMBERS = st.one_of(
    st.integers(-(2**80), 2**80),
    st.integers(-3, 300),
    st.floats(),
    st.integers(0, 400).map(lambda power: 10**power),
)
QUANTITIES = st.builds(
    "{}{}{}".format, NUMBERS, st.sampled_from(["", " "]), st.sampled_from(["s", "ms", "us", "Hz", "kHz", "", "h"])
)
WORDS = st.sampled_from(["sinc", "gabor", "gammatone", "log", "bank-energy", "dB", "log10", "natural", ""])
VALUES = st.recursive(
    st.one_of(NUMBERS, QUANTITIES, WORDS, st.booleans(), st.dates(), st.text(max_size=30)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)


def as_toml(value):
    """A value as TOML, in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{as_toml(key)} = {as_toml(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(c):08x}" for c in value) + '"'
    return str(value).lower() if isinstance(value, bool | float) else str(value)


def recipe_or_error(write, text, rate=8000):
    """What a text may be: a recipe that fits or does not fit the rate, or no recipe."""
    started = time.perf_counter()
    try:
        recipe = atc.get_recipe(write(text))
        assert len(recipe.hash) == 16
        assert recipe.build(rate).geometry.hop >= 1
    except (RecipeError, ParameterError) as error:
        assert "\n" not in str(error)
        assert len(str(error)) < 600
    assert time.perf_counter() - started < 20


@given(st.sampled_from(sorted(SHIPPED)), st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=3))
@example("gabor-40", [((0, "fmin"), "0.0001 Hz"), ((0, "fmax"), "0.0002 Hz")])
@example("gabor-40", [((0, "filters"), "sinc"), ((0, "bands"), 10_000), ((0, "length"), "125 us")])
@example("gammatone-64", [((0, "bands"), 10_000)])
@example("gammatone-64", [((0, "window"), "3600 s"), ((0, "hop"), "3600 s"), ((0, "stride"), "3600 s")])
def test_any_values_give_a_recipe_or_a_sentence(write, name, changes):
    table = tomllib.loads(SHIPPED[name])
    for (stage, key), value in changes:
        target = table if stage is None or not isinstance(table["stage"], list) else table["stage"]
        if isinstance(target, list):
            target = target[stage] if stage < len(target) and isinstance(target[stage], dict) else table
        target[key] = value
    recipe_or_error(write, "\n".join(f"{key} = {as_toml(value)}" for key, value in table.items()))


@given(st.sampled_from(sorted(SHIPPED)), st.data())
def test_any_text_gives_a_recipe_or_a_sentence(write, name, data):
    text = SHIPPED[name]
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        stop = data.draw(st.integers(start, min(len(text), start + 20)))
        piece = data.draw(
            st.one_of(st.text(max_size=8), st.sampled_from(["9", "0", "[", "]", '"', "=", ".", "\n", "e"]))
        )
        text = text[:start] + piece * data.draw(st.sampled_from([1, 1, 1, 2, 1000])) + text[stop:]
    recipe_or_error(write, text.encode("utf-8", "surrogatepass"))


def test_the_published_error_is_no_part_of_the_hash(tmp_path):
    (tmp_path / "a.toml").write_text('error = "below 1 %"\n' + GOOD)
    (tmp_path / "b.toml").write_text(GOOD)
    recipe = atc.get_recipe(tmp_path / "a.toml")
    assert recipe.error == "below 1 %"
    without = atc.get_recipe(tmp_path / "b.toml")
    assert (recipe.hash, without.error) == (without.hash, "")
    for wrong in ("1", f'"{"x" * 101}"', '"two\\nlines"'):
        (tmp_path / "a.toml").write_text(f"error = {wrong}\n" + GOOD)
        with pytest.raises(RecipeError, match="one line of at most 100 characters"):
            atc.get_recipe(tmp_path / "a.toml")
