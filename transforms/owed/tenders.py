"""Tenders an order carries itself: `core.order_tenders` from what storefronts state, and the receipts they owe.

Gift cards, store credit and points that a storefront states as figures or rows of the order have no payment, no reference of a gateway
and no day of their own. Each owes a receipt from the account of its own word in tenders.csv when the order's sale is first recognised.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl

from tieout.vocabulary import TENDER_CODES, TENDER_KINDS
from transforms.running import distinct, starts

_ORDER: Final = ["storefront", "order_ref"]
_PLAIN: Final = {"giftcard": "gift_card", "storecredit": "store_credit", "rewardpoints": "reward_points"}
STATED: Final = {
    "order_ref": pl.String(),
    "tender_ref": pl.String(),
    "kind_code": pl.String(),
    "tender_code": pl.String(),
    "currency": pl.String(),
    "amount_minor": pl.Int64(),
}
"""Columns of tenders as a storefront states them; `tender_code` may be null for the kind's own word."""


def kind_of_word(word: str) -> str:
    """The kind of tender that a shop's word (`gift-card`, `Store credit`) names; `other` for a word of its own."""
    return _PLAIN.get("".join(one for one in word.casefold() if one.isalnum()), "other")


def of_figures(heads: pl.DataFrame, figures: Mapping[str, str]) -> pl.DataFrame:
    """`STATED` from columns of orders in minor units, each by the kind of tender it is of; `heads` has `order_ref` and `currency`."""
    return pl.concat(
        [
            heads.filter(pl.col(column).fill_null(0) != 0).select(
                "order_ref",
                tender_ref=pl.lit(kind),
                kind_code=pl.lit(kind),
                tender_code=pl.lit(None, dtype=pl.String),
                currency="currency",
                amount_minor=pl.col(column),
            )
            for column, kind in figures.items()
        ]
    )


def order_tenders(stated: pl.DataFrame, *, storefront: str, run_id: str) -> pl.DataFrame:
    """`core.order_tenders` from `STATED`: rows without an amount are left out, the rest in the order of their kinds and references."""
    rank = pl.col("kind_code").replace_strict(
        dict(zip(TENDER_KINDS, range(len(TENDER_KINDS)), strict=True)), return_dtype=pl.Int8
    )
    rows = (
        stated.select(list(STATED))
        .filter(pl.col("amount_minor") != 0)
        .with_columns(rank=rank)
        .sort("order_ref", "rank", "tender_ref", "amount_minor")
    )
    word = pl.coalesce(
        "tender_code", pl.col("kind_code").replace_strict(TENDER_CODES, default=None, return_dtype=pl.String)
    )
    return rows.select(
        pl.lit(storefront, dtype=pl.String).alias("storefront"),
        "order_ref",
        distinct(rows, "tender_ref", "order_ref").alias("tender_ref"),
        "kind_code",
        pl.coalesce(word, "kind_code").alias("tender_code"),
        "currency",
        "amount_minor",
        pl.lit(run_id, dtype=pl.String).alias("run_id"),
    )


def tender_receipts(base: pl.DataFrame, tenders: pl.DataFrame | None, tender_code: str) -> pl.DataFrame:
    """One row per receipt that an order's tenders owe: `oid`, `event_ref`, `gateway_ref`, `tender_code`, `event_minor`.

    `base` has `oid`, the order's names and `tender_minor` of orders that owe. An order whose `tenders` (`core.order_tenders`) do not
    sum to its `tender_minor` owes one receipt of the whole under `tender_code`: nobody knows how it is divided. The first tender of an
    order is called `tender`, so that what was posted before tenders were told apart keeps its name; further ones carry their reference.
    """
    number = pl.coalesce("order_number", "order_ref")
    orders = base.filter(pl.col("tender_minor") > 0).select("oid", *_ORDER, "order_number", "tender_minor")
    parts = (
        orders.clear()
        if tenders is None
        else orders.join(tenders.filter(pl.col("amount_minor") > 0), on=_ORDER)
    )
    if tenders is None:
        parts = parts.with_columns(
            tender_ref=pl.lit(None, dtype=pl.String),
            tender_code=pl.lit(None, dtype=pl.String),
            kind_code=pl.lit(None, dtype=pl.String),
            amount_minor=pl.lit(None, dtype=pl.Int64),
        )
    sums = parts.group_by("oid").agg(stated=pl.col("amount_minor").sum())
    orders = orders.join(sums, on="oid", how="left", maintain_order="left")
    told = pl.col("stated").eq_missing(pl.col("tender_minor"))
    whole = orders.filter(~told).select(
        "oid",
        event_ref=pl.lit("tender"),
        gateway_ref=pl.lit("tender-") + number,
        tender_code=pl.lit(tender_code),
        event_minor="tender_minor",
    )
    rank = pl.col("kind_code").replace_strict(
        dict(zip(TENDER_KINDS, range(len(TENDER_KINDS)), strict=True)), default=None, return_dtype=pl.Int8
    )
    each = (
        parts.join(orders.filter(told).select("oid"), on="oid", how="semi")
        .with_columns(rank=rank)
        .sort("oid", "rank", "tender_ref")
        .with_columns(
            suffix=pl.when(starts("oid")).then(pl.lit("")).otherwise(pl.lit("-") + pl.col("tender_ref"))
        )
        .select(
            "oid",
            event_ref=pl.lit("tender") + pl.col("suffix"),
            gateway_ref=pl.lit("tender-") + number + pl.col("suffix"),
            tender_code="tender_code",
            event_minor="amount_minor",
        )
    )
    return pl.concat([whole, each])
