"""Taking documents that may go into batches of one's own, under a lease; the claim is committed before anything is sent."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from tieout.errors import WarehouseError
from tieout.warehouse.moves import numbered, stride
from tieout.warehouse.session import Session

AHEAD: Final = 20
"""Batches that one look for ready documents is good for."""


@dataclass(frozen=True)
class Claim:
    """A batch of one kind and entity that now belongs to the caller until its lease ends.

    documents  rows of out.documents with `control_id` and `attempts_no`
    lines      rows of out.document_lines with `applies_to_key`, the RECORDNO of the document an application pays
    """

    batch_id: str
    documents: pl.DataFrame
    lines: pl.DataFrame
    kind: str = ""
    entity: str = ""


class Ready:
    """Documents that may go, in the order they go, with what is needed to send them.

    Looking for them costs a look at the whole outbox, so a run does it once for many batches. What they depend on is accepted, which is
    final; whether each is still planned, with the content seen here, is asked again when it is claimed.
    """

    def __init__(self, documents: pl.DataFrame, lines: pl.DataFrame, *, is_whole: bool) -> None:
        self._documents, self._lines, self._taken = documents, lines, 0
        self.is_whole = is_whole
        """Whether the look found everything that was ready, and all that was taken of it was still as found."""

    @property
    def left(self) -> int:
        """How many have not been taken yet."""
        return self._documents.height - self._taken

    def take(self, limit: int, batches: int) -> list[pl.DataFrame]:
        """The next documents in up to so many batches of up to `limit`, each of one kind and entity; they are not given out again."""
        taken: list[pl.DataFrame] = []
        while self.left and len(taken) < batches:
            rest = self._documents.slice(self._taken, limit)
            group = (pl.col("kind_code") == rest["kind_code"][0]) & (
                pl.col("entity_code") == rest["entity_code"][0]
            )
            # They are sorted by kind and entity, so those of one group come first.
            batch = rest.filter(group)
            taken.append(batch)
            self._taken += batch.height
        return taken

    def lines_of(self, documents: pl.DataFrame) -> pl.DataFrame:
        """Lines of documents as in `Claim`."""
        return self._lines.join(documents.select("document_id"), on="document_id", how="semi")


def ready(session: Session, *, kinds: Sequence[str], limit: int, entity: str | None = None) -> Ready:
    """Up to `limit` planned documents that can go now, of these kinds in this order; `entity` None is all entities.

    A document can go once everything it depends on is accepted: the documents its applications name, and the document that creates its customer.
    """
    found = session.query("claimable", kinds=list(kinds), entity=entity, limit=limit)
    ids = found.select("document_id")
    if ids.is_empty():
        return Ready(ids, ids, is_whole=True)
    return Ready(
        session.fetch("out.documents", where=ids)
        .join(numbered(session, found).drop("state_code").with_row_index("place"), on="document_id")
        .sort("place")
        .drop("place"),
        session.query("lines_to_send", frames={"tieout_wanted": ids}).sort("document_id", "line_no"),
        is_whole=found.height < limit,
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
        ready(session, kinds=[kind], entity=entity, limit=limit),
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
    claims: list[Claim] = []
    while waiting.left and not claims:
        wanted = [_batch(block, namespace=namespace, run_id=run_id) for block in waiting.take(limit, batches)]
        # Somebody may have held, cancelled or edited one since it was found ready; it is found again as it is then.
        claimed = stride(
            session,
            "outbox_claim",
            pl.concat(wanted).select(
                "document_id", "moves_no", "attempts_no", "batch_id", "control_id", "content_sha256"
            ),
            from_state="planned",
            to_state="sending",
            now=now,
            run_id=run_id,
            actor=actor,
            until=now + timedelta(seconds=lease_seconds),
        )
        for block in wanted:
            sent = block
            if not claimed.issuperset(block["document_id"]):
                sent = block.filter(pl.col("document_id").is_in(list(claimed)))
                waiting.is_whole = False
            if sent.height:
                kind, entity, batch_id = sent.select("kind_code", "entity_code", "batch_id").row(0)
                documents = sent.drop("batch_id", "moves_no").with_columns(pl.col("attempts_no") + 1)
                claims.append(Claim(batch_id, documents, waiting.lines_of(documents), kind, entity))
    return claims


def _batch(documents: pl.DataFrame, *, namespace: str, run_id: str) -> pl.DataFrame:
    """Documents of one batch with its id and their control ids."""
    attempts = dict(documents.select("document_id", "attempts_no").iter_rows())
    kind, entity = documents.select("kind_code", "entity_code").row(0)
    return documents.with_columns(
        control_id=pl.format("{}:{}:{}", pl.lit(namespace), "document_id", "revision"),
        batch_id=pl.lit(_batch_id(attempts, kind=kind, entity=entity, run_id=run_id)),
    )


def _batch_id(attempts: Mapping[str, int], *, kind: str, entity: str, run_id: str) -> str:
    """The same documents on the same attempt in the same run give the same batch."""
    members = sorted(f"{one}#{attempt}" for one, attempt in attempts.items())
    return "B" + hashlib.sha256("|".join([run_id, kind, entity, *members]).encode()).hexdigest()[:19]
