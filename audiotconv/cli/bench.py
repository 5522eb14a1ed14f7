"""`audiotconv bench ...`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .shell import Format, Json, announced_compilation, bench_app, console_for

if TYPE_CHECKING:
    from ..bench.timing import Case

__all__ = [
    "accuracy",
    "conv",
    "filterbank",
    "folder",
    "memory",
    "plan",
    "pool",
    "reading",
    "rocket",
    "spectral",
    "start",
    "stream",
    "table",
]


_Threads = Annotated[int, typer.Option(min=1, help="Threads of each contender.")]
_Repeats = Annotated[int, typer.Option(min=1, help="Runs of each contender, in turn.")]


_Plot = Annotated[Path | None, typer.Option(help="Also draw the peers' times against ours (needs matplotlib).")]
_Only = Annotated[str, typer.Option(help="Only cases whose name holds this.")]


@bench_app.command()
def conv(
    threads: _Threads = 1, repeats: _Repeats = 7, only: _Only = "", plot: _Plot = None, as_json: Json = False
) -> None:
    """Temporal convolution of many shapes, beside torch.conv1d where installed, scipy.signal and NumPy."""
    from ..bench.conv import conv_cases

    _side_by_side(lambda: conv_cases(threads), threads, repeats, as_json, only, plot)


@bench_app.command()
def pool(
    threads: _Threads = 1, repeats: _Repeats = 7, only: _Only = "", plot: _Plot = None, as_json: Json = False
) -> None:
    """Pooling of many shapes, beside torch where installed, scipy.ndimage and a plain copy."""
    from ..bench.pool import pool_cases

    _side_by_side(lambda: pool_cases(threads), threads, repeats, as_json, only, plot)


@bench_app.command()
def rocket(
    threads: _Threads = 1,
    repeats: _Repeats = 3,
    clips: Annotated[int, typer.Option(min=2, help="Of one second, for MiniRocket; the others have fewer.")] = 200,
    seconds: Annotated[int, typer.Option(min=1, help="Of the one long series.")] = 60,
    only: _Only = "",
    plot: _Plot = None,
    as_json: Json = False,
) -> None:
    """MiniRocket, MultiRocket and Hydra, beside aeon where installed (needs the extra `learn`)."""
    from ..bench.rocket import rocket_cases

    _side_by_side(lambda: rocket_cases(threads, clips, seconds), threads, repeats, as_json, only, plot)


@bench_app.command()
def spectral(
    threads: _Threads = 1, repeats: _Repeats = 7, only: _Only = "", plot: _Plot = None, as_json: Json = False
) -> None:
    """Log-mel, MFCC, PCEN and STFT, beside librosa, torch, kaldi-native-fbank and bare transforms, where installed."""
    from ..bench.spectral import spectral_cases

    _side_by_side(lambda: spectral_cases(threads, only=only), threads, repeats, as_json, only, plot)


@bench_app.command()
def stream(threads: _Threads = 1, repeats: _Repeats = 7, only: _Only = "", as_json: Json = False) -> None:
    """Chunks pushed through a recipe and a dilated stack, beside the whole, kaldi-native-fbank and torch."""
    from ..bench.stream import push_times, stream_cases
    from ..bench.timing import on_threads

    with announced_compilation(console_for(stderr=True)), on_threads(1):
        pushes = push_times()
    if not as_json:
        for recipe, times in pushes.items():
            typer.echo(
                f"{recipe}: a push of 10 ms takes {times['median_us']:.0f} us, "
                f"99 of 100 at most {times['p99_us']:.0f} us"
            )
    _side_by_side(lambda: stream_cases(threads, only), threads, repeats, as_json, only, more={"pushes": pushes})


@bench_app.command()
def plan(threads: _Threads = 1, repeats: _Repeats = 7, only: _Only = "", as_json: Json = False) -> None:
    """Every algorithm of conv1d on the shapes of `bench conv`, beside the estimates that choose one of them."""
    from rich.table import Table

    from ..bench.conv import SHAPES
    from ..bench.plan import estimates, spread
    from ..bench.timing import environment, on_threads

    shapes = tuple(shape for shape in SHAPES if only in shape.name)
    if not shapes:
        raise typer.BadParameter(f"no case's name holds {only!r}", param_hint="--only")
    with announced_compilation(console_for(stderr=True)), on_threads(threads):
        results = list(estimates(repeats, threads, shapes))
    facts = {**environment(threads), "repeats": repeats, "spread": spread(results)}
    if as_json:
        typer.echo(json.dumps({"environment": facts, "results": [result.to_dict() for result in results]}, indent=1))
        return
    table = Table("case", "method", "chosen", "estimated ns", "measured ns", "measured / estimated")
    for result in results:
        table.add_row(
            result.case, result.method, "yes" if result.chosen else "", f"{result.estimated:.2f}",
            f"{result.measured:.2f}", f"{result.measured / result.estimated:.2f}",
        )  # fmt: skip
    out = console_for()
    out.print(table)
    out.print(
        f"for each output time step of all filters; {facts['processor']}, {threads} thread(s), {facts['vector_bits']}"
        f"-bit vectors; the ratio varies by a factor of {facts['spread']:.2f}"
    )


@bench_app.command()
def filterbank(
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of the audio.")] = 10.0,
    threads: _Threads = 1,
    repeats: _Repeats = 7,
    as_json: Json = False,
) -> None:
    """The filter-bank kernels, beside scipy.signal.oaconvolve and torch.conv1d where installed."""
    from ..bench.filterbank import filterbank_cases

    _side_by_side(lambda: filterbank_cases(seconds, threads), threads, repeats, as_json)


def _side_by_side(
    cases: Callable[[], Iterable[Case]],
    threads: int,
    repeats: int,
    as_json: bool,
    only: str = "",
    plot: Path | None = None,
    more: dict[str, Any] | None = None,
) -> None:
    """Time the cases, and print a row for each contender."""
    from rich.table import Table

    from ..bench.plot import draw
    from ..bench.timing import environment, interleaved, on_threads
    from ..picture import matplotlib_or_error

    if plot is not None:
        matplotlib_or_error("plot")  # now, rather than when the work is done
    with announced_compilation(console_for(stderr=True)), on_threads(threads):
        results = [r for case in cases() if only in case.name for r in interleaved(case, repeats, threads)]
    if not results:
        raise typer.BadParameter(f"no case's name holds {only!r}", param_hint="--only")
    facts = {**environment(threads), "repeats": repeats}
    if plot is not None:
        draw(results, plot, f"{facts['processor']}, {threads} thread(s)")
    if as_json:
        run = {"environment": facts, "results": [result.to_dict() for result in results], **(more or {})}
        typer.echo(json.dumps(run, indent=1))
        return
    names = ("case", "who", "ms", "x real time", "GFLOP/s", "of FMA peak", "GB/s", "time / ours", "max error")
    table = Table(*names)
    for result in results:
        who = f"{result.contender} ({result.method})" if result.method else result.contender
        table.add_row(
            result.case, who, f"{result.seconds * 1e3:.2f}", f"{result.real_time_factor:,.0f}",
            f"{result.gflops:.1f}", f"{result.of_peak:.0%}", f"{result.gb_per_second:.1f}",
            f"{result.times_ours:.2f}", f"{result.error:.1e}",
        )  # fmt: skip
    peaks = [result.peak_gflops for result in results]
    out = console_for()
    out.print(table)
    out.print(
        f"{facts['processor']}, {threads} thread(s), {facts['vector_bits']}-bit vectors, "
        f"FMA peak {min(peaks):.0f} to {max(peaks):.0f} GFLOP/s per core; audio at 16 kHz; operations are those of "
        "direct sums, so that transforms can reach more than all of the peak; bytes are those of input and output; "
        "error relative to the largest value\n"
        + ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    )


@bench_app.command()
def table(
    run: Annotated[Path, typer.Argument(help="What `audiotconv bench ... --json` wrote.")],
    more: Annotated[Path | None, typer.Argument(help="The same on more threads.")] = None,
) -> None:
    """The README's tables: a saved run as Markdown."""
    from ..bench.table import markdown, read

    typer.echo(markdown(read(run), read(more) if more else None))


@bench_app.command()
def reading(
    files: Annotated[int, typer.Option(min=1, help="How many recordings.")] = 24,
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of each.")] = 10.0,
    recipe: Annotated[str, typer.Option()] = "gammatone-64",
    as_json: Json = False,
) -> None:
    """How much of a folder run on 16-bit WAV files is spent reading, on one thread."""
    from ..bench.folder import reading_share

    with announced_compilation(console_for(stderr=True)):
        share = reading_share(files, seconds, recipe)
    if as_json:
        typer.echo(json.dumps(share, indent=1))
        return
    typer.echo(
        f"reading {share['reading']:.3f} s ({share['audio'] / share['reading']:,.0f} x real time) "
        f"of {share['whole']:.3f} s: {share['share']:.1%}"
    )


@bench_app.command()
def memory(
    hours: Annotated[float, typer.Option(min=0.001, help="Length of the recording (silence, 16 bit).")] = 24.0,
    recipe: Annotated[str, typer.Option()] = "gammatone-64",
    format: Annotated[Format, typer.Option()] = Format.PARQUET,
    rate: Annotated[int, typer.Option(min=50, help="In Hz.")] = 16_000,
    channels: Annotated[int, typer.Option(min=1)] = 1,
    as_json: Json = False,
) -> None:
    """Peak resident memory of `audiotconv extract` on one long recording."""
    from ..bench.folder import memory_of_long_file

    result = memory_of_long_file(hours, recipe, format.value, rate, channels)
    if as_json:
        typer.echo(json.dumps(result, indent=1))
        return
    typer.echo(
        f"{hours:g} h: {result['peak_mb']:.0f} MB at most, {result['seconds']:.1f} s "
        f"({result['factor']:,.0f} x real time)"
    )


@bench_app.command()
def accuracy(
    conformance: Annotated[
        Path | None, typer.Option(envvar="AUDIOTCONV_CONFORMANCE", help="The folder of the conformance data.")
    ] = None,
    as_json: Json = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
) -> None:
    """Errors against published results and installed peers; exit code 1 if a tolerance is missed."""
    from rich.table import Table

    from ..bench.accuracy import COLUMNS, MISSED, markdown, rows

    with announced_compilation(console_for(stderr=True)):
        outcomes = list(rows(conformance))
    if as_json:
        typer.echo(json.dumps([outcome.to_dict() for outcome in outcomes], indent=1))
    elif as_markdown:
        typer.echo(markdown(outcomes))
    else:
        table = Table(*COLUMNS)
        for outcome in outcomes:
            table.add_row(*outcome.cells())
        console_for().print(table)
    if any(outcome.status == MISSED for outcome in outcomes):
        raise typer.Exit(1)


@bench_app.command()
def folder(
    files: Annotated[int, typer.Option(min=1, help="How many recordings.")] = 360,
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of each.")] = 10.0,
    threads: Annotated[int, typer.Option(min=1, help="Our threads, and librosa's processes.")] = 2,
    repeats: _Repeats = 3,
    as_json: Json = False,
) -> None:
    """Log-mel of a folder of 16-bit WAV files, read and written, beside librosa in as many processes."""
    from ..bench.folder import folder_run
    from ..bench.timing import on_threads

    with announced_compilation(console_for(stderr=True)), on_threads(threads):
        run = folder_run(files, seconds, threads, repeats)
    if as_json:
        typer.echo(json.dumps(run, indent=1))
        return
    for who, name in (("threads", f"{threads} threads"), ("processes", f"{threads} processes"), ("librosa", "librosa")):
        taken = run[who]
        if taken is None:
            typer.echo(f"{name}: not installed")
            continue
        ratio = f", librosa's time / ours {run['ratios'][who]:.1f}" if who in (run["ratios"] or ()) else ""
        each = taken / files * 1e6
        typer.echo(f"{name}: {taken:.2f} s, {run['audio'] / taken:,.0f} x real time, {each:,.0f} us a file{ratio}")
    if run["error"] is not None:
        typer.echo(f"largest difference of the logarithms {run['error']:.1e}")


@bench_app.command()
def resume(
    files: Annotated[int, typer.Option(min=1, help="How many recordings.")] = 100_000,
    as_json: Json = False,
) -> None:
    """A folder of tiny files: the first run, and how soon a second one starts on the one file that is new."""
    from ..bench.folder import resumed_run

    with announced_compilation(console_for(stderr=True)):
        run = resumed_run(files)
    if as_json:
        typer.echo(json.dumps(run, indent=1))
        return
    typer.echo(f"{files:,} files: {run['first']:.1f} s, journal {run['journal_mb']:.1f} MB")
    typer.echo(f"again, with one new file: {run['again']:.2f} s in all; peak memory {run['peak_mb']:.0f} MB")
    typer.echo(f"verify {run['verify']:.1f} s, load {run['load']:.2f} s")


@bench_app.command()
def start(
    recipe: Annotated[str, typer.Option()] = "kaldi-fbank-80",
    seconds: Annotated[float, typer.Option(min=0.1, help="Length of the recording.")] = 10.0,
    repeats: Annotated[int, typer.Option(min=1, help="Runs with a warm cache.")] = 3,
    as_json: Json = False,
) -> None:
    """`audiotconv extract` on one file in a new process: with a warm cache, and the first time ever."""
    from ..bench.start import start_times

    times = start_times(recipe, seconds, repeats)
    if as_json:
        typer.echo(json.dumps(times, indent=1))
        return
    typer.echo(f"{recipe}: {times['warm']:.2f} s with a warm cache, {times['first_ever']:.1f} s the first time ever")
