"""A folder of recordings becomes a feature store."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from typing import Any

from ..audio import shown
from ..errors import AudioFileError, AudiotconvError, ParameterError, StoreError
from ..extraction import CHANNELS
from ..kernels.compile import available_threads
from ..recipes import Recipe, get_recipe
from ..stages.checks import integer_at_least, positive
from .executors import Crew, crew_for
from .feed import Feed
from .interrupts import Interrupts, Stopped
from .ledger import Ledger, failure_record
from .lists import FileList, Listing, Manifest
from .manifest import FORMATS, describe
from .names import NpyNames
from .place import LocalPlace, Place
from .plan import Failure, Item, Plan
from .remote import place_of
from .report import FolderReport, Progress
from .target import Target, check_target, find_ledger, unwritable
from .work import TRANSIENT, Job, Outcome, Watch, process_batch

__all__ = ["extract_folder"]

# What a run takes at most, measured: the process with its libraries, and for each recording at a time its blocks on
# their way from the decoder to the store.
_BASE, _EACH = 190e6, 35e6
_PAUSES = (0.2, 1.0, 5.0)  # seconds before a batch that could not be written is tried again
_TICK = 0.1

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
    all are, and the earlier store stays until the new one is complete.

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
        Do everything again, in a new store that replaces the present one at the end.
    retry_failed : bool
        Try recordings again that failed and have not changed. Missing and unreadable ones always are.
    prune : bool
        Remove recordings from the store that are not among the inputs any more.
    dry_run : bool
        Only say what would be processed.
    max_failures : int, optional
        End the run when more recordings have failed.
    time_limit : float
        Seconds that a recording may take, and one more for each MB of it, before it is set aside.
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
        are in the store.

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
    run = _Run(
        plan=plan,
        place=place,
        recipe=recipe,
        settings={"strict": strict, "retry": retry_failed, "prune": prune, "max_failures": max_failures},
        progress=progress,
        started=started,
    )
    run.peek([*inputs, *(entry for entry in (files_from, manifest) if entry is not None)])
    if dry_run:
        return run.rehearse(description, overwrite, by_content)
    with contextlib.ExitStack() as stack:
        interrupts = stack.enter_context(Interrupts())
        store = Target(place, description, overwrite=overwrite, by_content=by_content)
        stack.callback(store.close)
        crew = stack.enter_context(crew_for(executor, scheduler, workers, processes))
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


class _Run:
    """One run, in the thread that owns the store."""

    def __init__(
        self,
        *,
        plan: Plan,
        place: Place,
        recipe: Recipe,
        settings: dict[str, Any],
        progress: Callable[[Progress], Any] | None,
        started: float,
    ) -> None:
        self._root = plan.root
        self._plan: Iterator[Item | Failure] = iter(plan)
        self._place = place
        self._recipe = recipe
        self._settings = settings
        self._progress = progress
        self._started = started
        self._state = Progress()
        self._unsearched: list[Failure] = []
        self._set_aside: set[str] = set()  # keys of this run's inputs that have failed, now or before
        self._seen: set[str] | None = set() if settings["prune"] else None
        self._unchanged = self._new = self._frames = self._failed = 0
        self._seconds = 0.0
        self._warnings: list[str] = []
        self._resampled: Counter[int] = Counter()

    def peek(self, inputs: Sequence[Any]) -> None:
        """Make sure that there is a recording, before anything is written."""
        troubles: list[Failure] = []
        for entry in self._plan:
            if isinstance(entry, Item):
                self._plan = itertools.chain(troubles, [entry], self._plan)
                return
            troubles.append(entry)
        if troubles:
            raise AudioFileError(troubles[0].message, troubles[0].reason)
        raise AudioFileError(f"no sound file was found in {', '.join(shown(entry) for entry in inputs)}", "missing")

    # --- what there is to do ---

    def _feed(self, ledger: Ledger, workers: int) -> Feed:
        strict, retry = self._settings["strict"], self._settings["retry"]

        def wanted(item: Item) -> bool:
            if self._seen is not None:
                self._seen.add(item.key)
            if ledger.settled(item, strict=strict, retry=retry):
                if ledger.knows(item.key):
                    self._unchanged += 1
                else:
                    self._set_aside.add(item.key)
                return False
            return True

        return Feed(self._plan, workers, wanted, self._unsearched.append)

    def rehearse(self, description: dict[str, Any], overwrite: bool, by_content: bool) -> FolderReport:
        """What would be processed."""
        check_target(self._place)
        found = None if overwrite else find_ledger(self._place, description, by_content)
        ledger = Ledger("") if found is None else found[1]
        feed = self._feed(ledger, 1)
        todo: list[str] = []
        while not feed.ended:
            todo += [item.key for item in feed.next()]
        return self._report(feed, ledger, 0, sorted(todo))

    # --- doing it ---

    def go(self, store: Target, crew: Crew, job: Job, interrupts: Interrupts) -> FolderReport:
        """Process what there is."""
        ledger = store.ledger
        feed = self._feed(ledger, crew.workers)
        watch = Watch(crew.workers, self._state.advance)
        waiting: dict[Future[Outcome], tuple[list[Item], int]] = {}
        later: deque[tuple[float, list[Item], int]] = deque()  # batches that could not be written
        stopped: list[BaseException | None] = []  # that the run is to end early, and why if by itself
        try:
            while True:
                try:
                    if not stopped:
                        self._submit(crew, feed, waiting, later, job, watch, store)
                    if interrupts.asked and not stopped:
                        stopped.append(None)
                        self._stop(watch, waiting)
                    if not waiting and (stopped or (feed.ended and not later)):
                        break
                    self._tell(feed)
                    ended = wait(waiting, _TICK, FIRST_COMPLETED).done if waiting else set()
                    if not waiting and later:
                        time.sleep(_TICK)
                    for future in ended:
                        items, tries = waiting.pop(future)
                        trouble = self._take(future, items, tries, store, feed, later)
                        if trouble is not None and not stopped:
                            stopped.append(trouble)
                            self._stop(watch, waiting)
                except KeyboardInterrupt:
                    if interrupts.asked or stopped:
                        raise
                    interrupts.asked = 2
            return self._end(store, feed, interrupts, stopped[0] if stopped else None)
        except BaseException as error:
            watch.stop.set()
            watch.leave.set()
            for future in waiting:
                future.cancel()
            if isinstance(error, KeyboardInterrupt) and not isinstance(error, Stopped):
                raise Stopped(self._so_far(ledger), interrupts.asked) from None
            raise

    def _submit(
        self,
        crew: Crew,
        feed: Feed,
        waiting: dict[Future[Outcome], tuple[list[Item], int]],
        later: deque[tuple[float, list[Item], int]],
        job: Job,
        watch: Watch,
        store: Target,
    ) -> None:
        if not waiting and crew.wants_to_fork(feed.look()):
            # The first one here, so that what it compiles is there for all.
            first = feed.next(1)
            ended: Future[Outcome] = Future()
            try:
                ended.set_result(process_batch(job, first, [store.ledger.content(first[0])], watch))
            except Exception as error:
                ended.set_exception(error)
            waiting[ended] = (first, 0)
            if crew.wants_to_fork(feed.look()):
                crew.fork(job)
        while len(waiting) < 2 * crew.workers:
            tries = 0
            if later and later[0][0] <= time.monotonic():
                _, items, tries = later.popleft()
            else:
                items = feed.next()
            if not items:
                return
            known = [store.ledger.content(item) for item in items] if job.by_content else ()
            waiting[crew.submit(job, items, known, watch)] = (items, tries)

    def _stop(self, watch: Watch, waiting: dict[Future[Outcome], tuple[list[Item], int]]) -> None:
        """Ask workers to come to an end."""
        watch.stop.set()
        self._place.stop()
        for future in list(waiting):
            if future.cancel():
                del waiting[future]

    def _take(
        self,
        future: Future[Outcome],
        items: list[Item],
        tries: int,
        store: Target,
        feed: Feed,
        later: deque[tuple[float, list[Item], int]],
    ) -> BaseException | None:
        """Put what a worker has done into the store; gives the error that ends the run, if there is one."""
        try:
            outcome = future.result()
            store.publish(outcome.folder, outcome.drafts)
        except BrokenExecutor as error:
            return StoreError(
                f"a worker process has died ({error}); what is done is kept, and the same command goes on with the rest"
            )
        except OSError as error:
            code = error.code if isinstance(error, StoreError) else error.errno
            if code in TRANSIENT and tries < len(_PAUSES):
                later.append((time.monotonic() + _PAUSES[tries], items, tries + 1))
                return None
            if isinstance(error, StoreError):
                return StoreError(f"{self._place.name}: {error}; what is done is kept", code)
            return unwritable(self._place, error)
        self._count(outcome)
        feed.again(outcome.rest)
        if outcome.failures:
            self._failed += len(outcome.failures)
            self._set_aside.update(item.key for item, _ in outcome.failures)
            strict = self._settings["strict"]
            store.record(
                {"failed": [failure_record(failure, item, self._root, strict) for item, failure in outcome.failures]}
            )
            most = self._settings["max_failures"]
            if most is not None and self._failed > most:
                last = outcome.failures[-1][1].message
                return StoreError(
                    f"more than {most} recordings have failed (one of them: {last}); what is done is kept in "
                    f"{self._place.name}, and the same command goes on with the rest"
                )
        return None

    def _count(self, outcome: Outcome) -> None:
        self._unchanged += len(outcome.unchanged)
        seconds = 0.0
        files = self._new
        for draft in outcome.drafts:
            for record in draft.items:
                seconds += record["seconds"]
                self._new += 1
                self._frames += record["frames"]
                self._warnings += record.get("notes", [])
                if "resampled_from" in record:
                    self._resampled[record["resampled_from"]] += 1
        self._seconds += seconds
        if not outcome.told:
            size = sum(record["size"] for draft in outcome.drafts for record in draft.items)
            size += sum(item.size for item, _ in outcome.failures)
            ended = self._new - files + len(outcome.failures) + len(outcome.unchanged)
            self._state.advance(files=ended, bytes=size, seconds=seconds)

    def _tell(self, feed: Feed) -> None:
        state = self._state
        state.files, state.bytes, state.planned = feed.taken, feed.bytes, feed.exhausted
        state.unchanged = self._unchanged
        if self._progress is not None:
            self._progress(state)

    def _end(self, store: Target, feed: Feed, interrupts: Interrupts, trouble: BaseException | None) -> FolderReport:
        ledger = store.ledger
        self._tell(feed)
        if trouble is None and not interrupts.asked:
            if self._unsearched:
                entries = [failure_record(failure, None, self._root, False) for failure in self._unsearched]
                store.record({"failed": entries})
                self._set_aside.update(failure.key for failure in self._unsearched)
            removed = self._remove(store)
            if ledger.done == 0 and store.replaces and ledger.failures:
                failure = next(iter(ledger.failures.values()))
                store.abandon()
                raise StoreError(
                    f"none of the {feed.found} recordings could be used ({failure.message}); "
                    f"{self._place.name} stays as it is"
                )
            store.finish()
            return self._report(feed, ledger, removed, [])
        with contextlib.suppress(OSError):  # a full disk has been told of
            store.list_failures()
        if trouble is not None:
            raise trouble
        raise Stopped(self._so_far(ledger), interrupts.asked)

    def _so_far(self, ledger: Ledger) -> str:
        return f"{ledger.done:,} recordings are in {self._place.name}; the same command goes on with the rest"

    def _remove(self, store: Target) -> int:
        """Forget failures of what is not among the inputs any more, and remove its rows if that is wanted.

        What is below folders that could not be searched is not touched.
        """
        ledger = store.ledger
        gone = {key for key in ledger.failures if key not in self._set_aside}
        rows: set[str] = set()
        if self._seen is not None:
            blocked = tuple("" if failure.key == "." else failure.key + "/" for failure in self._unsearched)
            rows = {key for key in store.stored_keys() if key not in self._seen and not key.startswith(blocked)}
        if gone | rows:
            store.record({"gone": sorted(gone | rows)})
        return len(rows)

    def _report(self, feed: Feed, ledger: Ledger, removed: int, todo: list[str]) -> FolderReport:
        done = self._unchanged + self._new
        failures = [failure for key, failure in ledger.failures.items() if key in self._set_aside]
        if todo:
            failures += self._unsearched
        return FolderReport(
            target=self._place.name,
            recipe=self._recipe.name,
            recipe_hash=self._recipe.hash,
            files=feed.found,
            done=done,
            unchanged=self._unchanged,
            kept=max(0, ledger.done - done),
            removed=removed,
            frames=self._frames,
            audio_seconds=self._seconds,
            seconds=time.perf_counter() - self._started,
            failures=sorted(failures, key=lambda failure: failure.key),
            warnings=self._warnings,
            resampled=dict(sorted(self._resampled.items())),
            todo=todo,
        )


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
