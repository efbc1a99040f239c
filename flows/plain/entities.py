"""Which entity plain files belong to: the ledger's files may say it, the shop's hardly ever do.

One entity in the ledger's files is everybody's. With several, a store (or a store and currency) belongs to the entity that bills nearly
all of it; where none does, entities are not compared and everything stands under `ALL`. What was decided is printed with the report.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from flows.plain.stage import NAME
from transforms.reconcile.references import normalised

EVERYTHING: Final = "ALL"
"""The entity of files that name none."""
_NEARLY_ALL: Final = 9  # of ten documents


@dataclass(frozen=True)
class Places:
    """`stores`: store_ref, currency → entity_code and the store as it is shown; `said` is printed with the parameters."""

    stores: pl.DataFrame
    only: str | None
    said: tuple[tuple[str, str], ...]

    def placed_orders(self, orders: pl.DataFrame) -> pl.DataFrame:
        """Orders with the store they are shown under."""
        shown = self.stores.select("store_ref", "currency", "shown")
        return (
            orders.join(shown, on=["store_ref", "currency"], how="left", maintain_order="left")
            .with_columns(store_ref=pl.coalesce("shown", "store_ref"))
            .drop("shown")
        )

    def mapping(self) -> pl.DataFrame:
        """The store mapping as recognition and reconciliation take it."""
        nothing = [
            pl.lit(None, dtype=pl.String).alias(name) for name in ("invoice_prefix", "guest_customer_id")
        ]
        return (
            self.stores.select(
                pl.lit(NAME).alias("storefront"),
                pl.col("shown").alias("store_ref"),
                pl.lit("map").alias("mode"),
                "entity_code",
                *nothing,
            )
            .unique(["storefront", "store_ref"], keep="first", maintain_order=True)
            .sort("store_ref")
        )


def find_places(orders: pl.LazyFrame, invoices: pl.LazyFrame) -> Places:
    """Decide from the orders (order_number, store_ref, currency) and the invoices (entity_code, reference, invoice_number)."""
    stores = orders.select("store_ref", "currency").unique().sort("store_ref", "currency").collect()
    codes = sorted(
        code for code in invoices.select("entity_code").unique().collect()["entity_code"].to_list() if code
    )
    if len(codes) <= 1:
        code = codes[0] if codes else EVERYTHING
        placed = stores.with_columns(entity_code=pl.lit(code), shown="store_ref")
        return Places(placed, code, (("Entity", code if codes else "the files name none; all trade is one"),))
    billed = _billed(orders, invoices)
    for by, shown in (
        (["store_ref"], pl.col("store_ref")),
        (["store_ref", "currency"], _store_and_currency()),
    ):
        clear = _clear(billed, by)
        if clear is not None:
            placed = stores.join(clear, on=by, how="left").with_columns(
                pl.col("entity_code").fill_null(EVERYTHING), shown=shown
            )
            said = [
                (
                    f"Entity of {one['shown'] or 'the store'}",
                    _said(one["entity_code"], one["most"], one["documents"]),
                )
                for one in placed.unique("shown", maintain_order=True).iter_rows(named=True)
            ]
            return Places(placed.drop("most", "documents"), None, tuple(said))
    placed = stores.with_columns(entity_code=pl.lit(EVERYTHING), shown="store_ref")
    listed = ", ".join(codes)
    return Places(
        placed,
        EVERYTHING,
        (("Entity", f"not compared: nothing in the orders tells which of {listed} bills them"),),
    )


def _store_and_currency() -> pl.Expr:
    bare = pl.col("store_ref") == ""
    return pl.when(bare).then("currency").otherwise(pl.format("{}/{}", "store_ref", "currency"))


def _said(entity: str, most: int | None, documents: int | None) -> str:
    if most is None:
        return f"{entity}: no invoice tells whose it is"
    return f"{entity}, which has {most:,} of the {documents:,} invoices found for it; the others are reported"


def _billed(orders: pl.LazyFrame, invoices: pl.LazyFrame) -> pl.DataFrame:
    """Invoices per store, currency and entity, found by reference or number; those that several orders fit are left out."""
    place = ["store_ref", "currency"]
    places = orders.select(place).unique().collect(engine="streaming").sort(place).with_row_index("place")
    # Twelve bytes an order, whatever its number: files of ten million are looked at here whole.
    numbers = (
        orders.select(*place, key=_hashed("order_number"))
        .drop_nulls("key")
        .join(places.lazy(), on=place)
        .select("key", "place")
        .collect(engine="streaming")
    )
    numbers = numbers.filter(~pl.col("key").is_duplicated())
    named = invoices.filter(pl.col("entity_code") != "")
    found = [
        named.select("entity_code", key=_hashed(name))
        .drop_nulls("key")
        .join(numbers.lazy(), on="key")
        .group_by("place", "entity_code")
        .len("n")
        .collect(engine="streaming")
        for name in ("reference", "invoice_number")
    ]
    billed = pl.concat(found).group_by("place", "entity_code").agg(pl.col("n").sum())
    return billed.join(places, on="place").select(*place, "entity_code", "n")


def _hashed(name: str) -> pl.Expr:
    plain = normalised(name)
    return pl.when(plain.is_not_null()).then(plain.hash(seed=13))


def _clear(billed: pl.DataFrame, by: list[str]) -> pl.DataFrame | None:
    """The entity of each key, if every key has one with nearly all of its documents; otherwise None."""
    counted = (
        billed.group_by(*by, "entity_code")
        .agg(most=pl.col("n").sum().cast(pl.Int64))
        .with_columns(documents=pl.col("most").sum().over(by))
        .sort("most", "entity_code", descending=[True, False])
        .unique(by, keep="first", maintain_order=True)
    )
    clear = counted.filter(pl.col("most") * 10 >= pl.col("documents") * _NEARLY_ALL)
    return clear if clear.height == counted.height and counted.height else None


@dataclass(frozen=True)
class LedgerPlaces:
    """The ledger's tables with an entity in every row."""

    invoices: pl.LazyFrame
    memos: pl.LazyFrame
    receipts: pl.LazyFrame


def placed_ledger(
    places: Places,
    *,
    invoices: pl.LazyFrame,
    memos: pl.LazyFrame,
    receipts: pl.LazyFrame,
    applications: pl.LazyFrame,
    order_entities: pl.LazyFrame,
    payment_entities: pl.LazyFrame,
) -> LedgerPlaces:
    """Entities of the ledger's rows: their own; else the invoice's they are applied to; else the order's or payment's they refer to.

    `order_entities` has plain (the normalised order number) and entity; `payment_entities` plain (the payment's reference) and entity.
    """
    if places.only is not None:
        only = pl.lit(places.only).alias("entity_code")
        return LedgerPlaces(*(frame.with_columns(only) for frame in (invoices, memos, receipts)))
    own = _with_entity(invoices, "reference", order_entities)
    of_invoice = own.select("invoice_ref", of_invoice="entity_code")
    links = applications.join(of_invoice, on="invoice_ref")

    def through(column: str) -> pl.LazyFrame:
        return links.drop_nulls(column).group_by(column).agg(applied=pl.col("of_invoice").min())

    memos = memos.join(through("adjustment_ref"), on="adjustment_ref", how="left")
    receipts = receipts.join(through("receipt_ref"), on="receipt_ref", how="left")
    return LedgerPlaces(
        own,
        _with_entity(memos, "reference", order_entities, "applied"),
        _with_entity(receipts, "reference", payment_entities, "applied"),
    )


def _with_entity(rows: pl.LazyFrame, reference: str, entities: pl.LazyFrame, *others: str) -> pl.LazyFrame:
    known = entities.drop_nulls("plain").group_by("plain").agg(referred=pl.col("entity").min())
    own = pl.when(pl.col("entity_code") != "").then("entity_code")
    return (
        rows.with_columns(_plain=normalised(reference))
        .join(known, left_on="_plain", right_on="plain", how="left")
        .with_columns(entity_code=pl.coalesce(own, *others, "referred", pl.lit(EVERYTHING)))
        .drop("_plain", "referred", *others)
    )
