"""The bands stage: sums of features with weights, frame by frame, as mel bands and cosine transforms are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ParameterError
from ..geometry import Geometry
from ..kernels import spectrum as kernels
from .frame_stage import FrameStage

__all__ = ["Bands"]


class Bands(FrameStage):
    """Weighted sums over the features of each frame.

    Parameters
    ----------
    weights : (bands, features) array
        Only the stretch of a row that is not zero is computed, in the order of the features.
    names : tuple of str
        Of the bands.
    aside : tuple of str
        The names of leading features that are passed on as they are, and that `weights` says nothing of.

    Raises
    ------
    ParameterError
        If the weights have another shape, or are not finite.

    Notes
    -----
    Shape: (channels, aside + features, frames) -> (channels, aside + bands, frames)

    Examples
    --------
    >>> Bands([[1, 1, 0], [0, 0.5, 0.5]], ("low", "high")).run(np.ones((1, 3, 1), np.float32), 0, 1, 1).tolist()
    [[[2.0], [1.0]]]
    """

    def __init__(self, weights: ArrayLike, names: tuple[str, ...], aside: tuple[str, ...] = ()) -> None:
        matrix = np.asarray(weights, np.float32)
        if matrix.ndim != 2 or matrix.shape[0] != len(names) or not matrix.size:
            raise ParameterError(
                f"the weights of {len(names)} bands have the shape {matrix.shape}; it must be (bands, features)"
            )
        if not np.isfinite(matrix).all():
            raise ParameterError("the weights of bands must all be finite")
        self.features = (*aside, *names)
        self.aside = len(aside)
        self.geometry = Geometry()
        self.spans = np.zeros((len(matrix), 3), np.int64)
        stretches: list[NDArray[np.float32]] = []
        for row, span in zip(matrix, self.spans, strict=True):
            used = np.flatnonzero(row)
            low, high = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 0)
            span[:] = low, high, sum(len(stretch) for stretch in stretches)
            stretches.append(row[low:high])
        self.weights = np.concatenate([*stretches, np.zeros(1, np.float32)])

    def run(
        self, x: NDArray[Any], origin: int, frames: int, threads: int, first: int = 0, memory: Any = None
    ) -> NDArray[np.float32]:
        """Shape: (channels, features, time) -> (channels, features, frames)"""
        out = np.empty((x.shape[0], len(self.features), frames), np.float32)
        part = np.ascontiguousarray(x[..., origin : origin + frames])
        kernels.bands(part, self.aside, self.weights, self.spans, out, threads=threads)
        return out
