"""The rule book of planning: receipts, which invoices they pay, and when they wait."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import polars as pl
import pytest
import trade
from drawn import drawn, shown
from planned_shop import LINES, ORDER, PAID, POLICY, after, existing, planned, reasons, traded

from checks.contracts import ALL


def test_a_receipt_intacct_holds_by_reference_is_not_planned_again() -> None:
    there = existing(
        receipts=drawn(
            ALL["core.ar_receipts"],
            """
            receipt_ref | reference | entity_code | currency | total_minor
            5           | ch_1      | E100        | USD      | 3630
            """,
        )
    )
    assert reasons(planned(traded(), there)) == [("A", "receipt", "already_in_intacct")]


def test_before_go_live_nothing_is_planned_but_money_for_our_invoices_is() -> None:
    september = traded(
        ORDER.replace("2026-10-02", "2026-09-20").replace("2026-10-01", "2026-09-19"),
        paid=PAID.replace("2026-10-01", "2026-09-19"),
    )
    assert reasons(planned(september)) == [("A", "invoice", "before_go_live"), ("A", "receipt", "prepaid")]
    charged_before = traded(paid=PAID.replace("2026-10-01", "2026-09-29"))
    done = planned(charged_before)
    assert done.documents.filter(pl.col("kind_code") == "receipt")["document_on"].to_list() == [
        date(2026, 10, 2)
    ]
    there = existing(
        invoices=drawn(
            ALL["core.ar_invoices"],
            """
            invoice_ref | invoice_number | reference | entity_code | customer_id | currency | posted_on  | total_minor | due_minor
            77          | UW1            | W1        | E100        | C10011      | USD      | 2026-09-20 | 3630        | 3630
            """,
        )
    )
    assert reasons(planned(september, there)) == [
        ("A", "invoice", "already_in_intacct"),
        ("A", "receipt", "before_go_live"),
    ]


@pytest.mark.parametrize(
    ("tender", "reason"), [("CryptoPay", "tender_unmapped"), ("Voucher", "tender_ignored")]
)
def test_a_tender_without_an_account_waits(tender: str, reason: str) -> None:
    paid = trade.charges(PAID, tender_code=tender)
    done = planned(trade.recognised(trade.orders(ORDER), trade.lines(LINES), payments=paid))
    assert reasons(done) == [("A", "receipt", reason)]


def test_receipts_pay_the_oldest_invoice_first_and_never_more_than_is_due() -> None:
    ship = trade.of(
        "core.shipments",
        """
        order_ref | shipment_ref | line_ref | quantity | shipped_at
        A         | d1           | l1       | 2        | 2026-10-02 12:00
        A         | d2           | l2       | 1        | 2026-10-06 12:00
        """,
    )
    paid = trade.charges(
        """
        payment_ref | transaction_ref | order_ref | amount_minor | occurred_at      | gateway_ref
        p           | c1              | A         | 2000         | 2026-10-01 09:05 | ch_1
        p           | c2              | A         | 1630         | 2026-10-08 09:05 | ch_2
        """
    )
    done = planned(trade.recognised(trade.orders(ORDER), trade.lines(LINES), ship, paid))
    names = done.documents.select("document_id", "number")
    pays = (
        done.lines.filter(pl.col("applies_to_id").is_not_null())
        .join(names, on="document_id")
        .join(names.rename({"document_id": "applies_to_id", "number": "invoice"}), on="applies_to_id")
    )
    assert shown(pays, "number", "invoice", "amount_minor") == [
        ("ch_1", "UW1", 2000),
        ("ch_2", "UW1", 550),
        ("ch_2", "UW1-2", 1080),
    ]


def test_the_second_nights_receipt_pays_only_what_the_first_left_open() -> None:
    early = PAID.replace("3630", "2000")
    first = planned(traded(paid=early))
    later = traded(paid=early + "    p | c2 | A | charge | 1630 | 2026-10-09 10:00 | ch_2")
    second = planned(later, after(first, "accepted"))
    assert shown(second.documents, "kind_code", "number", "total_minor") == [("receipt", "ch_2", 1630)]
    too_much = traded(paid=early + "    p | c2 | A | charge | 1631 | 2026-10-09 10:00 | ch_2")
    assert ("A", "receipt", "exceeds_due") in reasons(planned(too_much, after(first, "accepted")))


def test_a_receipt_intacct_already_shows_is_not_counted_twice_against_its_invoice() -> None:
    early = PAID.replace("3630", "2000")
    first = planned(traded(paid=early))
    there = after(first, "accepted", key="77")._replace(
        invoices=drawn(
            ALL["core.ar_invoices"],
            """
            invoice_ref | invoice_number | reference | entity_code | customer_id | currency | posted_on  | total_minor | due_minor
            77          | UW1            | W1        | E100        | C10011      | USD      | 2026-10-02 | 3630        | 1630
            """,
        ),
        receipts=drawn(
            ALL["core.ar_receipts"],
            """
            receipt_ref | reference | entity_code | currency | total_minor
            5           | ch_1      | E100        | USD      | 2000
            """,
        ),
    )
    later = traded(paid=early + "    p | c2 | A | charge | 1630 | 2026-10-09 10:00 | ch_2")
    assert shown(planned(later, there).documents, "number", "total_minor") == [("ch_2", 1630)]


def test_money_beyond_the_invoices_goes_on_account_where_the_policy_says_so() -> None:
    done = planned(
        traded(paid=PAID.replace("3630", "4000")), policy=replace(POLICY, overpayment="on_account")
    )
    receipt = done.documents.filter(pl.col("kind_code") == "receipt")
    assert receipt["total_minor"].to_list() == [4000]
    rows = done.lines.join(receipt.select("document_id"), on="document_id")
    assert [(r["amount_minor"], r["applies_to_id"] is None) for r in rows.sort("line_no").to_dicts()] == [
        (3630, False),
        (370, True),
    ]
