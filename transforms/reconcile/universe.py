"""Both sides made ready: orders with their entity and expected customer, ledger documents with sign and scope."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from transforms.queries import as_written
from transforms.reconcile.intake import Inputs, Part
from transforms.reconcile.numbered import looked_up
from transforms.reconcile.policy import Policy
from transforms.reconcile.references import positions
from transforms.text_order import text_order

KIND_OF_CROSSWALK = {"invoice": "invoice", "credit_memo": "adjustment"}


@dataclass(frozen=True)
class Keys:
    """How a storefront identity becomes one key column: the order id alone while there is one storefront, else both."""

    single: str | None

    def of(self) -> pl.Expr:
        """The key; equal for equal (storefront, order_ref) within this run."""
        if self.single is None:
            return pl.concat_str("storefront", pl.lit("\x1f"), "order_ref")
        return pl.when(pl.col("storefront") == self.single).then(pl.col("order_ref"))


def resolved_stores(inputs: Inputs, orders: pl.DataFrame) -> pl.DataFrame:
    """The store mapping for the stores that occur, one row each; a row of its own wins over one for any storefront."""
    stores = inputs.take("stores")
    exact = stores.filter(pl.col("storefront") != "*")
    wild = stores.filter(pl.col("storefront") == "*").drop("storefront")
    if wild.is_empty():
        return exact
    rest = (
        orders.select("storefront", "store_ref")
        .unique()
        .join(exact, on=["storefront", "store_ref"], how="anti")
    )
    return pl.concat([exact, rest.join(wild, on="store_ref").select(exact.columns)])


def prefixes_of(inputs: Inputs) -> list[str]:
    """The invoice prefixes of the stores that have numbered orders, sorted; of the whole, where the inputs are a part of one."""
    if isinstance(inputs, Part):
        return list(inputs.prefixes)
    return prefixes_at(places_of(inputs), inputs)


def places_of(inputs: Inputs) -> pl.DataFrame:
    """(storefront, store_ref, behind): the stores that have numbered orders, and how many orders and events are behind that."""
    number = pl.col("order_number")
    rows = [inputs.some(name, "storefront", "store_ref", "order_number") for name in ("orders", "owed")]
    counted = (
        pl.concat(rows)
        .lazy()
        .filter(number.is_not_null() & (number != ""))
        .group_by("storefront", pl.col("store_ref").fill_null(""))
        .agg(behind=pl.len().cast(pl.Int64))
    )
    return as_written(counted, sum(one.height for one in rows))


def prefixes_at(places: pl.DataFrame, inputs: Inputs) -> list[str]:
    """The invoice prefixes of stores (storefront, store_ref), sorted."""
    occurring = places.select("storefront", "store_ref")
    stores = resolved_stores(inputs, occurring).join(occurring, on=["storefront", "store_ref"], how="semi")
    return sorted(stores.get_column("invoice_prefix").fill_null("").unique().to_list())


def orders_of(inputs: Inputs, policy: Policy) -> tuple[pl.DataFrame, Keys, pl.Series]:
    """Every order once, numbered `g` in the order of its group_ref, with entity, expected customer and dates, the rows in any order; and for
    each row of `owed` the position of its order.

    An order that is owed for but missing among the orders gets a row of its own, so that no owed amount can be lost.
    """
    orders, owed = inputs.take("orders"), inputs.take("owed")
    fronts = pl.concat([orders.get_column("storefront"), owed.get_column("storefront")]).unique().drop_nulls()
    keys = Keys(fronts.item() if len(fronts) == 1 else None)
    orders = orders.with_columns(key=keys.of()).with_row_index("at")
    owing = owed.select(key=keys.of())
    at = positions(orders.select("key", "at"), owing, "at")
    lost = owed.filter(at.is_null())
    if lost.height:
        extra = lost.group_by("storefront", "order_ref").agg(
            pl.col("order_number").min(), pl.col("store_ref").min(), pl.col("currency").min()
        )
        orders = pl.concat(
            [
                orders.drop("at", "key"),
                extra.with_columns(status_code=pl.lit("open"), total_minor=pl.lit(0, pl.Int64)),
            ],
            how="diagonal",
        )
        orders = orders.with_columns(key=keys.of()).with_row_index("at")
        at = positions(orders.select("key", "at"), owing, "at")
    stores = resolved_stores(inputs, orders)
    customers = inputs.take("customer_ids")
    store: str | list[str] = ["storefront", "store_ref"]
    customer: str | list[str] = ["storefront", "customer_ref"]
    if keys.single is not None:
        # One storefront: its name need not take part in joins.
        stores, customers = (
            frame.filter(pl.col("storefront") == keys.single).drop("storefront")
            for frame in (stores, customers)
        )
        store, customer = "store_ref", "customer_ref"
    orders = orders.with_columns(
        store_ref=pl.col("store_ref").fill_null(""),
        currency=pl.col("currency").fill_null(""),
        total_minor=pl.col("total_minor").fill_null(0),
        is_test=pl.col("is_test").fill_null(False),
        is_cancelled=(pl.col("status_code") == "cancelled").fill_null(False),
        group_ref=pl.concat_str("storefront", pl.lit(":"), "order_ref"),
    )
    orders = looked_up(looked_up(orders, stores, store), customers, customer)
    found = (
        orders.with_columns(entity=pl.col("entity_code").fill_null(""), prefix=pl.col("invoice_prefix").fill_null(""))
        .with_columns(
            customer=pl.when(pl.col("customer_ref").is_null()).then(pl.col("guest_customer_id")).otherwise(pl.col("customer_id")),
            placed_on=policy.local_day("placed_at", "entity"),
        )
        .select(
            "group_ref", "key", "storefront", "order_ref", "order_number", "store_ref", "customer_name", "status_code",
            "currency", "total_minor", "due_minor", "tax_included", "is_test", "is_cancelled", "entity", "prefix",
            "customer", "placed_on",
        )
    )  # fmt: skip
    order = text_order(found["group_ref"])
    g = pl.Series("g", [0], pl.UInt32).new_from_index(0, found.height)
    return (
        found.with_columns(g.scatter(order, pl.int_range(found.height, dtype=pl.UInt32, eager=True))),
        keys,
        at,
    )


def documents_of(inputs: Inputs, policy: Policy) -> pl.DataFrame:
    """AR invoices and adjustments in one frame, one row `d` each: whether it stands (`is_counted`) and is the shops' (`by_rule`)."""
    invoices = inputs.take("ar_invoices").select(
        pl.lit("invoice").alias("kind"), pl.col("invoice_ref").alias("ref"), pl.col("invoice_number").alias("number"),
        "reference", "entity_code", "customer_id", "currency", "state_code", "posted_on", "due_on", "total_minor", "is_deleted",
    )  # fmt: skip
    memos = inputs.take("ar_adjustments").select(
        pl.lit("adjustment").alias("kind"), pl.col("adjustment_ref").alias("ref"), pl.col("adjustment_number").alias("number"),
        "reference", "entity_code", "customer_id", "currency", "state_code", "posted_on",
        pl.lit(None, dtype=pl.Date).alias("due_on"), "total_minor", "is_deleted",
    )  # fmt: skip
    return (
        pl.concat([invoices, memos], rechunk=True)
        .rename({"entity_code": "entity"})
        .with_columns(entity=pl.col("entity").fill_null(""), total_minor=pl.col("total_minor").fill_null(0))
        .with_columns(
            is_counted=stands(policy),
            by_rule=policy.scope.hits(
                number="number", reference="reference", customer="customer_id", entity="entity"
            ),
        )
        .with_row_index("d")
    )


def stands(policy: Policy) -> pl.Expr:
    """Whether a ledger row counts: not deleted, not a draft, not reversed (a reversed one and its reversal net to zero)."""
    gone = pl.col("is_deleted").fill_null(False)
    return ~gone & ~pl.col("state_code").str.to_lowercase().is_in(list(policy.ignored_states)).fill_null(
        False
    )


def crosswalk_of(inputs: Inputs, keys: Keys) -> pl.DataFrame:
    """Our own documents that Intacct confirmed: (kind_code, key, event_ref, intacct_key, storefront, order_ref)."""
    ours = inputs.take("crosswalk")
    if ours.is_empty():
        return ours.with_columns(key=pl.lit(None, pl.String))
    return ours.drop_nulls("intacct_key").with_columns(key=keys.of())
