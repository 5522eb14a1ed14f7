"""The 84 dilated kernels of nine taps, and their limits, that MiniRocket and MultiRocket pool with."""

from __future__ import annotations

import hashlib
import os
import zipfile
from dataclasses import dataclass, fields
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError

__all__ = ["KERNEL_PLACES", "NineTapBank", "arrays_of", "dilations_for", "quantiles"]

KERNEL_PLACES = np.array(list(combinations(range(9), 3)), np.int64)  # where a kernel's weights are 2; the others are -1
_KERNELS = len(KERNEL_PLACES)
_MOST_BYTES = 1 << 28


@dataclass(frozen=True, eq=False)
class NineTapBank:
    """Kernels of nine taps, six of which weigh -1 and three 2, with dilations, channels and limits.

    Attributes
    ----------
    channels : int
        Of the series that it is for.
    dilations : (dilations,) int64
        How far a kernel's taps are apart.
    features_per_dilation : (dilations,) int64
        How many limits each of the 84 kernels has there.
    channel_counts : (dilations * 84,) int64
        How many channels a kernel sees the sum of.
    channel_indices : (...,) int64
        Which: those of the first kernel, those of the second, ...
    limits : (features,) float32
        The biases: a feature is about the outputs above one of them.

    Raises
    ------
    ParameterError
        If the arrays do not fit each other.

    Notes
    -----
    Source: Dempster, Schmidt and Webb, "MiniRocket: a very fast (almost) deterministic transform for time series
    classification", arXiv 2012.08791.
    """

    channels: int
    dilations: NDArray[np.int64]
    features_per_dilation: NDArray[np.int64]
    channel_counts: NDArray[np.int64]
    channel_indices: NDArray[np.int64]
    limits: NDArray[np.float32]

    def __post_init__(self) -> None:
        for name in ("dilations", "features_per_dilation", "channel_counts", "channel_indices"):
            given = np.asarray(getattr(self, name))
            if given.ndim != 1 or given.dtype.kind not in "iu":
                raise ParameterError(f"{name} are {given.dtype} {given.shape}; they must be a row of integers")
            object.__setattr__(self, name, given.astype(np.int64))
        limits = np.asarray(self.limits)
        if limits.ndim != 1 or limits.dtype.kind != "f" or not np.isfinite(limits).all():
            raise ParameterError(f"limits are {limits.dtype} {limits.shape}; they must be a row of finite numbers")
        object.__setattr__(self, "limits", limits.astype(np.float32))
        object.__setattr__(self, "channels", int(self.channels))
        combinations_ = len(self.dilations) * _KERNELS
        wanted = {
            "features_per_dilation": len(self.dilations),
            "channel_counts": combinations_,
            "channel_indices": int(self.channel_counts.sum()),
            "limits": int(self.features_per_dilation.sum()) * _KERNELS,
        }
        for name, count in wanted.items():
            if len(getattr(self, name)) != count or count == 0:
                raise ParameterError(f"there are {len(getattr(self, name))} {name}; there must be {count}")
        if self.dilations.min() < 1 or self.features_per_dilation.min() < 0 or self.channel_counts.min() < 1:
            raise ParameterError("dilations and channel_counts must be at least 1, features_per_dilation at least 0")
        if not 0 <= self.channel_indices.min() <= self.channel_indices.max() < self.channels:
            raise ParameterError(f"channel_indices must be from 0 to {self.channels - 1}")

    @property
    def span(self) -> int:
        """How many time steps the longest kernel sees."""
        return int(self.dilations.max()) * 8 + 1

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Kernel, dilation and number of the limit: "kernel 3, dilation 8, limit 1"."""
        return tuple(
            f"kernel {kernel}, dilation {dilation}, limit {limit}"
            for dilation, count in zip(self.dilations.tolist(), self.features_per_dilation.tolist(), strict=True)
            for kernel in range(_KERNELS)
            for limit in range(count)
        )

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where in `channel_indices` each kernel's begin, and the last one's end."""
        return np.concatenate([[0], np.cumsum(self.channel_counts)])

    @property
    def digest(self) -> str:
        """Of all numbers: equal banks have the same one."""
        digest = hashlib.sha256()
        for name, array in self.arrays().items():
            digest.update(f"{name} {array.shape};".encode() + np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:32]

    def leads(self, n: int) -> NDArray[np.int64]:
        """How many outputs at either end of a series of n steps do not count, for each feature.

        Every second kernel counts only outputs of which all taps lie within the series, if there are any.
        """
        first = np.arange(len(self.dilations))[:, None] + np.arange(_KERNELS)
        reach = 4 * self.dilations[:, None]
        leads = np.where((first % 2 == 1) & (2 * reach < n), reach, 0)
        return np.repeat(leads.ravel(), np.repeat(self.features_per_dilation, _KERNELS))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The fields as arrays, by name."""
        return {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}

    @staticmethod
    def from_arrays(arrays: dict[str, NDArray[Any]], where: str, prefix: str = "") -> NineTapBank:
        """The bank that `arrays` made, of which some may have been read from a file that `where` names."""
        names = [field.name for field in fields(NineTapBank)]
        lacking = [name for name in names if prefix + name not in arrays]
        if lacking:
            raise ParameterError(f"{where} lacks {', '.join(lacking)}; it is not a fitted MiniRocket")
        try:
            return NineTapBank(**{name: arrays[prefix + name] for name in names})  # type: ignore[arg-type]
        except (ParameterError, TypeError, ValueError) as error:
            raise ParameterError(f"{where}: {error}") from None


def arrays_of(path: str | os.PathLike[str], where: str) -> dict[str, NDArray[Any]]:
    """The plain arrays of a .npz file.

    Raises
    ------
    ParameterError
        If it cannot be read, or is no such file; `where` begins the message.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > _MOST_BYTES:
            raise ParameterError(f"{where} holds more than {_MOST_BYTES:,} bytes")
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except OSError as error:
        raise ParameterError(f"{where} cannot be read: {error.strerror or error}") from None
    except ParameterError:
        raise
    except Exception as error:  # decoders of damaged files raise whatever they stumble on
        raise ParameterError(f"{where} is not an .npz file of plain arrays ({error})") from None


def dilations_for(length: int, features: int, most: int = 32) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Dilations for series of a length, and how many features each of the 84 kernels has with each of them.

    Parameters
    ----------
    length : int
        In time steps. The largest dilation lets nine taps just fit.
    features : int
        In all; rounded down to a multiple of 84, and at least 84.
    most : int
        How many dilations at most.

    Examples
    --------
    >>> dilations, features = dilations_for(100, 1000)
    >>> dilations.tolist(), features.tolist()
    ([1, 2, 3, 4, 5, 7, 9, 12], [3, 2, 1, 1, 1, 1, 1, 1])
    """
    each = max(1, features // _KERNELS)
    count = min(each, most)
    largest = np.log2(max(1.0, (length - 1) / 8))
    spaced = np.logspace(0, largest, count, base=2).astype(np.int32)
    dilations, times = np.unique(spaced, return_counts=True)
    found = (times * (each / count)).astype(np.int64)
    for i in range(each - int(found.sum())):
        found[i % len(found)] += 1
    return dilations.astype(np.int64), found


def quantiles(count: int) -> NDArray[np.float32]:
    """Numbers from 0 to 1 that are well apart however many there are: multiples of the golden ratio, modulo 1."""
    golden = (np.sqrt(5) + 1) / 2
    return np.asarray(np.arange(1, count + 1) * golden % 1, np.float32)
