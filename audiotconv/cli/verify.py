"""`audiotconv verify`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from .shell import Json, app, stoppable

__all__ = ["verify"]

MOST_LISTED = 20


@app.command()
def verify(
    target: Annotated[str, typer.Argument(metavar="OUT", help="The folder of a feature store, or its address.")],
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Take out what is damaged; the command that made the store does it again then."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Check a feature store whole: checksums, counts, journal, recipe, and every value.

    Exit code: 0 all is well, 1 something is wrong, 2 wrong use.
    """
    from ..audio import shown
    from ..batch import verify as check

    with stoppable("nothing was changed"):
        report = check(target, repair=repair)
    if as_json:
        typer.echo(json.dumps(report.to_dict(), indent=1))
    else:
        typer.echo(
            f"{report.target}: {report.rows:,} rows of {report.values:,} values in {report.shards:,} shards, "
            f"{report.bytes / 1e6:,.1f} MB, recipe {report.recipe} ({report.recipe_hash}), in {report.seconds:.1f} s"
        )
        for problem in report.problems[:MOST_LISTED]:
            typer.echo(f"  {shown(problem.file)}: {problem.message}", err=True)
        if len(report.problems) > MOST_LISTED:
            typer.echo(f"  ... and {len(report.problems) - MOST_LISTED:,} more; --json lists all", err=True)
        if report.redo:
            done = "have been taken out of the store" if report.repaired else "have to be done again (--repair)"
            typer.echo(f"{len(report.redo):,} recordings {done}:", err=True)
            for path in list(report.redo.values())[:MOST_LISTED]:
                typer.echo(f"  {shown(path)}", err=True)
            if len(report.redo) > MOST_LISTED:
                typer.echo(f"  ... and {len(report.redo) - MOST_LISTED:,} more", err=True)
        if not report.problems:
            typer.echo("all is well")
    if report.problems:
        raise typer.Exit(1)
