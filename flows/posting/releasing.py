"""From an approved draft to a document of the outbox: a journal entry that writes differences off, the reversal of what stands twice, or the
debit memo that takes back a credit memo (adjustments have no function that reverses them).

The document carries the draft's own id, so a draft that is approved twice is still one document, and it goes the way of every other:
intent before sending, one control id, read back before anything is sent again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from checks.contracts import ALL
from tieout.errors import InputError
from transforms.postings.content import rehashed
from transforms.reconcile.drafts import MIRRORED

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.warehouse.session import Session

REVERSIBLE: Final = {"invoice": ("core.ar_invoices", "invoice_ref", "posted_on"), "receipt": ("core.ar_receipts", "receipt_ref", "received_on")}  # fmt: skip
"""Kinds of ledger documents that are reversed by a function of their own, with where they stand and when."""


def plan_journal(
    house: House, session: Session, draft: dict[str, Any], lines: pl.DataFrame, run_id: str
) -> None:
    """A write-off as a planned journal entry; every line stands at the entity's location, so that it balances where it belongs."""
    head = {
        "kind_code": "journal",
        "account_ref": draft["journal_code"],
        "description": f"Write-off {draft['reason_code']} ({draft['rows_no']})",
        "document_on": _today(house, draft["entity_code"]),
    }
    body = lines.select(
        "line_no",
        "account_code",
        "amount_minor",
        pl.col("memo").str.slice(0, 500),
        document_id="draft_id",
        location_code=pl.lit(location_of(house, draft["entity_code"]), pl.String),
    )
    _planned(house, session, draft, head, body, run_id)


def plan_reversal(house: House, session: Session, draft: dict[str, Any], run_id: str) -> None:
    """The reversal of a document as a planned one: dated today, or on the document's own day where that is later."""
    table, column, dated = _reversible(draft)
    key = draft["ledger_ref"].partition(":")[2]
    found = session.fetch(table, where={column: key}, columns=[dated])
    if found.is_empty():
        raise InputError(
            f"{draft['ledger_ref']} is not in the warehouse any more; run `tieout run extract` and `tieout run reconcile`, then look at `tieout drafts` again."
        )
    on = max(_today(house, draft["entity_code"]), found[dated][0] or _today(house, draft["entity_code"]))
    head = {
        "kind_code": "reversal",
        "reference": draft["ledger_ref"],
        "description": f"Stands twice: {draft['reason_code']}",
        "total_minor": draft["amount_minor"],
        "document_on": on,
    }
    _planned(house, session, draft, head, ALL["out.document_lines"].empty(), run_id)


def plan_debit_memo(
    house: House, session: Session, draft: dict[str, Any], lines: pl.DataFrame, run_id: str
) -> None:
    """The debit memo that takes back a credit memo: its customer, currency and lines, at their locations; dated like a reversal.

    Its reference is the credit memo's number, by which the next reconciliation puts the two together. Raises `InputError` if the credit memo
    is gone or another than it was when the draft was made.
    """
    key = draft["ledger_ref"].partition(":")[2]
    found = session.fetch("core.ar_adjustments", where={"adjustment_ref": key})
    of = {"document_kind": ["adjustment"], "document_ref": [key]}
    theirs = session.fetch("core.ar_lines", where=pl.DataFrame(of)).filter(pl.col("amount_minor") != 0)
    theirs = theirs.sort(*MIRRORED, nulls_last=True)
    drafted = lines.sort("line_no").select("account_code", amount=-pl.col("amount_minor"))
    if (
        found.is_empty()
        or found["is_deleted"][0]
        or found["total_minor"][0] != draft["amount_minor"]
        or not drafted.equals(theirs.select("account_code", amount="amount_minor"))
    ):
        raise InputError(
            f"{draft['ledger_ref']} is not in the warehouse as it was when this was drafted; run `tieout run extract` and `tieout run reconcile`, then look at `tieout drafts` again."
        )
    memo = found.row(0, named=True)
    today = _today(house, draft["entity_code"])
    head = {
        "kind_code": "debit_memo",
        "reference": memo["adjustment_number"] or draft["ledger_ref"],
        "description": f"Takes back {draft['ledger_ref']}, which stands twice: {draft['reason_code']}",
        "customer_id": memo["customer_id"],
        "total_minor": -draft["amount_minor"],
        "document_on": max(today, memo["posted_on"] or today),
    }
    at_home = location_of(house, draft["entity_code"])
    body = theirs.select(
        line_no=pl.int_range(1, pl.len() + 1).cast(pl.Int64),
        account_code="account_code",
        amount_minor=-pl.col("amount_minor"),
        memo=pl.col("memo").str.slice(0, 500),
        document_id=pl.lit(draft["draft_id"]),
        location_code=pl.col("location_code").fill_null(at_home),
        department_code="department_code",
        item_ref="item_ref",
    )
    _planned(house, session, draft, head, body, run_id)


def takes_debit_memo(draft: dict[str, Any], lines: pl.DataFrame) -> bool:
    """Whether the draft takes back a credit memo whose lines are all known by account; any other adjustment is taken back by hand."""
    is_credit = draft["ledger_ref"].startswith("adjustment:") and draft["amount_minor"] < 0
    known = lines.height > 0 and not lines["account_code"].null_count()
    return bool(is_credit and known and lines["amount_minor"].sum() == -draft["amount_minor"])


def is_reversible(draft: dict[str, Any]) -> bool:
    """Whether Intacct has a function that reverses the draft's document; adjustments are taken back by hand."""
    return draft["ledger_ref"].partition(":")[0] in REVERSIBLE


def location_of(house: House, entity: str) -> str:
    """Where lines of an entity stand that belong to no store: the one location its stores name, else the entity itself, which is a location."""
    stores = house.mappings["stores"]
    named = stores.filter(pl.col("entity_code") == entity)["location_code"].drop_nulls().unique()
    return str(named[0]) if named.len() == 1 else entity


def _reversible(draft: dict[str, Any]) -> tuple[str, str, str]:
    return REVERSIBLE[draft["ledger_ref"].partition(":")[0]]


def _today(house: House, entity: str) -> Any:
    return house.clock().astimezone(house.settings.entity(entity).zone).date()


def _planned(
    house: House,
    session: Session,
    draft: dict[str, Any],
    head: dict[str, Any],
    body: pl.DataFrame,
    run_id: str,
) -> None:
    from tieout.warehouse import outbox

    documents, parts = ALL["out.documents"], ALL["out.document_lines"]
    row = {
        "document_id": draft["draft_id"],
        "revision": 1,
        "storefront": "",
        "event_ref": draft["draft_id"],
        "entity_code": draft["entity_code"],
        "number": draft["draft_id"],
        "customer_id": "",
        "currency": draft["currency"],
        "total_minor": 0,
        "content_sha256": "",
        "planned_at": house.clock(),
        "run_id": run_id,
        **head,
    }
    schema = documents.polars_schema
    lines = parts.shaped(body)
    planned = rehashed(
        documents.shaped(pl.DataFrame([row], schema={name: schema[name] for name in row})), lines
    )
    outbox.plan(
        session,
        documents.checked(planned, at="when approving"),
        parts.checked(lines, at="when approving"),
        now=house.clock(),
        run_id=run_id,
    )
