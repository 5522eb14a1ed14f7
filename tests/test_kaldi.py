"""Kaldi's programs: every spectrogram, fbank and MFCC of the conformance data, and kaldi-native-fbank."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import ROOT

from audiotconv.recipes import Recipe

DATA = Path(os.environ.get("AUDIOTCONV_CONFORMANCE", ROOT.parent / "shared" / "conformance")) / "kaldi"
WINDOWS = {"hanning": "hann"}

# The options that stand in the files' names, in their order.
_FRAMES = ("frame_length", "frame_shift")
_MEL = ("high_freq", "htk_compat", "low_freq", "num_mel_bins")
_MORE = ("preemphasis", "raw_energy", "remove_dc_offset", "round_to_power_of_two", "snip_edges", "subtract_mean")
_VTLN = ("vtln_high", "vtln_low", "vtln_warp")
NAMES = {
    "spec": ("blackman_coeff", "dither", "energy_floor", *_FRAMES, *_MORE, "window"),
    "fbank": (
        "blackman_coeff", "energy_floor", *_FRAMES, *_MEL, *_MORE, "use_energy", "use_log", "use_power", *_VTLN,
        "window",
    ),
    "mfcc": (
        "blackman_coeff", "energy_floor", *_FRAMES, *_MEL, *_MORE, "use_energy", "num_ceps", "cepstral_lifter", *_VTLN,
        "window",
    ),
}  # fmt: skip


def arks(kind):
    return sorted(DATA.glob(f"{kind}-*.ark"))


def parsed(path):
    kind, *values = path.stem.split("-")
    options = dict(zip(NAMES[kind], values, strict=True))
    return kind, {
        name: value == "true" if value in ("true", "false") else value if name == "window" else float(value)
        for name, value in options.items()
    }


def matrix(path):
    """The matrix of a Kaldi archive with one entry: name, type, rows and columns, float32."""
    data = path.read_bytes().partition(b" \0B")[2]
    assert data[:4] + data[8:9] == b"FM \4\4"
    rows, columns = np.frombuffer(data[4:8] + data[9:13], "<i4")
    return np.frombuffer(data[13:], "<f4").reshape(rows, columns)


def recipe(kind, options):
    """The stages that the programs' options stand for."""
    energy = kind == "spec" or options["use_energy"]
    spectrum = {
        "kind": "spectrum", "window": WINDOWS.get(options["window"], options["window"]), "periodic": False,
        "blackman_coeff": options["blackman_coeff"], "length": round(options["frame_length"] * 16),
        "hop": round(options["frame_shift"] * 16), "round_up": options["round_to_power_of_two"],
        "framing": "snip" if options["snip_edges"] else "round", "pad": "symmetric", "scale": 32768,
        "remove_mean": options["remove_dc_offset"], "preemphasis": options["preemphasis"],
        "energy": ("raw" if options["raw_energy"] else "windowed") if energy else "none",
        "energy_floor": options["energy_floor"],
    }  # fmt: skip
    log = {"kind": "log", "floor": float(np.finfo(np.float32).eps)}
    stages = [spectrum]
    if kind == "spec":
        spectrum["zero_frequency"] = False
        stages.append(log)
    else:
        spectrum["values"] = "power" if options.get("use_power", True) else "magnitude"
        stages.append({
            "kind": "mel", "bands": int(options["num_mel_bins"]), "scale": "kaldi", "triangles": "mel",
            "fmin": f"{options['low_freq']} Hz", "fmax": f"{options['high_freq']} Hz", "allow_empty": True,
            "vtln_warp": options["vtln_warp"], "vtln_low": f"{options['vtln_low']} Hz",
            "vtln_high": f"{options['vtln_high']} Hz",
        })  # fmt: skip
        if options.get("use_log", True):
            stages.append(log)
        if kind == "mfcc":
            htk = options["htk_compat"] and not energy
            stages.append({
                "kind": "cepstrum", "count": int(options["num_ceps"]), "lifter": options["cepstral_lifter"],
                "norm": "htk" if htk else "ortho",
            })  # fmt: skip
        if options["htk_compat"] and (energy or kind == "mfcc"):
            stages.append({"kind": "first-last"})
    if options["subtract_mean"]:
        stages.append({"kind": "normal", "mode": "utterance"})
    return Recipe.from_dict({"name": "kaldi", "version": 1, "stage": stages})


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no conformance data in {DATA}; set AUDIOTCONV_CONFORMANCE")
@pytest.mark.parametrize("path", [path for kind in NAMES for path in arks(kind)], ids=lambda path: path.stem)
def test_archives(path):
    kind, options = parsed(path)
    x, rate = soundfile.read(DATA / "kaldi_file.wav", dtype="int16")
    got = recipe(kind, options).build(rate).run(x[None])[0].T
    np.testing.assert_allclose(got, matrix(path), atol=1e-3, rtol=1e-4)


def test_the_archives_are_there():
    if DATA.is_dir():
        assert {kind: len(arks(kind)) for kind in NAMES} == {"spec": 74, "fbank": 47, "mfcc": 74}
