"""What batches run on: threads here, an executor of the caller's, or a Dask cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

from ..errors import ParameterError

__all__ = ["executor_for"]

_RETRIES = 3  # of a batch whose worker has died


@contextlib.contextmanager
def executor_for(
    executor: Executor | None, scheduler: str | None, workers: int
) -> Iterator[tuple[Executor, int, bool]]:
    """The executor, how many workers it has, and whether they are threads of this process.

    Raises
    ------
    ParameterError
        If the scheduler cannot be reached, or Dask is not installed.
    """
    if scheduler is not None:
        with _dask(scheduler, workers) as found:
            yield found
    elif executor is not None:
        if not callable(getattr(executor, "submit", None)):
            raise ParameterError(f"executor is {executor!r}; it must have submit, as those of concurrent.futures have")
        own = getattr(executor, "_max_workers", None)
        threads = isinstance(executor, ThreadPoolExecutor)
        yield executor, own if isinstance(own, int) and own > 0 else workers, threads
    else:
        pool = ThreadPoolExecutor(workers, "audiotconv")
        try:
            yield pool, workers, True
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


@contextlib.contextmanager
def _dask(scheduler: str, workers: int) -> Iterator[tuple[Executor, int, bool]]:
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
            client = stack.enter_context(distributed.Client(address, timeout=10))
        except (OSError, ValueError, TypeError) as error:
            raise ParameterError(f"the scheduler {scheduler!r} cannot be reached: {error}") from None
        threads = max(1, sum(client.nthreads().values()))
        # A batch may be done twice, by a worker that was taken for dead: drafts of which nobody hears are no harm.
        yield client.get_executor(retries=_RETRIES, pure=False), threads, False
