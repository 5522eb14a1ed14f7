"""Compiling every kernel before it is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from .kernels.compile import available_threads
from .recipes import get_recipe, list_recipes
from .stages import conv1d, pool1d

__all__ = ["warmup_steps"]


def warmup_steps() -> Iterator[tuple[str, Callable[[], object]]]:
    """Names of, and functions that do, one small piece of work for every kernel, input type and form."""
    forms = (1, 2) if available_threads() > 1 else (1,)
    for threads in forms:
        form = "serial" if threads == 1 else "parallel"
        for dtype in (np.int16, np.int32, np.float32):
            for name in list_recipes():
                yield f"{name}, {np.dtype(dtype)}, {form}", lambda n=name, d=dtype, t=threads: _run(n, d, t)
        for real in (np.float32, np.float64):
            x = np.zeros((1, 64), real)
            yield f"conv1d, {np.dtype(real)}, {form}", lambda x=x, t=threads: conv1d(x, x[None, :, :3], threads=t)
            yield f"pool1d, {np.dtype(real)}, {form}", lambda x=x, t=threads: pool1d(x, 4, threads=t)


def _run(name: str, dtype: type, threads: int) -> object:
    chain = get_recipe(name).build(8000)
    return chain.run(np.zeros((1, 800), dtype), 0, 800, 0, chain.geometry.count(800), threads)
