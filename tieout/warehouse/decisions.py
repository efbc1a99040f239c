"""What a person decides about a document: hold it, let it go, give it up, bring it back. Always with a reason and a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import polars as pl

from tieout.errors import InputError
from tieout.warehouse.moves import LEGAL, move
from tieout.warehouse.session import Session
from tieout.warehouse.settling import CLOSED_PERIOD, NO_LEASE


def hold(
    session: Session, document_ids: Sequence[str], *, reason: str, actor: str, now: datetime, run_id: str
) -> int:
    """Keep planned, unknown or refused documents back, with a reason. Raises `InputError` for any that cannot be held."""
    return _ask(session, document_ids, ("planned", "unknown", "refused"), "held", reason, actor, now, run_id)


def hold_closed(
    session: Session, document_ids: Sequence[str], *, reason: str, actor: str, now: datetime, run_id: str
) -> int:
    """Keep planned documents back because their period is closed; they stand on the list of closed periods."""
    kind = {"error_kind": pl.lit(CLOSED_PERIOD)}
    return _ask(session, document_ids, ("planned",), "held", reason, actor, now, run_id, kind)


def release(
    session: Session, document_ids: Sequence[str], *, reason: str, actor: str, now: datetime, run_id: str
) -> int:
    """Let held documents go again. Raises `InputError` for any that is not held."""
    clean = {"error_kind": pl.lit(None, dtype=pl.String)}
    return _ask(session, document_ids, ("held",), "planned", reason, actor, now, run_id, clean)


def cancel(
    session: Session, document_ids: Sequence[str], *, reason: str, actor: str, now: datetime, run_id: str
) -> int:
    """Give up documents that Intacct does not have, for good. Raises `InputError` for any that is not planned, held or dead."""
    return _ask(session, document_ids, ("planned", "held", "dead"), "cancelled", reason, actor, now, run_id)


def replay(
    session: Session, document_ids: Sequence[str], *, reason: str, actor: str, now: datetime, run_id: str
) -> int:
    """A person plans dead documents again, with a clean slate. Raises `InputError` for any that is not dead, or without a person's name."""
    if actor in ("", "tieout"):
        raise InputError("A dead document is brought back by a person only; give your name.")
    clean = {"failures_no": pl.lit(0, dtype=pl.Int64), "error_kind": pl.lit(None, dtype=pl.String)}
    return _ask(session, document_ids, ("dead",), "planned", reason, actor, now, run_id, clean)


def _ask(
    session: Session,
    document_ids: Sequence[str],
    from_states: Sequence[str],
    to_state: str,
    reason: str,
    actor: str,
    now: datetime,
    run_id: str,
    changes: Mapping[str, pl.Expr] | None = None,
) -> int:
    if not reason.strip():
        raise InputError("Say why, in a few words: the reason stays beside the document.")
    wanted = pl.DataFrame(
        {"document_id": list(dict.fromkeys(document_ids))}, schema={"document_id": pl.String}
    )
    rows = session.fetch("ops.outbox", where=wanted)
    missing = wanted.join(rows, on="document_id", how="anti")
    if missing.height:
        raise InputError(
            f"There is no document {missing['document_id'][0]} in the outbox; check its id with `tieout status`."
        )
    wrong = rows.filter(~pl.col("state_code").is_in(list(from_states)))
    if wrong.height:
        culprit, state = wrong.select("document_id", "state_code").row(0)
        may = ", ".join(sorted(LEGAL[state])) or "nothing: that is final"
        raise InputError(
            f"Document {culprit} is {state} and cannot become {to_state} this way; from there it can become {may}."
        )
    going = rows.with_columns(to_state=pl.lit(to_state), why=pl.lit(reason))
    return move(session, going, now=now, run_id=run_id, actor=actor, changes={**NO_LEASE, **(changes or {})})
