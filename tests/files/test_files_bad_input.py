"""Every bad input gets one clear sentence or a held row; the rest of the run goes on and nothing is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import xlsxwriter

from tieout.errors import InputError

ORDERS = "order_number,placed_at,currency,total\nA,2026-09-01,USD,5.00\nB,2026-09-02,USD,7.00\n"
INVOICES = "invoice_number,reference,invoiced_on,currency,total\nI1,A,2026-09-01,USD,5.00\nI2,B,2026-09-02,USD,7.00\n"
HEAD = "order_number,placed_at,currency,total\n"


def held_row(row: str) -> str:
    return f"{ORDERS}{row}\n"


def test_the_plain_case_ties(reconcile: Any) -> None:
    found = reconcile({"orders": ORDERS, "invoices": INVOICES})
    assert (found.counts(), found.result.exit_code) == ({"matched": 2}, 0)


@pytest.mark.parametrize(
    ("orders", "invoices", "needle"),
    [
        ("", INVOICES, "orders.csv is empty"),
        (HEAD, INVOICES, "has a header and no rows"),
        (ORDERS, "", "invoices.csv is empty"),
        ("order_number,placed_at,total\nA,2026-09-01,5.00\n", INVOICES, 'columns.currency = "…"'),
        (ORDERS.replace("order_number,", "colour,"), INVOICES, "colour"),
        ("order_number,placed_at,currency,total,total\nA,2026-09-01,USD,5,5\n", INVOICES, "stands twice"),
        ("order_number,placed_at,currency,total,colour\nA,2026-09-01,USD,5,red\n", INVOICES, 'column "colour" is not known'),
        (ORDERS + 'C,2026-09-02,"USD,7.00\n', INVOICES, "line 4"),
        (ORDERS + "C,2026-09-02\n", INVOICES, "line 4 has 2"),
        (ORDERS.encode() + b"\x00\x00", INVOICES, "NUL"),
        (HEAD + "A,01/02/2026,USD,5.00\n", INVOICES, "date_format"),
        (HEAD + "A,2026-09-01,USD,five\n", INVOICES, "None of the 1 rows of orders could be read"),
        (b"\x1f\x8b\x08\x00abcdefgh", INVOICES, "compressed"),
        (b"%PDF-1.7 abc", INVOICES, "not a table"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_used(reconcile: Any, orders: Any, invoices: Any, needle: str) -> None:
    with pytest.raises(InputError) as stopped:
        reconcile({"orders": orders, "invoices": invoices})
    assert needle in str(stopped.value)
    assert stopped.value.exit_code == 2


@pytest.mark.parametrize(
    ("row", "needle"),
    [
        ("C,2026-09-03,USD,29.949999999999999", "has more digits than USD has minor units"),
        ("C,2026-09-03,USD,NaN", "total 'NaN' is not an amount"),
        ("C,2026-09-03,USD,1e5", "total '1e5' is not an amount"),
        ("C,2026-09-03,JPY,5.50", "has more digits than JPY has minor units"),
        ("C,2026-09-03,USD,99999999999999999.00", "is larger than any amount can be"),
        ("C,2026-09-03,ABC,5.00", "not an ISO 4217 currency"),
        ("C,2026-09-03,,5.00", "currency"),
        ("C,03.09.2026,USD,5.00", "placed_at '03.09.2026' is not a time"),
        ("C,,USD,5.00", "placed_at '' is empty and must not be"),
        ("C,2026-09-03,USD,", "total"),
        (",2026-09-03,USD,abc", "total 'abc' is not an amount"),
    ],
)
def test_rows_that_cannot_be_read_are_held_and_named(reconcile: Any, row: str, needle: str) -> None:
    found = reconcile({"orders": held_row(row), "invoices": INVOICES})
    assert found.problems["row_no"].unique().to_list() == [3]
    assert all(sentence.startswith("orders.csv row 3: ") for sentence in found.sentences)
    assert any(needle in sentence for sentence in found.sentences), found.sentences
    assert found.counts().get("matched") == 2, "the rest goes on"
    assert found.result.exit_code == 1, "what could not be read was not proved"
    assert "orders                  3 rows read, 1 held" in found.result.text


def test_negative_zero_is_zero(reconcile: Any) -> None:
    found = reconcile({"orders": held_row("C,2026-09-03,USD,-0.00"), "invoices": INVOICES})
    assert found.counts() == {"matched": 2, "not_owed": 1}


def test_problems_of_every_kind_of_file_name_file_and_row(reconcile: Any) -> None:
    found = reconcile(
        {
            "orders": ORDERS,
            "lines": "order_number,net\nA,5.00\nB,x\nZ,1.00\nB,7.00\n",
            "payments": "payment_ref,order_number,paid_at,amount,currency,state\np1,A,2026-09-01,5.00,USD,\np2,B,2026-09-02,7.00,USD,odd\n",
            "refunds": "refund_ref,order_number,refunded_at,amount,currency\nr1,A,2026-09-01,?,USD\nr2,A,2026-09-01,1.00,USD\n",
            "invoices": INVOICES + "I3,B,2026-13-02,USD,7.00\n",
            "receipts": "receipt_ref,payment_ref,received_on,currency,amount\nc1,p1,2026-09-01,USD,5.00\nc2,p2,2026-09-01,USD,5.0.0\n",
            "credit_memos": "credit_memo_number,reference,issued_on,currency,total\nm1,A,2026-09-01,USD,1.00\nm2,A,nope,USD,1.00\n",
        }
    )
    places = set(found.problems.select("subject", "file", "row_no").rows())
    assert places == {
        ("orders", "orders.csv", 2), ("lines", "lines.csv", 2), ("lines", "lines.csv", 3), ("payments", "payments.csv", 2), ("refunds", "refunds.csv", 1),
        ("invoices", "invoices.csv", 3), ("receipts", "receipts.csv", 2), ("credit_memos", "credit_memos.csv", 2),
    }  # fmt: skip
    assert found.data.held.height == found.problems.height
    assert found.data.orders.filter(order_number="B")["family_code"].item() != "matched", (
        "one of its lines is not known"
    )


def test_the_row_is_counted_in_its_own_file(reconcile: Any, tmp_path: Path) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text(ORDERS)
    second.write_text(HEAD + "C,2026-09-02,USD,7.00\nD,2026-09-02,USD,x\n")
    found = reconcile({"orders": [str(tmp_path / "?.csv")], "invoices": INVOICES})
    assert found.sentences == ["b.csv row 2: total 'x' is not an amount as the number style has it"]
    assert [(one[0], one[3], one[5]) for one in found.data.sources[:2]] == [
        ("a.csv", "2", "0"),
        ("b.csv", "2", "1"),
    ]


@pytest.mark.parametrize(
    ("files", "needle"),
    [
        ({"orders": ORDERS}, "nothing to compare"),
        ({"orders": ORDERS, "lines": "order_number,net\nA,1\n"}, "nothing to compare"),
        ({"orders": ORDERS, "invoices": INVOICES, "receipts": "x\n"}, "--payments"),
        ({"orders": ORDERS, "payments": "x\n", "receipts": "x\n"}, "--invoices"),
        ({"orders": ORDERS, "payments": "x\n", "credit_memos": "x\n"}, "--invoices"),
        ({"orders": ["nowhere/*.csv"], "invoices": INVOICES}, "matches no file"),
    ],
)
def test_what_leaves_nothing_to_compare(reconcile: Any, files: Any, needle: str) -> None:
    with pytest.raises(InputError, match=r".") as stopped:
        reconcile(files)
    assert needle in str(stopped.value)


@pytest.mark.parametrize(
    ("text", "needle"),
    [
        ("0.01", "write it like USD=0.01"),
        ("USD=-1", "cannot be negative"),
        ("USD=x", "not a plain decimal"),
        ("ABC=1", "ISO 4217"),
        ("JPY=0.5", "more digits"),
    ],
)
def test_tolerances_that_make_no_sense(reconcile: Any, text: str, needle: str) -> None:
    with pytest.raises(InputError) as stopped:
        reconcile({"orders": ORDERS, "invoices": INVOICES}, tolerance=[text])
    assert needle in str(stopped.value)


@pytest.mark.parametrize(
    ("map_text", "needle"),
    [
        ("[orders\n", "not valid TOML"),
        ("[orders]\ncolour = 1\n", "colour"),
        ('[orders]\nbasis = "dreamt"\n', "basis"),
        ('[invoices]\nbasis = "placed"\n', "basis belongs under [orders]"),
        ('[orders.columns]\ntotal = "Sum"\n', 'column "Sum" (for total) is not in the file'),
    ],
)
def test_maps_that_cannot_be_used(reconcile: Any, map_text: str, needle: str) -> None:
    with pytest.raises(InputError) as stopped:
        reconcile({"orders": ORDERS, "invoices": INVOICES}, map_text=map_text)
    assert needle in str(stopped.value)


def test_a_period_must_be_a_month(reconcile: Any) -> None:
    with pytest.raises(InputError, match="write it like 2026-09"):
        reconcile({"orders": ORDERS, "invoices": INVOICES}, period="September")


def test_byte_order_mark_semicolons_and_decimal_commas_need_no_map(reconcile: Any) -> None:
    orders = ORDERS.replace(",", ";").replace(".00", ",00").replace("7,00", "1.007,00")
    invoices = INVOICES.replace("7.00", "1007.00")
    found = reconcile({"orders": b"\xef\xbb\xbf" + orders.encode(), "invoices": invoices})
    assert found.counts() == {"matched": 2}
    assert any("decimal comma" in line for line in found.result.text)


def test_files_in_different_number_styles_are_refused(reconcile: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(ORDERS)
    (tmp_path / "b.csv").write_text(HEAD.replace(",", ";") + "C;2026-09-02;USD;7,00\n")
    with pytest.raises(
        InputError, match=r"b\.csv is written with decimal commas and a\.csv with decimal points"
    ):
        reconcile({"orders": [tmp_path / "a.csv", tmp_path / "b.csv"], "invoices": INVOICES})


def test_the_same_order_twice_is_two_orders_and_no_guess(reconcile: Any) -> None:
    found = reconcile({"orders": ORDERS + "A,2026-09-01,USD,5.00\n", "invoices": INVOICES})
    assert found.data.orders["gross_minor"].sum() == 1700
    assert found.counts().get("ambiguous", 0) >= 1
    assert found.result.exit_code == 1


def test_formula_like_text_stays_text(reconcile: Any) -> None:
    orders = (
        'order_number,placed_at,currency,total,customer\n=cmd(),2026-09-01,USD,5.00,"=HYPERLINK(""x"")"\n'
    )
    invoices = "invoice_number,reference,invoiced_on,currency,total\n+1,=cmd(),2026-09-01,USD,5.00\n"
    found = reconcile({"orders": orders, "invoices": invoices})
    row = found.data.orders.row(0, named=True)
    assert (row["order_number"], row["customer_name"], row["outcome_code"]) == (
        "=cmd()",
        '=HYPERLINK("x")',
        "matched",
    )


def test_parquet_and_excel_say_the_same_as_text(reconcile: Any, tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "order_number": ["A", "B"],
            "placed_at": ["2026-09-01", "2026-09-02"],
            "currency": ["USD"] * 2,
            "total": ["5.00", "7.00"],
        }
    ).with_columns(pl.col("placed_at").str.to_date(), pl.col("total").cast(pl.Decimal(12, 2)))
    frame.write_parquet(tmp_path / "o.parquet")
    stamped = frame.with_columns(
        pl.col("placed_at").cast(pl.Datetime("us")).dt.replace_time_zone("Europe/Berlin"),
        pl.col("total").cast(pl.Float64),
    )
    stamped.write_parquet(tmp_path / "z.parquet")
    book = xlsxwriter.Workbook(str(tmp_path / "o.xlsx"))
    sheet = book.add_worksheet()
    for row, values in enumerate([frame.columns, *[list(one) for one in frame.rows()]]):
        for column, value in enumerate(values):
            if hasattr(value, "year"):
                sheet.write_datetime(row, column, value, book.add_format({"num_format": "yyyy-mm-dd"}))
            else:
                sheet.write(row, column, value)
    book.close()
    for name in ("o.parquet", "z.parquet", "o.xlsx"):
        found = reconcile({"orders": [tmp_path / name], "invoices": INVOICES})
        assert found.counts() == {"matched": 2}, name
    european = '[orders]\ndecimal = ","\ndate_format = "%d.%m.%Y"\n'
    found = reconcile({"orders": [tmp_path / "o.parquet"], "invoices": INVOICES}, map_text=european)
    assert found.counts() == {"matched": 2}, "typed columns need no number style"


def test_refunds_and_payments_may_share_a_reference(reconcile: Any) -> None:
    found = reconcile(
        {
            "orders": ORDERS,
            "payments": "payment_ref,order_number,paid_at,amount,currency\np,A,2026-09-01,5.00,USD\np,B,2026-09-02,9.00,USD\n",
            "refunds": "refund_ref,order_number,refunded_at,amount,currency\np,B,2026-09-03,-2.00,USD\n",
        }
    )
    assert found.counts() == {"matched": 2}


def test_more_rows_than_the_disk_takes_are_refused_before_the_work_begins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from flows.plain import files as plain_files

    monkeypatch.setattr(plain_files, "BYTES_PER_ROW", 10**12)
    with pytest.raises(InputError, match=r"GB of disk .* make room"):
        plain_files._room(20_000_000, tmp_path)
