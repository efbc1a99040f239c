"""What the shop's trade owes Intacct, worked out from `core` with the policies of the configuration; shared by check, plan and reconcile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from checks.contracts import ALL
from flows.status_words import returns_that_count
from transforms import intacct, mapping
from transforms.accounts import most_specific
from transforms.customers import guests_by_email
from transforms.order_entry import OrderEntry
from transforms.postings import NO_CHANGES, Existing, Mappings, PostingPolicy
from transforms.recognition import Owed, RecognitionPolicy, owed

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.warehouse.session import Session

_ORIGIN = ("payload_sha256", "run_id")


@dataclass(frozen=True)
class Trade:
    """The storefronts' side as core tables, corrected by `corrections.csv`, with what it owes."""

    orders: pl.DataFrame
    lines: pl.DataFrame
    shipments: pl.DataFrame
    payments: pl.DataFrame
    order_payments: pl.DataFrame
    order_tenders: pl.DataFrame
    returns: pl.DataFrame
    customers: pl.DataFrame
    owed: Owed
    corrected: pl.DataFrame


def trade(house: House, session: Session) -> Trade:
    """Read `core` and work out what is owed."""
    corrections = house.mappings["corrections"]
    orders, changed = mapping.correct_orders(without_origin(session, "core.orders"), corrections)
    order_payments = without_origin(session, "core.order_payments")
    order_tenders = without_origin(session, "core.order_tenders")
    payments, tenders = mapping.correct_tenders(
        without_origin(session, "core.payments"), corrections, orders=orders, order_payments=order_payments
    )
    frames = {
        name: without_origin(session, f"core.{name}") for name in ("order_lines", "shipments", "returns")
    }
    frames["customers"] = session.fetch("core.customers")
    frames["returns"] = returns_that_count(house, frames["returns"])
    customers = frames["customers"]
    if house.settings.intacct is not None and house.settings.intacct.guests == "email":
        orders, customers = guests_by_email(orders, customers)
    found = owed(
        orders,
        frames["order_lines"],
        frames["shipments"],
        payments,
        order_payments,
        frames["returns"],
        house.mappings["stores"],
        policy=recognition_policy(house),
        reductions=session.fetch("core.reductions"),
        order_tenders=order_tenders,
    )
    return Trade(
        orders=orders,
        lines=frames["order_lines"],
        shipments=frames["shipments"],
        payments=payments,
        order_payments=order_payments,
        order_tenders=order_tenders,
        returns=frames["returns"],
        customers=customers,
        owed=found,
        corrected=pl.concat([changed, tenders]),
    )


def without_origin(session: Session, name: str) -> pl.DataFrame:
    """A core table without what only tells where its rows came from: a quarter of its memory, and no rule reads it."""
    columns = [one for one in ALL[name].polars_schema if one not in _ORIGIN]
    return session.fetch(name, columns=columns)


def recognition_policy(house: House) -> RecognitionPolicy:
    """The cut-off bases and time zones of the configuration."""
    stores = house.mappings["stores"]
    bases: dict[tuple[str, str], str] = {}
    for name, front in house.settings.storefronts.items():
        for store in stores.filter(pl.col("storefront").is_in([name, "*"]))["store_ref"].to_list():
            bases[name, store] = front.cutoff
    return RecognitionPolicy(bases=bases, zones=zones(house))


def zones(house: House) -> Mapping[str, str]:
    """Time zone by entity."""
    return {entity.code: entity.time_zone for entity in house.settings.entities}


def changes(house: House, orders: pl.DataFrame) -> pl.DataFrame:
    """When each order last changed, as a date in its entity's zone, and whether it is cancelled."""
    zone = pl.col("entity_code").replace_strict(dict(zones(house)), default="UTC", return_dtype=pl.String)
    orders = most_specific(orders, house.mappings["stores"], ["storefront", "store_ref"], ["entity_code"])
    parts = [
        block.select(
            "storefront",
            "order_ref",
            changed_on=pl.col("changed_at").dt.convert_time_zone(str(name)).dt.date(),
            is_cancelled=pl.col("status_code") == "cancelled",
        )
        for (name,), block in orders.with_columns(zone=zone).group_by("zone", maintain_order=True)
    ]
    return pl.concat(parts) if parts else NO_CHANGES


def posting_policy(house: House) -> PostingPolicy:
    """How documents are made, from the [intacct] section."""
    ledger, sold = house.ledger, house.settings.order_entry
    return PostingPolicy(
        namespace=house.settings.installation.namespace,
        posting_starts_on=ledger.posting_starts_on,
        due_days=ledger.terms_days,
        decimals=ledger.ledger_digits,
        number_longest=max(ledger.number_length, 8),
        change_after_posting=ledger.change_after_posting,
        summary_orders=ledger.summary_orders,
        match_customers_by=ledger.match_customers_by,
        order_entry=OrderEntry(
            definition=sold.definition,
            order_definition=sold.order_definition if sold.orders != "none" else "",
            return_definition=sold.return_definition,
            returns_negative=sold.return_amounts == "negative",
            items={str(part): item for part, item in sold.items.items()},
            subtotals={str(part): name for part, name in sold.subtotals.items()},
            warehouses=dict(sold.warehouses),
            price_decimals=sold.price_decimals,
        ),
    )


def posting_mappings(house: House) -> Mappings:
    """The mapping tables planning needs."""
    found = house.mappings
    return Mappings(
        found["stores"],
        found["items"],
        found["accounts"],
        found["taxes"],
        found["tenders"],
        found["dimensions"],
    )


def existing(session: Session) -> Existing:
    """What was planned before, and what Intacct was last read to hold."""
    orders = pl.concat([session.fetch("out.document_orders"), session.query("documents_without_orders")])
    states = session.fetch("ops.outbox", columns=["document_id", "state_code", "intacct_key"])
    return Existing(
        documents=session.fetch("out.documents").join(states, on="document_id", how="left"),
        lines=session.fetch("out.document_lines"),
        invoices=session.fetch("core.ar_invoices"),
        adjustments=session.fetch("core.ar_adjustments"),
        receipts=session.fetch("core.ar_receipts"),
        customers=intacct.intacct_customers(session.raw_changed("raw.intacct__customer")),
        orders=orders,
        edits=session.fetch("ops.edits"),
    )
