"""Status words of orders, payments and returns: what a word without a row holds, and that its row lets the order go."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from drawn import drawn, shown
from shelf import NOW, shelf_house

import checks.rules  # noqa: F401
from checks.contracts import ALL
from checks.findings import Limits, run
from flows.extract import extract
from flows.mappings import coverage
from flows.mappings.reading import read_mapping
from flows.mappings.status_words import returns_that_count, words_of
from flows.planning.owing import trade
from flows.running import run_stage
from flows.stage import stage
from flows.starter import starter_folder
from flows.wiring import House
from tieout.errors import SettingsError
from tieout.settings import parse
from tieout.vocabulary import RETURN_STATES, RETURN_WORDS

ORDERS = """order_number,placed_at,currency,total,status,store
A,2026-10-01,USD,5.00,complete,
B,2026-10-02,USD,7.00,Zu Klären,
"""
PAYMENTS = "payment_ref,order_number,paid_at,amount,currency,state\np1,A,2026-10-01,5.00,USD,eingegangen\n"


@pytest.fixture
def shop(tmp_path: Path) -> Callable[..., House]:
    folder = tmp_path / "mappings"
    shutil.copytree(starter_folder() / "mappings", folder)
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    (tmp_path / "payments.csv").write_text(PAYMENTS, encoding="utf-8")
    raw = {
        "installation": {"state": "state", "mappings": "mappings"},
        "storefronts": {
            "web": {"kind": "files", "paths": {"orders": "orders.csv", "payments": "payments.csv"}}
        },
    }

    def house(*rows: str) -> House:
        """A house as a run finds it, with these rows added to statuses.csv."""
        with (folder / "statuses.csv").open("a", encoding="utf-8") as file:
            file.writelines(f"{row}\n" for row in rows)
        return House(
            settings=parse(raw, folder=tmp_path),
            environment={},
            clock=lambda: datetime(2026, 11, 2, tzinfo=UTC),
        )

    return house


def core(house: House, name: str) -> pl.DataFrame:
    with house.warehouse.read() as session:
        return session.fetch(name)


def test_an_order_held_for_a_word_is_let_go_by_the_row_the_finding_prints(shop: Callable[..., House]) -> None:
    house = shop()
    run_stage(house, "extract", extract)
    run_stage(house, "stage", stage)
    orders = core(house, "core.orders")
    assert shown(orders.filter(pl.col("problem").is_not_null()), "order_number", "status_code") == [
        ("B", "held")
    ]
    tables = {"core.orders": orders}
    (found,) = run(
        tables, run_id="r", limits=Limits(now=NOW), codes=["status_unmapped", "payload_unreadable"]
    ).to_dicts()
    row = "web,order,Zu Klären,map,<open, processing, complete, cancelled or held>,"
    assert (found["rule_code"], found["severity"]) == ("status_unmapped", "hold")
    assert found["sentence"].endswith(f"add to statuses.csv: {row}")
    told = {one["mapping"]: one["codes"] for one in coverage.look(house)["mappings"]}
    (code,) = told["statuses"]
    assert (code["code"]["status"], code["list"], code["amounts"]) == (
        "Zu Klären",
        "missing",
        {"USD": "7.00"},
    )
    assert core(house, "core.payments")["state_code"].to_list() != ["success"]
    again = shop("web,order,zu klären,map,processing,", "web,payment,eingegangen,map,success,")
    assert run_stage(again, "stage", stage)["again"] == 2
    orders = core(again, "core.orders")
    assert orders["problem"].is_null().all()
    assert orders.filter(order_number="B")["status_code"].item() == "processing"
    assert core(again, "core.payments")["state_code"].to_list() == ["success"]
    assert run_stage(again, "stage", stage)["again"] == 0


def test_rows_of_the_storefront_correct_its_kind_and_rows_for_any_only_add(tmp_path: Path) -> None:
    rows = drawn(
        ALL["mappings.statuses"],
        """
        storefront | subject | status  | mode   | status_code
        *          | order   | paid    | map    | held
        *          | order   | neu     | map    | open
        shop       | order   | shipped | map    | processing
        shop       | payment | test    | ignore | -
        mart       | order   | neu     | map    | held
        """,
    )
    house = shelf_house(tmp_path, mappings={"statuses": rows})
    usual = {"paid": "processing", "shipped": "complete"}
    assert words_of(house, "shop", "order", usual) == {
        "paid": "processing",
        "neu": "open",
        "shipped": "processing",
    }
    assert words_of(house, "shop", "payment", {}) == {"test": "failure"}


RETURNS = """
    order_ref | return_ref | line_ref | quantity | state_code
    a         | r1         | l1       | 1        | received
    a         | r2         | l1       | 1        | NotRefunded
    a         | r3         | l1       | 1        | inspected
    a         | r4         | l1       | 1        | written off
    a         | r5         | l1       | 1        | -
"""


def test_a_return_that_brings_nothing_back_is_no_return(tmp_path: Path) -> None:
    rows = drawn(
        ALL["mappings.statuses"],
        """
        storefront | subject | status      | mode   | status_code
        *          | return  | inspected   | map    | refused
        *          | return  | written off | ignore | -
        *          | return  | received    | map    | received
        """,
    )
    returns = drawn(ALL["core.returns"], RETURNS, storefront="shop")
    house = shelf_house(tmp_path, mappings={"statuses": rows})
    counted = returns_that_count(house, returns)
    assert counted["return_ref"].to_list() == ["r1", "r5"]
    assert counted.schema == returns.schema
    # A word nobody knows counts as before; its order is held by a rule.
    nobody = shelf_house(tmp_path / "other")
    assert returns_that_count(nobody, returns)["return_ref"].to_list() == ["r1", "r3", "r4", "r5"]


def test_a_return_word_without_a_row_holds_its_order() -> None:
    orders = drawn(
        ALL["core.orders"],
        "order_ref | order_number | total_minor\na | W1 | 100\nb | W2 | 100",
        storefront="shop",
        currency="USD",
    )
    back = RETURNS.replace("| written off", "| Quarantäne,neu")
    tables = {
        "core.orders": orders,
        "core.returns": drawn(ALL["core.returns"], back, storefront="shop"),
        "mappings.statuses": drawn(
            ALL["mappings.statuses"],
            "storefront | subject | status | mode | status_code\n* | return | insp* | map | received",
        ),
    }
    found = run(tables, run_id="r", limits=Limits(now=NOW), codes=["return_status_unmapped"])
    assert found["order_ref"].to_list() == ["a"]
    assert (
        found["sentence"]
        .item()
        .endswith('add to statuses.csv: shop,return,"Quarantäne,neu",map,<expected, received or refused>,')
    )


def test_refused_returns_change_how_the_refund_is_owed(tmp_path: Path) -> None:
    """A refund beside a return that was refused is one without a return: it goes to the allowance, not against the goods."""
    rows = drawn(
        ALL["mappings.statuses"],
        "storefront | subject | status | mode | status_code\n* | return | denied | map | {}",
    )
    seen: dict[str, Any] = {}
    for meaning in ("received", "refused"):
        stores = drawn(
            ALL["mappings.stores"], "storefront | store_ref | mode | entity_code\n* | * | map | E100"
        )
        changed = rows.with_columns(status_code=pl.lit(meaning))
        house = shelf_house(tmp_path / meaning, mappings={"statuses": changed, "stores": stores})
        order = "order_ref | status_code | placed_at | shipped_at | goods_minor | total_minor\na | complete | 2026-10-01 | 2026-10-02 | 1000 | 1000"
        line = "order_ref | line_ref | line_no | kind_code | sku | quantity | net_minor\na | l1 | 1 | item | MUG | 2 | 1000"
        paid = "payment_ref | transaction_ref | order_ref | kind_code | state_code | amount_minor | occurred_at\np | t | a | refund | success | 500 | 2026-10-05"
        back = "order_ref | return_ref | line_ref | quantity | state_code | returned_at\na | r | l1 | 1 | denied | 2026-10-04"
        for table, text in (("orders", order), ("order_lines", line), ("payments", paid), ("returns", back)):
            name = f"core.{table}"
            more = {"currency": "USD"} if "currency" in ALL[name].polars_schema else {}
            house.put(name, drawn(ALL[name], text, storefront="shop", **more))
        with house.warehouse.read() as session:
            lines = trade(house, session).owed.owed_lines
        seen[meaning] = lines.filter(pl.col("event_code") == "credit")["component_code"].to_list()
    assert seen == {"received": ["goods"], "refused": ["other"]}


@pytest.mark.parametrize(
    "row",
    ["*,order,neu,map,success,", "*,payment,neu,map,complete,", "*,order,neu,ignore,,", "*,return,neu,map,,"],
)
def test_a_word_of_the_wrong_subject_is_refused_with_its_line(tmp_path: Path, row: str) -> None:
    path = tmp_path / "statuses.csv"
    path.write_text(
        f"storefront,subject,status,mode,status_code,note\n*,order,x,map,open,\n{row}\n", encoding="utf-8"
    )
    with pytest.raises(SettingsError) as said:
        read_mapping(path, ALL["mappings.statuses"])
    assert "line(s) 3" in str(said.value)


def test_a_file_of_before_is_read_as_order_words(tmp_path: Path) -> None:
    path = tmp_path / "statuses.csv"
    path.write_text("storefront,status,status_code,note\n*,paid,processing,\n", encoding="utf-8")
    assert read_mapping(path, ALL["mappings.statuses"]).select("subject", "mode").row(0) == ("order", "map")
    assert set(RETURN_WORDS.values()) <= set(RETURN_STATES)
