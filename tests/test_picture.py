"""Pictures: axes, colours and their labels, for every kind of features."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import JIT

from audiotconv.errors import AudioError
from audiotconv.extraction import extract
from audiotconv.recipes import Recipe

pytest.importorskip("matplotlib")

from audiotconv.picture import figure_of

N = 16_000 if JIT else 2000
SOUND = (0.3 * np.sin(np.arange(N) ** 1.5 / 50) * np.linspace(0, 1, N)).astype(np.float32)
SPECTRUM = {"kind": "spectrum", "window": "hann", "length": "16 ms", "hop": "10 ms"}
MEL, LOG = {"kind": "mel", "bands": 6}, {"kind": "log"}
COUNT = {"kind": "cepstrum", "count": 4}
WAVEFORM = {"kind": "waveform", "window": 256, "hop": 160}


def drawn(*stages, samples=SOUND, name="a", **head):
    recipe = Recipe.from_dict({"name": "mine", "version": 1, "stage": list(stages), **head})
    features = extract(samples, recipe, sample_rate=16_000)
    figure = figure_of(features, samples, name)
    figure.draw_without_rendering()
    top, bottom, bar = figure.axes
    return features, top, bottom, bar


@pytest.mark.parametrize(
    ("stages", "label"),
    [
        ([SPECTRUM], "power (dB)"),
        ([SPECTRUM, MEL], "power (dB)"),
        ([SPECTRUM, MEL, LOG], "power (dB)"),
        ([{**SPECTRUM, "energy": "raw"}, MEL, LOG], "power (dB)"),
        ([SPECTRUM, MEL, {"kind": "log", "unit": "dB"}, {"kind": "range", "below": 80.0}], "power (dB)"),
        ([SPECTRUM, MEL, LOG, {"kind": "range", "scale": 0.25}], "scaled log power"),
        ([SPECTRUM, MEL, {"kind": "range", "scale": 0.25}], "scaled value"),
        ([SPECTRUM, MEL, LOG, {"kind": "normal"}], "normalised value"),
        ([SPECTRUM, MEL, {"kind": "pcen"}], "PCEN"),
        ([SPECTRUM, {"kind": "chroma"}], "chroma"),
        ([SPECTRUM, MEL, LOG, COUNT], "cepstral coefficient"),
        ([SPECTRUM, MEL, LOG, COUNT, {"kind": "deltas"}], "each feature's standard deviations"),
        ([SPECTRUM, {"kind": "shape"}], "each, from least to largest"),
        ([WAVEFORM], "each, from least to largest"),
        ([{**SPECTRUM, "values": "complex"}], "value"),
    ],
)
@pytest.mark.parametrize("silent", [False, True])
def test_every_kind_of_features_has_colours_and_names(stages, label, silent):
    features, top, bottom, bar = drawn(*stages, samples=np.zeros_like(SOUND) if silent else SOUND)
    assert bar.get_ylabel() == label
    assert top.get_title() == "a: mine"
    (image,) = bottom.get_images()
    assert image.get_array().shape == features.shape[1:]
    assert np.isfinite([image.norm.vmin, image.norm.vmax]).all()
    assert image.norm.vmin < image.norm.vmax
    names = [text.get_text() for text in bottom.get_yticklabels()]
    assert 1 <= len(names) <= 15
    if bottom.get_ylabel() != "frequency (Hz)":
        assert set(names) <= set(features.feature_names)


def test_decibels_are_those_of_the_powers():
    powers, _, of_powers, _ = drawn(SPECTRUM, MEL)
    _, _, of_logs, _ = drawn(SPECTRUM, MEL, LOG)
    want = 10 * np.log10(powers.values[0].astype(float))
    loud = want > want.max() - 60
    for axes in (of_powers, of_logs):
        np.testing.assert_allclose(axes.get_images()[0].get_array()[loud], want[loud], atol=1e-3)
    bare = [
        drawn({**SPECTRUM, "values": values}, *log)[2].get_images()[0].get_array()
        for values in ("power", "magnitude")
        for log in ([], [LOG])
    ]
    loud = bare[0] > bare[0].max() - 60
    for image in bare[1:]:
        np.testing.assert_allclose(image[loud], bare[0][loud], atol=1e-3)


def test_frequencies_stand_at_their_rows():
    features, _, bottom, _ = drawn(SPECTRUM)
    assert bottom.get_ylabel() == "frequency (Hz)"
    rows = dict(zip([t.get_text() for t in bottom.get_yticklabels()], bottom.get_yticks(), strict=True))
    assert list(rows) == [f"{hertz:,}" for hertz in range(0, 8001, 1000)]
    assert features.feature_names[round(rows["2,000"])].startswith("2000")
    _, _, bottom, _ = drawn({"kind": "bank-energy", "filters": "sinc", "bands": 20, "fmin": "500 Hz", "fmax": "7 kHz",
                             "window": "20 ms", "hop": "10 ms", "length": "2 ms"}, LOG)  # fmt: skip
    assert [text.get_text() for text in bottom.get_yticklabels()] == ["1,000", "2,000", "5,000"]
    _, _, bottom, _ = drawn({**SPECTRUM, "energy": "raw"}, MEL, LOG)
    assert bottom.get_yticklabels()[0].get_text() == "log energy"


def test_times_are_those_of_the_frames():
    features, top, bottom, _ = drawn(SPECTRUM, MEL, LOG)
    left, right, low, high = bottom.get_images()[0].get_extent()
    assert (left + right) / 2 == pytest.approx(features.frame_times[[0, -1]].mean())
    assert right - left == pytest.approx(features.shape[2] * 0.01)
    assert (low, high) == (-0.5, 5.5)
    assert top.get_xlim() == bottom.get_xlim() == (0, N / 16_000)
    _, top, bottom, _ = drawn(SPECTRUM, MEL, LOG, duration="2 s")
    assert bottom.get_xlim()[1] > 1.99


def test_long_recordings_of_integers_are_drawn_as_their_ranges():
    samples = np.zeros(40_000, np.int16)
    samples[20_000], samples[20_001] = 32767, -16384
    _, top, _, _ = drawn(WAVEFORM, samples=samples)
    (area,) = top.collections
    heights = area.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (-0.5, 32767 / 32768)


def test_a_single_frame_and_none():
    features, _, _, _ = drawn(SPECTRUM, MEL, LOG, samples=SOUND[-100:])
    assert features.shape[2] == 1
    with pytest.raises(AudioError, match=r"a is 6.25 ms long, too short for a frame of mine: nothing to show"):
        drawn({**SPECTRUM, "framing": "snip"}, samples=SOUND[:100])


def test_a_title_is_neither_mathematics_nor_endless():
    assert drawn(WAVEFORM, name="$x$ \\frac")[1].get_title() == "$x$ \\frac: mine"
    assert len(drawn(WAVEFORM, name="x" * 300)[1].get_title()) == 100
