"""Pictures of recordings: the waveform above the feature map (matplotlib, the extra `plot`)."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .audio import AudioReader, as_samples, shown
from .errors import AudioError, AudioWarning, ParameterError, StoreError
from .extraction import FeatureMap, extract
from .recipes import Recipe, get_recipe

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw", "figure_of", "matplotlib_or_error", "save"]

DYNAMIC = 80.0  # dB below the largest value that are told apart
_COLUMNS = 3000  # more samples than twice these are drawn as their range in each of so many columns
_MOST_NAMES = 14
_DB = 10.0 / np.log(10.0)
_LINEAR = ("spectrum", "mel", "bank-energy", "gaussian-pool")


def matplotlib_or_error(what: str = "picture") -> None:
    """Raise ParameterError where matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ParameterError(f"a {what} needs matplotlib, which is not installed: pip install matplotlib") from None


def draw(
    source: str | os.PathLike[str],
    picture: str | os.PathLike[str],
    recipe: str | os.PathLike[str] | Recipe = "gammatone-64",
    *,
    channel: int = 1,
    start: float | None = None,
    stop: float | None = None,
) -> None:
    """Write a picture of a sound file's waveform and feature map.

    Parameters
    ----------
    source : path
    picture : path
        Of the picture; the name's ending says what it is: .png, .svg, .pdf, ...
    recipe : str, path or Recipe
    channel : int
        Counted from 1.
    start, stop : float, optional
        In seconds: what is shown, as `extract` takes them.

    Raises
    ------
    AudioFileError, AudioError
        If the file cannot be read, or is too short for a frame.
    RecipeError, ParameterError
        If the recipe or a parameter is wrong, or matplotlib is not installed.
    StoreError
        If the picture cannot be written.

    Warns
    -----
    AudioWarning
        If the file could be used but is not what its header says.
    """
    matplotlib_or_error()
    recipe = get_recipe(recipe)
    with AudioReader(source) as reader:
        name, rate = Path(reader.name).name, reader.sample_rate
        if not 1 <= channel <= reader.channels:
            raise ParameterError(f"there is no channel {channel}: {reader.name} has {reader.channels}, counted from 1")
        if os.path.exists(picture) and os.path.samefile(source, picture):
            raise ParameterError(f"{reader.name} is the recording itself; the picture needs another name")
        recipe.build(rate)  # before a long file is read
        reader.select(start, stop)
        begin = reader.first / rate
        samples = np.concatenate([block[channel - 1] for block in reader.blocks()])
        where = name if reader.channels == 1 else f"{name}, channel {channel} of {reader.channels}"
        for note in reader.notes:
            warnings.warn(note, AudioWarning, stacklevel=2)
    features = extract(samples, recipe, sample_rate=rate)
    save(figure_of(features, samples, where, begin), picture)


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure; the path's ending says what kind of picture it becomes."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")  # of a file's name
            figure.savefig(path, dpi=100)
    except OSError as error:
        raise StoreError(f"{shown(path)}: the picture cannot be written: {error.strerror or error}") from None
    except ValueError as error:
        raise ParameterError(f"{shown(path)}: the picture cannot be written: {error}") from None


def figure_of(features: FeatureMap, samples: NDArray[Any], name: str = "", start: float = 0.0) -> Figure:
    """The waveform of one channel above its feature map, the first one of `features`.

    Parameters
    ----------
    features : FeatureMap
    samples : (time,) array
        At the features' `source_rate`.
    name : str
        Of the recording, for the title.
    start : float
        The time of the first sample, in seconds; the features' times count from there.

    Raises
    ------
    AudioError
        If there is no frame to show.
    """
    from matplotlib.figure import Figure

    seconds = len(samples) / features.source_rate
    frames = features.shape[2]
    if frames == 0:
        what = name or "the recording"
        raise AudioError(
            f"{what} is {seconds * 1e3:g} ms long, too short for a frame of {features.recipe.name}: nothing to show",
            "too short",
        )
    figure = Figure(figsize=(9, 4.8), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(1, 3))
    _draw_waveform(top, samples, features.source_rate, start)
    values, label, colours = _coloured(features)
    hop = features.recipe.build(features.source_rate).geometry.hop / features.sample_rate
    times = start + features.frame_times
    extent = (times[0] - hop / 2, times[-1] + hop / 2, -0.5, len(values) - 0.5)
    smooth = "nearest" if frames <= _COLUMNS // 4 else "auto"  # more frames than pixels are averaged
    image = bottom.imshow(values, origin="lower", aspect="auto", extent=extent, interpolation=smooth, **colours)
    _name_rows(bottom, features.feature_names)
    bottom.set_xlabel("time (s)")
    padded = features.recipe.duration is not None
    end = start + seconds
    bottom.set_xlim(start, max(end, extent[1]) if padded else end)
    least, most = np.nanmin(values), np.nanmax(values)
    below, above = least < image.norm.vmin, most > image.norm.vmax
    extend = {(True, True): "both", (True, False): "min", (False, True): "max"}.get((below, above), "neither")
    figure.colorbar(image, ax=bottom, label=label, extend=extend)
    title = f"{name}: {features.recipe.name}" if name else features.recipe.name
    if features.source_rate != features.sample_rate:
        title += f", at {features.sample_rate:,} Hz"
    top.set_title(title if len(title) <= 100 else f"{title[:60]} ... {title[-35:]}", parse_math=False)
    return figure


def _draw_waveform(axes: Axes, samples: NDArray[Any], rate: int, start: float) -> None:
    wave = as_samples(samples)[0]
    scale = -float(np.iinfo(wave.dtype).min) if wave.dtype.kind == "i" else 1.0
    step = len(wave) // _COLUMNS
    if step < 3:
        axes.plot(start + np.arange(len(wave)) / rate, wave / scale, linewidth=0.4, color="black")
    else:
        starts = np.arange(0, len(wave), step)
        low, high = np.minimum.reduceat(wave, starts) / scale, np.maximum.reduceat(wave, starts) / scale
        axes.fill_between(start + (starts + step / 2) / rate, low, high, linewidth=0.4, color="black")
    axes.set_ylabel("amplitude")


def _coloured(features: FeatureMap) -> tuple[NDArray[Any], str, dict[str, Any]]:
    """What is drawn, what the colour bar says, and the colours and their range."""
    values = features.values[0]
    kinds = [kind for kind, _ in features.recipe.stages]
    given = [dict(stage) for _, stage in features.recipe.stages]
    while kinds[-1] == "pool" and given[-1]["how"] in ("max", "min", "mean", "median"):
        kinds, given = kinds[:-1], given[:-1]  # as what is pooled
    magnitude = any(stage.get("values") == "magnitude" for stage in given)
    last, names = kinds[-1], features.feature_names
    if last in ("waveform", "shape"):
        low, high = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
        spread = np.where(high > low, high - low, 1.0)
        return (
            (values - low) / spread,
            "each, from least to largest",
            {"cmap": "magma", "vmin": 0.0, "vmax": 1.0},
        )
    if "deltas" in kinds:  # of which each is smaller than the one before
        spread = values.std(axis=1, keepdims=True)
        apart = (values - values.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
        return apart, "each feature's standard deviations", {"cmap": "RdBu_r", "vmin": -3.0, "vmax": 3.0}
    if "cepstrum" in kinds:
        others = [row for row, name in enumerate(names) if name not in ("C0", "log energy")]
        most = float(np.percentile(np.abs(values[others or slice(None)]), 99.5)) or 1.0
        return values, "cepstral coefficient", {"cmap": "RdBu_r", "vmin": -most, "vmax": most}
    if last in _LINEAR and not any(stage.get("values") == "complex" for stage in given):
        factor = 20.0 if magnitude else 10.0
        largest = max(float(values.max()), 1e-30)
        decibels = factor * np.log10(np.maximum(values, largest * 10 ** (-DYNAMIC / factor)))
        return decibels, "power (dB)", _down_from(decibels)
    if last in ("log", "range"):
        unit = next((stage["unit"] for kind, stage in zip(kinds, given, strict=True) if kind == "log"), "")
        own = last == "range" and (given[-1]["scale"] != 1.0 or given[-1]["zero"] != 0.0)
        if unit and not own and not (last == "range" and given[-1]["from_maximum"]):
            factor = {"natural": _DB, "log10": 10.0, "dB": 1.0}[unit] * (2 if magnitude else 1)
            return values * factor, "power (dB)", _down_from(values * factor)
        return values, "scaled log power" if unit else "scaled value", _within(values, 0.0)
    label = {"pcen": "PCEN", "chroma": "chroma", "normal": "normalised value"}.get(last, "value")
    return values, label, _within(values, 1.0)


def _down_from(decibels: NDArray[Any]) -> dict[str, Any]:
    """From the loudest value down."""
    most = float(decibels.max())
    least = max(most - DYNAMIC, float(decibels.min()))
    return {"cmap": "magma", "vmin": least, "vmax": most if least < most else least + 1.0}  # silence is dark


def _within(values: NDArray[Any], beyond: float) -> dict[str, Any]:
    """All values but `beyond` percent at either end, which then do not decide about the colours of the others."""
    least, most = (float(value) for value in np.percentile(values, (beyond, 100.0 - beyond)))
    return {"cmap": "magma", "vmin": least, "vmax": most if most > least else least + 1.0}


def _name_rows(axes: Axes, names: tuple[str, ...]) -> None:
    """Round frequencies where features are frequencies; otherwise as many of their names as can be read."""
    aside = 1 if names[0] == "log energy" else 0
    bands = names[aside:]
    if len(bands) > 1 and all(name.endswith(" Hz") for name in bands):
        hertz = np.array([float(name.removesuffix(" Hz")) for name in bands])
        if np.all(np.diff(hertz) > 0):
            ticks = _round_frequencies(hertz)
            rows = np.interp(ticks, hertz, np.arange(len(hertz)) + aside)
            first = ["log energy"] if aside else []
            axes.set_yticks([*range(aside), *rows], [*first, *(f"{tick:,.0f}" for tick in ticks)])
            axes.set_ylabel("frequency (Hz)")
            return
    step = -(-len(names) // _MOST_NAMES)
    rows_named = range(0, len(names), step)
    axes.set_yticks(list(rows_named), [names[row] for row in rows_named], parse_math=False)


def _round_frequencies(hertz: NDArray[Any]) -> NDArray[Any]:
    """About eight round frequencies, evenly spread where the features are, otherwise 1, 2 and 5 times powers of ten."""
    low, high = float(hertz[0]), float(hertz[-1])
    widths = np.diff(hertz)
    if widths[-1] < 1.5 * widths[0]:
        step = 10.0 ** np.floor(np.log10((high - low) / 4))
        step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= 9)
        steps: NDArray[Any] = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
        return steps
    powers = 10.0 ** np.arange(np.floor(np.log10(max(low, 1.0))), np.ceil(np.log10(high)) + 1)
    ticks = np.unique(np.concatenate([factor * powers for factor in (1, 2, 5)]))
    ticks = ticks[(ticks >= low) & (ticks <= high)]
    # Where bands are narrow in hertz, ticks would stand on each other.
    rows = np.interp(ticks, hertz, np.arange(len(hertz)))
    kept: list[int] = []
    for number in reversed(range(len(ticks))):
        if not kept or rows[kept[-1]] - rows[number] >= 0.05 * len(hertz):
            kept.append(number)
    chosen: NDArray[Any] = ticks[kept[::-1]] if kept else hertz[[0, -1]]
    return chosen
