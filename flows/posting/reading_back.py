"""Looking unknown documents up in Intacct by their natural keys: found, proved absent, or unclear."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl

from flows.exchange import Recorder
from flows.posting.building import customer_name, ledger_amount, reversed_record
from flows.posting.sales_documents import definition, invoices_of, order_name
from flows.wiring import House
from tieout.connectors.intacct.field_lengths import LENGTHS
from tieout.connectors.intacct.gateway import Intacct
from tieout.warehouse import outbox
from tieout.warehouse.outbox import ReadBack

if TYPE_CHECKING:
    from flows.posting.turns import Drained

NATURAL_KEYS = {
    # kind: (object, field that carries our number, further fields that prove it is ours)
    "customer": ("CUSTOMER", "CUSTOMERID", ("NAME",)),
    "sales_order": ("SODOCUMENT", "DOCID", ("CUSTVENDID",)),
    "invoice": ("ARINVOICE", "RECORDID", ("TRX_TOTALENTERED", "CURRENCY", "CUSTOMERID")),
    "credit_memo": ("ARADJUSTMENT", "RECORDID", ("TRX_TOTALENTERED", "CURRENCY", "CUSTOMERID")),
    "debit_memo": ("ARADJUSTMENT", "RECORDID", ("TRX_TOTALENTERED", "CURRENCY", "CUSTOMERID")),
    "receipt": ("ARPYMT", "DOCNUMBER", ("TRX_TOTALENTERED", "CURRENCY", "CUSTOMERID")),
    "application": ("ARPYMT", "DOCNUMBER", ("TRX_TOTALENTERED", "CURRENCY", "CUSTOMERID")),
    "journal": ("GLBATCH", "REFERENCENO", ("JOURNAL", "BATCH_TITLE")),
    "order_closure": ("SODOCUMENT", "DOCID", ("STATE",)),
    # A reversal is no record of its own: the document it takes back says whether it was.
    "reversal": ("ARINVOICE", "RECORDNO", ("STATE",)),
}
_TAKEN_BACK = {"invoice": "ARINVOICE", "receipt": "ARPYMT"}
_REVERSED = ("reversed", "void", "voided")
"""Words of STATE (Sage Intacct Web Services documentation, AR invoices and AR payments) of a record that was taken back."""


def confirm_unknown(house: House, client: Intacct, recorder: Recorder, run_id: str, drained: Drained) -> None:
    """Look up every unknown document by its natural key: found is accepted, proved absent may be sent again, unclear waits for a person."""
    with house.warehouse.read() as session:
        unknown = session.fetch(
            "ops.outbox", where={"state_code": "unknown"}, columns=["document_id", "changed_at"]
        )
        if unknown.is_empty():
            return
        documents = session.fetch("out.documents", where=unknown.select("document_id")).join(
            unknown, on="document_id"
        )
        accepted = session.fetch(
            "ops.outbox", where={"state_code": "accepted"}, columns=["document_id", "intacct_key"]
        )
        kinds = session.fetch("out.documents", columns=["document_id", "kind_code"])
    taken = _taken(accepted.join(kinds, on="document_id"))
    looked: list[ReadBack] = []
    recorder.purpose = "confirm"
    try:
        keyed = documents.with_columns(
            of=pl.when(pl.col("kind_code") == "reversal").then(pl.col("reference").str.extract(r"^(\w+):")),
            key=pl.when(pl.col("kind_code") == "reversal")
            .then(pl.col("reference").str.extract(r":(.+)$"))
            .otherwise(pl.coalesce(order_name(), "number")),
            definition=definition(),
        )
        sold = keyed.filter(pl.col("definition").is_not_null())
        keyed = keyed.filter(pl.col("definition").is_null())
        for (kind,), block in sold.group_by("kind_code"):
            looked += _sold(house, client, block, str(kind), taken[NATURAL_KEYS[str(kind)][0]])
        for (kind, of), block in keyed.group_by("kind_code", "of"):
            name, key, proof = NATURAL_KEYS[str(kind)]
            searched = _TAKEN_BACK.get(str(of), name)
            rows = client.find(searched, key, block["key"].to_list(), fields=proof)
            for document in block.iter_rows(
                named=True
            ):  # a few documents after a fault, each with its own verdict
                verdict = _verdict(house, document, rows.get(document["key"], []), taken[searched])
                if verdict.outcome != "absent" or not _too_soon(house, document):
                    looked.append(verdict)
    finally:
        recorder.purpose = "post"
    with house.warehouse.write(run_id=run_id) as session:
        settled = outbox.resolve(session, looked, now=house.clock(), run_id=run_id)
        recorder.flush(session)
    drained.found += settled.accepted
    drained.absent += settled.planned


def _too_soon(house: House, document: dict[str, Any]) -> bool:
    """Rows become visible late: what cannot be seen yet is not proved absent, it stays unknown until the next cycle."""
    return bool(document["changed_at"] > house.clock() - timedelta(seconds=house.ledger.visibility_seconds))


def _sold(
    house: House, client: Intacct, documents: pl.DataFrame, kind: str, taken: set[str]
) -> list[ReadBack]:
    """Verdicts on sales documents of a kind: found by definition and number, and proved by the AR record made of them."""
    documents = documents.with_columns(name=pl.format("{}-{}", "definition", "number"))
    there = invoices_of(client, documents["name"].to_list())
    keys = [key for key in there.values() if key]
    record, _, proof = NATURAL_KEYS[kind]
    rows = client.find(record, "RECORDNO", keys, fields=proof) if keys else {}
    looked = []
    for document in documents.iter_rows(named=True):  # a few documents after a fault
        name = document["name"]
        key = there.get(name)
        if key or name not in there:
            verdict = _verdict(house, document, rows.get(key or "", []), taken)
        else:
            verdict = ReadBack(
                document["document_id"],
                "unclear",
                reason=f"sales document '{name}' is in Intacct without an AR record; use a transaction definition that posts to AR, or release it there",
            )
        # An invoice may show later than its document.
        if verdict.outcome == "found" or not _too_soon(house, document):
            looked.append(verdict)
    return looked


def _taken(accepted: pl.DataFrame) -> defaultdict[str, set[str]]:
    """Keys of accepted documents by object: each object counts its own record numbers, so one number may stand for an invoice and an entry."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for (kind,), block in accepted.drop_nulls("intacct_key").group_by("kind_code"):
        found[NATURAL_KEYS[str(kind)][0]].update(block["intacct_key"].to_list())
    return found


def _journal_verdict(document: dict[str, Any], rows: list[dict[str, Any]], taken: set[str]) -> ReadBack:
    """A journal entry has no total on its header: our reference in our journal is what tells it."""
    identity, number = document["document_id"], document["number"]
    same = [row for row in rows if row.get("JOURNAL") in (None, "", document["account_ref"])]
    if len(same) == 1:
        taken.add(str(same[0]["RECORDNO"]))
        return ReadBack(identity, "found", str(same[0]["RECORDNO"]), f"found by reference {number}")
    if same:
        return ReadBack(
            identity,
            "unclear",
            reason=f"{len(same)} journal entries carry reference {number}; decide by hand",
        )
    return ReadBack(identity, "absent", reason=f"Intacct has no journal entry with reference {number}")


def _order_verdict(document: dict[str, Any], rows: list[dict[str, Any]]) -> ReadBack:
    """A sales order under our number is ours if it is on our customer; one to be closed is closed or surely not."""
    identity, name = document["document_id"], document["key"]
    if document["kind_code"] == "order_closure":
        if not rows:
            return ReadBack(identity, "unclear", reason=f"Intacct has no order '{name}' any more; look whether it was deleted")  # fmt: skip
        state = str(rows[0].get("STATE") or "")
        if state.casefold() == "closed":
            return ReadBack(identity, "found", name, f"order '{name}' is closed")
        return ReadBack(identity, "absent", reason=f"order '{name}' is {state or 'without a state'} in Intacct")  # fmt: skip
    if not rows:
        return ReadBack(identity, "absent", reason=f"Intacct has no order '{name}'")
    held = str(rows[0].get("CUSTVENDID") or "")
    if held == document["customer_id"]:
        return ReadBack(identity, "found", str(rows[0]["DOCID"]), "found by definition and number")
    return ReadBack(identity, "unclear", reason=f"order '{name}' in Intacct is on customer '{held}' and ours on '{document['customer_id']}'; decide by hand")  # fmt: skip


def _reversal_verdict(document: dict[str, Any], rows: list[dict[str, Any]]) -> ReadBack:
    """Taken back if the record says so, surely not if it says anything else; a record that is gone is for a person to look at."""
    identity, (of, key) = document["document_id"], reversed_record(document)
    if not rows:
        return ReadBack(
            identity, "unclear", reason=f"Intacct has no {of} {key} any more; look whether it was deleted"
        )
    state = str(rows[0].get("STATE") or "")
    if state.casefold() in _REVERSED:
        return ReadBack(identity, "found", key, f"{of} {key} is {state}")
    return ReadBack(identity, "absent", reason=f"{of} {key} is {state or 'without a state'} in Intacct")


def _customer_verdict(document: dict[str, Any], rows: list[dict[str, Any]]) -> ReadBack:
    """A customer under our id is ours if it has the name we sent; one of another name may be somebody else, which a person decides."""
    identity, number = document["document_id"], document["number"]
    if not rows:
        return ReadBack(identity, "absent", reason="Intacct has no customer of this id")
    # A company whose ids ignore case answers with its own spelling, and one whose ids do not may hold both: ours is the one spelled as asked.
    there = next((row for row in rows if str(row["CUSTOMERID"]) == number), rows[0])
    planned, held = customer_name(document), str(there.get("NAME") or "")
    if _folded_name(held) == _folded_name(planned):
        return ReadBack(identity, "found", str(there["CUSTOMERID"]), "found by its id and name")
    called = f"is named '{held}'" if held.strip() else "has no name"
    return ReadBack(
        identity,
        "unclear",
        reason=f"customer {there['CUSTOMERID']} in Intacct {called} and ours '{planned}'; if they are the same, `tieout outbox cancel {identity}` "
        f"takes the customer as it stands there, if not, correct it in Intacct and then `tieout outbox release {identity}`",
    )


def _folded_name(name: str) -> str:
    """A customer's name as it is compared: as long as Intacct keeps it, without case, outer and repeated white space or ways to compose an accent."""
    plain = " ".join(unicodedata.normalize("NFC", name).split())
    return plain[: LENGTHS["Customer.name"]].rstrip().casefold()


def _verdict(house: House, document: dict[str, Any], rows: list[dict[str, Any]], taken: set[str]) -> ReadBack:
    identity = document["document_id"]
    kind = document["kind_code"]
    if kind == "customer":
        return _customer_verdict(document, rows)
    if kind in ("sales_order", "order_closure"):
        return _order_verdict(document, rows)
    if kind == "reversal":
        return _reversal_verdict(document, rows)
    if kind == "journal":
        return _journal_verdict(document, [row for row in rows if str(row["RECORDNO"]) not in taken], taken)
    total = abs(ledger_amount(document["total_minor"], document["currency"], house.ledger.ledger_digits))
    # One receipt reference may belong to several receipts: only rows with our amount, not already matched to another document, count.
    same = [
        row
        for row in rows
        if str(row["RECORDNO"]) not in taken
        and row.get("CURRENCY", document["currency"]) == document["currency"]
        and abs(Decimal(row.get("TRX_TOTALENTERED") or "NaN")) == total
    ]
    if len(same) == 1:
        taken.add(str(same[0]["RECORDNO"]))
        return ReadBack(identity, "found", str(same[0]["RECORDNO"]), f"found by number {document['number']}")
    if len(same) > 1:
        keys = ", ".join(str(row["RECORDNO"]) for row in same)
        return ReadBack(
            identity,
            "unclear",
            reason=f"{len(same)} records fit number {document['number']} (RECORDNO {keys}); decide by hand",
        )
    others = [row for row in rows if str(row["RECORDNO"]) not in taken]
    if others and kind != "receipt":
        held = others[0].get("TRX_TOTALENTERED")
        return ReadBack(
            identity,
            "unclear",
            reason=f"Intacct already has number {document['number']} for {held} {others[0].get('CURRENCY', '')}; it is not this document",
        )
    return ReadBack(identity, "absent", reason=f"Intacct has no record with number {document['number']}")
