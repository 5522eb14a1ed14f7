"""`audiotconv bench pool`: pooling of many shapes, against torch and scipy.ndimage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..stages import pool1d
from .timing import Case, Work

__all__ = ["SHAPES", "Shape", "pool_cases"]

_ROWS, _TIME, _RATE = 64, 65_536, 16_000


@dataclass(frozen=True, slots=True)
class Shape:
    """Windows of `size` every `hop`, over rows of noise; a size of 0 takes everything."""

    how: str
    size: int
    hop: int

    @property
    def name(self) -> str:
        """As the table has it."""
        return f"{self.how}, {self.size} every {self.hop}" if self.size else f"{self.how} of everything"


SHAPES = (
    *(Shape(how, 2, 2) for how in ("max", "mean", "energy")),
    *(Shape(how, 3, 1) for how in ("max", "mean")),
    *(Shape(how, 16, 16) for how in ("max", "mean")),
    *(Shape(how, 64, 1) for how in ("max", "mean")),
    *(Shape(how, 400, 160) for how in ("max", "mean", "energy", "rms", "stats")),
    *(Shape(how, 400, 1) for how in ("max", "mean", "energy", "stats")),
    *(Shape(how, 0, 1) for how in ("max", "mean", "stats")),
)


def pool_cases(threads: int, shapes: tuple[Shape, ...] = SHAPES, time: int = _TIME) -> Iterator[Case]:
    """Every shape on 64 rows of noise, float32, with a plain copy of the input and output for comparison."""
    x = np.random.default_rng(0).standard_normal((_ROWS, time)).astype(np.float32)
    for shape in shapes:
        yield _case(shape, x, threads)


def _case(shape: Shape, x: NDArray[Any], threads: int) -> Case:
    window = {"size": shape.size, "hop": shape.hop} if shape.size else {}

    def ours() -> Any:
        return pool1d(x, how=shape.how, threads=threads, **window)  # type: ignore[arg-type]

    reference = pool1d(x.astype(np.float64), how=shape.how, threads=threads, **window)  # type: ignore[arg-type]
    contenders: dict[str, Work] = {"audiotconv": ours}
    contenders |= _torch(shape, x, threads) | _ndimage(shape, x)
    size = 4.0 * (x.size + reference.size)
    # So many bytes in all are read and written by a copy of half of them.
    source = np.zeros(int(size) // 8, np.float32)
    target = np.empty_like(source)

    def copied() -> Any:
        np.copyto(target, source)
        return reference

    contenders["copying as many bytes"] = copied
    return Case(shape.name, x.size / _RATE, float(x.size), reference, contenders, size=size)


def _torch(shape: Shape, x: NDArray[Any], threads: int) -> dict[str, Work]:
    try:
        import torch
    except ImportError:
        return {}
    torch.set_num_threads(threads)
    signal, functional = torch.from_numpy(x), torch.nn.functional
    size, hop = shape.size or x.shape[1], shape.hop if shape.size else x.shape[1]
    root = 1 / size**0.5

    def stats() -> Any:
        std, mean = torch.std_mean(signal.unfold(1, size, hop), dim=2, correction=0)
        return torch.stack([mean, std], dim=1)

    work = {
        "max": lambda: functional.max_pool1d(signal, size, hop),
        "mean": lambda: functional.avg_pool1d(signal, size, hop),
        "energy": lambda: (functional.lp_pool1d(signal, 2, size, hop) * root) ** 2,
        "rms": lambda: functional.lp_pool1d(signal, 2, size, hop) * root,
        "stats": stats,
    }[shape.how]
    return {"torch": lambda: work().numpy()}


def _ndimage(shape: Shape, x: NDArray[Any]) -> dict[str, Work]:
    if shape.hop > 1 or not shape.size or shape.how not in ("max", "mean"):
        return {}
    from scipy import ndimage

    run = {"max": ndimage.maximum_filter1d, "mean": ndimage.uniform_filter1d}[shape.how]
    first = shape.size // 2
    frames = x.shape[1] - shape.size + 1
    return {"scipy.ndimage": lambda: run(x, shape.size, axis=1)[:, first : first + frames]}
