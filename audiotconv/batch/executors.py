"""What batches run on: threads here, processes forked from this one, an executor of the caller's, or a Dask cluster."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ..errors import ParameterError
from .plan import Item
from .work import Job, Outcome, Watch, process_batch

__all__ = ["Crew", "crew_for"]

_PATIENCE = 10.0  # seconds to reach a scheduler
_RETRIES = 3  # of a batch whose worker has died
_MANY = 64  # recordings that make processes pay
_PREPARED = "jemalloc_bg_thd"  # of pyarrow's allocator, which stops it for a fork and starts it anew


class Crew:
    """Takes batches, and processes as many at a time as there are workers.

    Parameters
    ----------
    executor : Executor
    workers : int
    here : bool
        Whether they are threads of this process, which can be told things while they work.
    forks : bool
        Whether short recordings may go to processes, as Python's threads take turns where there is much to do for
        each recording.

    Attributes
    ----------
    workers : int
    """

    def __init__(self, executor: Executor, workers: int, here: bool, forks: bool = False) -> None:
        self.workers = workers
        self._executor = executor
        self._here = here
        self._forks = forks and workers > 1
        self._processes: ProcessPoolExecutor | None = None
        self._children: set[Any] = set()

    def wants_to_fork(self, short: int) -> bool:
        """Whether it would be good to fork now, with so many short recordings in sight; and safe.

        A process with other threads cannot be forked safely, whoever's they are; the system says whether there are.
        """
        if not self._forks or self._processes is not None or short < _MANY:
            return False
        self._forks = _is_alone()
        return self._forks

    def fork(self, job: Job) -> None:
        """Make the processes. What this one has compiled they have too."""
        self._make("fork", job)

    @property
    def has_processes(self) -> bool:
        """Whether there are processes that are this crew's own, and not an executor's of the caller."""
        return self._processes is not None

    def renew(self, job: Job) -> None:
        """Make new processes, as one has died."""
        assert self._processes is not None
        self._kill()
        self._processes.shutdown(wait=True, cancel_futures=True)
        self._make("fork" if _is_alone() else "spawn", job)

    def _make(self, how: str, job: Job) -> None:
        before = set(multiprocessing.active_children())
        self._processes = ProcessPoolExecutor(self.workers, multiprocessing.get_context(how), _begin, (os.getpid(),))
        # Those that are forked are forked now, all of them, before the pool starts a thread.
        self._processes.submit(process_batch, job, ()).result()
        self._children = set(multiprocessing.active_children()) - before

    def submit(
        self, job: Job, items: Sequence[Item], known: Sequence[str | None], watch: Watch, apart: bool = False
    ) -> Future[Outcome]:
        """Have a batch processed.

        Long recordings, each a batch, stay here, where they can use several threads; unless they are to be `apart`.
        """
        if self._processes is None or (len(items) == 1 and not apart):
            return self._executor.submit(process_batch, job, items, known, watch if self._here else None)
        before = set(multiprocessing.active_children())
        try:
            future = self._processes.submit(process_batch, job, items, known)
        except BrokenExecutor as error:  # a process has died while it had nothing to do
            future = Future()
            future.set_exception(error)
        self._children |= set(multiprocessing.active_children()) - before  # those that are not forked come when needed
        watch.elsewhere(future)
        return future

    def close(self) -> None:
        """Wait for nobody: what was wanted of the processes has been taken."""
        if self._processes is not None:
            self._processes.shutdown(wait=False, cancel_futures=True)
            self._kill()

    def _kill(self) -> None:
        for process in self._children:
            process.kill()  # they do not hear anything milder, and one that waits for a dead one would not end


def _is_alone() -> bool:
    """Whether this process has one thread, and none but those that are made for being forked."""
    for _ in range(20):
        try:
            names = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
        except OSError:  # not known here, or one has just ended
            names = []
        if len(names) - names.count(_PREPARED) == 1:
            return True
        time.sleep(0.001)  # one that has ended is there a moment longer
    return False


def _begin(parent: int) -> None:
    """In a process that has just been forked."""
    # Ctrl-C and the request to end are for the owner, who asks this process to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """An owner that is killed takes its processes along."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


@contextlib.contextmanager
def crew_for(executor: Executor | None, scheduler: str | None, workers: int, processes: bool) -> Iterator[Crew]:
    """The crew for an executor, for a Dask scheduler, or of this machine.

    Raises
    ------
    ParameterError
        If the scheduler cannot be reached, or Dask is not installed.
    """
    if scheduler is not None:
        with _dask(scheduler, workers) as crew:
            yield crew
    elif executor is not None:
        if not callable(getattr(executor, "submit", None)):
            raise ParameterError(f"executor is {executor!r}; it must have submit, as those of concurrent.futures have")
        own = getattr(executor, "_max_workers", None)
        threads = isinstance(executor, ThreadPoolExecutor)
        yield Crew(executor, own if isinstance(own, int) and own > 0 else workers, threads)
    else:
        pool = ThreadPoolExecutor(workers, "audiotconv")
        crew = Crew(pool, workers, True, processes)
        try:
            yield crew
        finally:
            crew.close()
            pool.shutdown(wait=False, cancel_futures=True)


@contextlib.contextmanager
def _dask(scheduler: str, workers: int) -> Iterator[Crew]:
    try:
        import distributed as _distributed
    except ImportError:
        raise ParameterError("a scheduler needs dask: pip install 'audiotconv[dask]'") from None
    distributed: Any = _distributed  # untyped
    with contextlib.ExitStack() as stack:
        try:
            address: Any = scheduler
            if scheduler == "local":
                address = stack.enter_context(
                    distributed.LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
                )
            client = stack.enter_context(distributed.Client(address, timeout=_PATIENCE))
        except (OSError, ValueError, TypeError) as error:
            raise ParameterError(f"the scheduler {scheduler!r} cannot be reached: {error}") from None
        threads = max(1, sum(client.nthreads().values()))
        # A batch may be done twice, by a worker that was taken for dead: drafts of which nobody hears are no harm.
        yield Crew(client.get_executor(retries=_RETRIES, pure=False), threads, False)
