"""Products and prices of every kind of storefront into core: exact from their text, the newest standing, what cannot be a price said."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.contracts import ALL, landing
from tieout.connectors.storefronts.clarity_profile import load
from transforms.staged import Staged
from transforms.storefronts import (
    clarity_catalogue,
    commercetools_catalogue,
    magento_catalogue,
    xcart_catalogue,
)
from transforms.storefronts.clarity_settings import ClaritySettings

AT = datetime(2026, 10, 5, 9, tzinfo=UTC)
TOLD: dict[str, Any] = {"storefront": "shop", "run_id": "r"}


def raw(*payloads: Any) -> pl.DataFrame:
    rows = [
        {
            "source": "shop", "subject": "products", "native_ref": f"n{number}", "version_no": None, "updated_at": AT,
            "payload": one if isinstance(one, str) else json.dumps(one), "payload_sha256": f"h{number}", "problem": None,
            "fetched_at": AT, "run_id": "r", "landing_no": number,
        }
        for number, one in enumerate(payloads, start=1)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=landing("shop", "products").polars_schema)


def checked(staged: Staged) -> Staged:
    for name, frame in staged.frames.items():
        ALL[name].checked(ALL[name].shaped(frame), at="in a test")
    return staged


def prices(staged: Staged, *columns: str) -> list[tuple[Any, ...]]:
    return sorted(checked(staged)["core.web_prices"].select("sku", *columns).rows(), key=str)


def clarity(frame: pl.DataFrame) -> Staged:
    from pathlib import Path

    fields = load("seed", Path()).fields
    return clarity_catalogue.products(frame, settings=ClaritySettings(fields=fields), **TOLD)


STAGERS: dict[str, Callable[[pl.DataFrame], Staged]] = {
    "commercetools": lambda frame: commercetools_catalogue.products(frame, groups={}, **TOLD),
    "standalone": lambda frame: commercetools_catalogue.prices(frame, groups={}, **TOLD),
    "magento": lambda frame: magento_catalogue.products(frame, currency="USD", **TOLD),
    "xcart": lambda frame: xcart_catalogue.products(frame, **TOLD),
    "clarity": clarity,
}


def money(cents: int, digits: int = 2, **more: Any) -> dict[str, Any]:
    return {
        "type": "centPrecision",
        "currencyCode": "USD",
        "centAmount": cents,
        "fractionDigits": digits,
        **more,
    }


def test_a_commercetools_product_is_a_row_per_variant_and_prices_are_exact_by_their_own_digits() -> None:
    product = {
        "id": "p1", "name": {"en": "Mug", "de": "Becher"}, "categories": [{"id": "c1"}, {"id": "c2"}], "published": True,
        "masterVariant": {"sku": "MUG-1", "prices": [{"id": "x", "value": money(1190)}]},
        "variants": [
            {"sku": "MUG-2", "prices": [{"id": "y", "value": money(7, 0, currencyCode="JPY"), "customerGroup": {"id": "g1"}}]},
            {"sku": None},
        ],
    }  # fmt: skip
    staged = commercetools_catalogue.products(raw(product), groups={"g1": "trade"}, **TOLD)
    found = checked(staged)["core.products"].sort("sku")
    assert found.select("sku", "product_ref", "name", "category_refs", "is_active").rows() == [
        ("MUG-1", "p1", "Mug", "c1,c2", True),
        ("MUG-2", "p1", "Mug", "c1,c2", True),
    ]
    assert prices(staged, "amount", "currency", "level_ref") == [
        ("MUG-1", Decimal("11.90"), "USD", None),
        ("MUG-2", Decimal(7), "JPY", "trade"),
    ]


def test_a_standalone_price_of_high_precision_counts_by_its_precise_amount() -> None:
    precise = {
        "type": "highPrecision",
        "currencyCode": "USD",
        "centAmount": 1,
        "preciseAmount": 12345,
        "fractionDigits": 6,
    }
    rows = raw(
        {"id": "a", "sku": "MUG", "value": precise},
        {"id": "b", "sku": "MUG", "value": {**precise, "fractionDigits": 14}},
        {"id": "c", "value": money(100)},
        {"id": "d", "sku": "HAT", "value": money(-5)},
        {"id": "e", "sku": "TEA", "value": money(500), "active": False, "country": "DE"},
    )
    staged = STAGERS["standalone"](rows)
    assert prices(staged, "amount", "country_code", "is_active") == [
        ("MUG", Decimal("0.012345"), None, True),
        ("TEA", Decimal(5), "DE", False),
    ]
    assert sorted(staged.problems["native_ref"]) == ["n2", "n3", "n4"]


def test_a_magento_price_is_the_four_decimals_its_column_keeps() -> None:
    rows = raw(
        '{"id": 1, "sku": "MUG", "name": "Mug", "price": 29.949999999999999, "status": 1,'
        ' "custom_attributes": [{"attribute_code": "category_ids", "value": ["3", "7"]}],'
        ' "tier_prices": [{"customer_group_id": 2, "qty": 1, "value": 27}, {"customer_group_id": 2, "qty": 10}]}',
        '{"id": 2, "sku": "SET", "name": "Set", "status": 2}',
        '{"id": 3, "name": "no sku", "price": 1}',
    )
    staged = STAGERS["magento"](rows)
    assert prices(staged, "amount", "currency", "level_ref", "least_qty") == [
        ("MUG", Decimal("27"), "USD", "2", Decimal(1)),
        ("MUG", Decimal("29.95"), "USD", None, None),
    ]
    goods = checked(staged)["core.products"].sort("sku")
    assert goods.select("sku", "category_refs", "is_active").rows() == [
        ("MUG", "3,7", True),
        ("SET", None, False),
    ]
    assert staged.problems["native_ref"].to_list() == ["n3"]


def test_magento_names_its_currency_only_where_all_stores_share_one() -> None:
    one = raw({"id": 1, "base_currency_code": "USD"}, {"id": 2, "base_currency_code": "USD"}, {"id": 3})
    assert magento_catalogue.base_currency(one) == "USD"
    assert (
        magento_catalogue.base_currency(raw({"base_currency_code": "USD"}, {"base_currency_code": "EUR"}))
        is None
    )


def test_an_x_cart_variant_with_its_product_s_price_has_none_of_its_own() -> None:
    rows = raw(
        '{"id": 14, "sku": "MUG", "name": "Mug", "price": 18.10, "enabled": true}',
        '{"id": 7, "product_id": 15, "sku": "TEE-S", "price": 0, "default_price": true}',
        '{"id": 8, "product_id": 15, "sku": "TEE-M", "price": 9.5, "default_price": false}',
        '{"id": 15, "sku": "", "name": "Tee", "price": 9}',
        '{"productId": "16", "sku": "TEA", "price": "4.2500", "enabled": "0"}',
        '{"id": 17, "sku": "BAD", "price": "gratis"}',
    )
    staged = STAGERS["xcart"](rows)
    assert prices(staged, "amount") == [
        ("MUG", Decimal("18.10")), ("TEA", Decimal("4.25")), ("TEE-M", Decimal("9.5")),
    ]  # fmt: skip
    goods = checked(staged)["core.products"].sort("sku")
    assert goods.select("sku", "product_ref", "is_active").rows() == [
        ("BAD", "17", True), ("MUG", "14", True), ("TEA", "16", False), ("TEE-M", "15", True), ("TEE-S", "15", True),
    ]  # fmt: skip
    assert staged.problems["native_ref"].to_list() == ["n6"]


def test_a_clarity_product_is_read_by_the_profile_s_member_names() -> None:
    rows = raw(
        {
            "productId": "P1",
            "sku": "PUMP-3",
            "name": "Pump",
            "categoryId": "c",
            "price": "115.00",
            "currency": "USD",
            "active": False,
        },
        {"productId": "P2", "price": "1"},
    )
    staged = clarity(rows)
    assert prices(staged, "amount", "currency", "is_active") == [("PUMP-3", Decimal(115), "USD", False)]
    assert staged.problems["native_ref"].to_list() == ["n2"]


def test_of_two_records_with_one_sku_the_one_changed_last_stands() -> None:
    rows = raw({"id": 1, "sku": "MUG", "price": 1}, {"id": 2, "sku": "MUG", "price": 2})
    rows = rows.with_columns(updated_at=pl.Series([AT.replace(hour=12), AT], dtype=pl.Datetime("us", "UTC")))
    for frame in (rows, rows.reverse()):
        assert prices(STAGERS["xcart"](frame), "amount") == [("MUG", Decimal(1))]


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["id", "sku", "value", "price", "name", "masterVariant", "variants", "prices", "tier_prices", "custom_attributes",
         "centAmount", "fractionDigits", "currencyCode", "productId", "enabled", "status"]), inner, max_size=6),
    max_leaves=8,
)  # fmt: skip


@pytest.mark.parametrize("kind", sorted(STAGERS))
@settings(max_examples=8, deadline=None)
@given(
    payloads=st.lists(
        junk.map(json.dumps) | st.text(max_size=12) | st.just('{"sku":"A","price":1e999999}'), max_size=3
    )
)
def test_no_payload_breaks_its_neighbours(kind: str, payloads: Sequence[str]) -> None:
    good = {
        "id": "g", "productId": "g", "sku": "GOOD", "price": 2, "value": money(200), "masterVariant": {"sku": "GOOD"},
    }  # fmt: skip
    staged = checked(STAGERS[kind](raw(*payloads, good)))
    table = "core.web_prices" if kind == "standalone" else "core.products"
    assert "GOOD" in staged[table]["sku"].to_list()
