"""The logarithm stage."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from ..geometry import Geometry
from ..kernels import log as kernels
from .frame_stage import FrameStage

__all__ = ["LOG_UNITS", "Log"]

LOG_UNITS = {"natural": 1.0, "log10": 1.0 / math.log(10.0), "dB": 10.0 / math.log(10.0)}


class Log(FrameStage):
    """The logarithm of every value, or of `floor` where the value is smaller.

    Parameters
    ----------
    features : tuple of str
        The input's feature names.
    floor : float
        At least 1e-37, so that the logarithm of silence is finite.
    unit : "natural", "log10" or "dB" (ten times log10)
    aside : int
        How many leading features are passed on as they are.

    Raises
    ------
    ParameterError
        If floor or unit is none of these.

    Notes
    -----
    Shape: (channels, features, frames) -> the same. Computed in float32 to within two units in the last place.

    Examples
    --------
    >>> Log(("x",), floor=1e-10, unit="dB").run(np.ones((1, 1, 2), np.float32), 0, 2, 1).tolist()
    [[[0.0, 0.0]]]
    """

    def __init__(
        self, features: tuple[str, ...], *, floor: float = 1e-10, unit: str = "natural", aside: int = 0
    ) -> None:
        if not _is_real(floor) or not 1e-37 <= floor < 3e38:
            raise ParameterError(
                f"the logarithm's floor is {floor!r}; it must be a number of at least 1e-37, below 3e38"
            )
        if not isinstance(unit, str) or unit not in LOG_UNITS:
            raise ParameterError(f"the logarithm's unit is {unit!r}; it must be one of {', '.join(LOG_UNITS)}")
        self.features = features
        self.geometry = Geometry()
        self.floor, self.unit, self.aside = np.float32(floor), unit, aside
        self.factor = np.float32(LOG_UNITS[unit])

    def run(
        self, x: NDArray[Any], origin: int, frames: int, threads: int, first: int = 0, memory: Any = None
    ) -> NDArray[np.float32]:
        """Shape: (channels, features, time) -> (channels, features, frames)"""
        x = np.ascontiguousarray(x[..., origin : origin + frames])
        out = np.empty_like(x)
        for source, target in (
            [(x, out)] if not self.aside else zip(x[:, self.aside :], out[:, self.aside :], strict=True)
        ):
            kernels.log_floor(source.reshape(-1), self.floor, self.factor, target.reshape(-1), threads=threads)
        out[:, : self.aside] = x[:, : self.aside]
        return out


def _is_real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
