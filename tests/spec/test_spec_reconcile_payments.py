"""Tie-out 2 and the reconciliation without a ledger, one drawn case per outcome."""

from __future__ import annotations

import polars as pl
import pytest
from drawn import table
from reconcile_tables import Case, assert_foots, assert_rows, drawn_inputs, run

from transforms.reconcile import Policy, Tolerance, reconcile_paid

INVOICED = {
    "orders": "order_ref\nW1",
    "owed": "order_ref\nW1",
    "ar_invoices": "invoice_ref | invoice_number | reference\n1 | UW1 | W1",
    "payments": "payment_ref | transaction_ref | order_ref | gateway_ref\np1 | t1 | W1 | G1",
}
APPLIED = "application_ref | receipt_ref | invoice_ref\n91 | 7 | 1"


def _receipt(reference: str = "G1", **more: str) -> str:
    cells = {"receipt_ref": "7", "reference": reference, **more}
    return " | ".join(cells) + "\n" + " | ".join(cells.values())


CASES = [
    Case("matched", "Charge and receipt", "The receipt carries the provider's reference and pays the order's invoice.",
         {**INVOICED, "ar_receipts": _receipt(), "ar_applications": APPLIED}, "outcome_code | applied_minor | pass_no\nmatched | 10000 | 2"),
    Case("matched", "By transaction or payment", "The transaction's or the payment's reference will do.",
         {**INVOICED, "payments": "payment_ref | transaction_ref | order_ref | gateway_ref | amount_minor\np1 | t1 | W1 | - | 4000\np2 | t2 | W1 | - | 6000",
          "ar_receipts": "receipt_ref | reference | total_minor\n7 | T-1 | 4000\n8 | p2 | 6000", "ar_applications": "application_ref | receipt_ref | invoice_ref | amount_minor\n1 | 7 | 1 | 4000\n2 | 8 | 1 | 6000"},
         "group_ref | outcome_code\nshop:p1:t1 | matched\nshop:p2:t2 | matched"),
    Case("matched", "Posted by this tool", "The crosswalk knows the receipt.",
         {**INVOICED, "ar_receipts": _receipt("free text"), "ar_applications": APPLIED,
          "crosswalk": "document_id | kind_code | order_ref | event_ref | intacct_key\nD1 | receipt | W1 | t1 | 7"}, "outcome_code | pass_no\nmatched | 1"),
    Case("matched", "Through the order's list of payments", "Where payments do not name their order, orders name their payments.",
         {**INVOICED, "payments": "payment_ref | transaction_ref | gateway_ref\np1 | t1 | G1", "order_payments": "storefront | order_ref | payment_ref\nshop | W1 | p1",
          "ar_receipts": _receipt(), "ar_applications": APPLIED}, "order_ref | outcome_code\nW1 | matched"),
    Case("matched", "Receipt without a reference", "Applied to the order's invoice, with the amount of its only open payment.",
         {**INVOICED, "ar_receipts": _receipt("-"), "ar_applications": APPLIED}, "outcome_code | pass_no\nmatched | 3"),
    Case("matched", "Partial captures under one reference", "Captures of one order that share a reference are told apart by amount.",
         {**INVOICED, "payments": "payment_ref | transaction_ref | order_ref | gateway_ref | amount_minor\np1 | t1 | W1 | G1 | 4000\np1 | t2 | W1 | G1 | 6000",
          "ar_receipts": "receipt_ref | reference | total_minor\n7 | G1 | 4000\n8 | G1 | 6000", "ar_applications": "application_ref | receipt_ref | invoice_ref | amount_minor\n1 | 7 | 1 | 4000\n2 | 8 | 1 | 6000"},
         "group_ref | expected_minor | receipts | outcome_code\nshop:p1:t1 | 4000 | 7 | matched\nshop:p1:t2 | 6000 | 8 | matched"),
    Case("matched", "Equal captures under one reference", "Where amounts do not tell them apart either, they are compared together.",
         {**INVOICED, "payments": "payment_ref | transaction_ref | order_ref | gateway_ref | amount_minor\np1 | t1 | W1 | G1 | 5000\np1 | t2 | W1 | G1 | 5000",
          "ar_receipts": "receipt_ref | reference | total_minor\n7 | G1 | 5000\n8 | G1 | 5000", "ar_applications": "application_ref | receipt_ref | invoice_ref | amount_minor\n1 | 7 | 1 | 5000\n2 | 8 | 1 | 5000"},
         "group_ref | expected_minor | receipts | outcome_code\nshop:p1:t1 | 10000 | 7,8 | matched"),
    Case("ambiguous", "One reference, two orders", "A reference that fits payments of several orders is not guessed at.",
         {"orders": "order_ref\nW1\nW2", "payments": "payment_ref | transaction_ref | order_ref | gateway_ref\np1 | t1 | W1 | G1\np2 | t2 | W2 | G1", "ar_receipts": _receipt()},
         "group_ref | outcome_code\nshop:p1:t1 | ambiguous"),
    Case("receipt_missing", "No receipt", "The order is invoiced, money moved, and no receipt stands.", INVOICED, "outcome_code | delta_minor\nreceipt_missing | 10000"),
    Case("receipt_missing", "Reversed receipt", "A reversed receipt does not count.", {**INVOICED, "ar_receipts": _receipt(state_code="Reversed")}, "outcome_code\nreceipt_missing"),
    Case("duplicate_receipt", "Received twice", "The surplus is the repeat of an equal receipt.",
         {**INVOICED, "ar_receipts": "receipt_ref | reference\n7 | G1\n8 | G1", "ar_applications": "application_ref | receipt_ref | invoice_ref\n1 | 7 | 1\n2 | 8 | 1"},
         "outcome_code | delta_minor | receipts\nduplicate_receipt | -10000 | 7,8"),
    Case("short_paid", "Receipt of less", "The receipt is less than the money that moved.",
         {**INVOICED, "ar_receipts": _receipt(total_minor="9000"), "ar_applications": "application_ref | receipt_ref | invoice_ref | amount_minor\n1 | 7 | 1 | 9000"}, "outcome_code | delta_minor\nshort_paid | 1000"),
    Case("over_paid", "Receipt of more", "The receipt is more than the money that moved.",
         {**INVOICED, "payments": "payment_ref | transaction_ref | order_ref | gateway_ref | amount_minor\np1 | t1 | W1 | G1 | 5000", "ar_receipts": _receipt(total_minor="6000"),
          "ar_applications": "application_ref | receipt_ref | invoice_ref | amount_minor\n1 | 7 | 1 | 6000"}, "outcome_code | delta_minor\nover_paid | -1000"),
    Case("misapplied", "Applied to another order", "Said on the payment, and on the order whose invoice was paid with it.",
         {**INVOICED, "orders": "order_ref\nW1\nW2", "owed": "order_ref\nW1\nW2", "ar_invoices": "invoice_ref | invoice_number | reference\n1 | UW1 | W1\n2 | UW2 | W2",
          "ar_receipts": _receipt(), "ar_applications": "application_ref | receipt_ref | invoice_ref\n91 | 7 | 2"},
         "group_ref | order_ref | outcome_code | expected_minor | applied_minor\nshop:p1:t1 | W1 | misapplied | 10000 | 0\nintacct:application:91 | W2 | misapplied | 0 | 10000"),
    Case("unapplied", "On account", "The receipt is on account while the order's invoice is open.", {**INVOICED, "ar_receipts": _receipt()}, "outcome_code | applied_minor\nunapplied | 0"),
    Case("receipt_without_payment", "Receipt of nothing", "A receipt in scope belongs to no payment.", {"ar_receipts": _receipt("G9")},
         "group_ref | kind_code | outcome_code | delta_minor\nintacct:receipt:7 | receipt | receipt_without_payment | -10000"),
    Case("payment_without_order", "Money for nothing", "Money moved for no order the storefront shows.",
         {"payments": "payment_ref | transaction_ref | gateway_ref\np1 | t1 | G1"}, "outcome_code | entity_code\npayment_without_order | ''"),
    Case("chargeback", "Chargeback", "The payer's bank took the money back and Intacct does not show it.",
         {**INVOICED, "payments": "payment_ref | transaction_ref | order_ref | gateway_ref | kind_code\np1 | t1 | W1 | G1 | charge\np1 | t2 | W1 | G2 | chargeback", "ar_receipts": _receipt(), "ar_applications": APPLIED},
         "kind_code | outcome_code | delta_minor\ncharge | matched | 0\nchargeback | chargeback | -10000"),
    Case("cash_leg_elsewhere", "Refund", "A refund's money is recorded elsewhere by policy; it is counted.",
         {**INVOICED, "payments": "payment_ref | transaction_ref | order_ref | gateway_ref | kind_code | amount_minor\np1 | t1 | W1 | G1 | charge | 10000\np1 | t2 | W1 | G2 | refund | 3000", "ar_receipts": _receipt(), "ar_applications": APPLIED},
         "kind_code | outcome_code | family_code | delta_minor\ncharge | matched | matched | 0\nrefund | cash_leg_elsewhere | outside | -3000"),
    Case("receipt_missing", "Refund expected in Intacct", "Where the policy expects refunds as negative receipts, a missing one is missing.",
         {**INVOICED, "payments": "payment_ref | transaction_ref | order_ref | gateway_ref | kind_code\np1 | t2 | W1 | G2 | refund"}, "outcome_code\nreceipt_missing", policy={"refund_cash_leg": "receipt"}),
    Case("prepaid", "Paid before it is invoiced", "Money was received before the invoice exists; the receipt waits for it.",
         {"orders": "order_ref | status_code\nW1 | open", "payments": INVOICED["payments"]}, "outcome_code | family_code | delta_minor\nprepaid | timing | 10000"),
    Case("prepaid", "Received with the invoice, a month later", "The charge was in September, invoice and receipt are in October.",
         {**INVOICED, "owed": "order_ref | owed_on\nW1 | 2026-10-02", "ar_invoices": "invoice_ref | invoice_number | reference | posted_on\n1 | UW1 | W1 | 2026-10-02",
          "ar_receipts": _receipt(received_on="2026-10-02"), "ar_applications": APPLIED}, "outcome_code | period_timing_minor | delta_minor\nprepaid | 10000 | 0"),
    Case("not_owed", "Came and went", "Money was paid and paid back for an order that was never invoiced.",
         {"orders": "order_ref | status_code\nW1 | cancelled", "payments": "payment_ref | transaction_ref | order_ref | gateway_ref | kind_code\np1 | t1 | W1 | G1 | charge\np1 | t2 | W1 | G2 | refund"},
         "kind_code | outcome_code\ncharge | not_owed\nrefund | not_owed"),
    Case("held", "Held", "The order is held; its receipt waits.", {**INVOICED, "waiting": "order_ref | state\nW1 | held"}, "outcome_code\nheld"),
    Case("in_flight", "In the outbox", "The receipt is sent and not yet accepted.", {**INVOICED, "waiting": "order_ref | event_ref | state\nW1 | t1 | in_flight"}, "outcome_code\nin_flight"),
    Case("cut_off", "Received in the next month", "Equal amounts in different periods.",
         {**INVOICED, "ar_receipts": _receipt(received_on="2026-10-01"), "ar_applications": APPLIED}, "outcome_code | period_timing_minor\ncut_off | 10000"),
    Case("currency", "Wrong currency", "The receipt stands in another currency than the payment.",
         {**INVOICED, "ar_receipts": _receipt(currency="EUR"), "ar_applications": APPLIED}, "currency | outcome_code | delta_minor\nUSD | currency | 10000\nEUR | currency | -10000"),
    Case("entity", "Wrong entity", "The receipt stands in another entity than the order's.",
         {**INVOICED, "ar_receipts": _receipt(entity_code="E200"), "ar_applications": APPLIED}, "entity_code | outcome_code\nE100 | entity\nE200 | entity"),
    Case("rounding", "Ledger precision", "Intacct keeps two digits of a dinar.",
         {"orders": "order_ref | store_ref | currency | total_minor\nW1 | kw-web | KWD | 12345", "owed": "order_ref | currency | total_minor\nW1 | KWD | 12345",
          "ar_invoices": "invoice_ref | invoice_number | reference | currency | total_minor\n1 | KW1 | W1 | KWD | 12350",
          "payments": "payment_ref | transaction_ref | order_ref | gateway_ref | currency | amount_minor\np1 | t1 | W1 | G1 | KWD | 12345", "ar_receipts": _receipt(currency="KWD", total_minor="12350"),
          "ar_applications": "application_ref | receipt_ref | invoice_ref | amount_minor\n1 | 7 | 1 | 12350"}, "outcome_code | delta_minor\nrounding | -5"),
    Case("within_tolerance", "Inside the tolerance", "The receipt is off by no more than is stated.",
         {**INVOICED, "ar_receipts": _receipt(total_minor="9998"), "ar_applications": "application_ref | receipt_ref | invoice_ref | amount_minor\n1 | 7 | 1 | 9998"}, "outcome_code\nwithin_tolerance", policy={"tolerance": Tolerance({"USD": 2})}),
    Case("matched", "What moves no money", "Authorisations, voids, pending and failed transactions are no rows.",
         {**INVOICED, "payments": "payment_ref | transaction_ref | order_ref | kind_code | state_code\np1 | t1 | W1 | authorization | success\np1 | t2 | W1 | charge | failure\np1 | t3 | W1 | void | success"}, "group_ref"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.code}-{case.title}")
def test_each_rule_as_drawn(case: Case) -> None:
    assert_rows(run(case.tables, **case.policy).payments, case.expected)


def test_the_waterfall_walks_from_gross_to_open() -> None:
    result = run({
        "orders": "order_ref | status_code | total_minor\nW1 | complete | 10000\nW2 | cancelled | 700\nW3 | open | 500\nW4 | complete | 2000",
        "owed": "order_ref | event_code | event_ref | total_minor\nW1 | sale | s1 | 10000\nW1 | credit | r1 | -1000\nW4 | sale | s1 | 2000",
        "ar_invoices": "invoice_ref | invoice_number | reference\n1 | UW1 | W1",
        "ar_adjustments": "adjustment_ref | adjustment_number | reference | total_minor\n5 | CMW1 | W1 | -1000",
        "payments": INVOICED["payments"], "ar_receipts": _receipt(), "ar_applications": "application_ref | receipt_ref | invoice_ref | adjustment_ref | amount_minor | credit_minor\n1 | 7 | 1 | - | 9000 | 0\n2 | - | 1 | 5 | 0 | 1000",
    })  # fmt: skip
    steps = result.waterfall.filter(
        (pl.col("tie_out") == "orders") & ((pl.col("amount_minor") != 0) | pl.col("is_total"))
    )
    assert steps.select("step_code", "amount_minor", "row_count").rows() == [
        ("gross", 13200, 4), ("cancelled", -700, 1), ("not_yet_recognised", -500, 1), ("recognised", 12000, 2), ("credits", -1000, 1),
        ("net_recognised", 11000, 2), ("missing_invoice", -2000, 1), ("invoiced", 9000, 2), ("receipts", -10000, 1), ("open", -1000, 3),
    ]  # fmt: skip
    assert_rows(
        result.ageing, "document_kind | document_ref | open_minor | bucket_code\nreceipt | 7 | -1000 | 1-30"
    )


def test_ageing_counts_days_from_the_due_date_to_the_periods_last_day() -> None:
    drawn = "invoice_ref | invoice_number | reference | posted_on | due_on\n1 | UW1 | A | 2026-09-01 | 2026-09-30\n2 | UW2 | B | 2026-08-01 | 2026-08-31\n3 | UW3 | C | 2026-07-01 | 2026-07-31\n4 | UW4 | D | 2026-05-01 | -\n5 | UW5 | E | 2026-10-01 | 2026-10-01\n6 | UW6 | F | 2026-06-01 | 2026-07-05"
    assert_rows(
        run({"ar_invoices": drawn}).ageing,
        "document_ref | days_no | bucket_code\n1 | 0 | not_due\n2 | 30 | 1-30\n3 | 61 | 61-90\n4 | 152 | over_90\n6 | 87 | 61-90",
    )
    by_document = run({"ar_invoices": drawn}, ageing_basis="document").ageing.filter(
        pl.col("document_ref") == "1"
    )
    assert by_document["days_no"].to_list() == [29]


def test_what_was_open_before_is_carried_into_the_bridge() -> None:
    result = run({**INVOICED, "owed": "order_ref | owed_on\nW1 | 2026-08-20", "ar_invoices": "invoice_ref | invoice_number | reference | posted_on\n1 | UW1 | W1 | 2026-08-20",
                  "ar_receipts": _receipt(), "ar_applications": APPLIED})  # fmt: skip
    steps = dict(
        result.waterfall.filter(pl.col("tie_out") == "orders").select("step_code", "amount_minor").iter_rows()
    )
    assert (steps["opening"], steps["receipts"], steps["open"]) == (10000, -10000, 0)


def test_a_receipt_may_pay_over_the_edge_of_an_entity_and_it_still_foots() -> None:
    result = run({**INVOICED, "ar_receipts": _receipt(entity_code="E200"), "ar_applications": APPLIED})
    across = (
        result.waterfall.filter(pl.col("step_code") == "applied_across")
        .select("entity_code", "amount_minor")
        .sort("entity_code")
    )
    assert across.rows() == [("E100", -10000), ("E200", 10000)]


PAID_ORDERS = """
order_ref | status_code | total_minor
W1        | complete    | 1000
W2        | complete    | 1000
W3        | complete    | 1000
W4        | complete    | 1000
W5        | open        | 1000
W6        | cancelled   | 1000
W7        | complete    | 1000
"""
PAID = """
payment_ref | transaction_ref | order_ref | kind_code | amount_minor
p1          | t1              | W1        | charge    | 1200
p1          | t2              | W1        | refund    | 200
p3          | t3              | W3        | charge    | 900
p4          | t4              | W4        | charge    | 1100
p6          | t6              | W6        | charge    | 1000
p6          | t7              | W6        | refund    | 1000
p7          | t8              | W7        | charge    | 1000
p9          | t9              | W9        | charge    | 5
"""


def test_orders_against_payments_without_a_ledger() -> None:
    drawn = drawn_inputs({"orders": PAID_ORDERS, "payments": PAID})
    lines = table(
        "storefront | order_ref | line_ref\n" + "\n".join(f"shop | W{n} | 1" for n in (1, 2, 3, 4, 5, 6))
    )
    result = reconcile_paid(drawn.orders, lines, drawn.payments, Policy())
    assert_foots(result)
    assert_rows(
        result.orders,
        """
    group_ref          | expected_minor | actual_minor | outcome_code
    shop:W1            | 1000           | 1000         | matched
    shop:W2            | 1000           | 0            | order_unpaid
    shop:W3            | 1000           | 900          | short_paid
    shop:W4            | 1000           | 1100         | over_paid
    shop:W5            | 0              | 0            | not_yet_recognised
    shop:W6            | 0              | 0            | not_owed
    shop:W7            | 1000           | 1000         | order_without_lines
    payment:shop:p9:t9 | 0              | 5            | payment_without_order
    """,
    )


def test_orders_against_payments_in_a_period_and_without_lines() -> None:
    drawn = drawn_inputs({"orders": PAID_ORDERS, "payments": PAID})
    result = reconcile_paid(drawn.orders, None, drawn.payments, Policy(tolerance=Tolerance({"USD": 100})))
    assert_foots(result)
    codes = dict(result.orders.select("group_ref", "outcome_code").iter_rows())
    assert (codes["shop:W3"], codes["shop:W4"], codes["shop:W7"]) == (
        "within_tolerance",
        "within_tolerance",
        "matched",
    )
    assert (
        reconcile_paid(drawn.orders, None, None, Policy()).orders["outcome_code"].value_counts().height == 3
    )


# --- which payment of a summary receipt ---------------------------------------------------------------------------
DAY_OF_TWO = {
    "orders": "order_ref | total_minor\nW1 | 4000\nW2 | 6000",
    "owed": "order_ref | total_minor\nW1 | 4000\nW2 | 6000",
    "payments": "payment_ref | transaction_ref | order_ref | gateway_ref | amount_minor\np1 | t1 | W1 | G1 | 4000\np2 | t2 | W2 | G2 | 6000",
    "ar_receipts": "receipt_ref | reference | total_minor\n7 | DAY-0910 | 10000",
    "crosswalk": "document_id | kind_code | order_ref | event_ref | intacct_key | part_minor\nD1 | receipt | W1 | p1:t1 | 7 | 4000\nD1 | receipt | W2 | t2 | 7 | 6000",
}
SPLITS = [
    Case("over_paid", "One payment of a summary receipt is less than its part", "It is named, with what it moved beyond its part.",
         {**DAY_OF_TWO, "payments": DAY_OF_TWO["payments"].replace("6000", "5500")}, "Moved other than posted: W2 by -5.00 USD."),
    Case("short_paid", "The receipt was changed in Intacct", "Every payment still has its part, so the difference is the receipt's.",
         {**DAY_OF_TWO, "ar_receipts": DAY_OF_TWO["ar_receipts"].replace("10000", "9000")},
         "Every payment moved just its part of what was posted. Intacct's receipts differ from what was posted by -10.00 USD."),
]  # fmt: skip


@pytest.mark.parametrize("case", SPLITS, ids=lambda case: case.title)
def test_a_difference_of_a_summary_receipt_names_its_payments(case: Case) -> None:
    (row,) = run(case.tables).payments.iter_rows(named=True)
    assert row["outcome_code"] == case.code
    assert row["evidence"].endswith(f" USD. {case.expected}")
