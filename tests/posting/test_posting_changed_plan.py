"""Planning what changed comes to what planning everything would: over drawn trades, fates of documents, and orders that share what they must not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from closing_house import Clock
from drawn_trades import orders
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from planning_house import Shop, difference, happens, house_in, planned, tables

from flows.comparing.shelving import FolderShelf
from flows.plan import _hold, plan
from flows.planning import changed_plan, plan_pieces
from flows.planning.plan_pieces import laid
from tieout.errors import WarehouseError

REFS = [str(n) for n in range(7)]
FATES = ("accepted", "accepted", "accepted", "accepted", "held", "dead", "unknown", "refused", "cancelled", "planned")  # fmt: skip
SHARED = ("gateway_ref", "payment_ref", "transaction_ref", "order_number")


@st.composite
def steps(draw: st.DrawFn) -> dict[str, Any]:
    """What happens before a plan: orders that come, change or go, what two of them share, what became of documents, what the ledger shows."""
    moved = draw(st.lists(st.sampled_from(REFS), max_size=3, unique=True))
    return {
        "moved": {ref: draw(orders(ref)) for ref in moved},
        "gone": draw(st.lists(st.sampled_from(REFS), max_size=1)),
        "shared": draw(
            st.lists(st.tuples(st.sampled_from(SHARED), st.sampled_from(REFS), st.sampled_from(REFS)), max_size=2)
        ),
        "fates": draw(st.lists(st.sampled_from(FATES), min_size=1, max_size=5)),
        "is_read": draw(st.booleans()),
        "edited": draw(st.sampled_from([None, None, "due_minor", "is_deleted"])),
        "stranger": draw(st.sampled_from([None, None, *REFS])),
        "held": draw(st.lists(st.sampled_from(REFS), max_size=1)),
        "payout": draw(st.sampled_from([None, *REFS[:3]])),
    }  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the houses of all examples stand; each is removed when it was looked at."""
    return tmp_path_factory.mktemp("houses")


EXAMPLES = 2
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""A house each, so a failing example is told as it was drawn instead of made smaller for minutes."""


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=PHASES,
)
@given(
    st.lists(steps(), min_size=2, max_size=3),
    st.sampled_from(["order", "summary"]),
    st.booleans(),
    st.data(),
)
def test_planning_what_changed_leaves_what_planning_everything_leaves(
    folder: Path, happened: list[dict[str, Any]], posting: str, has_journals: bool, data: st.DataObject
) -> None:
    for place in folder.iterdir():
        shutil.rmtree(place)
    clock = Clock()
    house = house_in(folder / "shop", posting, has_journals, clock)
    shop: Shop = {ref: data.draw(orders(ref)) for ref in REFS}
    for number, step in enumerate(happened, 1):
        happens(house, shop, step, number)
        shutil.copytree(folder / "shop", folder / f"copy{number}")
        other = house_in(folder / f"copy{number}", posting, has_journals, clock)
        told = planned(house, f"20261101T01{number:02d}00.000Z-{number:06d}")
        # Everything is planned two orders at a time where orders can be parted, so that both are held against each other.
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(changed_plan, "PART_ORDERS", 2)
            whole = planned(other, f"20261101T01{number:02d}00.000Z-{number:06d}", full=True)
        assert told["full"] == (number == 1)
        made, wanted = tables(house), tables(other)
        for name, frame in wanted.items():
            assert made[name].equals(frame), f"{name} at step {number}: {difference(made[name], frame)}"
        same = ("planned", "replaced", "unplanned", "reasons", "stops")
        assert {key: told[key] for key in same} == {key: whole[key] for key in same}


# --- by hand ---------------------------------------------------------------------------------------------------
def order(
    ref: str, number: str, *days: int, amount: int = 1_000, paid: bool = True
) -> dict[str, list[dict[str, Any]]]:
    """A shop's order of one unit a day, shipped on these days of October, paid by card."""
    key = {"storefront": "shop", "order_ref": ref, "run_id": "r"}
    total = amount * len(days)
    at = [noon_of(day) for day in days]
    return {
        "core.orders": [
            {**key, "order_number": number, "store_ref": "us", "currency": "USD", "customer_ref": "u1", "status_code": "complete", "placed_at": at[0], "goods_minor": total, "total_minor": total, "is_taxed": True, "is_test": False}
        ],
        "core.order_lines": [
            {**key, "currency": "USD", "line_no": 1, "line_ref": "l1", "kind_code": "item", "sku": "S", "quantity": len(days), "net_minor": total}
        ],
        "core.shipments": [
            {**key, "shipment_ref": f"d{day}", "line_ref": "l1", "quantity": 1, "shipped_at": when} for day, when in zip(days, at, strict=True)
        ],
        "core.payments": [
            {**key, "payment_ref": f"p{ref}", "transaction_ref": f"t{ref}", "kind_code": "charge", "state_code": "success", "currency": "USD", "tender_code": "Card", "gateway_ref": f"ch_{ref}", "amount_minor": total, "occurred_at": at[0]}
        ]
        if paid
        else [],
        "core.order_payments": [],
        "core.returns": [],
        "core.order_tenders": [],
    }  # fmt: skip


def noon_of(day: int) -> datetime:
    return datetime(2026, 10, day, 15, tzinfo=UTC)


NOTHING: dict[str, Any] = {
    "moved": {}, "gone": [], "shared": [], "fates": ["accepted"], "is_read": True, "edited": None, "stranger": None, "held": [], "payout": None,
}  # fmt: skip


class Plans:
    """Plans one after the other, each a run of its own; before each, what was planned is accepted and read back."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.shop, self.number = Clock(), {}, 0
        self.folder = folder
        self.house = house_in(folder, "order", has_journals=False, clock=self.clock)

    def run(self, *, full: bool = False, **step: Any) -> dict[str, Any]:
        self.number += 1
        happens(self.house, self.shop, {**NOTHING, **step}, self.number)
        return self.again(full=full)

    def again(self, *, full: bool = False) -> dict[str, Any]:
        self.number += 1
        return planned(self.house, f"20261101T020000.000Z-{self.number:06d}", full=full)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Plans:
    """Three orders that are invoiced, paid and done with."""
    plans = Plans(tmp_path_factory.mktemp("first") / "shop")
    told = plans.run(moved={"1": order("1", "W1", 5, 6), "2": order("2", "W2", 5), "3": order("3", "W3", 7)})
    assert (told["full"], told["planned"]) == (True, 8)  # four invoices, three receipts, and their customer
    assert plans.run()["looked_at"] == 3
    return plans


@pytest.fixture
def settled(first: Plans, tmp_path: Path) -> Plans:
    """The plans after those, in a copy of their house."""
    shutil.copytree(first.folder, tmp_path / "shop")
    plans = Plans(tmp_path / "shop")
    plans.clock.now, plans.shop, plans.number = first.clock.now, dict(first.shop), first.number
    return plans


def test_orders_that_are_done_with_are_not_looked_at_and_one_that_changes_is(settled: Plans) -> None:
    assert settled.run()["looked_at"] == 3  # now the ledger shows them
    told = settled.run()
    assert (told["full"], told["looked_at"], told["planned"]) == (False, 0, 0)
    before = tables(settled.house)
    told = settled.run(moved={"2": order("2", "W2", 5, 9)})
    assert (told["looked_at"], told["planned"]) == (1, 1)
    after = tables(settled.house)
    assert after["recon.owed"].height == before["recon.owed"].height + 1
    assert told["unplanned"] == after["ops.unplanned"].height
    told = settled.run(gone=["3"])
    assert told["looked_at"] == 2
    assert tables(settled.house)["recon.owed"].filter(pl.col("order_ref") == "3").is_empty()


def test_a_number_of_an_order_that_was_not_looked_at_makes_all_orders_be_planned(tmp_path: Path) -> None:
    plans = Plans(tmp_path / "shop")
    plans.run(moved={"1": order("1", "W1", 5, 6)}, is_read=False)
    plans.run(is_read=False)
    assert plans.run(is_read=False)["looked_at"] == 0
    # The second invoice of W1 has the number that the first of W1-2 would get, and the ledger was not read since.
    told = plans.run(moved={"4": order("4", "W1-2", 9)}, is_read=False)
    assert (told["full"], told["planned"]) == (True, 0), "neither the invoice nor its receipt"
    assert told["reasons"]["duplicate_number"] == 1


def test_pieces_that_share_a_number_are_planned_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changed_plan, "PART_ORDERS", 1)
    plans, asked = Plans(tmp_path / "shop"), []
    monkeypatch.setattr(plan_pieces, "laid", lambda *given: asked.append(len(given[3])) or laid(*given))
    apart = {"1": order("1", "W1", 5, 6), "2": order("2", "W2", 5), "3": order("3", "W3", 7)}
    told = plans.run(moved=apart, is_read=False)
    assert (asked, told["planned"]) == ([3], 8), "each its own piece, and their customer once"
    told = plans.run(moved={"4": order("4", "W1-2", 9)}, gone=["2", "3"], full=True, is_read=False)
    assert asked == [3, 4, 1]
    assert told["reasons"]["duplicate_number"] == 1
    assert not list(plans.house.warehouse.folder.glob("planning-*"))


def test_a_place_that_cannot_be_written_is_told_and_nothing_is_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changed_plan, "PART_ORDERS", 1)
    full = OSError(28, "No space left on device")
    monkeypatch.setattr(FolderShelf, "put", lambda *_: (_ for _ in ()).throw(full))
    plans = Plans(tmp_path / "shop")
    with pytest.raises(WarehouseError, match="No space left on device; nothing was planned"):
        plans.run(moved={"1": order("1", "W1", 5), "2": order("2", "W2", 5)})
    assert tables(plans.house)["ops.outbox"].is_empty()


def test_when_everything_is_planned(settled: Plans) -> None:
    house = settled.house

    def mapping() -> None:
        stores = house.mappings["stores"].with_columns(location_code=pl.lit("900"))
        house.__dict__["mappings"] = {**house.mappings, "stores": stores}

    def setting(**changed: Any) -> None:
        section = house.settings.intacct
        assert section is not None
        house.settings = house.settings.model_copy(update={"intacct": section.model_copy(update=changed)})

    def rebuilt() -> None:
        with house.warehouse.write(run_id="r") as session:
            session.delete("recon.owed", scope={"order_ref": "1"})

    reasons: dict[str, Callable[[], None]] = {
        "a mapping changed": mapping,
        "a setting changed": lambda: setting(terms_days=14),
        "a week is over": lambda: settled.clock.ahead(days=7),
        "the clock was set back": lambda: settled.clock.ahead(days=-30),
        "a table was made anew": rebuilt,
        "guests are told apart by address": lambda: setting(guests="email"),
    }
    assert settled.again(full=True)["full"]
    assert not settled.again()["full"], "it builds on the one before"
    for why, happen in reasons.items():
        happen()
        assert settled.again()["full"], why
    assert settled.again()["full"], "who a guest is depends on all orders"


def test_a_dry_run_tells_of_all_orders_and_keeps_nothing(settled: Plans) -> None:
    told = plan(settled.house, run_id="dry", dry_run=True)
    assert told["text"][0] == "0 documents would be planned, 7 owed events would not."
    assert settled.run()["looked_at"] == 3, "what changed before it still has"


def test_what_another_plan_put_there_meanwhile_is_not_held_as_owed_no_more(settled: Plans) -> None:
    settled.run(moved={"5": order("5", "W5", 8)})
    nobody = pl.DataFrame(schema={"storefront": pl.String, "order_ref": pl.String, "reason": pl.String})
    with settled.house.warehouse.write(run_id="r") as session:
        waiting = session.fetch("ops.outbox", where={"state_code": "planned"}).select("document_id")
        assert waiting.height == 2
        for known, states in ((waiting.clear(), ["planned"]), (waiting, ["held"])):
            _hold(settled.house, session, "r", nobody, alive=waiting.clear(), known=known)
            found = session.fetch("ops.outbox", where=waiting)
            assert found["state_code"].unique().to_list() == states


@pytest.mark.parametrize("full", [False, True])
def test_orders_of_two_plans_at_once_are_looked_at_again(
    settled: Plans, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    settled.run()
    assert settled.run()["looked_at"] == 0

    def meanwhile(*given: Any) -> Any:
        monkeypatch.setattr(plan_pieces, "laid", laid)
        settled.run(moved={"2": order("2", "W2", 5, 9)})
        return laid(*given)

    settled.again(full=True)
    monkeypatch.setattr(plan_pieces, "laid", meanwhile)
    told = settled.run(moved={"1": order("1", "W1", 5, 6, 7)}, full=full)
    assert told["full"] == full
    monkeypatch.undo()
    assert settled.again()["looked_at"] == (3 if full else 2)
