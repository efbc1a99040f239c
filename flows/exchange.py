"""Keeps every exchange with Intacct: redacted text in the archive, a row in `ops.exchanges`, the cost in `ops.quota`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tieout.warehouse import runs
from tieout.warehouse.archive import Archive, record_exchanges

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.connectors.intacct.archive import Exchange
    from tieout.warehouse.session import Session


class Recorder:
    """Collects what the client reports. The texts go to disk at once; the rows are written by `flush`, never while a call is under way."""

    def __init__(self, house: House, run_id: str, *, purpose: str) -> None:
        self._house, self._run_id, self.purpose = house, run_id, purpose
        self._archive = Archive(house.warehouse.archive_folder, secrets=house.canaries())
        self._rows: list[dict[str, Any]] = []
        self._calls: Counter[str] = Counter()
        self._transactions: Counter[str] = Counter()
        self.batch_id: str | None = None
        self.total = 0

    def archive(self, exchange: Exchange) -> None:
        """Take one exchange."""
        self._rows.append(
            self._archive.store(
                at=exchange.at,
                entity_code=exchange.entity or "",
                purpose=self.purpose,
                request=exchange.request,
                reply=exchange.reply,
                status="no reply" if exchange.status is None else str(exchange.status),
                run_id=self._run_id,
                batch_id=self.batch_id,
                elapsed_ms=round(exchange.elapsed_s * 1000),
            )
        )
        self._calls[self.purpose] += 1

    def meter(self, _kind: str, transactions: int) -> None:
        """Take the cost of one call by the published counting rules."""
        self._transactions[self.purpose] += transactions
        self.total += transactions
        if self._rows:
            self._rows[-1]["transactions_no"] += transactions

    def flush(self, session: Session) -> None:
        """Write what was collected so far within the caller's transaction."""
        if self._rows:
            record_exchanges(session, self._rows)
        month = f"{self._house.clock():%Y-%m}"
        for purpose in sorted(set(self._calls) | set(self._transactions)):
            runs.meter(
                session,
                month=month,
                run_id=self._run_id,
                purpose=purpose,
                calls=self._calls[purpose],
                transactions=self._transactions[purpose],
            )
        self._rows = []
        self._calls.clear()
        self._transactions.clear()

    def close(self) -> None:
        """Write what is left in a transaction of its own."""
        if self._rows or self._transactions:
            with self._house.warehouse.write(run_id=self._run_id) as session:
                self.flush(session)
