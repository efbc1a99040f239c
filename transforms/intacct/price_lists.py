"""Entries of the ledger's price lists: read by the names a company gives its fields, and which of them hold on a day.

The object is not documented; a company's own fields are asked of `lookup` (Sage Intacct Web Services documentation, Price lists).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

import polars as pl

from transforms.intacct.rows import Reading, stamp
from transforms.staged import PRICE, QUANTITY, Staged

_ACTIVE: Final = ("active", "t", "true")
_LIST: Final = ["price_list_ref", "item_ref"]


def entries(
    raw: pl.DataFrame,
    *,
    run_id: str,
    subject: str,
    fields: Mapping[str, str],
    kinds: Sequence[str] = (),
    gmt_offset: str = "+00:00",
) -> Staged:
    """`core.price_list_entries`. `fields` says which field holds `price_list`, `item`, `amount`, and where a company has them `from`,
    `until`, `least` (quantity), `status` and `kind`; an entry whose kind is none of `kinds` (a percentage, for example) is no price and
    is left out.
    """
    columns = ("RECORDNO", "WHENMODIFIED", *fields.values())
    read = Reading(raw, subject, tuple(dict.fromkeys(columns)))
    read.decimals(**{fields["amount"]: PRICE}, **({fields["least"]: QUANTITY} if "least" in fields else {}))
    read.days(*(fields[name] for name in ("from", "until") if name in fields))
    read.must("RECORDNO", fields["price_list"], fields["amount"])
    sound = read.sound()
    if "kind" in fields:
        sound = sound.filter(pl.col(fields["kind"]).is_in(list(kinds)))

    def of(name: str, dtype: pl.DataType) -> pl.Expr:
        return pl.col(fields[name]) if name in fields else pl.lit(None, dtype=dtype)

    status = of("status", pl.String()).fill_null("active").str.to_lowercase()
    # An entry of a whole product line names no item.
    table = sound.filter(pl.col(fields["item"]).is_not_null()).select(
        pl.col("RECORDNO").alias("entry_ref"),
        of("price_list", pl.String()).alias("price_list_ref"),
        of("item", pl.String()).alias("item_ref"),
        of("amount", PRICE).alias("amount"),
        of("from", pl.Date()).alias("valid_from_on"),
        of("until", pl.Date()).alias("valid_until_on"),
        of("least", QUANTITY).alias("least_qty"),
        status.is_in(_ACTIVE).alias("is_active"),
        pl.coalesce(stamp("WHENMODIFIED", gmt_offset), "updated_at").alias("changed_at"),
        "payload_sha256",
        pl.lit(run_id, dtype=pl.String).alias("run_id"),
    )
    return Staged({"core.price_list_entries": table}, read.problems())


def prices_on(day: date, base: pl.DataFrame, listed: pl.DataFrame) -> pl.DataFrame:
    """`price_list_ref`, `item_ref` and `amount` of what holds for one unit on a day: base prices, and entries of price lists.

    Of several entries of a list for an item the one that began last holds; two that began on the same day with different prices are
    ambiguous, and neither is told.
    """
    begun = pl.col("valid_from_on").is_null() | (pl.col("valid_from_on") <= day)
    lasting = pl.col("valid_until_on").is_null() | (pl.col("valid_until_on") >= day)
    single = pl.col("least_qty").is_null() | (pl.col("least_qty") <= 1)
    newest = listed.filter(pl.col("is_active") & begun & lasting & single).filter(
        pl.col("valid_from_on").fill_null(date.min)
        == pl.col("valid_from_on").fill_null(date.min).max().over(_LIST)
    )
    agreed = (
        newest.group_by(_LIST)
        .agg(amount=pl.col("amount").first(), kinds=pl.col("amount").n_unique())
        .filter(pl.col("kinds") == 1)
    )
    columns = [*_LIST, "amount"]
    return pl.concat([base.select(columns), agreed.select(columns)])
