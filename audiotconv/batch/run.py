"""A folder of recordings becomes a feature store."""

from __future__ import annotations

import contextlib
import math
import os
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..audio import AudioReader, Intake, shown
from ..errors import AudioError, AudioFileError, AudiotconvError, ParameterError, StoreError
from ..extraction import CHANNELS, feature_blocks
from ..kernels.compile import available_threads
from ..recipes import Recipe, get_recipe
from ..stages import Chain
from ..stages.checks import integer_at_least
from .folder import RunFolder
from .manifest import FORMATS
from .plan import Failure, Item, plan, text
from .sinks import Kept, NpySink, ParquetSink, Recording, Sink

# What a run takes at most, measured: the process with its libraries, and for each recording at a time its blocks on
# their way from the decoder to the store.
_BASE, _EACH = 190e6, 35e6
_COPIES = 3  # of what a whole-signal stage sees: in parts, joined, and its result

__all__ = ["Failure", "FolderReport", "Progress", "extract_folder"]


@dataclass
class Progress:
    """How far a run is, for a progress bar.

    `bytes_done` are those of finished files and of the finished parts of long ones.
    """

    files: int = 0
    files_done: int = 0
    bytes: int = 0
    bytes_done: float = 0.0
    audio_seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def advance(self, *, files: int = 0, bytes: float = 0.0, seconds: float = 0.0) -> None:
        """Count what a worker has done."""
        with self._lock:
            self.files_done += files
            self.bytes_done += bytes
            self.audio_seconds += seconds


@dataclass(frozen=True)
class FolderReport:
    """What a run has done.

    Attributes
    ----------
    target : str
    recipe, recipe_hash : str
    files, done : int
        Recordings found, and recordings in the store.
    failures : list of Failure
        Recordings that are not in the store, and folders that could not be searched.
    warnings : list of str
        Recordings that are in the store although something was odd.
    frames : int
    audio_seconds, seconds : float
        Length of what was processed, summed over files, and the time that the run took.
    resampled : dict
        How many of the recordings in the store were resampled to the recipe's sample rate, by their own (Hz).
    """

    target: str
    recipe: str
    recipe_hash: str
    files: int
    done: int
    frames: int
    audio_seconds: float
    seconds: float
    failures: list[Failure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    resampled: dict[int, int] = field(default_factory=dict)

    @property
    def speed(self) -> float:
        """Seconds of audio per second of time."""
        return self.audio_seconds / self.seconds if self.seconds else 0.0

    def to_dict(self) -> dict[str, Any]:
        """The report as plain lists, texts and numbers."""
        return {**asdict(self), "failed": len(self.failures), "real_time_factor": round(self.speed, 1)}


@dataclass(slots=True)
class _Outcome:
    kept: Kept | None = None
    failure: Failure | None = None
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    resampled_from: int | None = None


@dataclass(frozen=True, slots=True)
class _Settings:
    recipe: Recipe
    label: bool
    channels: str
    strict: bool
    threads: int
    memory: float  # bytes that one recording may take


def extract_folder(
    source: str | bytes | os.PathLike[str] | Sequence[str | bytes | os.PathLike[str]],
    target: str | bytes | os.PathLike[str],
    recipe: str | os.PathLike[str] | Recipe = "gammatone-64",
    *,
    workers: int | None = None,
    format: str = "parquet",
    label: str | None = None,
    channels: str = "keep",
    strict: bool = False,
    max_memory: float | str | None = None,
    progress: Callable[[Progress], Any] | None = None,
) -> FolderReport:
    """Extract the features of every recording in folders and files into a feature store.

    Parameters
    ----------
    source : path or sequence of paths
        Files, and folders that are searched with their subfolders, each real folder once.
    target : path
        The store's folder: new, empty, or a store, which is replaced as a whole when the run has finished. The
        run's files are in a subfolder, `run-1` or a higher number, that `audiotconv.json` names.
    recipe : str, path or Recipe
        As in `extract`.
    workers : int, optional
        How many recordings are processed at a time, each on a thread; by default one per core. With fewer recordings
        than workers, each is processed on several threads.
    format : "parquet" or "npy"
        Parquet shards with one row per recording (a long one continues in further rows), or one .npy file each, in
        the inputs' tree, with an index.
    label : "parent" or None
        Whether to note the name of each file's folder as its label.
    channels : "keep" or "mono"
    strict : bool
        Set recordings aside that hold less than their header says.
    max_memory : int or str, optional
        Bytes, or a text such as "2 GB", that the run's process is to stay within. Long recordings never take more than
        short ones, unless a stage of the recipe needs them whole: those that would need too much are set aside, and
        fewer recordings are processed at a time where the limit asks for it.
    progress : callable, optional
        Called now and then, from this thread, with a `Progress`.

    Returns
    -------
    FolderReport
        Recordings that failed are listed in it with their reasons; all others are in the store.

    Raises
    ------
    AudioFileError, AudioError
        If an input does not exist or cannot be read, or there is no recording at all.
    StoreError
        If the target cannot be written, or another run is writing into it; an earlier store is still there.
    RecipeError, ParameterError
        If the recipe or a parameter is wrong.

    Examples
    --------
    >>> import tempfile, numpy, soundfile
    >>> folder = tempfile.mkdtemp()
    >>> soundfile.write(folder + "/a.wav", numpy.zeros(8000), 8000)
    >>> report = extract_folder(folder, folder + "/features", "gabor-40")
    >>> report.done, report.frames, report.failures
    (1, 100, [])
    """
    started = time.perf_counter()
    recipe = get_recipe(recipe)
    for name, value, allowed in (("format", format, FORMATS), ("channels", channels, CHANNELS)):
        if value not in allowed:
            raise ParameterError(f"{name} is {value!r}; it must be one of {', '.join(allowed)}")
    if label not in (None, "parent"):
        raise ParameterError(f'label is {label!r}; it must be "parent" or None')
    workers = available_threads() if workers is None else integer_at_least("workers", workers, 1)
    limit = _bytes(max_memory)
    workers = max(1, min(workers, int((limit - _BASE) / _EACH))) if limit < math.inf else workers
    inputs = [source] if isinstance(source, str | bytes | os.PathLike) else list(source)
    items, failures = plan(inputs)
    if not items and failures:
        raise AudioFileError(failures[0].message, failures[0].reason)
    if not items:
        raise AudioFileError(f"no sound file was found in {', '.join(shown(entry) for entry in inputs)}", "missing")
    folder = RunFolder(Path(os.fsdecode(target)))
    state = Progress(files=len(items), bytes=sum(item.size for item in items))
    at_once = min(workers, len(items))
    each = (limit - _BASE) / at_once - _EACH
    settings = _Settings(recipe, label == "parent", channels, strict, max(1, workers // len(items)), each)
    warnings: list[str] = []
    resampled: Counter[int] = Counter()
    done = frames = 0
    seconds = 0.0
    try:
        sink: Sink = ParquetSink(folder) if format == "parquet" else NpySink(folder, items)
        with (
            ThreadPoolExecutor(min(workers, len(items)), "audiotconv") as pool,
            contextlib.closing(_in_order(pool, workers, items, settings, sink, state, progress)) as outcomes,
        ):
            for outcome in outcomes:
                warnings += outcome.notes
                if outcome.failure is not None:
                    failures.append(outcome.failure)
                if outcome.kept is not None:
                    sink.take(outcome.kept)
                    done += 1
                    frames += sum(part.shape[2] for part in outcome.kept.parts)
                    seconds += outcome.seconds
                    if outcome.resampled_from is not None:
                        resampled[outcome.resampled_from] += 1
        sink.close()
        if done == 0 and folder.replaces:
            raise StoreError(
                f"none of the {len(items)} recordings could be used ({failures[0].message}); "
                f"{shown(target)} stays as it is"
            )
        summary = {"files_found": len(items), "done": done, "failures": [asdict(failure) for failure in failures]}
        by_rate = dict(sorted(resampled.items()))
        folder.commit(recipe, format, {**summary, "warnings": warnings, "resampled": by_rate})
    except OSError as error:
        folder.discard()
        if isinstance(error, AudiotconvError):
            raise
        raise StoreError(f"{shown(target)} cannot be written: {error.strerror or error}") from error
    except BaseException:
        folder.discard()
        raise
    return FolderReport(
        target=shown(target),
        recipe=recipe.name,
        recipe_hash=recipe.hash,
        files=len(items),
        done=done,
        frames=frames,
        audio_seconds=seconds,
        seconds=time.perf_counter() - started,
        failures=failures,
        warnings=warnings,
        resampled=by_rate,
    )


def _in_order(
    pool: Executor,
    workers: int,
    items: Sequence[Item],
    settings: _Settings,
    sink: Sink,
    state: Progress,
    progress: Callable[[Progress], Any] | None,
) -> Generator[_Outcome]:
    """Outcomes in the plan's order, a few recordings ahead of the one that is waited for."""
    waiting: deque[Future[_Outcome]] = deque()
    rest = iter(items)
    stop: list[bool] = []
    try:
        while True:
            while len(waiting) < 8 * workers + 16 and (item := next(rest, None)) is not None:
                waiting.append(pool.submit(_process, item, settings, sink, state, stop))
            if not waiting:
                return
            while not waiting[0].done():
                if progress is not None:
                    progress(state)
                _wait(waiting[0])
            outcome = waiting.popleft().result()
            if progress is not None:
                progress(state)
            yield outcome
    finally:
        stop.append(True)
        for future in waiting:
            future.cancel()


def _wait(future: Future[_Outcome]) -> None:
    try:
        future.exception(timeout=0.1)
    except TimeoutError:
        pass


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


def _check_memory(reader: AudioReader, chain: Chain, intake: Intake, settings: _Settings) -> None:
    """Set a recording aside whose whole-signal stages would hold more than there is for it."""
    if reader.frames is None or settings.memory == math.inf:
        return
    values = chain.held(intake.length(reader.frames)) * intake.channels(reader.channels)
    need = _COPIES * 4 * values
    if need > settings.memory:
        stages = settings.recipe.whole_stages(reader.sample_rate)
        raise AudioError(
            f"{reader.name} would take {need / 1e6:,.0f} MB, as stage {stages[0]} of recipe {settings.recipe.name} "
            f"needs it whole, and there are {settings.memory / 1e6:,.0f} MB for it; raise max_memory, or process fewer "
            "recordings at a time",
            "too large",
        )


class _Stopped(Exception):  # noqa: N818
    """The run has ended: a worker gives up its recording."""


def _process(item: Item, settings: _Settings, sink: Sink, state: Progress, stop: list[bool]) -> _Outcome:
    """One recording, in a worker thread."""
    outcome = _Outcome()
    credited = 0.0
    try:
        with AudioReader(item.path, strict=settings.strict) as reader:
            chain = settings.recipe.build(reader.sample_rate)
            intake = settings.recipe.intake(reader.sample_rate, mono=settings.channels == "mono")
            _check_memory(reader, chain, intake, settings)
            recording = Recording(
                item=item,
                label=text(item.label) if settings.label else None,
                sample_rate=reader.sample_rate,
                recipe_rate=intake.sample_rate,
                rows=(intake.channels(reader.channels), len(chain.features)),
                hop=chain.geometry.hop,
                expected=None if reader.frames is None else chain.geometry.count(intake.length(reader.frames)),
                samples=intake.samples,
                recipe=settings.recipe.name,
                recipe_hash=settings.recipe.hash,
            )

            def read() -> Iterator[NDArray[Any]]:
                nonlocal credited
                for block in reader.blocks():
                    if stop:
                        raise _Stopped
                    yield block
                    credit = item.size * min(1.0, reader.position / reader.frames) if reader.frames else 0.0
                    state.advance(bytes=credit - credited, seconds=block.shape[1] / reader.sample_rate)
                    credited = credit

            blocks = feature_blocks(chain, read(), threads=settings.threads, intake=intake)
            outcome.kept = sink.keep(recording, blocks, lambda: reader.position)
            outcome.seconds = reader.position / reader.sample_rate
            outcome.notes = reader.notes
            outcome.resampled_from = reader.sample_rate if intake.resamples else None
    except StoreError:
        raise
    except _Stopped:
        pass
    except AudiotconvError as error:
        outcome.failure = _failure(item, getattr(error, "reason", "unsupported"), str(error))
    except MemoryError:
        outcome.failure = _failure(item, "too large", f"{shown(item.path)} needs more memory than there is")
    except Exception as error:  # one recording's trouble must not end the run
        outcome.failure = _failure(item, "internal error", f"{shown(item.path)}: {type(error).__name__}: {error}")
    state.advance(files=1, bytes=item.size - credited)
    return outcome


def _failure(item: Item, reason: str, message: str) -> Failure:
    return Failure(item.key, text(item.path), reason, message)
