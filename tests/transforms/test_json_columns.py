"""Columns of JSON values: whatever stands in a payload, the fast ways say what the plain ones do."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation

import msgspec
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from staged_orders import landed

from tieout.connectors.storefronts import clarity_profile
from transforms import json_amounts
from transforms.json_amounts import LARGEST, millionths, millionths_lines, millionths_written, written
from transforms.storefronts.clarity_shapes import shapes_of

RAWS = msgspec.json.Decoder(list[msgspec.Raw])
_DIGITS = st.from_regex(r"-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,2})?", fullmatch=True)
_QUOTED = st.one_of(
    _DIGITS, st.sampled_from(["", " 5 ", "+5", ".5", "5.", "1,5", "NaN", "null", "--1", "1e5", "٣", "€5"])
).map(json.dumps)
_OTHER = st.sampled_from(["null", "true", "false", "[1]", "[\n1,\n2]", '{"a":\n1}', "-0", "1e400", "9" * 40])


def plain(text: str) -> int | None:
    """Millionths by the definition: a decimal, half to even beyond the sixth place; None for what is no amount."""
    value = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
    if isinstance(value, bool) or not isinstance(value, str):
        return None
    value = value.strip()
    body = value.removeprefix("-")
    if text.startswith('"') and not (body[:1].isdecimal() and body[-1:].isdecimal() and body.isascii()):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number) >= LARGEST:
        return None
    return int(number.quantize(Decimal("0.000001")).scaleb(6))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(_DIGITS, _QUOTED, _OTHER), min_size=1, max_size=12))
def test_millionths_are_those_of_the_written_decimal(values: list[str]) -> None:
    raws = RAWS.decode("[" + ",".join(values) + "]")
    found, odd = millionths(raws)
    assert written(raws).to_list() == values
    for text, amount, said in zip(values, found, odd, strict=True):
        assert amount == plain(text), text
        empty = json.loads(text) in (None, "null", "")
        assert (said is None) == (amount is not None or empty), (text, said)


def short_texts(most: int) -> list[str]:
    """Every text of the signs that amounts one a line are made of, as a text and, where it is one, as a number."""
    every = [""]
    for one in every:
        every += [one + sign for sign in "01.-nul"] if len(one) < most else []
    return [f'"{one}"' for one in every] + [one for one in every if _is_number(one)]


def _is_number(text: str) -> bool:
    try:
        return isinstance(json.loads(text), int | float)
    except ValueError:
        return False


LONG = ["null", "1000000000000", '"-1000000000000"', "0.0000005", "61.450000000000003", "9" * 45, f'"1.{"9" * 50}"', "999999999999.999999"]  # fmt: skip


def test_amounts_one_a_line_are_what_they_are_one_by_one() -> None:
    values = [*short_texts(4), *LONG]
    simple = [one for one in values if json_amounts._is_simple(one.encode())]
    assert len(simple) > 1000
    assert len(values) - len(simple) > 500
    for some in (simple, values, ["null"], ['"5"', "null", '""', "7"], ["[1, 2]", "3"]):
        found, odd = millionths_lines("\n".join(some).encode())
        amounts, said = millionths_written(pl.Series(some, dtype=pl.String))
        assert (found.to_list(), odd.to_list()) == (amounts.to_list(), said.to_list())


_VALUES = st.one_of(st.none(), st.integers(-99, 10**10), st.text(max_size=6), st.just("a\\b\n\"c'"))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(_VALUES, _VALUES, st.sampled_from([{}, [], True, 1.5, "x"])), min_size=1, max_size=5)
)
def test_a_record_read_at_once_and_one_read_loosely_say_the_same(rows: list[tuple]) -> None:
    shapes = shapes_of(clarity_profile.load("seed").fields)
    records = [{"orderId": a, "billingAddress": {"name": b}, "status": "pending"} for a, b, _ in rows]
    # A member of another type has its record, and only that, read loosely; what the others say stays what it was.
    loose = [one | {"couponCode": odd} for one, (_, _, odd) in zip(records, rows, strict=True)]
    sound = shapes.decode(landed(*map(json.dumps, records)), "orders")
    other = shapes.decode(landed(*map(json.dumps, loose)), "orders")
    assert not sound.troubles
    assert not other.troubles
    for name in ("ref", "customer_name", "status"):
        texts = shapes.text("orders", name, sound.objects)
        assert texts.dtype == pl.String
        assert texts.to_list() == shapes.text("orders", name, other.objects).to_list()
