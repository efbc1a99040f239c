"""Refunds posted as journal entries in the tie-out of payments: what the entry says is what the refund's row says, and everything foots."""

from __future__ import annotations

import polars as pl
import pytest
from reconcile_tables import Case, assert_rows, drawn_inputs, run

from transforms.closing.statement import completeness
from transforms.reconcile import Policy, reconcile

TRADE = {
    "orders": "order_ref\nW1",
    "owed": "order_ref | event_code | event_ref | total_minor\nW1 | sale | s1 | 10000\nW1 | credit | t2 | -3000",
    "ar_invoices": "invoice_ref | invoice_number | reference\n1 | UW1 | W1",
    "ar_adjustments": "adjustment_ref | adjustment_number | reference | total_minor\n5 | CMUW1 | W1 | -3000",
    "payments": "payment_ref | transaction_ref | order_ref | gateway_ref | kind_code | amount_minor\np1 | t1 | W1 | G1 | charge | 10000\np1 | t2 | W1 | G2 | refund | 3000",
    "ar_receipts": "receipt_ref | reference\n7 | G1",
    "ar_applications": "application_ref | receipt_ref | invoice_ref | amount_minor\na | 7 | 1 | 7000",
}
ENTRY = "storefront | order_ref | event_ref | currency | posted_on | batches | actual_minor | outcome_code | evidence"
HEAD = "kind_code | expected_minor | actual_minor | delta_minor | outcome_code"
CHARGE = "charge | 10000 | 10000 | 0 | matched"


def _entered(*rows: str, **more: str) -> dict[str, str]:
    return {**TRADE, "refund_outcomes": "\n".join([ENTRY, *rows]), **more}


RULES = [
    Case("matched", "Entered", "The entry took out of the clearing account what was paid back.",
         _entered("shop | W1 | t2 | USD | 2026-09-11 | 77 | -3000 | matched | Found by the journal entry sent for it."),
         f"{HEAD}\n{CHARGE}\nrefund | -3000 | -3000 | 0 | matched", tie_out="payments"),
    Case("cut_off", "Entered in the next month", "Dates are those of the period compared, whatever the months of the entry.",
         _entered("shop | W1 | t2 | USD | 2026-10-01 | 77 | -3000 | cut_off | Dated in different periods."),
         f"{HEAD}\n{CHARGE}\nrefund | -3000 | -3000 | 0 | cut_off", tie_out="payments"),
    Case("gl_amount", "Entered with another amount", "The difference is what the entry lacks.",
         _entered("shop | W1 | t2 | USD | 2026-09-11 | 77 | -2500 | gl_amount | It adds up to another amount."),
         f"{HEAD}\n{CHARGE}\nrefund | -3000 | -2500 | -500 | gl_amount", tie_out="payments"),
    Case("gl_missing", "Not entered", "There is no entry and one is owed.",
         _entered("shop | W1 | t2 | USD | - | - | 0 | gl_missing | It has no entry."),
         f"{HEAD}\n{CHARGE}\nrefund | -3000 | 0 | -3000 | gl_missing", tie_out="payments"),
    Case("in_flight", "On its way", "Its journal is in the outbox.",
         _entered("shop | W1 | t2 | USD | - | - | 0 | in_flight | It is in the outbox."),
         f"{HEAD}\n{CHARGE}\nrefund | -3000 | 0 | -3000 | in_flight", tie_out="payments"),
    Case("ambiguous", "Several entries fit", "What cannot be told apart is nothing that agrees.",
         _entered("shop | W1 | t2 | USD | - | - | 0 | ambiguous | Several fit."),
         f"{HEAD}\n{CHARGE}\nrefund | -3000 | 0 | -3000 | ambiguous", tie_out="payments"),
    Case("cash_leg_elsewhere", "Not meant to be entered", "What is posted elsewhere stays elsewhere.",
         _entered("shop | W1 | t2 | USD | - | - | 0 | cash_leg_elsewhere | Before go-live."),
         f"{HEAD}\n{CHARGE}\nrefund | -3000 | 0 | -3000 | cash_leg_elsewhere", tie_out="payments"),
    Case("cash_leg_elsewhere", "Entries of other orders", "An entry counts for its own order and event only; one of a refund that is owed no more for none.",
         _entered("shop | W2 | t2 | USD | 2026-09-11 | 77 | -3000 | matched | Fine.", "shop | W1 | t9 | USD | 2026-09-11 | 78 | -3000 | matched | Fine.",
                  "shop | W1 | p1:t2 | USD | 2026-09-11 | 79 | -3000 | gl_only | Owed no more."),
         f"{HEAD}\n{CHARGE}\nrefund | -3000 | 0 | -3000 | cash_leg_elsewhere", tie_out="payments"),
    Case("matched", "A receipt as well", "A refund that has a receipt of its own is compared with that.",
         _entered("shop | W1 | t2 | USD | 2026-09-11 | 77 | -3000 | matched | Fine.", ar_receipts="receipt_ref | reference | total_minor\n7 | G1 | 10000\n8 | G2 | -3000"),
         f"{HEAD}\n{CHARGE}\nrefund | -3000 | -3000 | 0 | matched", tie_out="payments"),
    Case("matched", "One transaction id, two refunds", "The entry named after payment and transaction goes to its payment, the other to the other.",
         _entered("shop | W1 | t2 | USD | 2026-09-11 | 77 | -3000 | matched | Fine.", "shop | W1 | p2:t2 | USD | 2026-09-11 | 78 | -900 | gl_amount | Other.",
                  payments=TRADE["payments"] + "\np2 | t2 | W1 | G3 | refund | 1000"),
         f"{HEAD}\n{CHARGE}\nrefund | -3000 | -3000 | 0 | matched\nrefund | -1000 | -900 | -100 | gl_amount", tie_out="payments"),
]  # fmt: skip


@pytest.mark.parametrize("case", RULES, ids=lambda case: case.title)
def test_refunds_by_their_entries(case: Case) -> None:
    assert_rows(run(case.tables).payments, case.expected)


def test_the_bridge_leads_by_the_entries_to_the_receipts_and_completeness_counts_receipts_only() -> None:
    tables = _entered("shop | W1 | t2 | USD | 2026-09-11 | 77 | -2500 | gl_amount | Other.")
    result = run(tables)
    steps = result.waterfall.filter(tie_out="payments").select("step_code", "amount_minor").rows()
    assert steps == [("moved", 7000), ("gl_amount", 500), ("refund_entries", 2500), ("receipts", 10000)]
    (proof,) = result.footing.filter(name="payment rows hold every entry of a refund").to_dicts()
    assert (proof["left_minor"], proof["right_minor"]) == (-2500, -2500)
    received = completeness(drawn_inputs(tables), result).filter(subject="receipts").to_dicts()
    assert [(one["staged_minor"], one["reported_minor"], one["not_standing_minor"]) for one in received] == [(10000, 10000, 0)]  # fmt: skip
    evidence = result.payments.filter(kind_code="refund")["evidence"][0]
    assert "Journal entry 77" in evidence
    assert "-25.00 USD" in evidence


def test_packs_sealed_before_are_judged_as_they_were() -> None:
    tables = _entered("shop | W1 | t2 | USD | 2026-09-11 | 77 | -3000 | matched | Fine.")
    inputs = drawn_inputs(tables)
    then = reconcile(inputs, Policy(refunds_by_entries=False))
    bare = reconcile(drawn_inputs(TRADE), Policy())
    for name in ("payments", "waterfall", "footing", "totals"):
        assert getattr(then, name).equals(getattr(bare, name)), name
    assert (
        reconcile(inputs, Policy()).payments.filter(pl.col("outcome_code") == "cash_leg_elsewhere").is_empty()
    )
