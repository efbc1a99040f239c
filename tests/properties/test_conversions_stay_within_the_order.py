"""However an order is shipped and over however many nights, invoices convert no more of a sales order than was ordered, and all of it in the end."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import polars as pl
import trade
from hypothesis import given, settings
from hypothesis import strategies as st
from planning import MAPPINGS, POLICY, after, nothing, planned

from transforms.postings import sales_orders
from transforms.postings.order_entry import OrderEntry

STORES = trade.STORES.with_columns(posting_code=pl.lit("order_entry"))
TERMS = replace(POLICY, order_entry=OrderEntry(definition="Sales Invoice", order_definition="Sales Order"))


@settings(deadline=None, max_examples=12)
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=3),
    st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=1, max_size=5),
    st.sets(st.integers(0, 4)),
)
def test_conversions_sum_to_what_was_ordered_and_never_beyond(
    ordered: list[int], parcels: list[list[int]], nights: set[int]
) -> None:
    # Prices that divide evenly, so that no sale waits for its price.
    total = sum(600 * pieces for pieces in ordered)
    orders = trade.orders(
        f"order_ref | order_number | customer_ref | status_code | placed_at | goods_minor | total_minor\nA | W1 | u1 | open | 2026-10-01 09:00 | {total} | {total}"
    )
    head = "order_ref | line_ref | kind_code | sku | quantity | net_minor | tax_minor | discount_minor | tax_code"
    lines = trade.lines("\n".join([head, *(f"A | l{n} | item | MUG-1 | {pieces} | {600 * pieces} | 0 | 0 | -" for n, pieces in enumerate(ordered))]))  # fmt: skip
    left, rows = list(ordered), []
    for at, parcel in enumerate([*parcels, [9, 9, 9]]):
        for n, wanted in enumerate(parcel[: len(ordered)]):
            sent = min(wanted, left[n])
            left[n] -= sent
            if sent:
                rows.append(f"A | s{at} | l{n} | {sent} | 2026-10-{at + 2:02} 12:00")
    there, last = nothing(), len(parcels)
    for at in range(last + 1):
        if at != last and at not in nights:
            continue
        known = [row for row in rows if int(row.split("|")[1].strip()[1:]) <= at]
        shipped = trade.of("core.shipments", "\n".join(["order_ref | shipment_ref | line_ref | quantity | shipped_at", *known])) if known else None  # fmt: skip
        found = trade.recognised(orders, lines, shipped)
        order = sales_orders.ordered(
            orders, lines, STORES, found.owed, there, trade.POLICY, "placed",
            events=[trade.empty(f"core.{name}") for name in ("shipments", "payments", "order_payments", "returns")],
        )  # fmt: skip
        done = planned(found, there, mappings=MAPPINGS._replace(stores=STORES), policy=TERMS, ordered=order)
        there = after(done, "accepted", there, key="7")
        taken = there.lines.drop_nulls("converts_id").group_by("order_line_ref").agg(pl.col("quantity").sum())
        for ref, quantity in taken.iter_rows():
            assert quantity <= ordered[int(ref[1:])]
    assert dict(taken.iter_rows()) == {f"l{n}": Decimal(pieces) for n, pieces in enumerate(ordered)}
    assert there.documents.filter(kind_code="sales_order").height == 1
    sold = there.lines.join(there.documents.filter(kind_code="invoice").select("document_id"), on="document_id")  # fmt: skip
    assert sold["amount_minor"].sum() == total
