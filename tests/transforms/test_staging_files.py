"""Plain files become core tables: exact amounts, lines that sum to their order, bad rows told and not lost."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from staged_files import GERMAN, footing, order, sound, staged, text

from transforms.storefronts import files
from transforms.storefronts.files import FileRules
from transforms.text_values import NumberStyle, read_amounts

GOLDEN = Path(__file__).parents[1] / "golden" / "files"

STYLES = [
    (".", ",", "EUR", "1,234.56", 123456),
    (".", ",", "EUR", "12,50", None),
    (".", ",", "EUR", "-12.5", -1250),
    (".", ",", "EUR", "(12.50)", -1250),
    (".", ",", "EUR", "12.50-", -1250),
    (".", ",", "EUR", "\u221212.50", -1250),
    (".", ",", "EUR", "€ 12.50", 1250),
    (".", ",", "EUR", "+12.50", 1250),
    (".", ",", "EUR", "-0", 0),
    (".", ",", "EUR", "-0.00", 0),
    (".", ",", "EUR", "12.500", 1250),
    (".", ",", "EUR", "12.505", None),
    (".", ",", "EUR", "29.949999999999999", None),
    (".", ",", "EUR", "NaN", None),
    (".", ",", "EUR", "Infinity", None),
    (".", ",", "EUR", "1e3", None),
    (".", ",", "EUR", "1.234.567", None),
    (".", ",", "EUR", "1 234.50", None),
    (".", ",", "EUR", "--5", None),
    (".", ",", "EUR", "99999999999999999999", None),
    (",", ".", "EUR", "1.234,56", 123456),
    (",", ".", "EUR", "1.234", 123400),
    (",", ".", "EUR", "1.23", None),
    (",", " ", "EUR", "1\u202f234,5", 123450),
    (".", "'", "CHF", "1’234.50", 123450),
    (".", "", "EUR", "1,234.50", None),
    (".", ",", "JPY", "1,500", 1500),
    (".", ",", "JPY", "15.5", None),
    (".", ",", "KWD", "1.234", 1234),
    (".", ",", "KWD", "1.2345", None),
    (".", ",", "XXQ", "5.00", None),
]


@pytest.mark.parametrize(("decimal", "thousands", "currency", "written", "minor"), STYLES)
def test_an_amount_is_exact_or_a_fault(
    decimal: str, thousands: str, currency: str, written: str, minor: int | None
) -> None:
    frame = pl.DataFrame({"row_no": [1], "currency": [currency], "total": [written]})
    read, faults = read_amounts(frame, ["total"], style=NumberStyle(decimal, thousands))
    assert read["total"].to_list() == [minor]
    assert faults.height == (minor is None)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.integers(-(10**15), 10**15), st.sampled_from(["JPY", "EUR", "KWD"]), st.booleans())
def test_every_amount_survives_being_written(minor: int, currency: str, german: bool) -> None:
    from tieout.money import show

    written = show(minor, currency)
    style = NumberStyle(".", ",")
    if german:
        written, style = written.translate(str.maketrans(",.", ".,")), NumberStyle(",", ".")
    frame = pl.DataFrame({"row_no": [1], "currency": [currency], "total": [written]})
    assert read_amounts(frame, ["total"], style=style)[0]["total"].to_list() == [minor]


READINGS = [
    (
        {"goods": "80.00", "discount": "5.00", "shipping": "10.00", "tax": "15.00"},
        (8000, -500, 1000, 1500, 0, False),
    ),
    (
        {"goods": "80.00", "discount": "-5.00", "shipping": "10.00", "tax": "15.00"},
        (8000, -500, 1000, 1500, 0, False),
    ),
    (
        {"goods": "75.00", "discount": "5.00", "shipping": "10.00", "tax": "15.00"},
        (7500, 0, 1000, 1500, 0, False),
    ),
    ({"goods": "90.00", "shipping": "10.00", "tax": "15.00"}, (7500, 0, 1000, 1500, 0, True)),
    (
        {"goods": "95.00", "discount": "5.00", "shipping": "10.00", "tax": "15.00"},
        (8000, -500, 1000, 1500, 0, True),
    ),
    ({"goods": "70.00", "shipping": "10.00", "tax": "15.00"}, (7000, 0, 1000, 1500, 500, False)),
    ({}, (10000, 0, 0, 0, 0, False)),
    ({"shipping": "10.00"}, (9000, 0, 1000, 0, 0, False)),
]


@pytest.mark.parametrize(("stated", "wanted"), READINGS)
def test_the_reading_that_sums_to_the_total_is_taken(stated: dict[str, str], wanted: tuple) -> None:
    row = staged(order(**stated))["core.orders"].row(0, named=True)
    names = ("goods_minor", "discount_minor", "shipping_minor", "tax_minor", "rounding_minor", "tax_included")
    assert tuple(row[name] for name in names) == wanted
    assert row["is_taxed"] == ("tax" in stated)


def test_a_gift_card_in_an_orders_file_is_tender() -> None:
    row = staged(order(gift_card="-30.00"))["core.orders"].row(0, named=True)
    assert (row["total_minor"], row["tender_minor"], row["due_minor"]) == (10000, 3000, 7000)


def test_bad_values_are_told_with_row_and_column_and_the_rest_goes_on() -> None:
    found = staged(
        order(),
        order(order_number="W2", total="29.949999999999999"),
        order(order_number="W3", placed_at="yesterday"),
        order(order_number="W4", currency="XXQ"),
        order(order_number="W5", status="on the moon"),
        order(order_number="", total="7.00"),
        order(order_number="W7", total=""),
    )
    table = found["core.orders"]
    assert table["problem"].is_null().to_list() == [True, False, False, False, False, False, False]
    assert table["order_number"].to_list() == ["W1", "W2", "W3", "W4", "W5", None, "W7"]
    said = found.problems.select("row_no", "column", pl.col("problem").str.split(":").list.first()).rows()
    assert said == [
        (2, "total", "amount_not_exact"),
        (3, "placed_at", "payload_unreadable"),
        (4, "total", "currency_unknown"),
        (5, "status", "status_unknown"),
        (6, "order_number", "order_number_missing"),
        (7, "total", "payload_unreadable"),
    ]
    assert "row 2: total '29.949999999999999' has more digits than EUR" in table["problem"][1]


def test_two_rows_with_one_number_are_two_orders() -> None:
    table = staged(order(), order(total="5.00"))["core.orders"]
    assert table.select("order_ref", "order_number").rows() == [("W1", "W1"), ("W1#2", "W1")]


def test_german_numbers_dates_and_wall_time() -> None:
    row = staged(order(total="1.234,56", placed_at="01.09.2026 00:30"), rules=GERMAN)["core.orders"].row(
        0, named=True
    )
    assert row["total_minor"] == 123456
    assert row["placed_at"] == datetime(2026, 8, 31, 22, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-09-01", datetime(2026, 9, 1, 4, tzinfo=UTC)),
        ("2026-09-01 10:00", datetime(2026, 9, 1, 14, tzinfo=UTC)),
        ("2026-09-01T10:00:00Z", datetime(2026, 9, 1, 10, tzinfo=UTC)),
        ("2026-09-01T10:00:00.250+02:00", datetime(2026, 9, 1, 8, 0, 0, 250000, tzinfo=UTC)),
        ("2026-09-01 10:00:00 -0700", datetime(2026, 9, 1, 17, tzinfo=UTC)),
        ("2026-11-01 01:30:00", datetime(2026, 11, 1, 5, 30, tzinfo=UTC)),
        ("2026-03-08 02:30:00", None),
    ],
)
def test_times_mean_what_they_say(written: str, instant: datetime | None) -> None:
    found = staged(order(placed_at=written), rules=FileRules(time_zone="America/New_York"))
    assert (found["core.orders"]["problem"][0] is None) == (instant is not None)
    if instant is not None:
        assert found["core.orders"]["placed_at"].to_list() == [instant]


def test_a_lines_file_gives_the_lines_and_a_missing_total() -> None:
    lines = text(
        {"order_number": "W1", "sku": "MUG-1", "quantity": "2", "net": "60.00", "tax": "11.40"},
        {"order_number": "W1", "kind": "Shipping", "net": "10.00", "tax": "1.90"},
        {
            "order_number": "W2",
            "sku": "MUG-2",
            "quantity": "0.5",
            "total": "119.00",
            "tax": "19.00",
            "net": "110.00",
            "discount": "10.00",
        },
        {"order_number": "W9", "sku": "MUG-2", "total": "1.00"},
        {"order_number": "W3", "sku": "MUG-2", "total": "one"},
    )
    found = staged(
        order(total=""),
        order(order_number="W2", total="119.00"),
        order(order_number="W3", total=""),
        lines=lines,
    )
    table = {row["order_number"]: row for row in found["core.orders"].to_dicts()}
    assert (table["W1"]["total_minor"], table["W1"]["shipping_minor"], table["W1"]["tax_minor"]) == (
        8330,
        1000,
        1330,
    )
    assert (table["W2"]["goods_minor"], table["W2"]["rounding_minor"]) == (10000, 0)
    assert "has a line that cannot be read" in table["W3"]["problem"]
    assert found.problems.filter(subject="lines")["row_no"].to_list() == [4, 5]
    half = found["core.order_lines"].filter(order_ref="W2")["quantity"].to_list()
    assert [str(one) for one in half] == ["0.5000"]


def test_several_rows_per_order_with_headers_on_the_first() -> None:
    rules = FileRules(rows="line", sums={"line_total": ["line_total__1", "line_total__2"]})
    found = staged(
        {
            **order(total="", shipping="5.00"),
            "line_sku": "A",
            "line_total__1": "40.00",
            "line_total__2": "4.00",
        },
        {"line_sku": "B", "line_total__1": "60.00", "line_total__2": "6.00"},
        {**order(order_number="W2", total="50.00"), "line_sku": "A", "line_total__1": "50.00"},
        {**order(order_number="W2", total="50.00"), "line_sku": "A", "line_total__1": "0"},
        {**order(order_number="W3", total="1.00"), "line_sku": "A", "line_total__1": "1.00"},
        {**order(order_number="W3", total="2.00"), "line_sku": "A", "line_total__1": "1.00"},
        rules=rules,
    )
    table = found["core.orders"]
    assert table.select("order_ref", "total_minor", "goods_minor").rows()[:2] == [
        ("W1", 11500, 11000),
        ("W2", 5000, 5000),
    ]
    assert "differs between the rows" in table["problem"][2]
    assert found["core.order_lines"].filter(order_ref="W1")["kind_code"].to_list() == [
        "item",
        "item",
        "shipping",
    ]


PAYMENTS = [
    ({"amount": "10.00"}, "as_is", ("charge", "success", 1000)),
    ({"amount": "-10.00"}, "as_is", ("refund", "success", 1000)),
    ({"amount": "-10.00"}, "refunds_negative", ("refund", "success", 1000)),
    ({"amount": "10.00", "kind": "Refund"}, "refunds_positive", ("refund", "success", 1000)),
    ({"amount": "-10.00", "kind": "sale"}, "refunds_positive", ("charge", "success", 1000)),
    ({"amount": "-10.00"}, "reversed", ("charge", "success", 1000)),
    ({"amount": "10.00", "state": "DECLINED"}, "as_is", ("charge", "failure", 1000)),
    ({"amount": "10.00", "kind": "tip"}, "as_is", ("authorization", "pending", 0)),
    ({"amount": "ten"}, "as_is", ("authorization", "pending", 0)),
]


@pytest.mark.parametrize(("values", "sign", "wanted"), PAYMENTS)
def test_payments_have_a_kind_a_state_and_no_sign(values: dict[str, str], sign, wanted: tuple) -> None:
    row = {"payment_ref": "P1", "order_number": "W1", "paid_at": "2026-09-01", "currency": "EUR", **values}
    found = sound(files.payments(text(row), FileRules(sign=sign), storefront="shop", run_id="r"))
    table = found["core.payments"]
    assert table.select("kind_code", "state_code", "amount_minor").row(0) == wanted
    assert (table["problem"][0] is not None) == (wanted[2] == 0) == (found.problems.height == 1)


def test_refunds_and_stock() -> None:
    row = {
        "refund_ref": "R1",
        "order_number": "W1",
        "refunded_at": "2026-09-02",
        "amount": "-3.50",
        "currency": "EUR",
    }
    table = sound(files.refunds(text(row, row), storefront="shop", run_id="r"))["core.payments"]
    assert table.select("transaction_ref", "kind_code", "amount_minor").rows() == [
        ("R1", "refund", 350),
        ("R1#2", "refund", 350),
    ]
    levels = text(
        {"sku": "A", "on_hand": "1.234,5"}, {"sku": "A", "on_hand": "1"}, {"sku": "", "on_hand": "x"}
    )
    found = sound(
        files.stock(levels, GERMAN, source="shop", run_id="r", as_of=datetime(2026, 9, 1, tzinfo=UTC))
    )
    assert [str(one) for one in found["core.stock"]["on_hand_qty"]] == ["1234.5000"]
    assert found.problems["row_no"].to_list() == [2, 3, 3]


def test_empty_files_give_empty_tables() -> None:
    nothing = pl.DataFrame(schema={"order_number": pl.String, "total": pl.String})
    for found in (
        files.orders(nothing, storefront="shop", run_id="r"),
        files.orders(nothing, storefront="shop", run_id="r", lines=nothing),
        files.payments(nothing, storefront="shop", run_id="r"),
        files.refunds(nothing, storefront="shop", run_id="r"),
        files.stock(nothing, source="shop", run_id="r"),
        files.invoices(nothing, run_id="r"),
        files.invoices(nothing, FileRules(rows="line"), run_id="r"),
        files.receipts(nothing, run_id="r"),
        files.credit_memos(nothing, run_id="r"),
    ):
        sound(found)
        assert all(frame.is_empty() for frame in found.frames.values())
        assert found.problems.is_empty()


@pytest.mark.parametrize(
    "case", sorted(path.name.removesuffix(".input.json") for path in GOLDEN.glob("*.input.json"))
)
def test_golden_exports(case: str) -> None:
    """Landed rows (payloads of text) of known exports, with the rows they become beside them."""
    given = json.loads((GOLDEN / f"{case}.input.json").read_text())
    rules = FileRules(**given["rules"])
    rows = given["rows"]
    raw = pl.DataFrame(
        {
            "native_ref": [f"{case}:{number}" for number in range(len(rows))],
            "version_no": pl.Series([None] * len(rows), dtype=pl.Int64),
            "updated_at": [datetime(2026, 9, 9, tzinfo=UTC)] * len(rows),
            "fetched_at": [datetime(2026, 9, 9, tzinfo=UTC)] * len(rows),
            "payload": [json.dumps(row) for row in rows],
            "payload_sha256": ["0" * 64] * len(rows),
        }
    )
    found = sound(files.orders(raw, rules, storefront="shop", run_id="r"))
    got = {
        "orders": found["core.orders"].select(given["order_columns"]).rows(),
        "lines": found["core.order_lines"].select(given["line_columns"]).rows(),
        "problems": found.problems["problem"].to_list(),
    }
    assert json.loads(json.dumps(got)) == json.loads((GOLDEN / f"{case}.expected.json").read_text())


_AMOUNT = st.integers(0, 10**7).map(lambda minor: f"{minor // 100}.{minor % 100:02d}")
_MAYBE = st.one_of(st.none(), _AMOUNT)
_ROW = st.fixed_dictionaries(
    dict.fromkeys(("total", "goods", "discount", "shipping", "fees", "tax", "gift_card"), _MAYBE)
)
_LINE = st.fixed_dictionaries(
    dict.fromkeys(("net", "tax", "discount", "total"), _MAYBE)
    | {"kind": st.sampled_from([None, "shipping", "discount"])}
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(st.tuples(_ROW, st.lists(_LINE, max_size=3)), min_size=1, max_size=4), st.booleans())
def test_lines_always_sum_to_their_order(drawn: list, with_lines: bool) -> None:
    rows = [
        {**order(order_number=f"W{at}"), **{k: v or "" for k, v in head.items()}}
        for at, (head, _) in enumerate(drawn)
    ]
    lines = [
        {**{k: v or "" for k, v in line.items()}, "order_number": f"W{at}"}
        for at, (_, some) in enumerate(drawn)
        for line in some
    ]
    more = {"lines": text(*lines)} if with_lines and lines else {}
    found = files.orders(text(*rows), storefront="shop", run_id="r", **more)
    assert footing(found).filter(pl.col("gap") != 0).is_empty()
