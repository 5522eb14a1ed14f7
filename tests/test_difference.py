"""Two recipes compared: what differs is named, and its effect is what the extractions say."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import JIT

import audiotconv as atc
from audiotconv.difference import ABSENT, CLIP_RATE, compare, reference_clip
from audiotconv.errors import RecipeError
from audiotconv.recipes import Recipe
from audiotconv.recipes.quantities import Flag, Length, Number, Numbers, Quantity, Words

CLIP = reference_clip() if JIT else reference_clip()[14_000:18_000]


def recipe(*stages, name="a", spectrum=None, **head):
    first = {"kind": "spectrum", "window": "hann", "length": "16 ms", "hop": "10 ms", **(spectrum or {})}
    return Recipe.from_dict({"name": name, "version": 1, "stage": [first, *stages], **head})


MEL = {"kind": "mel", "bands": 6}
LOG = {"kind": "log"}


def found(ours, theirs):
    difference = compare(ours, theirs, CLIP)
    return {change.what: change for change in difference.changes}, difference


def test_the_reference_clip_is_always_the_same():
    clip = reference_clip()
    np.testing.assert_array_equal(clip, reference_clip())
    assert clip.dtype == np.float32
    assert len(clip) == 2 * CLIP_RATE
    assert 0.1 < np.abs(clip).max() < 1
    assert not clip[-CLIP_RATE // 4 :].any()


def test_one_parameter_moves_all():
    ours, theirs = recipe(MEL, LOG), recipe({**MEL, "fmin": "50 Hz"}, LOG)
    changes, difference = found(ours, theirs)
    (change,) = changes.values()
    assert (change.what, change.ours, change.theirs) == ("mel fmin", "0 Hz", "50 Hz")
    a, b = (atc.extract(CLIP, each, sample_rate=CLIP_RATE).values for each in (ours, theirs))
    assert change.largest == difference.whole.largest == pytest.approx(np.abs(a - b).max(), rel=1e-6)
    assert change.rms == pytest.approx(np.sqrt(np.mean((a - b).astype(float) ** 2)))
    assert (difference.least, difference.most) == (a.min(), a.max())


def test_the_largest_effect_comes_first_and_other_shapes_before_it():
    ours = recipe(MEL, LOG)
    theirs = recipe(
        {**MEL, "norm": "slaney", "htk_compat": True}, {**LOG, "unit": "dB"}, {"kind": "deltas"},
        spectrum={"drop_last": True, "length": 256}, sample_rate="16 kHz",
    )  # fmt: skip
    changes, _ = found(ours, theirs)
    assert next(iter(changes)) == "stage deltas"
    assert changes["stage deltas"].largest is None
    assert changes["stage deltas"].reason == "other features"
    assert changes["stage deltas"].after[0] == 18
    measured = [change.rms for change in changes.values() if change.rms is not None]
    assert measured == sorted(measured, reverse=True)
    dropped = changes["spectrum drop_last"]
    assert (dropped.largest, dropped.before[1] - dropped.after[1]) == (0, 1)
    assert (changes["spectrum length"].ours, changes["spectrum length"].theirs) == ("16 ms", "256 samples")
    assert changes["spectrum length"].largest == 0
    assert (changes["sample_rate"].ours, changes["sample_rate"].theirs) == (ABSENT, "16000 Hz")


def test_what_cannot_be_changed_alone_says_why():
    ours, theirs = recipe(MEL, spectrum={"n_fft": 480}), recipe(MEL, spectrum={"round_up": True, "hop": "12.5 ms"})
    changes, difference = found(ours, theirs)
    assert list(changes)[-1] == "spectrum round_up"
    assert "not possible alone: stage 1 (spectrum): n_fft is 480" in changes["spectrum round_up"].reason
    assert changes["spectrum round_up"].after == ()
    assert changes["spectrum hop"].reason == "frames every 10 ms -> 12.5 ms"
    assert difference.whole.largest is None
    # The logarithm of a recipe without its first stages has nothing to work on.
    changes, _ = found(recipe(MEL, LOG), recipe(LOG))
    assert (changes["stage mel"].ours, changes["stage mel"].theirs) == ("there", "absent")


def test_stages_in_each_others_place_and_several_of_a_kind():
    bank = {"kind": "bank-energy", "filters": "gabor", "bands": 6, "fmin": "1 kHz", "fmax": "5 kHz"}
    other = {"name": "b", "version": 1, "stage": [{**bank, "window": "16 ms", "hop": "10 ms"}, LOG]}
    changes, _ = found(recipe(MEL, LOG), Recipe.from_dict(other))
    (change,) = changes.values()
    assert (change.what, change.ours, change.theirs) == ("stages 1 to 2", "spectrum, mel", "bank-energy")
    changes, _ = found(recipe(MEL, LOG), recipe({"kind": "pcen"}, LOG))
    assert changes["stage 2"].theirs == "pcen"
    scaled = {"kind": "range", "scale": 2.0}
    changes, _ = found(recipe(scaled, scaled), recipe(scaled, {**scaled, "scale": 3.0}))
    assert list(changes) == ["stage 3 range scale"]


def test_a_clip_without_frames_and_a_recipe_that_does_not_fit():
    ours = recipe(spectrum={"framing": "snip"})
    with pytest.raises(RecipeError, match="too short for a frame of a"):
        compare(ours, ours, np.ones(10, np.float32))
    short = compare(recipe(), ours, np.ones(100, np.float32))
    assert short.whole.reason == "no frames"
    with pytest.raises(RecipeError, match="bands reach up"):
        compare(ours, atc.get_recipe("gabor-40"), np.ones(100, np.float32), 100)


@pytest.mark.parametrize(
    ("parameter", "written", "text"),
    [
        (Quantity(""), "25 ms", "25 ms"),
        (Quantity(""), "30 s", "30 s"),
        (Quantity(""), "250 us", "250 us"),
        (Quantity("", kind="frequency"), "7.8 kHz", "7800 Hz"),
        (Length(""), 400, "400 samples"),
        (Length(""), "15.69 ms", "15.69 ms"),
        (Flag(""), True, "true"),
        (Number(""), 1e-10, "1e-10"),
        (Numbers(""), [1, 2.5], "[1, 2.5]"),
        (Numbers(""), [0.123456] * 50, "[50 values]"),
        (Words("", words=("a", "b")), ["a", "b"], "[a, b]"),
    ],
)
def test_values_are_shown_as_files_write_them(parameter, written, text):
    assert parameter.text(parameter.read("", written)) == text
