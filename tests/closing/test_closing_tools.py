"""Between closes: the register with its owners, the cut-off simulator, rehearsed rules, and what differs between two closes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from closing_house import PLAIN, fill, house_in

from flows.close import close_period
from flows.closing import registering
from flows.closing.rehearsing import diff, rehearse
from flows.closing.signing import sign_close
from flows.closing.simulating import cutoff
from flows.wiring import House
from tieout.errors import InputError, WarehouseError
from transforms.closing.differing import CHANGES, differing

pytestmark = pytest.mark.usefixtures("kept_attached")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """September of the US entity, closed twice: A3 was invoiced, five cents short, between the two."""
    found = house_in(tmp_path_factory.mktemp("tools"))
    close_period(found, period="2026-09", entity="E100")
    late = "A3    | us    | 2026-09-10 15:00 | 2026-09-11 15:00 | 7_000       | -           | -             | 2026-09-10 15:00 | -"
    assert late in PLAIN
    fill(
        found,
        PLAIN.replace(
            late, late.replace("| -           | -             |", "| 2026-09-12  | 6_995         |")
        ),
    )
    close_period(found, period="2026-09", entity="E100")
    return found


def test_the_register_lists_what_is_open_and_keeps_every_word(house: House) -> None:
    rows = registering.open_register(house, entity="E100")
    item = rows.filter(pl.col("order_number") == "A4", pl.col("kind_code") == "order").row(0, named=True)
    registering.remark(house, item["item_id"][:6], author="Ana", owner="Ben", next_step="post the invoice")
    registering.remark(house, item["item_id"], author="Cleo", note="carrier was late")
    one = registering.open_register(house, owner="Ben").row(0, named=True)
    assert (one["item_id"], one["next_step"], one["note"]) == (
        item["item_id"],
        "post the invoice",
        "carrier was late",
    )
    told = "\n".join(registering.history(house, item["item_id"]))
    assert "Ana: owner Ben, next step post the invoice" in told
    assert "Cleo: note carrier was late" in told
    assert any(item["item_id"] in line for line in registering.listed(rows, 50))


@pytest.mark.parametrize(
    ("wanted", "words", "said"),
    [
        ("", {"note": "x"}, "must fit one"),
        ("ZZZZZZ", {"note": "x"}, "no item begins"),
        ("ABCD", {}, "Say something"),
        ("ABCD", {"note": "  "}, "Say something"),
    ],
)
def test_a_note_needs_one_item_and_something_to_say(
    house: House, wanted: str, words: dict[str, str], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        registering.remark(house, wanted, author="Ana", **words)
    with pytest.raises(InputError, match="your name"):
        registering.remark(house, wanted, author="", note="x")


def test_the_cut_off_simulator_shows_who_straddles_and_for_how_much(house: House) -> None:
    with house.warehouse.read() as session:
        orders = session.fetch("core.orders")
        shipments = session.fetch("core.shipments")
    late = datetime(2026, 10, 2, 15, tzinfo=UTC)
    with house.warehouse.write(run_id="late") as session:
        one = pl.col("order_ref") == "A4"
        session.publish(
            "core.shipments",
            shipments.with_columns(shipped_at=pl.when(one).then(pl.lit(late)).otherwise("shipped_at")),
            key=(),
            mode="replace",
        )
    found = cutoff(house, period="2026-09", entity="E100")
    with house.warehouse.write(run_id="back") as session:
        session.publish("core.shipments", shipments, key=(), mode="replace")
    sums = {one["basis"]: one for one in found["by_basis"]}
    assert {basis: one["amount_minor"] for basis, one in sums.items()} == {
        "shipped": 12_000,
        "placed": 21_000,
        "captured": 21_000,
    }
    assert (
        sums["shipped"]["is_declared"],
        sums["placed"]["from_declared_minor"],
        sums["placed"]["straddling_count"],
    ) == (True, 9_000, 1)
    assert [
        (one["order_number"], one["declared_minor"], one["swing_minor"]) for one in found["straddling"]
    ] == [("A4", 0, 9_000)]
    assert any("By invoiced: not known" in line for line in found["text"])
    assert orders["invoiced_at"].is_null().all()
    assert {one["entity_code"] for one in cutoff(house, period="2026-09")["by_basis"]} == {"E100", "E200"}
    with pytest.raises(InputError, match="not a month"):
        cutoff(house, period="September")


def test_a_rehearsal_shows_which_outcomes_change_and_changes_nothing(house: House) -> None:
    with house.warehouse.read() as session:
        before = {
            name: session.count(name)
            for name in ("ops.closes", "ops.close_events", "ops.open_items", "ops.runs")
        }
    summary = rehearse(house, period="2026-09", entity="E100", tolerance=["USD=0.05"])
    changes = pl.DataFrame(summary["changes"])
    mine = changes.filter(pl.col("order_number") == "A3", pl.col("tie_out") == "orders").row(0, named=True)
    assert (mine["change_code"], mine["after_outcome_code"]) == ("matched", "within_tolerance")
    assert "exactly what was closed" in summary["text"][0]
    with house.warehouse.read() as session:
        assert before == {name: session.count(name) for name in before}
    assert rehearse(house, period="2026-09", tolerance=["USD=0.04"])["changes"] == []


def test_a_locked_month_is_rehearsed_over_what_its_pack_holds(tmp_path: Path) -> None:
    short = PLAIN.replace("2026-09-04  | 5_000         |", "2026-09-04  | 4_995         |")
    assert short != PLAIN
    house = house_in(tmp_path, short)
    close_period(house, period="2026-09", entity="E100")
    for role, author in (("preparer", "Ana"), ("reviewer", "Ben")):
        sign_close(house, entity="E100", period="2026-09", role=role, author=author)
    asked: dict[str, Any] = {"period": "2026-09", "entity": "E100", "tolerance": ["USD=0.05"]}
    locked = rehearse(house, **asked)
    assert "as its pack holds it" in locked["text"][0]
    (mine,) = [one for one in locked["changes"] if one["tie_out"] == "orders"]
    assert (mine["order_number"], mine["after_outcome_code"]) == ("A2", "within_tolerance")
    fill(house, PLAIN)  # the invoice is corrected in the warehouse, long after the lock
    assert rehearse(house, **asked)["changes"] == locked["changes"]
    table = house.reports / "close/E100/2026-09/r1/inputs/ar_invoices.parquet"
    table.write_bytes(table.read_bytes() + b" ")
    with pytest.raises(WarehouseError, match=r"ar_invoices\.parquet"):
        rehearse(house, **asked)


def test_a_rehearsal_under_other_mappings_moves_the_orders_of_a_store(house: House, tmp_path: Path) -> None:
    for name, frame in house.mappings.items():
        moved = frame
        if name == "stores":
            moved = frame.with_columns(
                entity_code=pl.when(pl.col("store_ref") == "us").then(pl.lit("E200")).otherwise("entity_code")
            )
        moved.write_csv(tmp_path / f"{name}.csv")
    summary = rehearse(house, period="2026-09", mappings=tmp_path)
    mine = [one for one in summary["changes"] if one["order_number"] == "A2" and one["tie_out"] == "orders"]
    assert {(one["entity_code"], one["change_code"], one["after_outcome_code"]) for one in mine} == {
        ("E100", "unmatched", "entity"),
        ("E200", "appeared", "entity"),
    }
    assert rehearse(house, period="2026-09", tolerance=["USD=0.04"])["changes"] == [], (
        "and the house's own mappings are as they were"
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "what to rehearse"),
        ({"tolerance": ["USD=abc"]}, "not a plain decimal"),
        ({"tolerance": ["XXZ=1"]}, "ISO 4217"),
        ({"tolerance": ["USD=0.001"]}, "more digits"),
        ({"mappings": Path("/nowhere")}, "no folder"),
    ],
)
def test_a_rehearsal_of_nonsense_is_a_sentence(house: House, given: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        rehearse(house, period="2026-09", **given)


def test_two_closes_are_held_against_each_other_with_the_cause(house: House) -> None:
    summary = diff(house, "E100/2026-09/r1", "E100/2026-09/r2")
    one = next(
        one for one in summary["changes"] if one["order_number"] == "A3" and one["tie_out"] == "orders"
    )
    assert (one["before_outcome_code"], one["before_delta_minor"], one["after_delta_minor"]) == (
        "missing_invoice",
        7_000,
        5,
    )
    assert one["cause"] == "documents were none, are UA3"
    assert diff(house, "E100/2026-09/r2", "E100/2026-09/r2")["exit_code"] == 0
    assert diff(house, "E100/2026-09/r2", "now")["changes"] == []
    for first, second in (
        ("E100/2026-09/r9", "now"),
        ("nonsense", "now"),
        ("E100/2026-09/r1", "E100/2026-09/7"),
    ):
        with pytest.raises(InputError):
            diff(house, first, second)


def outcomes(*rows: tuple[str, str, str, int, int, str | None]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "tie_out": "orders", "group_ref": ref, "entity_code": "E100", "currency": "USD", "order_number": ref, "expected_minor": expected,
                "actual_minor": actual, "period_expected_minor": expected, "period_actual_minor": actual, "delta_minor": expected - actual,
                "outcome_code": code, "family_code": family, "documents": papers,
            }
            for ref, code, family, expected, actual, papers in rows
        ],
        schema_overrides={"documents": pl.String},
    )  # fmt: skip


def test_every_kind_of_change_is_told_apart() -> None:
    before = outcomes(
        ("A", "missing_invoice", "error", 100, 0, None), ("B", "matched", "matched", 100, 100, "UB"), ("C", "held", "timing", 100, 0, None),
        ("D", "amount_goods", "error", 100, 90, "UD"), ("E", "matched", "matched", 5, 5, "UE"), ("F", "matched", "matched", 7, 7, "UF"),
    )  # fmt: skip
    after = outcomes(
        ("A", "matched", "matched", 100, 100, "UA"), ("B", "over_invoiced", "error", 100, 120, "UB, UB2"), ("C", "missing_invoice", "error", 100, 0, None),
        ("D", "amount_goods", "error", 100, 95, "UD"), ("F", "matched", "matched", 7, 7, "UF"), ("G", "held", "timing", 3, 0, None),
    )  # fmt: skip
    found = {one["group_ref"]: one["change_code"] for one in differing(before, after).to_dicts()}
    assert found == {
        "A": "matched",
        "B": "unmatched",
        "C": "reasoned",
        "D": "amount",
        "E": "vanished",
        "G": "appeared",
    }
    assert set(found.values()) == set(CHANGES)
    causes = {one["group_ref"]: one["cause"] for one in differing(before, after).to_dicts()}
    assert causes["D"] == "the amount of its documents changed"
    assert causes["C"] == "the same amounts and documents are judged otherwise"
    assert differing(before, before).is_empty()
