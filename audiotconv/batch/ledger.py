"""What a journal says: which recordings are done, which have failed, and which files hold what is done.

Its records, in order:

- {"run": description}: the first one, what the store is. With "overwrite", the run was to do everything again.
- {"overwritten": true}: it has.
- {"placing": [names], "gone": [keys]}: files that are about to get their names; rows whose files they replace.
- {"shard": name, "rows", "values", "bytes", "crc32", "items": [...]}: a shard is in its place, with the files of its
  rows. If it "replaces" others, they count no longer: it holds the same without outdated rows of the keys "without",
  whose files it "removes".
- {"tidied": true}: no shard that counts holds outdated rows any more.
- {"failed": [...]}: recordings that are set aside, with the "limit" in seconds for those that took too long. The row of
  one that was only "missing" or "unreadable" counts on.
- {"gone": [keys]}: rows that are no longer wanted, or are in damaged shards.
- {"cleared": [keys]}: failures that are no longer so.
- {"lost": [names]}: shards that are damaged, and the files of their rows.

An item is {"key", "path" (where it is not the key below the root), "size", "mtime", "hash", "start", "stop", "label",
"file", "frames", "seconds", "notes", "resampled_from"}, without what it has not. The last word on a key counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from ..errors import StoreError
from .manifest import description_trouble
from .plan import Failure, Item, text

__all__ = ["Ledger", "failure_record", "identity", "item_record"]

# Reasons that lie in the recording, and not in its surroundings: it is tried again when it has changed.
_LASTING: tuple[str, ...] = (
    "empty",
    "not audio",
    "unsupported",
    "non-finite",
    "too short",
    "truncated",
    "damaged",
)
_LASTING += ("not a regular file", "bad entry", "internal error", "unusable name")
_UNREAD = ("missing", "unreadable")  # reasons that say nothing of the recording itself
_DONE, _ODD, _FAILED, _STRICTLY = range(4)


def identity(item: Item, content: str | None) -> int:
    """A number for what a recording is: its path with its size and time, or with the hash of its content."""
    mark = f"{item.size} {item.mtime}" if content is None else content
    told = "\0".join((item.path, mark, repr(item.start), repr(item.stop), item.label or ""))
    digest = hashlib.blake2b(told.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) >> 2


def path_below(root: str, key: str) -> str:
    """The path that a key stands for, if the record has none."""
    return f"{root.rstrip('/')}/{key}"


def item_record(item: Item, root: str, content: str | None) -> dict[str, Any]:
    """What a record says of the item itself."""
    found: dict[str, Any] = {"key": item.key, "size": item.size, "mtime": item.mtime}
    if path_below(root, item.key) != item.path:
        found["path"] = item.path
    more = {"hash": content, "start": item.start, "stop": item.stop, "label": item.label}
    return found | {name: value for name, value in more.items() if value is not None}


class Ledger:
    """A journal's records, taken in one after the other.

    Parameters
    ----------
    name : str
        Of the journal, for messages.
    by_content : bool
        Whether recordings are known by their content's hash.

    Attributes
    ----------
    description : dict
    overwrites : bool
        Whether a run that was to do everything again has not come to its end.
    shards : dict of name: record without items
        Those that count.
    failures : dict of key: Failure
    stale : dict of key
        Keys of which rows are in shards that do not count.
    leftovers : dict of name
        Files that may be there and belong to nothing.
    done : int
        How many recordings have rows.
    """

    def __init__(self, name: str, *, by_content: bool = False) -> None:
        self._name = name
        self._by_content = by_content
        self.description: dict[str, Any] = {}
        self.overwrites = False
        self.shards: dict[str, dict[str, Any]] = {}
        self.failures: dict[str, Failure] = {}
        self.stale: dict[str, None] = {}
        self.leftovers: dict[str, None] = {}
        self.done = 0
        # By a digest of the key, as there may be millions: the identity, and how it ended, in one number.
        self._known: dict[bytes, int] = {}
        self._hashed: dict[bytes, str] = {}
        self._limits: dict[str, float] = {}  # of what has timed out

    def read(self, records: Iterable[dict[str, Any]]) -> Ledger:
        """Take in a journal.

        Raises
        ------
        StoreError
            If it is not a run's.
        """
        for record in records:
            try:
                self.take(record)
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                raise StoreError(f"{self._name} is damaged: a record is not as it must be ({error!r})") from None
        if not self.description:
            raise StoreError(f"{self._name} is damaged: it does not say what the store is")
        return self

    def take(self, record: dict[str, Any]) -> None:
        """Take in a record."""
        for key in record.get("gone", ()):
            self._outdate(key)
        if not self.description:
            trouble = description_trouble(record["run"])
            if trouble:
                raise ValueError(trouble)
            self.description = record["run"]
            self.overwrites = "overwrite" in record
        elif "overwritten" in record:
            self.overwrites = False
        elif "placing" in record:
            self.leftovers.update(dict.fromkeys(record["placing"]))
        elif "shard" in record:
            self._take_shard(record)
        elif "tidied" in record:
            self.stale.clear()
        elif "lost" in record:
            for name in record["lost"]:
                self.shards.pop(name, None)
                self.leftovers[name] = None
        elif "cleared" in record:
            for key in record["cleared"]:
                self.failures.pop(key, None)
                if not self.knows(key):
                    self._known.pop(_digest(key), None)
        elif "failed" in record:
            for entry in record["failed"]:
                self._fail(entry)

    def _fail(self, entry: dict[str, Any]) -> None:
        key = entry["key"]
        if not self._keeps_row(entry):
            self._outdate(key)
            self._known[_digest(key)] = self._ending(entry)
        self.failures[key] = self._failure(entry)
        self._limits.pop(key, None)
        if "limit" in entry:
            self._limits[key] = entry["limit"]

    def _keeps_row(self, entry: dict[str, Any]) -> bool:
        return entry["reason"] in _UNREAD and self.knows(entry["key"])

    def _failure(self, entry: dict[str, Any]) -> Failure:
        return Failure(entry["key"], text(self.path(entry)), entry["reason"], entry["message"])

    def has_failed(self, entry: dict[str, Any]) -> bool:
        """Whether a failure is known just as its record says."""
        key = entry["key"]
        if self.failures.get(key) != self._failure(entry) or self._limits.get(key) != entry.get("limit"):
            return False
        return self._keeps_row(entry) or self._known.get(_digest(key)) == self._ending(entry)

    def _take_shard(self, record: dict[str, Any]) -> None:
        name, items = record["shard"], record["items"]
        self.leftovers.pop(name, None)
        for old in record.get("replaces", ()):
            self.shards.pop(old, None)
        self.leftovers.update(dict.fromkeys([*record.get("replaces", ()), *record.get("removes", ())]))
        self.shards[name] = {key: value for key, value in record.items() if key not in ("items", "without")}
        for item in items:
            self.leftovers.pop(item.get("file", ""), None)
            self.failures.pop(item["key"], None)
            self._outdate(item["key"])
            self._known[_digest(item["key"])] = self._ending(item)
            if self._by_content and "hash" in item:
                self._hashed[_digest(item["key"])] = item["hash"]
            self.done += 1

    def path(self, record: dict[str, Any]) -> str:
        """The path of an item, as its record has it."""
        return record["path"] if "path" in record else path_below(self.description["root"], record["key"])

    def _ending(self, record: dict[str, Any]) -> int:
        """What a recording was, and how it ended, in one number."""
        if "reason" in record:
            how = _STRICTLY if record.get("strict") else _FAILED
        else:
            how = _ODD if record.get("notes") else _DONE
        item = Item(
            self.path(record), record["key"], record["size"], record["mtime"],
            record.get("start"), record.get("stop"), record.get("label"),
        )  # fmt: skip
        return identity(item, record.get("hash") if self._by_content else None) << 2 | how

    def _outdate(self, key: str) -> None:
        """Let the row of a key not count any more, if there is one."""
        if self.knows(key):
            del self._known[_digest(key)]
            self.stale[key] = None
            self.done -= 1

    def settled(self, item: Item, *, strict: bool, retry: bool, time_limit: float) -> bool:
        """Whether there is nothing left to do for a recording, as far as can be told without reading it."""
        found = self._known.get(_digest(item.key))
        if found is None or (self._by_content and found & 3 != _FAILED):
            return False
        how = found & 3
        if found >> 2 != identity(item, None):
            return False
        if how == _DONE:
            return True
        if how == _ODD:
            return not strict
        if retry or (how == _STRICTLY and not strict):
            return False
        reason = self.failures[item.key].reason
        return reason in _LASTING or (reason == "timed out" and time_limit <= self._limits.get(item.key, 0.0))

    def content(self, item: Item, *, strict: bool = False) -> str | None:
        """The hash of the content that a recording had when it was done; None where it must be done again."""
        digest = _digest(item.key)
        content, found = self._hashed.get(digest), self._known.get(digest)
        if content is None or found is None or found >> 2 != identity(item, content):
            return None
        return content if found & 3 == _DONE or (found & 3 == _ODD and not strict) else None

    def knows(self, key: str) -> bool:
        """Whether there is a row of the key."""
        found = self._known.get(_digest(key))
        return found is not None and found & 3 in (_DONE, _ODD)

    def judged(self, key: str) -> bool:
        """Whether there is a row of the key, or the recording has been read and can have none."""
        return self.knows(key) or (key in self.failures and self.failures[key].reason not in _UNREAD)


def _digest(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=12).digest()


def failure_record(
    failure: Failure, item: Item | None, root: str, *, strict: bool, time_limit: float
) -> dict[str, Any]:
    """What a record says of a recording that is set aside."""
    item = item or Item(failure.path, failure.key)
    found = {**item_record(item, root, None), "reason": failure.reason, "message": failure.message}
    if failure.reason == "timed out":
        return {**found, "limit": time_limit}
    return {**found, "strict": True} if strict and failure.reason in ("truncated", "too short") else found
