"""The kinds of stages that a recipe can name, their parameters, and how each is built for a sample rate."""

from .banks import BANKS
from .frames import FRAMES
from .kind import StageKind
from .pools import POOLS
from .spectra import SPECTRA

__all__ = ["KINDS", "StageKind"]

KINDS: dict[str, StageKind] = {**BANKS, **SPECTRA, **FRAMES, **POOLS}
