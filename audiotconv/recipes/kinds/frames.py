"""What is done with the features of frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import RecipeError
from ...geometry import Geometry
from ...stages import Deltas, Log, MeanVariance, Pcen, Range, Stage
from ...stages.log import LOG_UNITS
from ...stages.pcen import smoothing_of
from ..quantities import Choice, Count, Flag, Number, Numbers, Quantity
from .kind import StageKind

__all__ = ["FRAMES", "energies", "frame_rate"]


def energies(stage: Stage) -> tuple[str, ...]:
    """The leading feature that is a logarithm already, if there is one."""
    return stage.features[:1] if stage.features[0] == "log energy" else ()


def frame_rate(before: Sequence[Stage], sample_rate: int) -> float:
    """Frames a second, of what the stages before give."""
    return sample_rate / Geometry.chain(*(stage.geometry for stage in before)).hop


def _log(values: dict[str, Any], sample_rate: int, before: Sequence[Stage]) -> Stage:
    previous = before[-1]
    return Log(previous.features, floor=values["floor"], unit=values["unit"], aside=len(energies(previous)))


def _range(values: dict[str, Any], sample_rate: int, before: Sequence[Stage]) -> Stage:
    zero = "max" if values["from_maximum"] else values["zero"]
    return Range(before[-1].features, below=values.get("below"), zero=zero, scale=values["scale"])


def _check_range(values: dict[str, Any]) -> None:
    if values["from_maximum"] and values["zero"] != 0.0:
        raise RecipeError(f"zero is {values['zero']:g} and from_maximum true; only one of them can say what becomes 0")


def _normal(values: dict[str, Any], sample_rate: int, before: Sequence[Stage]) -> Stage:
    features = before[-1].features
    given: dict[str, Any] = {
        name: np.full(len(features), values[name]) if isinstance(values[name], float) else np.array(values[name])
        for name in ("mean", "std")
        if name in values
    }
    names = ("mode", "variance", "window", "least", "centre")
    return MeanVariance(features, **{name: values[name] for name in names}, **given)


def _check_normal(values: dict[str, Any]) -> None:
    if values["mode"] == "given" and "std" in values and not values["variance"]:
        raise RecipeError("std is given and variance is false; values are divided by std where variance is true")


def _deltas(values: dict[str, Any], sample_rate: int, before: Sequence[Stage]) -> Stage:
    names = ("window", "order", "edges", "statics")
    return Deltas(before[-1].features, kind=values["method"], **{name: values[name] for name in names})


def _pcen(values: dict[str, Any], sample_rate: int, before: Sequence[Stage]) -> Stage:
    smoothing = values.get("smoothing")
    if smoothing is None:
        smoothing = smoothing_of(values["time_constant"], frame_rate(before, sample_rate))
    initial = "first" if values["from_first"] else 1.0
    if energies(before[-1]):
        raise RecipeError("the frames' energy is a logarithm, which pcen cannot take; leave energy out")
    names = ("gain", "bias", "power", "eps")
    return Pcen(before[-1].features, smoothing=smoothing, initial=initial, **{name: values[name] for name in names})


FRAMES = {
    "log": StageKind(
        {
            "floor": Number("smaller values count as this", default=1e-10, least=1e-37, most=1e38),
            "unit": Choice("natural, log10 or dB", default="natural", words=tuple(LOG_UNITS)),
        },
        _log,
        takes_samples=False,
    ),
    "range": StageKind(
        {
            "below": Number("values so far below the recording's largest count as that", optional=True, least=0.0),
            "zero": Number("what becomes 0", default=0.0),
            "from_maximum": Flag("the recording's largest value becomes 0", default=False),
            "scale": Number("what is left is multiplied by it", default=1.0),
        },
        _range,
        takes_samples=False,
        check=_check_range,
    ),
    "normal": StageKind(
        {
            "mode": Choice("means of what", default="utterance", words=("utterance", "sliding", "given")),
            "variance": Flag("whether to divide by the standard deviation", default=False),
            "window": Count("of frames, for sliding", default=600, most=100_000),
            "least": Count("frames that the first ones see, for sliding", default=100, most=100_000),
            "centre": Flag("windows are around their frames, for sliding", default=False),
            "mean": Numbers("for given", optional=True, least=-1e30, most=1e30),
            "std": Numbers("for given", optional=True, least=1e-30, most=1e30),
        },
        _normal,
        takes_samples=False,
        check=_check_normal,
    ),
    "deltas": StageKind(
        {
            "window": Count("frames on either side", default=2, most=1000),
            "order": Count("how many derivatives", default=2, most=10),
            "method": Choice("HTK's and Kaldi's, or librosa's", default="regression", words=("regression", "savgol")),
            "edges": Choice("as Kaldi, HTK or librosa", default="repeat", words=("repeat", "htk", "interp")),
            "statics": Flag("whether the features themselves are kept", default=True),
        },
        _deltas,
        takes_samples=False,
    ),
    "pcen": StageKind(
        {
            "gain": Numbers("the exponent of the smoothed energy", default=0.98, least=0.0, most=100.0),
            "bias": Numbers("added before the root", default=2.0, least=0.0, most=1e30),
            "power": Numbers("the root's exponent, 0 for the logarithm", default=0.5, least=0.0, most=100.0),
            "eps": Numbers("added to the smoothed energy", default=1e-6, least=1e-30, most=1e30),
            "time_constant": Quantity("of the smoother, as librosa has it", default="400 ms", kind="time"),
            "smoothing": Numbers("the smoother's coefficient itself", optional=True, least=1e-9, most=1.0),
            "from_first": Flag("the smoother begins with the first frame (or with 1)", default=False),
        },
        _pcen,
        takes_samples=False,
    ),
}
