"""Convolution and pooling that your own ``@njit`` functions can call, also from within ``prange``.

They write into arrays that the caller has made, run on the calling thread, release the GIL where it does, and check
nothing: wrong shapes read and write memory that is not theirs. Arrays are C-contiguous, all float32 or all float64.
The bits are those of `audiotconv.conv1d` (by its direct methods); pooled sums may differ from those of
`audiotconv.pool1d` in the last place.

>>> import numpy as np
>>> from numba import njit
>>> from audiotconv import njit as kernels
>>> @njit
... def smoothed_peak(x, taps, bias, filtered, peaks):
...     kernels.conv1d(x, taps, bias, 1, 1, 0, filtered)
...     kernels.pool1d(filtered, kernels.MAX, 4, 4, 0, peaks)
>>> x = np.arange(10, dtype=np.float32).reshape(1, 10)
>>> filtered, peaks = np.empty((1, 8), np.float32), np.empty((1, 2), np.float32)
>>> smoothed_peak(x, np.full((1, 1, 3), 1 / 3, np.float32), np.zeros(1, np.float32), filtered, peaks)
>>> peaks.round(3).tolist()
[[4.0, 8.0]]
"""

from __future__ import annotations

import numpy as np

from .kernels.compile import kernel
from .kernels.conv import conv1d as _packed
from .kernels.conv_rows import conv1d_rows as _conv1d_rows
from .kernels.pool import ENERGY, MAX, MEAN, MIN, PPV, RMS
from .kernels.pool_windows import MEDIAN
from .kernels.pool_windows import pool_windows as _pool_windows
from .kernels.simd import TILE_COLS, TILE_ROWS, lanes

__all__ = ["ENERGY", "MAX", "MEAN", "MEDIAN", "MIN", "PPV", "RMS", "conv1d", "pool1d"]

_many, _few = _packed.serial, _conv1d_rows.serial
_pool = _pool_windows.serial


@kernel
def njit_conv1d(x, weight, bias, stride, dilation, left, out):  # type: ignore[no-untyped-def]
    """Cross-correlation along the last axis.

    Parameters
    ----------
    x : (groups * channels, time)
    weight : (filters, channels, taps)
    bias : (filters,)
    stride, dilation, left : int; `left` zeros stand before x, and as many as `out` needs behind it
    out : (filters, frames); what it asks for is computed
    """
    filters, channels, taps = weight.shape
    groups = x.shape[0] // channels
    each = filters // groups
    whole = x.reshape(1, x.shape[0], x.shape[1])
    target = out.reshape(1, out.shape[0], out.shape[1])
    zero = x.dtype.type(0.0)
    if each <= TILE_ROWS // 2 and stride <= 16:
        _few(whole, weight, bias, groups, stride, dilation, left, 0, 0.0, target)
        return
    blocks = (each + TILE_ROWS - 1) // TILE_ROWS
    packed = np.full((groups, blocks, channels * taps, TILE_ROWS), zero, x.dtype)
    offsets = np.full((groups, blocks, TILE_ROWS), zero, x.dtype)
    for f in range(filters):
        group = f // each
        block, row = (f - group * each) // TILE_ROWS, (f - group * each) % TILE_ROWS
        offsets[group, block, row] = bias[f]
        for c in range(channels):
            for k in range(taps):
                packed[group, block, c * taps + k, row] = weight[f, c, k]
    leads = np.empty(taps, np.int64)  # each tap has a packed row of its own
    where = np.empty(channels * taps, np.int64)
    width = TILE_COLS * lanes(x)
    for k in range(taps):
        leads[k] = k * dilation
    for n in range(channels * taps):
        where[n] = n * width
    _many(whole, packed, offsets, leads, width, where, stride, left, 0, 0.0, target)


@kernel
def njit_pool1d(x, how, size, hop, left, out):  # type: ignore[no-untyped-def]
    """Reduce windows of the last axis.

    Parameters
    ----------
    x : (rows, time)
    how : MAX, MIN, MEAN, ENERGY, RMS, PPV or MEDIAN
    size, hop, left : int; the window, the step between windows, and the padding before x, which is as long as `out`
        needs behind it; it counts as zeros, but never in MAX, MIN and MEDIAN
    out : (rows, frames)
    """
    lengths = np.full(x.shape[0], x.shape[1], np.int64)
    padded = how != MAX and how != MIN and how != MEDIAN
    one = x.dtype.type(1.0)
    _pool(x, x, lengths, how, size, hop, 1, left, padded, one, 0, out, out)


conv1d = njit_conv1d.serial
pool1d = njit_pool1d.serial
