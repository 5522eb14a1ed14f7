"""Temporal convolution as a stage."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..audio import scale_of
from ..errors import ParameterError
from ..kernels.exp import SQUARED_MODULUS
from .base import aligned_empty
from .buffer import in_storage
from .checks import activation_of, array_of, floating, integer_at_least
from .conv import bias_of, geometry_of
from .convolver import Convolver
from .frame_stage import FrameStage
from .plan import plan

__all__ = ["Conv1d", "as_features"]

_FLOAT32 = np.dtype(np.float32)


class Conv1d(FrameStage):
    """A layer of filters that slide along time: `conv1d` as a stage, computed in float32.

    Parameters
    ----------
    weight : (filters, channels // groups, taps)
        The channels are the input's features; with one channel it also takes samples.
    bias : (filters,), optional
    stride, dilation, padding, pad_mode, groups, activation, method
        As for `conv1d`. By "overlap-save" frames come in groups, as their transforms do, and so later.
    name : str
        Features are named by it and their number.

    Attributes
    ----------
    plan : Plan

    Raises
    ------
    ParameterError
        If shapes or parameters do not fit.

    Notes
    -----
    Shape: (channels, features, time) -> (channels, filters, frames). Streams. Where the input is shorter than the
    filters there are no frames.

    Examples
    --------
    >>> layer = Conv1d(np.ones((1, 1, 3)), dilation=2, padding="causal", activation="relu")
    >>> layer.run(np.array([[[1, 2, 3, -9]]], np.float32), -4, 4, 1).tolist()
    [[[1.0, 2.0, 4.0, 0.0]]]
    >>> layer.geometry.span, layer.geometry.latency
    (5, 0)
    """

    def __init__(
        self,
        weight: ArrayLike,
        bias: ArrayLike | None = None,
        *,
        stride: int = 1,
        dilation: int = 1,
        padding: str | int | tuple[int, int] = "valid",
        pad_mode: str = "zero",
        groups: int = 1,
        activation: str | tuple[str, float] | None = None,
        method: str = "auto",
        name: str = "filter",
    ) -> None:
        taps = array_of("weight", weight)
        floating("weight", taps)
        stride = integer_at_least("stride", stride, 1)
        dilation = integer_at_least("dilation", dilation, 1)
        groups = integer_at_least("groups", groups, 1)
        if taps.ndim != 3 or 0 in taps.shape or taps.shape[0] % groups:
            raise ParameterError(
                f"weight has the shape {taps.shape}; it must be (filters, channels // groups, taps), with at least one "
                f"tap and a multiple of {groups} filters"
            )
        filters, each, span = taps.shape
        kind, slope = activation_of(activation)
        self.inputs = each * groups
        self.plan = plan(
            taps.shape, stride=stride, dilation=dilation, groups=groups, activation=activation, method=method
        )
        rows = filters // 2 if kind == SQUARED_MODULUS else filters
        self.features = tuple(f"{name} {number}" for number in range(rows))
        geometry = geometry_of(span, stride, dilation, padding, pad_mode)
        self._mode = pad_mode
        if pad_mode != "zero" and (geometry.lead or geometry.trail):
            beyond = max(geometry.lead, geometry.trail) if pad_mode == "reflect" else 0
            self.border = beyond + 1
            geometry = replace(geometry, least=max(geometry.least, beyond + 1))
        self._beyond = 0  # how many inputs a group sees after its last frame's
        if self.plan.method == "overlap-save":  # two blocks are transformed together
            block = self.plan.block(geometry.span, stride)
            self.group = 2 * block
            self._beyond = self.plan.size - geometry.span - (block - 1) * stride
            geometry = replace(geometry, wait=(self.group - 1) * stride + self._beyond)
        self.geometry = geometry
        self._convolver = Convolver(
            taps, bias_of(bias, filters, _FLOAT32), self.plan,
            groups=groups, stride=stride, dilation=dilation, kind=kind, slope=slope, dtype=_FLOAT32,
        )  # fmt: skip
        self._operations: float = 2.0 * filters * each * span / stride / self.inputs

    @property
    def operations(self) -> float:
        """Floating-point operations for each value of the input."""
        return self._operations

    def run(
        self, x: NDArray[Any], origin: int, frames: int, threads: int, first: int = 0, memory: Any = None
    ) -> NDArray[np.float32]:
        """Shape: (channels, features, time) or (channels, time) -> (channels, filters, frames)"""
        out: NDArray[np.float32] = aligned_empty((x.shape[0], len(self.features), frames))
        if frames:
            data, left = self._inputs(x, origin, frames)
            self._convolver(data, left, out, threads)
        return out

    def _inputs(self, x: NDArray[Any], origin: int, frames: int) -> tuple[NDArray[np.float32], int]:
        """A contiguous array with what the frames see, and how many zeros are to stand before it."""
        geometry, time = self.geometry, x.shape[-1]
        groups = -(-frames // self.group) * self.group  # the last group is transformed whole
        end = origin + (groups - 1) * geometry.hop + geometry.span + self._beyond
        last = origin + (frames - 1) * geometry.hop + geometry.span
        inside = origin >= 0 and end <= time
        if x.ndim == 3 and inside:
            data, begin = in_storage(x)
            return data, -(begin + origin)
        left, right = max(0, -origin), max(0, last - time)
        if self._mode == "zero" or not (left or right):
            low = max(0, origin)
            return as_features(x[..., low : max(low, end)]), left
        # What is mirrored lies next to the end.
        low = max(0, min(origin, time - 1 - right) if right else origin)
        seen = as_features(x[..., low : max(end, left + 1)])
        mode: Any = self._mode
        padded = np.pad(seen, ((0, 0), (0, 0), (left, right)), mode=mode)
        return np.ascontiguousarray(padded), 0 if left else low - origin


def as_features(x: NDArray[Any]) -> NDArray[np.float32]:
    """Samples as one feature at full scale 1; features as they are; contiguous."""
    if x.ndim == 2:
        x = (x.astype(np.float32) * scale_of(x.dtype))[:, None]
    return np.require(x, np.float32, ["C", "W", "A"])
