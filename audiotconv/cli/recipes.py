"""`audiotconv recipes`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from .shell import Json, app, console_for

__all__ = ["recipes"]


@app.command()
def recipes(
    name: Annotated[str | None, typer.Argument(metavar="[NAME|FILE.toml]", help="Show this one in full.")] = None,
    sample_rate: Annotated[int, typer.Option("--rate", min=1, help="The sample rate to show it for, in Hz.")] = 16000,
    as_json: Json = False,
) -> None:
    """List the recipes, or show one."""
    from rich.table import Table

    from ..recipes import get_recipe, list_recipes

    shown = [get_recipe(each) for each in ([name] if name else list_recipes())]
    rows: list[dict[str, Any]] = []
    for recipe in shown:
        chain, rate = recipe.build(sample_rate), recipe.sample_rate or sample_rate
        geometry = chain.geometry
        rows.append(
            {
                "name": recipe.name,
                "version": recipe.version,
                "hash": recipe.hash,
                "description": recipe.description,
                "features": len(chain.features),
                "sample_rate": rate,
                "frame_rate": rate / geometry.hop,
                "hop": geometry.hop,
                "span": geometry.span,
                "latency": geometry.latency,
                "duration": recipe.duration,
                "stages": [{"kind": kind, **dict(values)} for kind, values in recipe.stages],
            }
        )
    if as_json:
        typer.echo(json.dumps(rows[0] if name else rows, indent=1))
        return
    console = console_for()
    if name is None:
        table = Table(
            "recipe",
            "features",
            "frames/s",
            "latency",
            "description",
            title=f"at {sample_rate} Hz, or the recipe's own rate",
        )
        for row in rows:
            latency = f"{row['latency'] / row['sample_rate'] * 1e3:.1f} ms"
            table.add_row(row["name"], str(row["features"]), f"{row['frame_rate']:g}", latency, row["description"])
        console.print(table)
        return
    row, recipe = rows[0], shown[0]
    console.print(f"{row['name']}, version {row['version']}, hash {row['hash']}\n{row['description']}\n")
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
