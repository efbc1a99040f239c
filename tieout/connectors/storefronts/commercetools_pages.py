"""From one page of commercetools to records: exact text kept, little read, and one bad record never loses the
page.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from tieout.connectors.paging import Key, Record, surrogate_ref
from tieout.connectors.redaction import scrub
from tieout.errors import MalformedReply


class _Results(msgspec.Struct):
    results: list[msgspec.Raw]
    limit: int | None = None
    count: int | None = None


# Beyond this a version fits no column.
_Version = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class _Head(msgspec.Struct):
    id: str
    version: _Version
    lastModifiedAt: datetime  # noqa: N815  the platform's own spelling


class _HeadText(msgspec.Struct):
    lastModifiedAt: str  # noqa: N815


_PAGE = msgspec.json.Decoder(_Results)
_HEAD = msgspec.json.Decoder(_Head)
_TEXT = msgspec.json.Decoder(_HeadText)
_LOOSE = msgspec.json.Decoder(dict[str, msgspec.Raw])
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def decode_page(body: bytes, *, salvage: bool = False) -> tuple[list[bytes], int | None]:
    """The exact text of each element of `results`, and the limit the platform says it applied.

    Raises MalformedReply (a bare reason; the caller knows the page) when the body is not one whole JSON
    object in UTF-8 with a `results` list, or when that list is not as long as the body's own count. With
    `salvage`, a body whose brackets and quotes are whole is still cut into its elements, so that one of them
    holding `NaN`, a stray byte or a control character is found out alone.
    """
    try:
        body.decode("utf-8")
        page = _PAGE.decode(body)
    except _UNREADABLE as error:
        cut = split_results(body) if salvage else None
        if cut is None:
            raise MalformedReply(_why(body, error)) from None
        limit = _LIMIT.search(body)
        return cut, int(limit[1]) if limit else None
    if page.count is not None and page.count != len(page.results):
        raise MalformedReply(f"it says it holds {page.count} records and holds {len(page.results)}")
    return [bytes(raw) for raw in page.results], page.limit


def _why(body: bytes, error: Exception) -> str:
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
    if isinstance(error, msgspec.ValidationError):
        return "the body has no list of results"
    return "the body is cut short" if "truncated" in str(error) else "the body is not JSON"


_MARKS = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\],]|"', re.DOTALL)
_LIMIT = re.compile(rb'"limit"\s*:\s*(\d{1,6})\b')
_RESULTS = re.compile(rb'"results"\s*:\s*\[')


def split_results(body: bytes) -> list[bytes] | None:
    """The elements of `results` by brackets and quotes alone, or None when those do not close.

    A loop over marks in Python, because it only ever sees a page that no JSON decoder would read.
    """
    start = _RESULTS.search(body)
    if start is None or not body.rstrip().endswith(b"}"):
        return None
    elements: list[bytes] = []
    open_marks: list[bytes] = []
    begin = start.end()
    for match in _MARKS.finditer(body, start.end()):
        mark = match[0]
        if mark in (b"{", b"["):
            open_marks.append(mark)
        elif mark in (b"}", b"]"):
            if not open_marks:
                if mark == b"}":
                    return None
                last = body[begin : match.start()].strip()
                if last or elements:
                    elements.append(last)
                rest = body[match.end() :]
                return elements if _closes(rest) else None
            if open_marks.pop() != (b"{" if mark == b"}" else b"["):
                return None
        elif mark == b"," and not open_marks:
            elements.append(body[begin : match.start()].strip())
            begin = match.end()
        elif mark == b'"':
            return None
    return None


def _closes(rest: bytes) -> bool:
    """Whether what follows the list closes exactly the one object around it."""
    depth = 1
    for match in _MARKS.finditer(rest):
        mark = match[0]
        depth += (mark in (b"{", b"[")) - (mark in (b"}", b"]"))
        if depth == 0:
            return not rest[match.end() :].strip()
    return False


@dataclass(frozen=True, slots=True)
class Peek:
    """The few members of a record that carrying it needs; the rest is never decoded."""

    ref: str | None
    version: int | None
    updated_at: datetime | None
    updated_text: str | None
    problem: str | None

    @classmethod
    def of(cls, raw: bytes) -> Peek:
        """Read id, version and lastModifiedAt; when one of them is not what it should be, keep the others and
        say so.
        """
        try:
            head = _HEAD.decode(raw)
            if head.id and head.lastModifiedAt.tzinfo is not None:
                text = _TEXT.decode(raw).lastModifiedAt
                return cls(head.id, head.version, head.lastModifiedAt.astimezone(UTC), text, None)
        except (*_UNREADABLE, OverflowError):
            pass
        return cls._piecemeal(raw)

    @classmethod
    def _piecemeal(cls, raw: bytes) -> Peek:
        try:
            members = _LOOSE.decode(raw)
        except (*_UNREADABLE, ValueError):
            return cls(None, None, None, None, "The record is not a readable JSON object.")
        ref = _one(members.get("id"), str) or None
        version: int | None = _one(members.get("version"), _Version)
        instant = _one(members.get("lastModifiedAt"), datetime)
        text = _one(members.get("lastModifiedAt"), str)
        if instant is not None:
            instant = None if instant.tzinfo is None else instant.astimezone(UTC)
        wrong = [
            name
            for name, value in (("id", ref), ("version", version), ("lastModifiedAt", instant))
            if value is None
        ]
        plural = "members are" if len(wrong) > 1 else "member is"
        return cls(
            ref,
            version,
            instant,
            text if instant else None,
            f"Its {plural} missing or unreadable: {', '.join(wrong)}.",
        )


def _one(raw: msgspec.Raw | None, kind: Any) -> Any:
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw, type=kind)
    except (*_UNREADABLE, ValueError, OverflowError):
        return None


def peek_key(peeks: Sequence[Peek], *, timed: bool) -> tuple[list[str], Key | None]:
    """The references of a page and the key to go on from: its last record that shows one."""
    keys = peek_keys(peeks, timed=timed)
    return [peek.ref for peek in peeks if peek.ref is not None], keys[-1] if keys else None


def peek_keys(peeks: Sequence[Peek], *, timed: bool) -> list[Key]:
    """The keys of a page's records that show one, in the order they stand in."""
    return [
        Key(peek.ref, peek.updated_at if timed else None, peek.updated_text if timed else None)
        for peek in peeks
        if peek.ref is not None and (not timed or peek.updated_at is not None)
    ]


def to_records(
    raws: Sequence[bytes], peeks: Sequence[Peek], *, payment: bool, keep_personal: Collection[str]
) -> tuple[Record, ...]:
    """Records fit to land: scrubbed, in UTF-8, each with its reference or a surrogate and, if it has one, its
    problem.

    One by one, because each record is cleaned and judged by itself and a fault in one must not touch the
    next.
    """
    return tuple(_record(raw, peek, payment, keep_personal) for raw, peek in zip(raws, peeks, strict=True))


def _record(raw: bytes, peek: Peek, payment: bool, keep_personal: Collection[str]) -> Record:
    problem = peek.problem
    try:
        raw.decode("utf-8")
        if problem is not None:
            _LOOSE.decode(raw)  # only a record with a problem may be no JSON object at all
        payload = scrub(raw, payment=payment, keep_personal=keep_personal)
    except (*_UNREADABLE, ValueError):
        # What cannot be parsed cannot be scrubbed member by member, so of such a record only a note may rest.
        ref = peek.ref or surrogate_ref(raw)
        problem = problem or "The record is not a readable JSON object."
        note = {"unreadable": {"sha256": surrogate_ref(raw)[7:], "bytes": len(raw), "start": _start(raw)}}
        return Record(ref, peek.version, peek.updated_at, msgspec.json.encode(note), problem)
    return Record(peek.ref or surrogate_ref(raw), peek.version, peek.updated_at, payload, problem)


_SAFE_START = re.compile(
    r'"(id|orderNumber|sku|key|version|createdAt|lastModifiedAt)"\s*:\s*("[\w.:-]{1,60}"|\d{1,10}(?!\d))'
)


def _start(raw: bytes) -> str:
    """The identifying members of an unreadable record as far as they can be seen, for whoever has to find it."""
    seen = _SAFE_START.findall(raw[:4096].decode("utf-8", "replace"))
    return ", ".join(f"{name} {value}" for name, value in seen[:6])
