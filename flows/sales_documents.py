"""Sales documents of order entry: the AR invoice that Intacct made of each, which is what receipts, credits and the reconciliation follow.

A document is known by `definition-number`, its AR invoice by a RECORDNO of its own, which changes when the document is edited: Intacct
deletes the invoice and makes another (Sage Intacct Web Services documentation, AR invoices). PRRECORDKEY of the document names the one
that stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from flows.building import definition_of
from tieout.connectors.intacct.outcomes import Accepted, BatchOutcome, Outcome, Unknown
from tieout.errors import MalformedReply, Rejected, TieoutError
from tieout.warehouse import outbox

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.connectors.intacct.gateway import Intacct
    from tieout.warehouse.outbox import Claim


def definition() -> pl.Expr:
    """Of rows of out.documents: the transaction definition of a sales document, null for anything else."""
    return pl.when(pl.col("kind_code") == "invoice").then(
        pl.col("details").str.json_path_match("$.definition")
    )


def invoices_of(client: Intacct, names: Sequence[str], *, entity: str | None = None) -> dict[str, str | None]:
    """RECORDNO of the AR invoice of each document that is there (by `definition-number`); None for one that has no invoice."""
    found = client.find("SODOCUMENT", "DOCID", names, fields=("PRRECORDKEY",), entity=entity)
    return {name: str(rows[0].get("PRRECORDKEY") or "") or None for name, rows in found.items() if rows}


def with_invoices(
    client: Intacct, claim: Claim, outcome: BatchOutcome, *, entity: str | None = None
) -> BatchOutcome:
    """The outcome with the AR invoice in place of each sales document that was accepted. One whose invoice does not show (yet) is unknown:
    it is there, so it is not sent again, and it is looked for again before anything that depends on it goes."""
    sold: dict[str, str] = {}
    for row in claim.documents.select("control_id", "details").iter_rows(named=True):  # at most a hundred
        answer = outcome.results.get(row["control_id"])
        if definition_of(row) is not None and isinstance(answer, Accepted) and answer.key:
            sold[row["control_id"]] = answer.key
    if not sold:
        return outcome
    try:
        there = invoices_of(client, list(sold.values()), entity=entity)
        silent = "does not show its AR invoice yet"
    except TieoutError as fault:
        there, silent = {}, f"could not be read back: {fault}"
    results: dict[str, Outcome] = dict(outcome.results)
    for control_id, name in sold.items():
        key = there.get(name)
        results[control_id] = Accepted(key) if key else Unknown(f"Sales document '{name}' was accepted and {silent}")  # fmt: skip
    return BatchOutcome(results, outcome.halted, outcome.requests)


def follow_edited(house: House, client: Intacct, *, run_id: str) -> list[str]:
    """Give sales documents that were edited in Intacct the AR invoice they have now; returns what could not be found out.

    Asked only of documents whose invoice was last read to be deleted, so a night without an edit costs nothing.
    """
    with house.warehouse.read() as session:
        sold = session.fetch(
            "out.documents",
            where={"kind_code": "invoice"},
            columns=["document_id", "kind_code", "number", "details"],
        )
        sold = sold.with_columns(definition=definition()).drop_nulls("definition")
        if sold.is_empty():
            return []
        gone = session.fetch("core.ar_invoices", where={"is_deleted": True}, columns=["invoice_ref"])
        states = session.fetch(
            "ops.outbox", where={"state_code": "accepted"}, columns=["document_id", "intacct_key"]
        )
    lost = sold.join(states, on="document_id").join(
        gone, left_on="intacct_key", right_on="invoice_ref", how="semi"
    )
    if lost.is_empty():
        return []
    lost = lost.with_columns(name=pl.format("{}-{}", "definition", "number"))
    try:
        there = invoices_of(client, lost["name"].to_list())
    except (Rejected, MalformedReply) as fault:
        return [
            f"{lost.height} sales documents were edited in Intacct and their invoices are not known: {fault}"
        ]
    now = {
        identity: key
        for identity, name, old in lost.select("document_id", "name", "intacct_key").iter_rows()
        if (key := there.get(name)) and key != old
    }
    if now:
        with house.warehouse.write(run_id=run_id) as session:
            outbox.follow(
                session,
                now,
                reason="edited in Intacct: its AR invoice has a new record number",
                now=house.clock(),
                run_id=run_id,
            )
    unclear = lost.filter(~pl.col("document_id").is_in(list(now)))
    return [
        f"The AR invoice of {name} was deleted in Intacct and the sales document has no other; look at it there."
        for name in unclear["name"]
    ]
