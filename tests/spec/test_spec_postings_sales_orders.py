"""The rule book of planning: sales orders of order entry, from the web order that is placed to its invoices, or to its closing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any, Literal

import polars as pl
import pytest
import trade
from drawn import shown, table
from planning import MAPPINGS, NOW, POLICY, after, nothing, planned

from transforms.owed.recognition import Owed
from transforms.postings import sales_orders
from transforms.postings.order_entry import OrderEntry
from transforms.postings.planned import Existing, Plan

TERMS = OrderEntry(
    definition="Sales Invoice",
    order_definition="Sales Order",
    items={"shipping": "FREIGHT", "discount": "DISCOUNT"},
    subtotals={"tax": "Sales Tax", "rounding": "Rounding"},
)
STORES = trade.STORES.with_columns(posting_code=pl.lit("order_entry"))
SOLD = MAPPINGS._replace(stores=STORES)
TERMS_OF = replace(POLICY, order_entry=TERMS)
ORDER = """
    order_ref | order_number | customer_ref | status_code | placed_at        | goods_minor | shipping_minor | tax_minor | total_minor
    A         | W1           | u1           | open        | 2026-10-01 23:00 | 5000        | 500            | 450       | 5950
"""
LINES = """
    order_ref | line_ref | kind_code | sku   | quantity | net_minor | tax_minor | discount_minor | tax_code
    A         | l1       | item      | MUG-1 | 3        | 1000      | 90        | 0              | NY
    A         | l2       | item      | MUG-1 | 2        | 4000      | 360       | 0              | NY
    A         | l3       | shipping  | -     | 1        | 500       | 0         | 0              | -
"""
TWO_PARCELS = """
    order_ref | shipment_ref | line_ref | quantity | shipped_at
    A         | s1           | l1       | 1        | 2026-10-02 12:00
    A         | s1           | l2       | 2        | 2026-10-02 12:00
    A         | s2           | l1       | 2        | 2026-10-05 12:00
"""


@cache
def traded(order: str = ORDER, shipments: str | None = None, lines: str = LINES) -> tuple[pl.DataFrame, Owed]:
    orders = trade.orders(order)
    sent = None if shipments is None else trade.of("core.shipments", shipments)
    return orders, trade.recognised(orders, trade.lines(lines), sent)


def night(
    traded: tuple[pl.DataFrame, Owed],
    there: Existing | None = None,
    when: Literal["placed", "approved"] = "placed",
    lines: str = LINES,
    **more: Any,
) -> Plan:
    """A plan with the sales orders of these orders."""
    orders, found = traded
    ordered = sales_orders.ordered(
        orders, trade.lines(lines), STORES, found.owed, there or nothing(), trade.POLICY, when,
        events=[trade.empty(f"core.{name}") for name in ("shipments", "payments", "order_payments", "returns")],
    )  # fmt: skip
    return planned(found, there, mappings=SOLD, policy=more.pop("policy", TERMS_OF), ordered=ordered, **more)


def kinds(done: Plan) -> list[Any]:
    return shown(done.documents.filter(pl.col("kind_code") != "customer"), "kind_code", "number", "total_minor")  # fmt: skip


def test_an_order_is_a_sales_order_with_all_it_comes_to_on_the_day_it_was_placed() -> None:
    done = night(traded())
    assert kinds(done) == [("sales_order", "UW1", 5950)]
    one = done.documents.filter(kind_code="sales_order").row(0, named=True)
    assert (one["document_on"], one["due_on"], json.loads(one["details"])) == (date(2026, 10, 1), date(2026, 10, 31), {"definition": "Sales Order"})  # fmt: skip
    assert done.lines.select("component_code", "item_ref", "quantity", "subtotal_name", "order_line_ref", "amount_minor").rows() == [
        ("goods", "MUG-1", Decimal("3.0000"), None, "l1", 1000),
        ("goods", "MUG-1", Decimal("2.0000"), None, "l2", 4000),
        ("shipping", "FREIGHT", Decimal("1.0000"), None, "l3", 500),
        ("tax", None, None, "Sales Tax", None, 450),
    ]  # fmt: skip
    assert done.documents.filter(kind_code="customer")["number"].to_list() == ["C10011"]
    assert done.orders.is_empty(), "a sales order answers nothing that is owed yet"


def test_without_order_definition_and_at_other_stores_nothing_is_ordered() -> None:
    orders, found = traded(shipments=TWO_PARCELS)
    assert kinds(planned(found, mappings=SOLD, policy=TERMS_OF)) == [("invoice", "UW1", 5223), ("invoice", "UW1-2", 727)]  # fmt: skip
    elsewhere = sales_orders.ordered(
        orders, trade.lines(LINES), trade.STORES, found.owed, nothing(), trade.POLICY, "placed",
        events=[trade.empty(f"core.{name}") for name in ("shipments", "payments", "order_payments", "returns")],
    )  # fmt: skip
    assert elsewhere.owed.is_empty()


@pytest.mark.parametrize(
    ("status", "when", "is_ordered"),
    [
        ("open", "placed", True),
        ("open", "approved", False),
        ("processing", "approved", True),
        ("complete", "approved", True),
        ("cancelled", "placed", False),
    ],
)
def test_an_order_is_posted_when_it_is_placed_or_approved(
    status: str, when: Literal["placed", "approved"], is_ordered: bool
) -> None:
    done = night(traded(ORDER.replace("open ", f"{status} ")), when=when)
    assert kinds(done) == ([("sales_order", "UW1", 5950)] if is_ordered else [])


def test_each_shipment_converts_its_quantities_of_the_order() -> None:
    first = night(traded())
    there = after(first, "accepted", key="Sales Order-UW1")
    order_id = first.documents.filter(kind_code="sales_order")["document_id"][0]
    done = night(traded(shipments=TWO_PARCELS), there)
    assert kinds(done) == [("invoice", "UW1", 5223), ("invoice", "UW1-2", 727)]
    mine = done.lines.join(done.documents.select("document_id", "number"), on="document_id").sort("number", "line_no")  # fmt: skip
    assert mine.filter(pl.col("quantity").is_not_null()).select("number", "order_line_ref", "quantity", "converts_id").rows() == [
        ("UW1", "l1", Decimal("1.0000"), order_id),
        ("UW1", "l2", Decimal("2.0000"), order_id),
        ("UW1", "l3", Decimal("1.0000"), order_id),
        ("UW1-2", "l1", Decimal("2.0000"), order_id),
    ]  # fmt: skip
    assert mine.filter(pl.col("quantity").is_null())["converts_id"].null_count() == 2, "subtotals are given again"  # fmt: skip
    # Placed and shipped before the first night: the order goes first and its invoices follow it.
    at_once = night(traded(shipments=TWO_PARCELS))
    assert sorted(kind for kind, *_ in kinds(at_once)) == ["invoice", "invoice", "sales_order"]
    assert at_once.lines["converts_id"].drop_nulls().unique().to_list() == [order_id]


def test_nothing_is_converted_twice_and_what_the_order_lacks_is_invoiced_beside_it() -> None:
    first = night(traded())
    there = after(first, "accepted", key="Sales Order-UW1")
    grown = LINES.replace("| 3        | 1000      | 90 ", "| 4        | 1500      | 135")
    more = ORDER.replace("5000        | 500            | 450       | 5950", "5500        | 500            | 495       | 6495")  # fmt: skip
    parcels = TWO_PARCELS.replace("| s2           | l1       | 2 ", "| s2           | l1       | 3 ")
    part = traded(more, "\n".join(parcels.splitlines()[:4]), grown)
    before = night(part, there, lines=grown)
    done = night(traded(more, parcels, grown), after(before, "accepted", there, key="7"), lines=grown)
    assert kinds(done)[0][:2] == ("invoice", "UW1-2")
    three = done.lines.filter(pl.col("quantity") == 3)
    assert three["converts_id"].to_list() == [None], "one of three was invoiced, two are left, three are not"


def test_an_order_that_cannot_be_planned_keeps_its_invoices_back_too() -> None:
    done = night(traded(shipments=TWO_PARCELS), policy=replace(TERMS_OF, order_entry=replace(TERMS, price_decimals=2)))  # fmt: skip
    assert kinds(done) == []
    assert sorted(shown(done.unplanned, "kind_code", "reason_code")) == [
        ("invoice", "order_entry_order"),
        ("invoice", "order_entry_price"),
        ("sales_order", "order_entry_price"),
    ]


def test_sales_sent_before_orders_were_posted_and_orders_from_before_go_live_have_no_sales_order() -> None:
    _, found = traded(shipments=TWO_PARCELS)
    before = planned(found, mappings=SOLD, policy=TERMS_OF)
    again = night(traded(shipments=TWO_PARCELS), after(before, "accepted", key="7"))
    assert kinds(again) == []
    assert set(again.unplanned["kind_code"]) == {"invoice"}
    late = night(traded(shipments=TWO_PARCELS), policy=replace(TERMS_OF, posting_starts_on=date(2026, 10, 2)))
    assert [kind for kind, *_ in kinds(late)] == ["invoice", "invoice"]
    assert late.lines["converts_id"].drop_nulls().is_empty()
    assert late.unplanned.filter(kind_code="sales_order")["reason_code"].to_list() == ["before_go_live"]


def test_a_change_after_the_order_was_sent_leaves_it_and_a_planned_one_follows() -> None:
    first = night(traded())
    changed = ORDER.replace("open ", "processing ").replace("| 500            | 450       | 5950", "| 600            | 450       | 6050")  # fmt: skip
    lines = LINES.replace("| 500 ", "| 600 ")
    sent = night(traded(changed, lines=lines), after(first, "accepted", key="Sales Order-UW1"), lines=lines)
    assert kinds(sent) == []
    assert shown(sent.unplanned, "kind_code", "reason_code") == [("sales_order", "already_in_intacct")]
    waiting = night(traded(changed, lines=lines), after(first, "planned"), lines=lines)
    assert kinds(waiting) == [("sales_order", "UW1", 6050)]
    assert waiting.alive["document_id"].to_list().count(first.documents.filter(kind_code="sales_order")["document_id"][0]) == 1  # fmt: skip


CANCELLED = "order_ref | changed_on | is_cancelled\nA | 2026-10-20 | yes"


def closed(there: Existing, when: Literal["all", "unconverted", "none"] = "all", done: Plan | None = None) -> pl.DataFrame:  # fmt: skip
    changes = table(CANCELLED).with_columns(storefront=pl.lit("shop"))
    lines = (done or night(traded())).lines.clear() if done is None else done.lines
    return sales_orders.closures(there, changes, lines, TERMS_OF, when, run_id="r", planned_at=NOW).documents


def test_a_cancelled_order_is_closed_once_while_anything_of_it_is_left() -> None:
    first = night(traded())
    there = after(first, "accepted", key="Sales Order-UW1")
    found = closed(there)
    assert shown(found, "kind_code", "reference", "document_on", "total_minor") == [("order_closure", "Sales Order-UW1", date(2026, 10, 20), 0)]  # fmt: skip
    assert closed(after(first, "planned")).is_empty(), "what was not sent is taken back, not closed"
    assert closed(there, "none").is_empty()
    again = Plan(found, first.lines.clear(), first.unplanned, first.rounded, first.found, first.orders.clear(), first.alive)  # fmt: skip
    assert closed(after(again, "planned", there)).is_empty()


def test_a_part_that_is_invoiced_is_waited_for_and_a_whole_one_is_never_closed() -> None:
    there = after(night(traded()), "accepted", key="Sales Order-UW1")
    parts = night(traded(shipments="\n".join(TWO_PARCELS.splitlines()[:4])), there)
    assert closed(there, done=parts).is_empty(), "its invoice is planned in the same night"
    assert closed(after(parts, "sending", there)).is_empty(), "its invoice is on its way"
    invoiced = after(parts, "accepted", there, key="7")
    assert closed(invoiced).height == 1
    assert closed(invoiced, "unconverted").is_empty()
    rest = night(traded(shipments=TWO_PARCELS), there)
    assert closed(after(rest, "accepted", there, key="7")).is_empty()
