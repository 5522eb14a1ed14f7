"""Filter banks on samples."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from ...errors import RecipeError
from ...filters import FilterBank, gabor_bank, gammatone_bank, sinc_bank
from ...stages import BankEnergy, Stage
from ..quantities import Choice, Count, Quantity, StoredFile
from .kind import StageKind

__all__ = ["BANKS"]

_DESIGNS: dict[str, Callable[..., FilterBank]] = {
    "gammatone": gammatone_bank,
    "gabor": gabor_bank,
    "sinc": sinc_bank,
}

# A filter's passband must stay clear of half the sample rate.
_HIGHEST = 0.45

# Energies that are summed at a time, one for each band and each hop within a window: at most some 100 MB of them.
_MOST_SUMS = 10_000_000


def _check_bank_energy(values: dict[str, Any]) -> None:
    stored = values["filters"] == "file"
    for key in ("file",) if stored else ("bands", "fmin", "fmax"):
        if key not in values:
            raise RecipeError(f"lacks the key {key!r}: {BANKS['bank-energy'].parameters[key].meaning}")
    for key in ("bands", "fmin", "fmax", "length") if stored else ("file",):
        if key in values:
            raise RecipeError(
                f"{key} is given, and filters is {values['filters']!r}, whose file says it all"
                if stored
                else f'file is for filters = "file", and filters is {values["filters"]!r}'
            )
    if "length" in values and values["filters"] != "sinc":
        raise RecipeError(f"length is for sinc filters; {values['filters']} filters are as long as their bands need")
    if not stored and values["fmin"] >= values["fmax"]:
        raise RecipeError(f"fmin is {values['fmin']:g} Hz and fmax {values['fmax']:g} Hz; fmin must be the lower one")
    if values["window"] < values["hop"]:
        raise RecipeError(
            f"the window is {values['window'] * 1e3:g} ms and the hop {values['hop'] * 1e3:g} ms; "
            "windows must not leave gaps"
        )
    bands = values["file"].content.bands if stored else values["bands"]
    if values["window"] / values["hop"] * bands > _MOST_SUMS:
        raise RecipeError(
            f"the window is {values['window'] * 1e3:g} ms, the hop {values['hop'] * 1e3:g} ms and bands "
            f"{bands}; window / hop * bands must be at most {_MOST_SUMS:,}"
        )


def _bank(values: dict[str, Any], sample_rate: int) -> FilterBank:
    if values["filters"] == "file":
        stored: FilterBank = values["file"].content.bank(sample_rate)
        return stored
    fmin, fmax = values["fmin"], min(values["fmax"], _HIGHEST * sample_rate)
    if fmin >= fmax:
        raise RecipeError(
            f"at a sample rate of {sample_rate} Hz bands reach up to {_HIGHEST * sample_rate:g} Hz, "
            f"and fmin is {fmin:g} Hz"
        )
    design = functools.partial(
        _DESIGNS[values["filters"]], values["bands"], sample_rate=sample_rate, fmin=fmin, fmax=fmax
    )
    if "length" not in values:
        return design()
    span = 2 * int(values["length"] * sample_rate / 2) + 1
    if span < 3:
        raise RecipeError(
            f"a length of {values['length'] * 1e3:g} ms is {span} sample at {sample_rate} Hz; it must be at least 3"
        )
    return design(span=span)


def _bank_energy(values: dict[str, Any], sample_rate: int, before: Sequence[Stage]) -> Stage:
    hop, window = round(values["hop"] * sample_rate), round(values["window"] * sample_rate)
    if hop < 1:
        raise RecipeError(f"a hop of {values['hop'] * 1e3:g} ms is less than one sample at {sample_rate} Hz")
    # The hop is exact; the stride is its largest divisor within the limit, and the window whole strides.
    most = max(1, int(values["stride"] * sample_rate + 1e-9))
    stride = _largest_divisor(hop, most)
    return BankEnergy(
        _bank(values, sample_rate), window=max(hop, round(window / stride) * stride), hop=hop, stride=stride
    )


def _largest_divisor(number: int, most: int) -> int:
    """The largest divisor that is at most `most`, found in steps as many as the number's square root."""
    small = [step for step in range(1, math.isqrt(number) + 1) if number % step == 0]
    return max(step for low in small for step in (low, number // low) if step <= most)


BANKS = {
    "bank-energy": StageKind(
        {
            "filters": Choice("the design of the filters", words=(*_DESIGNS, "file")),
            "bands": Count("how many filters", optional=True, least=1, most=10_000),
            "file": StoredFile("a .npz or .safetensors file with filters, beside the recipe", optional=True),
            "fmin": Quantity("the lowest frequency", optional=True, kind="frequency"),
            "fmax": Quantity(
                "the highest frequency, or 0.45 times the sample rate if that is lower", optional=True, kind="frequency"
            ),
            "length": Quantity(
                "the length of sinc filters; by default what the narrowest needs", optional=True, kind="time"
            ),
            "window": Quantity("the length of the average", kind="time"),
            "hop": Quantity("the time from one frame to the next", kind="time"),
            "stride": Quantity("filter outputs are computed at least this often", default="1 us", kind="time"),
        },
        _bank_energy,
        takes_samples=True,
        check=_check_bank_energy,
    ),
}
