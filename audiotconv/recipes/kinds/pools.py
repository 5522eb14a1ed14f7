"""What makes fewer frames of many, down to one for a whole recording."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import ParameterError, RecipeError
from ...filters.nine_taps import NineTapBank, arrays_of
from ...stages import GaussianPool, MiniRocketClip, MiniRocketMap, Pool1d, Stage, Statistics
from ...stages.statistics import checked_statistics
from ..quantities import Choice, Count, Length, Number, Numbers, Parameter, StoredFile, written
from .frames import frame_rate
from .kind import StageKind

__all__ = ["POOLS"]

_POOLS = ("max", "min", "mean", "energy", "rms", "ppv", "stats", "median")


def _in_frames(values: dict[str, Any], sample_rate: int, before: Sequence[Stage]) -> tuple[int, int]:
    """A window's length and hop."""
    rate = frame_rate(before, sample_rate)
    size, hop = (
        value if isinstance(value, int) else max(1, round(value * rate)) for value in (values["length"], values["hop"])
    )
    return size, hop


def _gaussian_pool(values: dict[str, Any], sample_rate: int, before: Sequence[Stage]) -> Stage:
    return GaussianPool(before[-1].features, *_in_frames(values, sample_rate, before), std=values["std"])


def _pool(values: dict[str, Any], sample_rate: int, before: Sequence[Stage]) -> Stage:
    return Pool1d(before[-1].features, *_in_frames(values, sample_rate, before), how=values["how"])


def _statistics(values: dict[str, Any], sample_rate: int, before: Sequence[Stage]) -> Stage:
    names = ("statistics", "segments")
    attention = values.get("attention")
    return Statistics(before[-1].features, **{name: values[name] for name in names}, attention=attention)


def _minirocket(values: dict[str, Any], sample_rate: int, before: Sequence[Stage]) -> Stage:
    bank = values["file"].content
    if "length" not in values:
        return MiniRocketClip(before[-1].features, bank)
    return MiniRocketMap(before[-1].features, bank, *_in_frames(values, sample_rate, before))


def _check_minirocket(values: dict[str, Any]) -> None:
    if ("length" in values) != ("hop" in values):
        lacking = "hop" if "length" in values else "length"
        raise RecipeError(f"lacks the key {lacking!r}: length and hop belong together")


def _read_minirocket(path: str) -> NineTapBank:
    where = f"the file of the MiniRocket, {os.fspath(path)},"
    return NineTapBank.from_arrays(arrays_of(path, where), where)


@dataclass(frozen=True, slots=True)
class _Statistics(Parameter):
    def read(self, where: str, value: Any) -> tuple[str, ...]:
        if not isinstance(value, list | tuple):
            raise RecipeError(f"{where} is {written(value)}; it must be a list of names")
        try:
            return checked_statistics(value)
        except ParameterError as error:
            raise RecipeError(f"{where}: {error}") from None


POOLS = {
    "gaussian-pool": StageKind(
        {
            "length": Length("the length of the window (an integer counts the frames before)"),
            "hop": Length("from one frame to the next"),
            "std": Number("of the Gaussian, in halves of the window", default=0.4, least=1e-3, most=1e3),
        },
        _gaussian_pool,
        takes_samples=False,
    ),
    "pool": StageKind(
        {
            "how": Choice(", ".join(_POOLS), default="mean", words=_POOLS),
            "length": Length("the length of the window (an integer counts the frames before)"),
            "hop": Length("from one frame to the next"),
        },
        _pool,
        takes_samples=False,
    ),
    "statistics": StageKind(
        {
            "statistics": _Statistics("of each feature, over all frames", default=("mean", "std")),
            "segments": Count("stretches of time with statistics of their own", default=1, most=1000),
            "attention": Numbers("weights of the features in an attention-weighted mean", optional=True),
        },
        _statistics,
        takes_samples=False,
    ),
    "minirocket": StageKind(
        {
            "file": StoredFile("what learn.MiniRocket saved", reader=_read_minirocket, ends=".npz"),
            "length": Length("the length of the window; without one, all of a recording is one", optional=True),
            "hop": Length("from one window to the next", optional=True),
        },
        _minirocket,
        takes_samples=False,
        check=_check_minirocket,
    ),
}
