"""Energies of a filter bank's outputs as a function: filtered, squared and pooled in one pass."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ParameterError
from ..filters import FilterBank
from ..kernels import overlap_save as kernels
from ..kernels.fft import LEAST_SIZE, twiddles
from .bank_energy import BankEnergy, used_taps
from .base import aligned_empty
from .checks import array_of, checked_out, floating, integer_at_least, threads_for
from .plan import plan, transform_cost

__all__ = ["filter_energy"]

_METHODS = ("auto", "direct", "overlap-save")
_SIGMA = 0.4  # LEAF's Gaussian windows, in half windows


def filter_energy(
    x: ArrayLike,
    bank: FilterBank,
    *,
    window: int,
    hop: int,
    pool: str | ArrayLike = "mean",
    method: str = "auto",
    threads: int | None = None,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Filter a signal with every filter of a bank, square (the modulus, if complex) and pool over windows.

    The filtered signals, which would be as many times longer than `x` as there are filters, never reach memory: this
    is the front end of SincNet and of LEAF, for any filters.

    Parameters
    ----------
    x : (..., time)
        Real numbers; computed as float32.
    bank : FilterBank
    window, hop : int
        In samples; `hop` at most `window`.
    pool : "mean", "gaussian" or (window,) numbers
        The weights of a window's energies: all the same; LEAF's initial Gaussian, with a standard deviation of 0.4
        half windows, scaled to a sum of 1; or your own.
    method : "auto", "direct" or "overlap-save"
        "direct" sums products and is for "mean" alone; its energies are exact to the last places also where a band
        holds next to nothing. "overlap-save" is by Fourier transforms: many times faster for long filters, with
        errors that relate to the loudest band. "auto" takes what is faster.
    threads : int, optional
        At most this many; by default as many as pay. The result does not depend on it.
    out : array, optional
        Where to write the result.

    Returns
    -------
    array
        float32. Shape: (..., bands, frames), frames = time / hop, rounded up. Frame f is centred on samples
        ``f * hop`` to ``(f + 1) * hop - 1``; zeros stand before and after the signal.

    Raises
    ------
    ParameterError
        If the lengths do not fit each other, or a parameter is out of its range.

    Notes
    -----
    Source of the operation: Zeghidour et al., LEAF: A learnable frontend for audio classification (2021).

    Examples
    --------
    >>> from audiotconv.filters import gabor_bank
    >>> bank = gabor_bank(40, sample_rate=16000)
    >>> filter_energy(np.ones(16000, np.float32), bank, window=401, hop=160, pool="gaussian").shape
    (40, 100)
    """
    signal = array_of("x", x)
    floating("x", signal)
    if signal.ndim < 1:
        raise ParameterError("x is a single number; it must have a time axis")
    window, hop = integer_at_least("window", window, 1), integer_at_least("hop", hop, 1)
    stage = BankEnergy(bank, window=window, hop=hop)
    if not isinstance(method, str) or method not in _METHODS:
        raise ParameterError(f"method is {method!r}; it must be one of {', '.join(_METHODS)}")
    mean = isinstance(pool, str) and pool == "mean"
    if method == "direct" and not mean:
        raise ParameterError('method is "direct", which averages only; pool must be "mean"')
    weights = _weights(pool, window)
    *leading, time = signal.shape
    bands, frames = len(stage.features), stage.geometry.count(time)
    single = np.dtype(np.float32)
    result = checked_out(out, (*leading, bands, frames), single, signal)
    data = np.require(signal.reshape(math.prod(leading), time), single, ["C", "W", "A"])
    workers = threads_for(stage.operations * data.size, threads)
    taps, _ = used_taps(bank)
    parts = [taps.real, taps.imag] if np.iscomplexobj(taps) else [taps]
    if method == "auto":
        way = plan((len(parts) * bands, 1, taps.shape[1])).method
        method = "overlap-save" if way == "overlap-save" or not mean else "direct"
    if method == "direct":
        result.reshape(len(data), bands, frames)[...] = stage.run(data, -stage.geometry.lead, frames, workers)
        return result
    span = taps.shape[1]
    n, block, run = _sizes(len(parts) * bands, span, window, hop)
    # Filters as correlations: the last tap first.
    rows = np.ascontiguousarray(np.stack(parts, axis=1).reshape(-1, span)[:, ::-1], single)
    w = twiddles(n, single)
    re, im = (aligned_empty((len(rows), n)) for _ in range(2))
    kernels.spectra(rows, 1, n, w, re, im, threads=workers)
    kernels.energy_blocks(
        data, re, im, len(parts), w, block, -stage.geometry.lead, hop, weights, run,
        result.reshape(len(data), bands, frames), threads=workers,
    )  # fmt: skip
    return result


def _weights(pool: str | ArrayLike, window: int) -> NDArray[np.float32]:
    """A window's weights, padded with zeros to what the kernel takes."""
    if isinstance(pool, str):
        if pool not in ("mean", "gaussian"):
            raise ParameterError(f'pool is {pool!r}; it must be "mean", "gaussian" or {window} weights')
        place = (np.arange(window) - (window - 1) / 2) / max(1, (window - 1) / 2)
        given = np.ones(window) if pool == "mean" else np.exp(-0.5 * (place / _SIGMA) ** 2)
        given /= given.sum()
    else:
        given = array_of("pool", pool)
        floating("pool", given)
        if given.shape != (window,):
            raise ParameterError(f"pool has the shape {given.shape}; it must be {window} weights")
        lost = ~(np.abs(given) <= float(np.finfo(np.float32).max))
        if lost.any():
            raise ParameterError(f"pool holds {given[lost][0]}; its weights must be finite as float32")
    weights = aligned_empty((-(-window // kernels.POOL_SUMS) * kernels.POOL_SUMS,))
    weights[:] = 0
    weights[:window] = given
    return weights


def _sizes(rows: int, span: int, window: int, hop: int) -> tuple[int, int, int]:
    """The transform's size, outputs of a block, and frames of two blocks, at the least cost for a frame."""
    n = LEAST_SIZE
    while 2 * (n - span + 1) < window:
        n *= 2
    choices = []
    for size in (n, 2 * n, 4 * n, 8 * n, 16 * n):
        block = size - span + 1
        run = (2 * block - window) // hop + 1
        choices.append((transform_cost(rows, 1, 1, size) / run, size, block, run))
    return min(choices)[1:]
