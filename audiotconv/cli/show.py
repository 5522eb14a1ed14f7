"""`audiotconv show`."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated

import typer

from .shell import RecipeName, announced_compilation, app, console_for

__all__ = ["show"]


@app.command()
def show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A sound file.")],
    recipe: RecipeName = "gammatone-64",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="PICTURE", help="A .png, .svg or .pdf; by default FILE's name with .png, here."
        ),
    ] = None,
    channel: Annotated[int, typer.Option(min=1, help="Which channel, counted from 1.")] = 1,
    start: Annotated[float | None, typer.Option(help="Where to begin, in seconds.")] = None,
    stop: Annotated[float | None, typer.Option(help="Where to end, in seconds.")] = None,
) -> None:
    """Draw a recording: its waveform above its feature map (needs matplotlib)."""
    from ..audio import shown
    from ..errors import AudioWarning
    from ..picture import draw

    picture = Path(file.with_suffix(".png").name if file.name else "picture.png") if output is None else output
    with warnings.catch_warnings(record=True) as notes, announced_compilation(console_for(stderr=True)):
        warnings.simplefilter("always", AudioWarning)
        draw(file, picture, recipe, channel=channel, start=start, stop=stop)
    for note in notes:
        if issubclass(note.category, AudioWarning):
            typer.echo(f"warning: {note.message}", err=True)
    typer.echo(shown(picture))
