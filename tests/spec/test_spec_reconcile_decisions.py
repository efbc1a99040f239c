"""What people decide: applied anew on every run, and only as long as it fits what they saw."""

from __future__ import annotations

import polars as pl
import pytest
from reconcile_tables import Case, assert_rows, run

ONE = {"orders": "order_ref\nW1", "owed": "order_ref\nW1"}
STRAY = {**ONE, "ar_invoices": "invoice_ref | invoice_number | reference\n1 | X9 | PO 77"}
SHORT = {**ONE, "ar_invoices": "invoice_ref | invoice_number | reference | total_minor\n1 | UW1 | W1 | 9900"}
PAID = {
    "orders": "order_ref\nW1",
    "owed": "order_ref\nW1",
    "ar_invoices": "invoice_ref | invoice_number | reference\n1 | UW1 | W1",
    "payments": "payment_ref | transaction_ref | order_ref | gateway_ref\np1 | t1 | W1 | G1",
    "ar_receipts": "receipt_ref | reference\n7 | cash of Monday",
    "ar_applications": "application_ref | receipt_ref | invoice_ref\n91 | 7 | 1",
}

CASES = [
    Case("matched", "Matched by hand", "A document no pass can place belongs to the order a person names.",
         {**STRAY, "decisions": "decision_id | kind_code | group_ref | ledger_ref\nD1 | match | shop:W1 | invoice:1"},
         "group_ref | outcome_code | pass_no | documents\nshop:W1 | matched | 5 | X9"),
    Case("missing_order", "Unmatched by hand", "A pair taken apart stays apart: the order lacks its invoice, the invoice its order.",
         {**ONE, "ar_invoices": "invoice_ref | invoice_number | reference\n1 | UW1 | W1",
          "decisions": "decision_id | kind_code | group_ref | ledger_ref\nD1 | unmatch | shop:W1 | invoice:1"},
         "group_ref | outcome_code\nshop:W1 | missing_invoice\nintacct:invoice:1 | missing_order"),
    Case("matched", "By hand beats reference", "What a person matched replaces what the passes found for the document.",
         {"orders": "order_ref\nW1\nW2", "owed": "order_ref\nW2", "ar_invoices": "invoice_ref | invoice_number | reference\n1 | UW1 | W1",
          "decisions": "decision_id | kind_code | group_ref | ledger_ref\nD1 | match | shop:W2 | invoice:1"},
         "group_ref | outcome_code | pass_no\nshop:W1 | not_yet_recognised | 0\nshop:W2 | matched | 5"),
    Case("matched", "The later decision on a pair counts", "Unmatched first, matched again later.",
         {**STRAY, "decisions": "decision_id | kind_code | group_ref | ledger_ref | decided_at\nD1 | unmatch | shop:W1 | invoice:1 | 2026-10-02 09:00\nD2 | match | shop:W1 | invoice:1 | 2026-10-03 09:00"},
         "group_ref | outcome_code\nshop:W1 | matched"),
    Case("missing_order", "A withdrawn decision is none", "What was withdrawn no longer holds.",
         {**STRAY, "decisions": "decision_id | kind_code | group_ref | ledger_ref | about_id\nD1 | match | shop:W1 | invoice:1 | -\nD2 | withdraw | - | - | D1"},
         "group_ref | outcome_code\nshop:W1 | missing_invoice\nintacct:invoice:1 | missing_order"),
    Case("matched", "A receipt matched by hand", "The receipt's reference says nothing; a person names the payment.",
         {**PAID, "decisions": "decision_id | kind_code | tie_out | group_ref | ledger_ref\nD1 | match | payments | shop:p1:t1 | receipt:7"},
         "group_ref | outcome_code | pass_no\nshop:p1:t1 | matched | 5", tie_out="payments"),
    Case("explained_by_hand", "Explained", "A person explains the difference as it stands.",
         {**SHORT, "decisions": "decision_id | kind_code | group_ref | outcome_code | amount_minor\nD1 | explain | shop:W1 | amount_goods | 100"},
         "group_ref | outcome_code | family_code | delta_minor | decision_id\nshop:W1 | explained_by_hand | explained | 100 | D1"),
    Case("write_off", "Written off", "A person writes the difference off.",
         {**SHORT, "decisions": "decision_id | kind_code | group_ref | outcome_code | amount_minor\nD1 | write_off | shop:W1 | amount_goods | 100"},
         "group_ref | outcome_code | family_code | decision_id\nshop:W1 | write_off | explained | D1"),
    Case("amount_goods", "The amount has moved since", "A decision on another amount no longer fits: the row is open again.",
         {**SHORT, "decisions": "decision_id | kind_code | group_ref | outcome_code | amount_minor\nD1 | explain | shop:W1 | amount_goods | 250"},
         "group_ref | outcome_code | family_code | decision_id\nshop:W1 | amount_goods | error | -"),
    Case("amount_goods", "The outcome has changed since", "The same amount for another reason is another difference.",
         {**SHORT, "decisions": "decision_id | kind_code | group_ref | outcome_code | amount_minor\nD1 | explain | shop:W1 | amount_tax | 100"},
         "group_ref | outcome_code | decision_id\nshop:W1 | amount_goods | -"),
    Case("matched", "A difference that is gone needs no explanation", "The decision stays on record and changes nothing.",
         {**ONE, "ar_invoices": "invoice_ref | invoice_number | reference\n1 | UW1 | W1",
          "decisions": "decision_id | kind_code | group_ref | outcome_code | amount_minor\nD1 | explain | shop:W1 | amount_goods | 100"},
         "group_ref | outcome_code | decision_id\nshop:W1 | matched | -"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_decision(case: Case) -> None:
    result = run(case.tables, **case.policy)
    assert_rows(result.orders if case.tie_out == "orders" else result.payments, case.expected)
    assert case.code in (*result.orders["outcome_code"], *result.payments["outcome_code"])


def test_the_evidence_names_author_reason_and_what_it_was() -> None:
    row = run(
        {**SHORT, "decisions": "decision_id | kind_code | group_ref | outcome_code | amount_minor\nD1 | explain | shop:W1 | amount_goods | 100"}
    ).orders.row(0, named=True)  # fmt: skip
    assert row["evidence"].startswith(
        "ann accepted this on 2026-10-02: agreed with the customer (decision D1; it was amount_goods)."
    )


def test_a_decision_that_no_longer_fits_is_said_beside_the_row() -> None:
    row = run(
        {**SHORT, "decisions": "decision_id | kind_code | group_ref | outcome_code | amount_minor\nD1 | explain | shop:W1 | amount_goods | 250"}
    ).orders.row(0, named=True)  # fmt: skip
    assert "Decision D1 of ann no longer fits: it accepted 2.50 USD as amount_goods." in row["evidence"]


def test_decisions_change_nothing_but_their_row() -> None:
    two = {
        "orders": "order_ref\nW1\nW2",
        "owed": "order_ref\nW1\nW2",
        "ar_invoices": "invoice_ref | invoice_number | reference | total_minor\n1 | UW1 | W1 | 9900\n2 | UW2 | W2 | 9800",
    }
    decided = {**two, "decisions": "decision_id | kind_code | group_ref | outcome_code | amount_minor\nD1 | explain | shop:W1 | amount_goods | 100"}  # fmt: skip
    before, after = run(two).orders, run(decided).orders
    other = pl.col("group_ref") == "shop:W2"
    assert after.filter(other).equals(before.filter(other))
    assert after["delta_minor"].equals(before["delta_minor"])
