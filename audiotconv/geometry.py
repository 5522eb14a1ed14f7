"""Where frames lie on the time line: spans, hops and padding as integers that compose.

Every stage turns samples (or frames) into frames. Frame f of a stage sees the inputs

    f * hop - lead,  ...,  f * hop - lead + span - 1

and nothing else. Two stages in a row are again such a stage, `first.then(second)`, so the receptive field, the
stride and the latency of any chain are computed, never guessed. There is no floating-point number in here except in
`times`, whose last operation is one division by the sample rate.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ParameterError

__all__ = ["Geometry", "integer", "padding_of"]


def integer(name: str, value: Any) -> int:
    """An int, NumPy integer or other integer type as an int.

    Raises
    ------
    ParameterError
        If it is none; True and 1.0 are not either.

    Examples
    --------
    >>> integer("hop", np.int16(160))
    160
    """
    try:
        if not isinstance(value, bool | np.bool_):
            return operator.index(value)
    except TypeError:
        pass
    raise ParameterError(f"{name} is {value!r}; it must be an integer")


@dataclass(frozen=True, slots=True)
class Geometry:
    """How the frames of a stage lie on its input.

    Parameters
    ----------
    span : int
        How many inputs one frame sees: the receptive field, at least 1.
    hop : int
        How many inputs lie between neighbouring frames: the stride, at least 1.
    lead : int
        How many positions before input 0 the first frame begins: the left padding. Negative skips inputs.
    trail : int
        How many positions after the last input the last frame may reach: the right padding. Negative drops inputs.
    centre : int, optional
        Where in the span the frame's time lies, in half inputs from the span's start; the middle, ``span - 1``, by
        default. A causal filter says ``2 * (span - 1)``: its output belongs to the newest sample.
    least : int, optional
        The smallest input length that gives a frame; follows from the others except in a chain. No input, no frames.
    wait : int, optional
        How many inputs beyond its span must have come before it is known that there is a frame: as many as a negative
        trail drops, by default, and in a chain what its stages wait for.

    Raises
    ------
    ParameterError
        If span or hop is not an integer of at least 1, or another field not an integer.

    Examples
    --------
    >>> frames = Geometry(span=400, hop=160)
    >>> frames.count(16000), frames.latency
    (98, 399)
    >>> deltas = Geometry(span=5, hop=1, lead=2, trail=2)
    >>> frames.then(deltas).span
    1040
    """

    span: int = 1
    hop: int = 1
    lead: int = 0
    trail: int = 0
    centre: int = -1
    least: int = -1
    wait: int = -1

    def __post_init__(self) -> None:
        for name in ("span", "hop", "lead", "trail", "centre", "least", "wait"):
            value = integer(f"Geometry {name}", getattr(self, name))
            object.__setattr__(self, name, value)
            if name in ("span", "hop") and value < 1:
                raise ParameterError(f"Geometry {name} is {value}; it must be at least 1")
        if self.centre < 0:
            object.__setattr__(self, "centre", self.span - 1)
        if self.least < 0:
            object.__setattr__(self, "least", max(1, self.span - self.lead - self.trail))
        if self.wait < 0:
            object.__setattr__(self, "wait", max(0, -self.trail))

    @property
    def latency(self) -> int:
        """How many inputs after number ``f * hop`` must be there before frame f is known; negative for none.

        The first frames of a stage that mirrors its input there wait for what is mirrored, too.
        """
        return self.span - 1 - self.lead + self.wait

    def count(self, n: int) -> int:
        """The number of frames that `n` inputs give."""
        if n < self.least:
            return 0
        return max(0, (n + self.lead + self.trail - self.span) // self.hop + 1)

    def needed(self, frames: int) -> int:
        """The smallest number of inputs that gives at least `frames` frames (0 for none)."""
        if frames < 1:
            return 0
        return max(self.least, self.span + (frames - 1) * self.hop - self.lead - self.trail)

    def ready(self, n: int) -> int:
        """The number of frames that the first `n` inputs settle, whatever may follow them."""
        return min(self.count(n), max(0, (n - self.wait + self.lead - self.span) // self.hop + 1))

    def inputs(self, start: int, stop: int) -> tuple[int, int]:
        """The half-open range of inputs that frames `start` to `stop` see; it may reach into the padding."""
        if stop <= start:
            return start * self.hop - self.lead, start * self.hop - self.lead
        return start * self.hop - self.lead, (stop - 1) * self.hop - self.lead + self.span

    def times(self, n: int, sample_rate: int, first: int = 0) -> NDArray[np.float64]:
        """The times in seconds of the frames that `n` inputs give, from frame `first` on.

        Shape: (frames,)
        """
        return self.times_of(first, max(first, self.count(n)), sample_rate)

    def times_of(self, start: int, stop: int, sample_rate: int) -> NDArray[np.float64]:
        """The times in seconds of the frames `start` to `stop`, whether or not there are so many.

        Shape: (frames,)
        """
        step = 2 * self.hop
        first = step * start - 2 * self.lead + self.centre
        return np.arange(first, first + step * (stop - start), step, dtype=np.int64) / (2 * sample_rate)

    def then(self, second: Geometry) -> Geometry:
        """The geometry of this stage followed by `second`."""
        return Geometry(
            span=self.span + (second.span - 1) * self.hop,
            hop=self.hop * second.hop,
            lead=self.lead + second.lead * self.hop,
            trail=self.trail + second.trail * self.hop,
            centre=self.centre + second.centre * self.hop,
            least=self.needed(second.least),
            wait=self.wait + second.wait * self.hop,
        )

    @staticmethod
    def window(span: int, hop: int = 1, dilation: int = 1, padding: str | int | tuple[int, int] = "valid") -> Geometry:
        """The geometry of a convolution or pooling with `span` taps, padded as `padding_of` says.

        >>> Geometry.window(3, dilation=8, padding="causal")
        Geometry(span=17, hop=1, lead=16, trail=0, centre=32, least=1, wait=0)
        """
        reach = integer("dilation", dilation) * (integer("span", span) - 1) + 1
        left, right = padding_of(padding, reach)
        return Geometry(reach, hop, left, right, centre=2 * (reach - 1) if padding == "causal" else reach - 1)

    @staticmethod
    def chain(*stages: Geometry) -> Geometry:
        """The geometry of several stages in a row; of none, that of the identity."""
        return reduce(Geometry.then, stages, Geometry())


def padding_of(padding: str | int | tuple[int, int], span: int) -> tuple[int, int]:
    """Left and right padding for a window of `span` inputs, by name or number.

    "valid" is none; "same" keeps the length at stride 1, with the odd one on the right as in torch; "causal" puts
    ``span - 1`` on the left; a number goes on both sides; a pair is (left, right).

    Raises
    ------
    ParameterError
        If `padding` is none of these, or negative.

    Examples
    --------
    >>> padding_of("same", 4), padding_of("causal", 4), padding_of(2, 4)
    ((1, 2), (3, 0), (2, 2))
    """
    span = integer("span", span)
    if isinstance(padding, str):
        sides = {"valid": (0, 0), "same": ((span - 1) // 2, span // 2), "causal": (span - 1, 0)}
        if padding in sides:
            return sides[padding]
    else:
        both = padding if isinstance(padding, tuple | list) else (padding, padding)
        try:
            left, right = (integer("padding", side) for side in both)
            if left >= 0 and right >= 0:
                return left, right
        except ValueError:  # not two, or not integers
            pass
    raise ParameterError(
        f'padding is {padding!r}; it must be "valid", "same", "causal", an integer of at least 0, or a pair of them'
    )
