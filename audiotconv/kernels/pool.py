"""Pooling along time where windows overlap or touch: the cost hardly depends on the window's length.

Level k of a signal holds, at every time step t, the sum (or maximum) of the 2**k values from t on. Each level is the
one before plus itself, shifted by 2**k, so a window of any length is the sum of one entry per binary digit of its
length, smallest first: log2(length) additions for every time step, in vectors along time, and none that depends on
where the window lies. Such a tree of additions also keeps rounding errors at log2(length), where a running sum would
let them grow with the length. A maximum needs two entries only, which may overlap. As long as windows have an even
length and begin at even places (25 ms every 10 ms: 400 and 160 at 16 kHz, four times), a level keeps every second entry
only, and all levels together cost little more than the first.

Means and deviations are merged up the same tree, pair by pair, from (mean, sum of squared deviations): the method of
Chan, Golub and LeVeque (1979), whose error grows with mean / deviation, not with its square as that of sums of
squares does.

Windows that are far apart are cheaper one at a time: see pool_windows.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from .compile import kernel
from .simd import broadcast, copy, evens, fma, gather, lanes, load, odds, select, splat, sqrt, store

__all__ = ["ENERGY", "LP", "MAX", "MEAN", "MIN", "PPV", "RMS", "STATS", "pool1d", "valid_taps"]

MAX, MIN, MEAN, ENERGY, RMS, LP, PPV, STATS = range(8)
_TASK = 4096  # time steps of one task, where windows are not longer
_FEW = 8  # a maximum of so few values is faster without levels


@njit(nogil=True)
def valid_taps(start, size, dilation, inputs):  # type: ignore[no-untyped-def]
    """The half-open range of taps j of a window for which 0 <= start + j * dilation < inputs."""
    low = max(0, -(start // dilation))
    high = min(size, -((start - inputs) // dilation))
    return low, max(low, high)


@njit(nogil=True)
def _entering(v, how):  # type: ignore[no-untyped-def]
    """Values as they enter the sum."""
    if how in (ENERGY, RMS):
        return v * v
    if how == PPV:
        return select(v > splat(v, 0.0), splat(v, 1.0), splat(v, 0.0))
    return v


@njit(nogil=True)
def _extreme(a, b, least):  # type: ignore[no-untyped-def]
    """The larger (or smaller) one in every lane; NaN where either is."""
    best = select(a < b, a, b) if least else select(b < a, a, b)
    return select(a == a, best, a)


@njit(nogil=True)
def _fill(x, row, source, inputs, how, power, scratch):  # type: ignore[no-untyped-def]
    """scratch[i] = x[row, source + i] as it enters the sum; outside of the first `inputs`, what adds nothing."""
    reach = scratch.shape[0]
    low = min(reach, max(0, -source))
    high = max(low, min(reach, inputs - source))
    outside = x.dtype.type(-np.inf if how == MAX else (np.inf if how == MIN else 0.0))
    scratch[:low] = outside
    scratch[high:] = outside
    at = row * x.shape[1] + source
    flat = x.reshape(-1)
    if how == LP:
        for i in range(low, high):
            scratch[i] = abs(flat[at + i]) ** power
        return
    width = lanes(x)
    whole = low + (high - low) // width * width
    for i in range(low, whole, width):
        store(scratch, i, _entering(load(x, at + i), how))
    if whole < high:
        edge = np.zeros(width, x.dtype)
        copy(x, at + whole, edge, 0, high - whole)
        store(edge, 0, _entering(load(edge, 0), how))
        copy(edge, 0, scratch, whole, high - whole)


@njit(nogil=True)
def _windows(a, at, hop):  # type: ignore[no-untyped-def]
    """Entries of neighbouring windows; may read, and not use, up to three entries more."""
    width = lanes(a)
    if hop == 1:
        return load(a, at)
    if hop == 2:
        return evens(load(a, at), load(a, at + width))
    if hop == 4:
        low = evens(load(a, at), load(a, at + width))
        return evens(low, evens(load(a, at + 2 * width), load(a, at + 3 * width)))
    return gather(a, at, hop)


@kernel
def pool1d(x, lengths, how, size, hop, dilation, left, padded, power, ddof, out, spread):  # type: ignore[no-untyped-def]
    """Reduce windows of the last axis.

    Parameters
    ----------
    x : (rows, inputs) float32 or float64
    lengths : (rows,) int64; how many inputs of each row count: what follows is padding
    how : MAX or MIN (the padding never wins; NaN does), or MEAN, ENERGY, RMS, LP, PPV, STATS (the padding is zeros)
    size, hop, dilation, left : int; the window, the step between windows, the step within, the left padding
    padded : bool; whether means are over the whole window, or over what is not padding (not for STATS)
    power : of x's type; for LP
    ddof : int; for STATS: the deviation's divisor is the window less this
    out : (rows, frames), as x
    spread : (rows, frames) for STATS: the standard deviation, where out is the mean; else of any size
    """
    rows, inputs = x.shape
    frames = out.shape[1]
    width = lanes(x)
    extent = (size - 1) * dilation
    run = max(1, max(_TASK, 2 * extent) // (width * hop)) * width  # windows of one task
    run = min(run, (frames + width - 1) // width * width)
    runs = (frames + run - 1) // run if frames else 0
    for task in prange(rows * runs):
        row = np.intp(task) // runs
        first = (np.intp(task) - row * runs) * run
        here = min(run, frames - first)
        vectors = (here + width - 1) // width
        steps = (vectors * width - 1) * hop + extent  # to the last input of the last whole vector of windows
        begin = first * hop - left
        to = row * frames + first
        if how in (MAX, MIN) and size <= _FEW and begin >= 0 and begin + steps + 4 <= lengths[row]:
            # No sums to share: inputs are compared where they lie.
            whole = here // width * width
            at = row * inputs + begin
            edge = np.empty(width, x.dtype)
            for f in range(0, here, width):
                best = _windows(x, at + f * hop, hop)
                for j in range(1, size):
                    best = _extreme(best, _windows(x, at + f * hop + j * dilation, hop), how == MIN)
                if f < whole:
                    store(out, to + f, best)
                else:
                    store(edge, 0, best)
                    copy(edge, 0, out, to + f, here - f)
            continue
        scratch = np.empty((steps // width + 3) * width, x.dtype)
        deviations = np.zeros(scratch.shape[0] if how == STATS else 0, x.dtype)
        total = np.empty(vectors * width, x.dtype)
        squares = np.zeros(vectors * width if how == STATS else 0, x.dtype)
        _fill(x, row, begin, lengths[row], how, power, scratch)
        # Where windows begin at even places and have an even length, every second entry of a level is enough.
        span, pace, unit = size, hop, 1  # in entries, of `unit` values each
        while dilation == 1 and span % 2 == 0 and pace % 2 == 0:
            span //= 2
            pace //= 2
            _halve(scratch, deviations, how, unit, (vectors * width - 1) * pace + span)
            unit *= 2
        end = (vectors * width - 1) * pace + (span - 1) * dilation + 1  # entries that windows may reach
        count = 1  # entries in an entry of this level
        taken = 0  # entries in `total`
        while True:
            if how in (MAX, MIN):
                if 2 * count > span:
                    shift = (span - count) * dilation
                    for v in range(vectors):
                        at = v * width * pace
                        best = _extreme(_windows(scratch, at, pace), _windows(scratch, at + shift, pace), how == MIN)
                        store(total, v * width, best)
                    break
            elif span & count:
                shift = taken * dilation
                if how == STATS:
                    _merge(scratch, deviations, shift, pace, count, total, squares, taken, unit)
                else:
                    for v in range(vectors):
                        more = _windows(scratch, v * width * pace + shift, pace)
                        store(total, v * width, load(total, v * width) + more if taken else more)
                taken += count
                if taken == span:
                    break
            shift = count * dilation
            end -= shift
            # Levels are computed in whole vectors: entries beyond `end` are nonsense, and no window needs them.
            if how in (MAX, MIN):
                for t in range(0, end, width):
                    store(scratch, t, _extreme(load(scratch, t), load(scratch, t + shift), how == MIN))
            elif how == STATS:
                _double(scratch, deviations, shift, count * unit, end)
            else:
                for t in range(0, end, width):
                    store(scratch, t, load(scratch, t) + load(scratch, t + shift))
            count *= 2
        if how == STATS:
            _write(squares, here, RMS, x.dtype.type(size - ddof), spread, to)
            _write(total, here, MAX, x.dtype.type(1.0), out, to)
        elif how == LP:
            for f in range(here):
                out[row, first + f] = total[f] ** (x.dtype.type(1.0) / power)
        elif padded or how in (MAX, MIN) or (begin >= 0 and begin + steps < lengths[row]):
            _write(total, here, how, x.dtype.type(size), out, to)
        else:
            for f in range(here):
                low, high = valid_taps(begin + f * hop, size, dilation, lengths[row])
                mean = total[f] / x.dtype.type(max(1, high - low))
                out[row, first + f] = np.sqrt(mean) if how == RMS else mean


@njit(nogil=True)
def _write(total, count, how, divisor, out, at):  # type: ignore[no-untyped-def]
    """out[at : at + count] = the first `count` totals, as `how` has them. (They are whole vectors.)"""
    width = lanes(total)
    whole = count // width * width
    for i in range(0, count, width):
        v = load(total, i)
        if how not in (MAX, MIN):
            v = v / broadcast(divisor)
            v = sqrt(v) if how == RMS else v
        if i < whole:
            store(out, at + i, v)
        else:
            store(total, i, v)
    copy(total, whole, out, at + whole, count - whole)


@njit(nogil=True)
def _double(means, squares, shift, count, end):  # type: ignore[no-untyped-def]
    """The next level of means and of sums of squared deviations, from entries of `count` values each."""
    width = lanes(means)
    half = means.dtype.type(0.5)
    weight = means.dtype.type(0.5 * count)
    for t in range(0, end, width):
        a, b = load(means, t), load(means, t + shift)
        apart = b - a
        together = load(squares, t) + load(squares, t + shift)
        store(squares, t, fma(apart * apart, splat(a, weight), together))
        store(means, t, fma(apart, splat(a, half), a))


@njit(nogil=True)
def _merge(means, squares, shift, hop, count, mean, square, taken, unit):  # type: ignore[no-untyped-def]
    """Add entries of `count` units to windows that hold `taken` so far."""
    width = lanes(means)
    part = mean.dtype.type(count / (taken + count))
    weight = mean.dtype.type(unit * count * (taken / (taken + count)))
    for v in range(0, mean.shape[0], width):
        b = _windows(means, v * hop + shift, hop)
        if taken == 0:
            store(mean, v, b)
            store(square, v, _windows(squares, v * hop + shift, hop))
        else:
            a = load(mean, v)
            apart = b - a
            together = load(square, v) + _windows(squares, v * hop + shift, hop)
            store(square, v, fma(apart * apart, splat(a, weight), together))
            store(mean, v, fma(apart, splat(a, part), a))


@njit(nogil=True)
def _halve(a, squares, how, unit, count):  # type: ignore[no-untyped-def]
    """The first `count` entries of the next level at even places, from entries of `unit` values each."""
    width = lanes(a)
    for t in range(0, count, width):
        low, high = load(a, 2 * t), load(a, 2 * t + width)
        first, second = evens(low, high), odds(low, high)
        if how in (MAX, MIN):
            store(a, t, _extreme(first, second, how == MIN))
        elif how == STATS:
            apart = second - first
            low, high = load(squares, 2 * t), load(squares, 2 * t + width)
            together = evens(low, high) + odds(low, high)
            store(squares, t, fma(apart * apart, splat(apart, 0.5 * unit), together))
            store(a, t, fma(apart, splat(apart, 0.5), first))
        else:
            store(a, t, first + second)
