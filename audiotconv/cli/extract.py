"""`audiotconv extract`."""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ParameterError
from .shell import Format, Json, RecipeName, announced_compilation, app, console_for, stoppable

if TYPE_CHECKING:
    from rich.console import Console

    from ..batch import FolderReport

__all__ = ["extract"]

MOST_LISTED = 20


class _Label(StrEnum):
    PARENT = "parent"


class _Channels(StrEnum):
    KEEP = "keep"
    MONO = "mono"


@app.command()
def extract(
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="OUT", help="The folder of the feature store, or an address.")
    ],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[IN]...", help="Sound files, folders to search, patterns, and addresses (s3://...)."),
    ] = None,
    recipe: RecipeName = "gammatone-64",
    pool: Annotated[
        str | None,
        typer.Option(
            metavar="stats|minirocket:MODEL.npz",
            help="One row of features for each recording: statistics over time (stats, or mean,std,p90,...), or those "
            "of a MiniRocket that was saved.",
        ),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("-j", "--jobs", min=1, help="Batches at a time; one per core by default.")
    ] = None,
    format: Annotated[Format, typer.Option(help="Parquet shards, or a tree of .npy files.")] = Format.PARQUET,
    label: Annotated[_Label | None, typer.Option(help="Note the name of each file's folder as its label.")] = None,
    channels: Annotated[
        _Channels, typer.Option(help="A feature map of each channel, or one of their mean.")
    ] = _Channels.KEEP,
    mono: Annotated[bool, typer.Option("--mono", help="The same as --channels mono.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Set files aside that hold less than their header says.")
    ] = False,
    files_from: Annotated[
        str | None,
        typer.Option(metavar="FILE|-", help="Names of files, a line each or ended by zero bytes (find -print0)."),
    ] = None,
    manifest: Annotated[
        str | None,
        typer.Option(metavar="TABLE", help="A CSV or Parquet table: path and, if wanted, start, stop, label, key."),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN", help="In folders, take these files instead of those that end as sound files do."
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(metavar="PATTERN", help="In folders, leave these files and folders out.")
    ] = None,
    by_content: Annotated[
        bool, typer.Option("--hash", help="Know files by their content's SHA-256 instead of size and time.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Do everything again; the present store stays until that is done.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try files again that failed, though they have not changed.")
    ] = False,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove from the store what is not among the inputs any more.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be done.")] = False,
    max_failures: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Stop when more files have failed.")
    ] = None,
    time_limit: Annotated[
        float, typer.Option(metavar="SECONDS", help="What a file may take, and one second more for each MB of it.")
    ] = 600.0,
    max_memory: Annotated[
        str | None,
        typer.Option(
            "--max-memory",
            metavar="SIZE",
            help='What the run may take, such as "2 GB"; recordings that need more are set aside.',
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS|local", help="A Dask scheduler, such as tcp://host:8786 (extra `dask`)."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Extract the features of sound files and folders into a feature store.

    Files that cannot be used are listed with their reasons, here and in OUT/failures.parquet; all others are written.
    The same command goes on where it was stopped or killed, and does what is new or has changed.

    Exit code: 0 all done, 1 some files failed, 2 wrong use, 130 stopped by Ctrl-C, 143 by SIGTERM.
    """
    # Without threads of NumPy's own, which has nothing to do here, workers can be forked.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from ..batch import extract_folder
    from ..recipes import get_recipe

    if not inputs and files_from is None and manifest is None:
        raise ParameterError("nothing to extract; give files or folders, --files-from or --manifest")
    console = console_for(stderr=True)
    with (
        stoppable("the same command goes on with the rest"),
        announced_compilation(console),
        _progress(console) as show,
    ):
        report = extract_folder(
            list(inputs or ()),
            output,
            get_recipe(recipe).pooled(pool) if pool else recipe,
            workers=jobs,
            processes=True,
            scheduler=scheduler,
            format=format.value,
            label=label.value if label else None,
            channels="mono" if mono else channels.value,
            strict=strict,
            files_from=files_from,
            manifest=manifest,
            include=include or (),
            exclude=exclude or (),
            by_content=by_content,
            overwrite=overwrite,
            retry_failed=retry_failed,
            prune=prune,
            dry_run=dry_run,
            max_failures=max_failures,
            time_limit=time_limit,
            max_memory=max_memory,
            progress=show,
        )
    if as_json:
        typer.echo(json.dumps(report.to_dict(), indent=1))
    elif dry_run:
        _print_plan(report)
    else:
        _print_report(report)
    if report.failures and not dry_run:
        raise typer.Exit(1)


@contextlib.contextmanager
def _progress(console: Console) -> Iterator[Any]:
    """A function to report a run's progress to; it draws a bar where somebody looks."""
    if not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        BarColumn(),
        TextColumn("{task.fields[files]}"),
        TextColumn("{task.fields[hours]:.2f} h of audio"),
        TextColumn("{task.fields[speed]:,.0f} x real time"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None, files="", hours=0.0, speed=0.0)

        def show(state: Any) -> None:
            elapsed = bar.tasks[0].elapsed or 0.0
            more = "" if state.planned else "+"  # the inputs have not all been looked at
            bar.update(
                task,
                total=max(1, state.bytes) if state.planned else None,
                completed=state.bytes_done,
                files=f"{state.files_done:,}/{state.files:,}{more} files",
                hours=state.audio_seconds / 3600,
                speed=state.audio_seconds / elapsed if elapsed else 0.0,
            )

        yield show


def _print_plan(report: FolderReport) -> None:
    from ..audio import shown

    typer.echo(
        f"{len(report.todo):,} of {report.files:,} files would be processed, {report.unchanged:,} are in "
        f"{report.target} already, {len(report.failures):,} have failed before"
    )
    for key in report.todo[:MOST_LISTED]:
        typer.echo(f"  {shown(key)}")
    if len(report.todo) > MOST_LISTED:
        typer.echo(f"  ... and {len(report.todo) - MOST_LISTED:,} more")
    if report.removed:
        typer.echo(f"{report.removed:,} would be removed that are not among the inputs any more")


def _print_report(report: FolderReport) -> None:
    before = f" ({report.unchanged:,} were there before)" if report.unchanged else ""
    typer.echo(
        f"{report.done:,} of {report.files:,} files{before}, {_length(report.audio_seconds)} of audio, "
        f"{report.frames:,} frames in {report.seconds:.1f} s ({report.speed:,.0f} x real time) -> {report.target}"
    )
    if report.resampled:
        rates = ", ".join(f"{count:,} from {rate:,} Hz" for rate, count in report.resampled.items())
        typer.echo(f"resampled: {rates}")
    if report.kept:
        typer.echo(f"{report.kept:,} more are in the store that are not among the inputs; --prune removes them")
    if report.removed:
        typer.echo(f"{report.removed:,} were removed that are not among the inputs any more")
    for note in report.warnings[:MOST_LISTED]:
        typer.echo(f"warning: {note}", err=True)
    if len(report.warnings) > MOST_LISTED:
        typer.echo(f"... and {len(report.warnings) - MOST_LISTED:,} more warnings", err=True)
    if report.failures:
        reasons = Counter(failure.reason for failure in report.failures)
        counted = ", ".join(f"{count:,} {reason}" for reason, count in reasons.most_common())
        typer.echo(f"{len(report.failures):,} failed ({counted}):", err=True)
        for failure in report.failures[:MOST_LISTED]:
            typer.echo(f"  [{failure.reason}] {failure.message}", err=True)
        if len(report.failures) > MOST_LISTED:
            rest = len(report.failures) - MOST_LISTED
            typer.echo(f"  ... and {rest:,} more; failures.parquet in {report.target} lists all", err=True)


def _length(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.2f} h"
