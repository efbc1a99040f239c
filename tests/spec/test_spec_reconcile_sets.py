"""Sets that add up, and documents that stand twice: proposed and suspected, never accepted or reversed by themselves."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reconcile_tables import Case, assert_rows, run

from transforms.reconcile.covering import smallest_sets
from transforms.reconcile.drafts import Journals, drafts

NAMED = "storefront | customer_ref | customer_id\nshop | c1 | K1"
ORDER = {
    "orders": "order_ref | customer_ref | total_minor\nW1 | c1 | 10000",
    "owed": "order_ref | total_minor\nW1 | 10000",
    "customer_ids": NAMED,
}


def _loose(rows: str) -> str:
    return "invoice_ref | invoice_number | reference | customer_id | total_minor\n" + rows


CASES = [
    Case("missing_invoice", "Two documents that add up", "Several open documents of the customer are together the order; they are proposed.",
         {**ORDER, "ar_invoices": _loose("1 | X1 | - | K1 | 4000\n2 | X2 | - | K1 | 6000\n3 | X3 | - | K1 | 5500")},
         "group_ref | proposal\nshop:W1 | Possible invoices that add up to it: X1 (40.00 USD) + X2 (60.00 USD). Not accepted by themselves."),
    Case("missing_invoice", "Two sets fit equally well", "Both are told and none is preferred.",
         {**ORDER, "ar_invoices": _loose("1 | X1 | - | K1 | 4000\n2 | X2 | - | K1 | 6000\n3 | X3 | - | K1 | 3000\n4 | X4 | - | K1 | 7000")},
         "group_ref | proposal\nshop:W1 | Several sets of invoices add up to it equally well: X1 (40.00 USD) + X2 (60.00 USD); or X3 (30.00 USD) + X4 (70.00 USD). None is preferred."),
    Case("missing_invoice", "Another customer's documents are no candidates", "Sets are looked for within one customer.",
         {**ORDER, "ar_invoices": _loose("1 | X1 | - | K1 | 4000\n2 | X2 | - | K9 | 6000")},
         "group_ref | proposal\nshop:W1 | -"),
    Case("missing_invoice", "Too far apart in time", "Documents further off than the stated days are no candidates.",
         {**ORDER, "ar_invoices": "invoice_ref | invoice_number | reference | customer_id | total_minor | posted_on\n1 | X1 | - | K1 | 4000 | 2026-09-10\n2 | X2 | - | K1 | 6000 | 2026-11-10"},
         "group_ref | proposal\nshop:W1 | -"),
    Case("missing_order", "One document for two orders", "Seen from the document: two open orders are together its amount.",
         {"orders": "order_ref | customer_ref | total_minor\nW1 | c1 | 4000\nW2 | c1 | 6000", "owed": "order_ref | total_minor\nW1 | 4000\nW2 | 6000", "customer_ids": NAMED,
          "ar_invoices": _loose("1 | X1 | - | K1 | 10000\n2 | X2 | - | K1 | 123")},
         "group_ref | proposal\nintacct:invoice:1 | Possible orders that add up to it: W1 (40.00 USD) + W2 (60.00 USD). Not accepted by themselves."),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_set(case: Case) -> None:
    rows = run(case.tables).orders
    name, said = (cell.strip() for cell in case.expected.splitlines()[1].split("|"))
    row = rows.filter(pl.col("group_ref") == name).row(0, named=True)
    assert row["proposal"] == (None if said == "-" else said)
    assert row["outcome_code"] == case.code, "a proposal changes no outcome"


def test_none_is_tried_when_too_much_is_open() -> None:
    rows = "\n".join(f"{n} | X{n} | - | K1 | {n + 1}" for n in range(30))
    assert run({**ORDER, "ar_invoices": _loose(rows)}).orders.filter(pl.col("group_ref") == "shop:W1")["proposal"][0] is None  # fmt: skip


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 30), max_size=9), st.integers(1, 90))
def test_the_smallest_sets_are_those_of_trying_all(amounts: list[int], target: int) -> None:
    found = smallest_sets(amounts, target)
    if target in amounts:
        return  # one document alone is the amount: that is a proposal of its own
    tried: list[Any] = []
    for size in range(2, len(amounts) + 1):
        tried = [
            one for one in combinations(range(len(amounts)), size) if sum(amounts[k] for k in one) == target
        ]
        if tried:
            break
    assert set(found) <= set(tried)
    assert len(found) == min(len(tried), 8)


# --- summaries ---------------------------------------------------------------------------------------------------
TWO = {
    "orders": "order_ref | total_minor\nW1 | 4000\nW2 | 6000",
    "owed": "order_ref | total_minor\nW1 | 4000\nW2 | 6000",
}
DAILY = "invoice_ref | invoice_number | reference | total_minor\n1 | DAY-0910 | - | 10000"
LINES = "document_kind | document_ref | component_code | amount_minor | memo\n"
SUMMARIES = [
    Case("matched", "A summary whose lines name their orders", "Every line names one order: the document is all of theirs.",
         {**TWO, "ar_invoices": DAILY, "ar_lines": LINES + "invoice | 1 | goods | 4000 | card sales W1\ninvoice | 1 | goods | 6000 | card sales w-2"},
         "group_ref | order_number | expected_minor | actual_minor | outcome_code | pass_no\nshop:W1 | W1,W2 | 10000 | 10000 | matched | 3"),
    Case("amount_goods", "A summary that is short", "The group differs, and the line that is short can be found.",
         {**TWO, "ar_invoices": DAILY.replace("10000", "9000"), "ar_lines": LINES + "invoice | 1 | goods | 4000 | W1\ninvoice | 1 | goods | 5000 | W2"},
         "group_ref | outcome_code | delta_minor\nshop:W1 | amount_goods | 1000"),
    Case("missing_order", "A line that names no order", "Then the document is not guessed at.",
         {**TWO, "ar_invoices": DAILY, "ar_lines": LINES + "invoice | 1 | goods | 4000 | W1\ninvoice | 1 | goods | 6000 | the rest"},
         "group_ref | outcome_code\nshop:W1 | missing_invoice\nshop:W2 | missing_invoice\nintacct:invoice:1 | missing_order"),
    Case("missing_order", "A line that names two orders", "Which part is whose is not said, so the document is not guessed at.",
         {**TWO, "ar_invoices": DAILY, "ar_lines": LINES + "invoice | 1 | goods | 10000 | W1 and W2"},
         "group_ref | outcome_code\nshop:W1 | missing_invoice\nshop:W2 | missing_invoice\nintacct:invoice:1 | missing_order"),
    Case("matched", "A summary posted by this tool", "The crosswalk names every order behind the document.",
         {**TWO, "ar_invoices": DAILY,
          "crosswalk": "document_id | kind_code | order_ref | event_ref | intacct_key\nD1 | invoice | W1 | s1 | 1\nD1 | invoice | W2 | s1 | 1"},
         "group_ref | order_number | outcome_code | pass_no\nshop:W1 | W1,W2 | matched | 1"),
]  # fmt: skip


@pytest.mark.parametrize("case", SUMMARIES, ids=lambda case: case.title)
def test_summary(case: Case) -> None:
    rows = run(case.tables).orders
    assert_rows(rows, case.expected)
    assert case.code in rows["outcome_code"].to_list()


# --- which order of a summary ------------------------------------------------------------------------------------
PARTS = "document_id | kind_code | order_ref | event_ref | intacct_key | part_minor\nD1 | invoice | W1 | s1 | 1 | 4000\nD1 | invoice | W2 | s1 | 1 | 6000"
SPLITS = [
    Case("amount_goods", "One order of a summary changed", "The order that is owed other than its part is named; the document is as it was posted.",
         {**TWO, "owed": TWO["owed"].replace("6000", "6500"), "ar_invoices": DAILY, "crosswalk": PARTS},
         "Owed other than posted: W2 by 5.00 USD."),
    Case("amount_goods", "The document was changed in Intacct", "Every order still has its part, so the difference is the document's.",
         {**TWO, "ar_invoices": DAILY.replace("10000", "9300"), "crosswalk": PARTS},
         "Every order is owed just its part of what was posted. Intacct's documents differ from what was posted by -7.00 USD."),
    Case("amount_goods", "Both at once", "The two make up the difference: 5.00 and 1.00 owed more, 7.00 booked less.",
         {"orders": TWO["orders"].replace("6000", "6500"), "owed": TWO["owed"].replace("4000", "4100").replace("6000", "6500"),
          "ar_invoices": DAILY.replace("10000", "9300"), "crosswalk": PARTS},
         "Owed other than posted: W2 by 5.00 USD, W1 by 1.00 USD. Intacct's documents differ from what was posted by -7.00 USD."),
    Case("amount_goods", "An order is owed nothing any more", "Its whole part is too much.",
         {**TWO, "owed": "\n".join(TWO["owed"].splitlines()[:-1]), "ar_invoices": DAILY, "crosswalk": PARTS},
         "Owed other than posted: W2 by -60.00 USD."),
    Case("amount_goods", "Found by its number", "An edited document has a new record number; its parts are found by its own number.",
         {**TWO, "owed": TWO["owed"].replace("6000", "6500"), "ar_invoices": DAILY,
          "crosswalk": PARTS.replace("| 1 | 4000", "| DAY-0910 | 4000").replace("| 1 | 6000", "| DAY-0910 | 6000")},
         "Owed other than posted: W2 by 5.00 USD."),
    Case("amount_goods", "A document by hand stands beside it", "Of it nobody knows whose it is, so nothing is said of single orders.",
         {**TWO, "ar_invoices": DAILY + "\n2 | UW1-2 | W1 | 700", "crosswalk": PARTS}, ""),
    Case("amount_goods", "Parts that nobody kept", "A summary that is not this tool's is not split.",
         {**TWO, "ar_invoices": DAILY.replace("10000", "9300"), "crosswalk": PARTS.replace(" | part_minor", "").replace(" | 4000", "").replace(" | 6000", "")}, ""),
]  # fmt: skip


@pytest.mark.parametrize("case", SPLITS, ids=lambda case: case.title)
def test_a_difference_of_a_summary_names_its_orders(case: Case) -> None:
    (row,) = run(case.tables).orders.filter(pl.col("delta_minor") != 0).iter_rows(named=True)
    _, found, split = (
        row["evidence"].partition("Owed other than posted")
        if "Owed other" in row["evidence"]
        else row["evidence"].partition("Every order is owed")
    )
    assert found + split == case.expected


def test_of_many_orders_five_are_named() -> None:
    """The largest first, whichever way they are off; the others are counted."""
    numbers = range(1, 9)
    tables = {
        "orders": "order_ref | total_minor\n" + "\n".join(f"W{n} | 1000" for n in numbers),
        "owed": "order_ref | total_minor\n" + "\n".join(f"W{n} | {1000 + n * (-1) ** n}" for n in numbers),
        "ar_invoices": DAILY.replace("10000", "8000"),
        "crosswalk": "document_id | kind_code | order_ref | event_ref | intacct_key | part_minor\n"
        + "\n".join(f"D1 | invoice | W{n} | s1 | 1 | 1000" for n in numbers),
    }
    (row,) = run(tables).orders.iter_rows(named=True)
    assert row["evidence"].endswith(
        " Owed other than posted: W8 by 0.08 USD, W7 by -0.07 USD, W6 by 0.06 USD, W5 by -0.05 USD, W4 by 0.04 USD, and 3 more."
    )


# --- documents that stand twice ---------------------------------------------------------------------------------
TWICE = [
    Case("duplicate_invoice", "Same order, same amount", "As many repeats as the surplus is made of; the first is the one to keep.",
         {"orders": "order_ref\nW1", "owed": "order_ref\nW1", "ar_invoices": "invoice_ref | invoice_number | reference | posted_on\n1 | UW1 | W1 | 2026-09-10\n2 | UW1-B | W1 | 2026-09-11"},
         "cluster_ref | ledger_ref | is_original | basis_code\ninvoice:1 | invoice:1 | yes | reference\ninvoice:1 | invoice:2 | no | reference"),
    Case("duplicate_invoice", "What this tool posted is kept", "Even where it is the younger one.",
         {"orders": "order_ref\nW1", "owed": "order_ref\nW1", "ar_invoices": "invoice_ref | invoice_number | reference | posted_on\n1 | UW1 | W1 | 2026-09-10\n2 | UW1-B | W1 | 2026-09-11",
          "crosswalk": "document_id | kind_code | order_ref | event_ref | intacct_key\nD1 | invoice | W1 | s1 | 2"},
         "cluster_ref | ledger_ref | is_original | basis_code\ninvoice:2 | invoice:2 | yes | reference\ninvoice:2 | invoice:1 | no | reference"),
    Case("missing_order", "Same customer, amount and date", "A document without an order beside one that has its order.",
         {"orders": "order_ref | customer_ref\nW1 | c1", "owed": "order_ref\nW1", "customer_ids": NAMED,
          "ar_invoices": "invoice_ref | invoice_number | reference | customer_id | posted_on\n1 | UW1 | W1 | K1 | 2026-09-10\n2 | HAND | - | K1 | 2026-09-12"},
         "cluster_ref | ledger_ref | is_original | basis_code\ninvoice:1 | invoice:1 | yes | cluster\ninvoice:1 | invoice:2 | no | cluster"),
    Case("missing_order", "Too many days apart", "Further apart than the stated days nothing is suspected.",
         {"orders": "order_ref | customer_ref\nW1 | c1", "owed": "order_ref\nW1", "customer_ids": NAMED,
          "ar_invoices": "invoice_ref | invoice_number | reference | customer_id | posted_on\n1 | UW1 | W1 | K1 | 2026-09-10\n2 | HAND | - | K1 | 2026-09-20"},
         "cluster_ref | ledger_ref | is_original | basis_code"),
    Case("matched", "Equal partial invoices that are owed", "Two equal shipments owe two equal invoices: nothing is suspected.",
         {"orders": "order_ref\nW1", "owed": "order_ref | event_ref | total_minor\nW1 | s1 | 5000\nW1 | s2 | 5000",
          "ar_invoices": "invoice_ref | invoice_number | reference | total_minor\n1 | UW1 | W1 | 5000\n2 | UW1-2 | W1 | 5000"},
         "cluster_ref | ledger_ref | is_original | basis_code"),
    Case("duplicate_receipt", "A receipt entered twice", "Receipts are looked at like documents.",
         {"orders": "order_ref\nW1", "owed": "order_ref\nW1", "ar_invoices": "invoice_ref | invoice_number | reference\n1 | UW1 | W1",
          "payments": "payment_ref | transaction_ref | order_ref | gateway_ref\np1 | t1 | W1 | G1", "ar_receipts": "receipt_ref | reference\n7 | G1\n8 | G1"},
         "cluster_ref | ledger_ref | is_original | basis_code\nreceipt:7 | receipt:7 | yes | reference\nreceipt:7 | receipt:8 | no | reference"),
]  # fmt: skip


@pytest.mark.parametrize("case", TWICE, ids=lambda case: case.title)
def test_suspects(case: Case) -> None:
    from drawn import table

    found = run(case.tables).suspects
    drawn = table(case.expected)
    assert found.select(drawn.columns).rows() == drawn.rows()


def test_a_suspect_drafts_a_reversal_and_nothing_more() -> None:
    result = run(TWICE[0].tables)
    from checks.contracts import ALL

    none = ALL["ops.decisions"].empty()
    rows = result.orders.select(pl.lit("orders").alias("tie_out"), "group_ref", "entity_code", "currency", "delta_minor", "decision_id")  # fmt: skip
    heads, lines = drafts(rows, none, result.suspects, Journals())
    assert heads.select("kind_code", "ledger_ref", "amount_minor", "state_code").rows() == [
        ("reversal", "invoice:2", 10000, "drafted")
    ]
    assert lines.is_empty()
    approved = none.clear().vstack(
        pl.DataFrame(
            [{"decision_id": "A1", "kind_code": "approve", "draft_id": heads["draft_id"][0], "reason": "seen", "author": "bob", "run_id": "r"}],
            schema=none.schema,
        )
    )  # fmt: skip
    again, _ = drafts(rows, approved, result.suspects, Journals())
    assert again["state_code"].to_list() == ["approved"]
