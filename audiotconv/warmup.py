"""Compiling every kernel before it is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from .filters import sinc_bank
from .kernels.add import add
from .kernels.compile import available_threads
from .recipes import Recipe, get_recipe, list_recipes
from .stages import conv1d, filter_energy, pool1d
from .stages.plan import METHODS

__all__ = ["warmup_steps"]


def warmup_steps() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Names of, and functions that do, one small piece of work for every kernel, input type and form."""
    for threads in (1, 2) if available_threads() > 1 else (1,):
        form = "serial" if threads == 1 else "parallel"
        for kind in ("int16", "int32", "float32"):
            for name in list_recipes():
                yield f"{name}, {kind}, {form}", partial(_run, get_recipe(name), kind, threads)
            for name, stages in _OTHERS.items():
                recipe = Recipe.from_dict({"name": name, "version": 1, "stage": stages})
                yield f"{name}, {kind}, {form}", partial(_run, recipe, kind, threads)
        for kind in ("float32", "float64"):
            x = np.zeros((1, 64), kind)
            weight = np.ones((2, 1, 3), kind)
            for method in METHODS:
                yield f"conv1d by {method}, {kind}, {form}", partial(conv1d, x, weight, method=method, threads=threads)
            for hop in (4, 60):  # overlapping windows and windows far apart have kernels of their own
                yield f"pool1d, {kind}, {form}", partial(pool1d, x, 4, hop, threads=threads)
        one = np.zeros(16, np.float32)
        yield f"sums, {form}", partial(add, one, one, 0, 0.0, one, threads=threads)
        bank = sinc_bank(2, sample_rate=16000, span=9)
        energy = partial(filter_energy, np.zeros(64), bank, window=4, hop=4, method="overlap-save", threads=threads)
        yield f"filter_energy, {form}", energy


def _run(recipe: Recipe, kind: str, threads: int) -> Any:
    return recipe.build(8000).run(np.zeros((1, 800), kind), threads)


_FRAMES = {"length": 200, "hop": 80}
# Kinds of stages that no recipe which comes along has.
_OTHERS: dict[str, list[dict[str, Any]]] = {
    "shape": [{"kind": "spectrum", "window": "hann", **_FRAMES}, {"kind": "shape", "n_bands": 4}, {"kind": "deltas"}],
    "waveform": [{"kind": "waveform", "window": 200, "hop": 80}, {"kind": "normal", "mode": "sliding"}],
}
