"""Pooling along time as a stage."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from .base import WHOLE
from .checks import integer_at_least, positive
from .frame_stage import FrameStage
from .pool import HOW, NEVER_PADDED, geometry_of, pooled

__all__ = ["Pool1d"]


class Pool1d(FrameStage):
    """Windows of each feature reduced to one value each: `pool1d` as a stage.

    Parameters
    ----------
    features : int or tuple of str
        How many features the input has, or their names.
    size : int, optional
        The number of values in a window. Without it, one window takes a whole signal, which cannot stream.
    hop, how, dilation, padding, count_include_pad, p, ddof
        As for `pool1d`. "stats" gives two features for each: mean and deviation.
    scores : int, optional
        For how="attention": which feature holds the scores of the others, which alone are pooled.

    Raises
    ------
    ParameterError
        If a parameter is out of its range, or a window could lie in the padding alone.

    Notes
    -----
    Shape: (channels, features, time) -> (channels, features, frames)

    Examples
    --------
    >>> Pool1d(1, 2).run(np.array([[[1, 3, 2, 5, 9]]], np.float32), 0, 2, 1).tolist()
    [[[3.0, 5.0]]]
    >>> Pool1d(("score", "a", "b"), 2, how="attention", scores=0).features
    ('a', 'b')
    """

    def __init__(
        self,
        features: int | tuple[str, ...],
        size: int | None = None,
        hop: int | None = None,
        *,
        how: str = "max",
        dilation: int = 1,
        padding: str | int | tuple[int, int] = "valid",
        count_include_pad: bool = True,
        p: float = 2.0,
        ddof: int = 0,
        scores: int | None = None,
    ) -> None:
        if not isinstance(features, tuple):
            features = tuple(f"feature {number}" for number in range(integer_at_least("features", features, 1)))
        self.inputs = len(features)
        if not isinstance(how, str) or how not in HOW:
            raise ParameterError(f"how is {how!r}; it must be one of {', '.join(HOW)}")
        if (how == "attention") != (scores is not None):
            raise ParameterError(f'how is {how!r} and scores {scores!r}; "attention", and nothing else, has scores')
        self._scores = None if scores is None else integer_at_least("scores", scores, 0)
        if self._scores is not None and self._scores >= len(features):
            raise ParameterError(f"scores is {scores}; there are {len(features)} features, counted from 0")
        self._kept = [number for number in range(len(features)) if number != self._scores]
        if not self._kept:
            raise ParameterError("the scores are the only feature; there must be one to pool")
        names = tuple(features[number] for number in self._kept)
        self.features = (
            tuple(f"{name} {what}" for name in names for what in ("mean", "deviation")) if how == "stats" else names
        )
        self._how, self._ddof, self._power = how, integer_at_least("ddof", ddof, 0), positive("p", p)
        if not 1e-30 <= self._power <= 1e30:
            raise ParameterError(f"p is {p}; it must be from 1e-30 to 1e30")
        self._padded = bool(count_include_pad) and how not in NEVER_PADDED
        self._dilation = integer_at_least("dilation", dilation, 1)
        if size is None:
            if hop is not None or dilation != 1 or padding != "valid":
                raise ParameterError("hop, dilation and padding belong to windows of a size, and size is not given")
            self._size, self.whole, self.geometry = 0, True, WHOLE
            return
        self._size = integer_at_least("size", size, 1)
        self.geometry = geometry_of(self._size, hop, self._dilation, padding)
        if how == "stats" and self._ddof >= self._size:
            raise ParameterError(f"ddof is {ddof}; it must be less than the window's size, {size}")
        if not self._padded and not self._always_inside():
            raise ParameterError(
                f"padding is {padding!r}; with a size of {size} and a dilation of {dilation}, a window could see "
                "padding alone"
            )

    def _always_inside(self) -> bool:
        """Whether one tap of the first and of the last window lies inside for every length."""
        geometry, step = self.geometry, self._dilation
        return step == 1 or -(-geometry.lead // step) * step <= geometry.span - 1 - geometry.trail

    def run(
        self, x: NDArray[Any], origin: int, frames: int, threads: int, first: int = 0, memory: Any = None
    ) -> NDArray[np.float32]:
        """Shape: (channels, features, time) -> (channels, features, frames)"""
        geometry = self.geometry
        low = max(0, origin)
        high = origin + (frames - 1) * geometry.hop + geometry.span if self._size else x.shape[2]
        seen = x[..., low : max(low, high)]
        data = np.ascontiguousarray(seen if self._scores is None else seen[:, self._kept])
        channels, kept, time = data.shape
        scores = data
        if self._scores is not None:
            scores = np.repeat(seen[:, [self._scores]], kept, axis=1)
        parts = 2 if self._how == "stats" else 1
        out = np.empty((channels, kept * parts, frames), np.float32)
        if frames:
            rows = channels * kept
            pooled(
                data.reshape(rows, time), scores.reshape(rows, time), np.full(rows, time), self._how, self._size,
                geometry.hop if self._size else 1, self._dilation, max(0, -origin), self._padded, self._power,
                self._ddof, out.reshape(rows, parts, frames), threads,
            )  # fmt: skip
        return out
