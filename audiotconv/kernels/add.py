"""Sums of two arrays, and their activation, in one pass."""

from __future__ import annotations

import numpy as np
from numba import prange

from .compile import kernel
from .exp import activate
from .simd import lanes

__all__ = ["add"]

_RUN = 4096


@kernel
def add(a, b, kind, slope, out):  # type: ignore[no-untyped-def]
    """out = the activation of a + b.

    Parameters
    ----------
    a, b, out : (n,) float32
    kind, slope : an activation of `exp` (not SQUARED_MODULUS), and its parameter
    """
    n = out.size
    runs = (n + _RUN - 1) // _RUN
    for run in prange(runs):
        start = np.intp(run) * _RUN
        stop = min(n, start + _RUN)
        for i in range(start, stop):
            out[i] = a[i] + b[i]
        if kind:
            activate(out, start, stop - start, kind, slope, np.empty(lanes(out), out.dtype))
