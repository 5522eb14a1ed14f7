"""Kaldi's archives of the conformance data: their options, which stand in their names, and what they hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from ..recipes import Recipe

__all__ = ["KINDS", "archives", "options_of", "read_archive", "recipe_of"]

_RATE = 16_000
_WINDOWS = {"hanning": "hann"}

# The options that stand in the files' names, in their order.
_FRAMES = ("frame_length", "frame_shift")
_MEL = ("high_freq", "htk_compat", "low_freq", "num_mel_bins")
_MORE = ("preemphasis", "raw_energy", "remove_dc_offset", "round_to_power_of_two", "snip_edges", "subtract_mean")
_VTLN = ("vtln_high", "vtln_low", "vtln_warp")
_NAMES = {
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
KINDS = tuple(_NAMES)


def archives(folder: Path, kind: str) -> list[Path]:
    """Those of a kind ("spec", "fbank" or "mfcc"), by name."""
    return sorted(folder.glob(f"{kind}-*.ark"))


def options_of(path: Path) -> tuple[str, dict[str, Any]]:
    """The kind of an archive, and the options that Kaldi's program was given, from its name."""
    kind, *values = path.stem.split("-")
    names = _NAMES.get(kind, ())
    if len(values) != len(names):
        raise ParameterError(f"{path}: the name of Kaldi's archive has {len(values)} options; it needs {len(names)}")
    return kind, {
        name: value == "true" if value in ("true", "false") else value if name == "window" else float(value)
        for name, value in zip(names, values, strict=True)
    }


def read_archive(path: Path) -> NDArray[np.float32]:
    """The matrix of an archive with one entry: name, type, rows and columns, float32. Shape: (frames, features)"""
    data = path.read_bytes().partition(b" \0B")[2]
    if data[:4] + data[8:9] != b"FM \4\4":
        raise ParameterError(f"{path} is no archive of Kaldi with a matrix of 32-bit numbers")
    rows, columns = np.frombuffer(data[4:8] + data[9:13], "<i4")
    return np.frombuffer(data[13:], "<f4").reshape(rows, columns).astype(np.float32)


def recipe_of(kind: str, options: dict[str, Any]) -> Recipe:
    """The stages that the programs' options stand for, at 16 kHz."""
    energy = kind == "spec" or options["use_energy"]
    spectrum = {
        "kind": "spectrum", "window": _WINDOWS.get(options["window"], options["window"]), "periodic": False,
        "blackman_coeff": options["blackman_coeff"], "length": round(options["frame_length"] * _RATE / 1000),
        "hop": round(options["frame_shift"] * _RATE / 1000), "round_up": options["round_to_power_of_two"],
        "framing": "snip" if options["snip_edges"] else "round", "pad": "symmetric", "scale": 32768,
        "remove_mean": options["remove_dc_offset"], "preemphasis": options["preemphasis"],
        "energy": ("raw" if options["raw_energy"] else "windowed") if energy else "none",
        "energy_floor": options["energy_floor"],
    }  # fmt: skip
    log = {"kind": "log", "floor": float(np.finfo(np.float32).eps)}
    stages: list[dict[str, Any]] = [spectrum]
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
