"""What a close is made from: every column the reconciliation reads, paired once for the same data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from closing_house import PLAIN, fill, house_in

import flows.reconcile
from checks.contracts import ALL
from flows.close import close_period
from flows.closing.packing import input_frames, inputs_of
from flows.reconcile import compared, reconcile
from transforms.reconcile.intake import COLUMNS, WHERE_KNOWN, Inputs

pytestmark = pytest.mark.usefixtures("kept_attached")


def shaped(name: str) -> pl.DataFrame:
    """An input without a row: a table of the warehouse, or, where it is made of several, what is read of it."""
    table = ALL.get(f"core.{name}")
    return pl.DataFrame(schema={**COLUMNS[name], **WHERE_KNOWN[name]}) if table is None else table.empty()


@pytest.mark.parametrize("name", sorted(WHERE_KNOWN))
def test_what_is_read_where_it_is_known_is_packed_and_comes_back(name: str) -> None:
    given = Inputs(
        orders=ALL["core.orders"].empty(),
        owed=ALL["recon.owed"].empty(),
        **{name: shaped(name)},
    )
    packed = input_frames(given)
    assert packed[name].columns == [*COLUMNS[name], *WHERE_KNOWN[name]]
    again = getattr(inputs_of(packed), name)
    assert dict(again.schema) == {**COLUMNS[name], **WHERE_KNOWN[name]}


def test_what_an_input_does_not_have_is_not_made_up() -> None:
    lines = ALL["core.order_lines"].empty().drop("tax_rate")
    packed = input_frames(
        Inputs(orders=ALL["core.orders"].empty(), owed=ALL["recon.owed"].empty(), order_lines=lines)
    )
    assert "tax_rate" not in packed["order_lines"].columns


def test_one_pairing_serves_every_entity_period_and_report_until_the_data_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = house_in(tmp_path)
    real, times = flows.reconcile.paired, []

    def counted(*given: Any) -> Any:
        times.append(1)
        return real(*given)

    monkeypatch.setattr(flows.reconcile, "paired", counted)
    close_period(house, period="2026-09")
    september, _ = compared(house, "2026-09")
    october, _ = compared(house, "2026-10")
    assert len(times) == 1
    assert september.orders["is_in_period"].sum() != october.orders["is_in_period"].sum()
    fill(house, PLAIN.replace("5_000 ", "5_001 "))
    changed, _ = compared(house, "2026-09")
    assert len(times) == 2
    assert changed.orders["gross_minor"].sum() == september.orders["gross_minor"].sum() + 1


def test_a_look_at_one_month_makes_no_open_row_older(tmp_path: Path) -> None:
    house = house_in(tmp_path)

    def cycles() -> list[int]:
        with house.warehouse.read() as session:
            return sorted(session.fetch("ops.lingering")["cycles_no"].unique().to_list())

    reconcile(house, run_id="20260102T000000.000Z-000001")
    assert cycles() == [1]
    for number in (2, 3):
        reconcile(house, run_id=f"20260102T000000.000Z-00000{number}", period="2026-09")
        assert cycles() == [1]
    reconcile(house, run_id="20260102T000000.000Z-000004")
    assert cycles() == [2]
