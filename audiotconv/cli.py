"""The command line: extract, recipes, bench, warmup, doctor."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import __version__
from .errors import AudiotconvError, AudioError, AudioFileError, ParameterError, RecipeError

if TYPE_CHECKING:
    from rich.console import Console

    from .batch import FolderReport

__all__ = ["app", "main"]

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

_MOST_LISTED = 20
_STOPPED = 130


class _Format(StrEnum):
    PARQUET = "parquet"
    NPY = "npy"


class _Label(StrEnum):
    PARENT = "parent"


class _Channels(StrEnum):
    KEEP = "keep"
    MONO = "mono"


Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]


def main() -> None:
    """Run the command line. Exit codes: 0 all done, 1 something failed, 2 wrong use, 130 stopped by Ctrl-C."""
    try:
        app()
    except (ParameterError, RecipeError, AudioFileError, AudioError) as error:
        _fail(str(error), 2)
    except AudiotconvError as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        _fail("stopped", _STOPPED)
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


def _console(stderr: bool = False) -> Console:
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False)
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
def _announced_compilation(console: Console) -> Iterator[None]:
    """Say so once when something is compiled: it takes seconds that nobody expects."""
    from .kernels.compile import on_compile

    said: list[str] = []

    def say(name: str) -> None:
        if not said:
            said.append(name)
            console.print("compiling kernels, first run only", style="dim")

    with on_compile(say):
        yield


@contextlib.contextmanager
def _stoppable(state: str) -> Iterator[None]:
    """Ctrl-C ends the command with one line that says how things stand."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"audiotconv: stopped; {state}", err=True)
        raise typer.Exit(_STOPPED) from None


# --- extract ---------------------------------------------------------------------------------------------------------


@app.command()
def extract(
    inputs: Annotated[list[Path], typer.Argument(metavar="IN...", help="Sound files, and folders to search.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT", help="The folder of the feature store.")],
    recipe: Annotated[
        str, typer.Option("--recipe", metavar="NAME|FILE.toml", help="See `audiotconv recipes`.")
    ] = "gammatone-64",
    jobs: Annotated[
        int | None, typer.Option("-j", "--jobs", min=1, help="Files at a time; one per core by default.")
    ] = None,
    format: Annotated[_Format, typer.Option(help="Parquet shards, or a tree of .npy files.")] = _Format.PARQUET,
    label: Annotated[
        _Label | None, typer.Option(help="Note the name of each file's folder as its label.")
    ] = None,
    channels: Annotated[
        _Channels, typer.Option(help="A feature map of each channel, or one of their mean.")
    ] = _Channels.KEEP,
    mono: Annotated[bool, typer.Option("--mono", help="The same as --channels mono.")] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Set files aside that hold less than their header says.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Extract the features of sound files and folders into a feature store.

    Files that cannot be used are listed with their reasons; all others are written. Exit code: 0 if all files are
    done, 1 if some failed, 2 for wrong use.
    """
    from .batch import extract_folder

    console = _console(stderr=True)
    with _stoppable("nothing of this run was written"), _announced_compilation(console), _progress(console) as progress:
        report = extract_folder(
            list(inputs),
            output,
            recipe,
            workers=jobs,
            format=format.value,
            label=label.value if label else None,
            channels="mono" if mono else channels.value,
            strict=strict,
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
        f"{report.done:,} of {report.files:,} files, {_length(report.audio_seconds)} of audio, {report.frames:,} frames "
        f"in {report.seconds:.1f} s ({report.speed:,.0f} x real time) -> {report.target}"
    )
    for note in report.warnings[:_MOST_LISTED]:
        typer.echo(f"warning: {note}", err=True)
    if len(report.warnings) > _MOST_LISTED:
        typer.echo(f"... and {len(report.warnings) - _MOST_LISTED:,} more warnings", err=True)
    if report.failures:
        typer.echo(f"{len(report.failures):,} failed:", err=True)
        for failure in report.failures[:_MOST_LISTED]:
            typer.echo(f"  [{failure.reason}] {failure.message}", err=True)
        if len(report.failures) > _MOST_LISTED:
            typer.echo(f"  ... and {len(report.failures) - _MOST_LISTED:,} more, listed in audiotconv.json", err=True)


def _length(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.2f} h"


# --- recipes ---------------------------------------------------------------------------------------------------------


@app.command()
def recipes(
    name: Annotated[str | None, typer.Argument(metavar="[NAME|FILE.toml]", help="Show this one in full.")] = None,
    sample_rate: Annotated[int, typer.Option("--rate", min=1, help="The sample rate to show it for, in Hz.")] = 16000,
    as_json: Json = False,
) -> None:
    """List the recipes, or show one."""
    from rich.table import Table

    from .recipes import get_recipe, list_recipes

    shown = [get_recipe(each) for each in ([name] if name else list_recipes())]
    rows = []
    for recipe in shown:
        chain = recipe.build(sample_rate)
        geometry = chain.geometry
        rows.append(
            {
                "name": recipe.name,
                "version": recipe.version,
                "hash": recipe.hash,
                "description": recipe.description,
                "features": len(chain.features),
                "sample_rate": sample_rate,
                "frame_rate": sample_rate / geometry.hop,
                "hop": geometry.hop,
                "span": geometry.span,
                "latency": geometry.latency,
                "stages": [{"kind": kind, **dict(values)} for kind, values in recipe.stages],
            }
        )
    if as_json:
        typer.echo(json.dumps(rows[0] if name else rows, indent=1))
        return
    console = _console()
    if name is None:
        table = Table("recipe", "features", "frames/s", "latency", "description", title=f"at {sample_rate} Hz")
        for row in rows:
            latency = f"{row['latency'] / sample_rate * 1e3:.1f} ms"
            table.add_row(row["name"], str(row["features"]), f"{row['frame_rate']:g}", latency, row["description"])
        console.print(table)
        return
    row = rows[0]
    console.print(f"{row['name']}, version {row['version']}, hash {row['hash']}\n{row['description']}\n")
    for number, stage in enumerate(row["stages"], 1):
        kind = stage.pop("kind")
        values = ", ".join(f"{key} = {value:g}" if isinstance(value, float) else f"{key} = {value}" for key, value in stage.items())
        console.print(f"  stage {number}: {kind} ({values})", markup=False)
    console.print("  (times in s, frequencies in Hz)")
    console.print(
        f"\nat {sample_rate} Hz: {row['features']} features; a frame every {row['hop']} samples, which sees {row['span']} "
        f"samples; frame f is known once sample f * {row['hop']} + {row['latency']} has come"
    )


# --- bench -----------------------------------------------------------------------------------------------------------


@bench_app.command()
def filterbank(
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of the audio.")] = 10.0,
    threads: Annotated[int, typer.Option(min=1, help="Threads of each contender.")] = 1,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each contender, in turn.")] = 7,
    as_json: Json = False,
) -> None:
    """The filter-bank kernels, beside scipy.signal.oaconvolve and torch.conv1d where installed."""
    from rich.table import Table

    from .bench.filterbank import filterbank_cases
    from .bench.machine import multiply_add_peak
    from .bench.timing import environment, interleaved, on_threads

    console = _console(stderr=True)
    with _announced_compilation(console), on_threads(threads):
        peak = multiply_add_peak()
        results = [
            result for case in filterbank_cases(seconds, threads) for result in interleaved(case, repeats, threads * peak)
        ]
    facts = {**environment(threads), "peak_gflops_per_core": peak / 1e9, "repeats": repeats, "seconds": seconds}
    if as_json:
        typer.echo(json.dumps({"environment": facts, "results": [result.to_dict() for result in results]}, indent=1))
        return
    table = Table("case", "who", "ms", "x real time", "GFLOP/s", "of FMA peak", "time / ours", "max error")
    for result in results:
        table.add_row(
            result.case, result.contender, f"{result.seconds * 1e3:.1f}", f"{result.real_time_factor:,.0f}",
            f"{result.gflops:.1f}", f"{result.of_peak:.0%}", f"{result.times_ours:.2f}", f"{result.error:.1e}",
        )  # fmt: skip
    out = _console()
    out.print(table)
    out.print(
        f"{facts['processor']}, {threads} thread(s), {facts['vector_bits']}-bit vectors, FMA peak {peak / 1e9:.0f} GFLOP/s "
        f"per core; operations are those of direct convolution without zero taps; error relative to the largest value\n"
        + ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    )


@bench_app.command()
def reading(
    files: Annotated[int, typer.Option(min=1, help="How many recordings.")] = 24,
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of each.")] = 10.0,
    recipe: Annotated[str, typer.Option()] = "gammatone-64",
    as_json: Json = False,
) -> None:
    """How much of a folder run on 16-bit WAV files is spent reading, on one thread."""
    from .bench.folder import reading_share

    with _announced_compilation(_console(stderr=True)):
        share = reading_share(files, seconds, recipe)
    if as_json:
        typer.echo(json.dumps(share, indent=1))
        return
    typer.echo(
        f"reading {share['reading']:.3f} s ({share['audio'] / share['reading']:,.0f} x real time) of {share['whole']:.3f} s: "
        f"{share['share']:.1%}"
    )


@bench_app.command()
def memory(
    hours: Annotated[float, typer.Option(min=0.001, help="Length of the recording (silence, 16 kHz, 16 bit).")] = 6.0,
    recipe: Annotated[str, typer.Option()] = "gammatone-64",
    format: Annotated[_Format, typer.Option()] = _Format.PARQUET,
    as_json: Json = False,
) -> None:
    """Peak resident memory of `audiotconv extract` on one long recording."""
    from .bench.folder import memory_of_long_file

    result = memory_of_long_file(hours, recipe, format.value)
    if as_json:
        typer.echo(json.dumps(result, indent=1))
        return
    typer.echo(
        f"{hours:g} h: {result['peak_mb']:.0f} MB at most, {result['seconds']:.1f} s ({result['factor']:,.0f} x real time)"
    )


# --- warmup, doctor --------------------------------------------------------------------------------------------------


@app.command()
def warmup() -> None:
    """Compile every kernel now, for container images and first impressions."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from .kernels.compile import cache_directory, on_compile
    from .warmup import warmup_steps

    compiled: list[str] = []
    steps = list(warmup_steps())
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with on_compile(compiled.append), Progress(*columns, console=_console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=len(steps))
        for name, work in steps:
            bar.update(task, description=name)
            work()
            bar.advance(task)
    typer.echo(f"{len(compiled)} kernels compiled, the others were there; cache: {cache_directory()}")


@app.command()
def doctor(as_json: Json = False) -> None:
    """Print what audiotconv found on this machine, and how fast it is."""
    from .bench.machine import copy_bandwidth, multiply_add_peak
    from .bench.timing import environment
    from .kernels.compile import available_threads, cache_directory, cache_writable, threading_layer

    facts = {
        **environment(available_threads()),
        "audiotconv": __version__,
        "threading_layer": threading_layer(),
        "cache": str(cache_directory()),
        "cache_writable": cache_writable(),
        "fma_peak_gflops": round(multiply_add_peak() / 1e9, 1),
        "copy_bandwidth_gb_s": round(copy_bandwidth() / 1e9, 1),
    }
    if as_json:
        typer.echo(json.dumps(facts, indent=1))
        return
    lines = {
        "audiotconv": facts["audiotconv"],
        "Python": facts["python"],
        "packages": ", ".join(f"{name} {version}" for name, version in facts["versions"].items()),
        "processor": facts["processor"],
        "cores": facts["cores"],
        "threading layer": facts["threading_layer"],
        "vectors": f"{facts['vector_bits']} bits: {facts['vector_bits'] // 32} float32 or {facts['vector_bits'] // 64} float64",
        "kernel cache": f"{facts['cache']} ({'writable' if facts['cache_writable'] else 'not writable: kernels are compiled in every process'})",
        "FMA peak": f"{facts['fma_peak_gflops']} GFLOP/s float32, one core",
        "copy bandwidth": f"{facts['copy_bandwidth_gb_s']} GB/s, one core",
    }
    width = max(map(len, lines))
    for name, value in lines.items():
        typer.echo(f"{name:<{width}}  {value}")
