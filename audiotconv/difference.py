"""Why two recipes disagree: which parameters differ, and how much each of them moves the output."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import AudiotconvError, RecipeError
from .extraction import FeatureMap, extract
from .recipes import Recipe
from .recipes.kinds import KINDS
from .recipes.quantities import Quantity

__all__ = ["Change", "Difference", "compare", "reference_clip"]

CLIP_RATE = 16_000
ABSENT = "not given"

_Stage = tuple[str, tuple[tuple[str, Any], ...]]
_HEAD = {"sample_rate": Quantity("", kind="frequency"), "duration": Quantity("", kind="time")}


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of the first recipe's output when some of it is as in the second one.

    Attributes
    ----------
    what : str
        Such as "mel norm", "sample_rate" or "stage log".
    ours, theirs : str
        The values in the first and the second recipe, as a recipe's file writes them.
    largest, rms : float or None
        The largest and the root mean square difference of the values of the frames that both have, counted from the
        first one. None where values have no counterparts: other features, or frames at other distances.
    before, after : tuple of int
        (features, frames) without and with the change; `after` is empty where the change cannot be made alone.
    reason : str
        Why it cannot be made alone, why values have no counterparts, or that nothing changes.
    """

    what: str
    ours: str
    theirs: str
    largest: float | None = None
    rms: float | None = None
    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "parameter": self.what,
            "from": self.ours,
            "to": self.theirs,
            "largest": self.largest,
            "rms": self.rms,
            "shape": list(self.before),
            "shape_changed": list(self.after) or None,
            "reason": self.reason or None,
        }


@dataclass(frozen=True, slots=True)
class Difference:
    """How two recipes differ.

    Attributes
    ----------
    changes : tuple of Change
        One for each differing parameter, those with the largest effect first.
    whole : Change
        All of them: the first recipe's output against the second's.
    least, most : float
        The range of the first recipe's output, for comparison.
    """

    changes: tuple[Change, ...]
    whole: Change
    least: float
    most: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        changes = [change.to_dict() for change in self.changes]
        return {"range": [self.least, self.most], "changes": changes, "all": self.whole.to_dict()}


def reference_clip() -> NDArray[np.float32]:
    """Two seconds at 16 kHz, always the same: a chirp, a harmonic tone, a noise burst, and a pause.

    The pause is first as quiet as a good recording's, 80 dB below full scale, and then digital silence.

    Examples
    --------
    >>> reference_clip().shape
    (32000,)
    """
    rng = np.random.default_rng(0)
    quarter = CLIP_RATE // 4
    time = np.arange(2 * quarter) / CLIP_RATE
    fade = np.minimum(1.0, np.minimum(time, time[::-1]) / 0.02)
    chirp = 0.3 * np.sin(2 * np.pi * (50.0 * time + 7_500.0 * time**2))  # 50 Hz to 7,550 Hz
    tone = 0.1 * sum(np.sin(2 * np.pi * 150.0 * k * time) / k for k in range(1, 40))
    burst = 0.1 * rng.standard_normal(2 * quarter) * np.exp(-8.0 * time)
    quiet = 1e-4 * rng.standard_normal(quarter)
    parts = chirp * fade, tone * fade, burst * fade, quiet, np.zeros(quarter)
    clip: NDArray[np.float32] = np.concatenate(parts).astype(np.float32)
    return clip


def compare(
    ours: Recipe, theirs: Recipe, samples: NDArray[Any] | None = None, sample_rate: int = CLIP_RATE
) -> Difference:
    """Which parameters of two recipes differ, and how much each of them moves the first one's output on a clip.

    For each of them the first recipe is run with only that one changed. A stage that only one of them has counts as a
    parameter, as do stages in each other's place.

    Parameters
    ----------
    ours, theirs : Recipe
    samples : (time,) or (channels, time), optional
        The clip; `reference_clip` by default.
    sample_rate : int
        Of the clip, in Hz.

    Raises
    ------
    RecipeError, AudioError
        If one of the recipes cannot be run on the clip.

    Examples
    --------
    >>> from audiotconv import get_recipe
    >>> difference = compare(get_recipe("gabor-40"), get_recipe("gabor-40"))
    >>> difference.changes, difference.whole.largest
    ((), 0.0)
    """
    clip = reference_clip() if samples is None else samples
    base = extract(clip, ours, sample_rate=sample_rate)
    if base.values.size == 0:
        raise RecipeError(f"the clip is too short for a frame of {ours.name}")
    changes = []
    for what, here, there, fields in _variants(ours, theirs):
        try:
            changed = extract(clip, ours.changed(**fields), sample_rate=sample_rate)
        except AudiotconvError as error:
            reason = str(error).removeprefix(f"recipe {ours.name}, ")
            changes.append(Change(what, here, there, before=base.shape[1:], reason=f"not possible alone: {reason}"))
        else:
            measured = _measured(base, changed)
            if measured.get("largest") == 0 and base.shape == changed.shape:
                measured["reason"] = "no effect here: at this rate, with A's other values, both do the same"
            changes.append(Change(what, here, there, **measured))
    whole = Change("all", ours.name, theirs.name, **_measured(base, extract(clip, theirs, sample_rate=sample_rate)))
    least, most = float(base.values.min()), float(base.values.max())
    return Difference(tuple(sorted(changes, key=_effect)), whole, least, most)


def _effect(change: Change) -> tuple[int, float, bool]:
    """Other shapes first, then large differences before small ones, then what cannot be changed alone."""
    if change.rms is None:
        return (0 if change.after else 2), 0.0, False
    return 1, -change.rms, change.before == change.after


def _measured(base: FeatureMap, changed: FeatureMap) -> dict[str, Any]:
    shapes = {"before": base.shape[1:], "after": changed.shape[1:]}
    kinds = [[re.sub(r"[0-9.]+", "", name) for name in each.feature_names] for each in (base, changed)]
    if kinds[0] != kinds[1]:
        return {**shapes, "reason": "other features"}
    frames = min(base.shape[2], changed.shape[2])
    distances = [float(np.diff(each.frame_times[:2])[0]) for each in (base, changed) if each.shape[2] > 1]
    if len(distances) == 2 and not math.isclose(*distances, rel_tol=1e-6):
        first, second = (Quantity("").text(distance) for distance in distances)
        return {**shapes, "reason": f"frames every {first} -> {second}"}
    if frames == 0:
        return {**shapes, "reason": "no frames"}
    apart = base.values[:, :, :frames].astype(np.float64) - changed.values[:, :, :frames]
    return {**shapes, "largest": float(np.abs(apart).max()), "rms": float(np.sqrt(np.mean(apart**2)))}


def _variants(ours: Recipe, theirs: Recipe) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """What differs: its name, its values here and there, and what changes our recipe in nothing but that."""
    for key, parameter in _HEAD.items():
        here, there = getattr(ours, key), getattr(theirs, key)
        if here != there:
            before, after = (ABSENT if value is None else parameter.text(value) for value in (here, there))
            yield key, before, after, {key: there}
    a, b = ours.stages, theirs.stages
    kinds = [kind for kind, _ in a], [kind for kind, _ in b]
    for tag, i, i_end, j, j_end in difflib.SequenceMatcher(None, kinds[0], kinds[1], autojunk=False).get_opcodes():
        if tag == "equal":
            for at, other in zip(range(i, i_end), b[j:j_end], strict=True):
                for what, here, there, stage in _parameters(a[at], other):
                    where = f"stage {at + 1} {what}" if kinds[0].count(a[at][0]) > 1 else what
                    yield where, here, there, {"stages": (*a[:at], stage, *a[at + 1 :])}
        elif tag == "delete":
            for at in range(i, i_end):
                yield f"stage {a[at][0]}", "there", "absent", {"stages": (*a[:at], *a[at + 1 :])}
        elif tag == "insert":
            for stage in b[j:j_end]:
                yield f"stage {stage[0]}", "absent", "there", {"stages": (*a[:i], stage, *a[i:])}
        else:
            here, there = (", ".join(part) for part in (kinds[0][i:i_end], kinds[1][j:j_end]))
            what = f"stage {i + 1}" if i_end == i + 1 else f"stages {i + 1} to {i_end}"
            yield what, here, there, {"stages": (*a[:i], *b[j:j_end], *a[i_end:])}


def _parameters(ours: _Stage, theirs: _Stage) -> Iterator[tuple[str, str, str, _Stage]]:
    """What differs in a stage, and our stage with only that changed."""
    kind, known = ours[0], KINDS[ours[0]].parameters
    here, there = dict(ours[1]), dict(theirs[1])
    for key in known:
        if here.get(key) == there.get(key) and type(here.get(key)) is type(there.get(key)):
            continue
        before, after = (known[key].text(values[key]) if key in values else ABSENT for values in (here, there))
        values = {name: value for name, value in here.items() if name != key}
        if key in there:
            values[key] = there[key]
        yield f"{kind} {key}", before, after, (kind, tuple(sorted(values.items())))
