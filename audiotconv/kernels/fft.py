"""The discrete Fourier transform of one complex sequence, in vectors, for convolution.

A convolution multiplies two transforms element by element and transforms back, so the order in which frequencies
stand is of no interest as long as it is the same in both. Without reordering, the forward transform takes the signal
apart from the largest distance down to the smallest (decimation in frequency, radix 4, with one step of radix 2 first
where the size is an odd power of two), and the inverse goes back the same way. Down to a distance of 16, neighbours
in a vector are neighbours in time, and every operation is vertical. The last 16 points are transposed, so that a
vector holds one point each of as many blocks, and stay so: the inverse begins by transposing back.

The tree of operations depends on the size alone, and on neither the vector width nor the number of threads.

Real and imaginary parts are arrays of their own. Sizes are powers of two from 256 on. Nothing is scaled.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .simd import fma, lanes, load, splat, store, transpose

__all__ = ["LEAST_SIZE", "forward", "inverse", "radices", "twiddles"]

LEAST_SIZE = 256
_CACHED = 4096  # sizes from which on parts are finished one by one, so that they stay in the cache
_ROOT = float(np.sqrt(0.5))
_COS, _SIN = float(np.cos(np.pi / 8)), float(np.sin(np.pi / 8))


def radices(n: int) -> list[int]:
    """The steps of a transform of n points, from the largest distance to the smallest."""
    return [2] * (n.bit_length() % 2 == 0) + [4] * ((n.bit_length() - 1) // 2)


@functools.lru_cache(maxsize=16)
def twiddles(n: int, dtype: Any) -> NDArray[Any]:
    """The factors of every step down to 16 points: for each power 1 to radix - 1, the real and imaginary parts.

    Shape: (numbers,)
    """
    parts, length = [], n
    for radix in radices(n)[:-2]:
        angle = -2 * np.pi * np.arange(length // radix) / length
        for power in range(1, radix):
            parts += [np.cos(power * angle), np.sin(power * angle)]
        length //= radix
    table: NDArray[Any] = np.concatenate([*parts, np.zeros(1)]).astype(dtype)
    return table


@njit(nogil=True)
def _times(ar, ai, br, bi):  # type: ignore[no-untyped-def]
    return fma(ar, br, -(ai * bi)), fma(ar, bi, ai * br)


@njit(nogil=True)
def _times_conjugate(ar, ai, br, bi):  # type: ignore[no-untyped-def]
    return fma(ar, br, ai * bi), fma(ai, br, -(ar * bi))


@njit(nogil=True)
def _fourth(re, im, at, q, w, k):  # type: ignore[no-untyped-def]
    """One vector of radix-4 butterflies between at, at + q, at + 2 q and at + 3 q, with factors from w[k] on."""
    ar, ai = load(re, at), load(im, at)
    br, bi = load(re, at + q), load(im, at + q)
    cr, ci = load(re, at + 2 * q), load(im, at + 2 * q)
    dr, di = load(re, at + 3 * q), load(im, at + 3 * q)
    sr, si, tr, ti = ar + cr, ai + ci, br + dr, bi + di
    ur, ui, vr, vi = ar - cr, ai - ci, bi - di, dr - br  # v = -i * (b - d)
    store(re, at, sr + tr)
    store(im, at, si + ti)
    yr, yi = _times(ur + vr, ui + vi, load(w, k), load(w, k + q))
    store(re, at + q, yr)
    store(im, at + q, yi)
    yr, yi = _times(sr - tr, si - ti, load(w, k + 2 * q), load(w, k + 3 * q))
    store(re, at + 2 * q, yr)
    store(im, at + 2 * q, yi)
    yr, yi = _times(ur - vr, ui - vi, load(w, k + 4 * q), load(w, k + 5 * q))
    store(re, at + 3 * q, yr)
    store(im, at + 3 * q, yi)


@njit(nogil=True)
def _fourth_back(re, im, at, q, w, k):  # type: ignore[no-untyped-def]
    """What undoes `_fourth`, but for a factor of 4."""
    ar, ai = load(re, at), load(im, at)
    br, bi = _times_conjugate(load(re, at + q), load(im, at + q), load(w, k), load(w, k + q))
    cr, ci = _times_conjugate(load(re, at + 2 * q), load(im, at + 2 * q), load(w, k + 2 * q), load(w, k + 3 * q))
    dr, di = _times_conjugate(load(re, at + 3 * q), load(im, at + 3 * q), load(w, k + 4 * q), load(w, k + 5 * q))
    sr, si, tr, ti = ar + cr, ai + ci, ar - cr, ai - ci
    ur, ui, vr, vi = br + dr, bi + di, di - bi, br - dr  # v = i * (b - d)
    store(re, at, sr + ur)
    store(im, at, si + ui)
    store(re, at + q, tr + vr)
    store(im, at + q, ti + vi)
    store(re, at + 2 * q, sr - ur)
    store(im, at + 2 * q, si - ui)
    store(re, at + 3 * q, tr - vr)
    store(im, at + 3 * q, ti - vi)


@njit(nogil=True)
def _turned(yr, yi, power, back):  # type: ignore[no-untyped-def]
    """y * exp(-2 pi i * power / 16), or its conjugate, for the powers that 16 points need."""
    if power == 0:
        return yr, yi
    c, s = 1.0, 0.0
    if power == 1:
        c, s = _COS, _SIN
    elif power == 2:
        c, s = _ROOT, _ROOT
    elif power == 3:
        c, s = _SIN, _COS
    elif power == 4:
        c, s = 0.0, 1.0
    elif power == 6:
        c, s = -_ROOT, _ROOT
    else:  # 9
        c, s = -_COS, -_SIN
    if not back:
        s = -s
    return _times(yr, yi, splat(yr, c), splat(yr, s))


@njit(nogil=True)
def _sixteen(re, im, at, edge):  # type: ignore[no-untyped-def]
    """16 points of as many blocks as a vector has lanes; `edge` is scratch of 32 vectors."""
    width = lanes(re)
    for c in range(0, 16, width):
        transpose(re, at + c, 16, edge, c * width, width)
        transpose(im, at + c, 16, edge, (16 + c) * width, width)
    m = 16 * width
    q = 4 * width
    for t in range(4):
        i = t * width
        ar, ai = load(edge, i), load(edge, m + i)
        br, bi = load(edge, i + q), load(edge, m + i + q)
        cr, ci = load(edge, i + 2 * q), load(edge, m + i + 2 * q)
        dr, di = load(edge, i + 3 * q), load(edge, m + i + 3 * q)
        sr, si, tr, ti = ar + cr, ai + ci, br + dr, bi + di
        ur, ui, vr, vi = ar - cr, ai - ci, bi - di, dr - br
        store(edge, i, sr + tr)
        store(edge, m + i, si + ti)
        yr, yi = _turned(ur + vr, ui + vi, t, False)
        store(edge, i + q, yr)
        store(edge, m + i + q, yi)
        yr, yi = _turned(sr - tr, si - ti, 2 * t, False)
        store(edge, i + 2 * q, yr)
        store(edge, m + i + 2 * q, yi)
        yr, yi = _turned(ur - vr, ui - vi, 3 * t, False)
        store(edge, i + 3 * q, yr)
        store(edge, m + i + 3 * q, yi)
    for b in range(4):
        i = b * q
        ar, ai = load(edge, i), load(edge, m + i)
        br, bi = load(edge, i + width), load(edge, m + i + width)
        cr, ci = load(edge, i + 2 * width), load(edge, m + i + 2 * width)
        dr, di = load(edge, i + 3 * width), load(edge, m + i + 3 * width)
        sr, si, tr, ti = ar + cr, ai + ci, br + dr, bi + di
        ur, ui, vr, vi = ar - cr, ai - ci, bi - di, dr - br
        store(re, at + i, sr + tr)
        store(im, at + i, si + ti)
        store(re, at + i + width, ur + vr)
        store(im, at + i + width, ui + vi)
        store(re, at + i + 2 * width, sr - tr)
        store(im, at + i + 2 * width, si - ti)
        store(re, at + i + 3 * width, ur - vr)
        store(im, at + i + 3 * width, ui - vi)


@njit(nogil=True)
def _sixteen_back(re, im, at, edge):  # type: ignore[no-untyped-def]
    """What undoes `_sixteen`, but for a factor of 16."""
    width = lanes(re)
    m = 16 * width
    q = 4 * width
    for b in range(4):
        i = b * q
        ar, ai = load(re, at + i), load(im, at + i)
        br, bi = load(re, at + i + width), load(im, at + i + width)
        cr, ci = load(re, at + i + 2 * width), load(im, at + i + 2 * width)
        dr, di = load(re, at + i + 3 * width), load(im, at + i + 3 * width)
        sr, si, tr, ti = ar + cr, ai + ci, ar - cr, ai - ci
        ur, ui, vr, vi = br + dr, bi + di, di - bi, br - dr
        store(edge, i, sr + ur)
        store(edge, m + i, si + ui)
        store(edge, i + width, tr + vr)
        store(edge, m + i + width, ti + vi)
        store(edge, i + 2 * width, sr - ur)
        store(edge, m + i + 2 * width, si - ui)
        store(edge, i + 3 * width, tr - vr)
        store(edge, m + i + 3 * width, ti - vi)
    for t in range(4):
        i = t * width
        ar, ai = load(edge, i), load(edge, m + i)
        br, bi = _turned(load(edge, i + q), load(edge, m + i + q), t, True)
        cr, ci = _turned(load(edge, i + 2 * q), load(edge, m + i + 2 * q), 2 * t, True)
        dr, di = _turned(load(edge, i + 3 * q), load(edge, m + i + 3 * q), 3 * t, True)
        sr, si, tr, ti = ar + cr, ai + ci, ar - cr, ai - ci
        ur, ui, vr, vi = br + dr, bi + di, di - bi, br - dr
        store(edge, i, sr + ur)
        store(edge, m + i, si + ui)
        store(edge, i + q, tr + vr)
        store(edge, m + i + q, ti + vi)
        store(edge, i + 2 * q, sr - ur)
        store(edge, m + i + 2 * q, si - ui)
        store(edge, i + 3 * q, tr - vr)
        store(edge, m + i + 3 * q, ti - vi)
    for c in range(0, 16, width):
        transpose(edge, c * width, width, re, at + c, 16)
        transpose(edge, (16 + c) * width, width, im, at + c, 16)


@njit(nogil=True)
def forward(re, im, at, n, w, edge):  # type: ignore[no-untyped-def]
    """Transform re, im[at : at + n] in place; frequencies then stand in an order of its own.

    Parameters
    ----------
    re, im : arrays of one floating type
    at, n : int; n a power of two from LEAST_SIZE on
    w : ``twiddles(n, dtype)``
    edge : scratch of 32 vectors
    """
    width = lanes(re)
    length = n
    k = 0
    step = n
    while step > 4:
        step //= 4
    if step == 2:
        half = n // 2
        for t in range(0, half, width):
            ar, ai = load(re, at + t), load(im, at + t)
            br, bi = load(re, at + t + half), load(im, at + t + half)
            store(re, at + t, ar + br)
            store(im, at + t, ai + bi)
            yr, yi = _times(ar - br, ai - bi, load(w, t), load(w, half + t))
            store(re, at + t + half, yr)
            store(im, at + t + half, yi)
        length = half
        k = n
    while length > _CACHED:
        q = length // 4
        for block in range(0, n, length):
            for t in range(0, q, width):
                _fourth(re, im, at + block + t, q, w, k + t)
        k += 6 * q
        length = q
    for part in range(0, n, length):
        inner, kk = length, k
        while inner > 16:
            q = inner // 4
            for block in range(at + part, at + part + length, inner):
                for t in range(0, q, width):
                    _fourth(re, im, block + t, q, w, kk + t)
            kk += 6 * q
            inner = q
        for block in range(at + part, at + part + length, 16 * width):
            _sixteen(re, im, block, edge)


@njit(nogil=True)
def inverse(re, im, at, n, w, edge):  # type: ignore[no-untyped-def]
    """What undoes `forward`, but for a factor of n."""
    width = lanes(re)
    step = n
    while step > 4:
        step //= 4
    odd = step == 2
    top = n // 2 if odd else n
    length = top
    k = n if odd else 0
    while length > _CACHED:
        k += 6 * (length // 4)
        length //= 4
    last = k  # where the factors of 64 points begin
    inner = length
    while inner > 64:
        last += 6 * (inner // 4)
        inner //= 4
    for part in range(0, n, length):
        for block in range(at + part, at + part + length, 16 * width):
            _sixteen_back(re, im, block, edge)
        inner, kk = 64, last
        while inner <= length:
            q = inner // 4
            for block in range(at + part, at + part + length, inner):
                for t in range(0, q, width):
                    _fourth_back(re, im, block + t, q, w, kk + t)
            kk -= 24 * q  # the factors of four times as many points stand before
            inner *= 4
    length *= 4
    while length <= top:
        q = length // 4
        k -= 6 * q
        for block in range(0, n, length):
            for t in range(0, q, width):
                _fourth_back(re, im, at + block + t, q, w, k + t)
        length *= 4
    if odd:
        half = n // 2
        for t in range(0, half, width):
            ar, ai = load(re, at + t), load(im, at + t)
            wr, wi = load(w, t), load(w, half + t)
            br, bi = _times_conjugate(load(re, at + t + half), load(im, at + t + half), wr, wi)
            store(re, at + t, ar + br)
            store(im, at + t, ai + bi)
            store(re, at + t + half, ar - br)
            store(im, at + t + half, ai - bi)
