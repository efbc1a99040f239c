"""Plain files of the ledger's side: invoices by components and by account lines, receipts, credit memos."""

from __future__ import annotations

from datetime import date

import polars as pl
from staged_files import sound, text

from transforms.storefronts import files
from transforms.storefronts.files import FileRules


def invoice(**values: str) -> dict[str, str]:
    return {
        "invoice_number": "I1",
        "reference": "W1",
        "invoiced_on": "2026-09-03",
        "currency": "EUR",
        "total": "100.00",
        **values,
    }


def test_invoices_with_component_columns() -> None:
    found = sound(
        files.invoices(
            text(
                invoice(goods="80.00", discount="5.00", shipping="10.00", tax="15.00", paid="40.00"),
                invoice(invoice_number="I2", goods="90.00", discount="5.00", tax="10.00"),
                invoice(invoice_number="I3"),
                invoice(invoice_number="I3", goods="60.00"),
                invoice(invoice_number="I4", total="abc"),
                invoice(invoice_number="I5", invoiced_on=""),
            ),
            run_id="r",
        )
    )
    heads, lines = found["core.ar_invoices"], found["core.ar_lines"]
    assert heads["invoice_ref"].to_list() == ["I1", "I2", "I3", "I3#2"]
    assert heads.row(0, named=True) | {"paid_minor": 4000, "due_minor": 6000} == heads.row(0, named=True)
    assert heads["invoiced_on"][0] == date(2026, 9, 3)
    got = lines.group_by("document_ref", maintain_order=True).agg("component_code", "amount_minor").rows()
    assert got == [
        ("I1", ["goods", "discount", "shipping", "tax"], [8000, -500, 1000, 1500]),
        ("I2", ["goods", "tax"], [9000, 1000]),
        ("I3", ["other"], [10000]),
        ("I3#2", ["goods", "other"], [6000, 4000]),
    ]
    assert found.problems["row_no"].to_list() == [5, 6]


def test_invoices_by_account_lines() -> None:
    accounts = pl.DataFrame({"account_code": ["4000", "2200"], "component_code": ["goods", "tax"]})
    rows = [
        invoice(total="", gl_account="4000", amount="90.00"),
        invoice(total="", gl_account="2200", amount="10.00"),
        invoice(invoice_number="I2", gl_account="7777", amount="99.00"),
    ]
    found = sound(
        files.invoices(text(*rows), FileRules(rows="line"), run_id="r", component_accounts=accounts)
    )
    assert found["core.ar_invoices"].select("invoice_ref", "total_minor").rows() == [
        ("I1", 10000),
        ("I2", 10000),
    ]
    assert found["core.ar_lines"].select("component_code", "amount_minor").rows() == [
        ("goods", 9000),
        ("tax", 1000),
        ("other", 9900),
        ("other", 100),
    ]


def test_receipts_over_several_invoices_and_on_account() -> None:
    row = {
        "receipt_ref": "R1",
        "received_on": "2026-09-04",
        "currency": "EUR",
        "amount": "60.00",
        "invoice_number": "I1",
    }
    rows = (
        row,
        {**row, "amount": "40.00", "invoice_number": "I2"},
        {**row, "receipt_ref": "R2", "invoice_number": ""},
    )
    found = sound(files.receipts(text(*rows), run_id="r"))
    heads = found["core.ar_receipts"].select("receipt_ref", "total_minor", "unapplied_minor").rows()
    assert heads == [("R1", 10000, 0), ("R2", 6000, 6000)]
    assert found["core.ar_applications"].select("receipt_ref", "invoice_ref", "amount_minor").rows() == [
        ("R1", "I1", 6000),
        ("R1", "I2", 4000),
    ]
    silent = sound(files.receipts(text({**row, "invoice_number": ""}), run_id="r"))
    assert silent["core.ar_receipts"]["unapplied_minor"].to_list() == [0]


def test_credit_memos_are_negative_whatever_their_sign() -> None:
    row = {
        "credit_memo_number": "C1",
        "reference": "W1",
        "issued_on": "2026-09-05",
        "currency": "EUR",
        "invoice_number": "I1",
    }
    rows = (
        {**row, "total": "30.00", "goods": "25.00", "tax": "5.00"},
        {**row, "credit_memo_number": "C2", "total": "-7.00"},
    )
    found = sound(files.credit_memos(text(*rows), run_id="r"))
    assert found["core.ar_adjustments"]["total_minor"].to_list() == [-3000, -700]
    assert found["core.ar_lines"]["amount_minor"].to_list() == [-2500, -500, -700]
    assert found["core.ar_applications"]["credit_minor"].to_list() == [3000, 700]
