"""Whatever dialect an export is written in, and however the files are sliced, the outcome is the same and nothing is lost."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.plain import files as plain_files
from flows.plain import stage as plain_stage
from flows.plain import text as plain_text
from tieout.connectors.storefronts.files import Files
from tieout.errors import InputError

CALM = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
DIGITS = {"USD": 2, "JPY": 0, "KWD": 3}


@st.composite
def trade(draw: Any) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Orders with a fate each, and how many rows of each outcome they must give."""
    orders, expected = [], {}
    for number in range(draw(st.integers(1, 12))):
        fate = draw(st.sampled_from(["matched", "missing_invoice", "amount_total", "missing_order"]))
        # Amounts are far apart, so that no two orders can be taken for each other.
        minor = (number + 1) * 1_000 + draw(st.integers(10, 400))
        orders.append(
            {
                "n": f"W{number + 1}",
                "currency": draw(st.sampled_from(sorted(DIGITS))),
                "minor": minor,
                "fate": fate,
            }
        )
        expected[fate] = expected.get(fate, 0) + 1
    return orders, expected


@st.composite
def dialect(draw: Any) -> dict[str, Any]:
    """How an export may be written."""
    decimal = draw(st.sampled_from([".", ","]))
    return {
        "decimal": decimal,
        "thousands": draw(st.sampled_from(["", "." if decimal == "," else ",", " "])),
        "delimiter": draw(st.sampled_from([",", ";", "\t", "|"])),
        "date_format": draw(st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y"])),
        "encoding": draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])),
        "quoting": draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
        "line_end": draw(st.sampled_from(["\n", "\r\n"])),
        "shuffle": draw(st.randoms(use_true_random=False)),
    }


def amount(minor: int, currency: str, how: dict[str, Any]) -> str:
    digits = DIGITS[currency]
    whole, fraction = divmod(minor, 10**digits)
    text = f"{whole:,}".replace(",", how["thousands"])
    return f"{text}{how['decimal']}{fraction:0{digits}d}" if digits else text


def written(rows: list[list[str]], how: dict[str, Any]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(
        out, delimiter=how["delimiter"], quoting=how["quoting"], lineterminator=how["line_end"]
    ).writerows(rows)
    return out.getvalue().encode(how["encoding"])


def day(how: dict[str, Any]) -> str:
    return {"%Y-%m-%d": "2026-09-13", "%d.%m.%Y": "13.09.2026", "%m/%d/%Y": "09/13/2026"}[how["date_format"]]


@CALM
@given(case=trade(), how=dialect())
def test_every_dialect_gives_the_same_outcome(reconcile: Any, case: Any, how: dict[str, Any]) -> None:
    orders, expected = case
    left = [
        [one["n"], day(how), one["currency"], amount(one["minor"], one["currency"], how)]
        for one in orders
        if one["fate"] != "missing_order"
    ]
    right = [
        [
            f"I-{one['n']}",
            one["n"],
            day(how),
            one["currency"],
            amount(one["minor"] + (one["fate"] == "amount_total"), one["currency"], how),
        ]
        for one in orders
        if one["fate"] != "missing_invoice"
    ]
    if not left or not right:
        return
    how["shuffle"].shuffle(left)
    how["shuffle"].shuffle(right)
    told = f'[defaults]\ndecimal = "{how["decimal"]}"\ndate_format = "{how["date_format"]}"\n'
    if how["thousands"]:
        told += f'thousands = "{how["thousands"]}"\n'
    found = reconcile(
        {
            "orders": written([["order_number", "placed_at", "currency", "total"], *left], how),
            "invoices": written(
                [["invoice_number", "reference", "invoiced_on", "currency", "total"], *right], how
            ),
        },
        map_text=told,
    )
    assert found.sentences == []
    assert found.counts() == expected
    assert found.data.foots
    assert found.data.orders["gross_minor"].sum() == sum(
        one["minor"] for one in orders if one["fate"] != "missing_order"
    )


def files_of(count: int) -> dict[str, str]:
    """Orders, lines, payments, refunds and a ledger, out of order, with repeated payment references and odd spellings."""
    span = range(1, count + 1)
    return {
        "orders": "order_number,placed_at,currency,total\n" + "".join(f"W{n},2026-09-{n % 28 + 1:02d},USD,\n" for n in span),
        "lines": "order_number,net,tax\n" + "".join(f"w{n},{n}.00,0.50\nW-{n},1.00,0.10\n" for n in reversed(span)),
        "payments": "payment_ref,order_number,paid_at,amount,currency\n" + "".join(f"p{n % 5},#W{n},2026-09-29,{n + 1}.60,USD\n" for n in span),
        "refunds": "refund_ref,order_number,refunded_at,amount,currency\n" + "".join(f"p{n % 5},W{n},2026-09-30,{n + 1}.60,USD\n" for n in span if n % 4 == 0),
        "invoices": "invoice_number,reference,invoiced_on,currency,total\n" + "".join(f"I{n},W{n},2026-09-29,USD,{n + 1}.60\n" for n in span if n % 7),
        "credit_memos": "credit_memo_number,reference,issued_on,currency,total\n" + "".join(f"C{n},W{n},2026-09-30,USD,{n + 1}.60\n" for n in span if n % 8 == 0),
        "receipts": "receipt_ref,invoice_number,received_on,currency,amount\n" + "".join(f"R{n},I{n},2026-09-29,USD,{n + 1}.60\n" for n in span if n % 7 and n % 9),
    }  # fmt: skip


def sliced(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    """Small slices while staging, and three parts in the comparison."""
    for module in (plain_text, plain_stage):
        monkeypatch.setattr(module, "SLICE_ROWS", rows)
    monkeypatch.setattr(plain_files, "PART_ROWS", 1)
    monkeypatch.setattr(plain_files, "PARTS", 3)


def test_slices_change_nothing(reconcile: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    files = files_of(16)
    whole = reconcile(files)
    assert whole.counts()["matched"] > 5
    for rows in (3, 9):
        sliced(monkeypatch, rows)
        again = reconcile(files)
        assert again.counts() == whole.counts(), rows
        assert again.data.ageing.equals(whole.data.ageing), rows
        assert again.result.content_sha256 == whole.result.content_sha256, rows
        assert again.problems.equals(whole.problems), rows


def test_parts_change_nothing_of_what_entity_a_row_has(
    reconcile: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = files_of(24)
    head, *rows = files["orders"].splitlines()
    files["orders"] = "\n".join(
        [f"{head},store", *(f"{row},{'de' if n % 3 else 'us'}" for n, row in enumerate(rows))]
    )
    head, *rows = files["invoices"].splitlines()
    # Every invoice of a store is its entity's, but one; memos and receipts say nothing and follow what they belong to.
    number = [int(row.split(",")[1][1:]) for row in rows]
    entity = ["D" if (n - 1) % 3 and n != 2 else "U" for n in number]
    files["invoices"] = "\n".join(
        [f"{head},entity", *(f"{row},{code}" for row, code in zip(rows, entity, strict=True))]
    )
    whole = reconcile(files)
    assert set(whole.data.orders["entity_code"]) == {"D", "U"}
    assert whole.counts()["entity"] == 2, "one row on either side"
    assert set(whole.data.payments["entity_code"]) == {"D", "U"}
    sliced(monkeypatch, 3)
    assert reconcile(files).result.content_sha256 == whole.result.content_sha256


@st.composite
def awkward(draw: Any) -> dict[str, str]:
    """Files whose rows only make sense together: numbers that stand twice or in other spellings, rows that continue the order above or lack
    their number, references that repeat, receipts of which few name an invoice."""
    some = st.integers(1, 6)
    number = st.builds(
        lambda n, spelled: spelled.format(n), some, st.sampled_from(["W{}", "W{}", "w-{}", "#W{} "])
    )

    def rows(row: Any, most: int) -> str:
        return "".join(",".join(one) + "\n" for one in draw(st.lists(row, min_size=1, max_size=most)))

    day, money = (
        st.sampled_from(["2026-09-01", "2026-09-02", "", "soon"]),
        st.sampled_from(["1.00", "2.50", "3.00", "", "x"]),
    )
    amount = st.sampled_from(["1.00", "2.50", "3.00"])
    ref = st.sampled_from(["p1", "p2", "P1", ""])
    always = st.just("2026-09-03")
    return {
        "orders": "order_number,placed_at,currency,total,line_net\nW9,2026-09-01,USD,9.00,9.00\n"
        + rows(st.tuples(st.one_of(number, st.just("")), day, st.just("USD"), st.just(""), money), 14),
        "payments": "payment_ref,order_number,paid_at,amount,currency\np9,W9,2026-09-03,9.00,USD\n"
        + rows(st.tuples(ref, st.one_of(number, st.just("")), always, amount, st.just("USD")), 10),
        "refunds": "refund_ref,order_number,refunded_at,amount,currency\np9,W9,2026-09-04,1.00,USD\n"
        + rows(st.tuples(ref, number, always, amount, st.just("USD")), 4),
        "invoices": "invoice_number,reference,invoiced_on,currency,total\nI9,W9,2026-09-03,USD,9.00\n"
        + rows(st.tuples(st.builds("I{}".format, some), number, always, st.just("USD"), amount), 10),
        "receipts": "receipt_ref,reference,invoice_number,received_on,currency,amount\nR9,p9,,2026-09-05,USD,9.00\n"
        + rows(
            st.tuples(st.builds("R{}".format, some), ref, st.sampled_from(["", "", "I1"]), always, st.just("USD"), amount), 8
        ),
    }  # fmt: skip


@settings(CALM, max_examples=3)
@given(files=awkward(), rows=st.integers(2, 6))
def test_rows_that_belong_together_meet_whatever_the_slices(
    reconcile: Any, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], rows: int
) -> None:
    told = '[orders]\nrows = "line"\n'
    whole = reconcile(files, map_text=told)
    with monkeypatch.context() as patch:
        sliced(patch, rows)
        again = reconcile(files, map_text=told)
    assert again.problems.equals(whole.problems)
    for name in ("orders", "payments", "ageing", "waterfall", "proofs"):
        left, right = (getattr(one.data, name).lazy().collect() for one in (whole, again))
        assert left.equals(right), name
    assert again.result.content_sha256 == whole.result.content_sha256


@pytest.mark.parametrize("rows", [100, 2])
def test_receipts_that_name_no_invoice_are_on_account_if_any_of_the_file_names_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    sliced(monkeypatch, rows)
    given = {}
    for name, text in files_of(9).items():
        given[name] = tmp_path / f"{name}.csv"
        given[name].write_text(text)
    given["receipts"].write_text(
        "receipt_ref,invoice_number,received_on,currency,amount\n"
        + "".join(f"R{n},{'I1' if n == 1 else ' '},2026-09-29,USD,1.00\n" for n in range(1, 9))
    )
    (tmp_path / "work").mkdir()
    with Files(given, work_dir=tmp_path / "copies") as files:
        texts = {name: plain_text.open_text(files, name) for name in ("orders", "lines", "receipts")}
        tables = plain_stage.stage_files(texts, tmp_path / "work", progress=lambda *_: None)
    assert tables.scan("core.ar_receipts").collect()["unapplied_minor"].sum() == 700


def test_a_large_file_that_is_written_otherwise_is_given_up_at_its_first_slice(
    reconcile: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sliced(monkeypatch, 10)
    monkeypatch.setattr(plain_stage, "TRIED", 8)
    rows = "".join(f"W{n},01.09.2026,USD,3.00\n" for n in range(60))
    invoices = "invoice_number,reference,invoiced_on,currency,total\nI1,none,2026-09-01,USD,3.00\n"
    with pytest.raises(InputError, match=r"None of \d\d? rows tried of orders could be read: .*date"):
        reconcile({"orders": "order_number,placed_at,currency,total\n" + rows, "invoices": invoices})


def test_order_of_rows_and_of_files_changes_nothing(reconcile: Any, tmp_path: Any) -> None:
    files = {name: text for name, text in files_of(24).items() if name in ("orders", "lines", "invoices")}
    before = reconcile(files)
    turned = {}
    for name, text in files.items():
        head, *rows = text.splitlines(keepends=True)
        turned[name] = [tmp_path / f"{name}-1.csv", tmp_path / f"{name}-2.csv"]
        turned[name][0].write_text(head + "".join(rows[len(rows) // 2 :][::-1]))
        turned[name][1].write_text(head + "".join(rows[: len(rows) // 2][::-1]))
    after = reconcile(turned)
    assert after.result.content_sha256 == before.result.content_sha256


def test_line_files_with_the_number_on_the_first_row_only(
    reconcile: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = "order_number,placed_at,currency,line_net\n" + "".join(
        f"W{n},2026-09-01,USD,{n}.00\n,,,1.00\n" for n in range(1, 30)
    )
    invoices = "invoice_number,reference,invoiced_on,currency,total\n" + "".join(
        f"I{n},W{n},2026-09-01,USD,{n + 1}.00\n" for n in range(1, 30)
    )
    for rows in (1_000, 7):
        sliced(monkeypatch, rows)
        found = reconcile({"orders": orders, "invoices": invoices}, map_text='[orders]\nrows = "line"\n')
        assert found.counts() == {"matched": 29}


@settings(CALM, max_examples=4)
@given(
    bad=st.sets(st.integers(0, 19), max_size=20), column=st.sampled_from(["placed_at", "currency", "total"])
)
def test_rows_read_are_rows_reconciled_and_rows_held(reconcile: Any, bad: set[int], column: str) -> None:
    good = {"placed_at": "2026-09-01", "currency": "USD", "total": "3.00"}
    rows = [{"order_number": f"W{n}", **good, **({column: "?"} if n in bad else {})} for n in range(20)]
    orders = "order_number,placed_at,currency,total\n" + "".join(
        ",".join(row.values()) + "\n" for row in rows
    )
    invoices = "invoice_number,reference,invoiced_on,currency,total\nI1,none,2026-09-01,USD,3.00\n"
    if len(bad) == 20:
        return
    found = reconcile({"orders": orders, "invoices": invoices})
    held = found.problems["row_no"].n_unique() if found.problems.height else 0
    assert held == len(bad)
    clean = found.data.orders.filter(pl.col("outcome_code") == "missing_invoice")
    assert clean.height + held == 20
