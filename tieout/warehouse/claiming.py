"""Taking documents that may go into a batch of one's own, under a lease; the claim is committed before anything is sent."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from tieout.errors import WarehouseError
from tieout.warehouse.moves import Walk, present
from tieout.warehouse.session import Session

AHEAD: Final = 20
"""Batches that one look for ready documents is good for."""


@dataclass(frozen=True)
class Claim:
    """A batch that now belongs to the caller until its lease ends.

    documents  rows of out.documents with `control_id` and `attempts_no`
    lines      rows of out.document_lines with `applies_to_key`, the RECORDNO of the document an application pays
    """

    batch_id: str
    documents: pl.DataFrame
    lines: pl.DataFrame


class Ready:
    """Documents of one kind and entity that may go, in the order they go, with what is needed to send them.

    Looking for them costs a look at the whole outbox, so a run does it once for many batches. What they depend on is accepted, which is
    final; whether each is still planned, with the content seen here, is asked again when it is claimed.
    """

    def __init__(self, kind: str, entity: str, documents: pl.DataFrame, lines: pl.DataFrame) -> None:
        self.kind, self.entity = kind, entity
        self._documents, self._lines, self._taken = documents, lines, 0

    @property
    def left(self) -> int:
        """How many have not been taken yet."""
        return self._documents.height - self._taken

    def take(self, most: int) -> pl.DataFrame:
        """The next documents, rows of out.documents; they are not given out again."""
        taken = self._documents.slice(self._taken, most)
        self._taken += taken.height
        return taken

    def lines_of(self, documents: pl.DataFrame) -> pl.DataFrame:
        """Lines of documents as in `Claim`."""
        return self._lines.join(documents.select("document_id"), on="document_id", how="semi")


def ready(session: Session, *, kind: str, entity: str, limit: int) -> Ready:
    """Up to `limit` planned documents of a kind and entity that can go now.

    A document can go once everything it depends on is accepted: the documents its applications name, and the document that creates its customer.
    """
    found = session.query("claimable", kind=kind, entity=entity, limit=limit)
    ids = found.select("document_id")
    if ids.is_empty():
        return Ready(kind, entity, ids, ids)
    return Ready(
        kind,
        entity,
        session.fetch("out.documents", where=ids)
        .join(found.with_row_index("place"), on="document_id")
        .sort("place")
        .drop("place"),
        session.query("lines_to_send", frames={"tieout_wanted": ids}).sort("document_id", "line_no"),
    )


def claim(
    session: Session,
    *,
    kind: str,
    entity: str,
    limit: int,
    lease_seconds: float,
    namespace: str,
    now: datetime,
    run_id: str,
    actor: str = "tieout",
) -> Claim | None:
    """Take up to `limit` planned documents of a kind and entity into a batch, or None if none can go; see `ready` for which can."""
    claims = claim_batches(
        session,
        ready(session, kind=kind, entity=entity, limit=limit),
        limit=limit,
        batches=1,
        lease_seconds=lease_seconds,
        namespace=namespace,
        now=now,
        run_id=run_id,
        actor=actor,
    )
    return claims[0] if claims else None


def claim_batches(
    session: Session,
    waiting: Ready,
    *,
    limit: int,
    batches: int,
    lease_seconds: float,
    namespace: str,
    now: datetime,
    run_id: str,
    actor: str = "tieout",
) -> list[Claim]:
    """Take the next ready documents into up to so many batches of up to `limit` each; none if none can go any more.

    Control ids are `{namespace}:{document_id}:{revision}`, the same on every attempt, which is what lets Intacct refuse a replay.
    The caller sends only after this session has been committed, and the lease must last until the last of the batches is answered.
    """
    if limit < 1 or batches < 1:
        raise WarehouseError("A batch needs room for at least one document; correct the batch size.")
    walk = Walk(session, now=now, run_id=run_id, actor=actor)
    until = now + timedelta(seconds=lease_seconds)
    claims: list[Claim] = []
    while waiting.left and not claims:
        wanted = waiting.take(limit * batches)
        rows = present(session, wanted["document_id"])
        # Somebody may have held, cancelled or edited one since it was found ready; it is found again as it is then.
        still = [
            identity in rows
            and rows[identity]["state_code"] == "planned"
            and rows[identity]["content_sha256"] in (None, sha256)
            for identity, sha256 in wanted.select("document_id", "content_sha256").iter_rows()
        ]
        for documents in wanted.filter(pl.Series(still, dtype=pl.Boolean)).iter_slices(limit):
            keys = documents.select("document_id", "revision", "content_sha256").rows()
            attempts = {identity: rows[identity]["attempts_no"] for identity, _, _ in keys}
            batch_id = _batch_id(attempts, kind=waiting.kind, entity=waiting.entity, run_id=run_id)
            controls = [f"{namespace}:{identity}:{revision}" for identity, revision, _ in keys]
            for (identity, _, sha256), control_id in zip(keys, controls, strict=True):
                walk.step(
                    rows[identity],
                    "sending",
                    None,
                    batch_id=batch_id,
                    control_id=control_id,
                    content_sha256=sha256,
                    attempts_no=attempts[identity] + 1,
                    error_kind=None,
                    lease_until_at=until,
                )
            sent = documents.with_columns(
                control_id=pl.Series(controls, dtype=pl.String),
                attempts_no=pl.Series([rows[one]["attempts_no"] for one in attempts], dtype=pl.Int64),
            )
            claims.append(Claim(batch_id, sent, waiting.lines_of(documents)))
    walk.store()
    return claims


def _batch_id(attempts: Mapping[str, int], *, kind: str, entity: str, run_id: str) -> str:
    """The same documents on the same attempt in the same run give the same batch."""
    members = sorted(f"{one}#{attempt}" for one, attempt in attempts.items())
    return "B" + hashlib.sha256("|".join([run_id, kind, entity, *members]).encode()).hexdigest()[:19]
