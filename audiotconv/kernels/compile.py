"""How kernels are compiled: lazily, twice from one source, cached under a key that includes their own content.

``@kernel`` makes a `Kernel` from a plain function. ``kernel.serial`` and ``kernel.parallel`` are Numba dispatchers
made on first use (nothing is compiled on import); both release the GIL, and both can be called from a user's own
``@njit`` function. Calling the kernel itself picks one of them.

Numba's own disk cache knows the file that a function stands in, but neither the helpers in other files nor the
compiler's flags, gives two processes the same file names, and fails where nothing is writable. The one here names
each entry by a digest of everything that shapes the code: the sources of this room, the versions of Numba, llvmlite
and Python, the processor, Numba's settings, the kernel, its form and its signature. An entry is written under a
temporary name and renamed; one that cannot be written or read is compiled again without a word.

A process that was forked from one whose kernel threads had started has none of them: OpenMP's library ends it, or
waits for them forever. There every kernel runs in its serial form, with the same bits.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import os
import pickle
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core import caching, compiler, config, serialize
from numba.misc import appdirs
from numba.np.ufunc import parallel

__all__ = [
    "KERNELS",
    "Kernel",
    "available_threads",
    "cache_directory",
    "cache_writable",
    "kernel",
    "on_compile",
    "threading_layer",
]

KERNELS: list[Kernel] = []

# Numba's workqueue threading layer aborts the process when two threads start parallel regions at once. Two parallel
# kernels at a time would only compete for the same cores, so one lock serves every layer.
_parallel_lock = threading.Lock()

_threads_lost = False  # in a forked process: the parent's kernel threads had started, and are not here

# What changes the code that Numba generates, beside the processor, which its own key holds.
_SETTINGS = (
    "BOUNDSCHECK", "DEBUGINFO_DEFAULT", "DISABLE_INTEL_SVML", "EXTEND_VARIABLE_LIFETIMES", "LLVM_REFPRUNE_FLAGS",
    "LLVM_REFPRUNE_PASS", "LOOP_VECTORIZE", "OPT", "SLP_VECTORIZE",
)  # fmt: skip

_listeners: list[Callable[[str], None]] = []


def _after_fork() -> None:
    global _parallel_lock, _threads_lost
    _parallel_lock = threading.Lock()  # a thread of the parent may have held the old one
    _threads_lost = _threads_lost or bool(getattr(parallel, "_is_initialized", True))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextlib.contextmanager
def on_compile(listener: Callable[[str], None]) -> Iterator[None]:
    """Call `listener` with the kernel's name whenever a kernel is about to be compiled, within the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def available_threads() -> int:
    """How many threads a parallel kernel can use: NUMBA_NUM_THREADS, by default the cores open to this process."""
    return 1 if _threads_lost else int(config.NUMBA_NUM_THREADS)


@functools.cache
def _content() -> str:
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    for version in (numba.__version__, llvmlite.__version__, sys.version):
        digest.update(version.encode() + b"\0")
    return digest.hexdigest()[:20]


def cache_directory() -> Path | None:
    """Where compiled kernels are kept: below NUMBA_CACHE_DIR, by default in the user's cache directory.

    None for a user who has no home: kernels are kept nowhere then, and never in whatever the current directory is.
    """
    root = Path(config.CACHE_DIR or appdirs.AppDirs(appname="audiotconv", appauthor=False).user_cache_dir)
    return root / f"kernels-{_content()}" if config.CACHE_DIR or root.is_absolute() else None


def cache_writable() -> bool:
    """Whether compiled kernels can be kept for the next process."""
    directory = cache_directory()
    if directory is None:
        return False
    try:
        directory.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=directory).close()
    except OSError:
        return False
    return True


def threading_layer() -> str:
    """The threading layer that parallel kernels run on: omp, tbb or workqueue (starts its threads)."""
    if config.DISABLE_JIT:
        return "none (Numba's JIT is disabled)"
    if _threads_lost:
        return "none (forked from a process that had started its threads)"
    numba.set_num_threads(numba.get_num_threads())
    return str(numba.threading_layer())


class _DiskCache(caching.NullCache):  # type: ignore[misc]
    """One file for each kernel, flag and signature. Never raises: a cache that fails is only slow."""

    def __init__(self, function: Callable[..., Any], parallel: bool) -> None:
        self._name = function.__name__ + ("-parallel" if parallel else "")

    @property
    def cache_path(self) -> str:
        """Numba asks for it as a text."""
        return str(cache_directory())

    def _file(self, signature: Any, codegen: Any) -> Path:
        directory = cache_directory()
        if directory is None:
            raise FileNotFoundError("no directory to keep compiled kernels in")
        settings = [str(getattr(config, name, None)) for name in _SETTINGS]
        key = repr((self._name, str(signature), codegen.magic_tuple(), settings)).encode()
        return directory / f"{self._name}-{hashlib.sha256(key).hexdigest()[:24]}.pickle"

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        target_context.refresh()
        try:
            payload = pickle.loads(self._file(signature, target_context.codegen()).read_bytes())
            return compiler.CompileResult._rebuild(target_context, *payload)
        except Exception:  # missing, unreadable, cut short: compile it
            for listener in tuple(_listeners):
                listener(self._name)
            return None

    def save_overload(self, signature: Any, result: Any) -> None:
        if result.library.has_dynamic_globals or any(not lifted.can_cache for lifted in result.lifted):
            return  # its code holds addresses of this process
        with contextlib.suppress(OSError):
            target = self._file(signature, result.codegen)
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".", suffix=".tmp")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(serialize.dumps(result._reduce()))
                os.replace(temporary, target)
            except BaseException:
                os.unlink(temporary)
                raise


class Kernel:
    """A compiled operation on contiguous arrays and integers that writes into the arrays it is given.

    Parameters
    ----------
    function : callable
        The source. Loops over independent work are ``numba.prange``; they become ``range`` in the serial form.

    Notes
    -----
    Called with ``threads=1`` it runs the serial form, which releases the GIL: many files are processed by one serial
    kernel per Python thread. Called with more it runs the parallel form on that many of Numba's threads, or on as
    many as ``numba.set_num_threads`` allows. The results have the same bits.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        KERNELS.append(self)

    @functools.cached_property
    def serial(self) -> Any:
        """The single-threaded form: a Numba dispatcher (the plain function where Numba's JIT is disabled)."""
        return self._compiled(parallel=False)

    @functools.cached_property
    def parallel(self) -> Any:
        """The multi-threaded form. Call it through the kernel: Numba's workqueue layer allows one call at a time."""
        return self._compiled(parallel=True)

    def __reduce__(self) -> Any:
        return _kernel_of, (self.function.__module__, self.__name__)

    def _compiled(self, parallel: bool) -> Any:
        if config.DISABLE_JIT:
            return self.function
        dispatcher = numba.njit(self.function, nogil=True, parallel=parallel)
        dispatcher._cache = _DiskCache(self.function, parallel)
        return dispatcher

    def __call__(self, *args: Any, threads: int = 1) -> None:
        """Run on `threads` threads, or on as many as there are."""
        threads = min(threads, available_threads())
        before = numba.get_num_threads() if threads > 1 and not config.DISABLE_JIT else threads
        threads = min(threads, before)
        if threads <= 1:
            self.serial(*args)
            return
        with _parallel_lock:
            numba.set_num_threads(threads)
            try:
                self.parallel(*args)
            finally:
                numba.set_num_threads(before)


def _kernel_of(module: str, name: str) -> Any:
    """The kernel that a pickle names: compiled code stays where it is."""
    return getattr(importlib.import_module(module), name)


def kernel(function: Callable[..., Any]) -> Kernel:
    """Make a `Kernel` from the function: a decorator."""
    return Kernel(function)
