"""A recipe on a live signal."""

from __future__ import annotations

import io
import json
import math
import os
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .audio import Inlet, as_samples, mean_of_channels, resampling_delay
from .errors import ParameterError, RecipeError
from .extraction import FeatureMap
from .recipes import Recipe, get_recipe, list_recipes
from .stages import Flow
from .stages.checks import array_of, integer_at_least

__all__ = ["Latency", "Stream"]

_FORMAT = 1  # of saved states
_MOST_CHANNELS = 4096


class Latency(NamedTuple):
    """How long after a frame's place in the signal the frame is given.

    Frame f is given once the sample number ``f * hop + samples`` has been pushed, where hop is counted at the stream's
    sample rate. (The sample in the middle of what the frame sees comes before; see `FeatureMap.frame_times`.)
    Where a recipe mirrors the signal at its beginning (`pad = "reflect"`), the first frames wait for that, too.
    """

    samples: int
    seconds: float


class Stream:
    """A recipe on a signal that arrives in chunks, with the bits that `extract` gives for the whole.

    Chunks may have any size, also none. Each frame comes out once, as soon as its last sample is in.

    Parameters
    ----------
    recipe : str, path or Recipe
        One that can stream: none of its stages needs a whole recording.
    sample_rate : int
        Of the chunks, in Hz. Where the recipe has another one they are resampled (soxr, quality "HQ").
    channels : int
        One feature map for each.
    batch : int, optional
        So many signals side by side, which arrive in step. Chunks and feature maps then have an axis more, in front.
    mono : bool
        One feature map, of the mean of the channels.
    threads : int, optional
        At most this many; by default as many as pay for each chunk.

    Attributes
    ----------
    recipe : Recipe
    sample_rate, channels : int
    feature_names : tuple of str

    Raises
    ------
    RecipeError
        If a stage of the recipe needs a whole recording, or the recipe does not fit the sample rate.
    ParameterError, AudioError
        If a parameter is out of its range, or the rate is too far from the recipe's.

    Examples
    --------
    >>> stream = Stream("kaldi-fbank-80", 16000)
    >>> stream.latency
    Latency(samples=399, seconds=0.0249375)
    >>> noise = np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    >>> maps = [stream.push(noise[start : start + 1000]) for start in range(0, 16000, 1000)]
    >>> maps.append(stream.flush())
    >>> maps[1].values.shape, maps[1].frame_times[0].item()
    ((1, 80, 7), 0.05246875)
    >>> from audiotconv import extract
    >>> whole = extract(noise, "kaldi-fbank-80", sample_rate=16000).values
    >>> np.array_equal(np.concatenate([each.values for each in maps], axis=-1), whole)
    True
    """

    def __init__(
        self,
        recipe: str | os.PathLike[str] | Recipe,
        sample_rate: int,
        channels: int = 1,
        *,
        batch: int | None = None,
        mono: bool = False,
        threads: int | None = None,
    ) -> None:
        self.recipe = get_recipe(recipe)
        self._chain = self.recipe.build(sample_rate)
        whole = self.recipe.whole_stages(sample_rate)
        if whole:
            raise RecipeError(
                f"recipe {self.recipe.name} cannot stream: its stage {whole[0]} needs the whole recording; "
                f"the nearest recipe that can is {_nearest(self.recipe, sample_rate)}"
            )
        self.channels = integer_at_least("channels", channels, 1)
        self._batch = None if batch is None else integer_at_least("batch", batch, 1)
        if self.channels * (self._batch or 1) > _MOST_CHANNELS:
            raise ParameterError(
                f"{self.channels} channels and a batch of {self._batch or 1} are {self.channels * (self._batch or 1)} "
                f"signals; at most {_MOST_CHANNELS} can be streamed together"
            )
        if not isinstance(mono, bool):
            raise ParameterError(f"mono is {mono!r}; it must be True or False")
        self._mono = mono
        self._shape = (self.channels,) if self._batch is None else (self._batch, self.channels)
        self._threads = None if threads is None else integer_at_least("threads", threads, 1)
        self._intake = self.recipe.intake(sample_rate)
        self.sample_rate = self._intake.source_rate
        self.feature_names = self._chain.features
        self.reset()

    def __repr__(self) -> str:
        many = "" if self._batch is None else f"batch of {self._batch}, "
        return f"<Stream {self.recipe.name}, {many}{self.channels} x {self.sample_rate} Hz, {self._flow.given} frames>"

    @property
    def latency(self) -> Latency:
        """How long after its place a frame is given: exact; with resampling, an upper bound by a few samples."""
        source, rate = self._intake.source_rate, self._intake.sample_rate
        ahead = self._chain.geometry.latency
        if source == rate:
            return Latency(ahead, ahead / rate)
        # Of resampled sample k, everything up to its time and the delay must have come.
        samples = math.ceil(ahead * source / rate + resampling_delay(source, rate)) - 1
        return Latency(samples, samples / source)

    def reset(self) -> None:
        """Begin a new signal."""
        rows = (self._batch or 1) * (1 if self._mono else self.channels)
        self._flow = Flow(self._chain, rows, self._threads)
        self._inlet = Inlet(self._intake, rows, resumable=True)
        self._dtype: np.dtype[Any] | None = None
        self._taken = 0  # samples
        self._over = False

    def push(self, chunk: ArrayLike) -> FeatureMap:
        """The frames that a chunk completes, which may be none.

        Parameters
        ----------
        chunk : (channels, time), or (time,) for one channel; with a batch, (batch, channels, time)
            int16, int32 or floating-point; all of a signal of one type.

        Returns
        -------
        FeatureMap
            Shape: (channels, features, frames), with a batch (batch, channels, features, frames). Times count from the
            beginning of the signal.

        Raises
        ------
        ParameterError
            If the chunk has another shape or type, or the stream has been flushed.
        AudioError
            If a sample is not finite, or too large. The stream then is as it was before.
        """
        if self._over:
            raise ParameterError("the stream has been flushed; reset() begins a new signal")
        samples = self._samples(chunk)
        if samples.shape[1] == 0:
            return self._map([])
        return self._map([self._flow.push(*piece) for piece in self._inlet.push(samples)])

    def flush(self) -> FeatureMap:
        """The frames that remain at the signal's end: what `push` gives, of the last ones.

        Raises
        ------
        ParameterError
            If the stream has been flushed.
        """
        if self._over:
            raise ParameterError("the stream has been flushed; reset() begins a new signal")
        self._over = True
        return self._map([self._flow.push(*piece) for piece in self._inlet.finish()])

    def _samples(self, chunk: ArrayLike) -> NDArray[Any]:
        array = array_of("the chunk", chunk)
        if array.ndim == 1 and self._shape == (1,):
            array = array[None]
        if array.ndim != len(self._shape) + 1 or array.shape[:-1] != self._shape:
            raise ParameterError(
                f"the chunk has the shape {array.shape}; it must be {(*self._shape, 'time')}".replace("'", "")
            )
        samples = as_samples(
            array if array.ndim == 2 else array.reshape(math.prod(self._shape), array.shape[-1]), self._taken
        )
        if samples.shape[1] == 0:  # of any type
            return samples
        if self._dtype not in (None, samples.dtype):
            raise ParameterError(f"the chunk is {samples.dtype}; those before it were {self._dtype}")
        self._dtype = samples.dtype
        self._taken += samples.shape[1]
        if not self._mono or self.channels == 1:
            return samples
        shape = (self._batch or 1, self.channels, samples.shape[1])
        items = [mean_of_channels(item) for item in samples.reshape(shape)]
        return np.concatenate(items)

    def _map(self, parts: list[NDArray[np.float32]]) -> FeatureMap:
        if len(parts) == 1:
            values = parts[0]
        else:
            rows = (self._batch or 1) * (1 if self._mono else self.channels)
            values = np.concatenate([np.empty((rows, len(self.feature_names), 0), np.float32), *parts], axis=2)
        given = self._flow.given
        times = self._chain.geometry.times_of(given - values.shape[2], given, self._intake.sample_rate)
        if self._batch is not None:
            values = values.reshape(self._batch, len(values) // self._batch, *values.shape[1:])
        return FeatureMap(
            values=values,
            frame_times=times,
            feature_names=self.feature_names,
            sample_rate=self._intake.sample_rate,
            source_rate=self._intake.source_rate,
            recipe=self.recipe,
        )

    def _kind(self) -> dict[str, Any]:
        """What a state belongs to."""
        return {
            "format": _FORMAT,
            "recipe": self.recipe.hash,
            "sample_rate": self.sample_rate,
            "channels": self.channels,
            "batch": self._batch,
            "mono": self._mono,
        }

    def save(self) -> bytes:
        """The stream's state, for `load` of an equal stream, now or in another process.

        It holds what later frames still see: some thousand bytes for most recipes; with resampling, also the samples
        of the stretch that is being resampled: about 135,000 of each channel, and more at rates far apart or with no
        common divisor.
        """
        head = {
            **self._kind(),
            "dtype": None if self._dtype is None else self._dtype.name,
            "over": self._over,
            "taken": self._taken,
        }
        arrays = {f"inlet/{name}": array for name, array in self._inlet.state().items()}
        arrays |= {f"flow/{name}": array for name, array in self._flow.state().items()}
        file = io.BytesIO()
        np.savez(file, head=np.frombuffer(json.dumps(head).encode(), np.uint8), **arrays)  # type: ignore[arg-type]
        return file.getvalue()

    def load(self, state: bytes) -> None:
        """Go on where the stream was whose state this is, with the same bits.

        Raises
        ------
        ParameterError
            If it is not the state of a stream with this recipe, sample rate, channels and batch. The stream then is as
            it was before.

        Examples
        --------
        >>> one, other = Stream("gammatone-64", 16000), Stream("gammatone-64", 16000)
        >>> _ = one.push(np.ones(1000))
        >>> other.load(one.save())
        >>> np.array_equal(one.push(np.ones(1000)).values, other.push(np.ones(1000)).values)
        True
        """
        try:
            with np.load(io.BytesIO(state), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            head = json.loads(arrays.pop("head").tobytes())
            kind, dtype, over = self._kind(), head.pop("dtype"), head.pop("over")
            taken = integer_at_least("taken", head.pop("taken"), 0)
            for name, value in kind.items():
                if head[name] != value:
                    raise ParameterError(f"the state is that of a stream with {name} {head[name]}; here it is {value}")
            fresh = Stream(
                self.recipe, self.sample_rate, self.channels,
                batch=self._batch, mono=self._mono, threads=self._threads,
            )  # fmt: skip
            if not over:
                fresh._inlet.restore(_below("inlet/", arrays))
            fresh._flow.restore(_below("flow/", arrays))
            fresh._dtype = None if dtype is None else np.dtype(dtype)
            fresh._over, fresh._taken = bool(over), taken
        except ParameterError:
            raise
        except Exception as error:  # readers of damaged archives raise whatever they stumble on
            raise ParameterError(f"the state cannot be read: {error or type(error).__name__}") from None
        self._inlet, self._flow, self._dtype = fresh._inlet, fresh._flow, fresh._dtype
        self._over, self._taken = fresh._over, fresh._taken


def _below(head: str, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name[len(head) :]: array for name, array in arrays.items() if name.startswith(head)}


def _nearest(recipe: Recipe, sample_rate: int) -> str:
    """The shipped recipe that can stream and has most of the stages and parameters in common."""

    def content(each: Recipe) -> set[tuple[str, ...]]:
        return {(kind, key, repr(value)) for kind, values in each.stages for key, value in (("", ""), *values)}

    own = content(recipe)

    def likeness(name: str) -> float:
        other = content(get_recipe(name))
        return len(own & other) / len(own | other)

    able = [name for name in list_recipes() if not get_recipe(name).whole_stages(sample_rate)]
    return max(able, key=likeness)
