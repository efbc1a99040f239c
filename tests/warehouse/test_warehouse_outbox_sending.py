"""The outbox on its way out: claiming, dependencies, leases, settling, and what nobody may do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from outbox_desk import Desk, bring

from tieout.errors import InputError, WarehouseError
from tieout.warehouse import outbox
from tieout.warehouse.outbox import ReadBack, Result


# --- claiming ---------------------------------------------------------------------------------------------------
def test_a_claim_has_control_ids_a_lease_and_its_lines(desk: Desk) -> None:
    desk.plan([desk.papers.document("D2"), desk.papers.document("D1", revision=3)])
    claim = desk.claim(lease=60)
    assert claim is not None
    assert claim.documents.select("document_id", "control_id", "attempts_no").rows() == [
        ("D1", "t1:D1:3", 1),
        ("D2", "t1:D2:1", 1),
    ]
    assert claim.lines["document_id"].to_list() == ["D1", "D2"]
    row = desk.row()
    assert (row["state_code"], row["batch_id"], row["lease_until_at"]) == (
        "sending",
        claim.batch_id,
        desk.now + timedelta(seconds=60),
    )
    assert desk.claim() is None, "what is being sent is not claimed a second time"


def test_a_claim_respects_kind_entity_limit_and_order(desk: Desk) -> None:
    papers = desk.papers
    desk.plan(
        [
            *[papers.document(f"I{n}", order_number=f"{9 - n}") for n in range(5)],
            papers.document("EU", entity_code="EU"),
            papers.document("MEMO", "credit_memo"),
        ]
    )
    claim = desk.claim(limit=3)
    assert claim is not None
    assert claim.documents["document_id"].to_list() == ["I4", "I3", "I2"]
    assert desk.claim("receipt") is None
    with pytest.raises(WarehouseError, match="at least one"):
        desk.claim(limit=0)


def test_nothing_goes_before_what_it_depends_on(desk: Desk) -> None:
    papers = desk.papers
    desk.plan(
        [
            papers.document("CUST", "customer", customer_id="C1"),
            papers.document("INV", customer_id="C1"),
            papers.document("OTHER", customer_id="KNOWN"),
            papers.document("RCPT", "receipt", customer_id="C1"),
        ],
        [papers.line("INV"), papers.line("OTHER"), papers.line("RCPT", applies_to_id="INV")],
    )
    assert sorted(outbox.blocked(desk.session).select("document_id", "blocked_by_id").rows()) == [
        ("INV", "CUST"),
        ("RCPT", "CUST"),
        ("RCPT", "INV"),
    ]
    first = desk.claim()
    assert first is not None
    assert first.documents["document_id"].to_list() == ["OTHER"], "its customer is in Intacct already"
    assert desk.claim("receipt") is None
    desk.post("customer", "")
    assert desk.claim("receipt") is None, "the customer is there, the invoice is not"
    desk.post()
    receipt = desk.claim("receipt")
    assert receipt is not None
    assert receipt.lines["applies_to_key"].to_list() == ["KEY-INV"]
    assert outbox.blocked(desk.session).is_empty()


@pytest.mark.parametrize("state", ["held", "refused", "dead", "unknown", "cancelled", "sending"])
def test_a_receipt_never_goes_while_its_invoice_is_anything_but_accepted(desk: Desk, state: str) -> None:
    papers = desk.papers
    desk.plan(
        [papers.document("D1"), papers.document("R1", "receipt")],
        [papers.line("D1"), papers.line("R1", applies_to_id="D1")],
    )
    bring(desk, state)
    assert desk.claim("receipt") is None


def test_a_receipt_for_an_invoice_we_did_not_post_goes_by_its_recordno(desk: Desk) -> None:
    desk.plan([desk.papers.document("R1", "receipt")], [desk.papers.line("R1", applies_to_ref="4711")])
    claim = desk.claim("receipt")
    assert claim is not None
    assert claim.lines["applies_to_key"].to_list() == ["4711"]


# --- settling ---------------------------------------------------------------------------------------------------
def test_each_answer_has_its_place(desk: Desk) -> None:
    names = ("A", "R", "U", "N", "K")
    desk.plan([desk.papers.document(one) for one in names])
    claim = desk.claim()
    assert claim is not None
    results = [
        Result("A", "accepted", "101"),
        Result("R", "refused", error_kind="data", reason="Account 9 does not exist"),
        Result("U", "unknown", reason="the line dropped"),
        Result("N", "not_done", reason="rolled back with its batch"),
        Result("K", "accepted", ""),
    ]
    done = desk.settle(claim.batch_id, *results)
    assert (done.accepted, done.refused, done.unknown, done.planned, done.dead, done.stale) == (
        1,
        1,
        2,
        1,
        0,
        (),
    )
    states = dict(desk.session.fetch("ops.outbox").select("document_id", "state_code").rows())
    assert states == {"A": "accepted", "R": "refused", "U": "unknown", "N": "planned", "K": "unknown"}
    assert desk.trail("N") == ["planned", "sending", "unknown", "planned"]
    refused = desk.row("R")
    assert (refused["failures_no"], refused["error_kind"], refused["reason"]) == (
        1,
        "data",
        "Account 9 does not exist",
    )
    assert "without a key" in desk.row("K")["reason"]
    assert desk.session.fetch("ops.outbox")["lease_until_at"].null_count() == 5
    again = desk.settle(claim.batch_id, Result("A", "accepted", "101"))
    assert (again.accepted, again.stale) == (0, ())


def test_the_third_refusal_is_the_last(desk: Desk) -> None:
    desk.plan([desk.papers.document("D1")])
    for attempt in (1, 2, 3):
        claim = desk.claim()
        assert claim is not None
        done = desk.settle(claim.batch_id, Result("D1", "refused", reason=f"no {attempt}"))
        assert (done.refused, done.dead) == ((0, 1) if attempt == 3 else (1, 0))
        assert outbox.retry_refused(desk.session, **desk.tell()) == (0 if attempt == 3 else 1)
    assert desk.trail() == ["planned", *["sending", "refused", "planned"] * 2, "sending", "refused", "dead"]
    assert (desk.row()["attempts_no"], desk.row()["failures_no"], desk.row()["reason"]) == (3, 3, "no 3")
    assert desk.claim() is None
    for nobody in ("", "tieout"):
        with pytest.raises(InputError, match="by a person only"):
            outbox.replay(desk.session, ["D1"], reason="x", actor=nobody, **desk.tell())
    outbox.replay(desk.session, ["D1"], reason="account made", actor="Ada", **desk.tell())
    assert (desk.state(), desk.row()["failures_no"]) == ("planned", 0)
    last = desk.session.fetch("ops.outbox_moves").sort("move_no").row(-1, named=True)
    assert (last["actor"], last["reason"]) == ("Ada", "account made")


def test_a_lease_that_runs_out_makes_unknown_and_only_read_back_frees_it(desk: Desk) -> None:
    desk.plan([desk.papers.document(one) for one in ("F", "A", "X")])
    assert desk.claim(lease=100) is not None
    assert outbox.expire_leases(desk.session, now=desk.now + timedelta(seconds=99), run_id="r") == 0
    assert outbox.expire_leases(desk.session, now=desk.now + timedelta(seconds=100), run_id="r") == 3
    assert desk.claim() is None
    answers = [
        ReadBack("F", "found", "55"),
        ReadBack("A", "absent", reason="not in Intacct"),
        ReadBack("X", "unclear", reason="two of them"),
    ]
    done = outbox.resolve(desk.session, answers, **desk.tell())
    assert (done.accepted, done.planned, done.held) == (1, 1, 1)
    assert (desk.row("F")["intacct_key"], desk.state("A"), desk.state("X")) == ("55", "planned", "held")
    assert outbox.resolve(desk.session, answers, **desk.tell()).stale == (
        ("A", "planned"),
        ("F", "accepted"),
        ("X", "held"),
    )
    again = desk.claim()
    assert again is not None
    assert again.documents.select("document_id", "control_id", "attempts_no").rows() == [("A", "t1:A:1", 2)]


def test_late_answers(desk: Desk) -> None:
    """The sender comes back after its lease ran out."""
    desk.plan([desk.papers.document(one) for one in ("A", "R", "N", "P")])
    claim = desk.claim(lease=1)
    assert claim is not None
    desk.now += timedelta(minutes=5)
    outbox.expire_leases(desk.session, **desk.tell())
    outbox.resolve(desk.session, [ReadBack("P", "absent")], **desk.tell())
    second = desk.claim()
    assert second is not None
    assert second.documents["document_id"].to_list() == ["P"]
    done = desk.settle(
        claim.batch_id,
        Result("A", "accepted", "1"),
        Result("R", "refused", reason="no"),
        Result("N", "not_done"),
        Result("P", "refused", reason="said of the first sending"),
    )
    assert (done.accepted, done.held, done.planned) == (1, 1, 1)
    assert done.stale == (("P", "sending"),), "a refusal of an old batch says nothing of the new one"
    assert [desk.state(one) for one in ("A", "R", "N", "P")] == ["accepted", "held", "planned", "sending"]
    desk.settle(claim.batch_id, Result("P", "accepted", "7"))
    assert desk.state("P") == "accepted", "an acceptance is a fact, whichever batch it came with"
    contradiction = desk.settle(second.batch_id, Result("P", "accepted", "8"))
    assert contradiction.stale == (("P", "accepted"),)
    assert desk.row("P")["intacct_key"] == "7"


def test_an_acceptance_reaches_a_document_that_was_taken_back(desk: Desk) -> None:
    desk.plan([desk.papers.document("D1")])
    claim = desk.claim(lease=1)
    assert claim is not None
    desk.now += timedelta(minutes=5)
    outbox.expire_leases(desk.session, **desk.tell())
    outbox.hold(desk.session, ["D1"], reason="unsure", actor="Ada", **desk.tell())
    assert desk.settle(claim.batch_id, Result("D1", "accepted", "9")).accepted == 1
    assert desk.trail() == ["planned", "sending", "unknown", "held", "planned", "sending", "accepted"]
    assert desk.row()["intacct_key"] == "9"


def test_results_that_cannot_be_right_are_refused(desk: Desk) -> None:
    desk.plan([desk.papers.document("D1")])
    claim = desk.claim()
    assert claim is not None
    with pytest.raises(WarehouseError, match="no document NOPE"):
        desk.settle(claim.batch_id, Result("NOPE", "accepted", "1"))
    with pytest.raises(WarehouseError, match="Two results were given for document D1"):
        desk.settle(claim.batch_id, Result("D1", "accepted", "1"), Result("D1", "refused"))
    desk.settle(claim.batch_id, Result("D1", "unknown"))
    with pytest.raises(WarehouseError, match="found in Intacct without a key"):
        outbox.resolve(desk.session, [ReadBack("D1", "found")], **desk.tell())


def test_what_was_ready_and_was_held_or_edited_since_is_not_claimed(desk: Desk) -> None:
    desk.plan([desk.papers.document(one) for one in ("D1", "D2", "D3")])
    found = outbox.ready(desk.session, kinds=["invoice"], limit=99)
    outbox.hold(desk.session, ["D1"], reason="r", actor="Ada", **desk.tell())
    desk.plan([desk.papers.document("D2", total_minor=7)], [desk.papers.line("D2", amount_minor=7)])
    claims = outbox.claim_batches(
        desk.session, found, limit=2, batches=3, lease_seconds=60, namespace="t1", **desk.tell()
    )
    assert [claim.documents["document_id"].to_list() for claim in claims] == [["D3"]]
    assert (desk.state("D1"), desk.state("D2")) == ("held", "planned")
    again = desk.claim()
    assert again is not None
    assert again.documents.select("document_id", "total_minor").rows() == [("D2", 7)], (
        "found again as it is now"
    )


def test_several_batches_are_claimed_and_settled_in_one_step_each(desk: Desk) -> None:
    desk.plan([desk.papers.document(f"D{n}") for n in range(1, 6)])
    found = outbox.ready(desk.session, kinds=["invoice"], limit=99)
    claims = outbox.claim_batches(
        desk.session, found, limit=2, batches=2, lease_seconds=60, namespace="t1", **desk.tell()
    )
    assert [claim.documents.height for claim in claims] == [2, 2]
    assert len({claim.batch_id for claim in claims}) == 2
    first, second = claims
    settled = outbox.settle_batches(
        desk.session,
        [
            (first.batch_id, [Result(one, "accepted", f"K-{one}") for one in first.documents["document_id"]]),
            (second.batch_id, [Result(one, "not_done", reason="not sent") for one in second.documents["document_id"]]),
        ],
        **desk.tell(),
    )  # fmt: skip
    assert (settled.accepted, settled.planned, settled.stale) == (2, 2, ())
    assert [desk.state(f"D{n}") for n in range(1, 6)] == [
        "accepted",
        "accepted",
        "planned",
        "planned",
        "planned",
    ]
    other = outbox.settle(
        desk.session,
        first.batch_id,
        [Result("D3", "refused", reason="late, and of another batch")],
        **desk.tell(),
    )
    assert other.stale == (("D3", "planned"),)
