"""Windows, records, pages, and the guard that makes a walk over pages end and prove that it moved.

A window is half-open: its start is in it, its end is not, so that neighbouring windows neither overlap nor
leave a gap.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from tieout.errors import Incomplete, InputError


@dataclass(frozen=True)
class Window:
    """A half-open span of change instants: `start` inclusive, `end` exclusive; None means unbounded on that
    side.
    """

    start: datetime | None = None
    end: datetime | None = None

    def __post_init__(self) -> None:
        for name, instant in (("start", self.start), ("end", self.end)):
            if instant is not None and instant.utcoffset() is None:
                raise InputError(
                    f"The {name} of the window, {instant.isoformat()}, has no time zone; write it with an "
                    f"offset, for example {instant.isoformat()}Z."
                )
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise InputError(
                f"The window from {self.start.isoformat()} to {self.end.isoformat()} is empty; "
                "its start must lie before its end."
            )

    def __contains__(self, instant: datetime) -> bool:
        return (self.start is None or instant >= self.start) and (self.end is None or instant < self.end)

    def widened(self, overlap: timedelta) -> Window:
        """The window that starts earlier by a stated lag, so that late commits behind a watermark are seen
        again.
        """
        return Window(None if self.start is None else self.start - overlap, self.end)


@dataclass(frozen=True, slots=True)
class Record:
    """One outside record as received.

    native_ref  the id the source gave it, or `sha256:…` of its bytes when no id could be read
    version     the source's own version number, if it has one
    updated_at  when the source last changed it (aware, UTC), if it says so
    payload     the JSON text of that record, as received except for what must not rest; always valid UTF-8
    problem     None, or one sentence that says why the record cannot be trusted; it is landed and held all
                the same
    """

    native_ref: str
    version: int | None
    updated_at: datetime | None
    payload: bytes
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of records in the order received; `bytes` is the size of the reply it came in, decompressed."""

    records: tuple[Record, ...]
    page_no: int
    bytes: int


def surrogate_ref(payload: bytes) -> str:
    """A stable reference for a record without a readable id: the same bytes give the same reference."""
    return f"sha256:{hashlib.sha256(payload).hexdigest()}"


def milliseconds_up(instant: datetime) -> datetime:
    """The first whole millisecond not before an instant: the exact bound for sources that keep milliseconds."""
    instant = instant.astimezone(UTC)
    spare = -instant.microsecond % 1000
    return instant + timedelta(microseconds=spare)


def stamp(instant: datetime) -> str:
    """An instant as `2026-09-01T00:00:00.000Z`, rounded up to the millisecond (see `milliseconds_up`)."""
    whole = milliseconds_up(instant)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{whole.microsecond // 1000:03d}Z"


@dataclass(frozen=True, slots=True)
class Key:
    """Where a keyset walk stands: the last record seen. `instant_text` is the source's own spelling."""

    ref: str
    instant: datetime | None = None
    instant_text: str | None = None


_PLAIN_ID = re.compile(r"\A[0-9a-z-]+\Z")


def in_order(keys: Sequence[Key]) -> bool:
    """Whether the records of one page stand in the order of their keys, as far as it can be told: a walk goes on from the last of them."""
    return all(_follows(before, after) for before, after in pairwise(keys))


def _follows(before: Key, after: Key) -> bool:
    if before.instant is not None and after.instant is not None and before.instant != after.instant:
        return after.instant > before.instant
    # Plain lower-case ids sort alike everywhere; for other alphabets the source's collation is its own affair.
    if _PLAIN_ID.match(before.ref) and _PLAIN_ID.match(after.ref):
        return after.ref >= before.ref
    return True


@dataclass
class Progress:
    """Guards one walk: each page must move the key forward, and the walk has a last page.

    A source that serves an old page again, for ever or in a circle, is stopped with Incomplete instead of
    looping. Memory is that of one page: going back is noticed because keys grow, standing still because the
    last page is remembered.
    """

    what: str
    max_pages: int = 1_000_000
    page_no: int = 0
    key: Key | None = None
    _last_refs: frozenset[str] = field(default=frozenset(), repr=False)

    def moves(self, refs: Sequence[str], key: Key | None, *, last: bool = False) -> bool:
        """Whether a page with these records and this last key takes the walk further."""
        if key is None:
            # Nothing on it says where to go on: harmless on a last page, the end of the road on any other.
            return last
        if self.key is None:
            return True
        before, after = self.key, key
        if before.instant is not None and after.instant is not None and after.instant != before.instant:
            # A record may well be seen again here: it changed after its page was served and moved ahead of the walk.
            return after.instant > before.instant
        if self._last_refs and self._last_refs.issuperset(refs):
            return False
        if after.ref == before.ref:
            return False
        return _follows(before, after)

    def advance(self, refs: Sequence[str], key: Key | None, *, last: bool = False) -> int:
        """Accept a page and return its number (from 1).

        Raises Incomplete if it does not move, or is one page too many.
        """
        if self.page_no >= self.max_pages:
            raise Incomplete(
                f"Reading {self.what} did not end after {self.max_pages} pages; narrow the window or raise "
                "the page limit.",
                page=self.page_no,
            )
        if not self.moves(refs, key, last=last):
            raise self.stuck()
        self.page_no += 1
        if key is not None:
            self.key = key
        self._last_refs = frozenset(refs)
        return self.page_no

    def unordered(self) -> Incomplete:
        """The error for a source that does not serve records in the order that was asked for."""
        return Incomplete(
            f"Reading {self.what} stopped after page {self.page_no}: the source serves records out of the order asked for, so what comes "
            "after a page cannot be told; nothing past this page was taken. Run the extract again later.",
            page=self.page_no,
        )

    def stuck(self) -> Incomplete:
        """The error for a source that keeps serving pages which lead nowhere."""
        return Incomplete(
            f"Reading {self.what} stopped after page {self.page_no}: the source keeps serving records already "
            "seen, so the rest cannot be proved; nothing past this page was taken. Run the extract again later.",
            page=self.page_no,
        )
