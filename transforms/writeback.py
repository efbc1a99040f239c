"""What the storefronts should show that the ledger owns: document numbers, paid state, status, prices, customer accounts.

Rows, not calls: one per storefront, field and record, with the value as canonical JSON and its hash. What was written before with the
same hash is left out, so a second run plans nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from transforms.accounts import mapped_item, most_specific
from transforms.identity import content_hashes, minted

PLANNED_SCHEMA: Final[dict[str, pl.DataType]] = {
    "storefront": pl.String(),
    "field": pl.String(),
    "key": pl.String(),
    "subject_ref": pl.String(),
    "order_number": pl.String(),
    "value": pl.String(),
    "content_sha256": pl.String(),
}
SETTLED: Final = ("written", "unchanged")
"""Outcomes after which the same value is not tried again."""
UNSUPPORTED: Final = "unsupported"
_ORDER: Final = ["storefront", "order_ref"]
_VALUE: Final = ["storefront", "field", "key", "content_sha256"]


def order_documents(
    documents: pl.DataFrame, document_orders: pl.DataFrame, outbox: pl.DataFrame, found: pl.DataFrame
) -> pl.DataFrame:
    """Invoices and credit memos that stand in the ledger, per order: `storefront`, `order_ref`, `kind_code`, `number`, `ledger_key`,
    `document_on`; ours once accepted, and those that stood there already (`ops.found`)."""
    kinds = ["invoice", "credit_memo"]
    ours = (
        documents.filter(pl.col("kind_code").is_in(kinds))
        .join(
            outbox.filter((pl.col("state_code") == "accepted") & pl.col("intacct_key").is_not_null()).select(
                "document_id", ledger_key="intacct_key"
            ),
            on="document_id",
        )
        .select("document_id", "kind_code", "number", "ledger_key", "document_on")
        .join(document_orders.select("document_id", *_ORDER).unique(), on="document_id")
        .drop("document_id")
    )
    theirs = found.filter(pl.col("kind_code").is_in(kinds) & pl.col("intacct_key").is_not_null()).select(
        *_ORDER,
        "kind_code",
        number=pl.coalesce("number", "intacct_key"),
        ledger_key="intacct_key",
        document_on=pl.lit(None, dtype=pl.Date),
    )
    columns = [*_ORDER, "kind_code", "number", "ledger_key", "document_on"]
    return (
        pl.concat([ours.select(columns), theirs.select(columns)])
        .unique()
        .sort(*_ORDER, "document_on", "number", nulls_last=False)
    )


def documents_noted(of_orders: pl.DataFrame, orders: pl.DataFrame) -> pl.DataFrame:
    """`order.document`: all documents of an order as one value."""
    listed = of_orders.group_by(_ORDER, maintain_order=True).agg(
        documents=pl.struct(
            kind="kind_code", number="number", ledger_key="ledger_key", posted_on=pl.col("document_on").cast(pl.String)
        )
    )  # fmt: skip
    return _planned(_numbered(listed, orders), "order.document", "order_ref", pl.struct("documents"))


def paid_states(
    of_orders: pl.DataFrame, invoices: pl.DataFrame, adjustments: pl.DataFrame, orders: pl.DataFrame
) -> pl.DataFrame:
    """`order.paid_state`: open, partly_paid, paid or credit_owed by what the ledger has due on the order's documents.

    A document of the ledger that was not read back yet, or is deleted, says nothing: then the order is left out.
    """
    due = pl.concat(
        [
            invoices.filter(~pl.col("is_deleted")).select(
                pl.lit("invoice").alias("kind_code"), ledger_key="invoice_ref", total="total_minor", due="due_minor"
            ),
            adjustments.filter(~pl.col("is_deleted")).select(
                pl.lit("credit_memo").alias("kind_code"), ledger_key="adjustment_ref", total="total_minor", due="due_minor"
            ),
        ]
    )  # fmt: skip
    known = of_orders.join(due, on=["kind_code", "ledger_key"], how="left")
    invoice, credit = pl.col("kind_code") == "invoice", pl.col("kind_code") == "credit_memo"
    summed = (
        known.group_by(_ORDER)
        .agg(
            is_known=pl.col("due").is_not_null().all(),
            has_invoice=invoice.any(),
            total=pl.col("total").filter(invoice).sum(),
            due=pl.col("due").filter(invoice).sum(),
            credit=pl.col("due").filter(credit).sum(),
        )
        .filter("is_known", "has_invoice")
    )
    state = (
        pl.when((pl.col("due") <= 0) & (pl.col("due") + pl.col("credit") < 0))
        .then(pl.lit("credit_owed"))
        .when(pl.col("due") <= 0)
        .then(pl.lit("paid"))
        .when(pl.col("due") < pl.col("total"))
        .then(pl.lit("partly_paid"))
        .otherwise(pl.lit("open"))
    )
    rows = _numbered(summed.with_columns(state=state).select(*_ORDER, "state"), orders)
    return _planned(rows, "order.paid_state", "order_ref", pl.struct("state"))


def order_statuses(paid: pl.DataFrame, owed: pl.DataFrame, orders: pl.DataFrame) -> pl.DataFrame:
    """`order.status`: complete, once everything the order is owed has been invoiced and paid in the ledger.

    `paid` is what `paid_states` planned (before anything was left out), `owed` the part of each order that is recognised
    (`storefront`, `order_ref`, `recognised_minor`). An order the storefront has complete, cancelled or on hold already is left alone.
    """
    is_paid = paid.filter(pl.col("value").str.json_path_match("$.state").is_in(["paid"])).select(
        "storefront", order_ref="subject_ref"
    )
    whole = owed.join(orders.select(*_ORDER, "total_minor", "status_code"), on=_ORDER).filter(
        (pl.col("recognised_minor") == pl.col("total_minor"))
        & pl.col("status_code").is_in(["open", "processing"])
    )
    rows = _numbered(whole.join(is_paid, on=_ORDER).select(*_ORDER), orders).with_columns(
        status_code=pl.lit("complete")
    )
    return _planned(rows, "order.status", "order_ref", pl.struct("status_code"))


def prices_told(
    prices: pl.DataFrame, price_lists: pl.DataFrame, listed: pl.DataFrame, items: pl.DataFrame
) -> pl.DataFrame:
    """`price`: for every SKU a storefront lists, the price of its item on each price list that is meant for the storefront.

    `prices` is core.prices, `price_lists` price_lists.csv (which list is which currency and customer level), `listed` the SKUs
    (`storefront`, `sku`), `items` items.csv. A piece of several units of an item costs its own price: it is left out unless the
    ledger keeps an item for it.
    """
    named = items.with_columns(item_rule=pl.col("sku"), item_mode=pl.col("mode"))
    skus = most_specific(
        listed.select("storefront", "sku").unique().sort("storefront", "sku"),
        named,
        ["storefront", "sku"],
        ["item_ref", "item_rule", "item_mode", "pack_qty"],
    ).with_columns(item_ref=pl.coalesce(mapped_item(), "sku"))
    skus = skus.filter(
        (pl.col("item_mode") == "map").fill_null(value=False)
        & (pl.col("pack_qty").cast(pl.Decimal(18, 4)).fill_null(1) == 1)
    )
    meant = price_lists.filter(pl.col("mode") == "map").drop("mode", "note")
    fronts = skus.select("storefront").unique()
    own = meant.filter(pl.col("storefront") != "*")
    everywhere = fronts.join(meant.filter(pl.col("storefront") == "*").drop("storefront"), how="cross")
    rows = (
        skus.join(pl.concat([own, everywhere.select(own.columns)]), on="storefront")
        .join(prices.select("price_list_ref", "item_ref", "amount"), on=["price_list_ref", "item_ref"])
        .with_columns(
            order_number=pl.lit(None, dtype=pl.String),
            amount=pl.col("amount").cast(pl.String).str.strip_chars_end("0").str.strip_chars_end("."),
            key_ref=pl.concat_str("sku", "currency", pl.col("level").fill_null(""), separator="|"),
        )
    )
    value = pl.struct("sku", "currency", "amount", "level")
    return _planned(rows, "price", "sku", value, by="key_ref")


def accounts_told(documents: pl.DataFrame, outbox: pl.DataFrame, customers: pl.DataFrame) -> pl.DataFrame:
    """`customer.account`: the ledger's customer id, for customers the ledger has and keeps active.

    `customers` are the ledger's (`customer_id`, `is_active`).
    """
    active = customers.filter(pl.col("is_active")).select("customer_id")
    rows = (
        documents.filter((pl.col("kind_code") == "customer") & (pl.col("event_ref") != pl.col("number")))
        .join(outbox.filter(pl.col("state_code") == "accepted").select("document_id"), on="document_id")
        .join(active, on="customer_id")
        .select("storefront", "customer_id", customer_ref="event_ref")
        .with_columns(order_number=pl.lit(None, dtype=pl.String))
    )
    return _planned(rows, "customer.account", "customer_ref", pl.struct("customer_id"))


def changed(planned: pl.DataFrame, writes: pl.DataFrame) -> pl.DataFrame:
    """The rows whose value the storefront was not given yet: by the newest settled write (ops.writes) of the same key."""
    return planned.join(_newest(writes, SETTLED), on=_VALUE, how="anti", maintain_order="left")


def told_before(planned: pl.DataFrame, writes: pl.DataFrame) -> pl.DataFrame:
    """The rows of which was recorded already that the storefront has no place for this value."""
    return planned.join(_newest(writes, (UNSUPPORTED,)), on=_VALUE, how="semi", maintain_order="left")


def _newest(writes: pl.DataFrame, outcomes: Sequence[str]) -> pl.DataFrame:
    return (
        writes.filter(pl.col("outcome").is_in(outcomes))
        .sort("at", "run_id")
        .unique(["storefront", "field", "key"], keep="last", maintain_order=True)
        .select(_VALUE)
    )


def together(parts: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """All planned rows in a fixed order."""
    empty = pl.DataFrame(schema=PLANNED_SCHEMA)
    return pl.concat([empty, *parts.values()]).sort("storefront", "field", "subject_ref", "key")


def _numbered(rows: pl.DataFrame, orders: pl.DataFrame) -> pl.DataFrame:
    return rows.join(orders.select(*_ORDER, "order_number"), on=_ORDER)


def _planned(
    rows: pl.DataFrame, field: str, subject: str, value: pl.Expr, *, by: str | None = None
) -> pl.DataFrame:
    """Rows in the planned shape; `by` is the column that tells several values of one record apart."""
    shaped = rows.select(
        "storefront",
        pl.lit(field).alias("field"),
        pl.col(by or subject).alias("named"),
        pl.col(subject).alias("subject_ref"),
        "order_number",
        value.struct.json_encode().alias("value"),
    )
    shaped = shaped.with_columns(minted(shaped, "writeback", ["storefront", "field", "named"]).alias("key"))
    return shaped.with_columns(content_hashes(shaped, ["storefront", "field", "named", "value"])).select(
        *PLANNED_SCHEMA
    )
