"""`audiotconv extract`."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

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
    inputs: Annotated[list[Path], typer.Argument(metavar="IN...", help="Sound files, and folders to search.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT", help="The folder of the feature store.")],
    recipe: RecipeName = "gammatone-64",
    jobs: Annotated[
        int | None, typer.Option("-j", "--jobs", min=1, help="Files at a time; one per core by default.")
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
    max_memory: Annotated[
        str | None,
        typer.Option(
            "--max-memory",
            metavar="SIZE",
            help='What the run may take, such as "2 GB"; recordings that need more are set aside.',
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Extract the features of sound files and folders into a feature store.

    Files that cannot be used are listed with their reasons; all others are written.

    Exit code: 0 all done, 1 some files failed, 2 wrong use.
    """
    from ..batch import extract_folder

    console = console_for(stderr=True)
    with stoppable("nothing of this run was written"), announced_compilation(console), _progress(console) as progress:
        report = extract_folder(
            list(inputs),
            output,
            recipe,
            workers=jobs,
            format=format.value,
            label=label.value if label else None,
            channels="mono" if mono else channels.value,
            strict=strict,
            max_memory=max_memory,
            progress=progress,
        )
    if as_json:
        typer.echo(json.dumps(report.to_dict(), indent=1))
    else:
        _print_report(report)
    if report.failures:
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
            bar.update(
                task,
                total=max(1, state.bytes),
                completed=state.bytes_done,
                files=f"{state.files_done:,}/{state.files:,} files",
                hours=state.audio_seconds / 3600,
                speed=state.audio_seconds / elapsed if elapsed else 0.0,
            )

        yield show


def _print_report(report: FolderReport) -> None:
    typer.echo(
        f"{report.done:,} of {report.files:,} files, {_length(report.audio_seconds)} of audio, "
        f"{report.frames:,} frames in {report.seconds:.1f} s ({report.speed:,.0f} x real time) -> {report.target}"
    )
    if report.resampled:
        rates = ", ".join(f"{count:,} from {rate:,} Hz" for rate, count in report.resampled.items())
        typer.echo(f"resampled: {rates}")
    for note in report.warnings[:MOST_LISTED]:
        typer.echo(f"warning: {note}", err=True)
    if len(report.warnings) > MOST_LISTED:
        typer.echo(f"... and {len(report.warnings) - MOST_LISTED:,} more warnings", err=True)
    if report.failures:
        typer.echo(f"{len(report.failures):,} failed:", err=True)
        for failure in report.failures[:MOST_LISTED]:
            typer.echo(f"  [{failure.reason}] {failure.message}", err=True)
        if len(report.failures) > MOST_LISTED:
            typer.echo(f"  ... and {len(report.failures) - MOST_LISTED:,} more, listed in audiotconv.json", err=True)


def _length(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.2f} h"
