"""How far finance's mappings cover the codes the shops use, ranked by the money that waits for them.

Every code is on one of four lists: `known` (a row maps it), `ignored` (a row says `ignore`, on purpose), `fixable` (no row, and one
known code is so close that a person need only confirm it), `missing` (no row). Codes of the last two hold their orders.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from tieout.vocabulary import NO_MEANING, RETURN_WORDS
from transforms.mapping.applied import resolve

LISTS: Final = ("known", "fixable", "ignored", "missing")


@dataclass(frozen=True)
class Subject:
    """One mapping as coverage sees it: its key columns and what a code without a row blocks."""

    name: str
    keys: tuple[str, ...]
    blocks: str


SUBJECTS: Final = (
    Subject("stores", ("storefront", "store_ref"), "every order of the store"),
    Subject("items", ("storefront", "sku"), "every order with the SKU"),
    Subject(
        "accounts",
        ("storefront", "store_ref", "component_code", "category_ref"),
        "every document with such a line",
    ),
    Subject("taxes", ("storefront", "tax_code"), "every order with the tax"),
    Subject("tenders", ("storefront", "entity_code", "tender_code"), "every order paid that way"),
    Subject("statuses", ("storefront", "subject", "status"), "every order with the status"),
    Subject("warehouses", ("storefront", "location_ref"), "the stock of the location; no order waits"),
)
_ORDER: Final = ["storefront", "order_ref"]
_COMPONENTS: Final = {"item": "goods", "fee": "fees"}


def used_codes(
    tables: Mapping[str, pl.DataFrame], stores: pl.DataFrame, items: pl.DataFrame
) -> dict[str, pl.DataFrame]:
    """Per mapping the codes in use: its keys with `order_ref`, `currency` and `total_minor` of each order that carries the code.

    `tables` are core.orders, order_lines, payments, order_payments, order_tenders, returns and stock. Tests and orders that could not be read are left out,
    save those whose status nobody knows: no mapping would let the others go.
    """
    orders = (
        tables["core.orders"]
        .filter(pl.col("problem").is_null() & ~pl.col("is_test"))
        .select(*_ORDER, "store_ref", "currency", "total_minor")
    )
    lines = tables["core.order_lines"]
    sold = lines.filter(pl.col("kind_code").is_in(["item", "gift_card"]) & pl.col("sku").is_not_null())
    taxed = lines.filter((pl.col("tax_minor") != 0) & pl.col("tax_code").is_not_null())
    named = tables["core.order_payments"].select("storefront", "payment_ref", named_ref="order_ref")
    paid = (
        tables["core.payments"]
        .filter((pl.col("kind_code") == "charge") & (pl.col("state_code") == "success"))
        .select("storefront", "payment_ref", "order_ref", pl.col("tender_code").fill_null(""))
        .join(
            named.unique(["storefront", "payment_ref"], keep="any"),
            on=["storefront", "payment_ref"],
            how="left",
        )
        .select("storefront", "tender_code", order_ref=pl.coalesce("order_ref", "named_ref"))
    )
    paid = pl.concat([paid, tables["core.order_tenders"].select("storefront", "tender_code", "order_ref")])
    placed, _ = resolve(
        orders, stores.select("storefront", "store_ref", "mode", "entity_code"), ["storefront", "store_ref"]
    )
    placed = placed.filter(pl.col("entity_code").is_not_null())

    def of(rows: pl.DataFrame, *keys: str) -> pl.DataFrame:
        carried = rows.select(*dict.fromkeys([*_ORDER, *keys])).unique()
        return orders.join(carried, on=_ORDER).select(*keys, "order_ref", "currency", "total_minor")

    placed_lines, _ = resolve(
        lines.with_columns(pl.col("sku").fill_null("")),
        items.select("storefront", "sku", item_category="category_ref"),
        ["storefront", "sku"],
    )
    grouped = lines.join(
        placed_lines.select(*_ORDER, "line_ref", "item_category"), on=[*_ORDER, "line_ref"], how="left"
    ).with_columns(
        component_code=pl.col("kind_code").replace(_COMPONENTS),
        category_ref=pl.coalesce("item_category", "category_ref", pl.lit("*")),
    )
    posted = orders.join(
        grouped.select(*_ORDER, "component_code", "category_ref").unique(), on=_ORDER
    ).select(
        "storefront", "store_ref", "component_code", "category_ref", "order_ref", "currency", "total_minor"
    )
    places = tables["core.stock"].filter(pl.col("source") != "intacct")
    return {
        "stores": orders.select("storefront", "store_ref", "order_ref", "currency", "total_minor"),
        "items": of(sold, "storefront", "sku"),
        "accounts": posted,
        "statuses": _statuses(tables, orders),
        "taxes": of(taxed, "storefront", "tax_code"),
        "tenders": placed.join(paid.unique(), on=_ORDER).select(
            "storefront", "entity_code", "tender_code", "order_ref", "currency", "total_minor"
        ),
        "warehouses": places.select(storefront="source", location_ref="location_ref").unique().with_columns(
            order_ref=pl.lit(None, dtype=pl.String), currency=pl.lit(None, dtype=pl.String), total_minor=pl.lit(None, dtype=pl.Int64)
        ),
    }  # fmt: skip


def status_word() -> pl.Expr:
    """The status word that a record's `problem` says nobody knows; null for none."""
    return pl.col("problem").str.extract(r"status '([^']*)' " + NO_MEANING, 1)


def _statuses(tables: Mapping[str, pl.DataFrame], orders: pl.DataFrame) -> pl.DataFrame:
    """Status words that no kind of storefront knows by itself: of orders held for them, of payments and of returns."""
    held = tables["core.orders"].filter(~pl.col("is_test")).with_columns(
        subject=pl.when(pl.col("problem").str.contains("shipment status '", literal=True)).then(pl.lit("shipment")).otherwise(pl.lit("order")),
        status=status_word(),
    )  # fmt: skip
    named = tables["core.order_payments"].select("storefront", "payment_ref", named_ref="order_ref")
    moved = (
        tables["core.payments"]
        .with_columns(status=status_word())
        .filter(pl.col("status").is_not_null())
        .select("storefront", "payment_ref", "order_ref", "status")
        .join(named, on=["storefront", "payment_ref"], how="left")
        .select("storefront", "status", order_ref=pl.coalesce("order_ref", "named_ref"))
    )
    paid = orders.join(moved.unique(), on=_ORDER).with_columns(subject=pl.lit("payment"))
    back = tables["core.returns"].filter(~pl.col("state_code").is_in(list(RETURN_WORDS)))
    returned = orders.join(back.select(*_ORDER, status="state_code").unique(), on=_ORDER).with_columns(
        subject=pl.lit("return")
    )
    columns = ["storefront", "subject", "status", "order_ref", "currency", "total_minor"]
    return pl.concat(
        [part.filter(pl.col("status").is_not_null()).select(columns) for part in (held, paid, returned)]
    )


def coverage(codes: pl.DataFrame, mapping: pl.DataFrame, subject: Subject) -> pl.DataFrame:
    """One row per code and currency: the keys, `list_code` (known, ignored or missing), `currency`, `orders_count`, `amount_minor`
    (sum of the orders that carry the code), and `csv_row`, the row to add for a missing code with `<…>` where a person must fill in.

    Missing codes come first, those with the most money before the others; currencies are never added up.
    """
    keys = list(subject.keys)
    mapped, unmapped = resolve(codes, mapping, keys)
    mode = pl.col("mode") if "mode" in mapped.columns else pl.lit("map")
    listed = pl.concat(
        [
            mapped.with_columns(list_code=pl.when(mode == "ignore").then(pl.lit("ignored")).otherwise(pl.lit("known"))).select(
                *codes.columns, "list_code"
            ),
            unmapped.with_columns(list_code=pl.lit("missing")),
        ]
    )  # fmt: skip
    cells = [_blank(name, keys) for name in mapping.columns]
    return (
        listed.group_by(*keys, "list_code", "currency")
        .agg(
            orders_count=pl.col("order_ref").n_unique().cast(pl.Int64) - pl.col("order_ref").is_null().any().cast(pl.Int64),
            amount_minor=pl.col("total_minor").sum(),
        )
        .with_columns(
            csv_row=pl.when(pl.col("list_code") == "missing").then(pl.concat_str(cells, separator=",")),
            _last=pl.col("list_code") != "missing",
        )
        .sort("_last", "amount_minor", *keys, "currency", descending=[False, True, *[False] * (len(keys) + 1)], nulls_last=True)
        .drop("_last")
    )  # fmt: skip


def _blank(name: str, keys: list[str]) -> pl.Expr:
    if name in keys:
        return csv_cell(pl.col(name))
    return pl.lit({"mode": "map", "note": ""}.get(name, f"<{name}>"))


def csv_cell(value: pl.Expr) -> pl.Expr:
    """A value as a CSV cell, quoted where it must be; null is an empty cell."""
    text = value.cast(pl.String).fill_null("")
    quoted = pl.format('"{}"', text.str.replace_all('"', '""', literal=True))
    return pl.when(text.str.contains(r'[",\r\n]')).then(quoted).otherwise(text)
