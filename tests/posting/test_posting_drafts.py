"""Drafts that a person approved, carried out over HTTP: once each, whatever happens to the line, at the entity's own location."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from drawn import drawn
from ledger_house import LedgerHouse, ledger_house
from lxml import etree

from checks.contracts import ALL
from flows.comparing import deciding
from flows.post import post
from flows.posting.building import build
from flows.posting.releasing import location_of
from tieout.connectors.intacct.envelopes import function
from tieout.errors import InputError
from tieout.warehouse import outbox, runs

pytestmark = pytest.mark.usefixtures("kept_attached")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[LedgerHouse]:
    with ledger_house(tmp_path, visibility_seconds=0) as made:
        with made.house.warehouse.write(run_id="setup") as session:
            runs.start_run(session, run_id="20261101T110000-check", stage="check", now=made.clock())
            runs.end_run(session, run_id="20261101T110000-check", now=made.clock(), summary={})
        yield made


def draft(ledger: LedgerHouse, **columns: Any) -> str:
    """One draft as a reconciliation publishes it; two lines of 0.50 for a journal."""
    row = {
        "draft_id": "D1", "kind_code": "reversal", "tie_out": "orders", "entity_code": "E100", "currency": "USD", "reason_code": "reference",
        "amount_minor": 10_000, "rows_no": 1, "state_code": "drafted", "sentence": "Reverse it.", "authors": "", **columns,
    }  # fmt: skip
    heads, lines = ALL["recon.drafts"], ALL["recon.draft_lines"]
    frames = {heads.name: heads.shaped(pl.DataFrame([row]))}
    if row["kind_code"] == "journal":
        frames[lines.name] = drawn(
            lines,
            "draft_id | line_no | account_code | currency | amount_minor | decision_id | memo\n"
            "D1 | 1 | 4000 | USD | 50 | W | small\nD1 | 2 | 1201 | USD | -50 | W | small",
        )
    with ledger.house.warehouse.write(run_id="drafted") as session:
        for name, frame in frames.items():
            session.publish(name, ALL[name].checked(frame, at="in a test"), key=ALL[name].key, mode="replace")
    return str(row["draft_id"])


def state(ledger: LedgerHouse, kind: str, key: int) -> str:
    return str(next(one["state"] for one in ledger.gateway.ledger()[kind] if int(one["recordno"]) == key))


def outbox_states(ledger: LedgerHouse) -> list[str]:
    return ledger.fetch("ops.outbox")["state_code"].to_list()


@pytest.mark.parametrize("kind", ["invoices", "receipts"])
def test_an_approved_reversal_is_carried_out_once_although_the_line_is_cut(
    ledger: LedgerHouse, kind: str
) -> None:
    key = ledger.invoice("UW1")
    if kind == "receipts":
        key = ledger.receipt(key, "100.00", "ch_1")
    ledger.read("20261102T030000.000Z-000001")
    one = draft(ledger, ledger_ref=f"{kind.removesuffix('s')}:{key}")
    assert state(ledger, kind, key) != "Reversed"
    deciding.approve(ledger.house, one, reason="twice", author="Ana")
    (planned,) = ledger.fetch("out.documents").to_dicts()
    assert (planned["kind_code"], planned["document_on"]) == ("reversal", date(2026, 11, 1))
    assert state(ledger, kind, key) != "Reversed"
    ledger.gateway.board.add({"app": "intacct", "kind": "cut_after", "match": "reverse_"})
    done = post(ledger.house, run_id="20261102T040000.000Z-000001")
    assert (done["halted"], done["found"], done["absent"]) == (None, 1, 0)
    assert state(ledger, kind, key) == "Reversed"
    assert outbox_states(ledger) == ["accepted"]
    changes = ledger.fetch("ops.outbox_moves").height
    assert post(ledger.house, run_id="20261102T050000.000Z-000001")["batches"] == 0
    assert ledger.fetch("ops.outbox_moves").height == changes
    draft(ledger, ledger_ref=f"{kind.removesuffix('s')}:{key}", state_code="approved")
    with pytest.raises(InputError, match="approved already"):
        deciding.approve(ledger.house, one, reason="again", author="Ben")


def test_what_intacct_will_not_reverse_is_refused_with_its_reason_and_nothing_else_moves(
    ledger: LedgerHouse,
) -> None:
    key = ledger.invoice("UW1")
    ledger.receipt(key, "100.00", "ch_1")
    ledger.read("20261102T030000.000Z-000001")
    deciding.approve(ledger.house, draft(ledger, ledger_ref=f"invoice:{key}"), reason="twice", author="Ana")
    post(ledger.house, run_id="20261102T040000.000Z-000001")
    (row,) = ledger.fetch("ops.outbox").to_dicts()
    assert row["state_code"] == "refused"
    assert row["reason"]
    assert state(ledger, "invoices", key) == "Paid"


def test_a_credit_memo_is_taken_back_by_hand_and_a_record_that_went_is_said(ledger: LedgerHouse) -> None:
    told = deciding.approve(
        ledger.house, draft(ledger, ledger_ref="adjustment:7"), reason="twice", author="Ana"
    )
    assert "by hand" in told[-1]
    assert ledger.fetch("out.documents").is_empty()
    with pytest.raises(InputError, match="not in the warehouse any more"):
        deciding.approve(
            ledger.house, draft(ledger, ledger_ref="invoice:7", draft_id="D2"), reason="twice", author="Ana"
        )
    assert ledger.fetch("ops.decisions")["draft_id"].to_list() == ["D1"], "the approval went with the plan"


def test_a_write_off_stands_at_the_entitys_location_on_every_line(ledger: LedgerHouse) -> None:
    one = draft(ledger, kind_code="journal", journal_code="GJ", reason_code="small", authors="Ben")
    deciding.approve(ledger.house, one, reason="small", author="Ana")
    with ledger.house.warehouse.write(run_id="claim") as session:
        claim = outbox.claim(
            session, kind="journal", entity="E100", limit=9, lease_seconds=60, namespace="t", now=ledger.clock(), run_id="claim",
        )  # fmt: skip
    assert claim is not None
    ((_control, document),) = build(claim, ledger_digits=2)
    sent = etree.tostring(function(document, control_id="case:write_off", style="generic"), pretty_print=True)
    golden = Path(__file__).parents[1] / "golden/intacct/write_off.generic.xml"
    assert sent.decode() == golden.read_text(encoding="utf-8").split("\n", 1)[1]
    stores = ledger.house.mappings["stores"]
    ledger.house.__dict__["mappings"] = {
        **ledger.house.mappings,
        "stores": stores.with_columns(location_code=pl.lit("100"), entity_code=pl.lit("E100")),
    }
    assert location_of(ledger.house, "E100") == "100"
    assert location_of(ledger.house, "E200") == "E200"


def test_the_stand_in_takes_the_journal_in_a_company_of_two_entities(ledger: LedgerHouse) -> None:
    one = draft(ledger, kind_code="journal", journal_code="GJ", reason_code="small", authors="Ben")
    deciding.approve(ledger.house, one, reason="small", author="Ana")
    done = post(ledger.house, run_id="20261102T040000.000Z-000001")
    assert done["accepted"] == {"journal": 1}, ledger.fetch("ops.outbox")["reason"].to_list()
