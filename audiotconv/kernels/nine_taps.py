"""The 84 kernels of MiniRocket: nine taps, of which six weigh -1 and three 2, in tiles of time.

With S[t] the negative sum of nine inputs d steps apart and T_g[t] three times the g-th of them, the kernel whose
weights 2 stand at a, b and c gives S + T_a + T_b + T_c. Nine shifted rows make all the 84 outputs; kernels with the
same a and b share S + T_a + T_b, so that an output costs little more than one addition. A tile's outputs stay in the
first cache, where each kernel's limits are compared with them, and are gone when the next kernel comes.

A tile holds `rows` vectors of SLOTS numbers. In *lines* it is a stretch of time. In *columns* slot s walks along a
stretch of its own: place i * SLOTS + s belongs to time s * pace + i, so that what depends on the order of time (how
long a series stays above a limit) is vertical arithmetic, too. SLOTS does not change with the processor's vectors, and
neither do the sums of the slots.

Sums are in the order of aeon's: S from the middle, then from the left, then from the right.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .simd import broadcast, copy, lanes, load, store, transpose

__all__ = ["KERNELS", "SLOTS", "TAPS", "aligned", "cut", "output", "pair", "rows_of_tile", "shifts", "validity"]

KERNELS, TAPS, SLOTS = 84, 9, 16
_ROOM = 1 << 16  # numbers of a tile's shifted rows: they should stay in the second cache


@njit(nogil=True)
def rows_of_tile(channels):  # type: ignore[no-untyped-def]
    """How many vectors of SLOTS numbers a tile has along time, a multiple of SLOTS for one channel."""
    return min(40, max(4, _ROOM // ((TAPS + 1) * SLOTS * channels) // 4 * 4))


@njit(nogil=True)
def cut(x, row, start, count, out, at):  # type: ignore[no-untyped-def]
    """out[at + i] = x[row, start + i], or 0 outside of x."""
    n = x.shape[1]
    left = min(count, max(0, -start))
    right = max(left, min(count, n - start))
    out[at : at + left] = 0.0
    copy(x, row * n + start + left, out, at + left, right - left)
    out[at + right : at + count] = 0.0


@njit(nogil=True)
def shifts(x, row, start, pace, rows, dilation, skew, line, tile):  # type: ignore[no-untyped-def]
    """Fill the row's (TAPS + 1) * rows * SLOTS numbers of `tile`, which follow those of the row before: T_0 to T_8, S.

    `pace` is 0 for a tile in lines that begins at time `start`; else slot s begins at start + s * pace. With `skew`
    the inputs before the middle one are that much nearer. `line` is scratch of rows * SLOTS numbers.
    """
    width = lanes(x)
    size = rows * SLOTS
    base = row * (TAPS + 1) * size
    for g in range(TAPS):
        at = base + g * size
        shift = (g - TAPS // 2) * dilation
        if g < TAPS // 2:
            shift += skew
        if pace == 0:
            cut(x, row, start + shift, size, tile, at)
        else:
            for s in range(SLOTS):
                cut(x, row, start + s * pace + shift, rows, line, s * rows)
            whole = rows // width * width
            for s in range(0, SLOTS, width):
                for i in range(0, whole, width):
                    transpose(line, s * rows + i, rows, tile, at + i * SLOTS + s, SLOTS)
            for i in range(whole, rows):
                for s in range(SLOTS):
                    tile[at + i * SLOTS + s] = line[s * rows + i]
    three = broadcast(np.float32(3.0))
    for i in range(0, size, width):
        negative = -load(tile, base + (TAPS // 2) * size + i)
        for g in range(TAPS):
            if g != TAPS // 2:
                negative = negative - load(tile, base + g * size + i)
        store(tile, base + TAPS * size + i, negative)
        for g in range(TAPS):
            store(tile, base + g * size + i, load(tile, base + g * size + i) * three)


@njit(nogil=True)
def validity(start, pace, rows, low, high, out):  # type: ignore[no-untyped-def]
    """out = NaN where the place's time is outside of [low, high), which is above and below no limit; else 0.

    `pace` is 0 for lines; else slot s covers times from start + s * pace on.
    """
    size = rows * SLOTS
    nothing = np.float32(np.nan)
    out[:size] = np.float32(0.0)
    if pace == 0:
        out[: min(size, max(0, low - start))] = nothing
        out[min(size, max(0, high - start)) : size] = nothing
    else:
        for s in range(SLOTS):
            for i in range(min(rows, max(0, low - start - s * pace))):
                out[i * SLOTS + s] = nothing
            for i in range(min(rows, max(0, high - start - s * pace)), rows):
                out[i * SLOTS + s] = nothing


@njit(nogil=True)
def aligned(count, like):  # type: ignore[no-untyped-def]
    """An uninitialized array of `like`'s type that begins with a cache line, which vectors then do not straddle."""
    room = np.empty(count + 16, like.dtype)
    skip = -(room.ctypes.data // room.itemsize) % 16
    return room[skip : skip + count]


@njit(nogil=True)
def pair(tile, rows, a, b, partial):  # type: ignore[no-untyped-def]
    """partial = S + T_a + T_b of the first channel, which kernels with that a and b share."""
    width = lanes(tile)
    size = rows * SLOTS
    for i in range(0, size, width):
        s = load(tile, TAPS * size + i) + load(tile, a * size + i) + load(tile, b * size + i)
        store(partial, i, s)


@njit(nogil=True)
def output(tile, rows, a, b, c, several, channels, first, count, partial, valid, partly, out):  # type: ignore[no-untyped-def]
    """out = a kernel's output on a tile, plus `valid` if the tile is `partly` valid.

    `tile` holds what `shifts` made of each channel. Where there are `several`, the kernel sees the sum of `count` of
    them, which are channels[first], channels[first + 1], ... Where not, `partial` is what `pair` made.
    """
    width = lanes(tile)
    size = rows * SLOTS
    if several:
        for k in range(first, first + count):
            at = channels[k] * (TAPS + 1) * size
            for i in range(0, size, width):
                s = load(tile, at + TAPS * size + i) + load(tile, at + a * size + i)
                s = s + load(tile, at + b * size + i) + load(tile, at + c * size + i)
                store(out, i, s if k == first else load(out, i) + s)
    else:
        for i in range(0, size, width):
            store(out, i, load(partial, i) + load(tile, c * size + i))
    if partly:
        for i in range(0, size, width):
            store(out, i, load(out, i) + load(valid, i))
