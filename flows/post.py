"""Post: drains the outbox in batches, customers before invoices before credit memos before receipts. Intent is durable before the line
is touched; what came back is settled before the next batch; what is unknown is read back before anything is sent again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import time, timedelta
from decimal import Decimal
from typing import Any

from flows.exchange import Recorder
from flows.wiring import House
from tieout.connectors.intacct import documents as sage
from tieout.connectors.intacct.classify import ErrorKind
from tieout.connectors.intacct.gateway import Intacct
from tieout.connectors.intacct.outcomes import Accepted, BatchOutcome, NotSent, RefusedByIntacct, Unknown
from tieout.errors import ConnectorError, OutcomeUnknown, Refused, Stopped, TieoutError
from tieout.money import to_decimal
from tieout.vocabulary import DOCUMENT_KINDS
from tieout.warehouse import outbox, runs
from tieout.warehouse.outbox import Claim, ReadBack, Result

LEASE_MARGIN_SECONDS = 60
UNANSWERED_LIMIT = 3
"""Batches in a row whose answer was lost before posting stops for this cycle."""

_CLASSES: dict[str, type] = {
    "customer": sage.Customer,
    "invoice": sage.Invoice,
    "credit_memo": sage.CreditMemo,
    "receipt": sage.Receipt,
}
STYLED = {made: kind for kind, made in _CLASSES.items()}
_NATURAL_KEYS = {
    # kind: (object, field that carries our number, further fields that prove it is ours)
    "customer": ("CUSTOMER", "CUSTOMERID", ("NAME",)),
    "invoice": ("ARINVOICE", "RECORDID", ("TRX_TOTALENTERED", "CURRENCY", "CUSTOMERID")),
    "credit_memo": ("ARADJUSTMENT", "RECORDID", ("TRX_TOTALENTERED", "CURRENCY", "CUSTOMERID")),
    "receipt": ("ARPYMT", "DOCNUMBER", ("TRX_TOTALENTERED", "CURRENCY", "CUSTOMERID")),
}


@dataclass
class Drained:
    """What posting came to."""

    batches: int = 0
    accepted: dict[str, int] = field(default_factory=dict)
    refused: int = 0
    dead: int = 0
    unknown: int = 0
    found: int = 0
    absent: int = 0
    problems: list[str] = field(default_factory=list)
    waiting_reason: str | None = None
    halted: str | None = None
    exit_code: int = 0

    def summary(self) -> dict[str, Any]:
        """For the run's record."""
        return {**self.__dict__, "posted": sum(self.accepted.values())}


def post(house: House, *, run_id: str) -> dict[str, Any]:
    """Resolve what is unknown, then send what is planned. Raises `Stopped` if the last check shut the gate, `Refused` for bad credentials."""
    gate(house)
    drained = Drained()
    reason = _maintenance(house)
    if reason:
        drained.waiting_reason = reason
        return drained.summary()
    recorder = Recorder(house, run_id, purpose="post")
    client = house.intacct(archive=recorder.archive, meter=recorder.meter)
    try:
        with house.warehouse.write(run_id=run_id) as session:
            outbox.expire_leases(session, now=house.clock(), run_id=run_id)
            outbox.retry_refused(session, now=house.clock(), run_id=run_id)
        confirm_unknown(house, client, recorder, run_id, drained)
        _within_quota(house, drained)
        for kind in DOCUMENT_KINDS:
            _drain(house, client, recorder, run_id, kind, drained)
            # What depends on these documents may only go once it is certain that they are there.
            confirm_unknown(house, client, recorder, run_id, drained)
            if drained.halted:
                break
    except Refused:
        raise
    except ConnectorError as fault:
        drained.halted, drained.exit_code = str(fault), fault.exit_code
    finally:
        recorder.close()
        client.close()
    return drained.summary()


def gate(house: House) -> None:
    """Raises `Stopped` with the reasons if the newest check found anything that stops the batch, or if there never was a check."""
    with house.warehouse.read() as session:
        checks = session.fetch("ops.runs", where={"stage": "check", "state_code": "done"})
        if checks.is_empty():
            raise Stopped(
                "Nothing has been checked yet, so nothing may be posted; run `tieout run check` first."
            )
        plans = session.fetch("ops.runs", where={"stage": "plan", "state_code": "done"})
        # Rules judge what is staged, and then the plan made of it: the newest of both must be clean.
        last = [one["run_id"].max() for one in (checks, plans) if one.height]
        stops = session.fetch("ops.findings", where={"run_id": last, "severity": "stop"})
    if stops.height:
        reasons = "; ".join(stops["sentence"].head(3).to_list())
        more = f"; and {stops.height - 3} more" if stops.height > 3 else ""
        raise Stopped(f"The gate is shut and nothing was posted: {reasons}{more}.")


def _maintenance(house: House) -> str | None:
    window = house.ledger.maintenance
    if window is None:
        return None
    now = house.clock().time().replace(tzinfo=None)
    inside = _inside(now, window.start, window.end)
    return (
        f"maintenance window of the company until {window.end:%H:%M} UTC; documents wait" if inside else None
    )


def _inside(now: time, start: time, end: time) -> bool:
    return start <= now < end if start <= end else now >= start or now < end


def _within_quota(house: House, drained: Drained) -> None:
    quota = house.ledger.quota_per_month
    if not quota:
        return
    month = f"{house.clock():%Y-%m}"
    with house.warehouse.read() as session:
        used = runs.used(session, month=month)
        planned = session.fetch("ops.outbox", where={"state_code": "planned"}, columns=["document_id"]).height
    if used + planned > quota:
        drained.waiting_reason = (
            f"{planned} documents would bring {month} to {used + planned} of {quota} API transactions"
        )
        raise Stopped(
            f"Posting {planned} documents would use {used + planned} of this month's {quota} API transactions; nothing was sent. "
            "Raise quota_per_month in tieout.toml if Sage's overage is acceptable, or wait for the next month."
        )


def _drain(
    house: House, client: Intacct, recorder: Recorder, run_id: str, kind: str, drained: Drained
) -> None:
    for entity in _entities(house, kind):
        claim, unanswered = _turn(house, recorder, run_id, kind, entity, None, None, drained), 0
        while claim is not None:
            recorder.batch_id = claim.batch_id
            outcome = _send(house, client, claim, entity)
            recorder.batch_id = None
            halted, unanswered = _halted(outcome, unanswered)
            claim = _turn(house, recorder, run_id, kind, None if halted else entity, claim, outcome, drained)
            if isinstance(halted, Refused):
                raise halted
            if halted is not None:
                drained.halted, drained.exit_code = str(halted), halted.exit_code
                return


def _halted(outcome: BatchOutcome | TieoutError, unanswered: int) -> tuple[TieoutError | None, int]:
    """What stops the posting after a batch, if anything: an error that says nothing was done, or too many answers lost in a row."""
    if isinstance(outcome, BatchOutcome):
        return outcome.halted, 0
    if isinstance(outcome, OutcomeUnknown) and unanswered + 1 < UNANSWERED_LIMIT:
        return None, unanswered + 1
    return outcome, unanswered


def _turn(
    house: House,
    recorder: Recorder,
    run_id: str,
    kind: str,
    entity: str | None,
    sent: Claim | None,
    outcome: BatchOutcome | TieoutError | None,
    drained: Drained,
) -> Claim | None:
    """One transaction: settle the batch that was sent, then claim the next of an entity. Opening the warehouse costs more than both."""
    with house.warehouse.write(run_id=run_id) as session:
        if sent is not None and outcome is not None:
            settled = outbox.settle(
                session, sent.batch_id, _results(sent, outcome), now=house.clock(), run_id=run_id
            )
            recorder.flush(session)
        claim = None
        if entity is not None:
            claim = outbox.claim(
                session,
                kind=kind,
                entity=entity,
                limit=house.ledger.batch_size,
                lease_seconds=house.ledger.time_out_seconds * 3 + LEASE_MARGIN_SECONDS,
                namespace=house.settings.installation.namespace,
                now=house.clock(),
                run_id=run_id,
            )
    # Counted only once it is committed.
    if sent is not None and outcome is not None:
        drained.batches += 1
        drained.accepted[kind] = drained.accepted.get(kind, 0) + settled.accepted
        drained.refused += settled.refused
        drained.dead += settled.dead
        drained.unknown += settled.unknown
        drained.problems += [
            f"An answer for document {identity} came when it was {state} already; look at it with `tieout outbox show {identity}`."
            for identity, state in settled.stale
        ]
        house.progress(f"posting {kind.replace('_', ' ')}s", drained.accepted[kind], None)
    return claim


def _entities(house: House, kind: str) -> list[str]:
    return [""] if kind == "customer" else [entity.code for entity in house.settings.entities]


def _send(house: House, client: Intacct, claim: Claim, entity: str) -> BatchOutcome | TieoutError:
    """Send one batch. Anything but a batch outcome is an error that says whether it may have been done."""
    batch = build(claim, ledger_digits=house.ledger.ledger_digits)
    styles = {_CLASSES[kind]: style for kind, style in house.ledger.styles.items()}
    session_entity = entity if entity and house.ledger.entity_sessions else None
    try:
        return client.post(batch, entity=session_entity, styles=styles)
    except TieoutError as fault:
        return fault


def _results(claim: Claim, outcome: BatchOutcome | TieoutError) -> list[Result]:
    ids = dict(zip(claim.documents["control_id"], claim.documents["document_id"], strict=True))
    if isinstance(outcome, OutcomeUnknown):
        return [Result(one, "unknown", reason=str(outcome)) for one in ids.values()]
    if isinstance(outcome, TieoutError):
        return [Result(one, "not_done", reason=str(outcome)) for one in ids.values()]
    found = []
    for control_id, document_id in ids.items():
        one = outcome.results.get(control_id)
        if isinstance(one, Accepted):
            found.append(Result(document_id, "accepted", intacct_key=one.key))
        elif isinstance(one, RefusedByIntacct):
            # A duplicate means that a record with our number is there: whose it is, only a look can say.
            if one.kind is ErrorKind.DUPLICATE:
                found.append(Result(document_id, "unknown", error_kind=one.kind.value, reason=one.sentence))
            else:
                found.append(Result(document_id, "refused", error_kind=one.kind.value, reason=one.sentence))
        elif isinstance(one, NotSent):
            found.append(Result(document_id, "not_done", reason=one.reason))
        else:
            reason = one.reason if isinstance(one, Unknown) else "no answer for this document"
            found.append(Result(document_id, "unknown", reason=reason))
    return found


# --- reading back -----------------------------------------------------------------------------------------------
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
        taken = set(
            session.fetch("ops.outbox", where={"state_code": "accepted"}, columns=["intacct_key"])[
                "intacct_key"
            ].to_list()
        )
    looked: list[ReadBack] = []
    recorder.purpose = "confirm"
    try:
        for kind, block in documents.group_by("kind_code"):
            name, key, proof = _NATURAL_KEYS[str(kind[0])]
            rows = client.find(name, key, block["number"].to_list(), fields=proof)
            for document in block.iter_rows(
                named=True
            ):  # a few documents after a fault, each with its own verdict
                verdict = _verdict(house, document, rows.get(document["number"], []), taken)
                too_soon = document["changed_at"] > house.clock() - timedelta(
                    seconds=house.ledger.visibility_seconds
                )
                # Rows become visible late: what cannot be seen yet is not proved absent, it stays unknown until the next cycle.
                if verdict.outcome != "absent" or not too_soon:
                    looked.append(verdict)
    finally:
        recorder.purpose = "post"
    with house.warehouse.write(run_id=run_id) as session:
        settled = outbox.resolve(session, looked, now=house.clock(), run_id=run_id)
        recorder.flush(session)
    drained.found += settled.accepted
    drained.absent += settled.planned


def _verdict(house: House, document: dict[str, Any], rows: list[dict[str, Any]], taken: set[str]) -> ReadBack:
    identity = document["document_id"]
    kind = document["kind_code"]
    if kind == "customer":
        if rows:
            return ReadBack(identity, "found", str(rows[0]["CUSTOMERID"]), "found by its id")
        return ReadBack(identity, "absent", reason="Intacct has no customer of this id")
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


# --- from rows to documents -------------------------------------------------------------------------------------
def ledger_amount(minor: int, currency: str, digits: int) -> Decimal:
    """An amount as Intacct will hold it: the plan has already rounded it to the ledger's digits, so this must be exact.

    Raises `Stopped` if it is not, because then what was planned and what would be sent differ.
    """
    amount = to_decimal(minor, currency)
    rounded = amount.quantize(Decimal(1).scaleb(-digits))
    if rounded != amount:
        raise Stopped(
            f"A planned amount of {amount} {currency} has more decimals than the ledger's {digits}; plan again before posting."
        )
    return rounded


def build(claim: Claim, *, ledger_digits: int) -> list[tuple[str, sage.Document]]:
    """The documents of a claim with their control ids, in order."""
    lines: dict[str, list[dict[str, Any]]] = {}
    for line in claim.lines.iter_rows(
        named=True
    ):  # at most a hundred documents: one object per line is what XML needs
        lines.setdefault(line["document_id"], []).append(line)
    makers = {"customer": _customer, "invoice": _invoice, "credit_memo": _credit_memo, "receipt": _receipt}
    return [
        (row["control_id"], makers[row["kind_code"]](row, lines.get(row["document_id"], []), ledger_digits))
        for row in claim.documents.iter_rows(named=True)
    ]


def _customer(row: dict[str, Any], _lines: list[dict[str, Any]], _digits: int) -> sage.Document:
    details = json.loads(row["details"] or "{}")
    address = sage.Address(
        line1=details.get("street"),
        city=details.get("city"),
        state=details.get("state"),
        zip=details.get("postal_code"),
        country_code=details.get("country_code"),
    )
    return sage.Customer(
        customer_id=row["customer_id"],
        name=details.get("name") or row["customer_id"],
        email=details.get("email"),
        first_name=details.get("first_name"),
        last_name=details.get("last_name"),
        company_name=details.get("company"),
        phone=details.get("phone"),
        address=address
        if any(getattr(address, name) for name in ("line1", "city", "zip", "country_code"))
        else None,
    )


def _lines_of(lines: list[dict[str, Any]], currency: str, digits: int, sign: int) -> tuple[sage.Line, ...]:
    return tuple(
        sage.Line(
            amount=ledger_amount(sign * line["amount_minor"], currency, digits),
            account=line["account_code"],
            memo=line["memo"],
            location=line["location_code"],
            department=line["department_code"],
            item=line["item_ref"],
            class_=line["class_code"],
        )
        for line in lines
    )


def _invoice(row: dict[str, Any], lines: list[dict[str, Any]], digits: int) -> sage.Document:
    return sage.Invoice(
        number=row["number"],
        customer_id=row["customer_id"],
        invoiced_on=row["document_on"],
        posted_on=row["document_on"],
        due_on=row["due_on"],
        reference=row["reference"],
        description=row["description"],
        currency=row["currency"],
        rate_type="",
        lines=_lines_of(lines, row["currency"], digits, 1),
    )


def _credit_memo(row: dict[str, Any], lines: list[dict[str, Any]], digits: int) -> sage.Document:
    return sage.CreditMemo(
        number=row["number"],
        customer_id=row["customer_id"],
        issued_on=row["document_on"],
        posted_on=row["document_on"],
        reference=row["reference"],
        description=row["description"],
        currency=row["currency"],
        rate_type="",
        lines=_lines_of(lines, row["currency"], digits, -1),
    )


def _receipt(row: dict[str, Any], lines: list[dict[str, Any]], digits: int) -> sage.Document:
    currency = row["currency"]
    applications = tuple(
        sage.Application(
            amount=ledger_amount(line["amount_minor"], currency, digits),
            invoice_key=int(line["applies_to_key"] or line["applies_to_ref"]),
        )
        for line in lines
    )
    return sage.Receipt(
        customer_id=row["customer_id"],
        received_on=row["document_on"],
        amount=ledger_amount(row["total_minor"], currency, digits),
        method=row["method"],
        financial_entity=row["account_ref"],
        reference=row["number"],
        description=row["description"],
        currency=currency,
        rate_type="",
        applications=applications,
    )
