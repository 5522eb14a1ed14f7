"""Values in recipes: numbers with units, checked against what a parameter can be."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import ParameterError, RecipeError
from ..filters import NineTapBank, StoredFilters, read_filters

__all__ = [
    "Choice",
    "Count",
    "Flag",
    "Length",
    "Number",
    "Numbers",
    "Parameter",
    "Quantity",
    "Stored",
    "StoredFile",
    "Words",
    "read_parameters",
    "samples",
    "written",
]

# Units as powers of ten of the base unit.
_UNITS = {
    "time": {"s": 0, "ms": -3, "us": -6},
    "frequency": {"Hz": 0, "kHz": 3},
}
_WRITTEN = re.compile(r"\s*([-+]?(?:\d+(?:\.\d*)?|\.\d+))(?:[eE]([-+]?\d{1,3}))?\s*([A-Za-z]+)\s*", re.ASCII)

# The longest time is an hour: counts of samples stay small enough to work with at every sample rate.
_MOST = {"time": (3600.0, "s"), "frequency": (1e9, "Hz")}

_MOST_SHOWN = 80


def written(value: Any) -> str:
    """A value as a message can show it: on one line, and not at any length."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, or tables within tables
        return f"{'an integer' if isinstance(value, int) else f'a {type(value).__name__}'} too large to show"
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN // 2]}...{text[-_MOST_SHOWN // 4 :]}"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One key of a recipe's stage. `default` None means that it must be given, unless it is optional."""

    meaning: str
    default: Any = None
    optional: bool = False

    def read(self, where: str, value: Any) -> Any:
        """The value in base units; RecipeError with one sentence that begins with `where` if it cannot be."""
        raise NotImplementedError

    def text(self, value: Any) -> str:
        """A value that `read` gave, as a recipe's file writes it; what it stands for is not in quotes."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, tuple):
            shown = ", ".join(self.text(each) for each in value)
            return f"[{shown if len(shown) <= _MOST_SHOWN else f'{len(value)} values'}]"
        return f"{value:.8g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True, slots=True)
class Quantity(Parameter):
    """A number with a unit, such as "25 ms" or "8 kHz", in s or Hz: above zero, or at least `least`."""

    kind: str = "time"
    least: float | None = None

    def read(self, where: str, value: Any) -> float:
        """In s or Hz."""
        units = _UNITS[self.kind]
        match = _WRITTEN.fullmatch(value) if isinstance(value, str) else None
        if match is None or match[3] not in units:
            named = " or ".join(f'"{unit}"' for unit in units)
            raise RecipeError(f"{where} is {written(value)}; it must be a {self.kind}: a number and {named}, in quotes")
        # The unit moves the decimal point before anything is rounded: "35 ms" and "0.035 s" are the same number.
        number = float(f"{match[1]}e{int(match[2] or 0) + units[match[3]]}")
        most, unit = _MOST[self.kind]
        if self.least is None and not 0.0 < number <= most:
            raise RecipeError(f"{where} is {written(value)}; it must be above zero and at most {most:g} {unit}")
        if self.least is not None and not self.least <= number <= most:
            raise RecipeError(f"{where} is {written(value)}; it must be from {self.least:g} to {most:g} {unit}")
        return number

    def text(self, value: float) -> str:
        """With its unit: "25 ms", "8000 Hz"."""
        if self.kind == "frequency":
            return f"{value:.8g} Hz"
        power, unit = next((p, u) for p, u in ((0, "s"), (3, "ms"), (6, "us")) if value * 10**p >= 1 or u == "us")
        return f"{value * 10**power:.8g} {unit}"


@dataclass(frozen=True, slots=True)
class Length(Parameter):
    """A time with a unit, such as "25 ms", or a number of samples, an integer."""

    def read(self, where: str, value: Any) -> float | int:
        """In s, or as the integer."""
        if isinstance(value, int) and not isinstance(value, bool):
            return Count("").read(where, value)
        if not isinstance(value, str):
            raise RecipeError(
                f"{where} is {written(value)}; it must be a time with a unit, in quotes, or a whole number of samples"
            )
        return Quantity("").read(where, value)

    def text(self, value: float | int) -> str:
        """A time with its unit, or "400 samples"."""
        return f"{value} samples" if isinstance(value, int) else Quantity("").text(value)


def samples(name: str, value: float | int, sample_rate: int) -> int:
    """A `Length` at a sample rate, rounded; RecipeError if it is less than a sample."""
    if isinstance(value, int):
        return value
    count = round(value * sample_rate)
    if count < 1:
        raise RecipeError(f"a {name} of {value * 1e3:g} ms is less than one sample at {sample_rate} Hz")
    return count


@dataclass(frozen=True, slots=True)
class Flag(Parameter):
    """true or false."""

    def read(self, where: str, value: Any) -> bool:
        """As it is."""
        if not isinstance(value, bool):
            raise RecipeError(f"{where} is {written(value)}; it must be true or false")
        return value


@dataclass(frozen=True, slots=True)
class Count(Parameter):
    """An integer from `least` to `most`."""

    least: int = 1
    most: int = 1_000_000

    def read(self, where: str, value: Any) -> int:
        """As it is."""
        if isinstance(value, bool) or not isinstance(value, int) or not self.least <= value <= self.most:
            raise RecipeError(f"{where} is {written(value)}; it must be an integer from {self.least} to {self.most}")
        return value


_LARGEST = 1e37  # what float32 can hold, with room for a step more


@dataclass(frozen=True, slots=True)
class Number(Parameter):
    """A number from `least` to `most`, without a unit."""

    least: float = -math.inf
    most: float = math.inf

    def read(self, where: str, value: Any) -> float:
        """As it is."""
        real = isinstance(value, int | float) and not isinstance(value, bool)
        least, most = max(self.least, -_LARGEST), min(self.most, _LARGEST)
        if not (real and least <= value <= most):
            raise RecipeError(f"{where} is {written(value)}; it must be a number from {least:g} to {most:g}")
        return float(value)


@dataclass(frozen=True, slots=True)
class Choice(Parameter):
    """One of a few words."""

    words: tuple[str, ...] = ()

    def read(self, where: str, value: Any) -> str:
        """As it is."""
        if value not in self.words:
            raise RecipeError(f"{where} is {written(value)}; it must be one of {', '.join(self.words)}")
        return str(value)


@dataclass(frozen=True, slots=True)
class Words(Parameter):
    """A list of some of a few words."""

    words: tuple[str, ...] = ()

    def read(self, where: str, value: Any) -> tuple[str, ...]:
        """As a tuple."""
        given = tuple(value) if isinstance(value, list | tuple) else ()
        if not given or any(not isinstance(word, str) or word not in self.words for word in given):
            raise RecipeError(f"{where} is {written(value)}; it must be a list of some of {', '.join(self.words)}")
        return given


@dataclass(frozen=True, slots=True)
class Numbers(Number):
    """A number, or a list with one for each feature."""

    def read(self, where: str, value: Any) -> Any:
        """As a float, or a tuple."""
        if not isinstance(value, list | tuple):
            return super(Numbers, self).read(where, value)
        return tuple(super(Numbers, self).read(f"{where}[{at}]", each) for at, each in enumerate(value))


class Stored(str):
    """What a file holds as a recipe's value: the digest of its numbers, which is what the recipe's hash sees."""

    content: StoredFilters | NineTapBank

    def __new__(cls, content: StoredFilters | NineTapBank) -> Stored:
        """Named by the digest."""
        value = super().__new__(cls, content.digest)
        value.content = content
        return value

    def __reduce__(self) -> Any:
        return Stored, (self.content,)


@dataclass(frozen=True, slots=True)
class StoredFile(Parameter):
    """The path of a file with numbers, which `reader` reads at once: what happens to the file later is no matter."""

    reader: Callable[[str], StoredFilters | NineTapBank] = read_filters
    ends: str = ".npz or .safetensors"

    def read(self, where: str, value: Any) -> Stored:
        """As what it holds."""
        if isinstance(value, Stored):
            return value
        if not isinstance(value, str) or not value or "\0" in value:
            raise RecipeError(f"{where} is {written(value)}; it must be the path of a {self.ends} file")
        try:
            return Stored(self.reader(value))
        except ParameterError as error:
            raise RecipeError(f"{where}: {error}") from None


def read_parameters(where: str, table: dict[str, Any], known: dict[str, Parameter]) -> dict[str, Any]:
    """Every known parameter's value, from the table or its default; RecipeError for unknown and missing keys.

    Optional parameters that are not in the table are left out: that they exist changes no recipe's hash.
    """
    for key in table:
        if key not in known:
            close = difflib.get_close_matches(key, known, 1, 0.5)
            hint = f"; did you mean {close[0]}?" if close else f"; the keys are {', '.join(known)}"
            raise RecipeError(f"{where} has the unknown key {written(key)}{hint}")
    values = {}
    for key, parameter in known.items():
        value = table.get(key, parameter.default)
        if value is None and parameter.optional:
            continue
        if value is None:
            raise RecipeError(f"{where} lacks the key {key!r}: {parameter.meaning}")
        values[key] = parameter.read(f"{where} {key}", value)
    return values
