"""Which algorithm computes a convolution: chosen from its shapes alone, by estimated cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from numpy.typing import ArrayLike

from ..errors import ParameterError
from ..kernels.conv_bank import STRETCH
from ..kernels.exp import SQUARED_MODULUS
from ..kernels.fft import LEAST_SIZE
from .checks import activation_of, array_of, integer_at_least

__all__ = ["METHODS", "Candidate", "Plan", "plan", "transform_cost"]

METHODS = ("packed", "rows", "bank", "overlap-save")

# The cost model: nanoseconds on one AVX2 core of about 100 GFLOP/s. Only ratios matter, and they must not depend on
# the machine, or one recipe would give other bits on another processor. Measured with `audiotconv bench plan`, with
# NUMBA_CPU_NAME=haswell and AVX2's features: what it chooses is within 15 % of the fastest on all of its shapes, and
# it is pessimistic about sums of products (measured times are 0.6 to 1.2 of the estimates for those in question).
_OUTPUT = 0.5  # ns to write a value
_PACKED, _ROWS, _BANK = 75.0, 60.0, 70.0  # GFLOP/s of the sums of products
_PACKED_TILE, _BANK_TILE = 8, 16  # filters that are computed together, wanted or not
_PACK, _GATHER, _TILE_TIMES = 0.35, 0.9, 24  # ns to pack a value, at strides above one, and time steps of a tile
_TRANSPOSE = 1.0  # ns to bring a value of `bank` into its row
_TRANSFORM = 45.0  # GFLOP/s of a transform, at 5 n log2(n) operations, within the first-level cache
_SMALL, _LOSS, _SLOWEST = 2048, 4.0, 26.0  # up to which size; less for each doubling; and at least
_PRODUCT = 0.3  # ns for each complex product of spectra
_MARGIN = 1.5  # sums of products are exact to the last place wherever a signal is small: they win near ties
_MOST_SPECTRA = 1 << 26  # values of all filters' spectra
_MOST_STRIDE, _MOST_SCRATCH = 16, 1 << 24  # `rows` copies every phase of a stride; values copied in one piece


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

    def block(self, reach: int, stride: int) -> int:
        """How many outputs of filters that span `reach` inputs a transform gives."""
        return (self.size - reach) // stride + 1

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

    It never depends on the length of the signal, so by a direct method a signal gives the same bits whole and in parts.
    (By overlap-save, parts differ in the last places: blocks are counted from where each begins.)

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
    overlap-save: its estimated cost is 6.3 times less than that of sums of products
    """
    shape = weight if isinstance(weight, tuple) else array_of("weight", weight).shape
    if len(shape) == 1:
        shape = (1, 1, *shape)
    if len(shape) != 3:
        raise ParameterError(f"weight has the shape {shape}; it must be (filters, channels // groups, taps) or (taps,)")
    filters, channels, taps = (integer_at_least("a length of weight", length, 1) for length in shape)
    stride = integer_at_least("stride", stride, 1)
    dilation = integer_at_least("dilation", dilation, 1)
    groups = integer_at_least("groups", groups, 1)
    if filters % groups:
        raise ParameterError(f"weight has {filters} filters, which {groups} groups cannot share")
    pairs = activation_of(activation)[0] == SQUARED_MODULUS
    each = filters // groups
    if pairs and each % 2:
        raise ParameterError(f"activation is {activation!r} with {each} filters in a group; it needs pairs of them")
    if not isinstance(method, str) or method not in ("auto", *METHODS):
        raise ParameterError(f"method is {method!r}; it must be auto, {', '.join(METHODS)}")
    reach = dilation * (taps - 1) + 1
    size, blocks = _transform(filters, channels, groups, reach, stride)
    products = 2.0 * channels * taps * groups
    phases = min(taps, stride // math.gcd(stride, dilation))
    moved = groups * channels * min(taps, phases * (1 + reach / stride / _TILE_TIMES))
    rows = bank = math.inf
    if channels * (reach + STRETCH * stride) < _MOST_SCRATCH:
        bank = products * _whole(each, _BANK_TILE) / _BANK + _TRANSPOSE * filters
    if channels * reach < _MOST_SCRATCH and stride <= _MOST_STRIDE and not pairs:
        rows = products * each / _ROWS
    packed = products * _whole(each, _PACKED_TILE) / _PACKED + moved * (_PACK if stride == 1 else _GATHER)
    candidates = (
        Candidate("packed", packed + _OUTPUT * filters, "inputs packed to tiles, many filters at once"),
        Candidate("rows", rows + _OUTPUT * filters, "one filter at a time"),
        Candidate("bank", bank + _OUTPUT * filters, "filters side by side in vectors"),
        Candidate("overlap-save", blocks, f"transforms of {size} points" if size else "filters too long or too many"),
    )
    direct = min(candidates[:3], key=lambda candidate: candidate.nanoseconds)
    chosen = direct
    if method != "auto":
        chosen = candidates[METHODS.index(method)]
        reason = "it was asked for"
        if not math.isfinite(chosen.nanoseconds):
            raise ParameterError(f"method is {method!r}, which cannot do this; by itself plan takes {direct.method!r}")
    elif blocks * _MARGIN < direct.nanoseconds:
        chosen = candidates[3]
        times = direct.nanoseconds / blocks
        reason = f"its estimated cost is {times:.1f} times less than that of sums of products"
    elif blocks < direct.nanoseconds:
        reason = f"sums of products are more exact, and transforms not {_MARGIN} times cheaper"
    else:
        reason = "its estimated cost is the least"
    return Plan(chosen.method, size if chosen.method == "overlap-save" else 0, candidates, reason)


def _whole(count: int, tile: int) -> int:
    return -(-count // tile) * tile


def _transform(filters: int, channels: int, groups: int, reach: int, stride: int) -> tuple[int, float]:
    """The best size of transform, and the cost of an output time step with it."""
    best, least = 0, math.inf
    n = LEAST_SIZE
    while n < reach:
        n *= 2
    for size in (n, 2 * n, 4 * n, 8 * n, 16 * n):
        if filters * channels * size > _MOST_SPECTRA:
            break
        block = (size - reach) // stride + 1
        cost = transform_cost(filters, channels, groups, size) / (2 * block) + _OUTPUT * filters
        if cost < least:
            best, least = size, cost
    return best, least


def transform_cost(filters: int, channels: int, groups: int, size: int) -> float:
    """Nanoseconds for two blocks: every channel's transform, the products, and every filter's transform back."""
    rate = max(_SLOWEST, _TRANSFORM - _LOSS * max(0.0, math.log2(size / _SMALL)))
    transforms = (filters + channels * groups) * 5 * size * math.log2(size) / rate
    return transforms + filters * channels * size * _PRODUCT
