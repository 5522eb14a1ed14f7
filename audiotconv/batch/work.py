"""A batch of recordings becomes drafts of a store's files: what a worker does, on a thread here or anywhere else."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

from numpy.typing import NDArray

from ..audio import AudioReader, Intake, shown
from ..errors import AudioError, AudiotconvError, StoreError
from ..extraction import feature_blocks
from ..recipes import Recipe
from ..stages import Chain
from .ledger import item_record
from .names import NpyNames
from .patience import TRANSIENT
from .place import Drafts
from .plan import Failure, Item, text
from .remote import is_url, open_remote
from .sinks import Draft, NpySink, ParquetSink, Recording, Sink

__all__ = ["Job", "Outcome", "Watch", "content_hash", "process_batch"]

_PAUSES = (0.05, 0.4, 3.0)  # seconds before it is tried again
_COPIES = 3  # of what a whole-signal stage sees: in parts, joined, and its result
_LOOKED = 0.5  # seconds between two looks at whether to stop


@dataclass(frozen=True)
class Job:
    """What all batches of a run have in common; it can be pickled.

    Attributes
    ----------
    memory : float
        Bytes that one recording may take.
    time_limit : float
        Seconds that one may take, and one more for each MB of it.
    by_content : bool
        Whether recordings are known by the hash of their content.
    """

    recipe: Recipe
    recipe_hash: str
    format: str
    root: str
    drafts: Drafts
    names: NpyNames
    label: bool
    channels: str
    strict: bool
    memory: float
    time_limit: float
    by_content: bool
    owner: tuple[str, int] = field(default_factory=lambda: (socket.gethostname(), os.getpid()))

    def limit(self, item: Item) -> float:
        """How long a recording may take."""
        return self.time_limit + item.size / 1e6


def content_hash(path: str, between: Callable[[], None] = lambda: None) -> str:
    """What content a recording has; `between` is called again and again while it is read."""
    digest = hashlib.sha256()
    with open_remote(path) if is_url(path) else open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            between()
            digest.update(chunk)
    return digest.hexdigest()


class Watch:
    """What a run and the workers in its own process tell each other. A run elsewhere has none.

    Attributes
    ----------
    stop : threading.Event
        Workers end with the recording that they have in hand.
    leave : threading.Event
        Workers leave everything as it is.
    """

    def __init__(self, workers: int, advance: Callable[..., None]) -> None:
        self.stop = threading.Event()
        self.leave = threading.Event()
        self.advance = advance
        self._workers = workers
        self._busy = 0
        self._lock = threading.Lock()

    def elsewhere(self, batch: Future[Outcome]) -> None:
        """Count a batch that another process works on."""
        with self._lock:
            self._busy += 1
        batch.add_done_callback(self._ended)

    def _ended(self, _: Any) -> None:
        with self._lock:
            self._busy -= 1

    @contextlib.contextmanager
    def busy(self) -> Iterator[None]:
        """While a worker has a batch."""
        with self._lock:
            self._busy += 1
        try:
            yield
        finally:
            with self._lock:
                self._busy -= 1

    @property
    def threads(self) -> int:
        """How many threads a recording's kernels may have, so that none of the workers' is idle at the end."""
        return max(1, self._workers // max(1, self._busy))


@dataclass
class Outcome:
    """What has become of a batch.

    Attributes
    ----------
    folder : str
        Where the drafts are.
    rest : list of Item
        Recordings that were not begun, or have to be begun again.
    told : bool
        Whether its progress has been told on the way.
    """

    folder: str = ""
    drafts: list[Draft] = field(default_factory=list)
    failures: list[tuple[Item, Failure]] = field(default_factory=list)
    unchanged: list[Item] = field(default_factory=list)
    rest: list[Item] = field(default_factory=list)
    told: bool = False


class _Left(Exception):  # noqa: N818
    """Nobody waits for this batch any more."""


def process_batch(
    job: Job, items: Sequence[Item], known: Sequence[str | None] = (), watch: Watch | None = None
) -> Outcome:
    """Extract the features of some recordings into drafts.

    The work is done on a thread of its own, so that a recording which never comes to an end (a network that is gone, or
    a file like a maze) can be left to itself; its thread then goes on, or hangs, without harm.

    Parameters
    ----------
    known : sequence of str or None
        With `job.by_content`, the hash of each recording's content that has been processed before.

    Raises
    ------
    StoreError
        If drafts cannot be written.
    """
    if not items:
        return Outcome()
    if (socket.gethostname(), os.getpid()) != job.owner and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the owner, who asks this process to stop
    with watch.busy() if watch is not None else contextlib.nullcontext():
        work = _Work(job, items, known, watch)
        thread = threading.Thread(target=work.run, name="audiotconv-work", daemon=True)
        thread.start()
        while not work.ended.wait(min(0.2, job.time_limit / 5)):
            late = work.late()
            if late is not None or (watch is not None and watch.leave.is_set()):
                return work.left(late)
        thread.join()
    if work.error is not None:
        raise work.error
    return work.outcome


class _Work:
    """A batch, on its thread."""

    def __init__(self, job: Job, items: Sequence[Item], known: Sequence[str | None], watch: Watch | None) -> None:
        self.job = job
        self.items = items
        self.known = known or [None] * len(items)
        self.watch = watch
        self.ended = threading.Event()
        self.error: BaseException | None = None
        self.outcome = Outcome(told=watch is not None)
        self._left = False
        self._current: tuple[Item, float] | None = None
        self._lock = threading.Lock()
        self._looked = 0.0
        self._credited = 0.0

    # --- on the worker that waits ---

    def late(self) -> Item | None:
        """The recording in hand, if it has taken too long."""
        current = self._current
        if current is None or time.monotonic() - current[1] <= self.job.limit(current[0]):
            return None
        return current[0]

    def left(self, late: Item | None) -> Outcome:
        """Leave the thread to itself: what it has finished is begun again elsewhere."""
        with self._lock:
            self._left = True
            outcome = replace(self.outcome, failures=[*self.outcome.failures], unchanged=[*self.outcome.unchanged])
        if late is not None:
            outcome.failures.append((late, self._timed_out(late)))
        ended = {item.key for item, _ in outcome.failures} | {item.key for item in outcome.unchanged}
        outcome.rest = [item for item in self.items if item.key not in ended]
        return outcome

    def _timed_out(self, item: Item) -> Failure:
        message = f"{shown(item.path)} took longer than {self.job.limit(item):.0f} s, its time limit"
        return Failure(item.key, text(item.path), "timed out", message)

    # --- on the thread ---

    def run(self) -> None:
        """Process the batch, and say so."""
        try:
            self._run()
        except _Left:
            pass
        except OSError as error:
            self.error = error
            if not isinstance(error, AudiotconvError):
                self.error = StoreError(f"it cannot be written: {error.strerror or error}", error.errno)
        except BaseException as error:
            self.error = error
        self.ended.set()

    def _run(self) -> None:
        job = self.job
        folder = job.drafts.folder()
        sink: Sink = ParquetSink(folder) if job.format == "parquet" else NpySink(folder, job.names)
        try:
            for number, item in enumerate(self.items):
                if self._stopped():
                    self.outcome.rest = list(self.items[number:])
                    break
                self._current = (item, time.monotonic())
                self._recording(item, self.known[number], sink)
            self._current = None
            drafts = sink.close()
            names = [name for draft in drafts for name in (draft.name, *(f"files/{file}" for file in draft.files))]
            with self._lock:
                if self._left:
                    raise _Left
            if drafts:
                self.outcome.folder = job.drafts.deliver(folder, names)
                self.outcome.drafts = drafts
            else:
                job.drafts.discard(folder)
        except BaseException:
            sink.abandon()
            job.drafts.discard(folder)
            raise

    def _stopped(self) -> bool:
        if self._left:
            raise _Left
        if self.watch is not None:
            return self.watch.stop.is_set()
        if time.monotonic() - self._looked < _LOOKED:
            return False
        self._looked = time.monotonic()
        return self.job.drafts.stopped()

    def _recording(self, item: Item, known: str | None, sink: Sink) -> None:
        """One recording, which ends in one of the outcome's lists."""
        self._credited = 0.0
        for pause in (*_PAUSES, None):
            failure = None
            try:
                if self._extract(item, known, sink):
                    self.outcome.unchanged.append(item)
            except (StoreError, _Left):
                raise
            except AudiotconvError as error:
                if pause is not None and getattr(error, "code", None) in TRANSIENT:
                    time.sleep(pause)
                    continue
                failure = self._failure(item, getattr(error, "reason", "unsupported"), str(error))
            except MemoryError:
                failure = self._failure(item, "too large", f"{shown(item.path)} needs more memory than there is")
            except Exception as error:  # one recording's trouble must not end the run
                message = f"{shown(item.path)}: {type(error).__name__}: {error}"
                failure = self._failure(item, "internal error", message)
            break
        with self._lock:
            if failure is not None and not self._left:
                self.outcome.failures.append((item, failure))
        if self.watch is not None:
            self.watch.advance(files=1, bytes=item.size - self._credited)

    def _failure(self, item: Item, reason: str, message: str) -> Failure:
        return Failure(item.key, text(item.path), reason, message)

    def _extract(self, item: Item, known: str | None, sink: Sink) -> bool:
        """Write a recording's features; or not, where its content is known: then True."""
        job = self.job
        with contextlib.ExitStack() as stack:
            source: str | BinaryIO = item.path
            if is_url(item.path):
                source = stack.enter_context(open_remote(item.path))
            reader = stack.enter_context(AudioReader(source, strict=job.strict, name=item.path))
            item = replace(item, size=reader.size or item.size, mtime=reader.mtime or item.mtime)
            content = None
            if job.by_content:
                content = content_hash(item.path, lambda: self._check_time(item))
                if content == known:
                    return True
            chain = job.recipe.build(reader.sample_rate)
            intake = job.recipe.intake(reader.sample_rate, mono=job.channels == "mono")
            reader.select(item.start, item.stop)
            self._check_memory(reader, chain, intake)
            recording = Recording(
                item=item,
                label=self._label(item),
                sample_rate=reader.sample_rate,
                recipe_rate=intake.sample_rate,
                rows=(intake.channels(reader.channels), len(chain.features)),
                hop=chain.geometry.hop,
                expected=None if reader.length is None else chain.geometry.count(intake.length(reader.length)),
                samples=intake.samples,
                recipe=job.recipe.name,
                recipe_hash=job.recipe_hash,
            )

            def length() -> int:
                return reader.position - reader.first

            def record() -> dict[str, Any]:
                found = {**item_record(item, job.root, content), "seconds": length() / reader.sample_rate}
                if reader.notes:
                    found["notes"] = reader.notes
                if intake.resamples:
                    found["resampled_from"] = reader.sample_rate
                return found

            blocks = feature_blocks(chain, self._blocks(item, reader), threads=self._threads, intake=intake, ahead=True)
            sink.keep(recording, blocks, length, record)
        return False

    def _label(self, item: Item) -> str | None:
        if item.label is not None:
            return item.label
        return text(item.folder) if self.job.label else None

    def _threads(self) -> int:
        return 1 if self.watch is None else self.watch.threads

    def _blocks(self, item: Item, reader: AudioReader) -> Iterator[NDArray[Any]]:
        for block in reader.blocks():
            self._check_time(item)
            yield block
            length = reader.length
            if self.watch is not None:
                read = reader.position - reader.first
                credit = item.size * min(1.0, read / length) if length else 0.0
                self.watch.advance(bytes=credit - self._credited, seconds=block.shape[1] / reader.sample_rate)
                self._credited = credit

    def _check_time(self, item: Item) -> None:
        if self._left:
            raise _Left
        if self._current is not None and self.late() is not None:
            raise AudioError(self._timed_out(item).message, "timed out")

    def _check_memory(self, reader: AudioReader, chain: Chain, intake: Intake) -> None:
        """Set a recording aside whose whole-signal stages would hold more than there is for it."""
        job = self.job
        if reader.length is None or job.memory == math.inf:
            return
        values = chain.held(intake.length(reader.length)) * intake.channels(reader.channels)
        need = _COPIES * 4 * values
        if need > job.memory:
            stages = job.recipe.whole_stages(reader.sample_rate)
            raise AudioError(
                f"{reader.name} would take {need / 1e6:,.0f} MB, as stage {stages[0]} of recipe {job.recipe.name} "
                f"needs it whole, and there are {job.memory / 1e6:,.0f} MB for it; raise max_memory, or process fewer "
                "recordings at a time",
                "too large",
            )
