"""Filters that somebody else has found: read from a file of arrays."""

from __future__ import annotations

import hashlib
import os
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from .bank import FilterBank
from .gabor import gabor_bank

__all__ = ["StoredFilters", "read_filters"]

_MOST_BYTES = 1 << 28
_KEYS = ("taps", "taps_real", "taps_imag", "centres", "bandwidths", "sample_rate", "advance")


@dataclass(frozen=True, eq=False)
class StoredFilters:
    """Arrays of a file: `taps` with their `sample_rate`, or `centres` and `bandwidths` (Hz) of Gabor filters.

    Attributes
    ----------
    arrays : dict of str to array
    digest : str
        Of the arrays' names and values: the same numbers have the same one in any file.
    """

    arrays: dict[str, NDArray[Any]]
    digest: str

    @property
    def bands(self) -> int:
        """How many filters there are."""
        return len(self.arrays["taps" if "taps" in self.arrays else "centres"])

    def bank(self, sample_rate: int) -> FilterBank:
        """The filters for a sample rate.

        Raises
        ------
        ParameterError
            If taps were made for another sample rate, or the arrays do not fit each other.
        """
        found = self.arrays
        if "taps" not in found:
            return gabor_bank(sample_rate=sample_rate, centres=found["centres"], bandwidths=found["bandwidths"])
        own = float(found["sample_rate"])
        if own != sample_rate:
            raise ParameterError(
                f"the stored filters are for a sample rate of {own:g} Hz, and the samples have {sample_rate} Hz; "
                "give the recipe the sample_rate of its filters"
            )
        count = np.arange(self.bands)
        centres = found.get("centres", np.asarray(count + 1.0))
        widths = found.get("bandwidths", np.ones(self.bands))
        names = () if "centres" in found else tuple(f"filter {number}" for number in count)
        advance = int(found.get("advance", np.zeros(())))
        return FilterBank(found["taps"], centres, widths, sample_rate, advance, names)


def read_filters(path: str | os.PathLike[str]) -> StoredFilters:
    """The filters in a .npz or .safetensors file.

    Parameters
    ----------
    path : path
        With `taps` (bands, span), real or complex (or `taps_real` and `taps_imag`), their `sample_rate` in Hz, and
        optionally `centres`, `bandwidths` (Hz) and `advance` (samples), as FilterBank has them; or with `centres` and
        `bandwidths` alone, for Gabor filters. Reading .safetensors needs the extra `safetensors`.

    Raises
    ------
    ParameterError
        If the file cannot be read, or holds something else.
    """
    where = f"the filters' file {os.fspath(path)}"
    try:
        if os.path.getsize(path) > _MOST_BYTES:
            raise ParameterError(f"{where} is larger than {_MOST_BYTES:,} bytes")
        arrays = _safetensors(path) if os.fspath(path).endswith(".safetensors") else _npz(path)
    except OSError as error:
        raise ParameterError(f"{where} cannot be read: {error.strerror or error}") from None
    except ParameterError:
        raise
    except Exception as error:  # decoders of damaged files raise whatever they stumble on
        raise ParameterError(f"{where} is not a file of plain arrays ({error})") from None
    known = {name: np.asarray(array) for name, array in arrays.items() if name in _KEYS}
    for name, array in known.items():
        numeric = array.dtype.kind in "fiu" or (array.dtype.kind == "c" and name == "taps")
        if not numeric or not np.isfinite(array).all():
            raise ParameterError(f"{where}: {name} is of type {array.dtype}; it must be finite numbers")
    if "taps_real" in known:
        if "taps" in known:
            raise ParameterError(f"{where} has taps and taps_real; only one of them can say what the taps are")
        real = known.pop("taps_real")
        imaginary = known.pop("taps_imag", np.zeros(real.shape))
        if imaginary.shape != real.shape:
            raise ParameterError(
                f"{where}: taps_real has the shape {real.shape} and taps_imag {imaginary.shape}; they must be alike"
            )
        known["taps"] = real + 1j * imaginary
    for name, dimensions in (("taps", 2), ("centres", 1), ("bandwidths", 1)):
        if name in known and known[name].ndim != dimensions:
            need = "(bands, span)" if name == "taps" else "one for each band"
            raise ParameterError(f"{where}: {name} has the shape {known[name].shape}; it must be {need}")
    if "taps" in known and known.get("sample_rate", np.zeros(2)).size != 1:
        raise ParameterError(f"{where} has taps, and lacks their sample_rate, one number in Hz")
    if "taps" not in known and not {"centres", "bandwidths"} <= set(known):
        have = ", ".join(sorted(arrays)) or "nothing"
        raise ParameterError(f"{where} holds {have}; it must hold taps and sample_rate, or centres and bandwidths")
    for name in ("sample_rate", "advance"):
        if name in known:
            known[name] = known[name].reshape(-1)[:1].reshape(())
    if "advance" in known and not (known["advance"] == np.floor(known["advance"]) and abs(known["advance"]) < 1e9):
        raise ParameterError(f"{where}: advance is {known['advance']:g}; it must be a whole number of samples")
    digest = hashlib.sha256()
    for name in sorted(known):
        plain = np.ascontiguousarray(known[name], np.complex128 if known[name].dtype.kind == "c" else np.float64)
        digest.update(f"{name} {plain.dtype} {plain.shape};".encode() + plain.tobytes())
        known[name] = plain.reshape(known[name].shape)
    return StoredFilters(known, digest.hexdigest()[:32])


def _npz(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    if not zipfile.is_zipfile(path):
        raise ValueError("it is no .npz")
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
        if size > _MOST_BYTES:
            raise ParameterError(f"the filters' file {os.fspath(path)} holds more than {_MOST_BYTES:,} bytes")
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _safetensors(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    try:
        from safetensors.numpy import load_file
    except ImportError:
        raise ParameterError(
            "a .safetensors file needs the package safetensors, which is not installed: pip install safetensors"
        ) from None
    arrays: dict[str, NDArray[Any]] = load_file(path)
    return arrays
