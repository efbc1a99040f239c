"""Prices of the ledger: the base price each item carries.

Field names of ITEM after the Sage Intacct Web Services documentation, Items. In which currency a base price is kept is not told by the
record: price_lists.csv says it.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from transforms.intacct.documents import Reading, stamp
from transforms.staged import Staged

BASE_LIST: Final = "BASE"
_PRICE: Final = pl.Decimal(28, 12)


def base_prices(raw: pl.DataFrame, *, run_id: str, gmt_offset: str = "+00:00") -> Staged:
    """`core.prices` of price list `BASE` from ITEM rows; an item without a base price has none."""
    read = Reading(raw, "ITEM", ("RECORDNO", "ITEMID", "STATUS", "BASEPRICE", "WHENMODIFIED"))
    read.decimals(BASEPRICE=_PRICE)
    read.must("ITEMID")
    table = (
        read.sound()
        .filter(pl.col("BASEPRICE").is_not_null())
        .select(
            pl.lit(BASE_LIST).alias("price_list_ref"),
            pl.col("ITEMID").alias("item_ref"),
            pl.col("BASEPRICE").alias("amount"),
            pl.col("STATUS")
            .fill_null("active")
            .str.to_lowercase()
            .is_in(["active", "t", "true"])
            .alias("is_active"),
            pl.coalesce(stamp("WHENMODIFIED", gmt_offset), "updated_at").alias("changed_at"),
            "payload_sha256",
            pl.lit(run_id, dtype=pl.String).alias("run_id"),
        )
    )
    return Staged({"core.prices": table}, read.problems())
