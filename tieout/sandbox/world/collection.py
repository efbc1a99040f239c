"""Lists of things a storefront serves: ids and change stamps held in memory, payload text written when asked for."""

from __future__ import annotations

import json
import threading
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from typing import Any

from tieout.sandbox.world.arithmetic import iso, parse_iso


class Collection:
    """One kind of resource. ``positions`` are stable numbers of its members; both sort orders are kept up to date.

    ``ids`` and ``modified`` (UTC milliseconds) run by position; ``render`` gives a position's original JSON text. ``members`` are
    the positions that are in the lists at all; all if it is not given.
    """

    def __init__(
        self,
        name: str,
        ids: list[str],
        modified: Iterable[int],
        render: Callable[[int], str],
        members: Iterable[int] | None = None,
    ) -> None:
        self.name = name
        self.lock = threading.RLock()
        self.ids = ids
        self.modified = array("q", modified)
        self._render = render
        self._texts: dict[int, str] = {}
        self.by_id = sorted(range(len(ids)) if members is None else members, key=ids.__getitem__)
        # by_id is already ordered by id and sorting is stable: ties in the stamp stay in order of id.
        self.by_modified = sorted(self.by_id, key=self.modified.__getitem__)

    def __len__(self) -> int:
        return len(self.by_id)

    def text(self, position: int) -> str:
        """The current JSON text of a member."""
        return self._texts.get(position) or self._render(position)

    def payload(self, position: int) -> dict[str, Any]:
        """The current payload of a member, for changing it."""
        found: dict[str, Any] = json.loads(self.text(position))
        return found

    def find(self, member_id: str) -> int | None:
        """The position of an id, or None when there is no such member (any more)."""
        at = bisect_left(self.by_id, member_id, key=self.ids.__getitem__)
        if at < len(self.by_id) and self.ids[self.by_id[at]] == member_id:
            return self.by_id[at]
        return None

    def span(self, by_time: bool, low: Any, high: Any) -> tuple[int, int]:
        """The slice of one sort order whose keys lie between ``low`` and ``high``, both inclusive, None for open."""
        order = self.by_modified if by_time else self.by_id
        key: Callable[[int], Any] = self.modified.__getitem__ if by_time else self.ids.__getitem__
        start = 0 if low is None else bisect_left(order, low, key=key)
        end = len(order) if high is None else bisect_right(order, high, key=key)
        return start, max(start, end)

    def _time_key(self, position: int) -> tuple[int, str]:
        return self.modified[position], self.ids[position]

    def change(self, position: int, payload: dict[str, Any]) -> dict[str, Any]:
        """Store a changed payload; its ``lastModifiedAt`` decides its place. Returns the payload."""
        return self.change_text(
            position, json.dumps(payload, ensure_ascii=False, separators=(",", ":")), payload
        )

    def change_text(self, position: int, text: str, payload: dict[str, Any]) -> dict[str, Any]:
        """As ``change``, with the text given."""
        with self.lock:
            self._drop(self.by_modified, position, self._time_key)
            self.modified[position] = parse_iso(payload["lastModifiedAt"])
            self._texts[position] = text
            self._put(self.by_modified, position, self._time_key)
        return payload

    def add(self, payload: dict[str, Any]) -> int:
        """Add a member; returns its position."""
        with self.lock:
            position = len(self.ids)
            self.ids.append(payload["id"])
            self.modified.append(parse_iso(payload["lastModifiedAt"]))
            self._texts[position] = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
            self._put(self.by_id, position, self.ids.__getitem__)
            self._put(self.by_modified, position, self._time_key)
            return position

    def remove(self, position: int) -> None:
        """Take a member out of the lists, as a deletion does."""
        with self.lock:
            self._drop(self.by_id, position, self.ids.__getitem__)
            self._drop(self.by_modified, position, self._time_key)

    @staticmethod
    def _put(order: list[int], position: int, key: Callable[[int], Any]) -> None:
        order.insert(bisect_left(order, key(position), key=key), position)

    @staticmethod
    def _drop(order: list[int], position: int, key: Callable[[int], Any]) -> None:
        at = bisect_left(order, key(position), key=key)
        if at < len(order) and order[at] == position:
            del order[at]


def touched(payload: dict[str, Any], now_ms: int) -> dict[str, Any]:
    """The payload one version on, changed now."""
    return {**payload, "version": payload["version"] + 1, "lastModifiedAt": iso(now_ms)}
