"""Price lists of the ledger: read by the company's own field names, told to storefronts as they hold on the day."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from drawn import drawn, shown
from ledger_house import LedgerHouse, ledger_house

from checks.contracts import ALL
from flows.sources.price_lists import field_names, is_read
from flows.writeback import plan_writes
from tieout.errors import SettingsError
from tieout.settings import parse
from transforms.intacct.price_lists import prices_on

pytestmark = pytest.mark.usefixtures("kept_attached")

BASE = drawn(ALL["core.prices"], "price_list_ref | item_ref | amount\nBASE | MUG | 12.5")
NAMED = {
    "list_field": "PRICELISTID", "item_field": "ITEMID", "amount_field": "VALUE", "from_field": "DATEFROM", "until_field": "DATETO",
    "least_quantity_field": "MINIMUM_QUANTITY", "status_field": "STATUS", "kind_field": "VALUETYPE", "kinds": ["Actual"],
}  # fmt: skip


def holding(text: str, day: date) -> list[tuple[Any, ...]]:
    head, *rows = [line.strip() for line in text.strip().splitlines()]
    numbered = "\n".join([f"entry_ref | {head}", *(f"{number} | {row}" for number, row in enumerate(rows))])
    listed = drawn(ALL["core.price_list_entries"], numbered)
    for frame in (listed, listed.reverse()):
        found = shown(prices_on(day, BASE, frame), "price_list_ref", "item_ref", "amount")
    return [(name, item, str(amount.normalize())) for name, item, amount in found]


def test_the_entry_that_began_last_holds_and_only_for_one_unit() -> None:
    entries = """
        price_list_ref | item_ref | amount | valid_from_on | valid_until_on | least_qty | is_active
        TRADE          | MUG      | 11     | -             | -              | -         | yes
        TRADE          | MUG      | 10     | 2026-10-10    | 2026-10-20     | 1         | yes
        TRADE          | MUG      | 8      | 2026-10-10    | -              | 12        | yes
        TRADE          | HAT      | 5      | 2026-10-01    | -              | -         | no
        TRADE          | TEA      | 3      | 2026-11-01    | -              | -         | yes
    """
    base = ("BASE", "MUG", "12.5")
    assert holding(entries, date(2026, 10, 9)) == [base, ("TRADE", "MUG", "11")]
    assert holding(entries, date(2026, 10, 10)) == [base, ("TRADE", "MUG", "1E+1")]
    assert holding(entries, date(2026, 10, 20)) == [base, ("TRADE", "MUG", "1E+1")]
    assert holding(entries, date(2026, 11, 1)) == [base, ("TRADE", "MUG", "11"), ("TRADE", "TEA", "3")]


def test_two_entries_that_began_on_one_day_with_different_prices_are_told_by_neither() -> None:
    entries = """
        price_list_ref | item_ref | amount | valid_from_on | is_active
        TRADE          | MUG      | 11     | 2026-10-01    | yes
        TRADE          | MUG      | 10     | 2026-10-01    | yes
        TRADE          | HAT      | 5      | 2026-10-01    | yes
        TRADE          | HAT      | 5      | 2026-10-01    | yes
    """
    assert holding(entries, date(2026, 10, 5)) == [("BASE", "MUG", "12.5"), ("TRADE", "HAT", "5")]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[LedgerHouse]:
    with ledger_house(tmp_path, reads_general_ledger=False) as found:
        front = {
            "kind": "xcart", "api_url": "https://shop.example/api", "api_key": "env:KEY", "writes_back": ["price"],
        }  # fmt: skip
        raw = found.house.settings.model_dump(exclude={"folder"}, exclude_unset=True)
        raw |= {"storefronts": {"shop": front}, "price_lists": NAMED}
        found.house.settings = parse(raw, folder=tmp_path)
        lists = "storefront | price_list_ref | mode | currency | level\n* | BASE | map | USD | -\nshop | TRADE | map | USD | trade"
        items = "storefront | sku | mode | item_ref\n* | * | map | *"
        found.house.mappings["price_lists"] = drawn(ALL["mappings.price_lists"], lists)
        found.house.mappings["items"] = drawn(ALL["mappings.items"], items)
        stock = drawn(ALL["core.stock"], "sku | location_ref\nMUG | x\nHAT | x", source="shop")
        with found.house.warehouse.write(run_id="test") as session:
            session.publish("core.stock", stock, key=ALL["core.stock"].key, mode="append")
        yield found


def test_entries_are_read_by_the_company_s_own_fields_and_told_by_level(house: LedgerHouse) -> None:
    for item, price in (("MUG", "12.50"), ("HAT", "9.99")):
        house.books.create("ITEM", {"ITEMID": item, "NAME": item, "BASEPRICE": price}, None)
    entry = {"PRICELISTID": "TRADE", "VALUETYPE": "Actual", "STATUS": "active", "DATEFROM": "10/01/2026"}
    kept = house.books.create("SOPRICELISTENTRY", {**entry, "ITEMID": "MUG", "VALUE": "11.25"}, None)
    house.books.create(
        "SOPRICELISTENTRY", {**entry, "ITEMID": "HAT", "VALUE": "10", "VALUETYPE": "Percent"}, None
    )
    house.books.create("SOPRICELISTENTRY", {**entry, "VALUE": "1.00", "PRODUCTLINEID": "ALL"}, None)
    done = house.read("r1", sources=["intacct"])
    assert done["errors"] == []
    assert shown(house.fetch("core.price_list_entries"), "price_list_ref", "item_ref", "valid_from_on") == [
        ("TRADE", "MUG", date(2026, 10, 1))
    ]
    told = [json.loads(value) for value in plan_writes(house.house)["value"]]
    assert sorted((one["sku"], one["amount"], one["level"]) for one in told if one["level"]) == [
        ("MUG", "11.25", "trade")
    ]
    assert {one["sku"] for one in told if not one["level"]} == {"MUG", "HAT"}
    house.clock.forward(hours=1)
    house.books.delete("SOPRICELISTENTRY", kept, None)
    house.read("r2", sources=["intacct"])
    assert house.fetch("core.price_list_entries").is_empty()


def test_half_named_price_lists_are_refused(tmp_path: Path) -> None:
    for wrong, sentence in (
        ({"list_field": "NAME"}, "price lists need item_field, amount_field"),
        ({"kind_field": "KIND"}, "kind_field and kinds belong together"),
    ):
        with pytest.raises(SettingsError) as said:
            parse({"price_lists": wrong}, folder=tmp_path)
        assert sentence in str(said.value)
    assert not is_read(parse({}, folder=tmp_path).price_lists)
    assert len(field_names(parse({"price_lists": NAMED}, folder=tmp_path).price_lists)) == 8
