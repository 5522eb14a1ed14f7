"""Frames of sound to spectra, bands and their logarithms in one pass, as many frames at a time as a vector has lanes.

The samples under a task's frames are copied to scratch as float32, with the padding in it, and each stretch of one
hop becomes a column: a row then holds one time step of neighbouring frames, and the steps of the next hop are the same
rows, one frame later, so that overlapping frames are transposed once. Mean, pre-emphasis, window, transform, power,
bands and logarithm are vertical arithmetic on rows that stay in the first-level cache, and the result is already in
rows of bands. Nothing of the size of a spectrogram is written unless it is what was asked for.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from .compile import kernel
from .fft_lanes import most, spectra, transform
from .log import logarithm
from .simd import copy, fma, lanes, load, load_as, splat, spread, store, transpose

__all__ = ["COMPLEX", "EDGE", "MAGNITUDE", "POWER", "REFLECT", "SYMMETRIC", "ZERO", "bands", "spectrum"]

POWER, MAGNITUDE, COMPLEX = range(3)
ZERO, REFLECT, SYMMETRIC, EDGE = range(4)

_GROUPS = 4  # vectors of frames in one task
_RUN = 4096


@njit(nogil=True)
def _inside(i, n, pad):  # type: ignore[no-untyped-def]
    """Which sample stands at place i outside of 0 to n - 1; -1 for a zero."""
    if pad == ZERO or n == 0:
        return -1
    if pad == EDGE or n == 1:
        return 0 if i < 0 else n - 1
    around = 2 * n - 2 if pad == REFLECT else 2 * n
    i %= around
    if i < n:
        return i
    return around - i if pad == REFLECT else around - 1 - i


@njit(nogil=True)
def _segment(x, channel, start, scale, pad, out, size):  # type: ignore[no-untyped-def]
    """out[:size] = scale * x[channel, start : start + size], and padding outside of x."""
    n = x.shape[1]
    width = lanes(out)
    low = min(size, max(0, -start))
    high = max(low, min(size, n - start))
    base = channel * n + start
    whole = low + (high - low) // width * width
    for i in range(low, whole, width):
        store(out, i, load_as(out, x, base + i) * splat(load(out, i), scale))
    for i in range(whole, high):
        out[i] = np.float32(x[channel, start + i]) * scale
    for part in range(2):
        for i in range(0 if part == 0 else high, low if part == 0 else size):
            source = _inside(start + i, n, pad)
            out[i] = np.float32(0.0) if source < 0 else np.float32(x[channel, source]) * scale


@njit(nogil=True)
def _windowed(grid, at, pitch, hop, window, mean, emphasis, energy, buf, to):  # type: ignore[no-untyped-def]
    """Rows of time steps, less their mean, pre-emphasised, times the window, to buf[to:]. Gives the frames' energies.

    Step t of the frames is the row ``grid[at + t % hop * pitch + t // hop :]``: that of step t - hop, one frame later.
    energy : 0 for none, 1 before pre-emphasis, 2 after the window
    """
    v = lanes(buf)
    n = window.shape[0]
    zero = splat(load(grid, at), 0.0)
    centre = zero
    turns = (n + hop - 1) // hop
    if mean:
        # Four sums, so that one need not wait for another.
        a, b, c, d = zero, zero, zero, zero
        for q in range(turns):
            steps = min(hop, n - q * hop)
            whole = steps // 4 * 4
            row = at + q
            for t in range(0, whole, 4):
                a = a + load(grid, row + t * pitch)
                b = b + load(grid, row + (t + 1) * pitch)
                c = c + load(grid, row + (t + 2) * pitch)
                d = d + load(grid, row + (t + 3) * pitch)
            for t in range(whole, steps):
                a = a + load(grid, row + t * pitch)
        centre = ((a + b) + (c + d)) / splat(zero, n)
    total = zero
    if energy == 1:
        for q in range(turns):
            for t in range(min(hop, n - q * hop)):
                y = load(grid, at + q + t * pitch) - centre
                total = fma(y, y, total)
    before = load(grid, at) - centre
    factor = splat(zero, -emphasis)
    for q in range(turns):
        k = q * hop
        steps = min(hop, n - k)
        row = at + q
        if emphasis != 0.0:
            for t in range(steps):
                now = load(grid, row + t * pitch) - centre
                store(buf, to + (k + t) * v, fma(before, factor, now) * spread(window, k + t))
                before = now
        elif mean:
            for t in range(steps):
                store(buf, to + (k + t) * v, (load(grid, row + t * pitch) - centre) * spread(window, k + t))
        else:
            for t in range(steps):
                store(buf, to + (k + t) * v, load(grid, row + t * pitch) * spread(window, k + t))
    if energy == 2:
        for t in range(n):
            y = load(buf, to + t * v)
            total = fma(y, y, total)
    return total


@njit(nogil=True, forceinline=True)
def _mixed(rows, at, pitch, weights, spans, band):  # type: ignore[no-untyped-def]
    """The sum of a band's rows times its weights, in the order of the rows."""
    first, last, where = spans[band, 0], spans[band, 1], spans[band, 2]
    total = splat(load(rows, at), 0.0)
    for k in range(first, last):
        total = fma(load(rows, at + k * pitch), spread(weights, where + k - first), total)
    return total


@kernel
def spectrum(  # type: ignore[no-untyped-def]
    x, scale, origin, hop, pad, window, skip, mean, emphasis, energy, energy_floor, n, passes, w,
    where, w2, kind, low, weights, spans, logs, floor, factor, out
):  # fmt: skip
    """Spectra of frames, or bands of them.

    Parameters
    ----------
    x : (channels, samples), int16, int32 or float32
    scale : float32; samples are multiplied by it
    origin, hop : int; the sample under the first frame's first window value, and the samples between frames
    pad : int; ZERO, REFLECT, SYMMETRIC or EDGE: what stands outside of x
    window : (span,) float32; where n is even, half of the window
    skip : int; zeros before the windowed samples in the transform
    mean : bool; whether the frame's mean is subtracted
    emphasis : float; each sample less so many times the one before it in the frame (the first less itself)
    energy : int; 1 or 2: the first row of out is the logarithm of the frame's energy, from `_windowed`
    energy_floor : float32; its least energy
    n, passes, w, where, w2 : of the transform, as `fft_lanes` has them
    kind : POWER, MAGNITUDE or COMPLEX
    low : int; the first row of the spectrum that is wanted
    weights, spans : float32 and (bands, 3) int64; a band's first row, the one after its last, and where its weights
        begin; no bands leave the spectrum as it is
    logs : bool; whether factor * log(max(value, floor)) is taken of the bands or the spectrum
    floor, factor : float32
    out : (channels, features, frames) float32
    """
    channels, features, frames = out.shape
    v = lanes(out)
    span = window.shape[0]
    later = (span - 1) // hop  # the hops that a frame reaches beyond its first one
    pitch = (_GROUPS * v + later + v - 1) // v * v
    steps = (min(hop, span) + v - 1) // v * v
    stride = min(hop, steps)  # of what lies between frames, nobody sees more
    size = (pitch - 1) * stride + steps
    rows = (n // 2 + 1) * (2 if kind == COMPLEX else 1)
    values = (n if n % 2 == 0 else 2 * n) + v
    count = most(n, passes)
    largest = 0
    for p in range(passes.shape[0]):
        largest = max(largest, passes[p])
    groups = (frames + v - 1) // v
    tasks = (groups + _GROUPS - 1) // _GROUPS
    head = 1 if energy else 0
    for task in prange(channels * tasks):
        channel = np.intp(task) // tasks
        first = (np.intp(task) - channel * tasks) * _GROUPS
        # Rows begin on cache lines, so that no vector of them lies on two.
        raw = np.empty((values + rows + 2 * largest + 4) * v, np.float32)
        aligned = ((64 - (np.intp(raw.ctypes.data) & 63)) & 63) // 4
        buf = raw[aligned : aligned + values * v]
        spec = raw[aligned + values * v : aligned + (values + rows) * v]
        scratch = raw[aligned + (values + rows) * v :]
        segment = np.empty(size, np.float32)
        grid_raw = np.empty(steps * pitch + 16, np.float32)
        grid = grid_raw[((64 - (np.intp(grid_raw.ctypes.data) & 63)) & 63) // 4 :]
        edge = np.empty(v, np.float32)
        used = (min(_GROUPS, groups - first) * v + later + v - 1) // v * v
        start = origin + first * v * hop
        if stride == hop:
            _segment(x, channel, start, scale, pad, segment, (used - 1) * hop + steps)
        else:
            for frame in range(used):
                _segment(x, channel, start + frame * hop, scale, pad, segment[frame * stride :], steps)
        for frame in range(0, used, v):
            for t in range(0, steps, v):
                transpose(segment, frame * stride + t, stride, grid, t * pitch + frame, pitch)
        for group in range(first, min(groups, first + _GROUPS)):
            here = min(v, frames - group * v)
            step = 1 if n % 2 == 0 else 2  # an odd frame has no pairs: its imaginary parts are zero
            at = (group - first) * v
            total = _windowed(grid, at, pitch, hop, window, mean, emphasis, energy, buf, skip * v)
            for t in range(skip):
                store(buf, t * v, splat(total, 0.0))
            for t in range(skip + span, n):
                store(buf, t * v, splat(total, 0.0))
            if step == 2:
                for t in range(n - 1, -1, -1):
                    store(buf, 2 * t * v, load(buf, t * v))
                    store(buf, (2 * t + 1) * v, splat(total, 0.0))
            transform(buf, n if step == 2 else n // 2, passes, count, w, scratch)
            spectra(buf, n, passes, where, w2, spec, kind)
            to = channel * features * frames + group * v
            if head:
                if energy == 2 and step == 1:
                    total = total * splat(total, 4.0)  # of the whole window
                _given(out, to, logarithm(total, energy_floor, np.float32(1.0)), here, edge)
            for feature in range(features - head):
                if spans.shape[0]:
                    y = _mixed(spec, low * v, v, weights, spans, feature)
                else:
                    y = load(spec, (low + feature) * v)
                if logs:
                    y = logarithm(y, floor, factor)
                _given(out, to + (feature + head) * frames, y, here, edge)


@njit(nogil=True, forceinline=True)
def _given(out, to, y, here, edge):  # type: ignore[no-untyped-def]
    """Store the first `here` lanes."""
    if here == lanes(out):
        store(out, to, y)
    else:
        store(edge, 0, y)
        copy(edge, 0, out, to, here)


@kernel
def bands(x, aside, weights, spans, out):  # type: ignore[no-untyped-def]
    """Sums of rows times weights: out[c, aside + b] from x[c, aside:], with the bits of `spectrum`.

    x : (channels, rows, time); out : (channels, aside + bands, time), whose first `aside` rows are those of x
    """
    channels, rows, time = x.shape
    v = lanes(x)
    runs = (time + _RUN - 1) // _RUN
    for task in prange(channels * runs):
        channel = np.intp(task) // runs
        first = (np.intp(task) - channel * runs) * _RUN
        last = min(time, first + _RUN)
        edge = np.empty(v, x.dtype)
        scratch = np.zeros(rows * v, x.dtype)
        source = channel * rows * time
        for feature in range(aside):
            copy(
                x, source + feature * time + first, out, (channel * out.shape[1] + feature) * time + first, last - first
            )
        for t in range(first, last, v):
            here = min(v, last - t)
            if here < v:
                for row in range(aside, rows):
                    copy(x, source + row * time + t, scratch, row * v, here)
            for band in range(spans.shape[0]):
                to = (channel * out.shape[1] + aside + band) * time + t
                if here == v:
                    store(out, to, _mixed(x, source + aside * time + t, time, weights, spans, band))
                else:
                    _given(out, to, _mixed(scratch, aside * v, v, weights, spans, band), here, edge)
