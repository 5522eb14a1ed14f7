"""The exponential function in lanes, and the activations made of it.

x = n * log(2) + r with |r| <= log(2) / 2, so exp(x) = 2**n * exp(r), and exp(r) - 1 is r plus a short Taylor series.
n comes from adding 1.5 * 2**23 (2**52 for float64), which leaves it in the lowest bits of the sum; from there it is
shifted into the exponent. exp(x) - 1 keeps its last places near zero as 2**n * (exp(r) - 1) + (2**n - 1).
"""

from __future__ import annotations

import math

from numba import njit

from .simd import (
    as_float,
    as_int,
    broadcast,
    fma,
    itemsize,
    lanes,
    load,
    maximum,
    minimum,
    select,
    splat,
    store,
)

__all__ = [
    "GELU",
    "LEAKY_RELU",
    "NONE",
    "RELU",
    "SIGMOID",
    "SILU",
    "SQUARED_MODULUS",
    "TANH",
    "activate",
    "exp",
    "expm1",
]

NONE, RELU, LEAKY_RELU, GELU, SILU, TANH, SIGMOID, SQUARED_MODULUS = range(8)

_SERIES = tuple(1.0 / math.factorial(n) for n in range(14))
# exp(z**2) * erfc(z) for z >= 0 as a polynomial in 1 / (1 + z / 2): a least-squares fit on Chebyshev nodes, to 8e-9.
ERFCX = (
    0.04525721293968962,
    -0.24542082465318532,
    0.5174560090216107,
    -0.4845948022889577,
    0.15489835711150624,
    -0.07029186452180886,
    0.0968933784522013,
    0.17466098847884198,
    0.24695708566504185,
    0.28208956754465386,
    0.28209490083927274,
    -8.596024090688058e-10,
)


@njit(nogil=True)
def _reduced(v):  # type: ignore[no-untyped-def]
    """2**n, and exp(r) - 1."""
    if itemsize(v) == 4:
        v = maximum(minimum(v, splat(v, 88.37)), splat(v, -87.3))
        magic, high, low, degree = splat(v, 12582912.0), splat(v, -0.693359375), splat(v, 2.12194440054690583e-4), 7
    else:
        v = maximum(minimum(v, splat(v, 709.43)), splat(v, -708.3))
        magic, degree = splat(v, 6755399441055744.0), 13
        high, low = splat(v, -0.693147180369123816490), splat(v, -1.90821492927058770002e-10)
    shifted = fma(v, splat(v, 1.4426950408889634), magic)
    n = shifted - magic
    r = fma(n, low, fma(n, high, v))
    series = splat(v, _SERIES[degree])
    for k in range(degree - 1, 1, -1):
        series = fma(series, r, splat(v, _SERIES[k]))
    bits = as_int(shifted)
    if itemsize(v) == 4:
        power = as_float((bits + splat(bits, 127)) << splat(bits, 23))
    else:
        power = as_float((bits + splat(bits, 1023)) << splat(bits, 52))
    return power, fma(series * r, r, r)


@njit(nogil=True)
def exp(v):  # type: ignore[no-untyped-def]
    """e**v in every lane; 0 where that is no normal number, and 2e38 (1e308) where it is larger."""
    power, rest = _reduced(v)
    return select(v < splat(v, -87.3 if itemsize(v) == 4 else -708.3), splat(v, 0.0), fma(power, rest, power))


@njit(nogil=True)
def expm1(v):  # type: ignore[no-untyped-def]
    """e**v - 1 in every lane, exact to the last places also near v = 0."""
    power, rest = _reduced(v)
    return fma(power, rest, power - splat(v, 1.0))


@njit(nogil=True)
def _activated(v, kind, slope):  # type: ignore[no-untyped-def]
    zero, one = splat(v, 0.0), splat(v, 1.0)
    if kind == RELU:
        return select(v < zero, zero, v)
    if kind == LEAKY_RELU:
        return select(v < zero, v * slope, v)
    if kind == TANH:
        size = select(v < zero, zero - v, v)
        e = expm1(minimum(size + size, splat(v, 80.0)))
        t = e / (e + splat(v, 2.0))
        return select(v < zero, zero - t, select(v == v, t, v))
    if kind == GELU:  # v * erfc(-v / sqrt(2)) / 2
        size = select(v < zero, zero - v, v)
        t = one / fma(size, splat(v, 0.35355339059327373), one)
        series = splat(v, ERFCX[0])
        for k in range(1, len(ERFCX)):
            series = fma(series, t, splat(v, ERFCX[k]))
        half = splat(v, -0.5)
        size = minimum(size, splat(v, 30.0))  # where the bell has long been 0
        square = size * size
        lost = fma(size, size, zero - square)  # by rounding the square, which the exponential would magnify
        bell = exp(half * square) * fma(half, lost, one)
        tail = series * bell * splat(v, 0.5)  # the normal distribution beyond |v|
        return select(v == v, v * select(v < zero, select(tail > zero, tail, zero), one - tail), v)
    # 1 / (1 + exp(-v)), from the side where exp is small
    size = select(v < zero, v, zero - v)
    e = exp(size)
    s = select(v < zero, e, one) / (one + e)
    return select(v == v, v * s if kind == SILU else s, v)


@njit(nogil=True)
def activate(a, at, count, kind, slope, edge):  # type: ignore[no-untyped-def]
    """Replace a[at : at + count] by its activation; `edge` is scratch of one vector.

    The last few go through the same vector code as the others, so a value's bits do not depend on its place.
    """
    if kind == GELU and a.itemsize == 8:
        flat = a.reshape(-1)
        for i in range(at, at + count):
            flat[i] = 0.5 * flat[i] * math.erfc(-flat[i] * 0.7071067811865476)
        return
    factor = broadcast(a.dtype.type(slope))
    width = lanes(a)
    whole = count // width * width
    for i in range(0, whole, width):
        store(a, at + i, _activated(load(a, at + i), kind, factor))
    if whole < count:
        flat = a.reshape(-1)
        for i in range(whole, count):
            edge[i - whole] = flat[at + i]
        store(edge, 0, _activated(load(edge, 0), kind, factor))
        for i in range(whole, count):
            flat[at + i] = edge[i - whole]
