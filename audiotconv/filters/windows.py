"""Windows: how a frame is weighted before its Fourier transform."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from ..geometry import integer

__all__ = ["window"]

_NAMES = ("hann", "hamming", "povey", "blackman", "rectangular", "gaussian")
_LONGEST = 10_000_000


def window(
    name: str, length: int, *, periodic: bool, blackman_coeff: float = 0.42, std: float | None = None
) -> NDArray[np.float64]:
    """A window's weights.

    A symmetric window has its first weight again at its end, and equals its mirror image to the last bit: Kaldi's and
    HTK's. A periodic one is the symmetric one of ``length + 1`` without its last weight, as a Fourier transform wants
    it: librosa's and torch's. Both are [1.0] at length 1.

    Parameters
    ----------
    name : "hann", "hamming", "povey", "blackman", "rectangular" or "gaussian"
        "povey" is a Hann window to the power 0.85, Kaldi's default.
    length : int
        In samples.
    periodic : bool
    blackman_coeff : float
        The mean of a Blackman window before it is sampled; other windows leave it alone.
    std : float
        The standard deviation of a Gaussian window in samples, which other windows do not have.

    Returns
    -------
    array of float64
        Shape: (length,)

    Raises
    ------
    ParameterError
        If the name is unknown or a parameter out of its range.

    Notes
    -----
    Source: Harris, "On the use of windows for harmonic analysis with the discrete Fourier transform", 1978; Kaldi's
    feature-window for "povey" and `blackman_coeff`. All but "povey" are those of scipy.signal.get_window.

    Examples
    --------
    >>> window("hann", 5, periodic=False).round(3).tolist()
    [0.0, 0.5, 1.0, 0.5, 0.0]
    >>> window("hann", 4, periodic=True).round(3).tolist()
    [0.0, 0.5, 1.0, 0.5]
    """
    if name not in _NAMES:
        raise ParameterError(f"the window is {name!r}; it must be one of {', '.join(_NAMES)}")
    if not 1 <= integer("the window's length", length) <= _LONGEST:
        raise ParameterError(f"the window's length is {length}; it must be from 1 to {_LONGEST:,} samples")
    if name == "blackman" and not np.isfinite(blackman_coeff):
        raise ParameterError(f"blackman_coeff is {blackman_coeff}; it must be a finite number, such as 0.42")
    if name == "gaussian" and (std is None or not 0.0 < std < np.inf):
        raise ParameterError(f"std is {std}; a gaussian window needs a number of samples above 0")
    if name != "gaussian" and std is not None:
        raise ParameterError(f"std is {std}, but a {name} window has none; leave it out, or take a gaussian window")
    if length == 1:
        return np.ones(1)
    last = length if periodic else length - 1  # of the symmetric window
    from_middle = np.arange(length) - last / 2
    if std is not None:
        with np.errstate(over="ignore"):  # a weight whose exponent is beyond all numbers is 0
            return np.asarray(np.exp(-0.5 * (from_middle / std) ** 2))
    if name == "rectangular":
        return np.ones(length)
    cosine = np.cos(2 * np.pi / last * from_middle)
    if name == "hamming":
        return np.asarray(0.54 + 0.46 * cosine)
    if name == "blackman":
        twice = np.cos(4 * np.pi / last * from_middle)
        return np.asarray(blackman_coeff + 0.5 * cosine + (0.5 - blackman_coeff) * twice)
    hann = 0.5 + 0.5 * cosine
    return np.asarray(hann**0.85 if name == "povey" else hann)
