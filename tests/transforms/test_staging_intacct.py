"""Intacct rows become core tables exactly; rows that cannot be read are told and stay out."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import polars as pl
import pytest

from checks.contracts import ALL
from tieout.errors import InputError
from transforms.intacct import documents as intacct
from transforms.staged import Staged

NOW = datetime(2026, 11, 2, tzinfo=UTC)
INVOICE = {
    "RECORDNO": "5",
    "RECORDID": "UW100001",
    "DOCNUMBER": "W100001",
    "STATE": "Partially Paid",
    "CUSTOMERID": "C1",
    "CURRENCY": "EUR",
    "BASECURR": "USD",
    "TRX_TOTALENTERED": "100.50",
    "TRX_TOTALPAID": "40",
    "TRX_TOTALDUE": "60.5",
    "TOTALENTERED": "110.55",
    "TOTALDUE": "66.55",
    "WHENCREATED": "09/03/2026",
    "WHENPOSTED": "09/30/2026",
    "WHENDUE": "",
    "EXCHANGE_RATE": "1.1",
    "MODULEKEY": "4.AR",
    "MEGAENTITYID": "E100",
    "AUWHENCREATED": "09/03/2026 17:00:00",
    "WHENMODIFIED": "09/03/2026 10:00:00",
}


def raw(*rows: dict[str, str | None] | str) -> pl.DataFrame:
    texts = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    size = len(texts)
    text, at = pl.String(), pl.Datetime("us", "UTC")
    return pl.DataFrame(
        {
            "native_ref": [f"n{number}" for number in range(size)],
            "version_no": [None] * size,
            "updated_at": [NOW] * size,
            "payload": texts,
            "payload_sha256": ["0" * 64] * size,
            "problem": [None] * size,
            "fetched_at": [NOW] * size,
        },
        schema={
            "native_ref": text,
            "version_no": pl.Int64(),
            "updated_at": at,
            "payload": text,
            "payload_sha256": text,
            "problem": text,
            "fetched_at": at,
        },
    )


def sound(found: Staged) -> Staged:
    for name, frame in found.frames.items():
        ALL[name].checked(frame, at="in a test")
    return found


def test_an_invoice_in_two_currencies_and_its_instants() -> None:
    found = sound(intacct.ar_invoices(raw(INVOICE), run_id="r", gmt_offset="-07:00", deleted=["5"]))
    row = found["core.ar_invoices"].row(0, named=True)
    wanted = {
        "invoice_ref": "5",
        "total_minor": 10050,
        "paid_minor": 4000,
        "due_minor": 6050,
        "base_total_minor": 11055,
        "posted_on": date(2026, 9, 30),
        "due_on": None,
        "changed_at": datetime(2026, 9, 3, 17, tzinfo=UTC),
        "created_at": datetime(2026, 9, 3, 17, tzinfo=UTC),
        "entity_code": "E100",
        "is_deleted": True,
    }
    assert {name: row[name] for name in wanted} == wanted


BAD = [
    ({"TRX_TOTALENTERED": "100.505"}, "amount_not_exact", "TRX_TOTALENTERED"),
    ({"TRX_TOTALENTERED": "NaN"}, "amount_not_exact", "TRX_TOTALENTERED"),
    ({"TRX_TOTALENTERED": ""}, "payload_unreadable", "TRX_TOTALENTERED"),
    ({"CURRENCY": "XXQ"}, "currency_unknown", "TRX_TOTALENTERED"),
    ({"WHENCREATED": "2026-09-03"}, "payload_unreadable", "WHENCREATED"),
    ({"RECORDNO": None}, "payload_unreadable", "RECORDNO"),
]


@pytest.mark.parametrize(("change", "code", "column"), BAD)
def test_a_bad_row_is_told_and_its_neighbours_stand(change: dict, code: str, column: str) -> None:
    found = sound(intacct.ar_invoices(raw({**INVOICE, **change}, {**INVOICE, "RECORDNO": "6"}), run_id="r"))
    assert found["core.ar_invoices"]["invoice_ref"].to_list() == ["6"]
    first = found.problems.row(0, named=True)
    assert first["problem"].startswith(f"{code}: ARINVOICE n0: {column}")
    assert (first["native_ref"], first["column"]) == ("n0", column)


def test_a_payload_that_is_no_object_costs_only_itself() -> None:
    found = sound(
        intacct.ar_invoices(raw("<html>", INVOICE, "[1]", '{"RECORDNO": ["x"]}', "null"), run_id="r")
    )
    assert found["core.ar_invoices"]["invoice_ref"].to_list() == ["5"]
    assert found.problems["native_ref"].unique().sort().to_list() == ["n0", "n2", "n3", "n4"]


def test_three_decimal_money_comes_with_two_and_one_currency_may_be_silent() -> None:
    kwd = {**INVOICE, "CURRENCY": "KWD", "BASECURR": "", "TRX_TOTALENTERED": "1.23", "TOTALENTERED": "9.99"}
    yen = {
        **INVOICE,
        "RECORDNO": "6",
        "CURRENCY": "",
        "BASECURR": "JPY",
        **dict.fromkeys(
            ("TRX_TOTALENTERED", "TRX_TOTALPAID", "TRX_TOTALDUE", "TOTALENTERED", "TOTALDUE"), "1500.00"
        ),
    }
    table = sound(intacct.ar_invoices(raw(kwd, yen), run_id="r"))["core.ar_invoices"]
    assert table.select("currency", "total_minor", "base_total_minor").rows() == [
        ("KWD", 1230, None),
        ("JPY", 1500, 1500),
    ]


def test_lines_carry_components_by_account() -> None:
    accounts = pl.DataFrame({"account_code": ["4000", "2200"], "component_code": ["goods", "tax"]})
    line = {
        "RECORDNO": "1",
        "RECORDKEY": "5",
        "LINE_NO": "1",
        "ACCOUNTNO": "4000",
        "TRX_AMOUNT": "-30.00",
        "CURRENCY": "",
    }
    documents = pl.DataFrame({"document_ref": ["5"], "currency": ["EUR"]})
    rows = raw(
        line, {**line, "RECORDNO": "2", "ACCOUNTNO": "7777"}, {**line, "RECORDNO": "3", "RECORDKEY": "404"}
    )
    found = sound(
        intacct.ar_lines(
            rows, run_id="r", document_kind="adjustment", component_accounts=accounts, documents=documents
        )
    )
    got = found["core.ar_lines"].select("document_ref", "component_code", "amount_minor", "currency").rows()
    assert got == [("5", "goods", -3000, "EUR"), ("5", "other", -3000, "EUR")]
    assert found.problems["native_ref"].to_list() == ["n2"]


def test_unapplied_is_stated_or_what_applications_leave() -> None:
    receipt = {
        **INVOICE,
        "RECEIPTDATE": "09/05/2026",
        "TRX_TOTALDUE": "",
        "PAYMENTMETHOD": "EFT",
        "FINANCIALENTITY": "CLR-CARD-US",
    }
    stated = {**receipt, "RECORDNO": "6", "TRX_TOTALDUE": "12.00"}
    paid = {
        "RECORDNO": "1",
        "PAYMENTKEY": "5",
        "RECORDKEY": "9",
        "TRX_PAYMENTAMOUNT": "70.50",
        "TRX_ADJUSTMENTAMOUNT": "",
    }
    silent = sound(intacct.ar_receipts(raw(receipt, stated), run_id="r"))["core.ar_receipts"]
    assert silent["unapplied_minor"].to_list() == [0, 1200]
    applied = sound(intacct.ar_applications(raw(paid), run_id="r", receipts=silent))["core.ar_applications"]
    assert applied.select("currency", "amount_minor", "credit_minor", "applied_on").rows() == [
        ("EUR", 7050, 0, date(2026, 9, 5))
    ]
    told = sound(intacct.ar_receipts(raw(receipt, stated), run_id="r", applications=applied))[
        "core.ar_receipts"
    ]
    assert told["unapplied_minor"].to_list() == [3000, 1200]


def test_stock_totals_become_one_row_an_item_and_warehouse() -> None:
    rows = [
        ("A", "W1", "ONHAND", "40"),
        ("A", "W1", "ONORDER", "5"),
        ("A", "W1", "WEBHOLD", "3.5"),
        ("B", "", "onhand", "-2"),
    ]
    landed = raw(
        *[dict(zip(("ITEMID", "WAREHOUSEID", "TOTALNAME", "QUANTITY"), row, strict=True)) for row in rows]
    )
    found = sound(intacct.stock(landed, run_id="r", totals={"allocated": "WEBHOLD"}))["core.stock"]
    got = [
        tuple(None if one is None else str(one) for one in row)
        for row in found.select("sku", "location_ref", "on_hand_qty", "on_order_qty", "allocated_qty").rows()
    ]
    assert got == [("A", "W1", "40.0000", "5.0000", "3.5000"), ("B", "", "-2.0000", None, None)]
    plain = sound(intacct.stock(landed, run_id="r"))["core.stock"]
    assert plain["allocated_qty"].is_null().all()


def test_customers_and_empty_landings() -> None:
    row = {
        "RECORDNO": "1",
        "CUSTOMERID": "C1",
        "NAME": "",
        "STATUS": "inactive",
        "DISPLAYCONTACT.EMAIL1": "a@example.test",
    }
    found = intacct.intacct_customers(raw(row))
    assert found.select("customer_id", "name", "email", "is_active").rows() == [
        ("C1", "C1", "a@example.test", False)
    ]
    accounts = pl.DataFrame(schema={"account_code": pl.String, "component_code": pl.String})
    for empty in (
        intacct.ar_invoices(raw(), run_id="r"),
        intacct.ar_adjustments(raw(), run_id="r"),
        intacct.ar_lines(raw(), run_id="r", document_kind="invoice", component_accounts=accounts),
        intacct.ar_receipts(raw(), run_id="r"),
        intacct.ar_applications(raw(), run_id="r"),
        intacct.stock(raw(), run_id="r"),
    ):
        sound(empty)
    with pytest.raises(InputError, match="not a GMT offset"):
        intacct.ar_invoices(raw(INVOICE), run_id="r", gmt_offset="PST")
