"""`audiotconv recipes`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .shell import Json, announced_compilation, app, console_for

if TYPE_CHECKING:
    from ..difference import Change
    from ..recipes import Recipe

__all__ = ["recipes"]

DEFAULT_RATE = 16_000


@app.command()
def recipes(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME | diff A B",
            help="A recipe to show in full, by name or as FILE.toml; or diff and two of them to compare.",
            show_default=False,
        ),
    ] = None,
    sample_rate: Annotated[
        int | None, typer.Option("--rate", min=1, help="The sample rate to show them for, in Hz; 16000 by default.")
    ] = None,
    clip: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With diff: compare on this recording, instead of two seconds made for it."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the recipes, show one, or say why two of them disagree.

    audiotconv recipes: all of them, with the shape of their features,
    latency, whether they can run on a stream, and published error.

    audiotconv recipes whisper-80: its stages and their parameters.

    audiotconv recipes diff whisper-80 mine.toml: each parameter that
    differs, and how much it moves the output of the first recipe when it
    alone is as in the second: the largest and the root mean square
    difference, the parameters with the largest effect first.
    """
    from ..recipes import get_recipe, list_recipes

    given = words or []
    if given[:1] == ["diff"]:
        if len(given) != 3:
            raise typer.BadParameter(f"takes two recipes, not {len(given) - 1}", param_hint="diff")
        if sample_rate is not None:
            raise typer.BadParameter("does not go with diff, which uses the clip's", param_hint="--rate")
        _diff(get_recipe(given[1]), get_recipe(given[2]), clip, as_json)
        return
    if clip is not None:
        raise typer.BadParameter("goes with diff only", param_hint="--clip")
    if len(given) > 1:
        raise typer.BadParameter("one recipe at a time, or diff and two", param_hint="NAME")
    if given:
        _show(get_recipe(given[0]), sample_rate or DEFAULT_RATE, as_json)
    else:
        _list([get_recipe(each) for each in list_recipes()], sample_rate or DEFAULT_RATE, as_json)


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


def _diff(ours: Recipe, theirs: Recipe, clip: Path | None, as_json: bool) -> None:
    from rich.table import Table

    from ..audio import AudioReader
    from ..difference import CLIP_RATE, compare

    samples, rate, name = None, CLIP_RATE, "the reference clip"
    if clip is not None:
        with AudioReader(clip) as reader:
            samples, rate, name = reader.rest(), reader.sample_rate, reader.name
            for note in reader.notes:
                typer.echo(f"warning: {note}", err=True)
    with announced_compilation(console_for(stderr=True)):
        difference = compare(ours, theirs, samples, rate)
    if as_json:
        recipes = {key: _identity(recipe) for key, recipe in (("from_recipe", ours), ("to_recipe", theirs))}
        report = {**recipes, "clip": name, "sample_rate": rate, **difference.to_dict()}
        typer.echo(json.dumps(report, indent=1))
        return
    console = console_for()
    if not difference.changes:
        console.print(f"{ours.name} and {theirs.name} have the same stages and parameters")
        return
    table = Table("parameter", f"{ours.name} (A)", f"{theirs.name} (B)", "largest", "rms", "note")
    for change in difference.changes:
        table.add_row(change.what, change.ours, change.theirs, *_cells(change))
    table.add_section()
    table.add_row("all of them", "", "", *_cells(difference.whole))
    console.print(table)
    console.print(
        f"differences between A's output and A's with that parameter of B, on {name} ({rate} Hz), where A gives "
        f"{difference.least:.4g} to {difference.most:.4g}; over the frames that both have, counted from the first"
    )


def _cells(change: Change) -> tuple[str, str, str]:
    """The largest difference, the root mean square one, and what else is to be said."""
    notes = [change.reason] if change.reason else []
    if change.after and change.after != change.before:
        before, after = (" x ".join(map(str, shape)) for shape in (change.before, change.after))
        notes.insert(0, f"shape {before} -> {after}")
    values = [f"{value:.3g}" if value is not None else "" for value in (change.largest, change.rms)]
    return values[0], values[1], "; ".join(notes)
