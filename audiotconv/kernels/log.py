"""The logarithm with a floor, in lanes.

x = 2**e * m with m in [sqrt(1/2), sqrt(2)), taken apart by its bits; with s = (m - 1) / (m + 1),

    log(x) = e * log(2) + 2 * (s + s**3 / 3 + s**5 / 5 + ...)

where |s| < 0.172, so the series needs terms to s**9 only; the rest is below 2e-10. log(2) is added in two parts, the
first exact for every e. The error stays within 1.2 units in the last place of the result, or of log(2) near x = 1.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from .compile import kernel
from .simd import as_float, as_int, broadcast, fma, lanes, load, select, store, to_float

__all__ = ["log", "log1p", "log_floor", "logarithm"]

_F = np.float32
_LOG2_HIGH = _F(0.693359375)  # 355 / 512
_LOG2_LOW = _F(-2.12194440054690583e-4)
_MANTISSA, _HALF, _ROOT_HALF = np.int32(0x007FFFFF), np.int32(0x3F000000), _F(np.sqrt(0.5))
_RUN = 4096


@njit(nogil=True, forceinline=True)
def _parts(v):  # type: ignore[no-untyped-def]
    """e and m - 1."""
    bits = as_int(v)
    exponent = to_float((bits >> broadcast(np.int32(23))) - broadcast(np.int32(126)))
    m = as_float((bits & broadcast(_MANTISSA)) | broadcast(_HALF))  # in [1/2, 1)
    small = m < broadcast(_ROOT_HALF)
    one = broadcast(_F(1.0))
    exponent = select(small, exponent - one, exponent)
    m = select(small, m + m, m)
    return exponent, m - one


@njit(nogil=True, forceinline=True)
def _sum(exponent, f):  # type: ignore[no-untyped-def]
    s = f / (f + broadcast(_F(2.0)))
    z = s * s
    series = fma(z, broadcast(_F(2.0 / 9.0)), broadcast(_F(2.0 / 7.0)))
    series = fma(z, series, broadcast(_F(2.0 / 5.0)))
    series = fma(z, series, broadcast(_F(2.0 / 3.0)))
    # 2 * s = f - s * f keeps the first term exact to the last place.
    tail = fma(s, z * series - f, exponent * broadcast(_LOG2_LOW))
    return fma(exponent, broadcast(_LOG2_HIGH), f + tail)


@njit(nogil=True, forceinline=True)
def log(v):  # type: ignore[no-untyped-def]
    """The natural logarithm of every lane: float32 normal numbers above zero."""
    exponent, f = _parts(v)
    return _sum(exponent, f)


@njit(nogil=True)
def log1p(v):  # type: ignore[no-untyped-def]
    """log(1 + v) of every lane, within 2.1 units in the last place: float32 numbers of at least 0."""
    zero = broadcast(_F(0.0))
    exponent, f = _parts(v + broadcast(_F(1.0)))
    # Up to sqrt(2) the mantissa is 1 + v, which was rounded; v was not.
    return _sum(exponent, select(exponent == zero, v, f))


@njit(nogil=True, forceinline=True)
def logarithm(v, floor, factor):  # type: ignore[no-untyped-def]
    """factor * log(max(v, floor)) in every lane of float32; floor is a normal number above zero."""
    least = broadcast(floor)
    return log(select(v > least, v, least)) * broadcast(factor)


@kernel
def log_floor(x, floor, factor, out):  # type: ignore[no-untyped-def]
    """out = factor * log(max(x, floor)) for float32 arrays of one axis; floor is a normal number above zero."""
    n = x.shape[0]
    width = lanes(x)
    for task in prange((n + _RUN - 1) // _RUN):
        first = np.intp(task) * _RUN
        last = min(n, first + _RUN)
        scratch = np.empty(width, x.dtype)
        for i in range(first, last, width):
            if i + width <= last:
                store(out, i, logarithm(load(x, i), floor, factor))
            else:
                for j in range(width):
                    scratch[j] = x[min(i + j, last - 1)]
                store(scratch, 0, logarithm(load(scratch, 0), floor, factor))
                for j in range(last - i):
                    out[i + j] = scratch[j]
