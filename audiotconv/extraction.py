"""A recipe and a waveform or a file give a feature map."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .audio import AudioReader, Intake, as_samples, mean_of_channels, selected
from .errors import AudioError, AudioWarning, ParameterError
from .recipes import Recipe, get_recipe
from .stages import Chain, Flow
from .stages.checks import integer_at_least

__all__ = ["CHANNELS", "FeatureMap", "extract", "feature_blocks"]

CHANNELS = ("keep", "mono")
_BELIEVED_VALUES = 1 << 29  # more than a header may ask for (2 GiB) is allocated as it comes


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """Features of a recording over time.

    Attributes
    ----------
    values : (channels, features, frames) float32
    frame_times : (frames,) float64
        The time in seconds that each frame belongs to.
    feature_names : tuple of str
    sample_rate : int
        Of the samples that the recipe ran on, in Hz.
    source_rate : int
        Of the recording, in Hz: another one where the recipe has a sample rate, and the recording was resampled to it.
    recipe : Recipe
    """

    values: NDArray[np.float32]
    frame_times: NDArray[np.float64]
    feature_names: tuple[str, ...]
    sample_rate: int
    source_rate: int
    recipe: Recipe

    @property
    def shape(self) -> tuple[int, ...]:
        """(channels, features, frames)"""
        return self.values.shape

    def __repr__(self) -> str:
        rate = f"{self.sample_rate} Hz"
        if self.source_rate != self.sample_rate:
            rate += f", resampled from {self.source_rate} Hz"
        return f"<FeatureMap {self.recipe.name}, {' x '.join(map(str, self.shape))}, {rate}>"


def extract(
    source: str | os.PathLike[str] | BinaryIO | Any,
    recipe: str | os.PathLike[str] | Recipe = "gammatone-64",
    *,
    sample_rate: int | None = None,
    channels: str = "keep",
    threads: int | None = None,
    block_size: int | None = None,
    strict: bool = False,
    start: float | None = None,
    stop: float | None = None,
) -> FeatureMap:
    """The feature map of a recording, or of what lies between two times of it.

    Where the recipe has a sample rate and the recording another one, it is resampled to the recipe's by soxr, quality
    "HQ"; where the recipe has a duration, the recording is then cut or padded with zeros at its end. Cut or not, all of
    it is read and checked.

    Parameters
    ----------
    source : path, binary file object or array
        A sound file that libsndfile reads (WAV, FLAC, OGG, MP3, AIFF, ...), or samples: (time,) or (channels, time),
        int16, int32 or floating-point.
    recipe : str, path or Recipe
        A name from `list_recipes`, a TOML file, or a Recipe.
    sample_rate : int
        Of an array, in Hz. A file knows its own.
    channels : "keep" or "mono"
        One feature map per channel, or one of the mean of the channels.
    threads : int, optional
        At most this many; by default as many as pay.
    block_size : int, optional
        How many samples of a file to read at a time. None of threads and block_size changes a bit of the result.
    strict : bool
        Raise AudioError where a file holds less than its header says, or ends before `stop`, instead of warning.
    start, stop : float, optional
        In seconds, rounded to the nearest sample: the recording is cut there, and frames see nothing of what is cut
        off. Their times still are those of the recording. Uncompressed files are not read before `start`.

    Returns
    -------
    FeatureMap
        Shape: (channels, features, frames)

    Raises
    ------
    AudioFileError
        If the file cannot be read.
    AudioError
        If it holds no sound, or sound that cannot be used, or its sample rate is too far from the recipe's.
    RecipeError, ParameterError
        If the recipe or a parameter is wrong.

    Warns
    -----
    AudioWarning
        If a file could be used but is not what its header says.

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    >>> features = extract(noise, "gammatone-64", sample_rate=16000)
    >>> features.shape, features.frame_times[:3].tolist()
    ((1, 64, 100), [0.004875, 0.014875, 0.024875])
    """
    recipe = get_recipe(recipe)
    if channels not in CHANNELS:
        raise ParameterError(f"channels is {channels!r}; it must be one of {', '.join(CHANNELS)}")
    if not isinstance(source, str | bytes | os.PathLike) and not hasattr(source, "read"):
        return _extract_array(source, recipe, sample_rate, channels, threads, start, stop)
    with AudioReader(source, strict=strict) as reader:
        if sample_rate is not None and sample_rate != reader.sample_rate:
            raise ParameterError(
                f"sample_rate is {sample_rate} Hz and {reader.name} has {reader.sample_rate} Hz; "
                "leave it out for a file"
            )
        chain, intake = _prepared(recipe, reader.sample_rate, channels)
        reader.select(start, stop)
        size = None if block_size is None else integer_at_least("block_size", block_size, 1)
        blocks = feature_blocks(chain, reader.blocks(size), threads=threads, intake=intake, ahead=True)
        values = _joined(blocks, chain, intake, reader.channels, reader.length)
        for note in reader.notes:
            warnings.warn(note, AudioWarning, stacklevel=2)
        return _feature_map(values, chain, intake, reader.first, reader.position, recipe)


def _extract_array(
    source: Any,
    recipe: Recipe,
    sample_rate: int | None,
    channels: str,
    threads: int | None,
    start: float | None,
    stop: float | None,
) -> FeatureMap:
    if sample_rate is None:
        raise ParameterError("the sample rate of an array is not known; give sample_rate, in Hz")
    samples = as_samples(source)
    if samples.shape[1] == 0:
        raise AudioError("the signal holds no samples", "empty")
    chain, intake = _prepared(recipe, sample_rate, channels)
    first, end = selected(intake.source_rate, start, stop)
    length = samples.shape[1] / intake.source_rate
    if first >= samples.shape[1]:
        raise AudioError(f"the signal is {length:g} s long; it holds nothing from {start:g} s on", "too short")
    if end is not None and end > samples.shape[1]:
        warnings.warn(f"the signal ends at {length:g} s, before the {stop:g} s asked for", AudioWarning, stacklevel=3)
    samples = np.ascontiguousarray(samples[:, first:end])
    if intake.resamples or intake.samples is not None:
        blocks = feature_blocks(chain, [samples], threads=threads, intake=intake)
        values = _joined(blocks, chain, intake, *samples.shape)
    else:
        values = chain.run(mean_of_channels(samples) if intake.mono else samples, threads)
    return _feature_map(values, chain, intake, first, first + samples.shape[1], recipe)


def _prepared(recipe: Recipe, sample_rate: int, channels: str) -> tuple[Chain, Intake]:
    return recipe.build(sample_rate), recipe.intake(sample_rate, mono=channels == "mono")


def _feature_map(
    values: NDArray[np.float32], chain: Chain, intake: Intake, first: int, end: int, recipe: Recipe
) -> FeatureMap:
    times = chain.geometry.times(intake.length(end - first), intake.sample_rate)
    return FeatureMap(
        values=values,
        frame_times=times + first / intake.source_rate if first else times,
        feature_names=chain.features,
        sample_rate=intake.sample_rate,
        source_rate=intake.source_rate,
        recipe=recipe,
    )


def _joined(
    blocks: Iterable[NDArray[np.float32]], chain: Chain, intake: Intake, channels: int, samples: int | None
) -> NDArray[np.float32]:
    """The blocks side by side, written into one array as they come where a believable length is known beforehand."""
    rows = intake.channels(channels), len(chain.features)
    expected = 0 if samples is None else chain.geometry.count(intake.length(samples))
    if expected * rows[0] * rows[1] > _BELIEVED_VALUES:
        expected = 0
    out = np.empty((*rows, expected), np.float32)
    rest = []
    at = 0
    for block in blocks:
        room = block[:, :, : out.shape[2] - at]
        out[:, :, at : at + room.shape[2]] = room
        at += room.shape[2]
        if room.shape[2] < block.shape[2]:  # not an empty view, which would keep the block
            rest.append(block[:, :, room.shape[2] :].copy())
    if at == out.shape[2] and not rest:
        return out
    return np.concatenate([out[:, :, :at], *rest], axis=2)


def feature_blocks(
    chain: Chain,
    blocks: Iterable[NDArray[Any]],
    channels: str = "keep",
    threads: int | Callable[[], int] | None = None,
    intake: Intake | None = None,
    ahead: bool = False,
) -> Iterator[NDArray[np.float32]]:
    """Frames of a signal that arrives in blocks, as soon as each is settled.

    The blocks' sizes have no influence on the frames. Only what later frames still see is held. An `intake`, as
    `Recipe.intake` gives it, makes the samples that the chain takes, and says itself whether they are the mean of the
    channels; without one they are at the chain's rate. `threads` may be a function that is asked at each block.
    With `ahead` blocks are read one ahead: where they come from a file, one of a single block is computed at once.

    Shape: blocks of (channels, time) -> blocks of (channels, features, frames)
    """
    if intake is None:  # one rate is as good as another where nothing is resampled
        intake = Intake(1, mono=channels == "mono")
    flow = None
    for piece, last in intake.pieces(blocks, ahead=ahead):
        flow = flow or Flow(chain, piece.shape[0])
        flow.threads = threads() if callable(threads) else threads
        frames = flow.push(piece, last)
        if frames.shape[2]:
            yield frames
