"""The Gaussian pooling stage: weighted means over windows of frames, as LEAF has them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..filters import window
from ..geometry import Geometry
from .checks import integer_at_least, positive
from .conv import conv1d
from .frame_stage import FrameStage

__all__ = ["GaussianPool"]


class GaussianPool(FrameStage):
    """Means of each feature over windows of frames, weighted with a Gaussian.

    Frame f is centred on the inputs ``f * hop`` to ``(f + 1) * hop - 1``, so n of them give ceil(n / hop) frames; zeros
    stand before and after.

    Parameters
    ----------
    features : tuple of str
        The input's feature names.
    size, hop : int
        The window's length, and from one to the next, in input frames.
    std : float
        The Gaussian's standard deviation in halves of the window; 0.4 in LEAF, before training.

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    Notes
    -----
    Shape: (channels, features, time) -> (channels, features, frames)

    Source: Zeghidour et al., "LEAF: a learnable frontend for audio classification", arXiv 2101.08596.

    Examples
    --------
    >>> GaussianPool(("x",), 5, 5).run(np.ones((1, 1, 10), np.float32), 0, 2, 1).round(5).tolist()
    [[[1.0, 1.0]]]
    """

    def __init__(self, features: tuple[str, ...], size: int, hop: int, *, std: float = 0.4) -> None:
        self.features = features
        self.size, self.hop = integer_at_least("size", size, 1), integer_at_least("hop", hop, 1)
        taps = window("gaussian", self.size, periodic=False, std=positive("std", std) * self.size / 2)
        self._taps = (taps / taps.sum()).astype(np.float32)
        self._method = "rows" if self.hop == 1 else "bank"  # not by blocks, which would depend on where x begins
        lead = (self.size - self.hop) // 2
        self.geometry = Geometry(self.size, self.hop, lead, self.size - 1 - lead)

    def run(
        self, x: NDArray[Any], origin: int, frames: int, threads: int, first: int = 0, memory: Any = None
    ) -> NDArray[np.float32]:
        """Shape: (channels, features, time) -> (channels, features, frames)"""
        stop = origin + (frames - 1) * self.hop + self.size
        seen = x[..., max(0, origin) : max(0, stop)]
        wanted = np.zeros((*x.shape[:2], max(0, stop - origin) if frames else 0), np.float32)
        at = max(0, -origin)
        wanted[..., at : at + seen.shape[2]] = seen
        rows = wanted.reshape(-1, 1, wanted.shape[2])
        out = conv1d(rows, self._taps[None, None], stride=self.hop, method=self._method, threads=threads)
        return np.asarray(out.reshape(*x.shape[:2], -1)[:, :, :frames])
