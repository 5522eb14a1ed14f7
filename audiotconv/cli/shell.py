"""What the commands share: the application, its exit codes, and how it says things."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from .. import __version__
from ..errors import AudioError, AudioFileError, AudiotconvError, ParameterError, RecipeError

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "STOPPED",
    "Format",
    "Json",
    "RecipeName",
    "announced_compilation",
    "app",
    "bench_app",
    "console_for",
    "main",
    "stoppable",
]

app = typer.Typer(
    name="audiotconv",
    help="Folders of audio in, feature maps out, at the speed of the processor.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
bench_app = typer.Typer(no_args_is_help=True, help="Measure this machine, and audiotconv beside its peers.")
app.add_typer(bench_app, name="bench")

STOPPED = 130
_said: list[bool] = []  # that it was stopped, and how things stand


class Format(StrEnum):
    """How a feature store is laid out."""

    PARQUET = "parquet"
    NPY = "npy"


RecipeName = Annotated[
    str,
    typer.Option("--recipe", metavar="NAME|FILE.toml", help="See `audiotconv recipes`, which says what can stream."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]


def main() -> None:
    """Run the command line. Exit codes: 0 all done, 1 something failed, 2 wrong use, 130 stopped by Ctrl-C."""
    try:
        app()
    except SystemExit as stop:  # typer makes one of Ctrl-C
        if stop.code == STOPPED and not _said:
            _fail("stopped", STOPPED)
        raise
    except (ParameterError, RecipeError, AudioFileError, AudioError) as error:
        _fail(str(error), 2)
    except AudiotconvError as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        _fail("stopped", STOPPED)
    except BrokenPipeError:  # whoever read our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if os.environ.get("AUDIOTCONV_TRACEBACK"):
            raise
        _fail(
            f"internal error, {type(error).__name__}: {error}. This is a defect of audiotconv; "
            "AUDIOTCONV_TRACEBACK=1 shows where it happened",
            1,
        )


def _fail(message: str, code: int) -> None:
    sys.stderr.write(f"audiotconv: {message}\n")
    sys.exit(code)


def console_for(stderr: bool = False) -> Console:
    """A console as wide as the terminal, or wide enough for tables where there is none.

    It prints text as it is: what stands in brackets or between colons in a recipe or a file's name is no markup.
    """
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = 140
    return console


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"audiotconv {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


@contextlib.contextmanager
def announced_compilation(console: Console) -> Iterator[None]:
    """Say so once when something is compiled: it takes seconds that nobody expects."""
    from ..kernels.compile import on_compile

    said: list[str] = []

    def say(name: str) -> None:
        if not said:
            said.append(name)
            console.print("compiling kernels, first run only", style="dim")

    with on_compile(say):
        yield


@contextlib.contextmanager
def stoppable(state: str) -> Iterator[None]:
    """Ctrl-C ends the command with one line that says how things stand: as the interrupt knows, or `state`."""
    try:
        yield
    except KeyboardInterrupt as stop:
        _said.append(True)
        typer.echo(f"audiotconv: stopped; {str(stop) or state}", err=True)
        raise typer.Exit(128 + getattr(stop, "signal", STOPPED - 128)) from None
