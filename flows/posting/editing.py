"""Changes a person makes to planned documents: validated, kept with author and reason in `ops.edits`, hashed anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from checks.contracts import ALL
from tieout.errors import InputError
from tieout.warehouse import outbox
from tieout.warehouse.moves import CONTENT_MAY_CHANGE
from transforms.postings.content import EDITABLE, edited, rehashed

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.warehouse.session import Session


def edit(
    house: House,
    session: Session,
    document_ids: Sequence[str],
    changes: Mapping[str, str],
    *,
    line: int | None,
    author: str,
    reason: str,
    run_id: str,
) -> int:
    """Change fields of documents, or of one line of them, that Intacct cannot have yet; returns how many documents changed.

    The edit is kept and holds against later plans of the same document. Raises `InputError` for a field that may not be edited, a value that
    does not fit it, a line that is not there, or a document that may be in Intacct.
    """
    subject = "document" if line is None else "line"
    for field, value in changes.items():
        _fits(subject, field, value)
    states = session.fetch("ops.outbox", where={"document_id": list(document_ids)})
    wrong = states.filter(~pl.col("state_code").is_in(list(CONTENT_MAY_CHANGE)))
    if wrong.height:
        culprit, state = wrong.select("document_id", "state_code").row(0)
        raise InputError(
            f"Document {culprit} is {state}: Intacct has it or may have it, so it is not edited; correct it there, or by a further document."
        )
    where = {"document_id": list(document_ids)}
    documents = session.fetch("out.documents", where=where)
    lines = session.fetch("out.document_lines", where=where).sort("document_id", "line_no")
    orders = session.fetch("out.document_orders", where=where)
    frame = documents if line is None else lines.filter(pl.col("line_no") == line)
    if frame["document_id"].n_unique() != len(set(document_ids)):
        raise InputError(
            f"Not every one of these documents has a line {line}; `tieout outbox show` lists their lines."
        )
    rows = [
        {"subject_ref": row["document_id"], "line_no": line, "field": field, "before": _text(row[field]), "after": value or None}
        for row in frame.iter_rows(named=True)  # documents named on the command line
        for field, value in changes.items()
    ]  # fmt: skip
    keep(house, session, subject, rows, author=author, reason=reason, run_id=run_id)
    changed, their_lines = edited(documents, lines, session.fetch("ops.edits"))
    changed = rehashed(changed, their_lines)
    for name, new in (("out.documents", changed), ("out.document_lines", their_lines)):
        ALL[name].checked(new, at="after the edit")
    done = outbox.plan(session, changed, their_lines, orders, now=house.clock(), run_id=run_id, actor=author)
    return done.replaced


def first_open(
    house: House,
    session: Session,
    document_ids: Sequence[str],
    closed: Mapping[str, date | None],
    *,
    on: date | None,
    author: str,
    reason: str,
    run_id: str,
) -> int:
    """Post documents of a closed period on the first open day of their entity (`closed` is the last closed one), or on `on`.

    Raises `InputError` for a document that is not on the list of closed periods, or a day that is closed itself.
    """
    rows = session.fetch("ops.outbox", where={"document_id": list(document_ids)})
    strangers = rows.filter(
        (pl.col("state_code") != "held") | pl.col("error_kind").ne_missing(pl.lit(outbox.CLOSED_PERIOD))
    )
    if strangers.height:
        raise InputError(
            f"Document {strangers['document_id'][0]} does not wait for a closed period; `tieout outbox closed` lists those that do."
        )
    documents = session.fetch("out.documents", where={"document_id": list(document_ids)})
    for row in documents.iter_rows(named=True):  # documents named on the command line
        last = closed.get(row["entity_code"])
        day = on or (last + timedelta(days=1) if last else row["document_on"])
        if last is not None and day <= last:
            raise InputError(
                f"{day} is closed too in {row['entity_code']}, whose books are closed through {last}; choose a later day."
            )
        changes = {"document_on": day.isoformat()}
        if row["due_on"] is not None and row["due_on"] < day:
            changes["due_on"] = day.isoformat()
        edit(house, session, [row["document_id"]], changes, line=None, author=author, reason=reason, run_id=run_id)  # fmt: skip
    return outbox.release(
        session, list(document_ids), reason=reason, actor=author, now=house.clock(), run_id=run_id
    )


def keep(
    house: House,
    session: Session,
    subject: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    author: str,
    reason: str,
    run_id: str,
) -> None:
    """Append rows to ops.edits."""
    table = ALL["ops.edits"]
    now = house.clock()
    before = session.count(table.name)
    frame = pl.DataFrame(
        [
            {
                **row,
                "edit_id": f"{now:%Y%m%dT%H%M%S.%fZ}-{before + number:06d}",
                "subject_code": subject,
                "author": author,
                "reason": reason,
                "at": now,
                "run_id": run_id,
            }
            for number, row in enumerate(rows)
        ],
        schema=table.polars_schema,
    )
    session.publish(table.name, table.checked(frame, at="of an edit"), key=table.key, mode="append")


def _fits(subject: str, field: str, value: str) -> None:
    if field not in EDITABLE[subject]:
        raise InputError(
            f"'{field}' of a {subject} is not edited; these may be: {', '.join(EDITABLE[subject])}. Amounts are what is owed: correct the order."
        )
    if field.endswith("_on"):
        try:
            date.fromisoformat(value)
        except ValueError:
            raise InputError(f"'{value}' is not a date for {field}; write it like 2026-11-02.") from None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
