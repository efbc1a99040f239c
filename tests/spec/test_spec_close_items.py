"""Open items, drawn: what is open at the end of September, what it was at its start, and the movement between."""

from __future__ import annotations

from functools import cache

import polars as pl
import pytest
from drawn import table
from reconcile_tables import SEPTEMBER, drawn_inputs

from transforms.closing import items, statement
from transforms.closing.translation import RATES
from transforms.reconcile import Period, Policy, reconcile

NO_RATES = pl.DataFrame(schema=RATES)


@cache
def books_of(drawing: tuple[tuple[str, str], ...]) -> statement.Books:
    """What drawn tables come to in September, worked out once for all who draw the same."""
    return statement.books(drawn_inputs(dict(drawing)), Policy(period=SEPTEMBER))


def register(tables: dict[str, str], last: pl.DataFrame | None = None) -> pl.DataFrame:
    """The register of the US entity for September."""
    return closed(tables, last)["register"]


def closed(tables: dict[str, str], last: pl.DataFrame | None = None) -> dict[str, pl.DataFrame]:
    kept = books_of(tuple(tables.items()))
    found = statement.statement(kept, entity="E100", base_currency="USD", last_register=last, rates=NO_RATES)
    off = found["proofs"].filter(pl.col("difference_minor") != 0)
    assert off.is_empty(), off.to_dicts()
    return found


CASES = {
    "an order invoiced in the month after is open at the end, and its clearing is proved": (
        {
            "orders": "order_ref | total_minor\nA | 10000",
            "owed": "order_ref | owed_on | total_minor\nA | 2026-09-30 | 10000",
            "ar_invoices": "invoice_ref | invoice_number | reference | posted_on | total_minor\n1 | UA | A | 2026-10-01 | 10000",
        },
        """
        kind_code | order_number | outcome_code | state_code | opening_minor | new_minor | cleared_minor | closing_minor | cleared_on
        order     | A            | cut_off      | new        | 0             | 10000     | 0             | 10000         | 2026-10-01
        """,
    ),
    "an order of August invoiced in September is cleared in September": (
        {
            "orders": "order_ref | total_minor\nA | 10000",
            "owed": "order_ref | owed_on | total_minor\nA | 2026-08-30 | 10000",
            "ar_invoices": "invoice_ref | invoice_number | reference | posted_on | total_minor\n1 | UA | A | 2026-09-01 | 10000",
            "ar_receipts": "receipt_ref | reference | received_on | total_minor\n9 | none | 2026-09-02 | 10000",
            "ar_applications": "application_ref | receipt_ref | invoice_ref | amount_minor | applied_on\na | 9 | 1 | 10000 | 2026-09-02",
        },
        """
        kind_code | order_number | outcome_code            | state_code | opening_minor | new_minor | cleared_minor | closing_minor | cleared_on
        order     | A            | cut_off                 | cleared    | 10000         | 0         | -10000        | 0             | 2026-09-01
        payment   | -            | receipt_without_payment | new        | 0             | -10000    | 0             | -10000        | -
        """,
    ),
    "a missing invoice of August is carried": (
        {"orders": "order_ref | total_minor\nA | 10000", "owed": "order_ref | owed_on | total_minor\nA | 2026-08-30 | 10000"},
        """
        kind_code | order_number | outcome_code    | state_code | opening_minor | new_minor | cleared_minor | closing_minor | cleared_on
        order     | A            | missing_invoice | carried    | 10000         | 0         | 0             | 10000         | -
        """,
    ),
    "an invoice nobody paid is open AR": (
        {
            "orders": "order_ref | total_minor\nA | 10000",
            "owed": "order_ref | owed_on | total_minor\nA | 2026-09-10 | 10000",
            "ar_invoices": "invoice_ref | invoice_number | reference | posted_on | total_minor\n1 | UA | A | 2026-09-10 | 10000",
        },
        """
        kind_code | order_number | outcome_code | state_code | opening_minor | new_minor | cleared_minor | closing_minor | cleared_on
        document  | -            | -            | new        | 0             | 10000     | 0             | 10000         | -
        """,
    ),
    "a wrong customer has no amount and is open all the same": (
        {
            "orders": "order_ref | customer_ref | total_minor\nA | c9 | 10000",
            "owed": "order_ref | owed_on | total_minor\nA | 2026-09-10 | 10000",
            "customer_ids": "customer_ref | customer_id\nc9 | C9",
            "ar_invoices": "invoice_ref | invoice_number | reference | customer_id | posted_on | total_minor\n1 | UA | A | OTHER | 2026-09-10 | 10000",
            "ar_receipts": "receipt_ref | reference | received_on | total_minor\n9 | none | 2026-09-12 | 10000",
            "ar_applications": "application_ref | receipt_ref | invoice_ref | amount_minor | applied_on\na | 9 | 1 | 10000 | 2026-09-12",
        },
        """
        kind_code | order_number | outcome_code            | state_code | opening_minor | new_minor | cleared_minor | closing_minor | cleared_on
        order     | A            | customer                | new        | 0             | 0         | 0             | 0             | -
        payment   | -            | receipt_without_payment | new        | 0             | -10000    | 0             | -10000        | -
        """,
    ),
    "what lies wholly in October is not September's": (
        {
            "orders": "order_ref | placed_at | total_minor\nA | 2026-10-02 12:00 | 10000",
            "owed": "order_ref | owed_on | total_minor\nA | 2026-10-02 | 10000",
        },
        "kind_code | order_number | outcome_code | state_code | opening_minor | new_minor | cleared_minor | closing_minor | cleared_on",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_register_of_september(name: str) -> None:
    tables, expected = CASES[name]
    drawn = table(expected)
    found = register(tables).select(drawn.columns)
    assert (
        found.sort(drawn.columns, nulls_last=True).rows() == drawn.sort(drawn.columns, nulls_last=True).rows()
    )


TWO = {
    "orders": "order_ref | total_minor\nA | 10000\nB | 3000",
    "owed": "order_ref | owed_on | total_minor\nA | 2026-08-30 | 10000\nB | 2026-09-03 | 3000",
}


def test_the_opening_is_the_last_closing_and_what_was_dated_back_is_named_apart() -> None:
    """August closed with A open for 120.00; today's data say 100.00 of the same day. The 20.00 are not September's movement."""
    last = (
        register(TWO)
        .filter(pl.col("order_number") == "A")
        .with_columns(closing_minor=pl.lit(12_000, pl.Int64), first_period=pl.lit("2026-08"))
    )
    found = register(TWO, last)
    row = found.filter(pl.col("order_number") == "A").row(0, named=True)
    assert (row["opening_minor"], row["restated_minor"], row["changed_minor"], row["closing_minor"]) == (
        12_000,
        -2_000,
        0,
        10_000,
    )
    assert row["first_period"] == "2026-08"
    assert items.restated(found)["order_number"].to_list() == ["A"]


def test_an_item_that_was_dated_back_into_a_closed_month_is_restated_not_new() -> None:
    nothing = register(TWO).clear()
    found = register(TWO, nothing)
    row = found.filter(pl.col("order_number") == "A").row(0, named=True)
    assert (row["opening_minor"], row["restated_minor"], row["new_minor"], row["closing_minor"]) == (
        0,
        10_000,
        0,
        10_000,
    )
    fresh = found.filter(pl.col("order_number") == "B").row(0, named=True)
    assert (fresh["restated_minor"], fresh["new_minor"]) == (0, 3_000)


def test_an_item_of_the_last_close_that_is_gone_without_a_trace_is_still_told() -> None:
    last = (
        register(TWO)
        .with_columns(
            order_number=pl.lit("GONE"), item_id=pl.lit("XXXXXXXXXXXX"), closing_minor=pl.lit(500, pl.Int64)
        )
        .head(1)
    )
    row = register(TWO, last).filter(pl.col("item_id") == "XXXXXXXXXXXX").row(0, named=True)
    assert (row["opening_minor"], row["restated_minor"], row["closing_minor"], row["state_code"]) == (
        500,
        -500,
        0,
        "cleared",
    )


def test_an_item_keeps_its_id_whatever_its_amount_or_outcome() -> None:
    before = register(TWO)
    partly = {
        **TWO,
        "ar_invoices": "invoice_ref | invoice_number | reference | posted_on | total_minor\n1 | UA | A | 2026-09-01 | 4000",
    }
    after = register(partly)
    ids = [frame.filter(pl.col("order_number") == "A")["item_id"].to_list() for frame in (before, after)]
    assert ids[0] == ids[1]


def test_the_roll_forward_counts_and_sums_the_register() -> None:
    rolled = closed(TWO)["roll_forward"].to_dicts()
    assert rolled == [
        {
            "kind_code": "order", "entity_code": "E100", "currency": "USD", "opening_count": 1, "restated_count": 0, "new_count": 1, "cleared_count": 0,
            "closing_count": 2, "opening_minor": 10_000, "restated_minor": 0, "new_minor": 3_000, "cleared_minor": 0, "changed_minor": 0,
            "closing_minor": 13_000,
        }
    ]  # fmt: skip


def test_what_is_dated_back_is_counted_beside_the_last_closing() -> None:
    """The last close knew of order B alone; order A of August came to light since, and was invoiced in September."""
    august = {
        "orders": "order_ref | total_minor\nA | 10000\nB | 500",
        "owed": "order_ref | owed_on | total_minor\nA | 2026-08-30 | 10000\nB | 2026-08-30 | 500",
    }
    last = register(august).filter(pl.col("order_number") == "B")
    now = {
        **august,
        "ar_invoices": "invoice_ref | invoice_number | reference | posted_on | total_minor\n1 | UA | A | 2026-09-01 | 10000",
    }
    (orders,) = [one for one in closed(now, last)["roll_forward"].to_dicts() if one["kind_code"] == "order"]
    counts = {name: value for name, value in orders.items() if name.endswith("_count")}
    assert counts == {
        "opening_count": 1,
        "restated_count": 1,
        "new_count": 0,
        "cleared_count": 1,
        "closing_count": 1,
    }
    assert (orders["opening_minor"], orders["restated_minor"], orders["cleared_minor"]) == (
        500,
        10_000,
        -10_000,
    )


def test_an_item_that_is_missing_from_the_register_does_not_foot() -> None:
    tables = {
        "orders": "order_ref | total_minor\nA | 10000",
        "owed": "order_ref | owed_on | total_minor\nA | 2026-09-10 | 10000",
    }
    kept = books_of(tuple(tables.items()))
    rows, none = kept.to_end, register(tables).clear()
    found = items.proofs(none, rows.orders, rows.payments, rows.ageing, None)
    off = found.filter(pl.col("difference_minor") != 0)
    assert "number of order items: the closing is the rows that are open" in off["name"].to_list()


def test_amounts_of_ten_to_the_fifteen_roll_without_losing_a_cent() -> None:
    big = 10**15 + 1
    tables = {
        "orders": f"order_ref | total_minor\nA | {big}",
        "owed": f"order_ref | owed_on | total_minor\nA | 2026-09-10 | {big}",
    }
    assert register(tables)["closing_minor"].to_list() == [big]


def test_what_the_period_is_made_of_adds_up_on_both_sides() -> None:
    """One sale with discount, shipping and tax, invoiced with a tax of 0.10 too little; a credit of 10.00; a line on no known account."""
    tables = {
        "orders": "order_ref | total_minor\nA | 10000",
        "owed": """
            order_ref | event_code | event_ref | owed_on    | goods_minor | discount_minor | shipping_minor | tax_minor | total_minor
            A         | sale       | s1        | 2026-09-10 | 9000        | -500           | 700            | 800       | 10000
            A         | credit     | r1        | 2026-09-20 | -1000       | 0              | 0              | 0         | -1000
            A         | sale       | s2        | 2026-10-02 | 77          | 0              | 0              | 0         | 77
        """,
        "ar_invoices": "invoice_ref | invoice_number | reference | posted_on | goods_minor | discount_minor | shipping_minor | tax_minor | total_minor\n1 | UA | A | 2026-09-10 | 9000 | -500 | 700 | 790 | 9990",
        "ar_lines": "document_kind | document_ref | component_code | amount_minor\ninvoice | 1 | goods | 9000\ninvoice | 1 | discount | -500\ninvoice | 1 | shipping | 700\ninvoice | 1 | tax | 700",
    }
    found = (
        closed(tables)["components"]
        .select("component_code", "sales_minor", "credits_minor", "invoiced_minor", "delta_minor")
        .rows()
    )
    assert found == [
        ("goods", 9000, -1000, 9000, -1000), ("discount", -500, 0, -500, 0), ("shipping", 700, 0, 700, 0), ("tax", 800, 0, 700, 100),
        ("unlined", 0, 0, 90, -90),
    ]  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_pairs_judged_as_of_a_day_are_the_whole_reconciliation_to_that_day(name: str) -> None:
    inputs, policy = drawn_inputs(CASES[name][0]), Policy(period=SEPTEMBER)
    kept = books_of(tuple(CASES[name][0].items()))
    for found, day in ((kept.to_end, SEPTEMBER.end_on), (kept.to_start, SEPTEMBER.start_on)):
        until = Policy(period=Period("until", items.BEGINNING, day))
        whole = reconcile(inputs, until)
        for table_ in ("orders", "payments", "ageing"):
            assert getattr(found, table_).equals(getattr(whole, table_)), table_
    assert kept.period.orders.equals(reconcile(inputs, policy).orders)
