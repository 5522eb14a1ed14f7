"""Ctrl-C and the system's request to end: the first one asks, the second one insists."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

__all__ = ["Interrupts", "Stopped"]


class Stopped(KeyboardInterrupt):
    """A run was asked to end, and did. `signal` is the number of the signal that asked."""

    def __init__(self, message: str, number: int = signal.SIGINT) -> None:
        super().__init__(message)
        self.signal = number


class Interrupts:
    """While this is entered, the first SIGINT or SIGTERM sets `asked`, and the next raises KeyboardInterrupt.

    Only in the main thread, and only where nobody else has a handler for them.

    Attributes
    ----------
    asked : int
        The number of the signal that came; 0 before one comes.
    """

    def __init__(self) -> None:
        self.asked = 0
        self._before: dict[int, Any] = {}

    def _came(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = number

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
                if signal.getsignal(number) is usual:
                    self._before[number] = usual
                    signal.signal(number, self._came)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, usual in self._before.items():
            signal.signal(number, usual)
        self._before.clear()
