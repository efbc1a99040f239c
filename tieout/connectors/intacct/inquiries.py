"""What the company says of itself: its fields, their lengths, its stock totals, its closed periods, and what was deleted in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, tzinfo

from lxml import etree

from tieout.connectors.intacct.calls import Calls
from tieout.connectors.intacct.reading import MAX_PAGE, Where, all_of, day, instant, stamp
from tieout.connectors.intacct.replies import Row
from tieout.connectors.intacct.values import Element, put
from tieout.connectors.intacct.walking import must_succeed, proved_pages


@dataclass(frozen=True, slots=True)
class Deletion:
    """One entry of the audit trail: `key` is the RECORDNO or the id, as the object's kind has it; `source` is api, csv, system or ui."""

    key: str
    deleted_at: datetime | None
    user: str
    source: str


def field_names(calls: Calls, object_name: str) -> list[str]:
    """The fields of an object (`lookup`), sorted."""

    def ask(node: Element) -> None:
        put(etree.SubElement(node, "lookup"), "object", object_name)

    result = must_succeed(calls.ask(ask), f"the fields of {object_name}")
    found = [] if result.data is None else [_field_id(node) for node in result.data.iter("Field")]
    return sorted({field for field in found if field})


def max_lengths(calls: Calls, object_name: str) -> dict[str, int] | None:
    """Most characters by field (`inspect` with detail); None when the company will not say."""

    def ask(node: Element) -> None:
        put(etree.SubElement(node, "inspect", detail="1"), "object", object_name)

    result = calls.ask(ask)
    if result.status != "success" or result.data is None:
        return None
    return dict(_lengths(result.data))


def stock_totals(
    calls: Calls, item_id: str | None, warehouse_id: str | None, entity: str | None
) -> list[Row]:
    """Stock already summed (`get_icitemtotals`)."""

    def ask(node: Element) -> None:
        function = etree.SubElement(node, "get_icitemtotals")
        if item_id is not None:
            put(function, "itemid", item_id)
        if warehouse_id is not None:
            put(function, "warehouseid", warehouse_id)

    return list(must_succeed(calls.ask(ask, entity=entity), "stock totals").rows)


def closed_through(calls: Calls, entity: str | None) -> date | None:
    """The last closed day (`get_closedbooksdate`). The shape of the answer is not published: children or a date as text are understood."""

    def ask(node: Element) -> None:
        etree.SubElement(node, "get_closedbooksdate")

    result = must_succeed(calls.ask(ask, entity=entity), "the date through which books are closed")
    if result.data is None:
        return None
    for node in (result.data, *result.data.iterdescendants(etree.Element)):
        parts = [(node.findtext(name) or "").strip() for name in ("year", "month", "day")]
        if all(part.isdigit() for part in parts):
            try:
                return date(*map(int, parts))
            except ValueError:
                return None
    found = [day(node.text) for node in result.data.iter(etree.Element)]
    return max((when for when in found if when is not None), default=None)


def deletions(
    calls: Calls, object_name: str, since: datetime, zone: tzinfo, entity: str | None
) -> Iterator[Deletion]:
    """Deletions of one kind of object since an instant, from AUDITHISTORY ("Sage Intacct Web Services documentation, Audit trails").

    The kind is written in lower case there, and the key of some kinds carries a suffix after two dashes, which is dropped.
    """
    condition = all_of(
        Where("equalto", "OBJECTTYPE", (object_name.lower(),)),
        Where("equalto", "ACCESSMODE", ("D",)),
        Where("greaterthanorequalto", "ACCESSTIME", (stamp(since, zone),)),
    )
    fields = ("RECORDNO", "OBJECTKEY", "ACCESSTIME", "USERID", "SOURCE")
    seen: set[int] = set()
    for rows in proved_pages(
        calls, "AUDITHISTORY", fields=fields, condition=condition, page_size=MAX_PAGE, entity=entity
    ):
        for row in rows:  # few rows, each becoming one value
            if row["RECORDNO"] not in seen:
                seen.add(row["RECORDNO"])
                yield Deletion(
                    str(row.get("OBJECTKEY", "")).partition("--")[0],
                    instant(row.get("ACCESSTIME"), zone),
                    str(row.get("USERID", "")),
                    str(row.get("SOURCE", "")),
                )


def _field_id(node: Element) -> str:
    """A field's name in an answer to `lookup` (child ID) or `inspect` (child Name, or the bare text)."""
    for tag in ("ID", "Name", "externalDataName"):
        text = node.findtext(tag)
        if text:
            return text.strip()
    return (node.text or "").strip()


def _lengths(data: Element) -> Iterator[tuple[str, int]]:
    for node in data.iter("Field"):
        text = (node.findtext("maxLength") or "").strip()
        if text.isascii() and text.isdigit():
            yield _field_id(node), int(text)
