"""Row rules on mappings: a code that no row of a mapping fits holds its orders, and the finding prints the CSV row to add.

The look-up here is written apart from the one that plans documents, so that one can catch the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from checks.findings import Limits, Tables, rule
from tieout.vocabulary import NO_MEANING, RETURN_WORDS

_ORDER = ["storefront", "order_ref"]


def without_a_row(codes: pl.DataFrame, mapping: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """The distinct `keys` of a frame that no row of the mapping fits: exactly, by a prefix ending in `*`, or by `*`."""
    keys = list(keys)
    wanted = codes.select(keys).unique().join(mapping.select(keys), on=keys, how="anti")
    open_ended = mapping.select(keys).filter(
        pl.any_horizontal(pl.col(key).str.ends_with("*") for key in keys)
    )
    if wanted.is_empty() or open_ended.is_empty():
        return wanted
    fits = pl.all_horizontal(
        (pl.col(key) == pl.col(f"{key}_rule"))
        | (
            pl.col(f"{key}_rule").str.ends_with("*")
            & pl.col(key).str.starts_with(pl.col(f"{key}_rule").str.strip_suffix("*"))
        )
        for key in keys
    )
    fitting = wanted.join(open_ended.rename({key: f"{key}_rule" for key in keys}), how="cross").filter(fits)
    return wanted.join(fitting, on=keys, how="anti")


def _orders(tables: Tables) -> pl.DataFrame:
    return tables["core.orders"].filter(pl.col("problem").is_null() & ~pl.col("is_test"))


def _findings(rows: pl.DataFrame, code: str, sentence: pl.Expr) -> pl.DataFrame:
    return rows.select(
        *_ORDER,
        "order_number",
        "currency",
        pl.format("{}/{}", "order_ref", pl.col(code).fill_null("")).alias("subject_ref"),
        pl.col("total_minor").alias("amount_minor"),
        sentence.alias("sentence"),
    ).unique(["storefront", "subject_ref"], keep="first", maintain_order=True)


def _named() -> pl.Expr:
    return pl.coalesce("order_number", "order_ref")


def _cell(name: str) -> pl.Expr:
    """A value as a CSV cell: quoted where it must be."""
    text = pl.col(name)
    quoted = pl.lit('"') + text.str.replace_all('"', '""', literal=True) + pl.lit('"')
    return pl.when(text.str.contains(r'[",\r\n]')).then(quoted).otherwise(text)


@rule(
    "Every store has an entity.",
    code="store_unmapped",
    severity="hold",
    reads=("core.orders", "mappings.stores"),
)
def store_unmapped(tables: Tables, limits: Limits) -> pl.DataFrame:
    """Orders of a store that stores.csv does not know."""
    keys = ["storefront", "store_ref"]
    orders = _orders(tables)
    offending = orders.join(without_a_row(orders, tables["mappings.stores"], keys), on=keys)
    return _findings(
        offending,
        "store_ref",
        pl.format(
            "Order {}: store '{}' has no entity; add to stores.csv: {},{},map,<entity>,<location>,,<invoice prefix>,<guest customer>,",
            _named(), "store_ref", _cell("storefront"), _cell("store_ref"),
        ),
    )  # fmt: skip


@rule(
    "Every item sold is mapped.", code="sku_unmapped", severity="hold",
    reads=("core.orders", "core.order_lines", "mappings.items"),
)  # fmt: skip
def sku_unmapped(tables: Tables, limits: Limits) -> pl.DataFrame:
    """Orders with an item that items.csv does not know. Items of no money count too: they leave the warehouse."""
    keys = ["storefront", "sku"]
    sold = tables["core.order_lines"].filter(
        pl.col("kind_code").is_in(["item", "gift_card"]) & pl.col("sku").is_not_null()
    )
    missing = without_a_row(sold, tables["mappings.items"], keys)
    offending = _orders(tables).join(sold.join(missing, on=keys).select(*_ORDER, "sku").unique(), on=_ORDER)
    return _findings(
        offending,
        "sku",
        pl.format(
            "Order {}: SKU '{}' is not mapped; add to items.csv: {},{},map,<item>,<category>,",
            _named(), "sku", _cell("storefront"), _cell("sku"),
        ),
    )  # fmt: skip


@rule(
    "Every tax has a liability account.", code="tax_code_unmapped", severity="hold",
    reads=("core.orders", "core.order_lines", "mappings.taxes"),
)  # fmt: skip
def tax_code_unmapped(tables: Tables, limits: Limits) -> pl.DataFrame:
    """Orders with tax under a name that taxes.csv does not know."""
    keys = ["storefront", "tax_code"]
    taxed = tables["core.order_lines"].filter((pl.col("tax_minor") != 0) & pl.col("tax_code").is_not_null())
    missing = without_a_row(taxed, tables["mappings.taxes"], keys)
    offending = _orders(tables).join(
        taxed.join(missing, on=keys).select(*_ORDER, "tax_code").unique(), on=_ORDER
    )
    return _findings(
        offending,
        "tax_code",
        pl.format(
            "Order {}: tax '{}' has no account; add to taxes.csv: {},{},map,<account>,,,",
            _named(), "tax_code", _cell("storefront"), _cell("tax_code"),
        ),
    )  # fmt: skip


def _word() -> pl.Expr:
    """The status word a problem speaks of."""
    return pl.col("problem").str.extract(r"status '([^']*)' " + NO_MEANING, 1)


@rule(
    "Every status of an order has a meaning.", code="status_unmapped", severity="hold", reads=("core.orders",)
)
def status_unmapped(tables: Tables, limits: Limits) -> pl.DataFrame:
    """Orders whose own status word, or that of a shipment of theirs, is unknown to their kind of storefront and to statuses.csv."""
    offending = (
        tables["core.orders"]
        .filter(pl.col("problem").str.starts_with("status_unknown:"))
        .with_columns(
            status=_word().fill_null(""),
            of_shipment=pl.col("problem").str.contains("shipment status '", literal=True),
        )
    )
    return _findings(
        offending,
        "status",
        pl.when("of_shipment")
        .then(
            pl.format(
                "Order {}: a shipment has the status '{}', which has no meaning; add to statuses.csv: {},shipment,{},map,<expected, shipped or cancelled>,",
                _named(), "status", _cell("storefront"), _cell("status"),
            )
        )
        .otherwise(
            pl.format(
                "Order {}: status '{}' has no meaning; add to statuses.csv: {},order,{},map,<open, processing, complete, cancelled or held>,",
                _named(), "status", _cell("storefront"), _cell("status"),
            )
        ),
    )  # fmt: skip


@rule(
    "Every status of a return has a meaning.", code="return_status_unmapped", severity="hold",
    reads=("core.orders", "core.returns", "mappings.statuses"),
)  # fmt: skip
def return_status_unmapped(tables: Tables, limits: Limits) -> pl.DataFrame:
    """Orders with a return whose status word neither statuses.csv nor the list of usual words knows: whether goods came back decides how
    their refund is posted."""
    keys = ["storefront", "status"]
    said = tables["core.returns"].filter(pl.col("state_code").is_not_null()).rename({"state_code": "status"})
    said = said.filter(~pl.col("status").is_in(list(RETURN_WORDS)))
    rows = tables["mappings.statuses"].filter(pl.col("subject") == "return")
    missing = without_a_row(said, rows, keys)
    offending = _orders(tables).join(
        said.join(missing, on=keys).select(*_ORDER, "status").unique(), on=_ORDER
    )
    return _findings(
        offending,
        "status",
        pl.format(
            "Order {}: a return has the status '{}', which has no meaning; add to statuses.csv: {},return,{},map,<expected, received or refused>,",
            _named(), "status", _cell("storefront"), _cell("status"),
        ),
    )  # fmt: skip


def _with_entity(orders: pl.DataFrame, stores: pl.DataFrame) -> pl.DataFrame:
    """The orders with the entity of their store: its own row first, then one for any storefront, then one for any store."""
    mapped = stores.filter(pl.col("mode") == "map").select("storefront", "store_ref", "entity_code")
    anywhere = mapped.filter(pl.col("storefront") == "*").select("store_ref", any_front="entity_code")
    any_store = mapped.filter(pl.col("store_ref") == "*").select("storefront", any_store="entity_code")
    return (
        orders.join(mapped, on=["storefront", "store_ref"], how="left")
        .join(anywhere, on="store_ref", how="left")
        .join(any_store, on="storefront", how="left")
        .with_columns(entity_code=pl.coalesce("entity_code", "any_front", "any_store"))
    )


@rule(
    "Every payment method has a clearing account.", code="tender_unmapped", severity="hold",
    reads=("core.orders", "core.payments", "core.order_payments", "core.order_tenders", "mappings.stores", "mappings.tenders"),
)  # fmt: skip
def tender_unmapped(tables: Tables, limits: Limits) -> pl.DataFrame:
    """Orders paid by a method, or by a tender of their own, that tenders.csv does not know for their entity."""
    keys = ["storefront", "entity_code", "tender_code"]
    named = tables["core.order_payments"].select("storefront", "payment_ref", named_ref="order_ref")
    paid = (
        tables["core.payments"]
        .filter((pl.col("kind_code") == "charge") & (pl.col("state_code") == "success"))
        .select("storefront", "payment_ref", "order_ref", pl.col("tender_code").fill_null(""))
        .join(named, on=["storefront", "payment_ref"], how="left")
        .with_columns(order_ref=pl.coalesce("order_ref", "named_ref"))
        .select("storefront", "order_ref", "tender_code")
    )
    carried = tables["core.order_tenders"].select("storefront", "order_ref", "tender_code")
    paid = pl.concat([paid, carried]).unique()
    # Where the store itself has no entity another rule speaks; one fault, one finding.
    placed = _with_entity(_orders(tables), tables["mappings.stores"]).filter(
        pl.col("entity_code").is_not_null()
    )
    rows = placed.join(paid, on=_ORDER)
    offending = rows.join(without_a_row(rows, tables["mappings.tenders"], keys), on=keys)
    return _findings(
        offending,
        "tender_code",
        pl.format(
            "Order {}: payment method '{}' has no clearing account; add to tenders.csv: {},{},{},map,<account>,<method>,",
            _named(), "tender_code", _cell("storefront"), _cell("entity_code"), _cell("tender_code"),
        ),
    )  # fmt: skip
