"""Journal entries as a part of the plan: what `[journals]` says is posted, worked out and put beside the other documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from transforms.journals import JournalPlan, JournalPolicy, plan_journals

if TYPE_CHECKING:
    from flows.owing import Trade
    from flows.wiring import House
    from tieout.warehouse.session import Session
    from transforms.postings import Existing, Plan


def policy(house: House) -> JournalPolicy:
    """What is posted, from the [journals] section."""
    chosen, ledger = house.settings.journals, house.ledger
    return JournalPolicy(
        namespace=house.settings.installation.namespace,
        refunds=chosen.refunds == "journal",
        chargebacks=chosen.chargebacks == "journal",
        fees=chosen.fees == "journal",
        payouts=chosen.payouts == "journal",
        posting_starts_on=ledger.posting_starts_on,
        decimals=ledger.ledger_digits,
        zones={entity.code: entity.time_zone for entity in house.settings.entities},
    )


def journals(
    house: House, session: Session, trade: Trade, there: Existing, held: pl.DataFrame, *, run_id: str
) -> JournalPlan:
    """Every journal entry that is owed, but those known with the same content."""
    found = plan_journals(
        trade.owed.owed,
        trade.payments,
        trade.order_payments,
        trade.orders,
        session.fetch("core.payout_lines"),
        house.mappings["stores"],
        house.mappings["clearing"],
        held,
        there.edits,
        policy(house),
        run_id=run_id,
        planned_at=house.clock(),
    )
    known = there.documents.select("document_id", "content_sha256")
    documents = found.documents.join(known, on=["document_id", "content_sha256"], how="anti")
    return found._replace(
        documents=documents,
        lines=found.lines.join(documents.select("document_id"), on="document_id", how="semi"),
    )


def beside(made: Plan, found: JournalPlan) -> Plan:
    """The plan with its journal entries."""
    return made._replace(
        documents=pl.concat([made.documents, found.documents]),
        lines=pl.concat([made.lines, found.lines]),
        unplanned=pl.concat([made.unplanned, found.unplanned]),
    )
