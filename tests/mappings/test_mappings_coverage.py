"""Coverage of the mappings, proposals for slips of spelling, and rows added by a person: drawn cases and properties."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import polars as pl
import pytest
from drawn import drawn, shown
from hypothesis import given, settings
from hypothesis import strategies as st
from shelf import ShelfHouse, shelf_house
from typer.testing import CliRunner

from checks.contracts import ALL
from flows.cli import app
from flows.mappings import coverage
from flows.mappings.files import add_row
from flows.mappings.reading import load_mappings, read_mapping
from tieout.errors import InputError, SettingsError
from transforms.mapping.proposals import plain, proposals

pytestmark = pytest.mark.usefixtures("kept_attached")

FILES = {
    "stores": "storefront,store_ref,mode,entity_code,location_code,department_code,invoice_prefix,guest_customer_id,note\nshop,us-web,map,E100,100,,U,GUEST,\n",
    "items": "storefront,sku,mode,item_ref,category_ref,note\nshop,MUG-*,map,M-*,c1,\nshop,GIFT-*,ignore,,,on purpose\n",
    "accounts": "storefront,store_ref,component_code,category_ref,account_code,note\n*,*,goods,*,4000,\n",
    "component_accounts": "account_code,component_code,note\n4000,goods,\n",
    "taxes": "storefront,tax_code,mode,account_code,note\nshop,VAT,map,2200,\n",
    "tenders": "storefront,entity_code,tender_code,mode,account_ref,method,note\nshop,E100,CreditCard,map,CLR,Credit Card,\n",
}
ORDERS = """
    order_ref | order_number | store_ref | total_minor | currency
    a         | W1           | us-web    | 1000        | USD
    b         | W2           | us-web    | 5000        | USD
    c         | W3           | us web    | 700         | USD
    d         | W4           | us-web    | 900         | EUR
"""
LINES = """
    order_ref | line_ref | kind_code | sku    | net_minor | tax_minor | tax_code
    a         | 1        | item      | MUG-1  | 500       | 50        | VAT
    a         | 2        | item      | mug 2  | 500       | 0         | -
    b         | 1        | item      | HAT-9  | 5000      | 10        | Levy, special
    c         | 1        | gift_card | GIFT-5 | 700       | 0         | -
    d         | 1        | item      | HAT-9  | 900       | 0         | -
    d         | 2        | item      | MUG-2  | 900       | 0         | -
"""


@pytest.fixture
def house(tmp_path: Path) -> ShelfHouse:
    folder = tmp_path / "data" / "mappings"
    folder.mkdir(parents=True)
    for name, text in FILES.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    found = shelf_house(tmp_path)
    del found.__dict__["mappings"]
    found.put("core.orders", drawn(ALL["core.orders"], ORDERS, storefront="shop"))
    found.put("core.order_lines", drawn(ALL["core.order_lines"], LINES, storefront="shop"))
    paid = "payment_ref | transaction_ref | order_ref | kind_code | state_code | tender_code\np | t | b | charge | success | credit_card\nq | t | a | charge | success | CreditCard"
    found.put("core.payments", drawn(ALL["core.payments"], paid, storefront="shop", currency="USD"))
    return found


def lists(found: dict, name: str) -> dict[str, tuple]:
    (one,) = [one for one in found["mappings"] if one["mapping"] == name]
    return {
        " ".join(code["code"].values()): (code["list"], code["orders"], code["amounts"])
        for code in one["codes"]
    }


def test_every_code_is_on_one_of_four_lists_with_the_orders_and_the_money_it_blocks(
    house: ShelfHouse,
) -> None:
    found = coverage.look(house)
    assert lists(found, "stores") == {
        "shop us web": ("fixable", 1, {"USD": "7.00"}),
        "shop us-web": ("known", 3, {"USD": "60.00", "EUR": "9.00"}),
    }
    assert lists(found, "items") == {
        "shop HAT-9": ("missing", 2, {"USD": "50.00", "EUR": "9.00"}),
        "shop mug 2": ("fixable", 1, {"USD": "10.00"}),
        "shop MUG-1": ("known", 1, {"USD": "10.00"}),
        "shop MUG-2": ("known", 1, {"EUR": "9.00"}),
        "shop GIFT-5": ("ignored", 1, {"USD": "7.00"}),
    }
    assert lists(found, "taxes")["shop Levy, special"] == ("missing", 1, {"USD": "50.00"})
    assert lists(found, "tenders")["shop E100 credit_card"][0] == "fixable"
    # A gift card sold is a liability of its own, and nothing says on which account.
    assert lists(found, "accounts") == {
        "shop us web gift_card *": ("missing", 1, {"USD": "7.00"}),
        "shop us-web goods c1": ("known", 2, {"USD": "10.00", "EUR": "9.00"}),
        "shop us-web goods *": ("known", 3, {"USD": "60.00", "EUR": "9.00"}),
    }
    assert (found["waiting_codes"], found["exit_code"]) == (6, 1)


def test_the_page_for_people_ranks_by_money_and_prints_rows_that_can_be_pasted(house: ShelfHouse) -> None:
    text = coverage.as_text(coverage.look(house))
    assert text.index("shop HAT-9") < text.index("shop mug 2")
    assert "add: shop,HAT-9,map,<item_ref>,<category_ref>," in text
    assert 'add: shop,"Levy, special",map,<account_code>,' in text
    assert "tieout mappings accept items shop 'mug 2' --like MUG-2" in text


def test_a_row_is_added_with_the_meaning_of_the_known_code_author_date_and_reason(house: ShelfHouse) -> None:
    told = coverage.accept(
        house, "items", ["shop", "mug 2"], like="MUG-2", given={}, author="Ana", reason="old label"
    )
    assert "shop,mug 2,map,M-2,c1," in told[0]
    assert lists(coverage.look(house), "items")["shop mug 2"][0] == "known"
    (row,) = house.mappings["items"].filter(pl.col("sku") == "mug 2").to_dicts()
    assert row["note"] == "2026-11-02 Ana: old label (like MUG-2)"
    (audit,) = house.table("ops.mapping_changes").to_dicts()
    assert (audit["author"], audit["action"], audit["proposed_like"], audit["score_no"]) == (
        "Ana",
        "accept",
        "MUG-2",
        100,
    )
    coverage.ignore(house, "items", ["shop", "HAT-9"], author="Ana", reason="not ours")
    assert lists(coverage.look(house), "items")["shop HAT-9"][0] == "ignored"
    assert len(coverage.history(house)) == 2


@pytest.mark.parametrize(
    ("name", "key", "more", "said"),
    [
        ("items", ["shop", "MUG-1"], {}, "has a row"),
        ("items", ["shop"], {}, "given as STOREFRONT SKU"),
        ("items", ["shop", "X"], {"author": ""}, "needs --author and --reason"),
        ("items", ["shop", "X"], {"like": "", "given": {}}, "Say what the code means"),
        ("items", ["shop", "X"], {"like": "NOPE-1"}, "has no row"),
        ("items", ["shop", "X"], {"like": "", "given": {"colour": "red"}}, "has no column colour"),
        ("items", ["shop", "X"], {"like": "", "given": {"mode": "maybe"}}, "not added"),
        ("taxes", ["shop", "X"], {"like": "VAT"}, "has no proposals"),
        ("nothing", ["shop", "X"], {}, "no mapping 'nothing'"),
    ],
)
def test_what_cannot_be_added_changes_nothing(
    house: ShelfHouse, name: str, key: list[str], more: dict, said: str
) -> None:
    path = house.settings.path(house.settings.installation.mappings)
    before = {one.name: one.read_bytes() for one in path.glob("*.csv")}
    asked = {"like": "MUG-1", "given": {}, "author": "Ana", "reason": "why", **more}
    with pytest.raises(Exception, match=said) as told:
        coverage.accept(house, name, key, **asked)
    assert isinstance(told.value, InputError) or "contract" in str(told.value)
    assert {one.name: one.read_bytes() for one in path.glob("*.csv")} == before
    assert not list(path.glob(".adding-*"))
    assert house.table("ops.mapping_changes").is_empty()


def test_rows_added_at_the_same_time_all_stand_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_bytes(b"\xef\xbb\xbf" + FILES["items"].replace("\n", "\r\n").encode().rstrip(b"\r\n"))
    table = ALL["mappings.items"]

    def add(number: int) -> None:
        add_row(path, table, {"storefront": "shop", "sku": f'N"{number},', "mode": "ignore"}, lock_seconds=30)

    threads = [threading.Thread(target=add, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    raw = path.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    assert raw.count(b"\n") == raw.count(b"\r\n") == 11
    assert sorted(read_mapping(path, table)["sku"].to_list())[2:] == [f'N"{n},' for n in range(8)]


def test_numbers_that_are_none_are_refused_by_line(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    (tmp_path / "buffers.csv").write_text(
        "storefront,location_ref,sku,percent,units,note\nshop,*,A,101,,\nshop,*,B,,1e3,\nshop,*,C,5,,\n",
        encoding="utf-8",
    )
    (tmp_path / "kits.csv").write_text(
        "storefront,sku,component_ref,component_qty,note\n*,K,A,0,\n", encoding="utf-8"
    )
    with pytest.raises(SettingsError) as told:
        load_mappings(tmp_path)
    assert "percent, line(s) 2" in str(told.value)
    assert "component_qty, line(s) 2" in str(told.value)


def test_a_file_from_before_classes_means_any_class(tmp_path: Path) -> None:
    path = tmp_path / "buffers.csv"
    path.write_text("storefront,location_ref,sku,percent,units,note\nshop,*,A,5,,\n", encoding="utf-8")
    assert read_mapping(path, ALL["mappings.buffers"])["class_ref"].to_list() == ["*"]


# ---- proposals -------------------------------------------------------------------------------------------------


def test_close_spellings_are_proposed_and_other_numbers_never() -> None:
    found = proposals(
        ["mug 1", "MUG-12", "CRDIT card", "cup"], ["MUG-1", "MUG-2", "CreditCard", "Creditcards"]
    )
    assert shown(found, "code", "proposed", "score", "is_clear") == [
        ("CRDIT card", "CreditCard", 94, False),
        ("CRDIT card", "Creditcards", 90, False),
        ("mug 1", "MUG-1", 100, True),
    ]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.text("abAB1-2 é", max_size=6), max_size=8),
    st.lists(st.text("abAB1-2 é", max_size=6), max_size=8),
)
def test_proposals_are_bounded_never_the_code_itself_and_do_not_depend_on_order(
    codes: list[str], known: list[str]
) -> None:
    found = proposals(codes, known, least=50)
    again = proposals(codes, list(reversed(known)), least=50)
    assert found.equals(again)
    for row in found.to_dicts():
        assert row["proposed"] in known
        assert row["proposed"] != row["code"]
        assert 50 <= row["score"] <= 100
    assert found.group_by("code").len().filter(pl.col("len") > 3).is_empty()
    assert found.filter("is_clear").group_by("code").len().filter(pl.col("len") > 1).is_empty()
    assert plain(" É-1") == plain("e1")


# ---- the command -----------------------------------------------------------------------------------------------


def test_the_command_shows_accepts_and_tells_its_history(tmp_path: Path, house: ShelfHouse) -> None:
    config = tmp_path / "tieout.toml"
    config.write_text("", encoding="utf-8")
    runner = CliRunner(env={**os.environ, "TIEOUT_CONFIG": str(config)})
    shown_ = runner.invoke(app, ["mappings"])
    assert (shown_.exit_code, "HAT-9" in shown_.output) == (1, True)
    machine = runner.invoke(app, ["mappings", "show", "--json"])
    assert json.loads(machine.output)["waiting_codes"] == 6
    for words in (
        ["accept", "items", "shop", "HAT-9", "--set", "item_ref=HAT-9", "--set", "category_ref=c1"],
        ["accept", "items", "shop", "mug 2", "--like", "MUG-2"],
        ["accept", "stores", "shop", "us web", "--like", "us-web"],
        ["accept", "tenders", "shop", "E100", "credit_card", "--like", "CreditCard"],
        ["ignore", "taxes", "shop", "Levy, special"],
        ["accept", "accounts", "shop", "*", "gift_card", "*", "--set", "account_code=2300"],
    ):
        done = runner.invoke(app, ["mappings", *words, "--author", "Ana", "--reason", "why"])
        assert done.exit_code == 0, (done.output, done.exception)
    last = runner.invoke(app, ["mappings"])
    assert (last.exit_code, "Every code in use is mapped" in last.output) == (0, True)
    assert runner.invoke(app, ["mappings", "history"]).output.count("Ana") == 6
