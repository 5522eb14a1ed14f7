"""README tables from the JSON of a bench: a row for each case, a column for each family of peers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import ParameterError

__all__ = ["markdown", "read"]

_OURS = "audiotconv"


def read(path: Path) -> dict[str, Any]:
    """What `audiotconv bench ... --json` wrote.

    Raises
    ------
    ParameterError
        If the file cannot be read, or is something else.
    """
    try:
        run = json.loads(path.read_text("utf-8"))
        names = {"case", "contender", "method", "seconds", "times_ours", "error"}
        if run["environment"]["threads"] and run["results"] and all(names <= set(row) for row in run["results"]):
            return dict(run)
    except OSError as error:
        raise ParameterError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError):
        pass
    raise ParameterError(
        f"{path} does not hold the JSON of a bench that compares; `audiotconv bench conv --json` has it"
    )


def markdown(one: dict[str, Any], other: dict[str, Any] | None = None) -> str:
    """A table in Markdown of a run, with the gain of another run on more threads, and the machine below it.

    A peer's column has its time divided by ours, of a package's functions the fastest (named, where there are some).
    """
    rows = [(case, ours, peers, _gain(ours, other)) for case, ours, peers in _rows(one["results"])]
    families = list(dict.fromkeys(_family(peer) for _, _, peers, _ in rows for peer in peers))
    named = {family for family in families for _, _, peers, _ in rows if len(_of(family, peers)) > 1}
    counted = any(ours["method"] for _, ours, *_ in rows)  # pooling and the like hardly compute
    columns: dict[str, list[str]] = {
        "case": [case for case, *_ in rows],
        "method": [ours["method"] for _, ours, *_ in rows],
        "ms": [f"{ours['seconds'] * 1e3:.2f}" for _, ours, *_ in rows],
        "x real time": [f"{ours['real_time_factor']:,.0f}" for _, ours, *_ in rows],
        "GFLOP/s": [f"{ours['gflops']:,.0f}" if counted else "" for _, ours, *_ in rows],
        "of FMA peak": [
            f"{ours['of_peak']:.0%}" if counted and ours["method"] != "overlap-save" else "" for _, ours, *_ in rows
        ],
        "GB/s": [
            f"{ours['gb_per_second']:.1f}" if ours["gb_per_second"] and not counted else "" for _, ours, *_ in rows
        ],
    }
    for family in families:
        cells = columns[f"{family} / ours"] = []
        for _, ours, peers, _ in rows:
            best = min(_of(family, peers), key=lambda peer: float(peer["seconds"]), default=None)
            what = best["contender"].removeprefix(family).strip() if best and family in named else ""
            cells.append(_ratio(best["seconds"] / ours["seconds"]) + (f" ({what})" if what else "") if best else "")
    columns["error"] = [f"{ours['error']:.0e}" for _, ours, *_ in rows]
    if other is not None:
        more = other["environment"]["threads"]
        columns[f"{one['environment']['threads']} / {more} threads"] = [gain for *_, gain in rows]
    kept = {head: cells for head, cells in columns.items() if any(cells)}
    lines = [_line(kept), _line("---" if head in ("case", "method") else "---:" for head in kept)]
    lines += [_line(cells) for cells in zip(*kept.values(), strict=True)]
    return "\n".join([*lines, "", _machine(one)])


def _rows(results: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any], list[dict[str, Any]]]]:
    """Ours, and other ways of ours, each with the peers of its case."""
    cases = dict.fromkeys(row["case"] for row in results)
    rows = []
    for case in cases:
        of_case = [row for row in results if row["case"] == case]
        peers = [row for row in of_case if not row["contender"].startswith(_OURS)]
        for ours in of_case:
            if ours["contender"].startswith(_OURS):
                way = ours["contender"].removeprefix(_OURS).strip()
                rows.append((f"{case}, {way}" if way else case, ours, peers))
    return rows


def _gain(ours: dict[str, Any], other: dict[str, Any] | None) -> str:
    same = [] if other is None else other["results"]
    for row in same:
        if (row["case"], row["contender"]) == (ours["case"], ours["contender"]):
            return _ratio(ours["seconds"] / row["seconds"])
    return ""


def _family(row: dict[str, Any]) -> str:
    return str(row["contender"]).partition(" ")[0]


def _of(family: str, peers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [peer for peer in peers if _family(peer) == family]


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def _line(cells: Any) -> str:
    return "| " + " | ".join(cells) + " |"


def _machine(run: dict[str, Any]) -> str:
    facts = run["environment"]
    peaks = [row["peak_gflops"] for row in run["results"]]
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return (
        f"{facts['processor']}, {facts['threads']} thread(s), {facts['vector_bits']}-bit vectors, FMA peak "
        f"{min(peaks):.0f} to {max(peaks):.0f} GFLOP/s per core, medians of {facts['repeats']}; {versions}."
    )
