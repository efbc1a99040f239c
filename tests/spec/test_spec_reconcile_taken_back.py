"""Credit memos that stand twice: suspected, drafted as debit memos, and settled by a debit memo that takes back the whole of one."""

from __future__ import annotations

import random

import polars as pl
import pytest
from drawn import table
from reconcile_tables import Case, assert_foots, assert_rows, drawn_inputs, run

from checks.contracts import ALL
from transforms.reconcile import Policy, reconcile
from transforms.reconcile.drafts import drafts
from transforms.reconcile.policy import Journals

ORDERS = "order_ref\nW1"
OWED = "order_ref | event_code | event_ref | total_minor\nW1 | sale | s1 | 10000\nW1 | credit | c1 | -1000"
INVOICES = "invoice_ref | invoice_number | reference\n1 | UW1 | W1"
MEMOS = (
    "adjustment_ref | adjustment_number | reference | total_minor | posted_on | currency | customer_id | entity_code\n"
    "5 | CMUW1   | W1 | -1000 | 2026-09-12 | USD | GUEST-US | E100\n"
    "6 | CMUW1-B | W1 | -1000 | 2026-09-13 | USD | GUEST-US | E100"
)
HEAD = "group_ref | entity_code | currency | expected_minor | actual_minor | outcome_code"


def _tables(*debits: str, memos: str = MEMOS) -> dict[str, str]:
    return {
        "orders": ORDERS,
        "owed": OWED,
        "ar_invoices": INVOICES,
        "ar_adjustments": "\n".join([memos, *debits]),
    }


def _alone(*debits: str) -> dict[str, str]:
    return {"ar_adjustments": "\n".join([MEMOS.replace("| W1 |", "| - |"), *debits])}


RULES = [
    Case("credit_memo_without_refund", "Credited twice", "Until a debit memo takes one back, the order is credited too much.",
         _tables(), f"{HEAD}\nshop:W1 | E100 | USD | 9000 | 8000 | credit_memo_without_refund"),
    Case("matched", "Taken back", "A debit memo whose reference is the number of one of them makes it good: what the storefront gave back is what Intacct credits.",
         _tables("7 | DM7 | CMUW1-B | 1000 | 2026-09-20 | USD | GUEST-US | E100"), f"{HEAD}\nshop:W1 | E100 | USD | 9000 | 9000 | matched"),
    Case("matched", "Named by RECORDNO", "`adjustment:` and the RECORDNO name it too.",
         _tables("7 | DM7 | adjustment:6 | 1000 | 2026-09-20 | USD | GUEST-US | E100"), f"{HEAD}\nshop:W1 | E100 | USD | 9000 | 9000 | matched"),
    Case("matched", "In two debit memos", "Parts that come to the whole settle it.",
         _tables("7 | DM7 | CMUW1-B | 400 | 2026-09-20 | USD | GUEST-US | E100", "8 | DM8 | CMUW1-B | 600 | 2026-09-21 | USD | GUEST-US | E100"),
         f"{HEAD}\nshop:W1 | E100 | USD | 9000 | 9000 | matched"),
    Case("cut_off", "Taken back in the next month", "The order is right over all periods; only dates lie between.",
         _tables("7 | DM7 | CMUW1-B | 1000 | 2026-10-20 | USD | GUEST-US | E100"), f"{HEAD}\nshop:W1 | E100 | USD | 9000 | 9000 | cut_off"),
    Case("credit_memo_without_refund", "Taken back in part", "A debit memo of less leaves the rest open.",
         _tables("7 | DM7 | CMUW1-B | 400 | 2026-09-20 | USD | GUEST-US | E100"), f"{HEAD}\nshop:W1 | E100 | USD | 9000 | 8400 | credit_memo_without_refund"),
    Case("amount_goods", "Taken back beyond the whole", "A debit memo of more charges the customer too much.",
         _tables("7 | DM7 | CMUW1-B | 1400 | 2026-09-20 | USD | GUEST-US | E100"), f"{HEAD}\nshop:W1 | E100 | USD | 9000 | 9400 | amount_goods"),
    Case("currency", "In another currency", "A debit memo in another currency takes nothing back: the credit memo stands, and so does the debit memo.",
         _tables("7 | DM7 | CMUW1-B | 1000 | 2026-09-20 | EUR | GUEST-US | E100"),
         f"{HEAD}\nshop:W1 | E100 | USD | 9000 | 8000 | currency\nshop:W1 | E100 | EUR | 0 | 1000 | currency"),
    Case("customer", "On another customer", "The amounts agree, but the credit memo's customer still has it, and another is charged.",
         _tables("7 | DM7 | CMUW1-B | 1000 | 2026-09-20 | USD | C-OTHER | E100"), f"{HEAD}\nshop:W1 | E100 | USD | 9000 | 9000 | customer"),
    Case("entity", "In another entity", "A debit memo in another entity takes nothing back.",
         _tables("7 | DM7 | CMUW1-B | 1000 | 2026-09-20 | USD | GUEST-US | E200"),
         f"{HEAD}\nshop:W1 | E100 | USD | 9000 | 8000 | entity\nshop:W1 | E200 | USD | 0 | 1000 | entity"),
    Case("not_owed", "Without an order", "A credit memo of no order that was taken back whole is nothing any more; the other still stands.",
         _alone("7 | DM7 | CMUW1-B | 1000 | 2026-09-20 | USD | GUEST-US | E100"),
         f"{HEAD}\nintacct:adjustment:5 | E100 | USD | 0 | -1000 | missing_order\nintacct:adjustment:6 | E100 | USD | 0 | 0 | not_owed"),
    Case("missing_order", "Without an order, in part", "What is left of it is still a credit memo without an order.",
         _alone("7 | DM7 | CMUW1-B | 400 | 2026-09-20 | USD | GUEST-US | E100"),
         f"{HEAD}\nintacct:adjustment:5 | E100 | USD | 0 | -1000 | missing_order\nintacct:adjustment:6 | E100 | USD | 0 | -600 | missing_order"),
]  # fmt: skip


@pytest.mark.parametrize("case", RULES, ids=lambda case: case.title)
def test_taken_back(case: Case) -> None:
    result = run(case.tables)
    assert_rows(result.orders, case.expected)
    settled = [one for one in RULES if one is case and case.code in ("matched", "cut_off", "not_owed")]
    for row in result.orders.filter(pl.col("evidence").str.contains("debit memo")).iter_rows(named=True):
        assert ("is taken back by" in row["evidence"]) == (bool(settled) and "another" not in case.title), (
            row["evidence"]
        )


def test_what_a_person_applied_is_open_no_more() -> None:
    """Until somebody applies the credit memo to the debit memo both are open and come to nothing; then neither is."""
    tables = _tables("7 | DM7 | CMUW1-B | 1000 | 2026-09-20 | USD | GUEST-US | E100")
    assert run(tables).ageing.select("document_ref", "open_minor").rows() == [("5", -1000), ("6", -1000), ("1", 10000), ("7", 1000)]  # fmt: skip
    applied = (
        "application_ref | adjustment_ref | debit_ref | amount_minor | credit_minor\na | 6 | 7 | 0 | 1000"
    )
    assert run({**tables, "ar_applications": applied}).ageing.select("document_ref", "open_minor").rows() == [("5", -1000), ("1", 10000)]  # fmt: skip
    by_money = "application_ref | receipt_ref | debit_ref | amount_minor | credit_minor\na | 9 | 7 | 1000 | 0"
    paid = run(
        {
            **tables,
            "ar_applications": by_money,
            "ar_receipts": "receipt_ref | reference | total_minor\n9 | - | 1000",
        }
    )
    assert paid.ageing.select("document_ref", "open_minor").rows() == [
        ("5", -1000),
        ("6", -1000),
        ("1", 10000),
    ]


# --- which are suspected ----------------------------------------------------------------------------------------
SUSPECTS = [
    Case("credit_memo_without_refund", "One refund, two credit memos", "As many credit memos of equal amounts as there are more of than refunds; the first is the one to keep.",
         _tables(), "cluster_ref | ledger_ref | is_original | basis_code\nadjustment:5 | adjustment:5 | yes | reference\nadjustment:5 | adjustment:6 | no | reference"),
    Case("matched", "Two equal refunds, two credit memos", "Two refunds owe two credit memos: nothing is suspected.",
         {**_tables(), "owed": f"{OWED}\nW1 | credit | c2 | -1000"}, "cluster_ref | ledger_ref | is_original | basis_code"),
    Case("missing_invoice", "Two equal refunds and an invoice that lacks", "What lacks is no credit: nothing is suspected.",
         {**_tables(), "owed": f"{OWED}\nW1 | credit | c2 | -1000\nW1 | sale | s2 | 1000"}, "cluster_ref | ledger_ref | is_original | basis_code"),
    Case("matched", "Taken back", "What a debit memo took back stands twice no more.",
         _tables("7 | DM7 | CMUW1-B | 1000 | 2026-09-20 | USD | GUEST-US | E100"), "cluster_ref | ledger_ref | is_original | basis_code"),
    Case("credit_memo_without_refund", "Taken back in part", "A part taken back is for a person to look at: nothing is drafted a second time.",
         _tables("7 | DM7 | CMUW1-B | 400 | 2026-09-20 | USD | GUEST-US | E100"), "cluster_ref | ledger_ref | is_original | basis_code"),
    Case("missing_order", "Without orders", "Credit memos of no order, of one customer, amount and about one date.",
         _alone(), "cluster_ref | ledger_ref | is_original | basis_code\nadjustment:5 | adjustment:5 | yes | cluster\nadjustment:5 | adjustment:6 | no | cluster"),
]  # fmt: skip


@pytest.mark.parametrize("case", SUSPECTS, ids=lambda case: case.title)
def test_credit_memos_suspected(case: Case) -> None:
    drawn = table(case.expected)
    assert run(case.tables).suspects.select(drawn.columns).rows() == drawn.rows()


# --- what is drafted --------------------------------------------------------------------------------------------
def _drafted(tables: dict[str, str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    inputs = drawn_inputs(tables)
    result = reconcile(inputs, Policy())
    rows = result.orders.select(pl.lit("orders").alias("tie_out"), "group_ref", "entity_code", "currency", "delta_minor", "decision_id")  # fmt: skip
    return drafts(rows, ALL["ops.decisions"].empty(), result.suspects, Journals(), inputs.ar_lines)


def test_the_draft_mirrors_the_lines_of_the_credit_memo() -> None:
    taxed = MEMOS.replace("total_minor |", "total_minor | tax_minor |").replace("-1000 |", "-1000 | -80 |")
    heads, lines = _drafted(_tables(memos=taxed))
    assert heads.select("kind_code", "ledger_ref", "amount_minor", "state_code").rows() == [("reversal", "adjustment:6", -1000, "drafted")]  # fmt: skip
    assert "by a debit memo with the same lines" in heads["sentence"][0]
    assert lines.select("line_no", "amount_minor").rows() == [(1, 920), (2, 80)]
    unlined, none = _drafted({**_tables(memos=taxed), "ar_lines": "document_kind | document_ref | component_code | amount_minor\nadjustment | 6 | goods | -900"})  # fmt: skip
    assert (unlined.height, none.height) == (1, 0), (
        "lines that do not sum to the credit memo are not mirrored"
    )


@pytest.mark.parametrize("seed", range(4))
def test_money_is_conserved_and_order_of_arrival_is_irrelevant(seed: int) -> None:
    """Debit memos of drawn amounts, currencies and references: everything foots, and rows in any order and any number of parts say the same."""
    draw = random.Random(seed)
    debits = [
        f"{20 + k} | DM{k} | {draw.choice(('CMUW1', 'CMUW1-B', 'W1', 'adjustment:5', 'nothing', '-'))} | {draw.choice((1000, 1000, 400, 600))} | "
        f"2026-{draw.choice(('09', '10'))}-15 | {draw.choice(('USD', 'USD', 'EUR'))} | {draw.choice(('GUEST-US', 'GUEST-US', 'C9'))} | {draw.choice(('E100', 'E100', 'E200'))}"
        for k in range(draw.randrange(1, 5))
    ]
    tables = draw.choice((_tables, _alone))(*debits)
    inputs = drawn_inputs(tables)
    whole = reconcile(inputs, Policy())
    assert_foots(whole)
    books = pl.concat(
        [
            inputs.take("ar_invoices").select("currency", "total_minor"),
            inputs.take("ar_adjustments").select("currency", "total_minor"),
        ]
    )
    for frame, column in ((whole.orders, "actual_minor"), (whole.ageing, "open_minor")):
        sums = {c: (m or 0) for c, m in frame.group_by("currency").agg(pl.col(column).sum()).iter_rows()}
        assert sums == dict(books.group_by("currency").agg(pl.col("total_minor").sum()).iter_rows())
    shuffled = {
        name: frame.sample(frame.height, shuffle=True, seed=seed)
        if isinstance(frame, pl.DataFrame) and frame.height
        else frame
        for name, frame in vars(inputs).items()
    }
    other = reconcile(type(inputs)(**shuffled), Policy(buckets=4, bucket_least=1, bucket_most=2))
    for name in ("orders", "suspects", "ageing", "matches"):
        assert getattr(whole, name).equals(getattr(other, name)), name
