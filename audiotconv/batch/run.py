"""A folder of recordings becomes a feature store."""

from __future__ import annotations

import contextlib
import math
import os
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any

from ..errors import AudiotconvError, ParameterError
from ..extraction import CHANNELS
from ..kernels.compile import available_threads
from ..recipes import Recipe, get_recipe
from ..stages.checks import integer_at_least, positive
from .executors import crew_for
from .interrupts import Interrupts
from .lists import FileList, Listing, Manifest
from .manifest import FORMATS, describe
from .names import NpyNames
from .owner import Run
from .place import LocalPlace
from .plan import Plan
from .remote import place_of
from .report import FolderReport, Progress
from .target import Target, unwritable
from .work import Job

__all__ = ["extract_folder"]

# What a run takes at most, measured: the process with its libraries, and for each recording at a time its blocks on
# their way from the decoder to the store.
_BASE, _EACH = 190e6, 35e6

Paths = str | bytes | os.PathLike[str] | Sequence[str | bytes | os.PathLike[str]]


def extract_folder(
    source: Paths,
    target: str | bytes | os.PathLike[str],
    recipe: str | os.PathLike[str] | Recipe = "gammatone-64",
    *,
    workers: int | None = None,
    processes: bool = False,
    executor: Executor | None = None,
    scheduler: str | None = None,
    format: str = "parquet",
    label: str | None = None,
    channels: str = "keep",
    strict: bool = False,
    files_from: str | os.PathLike[str] | None = None,
    manifest: str | os.PathLike[str] | None = None,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    by_content: bool = False,
    overwrite: bool = False,
    retry_failed: bool = False,
    prune: bool = False,
    dry_run: bool = False,
    max_failures: int | None = None,
    time_limit: float = 600.0,
    max_memory: float | str | None = None,
    progress: Callable[[Progress], Any] | None = None,
) -> FolderReport:
    """Extract the features of every recording in folders and files into a feature store.

    A run can be stopped or killed at any moment; the same call goes on where it was. What is in the store already is
    known by path, size and time, and by the recipe. Recordings that have changed are done again; with another recipe
    all are, and the earlier store stays until the new one is complete: it is not replaced where some of its recordings
    are not among the inputs or cannot be read, unless `prune` or `overwrite` is set.

    Parameters
    ----------
    source : path or sequence of paths
        Files, folders that are searched with their subfolders (each real folder once), patterns such as
        "day*/**/*.wav", and addresses such as "s3://bucket/folder" (extra `cloud`). May be an empty list next to
        `files_from` or `manifest`.
    target : path
        The store's folder: new, empty, or a store; or an address.
    recipe : str, path or Recipe
        As in `extract`.
    workers : int, optional
        How many batches of recordings are processed at a time, each on a thread; by default one per core. Long
        recordings get the threads that others do not need.
    processes : bool
        Process short recordings in processes that are forked from this one: faster where there are many. Where this
        process has other threads, as numerical libraries start them, it is not done, as it would not be safe.
    executor : concurrent.futures.Executor, optional
        What to process batches on instead: a ProcessPoolExecutor, a Dask client's `get_executor()`, mpi4py's. Its
        workers write into the target themselves.
    scheduler : str, optional
        The address of a Dask scheduler, or "local" for one with `workers` processes (extra `dask`).
    format : "parquet" or "npy"
        Parquet shards with one row per recording (a long one continues in further rows), or one .npy file each, in
        the inputs' tree, with an index.
    label : "parent" or None
        Whether to note the name of each file's folder as its label.
    channels : "keep" or "mono"
    strict : bool
        Set recordings aside that hold less than their header says.
    files_from : path, optional
        A file with names of files, a line each or ended by zero bytes; "-" for standard input.
    manifest : path, optional
        A CSV or Parquet table with the columns path and, if wanted, start, stop (in seconds), label and key.
    include, exclude : sequence of str
        Patterns of names (or, with a "/", of paths below the root) that count instead of sound files' endings, and that
        do not count.
    by_content : bool
        Know recordings by the SHA-256 of their content instead of size and time: slower, as all is read.
    overwrite : bool
        Do everything again, in a new store that replaces the present one at the end. Where such a run has been stopped
        or killed, go on with it.
    retry_failed : bool
        Try recordings again that failed and have not changed. Missing and unreadable ones always are.
    prune : bool
        Remove recordings from the store that are not among the inputs any more, or are named and missing.
    dry_run : bool
        Only say what would be processed.
    max_failures : int, optional
        End the run when more recordings have failed.
    time_limit : float
        Seconds that a recording may take, and one more for each MB of it, before it is set aside. With a greater limit
        it is tried again.
    max_memory : int or str, optional
        Bytes, or a text such as "2 GB", that the run's process is to stay within. Long recordings never take more than
        short ones, unless a stage of the recipe needs them whole: those that would need too much are set aside, and
        fewer recordings are processed at a time where the limit asks for it.
    progress : callable, optional
        Called now and then, from this thread, with a `Progress`.

    Returns
    -------
    FolderReport
        Recordings that failed are listed in it with their reasons, and in `failures.parquet` in the target; all others
        are in the store. Of those that are missing or cannot be read, an earlier run's features stay.

    Raises
    ------
    AudioFileError, AudioError
        If an input does not exist or cannot be read, or there is no recording at all.
    StoreError
        If the target cannot be written, another run is writing into it, or too many recordings fail. What has been
        done is kept.
    RecipeError, ParameterError
        If the recipe or a parameter is wrong.
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, when the recordings in hand are in the store; after a second one, at once.

    Examples
    --------
    >>> import tempfile, numpy, soundfile
    >>> folder = tempfile.mkdtemp()
    >>> soundfile.write(folder + "/a.wav", numpy.zeros(8000), 8000)
    >>> report = extract_folder(folder, folder + "/features", "gabor-40")
    >>> report.done, report.frames, report.failures
    (1, 100, [])
    >>> extract_folder(folder, folder + "/features", "gabor-40").unchanged
    1
    """
    started = time.perf_counter()
    recipe = get_recipe(recipe)
    for name, value, allowed in (("format", format, FORMATS), ("channels", channels, CHANNELS)):
        if value not in allowed:
            raise ParameterError(f"{name} is {value!r}; it must be one of {', '.join(allowed)}")
    if label not in (None, "parent"):
        raise ParameterError(f'label is {label!r}; it must be "parent" or None')
    if executor is not None and scheduler is not None:
        raise ParameterError("executor and scheduler cannot both be given")
    if max_failures is not None:
        max_failures = integer_at_least("max_failures", max_failures, 0)
    time_limit = positive("time_limit", time_limit)
    workers = available_threads() if workers is None else integer_at_least("workers", workers, 1)
    limit = _bytes(max_memory)
    workers = max(1, min(workers, int((limit - _BASE) / _EACH))) if limit < math.inf else workers
    inputs = [source] if isinstance(source, str | bytes | os.PathLike) else list(source)
    plan = Plan(inputs, _listing(files_from, manifest), include, exclude)
    description = describe(recipe, format, plan.root, {"label": label, "channels": channels})
    place = place_of(target)
    run = Run(
        plan=plan,
        place=place,
        recipe=recipe,
        settings={
            "strict": strict,
            "retry": retry_failed,
            "prune": prune,
            "max_failures": max_failures,
            "time_limit": time_limit,
        },
        progress=progress,
        started=started,
    )
    run.peek([*inputs, *(entry for entry in (files_from, manifest) if entry is not None)])
    if dry_run:
        return run.rehearse(description, overwrite, by_content)
    # What a forked process writes to a file system in memory stays there.
    in_memory = any(os.fsdecode(name).startswith("memory:") for name in (target, *inputs))
    with contextlib.ExitStack() as stack:
        interrupts = stack.enter_context(Interrupts())
        store = Target(place, description, overwrite=overwrite, by_content=by_content)
        stack.callback(store.close)
        crew = stack.enter_context(crew_for(executor, scheduler, workers, processes and not in_memory))
        try:
            root = place.root if isinstance(place, LocalPlace) else None
            job = Job(
                recipe=recipe,
                recipe_hash=recipe.hash,
                format=format,
                root=plan.root,
                drafts=place.drafts(),
                names=NpyNames.of(root and root / place.drafts().folder().relative_to(root)),
                label=label == "parent",
                channels=channels,
                strict=strict,
                memory=(limit - _BASE) / crew.workers - _EACH,
                time_limit=time_limit,
                by_content=by_content,
            )
            return run.go(store, crew, job, interrupts)
        except OSError as error:
            if isinstance(error, AudiotconvError):
                raise
            raise unwritable(place, error) from error


def _listing(files_from: str | os.PathLike[str] | None, manifest: str | os.PathLike[str] | None) -> Listing | None:
    if files_from is not None and manifest is not None:
        raise ParameterError("files_from and manifest cannot both be given")
    if files_from is not None:
        return FileList(files_from)
    return None if manifest is None else Manifest(manifest)


def _bytes(limit: float | str | None) -> float:
    """A limit of memory in bytes; infinite without one."""
    if limit is None:
        return math.inf
    value = 0.0
    if isinstance(limit, int | float):
        value = float(limit) if not isinstance(limit, bool) and 0 < limit < 1e18 else 0.0
    elif match := re.fullmatch(r"\s*(\d{1,18}(?:\.\d+)?)\s*(?:([kMGT])(i?))?B?\s*", str(limit), re.IGNORECASE):
        number, prefix, binary = match.groups()
        value = float(number) * (1024 if binary else 1000) ** " kmgt".index((prefix or " ").lower())
    if value < _BASE + _EACH:
        raise ParameterError(
            f"max_memory is {limit!r}; it must be a number of bytes, or a text such as '2 GB', of at least "
            f"{(_BASE + _EACH) / 1e6:.0f} MB"
        )
    return value
