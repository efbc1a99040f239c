"""A credit memo that stands twice in Intacct, from the suspicion to the books: drafted, approved, posted once as a debit memo, settled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from ledger_house import LedgerHouse, ledger_house

from checks.contracts import ALL
from flows.comparing import deciding
from flows.post import post
from flows.reconcile import reconcile
from tieout.errors import InputError
from tieout.warehouse import runs

pytestmark = pytest.mark.usefixtures("kept_attached")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[LedgerHouse]:
    with ledger_house(tmp_path, visibility_seconds=0, control_accounts=["1100", "1201"]) as made:
        with made.house.warehouse.write(run_id="setup") as session:
            runs.start_run(session, run_id="20261101T110000-check", stage="check", now=made.clock())
            runs.end_run(session, run_id="20261101T110000-check", now=made.clock(), summary={})
        yield made


def adjustment(ledger: LedgerHouse, number: str, *amounts: str, **more: Any) -> int:
    """An adjustment in the books with a line for each amount: goods, then tax."""
    lines = [
        {"ACCOUNTNO": account, "TRX_AMOUNT": amount, "LOCATIONID": "100", "ENTRYDESCRIPTION": f"on {account}"}
        for account, amount in zip(("4000", "2200"), amounts, strict=False)
    ]
    fields = {"RECORDID": number, "CUSTOMERID": "C1", "WHENCREATED": "10/05/2026", "ARADJUSTMENTITEMS": lines, **more}  # fmt: skip
    return ledger.books.create("ARADJUSTMENT", fields, None)


def night(ledger: LedgerHouse, day: int) -> list[tuple[str, int, str]]:
    """Read and compare; (group, what Intacct holds, outcome) of every row."""
    ledger.read(f"202611{day:02}T030000.000Z-000001")
    reconcile(ledger.house, run_id=f"202611{day:02}T033000.000Z-000001")
    rows = ledger.fetch("recon.orders").sort("group_ref")
    return list(rows.select("group_ref", "actual_minor", "outcome_code").iter_rows())


def test_a_credit_memo_that_stands_twice_is_taken_back_once_although_the_line_is_cut(
    ledger: LedgerHouse,
) -> None:
    first, second = (adjustment(ledger, name, "-10.00", "-0.80") for name in ("CM1", "CM2"))
    assert [row[1:] for row in night(ledger, 2)] == [(-1080, "missing_order")] * 2
    (draft,) = ledger.fetch("recon.drafts").to_dicts()
    assert (draft["kind_code"], draft["ledger_ref"], draft["amount_minor"]) == ("reversal", f"adjustment:{second}", -1080)  # fmt: skip
    lines = ledger.fetch("recon.draft_lines").sort("line_no")
    assert lines.select("account_code", "amount_minor", "memo").rows() == [("2200", 80, "on 2200"), ("4000", 1000, "on 4000")]  # fmt: skip
    assert "debit memo" in deciding.drafted(ledger.house)[0]

    told = deciding.approve(ledger.house, draft["draft_id"], reason="seen both", author="Ana")
    assert "debit memo is in the outbox" in told[-1]
    (planned,) = ledger.fetch("out.documents").to_dicts()
    assert (planned["kind_code"], planned["reference"], planned["total_minor"]) == ("debit_memo", "CM2", 1080)
    ledger.gateway.board.add({"app": "intacct", "kind": "cut_after", "match": "create_aradjustment"})
    done = post(ledger.house, run_id="20261102T040000.000Z-000001")
    assert (done["halted"], done["found"], done["absent"]) == (None, 1, 0)
    books = ledger.gateway.ledger()["adjustments"]
    assert len(books) == 3
    deciding.approve(ledger.house, draft["draft_id"], reason="seen by me too", author="Ben")
    assert post(ledger.house, run_id="20261102T050000.000Z-000001")["batches"] == 0, "one draft, one document"

    assert night(ledger, 3) == [
        (f"intacct:adjustment:{first}", -1080, "missing_order"),
        (f"intacct:adjustment:{second}", 0, "not_owed"),
    ]
    assert ledger.fetch("recon.drafts").is_empty()
    assert ledger.fetch("recon.suspects").is_empty()
    assert post(ledger.house, run_id="20261103T050000.000Z-000001")["batches"] == 0
    assert set(ledger.fetch("recon.ledger")["outcome_code"]) == {"matched"}, (
        "each has its entries in the general ledger"
    )
    assert ledger.fetch("recon.ageing")["open_minor"].sort().to_list() == [-1080, -1080, 1080]
    made = next(one for one in books if one["recordid"] == draft["draft_id"])
    detail = {
        "POSADJKEY": str(made["recordno"]),
        "ADJUSTMENTKEY": str(second),
        "TRX_ADJUSTMENTAMOUNT": "10.80",
    }
    fields = {"FINANCIALENTITY": "CLR-CARD-US", "PAYMENTMETHOD": "Credit Card", "CUSTOMERID": "C1", "RECEIPTDATE": "11/02/2026", "CURRENCY": "USD", "ARPYMTDETAILS": [detail]}  # fmt: skip
    ledger.books.create("ARPYMT", fields, None)
    night(ledger, 4)
    (left,) = ledger.fetch("recon.ageing").to_dicts()
    assert (left["document_number"], left["open_minor"]) == ("CM1", -1080), (
        "a person applied the one to the other"
    )


def test_what_cannot_be_mirrored_or_changed_since_is_not_posted(ledger: LedgerHouse) -> None:
    for name in ("CM1", "CM2"):
        adjustment(ledger, name, "-10.00")
    night(ledger, 2)
    (draft,) = ledger.fetch("recon.drafts").to_dicts()
    with ledger.house.warehouse.write(run_id="moved") as session:
        rows = session.fetch("core.ar_lines").with_columns(amount_minor=pl.lit(-999, pl.Int64))
        session.publish("core.ar_lines", rows, key=ALL["core.ar_lines"].key, mode="replace")
    with pytest.raises(InputError, match="as it was when this was drafted"):
        deciding.approve(ledger.house, draft["draft_id"], reason="seen", author="Ana")
    reconcile(ledger.house, run_id="20261102T043000.000Z-000001")
    assert ledger.fetch("recon.draft_lines").is_empty(), "lines that are not the total are no lines to mirror"
    (again,) = ledger.fetch("recon.drafts").to_dicts()
    assert "by hand" in deciding.approve(ledger.house, again["draft_id"], reason="seen", author="Ana")[-1]
    assert ledger.fetch("out.documents").is_empty()


def test_a_debit_memo_somebody_made_by_hand_settles_it_too(ledger: LedgerHouse) -> None:
    first, second = (adjustment(ledger, name, "-10.00") for name in ("CM1", "CM2"))
    adjustment(ledger, "DM-HAND", "10.00", DOCNUMBER="CM1")
    assert night(ledger, 2) == [
        (f"intacct:adjustment:{first}", 0, "not_owed"),
        (f"intacct:adjustment:{second}", -1000, "missing_order"),
    ]
    assert ledger.fetch("recon.drafts").is_empty()
