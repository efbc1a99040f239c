"""Queries of the XML gateway, and rows to records ("Sage Intacct Web Services documentation, Queries").

A query has no order unless one is asked for, and each offset page is a query of its own, so pages by offset shift under changes.
Everything here is therefore ordered by RECORDNO and continued after the last one seen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo

import msgspec
from lxml import etree

from tieout.connectors.intacct.replies import FunctionResult, Row
from tieout.connectors.intacct.values import Element, put
from tieout.connectors.paging import Record
from tieout.connectors.redaction import mask_pans
from tieout.errors import InputError, MalformedReply

_sub = etree.SubElement
MAX_PAGE = 2000
MAX_IN = 1000
STAMP = "%m/%d/%Y %H:%M:%S"

OPERATORS = frozenset(
    {
        "equalto", "notequalto", "lessthan", "lessthanorequalto", "greaterthan", "greaterthanorequalto", "between", "in", "notin",
        "like", "notlike", "isnull", "isnotnull",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Where:
    """One condition: `Where("in", "RECORDID", ("A-1", "A-2"))`."""

    operator: str
    field: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Both:
    """All parts hold (`and`), or with `any_of` at least one does (`or`)."""

    parts: tuple[Where | Both, ...]
    any_of: bool = False


Filter = Where | Both


def all_of(*parts: Filter | None) -> Filter | None:
    """The parts that are not None, joined by `and`; Intacct wants two children at least, so one part stays alone."""
    kept = tuple(part for part in parts if part is not None)
    if len(kept) < 2:
        return kept[0] if kept else None
    return Both(kept)


def _write_filter(parent: Element, condition: Filter) -> None:
    if isinstance(condition, Both):
        node = _sub(parent, "or" if condition.any_of else "and")
        for part in condition.parts:
            _write_filter(node, part)
        return
    if condition.operator not in OPERATORS:
        raise InputError(f"'{condition.operator}' is not an operator of Intacct's queries.")
    if condition.operator in ("in", "notin") and len(condition.values) > MAX_IN:
        raise InputError(f"A query takes at most {MAX_IN} values in a list, not {len(condition.values)}.")
    node = _sub(parent, condition.operator)
    put(node, "field", condition.field)
    for value in condition.values:
        put(node, "value", value)


def write_query(
    parent: Element,
    object_name: str,
    *,
    fields: Sequence[str],
    condition: Filter | None = None,
    page_size: int = MAX_PAGE,
    counted: str | None = None,
) -> None:
    """Append a `<query>`: `fields` ordered by RECORDNO, or with `counted` the number of rows having that field.

    Raises InputError for page sizes outside 1 to 2,000 and for nothing selected.
    """
    if not 1 <= page_size <= MAX_PAGE:
        raise InputError(f"A page of Intacct's queries has 1 to {MAX_PAGE} rows, not {page_size}.")
    if not fields and counted is None:
        raise InputError(f"The query on {object_name} selects nothing.")
    query = _sub(parent, "query")
    put(query, "object", object_name)
    select = _sub(query, "select")
    for name in fields:
        put(select, "field", name)
    if counted is not None:
        put(select, "count", counted)
    if condition is not None:
        _write_filter(_sub(query, "filter"), condition)
    if counted is None:
        order = _sub(_sub(query, "orderby"), "order")
        put(order, "field", "RECORDNO")
        _sub(order, "ascending")
    put(_sub(query, "options"), "showprivate", "true")
    put(query, "pagesize", str(page_size))
    put(query, "offset", "0")


def write_sums(
    parent: Element,
    object_name: str,
    *,
    by: Sequence[str],
    summed: str,
    counted: str,
    condition: Filter | None = None,
    page_size: int = MAX_PAGE,
) -> None:
    """Append a `<query>` for the sum of one field and the count of another by groups. Sums have no order and no second page."""
    query = _sub(parent, "query")
    put(query, "object", object_name)
    select = _sub(query, "select")
    for name in by:
        put(select, "field", name)
    put(select, "sum", summed)
    put(select, "count", counted)
    if condition is not None:
        _write_filter(_sub(query, "filter"), condition)
    put(query, "pagesize", str(page_size))
    put(query, "offset", "0")


def total_and_left(result: FunctionResult) -> tuple[int | None, int | None]:
    """`totalcount` and `numremaining` of a page; None where the reply leaves one out."""
    found = []
    for name in ("totalcount", "numremaining"):
        text = result.attributes.get(name)
        if text is not None and not (text.isascii() and text.isdigit()):
            raise MalformedReply(
                f"Intacct's page says {name} is '{text[:20]}', which is not a number; try again later."
            )
        found.append(int(text) if text is not None else None)
    return found[0], found[1]


_STAMPED = re.compile(r"([0-9]{2})/([0-9]{2})/([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2})")


def instant(text: str | None, zone: tzinfo = UTC) -> datetime | None:
    """A timestamp as an aware UTC instant; `zone` is the GMT offset in the API user's settings. None for empty or other text."""
    if not text:
        return None
    text = text.strip()
    if plain := _STAMPED.fullmatch(
        text
    ):  # the spelling of nearly every row, forty times faster than strptime
        month, day_, year, hour, minute, second = map(int, plain.groups())
        try:
            return datetime(year, month, day_, hour, minute, second, tzinfo=zone).astimezone(UTC)
        except ValueError:
            return None
    for form in (STAMP, "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=zone).astimezone(UTC)
        except ValueError:
            continue
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)).astimezone(UTC)


def stamp(at: datetime, zone: tzinfo = UTC) -> str:
    """An aware instant as the gateway compares it: MM/DD/YYYY HH:MM:SS in the API user's zone."""
    if at.utcoffset() is None:
        raise InputError(f"{at.isoformat()} has no time zone; give an instant with its offset.")
    return at.astimezone(zone).strftime(STAMP)


def day(text: str | None) -> date | None:
    """A date in US order or ISO; None for empty or other text."""
    for form in ("%m/%d/%Y", "%Y-%m-%d"):
        try:
            return datetime.strptime((text or "").strip(), form).date()  # noqa: DTZ007  an accounting date has no zone
        except ValueError:
            continue
    return None


_FREE_TEXT = frozenset({"DESCRIPTION", "ENTRYDESCRIPTION", "MEMO", "COMMENTS", "NOTES", "MESSAGE"})
_DIGITS = re.compile(r"\d[\d -]{11,}\d")


def record(row: Row, zone: tzinfo = UTC) -> Record:
    """A row as a record to land: JSON of the row with amounts as the text received, and card numbers masked in free text."""
    for name in _FREE_TEXT & row.keys():
        text = row[name]
        if isinstance(text, str) and _DIGITS.search(text):
            row = {**row, name: mask_pans(text)}
    return Record(
        native_ref=str(row["RECORDNO"]),
        version=None,
        updated_at=instant(row.get("WHENMODIFIED"), zone),
        payload=msgspec.json.encode(row),
    )
