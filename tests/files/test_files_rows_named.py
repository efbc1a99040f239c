"""Rows of a files storefront that cannot be read: named by file and row; without a number held, and let go once they have one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from drawn import shown

from checks.contracts import ALL
from flows.extract import extract
from flows.running import run_stage
from flows.stage import stage
from flows.wiring import House
from tieout.settings import parse

HEAD = "order_number,placed_at,currency,total\n"
FIRST = HEAD + "A,2026-09-01,USD,5.00\n,2026-09-02,USD,3.00\nB,2026-09-02,USD,x\n,2026-09-03,USD,4.00\n"
PAYMENTS = (
    "payment_ref,order_number,paid_at,amount,currency\np1,A,2026-09-01,5.00,USD\np2,A,2026-09-01,much,USD\n"
)


@pytest.fixture
def web(tmp_path: Path) -> Callable[..., House]:
    def house(**texts: str) -> House:
        """A house after a night over these files."""
        for name, text in texts.items():
            (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
        paths = {"orders": "orders.csv", "payments": "payments.csv"}
        raw = {"installation": {"state": "state"}, "storefronts": {"web": {"kind": "files", "paths": paths}}}
        moments = iter(
            datetime(2026, 11, 2, 0, 0, second, microsecond, tzinfo=UTC)
            for second in range(60)
            for microsecond in range(1000)
        )
        found = House(settings=parse(raw, folder=tmp_path), environment={}, clock=lambda: next(moments))
        found.__dict__["mappings"] = {"statuses": ALL["mappings.statuses"].empty()}
        run_stage(found, "extract", extract)
        run_stage(found, "stage", stage)
        return found

    return house


def core(house: House, name: str, *columns: str) -> list[tuple[Any, ...]]:
    with house.warehouse.read() as session:
        return shown(session.fetch(name), *columns)


def problems(house: House) -> list[str]:
    with house.warehouse.read() as session:
        return sorted(session.fetch("ops.problems")["problem"].to_list())


def test_a_problem_names_the_file_and_the_row(web: Callable[..., House]) -> None:
    house = web(orders=FIRST, payments=PAYMENTS)
    told = problems(house)
    assert len(told) == 4
    assert [one.split(": ")[1] for one in told] == [
        "orders.csv row 3", "payments.csv row 2", "orders.csv row 2", "orders.csv row 4",
    ]  # fmt: skip
    with house.warehouse.read() as session:
        orders = session.fetch("core.orders").filter(pl.col("problem").is_not_null())
    said = dict(orders.select("order_ref", "problem").iter_rows())
    assert said["B"].startswith("amount_not_exact: orders.csv row 3: ")
    assert said["without number"].startswith(
        "order_number_missing: orders.csv row 2: order_number '' is empty"
    )
    assert said["without number#2"].startswith("order_number_missing: orders.csv row 4: ")


def test_a_row_that_gets_its_number_is_let_go_and_nothing_of_it_stays_behind(
    web: Callable[..., House],
) -> None:
    web(orders=FIRST, payments=PAYMENTS)
    # The first row without a number gets it: the other one moves up and is not taken for it.
    house = web(orders=FIRST.replace("\n,2026-09-02", "\nC,2026-09-02"))
    assert core(house, "core.orders", "order_ref", "total_minor") == [
        ("A", 500), ("B", 0), ("C", 300), ("without number", 400),
    ]  # fmt: skip
    assert (
        next(one for one in problems(house) if "order_number_missing" in one).split(": ")[1]
        == "orders.csv row 4"
    )
    whole = (
        FIRST.replace("\n,2026-09-02", "\nC,2026-09-02")
        .replace("\n,2026-09-03", "\nD,2026-09-03")
        .replace(",x", ",7.00")
    )
    house = web(orders=whole)
    assert core(house, "core.orders", "order_ref") == [("A",), ("B",), ("C",), ("D",)]
    with house.warehouse.read() as session:
        assert session.fetch("core.orders")["problem"].is_null().all()
        assert (
            session.fetch("core.order_lines").filter(pl.col("order_ref").str.contains("without")).is_empty()
        )
    assert [one for one in problems(house) if "orders.csv" in one] == []
    # Built anew from what was received, the same comes out; and the same night again changes nothing.
    before = core(house, "core.orders", "order_ref", "total_minor")
    run_stage(house, "stage", stage, full=True)
    assert core(house, "core.orders", "order_ref", "total_minor") == before
    assert run_stage(house, "extract", extract)["new"] == 0


def test_a_row_that_loses_its_number_again_is_held_again(web: Callable[..., House]) -> None:
    web(orders=FIRST, payments=PAYMENTS)
    web(orders=FIRST.replace("\n,2026-09-02", "\nC,2026-09-02"))
    house = web(orders=FIRST)
    held = [
        row for row in core(house, "core.orders", "order_ref", "total_minor") if row[0].startswith("without")
    ]
    assert held == [("without number", 300), ("without number#2", 400)]


def test_without_the_files_what_was_received_is_staged_as_before(
    web: Callable[..., House], tmp_path: Path
) -> None:
    house = web(orders=FIRST, payments=PAYMENTS)
    (tmp_path / "orders.csv").unlink()
    (tmp_path / "payments.csv").unlink()
    run_stage(house, "stage", stage, full=True)
    assert len(problems(house)) == 4
    assert "orders.csv row" not in " ".join(problems(house))
