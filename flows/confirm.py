"""Confirm: reads Intacct again and proves that every accepted document stands there, for the same amount."""

from __future__ import annotations

from typing import Any

import polars as pl

from flows.extract import extract
from flows.stage import stage
from flows.wiring import House
from tieout.errors import ConnectorError

_PROOFS = {
    "invoice": ("core.ar_invoices", "invoice_ref", "total_minor"),
    "credit_memo": ("core.ar_adjustments", "adjustment_ref", "total_minor"),
    "debit_memo": ("core.ar_adjustments", "adjustment_ref", "total_minor"),
    "receipt": ("core.ar_receipts", "receipt_ref", "total_minor"),
}


def confirm(house: House, *, run_id: str) -> dict[str, Any]:
    """Re-read what changed in Intacct and compare it with the outbox.

    The summary counts documents confirmed, missing (accepted, and not to be seen) and different (seen with another amount); each of the last two
    is named. A missing one is not sent again: Intacct said success, so a person must look.
    """
    if not _anything_new(house):
        return {
            "confirmed": 0,
            "problems": [],
            "read": 0,
            "nothing": "nothing was accepted since the last confirmation",
        }
    summary = extract(house, run_id=run_id, sources=["intacct"])
    if summary["errors"]:
        raise ConnectorError(f"Intacct could not be read back: {summary['errors'][0]}")
    stage(house, run_id=run_id)
    confirmed, problems = 0, []
    with house.warehouse.read() as session:
        accepted = session.fetch(
            "ops.outbox", where={"state_code": "accepted"}, columns=["document_id", "intacct_key"]
        )
        documents = session.fetch("out.documents").join(accepted, on="document_id")
        for kind, (table, key, amount) in _PROOFS.items():
            mine = documents.filter(pl.col("kind_code") == kind)
            there = session.fetch(table, columns=[key, amount, "is_deleted"]).filter(~pl.col("is_deleted"))
            both = mine.join(
                there.select(pl.col(key).alias("intacct_key"), pl.col(amount).alias("there_minor")),
                on="intacct_key",
                how="left",
            )
            confirmed += both.filter(pl.col("there_minor") == pl.col("total_minor")).height
            wrong = both.filter(
                pl.col("there_minor").is_null() | (pl.col("there_minor") != pl.col("total_minor"))
            )
            problems += [
                f"{kind.replace('_', ' ')} {row['number']} (RECORDNO {row['intacct_key']}) "
                + (
                    "is not in Intacct any more"
                    if row["there_minor"] is None
                    else "stands in Intacct with another amount"
                )
                for row in wrong.head(20).iter_rows(named=True)
            ]
    return {"confirmed": confirmed, "problems": problems, "read": summary["read"]}


def _anything_new(house: House) -> bool:
    """Whether any document was accepted after the last good confirmation began; without one there is nothing to prove anew."""
    with house.warehouse.read() as session:
        done = session.fetch(
            "ops.runs", where={"stage": "confirm", "state_code": "done"}, columns=["started_at"]
        )
        accepted = session.fetch("ops.outbox", where={"state_code": "accepted"}, columns=["changed_at"])
    if accepted.is_empty():
        return False
    last = done["started_at"].max()
    return last is None or bool((accepted["changed_at"] >= last).any())
