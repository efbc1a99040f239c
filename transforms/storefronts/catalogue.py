"""What all kinds of storefronts share in staging products and prices.

A catalogue holds thousands of records, not millions, and each is nested in its own way: they are walked in Python, one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

import polars as pl

from transforms.json_decoding import Decoded
from transforms.staged import INSTANT, PRICE, QUANTITY, Staged
from transforms.storefronts.footing import told

_MOST: Final = Decimal(10) ** 15
_PLACES: Final = 12


class Good(NamedTuple):
    """One SKU of a record: `at` is the record's position."""

    at: int
    sku: str
    product_ref: str
    name: str | None = None
    category_refs: str | None = None
    is_active: bool = True


class Shown(NamedTuple):
    """One price of a record."""

    at: int
    price_ref: str
    sku: str
    amount: Decimal
    currency: str | None = None
    level_ref: str | None = None
    country_code: str | None = None
    channel_ref: str | None = None
    least_qty: Decimal | None = None
    is_active: bool = True


_GOODS: Final[dict[str, Any]] = {
    "at": pl.UInt32, "sku": pl.String, "product_ref": pl.String, "name": pl.String, "category_refs": pl.String, "is_active": pl.Boolean,
}  # fmt: skip
_SHOWN: Final[dict[str, Any]] = {
    "at": pl.UInt32, "price_ref": pl.String, "sku": pl.String, "amount": PRICE, "currency": pl.String, "level_ref": pl.String,
    "country_code": pl.String, "channel_ref": pl.String, "least_qty": QUANTITY, "is_active": pl.Boolean,
}  # fmt: skip


def beside(stock: Staged, goods: Staged) -> Staged:
    """Stock and catalogue of the same records as one; a record that neither could read is told once."""
    known = stock.problems.select("native_ref")
    more = goods.problems.join(known, on="native_ref", how="anti")
    return Staged({**stock.frames, **goods.frames}, pl.concat([stock.problems, more]))


def both(raw: pl.DataFrame, *, stock: Callable[..., Staged], goods: Callable[..., Staged]) -> Staged:
    """Stock and catalogue of records that hold both, each by its own function of the raw rows."""
    return beside(stock(raw), goods(raw))


def is_price(amount: Decimal | None) -> bool:
    """Whether an amount can be a price: finite, not negative, of a size and with as many places as are kept."""
    if amount is None or not amount.is_finite() or amount < 0 or amount >= _MOST:
        return False
    exponent = amount.normalize().as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -_PLACES


def tables(
    raw: pl.DataFrame,
    decoded: Decoded[Any],
    goods: Sequence[Good],
    prices: Sequence[Shown],
    *,
    subject: str,
    storefront: str,
    run_id: str,
) -> Staged:
    """`core.products` and `core.web_prices`. Of two records with the same SKU, or of two prices with the same id, the one changed last
    stands."""
    stamps = raw.select(
        pl.col("updated_at").fill_null(pl.col("fetched_at")).cast(INSTANT).alias("changed_at"),
        "payload_sha256",
    ).with_row_index("at")

    def made(rows: Sequence[tuple[Any, ...]], schema: dict[str, Any], key: str) -> pl.DataFrame:
        frame = pl.DataFrame(list(rows), schema=schema, orient="row").join(stamps, on="at")
        return (
            frame.sort("changed_at", "at")
            .unique(key, keep="last", maintain_order=True)
            .with_columns(storefront=pl.lit(storefront), run_id=pl.lit(run_id))
            .drop("at")
        )

    frames = {
        "core.products": made(goods, _GOODS, "sku"),
        "core.web_prices": made(prices, _SHOWN, "price_ref"),
    }
    return Staged(frames, told(decoded.troubles, raw, subject))
