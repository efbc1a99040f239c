"""Stock summed from its movements: the second way beside totals that are summed already (`get_icitemtotals`).

Source of outside facts: Sage Intacct developer documentation, Inventory Total Details: the rows of INVENTORYTOTALDETAIL are movements and
not balances, to be summed by item, warehouse and total name; WAREHOUSEKEY is a record number. Intacct sums them itself (`query` with a sum
and group fields). How pages of sums are ordered is not documented, so no second page is asked for: where one page does not hold every
sum, they are asked for by fewer items at a time. How many movements stand behind each sum is asked for too, and must come to Intacct's own
count of all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from lxml import etree

from tieout.connectors.intacct.calls import Calls
from tieout.connectors.intacct.reading import MAX_IN, MAX_PAGE, Filter, Where, total_and_left, write_sums
from tieout.connectors.intacct.replies import Row
from tieout.connectors.intacct.values import Element, put
from tieout.connectors.intacct.walking import must_succeed, proved_pages
from tieout.errors import Incomplete, MalformedReply

OBJECT = "INVENTORYTOTALDETAIL"
WALKS = 2
"""How often all sums are asked for before they are given up for not coming to the count."""


def stock_from_movements(calls: Calls, entity: str | None, page_size: int = MAX_PAGE) -> list[Row]:
    """Rows like those of `get_icitemtotals`: WAREHOUSEID, ITEMID, TOTALNAME and QUANTITY as text, sorted by the first three.

    Raises Incomplete when the sums do not come to Intacct's own count of movements, twice, or one item has more than a page of sums.
    """
    stated = 0
    found: list[Row] = []
    for _ in range(WALKS):
        before = _count(calls, entity)
        found = _sums(calls, None, entity, page_size)
        counted = sum(int(row["MOVEMENTS"]) for row in found)
        # Movements that are made while the sums are read are in one of the two counts.
        stated = _count(calls, entity)
        if before <= counted <= stated or stated <= counted <= before:
            return _named(calls, found, entity)
    raise Incomplete(
        f"Intacct counts {stated} movements of stock and its sums stand for {sum(int(row['MOVEMENTS']) for row in found)}; "
        "run the extract again later, or read stock by its totals."
    )


def _sums(calls: Calls, items: Sequence[str] | None, entity: str | None, page_size: int) -> list[Row]:
    """Sums by item, warehouse key and total, of these items or of all."""
    condition: Filter | None = None if items is None else Where("in", "ITEMID", tuple(items))

    def ask(node: Element) -> None:
        write_sums(
            node,
            OBJECT,
            by=("ITEMID", "WAREHOUSEKEY", "TOTALNAME"),
            summed="QUANTITY",
            counted="ITEMID",
            condition=condition,
            page_size=page_size,
        )

    result = must_succeed(calls.ask(ask, entity=entity), "sums of stock movements")
    rows = [_sum(row) for row in result.rows]
    _, left = total_and_left(result)
    if not left and len(rows) < page_size:
        return rows
    if items is None:
        every = _items(calls, entity)
        return [
            row
            for start in range(0, len(every), MAX_IN)
            for row in _sums(calls, every[start : start + MAX_IN], entity, page_size)
        ]
    if len(items) == 1:
        raise Incomplete(
            f"The stock of item {items[0]} has more sums by warehouse and total than a page holds; read stock by its totals."
        )
    half = len(items) // 2
    return [row for part in (items[:half], items[half:]) for row in _sums(calls, part, entity, page_size)]


def _sum(row: Row) -> Row:
    """One sum with how many movements stand behind it; raises MalformedReply for what is no sum."""
    counted = str(row.get("COUNT.ITEMID", row.get("COUNT", "")))
    quantity = str(row.get("QUANTITY", row.get("SUM.QUANTITY", "")))
    try:
        is_number = Decimal(quantity or "0").is_finite()
    except InvalidOperation:
        is_number = False
    if not (counted.isascii() and counted.isdigit() and is_number):
        raise MalformedReply(
            f"A sum of stock movements says quantity '{quantity[:20]}' and count '{counted[:20]}'; try again later."
        )
    return {
        "ITEMID": str(row.get("ITEMID", "")),
        "WAREHOUSEKEY": str(row.get("WAREHOUSEKEY", "")),
        "TOTALNAME": str(row.get("TOTALNAME", "")),
        "QUANTITY": quantity or "0",
        "MOVEMENTS": counted,
    }


def _named(calls: Calls, sums: Sequence[Row], entity: str | None) -> list[Row]:
    """Sums with the id of their warehouse in place of its record number."""
    ids = {
        str(row["RECORDNO"]): str(row.get("WAREHOUSEID", ""))
        for rows in proved_pages(
            calls,
            "WAREHOUSE",
            fields=("RECORDNO", "WAREHOUSEID"),
            condition=None,
            page_size=MAX_PAGE,
            entity=entity,
        )
        for row in rows
    }
    unknown = sorted({str(row["WAREHOUSEKEY"]) for row in sums if row["WAREHOUSEKEY"]} - set(ids))
    if unknown:
        raise Incomplete(
            f"Stock moved in warehouses that cannot be read (record numbers {', '.join(unknown[:5])}); give the API user rights to them."
        )
    named = [
        {
            "WAREHOUSEID": ids.get(str(row["WAREHOUSEKEY"]), ""),
            **{name: row[name] for name in ("ITEMID", "TOTALNAME", "QUANTITY")},
        }
        for row in sums
    ]
    return sorted(named, key=lambda row: (row["WAREHOUSEID"], row["ITEMID"], row["TOTALNAME"]))


def _items(calls: Calls, entity: str | None) -> list[str]:
    pages = proved_pages(
        calls, "ITEM", fields=("RECORDNO", "ITEMID"), condition=None, page_size=MAX_PAGE, entity=entity
    )
    return sorted({str(row["ITEMID"]) for rows in pages for row in rows if row.get("ITEMID")})


def _count(calls: Calls, entity: str | None) -> int:
    """How many movements there are, by Intacct's own count."""

    def ask(node: Element) -> None:
        query = etree.SubElement(node, "query")
        put(query, "object", OBJECT)
        put(etree.SubElement(query, "select"), "count", "ITEMID")
        put(query, "pagesize", "1")

    result = must_succeed(calls.ask(ask, entity=entity), "the count of stock movements")
    row = result.rows[0] if result.rows else {"COUNT": "0"}
    text = str(row.get("COUNT.ITEMID", row.get("COUNT", "")))
    if not (text.isascii() and text.isdigit()):
        raise MalformedReply(
            f"Intacct's count of stock movements is '{text[:20]}', which is not a number; try again later."
        )
    return int(text)
