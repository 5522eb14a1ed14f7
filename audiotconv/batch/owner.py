"""A run, in the thread that owns the store: it feeds the workers, and puts what they have done into its place."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from typing import Any

from ..audio import shown
from ..errors import AudioFileError, StoreError
from ..recipes import Recipe
from .executors import Crew
from .feed import Feed
from .folders import check_target, find_ledger
from .interrupts import Interrupts, Stopped
from .ledger import Ledger, failure_record
from .patience import passes, patiently
from .place import Place
from .plan import Failure, Item, Plan, text
from .report import FolderReport, Progress
from .target import Target, unwritable
from .work import Job, Outcome, Watch, content_hash, process_batch

__all__ = ["Run"]

_PAUSES = (0.2, 1.0, 5.0)  # seconds before a batch that could not be written is tried again
_TICK = 0.1
_MOST_CRASHES = 50  # of a run: more are the machine's trouble, not the recordings'


class Run:
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
        self._suspects: deque[list[Item]] = deque()  # batches of which one may have made its process die
        self._apart: Future[Outcome] | None = None  # one of them, which runs while no other batch does
        self._died = False  # a process, and the others of its pool with it
        self._crashes = 0

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
        settings = {name: self._settings[name] for name in ("strict", "retry", "time_limit")}

        def wanted(item: Item) -> bool:
            if self._seen is not None:
                self._seen.add(item.key)
            if ledger.settled(item, **settings):
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
        found = find_ledger(self._place, description, overwrite=overwrite, by_content=by_content)
        ledger = Ledger("") if found is None else found[1]
        feed = self._feed(ledger, 1)
        todo: list[str] = []
        while not feed.ended:
            for item in feed.next():
                if by_content and self._is_known(item, ledger):
                    self._unchanged += 1
                else:
                    todo.append(item.key)
        gone = 0
        if self._seen is not None and not self._unsearched:  # of folders that cannot be searched nothing is removed
            gone = ledger.done - sum(map(ledger.knows, self._seen))
        return self._report(feed, ledger, gone, sorted(todo))

    def _is_known(self, item: Item, ledger: Ledger) -> bool:
        """Whether the store has a recording's content."""
        known = ledger.content(item, strict=self._settings["strict"])
        try:
            return known is not None and known == content_hash(item.path)
        except OSError:  # the run will tell
            return False

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
                    if not waiting and (stopped or (feed.ended and not later and not self._suspects)):
                        break
                    self._tell(feed)
                    store.beat()
                    ended = wait(waiting, _TICK, FIRST_COMPLETED).done if waiting else set()
                    if not waiting and later:
                        time.sleep(_TICK)
                    for future in [each for each in waiting if each in ended]:  # in the order of their submission
                        items, tries = waiting.pop(future)
                        trouble = self._take(future, items, tries, store, feed, later, crew)
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
        strict = self._settings["strict"]

        def submit(items: list[Item], tries: int, apart: bool = False) -> Future[Outcome]:
            known = [store.ledger.content(item, strict=strict) for item in items] if job.by_content else ()
            future = crew.submit(job, items, known, watch, apart)
            waiting[future] = (items, tries)
            return future

        if self._suspects:
            if not waiting:
                if self._died:
                    try:
                        crew.renew(job)
                    except BrokenExecutor as error:
                        raise _dead(error) from None
                    self._died = False
                self._apart = submit(self._suspects.popleft(), 0, apart=True)
            return
        if not waiting and crew.wants_to_fork(feed.look()):
            # The first one here, so that what it compiles is there for all.
            first = feed.next(1)
            ended: Future[Outcome] = Future()
            try:
                ended.set_result(process_batch(job, first, [store.ledger.content(first[0], strict=strict)], watch))
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
            submit(items, tries)

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
        crew: Crew,
    ) -> BaseException | None:
        """Put what a worker has done into the store; gives the error that ends the run, if there is one."""
        try:
            outcome = future.result()
            store.publish(outcome.folder, outcome.drafts)
        except BrokenExecutor as error:
            self._died = crew.has_processes
            if not self._died or self._crashes >= _MOST_CRASHES:
                return _dead(error)
            outcome = self._after_death(future, items)
        except OSError as error:
            if passes(error) and tries < len(_PAUSES):
                later.append((time.monotonic() + _PAUSES[tries], items, tries + 1))
                return None
            if isinstance(error, StoreError):
                return StoreError(f"{self._place.name}: {error}; what is done is kept", error.code)
            return unwritable(self._place, error)
        except Exception as error:  # of an executor: Dask's, of workers that died again and again
            trouble = StoreError(
                f"a batch of {len(items)} recordings from {shown(items[0].path)} on failed where it was processed "
                f"({type(error).__name__}: {error}); what is done is kept"
            )
            trouble.__cause__ = error
            return trouble
        self._count(outcome)
        feed.again(outcome.rest)
        if outcome.failures:
            self._failed += len(outcome.failures)
            self._set_aside.update(item.key for item, _ in outcome.failures)
            if self._seen is not None:
                self._seen -= {item.key for item, failure in outcome.failures if failure.reason == "missing"}
            self._record_failures(store, [(failure, item) for item, failure in outcome.failures])
            most = self._settings["max_failures"]
            if most is not None and self._failed > most:
                last = outcome.failures[-1][1].message
                return StoreError(
                    f"more than {most} recordings have failed (one of them: {last}); what is done is kept in "
                    f"{self._place.name}, and the same command goes on with the rest"
                )
        return None

    def _after_death(self, future: Future[Outcome], items: list[Item]) -> Outcome:
        """What becomes of a batch whose process has died, or another of the same pool.

        Batches that may be the reason are tried again one by one, in ever smaller parts, until it stands alone.
        """
        if future is not self._apart:
            self._suspects.append(items)
        elif len(items) > 1:
            self._suspects.extendleft((items[len(items) // 2 :], items[: len(items) // 2]))
        else:
            self._crashes += 1
            (item,) = items
            message = f"{shown(item.path)} was in hand when the process that worked on it died"
            return Outcome(failures=[(item, Failure(item.key, text(item.path), "crashed", message))])
        return Outcome()

    def _record_failures(self, store: Target, failures: Sequence[tuple[Failure, Item | None]]) -> None:
        settings = {name: self._settings[name] for name in ("strict", "time_limit")}
        entries = (failure_record(failure, item, self._root, **settings) for failure, item in failures)
        store.record_each("failed", (entry for entry in entries if not store.ledger.has_failed(entry)))

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
                self._record_failures(store, [(failure, None) for failure in self._unsearched])
                self._set_aside.update(failure.key for failure in self._unsearched)
            removed = self._remove(store)
            if ledger.done == 0 and store.replaces and ledger.failures:
                failure = next(iter(ledger.failures.values()))
                store.abandon()
                raise StoreError(
                    f"none of the {feed.found} recordings could be used ({failure.message}); "
                    f"{self._place.name} stays as it is"
                )
            patiently(lambda: store.finish(prune=self._settings["prune"]))
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
        store.record_each("cleared", [key for key in ledger.failures if key not in self._set_aside])
        rows: set[str] = set()
        if self._seen is not None:
            blocked = tuple("" if failure.key == "." else failure.key + "/" for failure in self._unsearched)
            rows = {key for key in store.stored_keys() if key not in self._seen and not key.startswith(blocked)}
            store.record_each("gone", sorted(rows))
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
            kept=max(0, ledger.done - done - sum(ledger.knows(failure.key) for failure in failures)),
            removed=removed,
            frames=self._frames,
            audio_seconds=self._seconds,
            seconds=time.perf_counter() - self._started,
            failures=sorted(failures, key=lambda failure: failure.key),
            warnings=self._warnings,
            resampled=dict(sorted(self._resampled.items())),
            todo=todo,
        )


def _dead(error: BrokenExecutor) -> StoreError:
    return StoreError(
        f"a worker process has died ({error}); what is done is kept, and the same command goes on with the rest"
    )
