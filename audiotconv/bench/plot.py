"""A picture of a side-by-side run: how many times longer the peers take."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import StoreError
from .timing import Result

__all__ = ["draw"]


def draw(results: Sequence[Result], path: Path, title: str) -> None:
    """Write a chart with a bar for each peer in each case."""
    from matplotlib.figure import Figure

    ours = {result.case: result.contender for result in reversed(results)}
    peers = [result for result in results if result.contender != ours[result.case]]
    names = list(dict.fromkeys(result.contender for result in peers))
    figure = Figure(figsize=(9, 1.2 + 0.22 * len(peers)), layout="constrained")
    axes = figure.add_subplot()
    for row, result in enumerate(peers):
        axes.barh(row, result.times_ours, color=f"C{names.index(result.contender) % 10}")
    axes.set_yticks(range(len(peers)), [f"{result.case}: {result.contender}" for result in peers], fontsize=7)
    axes.axvline(1.0, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.invert_yaxis()
    axes.set_xlabel("time / audiotconv's time")
    axes.set_title(title, fontsize=9)
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: the plot cannot be written: {error}") from None
