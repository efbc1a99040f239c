"""A night compares what changed since the last one, and the warehouse holds what a comparison of everything would have put there."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from closing_house import SETTINGS, Clock, fill, house_in

import flows.comparing.changed_trade
import flows.reconcile
from checks.contracts import ALL
from flows.comparing.changed_trade import keeping_of
from flows.reconcile import ROWS, TABLES, compared, reconcile
from flows.wiring import House
from tieout.errors import Busy
from tieout.settings import parse

pytestmark = pytest.mark.usefixtures("kept_attached")

OTHER = """
order | store | placed_at        | shipped_at       | total_minor | invoiced_on | invoice_minor | paid_at          | received_on
A1    | us    | 2026-08-30 15:00 | 2026-08-31 15:00 | 20_000      | 2026-09-02  | 20_000        | 2026-08-30 15:00 | 2026-09-02
A2    | us    | 2026-09-03 15:00 | 2026-09-04 15:00 | 5_000       | 2026-09-04  | 5_200         | 2026-09-03 15:00 | 2026-09-04
A3    | us    | 2026-09-10 15:00 | 2026-09-11 15:00 | 7_000       | 2026-10-09  | 7_000         | 2026-09-10 15:00 | 2026-10-09
A4    | us    | 2026-09-29 15:00 | 2026-09-30 15:00 | 9_000       | 2026-10-01  | 9_000         | 2026-09-29 15:00 | 2026-10-01
A6    | us    | 2026-10-06 15:00 | 2026-10-07 15:00 | 2_200       | -           | -             | 2026-10-06 15:00 | -
B1    | eu    | 2026-09-03 15:00 | 2026-09-04 15:00 | 11_900      | 2026-09-04  | 11_950        | -                | -
"""
"""A2 was invoiced again for more, A3's invoice came late, A5 is gone, A6 is new, B1's invoice was edited; A1 and A4 are as they were."""


class Nights:
    """Reconciliations one after the other, each a run of its own."""

    def __init__(self, house: House, number: int = 0) -> None:
        self.house = house
        self.number = number

    def run(self, **options: Any) -> dict[str, Any]:
        self.number += 1
        return reconcile(self.house, run_id=f"20270101T000000.000Z-{self.number:06d}", **options)

    def tables(self) -> dict[str, pl.DataFrame]:
        with self.house.warehouse.read() as session:
            found = {name: session.fetch(name) for name in (*TABLES, *ROWS)}
        return {name: frame.sort(pl.all()) for name, frame in found.items()}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A house after its first night; tests go on with copies of it."""
    house = house_in(tmp_path_factory.mktemp("first"))
    assert Nights(house).run()["full"], "nothing was kept before the first night"
    return house


@pytest.fixture
def nights(first: House, tmp_path: Path) -> Nights:
    """The nights after the first."""
    shutil.copytree(first.settings.folder, tmp_path / "house")
    house = House(
        settings=parse(SETTINGS, folder=tmp_path / "house"),
        environment={},
        clock=Clock(first.clock() + timedelta(minutes=1)),
    )
    house.__dict__["mappings"] = first.mappings
    return Nights(house, number=1)


def test_a_night_looks_at_what_changed_and_leaves_what_the_whole_would(nights: Nights) -> None:
    before = nights.tables()
    told = nights.run()
    assert (told["full"], told["looked_at"]) == (False, 0)
    assert all(frame.equals(before[name]) for name, frame in nights.tables().items())
    for drawing, looked_at in ((OTHER, 5), (OTHER.replace("5_200", "5_300"), 1)):
        fill(nights.house, drawing)
        told = nights.run()
        assert (told["full"], told["looked_at"]) == (False, looked_at)
    with pytest.MonkeyPatch.context() as patched:
        patched.delattr(flows.reconcile, "paired")  # a report of the night compares nothing again
        result, _ = compared(nights.house, None)
    made, whole = nights.tables(), nights.run(full=True)
    assert {**told, "full": True, "looked_at": 6} == whole
    for name, frame in nights.tables().items():
        assert made[name].equals(frame), name
    everything, _ = compared(nights.house, None)
    assert result.orders.equals(everything.orders)
    assert result.payments.equals(everything.payments)


def test_a_look_at_a_month_other_policies_or_a_damaged_folder_make_the_next_night_compare_everything(
    nights: Nights,
) -> None:
    nights.run(period="2026-09")
    assert nights.run()["full"], "the tables held a month"
    reconcile(nights.house, run_id="20200101T000000.000Z-000001", period="2026-09")
    assert nights.run()["full"], "a clock was set back, and the tables held a month again"
    nights.house.settings = parse(
        {**SETTINGS, "reconciliation": {"proposal_days": 9}}, folder=nights.house.warehouse.folder.parent
    )
    assert nights.run()["full"], "another policy"
    nights.house.warehouse.rebuild({"recon.orders": ALL["recon.orders"].empty()})
    assert nights.run()["full"], "the tables were made anew"
    for path in keeping_of(nights.house).folder.glob("layer-*/rows-orders.parquet"):
        path.write_bytes(b"not a Parquet file")
    assert nights.run()["full"], "a file is damaged"
    for path in keeping_of(nights.house).folder.glob("state-*/labels.parquet"):
        path.unlink()
    assert nights.run()["full"], "a file is missing"
    shutil.rmtree(keeping_of(nights.house).folder)
    assert nights.run()["full"], "the folder is gone"
    assert not nights.run()["full"]


def test_what_was_kept_and_does_not_foot_is_not_published(nights: Nights) -> None:
    for path in keeping_of(nights.house).folder.glob("state-*/tally-sums.parquet"):
        pl.read_parquet(path).with_columns(pl.col("amount") + 1).head(1).write_parquet(path)
    assert nights.run()["full"], "the comparison of everything foots"


def test_a_night_that_died_after_it_wrote_its_layer_is_not_built_on(nights: Nights) -> None:
    fill(nights.house, OTHER)
    before = nights.tables()

    def dies(*given: Any, **options: Any) -> None:
        raise RuntimeError("power")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(flows.comparing.changed_trade, "record", dies)
        with pytest.raises(RuntimeError, match="power"):
            nights.run()
    assert all(frame.equals(before[name]) for name, frame in nights.tables().items())
    told = nights.run()
    assert (told["full"], told["looked_at"]) == (False, 5), "what the night before left still holds"


def test_of_two_reconciliations_at_once_the_later_publishes_nothing(nights: Nights) -> None:
    real = flows.comparing.changed_trade.compared

    def overtaken(house: House, *given: Any, **options: Any) -> Any:
        found = real(house, *given, **options)
        return replace(found, last="20270101T000000.000Z-000000")

    fill(nights.house, OTHER)
    before = nights.tables()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(flows.comparing.changed_trade, "compared", overtaken)
        with pytest.raises(Busy, match="run reconcile"):
            nights.run()
    assert all(frame.equals(before[name]) for name, frame in nights.tables().items())
