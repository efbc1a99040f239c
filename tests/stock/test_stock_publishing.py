"""Publishing stock: by change only, recorded, read back by sample, by one run at a time, whatever one storefront does."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from drawn import drawn, shown
from shelf import NOW, ShelfHouse, shelf_house

from checks.contracts import ALL
from flows.running import run_stage
from flows.stock import publish_stock

WAREHOUSES = drawn(
    ALL["mappings.warehouses"],
    """
    storefront | location_ref | mode | warehouse_ref
    *          | east         | map  | EAST
    """,
)
SKUS = [f"S{n:02}" for n in range(40)]


def stocked(folder: Path, *, fronts: tuple[str, ...] = ("shop",), **stock: object) -> ShelfHouse:
    house = shelf_house(folder, fronts=fronts, mappings={"warehouses": WAREHOUSES}, stock=stock)
    house.put("core.stock", both_sides(fronts, on_hand=50))
    for front in house.fronts.values():
        front.stock = {(sku, "east"): 10 for sku in SKUS}
    return house


def both_sides(fronts: tuple[str, ...], on_hand: int, shown_qty: int = 10) -> pl.DataFrame:
    rows = "sku | on_hand_qty\n" + "\n".join(f"{sku} | {on_hand}" for sku in SKUS)
    ledger = drawn(
        ALL["core.stock"], rows, source="intacct", location_ref="EAST", as_of_at=NOW - timedelta(minutes=9)
    )
    rows = "sku | on_hand_qty\n" + "\n".join(f"{sku} | {shown_qty}" for sku in SKUS)
    shops = [
        drawn(ALL["core.stock"], rows, source=name, location_ref="east", native_ref="n", as_of_at=NOW - timedelta(minutes=9))
        for name in fronts
    ]  # fmt: skip
    return pl.concat([ledger, *shops])


def test_only_changes_are_written_each_is_recorded_and_a_second_run_writes_nothing(tmp_path: Path) -> None:
    house = stocked(tmp_path)
    first = run_stage(house, "stock", publish_stock)
    assert (first["changed"], first["published"], first["drifted"], first["read_back"]) == (40, 40, 0, 20)
    assert set(house.fronts["shop"].stock.values()) == {46}  # 50 less 8 %, which is 4
    writes = house.table("ops.stock_writes")
    assert shown(
        writes.select("before_qty", "after_qty", "outcome").unique(), "before_qty", "after_qty", "outcome"
    ) == [(10, 46, "written")]
    # The second run has not read the storefront again; it asks before it writes.
    second = run_stage(house, "stock", publish_stock)
    assert (second["published"], second["unchanged"]) == (0, 40)
    house.put("core.stock", both_sides(("shop",), 50, 46))
    calls = house.fronts["shop"].calls
    third = run_stage(house, "stock", publish_stock)
    assert (third["changed"], third["published"], house.fronts["shop"].calls - calls) == (0, 0, 0)


def test_a_figure_somebody_else_changed_is_reported_as_drift(tmp_path: Path) -> None:
    house = stocked(tmp_path, read_back_sample=80)
    run_stage(house, "stock", publish_stock)
    house.put("core.stock", both_sides(("shop",), 50, 46))
    house.fronts["shop"].stock["S07", "east"] = 99
    del house.fronts["shop"].stock["S08", "east"]
    summary = run_stage(house, "stock", publish_stock)
    assert (summary["published"], summary["drifted"]) == (0, 2)
    newest = house.table("ops.stock_checks").filter(pl.col("run_id") == summary["run_id"])
    drifted = newest.filter(pl.col("found_qty").ne_missing(pl.col("expected_qty")))
    assert shown(drifted, "sku", "expected_qty", "found_qty") == [("S07", 46, 99), ("S08", 46, None)]


def test_what_one_storefront_refuses_or_cannot_do_stops_neither_its_other_rows_nor_its_neighbours(
    tmp_path: Path,
) -> None:
    house = stocked(tmp_path, fronts=("down", "shop"))
    house.fronts["down"].is_down = True
    house.fronts["shop"].refuses = {"S03"}
    summary = run_stage(house, "stock", publish_stock)
    assert (summary["published"], summary["refused"]) == (39, 1)
    (error,) = summary["errors"]
    assert error.startswith("down: the shop is down")
    assert summary["exit_code"] == 4
    (refused,) = house.table("ops.stock_writes").filter(pl.col("outcome") == "refused").to_dicts()
    assert (refused["sku"], refused["before_qty"], refused["after_qty"], refused["detail"]) == (
        "S03",
        10,
        10,
        "not taken",
    )


def test_two_runs_at_once_publish_once(tmp_path: Path) -> None:
    house = stocked(tmp_path)
    _ = house.warehouse
    results: list[dict[str, object]] = []

    def one(run_id: str) -> None:
        results.append(publish_stock(house, run_id=run_id))

    threads = [threading.Thread(target=one, args=(f"r{n}",)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(result["published"] for result in results) == [0, 40]  # type: ignore[type-var]
    writes = house.table("ops.stock_writes")
    assert writes.filter(pl.col("outcome") == "written").height == 40


@pytest.mark.parametrize("sample", [0, 7])
def test_the_sample_is_as_large_as_asked(tmp_path: Path, sample: int) -> None:
    house = stocked(tmp_path, read_back_sample=sample)
    assert run_stage(house, "stock", publish_stock)["read_back"] == sample
