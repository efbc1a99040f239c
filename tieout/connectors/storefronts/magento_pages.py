"""From one answer of Magento to records: exact text kept, little read, and one bad record never loses the page.

Source of outside facts: Magento web API documentation, Search using REST endpoints (`items`, `search_criteria`, `total_count`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from tieout.connectors.paging import Record, surrogate_ref
from tieout.connectors.redaction import scrub
from tieout.errors import MalformedReply

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_STAMP = re.compile(r"\A(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|\+00:00)?\Z")


@dataclass(frozen=True, slots=True)
class Subject:
    """How one subject is read.

    path       below `V1/`
    key        members that identify a record; for a keyset walk the first is the id, filtered by the attribute `filter_key`
    changed    the attribute its changes are filtered by, and the member that says it; None where there is none
    is_list    answers a bare list, without paging
    """

    path: str
    key: tuple[str, ...]
    filter_key: str | None = None
    changed: str | None = "updated_at"
    is_list: bool = False


SUBJECTS: dict[str, Subject] = {
    "stores": Subject("store/storeViews", ("id",), changed=None, is_list=True),
    "orders": Subject("orders", ("entity_id",), "entity_id"),
    "invoices": Subject("invoices", ("entity_id",), "entity_id"),
    "creditmemos": Subject("creditmemos", ("entity_id",), "entity_id"),
    "shipments": Subject("shipments", ("entity_id",), "entity_id"),
    "transactions": Subject("transactions", ("transaction_id",), "transaction_id", "created_at"),
    "customers": Subject("customers/search", ("id",), "entity_id"),
    "products": Subject("products", ("id",), "entity_id"),
    "source_items": Subject("inventory/source-items", ("sku", "source_code"), changed=None),
}
"""What can be read, in the order in which it is read (Magento REST reference, 2.4.8)."""


class _Answer(msgspec.Struct):
    items: list[msgspec.Raw] | None = None
    total_count: int | None = None


_PAGE = msgspec.json.Decoder(_Answer)
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def decode_page(body: bytes, subject: Subject) -> tuple[list[bytes], int | None]:
    """The exact text of every record of an answer, and the count it states. `items` may be null for none.

    Raises MalformedReply with a bare reason; the caller knows which page it was.
    """
    try:
        body.decode("utf-8")
        if subject.is_list:
            return [bytes(raw) for raw in _LIST.decode(body)], None
        page = _PAGE.decode(body)
    except _UNREADABLE as error:
        raise MalformedReply(_why(body, error)) from None
    if page.total_count is None:
        raise MalformedReply("it states no total_count")
    if page.total_count < 0:
        raise MalformedReply(f"it states a total_count of {page.total_count}")
    return [bytes(raw) for raw in page.items or ()], page.total_count


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
        return "the body is not a list of records"
    return "the body is cut short" if "truncated" in str(error) else "the body is not JSON"


@dataclass(frozen=True, slots=True)
class Peek:
    """The few members that carrying a record needs."""

    ref: str | None
    number: int | None
    updated_at: datetime | None
    problem: str | None


def peek(raw: bytes, subject: Subject) -> Peek:
    """Read a record's key and change stamp; what is missing or unreadable is said."""
    try:
        members = _MEMBERS.decode(raw)
    except (*_UNREADABLE, ValueError):
        return Peek(None, None, None, "The record is not a readable JSON object.")
    parts = [_text(members.get(name)) for name in subject.key]
    wrong = [name for name, part in zip(subject.key, parts, strict=True) if not part]
    ref = None if wrong else "|".join(part or "" for part in parts)
    number = int(ref) if ref and len(parts) == 1 and ref.isascii() and ref.isdigit() else None
    if ref and subject.filter_key and number is None:
        wrong, ref = [subject.key[0]], None
    updated = None
    if subject.changed is not None:
        updated = instant(_text(members.get(subject.changed)))
        if updated is None:
            wrong.append(subject.changed)
    problem = f"Missing or unreadable: {', '.join(wrong)}." if wrong else None
    return Peek(ref, number, updated, problem)


def instant(text: str | None) -> datetime | None:
    """`YYYY-MM-DD HH:MM:SS`, which Magento keeps in UTC, as an instant; None for anything else."""
    found = _STAMP.match(text or "")
    if found is None:
        return None
    try:
        return datetime.fromisoformat(f"{found[1]}T{found[2]}").replace(tzinfo=UTC)
    except ValueError:
        return None


def _text(raw: msgspec.Raw | None) -> str | None:
    if raw is None:
        return None
    try:
        value: Any = msgspec.json.decode(raw)
    except (*_UNREADABLE, ValueError):
        return None
    if isinstance(value, str):
        return value
    # Ids are whole numbers; some releases send them as text, which is taken alike.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def to_records(
    raws: Sequence[bytes], peeks: Sequence[Peek], *, keep_personal: Collection[str]
) -> tuple[Record, ...]:
    """Records fit to land: scrubbed, each with its reference or a surrogate and, if it has one, its problem.

    One by one, because each record is cleaned and judged by itself and a fault in one must not touch the next.
    """
    return tuple(_record(raw, seen, keep_personal) for raw, seen in zip(raws, peeks, strict=True))


PAYMENT_MEMBERS = frozenset(
    {
        "entity_id", "parent_id", "method", "last_trans_id", "amount_authorized", "amount_canceled", "amount_ordered", "amount_paid",
        "amount_refunded", "base_amount_authorized", "base_amount_ordered", "base_amount_paid", "base_amount_refunded",
        "shipping_amount", "shipping_captured", "shipping_refunded",
    }
)  # fmt: skip
"""What is kept of an order's `payment`: method, references and amounts (Magento REST reference, Payment). All else is dropped."""

_DROPPED = frozenset(
    {
        "remote_ip",
        "x_forwarded_for",
        "protect_code",
        "status_histories",
        "additional_information",
        "payment_additional_info",
    }
)
"""Members never landed: addresses of machines, free text of people, and what gateways leave behind."""


def _record(raw: bytes, seen: Peek, keep_personal: Collection[str]) -> Record:
    problem = seen.problem
    try:
        payload = scrub(_narrowed(raw), keep_personal=keep_personal)
    except (*_UNREADABLE, ValueError):
        # What cannot be parsed cannot be scrubbed member by member, so of such a record only a note may rest.
        ref = seen.ref or surrogate_ref(raw)
        note = {"unreadable": {"sha256": surrogate_ref(raw)[7:], "bytes": len(raw)}}
        return Record(
            ref,
            None,
            seen.updated_at,
            msgspec.json.encode(note),
            problem or "The record is not a readable JSON object.",
        )
    return Record(seen.ref or surrogate_ref(raw), None, seen.updated_at, payload, problem)


def _narrowed(raw: bytes) -> bytes:
    """The record without what is never landed; byte for byte the same if it holds nothing of that."""
    members = _MEMBERS.decode(raw)
    kept = {name: value for name, value in members.items() if name not in _DROPPED}
    changed = len(kept) != len(members)
    for name, allowed in (("payment", PAYMENT_MEMBERS), ("extension_attributes", None)):
        inner = kept.get(name)
        if inner is None or bytes(inner).lstrip()[:1] != b"{":
            if inner is not None and name == "payment":
                # A scalar where an object belongs cannot be told apart from a card number.
                kept[name], changed = msgspec.Raw(b"null"), True
            continue
        parts = _MEMBERS.decode(inner)
        fewer = {
            key: value
            for key, value in parts.items()
            if (key in allowed if allowed is not None else key not in _DROPPED)
        }
        if len(fewer) != len(parts):
            kept[name], changed = msgspec.Raw(msgspec.json.encode(fewer)), True
    return msgspec.json.encode(kept) if changed else raw
