"""`audiotconv warmup` and `audiotconv doctor`."""

from __future__ import annotations

import json

import typer

from .. import __version__
from .shell import Json, app, console_for

__all__ = ["doctor", "warmup"]

_NOWHERE = "nowhere (no home directory)"


@app.command()
def warmup() -> None:
    """Compile every kernel now, for container images and first impressions."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from ..kernels.compile import cache_directory, on_compile
    from ..warmup import warmup_steps

    compiled: list[str] = []
    steps = list(warmup_steps())
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with on_compile(compiled.append), Progress(*columns, console=console_for(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=len(steps))
        for name, work in steps:
            bar.update(task, description=name)
            work()
            bar.advance(task)
    typer.echo(f"{len(compiled)} kernels compiled, the others were there; cache: {cache_directory() or _NOWHERE}")


@app.command()
def doctor(as_json: Json = False) -> None:
    """Print what audiotconv found on this machine, and how fast it is."""
    from ..bench.machine import copy_bandwidth, multiply_add_peak
    from ..bench.timing import environment
    from ..kernels.compile import available_threads, cache_directory, cache_writable, threading_layer

    facts = {
        **environment(available_threads()),
        "audiotconv": __version__,
        "threading_layer": threading_layer(),
        "cache": str(cache_directory() or _NOWHERE),
        "cache_writable": cache_writable(),
        "fma_peak_gflops": round(multiply_add_peak() / 1e9, 1),
        "copy_bandwidth_gb_s": round(copy_bandwidth() / 1e9, 1),
    }
    if as_json:
        typer.echo(json.dumps(facts, indent=1))
        return
    bits = facts["vector_bits"]
    kept = "writable" if facts["cache_writable"] else "not writable: kernels are compiled in every process"
    lines = {
        "audiotconv": facts["audiotconv"],
        "Python": facts["python"],
        "packages": ", ".join(f"{name} {version}" for name, version in facts["versions"].items()),
        "processor": facts["processor"],
        "cores": facts["cores"],
        "threading layer": facts["threading_layer"],
        "vectors": f"{bits} bits: {bits // 32} float32 or {bits // 64} float64",
        "kernel cache": f"{facts['cache']} ({kept})",
        "FMA peak": f"{facts['fma_peak_gflops']} GFLOP/s float32, one core",
        "copy bandwidth": f"{facts['copy_bandwidth_gb_s']} GB/s, one core",
    }
    width = max(map(len, lines))
    for name, value in lines.items():
        typer.echo(f"{name:<{width}}  {value}")
