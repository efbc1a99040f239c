"""An outbox at hand: one open session, a clock that ticks, and the steps of a document's life in a word each."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from tieout.warehouse import outbox
from tieout.warehouse.outbox import Result
from tieout.warehouse.session import Session


class Desk:
    """One open session and a clock that ticks a second with each step."""

    def __init__(self, session: Session, papers: SimpleNamespace, noon: datetime) -> None:
        self.session, self.papers, self.now = session, papers, noon

    def tell(self) -> dict[str, Any]:
        self.now += timedelta(seconds=1)
        return {"now": self.now, "run_id": "run"}

    def plan(
        self, documents: list[dict[str, Any]], lines: list[dict[str, Any]] | None = None
    ) -> outbox.Planned:
        if lines is None:
            lines = [self.papers.line(d["document_id"]) for d in documents if d["kind_code"] != "customer"]
        return outbox.plan(self.session, *self.papers.frames(documents, lines), **self.tell())

    def claim(
        self, kind: str = "invoice", entity: str = "US", limit: int = 99, lease: float = 60
    ) -> outbox.Claim | None:
        return outbox.claim(
            self.session,
            kind=kind,
            entity=entity,
            limit=limit,
            lease_seconds=lease,
            namespace="t1",
            **self.tell(),
        )

    def settle(self, batch: str, *results: Result) -> outbox.Settled:
        return outbox.settle(self.session, batch, results, **self.tell())

    def post(self, kind: str = "invoice", entity: str = "US") -> str:
        """Claim everything and let Intacct accept it."""
        claim = self.claim(kind, entity)
        assert claim is not None
        ids = claim.documents["document_id"].to_list()
        self.settle(claim.batch_id, *[Result(one, "accepted", f"KEY-{one}") for one in ids])
        return claim.batch_id

    def state(self, document_id: str = "D1") -> str:
        return str(self.row(document_id)["state_code"])

    def row(self, document_id: str = "D1") -> dict[str, Any]:
        return self.session.fetch("ops.outbox", where={"document_id": document_id}).row(0, named=True)

    def trail(self, document_id: str = "D1") -> list[str]:
        moves = self.session.fetch("ops.outbox_moves", where={"document_id": document_id}).sort("move_no")
        assert moves["move_no"].to_list() == list(range(1, moves.height + 1))
        return moves["to_state"].to_list()


def bring(desk: Desk, state: str) -> None:
    """Bring D1 from planned to a state by the ordinary way."""
    asked = {"actor": "Ada", "reason": "because"}
    if state == "held":
        outbox.hold(desk.session, ["D1"], **asked, **desk.tell())
    elif state == "cancelled":
        outbox.cancel(desk.session, ["D1"], **asked, **desk.tell())
    elif state != "planned":
        for _ in range(3 if state == "dead" else 1):
            claim = desk.claim(lease=10)
            assert claim is not None
            if state in ("refused", "dead"):
                desk.settle(
                    claim.batch_id, Result("D1", "refused", error_kind="data", reason="no such account")
                )
                if state == "dead":
                    outbox.retry_refused(desk.session, **desk.tell())
            elif state == "accepted":
                desk.settle(claim.batch_id, Result("D1", "accepted", "77"))
            elif state == "unknown":
                desk.settle(claim.batch_id, Result("D1", "unknown", reason="timeout"))
    assert desk.state() == state
