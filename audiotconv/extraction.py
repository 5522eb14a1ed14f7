"""A recipe and a waveform or a file give a feature map."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .audio import AudioReader, as_samples, mean_of_channels
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
    recipe : Recipe
    """

    values: NDArray[np.float32]
    frame_times: NDArray[np.float64]
    feature_names: tuple[str, ...]
    sample_rate: int
    recipe: Recipe

    @property
    def shape(self) -> tuple[int, ...]:
        """(channels, features, frames)"""
        return self.values.shape


def extract(
    source: str | os.PathLike[str] | BinaryIO | Any,
    recipe: str | os.PathLike[str] | Recipe = "gammatone-64",
    *,
    sample_rate: int | None = None,
    channels: str = "keep",
    threads: int | None = None,
    block_size: int | None = None,
    strict: bool = False,
) -> FeatureMap:
    """The feature map of a recording.

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
        Raise AudioError where a file holds less than its header says, instead of warning.

    Returns
    -------
    FeatureMap
        Shape: (channels, features, frames)

    Raises
    ------
    AudioFileError
        If the file cannot be read.
    AudioError
        If it holds no sound, or sound that cannot be used.
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
        return _extract_array(source, recipe, sample_rate, channels, threads)
    with AudioReader(source, strict=strict) as reader:
        if sample_rate is not None and sample_rate != reader.sample_rate:
            raise ParameterError(
                f"sample_rate is {sample_rate} Hz and {reader.name} has {reader.sample_rate} Hz; "
                "leave it out for a file"
            )
        chain = recipe.build(reader.sample_rate)
        size = None if block_size is None else integer_at_least("block_size", block_size, 1)
        values = _joined(feature_blocks(chain, reader.blocks(size), channels, threads), chain, reader, channels)
        for note in reader.notes:
            warnings.warn(note, AudioWarning, stacklevel=2)
        return _feature_map(values, chain, reader.position, reader.sample_rate, recipe)


def _extract_array(
    source: Any, recipe: Recipe, sample_rate: int | None, channels: str, threads: int | None
) -> FeatureMap:
    if sample_rate is None:
        raise ParameterError("the sample rate of an array is not known; give sample_rate, in Hz")
    samples = as_samples(source)
    if samples.shape[1] == 0:
        raise AudioError("the signal holds no samples", "empty")
    chain = recipe.build(sample_rate)
    sample_rate = int(sample_rate)
    values = chain.run(mean_of_channels(samples) if channels == "mono" else samples, threads)
    return _feature_map(values, chain, samples.shape[1], sample_rate, recipe)


def _feature_map(
    values: NDArray[np.float32], chain: Chain, samples: int, sample_rate: int, recipe: Recipe
) -> FeatureMap:
    return FeatureMap(values, chain.geometry.times(samples, sample_rate), chain.features, sample_rate, recipe)


def _nothing(chain: Chain, channels: int) -> NDArray[np.float32]:
    return np.empty((channels, len(chain.features), 0), np.float32)


def _joined(
    blocks: Iterable[NDArray[np.float32]], chain: Chain, reader: AudioReader, channels: str
) -> NDArray[np.float32]:
    """The blocks side by side, written into one array as they come where a believable length is known beforehand."""
    out = _nothing(chain, 1 if channels == "mono" else reader.channels)
    expected = 0 if reader.frames is None else chain.geometry.count(reader.frames)
    if expected * out.shape[0] * out.shape[1] <= _BELIEVED_VALUES:
        out = np.empty((*out.shape[:2], expected), np.float32)
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
    chain: Chain, blocks: Iterable[NDArray[Any]], channels: str = "keep", threads: int | None = None
) -> Iterator[NDArray[np.float32]]:
    """Frames of a signal that arrives in blocks, as soon as each is settled.

    The blocks' sizes have no influence on the frames. Only what later frames still see is held.

    Shape: blocks of (channels, time) -> blocks of (channels, features, frames)
    """
    flow = None
    for arrived in blocks:
        block = mean_of_channels(arrived) if channels == "mono" else arrived
        flow = flow or Flow(chain, block.shape[0], threads)
        frames = flow.push(block)
        if frames.shape[2]:
            yield frames
        rest = block[:, :0]
    if flow is not None:
        frames = flow.push(rest, last=True)
        if frames.shape[2]:
            yield frames
