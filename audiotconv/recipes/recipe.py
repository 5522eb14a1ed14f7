"""Recipes: named, versioned, immutable lists of stages, read from TOML."""

from __future__ import annotations

import difflib
import functools
import hashlib
import json
import os
import re
import stat
import tomllib
from dataclasses import dataclass, replace
from importlib import resources
from numbers import Real
from typing import Any

from ..audio import MAX_RATE, MIN_RATE, Intake, shown
from ..errors import AudiotconvError, ParameterError, RecipeError
from ..stages import Chain, Stage
from .kinds import KINDS
from .quantities import Count, Parameter, Quantity, Stored, read_parameters, written

__all__ = ["Recipe", "get_recipe", "list_recipes"]

_HEAD_KEYS = ("name", "version", "description", "error", "sample_rate", "duration", "stage")

_MOST_BYTES = 16_384  # of a recipe file: reading TOML can take a time that grows with the square of its length
_MOST_NAME = 100
_MOST_ERROR = 100
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Recipe:
    """A list of stages with their parameters.

    Make one with `get_recipe` or `Recipe.from_toml`.

    Attributes
    ----------
    name, description : str
    version : int
    stages : tuple of (kind, ((parameter, value), ...))
        Values in seconds, hertz and plain numbers.
    sample_rate : int or None
        What the stages run at, in Hz: recordings of other rates are resampled (by soxr, quality "HQ"). None for each
        recording's own rate.
    duration : float or None
        In seconds: recordings are cut, or padded with zeros at their end, to this length before the first stage.
    hash : str
        Names everything that shapes the output: 16 hexadecimal digits. The name, description and error do not count.
    error : str
        The published error, and against what; empty where none is.
    """

    name: str
    version: int
    description: str
    stages: tuple[tuple[str, tuple[tuple[str, Any], ...]], ...]
    sample_rate: int | None = None
    duration: float | None = None
    error: str = ""

    @property
    def head(self) -> dict[str, Any]:
        """What shapes the output besides the stages: `sample_rate` and `duration`, where they are given."""
        given = {"sample_rate": self.sample_rate, "duration": self.duration}
        return {key: value for key, value in given.items() if value is not None}

    @property
    def hash(self) -> str:
        """Sixteen hexadecimal digits."""
        head = (
            [self.head] if self.head else []
        )  # recipes without one keep the hashes that they had before there was one
        content = json.dumps([self.version, self.stages, *head], separators=(",", ":"))
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def build(self, sample_rate: int) -> Chain:
        """The recipe's stages for recordings of a sample rate (Hz).

        They take samples at that rate or, where the recipe has one of its own, at the recipe's: see `intake`.

        Raises
        ------
        RecipeError
            If the recipe does not fit the sample rate.

        Examples
        --------
        >>> chain = get_recipe("gammatone-64").build(16000)
        >>> chain.geometry.hop, chain.geometry.count(16000), len(chain.features)
        (160, 100, 64)
        """
        return _built(self, self._rate(_whole_rate(sample_rate)))

    def whole_stages(self, sample_rate: int) -> tuple[str, ...]:
        """The kinds of the stages that need a whole recording: a recipe with one cannot stream.

        Raises
        ------
        RecipeError
            If the recipe does not fit the sample rate.

        Examples
        --------
        >>> get_recipe("whisper-80").whole_stages(16000), get_recipe("gammatone-64").whole_stages(16000)
        (('range',), ())
        """
        stages = _stages(self, self._rate(_whole_rate(sample_rate)))
        return tuple(kind for (kind, _), stage in zip(self.stages, stages, strict=True) if stage.whole)

    def intake(self, sample_rate: int, *, mono: bool = False) -> Intake:
        """What makes the samples that the stages take of a recording of a sample rate (Hz).

        Raises
        ------
        AudioError
            If the recording's rate is too far from the recipe's.

        Examples
        --------
        >>> intake = get_recipe("gammatone-64").intake(16000)
        >>> intake.sample_rate, intake.resamples
        (16000, False)
        """
        source_rate = _whole_rate(sample_rate)
        rate = self._rate(source_rate)
        return Intake(source_rate, rate, _samples_of(self, rate), mono=mono)

    def _rate(self, sample_rate: int) -> int:
        return sample_rate if self.sample_rate is None else self.sample_rate

    def changed(self, **fields: Any) -> Recipe:
        """The recipe with another `name`, `stages`, `sample_rate` or `duration`.

        Raises
        ------
        RecipeError
            If the stages' values do not fit each other.
        """
        recipe = replace(self, **fields)
        for number, (kind, values) in enumerate(recipe.stages, 1):
            if KINDS[kind].takes_samples != (number == 1):
                need = "takes samples and must come first" if KINDS[kind].takes_samples else "cannot come first"
                raise RecipeError(f"stage {number}: {kind} {need}")
            try:
                KINDS[kind].check(dict(values))
            except RecipeError as error:
                raise RecipeError(f"stage {number} ({kind}): {error}") from None
        return recipe

    def pooled(self, pool: str) -> Recipe:
        """The recipe with one frame for a whole recording: a row of as many features whatever its length.

        Parameters
        ----------
        pool : str
            "stats" for mean and standard deviation of each feature, other statistics separated by commas, as
            `Statistics` has them ("mean,p90,delta_std"), or "minirocket:MODEL.npz" for what `learn.MiniRocket` saved.

        Raises
        ------
        RecipeError
            If it is none of these, or the file cannot be read.

        Examples
        --------
        >>> get_recipe("whisper-80").pooled("stats").build(16000).features[0]
        'mean 37.2 Hz'
        """
        kind, _, path = pool.partition(":")
        table: dict[str, Any] = {"file": path}
        if kind != "minirocket":
            kind, table = "statistics", {} if pool == "stats" else {"statistics": pool.split(",")}
        values = read_parameters(f"pool {written(pool)}:", table, KINDS[kind].parameters)
        stage = kind, tuple(sorted(values.items()))
        recipe = self.changed(name=f"{self.name} {kind}"[:_MOST_NAME], stages=(*self.stages, stage))
        recipe.build(self.sample_rate or 16000)  # a MiniRocket may be for other features, at any sample rate
        return recipe

    @staticmethod
    def from_toml(path: str | os.PathLike[str]) -> Recipe:
        """The recipe in a TOML file.

        Raises
        ------
        RecipeError
            If the file cannot be read, is not TOML, or has unknown, missing or impossible values.
        """
        if not isinstance(path, str | os.PathLike):
            raise ParameterError(f"the recipe is {written(path)}; it must be the path of a TOML file")
        where = f"the recipe file {shown(path)}"
        return _parsed(_text_of(path, where), where, os.path.dirname(os.fspath(path)))

    @staticmethod
    def from_dict(table: dict[str, Any]) -> Recipe:
        """The recipe that a dict describes, with the keys of a recipe's TOML.

        Raises
        ------
        RecipeError
            If it has unknown, missing or impossible values.

        Examples
        --------
        >>> spectrum = {"kind": "spectrum", "window": "hann", "length": "25 ms", "hop": "10 ms"}
        >>> Recipe.from_dict({"name": "powers", "version": 1, "stage": [spectrum]}).build(16000).geometry.count(16000)
        101
        """
        if not isinstance(table, dict):
            raise ParameterError(f"the recipe is {written(table)}; it must be a dict with the keys of a recipe's TOML")
        return _from_table(table, "the recipe")


def _whole_rate(sample_rate: Any) -> int:
    real = isinstance(sample_rate, Real) and not isinstance(sample_rate, bool)
    if not (real and 1 <= sample_rate <= MAX_RATE and sample_rate == int(sample_rate)):
        raise ParameterError(
            f"the sample rate is {written(sample_rate)}; it must be a whole number of Hz from 1 to {MAX_RATE:,}"
        )
    return int(sample_rate)


def _samples_of(recipe: Recipe, sample_rate: int) -> int | None:
    """The recipe's duration in samples, rounded to the nearest."""
    if recipe.duration is None:
        return None
    samples = round(recipe.duration * sample_rate)
    if samples < 1:
        raise RecipeError(
            f"recipe {recipe.name}: a duration of {recipe.duration * 1e3:g} ms is less than one sample "
            f"at {sample_rate} Hz"
        )
    return samples


@functools.lru_cache(maxsize=32)
def _built(recipe: Recipe, sample_rate: int) -> Chain:
    return Chain(_stages(recipe, sample_rate))


def _stages(recipe: Recipe, sample_rate: int) -> list[Stage]:
    _samples_of(recipe, sample_rate)
    built: list[Stage] = []
    for number, (kind, values) in enumerate(recipe.stages, 1):
        try:
            built.append(KINDS[kind].build(dict(values), sample_rate, built))
        except AudiotconvError as error:
            raise RecipeError(f"recipe {recipe.name}, stage {number} ({kind}): {error}") from None
    return built


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _text_of(path: str | os.PathLike[str], where: str) -> str:
    """A regular file's text; whatever else has the name (a pipe would wait for ever) is refused."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise RecipeError(f"{where} is not a regular file")
            content = file.read(_MOST_BYTES + 1)
    except RecipeError:
        raise
    except (OSError, ValueError) as error:
        raise RecipeError(f"{where} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > _MOST_BYTES:
        raise RecipeError(f"{where} is longer than {_MOST_BYTES:,} bytes, which no recipe needs")
    try:
        return content.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise RecipeError(f"{where} is not UTF-8 text") from None


def _parsed(text: str, where: str, folder: str | bytes = "") -> Recipe:
    try:
        table = tomllib.loads(text)
    except RecursionError:
        raise RecipeError(f"{where} is not TOML that can be read: its brackets are nested too deeply") from None
    except ValueError as error:  # also an integer of thousands of digits
        raise RecipeError(f"{where} is not TOML: {error}") from None
    return _from_table(table, where, folder)


def _from_table(table: dict[str, Any], where: str, folder: str | bytes = "") -> Recipe:
    for key in table:
        if key not in _HEAD_KEYS:
            raise RecipeError(f"{where} has the unknown key {written(key)}; the keys are {', '.join(_HEAD_KEYS)}")
    name, description = table.get("name"), table.get("description", "")
    if not isinstance(name, str) or not 0 < len(name.strip()) <= _MOST_NAME or _CONTROL.search(name):
        raise RecipeError(f"{where} has the name {written(name)}; it must be one line of 1 to {_MOST_NAME} characters")
    if not isinstance(description, str) or _CONTROL.search(description.replace("\n", "").replace("\t", "")):
        raise RecipeError(
            f"{where} has the description {written(description)}; it must be a text without control characters"
        )
    published = table.get("error", "")
    if not isinstance(published, str) or len(published) > _MOST_ERROR or _CONTROL.search(published):
        raise RecipeError(
            f"{where} has the error {written(published)}; it must be one line of at most {_MOST_ERROR} characters"
        )
    version = Count("the version").read(f"{where}: version", table.get("version"))
    head: dict[str, Any] = {}
    if "sample_rate" in table:
        head["sample_rate"] = _sample_rate(f"{where}: sample_rate", table["sample_rate"])
    if "duration" in table:
        head["duration"] = Quantity("the length", kind="time").read(f"{where}: duration", table["duration"])
    entries = table.get("stage")
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise RecipeError(f"{where} has no stages; each is a table [[stage]] with a kind")
    stages = []
    for number, entry in enumerate(entries, 1):
        kind = entry.get("kind")
        if not isinstance(kind, str) or kind not in KINDS:
            raise RecipeError(
                f"{where}, stage {number}: the kind is {written(kind)}; it must be one of {', '.join(KINDS)}"
            )
        if KINDS[kind].takes_samples != (number == 1):
            need = "takes samples and must come first" if KINDS[kind].takes_samples else "cannot come first"
            raise RecipeError(f"{where}, stage {number}: {kind} {need}")
        known: dict[str, Parameter] = KINDS[kind].parameters
        at = f"{where}, stage {number} ({kind}):"
        given = {key: value for key, value in entry.items() if key != "kind"}
        if isinstance(given.get("file"), str) and not isinstance(given["file"], Stored):
            given["file"] = os.path.join(os.fsdecode(folder), given["file"])
        values = read_parameters(at, given, known)
        try:
            KINDS[kind].check(values)
        except RecipeError as error:
            raise RecipeError(f"{at} {error}") from None
        stages.append((kind, tuple(sorted(values.items()))))
    return Recipe(name, version, description, tuple(stages), error=published, **head)


def _sample_rate(where: str, value: Any) -> int:
    rate = Quantity("the sample rate", kind="frequency").read(where, value)
    if rate != int(rate) or not MIN_RATE <= rate <= MAX_RATE:
        raise RecipeError(
            f"{where} is {written(value)}; it must be a whole number of Hz from {MIN_RATE} to {MAX_RATE:,}"
        )
    return int(rate)


@functools.cache
def _shipped() -> dict[str, Recipe]:
    recipes = {}
    for file in sorted(resources.files(__package__).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".toml"):
            recipe = _parsed(file.read_text("utf-8"), f"the recipe {file.name}")
            recipes[recipe.name] = recipe
    return recipes


def list_recipes() -> list[str]:
    """The names of the recipes that come with audiotconv.

    >>> "gammatone-64" in list_recipes()
    True
    """
    return list(_shipped())


def get_recipe(recipe: str | os.PathLike[str] | Recipe) -> Recipe:
    """A recipe by its name, or by the path of a TOML file (ending in .toml); a Recipe is given back.

    Raises
    ------
    RecipeError
        If there is none of that name, or the file is wrong.

    Examples
    --------
    >>> get_recipe("gabor-40").version
    1
    """
    if isinstance(recipe, Recipe):
        return recipe
    if not isinstance(recipe, str | os.PathLike):
        raise ParameterError(f"the recipe is {written(recipe)}; it must be a name, the path of a TOML file or a Recipe")
    if isinstance(recipe, os.PathLike) or recipe.endswith(".toml"):
        return Recipe.from_toml(recipe)
    known = _shipped()
    if recipe not in known:
        close = difflib.get_close_matches(recipe, known, 1, 0.5)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}, and TOML files (name.toml)"
        raise RecipeError(f"there is no recipe {written(recipe)}; {hint}")
    return known[recipe]
