"""Convolution by overlap-save: blocks of the signal are transformed, multiplied by the filters' spectra, and back.

A transform of n points gives n - reach + 1 correct outputs, where reach is how many inputs a filter spans. Two
neighbouring blocks are transformed as the real and the imaginary part of one sequence: a real filter keeps them
apart. The signal's transform is shared by all filters. Blocks are counted from output 0, so the bits depend on the
shapes alone, and neither on the number of threads nor on how many outputs are asked for.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from .compile import kernel
from .exp import NONE, SQUARED_MODULUS, activate
from .fft import forward, inverse
from .simd import broadcast, copy, fma, lanes, load, store

__all__ = ["POOL_SUMS", "conv1d_blocks", "energy_blocks", "spectra"]

POOL_SUMS = 64  # sums that a pooled value is made of, side by side; pooling weights are padded to a multiple


@kernel
def spectra(weight, dilation, n, w, re, im):  # type: ignore[no-untyped-def]
    """The filters' spectra for cross-correlation, divided by n, in the order of `fft.forward`.

    Parameters
    ----------
    weight : (rows, taps) float32 or float64
    dilation, n : int
    w : `fft.twiddles` of n
    re, im : (rows, n), as weight
    """
    rows, taps = weight.shape
    for task in prange(rows):
        row = np.intp(task)
        edge = np.empty(32 * lanes(re), re.dtype)
        re[row] = 0
        im[row] = 0
        for k in range(taps):
            re[row, (n - k * dilation) % n] = weight[row, k] / re.dtype.type(n)
        forward(re, im, row * n, n, w, edge)


@njit(nogil=True)
def _fill(x, row, source, out):  # type: ignore[no-untyped-def]
    """out = x[row, source : source + len(out)], zero outside of x."""
    n = x.shape[1]
    size = out.shape[0]
    low = min(max(0, -source), size)
    high = max(low, min(size, n - source))
    out[:low] = 0
    copy(x, row * n + source + low, out, low, high - low)
    out[high:] = 0


@njit(nogil=True)
def _filtered(xr, xi, channels, hr, hi, row, n, w, yr, yi, edge):  # type: ignore[no-untyped-def]
    """y = the inverse transform of the sum over channels of x's spectrum times the filter's."""
    width = lanes(yr)
    for channel in range(channels):
        at = channel * n
        to = (row * channels + channel) * n
        for t in range(0, n, width):
            ar, ai = load(xr, at + t), load(xi, at + t)
            br, bi = load(hr, to + t), load(hi, to + t)
            if channel:
                store(yr, t, fma(ar, br, load(yr, t) - ai * bi))
                store(yi, t, fma(ar, bi, fma(ai, br, load(yi, t))))
            else:
                store(yr, t, fma(ar, br, -(ai * bi)))
                store(yi, t, fma(ar, bi, ai * br))
    inverse(yr, yi, 0, n, w, edge)


@kernel
def conv1d_blocks(x, hr, hi, bias, groups, w, block, stride, left, kind, slope, out):  # type: ignore[no-untyped-def]
    """Cross-correlation along the last axis.

    Parameters
    ----------
    x : (batch * groups * channels, inputs)
    hr, hi : (groups * filters * channels, n); the `spectra`
    bias : (groups * filters,)
    groups : int
    w : `fft.twiddles` of n
    block : int; outputs that a block gives, at every `stride`-th input: (block - 1) * stride + reach <= n
    stride, left : int; `left` zeros stand before x, and as many as needed behind it
    kind, slope : an activation of `exp`, and its parameter
    out : (batch, groups * filters, outputs), or half as many rows for SQUARED_MODULUS; all arrays of one type
    """
    n = hr.shape[1]
    batch, _, outputs = out.shape
    filters = bias.shape[0] // groups
    channels = hr.shape[0] // bias.shape[0]
    pairs = (outputs + 2 * block - 1) // (2 * block) if outputs else 0
    width = lanes(x)
    for task in prange(batch * groups * pairs):
        which = np.intp(task) // pairs
        first = (np.intp(task) - which * pairs) * 2 * block
        group = which % groups
        item = which // groups
        xr = np.empty(channels * n, x.dtype)
        xi = np.empty(channels * n, x.dtype)
        # Two vectors more: outputs at the end of a block are also handled in whole vectors.
        yr = np.zeros(n + 2 * width, x.dtype)
        yi = np.zeros(n + 2 * width, x.dtype)
        edge = np.empty(32 * width, x.dtype)
        squares = np.zeros(2 * (block + width) if kind == SQUARED_MODULUS else 0, x.dtype)
        for channel in range(channels):
            row = which * channels + channel
            source = first * stride - left
            _fill(x, row, source, xr[channel * n : (channel + 1) * n])
            _fill(x, row, source + block * stride, xi[channel * n : (channel + 1) * n])
            forward(xr, xi, channel * n, n, w, edge)
        for f in range(group * filters, (group + 1) * filters):
            _filtered(xr, xi, channels, hr, hi, f, n, w, yr, yi, edge)
            for part in range(2):
                begin = first + part * block
                here = min(block, outputs - begin)
                if here <= 0:
                    break
                y = yi if part else yr
                if stride > 1:
                    for t in range(here):
                        y[t] = y[t * stride]
                offset = broadcast(bias[f])
                if kind == NONE:
                    to = (item * out.shape[1] + f) * outputs + begin
                    whole = here // width * width
                    for t in range(0, whole, width):
                        store(out, to + t, load(y, t) + offset)
                    for t in range(whole, here):
                        out[item, f, begin + t] = y[t] + bias[f]
                    continue
                for t in range(0, here, width):
                    store(y, t, load(y, t) + offset)
                if kind == SQUARED_MODULUS:
                    at = part * (block + width)
                    for t in range(0, here, width):
                        v = load(y, t)
                        store(squares, at + t, fma(v, v, load(squares, at + t)) if f % 2 else v * v)
                    if f % 2:
                        copy(squares, at, out, (item * out.shape[1] + f // 2) * outputs + begin, here)
                else:
                    activate(y, 0, (here + width - 1) // width * width, kind, slope, edge)
                    copy(y, 0, out, (item * out.shape[1] + f) * outputs + begin, here)


@kernel
def energy_blocks(x, hr, hi, parts, w, block, origin, hop, weights, run, out):  # type: ignore[no-untyped-def]
    """Filter outputs squared and pooled with weights, of which nothing but the pooled values is written.

    Parameters
    ----------
    x : (channels, inputs) float32
    hr, hi : (bands * parts, n); the `spectra`
    parts : int; 1, or 2 for the real and the imaginary part of a filter, whose squares are added
    w : `fft.twiddles` of n
    block : int; outputs that a block gives: block - 1 + reach <= n
    origin : int; the input under tap 0 of output 0, negative in the padding
    hop : int; outputs from one frame to the next
    weights : (window,) float32, padded with zeros to a multiple of POOL_SUMS
    run : int; frames that two blocks give: (run - 1) * hop + window <= 2 * block
    out : (channels, bands, frames)
    """
    n = hr.shape[1]
    channels, bands, frames = out.shape
    runs = (frames + run - 1) // run if frames else 0
    width = lanes(x)
    window = weights.shape[0]
    for task in prange(channels * runs):
        channel = np.intp(task) // runs
        first = (np.intp(task) - channel * runs) * run
        here = min(run, frames - first)
        xr, xi = np.empty(n, x.dtype), np.empty(n, x.dtype)
        yr, yi = np.zeros(n + width, x.dtype), np.zeros(n + width, x.dtype)
        edge = np.empty(32 * width, x.dtype)
        sums = np.empty(POOL_SUMS, x.dtype)
        energy = np.zeros(2 * block + window + width, x.dtype)
        _fill(x, channel, origin + first * hop, xr)
        _fill(x, channel, origin + first * hop + block, xi)
        forward(xr, xi, 0, n, w, edge)
        for band in range(bands):
            for part in range(parts):
                _filtered(xr, xi, 1, hr, hi, band * parts + part, n, w, yr, yi, edge)
                # The second block's energies overwrite what the first one's last vector has too many.
                for half in range(2):
                    y = yi if half else yr
                    at = half * block
                    if part:
                        whole = block // width * width
                        for t in range(0, whole, width):
                            v = load(y, t)
                            store(energy, at + t, fma(v, v, load(energy, at + t)))
                        if whole < block:
                            v = load(y, whole)
                            store(edge, 0, fma(v, v, load(energy, at + whole)))
                            energy[at + whole : at + block] = edge[: block - whole]
                    else:
                        for t in range(0, block, width):
                            v = load(y, t)
                            store(energy, at + t, v * v)
                energy[2 * block :] = 0
            for f in range(here):
                for s in range(0, POOL_SUMS, 4 * width):
                    at = f * hop + s
                    a = broadcast(x.dtype.type(0.0))
                    b, c, d = a, a, a
                    for j in range(0, window, POOL_SUMS):
                        a = fma(load(energy, at + j), load(weights, s + j), a)
                        b = fma(load(energy, at + j + width), load(weights, s + j + width), b)
                        c = fma(load(energy, at + j + 2 * width), load(weights, s + j + 2 * width), c)
                        d = fma(load(energy, at + j + 3 * width), load(weights, s + j + 3 * width), d)
                    store(sums, s, a)
                    store(sums, s + width, b)
                    store(sums, s + 2 * width, c)
                    store(sums, s + 3 * width, d)
                count = POOL_SUMS
                while count > width:
                    count //= 2
                    for i in range(0, count, width):
                        store(sums, i, load(sums, i) + load(sums, i + count))
                while count > 1:
                    count //= 2
                    for i in range(count):
                        sums[i] += sums[i + count]
                out[channel, band, first + f] = sums[0]
