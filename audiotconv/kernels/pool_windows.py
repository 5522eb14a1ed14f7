"""Pooling along time one window at a time: windows that are far apart, of lengths of their own, or that need sorting.

A sum runs up a tree of pairs of neighbours, so that its error grows with the logarithm of the window's length only.
The tree depends on the number of values alone, and neither on where they lie nor on the vector width: the vectors of
a window are added pair by pair, even lanes to odd lanes, as a binary counter carries.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from .compile import kernel
from .exp import exp
from .pool import ENERGY, LP, MAX, MEAN, MIN, PPV, RMS, STATS, valid_taps
from .simd import evens, lanes, load, odds, select, splat, store

__all__ = ["ATTENTION", "MEDIAN", "pool_windows"]

MEDIAN, ATTENTION = 8, 9
_LEVELS = 48
_TASK = 16_384  # values of one task, where a window is not longer


@njit(nogil=True)
def _entering(v, how, centre):  # type: ignore[no-untyped-def]
    """Values as they enter the sum."""
    if how in (ENERGY, RMS):
        return v * v
    if how == PPV:
        return select(v > splat(v, 0.0), splat(v, 1.0), splat(v, 0.0))
    if how == STATS:
        apart = v - splat(v, centre)
        return apart * apart
    return v


@njit(nogil=True)
def _sum(x, at, count, how, centre, tree):  # type: ignore[no-untyped-def]
    """The sum of x[at : at + count] as they enter it; `tree` is scratch of _LEVELS + 1 vectors."""
    flat = x.reshape(-1)
    width = lanes(x)
    zero = x.dtype.type(0.0)
    total = zero
    few = count % width
    if few:
        tree[:width] = zero
        tree[:few] = flat[at : at + few]
        store(tree, 0, _entering(load(tree, 0), how, centre))
        first = 0
        block = 1
        while block <= few:  # blocks of 1, 2, 4, ... values
            if few & block:
                total += _folded(tree, first, block)
                first += block
            block *= 2
        at += few
    block = 1
    vectors = count // width
    while block <= vectors:  # blocks of 1, 2, 4, ... vectors
        if vectors & block:
            level = 0
            for v in range(block):
                carry = _entering(load(x, at + v * width), how, centre)
                level = 0
                digit = v
                while digit & 1:
                    below = load(tree, level * width)
                    carry = evens(below, carry) + odds(below, carry)
                    level += 1
                    digit >>= 1
                store(tree, level * width, carry)
            total += _folded(tree, level * width, width)
            at += block * width
        block *= 2
    return total


@njit(nogil=True)
def _folded(a, first, count):  # type: ignore[no-untyped-def]
    """The sum of a power of two of values, pair by pair; they are overwritten."""
    while count > 1:
        count //= 2
        for i in range(count):
            a[first + i] = a[first + 2 * i] + a[first + 2 * i + 1]
    return a[first]


@njit(nogil=True)
def _extreme(x, at, count, least):  # type: ignore[no-untyped-def]
    """The largest or smallest of x[at : at + count], NaN if one is there."""
    flat = x.reshape(-1)
    width = lanes(x)
    best = flat[at]
    if count >= width:
        bests = load(x, at)
        for i in range(width, count - width + 1, width):
            v = load(x, at + i)
            better = select(v < bests, v, bests) if least else select(bests < v, v, bests)
            bests = select(v == v, select(bests == bests, better, bests), v)
        edge = np.empty(width, x.dtype)
        store(edge, 0, bests)
        for i in range(width):
            if edge[i] != edge[i] or (edge[i] < best if least else best < edge[i]):
                best = edge[i]
            if best != best:
                return best
    for i in range(count // width * width, count):
        v = flat[at + i]
        if v != v:
            return v
        if v < best if least else best < v:
            best = v
    return best


@kernel
def pool_windows(x, scores, lengths, how, size, hop, dilation, left, padded, power, ddof, out, spread):  # type: ignore[no-untyped-def]
    """Reduce windows of the last axis, each by itself.

    Parameters
    ----------
    x : (rows, inputs) float32 or float64
    scores : for ATTENTION as x, or float64, else of any size; a value's weight is its score's softmax over the window
    lengths : (rows,) int64; how many inputs of each row count: what follows is padding
    how : a way of pooling
    size, hop, dilation, left : int; the window, the step between windows, the step within, the left padding;
        with size 0, each row is divided into as many windows as there are frames, as equal as can be
    padded : bool; whether padding counts as zeros where a mean is taken, or not at all
    power : of x's type; for LP
    ddof : int; for STATS: the deviation's divisor is the number of values less this
    out : (rows, frames), as x
    spread : (rows, frames) for STATS: the standard deviation, where out is the mean; else of any size
    """
    rows, inputs = x.shape
    frames = out.shape[1]
    width = lanes(x)
    number = x.dtype.type
    run = max(1, min(64, _TASK // max(1, size)))  # windows of one task
    runs = (frames + run - 1) // run
    for task in prange(rows * runs):
        row = np.intp(task) // runs
        first = (np.intp(task) - row * runs) * run
        tree = np.empty((_LEVELS + 1) * width, x.dtype)
        for frame in range(first, min(frames, first + run)):
            if size:
                start = frame * hop - left
                low, high = valid_taps(start, size, dilation, lengths[row])
                start += low * dilation
                count = high - low
            else:
                start = frame * lengths[row] // frames
                count = -(-(frame + 1) * lengths[row] // frames) - start
            if count <= 0:
                out[row, frame] = number(0.0)
                if how == STATS:
                    spread[row, frame] = number(0.0)
                continue
            values, at = x, row * inputs + start
            if dilation > 1 or how in (MEDIAN, LP, ATTENTION):
                whole = (count + width - 1) // width * width
                copied = np.empty((1, whole), x.dtype)
                for i in range(count):
                    v = x[row, start + i * dilation]
                    copied[0, i] = abs(v) ** power if how == LP else v
                values, at = copied, 0
                if how == ATTENTION:
                    given = np.empty((1, whole), scores.dtype)
                    for i in range(count):
                        given[0, i] = scores[row, start + i * dilation]
                    most = _extreme(given, 0, count, False)
                    if not np.isfinite(most):
                        out[row, frame] = number(np.nan)
                        continue
                    # Differences are taken in the scores' own type, which may be wider than x's; where the exponential
                    # has long been zero, they might overflow.
                    weights = np.zeros((1, whole), x.dtype)
                    least = most - scores.dtype.type(2000.0)
                    for i in range(count):
                        weights[0, i] = given[0, i] - most if given[0, i] >= least else scores.dtype.type(-2000.0)
                    copied[0, count:] = number(0.0)
                    for i in range(0, whole, width):
                        weight = exp(load(weights, i))
                        store(weights, i, weight)
                        store(copied, i, load(copied, i) * weight)
            if how in (MAX, MIN):
                out[row, frame] = _extreme(values, at, count, how == MIN)
                continue
            if how == MEDIAN:
                ordered = np.sort(values[0, :count])
                below, middle = ordered[(count - 1) // 2], ordered[count // 2]
                if below != middle:
                    half = number(0.5)
                    middle = half * (below + middle) if abs(below) < 1.0 else half * below + half * middle
                out[row, frame] = ordered[count - 1] if ordered[count - 1] != ordered[count - 1] else middle
                continue
            total = _sum(values, at, count, MEAN if how == STATS else how, number(0.0), tree)
            if how == ATTENTION:
                out[row, frame] = total / _sum(weights, 0, count, MEAN, number(0.0), tree)
            elif how == LP:
                out[row, frame] = total ** (number(1.0) / power)
            elif how == STATS:
                mean = total / number(count)
                squares = _sum(values, at, count, STATS, mean, tree)
                if padded and size > count:  # merged with as many zeros
                    squares += mean * mean * number(count * ((size - count) / size))
                    mean *= number(count / size)
                    count = size
                out[row, frame] = mean
                spread[row, frame] = np.sqrt(squares / number(count - ddof)) if count > ddof else number(0.0)
            else:
                mean = total / number(size if padded and size else count)
                out[row, frame] = np.sqrt(mean) if how == RMS else mean
