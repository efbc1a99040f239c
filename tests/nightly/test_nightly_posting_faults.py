"""Posting while Intacct misbehaves: whatever the line does, the books hold each document once, and nothing is forgotten.

Every row starts from the same planned night and the same books. Lost answers are the dangerous ones: the gateway has committed, and we
cannot know. The verdict compares the books with the outbox record by record, key by key, amount by amount.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import night
import polars as pl
import pytest

from flows.doctor import examine
from tieout.errors import TieoutError

pytestmark = pytest.mark.usefixtures("kept_attached")

ORDERS = 110


@dataclass(frozen=True)
class Planned:
    """A world and a folder in which everything is planned and nothing sent; `accepted` is what an undisturbed night sends."""

    world: night.World
    folder: Path
    accepted: frozenset[str]


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planned]:
    base = tmp_path_factory.mktemp("posting")
    with night.world_of(base / "world", orders=ORDERS) as world:
        config = night.lay_out(base / "planned", world.addresses, batch_size=25, time_out_seconds=1)
        house = night.house_at(config, night.NightClock(world.addresses["now"]))
        night.steps(house, *night.TO_POST)
        calm = night.house_at(
            night.copy_of(base / "planned", base / "calm"), night.NightClock(world.addresses["now"])
        )
        night.steps(calm, "post")
        assert night.unlike_the_books(calm, world) == []
        assert night.waiting(calm) == []
        ids = frozenset(night.outbox_of(calm)["document_id"].to_list())
        assert len(ids) > 50, "the world is too small to prove anything"
        yield Planned(world, base / "planned", ids)


@dataclass(frozen=True)
class Row:
    """Faults while posting, and what the outbox shows right after the night in which they struck."""

    name: str
    faults: tuple[dict[str, Any], ...]
    first: frozenset[str] = field(default=frozenset({"accepted"}))
    settings: dict[str, Any] = field(default_factory=dict)


def _on(what: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "match": what, **more}


TABLE = [
    Row("the answer to a batch of invoices is lost", (_on("<create_invoice", "cut_after"),)),
    Row("the answer to a second batch is lost", tuple(_on(one, "cut_after", after=1) for one in ("<create_invoice", "<ARPYMT>"))),
    Row("answers to all first batches are lost", tuple(_on(one, "cut_after") for one in ("<create_customer", "<create_invoice", "<create_aradjustment", "<ARPYMT>"))),
    Row("the line is cut before the batch arrives", (_on("<create_invoice", "cut_before"), _on("<ARPYMT>", "cut_before")), first=frozenset({"accepted", "planned"})),
    Row("the answer comes after we stopped waiting", (_on("<create_invoice", "delay_after", seconds=3),)),
    Row("answers that are cut in half or not XML", (_on("<create_customer", "truncate"), _on("<create_invoice", "truncate", how="short"), _on("<create_aradjustment", "server_error"), _on("<ARPYMT>", "garbage")), first=frozenset({"accepted", "planned"})),
    Row("a storm of 429, and the session ends in the middle", (_on("<create_invoice", "throttle", times=3, seconds=0), _on("<ARPYMT>", "expire_session"))),
    Row("every third document of a batch is refused", (_on("<create_invoice", "half_fail", nth=3),), first=frozenset({"accepted", "refused", "planned"})),
    Row("one transaction: a batch is rolled back whole", (_on("<create_invoice", "roll_back_all"),), first=frozenset({"accepted", "planned", "refused", "unknown"})),
    Row("a lost answer, and rows that are seen late", (_on("<create_invoice", "cut_after"), {"kind": "hide_rows", "seconds": 4, "times": 2, "match": "<object>ARINVOICE</object>"}), settings={"visibility_seconds": 30}, first=frozenset({"accepted", "planned", "unknown"})),
]  # fmt: skip


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_whatever_the_line_does_the_books_hold_each_document_once(
    row: Row, planned: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.no_waiting(monkeypatch)
    world = planned.world
    world.reset()
    config = night.copy_of(planned.folder, tmp_path / "house")
    for name, value in row.settings.items():
        text = config.read_text()
        config.write_text(text.replace(f"{name} = 0", f"{name} = {value}"))
    clock = night.NightClock(world.addresses["now"])
    clock.ahead(minutes=5)
    house = night.house_at(config, clock)
    for fault in row.faults:
        world.fault("intacct", **fault)
    night.steps(house, "post")
    assert world.unstruck() == []
    assert set(night.states_of(house)) <= row.first, night.waiting(house)
    # Hidden rows stay hidden for seconds of the stand-in's own time, however fast the cycles of ours follow each other.
    Event().wait(max((one["seconds"] for one in row.faults if one["kind"] == "hide_rows"), default=0))
    _goes_on(planned, house, clock)


def _goes_on(planned: Planned, house: night.House, clock: night.NightClock) -> None:
    """The fault is over: one or two later cycles must send what is left, and nothing twice."""
    planned.world.clear()
    for _cycle in range(2):
        if not night.waiting(house):
            break
        clock.ahead(minutes=20)
        night.steps(house, "post")
    assert night.unlike_the_books(house, planned.world) == []
    assert night.waiting(house) == []
    assert set(night.outbox_of(house)["document_id"].to_list()) == set(planned.accepted)


@pytest.mark.parametrize(
    "shape",
    [{"level": "operation"}, {"level": "function"}],
    ids=["refuses the operation", "refuses the function"],
)
def test_a_batch_that_intacct_has_done_before_is_recognised_and_read_back(
    shape: dict[str, str], planned: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A house restored from a copy made before posting sends everything again; the function ids are the same, so nothing is done twice."""
    night.no_waiting(monkeypatch)
    world = planned.world
    world.reset()
    clock = night.NightClock(world.addresses["now"])
    before = night.house_at(night.copy_of(planned.folder, tmp_path / "before"), clock)
    night.steps(before, "post")
    calm = world.keys()
    world.fault("intacct", "replay_shape", times=None, **shape)
    restored = night.house_at(night.copy_of(planned.folder, tmp_path / "restored"), clock)
    night.steps(restored, "post")
    assert world.keys() == calm, "something was posted a second time"
    world.clear()
    clock.ahead(minutes=20)
    night.steps(restored, "post")
    assert night.unlike_the_books(restored, world) == []
    assert night.waiting(restored) == []


def test_a_document_refused_three_times_is_dead_says_why_and_blocks_nobody_else(
    planned: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.no_waiting(monkeypatch)
    world = planned.world
    world.reset()
    clock = night.NightClock(world.addresses["now"])
    house = night.house_at(night.copy_of(planned.folder, tmp_path / "house"), clock)
    invoices = night.outbox_of(house).filter(pl.col("kind_code") == "invoice").sort("number")
    victim = invoices["document_id"][0]
    world.fault(
        "intacct",
        "refuse",
        times=None,
        match=f"create_invoice demo:{victim}:1 ",
        errorno="BL01001973",
        text="Invalid GL account",
    )
    for _cycle in range(4):
        night.steps(house, "post")
        clock.ahead(minutes=20)
    found = night.outbox_of(house).filter(pl.col("document_id") == victim).row(0, named=True)
    assert (found["state_code"], found["failures_no"]) == ("dead", 3)
    assert "Invalid GL account" in found["reason"]
    assert night.unlike_the_books(house, world) == []
    left = night.outbox_of(house).filter(~pl.col("state_code").is_in(["accepted", "dead"]))
    with house.warehouse.read() as session:
        lines = session.fetch("out.document_lines", where={"applies_to_id": victim})
    assert set(left["document_id"]) == set(lines["document_id"]), "only what pays the dead invoice waits"


def test_wrong_credentials_stop_at_once_and_are_not_tried_again(
    planned: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.no_waiting(monkeypatch)
    world = planned.world
    world.reset()
    config = night.copy_of(planned.folder, tmp_path / "house")
    clock = night.NightClock(world.addresses["now"])
    house = night.house_at(config, clock, TIEOUT_INTACCT_USER_PASSWORD="not-the-password")
    with pytest.raises(TieoutError) as refused:
        night.steps(house, "post")
    assert refused.value.exit_code == 5
    assert "not-the-password" not in str(refused.value)
    assert world.calls("intacct")["total"] <= 2, "repeated tries lock accounts"
    assert set(night.states_of(house)) == {"planned"}, "nothing was sent, so nothing is unknown"
    right = night.house_at(config, clock)
    tried = world.calls("intacct")["total"]
    with pytest.raises(TieoutError, match="tieout doctor"):
        night.steps(right, "post")
    assert world.calls("intacct")["total"] == tried, "halted: nobody signs in until a person has looked"
    assert [one.ok for one in examine(right) if one.what == "Intacct"] == [True]
    night.steps(right, "post")
    assert night.unlike_the_books(right, world) == []
    assert night.waiting(right) == []
