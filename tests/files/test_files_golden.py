"""The sample files, worked out by hand; every figure below was added up on paper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

SAMPLE = Path(__file__).parents[2] / "data" / "sample"


def sample(*subjects: str) -> dict[str, list[Path]]:
    return {subject: [SAMPLE / f"{subject}.csv"] for subject in subjects}


def sides(summary: dict[str, Any], tie_out: str = "orders") -> dict[str, tuple[str, str, str]]:
    return {
        one["currency"]: (one["period_expected"], one["period_actual"], one["difference"])
        for one in summary["tie_outs"]
        if one["tie_out"] == tie_out
    }


def outcomes(summary: dict[str, Any], currency: str, tie_out: str = "orders") -> dict[str, tuple[int, str]]:
    return {
        one["outcome"]: (one["count"], one["delta"])
        for one in summary["outcomes"]
        if one["tie_out"] == tie_out and one["currency"] == currency
    }


def test_orders_against_invoices(reconcile: Any) -> None:
    found = reconcile(sample("orders", "invoices"))
    # 108.25 + 54.13 + 216.50 + 81.19 + 32.48 + 43.30 + 27.06, the cancelled order left out;
    # 108.25 + 54.13 + 216.00 + 2 × 32.48 + 43.30 + 27.06 + 15.00 invoiced.
    assert sides(found.summary) == {
        "JPY": ("12000", "12000", "0"),
        "KWD": ("9.750", "9.750", "0.000"),
        "USD": ("562.91", "528.70", "34.21"),
    }
    assert outcomes(found.summary, "USD") == {
        "missing_order": (1, "-15.00"),
        "duplicate_invoice": (1, "-32.48"),
        "missing_invoice": (1, "81.19"),
        "amount_tax": (1, "0.50"),
        "not_owed": (1, "0.00"),
        "matched": (4, "0.00"),
    }
    assert (found.of("W1003"), found.of("W1004"), found.of("W1005"), found.of("W1006")) == (
        "amount_tax", "missing_invoice", "duplicate_invoice", "not_owed",
    )  # fmt: skip
    assert found.of("W1002") == "matched", "the invoice says w1002"
    assert found.result.exit_code == 1
    assert found.data.foots
    assert found.data.ageing.is_empty(), "without receipts nobody knows what is open"
    assert not found.data.waterfall["step_code"].is_in(["open", "receipts"]).any()


def test_with_payments_receipts_and_credit_memos(reconcile: Any) -> None:
    found = reconcile(sample("orders", "invoices", "payments", "receipts", "credit_memos"))
    # The refund of 43.30 lowers both sides.
    assert sides(found.summary)["USD"] == ("519.61", "485.40", "34.21")
    # Charged 562.91 less the refund of 43.30; received 108.25 + 54.13 + 216.00 + 32.48 + 43.30.
    assert sides(found.summary, "payments")["USD"] == ("519.61", "454.16", "65.45")
    assert outcomes(found.summary, "USD", "payments") == {
        "receipt_missing": (1, "27.06"),
        "short_paid": (1, "0.50"),
        "prepaid": (1, "81.19"),
        "cash_leg_elsewhere": (1, "-43.30"),
        "matched": (4, "0.00"),
    }
    # Open: 216.00 − 216.00, the second 32.48, 27.06, the orphan's 15.00, 43.30 − 43.30 received, and the memo of 43.30.
    usd = found.data.ageing.filter(currency="USD")
    assert usd["open_minor"].sum() == 3248 + 2706 + 1500 - 4330


def test_a_month_tells_cut_off_from_error(reconcile: Any) -> None:
    found = reconcile(sample("orders", "invoices"), period="2026-09")
    assert found.of("W1010") == "cut_off", "placed on 30 September, invoiced on 1 October"
    assert sides(found.summary)["USD"] == ("562.91", "501.64", "61.27")
    assert any("cut off (timing)" in line and "27.06" in line for line in found.result.text)


def test_orders_against_payments(reconcile: Any) -> None:
    found = reconcile(sample("orders", "payments"))
    assert sides(found.summary)["USD"] == ("562.91", "519.61", "43.30")
    assert outcomes(found.summary, "USD") == {
        "short_paid": (1, "43.30"),
        "not_owed": (1, "0.00"),
        "matched": (6, "0.00"),
    }
    assert found.of("W1009") == "short_paid", "its charge was refunded"


def test_the_european_export(reconcile: Any) -> None:
    home = SAMPLE / "european"
    found = reconcile(
        {"orders": [home / "bestellungen.csv"], "invoices": [home / "rechnungen.csv"]},
        column_map=home / "map.toml",
    )
    # 1,050.00 + 200.45 + 5.00, 60.00 + 30.00 + 11.40 + 5.70, 39.80 + 7.56; the last invoice has 0.10 less tax.
    assert sides(found.summary) == {"EUR": ("1409.91", "1409.81", "0.10")}
    assert outcomes(found.summary, "EUR") == {
        "amount_tax": (1, "0.10"),
        "not_owed": (1, "0.00"),
        "matched": (2, "0.00"),
    }
    assert found.of("B-0815") == "matched", "the invoice's reference says 'Bestellung B-0815'"
    assert found.data.orders.filter(order_number="B-0816")["customer_name"].item() == "Jürgen Groß"
    assert found.data.orders.filter(order_number="B-0816")["expected_tax_minor"].item() == 1710


@pytest.mark.parametrize("basis", ["placed", "shipped"])
def test_the_map_says_when_a_sale_counts(reconcile: Any, basis: str) -> None:
    found = reconcile(
        {
            "orders": "order_number,placed_at,shipped_at,currency,total\nA,2026-09-01,2026-09-02,USD,5.00\nB,2026-09-01,,USD,7.00\n",
            "invoices": "invoice_number,reference,invoiced_on,currency,total\nI1,A,2026-09-02,USD,5.00\n",
        },
        map_text=f'[orders]\nbasis = "{basis}"\n',
    )
    assert found.of("A") == "matched"
    assert found.of("B") == {"placed": "missing_invoice", "shipped": "not_yet_recognised"}[basis]
    assert ("Sales count when", basis) in found.data.parameters


def test_a_tolerance_is_totalled(reconcile: Any) -> None:
    files = {
        "orders": "order_number,placed_at,currency,total\nA,2026-09-01,USD,5.00\n",
        "invoices": "invoice_number,reference,invoiced_on,currency,total\nI1,A,2026-09-01,USD,5.01\n",
    }
    assert reconcile(files).counts() == {"amount_total": 1}
    found = reconcile(files, tolerance=["usd=0.01"])
    assert found.counts() == {"within_tolerance": 1}
    assert found.result.exit_code == 0
    assert ("Tolerance", "0.01 USD") in found.data.parameters


def test_totals_from_lines_and_several_payments(reconcile: Any) -> None:
    files = {
        "orders": "order_number,placed_at,currency,total\nA,2026-09-01,USD,\nB,2026-09-01,USD,\n",
        "lines": "order_number,sku,quantity,net,tax,kind\nA,X,1,10.00,1.00,\na,Y,2,20.00,2.00,\nA,,,5.00,,shipping\nB,X,1,10.00,1.00,\n",
        "payments": "payment_ref,order_number,paid_at,amount,currency\n1,A,2026-09-01,30.00,USD\n2,A,2026-09-02,8.00,USD\n3,B,2026-09-02,11.00,USD\n",
    }
    found = reconcile(files)
    assert found.counts() == {"matched": 2}
    assert found.result.exit_code == 0
    with_ledger = reconcile(
        {
            **files,
            "invoices": "invoice_number,reference,invoiced_on,currency,total,goods,shipping,tax\nI1,A,2026-09-01,USD,38.00,30.00,5.00,3.00\nI2,B,2026-09-01,USD,11.00,10.00,,1.00\n",
        }
    )
    assert with_ledger.counts() == {"matched": 2}


def test_orders_without_lines_and_payments_without_orders(reconcile: Any) -> None:
    found = reconcile(
        {
            "orders": "order_number,placed_at,currency,total\nA,2026-09-01,USD,10.00\nB,2026-09-01,USD,4.00\nC,2026-09-01,USD,6.00\n",
            "lines": "order_number,net\nA,10.00\nC,6.00\n",
            "payments": "payment_ref,order_number,paid_at,amount,currency\n1,A,2026-09-01,10.00,USD\n2,B,2026-09-02,4.00,USD\n3,Z,2026-09-02,1.00,USD\n",
        }
    )
    assert found.counts() == {
        "matched": 1,
        "order_without_lines": 1,
        "order_unpaid": 1,
        "payment_without_order": 1,
    }
    assert found.of("B") == "order_without_lines"
    assert found.of("C") == "order_unpaid"
    assert set(found.data.orders["entity_code"]) == {"ALL"}


def test_entities_come_from_the_ledger(reconcile: Any) -> None:
    orders = "order_number,placed_at,currency,total,store\n" + "".join(
        f"U{n},2026-09-01,USD,{n}.00,us\nD{n},2026-09-01,EUR,{n}.00,de\n" for n in range(1, 13)
    )
    invoices = "invoice_number,reference,invoiced_on,currency,total,entity\n" + "".join(
        f"I{n},U{n},2026-09-01,USD,{n}.00,{'E200' if n == 1 else 'E100'}\nJ{n},D{n},2026-09-01,EUR,{n}.00,E200\n"
        for n in range(1, 13)
    )
    found = reconcile({"orders": orders, "invoices": invoices})
    assert {one["entity"] for one in found.summary["tie_outs"]} == {"E100", "E200"}
    assert found.counts() == {"entity": 2, "matched": 23}, "one invoice of the US store stands in E200"
    assert dict(found.data.parameters)["Entity of us"].startswith("E100, which has 11 of the 12")


def test_entities_that_nothing_tells_apart_are_not_compared(reconcile: Any) -> None:
    orders = "order_number,placed_at,currency,total\n" + "".join(
        f"A{n},2026-09-01,USD,{n}.00\n" for n in range(1, 9)
    )
    invoices = "invoice_number,reference,invoiced_on,currency,total,entity\n" + "".join(
        f"I{n},A{n},2026-09-01,USD,{n}.00,E{n % 2}\n" for n in range(1, 9)
    )
    found = reconcile({"orders": orders, "invoices": invoices})
    assert found.counts() == {"matched": 8}
    assert set(found.data.orders["entity_code"]) == {"ALL"}
    assert "not compared" in dict(found.data.parameters)["Entity"]


def test_components_only_one_side_states_are_no_difference(reconcile: Any) -> None:
    found = reconcile(
        {
            "orders": "order_number,placed_at,currency,total,goods,shipping,tax\nA,2026-09-01,USD,16.00,10.00,5.00,1.00\nB,2026-09-01,USD,16.00,10.00,5.00,1.00\n",
            "invoices": "invoice_number,reference,invoiced_on,currency,total,tax\nI1,A,2026-09-01,USD,16.00,1.00\nI2,B,2026-09-01,USD,15.50,0.50\n",
        }
    )
    assert (found.of("A"), found.of("B")) == ("matched", "amount_tax")
