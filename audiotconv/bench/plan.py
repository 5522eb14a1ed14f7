"""`audiotconv bench plan`: what each algorithm of a convolution takes, beside what the planner's cost model says."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..stages import conv1d, plan
from .conv import SHAPES, Shape
from .timing import Work, medians

__all__ = ["Estimate", "estimates", "spread"]

_SLOW = 30.0  # times the cheapest estimate: not worth the wait


@dataclass(frozen=True, slots=True)
class Estimate:
    """One algorithm on one shape: nanoseconds for each output time step of all filters."""

    case: str
    method: str
    chosen: bool
    estimated: float
    measured: float

    def to_dict(self) -> dict[str, Any]:
        """As plain numbers and texts."""
        return asdict(self)


def estimates(repeats: int, threads: int, shapes: tuple[Shape, ...] = SHAPES) -> Iterator[Estimate]:
    """Every algorithm that can do a shape, timed in turn with the others."""
    for shape in shapes:
        rng = np.random.default_rng(0)
        x = rng.standard_normal((1, shape.channels, shape.time)).astype(np.float32)
        weight = rng.standard_normal((shape.filters, shape.channels // shape.groups, shape.taps)).astype(np.float32)
        options: dict[str, Any] = {"stride": shape.stride, "dilation": shape.dilation, "groups": shape.groups}
        way = plan(weight, **options)
        least = min(candidate.nanoseconds for candidate in way.candidates)
        costs = {c.method: c.nanoseconds for c in way.candidates if c.nanoseconds < _SLOW * least}
        works: dict[str, Work] = {
            name: functools.partial(conv1d, x, weight, **options, method=name, threads=threads) for name in costs
        }
        for name, seconds in medians(works, repeats).items():
            yield Estimate(shape.name, name, name == way.method, costs[name], seconds / shape.frames * 1e9)


def spread(results: list[Estimate]) -> float:
    """By which factor estimates are off, typically: exp of the standard deviation of the ratios' logarithms."""
    return math.exp(float(np.std([math.log(result.measured / result.estimated) for result in results])))
