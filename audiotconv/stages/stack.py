"""Layers of convolution as one stage, with residual sums."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ParameterError
from ..geometry import Geometry
from ..kernels.add import add
from ..kernels.exp import SQUARED_MODULUS
from .base import Stage, Step
from .chain import Chain, Flow
from .checks import activation_of, array_of, floating, integer_at_least
from .conv_layer import as_features

__all__ = ["Residual", "Stack"]


class Stack(Stage):
    """Layers of convolution, pooling and residual sums as one stage.

    A signal runs through all layers in stretches of time that stay in cache, each layer holding what its next frames
    still see. That is how a stream runs too, so it gives the same bits.

    Parameters
    ----------
    layers : sequence of Conv1d, Pool1d, Residual, Stack or other stages
        Each takes as many features as the one before it has.

    Attributes
    ----------
    layers : tuple of Stage
    geometry : Geometry
        Of all together: `span` is the receptive field, `hop` the stride, `latency` how far a frame looks ahead.

    Raises
    ------
    ParameterError
        If there is no layer, or one does not fit the one before it.

    Notes
    -----
    Shape: (channels, features, time) -> (channels, filters, frames). Streams, unless a layer needs a whole signal.

    Examples
    --------
    >>> from audiotconv import Conv1d
    >>> rng = np.random.default_rng(0)
    >>> weights = [rng.standard_normal((8, 8, 3)) for _ in range(4)]
    >>> stack = Stack([Conv1d(w, dilation=2**n, padding="causal", activation="relu") for n, w in enumerate(weights)])
    >>> stack.geometry.span, stack.geometry.latency
    (31, 0)
    >>> x = rng.standard_normal((8, 100))
    >>> whole = stack(x)
    >>> flow = stack.flow()
    >>> chunks = [flow.push(x[:, t : t + 7], last=t + 7 >= 100) for t in range(0, 100, 7)]
    >>> np.array_equal(np.concatenate(chunks, axis=-1), whole)
    True
    """

    def __init__(self, layers: Sequence[Stage]) -> None:
        self.layers = tuple(layers) if isinstance(layers, Iterable) else ()
        if not self.layers or not all(isinstance(layer, Stage) for layer in self.layers):
            raise ParameterError(f"the layers are {layers!r}; they must be stages, at least one")
        for number, (one, next_one) in enumerate(zip(self.layers, self.layers[1:], strict=False), 2):
            if next_one.inputs not in (0, len(one.features)):
                raise ParameterError(
                    f"layer {number} takes {next_one.inputs} features; the one before it gives {len(one.features)}"
                )
        self._chain = Chain(self.layers)
        self.inputs = self.layers[0].inputs
        self.features = self._chain.features
        self.geometry = self._chain.geometry
        self.whole = any(layer.whole for layer in self.layers)

    @property
    def operations(self) -> float:
        """Floating-point operations for each value of the input."""
        total, hop = 0.0, 1
        for layer in self.layers:
            total += layer.operations * max(1, layer.inputs) / hop
            hop *= layer.geometry.hop
        return total / max(1, self.inputs)

    def __call__(self, x: ArrayLike, threads: int | None = None) -> NDArray[np.float32]:
        """All frames of whole signals.

        Shape: (..., features, time) -> (..., filters, frames)

        Parameters
        ----------
        x : array
            Of real numbers; computed as float32.
        threads : int, optional
            At most this many; by default as many as pay. The result does not depend on it.

        Raises
        ------
        ParameterError
            If x has another shape.
        """
        signal = self._checked(x, 2)
        batch = math.prod(signal.shape[:-2])
        out = Flow(self._chain, batch, threads).push(signal.reshape(batch, *signal.shape[-2:]), last=True)
        return out.reshape(*signal.shape[:-2], *out.shape[1:])

    def flow(self, batch: int | None = None, threads: int | None = None) -> StackFlow:
        """The stack at the beginning of a signal that arrives in chunks, or of a batch of signals side by side."""
        return StackFlow(self, batch, threads)

    def _checked(self, x: ArrayLike, least: int) -> NDArray[np.float32]:
        array = array_of("x", x)
        floating("x", array)
        if array.ndim < least or (self.inputs and array.shape[-2] != self.inputs):
            raise ParameterError(
                f"x has the shape {array.shape}; it must be (..., {self.inputs or 'features'}, time)".replace("'", "")
            )
        with np.errstate(over="ignore"):  # beyond float32's range becomes infinite
            return np.require(array, np.float32, ["C", "A"])

    def step(self, channels: int) -> Step:
        """Holds what each layer's next frames still see."""
        return _SumStep([_Branch(self._chain, channels)], 0, 0.0)


class StackFlow:
    """A signal on its way through a `Stack`, chunk by chunk. Made by `Stack.flow`.

    Attributes
    ----------
    given : int
        How many frames there have been: the number of the next one.
    """

    def __init__(self, stack: Stack, batch: int | None, threads: int | None) -> None:
        self._stack = stack
        self._batch = None if batch is None else integer_at_least("batch", batch, 1)
        self._flow = Flow(stack._chain, 1 if batch is None else batch, threads)
        self._over = False

    @property
    def given(self) -> int:
        return self._flow.given

    def push(self, x: ArrayLike, last: bool = False) -> NDArray[np.float32]:
        """The frames that x completes; with `last`, all that remain.

        Shape: (features, time) -> (filters, frames), or with a batch (batch, features, time) -> (batch, filters,
        frames)

        Raises
        ------
        ParameterError
            If x has another shape, or the last chunk has been.
        """
        if self._over:
            raise ParameterError("the last chunk of this signal has been pushed; begin another flow")
        signal = self._stack._checked(x, 2)
        want = () if self._batch is None else (self._batch,)
        if signal.shape[:-2] != want:
            raise ParameterError(f"x has the shape {signal.shape}; it must be {want} + (features, time)")
        self._over = last
        out = self._flow.push(signal.reshape(self._batch or 1, *signal.shape[-2:]), last)
        return out[0] if self._batch is None else out


class Residual(Stack):
    """Layers whose frames are added to their own input: y = activation(x + layers(x)).

    Parameters
    ----------
    layers : sequence of stages
        As for `Stack`. With a skip of nothing they must keep the number of features and of frames: padding "same" or
        "causal", stride 1.
    skip : sequence of stages
        What x passes before it is added: for other numbers of features, a convolution of one tap. It must give as many
        frames as the layers for every length.
    activation : str or (str, float), optional
        Of the sum, as for `conv1d`.

    Raises
    ------
    ParameterError
        If the two do not fit each other.

    Notes
    -----
    Frames are added by their number. The later of the two is waited for: where layers look ahead, x is held as long.

    Examples
    --------
    >>> from audiotconv import Conv1d
    >>> block = Residual([Conv1d(np.full((1, 1, 3), 0.5), padding="same")])
    >>> block(np.array([[1, 2, 4, 8]])).tolist()
    [[2.5, 5.5, 11.0, 14.0]]
    >>> block.geometry.latency
    1
    """

    def __init__(
        self,
        layers: Sequence[Stage],
        skip: Sequence[Stage] = (),
        activation: str | tuple[str, float] | None = None,
    ) -> None:
        super().__init__(layers)
        self.skip = Stack(skip) if skip else None
        kind, slope = activation_of(activation)
        if kind == SQUARED_MODULUS:
            raise ParameterError("activation is 'squared_modulus', which a sum does not have")
        self._activation = kind, slope
        own, other = self.geometry, self.skip.geometry if self.skip else Geometry()
        given = len(self.skip.features) if self.skip else self.inputs
        if given not in (0, len(self.features)):
            raise ParameterError(
                f"the layers give {len(self.features)} features, and {given} are to be added to them; "
                "a skip of one tap makes them as many"
            )
        if self.skip and self.inputs and self.skip.inputs not in (0, self.inputs):
            raise ParameterError(f"the layers take {self.inputs} features, and the skip takes {self.skip.inputs}")
        sizes = [(each.hop, each.lead + each.trail - each.span) for each in (own, other)]
        if sizes[0] != sizes[1]:
            raise ParameterError(
                f"of 1000 inputs the layers make {own.count(1000)} frames, and {other.count(1000)} are to be added to "
                'them; padding "same" or "causal" keeps their number, and a skip can have a stride'
            )
        self.geometry = _both(own, other)
        self.whole = self.whole or bool(self.skip and self.skip.whole)

    @property
    def operations(self) -> float:
        """Floating-point operations for each value of the input."""
        return super().operations + (self.skip.operations if self.skip else 0.0) + 1.0

    def __call__(self, x: ArrayLike, threads: int | None = None) -> NDArray[np.float32]:
        """As `Stack`: all frames of whole signals."""
        return Stack([self])(x, threads)

    def flow(self, batch: int | None = None, threads: int | None = None) -> StackFlow:
        """As `Stack`: for a signal that arrives in chunks."""
        return Stack([self]).flow(batch, threads)

    def step(self, channels: int) -> Step:
        """Holds what the layers' next frames still see, and frames that wait for the others."""
        other = self.skip._chain if self.skip else None
        return _SumStep([_Branch(self._chain, channels), _Branch(other, channels)], *self._activation)


def _both(own: Geometry, other: Geometry) -> Geometry:
    """What frames see that are sums of two; their time is that of what is added."""
    lead = max(own.lead, other.lead)
    span = lead + max(each.span - each.lead for each in (own, other))
    both = Geometry(
        span, own.hop, lead, own.trail + own.lead - own.span + span - lead, least=max(own.least, other.least)
    )
    wait = max(own.latency, other.latency) - (span - 1 - lead)
    return replace(both, centre=other.centre + 2 * (lead - other.lead), wait=wait)


class _Branch:
    """A chain on its way along a signal, or the signal itself; and frames that have not been asked for."""

    def __init__(self, chain: Chain | None, channels: int) -> None:
        self._flow = None if chain is None else Flow(chain, channels)
        self._held: NDArray[np.float32] | None = None

    def push(self, x: NDArray[Any], last: bool, threads: int) -> int:
        """How many frames there are now."""
        new = as_features(x) if self._flow is None else self._flow.advance(x, last, threads)
        self._held = new if self._held is None else np.concatenate([self._held, new], axis=-1)
        return int(self._held.shape[-1])

    def pop(self, frames: int) -> NDArray[np.float32]:
        """The next ones."""
        assert self._held is not None
        out, rest = self._held[..., :frames], self._held[..., frames:]
        self._held = rest if rest.shape[-1] else None
        return out

    def release(self) -> None:
        """What is held is the caller's, or part of a larger array."""
        if self._held is not None:
            self._held = self._held.copy()

    def state(self) -> dict[str, NDArray[Any]]:
        state = {} if self._flow is None else self._flow.state()
        return state if self._held is None else {**state, "waiting": self._held}

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        self._held = state.get("waiting")
        if self._flow is not None:
            self._flow.restore(state)


class _SumStep(Step):
    """The frames of one branch, or the sums of two."""

    def __init__(self, branches: list[_Branch], kind: int, slope: float) -> None:
        self._branches = branches
        self._activation = kind, slope

    def take(self, x: NDArray[Any], last: bool, threads: int) -> int:
        return min([branch.push(x, last, threads) for branch in self._branches])

    def give(self, frames: int, threads: int) -> NDArray[np.float32]:
        parts = [branch.pop(frames) for branch in self._branches]
        if len(parts) == 1:
            return parts[0]
        a, b = (np.ascontiguousarray(part) for part in parts)
        out = np.empty_like(a)
        add(a.reshape(-1), b.reshape(-1), *self._activation, out.reshape(-1), threads=threads)
        return out

    def release(self) -> None:
        for branch in self._branches:
            branch.release()

    def state(self) -> dict[str, NDArray[Any]]:
        return {
            f"{number}/{name}": array
            for number, branch in enumerate(self._branches)
            for name, array in branch.state().items()
        }

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        for number, branch in enumerate(self._branches):
            head = f"{number}/"
            branch.restore({name[len(head) :]: array for name, array in state.items() if name.startswith(head)})
