"""The outbox: the legal moves, planning, people's decisions, and what can be seen of it."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
from outbox_desk import Desk, bring

from checks.contracts import ALL
from tieout.errors import InputError, WarehouseError
from tieout.vocabulary import OUTBOX_STATES
from tieout.warehouse import outbox
from tieout.warehouse.moves import LEGAL, is_legal

# --- the table of moves -----------------------------------------------------------------------------------------
DRAWN = """
from\\to    planned held sending accepted refused unknown dead cancelled
planned    .       yes  yes     .        .       .       .    yes
held       yes     .    .       .        .       .       .    yes
sending    .       .    .       yes      yes     yes     .    .
accepted   .       .    .       .        .       .       .    .
refused    yes     yes  .       .        .       .       yes  .
unknown    yes     yes  .       yes      .       .       .    .
dead       yes     .    .       .        .       .       .    yes
cancelled  .       .    .       .        .       .       .    .
"""


def test_the_legal_moves_are_exactly_the_drawn_ones() -> None:
    head, *lines = DRAWN.strip().splitlines()
    for line in lines:
        before, *cells = line.split()
        for after, cell in zip(head.split()[1:], cells, strict=True):
            assert is_legal(before, after) == (cell == "yes"), f"{before} -> {after}"
    assert set(LEGAL) == set(OUTBOX_STATES)
    assert [state for state in OUTBOX_STATES if is_legal(None, state)] == ["planned"]


# --- planning ---------------------------------------------------------------------------------------------------
def test_planning_twice_plans_nothing_new(desk: Desk) -> None:
    documents = [desk.papers.document("D1"), desk.papers.document("D2")]
    first = desk.plan(documents)
    assert (first.new, first.replaced, first.unchanged, first.findings.height) == (2, 0, 0, 0)
    again = desk.plan(documents)
    assert (again.new, again.replaced, again.unchanged, again.findings.height) == (0, 0, 2, 0)
    assert desk.trail() == ["planned"]
    for table in ("out.documents", "out.document_lines", "ops.outbox", "ops.outbox_moves"):
        ALL[table].checked(desk.session.fetch(table), at="after planning")
        assert desk.session.count(table) == 2


@pytest.mark.parametrize("state", ["planned", "held", "refused", "dead"])
def test_content_is_replaced_while_intacct_cannot_have_it(desk: Desk, state: str) -> None:
    desk.plan([desk.papers.document("D1")])
    bring(desk, state)
    reason = desk.row()["reason"]
    edited = desk.papers.document("D1", total_minor=1500)
    later = edited | {"planned_at": desk.now + timedelta(days=1)}
    done = desk.plan(
        [later],
        [desk.papers.line("D1", amount_minor=700), desk.papers.line("D1", line_no=2, amount_minor=800)],
    )
    assert (done.new, done.replaced, done.unchanged) == (0, 1, 0)
    assert desk.state() == ("planned" if state == "refused" else state)
    stored = desk.session.fetch("out.documents").row(0, named=True)
    assert stored["total_minor"] == 1500
    assert stored["planned_at"] == desk.papers.document("D1")["planned_at"], (
        "the first planning is not forgotten"
    )
    assert desk.session.fetch("out.document_lines").sort("line_no")["amount_minor"].to_list() == [700, 800]
    last = desk.session.fetch("ops.outbox_moves").sort("move_no").row(-1, named=True)
    assert last["from_state"] == state
    assert "content replaced" in last["reason"]
    if state in ("held", "dead"):
        assert reason in desk.row()["reason"], "why it waits must stay readable"
    assert desk.row()["content_sha256"] == edited["content_sha256"]


@pytest.mark.parametrize("state", ["sending", "unknown", "accepted", "cancelled"])
def test_content_that_may_be_in_intacct_is_not_replaced_but_told(desk: Desk, state: str) -> None:
    desk.plan([desk.papers.document("D1")])
    bring(desk, state)
    before = desk.session.fetch("out.documents"), desk.session.fetch("ops.outbox_moves")
    done = desk.plan([desk.papers.document("D1", total_minor=1500), desk.papers.document("D2")])
    assert (done.new, done.replaced, done.unchanged) == (1, 0, 0)
    finding = done.findings.row(0, named=True)
    assert (finding["rule_code"], finding["subject_ref"], finding["amount_minor"]) == (
        "content_drift",
        "D1",
        1500,
    )
    assert f"it is {state} already" in finding["sentence"]
    ALL["ops.findings"].checked(done.findings, at="from planning")
    assert desk.session.fetch("out.documents", where={"document_id": "D1"}).equals(before[0])
    assert (
        desk.session.fetch("ops.outbox_moves", where={"document_id": "D1"})
        .sort("move_no")
        .equals(before[1].sort("move_no"))
    )


def test_a_plan_that_contradicts_itself_is_refused(desk: Desk) -> None:
    with pytest.raises(WarehouseError, match="lines belong to no document"):
        desk.plan([desk.papers.document("D1")], [desk.papers.line("D9")])
    with pytest.raises(WarehouseError, match="holds document D1 twice"):
        desk.plan([desk.papers.document("D1"), desk.papers.document("D1")], [])


# --- people -----------------------------------------------------------------------------------------------------
def test_people_are_refused_what_is_not_legal_and_told_what_is(desk: Desk) -> None:
    desk.plan([desk.papers.document("D1"), desk.papers.document("D2")])
    asked = {"reason": "why not", "actor": "Ada"}
    outbox.cancel(desk.session, ["D2"], **asked, **desk.tell())
    for decide, document, said in (
        (
            outbox.release,
            "D1",
            "D1 is planned and cannot become planned this way; from there it can become cancelled, held, sending",
        ),
        (outbox.replay, "D1", "D1 is planned"),
        (outbox.hold, "D2", "nothing: that is final"),
        (outbox.cancel, "D2", "nothing: that is final"),
        (outbox.hold, "D9", "There is no document D9"),
    ):
        with pytest.raises(InputError, match=said):
            decide(desk.session, ["D1", document], **asked, **desk.tell())  # type: ignore[operator]
    with pytest.raises(InputError, match="Say why"):
        outbox.hold(desk.session, ["D1"], reason=" ", actor="Ada", **desk.tell())
    assert desk.trail() == ["planned"], "one wrong document in a list changes none of them"
    assert outbox.hold(desk.session, ["D1", "D1"], **asked, **desk.tell()) == 1
    assert desk.claim() is None
    assert outbox.release(desk.session, ["D1"], **asked, **desk.tell()) == 1
    assert desk.claim() is not None


# --- looking ----------------------------------------------------------------------------------------------------
def test_depth_counts_money_and_age_and_the_crosswalk_goes_both_ways(desk: Desk) -> None:
    papers = desk.papers
    desk.plan(
        [
            papers.document("D1"),
            papers.document("D2", total_minor=250),
            papers.document("D3", currency="EUR", total_minor=7),
        ]
    )
    planned_at = desk.now
    desk.post()
    outbox_now = planned_at + timedelta(hours=1)
    desk.plan([papers.document("D4", "credit_memo", total_minor=-300)])
    assert outbox.depth(desk.session, now=outbox_now).select(
        "state_code", "kind_code", "currency", "documents_no", "total_minor"
    ).rows() == [
        ("accepted", "invoice", "EUR", 1, 7),
        ("accepted", "invoice", "USD", 2, 1250),
        ("planned", "credit_memo", "USD", 1, -300),
    ]
    ages = outbox.depth(desk.session, now=outbox_now)["age_seconds"].to_list()
    assert ages == [3598, 3598, 3597]
    by_key = desk.session.fetch("ops.crosswalk", where={"intacct_key": "KEY-D2"})
    assert by_key["document_id"].to_list() == ["D2"]
    assert desk.session.fetch("ops.crosswalk", where={"order_number": "N-D1"})["intacct_key"].to_list() == [
        "KEY-D1"
    ]


def test_the_moves_alone_rebuild_the_states(desk: Desk) -> None:
    desk.plan([desk.papers.document("D1"), desk.papers.document("D2")])
    desk.post()
    desk.plan([desk.papers.document("D3")])
    last = desk.session.fetch("ops.outbox_moves").sort("move_no").group_by("document_id").last()
    states = desk.session.fetch("ops.outbox").select("document_id", "state_code")
    assert (
        states.join(last, left_on=["document_id", "state_code"], right_on=["document_id", "to_state"]).height
        == 3
    )
    assert isinstance(states, pl.DataFrame)


def test_moves_of_a_warehouse_that_did_not_count_them_go_on_where_they_were(desk: Desk) -> None:
    desk.plan([desk.papers.document("D1"), desk.papers.document("D2")])
    outbox.hold(desk.session, ["D1"], reason="r", actor="Ada", **desk.tell())
    desk.session._con.execute("UPDATE ops.outbox SET moves_no = NULL")
    outbox.release(desk.session, ["D1"], reason="r", actor="Ada", **desk.tell())
    desk.post()
    assert desk.trail("D1") == ["planned", "held", "planned", "sending", "accepted"]
    assert desk.trail("D2") == ["planned", "sending", "accepted"]
    assert desk.row("D1")["moves_no"] == 5
