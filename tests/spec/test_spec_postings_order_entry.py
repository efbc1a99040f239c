"""The rule book of planning: sales of stores that post through order entry, as items, prices and subtotals of a sales document."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import cache

import polars as pl
import pytest
import trade
from drawn import shown
from hypothesis import given, settings
from hypothesis import strategies as st
from planning import MAPPINGS, POLICY, after, planned

from tieout.money import to_decimal
from transforms.postings.order_entry import OrderEntry, sales_lines
from transforms.postings.planned import Plan

TERMS = OrderEntry(
    definition="Sales Invoice",
    items={"shipping": "FREIGHT"},
    subtotals={"tax": "Sales Tax", "discount": "Discount", "rounding": "Rounding"},
    warehouses={"100": "WH-US"},
)
SOLD = MAPPINGS._replace(stores=trade.STORES.with_columns(posting_code=pl.lit("order_entry")))
ORDER = """
    order_ref | order_number | customer_ref | placed_at        | shipped_at       | goods_minor | discount_minor | shipping_minor | tax_minor | total_minor
    A         | W1           | u1           | 2026-10-01 09:00 | 2026-10-02 12:00 | 3000        | -100           | 500            | 212       | 3612
"""
LINES = """
    order_ref | line_ref | kind_code | sku   | quantity | net_minor | tax_minor | discount_minor | tax_code
    A         | l1       | item      | MUG-1 | 3        | 1000      | 212       | 0              | NY
    A         | l2       | item      | TEE-1 | 0.5      | 2000      | 0         | -100           | -
    A         | l3       | shipping  | -     | 1        | 500       | 0         | 0              | -
"""
COLUMNS = (
    "component_code",
    "item_ref",
    "quantity",
    "unit_price",
    "warehouse_code",
    "subtotal_name",
    "amount_minor",
)


@cache
def traded(shipping: int = 500) -> trade.Owed:
    order = ORDER.replace("| 500            | 212       | 3612", f"| {shipping} | 212 | {3112 + shipping}")
    return trade.recognised(trade.orders(order), trade.lines(LINES.replace("| 500 ", f"| {shipping} ")))


def sold(terms: OrderEntry = TERMS, **more: object) -> Plan:
    return planned(traded(), mappings=SOLD, policy=replace(POLICY, order_entry=terms), **more)  # type: ignore[arg-type]


def test_a_sale_is_one_sales_document_whose_lines_are_items_and_subtotals() -> None:
    done = sold()
    assert shown(done.documents, "kind_code", "number", "total_minor") == [
        ("customer", "C10011", 0),
        ("invoice", "UW1", 3612),
    ]
    assert json.loads(done.documents.filter(kind_code="invoice")["details"][0]) == {
        "definition": "Sales Invoice"
    }
    assert done.lines.select(COLUMNS).rows() == [
        ("goods", "MUG-1", Decimal("3.0000"), Decimal("3.333333333300"), "WH-US", None, 1000),
        ("discount", None, None, None, None, "Discount", -100),
        ("goods", "TEE-1", Decimal("0.5000"), Decimal("40.000000000000"), "WH-US", None, 2000),
        ("shipping", "FREIGHT", Decimal("1.0000"), Decimal("5.000000000000"), "WH-US", None, 500),
        ("tax", None, None, None, None, "Sales Tax", 212),
    ]  # fmt: skip


def test_other_stores_and_documents_planned_before_keep_their_form_and_their_hash() -> None:
    plain = planned(traded(), policy=replace(POLICY, order_entry=TERMS))
    assert plain.documents.filter(kind_code="invoice")["details"].to_list() == [None]
    assert plain.lines.select(pl.col("item_ref", "quantity", "unit_price", "warehouse_code", "subtotal_name").is_not_null().any()).row(0) == (False,) * 5  # fmt: skip
    assert (
        plain.documents["content_sha256"].to_list() == planned(traded()).documents["content_sha256"].to_list()
    )
    assert sold().documents.filter(kind_code="invoice")["content_sha256"].to_list() != plain.documents.filter(kind_code="invoice")["content_sha256"].to_list()  # fmt: skip


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        (replace(TERMS, definition=""), "order_entry_undefined"),
        (replace(TERMS, items={}), "order_entry_unmapped"),
        (replace(TERMS, subtotals={"tax": "Sales Tax"}), "order_entry_unmapped"),
        (replace(TERMS, price_decimals=2), "order_entry_price"),
        (replace(TERMS, price_decimals=4), None),
    ],
)
def test_a_sale_that_cannot_be_said_to_the_cent_waits_with_its_reason(
    terms: OrderEntry, reason: str | None
) -> None:
    done = sold(terms)
    assert done.unplanned["reason_code"].to_list() == ([reason] if reason else [])
    assert done.documents.filter(kind_code="invoice").height == (0 if reason else 1)


def test_an_item_without_a_mapping_of_its_own_cannot_be_sold() -> None:
    without = SOLD._replace(
        items=SOLD.items.with_columns(mode=pl.lit("ignore"), item_ref=pl.lit(None, dtype=pl.String))
    )
    done = planned(traded(), mappings=without, policy=replace(POLICY, order_entry=TERMS))
    assert done.unplanned["reason_code"].to_list() == ["order_entry_unmapped"]


def test_what_changed_after_it_was_sold_is_a_further_ar_invoice_for_the_difference() -> None:
    there = after(sold(), "accepted", key="77")
    done = planned(
        traded(600), there, mappings=SOLD, policy=replace(POLICY, order_entry=TERMS),
        changes="order_ref | changed_on | is_cancelled\nA | 2026-10-20 | no",
    )  # fmt: skip
    assert shown(done.documents, "kind_code", "number", "document_on", "total_minor", "details") == [("invoice", "UW1-R2", date(2026, 10, 20), 100, None)]  # fmt: skip
    assert done.lines.select("component_code", "amount_minor", "item_ref", "quantity").rows() == [("shipping", 100, None, None)]  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(-(10**9), 10**9), st.integers(1, 10**8)), min_size=1, max_size=20),
    st.sampled_from(["USD", "JPY", "KWD"]),
    st.integers(0, 12),
)
def test_a_price_is_exact_or_said_not_to_be(
    rows: list[tuple[int, int]], currency: str, decimals: int
) -> None:
    step = 10 if currency == "KWD" else 1
    drawn = pl.DataFrame(
        {
            "document_id": [f"D{n}" for n in range(len(rows))],
            "line_no": [1] * len(rows),
            "component_code": ["goods"] * len(rows),
            "item_ref": ["X"] * len(rows),
            "amount_minor": [amount * step for amount, _ in rows],
            "quantity": pl.Series(
                [Decimal(pieces).scaleb(-4) for _, pieces in rows], dtype=pl.Decimal(18, 4)
            ),
            "tax_detail_code": pl.Series([None] * len(rows), dtype=pl.String),
            "location_code": ["100"] * len(rows),
            "line_ref": [f"l{n}" for n in range(len(rows))],
        }
    )
    papers = drawn.select(
        "document_id", currency=pl.lit(currency), step=pl.lit(step, dtype=pl.Int64), posting_code=pl.lit("order_entry"), kind_code=pl.lit("invoice"), event_code=pl.lit("sale"), revision=pl.lit(1),
    )  # fmt: skip
    lines, reasons = sales_lines(drawn, papers, replace(TERMS, price_decimals=decimals))
    inexact = set(reasons["document_id"].to_list())
    for one in lines.iter_rows(named=True):
        price, amount = one["unit_price"], to_decimal(one["amount_minor"], currency)
        assert price == round(price, decimals), "no more decimals than Intacct keeps"
        assert (price >= 0) == (amount >= 0) or price == 0
        unit = to_decimal(step, currency)
        came = (abs(one["quantity"] * price) / unit + Decimal("0.5")) // 1 * unit
        assert (came == abs(amount)) == (one["document_id"] not in inexact)
