"""Mappings: the most specific row wins, nothing unmapped is lost, corrections leave evidence."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.errors import InputError
from transforms.mapping.applied import correct_orders, correct_tenders, coverage, resolve

ACCOUNTS = pl.DataFrame(
    [
        ("*", "*", "*", "map", "4999"),
        ("shop", "*", "*", "map", "4900"),
        ("shop", "eu-web", "*", "map", "4800"),
        ("shop", "*", "MUG*", "map", "4700"),
        ("shop", "*", "MUG-1*", "map", "4600"),
        ("shop", "*", "MUG-12", "map", "4500"),
        ("shop", "eu-web", "MUG*", "map", "4400"),
        ("*", "eu-web", "CAP-1", "ignore", None),
    ],
    schema=["storefront", "store_ref", "sku", "mode", "account_code"],
    orient="row",
)
DRAWN = [
    ("shop", "us-web", "MUG-12", "4500"),
    ("shop", "us-web", "MUG-13", "4600"),
    ("shop", "us-web", "MUG-2", "4700"),
    ("shop", "us-web", "MUG", "4700"),
    ("shop", "us-web", "MU", "4900"),
    ("shop", "us-web", None, "4900"),
    ("shop", "eu-web", "HAT", "4800"),
    ("shop", "eu-web", "MUG-12", "4400"),
    ("shop", "eu-web", "CAP-1", "4800"),  # as many stars: the row exact in the leftmost column wins
    ("other", "eu-web", "CAP-1", None),
    ("other", "eu-web", "HAT", "4999"),
    ("other", "us-web", "MUG-12", "4999"),
]


@pytest.mark.parametrize(("storefront", "store", "sku", "account"), DRAWN)
def test_the_most_specific_row_wins(
    storefront: str, store: str, sku: str | None, account: str | None
) -> None:
    frame = pl.DataFrame(
        {"storefront": [storefront], "store_ref": [store], "sku": [sku]}, schema_overrides={"sku": pl.String}
    )
    mapped, unmapped = resolve(frame, ACCOUNTS, ["storefront", "store_ref", "sku"])
    assert mapped["account_code"].to_list() == [account]
    assert mapped["mode"].to_list() == ["ignore" if account is None else "map"]
    assert unmapped.is_empty()


def test_rows_keep_their_order_and_what_is_unmapped_comes_back_whole() -> None:
    mapping = pl.DataFrame({"sku": ["A", "B*"], "item_ref": ["I-A", "I-B"]})
    frame = pl.DataFrame({"sku": ["B2", "X", "A", "B1", None, "A"], "n": [1, 2, 3, 4, 5, 6]})
    mapped, unmapped = resolve(frame, mapping, ["sku"])
    assert mapped.select("n", "item_ref").rows() == [(1, "I-B"), (3, "I-A"), (4, "I-B"), (6, "I-A")]
    assert unmapped.rows() == [("X", 2), (None, 5)]


def test_an_empty_mapping_maps_nothing() -> None:
    frame = pl.DataFrame({"sku": ["A"]})
    mapped, unmapped = resolve(frame, pl.DataFrame(schema={"sku": pl.String, "item_ref": pl.String}), ["sku"])
    assert (mapped.height, unmapped.height, mapped.columns) == (0, 1, ["sku", "item_ref"])


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        (pl.DataFrame({"sku": ["A", " A "], "item_ref": ["1", "2"]}), "more than one row for A"),
        (pl.DataFrame({"code": ["A"]}), "column sku is missing"),
    ],
)
def test_a_broken_mapping_is_refused(mapping: pl.DataFrame, words: str) -> None:
    with pytest.raises(InputError, match=words):
        resolve(pl.DataFrame({"sku": ["A"]}), mapping, ["sku"])


_CODE = st.text(alphabet="AB", min_size=1, max_size=3)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    st.lists(_CODE, max_size=8),
    st.sets(st.one_of(_CODE, _CODE.map(lambda text: text + "*"), st.just("*")), max_size=6),
)
def test_resolving_agrees_with_looking_it_up_by_hand(codes: list[str], patterns: set[str]) -> None:
    def by_hand(code: str) -> str | None:
        fits = [one for one in patterns if one == code or (one.endswith("*") and code.startswith(one[:-1]))]
        exact = [one for one in fits if not one.endswith("*")]
        return exact[0] if exact else max(fits, key=len, default=None)

    mapping = pl.DataFrame(
        {"sku": sorted(patterns), "hit": sorted(patterns)}, schema={"sku": pl.String, "hit": pl.String}
    )
    frame = pl.DataFrame({"sku": codes}, schema={"sku": pl.String})
    mapped, unmapped = resolve(frame, mapping, ["sku"])
    assert mapped["hit"].to_list() == [by_hand(code) for code in codes if by_hand(code)]
    assert unmapped["sku"].to_list() == [code for code in codes if not by_hand(code)]
    turned, _ = resolve(frame, mapping.reverse(), ["sku"])
    assert turned.equals(mapped)


def test_coverage_ranks_by_money_and_prints_the_row_to_add() -> None:
    mapping = pl.DataFrame(
        schema={"storefront": pl.String, "sku": pl.String, "mode": pl.String, "item_ref": pl.String}
    )
    frame = pl.DataFrame(
        {
            "storefront": ["shop"] * 4,
            "sku": ["A", 'B,"x"', "A", "A"],
            "currency": ["EUR", "EUR", "EUR", "JPY"],
            "order_ref": ["1", "2", "1", "3"],
            "net_minor": [100, 500, -300, 9],
        }
    )
    found = coverage(frame, mapping, ["storefront", "sku"], amount="net_minor", document="order_ref")
    assert found.select("sku", "currency", "rows", "documents", "waiting_minor").rows() == [
        ('B,"x"', "EUR", 1, 1, 500),
        ("A", "EUR", 2, 1, 400),
        ("A", "JPY", 1, 1, 9),
    ]
    assert found["csv_row"].to_list() == ['shop,"B,""x""",map,', "shop,A,map,", "shop,A,map,"]


CORRECTIONS = pl.DataFrame(
    [
        ("shop", "W1", "store_ref", "eu-web", "ana", "2026-10-01", "wrong channel"),
        ("*", "W2", "status_code", "complete", "ana", "2026-10-01", "shipped by hand"),
        ("shop", "W9", "store_ref", "eu-web", "ana", "2026-10-01", "typo"),
        ("shop", "W1", "tender_code", "PayPal", "ben", "2026-10-02", "gateway said so"),
    ],
    schema=["storefront", "order_number", "field", "value", "author", "corrected_on", "reason"],
    orient="row",
)
ORDERS = pl.DataFrame(
    {
        "storefront": ["shop"] * 3,
        "order_ref": ["o1", "o2", "o3"],
        "order_number": ["W1", "W2", None],
        "store_ref": ["pop-up", "us-web", "us-web"],
        "customer_ref": ["c", None, None],
        "status_code": ["open", "open", "open"],
    }
)


def test_corrections_are_applied_and_leave_evidence() -> None:
    changed, evidence = correct_orders(ORDERS, CORRECTIONS)
    assert changed["store_ref"].to_list() == ["eu-web", "us-web", "us-web"]
    assert changed["status_code"].to_list() == ["open", "complete", "open"]
    assert changed.columns == ORDERS.columns
    told = (
        evidence.sort("order_number")
        .select("order_number", "field", "before", "after", "author", "is_applied")
        .rows()
    )
    assert told == [
        ("W1", "store_ref", "pop-up", "eu-web", "ana", True),
        ("W2", "status_code", "open", "complete", "ana", True),
        ("W9", "store_ref", None, "eu-web", "ana", False),
    ]


def test_a_tender_is_corrected_through_the_order() -> None:
    payments = pl.DataFrame(
        {
            "storefront": ["shop"] * 3,
            "payment_ref": ["p1", "p2", "p3"],
            "order_ref": [None, "o1", None],
            "tender_code": ["CryptoPay", None, "CryptoPay"],
        }
    )
    named = pl.DataFrame({"storefront": ["shop"], "order_ref": ["o1"], "payment_ref": ["p1"]})
    changed, evidence = correct_tenders(payments, CORRECTIONS, orders=ORDERS, order_payments=named)
    assert changed["tender_code"].to_list() == ["PayPal", "PayPal", "CryptoPay"]
    assert changed.columns == payments.columns
    assert evidence.select("before", "after", "author", "is_applied").rows() == [
        ("CryptoPay", "PayPal", "ben", True),
        (None, "PayPal", "ben", True),
    ]
