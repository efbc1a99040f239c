"""Credit memos against open invoices of their order: what is applied, oldest first, and what stays open."""

from __future__ import annotations

from datetime import UTC, date, datetime
from types import SimpleNamespace

import polars as pl
import pytest
import trade
from drawn import drawn, shown
from planning import NO_HELD, POLICY, nothing

from checks.contracts import ALL
from flows.posting.building import build
from tieout.connectors.intacct import documents as sage
from transforms.postings.credit_applications import CreditPlan, plan_credits
from transforms.postings.planned import Existing

NOW = datetime(2026, 11, 2, 3, tzinfo=UTC)
DOCUMENTS = """
    document_id | kind_code   | order_ref | number | document_on | total_minor
    I1          | invoice     | A         | UW1    | 2026-10-02  | 3000
    I2          | invoice     | A         | UW1-2  | 2026-10-05  | 2000
    M1          | credit_memo | A         | CMW1   | 2026-10-06  | -3500
    I9          | invoice     | B         | UW2    | 2026-10-02  | 1000
"""
INVOICES = """
    invoice_ref | due_minor
    KI1         | 3000
    KI2         | 2000
    KI9         | 1000
"""
MEMOS = """
    adjustment_ref | total_minor | due_minor
    KM1            | -3500       | -3500
"""
ORDERS = """
    document_id | order_ref | event_code | event_ref | amount_minor
    I1          | A         | sale       | s1        | 3000
    I2          | A         | sale       | s2        | 2000
    M1          | A         | credit     | r1        | -3500
"""
TENDERS = "storefront | entity_code | tender_code | mode | account_ref | method\n* | * | credit_memo | map | CLR | EFT"
PLACE = {"currency": "USD", "customer_id": "C1", "entity_code": "E100"}


def there(
    documents: str = DOCUMENTS, invoices: str = INVOICES, memos: str = MEMOS, lines: str | None = None
) -> Existing:
    known = trade.of("out.documents", documents, **PLACE)
    known = known.with_columns(state_code=pl.lit("accepted"), intacct_key=pl.lit("K") + pl.col("document_id"))
    empty = nothing()
    return empty._replace(
        documents=known.select(empty.documents.columns),
        orders=trade.of("out.document_orders", ORDERS, currency="USD"),
        lines=drawn(ALL["out.document_lines"], lines) if lines else empty.lines,
        invoices=drawn(ALL["core.ar_invoices"], invoices, **PLACE),
        adjustments=drawn(ALL["core.ar_adjustments"], memos, **PLACE),
    )


def planned(
    before: Existing,
    *,
    owed: str | None = None,
    receipts: str | None = None,
    tenders: str = TENDERS,
    held: pl.DataFrame = NO_HELD,
) -> CreditPlan:
    """The plan; every document keeps its contract, and its two lines come to nothing."""
    found = plan_credits(
        before,
        trade.of("recon.owed", owed) if owed else trade.empty("recon.owed"),
        drawn(ALL["out.document_lines"], receipts) if receipts else trade.empty("out.document_lines"),
        drawn(ALL["mappings.tenders"], tenders),
        held,
        POLICY,
        run_id="r",
        planned_at=NOW,
    )
    ALL["out.documents"].checked(found.documents, at="in a test")
    ALL["out.document_lines"].checked(found.lines, at="in a test")
    sums = found.lines.group_by("document_id").agg(pl.col("amount_minor").sum(), n=pl.len())
    assert sums.filter((pl.col("amount_minor") != 0) | (pl.col("n") != 2)).is_empty()
    return found


def applied(found: CreditPlan) -> list[tuple[object, ...]]:
    both = found.lines.filter(pl.col("amount_minor") > 0).join(
        found.lines.filter(pl.col("amount_minor") < 0).select("document_id", taken_from="applies_to_id"),
        on="document_id",
    )
    return shown(both, "taken_from", "applies_to_id", "amount_minor")


@pytest.mark.parametrize(
    ("invoices", "memos", "expected"),
    [
        (INVOICES, MEMOS, [("M1", "I1", 3000), ("M1", "I2", 500)]),
        (INVOICES.replace("| 3000", "| 0   "), MEMOS, [("M1", "I2", 2000)]),
        (INVOICES.replace("| 3000", "| 700 ").replace("| 2000", "| 0   "), MEMOS, [("M1", "I1", 700)]),
        (INVOICES, MEMOS.replace("| -3500\n", "| -100\n"), [("M1", "I1", 100)]),
        (INVOICES, MEMOS.replace("| -3500\n", "| 0\n"), []),
        (INVOICES.replace("| 3000", "| 0   ").replace("| 2000", "| 0   "), MEMOS, []),
    ],
)
def test_what_is_open_on_both_is_applied_oldest_first(
    invoices: str, memos: str, expected: list[tuple[object, ...]]
) -> None:
    found = planned(there(invoices=invoices, memos=memos))
    assert applied(found) == expected
    assert shown(found.documents, "kind_code", "total_minor", "account_ref", "customer_id") == [
        ("application", 0, "CLR", "C1") for _ in expected
    ]


def test_the_application_is_dated_when_both_are_there_and_says_what_it_does() -> None:
    found = planned(there())
    assert shown(found.documents, "document_on", "description", "revision") == [
        (date(2026, 10, 6), "Credit CMW1 on UW1", 1),
        (date(2026, 10, 6), "Credit CMW1 on UW1-2", 1),
    ]
    assert planned(there()).documents.equals(found.documents)


def test_a_memo_for_a_refund_of_money_stays_open() -> None:
    refund = "order_ref | event_code | event_ref | payment_ref | total_minor\nA | credit | r1 | p1 | -3500"
    assert applied(planned(there(), owed=refund)) == []
    reduction = refund.replace("| p1 ", "| - ")
    assert applied(planned(there(), owed=reduction)) == [("M1", "I1", 3000), ("M1", "I2", 500)]


def test_money_of_the_same_plan_comes_first() -> None:
    receipts = "document_id | line_no | amount_minor | applies_to_id\nR1 | 1 | 2800 | I1"
    assert applied(planned(there(), receipts=receipts)) == [("M1", "I1", 200), ("M1", "I2", 2000)]


def test_what_is_on_its_way_is_not_applied_again() -> None:
    first = planned(there())
    known = DOCUMENTS + "\n".join(f"    {one} | application | A | {one} | 2026-10-06 | 0" for one in first.documents["document_id"])  # fmt: skip
    lines = "document_id | line_no | amount_minor | applies_to_id\n" + "\n".join(
        f"{row['document_id']} | {row['line_no']} | {row['amount_minor']} | {row['applies_to_id']}" for row in first.lines.iter_rows(named=True)
    )  # fmt: skip
    assert applied(planned(there(known, lines=lines))) == []


def test_other_orders_currencies_and_customers_are_never_mixed_and_held_orders_wait() -> None:
    strange = there()
    other = strange.documents.with_columns(
        customer_id=pl.when(pl.col("document_id") == "I1").then(pl.lit("C2")).otherwise("customer_id")
    )
    assert applied(planned(strange._replace(documents=other))) == [("M1", "I2", 2000)]
    held = pl.DataFrame({"storefront": ["shop"], "order_ref": ["A"], "reason": ["x"]})
    assert applied(planned(there(), held=held)) == []


def test_without_an_account_to_name_it_waits_with_a_reason() -> None:
    found = planned(there(), tenders=TENDERS.replace("credit_memo", "CreditCard"))
    assert found.documents.is_empty()
    assert shown(found.unplanned, "kind_code", "reason_code", "amount_minor") == [
        ("application", "tender_unmapped", 500),
        ("application", "tender_unmapped", 3000),
    ]


def test_it_is_sent_as_a_receipt_without_money() -> None:
    found = planned(there())
    claim = SimpleNamespace(
        documents=found.documents.with_columns(control_id="document_id"),
        lines=found.lines.with_columns(
            applies_to_key=pl.col("applies_to_id").str.replace("I", "5").str.replace("M", "7")
        ),
    )
    (_, first), _ = build(claim, ledger_digits=2)  # type: ignore[arg-type]
    assert isinstance(first, sage.Receipt)
    assert (first.amount, first.financial_entity, first.overpayment) == (0, "CLR", 0)
    (part,) = first.applications
    assert isinstance(part, sage.CreditApplication)
    assert (part.invoice_key, part.credit_key, part.kind) in ((51, 71, "adjustment"), (52, 71, "adjustment"))
