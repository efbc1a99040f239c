"""Journal entries and applications of credit memos as parts of the plan: worked out and put beside the other documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from flows.planning.owing import money_of_all, posting_policy
from transforms.postings.credit_applications import CreditPlan, plan_credits
from transforms.postings.journals import JournalPlan, JournalPolicy, plan_journals

if TYPE_CHECKING:
    from flows.planning.owing import Trade
    from flows.wiring import House
    from tieout.warehouse.session import Session
    from transforms.postings.planned import Existing, Plan
    from transforms.postings.sales_orders import Closures


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
    house: House,
    session: Session,
    trade: Trade,
    there: Existing,
    held: pl.DataFrame,
    *,
    run_id: str,
    among: pl.DataFrame | None = None,
) -> JournalPlan:
    """Every journal entry that is owed, but those known with the same content. `among`: the orders that `trade` and `there` are of, if not all;
    payouts are worked out whole, from the payments of all orders."""
    chosen = policy(house)
    orders, payments, named = trade.orders, trade.payments, trade.order_payments
    if among is not None and (chosen.payouts or chosen.fees):
        orders, payments, named = money_of_all(house, session)
    found = plan_journals(
        trade.owed.owed,
        payments,
        named,
        orders,
        session.fetch("core.payout_lines"),
        house.mappings["stores"],
        house.mappings["clearing"],
        held,
        there.edits,
        chosen,
        run_id=run_id,
        planned_at=house.clock(),
    )
    if among is not None:
        found = _of_these(found, among)
    known = there.documents.select("document_id", "content_sha256")
    documents = found.documents.join(known, on=["document_id", "content_sha256"], how="anti")
    return found._replace(
        documents=documents,
        lines=found.lines.join(documents.select("document_id"), on="document_id", how="semi"),
    )


def _of_these(found: JournalPlan, among: pl.DataFrame) -> JournalPlan:
    """The entries of these orders and of none."""
    key = ["storefront", "order_ref"]
    documents, unplanned = (
        pl.concat([rows.filter(pl.col("order_ref").is_null()), rows.join(among, on=key, how="semi")])
        for rows in (found.documents, found.unplanned)
    )
    lines = found.lines.join(documents.select("document_id"), on="document_id", how="semi")
    return found._replace(documents=documents, lines=lines, unplanned=unplanned)


def credits(
    house: House, trade: Trade, there: Existing, held: pl.DataFrame, made: Plan, *, run_id: str
) -> CreditPlan:
    """Every credit memo that can be set against an open invoice of its order now, after what the plan's receipts pay."""
    if house.ledger.credit_memos == "open":
        return CreditPlan(made.documents.clear(), made.lines.clear(), made.unplanned.clear())
    receipts = made.documents.filter(pl.col("kind_code") == "receipt")
    return plan_credits(
        there,
        trade.owed.owed,
        made.lines.join(receipts.select("document_id"), on="document_id", how="semi"),
        house.mappings["tenders"],
        held,
        posting_policy(house),
        run_id=run_id,
        planned_at=house.clock(),
    )


def beside(made: Plan, found: JournalPlan | CreditPlan | Closures) -> Plan:
    """The plan with these documents too."""
    return made._replace(
        documents=pl.concat([made.documents, found.documents]),
        lines=pl.concat([made.lines, found.lines]),
        unplanned=pl.concat([made.unplanned, found.unplanned]),
    )
