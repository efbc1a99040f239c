"""Order rows without an order number: held and named, the rest goes on; rows that continue the order above are not touched."""

from __future__ import annotations

from typing import Any

import pytest

ORDERS = "order_number,placed_at,currency,total\nA,2026-09-01,USD,5.00\n{}\nB,2026-09-02,USD,7.00\n"
INVOICES = "invoice_number,reference,invoiced_on,currency,total\nI1,A,2026-09-01,USD,5.00\nI2,B,2026-09-02,USD,7.00\n"
BY_LINE = '[orders]\nrows = "line"\n'
GIVE = "give the row its order number"
CONTINUES = f'{GIVE} or, if it continues the order above, say rows = "line" under [orders] in the column map'


@pytest.mark.parametrize(
    ("row", "remedy", "gross"),
    [
        (",2026-09-01,USD,3.00", GIVE, 1500),
        ('"  ",2026-09-01,USD,3.00', GIVE, 1500),
        (",2026-09-01,USD,", GIVE, 1200),
        (",,USD,", CONTINUES, 1200),
    ],
)
def test_an_order_without_a_number_is_held_and_the_rest_goes_on(
    reconcile: Any, row: str, remedy: str, gross: int
) -> None:
    found = reconcile({"orders": ORDERS.format(row), "invoices": INVOICES})
    assert f"orders.csv row 2: order_number '' is empty; {remedy}" in found.sentences
    assert found.problems["row_no"].unique().to_list() == [2]
    counts = found.counts()
    assert (counts["matched"], "missing_invoice" in counts) == (2, False)
    assert "orders                  3 rows read, 1 held" in found.result.text
    assert found.data.orders["gross_minor"].sum() == gross, (
        "what it is worth stays in the bridge, which foots"
    )
    assert found.result.exit_code == 1, "what could not be read was not proved"


def test_the_summary_says_why_it_is_held(reconcile: Any) -> None:
    found = reconcile({"orders": ORDERS.format(",2026-09-01,USD,3.00"), "invoices": INVOICES})
    held = [row for row in found.data.orders.iter_rows(named=True) if row["order_number"] is None]
    assert [(row["outcome_code"], row["family_code"], row["gross_minor"]) for row in held] == [
        ("held", "timing", 300)
    ]
    assert len(found.sentences) == 1


def test_orders_against_payments_hold_it_too(reconcile: Any) -> None:
    payments = "payment_ref,order_number,paid_at,amount,currency\np1,A,2026-09-01,5.00,USD\np2,B,2026-09-02,7.00,USD\n"
    found = reconcile({"orders": ORDERS.format(",2026-09-01,USD,3.00"), "payments": payments})
    assert found.counts() == {"matched": 2}
    assert found.sentences == [f"orders.csv row 2: order_number '' is empty; {GIVE}"]
    assert found.result.exit_code == 1


@pytest.mark.parametrize(
    ("rows", "held"),
    [
        ("A,2026-09-01,USD,3.00\n,,,2.00\nB,2026-09-02,USD,7.00\n", []),
        ("A,2026-09-01,USD,3.00\nA,,,2.00\nB,2026-09-02,USD,6.00\n,,,0.50\n,,,0.50\n", []),
        ("A,2026-09-01,USD,5.00\n,2026-09-01,USD,3.00\n,,,2.00\nB,2026-09-02,USD,7.00\n", [2]),
        ("A,2026-09-01,USD,3.00\n,,,2.00\n,2026-09-01,USD,3.00\nB,2026-09-02,USD,7.00\n", [3]),
    ],
)
def test_rows_that_continue_an_order_need_no_number(reconcile: Any, rows: str, held: list[int]) -> None:
    orders = f"order_number,placed_at,currency,line_net\n{rows}"
    found = reconcile({"orders": orders, "invoices": INVOICES}, map_text=BY_LINE)
    assert found.counts().get("matched") == 2
    assert "missing_invoice" not in found.counts()
    assert found.problems["row_no"].to_list() == held
    wanted = "is empty on the row that begins an order; give that row its order number"
    assert found.sentences == [f"orders.csv row {row}: order_number '' {wanted}" for row in held]
    assert found.result.exit_code == (1 if held else 0)


def test_a_row_above_the_first_order_belongs_to_nobody(reconcile: Any) -> None:
    orders = (
        "order_number,placed_at,currency,line_net\n,,,2.00\nA,2026-09-01,USD,5.00\nB,2026-09-02,USD,7.00\n"
    )
    found = reconcile({"orders": orders, "invoices": INVOICES}, map_text=BY_LINE)
    assert found.counts()["matched"] == 2
    assert found.problems["row_no"].unique().to_list() == [1]
    assert any("order_number '' is empty" in sentence for sentence in found.sentences)
