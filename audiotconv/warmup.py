"""Compiling every kernel before it is needed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from .filters import sinc_bank
from .filters.nine_taps import KERNEL_PLACES, NineTapBank
from .kernels.add import add
from .kernels.compile import available_threads
from .recipes import Recipe, get_recipe, list_recipes
from .stages import conv1d, filter_energy, pool1d
from .stages.minirocket import ppv
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
            for how in ("mean", "median"):  # what windows share, and what each does on its own, have their kernels
                yield f"pool1d, {how}, {kind}, {form}", partial(pool1d, x, 4, 4, how=how, threads=threads)
        one = np.zeros(16, np.float32)
        yield f"sums, {form}", partial(add, one, one, 0, 0.0, one, threads=threads)
        bank = sinc_bank(2, sample_rate=16000, span=9)
        energy = partial(filter_energy, np.zeros(64), bank, window=4, hop=4, method="overlap-save", threads=threads)
        yield f"filter_energy, {form}", energy
        zeros = np.zeros(len(KERNEL_PLACES), np.int64)
        rocket = NineTapBank(1, np.array([1]), np.array([1]), zeros + 1, zeros, zeros.astype(np.float32))
        yield f"minirocket, {form}", partial(ppv, rocket, one[None], threads)
        if importlib.util.find_spec("sklearn"):
            yield from _transformers(threads, form)


def _transformers(threads: int, form: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    from .learn import Hydra, MultiRocket, Rocket
    from .learn.base import PARALLEL_FROM

    series = np.zeros((1, 1, 64 if threads == 1 else PARALLEL_FROM), np.float32)
    few: dict[str, Any] = {"random_state": 0, "n_jobs": threads}
    for model in (MultiRocket(84, **few), Rocket(10, **few), Hydra(2, 2, **few)):
        yield f"{type(model).__name__}, {form}", partial(model.fit_transform, series)


def _run(recipe: Recipe, kind: str, threads: int) -> Any:
    return recipe.build(8000).run(np.zeros((1, 800), kind), threads)


_FRAMES = {"length": 200, "hop": 80}
# Kinds of stages that no recipe which comes along has.
_OTHERS: dict[str, list[dict[str, Any]]] = {
    "shape": [{"kind": "spectrum", "window": "hann", **_FRAMES}, {"kind": "shape", "n_bands": 4}, {"kind": "deltas"}],
    "waveform": [{"kind": "waveform", "window": 200, "hop": 80}, {"kind": "normal", "mode": "sliding"}],
}
