"""What Intacct is owed: one row per recognised sale, refund and successful charge, with the lines that sum to it.

A sale is owed when the cut-off basis of its store says so (when shipped, by default, one sale per shipment). What is not owed, or
not yet, is told apart with a reason, so that of every order owed sales and excluded amounts add up to the header's total.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from tieout.errors import InputError
from tieout.vocabulary import COMPONENTS, MONEY_MOVES
from transforms.accounts import most_specific
from transforms.owed.credits import credit_events
from transforms.owed.reductions import with_reductions
from transforms.owed.sales import sale_events
from transforms.owed.tenders import tender_receipts
from transforms.owed.terms import (
    EXCLUDED_SCHEMA,
    OWED_LINES_SCHEMA,
    OWED_SCHEMA,
    REASONS,
    Owed,
    RecognitionPolicy,
)
from transforms.running import position

__all__ = ["REASONS", "Owed", "RecognitionPolicy", "owed"]

ORDER: Final = ["storefront", "order_ref"]
_INSTANT: Final = pl.Datetime("us", "UTC")


def owed(
    orders: pl.DataFrame,
    lines: pl.DataFrame,
    shipments: pl.DataFrame,
    payments: pl.DataFrame,
    order_payments: pl.DataFrame,
    returns: pl.DataFrame,
    stores_mapping: pl.DataFrame,
    *,
    policy: RecognitionPolicy,
    reductions: pl.DataFrame | None = None,
    order_tenders: pl.DataFrame | None = None,
) -> Owed:
    """Recognise sales, credits and receipts from the core tables of the same names.

    A store without a mapping keeps its orders, with a null entity. Orders whose payload could not be read (`problem`) owe no
    sale, yet their charges owe receipts: that money moved. Receipts carry their amount in `total_minor` alone, no components.
    Tender that an order carries itself owes a receipt for each of its `order_tenders` (see `transforms.owed.tenders`).
    Of an order whose total was lowered after shipping, `reductions` owe credits (see `transforms.owed.reductions`).
    A store that recognises when the storefront invoices needs a column `invoiced_at` in `orders`; raises `InputError` without.
    """
    base = _orders_with_policy(orders, stores_mapping, policy)
    moved = _money_moved(payments, order_payments, base)
    charges = moved.filter((pl.col("kind_code") == "charge") & pl.col("oid").is_not_null())
    base = base.join(
        charges.group_by("oid").agg(
            charged_at=pl.col("occurred_at").min(), charged_minor=pl.col("amount_minor").sum()
        ),
        on="oid",
        how="left",
    ).with_columns(pl.col("charged_minor").fill_null(0))
    events, parts = sale_events(
        base.filter(pl.col("reason_code").is_null()), lines, shipments, policy.partial
    )
    refunds = moved.filter(
        (pl.col("kind_code") == "refund") & pl.col("oid").is_not_null() & pl.col("reason_code").is_null()
    )
    if reductions is not None:
        refunds = with_reductions(refunds, reductions, base)
    credits, credit_parts, returned = credit_events(
        base, events, parts, refunds, returns, lines, mirror=policy.refunds == "mirror"
    )
    receipts = _receipts(charges, base, events, order_tenders, policy)
    all_parts = pl.concat([parts.select(_PART), credit_parts.select(_PART)])
    found = _assemble(base, pl.concat([events, credits, receipts], how="diagonal"), all_parts, policy)
    return Owed(found, _lines(base, all_parts), _excluded(base, events, returned, moved))


_PART: Final = [
    "oid", "event_code", "event_ref", "line_no", "line_ref", "component_code", "sku", "category_ref", "tax_code", "quantity",
    "description", "amount_minor",
]  # fmt: skip


def _orders_with_policy(
    orders: pl.DataFrame, stores_mapping: pl.DataFrame, policy: RecognitionPolicy
) -> pl.DataFrame:
    """One row per order with `oid`, entity, basis and the reason it owes no sale at all, if so."""
    wanted = [
        *ORDER, "order_number", "store_ref", "customer_ref", "status_code", "placed_at", "captured_at", "shipped_at", "currency",
        *(f"{c}_minor" for c in COMPONENTS if c != "other"), "total_minor", "tender_minor", "is_test", "problem",
    ]  # fmt: skip
    bases = pl.DataFrame(
        [(storefront, store, word) for (storefront, store), word in policy.bases.items()],
        schema={"storefront": pl.String, "store_ref": pl.String, "basis": pl.String},
        orient="row",
    )
    if "invoiced_at" in orders.columns:
        wanted.append("invoiced_at")
    base = most_specific(
        orders.select(wanted).sort(ORDER),
        stores_mapping.rename({"mode": "store_mode"}),
        ["storefront", "store_ref"],
        ["store_mode", "entity_code"],
    )
    base = (
        base.join(bases, on=["storefront", "store_ref"], how="left", maintain_order="left")
        .with_columns(
            pl.col("basis").fill_null(policy.basis),
            pl.when(pl.col("problem").is_not_null())
            .then(pl.lit("unreadable"))
            .when((pl.col("store_mode") == "ignore").fill_null(value=False))
            .then(pl.lit("store_ignored"))
            .when(pl.col("is_test") & (policy.test == "count"))
            .then(pl.lit("test"))
            .when((pl.col("total_minor") == 0) & (policy.zero_total == "count"))
            .then(pl.lit("zero_total"))
            .alias("reason_code"),
        )
        .with_row_index("oid")
        .with_columns(pl.col("oid").cast(pl.Int64))
    )
    if "invoiced_at" not in base.columns:
        if base.filter(pl.col("basis") == "invoiced").height:
            raise InputError(
                "A store recognises sales when the storefront invoices them, but its orders say no invoice date; "
                "choose placed, captured or shipped as its cut-off basis."
            )
        base = base.with_columns(pl.lit(None, dtype=_INSTANT).alias("invoiced_at"))
    return base


def _money_moved(payments: pl.DataFrame, order_payments: pl.DataFrame, base: pl.DataFrame) -> pl.DataFrame:
    """Successful charges, refunds and chargebacks with the order they belong to (`oid`, null for none) and their event_ref.

    The event is named after the transaction; where several payments use the same transaction id, the later ones carry the
    payment's id too, so that an event named once keeps its name.
    """
    named = (
        order_payments.select("storefront", "payment_ref", pl.col("order_ref").alias("named_ref"))
        .sort("named_ref")
        .unique(["storefront", "payment_ref"], keep="first", maintain_order=True)
    )
    moved = (
        payments.filter((pl.col("state_code") == "success") & pl.col("kind_code").is_in(MONEY_MOVES))
        .select(
            "storefront", "payment_ref", "transaction_ref", "order_ref", "kind_code", "tender_code", "gateway_ref",
            pl.col("currency").alias("paid_currency"), "amount_minor", "occurred_at", pl.col("problem").alias("payment_problem"),
        )
        .join(named, on=["storefront", "payment_ref"], how="left")
        .with_columns(pl.coalesce("order_ref", "named_ref").alias("order_ref"))
        .sort("storefront", "occurred_at", "payment_ref", "transaction_ref")
    )  # fmt: skip
    twin = ~pl.struct("storefront", "transaction_ref").is_first_distinct()
    return (
        moved.with_columns(
            pl.when(twin)
            .then(pl.col("payment_ref") + ":" + pl.col("transaction_ref"))
            .otherwise(pl.col("transaction_ref"))
            .alias("event_ref")
        )
        .drop("named_ref")
        .join(base.select(*ORDER, "oid", "reason_code"), on=ORDER, how="left", maintain_order="left")
    )


def _receipts(
    charges: pl.DataFrame,
    base: pl.DataFrame,
    events: pl.DataFrame,
    tenders: pl.DataFrame | None,
    policy: RecognitionPolicy,
) -> pl.DataFrame:
    """One receipt per successful charge, for exactly the money that moved; and one per tender the order carries itself."""
    owing = pl.col("reason_code").is_null() | ~pl.col("reason_code").is_in(["test", "store_ignored"])
    paid = charges.filter(owing & pl.col("payment_problem").is_null()).select(
        "oid",
        pl.lit("receipt").alias("event_code"),
        "event_ref",
        "payment_ref",
        "gateway_ref",
        "tender_code",
        pl.col("occurred_at").alias("owed_at"),
        pl.col("paid_currency").alias("event_currency"),
        pl.col("amount_minor").alias("event_minor"),
    )
    if not policy.tender_owes_receipt:
        return paid
    owing_base = base.filter(pl.col("reason_code").is_null())
    tender = (
        tender_receipts(owing_base, tenders, policy.tender_code)
        .join(events.group_by("oid").agg(pl.col("owed_at").min()), on="oid")
        .join(base.select("oid", "currency"), on="oid")
        .select(
            "oid",
            pl.lit("receipt").alias("event_code"),
            "event_ref",
            pl.lit(None, dtype=pl.String).alias("payment_ref"),
            "gateway_ref",
            "tender_code",
            "owed_at",
            pl.col("currency").alias("event_currency"),
            "event_minor",
        )
    )
    return pl.concat([paid, tender])


def _assemble(
    base: pl.DataFrame, events: pl.DataFrame, parts: pl.DataFrame, policy: RecognitionPolicy
) -> pl.DataFrame:
    """recon.owed: events with the order's attributes, components from their parts, dates in the entity's zone."""
    of_component = {f"{component}_minor": component for component in COMPONENTS}
    sums = (
        parts.select(
            "oid",
            "event_code",
            "event_ref",
            pl.col("amount_minor").alias("parts_minor"),
            *(
                pl.when(pl.col("component_code") == component).then("amount_minor").otherwise(0).alias(name)
                for name, component in of_component.items()
            ),
        )
        .group_by("oid", "event_code", "event_ref")
        .agg(pl.col("parts_minor", *of_component).sum())
    )
    attributes = base.select(
        "oid", *ORDER, "order_number", "store_ref", "entity_code", "customer_ref", "currency"
    )
    key = ["oid", "event_code", "event_ref"]
    return (
        events.select(
            *key, "owed_at", "payment_ref", "gateway_ref", "tender_code", "event_currency", "event_minor"
        )
        .join(sums, on=key, how="left")
        .join(attributes, on="oid", how="left")
        .sort("oid", "event_code", "owed_at", "event_ref")
        .with_columns(
            position("oid", "event_code").alias("sequence_no"),
            pl.coalesce("event_currency", "currency").alias("currency"),
            pl.coalesce("event_minor", "parts_minor").fill_null(0).alias("total_minor"),
            *(pl.col(name).fill_null(0) for name in of_component),
            _local_date(policy).alias("owed_on"),
        )
        .sort(*ORDER, "event_code", "sequence_no")
        .select(*OWED_SCHEMA)
        .cast(OWED_SCHEMA)  # type: ignore[arg-type]
    )


def _local_date(policy: RecognitionPolicy) -> pl.Expr:
    """The date of `owed_at` on the entity's calendar. Time zones are few: one expression for each."""
    found = pl.col("owed_at").dt.convert_time_zone(policy.zone).dt.date()
    for zone in sorted(set(policy.zones.values())):
        entities = [entity for entity, one in policy.zones.items() if one == zone]
        found = (
            pl.when(pl.col("entity_code").is_in(entities))
            .then(pl.col("owed_at").dt.convert_time_zone(zone).dt.date())
            .otherwise(found)
        )
    return found


def _lines(base: pl.DataFrame, parts: pl.DataFrame) -> pl.DataFrame:
    """recon.owed_lines, numbered within their event."""
    return (
        parts.join(base.select("oid", *ORDER, "currency"), on="oid")
        .sort("oid", "event_code", "event_ref", "line_no", "component_code", "tax_code", "amount_minor")
        .with_columns(position("oid", "event_code", "event_ref").alias("line_no"))
        .select(*OWED_LINES_SCHEMA)
        .cast(OWED_LINES_SCHEMA)  # type: ignore[arg-type]
    )


def _excluded(
    base: pl.DataFrame, events: pl.DataFrame, returned: pl.DataFrame, moved: pl.DataFrame
) -> pl.DataFrame:
    """What owes nothing, or nothing yet: parts of orders, refunds of prepayments, money without an order."""
    recognised = events.group_by("oid").agg(recognised=pl.col("event_minor").sum())
    orders = (
        base.join(recognised, on="oid", how="left")
        .with_columns(amount_minor=pl.col("total_minor") - pl.col("recognised").fill_null(0))
        .filter(
            (pl.col("amount_minor") != 0)
            | pl.col("reason_code").is_not_null()
            | pl.col("recognised").is_null()
        )
        .with_columns(
            event_code=pl.lit("sale"),
            event_ref=pl.lit(None, dtype=pl.String),
            reason_code=pl.when(pl.col("reason_code").is_not_null())
            .then(pl.col("reason_code"))
            .when(pl.col("status_code") == "cancelled")
            .then(pl.lit("cancelled"))
            .when(pl.col("recognised").is_not_null())
            .then(pl.lit("remainder_not_shipped"))
            .when(pl.col("basis") == "captured")
            .then(pl.lit("unpaid"))
            .when(pl.col("basis") == "invoiced")
            .then(pl.lit("not_invoiced"))
            .otherwise(pl.lit("not_shipped")),
        )
    )
    refunds = returned.join(
        base.select("oid", *ORDER, "order_number", "store_ref", "entity_code", "currency"), on="oid"
    ).with_columns(event_code=pl.lit("credit"), reason_code=pl.lit("prepayment_returned"))
    # Money of orders that owe nothing as a whole, payments that cannot be read, and payments without an order.
    charge = pl.col("kind_code") == "charge"
    silent = pl.col("reason_code").is_in(["test", "store_ignored"]).fill_null(value=False)
    stray = (
        moved.filter(
            pl.col("oid").is_null()
            | (silent & (pl.col("kind_code") != "chargeback"))
            | (charge & pl.col("payment_problem").is_not_null())
            | ((pl.col("kind_code") == "refund") & pl.col("reason_code").is_not_null())
        )
        .join(base.select("oid", "order_number", "store_ref", "entity_code"), on="oid", how="left")
        .with_columns(
            pl.col("store_ref").fill_null(""),
            event_code=pl.when(charge).then(pl.lit("receipt")).otherwise(pl.lit("credit")),
            currency=pl.col("paid_currency"),
            amount_minor=pl.when(charge).then(pl.col("amount_minor")).otherwise(-pl.col("amount_minor")),
            reason_code=pl.when(pl.col("oid").is_null())
            .then(pl.lit("payment_without_order"))
            .when(silent | ~charge)
            .then(pl.col("reason_code"))
            .otherwise(pl.lit("payment_unreadable")),
        )
    )
    plain = [name for name in EXCLUDED_SCHEMA if name not in ("outcome_code", "sentence")]
    return (
        pl.concat([orders.select(plain), refunds.select(plain), stray.select(plain)])
        .with_columns(
            outcome_code=pl.col("reason_code").replace_strict({k: v[0] for k, v in REASONS.items()}),
            sentence=pl.col("reason_code").replace_strict({k: v[1] for k, v in REASONS.items()}),
        )
        .sort("storefront", "order_ref", "event_code", "event_ref", nulls_last=True)
        .select(*EXCLUDED_SCHEMA)
        .cast(EXCLUDED_SCHEMA)  # type: ignore[arg-type]
    )
