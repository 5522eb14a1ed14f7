"""What is done with the features of frames."""

from __future__ import annotations

from typing import Any

from ...stages import Log, Stage
from ...stages.log import LOG_UNITS
from ..quantities import Choice, Number
from .kind import StageKind

__all__ = ["FRAMES", "energies"]


def energies(stage: Stage) -> tuple[str, ...]:
    """The leading feature that is a logarithm already, if there is one."""
    return stage.features[:1] if stage.features[0] == "log energy" else ()


def _log(values: dict[str, Any], sample_rate: int, previous: Stage | None) -> Stage:
    assert previous is not None
    return Log(previous.features, floor=values["floor"], unit=values["unit"], aside=len(energies(previous)))


FRAMES = {
    "log": StageKind(
        {
            "floor": Number("smaller values count as this", default=1e-10, least=1e-37, most=1e38),
            "unit": Choice("natural, log10 or dB", default="natural", words=tuple(LOG_UNITS)),
        },
        _log,
        takes_samples=False,
    ),
}
