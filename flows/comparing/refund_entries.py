"""The cash leg of refunds as a part of the reconciliation: what was paid back against the entries of the general ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from checks.contracts import ALL
from flows.planning import owing
from transforms.closing.refunds_paid import Refunds

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.warehouse.session import Session

TABLE = ALL["recon.refund_entries"]


def are_compared(house: House) -> bool:
    """Whether refunds are posted as journal entries and the general ledger is read whole, so that both can be compared."""
    company = house.settings.intacct
    posted = company is not None and house.settings.journals.refunds == "journal"
    return bool(
        posted and company is not None and company.reads_general_ledger and not company.control_accounts
    )


def read(house: House, session: Session) -> Refunds | None:
    """What refunds are held against their entries with; None where they are not posted as journal entries, or not all accounts are read."""
    company = house.settings.intacct
    if company is None or not are_compared(house):
        return None
    owed = session.fetch("recon.owed", where={"event_code": "credit"})
    if not session.count("recon.owed"):
        # Between staging everything anew and the next plan nothing is written down as owed; it is worked out here.
        found = owing.trade(house, session).owed.owed.filter(pl.col("event_code") == "credit")
        owed = ALL["recon.owed"].shaped(found)
    if company.general_ledger_starts_on is not None:
        owed = owed.filter(pl.col("owed_on") >= company.general_ledger_starts_on)
    states = session.fetch("ops.outbox", columns=["document_id", "state_code", "intacct_key", "changed_at"])
    journals = session.fetch("out.documents", where={"kind_code": "journal"}).join(states, on="document_id")
    taken = session.fetch("core.payments", where={"kind_code": "chargeback"})
    reads = session.fetch("ops.runs", where={"stage": ["extract", "confirm"], "state_code": "done"})
    return Refunds.of(
        owed=owed,
        journals=journals,
        lines=session.fetch("out.document_lines", where=journals.select("document_id")),
        entries=session.fetch("core.gl_entries"),
        unplanned=session.fetch("ops.unplanned"),
        # A transaction that is named twice is told apart by its payment.
        chargebacks=pl.concat(
            [
                taken.select("storefront", event_ref="transaction_ref"),
                taken.select("storefront", event_ref=pl.concat_str("payment_ref", "transaction_ref", separator=":")),
            ]
        ),
        clearing=house.mappings["clearing"],
        decimals=company.ledger_digits,
        read_at=reads["started_at"].max(),  # type: ignore[arg-type]
    )  # fmt: skip


def compared(house: House, session: Session) -> pl.DataFrame:
    """Rows of recon.refund_entries; none where there is nothing to compare."""
    found = read(house, session)
    return rows_of(None if found is None else found.compared())


def rows_of(judged: pl.DataFrame | pl.LazyFrame | None) -> pl.DataFrame:
    """Rows of recon.refund_entries from `Refunds.compared`, which the reconciliation of payments has as an input."""
    if judged is None:
        return TABLE.empty()
    unnamed = pl.when(pl.col("entity_code") != "").then("entity_code")
    return judged.lazy().with_columns(entity_code=unnamed).collect()


def publish(session: Session, rows: pl.DataFrame) -> None:
    """Publish recon.refund_entries."""
    frame = TABLE.checked(TABLE.shaped(rows), at="when comparing refunds with the general ledger")
    session.publish(TABLE.name, frame, key=TABLE.key, mode="replace")


def figures(rows: pl.DataFrame) -> dict[str, Any]:
    """What the run's summary says of it."""
    if rows.is_empty():
        return {}
    return {
        "refund_entries": rows.height,
        "refund_entry_errors": rows.filter(pl.col("family_code") == "error").height,
    }
