"""The rule book of planning: returns and taxes through order entry."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
import trade
from drawn import drawn, shown
from planning import MAPPINGS, POLICY, planned

from checks.contracts import ALL
from transforms.postings.order_entry import OrderEntry
from transforms.postings.planned import Plan

TERMS = OrderEntry(
    definition="Sales Invoice",
    return_definition="Sales Return",
    items={"shipping": "FREIGHT", "other": "ALLOWANCE"},
    subtotals={"tax": "Sales Tax", "discount": "Discount", "rounding": "Rounding"},
)
SOLD = MAPPINGS._replace(stores=trade.STORES.with_columns(posting_code=pl.lit("order_entry")))
ENTERED = SOLD._replace(
    taxes=drawn(
        ALL["mappings.taxes"],
        "storefront | tax_code | mode | tax_detail | tax_solution\n* | * | map | VAT 19 | Germany - VAT",
    )
)
ORDER = """
    order_ref | order_number | customer_ref | placed_at        | shipped_at       | goods_minor | shipping_minor | tax_minor | total_minor
    A         | W1           | u1           | 2026-10-01 09:00 | 2026-10-02 12:00 | 3000        | 500            | 350       | 3850
"""
LINES = """
    order_ref | line_ref | kind_code | sku   | quantity | net_minor | tax_minor | discount_minor | tax_code
    A         | l1       | item      | MUG-1 | 3        | 3000      | 300       | 0              | NY
    A         | l2       | shipping  | -     | 1        | 500       | 50        | 0              | NY
"""
SOME_CAME_BACK = (
    "order_ref | return_ref | line_ref | quantity | returned_at\nA | r1 | l1 | 2 | 2026-10-10 09:00"
)


def sold(
    refund_minor: int = 0, terms: OrderEntry = TERMS, mappings: Any = SOLD, returned: str = SOME_CAME_BACK
) -> Plan:
    money = f"payment_ref | transaction_ref | order_ref | kind_code | amount_minor | occurred_at\np1 | t1 | A | charge | 3850 | 2026-10-01 09:00\np1 | t2 | A | refund | {refund_minor} | 2026-10-11 09:00"
    rows = money if refund_minor else "\n".join(money.splitlines()[:2])
    found = trade.recognised(
        trade.orders(ORDER), trade.lines(LINES), None, trade.charges(rows), trade.of("core.returns", returned)
    )
    return planned(found, mappings=mappings, policy=replace(POLICY, order_entry=terms))


def credit(done: Plan) -> tuple[Any, pl.DataFrame]:
    memo = done.documents.filter(kind_code="credit_memo")
    lines = done.lines.join(memo.select("document_id"), on="document_id").sort("line_no")
    return memo, lines.select("component_code", "item_ref", "quantity", "unit_price", "subtotal_name", "amount_minor")  # fmt: skip


def test_what_came_back_is_a_return_of_items_with_their_quantity() -> None:
    memo, lines = credit(sold(2200))
    assert shown(memo, "number", "total_minor") == [("CMW1", -2200)]
    assert (memo["due_on"].null_count(), json.loads(memo["details"][0])) == (0, {"definition": "Sales Return", "is_negative": False})  # fmt: skip
    assert lines.rows() == [
        ("goods", "MUG-1", Decimal("2.0000"), Decimal("-10.000000000000"), None, -2000),
        ("tax", None, None, None, "Sales Tax", -200),
    ]


def test_all_that_is_given_back_at_once_has_the_quantities_that_were_sold() -> None:
    _, lines = credit(sold(3850, returned=SOME_CAME_BACK.splitlines()[0]))
    assert lines.rows()[0] == ("goods", "MUG-1", Decimal("3.0000"), Decimal("-10.000000000000"), None, -3000)


def test_what_is_given_back_without_a_return_is_the_item_of_other_or_waits() -> None:
    _, lines = credit(sold(1000, returned=SOME_CAME_BACK.splitlines()[0]))
    assert lines.rows() == [("other", "ALLOWANCE", Decimal("1.0000"), Decimal("-10.000000000000"), None, -1000)]  # fmt: skip
    unnamed = sold(1000, replace(TERMS, items={"shipping": "FREIGHT"}), returned=SOME_CAME_BACK.splitlines()[0])  # fmt: skip
    assert shown(unnamed.unplanned.filter(pl.col("kind_code") == "credit_memo"), "reason_code") == [("order_entry_unmapped",)]  # fmt: skip


def test_without_a_definition_of_returns_credits_are_ar_credit_memos() -> None:
    memo, lines = credit(sold(2200, replace(TERMS, return_definition="")))
    assert memo["details"].to_list() == [None]
    assert lines["quantity"].null_count() == lines.height


def test_a_tax_with_a_tax_detail_is_an_entry_of_the_item_it_follows() -> None:
    done = sold(mappings=ENTERED)
    mine = done.lines.join(done.documents.filter(kind_code="invoice").select("document_id"), on="document_id").sort("line_no")  # fmt: skip
    assert mine.select("component_code", "item_ref", "tax_detail_code", "subtotal_name", "amount_minor").rows() == [
        ("goods", "MUG-1", None, None, 3000),
        ("tax", None, "VAT 19", None, 300),
        ("shipping", "FREIGHT", None, None, 500),
        ("tax", None, "VAT 19", None, 50),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("part", "reason"), [("items", None), ("subtotals", "order_entry_tax"), ("nothing", "order_entry_unmapped")]
)  # fmt: skip
def test_only_an_item_carries_a_tax_entry(part: str, reason: str | None) -> None:
    named = {"shipping": "FREIGHT"}
    terms = replace(TERMS, items=named if part == "items" else {}, subtotals=named if part == "subtotals" else {})  # fmt: skip
    assert sold(terms=terms, mappings=ENTERED).unplanned.filter(kind_code="invoice")["reason_code"].to_list() == ([reason] if reason else [])  # fmt: skip
