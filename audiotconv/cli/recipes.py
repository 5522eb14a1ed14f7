"""`audiotconv recipes`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .shell import Json, app, console_for

if TYPE_CHECKING:
    from ..recipes import Recipe

__all__ = ["recipes"]


@app.command()
def recipes(
    name: Annotated[str | None, typer.Argument(metavar="[NAME|FILE.toml]", help="Show this one in full.")] = None,
    sample_rate: Annotated[int, typer.Option("--rate", min=1, help="The sample rate to show it for, in Hz.")] = 16000,
    as_json: Json = False,
) -> None:
    """List the recipes, or show one."""
    from ..recipes import get_recipe, list_recipes

    if name is None:
        _list([get_recipe(each) for each in list_recipes()], sample_rate, as_json)
    else:
        _show(get_recipe(name), sample_rate, as_json)


def _facts(recipe: Recipe, sample_rate: int) -> dict[str, Any]:
    chain, rate = recipe.build(sample_rate), recipe.sample_rate or sample_rate
    geometry, whole = chain.geometry, recipe.whole_stages(sample_rate)
    return {
        **_identity(recipe),
        "features": len(chain.features),
        "sample_rate": rate,
        "frame_rate": rate / geometry.hop,
        "hop": geometry.hop,
        "span": geometry.span,
        "latency": geometry.latency,
        "streams": not whole,
        "whole_stages": list(whole),
        "duration": recipe.duration,
        "stages": [{"kind": kind, **dict(values)} for kind, values in recipe.stages],
    }


def _identity(recipe: Recipe) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "version": recipe.version,
        "hash": recipe.hash,
        "description": recipe.description,
        "error": recipe.error or None,
    }


def _list(shown: list[Recipe], sample_rate: int, as_json: bool) -> None:
    """A row for each; one that does not fit the sample rate says why."""
    from rich.table import Table

    from ..errors import AudiotconvError

    rows: list[dict[str, Any]] = []
    for recipe in shown:
        try:
            rows.append({**_facts(recipe, sample_rate), "unfit": None})
        except AudiotconvError as error:
            rows.append({**_identity(recipe), "unfit": str(error)})
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    title = f"at {sample_rate} Hz, or the recipe's own rate"
    table = Table("recipe", "features x frames/s", "latency", "streams", "error", "description", title=title)
    for row in rows:
        if row["unfit"]:
            table.add_row(row["name"], "-", "-", "-", row["error"] or "", row["unfit"])
            continue
        table.add_row(
            row["name"],
            f"{row['features']} x {row['frame_rate']:.4g}",
            f"{row['latency'] / row['sample_rate'] * 1e3:.1f} ms",
            _streams(row),
            row["error"] or "",
            row["description"],
        )
    console_for().print(table)


def _streams(row: dict[str, Any]) -> str:
    return "yes" if row["streams"] else f"no: {', '.join(row['whole_stages'])}"


def _show(recipe: Recipe, sample_rate: int, as_json: bool) -> None:
    row = _facts(recipe, sample_rate)
    if as_json:
        typer.echo(json.dumps(row, indent=1))
        return
    console = console_for()
    console.print(f"{row['name']}, version {row['version']}, hash {row['hash']}\n{row['description']}")
    console.print(f"error {row['error']}\n" if row["error"] else "")
    if recipe.sample_rate is not None:
        console.print(f"  recordings of other rates are resampled to {recipe.sample_rate} Hz")
    if recipe.duration is not None:
        console.print(f"  recordings are cut or padded to {recipe.duration:g} s")
    for number, stage in enumerate(row["stages"], 1):
        kind = stage.pop("kind")
        values = ", ".join(
            f"{key} = {value:g}" if isinstance(value, float) else f"{key} = {value}" for key, value in stage.items()
        )
        console.print(f"  stage {number}: {kind} ({values})")
    console.print("  (times in s, frequencies in Hz)")
    console.print(
        f"\nat {row['sample_rate']} Hz: {row['features']} features; a frame every {row['hop']} samples, which sees "
        f"{row['span']} samples; frame f is known once sample f * {row['hop']} + {row['latency']} has come"
    )
    if not row["streams"]:
        console.print(f"it cannot stream: {', '.join(row['whole_stages'])} needs the whole recording")
