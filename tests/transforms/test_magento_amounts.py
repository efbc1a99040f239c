"""Amounts of Magento by columns are those of exact decimal arithmetic, one at a time, whatever PHP printed."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import msgspec
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from transforms.storefronts.cells import Amounts
from transforms.storefronts.magento_amounts import in_minor, ten_thousandths, with_digits

_ANY = st.decimals(min_value=-(10**14), max_value=10**14, allow_nan=False, allow_infinity=False, places=6)
_PRINTED = st.one_of(
    _ANY.map(lambda one: f"{one:f}"),
    _ANY.map(lambda one: f'"{one:f}"'),
    st.integers(-(10**9), 10**9).map(str),
    st.sampled_from(
        [
            "29.949999999999999",
            "-8.88e-16",
            "1.00005",
            "-0.00005",
            "0.00004999",
            "1e3",
            "9.5E2",
            "0",
            "-0.0000",
        ]
    ),
)
_NONE = st.sampled_from(["null", '""', '"12,50"', "true", '"x"', "[]", '{"a":1}', "900000000000000", "1e25"])


def exact(text: str) -> int | None:
    try:
        value = Decimal(text.strip('"'))
    except ArithmeticError:
        return None
    whole = int((value * 10_000).to_integral_value(ROUND_HALF_UP)) if abs(value) < 10**20 else 10**30
    return whole if abs(whole) < 9 * 10**18 else None


@given(st.lists(st.one_of(_PRINTED, _NONE), max_size=30))
def test_ten_thousandths_are_exact(texts: list[str]) -> None:
    assert ten_thousandths(pl.Series(texts, dtype=pl.String)).to_list() == [exact(one) for one in texts]


@given(
    st.lists(
        st.tuples(st.one_of(_PRINTED, _NONE), st.sampled_from(["EUR", "JPY", "KWD", "XXQ"])), max_size=30
    )
)
def test_minor_units_are_rounded_once_more_and_what_cannot_be_read_is_named(
    rows: list[tuple[str, str]],
) -> None:
    frame = pl.DataFrame(rows, schema={"a": pl.String, "currency": pl.String}, orient="row")
    found = in_minor(with_digits(frame), ["a"])
    for (text, currency), minor, unread in zip(rows, found["a"], found["unread"], strict=True):
        digits = {"EUR": 2, "JPY": 0, "KWD": 3}.get(currency)
        kept = exact(text)
        if digits is None or kept is None:
            assert minor is None
        else:
            assert minor == int(Decimal(kept).scaleb(digits - 4).to_integral_value(ROUND_HALF_UP))
        assert unread == ("a" if kept is None and digits is not None and text != "null" else "")


@given(
    st.lists(
        st.tuples(*[st.one_of(_PRINTED, _NONE, st.sampled_from(['{"a":\n1}', "[\n]"]))] * 3), max_size=12
    ),
    st.sets(st.integers(0, 11)),
)
def test_a_table_of_amounts_has_each_value_at_its_place(
    rows: list[tuple[str, ...]], flushed: set[int]
) -> None:
    table = Amounts(("a", "b", "c"))
    for nth, row in enumerate(rows):
        table.cells.extend(msgspec.Raw(one.encode()) for one in row)
        if nth in flushed:
            table.flush()
    table.flush()
    wanted = [tuple(one.replace("\n", " ") for one in row) for row in rows]
    assert table.frame().rows() == wanted
    assert table.frame().columns == ["a", "b", "c"]
