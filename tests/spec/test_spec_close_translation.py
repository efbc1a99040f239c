"""The waterfall in base currency, drawn: Intacct's own documents give the rate, rounding is a step, and every total foots."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from drawn import table
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.errors import InputError
from tieout.money import convert_minor
from transforms.closing.translation import foots, implied_rates, translated
from transforms.reconcile import Period

SEPTEMBER = Period.month("2026-09")
BASES = pl.DataFrame({"entity_code": ["E100"], "base_currency": ["USD"]})


def rates(drawing: str) -> list[tuple[str, int, int]]:
    documents = table(drawing).with_columns(entity_code=pl.lit("E100"))
    return (
        implied_rates(documents, SEPTEMBER, BASES)
        .select("currency", "total_minor", "base_total_minor")
        .rows()
    )


def test_the_rate_is_what_intacct_booked_of_the_period() -> None:
    assert rates("""
    currency | posted_on  | total_minor | base_total_minor
    JPY      | 2026-09-03 | 10000       | 6700
    JPY      | 2026-09-20 | -1000       | -668
    JPY      | 2026-10-01 | 10000       | 9999
    USD      | 2026-09-05 | 500         | -
    """) == [("JPY", 9000, 6032), ("USD", 500, 500)]


def test_a_document_without_a_base_amount_leaves_its_currency_without_a_rate() -> None:
    assert (
        rates("""
    currency | posted_on  | total_minor | base_total_minor
    JPY      | 2026-09-03 | 10000       | 6700
    JPY      | 2026-09-20 | 1000        | -
    KWD      | 2026-09-20 | 0           | 0
    """)
        == []
    )


def bridge(*steps: tuple[int, str, bool, int], currency: str = "JPY") -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"tie_out": "orders", "entity_code": "E100", "store_ref": "jp", "currency": currency, "step_no": no, "step_code": code, "label": code, "is_total": total, "row_count": 1, "amount_minor": amount}
            for no, code, total, amount in steps
        ]
    )  # fmt: skip


def test_what_rounding_leaves_over_is_a_step_before_the_total() -> None:
    rate = pl.DataFrame([("E100", "JPY", "USD", 1, 3, 2)], schema=["entity_code", "currency", "base_currency", "document_count", "total_minor", "base_total_minor"], orient="row")  # fmt: skip
    rows = bridge(
        (10, "gross", False, 1),
        (20, "less", False, 1),
        (30, "more", False, 1),
        (70, "recognised", True, 3),
        (900, "invoiced", True, 3),
    )
    found = translated(rows, rate, BASES).sort("step_no")
    assert found.select("step_no", "step_code", "amount_minor", "base_minor").rows() == [
        (10, "gross", 1, 1), (20, "less", 1, 1), (30, "more", 1, 1), (69, "translation", 0, -1), (70, "recognised", 3, 2), (900, "invoiced", 3, 2),
    ]  # fmt: skip
    assert foots(found).is_empty()


def test_a_currency_without_a_rate_is_not_translated_and_the_base_currency_needs_none() -> None:
    none = implied_rates(
        table("currency | posted_on | total_minor | base_total_minor\nUSD | 2026-08-01 | 1 | 1").with_columns(
            entity_code=pl.lit("E100")
        ),
        SEPTEMBER,
        BASES,
    )
    assert translated(bridge((10, "gross", False, 5)), none, BASES)["base_minor"].to_list() == [None]
    assert translated(bridge((10, "gross", False, 5), currency="USD"), none, BASES)[
        "base_minor"
    ].to_list() == [5]


MINOR = st.integers(-(10**15), 10**15)


@settings(deadline=None)
@given(st.lists(MINOR, min_size=1, max_size=8), st.integers(1, 10**12), st.integers(1, 10**12))
def test_any_bridge_foots_in_base_currency_and_its_last_total_is_the_documents_own(
    steps: list[int], total: int, base: int
) -> None:
    rate = pl.DataFrame([("E100", "JPY", "USD", 1, total, base)], schema=["entity_code", "currency", "base_currency", "document_count", "total_minor", "base_total_minor"], orient="row")  # fmt: skip
    if abs(sum(steps)) * base // total > 10**17 or max(abs(one) for one in steps) * base // total > 10**17:
        return
    rows = bridge(*((at * 10, f"s{at}", False, amount) for at, amount in enumerate(steps, start=1)), (800, "sum", True, sum(steps)), (810, "own", False, total - sum(steps)), (900, "invoiced", True, total))  # fmt: skip
    found = translated(rows, rate, BASES)
    assert foots(found).is_empty()
    assert found.filter(pl.col("step_code") == "invoiced")["base_minor"].to_list() == [base]


@pytest.mark.parametrize(
    ("minor", "over", "under", "wanted"),
    [
        (1, 1, 2, 1),
        (-1, 1, 2, -1),
        (3, 1, 2, 2),
        (1, 1, 3, 0),
        (2, 1, 3, 1),
        (10**18, 1, 1, 10**18),
        (7, -1, 2, -4),
        (7, 1, -2, -4),
        (0, 5, 7, 0),
    ],
)
def test_converting_rounds_half_away_from_zero_in_whole_numbers(
    minor: int, over: int, under: int, wanted: int
) -> None:
    assert convert_minor(minor, over, under) == wanted


def test_a_rate_over_nothing_or_beyond_64_bits_is_refused() -> None:
    with pytest.raises(InputError, match="over zero"):
        convert_minor(1, 1, 0)
    with pytest.raises(InputError, match="64 bits"):
        convert_minor(10**18, 10, 1)
    assert date(2026, 9, 30) < SEPTEMBER.end_on
