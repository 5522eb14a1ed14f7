"""Logarithms within so much of the loudest value."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from ..geometry import Geometry
from .frame_stage import FrameStage

__all__ = ["Range"]


class Range(FrameStage):
    """Every value, but at least the channel's largest one less `below`; less `zero`, and times `scale`.

    Parameters
    ----------
    features : tuple of str
        The input's feature names.
    below : float, optional
        At least 0, in the input's unit; None leaves small values as they are.
    zero : float or "max"
        What to subtract: a number, or the channel's largest value.
    scale : float
        What to multiply with afterwards; not 0.

    Raises
    ------
    ParameterError
        If a parameter is none of these.

    Notes
    -----
    Shape: (channels, features, frames) -> the same. Depends on the whole signal, and cannot stream, unless `below` is
    None and `zero` a number.

    After base-10 logarithms, ``below=8, zero=-4, scale=0.25`` is Whisper's (Radford et al., Robust speech recognition
    via large-scale weak supervision, 2022; ``log_mel_spectrogram``). After decibels, ``below=80`` is librosa's
    ``power_to_db`` with ``top_db=80``, with ``zero="max"`` for ``ref=np.max`` or ``zero=10 * log10(ref)`` for a
    number. Each channel has its own largest value; librosa takes that of all.

    Examples
    --------
    >>> stage = Range(("x",), below=8.0, zero=-4.0, scale=0.25)
    >>> stage.run(np.array([[[-10.0, -3.0, 1.0]]], np.float32), 0, 3, 1).tolist()
    [[[-0.75, 0.25, 1.25]]]
    """

    def __init__(
        self, features: tuple[str, ...], *, below: float | None = 80.0, zero: float | str = 0.0, scale: float = 1.0
    ) -> None:
        if below is not None and not (_is_number(below) and below >= 0):
            raise ParameterError(f"below is {below!r}; it must be None or a number of at least 0")
        if zero != "max" and not _is_number(zero):
            raise ParameterError(f'zero is {zero!r}; it must be "max" or a number')
        if not _is_number(scale) or scale == 0:
            raise ParameterError(f"scale is {scale!r}; it must be a number, and not 0")
        self.features, self.geometry = features, Geometry()
        self._below = None if below is None else np.float32(below)
        self._zero = None if isinstance(zero, str) else np.float32(zero)
        self._scale = np.float32(scale)
        self.whole = below is not None or zero == "max"

    def begin(self, channels: int) -> list[NDArray[np.float32]] | None:
        """Where the largest values will be kept."""
        return [] if self.whole else None

    def run(
        self, x: NDArray[Any], origin: int, frames: int, threads: int, first: int = 0, memory: Any = None
    ) -> NDArray[np.float32]:
        """Shape: (channels, features, time) -> (channels, features, frames)"""
        out: NDArray[np.float32] = x[..., origin : origin + frames]
        zero: Any = self._zero
        if self.whole and x.size:
            if memory:
                peak = memory[0]
            else:
                peak = x.max(axis=(1, 2), keepdims=True)
                if memory is not None:
                    memory.append(peak)
            if self._below is not None:
                out = np.maximum(out, peak - self._below)
            zero = peak if zero is None else zero
        out = out - zero if zero is not None else out.copy()
        out *= self._scale
        return out


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool) and math.isfinite(value)
