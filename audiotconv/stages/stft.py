"""The short-time Fourier transform of arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ParameterError
from ..filters import window as window_of
from .chain import Chain
from .checks import integer_at_least
from .spectrum import MOST_POINTS, PADS, Spectrum

__all__ = ["stft"]


def stft(
    x: ArrayLike,
    n_fft: int = 512,
    hop: int | None = None,
    *,
    window: str | ArrayLike = "hann",
    win_length: int | None = None,
    centre: bool = True,
    pad: str = "zero",
    threads: int | None = None,
) -> NDArray[np.complex64]:
    """The short-time Fourier transform, as librosa.stft and torch.stft define it.

    Parameters
    ----------
    x : (..., time)
        Real numbers, computed with as float32. NaN and infinity spoil the frames that see them.
    n_fft : int
        Points of each transform; sizes with the factors 2, 3 and 5 are fast.
    hop : int, optional
        Samples from one frame to the next; a quarter of the window by default.
    window : str or (win_length,) array
        "hann", "hamming", "povey", "blackman" or "rectangular", periodic, or its values.
    win_length : int, optional
        Of the window, which stands in the middle of n_fft; n_fft by default.
    centre : bool
        Whether frame f is centred on sample f * hop, with padding at both ends, or begins there.
    pad : "zero", "reflect", "symmetric" or "edge"
        librosa pads with zeros, torch reflects.
    threads : int, optional
        At most this many; by default as many as pay.

    Returns
    -------
    array of complex64
        Shape: (..., n_fft // 2 + 1, frames)

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    Examples
    --------
    >>> stft(np.ones(1000), 256, 64).shape
    (129, 16)
    """
    signal = np.asarray(x)
    if signal.dtype.kind not in "fiub":
        raise ParameterError(f"x is of type {signal.dtype}; it must be real numbers")
    if signal.ndim < 1:
        raise ParameterError("x is a single number; it must have a time axis")
    if not isinstance(pad, str) or pad not in PADS:
        raise ParameterError(f"pad is {pad!r}; it must be one of {', '.join(PADS)}")
    n_fft = integer_at_least("n_fft", n_fft, 1)
    if n_fft > MOST_POINTS:
        raise ParameterError(f"n_fft is {n_fft}; it must be at most {MOST_POINTS:,}")
    if isinstance(window, str):
        if window == "gaussian":
            raise ParameterError(
                "window is 'gaussian', which needs a width; give its values instead, as filters.window does"
            )
        length = integer_at_least("win_length", n_fft if win_length is None else win_length, 1)
        taps = window_of(window, length, periodic=True)
    else:
        try:
            if window is None:
                raise TypeError
            taps = np.atleast_1d(np.asarray(window, np.float64))
        except (TypeError, ValueError):
            raise ParameterError(f"window is {window!r}; it must be a name or an array of numbers") from None
        if win_length is not None and taps.shape != (win_length,):
            raise ParameterError(f"the window has the shape {taps.shape}, and win_length is {win_length}")
    stage = Spectrum(
        taps, max(1, len(taps) // 4) if hop is None else hop, sample_rate=1, n_fft=n_fft, pad=pad, values="complex",
        framing="centre" if centre else "valid",
    )  # fmt: skip
    *leading, time = signal.shape
    with np.errstate(over="ignore"):  # beyond float32's range becomes infinite, as NaN and infinity pass through
        data = np.ascontiguousarray(signal.reshape(math.prod(leading), time), np.float32)
    rows: NDArray[Any] = Chain([stage]).run(data, threads)
    out = np.empty((*leading, n_fft // 2 + 1, rows.shape[2]), np.complex64)
    parts = rows.reshape(*leading, n_fft // 2 + 1, 2, rows.shape[2])
    out.real, out.imag = parts[..., 0, :], parts[..., 1, :]
    return out
