"""Lists in JSON replies, whatever the platform calls them: exact text kept, little read, and one bad record never loses the page.

The list is the reply itself or stands under a member of it. For storefronts that number their pages; those that page by key have
their own reading.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from tieout.connectors.paging import Record, surrogate_ref
from tieout.connectors.redaction import DEFAULT_PERSONAL, scrub
from tieout.errors import Incomplete, MalformedReply

MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
UNREADABLE: Final = (msgspec.MsgspecError, UnicodeError, ValueError, RecursionError)
_ELEMENTS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_MARKS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\],]|"', re.DOTALL)


@dataclass(frozen=True)
class Listing:
    """The elements of a list as their own text, and the members that stand beside it."""

    elements: tuple[bytes, ...]
    beside: Mapping[str, msgspec.Raw]

    def whole_number(self, *names: str) -> int | None:
        """The first of these members that is a whole number of zero or more."""
        for name in names:
            found = member(self.beside.get(name))
            if isinstance(found, str) and found.isdigit():
                found = int(found)
            if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < 2**53:
                return found
        return None


def member(raw: msgspec.Raw | None) -> Any:
    """A scalar member decoded; None when it is absent, unreadable, or a number with a point (which is no id and no count)."""
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw, type=int | str | bool | None)
    except UNREADABLE:
        return None


def named(raw: msgspec.Raw | None, *names: str) -> Any:
    """A member that is a scalar, or an object that holds it under one of these names."""
    found = member(raw)
    if found is not None or raw is None:
        return found
    try:
        members = MEMBERS.decode(raw)
    except UNREADABLE:
        return None
    return next((value for value in (member(members.get(name)) for name in names) if value is not None), None)


def listing(body: bytes, roots: Sequence[str] = (), *, salvage: bool = False) -> Listing:
    """The list of a reply: the reply itself if it is one, else the first of `roots` (dotted paths) that is there.

    With `salvage` a body no decoder reads is still cut into elements by its brackets and quotes, so that one record holding `NaN` or a
    stray byte is found out alone. Raises MalformedReply with a bare reason.
    """
    try:
        body.decode("utf-8")
        if body.lstrip()[:1] == b"[":
            return Listing(tuple(bytes(one) for one in _ELEMENTS.decode(body)), {})
        members = MEMBERS.decode(body)
    except UNREADABLE as error:
        if salvage and not isinstance(error, msgspec.ValidationError):
            cut = _cut(body, roots)
            if cut is not None:
                return Listing(tuple(cut), {})
        raise MalformedReply(why_unreadable(body, error)) from None
    for root in roots:
        found = at_path(members, root)
        if found is not None and bytes(found).lstrip()[:1] == b"[":
            return Listing(tuple(bytes(one) for one in _ELEMENTS.decode(found)), members)
        if found is not None and bytes(found).strip() == b"null":
            return Listing((), members)
    raise MalformedReply("the body has no list" + (f" under {' or '.join(roots)}" if roots else ""))


def at_path(members: Mapping[str, msgspec.Raw], path: str) -> msgspec.Raw | None:
    """The member at a dotted path; a name that holds points itself is found first."""
    if path in members:
        return members[path]
    head, _, rest = path.partition(".")
    found = members.get(head)
    if not rest or found is None:
        return None if rest else found
    try:
        return at_path(MEMBERS.decode(found), rest)
    except UNREADABLE:
        return None


def why_unreadable(body: bytes, error: Exception) -> str:
    """A reason, in words that fit after "could not be read"."""
    if not body:
        return "the body is empty"
    if body[:2] in (b"\xff\xfe", b"\xfe\xff") or body[:1] == b"\x00" or body[1:2] == b"\x00":
        return "the body is in UTF-16, not in UTF-8"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    if body.lstrip()[:1] == b"<":
        return "the body is a web page, not JSON"
    if isinstance(error, RecursionError):
        return "the body is nested too deep"
    return "the body is cut short" if "truncated" in str(error) else "the body is not JSON"


def _cut(body: bytes, roots: Sequence[str]) -> list[bytes] | None:
    """The elements of the list by brackets and quotes alone, or None when those do not close. A loop over marks in Python, because it
    only ever sees a page that no decoder would read."""
    start = 0
    text = body.rstrip()
    if text.lstrip()[:1] == b"[":
        start = text.index(b"[") + 1
    else:
        for root in roots:
            name = re.escape(root.rpartition(".")[2].encode())
            found = re.search(rb'"%s"\s*:\s*\[' % name, text)
            if found:
                start = found.end()
                break
    if not start:
        return None
    elements: list[bytes] = []
    open_marks: list[bytes] = []
    begin = start
    for match in _MARKS.finditer(text, start):
        mark = match[0]
        if mark in (b"{", b"["):
            open_marks.append(mark)
        elif mark in (b"}", b"]"):
            if not open_marks:
                if mark == b"}":
                    return None
                last = text[begin : match.start()].strip()
                elements += [last] if last or elements else []
                # After the list only what closes the objects around it may follow.
                return elements if text[match.end() :].strip()[-1:] in (b"", b"}") else None
            if open_marks.pop() != (b"{" if mark == b"}" else b"["):
                return None
        elif mark == b"," and not open_marks:
            elements.append(text[begin : match.start()].strip())
            begin = match.end()
        elif mark == b'"':
            return None
    return None


# ── records ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Keys:
    """Which members of a record say what it is and when it changed; each may be a dotted path, the first found counts."""

    ref: tuple[str, ...]
    changed: tuple[str, ...] = ()
    dropped: frozenset[str] = frozenset()
    keep_personal: frozenset[str] = DEFAULT_PERSONAL


@dataclass(frozen=True, slots=True)
class Seen:
    """One element: its reference and change instant as far as they can be read, and what is wrong with it."""

    raw: bytes
    ref: str | None
    changed: datetime | None
    problem: str | None = None
    members: Mapping[str, msgspec.Raw] = field(default_factory=dict)


def seen(raw: bytes, keys: Keys) -> Seen:
    """Read the few members that carrying an element needs."""
    try:
        raw.decode("utf-8")
        members = MEMBERS.decode(raw)
    except UNREADABLE:
        return Seen(raw, None, None, "The record is not a readable JSON object.")
    ref = next(
        (str(one) for one in (member(at_path(members, name)) for name in keys.ref) if _is_ref(one)), None
    )
    changed = next(
        (
            one
            for one in (instant(member(at_path(members, name))) for name in keys.changed)
            if one is not None
        ),
        None,
    )
    wrong = [] if ref else [keys.ref[0]]
    wrong += [keys.changed[0]] if keys.changed and changed is None else []
    said = f"Missing or unreadable: {', '.join(wrong)}." if wrong else None
    return Seen(raw, ref, changed, said, members)


def _is_ref(value: Any) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool) and value != ""


def instant(value: Any) -> datetime | None:
    """ISO 8601 with an offset, or Unix seconds, as a UTC instant; None for anything else."""
    try:
        if isinstance(value, str) and not value.isdigit():
            found = datetime.fromisoformat(value)
            return found.astimezone(UTC) if found.tzinfo is not None else None
        if isinstance(value, int | str) and not isinstance(value, bool) and 10**9 <= int(value) < 10**10:
            return datetime.fromtimestamp(int(value), UTC)
    except (ValueError, OverflowError):
        return None
    return None


def record(one: Seen, keys: Keys, *, shape: Callable[[Seen], bytes] | None = None) -> Record:
    """The element fit to land: without card data, without personal data nobody asked to keep, in UTF-8.

    `shape` may rewrite a readable one first. Of one that cannot be parsed only a note rests, because it cannot be cleaned member by
    member.
    """
    try:
        raw = one.raw if shape is None else shape(one)
        if keys.dropped and any(name in one.members for name in keys.dropped):
            kept = {name: value for name, value in MEMBERS.decode(raw).items() if name not in keys.dropped}
            raw = msgspec.json.encode(kept)
        raw.decode("utf-8")
        payload = scrub(raw, keep_personal=keys.keep_personal)
        MEMBERS.decode(payload) if one.problem else None
    except UNREADABLE:
        note = {"unreadable": {"sha256": surrogate_ref(one.raw)[7:], "bytes": len(one.raw)}}
        problem = one.problem or "The record is not a readable JSON object."
        return Record(
            one.ref or surrogate_ref(one.raw), None, one.changed, msgspec.json.encode(note), problem
        )
    return Record(one.ref or surrogate_ref(one.raw), None, one.changed, payload, one.problem)


# ── walking ─────────────────────────────────────────────────────────────────────────────────────────────────


def _version(one: Seen) -> tuple[str, datetime | None]:
    return (one.ref or surrogate_ref(one.raw), one.changed)


@dataclass
class Walk:
    """Guards a walk over numbered pages, and tells records already seen from fresh ones.

    Pages shift while a shop trades, so a record may come twice; a page that holds nothing but records seen before leads nowhere.
    Raises Incomplete for the second such page in a row, or for one page too many.
    """

    what: str
    max_pages: int = 200_000
    page_no: int = 0
    _known: set[tuple[str, datetime | None]] = field(default_factory=set, repr=False)
    _passed: set[tuple[str, datetime | None]] = field(default_factory=set, repr=False)
    _idle: int = 0

    def again(self) -> None:
        """Begin the walk anew: its first page may show what is known already, and only what is fresh is told."""
        self._passed, self._idle = set(), 0

    def is_old(self, found: Sequence[Seen]) -> bool:
        """Whether a page holds nothing but records of earlier pages of this pass.

        It may be an old answer served again, by a cache on the way for one, in place of records that come on no other page. So ask for
        it once more before walking on.
        """
        return bool(found) and self._passed.issuperset(_version(one) for one in found)

    def fresh(self, found: Sequence[Seen]) -> list[Seen]:
        """The records of a page that were not on an earlier one, in this version."""
        self.page_no += 1
        if self.page_no > self.max_pages:
            raise Incomplete(
                f"Reading {self.what} did not end after {self.max_pages} pages; narrow the window or raise the page limit.",
                page=self.page_no - 1,
            )
        keys = [_version(one) for one in found]
        self._idle = 0 if not found or not self._passed.issuperset(keys) else self._idle + 1
        self._passed.update(keys)
        if self._idle > 1:
            raise Incomplete(
                f"Reading {self.what} stopped after page {self.page_no}: the source keeps serving records already seen, so the rest "
                "cannot be proved; nothing past this page was taken. Run the extract again later.",
                page=self.page_no,
            )
        kept = []
        for key, one in zip(keys, found, strict=True):
            if key not in self._known:
                self._known.add(key)
                kept.append(one)
        return kept
