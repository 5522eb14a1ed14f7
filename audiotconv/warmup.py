"""Compiling every kernel before it is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from .kernels.compile import available_threads
from .recipes import get_recipe, list_recipes
from .stages import conv1d, pool1d

__all__ = ["warmup_steps"]


def warmup_steps() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Names of, and functions that do, one small piece of work for every kernel, input type and form."""
    for threads in (1, 2) if available_threads() > 1 else (1,):
        form = "serial" if threads == 1 else "parallel"
        for kind in ("int16", "int32", "float32"):
            for name in list_recipes():
                yield f"{name}, {kind}, {form}", partial(_run, name, kind, threads)
        for kind in ("float32", "float64"):
            x = np.zeros((1, 64), kind)
            yield f"conv1d, {kind}, {form}", partial(conv1d, x, x[None, :, :3], threads=threads)
            yield f"pool1d, {kind}, {form}", partial(pool1d, x, 4, threads=threads)


def _run(name: str, kind: str, threads: int) -> Any:
    chain = get_recipe(name).build(8000)
    return chain.run(np.zeros((1, 800), kind), 0, 800, 0, chain.geometry.count(800), threads)
