"""Fourier transforms of many frames at once: each lane of a vector holds a frame of its own.

The values of 16 frames (8 with AVX2) at one time step stand side by side in a vector, and a transform of vectors is
written as one of numbers is: every butterfly is vertical arithmetic without a shuffle, so any size is as good as a
power of two, and what a frame gives depends neither on its lane nor on the vector's width.

A complex value is two neighbouring rows, real and imaginary, of `lanes` numbers. Decimation in frequency in place, of
radices 8, 4, 2, 3, 5 and any other prime (in sums of p**2 / 2 products), leaves frequencies in an order of digits
reversed, which costs nothing, as whoever comes next reads rows: `order` says where each is. A real signal of even
length n is a complex one of n / 2: even steps are real parts, odd ones imaginary, and `spectra` takes apart what the
transform has mixed.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .simd import fma, lanes, load, splat, spread, sqrt, store

__all__ = ["most", "order", "points", "radices", "spectra", "transform", "turns"]

_HALF_ROOT = math.sqrt(0.5)
_C1, _C2 = math.cos(2 * math.pi / 5), math.cos(4 * math.pi / 5)
_S1, _S2 = math.sin(2 * math.pi / 5), math.sin(4 * math.pi / 5)
_S3 = math.sin(2 * math.pi / 3)


def points(n: int) -> int:
    """How many complex values a real frame of n steps is transformed as."""
    return n // 2 if n % 2 == 0 else n


@functools.cache
def radices(n: int) -> tuple[int, ...]:
    """The radices of a complex transform of n points, in the order of its passes."""
    twos = (n & -n).bit_length() - 1
    rest = n >> twos
    even = []
    while twos >= 3 and twos != 4:
        even.append(8)
        twos -= 3
    even += {0: [], 1: [2], 2: [4], 4: [4, 4]}[twos]
    odd = []
    factor = 3
    while rest > 1:
        if factor * factor > rest:
            factor = rest
        while rest % factor == 0:
            odd.append(factor)
            rest //= factor
        factor += 2
    return tuple(sorted(odd, reverse=True) + even)


def order(n: int) -> NDArray[np.int64]:
    """At which complex value of the result each frequency stands. Shape: (n,)"""
    where = np.zeros(n, np.int64)
    frequency = np.arange(n)
    length = n
    for radix in radices(n):
        length //= radix
        where += frequency % radix * length
        frequency = frequency // radix
    return where


def turns(n: int, dtype: Any = np.float32) -> NDArray[Any]:
    """The factors of all passes of a transform of n points, in the order in which they are used."""
    parts = []
    length = n
    for radix in radices(n):
        quarter = length // radix
        if radix > 5 and radix != 8:
            circle = np.exp(2j * np.pi * np.arange(radix) / radix)
            parts.append(np.concatenate([circle.real, circle.imag]))
        phase = np.outer(np.arange(quarter), np.arange(1, radix)) / length
        parts.append(np.stack([np.cos(2 * np.pi * phase), -np.sin(2 * np.pi * phase)], axis=-1).reshape(-1))
        length = quarter
    return np.asarray(np.concatenate([*parts, np.zeros(1)]), dtype)


@njit(nogil=True, forceinline=True)
def _put(buf, at, re, im):  # type: ignore[no-untyped-def]
    store(buf, at, re)
    store(buf, at + lanes(buf), im)


@njit(nogil=True, forceinline=True)
def _turned(buf, at, re, im, w, k):  # type: ignore[no-untyped-def]
    """Store (re + i im) * (w[k] + i w[k + 1])."""
    wr, wi = spread(w, k), spread(w, k + 1)
    store(buf, at, fma(re, wr, -(im * wi)))
    store(buf, at + lanes(buf), fma(re, wi, im * wr))


@njit(nogil=True, forceinline=True)
def _last(buf, at, re, im, w, k, turn):  # type: ignore[no-untyped-def]
    if turn:
        _turned(buf, at, re, im, w, k)
    else:
        _put(buf, at, re, im)


@njit(nogil=True, forceinline=True)
def _two(buf, i, s, w, k):  # type: ignore[no-untyped-def]
    v = lanes(buf)
    ar, ai, br, bi = load(buf, i), load(buf, i + v), load(buf, i + s), load(buf, i + s + v)
    _put(buf, i, ar + br, ai + bi)
    _turned(buf, i + s, ar - br, ai - bi, w, k)


@njit(nogil=True, forceinline=True)
def _three(buf, i, s, w, k):  # type: ignore[no-untyped-def]
    v = lanes(buf)
    ar, ai = load(buf, i), load(buf, i + v)
    br, bi, cr, ci = load(buf, i + s), load(buf, i + s + v), load(buf, i + 2 * s), load(buf, i + 2 * s + v)
    pr, pi, mr, mi = br + cr, bi + ci, br - cr, bi - ci
    half, root = splat(ar, -0.5), splat(ar, _S3)
    ur, ui = fma(pr, half, ar), fma(pi, half, ai)
    vr, vi = mr * root, mi * root
    _put(buf, i, ar + pr, ai + pi)
    _turned(buf, i + s, ur + vi, ui - vr, w, k)
    _turned(buf, i + 2 * s, ur - vi, ui + vr, w, k + 2)


@njit(nogil=True, forceinline=True)
def _four_values(buf, i, s):  # type: ignore[no-untyped-def]
    v = lanes(buf)
    ar, ai, br, bi = load(buf, i), load(buf, i + v), load(buf, i + s), load(buf, i + s + v)
    cr, ci = load(buf, i + 2 * s), load(buf, i + 2 * s + v)
    dr, di = load(buf, i + 3 * s), load(buf, i + 3 * s + v)
    pr, pi, mr, mi = ar + cr, ai + ci, ar - cr, ai - ci
    qr, qi, nr, ni = br + dr, bi + di, br - dr, bi - di
    return pr + qr, pi + qi, mr + ni, mi - nr, pr - qr, pi - qi, mr - ni, mi + nr


@njit(nogil=True, forceinline=True)
def _four(buf, i, s, w, k, turn):  # type: ignore[no-untyped-def]
    y = _four_values(buf, i, s)
    _put(buf, i, y[0], y[1])
    _last(buf, i + s, y[2], y[3], w, k, turn)
    _last(buf, i + 2 * s, y[4], y[5], w, k + 2, turn)
    _last(buf, i + 3 * s, y[6], y[7], w, k + 4, turn)


@njit(nogil=True, forceinline=True)
def _five(buf, i, s, w, k):  # type: ignore[no-untyped-def]
    v = lanes(buf)
    ar, ai = load(buf, i), load(buf, i + v)
    br, bi, er, ei = load(buf, i + s), load(buf, i + s + v), load(buf, i + 4 * s), load(buf, i + 4 * s + v)
    cr, ci, dr, di = load(buf, i + 2 * s), load(buf, i + 2 * s + v), load(buf, i + 3 * s), load(buf, i + 3 * s + v)
    pr, pi, mr, mi = br + er, bi + ei, br - er, bi - ei
    qr, qi, nr, ni = cr + dr, ci + di, cr - dr, ci - di
    c1, c2, s1, s2 = splat(ar, _C1), splat(ar, _C2), splat(ar, _S1), splat(ar, _S2)
    ur, ui = fma(qr, c2, fma(pr, c1, ar)), fma(qi, c2, fma(pi, c1, ai))
    vr, vi = fma(qr, c1, fma(pr, c2, ar)), fma(qi, c1, fma(pi, c2, ai))
    xr, xi = fma(nr, s2, mr * s1), fma(ni, s2, mi * s1)
    yr, yi = fma(nr, -s1, mr * s2), fma(ni, -s1, mi * s2)
    _put(buf, i, ar + pr + qr, ai + pi + qi)
    _turned(buf, i + s, ur + xi, ui - xr, w, k)
    _turned(buf, i + 2 * s, vr + yi, vi - yr, w, k + 2)
    _turned(buf, i + 3 * s, vr - yi, vi + yr, w, k + 4)
    _turned(buf, i + 4 * s, ur - xi, ui + xr, w, k + 6)


@njit(nogil=True, forceinline=True)
def _eight_values(buf, i, s):  # type: ignore[no-untyped-def]
    v = lanes(buf)
    ar, ai, er, ei = load(buf, i), load(buf, i + v), load(buf, i + 4 * s), load(buf, i + 4 * s + v)
    cr, ci, gr, gi = load(buf, i + 2 * s), load(buf, i + 2 * s + v), load(buf, i + 6 * s), load(buf, i + 6 * s + v)
    pr, pi, mr, mi = ar + er, ai + ei, ar - er, ai - ei
    qr, qi, nr, ni = cr + gr, ci + gi, cr - gr, ci - gi
    e0r, e0i, e2r, e2i = pr + qr, pi + qi, pr - qr, pi - qi
    e1r, e1i, e3r, e3i = mr + ni, mi - nr, mr - ni, mi + nr
    br, bi, fr, fi = load(buf, i + s), load(buf, i + s + v), load(buf, i + 5 * s), load(buf, i + 5 * s + v)
    dr, di, hr, hi = load(buf, i + 3 * s), load(buf, i + 3 * s + v), load(buf, i + 7 * s), load(buf, i + 7 * s + v)
    pr, pi, mr, mi = br + fr, bi + fi, br - fr, bi - fi
    qr, qi, nr, ni = dr + hr, di + hi, dr - hr, di - hi
    root = splat(ar, _HALF_ROOT)
    o0r, o0i, o2r, o2i = pr + qr, pi + qi, pi - qi, qr - pr  # the latter times -i
    xr, xi, yr, yi = mr + ni, mi - nr, mr - ni, mi + nr
    o1r, o1i = (xr + xi) * root, (xi - xr) * root  # times (1 - i) / sqrt(2)
    o3r, o3i = (yi - yr) * root, -((yr + yi) * root)  # times -(1 + i) / sqrt(2)
    return (
        e0r + o0r, e0i + o0i, e1r + o1r, e1i + o1i, e2r + o2r, e2i + o2i, e3r + o3r, e3i + o3i,
        e0r - o0r, e0i - o0i, e1r - o1r, e1i - o1i, e2r - o2r, e2i - o2i, e3r - o3r, e3i - o3i,
    )  # fmt: skip


@njit(nogil=True, forceinline=True)
def _eight(buf, i, s, w, k, turn):  # type: ignore[no-untyped-def]
    y = _eight_values(buf, i, s)
    _put(buf, i, y[0], y[1])
    _last(buf, i + s, y[2], y[3], w, k, turn)
    _last(buf, i + 2 * s, y[4], y[5], w, k + 2, turn)
    _last(buf, i + 3 * s, y[6], y[7], w, k + 4, turn)
    _last(buf, i + 4 * s, y[8], y[9], w, k + 6, turn)
    _last(buf, i + 5 * s, y[10], y[11], w, k + 8, turn)
    _last(buf, i + 6 * s, y[12], y[13], w, k + 10, turn)
    _last(buf, i + 7 * s, y[14], y[15], w, k + 12, turn)


@njit(nogil=True)
def _prime(buf, i, s, radix, circle, w, k, scratch):  # type: ignore[no-untyped-def]
    """Any odd radix: sums and differences of the values m and radix - m, times cosines and sines."""
    v = lanes(buf)
    half = radix // 2
    ar, ai = load(buf, i), load(buf, i + v)
    total_r, total_i = ar, ai
    for m in range(1, half + 1):
        low, high = i + m * s, i + (radix - m) * s
        br, bi, cr, ci = load(buf, low), load(buf, low + v), load(buf, high), load(buf, high + v)
        at = (m - 1) * 4 * v
        store(scratch, at, br + cr)
        store(scratch, at + v, bi + ci)
        store(scratch, at + 2 * v, br - cr)
        store(scratch, at + 3 * v, bi - ci)
        total_r, total_i = total_r + (br + cr), total_i + (bi + ci)
    _put(buf, i, total_r, total_i)
    for f in range(1, half + 1):
        pr, pi = ar, ai
        qr, qi = splat(ar, 0.0), splat(ar, 0.0)
        angle = 0
        for m in range(half):
            angle += f
            if angle >= radix:
                angle -= radix
            at = m * 4 * v
            c, sine = spread(w, circle + angle), spread(w, circle + radix + angle)
            pr, pi = fma(load(scratch, at), c, pr), fma(load(scratch, at + v), c, pi)
            qr, qi = fma(load(scratch, at + 2 * v), sine, qr), fma(load(scratch, at + 3 * v), sine, qi)
        _turned(buf, i + f * s, pr + qi, pi - qr, w, k + 2 * (f - 1))
        _turned(buf, i + (radix - f) * s, pr - qi, pi + qr, w, k + 2 * (radix - f - 1))


@njit(nogil=True)
def transform(buf, n, passes, count, w, scratch):  # type: ignore[no-untyped-def]
    """Transform n complex values, rows of vectors from buf[0] on, in place.

    Parameters
    ----------
    buf : rows, two for each value
    passes : int64; the radices
    count : int; how many passes are made: all, or all but the last for `spectra`
    w : ``turns(n)``
    scratch : two vectors for each unit of the largest radix
    """
    unit = 2 * lanes(buf)
    length = n
    k = 0
    for p in range(count):
        radix = passes[p]
        q = length // radix
        s = q * unit
        step = 2 * (radix - 1)
        if radix == 8:
            for block in range(0, n, length):
                _eight(buf, block * unit, s, w, k, False)
                for j in range(1, q):
                    _eight(buf, (block + j) * unit, s, w, k + j * step, True)
        elif radix == 4:
            for block in range(0, n, length):
                _four(buf, block * unit, s, w, k, False)
                for j in range(1, q):
                    _four(buf, (block + j) * unit, s, w, k + j * step, True)
        elif radix == 5:
            for block in range(0, n, length):
                for j in range(q):
                    _five(buf, (block + j) * unit, s, w, k + j * step)
        elif radix == 3:
            for block in range(0, n, length):
                for j in range(q):
                    _three(buf, (block + j) * unit, s, w, k + j * step)
        elif radix == 2:
            for block in range(0, n, length):
                for j in range(q):
                    _two(buf, (block + j) * unit, s, w, k + j * step)
        else:
            circle = k
            k += 2 * radix
            for block in range(0, n, length):
                for j in range(q):
                    _prime(buf, (block + j) * unit, s, radix, circle, w, k + j * step, scratch)
        k += q * step
        length = q


@njit(nogil=True)
def spectra(buf, n, passes, where, w, out, kind):  # type: ignore[no-untyped-def]
    """The spectrum of real frames, whose values were transformed in pairs (or alone, where n is odd).

    The last pass of the transform, if its radix is 4 or 8, is made here, two blocks at a time: of what one has come of
    frequency k, the other has come of n / 2 - k, and only both together tell even steps from odd ones.

    Parameters
    ----------
    buf : what `transform` left of `most` passes; the frames had been multiplied by 1/2, where n is even
    n : int; steps of a frame
    passes : int64; the radices
    where : ``order(points(n))``
    w : (n // 2 + 1, 2): cos and sin of -2 pi k / n
    out : rows of frequencies 0 to n / 2: powers (kind 0), magnitudes (1) or real and imaginary parts (2)
    """
    unit = 2 * lanes(buf)
    if n % 2:
        for k in range(n // 2 + 1):
            at = where[k] * unit
            _keep(out, k, load(buf, at), load(buf, at + lanes(buf)), kind)
        return
    m = n // 2
    radix = passes[passes.shape[0] - 1] if most(n, passes) < passes.shape[0] else 1
    blocks = m // radix
    if radix == 1:
        for k in range(m // 2 + 1):
            _half(buf, where, k, m, w, out, kind)
        return
    for first in range(0, blocks // 2 + 1, max(1, blocks // 2)):  # the blocks that are their own partners
        if first and 2 * first != blocks:
            continue
        if radix == 8:
            _eight(buf, where[first] * unit, unit, w, 0, False)
        else:
            _four(buf, where[first] * unit, unit, w, 0, False)
        for j in range(radix // 2 + (1 if first == 0 else 0)):
            _half(buf, where, first + j * blocks, m, w, out, kind)
    for k in range(1, (blocks + 1) // 2):
        low, high = where[k] * unit, where[blocks - k] * unit
        if radix == 8:
            a, b = _eight_values(buf, low, unit), _eight_values(buf, high, unit)
            _both(a[0], a[1], b[14], b[15], k, m, w, out, kind)
            _both(a[2], a[3], b[12], b[13], k + blocks, m, w, out, kind)
            _both(a[4], a[5], b[10], b[11], k + 2 * blocks, m, w, out, kind)
            _both(a[6], a[7], b[8], b[9], k + 3 * blocks, m, w, out, kind)
            _both(a[8], a[9], b[6], b[7], k + 4 * blocks, m, w, out, kind)
            _both(a[10], a[11], b[4], b[5], k + 5 * blocks, m, w, out, kind)
            _both(a[12], a[13], b[2], b[3], k + 6 * blocks, m, w, out, kind)
            _both(a[14], a[15], b[0], b[1], k + 7 * blocks, m, w, out, kind)
        else:
            c, d = _four_values(buf, low, unit), _four_values(buf, high, unit)
            _both(c[0], c[1], d[6], d[7], k, m, w, out, kind)
            _both(c[2], c[3], d[4], d[5], k + blocks, m, w, out, kind)
            _both(c[4], c[5], d[2], d[3], k + 2 * blocks, m, w, out, kind)
            _both(c[6], c[7], d[0], d[1], k + 3 * blocks, m, w, out, kind)


@njit(nogil=True)
def most(n, passes):  # type: ignore[no-untyped-def]
    """How many passes `transform` makes before `spectra`."""
    count = passes.shape[0]
    return count - 1 if n % 2 == 0 and count and (passes[count - 1] == 8 or passes[count - 1] == 4) else count


@njit(nogil=True, forceinline=True)
def _half(buf, where, k, m, w, out, kind):  # type: ignore[no-untyped-def]
    v = lanes(buf)
    low, high = where[k] * 2 * v, where[(m - k) % m] * 2 * v
    _both(load(buf, low), load(buf, low + v), load(buf, high), load(buf, high + v), k, m, w, out, kind)


@njit(nogil=True, forceinline=True)
def _both(ar, ai, br, bi, k, m, w, out, kind):  # type: ignore[no-untyped-def]
    """Frequencies k and m - k from what stands there in the transform of pairs."""
    er, ei = ar + br, ai - bi
    odd_r, odd_i = ai + bi, br - ar
    c, s = spread(w, 2 * k), spread(w, 2 * k + 1)
    tr, ti = fma(odd_r, c, -(odd_i * s)), fma(odd_r, s, odd_i * c)
    _keep(out, k, er + tr, ei + ti, kind)
    _keep(out, m - k, er - tr, ti - ei, kind)


@njit(nogil=True, forceinline=True)
def _keep(out, k, re, im, kind):  # type: ignore[no-untyped-def]
    v = lanes(out)
    if kind == 2:
        store(out, 2 * k * v, re)
        store(out, (2 * k + 1) * v, im)
    else:
        power = fma(re, re, im * im)
        store(out, k * v, sqrt(power) if kind == 1 else power)
