"""A plan in batches, each worth a worker's while, and so that all workers end at about the same time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import PurePath

from .plan import Failure, Item

__all__ = ["Feed"]

_AHEAD = 1 << 14  # items looked at before they are due
_WAIT = 0.2  # seconds that looking ahead may take at a time
_LEAST, _MOST = 1 << 19, 1 << 26  # what a batch may cost
_EACH = 1 << 15  # what a recording costs besides its bytes
_MOST_ITEMS = 2048
_PARTS = 4  # batches for each worker of what is in sight
# How much more there is in a byte of compressed files than in one of PCM.
_WEIGHTS = {".flac": 2, ".mp3": 8, ".ogg": 10, ".oga": 10, ".opus": 16, ".m4a": 8, ".wv": 2, ".ape": 2}


class Feed:
    """Takes items from a plan and gives batches of those that are wanted.

    Long recordings come first of what is in sight, alone; batches become smaller where the plan comes to its end.

    Parameters
    ----------
    plan : iterator of Item or Failure
    workers : int
    wanted : callable
        Whether an item is to be processed.
    failed : callable
        Called with each failure in the plan.

    Attributes
    ----------
    found : int
        Items so far.
    taken : int
        Of these, the wanted ones.
    bytes : int
        Of the wanted ones.
    exhausted : bool
        Whether the plan has come to its end.
    """

    def __init__(
        self,
        plan: Iterator[Item | Failure],
        workers: int,
        wanted: Callable[[Item], bool],
        failed: Callable[[Failure], None],
    ) -> None:
        self._plan = plan
        self._workers = workers
        self._wanted = wanted
        self._failed = failed
        self._short: deque[Item] = deque()
        self._long: deque[Item] = deque()
        self._again: deque[list[Item]] = deque()
        self._cost = 0
        self.found = self.taken = 0
        self.bytes = 0
        self.exhausted = False

    def look(self) -> int:
        """Look ahead; how many short recordings are in sight."""
        end = time.monotonic() + _WAIT
        looked = 0
        while not self.exhausted and len(self._short) + len(self._long) < _AHEAD:
            item = next(self._plan, None)
            if item is None:
                self.exhausted = True
            elif isinstance(item, Failure):
                self._failed(item)
            else:
                self.found += 1
                if self._wanted(item):
                    self.taken += 1
                    self.bytes += item.size
                    (self._long if _cost(item) >= _MOST // 4 else self._short).append(item)
                    self._cost += _cost(item)
            looked += 1
            if looked % 64 == 0 and time.monotonic() > end:
                break
        return len(self._short)

    def again(self, items: list[Item]) -> None:
        """Give these once more, as a batch."""
        if items:
            self._again.append(items)

    def next(self, most: int | None = None) -> list[Item]:
        """The next batch; an empty one where there is none now: at the end, or as nothing wanted is in sight."""
        if self._again:
            return self._again.popleft()
        self.look()
        if self._long and most is None:
            item = self._long.popleft()
            self._cost -= _cost(item)
            return [item]
        aim = min(max(self._cost // (_PARTS * self._workers), _LEAST), _MOST)
        batch: list[Item] = []
        cost = 0
        while self._short and cost < aim and len(batch) < (most or _MOST_ITEMS):
            item = self._short.popleft()
            batch.append(item)
            cost += _cost(item)
        self._cost -= cost
        return batch

    @property
    def ended(self) -> bool:
        """Whether no batch will come."""
        return self.exhausted and not (self._short or self._long or self._again)


def _cost(item: Item) -> int:
    return item.size * _WEIGHTS.get(PurePath(item.path).suffix.lower(), 1) + _EACH
