"""Sample arrays of every kind, brought to the few forms that kernels read."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import AudioError, ParameterError

__all__ = ["MAX_AMPLITUDE", "as_samples", "check_amplitude", "mean_of_channels", "scale_of"]

# Full scale is 1, and 32-bit integers that someone stored as they are in a float file reach 2e9. At 1e12 squares are
# 1e24, which leaves a factor of 3e14 for the gains of filters and sums over windows before float32 overflows.
MAX_AMPLITUDE = 1e12
_SCALES = {
    np.dtype(kind): np.float32(scale) for kind, scale in ((np.int16, 2.0**-15), (np.int32, 2.0**-31), (np.float32, 1.0))
}


_PCM = (np.dtype(np.int16), np.dtype(np.int32))


def scale_of(dtype: np.dtype[Any]) -> np.float32:
    """The power of two that brings samples of a kernel's input type to full scale 1."""
    return _SCALES[dtype]


def as_samples(signal: ArrayLike, first: int = 0) -> NDArray[Any]:
    """A signal as a C-contiguous, native-endian, writable array of int16, int32 or float32.

    Other floating-point types become float32. int16 and int32 are PCM and stay what they are. No copy is made where
    none is needed. `first` is the number of the first sample, for messages.

    Shape: (time,) or (channels, time) -> (channels, time)

    Raises
    ------
    ParameterError
        If the array has another number of dimensions or another type.
    AudioError
        If a sample is NaN, infinite or beyond MAX_AMPLITUDE, naming the first one.
    """
    array = np.asarray(signal)
    if array.ndim == 2 and array.dtype in _PCM and array.flags.carray and len(array):
        return array  # of chunk after chunk of a stream, nearly all
    if array.ndim not in (1, 2):
        raise ParameterError(f"the signal has the shape {array.shape}; it must be (time,) or (channels, time)")
    array = np.atleast_2d(array)
    if array.shape[0] == 0:
        raise ParameterError(f"the signal has the shape {array.shape}; at least one channel is needed")
    if array.dtype.kind == "f":
        name = "float32"
    elif array.dtype.newbyteorder("=").name in ("int16", "int32"):
        name = array.dtype.newbyteorder("=").name
    else:
        raise ParameterError(f"the samples are of type {array.dtype}; they must be int16, int32 or floating-point")
    if name == "float32":
        with np.errstate(over="ignore", invalid="ignore"):  # beyond float32's range becomes infinite, an error below
            result = np.require(array, name, ["C", "W", "A"])
        check_amplitude(result, array, first=first)
        return result
    return np.require(array, name, ["C", "W", "A"])


def check_amplitude(
    samples: NDArray[np.float32], original: NDArray[Any] | None = None, name: str = "", first: int = 0
) -> None:
    """Raise AudioError where a sample is NaN, infinite or too large, naming the first one, counted from `first` on.

    `original` has the values to show, where `samples` are rounded from it.

    Shape: (channels, time)
    """
    # Two reductions, and a comparison with NaN is false: one fast look for nearly every block.
    if samples.size == 0 or (samples.min() >= -MAX_AMPLITUDE and samples.max() <= MAX_AMPLITUDE):
        return
    time, channel = (int(at) for at in np.argwhere(~(np.abs(samples.T) <= MAX_AMPLITUDE))[0])
    value = (samples if original is None else original)[channel, time]
    where = f"{name}: sample" if name else "sample"
    message = f"{where} {first + time} of channel {channel} is {value:g}; every sample must be finite"
    if np.isfinite(value):
        raise AudioError(f"{message} and at most {MAX_AMPLITUDE:g} in amplitude (full scale is 1)", "too large")
    raise AudioError(message, "non-finite")


def mean_of_channels(samples: NDArray[Any]) -> NDArray[Any]:
    """One channel, the mean of all, as float32 at full scale 1; a single channel stays what it is.

    Shape: (channels, time) -> (1, time)
    """
    if samples.shape[0] == 1:
        return samples
    total = samples[0].astype(np.float64)
    for channel in samples[1:]:
        total += channel
    return np.asarray(total * (float(scale_of(samples.dtype)) / samples.shape[0]), np.float32)[None]
