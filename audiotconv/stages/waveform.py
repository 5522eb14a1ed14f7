"""Zero crossings and energies of frames of samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..audio import scale_of
from ..errors import ParameterError
from ..geometry import Geometry
from ..kernels import waveform as kernels
from .checks import integer_at_least, positive
from .frame_stage import FrameStage
from .shape import places_of

__all__ = ["MEASURES", "Waveform"]

MEASURES = {
    "zero_crossing_rate": kernels.ZERO_CROSSING_RATE,
    "rms": kernels.RMS,
    "log_energy": kernels.LOG_ENERGY,
}


class Waveform(FrameStage):
    """Measures of frames of samples: a first stage.

    Parameters
    ----------
    measures : sequence of str
        Of the features, in their order:

        - "zero_crossing_rate": how many neighbouring samples of a frame differ in sign, divided by `window`. Beyond
          the ends the first and the last sample go on.
        - "rms": the root of the mean of the squared samples, which are 0 beyond the ends
        - "log_energy": the natural logarithm of the sum of the squared samples, at least `floor`
    window, hop : int
        In samples.
    centre : bool
        Whether frame f is centred on sample f * hop, as in librosa; else frames begin there, and lie in the signal.
    threshold : float
        At least 0. Samples of at most this size are neither positive nor negative; they count as positive.
    floor : float
        The smallest energy.

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    Notes
    -----
    Shape: (channels, time) -> (channels, measures, frames). Samples have full scale 1. Streams.

    Source: librosa.feature.zero_crossing_rate and librosa.feature.rms.

    Examples
    --------
    >>> stage = Waveform(("zero_crossing_rate", "rms"), window=4, hop=2, centre=False)
    >>> stage.run(np.array([[0.5, -0.5, 0.5, -0.5, -0.5, -0.5]], np.float32), 0, 2, 1).tolist()
    [[[0.75, 0.25], [0.5, 0.5]]]
    """

    def __init__(
        self,
        measures: Sequence[str] = tuple(MEASURES),
        *,
        window: int = 2048,
        hop: int = 512,
        centre: bool = True,
        threshold: float = 1e-10,
        floor: float = 1e-10,
    ) -> None:
        self.features, self._places = places_of(measures, dict.fromkeys(MEASURES, 1), MEASURES)
        window, hop = integer_at_least("window", window, 1), integer_at_least("hop", hop, 1)
        if not isinstance(centre, bool):
            raise ParameterError(f"centre is {centre!r}; it must be True or False")
        if threshold != 0:
            positive("threshold", threshold)
        self.window, self.hop = window, hop
        self._threshold, self._floor = np.float32(threshold), positive("floor", floor)
        half = window // 2
        self.geometry = Geometry(window, hop, half, half, centre=2 * half) if centre else Geometry(window, hop)

    @property
    def operations(self) -> float:
        """Floating-point operations for each sample and channel."""
        return 4.0 + 2.0 * self.window / self.hop

    def run(
        self, x: NDArray[Any], origin: int, frames: int, threads: int, first: int = 0, memory: Any = None
    ) -> NDArray[np.float32]:
        """Shape: (channels, time) -> (channels, measures, frames)"""
        out = np.empty((x.shape[0], len(self.features), frames), np.float32)
        if frames:
            kernels.waveform(
                x, scale_of(x.dtype), origin, self.window, self.hop, self._threshold, self._floor, self._places, out,
                threads=threads,
            )  # fmt: skip
        return out
