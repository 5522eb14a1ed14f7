"""Folders of audio in, feature maps out, at the speed of the processor.

One operation runs through it: temporal convolution, a filter that slides along time.

>>> import numpy as np
>>> import audiotconv as atc
>>> atc.extract(np.zeros(8000, np.float32), "gabor-40", sample_rate=8000).shape
(1, 40, 100)

Names are imported when they are first used: nothing is compiled, and neither Numba nor SciPy is loaded, on import.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Conv1d": "stages",
    "FeatureMap": "extraction",
    "FeatureStore": "batch",
    "FilterBank": "filters",
    "FolderReport": "batch",
    "Geometry": "geometry",
    "Plan": "stages",
    "Pool1d": "stages",
    "Recipe": "recipes",
    "Residual": "stages",
    "SequentialBuffer": "stages",
    "SpectralBank": "filters",
    "Stack": "stages",
    "Stream": "stream",
    "chroma_bank": "filters",
    "conv1d": "stages",
    "conv_transpose1d": "stages",
    "extract": "extraction",
    "extract_folder": "batch",
    "filter_energy": "stages",
    "gabor_bank": "filters",
    "gammatone_bank": "filters",
    "get_recipe": "recipes",
    "list_recipes": "recipes",
    "load": "batch",
    "mel_bank": "filters",
    "plan": "stages",
    "pool1d": "stages",
    "sinc_bank": "filters",
    "stft": "stages",
    "verify": "batch",
}

__all__ = [
    "Conv1d",
    "FeatureMap",
    "FeatureStore",
    "FilterBank",
    "FolderReport",
    "Geometry",
    "Plan",
    "Pool1d",
    "Recipe",
    "Residual",
    "SequentialBuffer",
    "SpectralBank",
    "Stack",
    "Stream",
    "__version__",
    "chroma_bank",
    "conv1d",
    "conv_transpose1d",
    "extract",
    "extract_folder",
    "filter_energy",
    "gabor_bank",
    "gammatone_bank",
    "get_recipe",
    "list_recipes",
    "load",
    "mel_bank",
    "plan",
    "pool1d",
    "sinc_bank",
    "stft",
    "verify",
]

if TYPE_CHECKING:
    from .batch import FeatureStore, FolderReport, extract_folder, load, verify
    from .extraction import FeatureMap, extract
    from .filters import FilterBank, SpectralBank, chroma_bank, gabor_bank, gammatone_bank, mel_bank, sinc_bank
    from .geometry import Geometry
    from .recipes import Recipe, get_recipe, list_recipes
    from .stages import (
        Conv1d,
        Plan,
        Pool1d,
        Residual,
        SequentialBuffer,
        Stack,
        conv1d,
        conv_transpose1d,
        filter_energy,
        plan,
        pool1d,
        stft,
    )
    from .stream import Stream


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'audiotconv' has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
