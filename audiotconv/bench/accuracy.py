"""`audiotconv bench accuracy`: how far results are from published ones and from those of installed peers."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["COLUMNS", "MISSED", "Comparison", "Outcome", "Tolerance", "compare", "markdown", "rows"]

MET, MISSED, NOT_INSTALLED, NOT_THERE = "met", "missed", "not installed", "not there"

COLUMNS = ("what", "compared with", "signal", "largest error", "of the tolerance", "tolerance", "met")


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How large the difference from a value may be: `absolute`, and parts of the value and of the largest value."""

    absolute: float = 0.0
    relative: float = 0.0
    of_largest: float = 0.0

    def __str__(self) -> str:
        named = ((self.absolute, ""), (self.relative, " of it"), (self.of_largest, " of the largest"))
        return " + ".join(f"{value:g}{of}" for value, of in named if value)

    def at(self, want: Any) -> Any:
        """What is allowed at each value."""
        size = np.abs(want)
        return self.absolute + self.relative * size + self.of_largest * size.max(initial=0.0)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Our results beside others, in `pairs` of (ours, theirs).

    `package` is the peer's, with the name that it is imported by and the name that it is installed by; `path` is where
    the others' results are.
    """

    what: str
    against: str
    signal: str
    tolerance: Tolerance
    pairs: Callable[[], Iterable[tuple[Any, Any]]]
    package: tuple[str, str] | None = None
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The largest errors over all pairs, and how many pairs are within the tolerance.

    `of_tolerance` is the largest error relative to what is allowed at its value; None where it is not a number, as of
    results of different shapes.
    """

    what: str
    against: str
    signal: str
    tolerance: str
    status: str
    largest_error: float | None = None
    of_tolerance: float | None = None
    met: int = 0
    of: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers and texts."""
        return asdict(self)

    def cells(self) -> tuple[str, ...]:
        """As the table has it."""
        error, part = ("" if each is None else f"{each:.1e}" for each in (self.largest_error, self.of_tolerance))
        status = f"{self.status}, {self.met} of {self.of}" if self.of > 1 else self.status
        return self.what, self.against, self.signal, error, part, self.tolerance, status


def compare(comparison: Comparison) -> Outcome:
    """Compare, unless what is compared with is missing."""
    against = comparison.against
    known = (comparison.what, against, comparison.signal, str(comparison.tolerance))
    if comparison.path is not None and not comparison.path.exists():
        return Outcome(*known, NOT_THERE)
    if comparison.package is not None:
        module, name = comparison.package
        if importlib.util.find_spec(module) is None:
            return Outcome(*known, NOT_INSTALLED)
        known = (comparison.what, f"{against} {metadata.version(name)}", *known[2:])
    errors = [_errors(ours, theirs, comparison.tolerance) for ours, theirs in comparison.pairs()]
    if not errors:
        return Outcome(*known, NOT_THERE)
    met = sum(part <= 1.0 for _, part in errors)
    largest, part = (max(each) for each in zip(*errors, strict=True))
    return Outcome(
        *known, MET if met == len(errors) else MISSED, _finite(largest), _finite(part), met=met, of=len(errors)
    )


def _errors(ours: Any, theirs: Any, tolerance: Tolerance) -> tuple[float, float]:
    """The largest difference, and the largest relative to what is allowed; infinite where there is none."""
    got, want = np.asarray(ours), np.asarray(theirs)
    if got.shape != want.shape or not (np.isfinite(got).all() and np.isfinite(want).all()):
        return math.inf, math.inf
    wide = np.result_type(got, want, np.float64)
    difference, allowed = np.abs(got.astype(wide) - want.astype(wide)), tolerance.at(want.astype(wide))
    parts = np.divide(difference, allowed, out=np.where(difference > 0, np.inf, 0.0), where=np.asarray(allowed) > 0)
    return float(difference.max(initial=0.0)), float(parts.max(initial=0.0))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def rows(folder: Path | None) -> Iterator[Outcome]:
    """All comparisons, those with the conformance data in `folder` first."""
    from .live import live_comparisons
    from .published import published_comparisons

    for comparison in (*published_comparisons(folder), *live_comparisons()):
        yield compare(comparison)


def markdown(outcomes: Iterable[Outcome]) -> str:
    """The README's table."""
    lines = [COLUMNS, ("---", "---", "---", "---:", "---:", "---", "---"), *(outcome.cells() for outcome in outcomes)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
