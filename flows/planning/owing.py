"""What the shop's trade owes Intacct, worked out from `core` with the policies of the configuration; shared by check, plan and reconcile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from checks.contracts import ALL
from flows.mappings.status_words import returns_that_count
from transforms.accounts import most_specific
from transforms.customers import guests_by_email
from transforms.intacct import documents as intacct
from transforms.mapping import applied as mapping
from transforms.owed.recognition import Owed, RecognitionPolicy, owed
from transforms.postings.order_entry import OrderEntry
from transforms.postings.planned import NO_CHANGES, Existing, Mappings, PostingPolicy
from transforms.postings.summaries import summary_documents

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.warehouse.session import Session

_ORIGIN = ("payload_sha256", "run_id")
_WHO = ("storefront", "order_ref", "order_number", "store_ref", "customer_ref", "status_code", "is_test")


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


def trade(house: House, session: Session, *, among: pl.DataFrame | None = None) -> Trade:
    """Read `core` and work out what is owed. `among`: (storefront, order_ref) of the orders to read with all that is theirs; all customers are read."""
    corrections = house.mappings["corrections"]
    orders, changed = mapping.correct_orders(without_origin(session, "core.orders", among), corrections)
    moved, order_payments = _money(session, among)
    order_tenders = without_origin(session, "core.order_tenders", among)
    payments, tenders = mapping.correct_tenders(
        moved, corrections, orders=orders, order_payments=order_payments
    )
    frames = {
        name: without_origin(session, f"core.{name}", among)
        for name in ("order_lines", "shipments", "returns")
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
        reductions=session.fetch("core.reductions", where=among),
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


def money_of_all(house: House, session: Session) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """core.orders (only who they are), core.payments and core.order_payments of all trade, corrected as in `trade`."""
    corrections = house.mappings["corrections"]
    orders, _ = mapping.correct_orders(session.fetch("core.orders", columns=_WHO), corrections)
    payments, named = _money(session, None)
    payments, _ = mapping.correct_tenders(payments, corrections, orders=orders, order_payments=named)
    return orders, payments, named


def _money(session: Session, among: pl.DataFrame | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """core.payments and core.order_payments: all, or those of some orders, whichever side names the other."""
    if among is None:
        return without_origin(session, "core.payments"), without_origin(session, "core.order_payments")
    payment = ["storefront", "payment_ref"]
    said = session.fetch("core.payments", where=among, columns=payment)
    named = session.fetch("core.order_payments", where=among, columns=payment)
    wanted = pl.concat([said, named]).unique()
    return (
        without_origin(session, "core.payments", wanted),
        without_origin(session, "core.order_payments", wanted),
    )


def without_origin(session: Session, name: str, where: pl.DataFrame | None = None) -> pl.DataFrame:
    """A core table without what only tells where its rows came from: a quarter of its memory, and no rule reads it. `where`: the keys wanted."""
    columns = [one for one in ALL[name].polars_schema if one not in _ORIGIN]
    return session.fetch(name, columns=columns, where=where)


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


_LEDGER: Final = ("reference", "entity_code", "customer_id", "currency", "total_minor", "due_minor", "posted_on", "is_deleted")  # fmt: skip


def existing(session: Session, *, among: pl.DataFrame | None = None) -> Existing:
    """What was planned before, and what Intacct was last read to hold. `among`: (storefront, order_ref) of the orders whose documents are
    read, beside those of no order; of all others only the numbers."""
    found = _documents(session) if among is None else _documents_of(session, among)
    # Of the ledger's rows a plan of some orders reads a third of the columns; comparisons read them all.
    columns = {
        table: None if among is None else [ref, number, *_LEDGER]
        for table, ref, number in (
            ("core.ar_invoices", "invoice_ref", "invoice_number"),
            ("core.ar_adjustments", "adjustment_ref", "adjustment_number"),
        )
    }
    return found._replace(
        invoices=session.fetch("core.ar_invoices", columns=columns["core.ar_invoices"]),
        adjustments=session.fetch("core.ar_adjustments", columns=columns["core.ar_adjustments"]),
        receipts=session.fetch("core.ar_receipts"),
        customers=intacct.intacct_customers(session.raw_changed("raw.intacct__customer")),
        edits=session.fetch("ops.edits"),
    )


def _documents(session: Session) -> Existing:
    states = session.fetch("ops.outbox", columns=["document_id", "state_code", "intacct_key"])
    nothing = pl.DataFrame()
    return Existing(
        documents=session.fetch("out.documents").join(states, on="document_id", how="left"),
        lines=session.fetch("out.document_lines"),
        orders=pl.concat([session.fetch("out.document_orders"), session.query("documents_without_orders")]),
        invoices=nothing,
        adjustments=nothing,
        receipts=nothing,
        customers=nothing,
    )


def _documents_of(session: Session, among: pl.DataFrame) -> Existing:
    """Documents of these orders, alone or with others, and those of no order. Of a summary that none of them is in, and of customers, lines
    are not read."""
    own = session.fetch("out.documents", where=among, columns=["document_id"])
    shared = session.fetch("out.document_orders", where=among, columns=["document_id"])
    mine = pl.concat([own, shared]).unique()
    nobody = session.fetch("out.documents", where={"order_ref": None})
    documents = pl.concat(
        [session.fetch("out.documents", where=mine), nobody.join(mine, on="document_id", how="anti")]
    )
    ids = documents.select("document_id")
    states = session.fetch("ops.outbox", columns=["document_id", "state_code", "intacct_key"], where=ids)
    documents = documents.join(states, on="document_id", how="left")
    nothing = pl.DataFrame()
    found = Existing(documents, nothing, nothing, nothing, nothing, nothing)
    summaries = summary_documents(found).join(mine, on="document_id", how="anti")
    lined = documents.filter(pl.col("kind_code") != "customer").join(summaries, on="document_id", how="anti")
    frames = {"looked_documents": ids, "looked_orders": among.select("storefront", "order_ref")}
    early = session.query("documents_without_orders")
    return found._replace(
        lines=session.fetch("out.document_lines", where=lined.select("document_id")),
        orders=pl.concat(
            [
                session.fetch("out.document_orders", where=mine),
                early.join(among, on=["storefront", "order_ref"], how="semi"),
            ]
        ),
        numbers=session.query("plan_numbers", frames=frames),
    )
