"""Orders in columns: headers, rows, deliveries, payments and returns as the payload states them, before any arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from transforms.staged import RATE
from transforms.storefronts.cells import FLUSHED
from transforms.storefronts.commercetools_decode import Trouble, decode_each
from transforms.storefronts.commercetools_payloads import Order
from transforms.storefronts.commercetools_reader import KINDS, TENDER, Infos, Reader, Tax
from transforms.storefronts.commercetools_settings import CommercetoolsSettings


@dataclass(frozen=True)
class Opened:
    """A batch of orders in columns. `at` is the position of the order in the batch, in `heads` the row itself.

    `whole` keeps the decoded orders, with their shipping parts, whose rows do not sum to their header, or that have a discount on the
    total: only they are looked at again. `troubles` are by position.
    """

    heads: pl.DataFrame
    rows: pl.DataFrame
    deliveries: pl.DataFrame
    payments: pl.DataFrame
    returns: pl.DataFrame
    whole: dict[int, tuple[Order, Infos]]
    troubles: dict[int, list[Trouble]]


def open_orders(
    payloads: Sequence[str | None],
    problems: Sequence[str | None],
    refs: Sequence[str],
    settings: CommercetoolsSettings,
) -> Opened:
    """Orders in columns, from payloads, what the landing already knew to be wrong with them (null for nothing) and native ids."""
    reader = Reader(settings)
    read = reader.read
    orders = decode_each(payloads, problems, Order)
    for at, ((order, troubles), ref) in enumerate(zip(orders, refs, strict=True)):
        read(at, order, ref, troubles)
        if at % FLUSHED == FLUSHED - 1:
            reader.flush()
    reader.flush()
    return Opened(
        reader.heads.frame().with_row_index("at"),
        _with_words(reader.rows.frame(), reader.taxes),
        reader.deliveries.frame(),
        reader.payments.frame(),
        reader.returns.frame(),
        reader.whole,
        reader.troubles,
    )


def _with_words(rows: pl.DataFrame, taxes: Sequence[Tax]) -> pl.DataFrame:
    """Kinds and taxes of rows in place of their numbers."""
    names, has_rates, rates, included = zip(*taxes, strict=True) if taxes else ((), (), (), ())
    number = rows["tax_no"]
    return rows.with_columns(
        pl.Series("row_kind", KINDS, dtype=pl.String).gather(rows["kind_no"]),
        (rows["kind_no"] == TENDER).alias("is_tender"),
        pl.Series("tax_name", names, dtype=pl.String).gather(number),
        pl.Series("has_rate", has_rates, dtype=pl.Boolean).gather(number),
        pl.Series("tax_rate", rates, dtype=RATE).gather(number),
        pl.Series("included", included, dtype=pl.Boolean).gather(number),
    ).drop("kind_no", "tax_no")
