"""After the lock: what moved is named with before and after, the sign-off is suspended, a correction is drafted, and a reviewer may accept."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from closing_house import PLAIN, Clock, fill, house_in

from flows.close import close_period
from flows.closing import events, signing
from flows.closing.sentinel import sentinel
from flows.running import run_stage
from flows.wiring import House
from tieout.errors import InputError
from tieout.reports.pack import Pack
from tieout.settings import parse

pytestmark = pytest.mark.usefixtures("kept_attached")

A2 = "A2    | us    | 2026-09-03 15:00 | 2026-09-04 15:00 | 5_000       | 2026-09-04  | 5_000         | 2026-09-03 15:00 | 2026-09-04"
MOVES = {
    "an invoice's amount": (A2.replace("| 5_000         |", "| 4_000         |"), ["invoice UA2 changed: amount 50.00 USD → 40.00 USD."], [("intacct", "invoice", -1_000)]),
    "an invoice's date, into October": (A2.replace("| 2026-09-04  | 5_000", "| 2026-10-04  | 5_000"), ["invoice UA2 changed: date 2026-09-04 → 2026-10-04."], [("intacct", "invoice", -5_000)]),
    "an invoice that is gone": (A2.replace("| 2026-09-04  | 5_000         |", "| -           | -             |"), ["invoice UA2 is gone: it was 50.00 USD dated 2026-09-04."], [("intacct", "invoice", -5_000)]),
    "a shipment's date, into October": (A2.replace("2026-09-04 15:00", "2026-10-02 15:00"), ["sale A2 changed: date 2026-09-04 → 2026-10-02."], [("storefront", "sale", -5_000)]),
    "an order that came late": (A2 + "\nA9    | us    | 2026-09-20 15:00 | 2026-09-21 15:00 | 3_300       | -           | -             | -                | -", ["sale A9 was added: 33.00 USD dated 2026-09-21."], [("storefront", "sale", 3_300)]),
}  # fmt: skip


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> House:
    """September of the US entity, locked by Ana and Ben."""
    house = house_in(tmp_path_factory.mktemp("locked"))
    close_period(house, period="2026-09", entity="E100")
    for role, author in (("preparer", "Ana"), ("reviewer", "Ben")):
        signing.sign_close(house, entity="E100", period="2026-09", role=role, author=author)
    return house


@pytest.fixture
def house(locked: House, tmp_path: Path) -> House:
    """A copy that a test may move."""
    folder = tmp_path / "house"
    shutil.copytree(locked.settings.folder, folder)
    settings = parse(
        {**locked.settings.model_dump(mode="json", exclude={"folder"}, exclude_none=True)}, folder=folder
    )
    found = House(settings=settings, environment={}, clock=Clock(locked.clock() + timedelta(minutes=1)))
    found.__dict__["mappings"] = locked.mappings
    return found


def look(house: House) -> dict:
    return run_stage(house, "sentinel", sentinel)


def test_nothing_moved_is_said_and_changes_nothing(house: House) -> None:
    summary = look(house)
    assert (summary["moved"], summary["exit_code"]) == (0, 0)
    assert events.standing_of(house, "E100", "2026-09").state == "locked"


@pytest.mark.parametrize("what", MOVES)
def test_what_moved_is_named_with_before_and_after_and_suspends(house: House, what: str) -> None:
    row, sentences, drafts = MOVES[what]
    fill(house, PLAIN.replace(A2, row))
    summary = look(house)
    told = " ".join(summary["text"])
    assert all(one in told for one in sentences), told
    assert summary["exit_code"] == 1
    assert events.standing_of(house, "E100", "2026-09").state == "suspended"
    assert Pack(house.reports / "close/E100/2026-09/r1").report().facts["standing"] == "suspended"
    with house.warehouse.read() as session:
        moved = session.fetch("ops.moved_records")
        drafted = session.fetch("ops.correction_drafts")
    assert set(sentences) <= set(moved["sentence"].to_list())
    found = drafted.select("side", "kind_code", "amount_minor").rows()
    assert set(drafts) <= set(found)
    assert drafted["draft_on"].unique().to_list()[0].isoformat() == "2026-11-01"


def test_looking_again_adds_nothing_and_accepting_needs_a_reviewer_with_a_note(house: House) -> None:
    fill(house, PLAIN.replace(A2, MOVES["an invoice's amount"][0]))
    look(house)
    with house.warehouse.read() as session:
        before = session.count("ops.moved_records")
    again = look(house)
    with house.warehouse.read() as session:
        assert session.count("ops.moved_records") == before
    assert "known, not yet accepted" in " ".join(again["text"])
    with pytest.raises(InputError, match="another person"):
        signing.sign_close(house, entity="E100", period="2026-09", role="reviewer", author="Ana", note="fine")
    with pytest.raises(InputError, match="--note"):
        signing.sign_close(house, entity="E100", period="2026-09", role="reviewer", author="Ben")
    signing.sign_close(
        house, entity="E100", period="2026-09", role="reviewer", author="Ben", note="corrected in November"
    )
    assert events.standing_of(house, "E100", "2026-09").state == "locked"
    assert look(house)["moved"] == 0, "what was accepted is the new baseline"
    fill(house, PLAIN)
    told = " ".join(look(house)["text"])
    assert "amount 40.00 USD → 50.00 USD" in told, "and moving back is a movement like any other"


def test_what_moves_back_before_it_is_accepted_is_no_movement(house: House) -> None:
    fill(house, PLAIN.replace(A2, MOVES["an invoice's amount"][0]))
    look(house)
    fill(house, PLAIN)
    summary = look(house)
    assert summary["moved"] == 0
    assert "moved back" in " ".join(summary["text"])
    signing.sign_close(
        house, entity="E100", period="2026-09", role="reviewer", author="Ben", note="it was a slip"
    )
    assert look(house)["moved"] == 0


def test_paying_an_invoice_after_the_lock_is_no_movement(house: House) -> None:
    with house.warehouse.write(run_id="pay") as session:
        rows = session.fetch("core.ar_invoices").with_columns(state_code=pl.lit("Paid"))
        session.publish("core.ar_invoices", rows, key=["invoice_ref"], mode="replace")
    assert look(house)["moved"] == 0


def test_an_unsigned_close_is_not_watched(house: House) -> None:
    signing.reopen_close(house, entity="E100", period="2026-09", reason="late credit", author="Cleo")
    summary = look(house)
    assert (summary["periods"], summary["text"]) == (
        0,
        ["No period is locked, so there is nothing to watch."],
    )
