"""Which algorithm computes a convolution: chosen from its shapes alone, by estimated cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ParameterError
from ..kernels.fft import LEAST_SIZE
from ..kernels.simd import TILE_ROWS
from .checks import integer_at_least

__all__ = ["METHODS", "Candidate", "Plan", "plan", "transform_cost"]

METHODS = ("packed", "rows", "bank", "overlap-save")

# The cost model: nanoseconds on one AVX2 core of about 100 GFLOP/s. Only ratios matter, and they must not depend on
# the machine, or one recipe would give other bits on another processor. Measured with `audiotconv bench conv`.
_DIRECT = 75.0  # GFLOP/s of sums of products
_OUTPUT = 0.5  # ns to write a value
_TRANSFORM = 45.0  # GFLOP/s of a transform, at 5 n log2(n) operations, within the first-level cache
_SMALL, _LOSS, _SLOWEST = 2048, 4.0, 26.0  # up to which size; less for each doubling; and at least
_PRODUCT = 0.3  # ns for each complex product of spectra
_MARGIN = 1.5  # sums of products are exact to the last place wherever a signal is small: they win near ties
_MOST = 1 << 26  # values of all filters' spectra

# Among the direct ones, which add in the same order and give the same bits, speed alone decides.
_FEW_FILTERS = 3 * TILE_ROWS // 4  # up to so many in a group, one at a time is faster than a tile that is mostly idle
_SHORT = 64  # products of an output, up to which a whole tile's filters are still faster one at a time
_FEW_STRIDES = 16  # `rows` copies every phase of a stride
_MOST_SCRATCH = 1 << 24  # values that `rows` and `bank` may copy in one piece


@dataclass(frozen=True, slots=True)
class Candidate:
    """A way to compute a convolution, what it costs, and whether it can."""

    method: str
    nanoseconds: float  # for each output time step of all filters
    detail: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Which algorithm a convolution uses, and why.

    Attributes
    ----------
    method : str
        "packed" (inputs packed to tiles, many filters at once), "rows" (one filter at a time), "bank" (filters side
        by side in vectors, for strides) or "overlap-save" (by Fourier transforms). The first three add in the same
        order and give the same bits.
    size : int
        Points of the transform; 0 for the others.
    candidates : tuple of Candidate
    reason : str
    """

    method: str
    size: int
    candidates: tuple[Candidate, ...]
    reason: str

    def explain(self) -> str:
        """The candidates, their estimated costs, and the reason for the choice, as text."""
        lines = [f"{self.method}: {self.reason}"]
        for candidate in self.candidates:
            mark = "->" if candidate.method == self.method else "  "
            cost = f"{candidate.nanoseconds:10.2f} ns" if math.isfinite(candidate.nanoseconds) else f"{'-':>13}"
            lines.append(f"{mark} {candidate.method:<13}{cost} per output time step  {candidate.detail}")
        return "\n".join(lines)


def plan(
    weight: ArrayLike | tuple[int, ...],
    *,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    activation: Any = None,
    method: str = "auto",
) -> Plan:
    """Which algorithm `conv1d` uses for filters of a shape, and why.

    It never depends on the length of the signal, so a signal gives the same bits whole and in parts.

    Parameters
    ----------
    weight : (filters, channels // groups, taps) or (taps,)
        The filters, or their shape as a tuple of three integers.
    stride, dilation, groups, activation
        As for `conv1d`.
    method : str
        "auto", or the method to take.

    Returns
    -------
    Plan

    Raises
    ------
    ParameterError
        If a parameter is out of its range, or the method cannot do it.

    Examples
    --------
    >>> plan((64, 64, 3), dilation=8).method
    'packed'
    >>> print(plan((1, 1, 401)).explain().splitlines()[0])
    overlap-save: its estimated cost is 4.5 times less than that of sums of products
    """
    shape = weight if isinstance(weight, tuple) else np.shape(weight)
    if len(shape) == 1:
        shape = (1, 1, *shape)
    if len(shape) != 3:
        raise ParameterError(f"weight has the shape {shape}; it must be (filters, channels // groups, taps) or (taps,)")
    filters, channels, taps = (integer_at_least("a length of weight", length, 1) for length in shape)
    stride = integer_at_least("stride", stride, 1)
    dilation = integer_at_least("dilation", dilation, 1)
    groups = integer_at_least("groups", groups, 1)
    if method not in ("auto", *METHODS):
        raise ParameterError(f"method is {method!r}; it must be auto, {', '.join(METHODS)}")
    reach = dilation * (taps - 1) + 1
    pairs = activation == "squared_modulus"
    direct = 2.0 * filters * channels * taps / _DIRECT + _OUTPUT * filters
    size, blocks = _transform(filters, channels, groups, reach, stride)
    straight = _direct_method(filters // groups, channels, taps, reach, stride, pairs)
    details = {
        "packed": "inputs packed to tiles" + (", gathered at the stride" if stride > 1 else ""),
        "rows": "one filter at a time" + (": not for pairs of filters" if pairs else ""),
        "bank": "filters side by side in vectors",
        "overlap-save": f"transforms of {size} points" if size else "the filters are too long or too many",
    }
    costs = dict.fromkeys(METHODS, direct) | {"overlap-save": blocks}
    if pairs:
        costs["rows"] = math.inf
    candidates = tuple(Candidate(name, costs[name], details[name]) for name in METHODS)
    if method != "auto":
        if not math.isfinite(costs[method]):
            raise ParameterError(f"method is {method!r}, which cannot do this ({details[method]})")
        return Plan(method, size if method == "overlap-save" else 0, candidates, "it was asked for")
    if blocks * _MARGIN < direct:
        times = direct / blocks
        reason = f"its estimated cost is {times:.1f} times less than that of sums of products"
        return Plan("overlap-save", size, candidates, reason)
    reason = {
        "packed": "many filters see the same inputs",
        "rows": "there are few filters in a group",
        "bank": "a stride is only an address to it",
    }[straight]
    return Plan(straight, 0, candidates, f"{reason}; sums of products beat transforms or come near")


def _direct_method(filters: int, channels: int, taps: int, reach: int, stride: int, pairs: bool) -> str:
    if channels * reach < _MOST_SCRATCH:
        few = TILE_ROWS if channels * taps <= _SHORT else _FEW_FILTERS
        if filters <= few and stride <= _FEW_STRIDES and not pairs:
            return "rows"
        if stride > 1:
            return "bank"
    return "packed"


def _transform(filters: int, channels: int, groups: int, reach: int, stride: int) -> tuple[int, float]:
    """The best size of transform, and the cost of an output time step with it."""
    best, least = 0, math.inf
    n = LEAST_SIZE
    while n < 2 * reach:
        n *= 2
    n //= 2
    for size in (n, 2 * n, 4 * n, 8 * n, 16 * n):
        block = (size - reach) // stride + 1 if size >= reach else 0
        if size < LEAST_SIZE or filters * channels * size > _MOST or block < 1:
            continue
        cost = transform_cost(filters, channels, groups, size) / (2 * block) + _OUTPUT * filters
        if cost < least:
            best, least = size, cost
    return best, least


def transform_cost(filters: int, channels: int, groups: int, size: int) -> float:
    """Nanoseconds for two blocks: every channel's transform, the products, and every filter's transform back."""
    rate = max(_SLOWEST, _TRANSFORM - _LOSS * max(0.0, math.log2(size / _SMALL)))
    transforms = (filters + channels * groups) * 5 * size * math.log2(size) / rate
    return transforms + filters * channels * size * _PRODUCT
