"""An undo journal and record tables: how a failed function or a rolled-back operation leaves no trace."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any

_ABSENT = object()


class Journal:
    """Remembers the old value of everything that changes, until the change is committed or rolled back."""

    __slots__ = ("entries",)

    def __init__(self) -> None:
        self.entries: list[tuple[Any, Any, Any]] = []

    def set(self, record: Any, name: str, value: Any) -> None:
        """Change an attribute of a record."""
        self.entries.append((record, name, getattr(record, name)))
        setattr(record, name, value)

    def put(self, mapping: dict[Any, Any], key: Any, value: Any) -> None:
        """Set a key of a mapping."""
        self.entries.append((mapping, key, mapping.get(key, _ABSENT)))
        mapping[key] = value

    def drop(self, mapping: dict[Any, Any], key: Any) -> None:
        """Remove a key of a mapping; nothing happens when it is not there."""
        if key in mapping:
            self.entries.append((mapping, key, mapping.pop(key)))

    def append(self, rows: list[Any], value: Any) -> None:
        """Append to a list."""
        self.entries.append((rows, None, None))
        rows.append(value)

    def mark(self) -> int:
        """A point to roll back to."""
        return len(self.entries)

    def roll_back(self, mark: int = 0) -> None:
        """Undo everything since the mark, newest first."""
        while len(self.entries) > mark:
            target, key, old = self.entries.pop()
            if isinstance(target, dict):
                if old is _ABSENT:
                    target.pop(key, None)
                else:
                    target[key] = old
            elif isinstance(target, list):
                target.pop()
            else:
                setattr(target, key, old)

    def commit(self) -> None:
        """Forget the past."""
        self.entries.clear()


class Table:
    """Records of one object by RECORDNO. Numbers only grow, so a range of them is found by bisection."""

    __slots__ = ("_keys", "rows")

    def __init__(self) -> None:
        self.rows: dict[int, Any] = {}
        self._keys: list[int] = []

    def add(self, journal: Journal, record: Any) -> None:
        """Insert a record; its number must be larger than every number before it."""
        journal.put(self.rows, record.recordno, record)
        self._keys.append(record.recordno)

    def remove(self, journal: Journal, record: Any) -> None:
        """Take a record out."""
        journal.drop(self.rows, record.recordno)

    def get(self, recordno: int) -> Any | None:
        """The record, or None."""
        return self.rows.get(recordno)

    def between(self, low: int, high: int | None) -> Iterator[Any]:
        """Records with low <= RECORDNO <= high, in order of number."""
        first = bisect_left(self._keys, low)
        last = len(self._keys) if high is None else bisect_right(self._keys, high)
        rows = self.rows
        for key in self._keys[first:last]:
            record = rows.get(key)
            if record is not None:
                yield record

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Any]:
        return self.between(0, None)
