"""The books: settlement in two currencies, reversal, roll-back, and balance whatever happens in whatever order."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.sandbox.intacct.journal import Journal
from tieout.sandbox.intacct.refusals import BookError
from tieout.sandbox.intacct.values import cents, convert, share


def document(client, name: str, recordno: int) -> dict[str, Any]:
    return next(one for one in client.gateway.ledger()[name] if one["recordno"] == recordno)


def test_partial_payment_fills_lines_from_the_first(client) -> None:
    key = client.invoice("A", "10.00", "20.00", "5.00")
    client.receipt({"RECORDKEY": str(key), "TRX_PAYMENTAMOUNT": "15.00"})
    found = document(client, "invoices", key)
    assert (found["state"], found["trx_paid"], found["trx_due"]) == ("Partially Paid", "15.00", "20.00")
    assert [line["trx_paid"] for line in found["lines"]] == ["10.00", "5.00", "0.00"]
    client.receipt({"RECORDKEY": str(key), "TRX_PAYMENTAMOUNT": "20.00"})
    assert document(client, "invoices", key)["state"] == "Paid"
    client.balanced()


def test_discount_lines_settle_with_the_invoice(client) -> None:
    key = client.invoice("A", "30.00", "-10.00", "5.00")
    with pytest.raises(BookError, match=r"greater than the amount due 25\.00"):
        client.receipt({"RECORDKEY": str(key), "TRX_PAYMENTAMOUNT": "25.01"})
    client.receipt({"RECORDKEY": str(key), "TRX_PAYMENTAMOUNT": "3.00"})
    client.receipt({"RECORDKEY": str(key), "TRX_PAYMENTAMOUNT": "22.00"})
    found = document(client, "invoices", key)
    assert found["state"] == "Paid"
    assert [line["trx_paid"] for line in found["lines"]] == ["30.00", "-10.00", "5.00"]
    client.balanced()


def test_one_line_can_be_named(client) -> None:
    key = client.invoice("A", "10.00", "20.00")
    line = document(client, "invoices", key)["lines"][1]["recordno"]
    client.receipt({"RECORDKEY": str(key), "ENTRYKEY": str(line), "TRX_PAYMENTAMOUNT": "20.00"})
    assert [line["trx_paid"] for line in document(client, "invoices", key)["lines"]] == ["0.00", "20.00"]


def test_credit_memo_is_applied_by_a_payment_without_money(client) -> None:
    invoice, credit = client.invoice("A", "30.00"), client.credit("CM", "-12.00")
    assert document(client, "adjustments", credit)["trx_total"] == "-12.00"
    receipt = client.receipt(
        {"RECORDKEY": str(invoice), "ADJUSTMENTKEY": str(credit), "TRX_ADJUSTMENTAMOUNT": "12.00"}
    )
    assert document(client, "invoices", invoice)["trx_due"] == "18.00"
    assert document(client, "adjustments", credit)["state"] == "Paid"
    assert document(client, "receipts", receipt)["trx_total"] == "0.00"
    rows = client.query(
        "ARPYMTDETAIL",
        "PAYMENTKEY",
        "RECORDKEY",
        "ADJUSTMENTKEY",
        "TRX_PAYMENTAMOUNT",
        "TRX_ADJUSTMENTAMOUNT",
    )
    assert rows.rows == [
        {
            "PAYMENTKEY": str(receipt),
            "RECORDKEY": str(invoice),
            "ADJUSTMENTKEY": str(credit),
            "TRX_PAYMENTAMOUNT": "0",
            "TRX_ADJUSTMENTAMOUNT": "12.00",
        }
    ]
    client.balanced()
    client.books.reverse("ARPYMT", receipt, {"DATEREVERSED": "09/20/2026"})
    assert document(client, "adjustments", credit)["state"] == "Posted"
    client.balanced()


def test_overpayment_stays_on_account_until_applied(client) -> None:
    first = client.invoice("A", "10.00")
    receipt = client.receipt(
        {"RECORDKEY": str(first), "TRX_PAYMENTAMOUNT": "10.00"},
        OVERPAYMENTAMOUNT="7.00",
        OVERPAYMENTLOCATIONID="100",
    )
    assert document(client, "receipts", receipt)["trx_unapplied"] == "7.00"
    second = client.invoice("B", "9.00")
    row = {"RECORDKEY": str(second), "TRX_PAYMENTAMOUNT": "7.01"}
    with pytest.raises(BookError, match=r"left on account, 7\.00"):
        client.books.apply(receipt, {"PAYMENTDATE": "09/12/2026", "ARPYMTDETAILS": [row]})
    client.books.apply(
        receipt, {"PAYMENTDATE": "09/12/2026", "ARPYMTDETAILS": [{**row, "TRX_PAYMENTAMOUNT": "7.00"}]}
    )
    assert document(client, "invoices", second)["trx_due"] == "2.00"
    assert document(client, "receipts", receipt)["trx_unapplied"] == "0.00"
    client.balanced()


def test_foreign_currency_realises_a_difference(client) -> None:
    key = client.invoice("A", "100.00", CURRENCY="EUR")
    client.receipt(
        {"RECORDKEY": str(key), "TRX_PAYMENTAMOUNT": "100.00"}, CURRENCY="EUR", RECEIPTDATE="10/05/2026"
    )
    trial = client.books.trial_balance()["E100"]
    assert trial["1201"] == convert(10000, 10780000000) == 10780
    assert trial["4000"] == -10920
    assert trial["7100"] == 140, "a loss: 109.20 due, 107.80 received"
    assert "1100" not in trial
    client.balanced()


def test_receipt_of_one_entity_for_the_other_runs_through_inter_entity(client) -> None:
    key = client.invoice("A", "50.00", location="200", CURRENCY="USD")
    client.receipt({"RECORDKEY": str(key), "TRX_PAYMENTAMOUNT": "50.00"}, CURRENCY="USD")
    trial = client.books.trial_balance()
    assert trial["E100"] == {"1201": 5000, "1900": -5000}
    assert trial["E200"]["1900"] == -trial["E200"]["4000"]
    client.balanced()


def test_reversed_invoice_nets_to_zero_and_cannot_be_paid(client) -> None:
    key = client.invoice("A", "10.00")
    client.books.reverse("ARINVOICE", key, {"DATEREVERSED": "09/20/2026"})
    assert client.books.trial_balance() == {"E100": {}}
    with pytest.raises(BookError, match="Reversed and cannot be paid"):
        client.receipt({"RECORDKEY": str(key), "TRX_PAYMENTAMOUNT": "1.00"})
    with pytest.raises(BookError, match="cannot be reversed"):
        client.books.reverse("ARINVOICE", key, {"DATEREVERSED": "09/20/2026"})


def test_draft_is_not_in_the_ledger_until_submitted(client) -> None:
    key = client.invoice("A", "10.00", ACTION="Draft")
    assert client.books.trial_balance() == {}
    client.books.update("ARINVOICE", key, {"ACTION": "Submit"})
    assert client.books.trial_balance()["E100"] == {"1100": 1000, "4000": -1000}
    client.balanced()


def test_draft_payment_can_be_changed_and_submitted(client) -> None:
    key = client.invoice("A", "10.00")
    receipt = client.receipt({"RECORDKEY": str(key), "TRX_PAYMENTAMOUNT": "4.00"}, ACTION="Draft")
    assert document(client, "invoices", key)["trx_due"] == "10.00"
    details = {"ARPYMTDETAILS": [{"RECORDKEY": str(key), "TRX_PAYMENTAMOUNT": "6.00"}], "ACTION": "Submit"}
    client.books.update("ARPYMT", receipt, details)
    assert document(client, "invoices", key)["trx_due"] == "4.00"
    with pytest.raises(BookError, match="Only draft payments"):
        client.books.update("ARPYMT", receipt, details)
    client.balanced()


def test_update_reposts_and_adds_lines(client) -> None:
    key = client.invoice("A", "10.00")
    client.books.update(
        "ARINVOICE",
        key,
        {
            "DESCRIPTION": "changed",
            "ARINVOICEITEMS": [
                {"LINE_NO": "1", "TRX_AMOUNT": "12.00"},
                {"ACCOUNTNO": "4100", "TRX_AMOUNT": "3.00", "LOCATIONID": "100"},
            ],
        },
    )
    found = document(client, "invoices", key)
    assert (found["trx_total"], [line["trx_amount"] for line in found["lines"]]) == (
        "15.00",
        ["12.00", "3.00"],
    )
    client.receipt({"RECORDKEY": str(key), "TRX_PAYMENTAMOUNT": "1.00"})
    with pytest.raises(BookError, match="has payments applied"):
        client.books.update("ARINVOICE", key, {"ARINVOICEITEMS": [{"LINE_NO": "1", "TRX_AMOUNT": "1.00"}]})
    with pytest.raises(BookError, match="has payments applied"):
        client.books.delete("ARINVOICE", key)
    client.balanced()


def test_deletes_leave_audit_history_and_respect_closed_periods(client) -> None:
    key = client.invoice("A", "10.00")
    client.books.close_period(date(2026, 9, 30))
    with pytest.raises(BookError, match="Periods are closed"):
        client.books.delete("ARINVOICE", key)
    client.gateway.tamper({"op": "delete", "object": "ARINVOICE", "recordid": "A"})
    row = client.query(
        "AUDITHISTORY",
        "OBJECTTYPE",
        "OBJECTKEY",
        "USERID",
        "SOURCE",
        where="<equalto><field>ACCESSMODE</field><value>D</value></equalto>",
    ).rows
    assert row == [{"OBJECTTYPE": "arinvoice", "OBJECTKEY": str(key), "USERID": "finance", "SOURCE": "ui"}]
    by_code = client.call(
        "<readByQuery><object>AUDITHISTORY</object><query>ACCESSMODE = 'Delete'</query><fields>OBJECTKEY</fields>"
        "</readByQuery>"
    )
    assert by_code.rows == [{"OBJECTKEY": str(key)}]


def test_tampering(client) -> None:
    made = client.gateway.tamper(
        {
            "op": "create",
            "object": "ARINVOICE",
            "entity": "E100",
            "fields": {
                "RECORDID": "HAND",
                "CUSTOMERID": "C1",
                "WHENCREATED": "07/01/2026",
                "WHENDUE": "08/01/2026",
                "ARINVOICEITEMS": [{"ACCOUNTNO": "4000", "TRX_AMOUNT": "5.00", "LOCATIONID": "100"}],
            },
        }
    )
    edited = {
        "op": "edit",
        "object": "ARINVOICE",
        **made,
        "ARINVOICEITEMS": [{"LINE_NO": "1", "TRX_AMOUNT": "6.00"}],
    }
    client.gateway.tamper(edited)
    assert document(client, "invoices", made["recordno"])["trx_total"] == "6.00"
    assert client.gateway.tamper({"op": "close_period", "on": "2026-09-30"}) == {
        "closed_through": "2026-09-30"
    }
    with pytest.raises(ValueError, match="cannot 'burn'"):
        client.gateway.tamper({"op": "burn", "recordno": 1})
    with pytest.raises(ValueError, match="no ARINVOICE whose recordid is 'X'"):
        client.gateway.tamper({"op": "delete", "object": "ARINVOICE", "recordid": "X"})
    client.balanced()


def test_journals_balance_per_entity(client) -> None:
    def entry(account: str, side: str, amount: str, location: str = "100") -> dict[str, str]:
        return {"ACCOUNTNO": account, "TR_TYPE": side, "TRX_AMOUNT": amount, "LOCATION": location}

    head = {"JOURNAL": "GJ", "BATCH_DATE": "09/30/2026", "BATCH_TITLE": "Fees"}
    with pytest.raises(BookError, match=r"does not balance: E100 by 5.00, E200 by -5.00"):
        client.books.create(
            "GLBATCH", {**head, "ENTRIES": [entry("1201", "1", "5"), entry("1201", "-1", "5", "200")]}
        )
    key = client.books.create(
        "GLBATCH", {**head, "ENTRIES": [entry("5000", "1", "5"), entry("1201", "-1", "5")]}
    )
    assert client.books.trial_balance()["E100"] == {"1201": -500, "5000": 500}
    client.books.reverse("GLBATCH", key, {"DATEREVERSED": "10/01/2026"})
    assert client.books.trial_balance()["E100"] == {}


def test_order_becomes_invoice_and_edit_gives_a_new_record(client) -> None:
    client.books.set_stock("MUG-1", "wh-east", "10")
    line = {"ITEMID": "MUG-1", "WAREHOUSEID": "wh-east", "QUANTITY": "3", "PRICE": "4.50"}
    head = {"CUSTOMERID": "C1", "WHENCREATED": "09/04/2026", "TERMNAME": "Net 30"}
    order = client.books.create("SODOCUMENT", {**head, "TRANSACTIONTYPE": "Sales Order", "LINES": [line]})
    assert client.books.stock[("wh-east", "MUG-1", "ALLOCATED")] == 3
    source = client.books.tables["SODOCUMENT"].get(order)
    part = {**line, "QUANTITY": "2", "SOURCELINEKEY": str(source.lines[0].recordno)}
    freight = [{"DESCRIPTION": "Freight", "TOTAL": "1.00"}]
    made = {"TRANSACTIONTYPE": "Sales Invoice", "CREATEDFROM": "Sales Order-SO-0001", "DOCNO": "SI-1"}
    invoice = client.books.create("SODOCUMENT", {**head, **made, "LINES": [part], "SUBTOTALS": freight})
    assert source.state == "Partially Converted"
    assert client.books.stock[("wh-east", "MUG-1", "ALLOCATED")] == 1
    assert client.books.stock[("wh-east", "MUG-1", "ONHAND")] == 8
    posted = client.books.tables["SODOCUMENT"].get(invoice)
    before = posted.invoice.recordno
    assert (posted.invoice.recordid, posted.invoice.trx_total, posted.invoice.modulekey) == (
        "SI-1",
        1000,
        "8.SO",
    )
    client.books.update("SODOCUMENT", "Sales Invoice-SI-1", {"LINES": [{"LINE_NUM": "1", "PRICE": "5"}]})
    assert posted.invoice.recordno > before
    assert posted.invoice.trx_total == 1100
    assert client.books.tables["ARINVOICE"].get(before) is None
    with pytest.raises(BookError, match="more than is left"):
        client.books.create("SODOCUMENT", {**head, **made, "DOCNO": "SI-2", "LINES": [part]})
    client.balanced()
    client.books.delete("SODOCUMENT", "Sales Invoice-SI-1")
    assert (source.state, client.books.stock[("wh-east", "MUG-1", "ALLOCATED")]) == ("Pending", 3)
    assert client.books.trial_balance() == {"E100": {}} or client.books.trial_balance() == {}


@given(st.integers(-(10**12), 10**12), st.integers(1, 5 * 10**10))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_conversion_rounds_half_away_from_zero(amount, rate) -> None:
    from decimal import ROUND_HALF_UP, Decimal

    exact = Decimal(amount) * Decimal(rate) / Decimal(10**10)
    assert convert(amount, rate) == int(exact.quantize(Decimal(1), ROUND_HALF_UP))
    assert convert(-amount, rate) == -convert(amount, rate)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("59.9", 5990),
        ("-0.005", -1),
        ("0.004", 0),
        ("1.005", 101),
        (".5", 50),
        ("7", 700),
        ("+3.10", 310),
        ("-0", 0),
    ],
)
def test_amounts_are_rounded_to_two_decimals(text, expected) -> None:
    assert cents(text) == expected


@pytest.mark.parametrize("text", ["", "1,000", "1e5", "NaN", "inf", "--1", "1.2.3", "0x10", "9" * 30, "٣"])
def test_other_amounts_are_refused(text) -> None:
    with pytest.raises(BookError, match="Illegal format"):
        cents(text)


@given(st.integers(-9999, 9999), st.integers(1, 9999), st.integers(-(10**9), 10**9))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_shares_round_half_away_from_zero(part, whole, total) -> None:
    from fractions import Fraction

    exact = Fraction(total * part, whole)
    assert abs(share(part, whole, total) - exact) <= Fraction(1, 2)


def test_journal_restores_values_keys_and_lists() -> None:
    class Thing:
        size = 1

    journal, thing, mapping, rows = Journal(), Thing(), {"a": 1}, [1]
    mark = journal.mark()
    journal.set(thing, "size", 2)
    journal.put(mapping, "b", 2)
    journal.put(mapping, "a", 3)
    journal.drop(mapping, "a")
    journal.append(rows, 2)
    journal.roll_back(mark)
    assert (thing.size, mapping, rows) == (1, {"a": 1}, [1])


def test_advance_pays_an_invoice_later(client) -> None:
    advance = client.books.create(
        "ARADVANCE",
        {
            "CUSTOMERID": "C1",
            "FINANCIALENTITY": "BANK-US",
            "PAYMENTMETHOD": "EFT",
            "RECEIPTDATE": "09/01/2026",
            "CURRENCY": "EUR",
            "ARADVANCEITEMS": [{"TRX_AMOUNT": "30.00", "LOCATIONID": "100"}],
        },
    )
    invoice = client.invoice("A", "20.00", CURRENCY="EUR", WHENCREATED="10/03/2026")
    drawn = {"RECORDKEY": str(invoice), "ADVANCEKEY": str(advance), "TRX_POSTEDADVANCEAMOUNT": "20.00"}
    payment = client.receipt(drawn, CURRENCY="EUR", RECEIPTDATE="10/04/2026")
    assert document(client, "invoices", invoice)["state"] == "Paid"
    assert document(client, "advances", advance)["trx_unapplied"] == "10.00"
    client.balanced()
    with pytest.raises(BookError, match="was applied later"):
        client.books.reverse("ARPYMT", advance, {"DATEREVERSED": "10/05/2026"})
    client.books.reverse("ARPYMT", payment, {"DATEREVERSED": "10/05/2026"})
    assert document(client, "advances", advance)["trx_unapplied"] == "30.00"
    client.balanced()
    rows = client.query(
        "ARPYMTDETAIL", "ADVANCEKEY", "TRX_POSTEDADVANCEAMOUNT", "TRX_PAYMENTAMOUNT", "STATE"
    ).rows
    assert rows == [
        {
            "ADVANCEKEY": str(advance),
            "TRX_POSTEDADVANCEAMOUNT": "20.00",
            "TRX_PAYMENTAMOUNT": "0",
            "STATE": "Reversed",
        }
    ]


def test_tax_entries_become_lines_of_their_own(client) -> None:
    key = client.books.create(
        "ARINVOICE",
        {
            "RECORDID": "T",
            "CUSTOMERID": "C1",
            "WHENCREATED": "09/03/2026",
            "TERMNAME": "Net 30",
            "ARINVOICEITEMS": [
                {
                    "ACCOUNTNO": "4000",
                    "TRX_AMOUNT": "19.99",
                    "LOCATIONID": "100",
                    "TAXENTRIES": [{"DETAILID": "US Sales Tax"}],
                },
                {
                    "ACCOUNTNO": "4000",
                    "TRX_AMOUNT": "10.00",
                    "LOCATIONID": "100",
                    "TAXENTRIES": [{"DETAILID": "US Sales Tax", "TRX_TAX": "0.88"}],
                },
            ],
        },
    )
    found = document(client, "invoices", key)
    assert [(line["account"], line["trx_amount"]) for line in found["lines"]] == [
        ("4000", "19.99"),
        ("2200", "1.77"),
        ("4000", "10.00"),
        ("2200", "0.88"),
    ]
    assert (found["trx_total"], found["due_on"]) == ("32.64", "2026-10-03")


def test_customers_with_documents_stay(client) -> None:
    client.invoice("A", "1.00")
    assert (
        client.call('<delete_customer customerid="C1"/>')
        .texts[0]
        .startswith("Customer 'C1' has transactions")
    )
    client.customer("C2")
    assert client.call('<delete_customer customerid="C2"/>').statuses == ["success"]
    client.customer("C2")  # id and contact name are free again
    changed = "<update><CUSTOMER><CUSTOMERID>C2</CUSTOMERID><STATUS>inactive</STATUS></CUSTOMER></update>"
    assert client.call(changed).rows == [{"RECORDNO": "3", "CUSTOMERID": "C2"}]
    with pytest.raises(BookError, match="'C2' is inactive"):
        client.invoice("B", "1.00", customer="C2")


def test_a_payment_for_another_customers_invoice_is_refused(client) -> None:
    client.customer("C2")
    key = client.invoice("A", "1.00", customer="C2")
    with pytest.raises(BookError, match="belongs to another customer"):
        client.receipt({"RECORDKEY": str(key), "TRX_PAYMENTAMOUNT": "1.00"})
