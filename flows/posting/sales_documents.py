"""Sales documents of order entry: the AR record that Intacct made of each, which is what receipts, credits and the reconciliation follow, and
the lines of a sales order that an invoice is converted from.

A document is known by `definition-number`, its AR invoice by a RECORDNO of its own, which changes when the document is edited: Intacct
deletes the invoice and makes another (Sage Intacct Web Services documentation, AR invoices). PRRECORDKEY of the document names the one
that stands. That a return makes an AR adjustment, and that the same field names it, is not published; where it does not, the return waits
as one whose adjustment does not show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from flows.posting.building import definition_of
from tieout.connectors.intacct.classify import ErrorKind
from tieout.connectors.intacct.outcomes import Accepted, BatchOutcome, Outcome, RefusedByIntacct, Unknown
from tieout.errors import MalformedReply, Rejected, TieoutError
from tieout.warehouse import outbox

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.connectors.intacct.gateway import Intacct
    from tieout.warehouse.outbox import Claim


RECORDS = {"invoice": "AR invoice", "credit_memo": "AR adjustment"}
"""Kinds of documents of order entry that make an AR record, and what it is called."""


def definition() -> pl.Expr:
    """Of rows of out.documents: the transaction definition of a sales document that makes an AR record, null for anything else."""
    return pl.when(pl.col("kind_code").is_in(list(RECORDS))).then(
        pl.col("details").str.json_path_match("$.definition")
    )


def order_name() -> pl.Expr:
    """Of rows of out.documents: what Intacct calls the order that a sales order is, or a closure closes; null for anything else."""
    kind = pl.col("kind_code")
    named = pl.format("{}-{}", pl.col("details").str.json_path_match("$.definition"), "number")
    return pl.when(kind == "sales_order").then(named).when(kind == "order_closure").then("reference")


def source_rows(
    client: Intacct, names: Sequence[str], *, entity: str | None = None
) -> dict[str, list[dict[str, str]]]:
    """LINE_NO and ITEMID of the lines of each document (by `definition-number`)."""
    return client.find("SODOCUMENTENTRY", "DOCHDRID", names, fields=("LINE_NO", "ITEMID"), entity=entity)


def with_source_lines(
    client: Intacct, claim: Claim, *, entity: str | None = None
) -> tuple[Claim, dict[str, Outcome]]:
    """The claim with `source_line_key`, the RECORDNO of the order's line each line is converted from, less documents whose order has no such
    line any more; these with their refusal, by control id.

    Raises what a read raises: then nothing was sent.
    """
    lines = claim.lines
    names = lines["converts_key"].drop_nulls().unique().sort().to_list()
    if not names:
        return replace(claim, lines=lines.with_columns(source_line_key=None)), {}
    found = source_rows(client, names, entity=entity)
    there = pl.DataFrame(
        [
            (name, place, str(row["ITEMID"]), int(row["RECORDNO"]))
            for name, rows in found.items()
            # Subtotals have no item; what is counted are items, in the order in which the document has them.
            for place, row in enumerate(
                sorted((one for one in rows if one.get("ITEMID")), key=lambda one: int(one.get("LINE_NO") or 0))
            )
        ],
        schema={"converts_key": pl.String, "converts_line_no": pl.Int64, "there_item": pl.String, "source_line_key": pl.Int64},
        orient="row",
    )  # fmt: skip
    lines = lines.join(
        there, on=["converts_key", "converts_line_no"], how="left", maintain_order="left"
    ).with_columns(is_other=pl.col("converts_key").is_not_null() & pl.col("there_item").ne_missing(pl.col("item_ref")))  # fmt: skip
    wrong = (
        claim.documents.select("document_id", "control_id")
        .join(lines.filter("is_other"), on="document_id")
        .unique("document_id", keep="first")
    )
    refused: dict[str, Outcome] = {
        row["control_id"]: RefusedByIntacct(
            ErrorKind.DATA,
            "",
            f"Item {row['item_ref']} is no longer line {row['converts_line_no'] + 1} of the order '{row['converts_key']}' it is converted from; "
            "put it back there, or enter the invoice there and cancel this one.",
            (),
            False,
        )
        for row in wrong.iter_rows(named=True)  # a few documents whose order somebody changed
    }
    return (
        replace(
            claim,
            documents=claim.documents.join(wrong, on="document_id", how="anti", maintain_order="left"),
            lines=lines.drop("there_item", "is_other"),
        ),
        refused,
    )


def invoices_of(client: Intacct, names: Sequence[str], *, entity: str | None = None) -> dict[str, str | None]:
    """RECORDNO of the AR invoice of each document that is there (by `definition-number`); None for one that has no invoice."""
    found = client.find("SODOCUMENT", "DOCID", names, fields=("PRRECORDKEY",), entity=entity)
    return {name: str(rows[0].get("PRRECORDKEY") or "") or None for name, rows in found.items() if rows}


def with_invoices(
    client: Intacct, claim: Claim, outcome: BatchOutcome, *, entity: str | None = None
) -> BatchOutcome:
    """The outcome with the AR record in place of each sales document that was accepted. One whose record does not show (yet) is unknown:
    it is there, so it is not sent again, and it is looked for again before anything that depends on it goes."""
    if claim.kind not in RECORDS:
        return outcome
    sold: dict[str, str] = {}
    for row in claim.documents.select("control_id", "details").iter_rows(named=True):  # at most a hundred
        answer = outcome.results.get(row["control_id"])
        if definition_of(row) is not None and isinstance(answer, Accepted) and answer.key:
            sold[row["control_id"]] = answer.key
    if not sold:
        return outcome
    try:
        there = invoices_of(client, list(sold.values()), entity=entity)
        silent = f"does not show its {RECORDS[claim.kind]} yet"
    except TieoutError as fault:
        there, silent = {}, f"could not be read back: {fault}"
    results: dict[str, Outcome] = dict(outcome.results)
    for control_id, name in sold.items():
        key = there.get(name)
        results[control_id] = Accepted(key) if key else Unknown(f"Sales document '{name}' was accepted and {silent}")  # fmt: skip
    return BatchOutcome(results, outcome.halted, outcome.requests)


def follow_edited(house: House, client: Intacct, *, run_id: str) -> list[str]:
    """Give sales documents that were edited in Intacct the AR record they have now; returns what could not be found out.

    Asked only of documents whose record was last read to be deleted, so a night without an edit costs nothing.
    """
    with house.warehouse.read() as session:
        lost = session.query("lost_sales_documents")
    if lost.is_empty():
        return []
    try:
        there = invoices_of(client, lost["name"].to_list())
    except (Rejected, MalformedReply) as fault:
        return [
            f"{lost.height} sales documents were edited in Intacct and their AR records are not known: {fault}"
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
                reason="edited in Intacct: its AR record has a new record number",
                now=house.clock(),
                run_id=run_id,
            )
    unclear = lost.filter(~pl.col("document_id").is_in(list(now)))
    return [
        f"The {RECORDS[kind]} of {name} was deleted in Intacct and the sales document has no other; look at it there."
        for kind, name in unclear.select("kind_code", "name").iter_rows()
    ]
