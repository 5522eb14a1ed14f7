"""What this processor can do at most: the multiply-adds and the bytes that figures are compared with."""

from __future__ import annotations

from .bank import COLS, ROWS
from .compile import kernel
from .simd import lanes, load_tile, outer, store_rows, zeros

__all__ = ["multiply_add_loop"]


@kernel
def multiply_add_loop(numbers, vectors, repeats, out):  # type: ignore[no-untyped-def]
    """Run `repeats` times through both small arrays, as the filter bank's inner loop does, all in first-level cache.

    Parameters
    ----------
    numbers : (steps + ROWS,) float32
    vectors : (steps, COLS * lanes) float32
    repeats : int
    out : (ROWS, COLS * lanes) float32; each entry is the sum of repeats * steps products
    """
    steps = vectors.shape[0]
    width = COLS * lanes(vectors)
    acc = zeros(vectors, ROWS, COLS)
    for _ in range(repeats):
        for k in range(steps):
            acc = outer(acc, numbers, k, 1, load_tile(vectors, k * width, COLS))
    store_rows(out, 0, width, acc)
