"""The `files` storefront in a real warehouse: files land, orders and lines are staged together, whichever of them changed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from checks.contracts import ALL
from flows.plain.files import staging_transforms
from tieout.connectors.storefronts.files import ColumnMap, Files
from tieout.warehouse.store import Warehouse

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MAP = """
[defaults]
date_format = "%d.%m.%Y"
[orders.columns]
total = ["Netto", "MwSt"]
[orders.constants]
currency = "EUR"
"""
FILES = {
    "orders": "order_number;placed_at;Netto;MwSt\nA;01.09.2026;10,00;1,90\nB;02.09.2026;1,00;x\n",
    "lines": "order_number,sku,net,tax\nA,X,6.00,1.14\nA,Y,4.00,0.76\nZ,Q,1.00,0.00\n",
    "payments": "payment_ref,order_number,paid_at,amount,currency\np1,A,03.09.2026,11.90,EUR\n",
    "refunds": "refund_ref,order_number,refunded_at,amount,currency\np1,A,04.09.2026,1.00,EUR\n",
    "stock": "sku,location,on_hand\nX,WH,5\n",
}


@pytest.fixture
def shop(tmp_path: Path) -> SimpleNamespace:
    warehouse = Warehouse(tmp_path / "state", lock_seconds=5)
    warehouse.ensure({name: table.empty() for name, table in ALL.items() if name.startswith("core.")})
    (tmp_path / "map.toml").write_text(MAP, encoding="utf-8")
    house: Any = SimpleNamespace(
        settings=SimpleNamespace(path=lambda path: tmp_path / path),
        clock=lambda: NOW,
        mappings={"statuses": ALL["mappings.statuses"].empty()},
        storefront=lambda _name: Files(
            {name: tmp_path / f"{name}.csv" for name in FILES if (tmp_path / f"{name}.csv").exists()},
            ColumnMap.load(tmp_path / "map.toml"),
        ),
    )
    front: Any = SimpleNamespace(paths={name: f"{name}.csv" for name in FILES}, column_map=Path("map.toml"))

    def land(subject: str, text: str, run: str = "run-1") -> None:
        (tmp_path / f"{subject}.csv").write_text(text, encoding="utf-8")
        key = {"payments": "payment_ref", "refunds": "refund_ref", "stock": "sku"}.get(
            subject, "order_number"
        )
        with Files({subject: tmp_path / f"{subject}.csv"}, ColumnMap.load(tmp_path / "map.toml")) as files:
            for batch in files.open(subject):
                with warehouse.write(run_id=run) as session:
                    session.ingest_file(
                        batch.path, batch.format, f"raw.web__{subject}", source="web", subject=subject, header=batch.header,
                        run_id=run, fetched_at=NOW, key_columns=[key],
                    )  # fmt: skip

    def staged(subject: str) -> Any:
        with warehouse.read() as session:
            call = staging_transforms(house, "run-1", "web", front)[subject]
            found = call(session.raw_changed(f"raw.web__{subject}"), session)
        for name, frame in found.frames.items():
            ALL[name].checked(ALL[name].shaped(frame), at="in a test")
        return found

    for subject, text in FILES.items():
        land(subject, text)
    return SimpleNamespace(land=land, staged=staged, house=house, front=front)


def test_orders_are_staged_with_their_lines_and_the_rules_of_the_map(shop: SimpleNamespace) -> None:
    found = shop.staged("orders")
    orders = found["core.orders"].sort("order_ref")
    assert orders.select("storefront", "order_ref", "currency", "total_minor").rows() == [
        ("web", "A", "EUR", 1190), ("web", "B", "EUR", orders["total_minor"][1]),
    ]  # fmt: skip
    assert orders["problem"].is_null().to_list() == [True, False], (
        "'x' is no amount; decimal commas were found, not told"
    )
    lines = found["core.order_lines"].filter(order_ref="A")
    assert sorted(lines["net_minor"].to_list()) == [400, 600]
    assert lines["tax_minor"].sum() == 190


def test_a_changed_line_changes_its_order(shop: SimpleNamespace) -> None:
    shop.land("lines", "order_number,sku,net,tax\nA,X,7.00,1.14\nA,Y,4.00,0.76\n", run="run-2")
    found = shop.staged("lines")
    order = found["core.orders"].filter(order_ref="A").row(0, named=True)
    assert order["total_minor"] == 1190, "the header's total is the truth"
    lines = found["core.order_lines"].filter(order_ref="A")
    assert (
        lines.select(pl.sum_horizontal(pl.col("net_minor", "discount_minor", "tax_minor")).sum()).item()
        == 1190
    )
    assert 700 in lines["net_minor"].to_list()


def test_a_line_of_no_order_is_a_problem_and_not_lost(shop: SimpleNamespace) -> None:
    problems = shop.staged("lines").problems
    assert problems["problem"].str.contains("order_number 'Z' is no order").to_list() == [True]


def test_a_refund_may_carry_the_payment_s_reference(shop: SimpleNamespace) -> None:
    charge = shop.staged("payments")["core.payments"].row(0, named=True)
    refund = shop.staged("refunds")["core.payments"].row(0, named=True)
    assert (charge["payment_ref"], charge["kind_code"], charge["amount_minor"]) == ("p1", "charge", 1190)
    assert (refund["payment_ref"], refund["kind_code"], refund["amount_minor"]) == (
        "refund p1",
        "refund",
        100,
    )
    assert refund["gateway_ref"] == "p1"


def test_stock_is_as_of_the_reading(shop: SimpleNamespace) -> None:
    stock = shop.staged("stock")["core.stock"].row(0, named=True)
    assert (stock["source"], stock["sku"], stock["location_ref"], str(stock["on_hand_qty"])) == (
        "web",
        "X",
        "WH",
        "5.0000",
    )


def test_only_configured_subjects_are_staged(shop: SimpleNamespace) -> None:
    shop.front.paths = {"orders": "orders.csv"}
    assert list(staging_transforms(shop.house, "run-1", "web", shop.front)) == ["orders"]
    found = shop.staged("orders")
    assert found["core.order_lines"].filter(order_ref="A")["line_ref"].to_list() == ["goods"]


def test_an_order_without_a_number_is_held_under_a_lasting_reference(shop: SimpleNamespace) -> None:
    shop.land(
        "orders",
        "order_number;placed_at;Netto;MwSt\n;01.09.2026;10,00;1,90\n;02.09.2026;5,00;0,00\n",
        run="run-2",
    )
    found = shop.staged("orders")
    held = found["core.orders"].filter(pl.col("order_number").is_null()).sort("order_ref")
    assert held.select("order_ref", "total_minor").rows() == [
        ("without number", 1190),
        ("without number#2", 500),
    ]
    assert held["problem"].str.starts_with("order_number_missing: ").all()
    assert found["core.orders"].filter(order_ref="A")["problem"].to_list() == [None], "the rest goes on"


def test_rows_of_an_order_that_do_not_name_it_are_problems_and_not_lost(shop: SimpleNamespace) -> None:
    (shop.house.settings.path(Path("map.toml"))).write_text('[orders]\nrows = "line"\n', encoding="utf-8")
    shop.front.paths = {"orders": "orders.csv"}
    shop.land(
        "orders",
        "order_number,placed_at,currency,line_net\nC,2026-09-01,EUR,3.00\n,,,2.00\nC,,,1.00\n",
        run="run-2",
    )
    found = shop.staged("orders")
    assert found["core.orders"].filter(order_ref="C")["total_minor"].to_list() == [400]
    lost = found.problems.filter(pl.col("problem").str.starts_with("order_number_missing"))
    assert lost.select("subject", "native_ref", "column").rows() == [("orders", "", "order_number")]
    assert "repeat the number on every row" in lost["problem"].item()
