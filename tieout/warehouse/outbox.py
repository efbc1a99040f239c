"""Documents on their way to Intacct: planned, claimed under a lease, settled by what came back, never in two places.

Each function is one step inside one `Session`; the moves themselves are those of `tieout.warehouse.moves`. A document is sent only
after the claim is committed, and what came back is settled afterwards: a crash between the two leaves a lease that runs out, the
document becomes `unknown`, and it is looked for in Intacct before anything is sent again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl

from tieout.errors import WarehouseError
from tieout.warehouse.claiming import AHEAD, Claim, Ready, claim, claim_batches, ready
from tieout.warehouse.decisions import cancel, hold, hold_closed, release, replay
from tieout.warehouse.moves import CONTENT_MAY_CHANGE, OUTBOX_SCHEMA, move
from tieout.warehouse.session import Session
from tieout.warehouse.settling import (
    CLOSED_PERIOD,
    LAST_FAILURE,
    Outcome,
    ReadBack,
    Result,
    Settled,
    expire_leases,
    follow,
    resolve,
    retry_refused,
    settle,
    settle_batches,
)
from tieout.warehouse.statements import statement

_INSTANT = pl.Datetime("us", "UTC")
_FINDING_SCHEMA: Final[Mapping[str, pl.DataType]] = {
    "run_id": pl.String(),
    "rule_code": pl.String(),
    "severity": pl.String(),
    "storefront": pl.String(),
    "order_ref": pl.String(),
    "order_number": pl.String(),
    "subject_ref": pl.String(),
    "currency": pl.String(),
    "amount_minor": pl.Int64(),
    "sentence": pl.String(),
    "found_at": _INSTANT,
}


@dataclass(frozen=True)
class Planned:
    """What planning did: new documents, contents replaced, documents left alone, and findings for content that may not change any more."""

    new: int
    replaced: int
    unchanged: int
    findings: pl.DataFrame


# --- planning ---------------------------------------------------------------------------------------------------
def plan(
    session: Session,
    documents: pl.DataFrame,
    lines: pl.DataFrame,
    orders: pl.DataFrame | None = None,
    *,
    now: datetime,
    run_id: str,
    actor: str = "tieout",
) -> Planned:
    """Put documents (rows of out.documents), their lines (out.document_lines) and orders (out.document_orders) into the outbox as planned.

    A document already there with the same content is left alone. With other content it is replaced while Intacct cannot have it (a refused
    one is planned again, with a clean slate); once it is being sent, unknown, accepted or cancelled it stays, and a finding says so.
    Raises `WarehouseError` for two documents of one id or lines of no document.
    """
    strays = lines.join(documents.select("document_id"), on="document_id", how="anti")
    if strays.height:
        raise WarehouseError(
            f"{strays.height} lines belong to no document of the plan, for example those of {strays['document_id'][0]}; nothing was planned."
        )
    if documents["document_id"].is_duplicated().any():
        twin = documents.filter(pl.col("document_id").is_duplicated())["document_id"][0]
        raise WarehouseError(f"The plan holds document {twin} twice; nothing was planned.")
    keys = documents.select("document_id")
    states = session.fetch("ops.outbox", where=keys)
    stored = session.fetch(
        "out.documents", where=keys, columns=["document_id", "content_sha256", "planned_at"]
    )
    known = documents.join(
        stored.rename({"content_sha256": "stored_sha256", "planned_at": "first_planned_at"}),
        on="document_id",
        how="left",
    ).join(states.select("document_id", "state_code"), on="document_id", how="left")
    new = known.filter(pl.col("state_code").is_null())
    edited = known.filter(
        pl.col("state_code").is_not_null() & (pl.col("content_sha256") != pl.col("stored_sha256"))
    )
    replaced = edited.filter(pl.col("state_code").is_in(list(CONTENT_MAY_CHANGE)))
    drifted = edited.filter(~pl.col("state_code").is_in(list(CONTENT_MAY_CHANGE)))

    _store(session, documents, lines, orders, new, replaced)
    first = new.select(
        "document_id",
        "content_sha256",
        state_code=pl.lit(None, dtype=pl.String),
        to_state=pl.lit("planned"),
        why=pl.lit(None, dtype=pl.String),
        attempts_no=pl.lit(0, dtype=pl.Int64),
        failures_no=pl.lit(0, dtype=pl.Int64),
        **{
            name: pl.lit(None, dtype=dtype)
            for name, dtype in OUTBOX_SCHEMA.items()
            if name in ("intacct_key", "error_kind", "batch_id", "control_id", "lease_until_at")
        },
    )
    move(session, first, now=now, run_id=run_id, actor=actor)
    again = states.join(
        replaced.select("document_id", "stored_sha256", new_sha256="content_sha256"), on="document_id"
    ).with_columns(
        to_state=pl.when(pl.col("state_code") == "refused")
        .then(pl.lit("planned"))
        .otherwise(pl.col("state_code")),
        why=pl.format(
            "content replaced: {} by {}",
            pl.col("stored_sha256").str.slice(0, 12),
            pl.col("new_sha256").str.slice(0, 12),
        ),
    )
    # A held or dead document keeps the reason it waits for; the audit move says that its content changed.
    waits = pl.col("to_state").is_in(["held", "dead"]) & pl.col("reason").is_not_null()
    again = again.with_columns(
        why=pl.when(waits).then(pl.format("{} ({})", "reason", "why")).otherwise("why")
    )
    move(
        session,
        again,
        now=now,
        run_id=run_id,
        actor=actor,
        replaces_content=True,
        changes={
            "content_sha256": pl.col("new_sha256"),
            "failures_no": pl.when(pl.col("state_code") == "refused")
            .then(0)
            .otherwise(pl.col("failures_no")),
            "error_kind": pl.when(pl.col("state_code") == "refused")
            .then(None)
            .otherwise(pl.col("error_kind")),
        },
    )
    return Planned(
        new=new.height,
        replaced=replaced.height,
        unchanged=documents.height - new.height - edited.height,
        findings=_drift(drifted, now=now, run_id=run_id),
    )


def _store(
    session: Session,
    documents: pl.DataFrame,
    lines: pl.DataFrame,
    orders: pl.DataFrame | None,
    new: pl.DataFrame,
    replaced: pl.DataFrame,
) -> None:
    changing = pl.concat([new.select("document_id"), replaced.select("document_id")])
    if changing.is_empty():
        return
    fresh = (
        documents.join(changing, on="document_id", how="semi")
        .join(replaced.select("document_id", "first_planned_at"), on="document_id", how="left")
        .with_columns(planned_at=pl.coalesce("first_planned_at", "planned_at"))
        .select(documents.columns)
    )
    session.publish("out.documents", fresh, key=["document_id"], mode="merge", ignore=())
    session.publish(
        "out.document_lines",
        lines.join(changing, on="document_id", how="semi"),
        key=["document_id", "line_no"],
        mode="replace_where",
        scope=changing,
    )
    if orders is not None:
        session.publish(
            "out.document_orders",
            orders.join(changing, on="document_id", how="semi"),
            key=["document_id", "storefront", "order_ref", "event_code", "event_ref"],
            mode="replace_where",
            scope=changing,
        )


def complete_orders(session: Session) -> int:
    """Write the rows of `out.document_orders` for documents planned before that table was there; returns how many."""
    missing = session.query("documents_without_orders")
    if missing.height:
        key = ["document_id", "storefront", "order_ref", "event_code", "event_ref"]
        session.publish("out.document_orders", missing, key=key, mode="append")
    return missing.height


def _drift(drifted: pl.DataFrame, *, now: datetime, run_id: str) -> pl.DataFrame:
    return drifted.select(
        run_id=pl.lit(run_id),
        rule_code=pl.lit("content_drift"),
        severity=pl.lit("warn"),
        storefront="storefront",
        order_ref="order_ref",
        order_number="order_number",
        subject_ref="document_id",
        currency=pl.when(pl.col("currency") == "").then(None).otherwise(pl.col("currency")),
        amount_minor="total_minor",
        sentence=pl.format(
            "{} {} would be different today, but it is {} already; correct it with a document of a new revision.",
            pl.col("kind_code").str.replace_all("_", " "),
            "number",
            "state_code",
        ),
        found_at=pl.lit(now, dtype=_INSTANT),
    ).select([pl.col(name).cast(dtype) for name, dtype in _FINDING_SCHEMA.items()])


# --- looking ---
def depth(session: Session, *, now: datetime) -> pl.DataFrame:
    """How full the outbox is: state_code, kind_code, currency, documents_no, total_minor, oldest_at, age_seconds (of the oldest)."""
    return session.query("outbox_depth", now=now)


def blocked(session: Session) -> pl.DataFrame:
    """Planned documents that wait for another one: document_id, kind_code, blocked_by_id, blocked_by_state, blocked_by_reason."""
    return session.query("outbox_blocked")


def create_views(session: Session) -> None:
    """`ops.crosswalk`: our document id beside Intacct's key, both ways, with order and number."""
    session.view("ops.crosswalk", statement("crosswalk"))


__all__ = [
    "AHEAD",
    "CLOSED_PERIOD",
    "LAST_FAILURE",
    "Claim",
    "Outcome",
    "Planned",
    "ReadBack",
    "Ready",
    "Result",
    "Settled",
    "blocked",
    "cancel",
    "claim",
    "claim_batches",
    "complete_orders",
    "create_views",
    "depth",
    "expire_leases",
    "follow",
    "hold",
    "hold_closed",
    "plan",
    "ready",
    "release",
    "replay",
    "resolve",
    "retry_refused",
    "settle",
    "settle_batches",
]
