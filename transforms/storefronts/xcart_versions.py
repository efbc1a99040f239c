"""What an X-Cart order was when it was shipped, and what was taken off it later.

X-Cart has no document for a return: the add-on that handles returns lowers or removes the order's items, and its total shrinks
(X-Cart 5.5, returns add-on). The versions landed before show what the order was sold for; a lowering of its total is a credit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import polars as pl

from transforms import json_amounts as amounts
from transforms.json_decoding import Decoded, decode
from transforms.staged import INSTANT, QUANTITY
from transforms.storefronts.footing import instants, series
from transforms.storefronts.xcart_payloads import Order
from transforms.storefronts.xcart_settings import XCartSettings

_REDUCTION: Final = {"at": pl.UInt32(), "reduced_at": INSTANT, "amount": pl.Int64()}
_RETURN: Final = {
    "at": pl.UInt32(),
    "line_ref": pl.String(),
    "sku": pl.String(),
    "count": pl.Int64(),
    "returned_at": INSTANT,
}
_FIRST: Final = {"at": pl.UInt32(), "first_shipped_at": INSTANT}


Reader = Callable[[Sequence[str | None], Sequence[str | None]], Decoded[Order]]
"""Payloads and the problems their landing knew of, to orders."""


def read_orders(payloads: Sequence[str | None], problems: Sequence[str | None]) -> Decoded[Order]:
    """Orders of the interface of 5.5."""
    return decode(payloads, problems, Order)


@dataclass(frozen=True)
class Sold:
    """Reductions (`amount` in millionths) and returns by `at`, when an order was first seen shipped, and by position the version sold of
    the orders whose total shrank."""

    reductions: pl.DataFrame
    returns: pl.DataFrame
    first: pl.DataFrame
    orders: Mapping[int, Order]

    @classmethod
    @cache
    def nothing(cls) -> Sold:
        """Nothing known of earlier versions."""
        reductions, returns, first = (pl.DataFrame(schema=of) for of in (_REDUCTION, _RETURN, _FIRST))
        return cls(reductions, returns, first, {})

    def tables(self, named: pl.DataFrame, *, storefront: str, run_id: str) -> dict[str, pl.DataFrame]:
        """`core.reductions` and `core.returns`; `named` has `at`, `order_ref`, `currency` and `unit`."""
        fixed = (
            pl.lit(storefront, dtype=pl.String).alias("storefront"),
            pl.lit(run_id, dtype=pl.String).alias("run_id"),
        )
        second = pl.col("at_second").cast(pl.String)
        reductions = (
            self.reductions.join(named, on="at", how="left", maintain_order="left")
            .with_columns(at_second=pl.col("reduced_at").dt.epoch("s"))
            .select(
                fixed[0],
                "order_ref",
                second.alias("reduction_ref"),
                "reduced_at",
                "currency",
                amounts.rounded(pl.col("amount"), pl.col("unit")).alias("amount_minor"),
                fixed[1],
            )
        )
        returns = (
            self.returns.join(named, on="at", how="left", maintain_order="left")
            .with_columns(at_second=pl.col("returned_at").dt.epoch("s"))
            .select(
                fixed[0],
                "order_ref",
                pl.format("{}@{}", "line_ref", second).alias("return_ref"),
                "line_ref",
                "sku",
                (pl.col("count").cast(pl.Decimal(38, 4)) / amounts.MILLIONTHS)
                .cast(QUANTITY)
                .alias("quantity"),
                pl.lit(None, dtype=pl.String).alias("state_code"),
                "returned_at",
                fixed[1],
            )
        )
        return {"core.reductions": reductions, "core.returns": returns}


def as_sold(
    raw: pl.DataFrame,
    versions: pl.DataFrame,
    settings: XCartSettings,
    read: Reader = read_orders,
) -> Sold:
    """The amounts orders were shipped with, which stand in place of those of the newest version where a total shrank since.

    The version sold is the one with the highest total from the first shipped one on, the latest of equals; a total that shrank and
    grew back was not reduced by what came back.
    """
    refs = raw["native_ref"]
    more = (
        versions.filter(pl.col("native_ref").is_in(refs.to_list()))
        .unique(["native_ref", "payload_sha256"])
        .filter(pl.len().over("native_ref") > 1)
    )
    if more.is_empty():
        return Sold.nothing()
    olds = read(more["payload"].to_list(), more["problem"].to_list())
    place = {ref: at for at, ref in enumerate(refs)}
    totals, _ = amounts.millionths([one.total for one in olds.objects])
    frame = (
        pl.DataFrame(
            [
                series("version", range(more.height), pl.UInt32),
                series("at", [place[ref] for ref in more["native_ref"]], pl.UInt32),
                instants([one.update_date for one in olds.objects]).alias("said"),
                totals.alias("total"),
                series(
                    "is_shipped",
                    [
                        one.shipping_status is not None and settings.is_shipped(one.shipping_status.code)
                        for one in olds.objects
                    ],
                    pl.Boolean,
                ),
                series(
                    "is_sound", [number not in olds.troubles for number in range(more.height)], pl.Boolean
                ),
            ]
        )
        .with_columns(
            when=pl.coalesce("said", more["updated_at"], more["fetched_at"]),
            fetched=more["fetched_at"],
            landing=more["landing_no"] if "landing_no" in more.columns else pl.lit(0),
            digest=more["payload_sha256"],
        )
        .filter("is_sound")
        # Of versions of one second, which X-Cart cannot tell apart, the one landed last counts, then the digest decides: the order of
        # rows never matters, and what is taken off in a second is one reduction.
        .sort("at", pl.col("when").dt.epoch("s"), "fetched", "landing", "digest")
        .unique(["at", pl.col("when").dt.epoch("s")], keep="last", maintain_order=True)
        .with_columns(since=pl.col("is_shipped").cum_max().over("at"))
        .filter("since")
    )
    first = frame.group_by("at", maintain_order=True).agg(first_shipped_at=pl.col("when").min())
    peak = frame.with_columns(
        top=pl.col("total").max().over("at"), nth=pl.int_range(pl.len()).over("at")
    ).with_columns(sold_nth=pl.col("nth").filter(pl.col("total") == pl.col("top")).max().over("at"))
    later = peak.filter(pl.col("nth") >= pl.col("sold_nth")).with_columns(
        # What was taken off and later given back is off no longer: the highest total from here to the end counts.
        off=pl.col("top") - pl.col("total").reverse().cum_max().reverse().over("at")
    )
    steps = later.with_columns(amount=pl.col("off") - pl.col("off").shift(1, fill_value=0).over("at")).filter(
        pl.col("amount") > 0
    )
    shrunk = later.join(steps.select("at").unique(), on="at", how="semi", maintain_order="left")
    returns, orders = _replaced(olds.objects, shrunk)
    return Sold(
        steps.select("at", reduced_at=pl.col("when").cast(INSTANT), amount="amount").cast(_REDUCTION),  # type: ignore[arg-type]
        returns,
        first.cast(_FIRST),  # type: ignore[arg-type]
        orders,
    )


def _replaced(olds: Sequence[Order], shrunk: pl.DataFrame) -> tuple[pl.DataFrame, dict[int, Order]]:
    """What became less of each row, step by step, and the versions sold. Over the few that shrank."""
    orders: dict[int, Order] = {}
    rows: list[tuple[int, str, str | None, int, object]] = []
    for (at,), block in shrunk.group_by("at", maintain_order=True):
        where = int(at)  # type: ignore[call-overload]
        steps = [(olds[version], when) for version, when in block.select("version", "when").iter_rows()]
        sold = orders[where] = steps[0][0]
        left = _counts(sold)
        skus = {str(item.id): item.sku for item in sold.items or ()}
        for step, when in steps[1:]:
            now = _counts(step)
            for ref, count in left.items():
                gone = count - now.get(ref, 0)
                if gone > 0:
                    rows.append((where, ref, skus.get(ref), gone, when))
            left = {ref: min(count, now.get(ref, 0)) for ref, count in left.items()}
    return pl.DataFrame(rows, schema=_RETURN, orient="row"), orders


def _counts(order: Order) -> dict[str, int]:
    items = order.items or ()
    counts, _ = amounts.millionths([item.amount for item in items])
    return {str(item.id): count or 0 for item, count in zip(items, counts, strict=True)}


def shipments_of(
    marks: pl.DataFrame,
    rows: pl.DataFrame,
    heads: pl.DataFrame,
    sold: Sold,
    *,
    storefront: str,
    run_id: str,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`core.shipments`, and `shipped_at` by `at`: X-Cart ships an order whole, with any number of tracking numbers (`marks`)."""
    shipped = heads.filter("is_shipped").select("at", "order_ref", "changed_at")
    tracking = (
        marks.with_columns(instants(marks["date"]).alias("tracked_at"))
        .group_by("at", maintain_order=True)
        .agg(tracked_at=pl.col("tracked_at").min(), tracking_ref=pl.col("value").drop_nulls().str.join(", "))
    )
    whole = (
        shipped.join(tracking, on="at", how="left", maintain_order="left")
        .join(sold.first, on="at", how="left", maintain_order="left")
        .with_columns(
            shipped_at=pl.coalesce("tracked_at", "first_shipped_at", "changed_at"),
            tracking_ref=pl.when(pl.col("tracking_ref") != "").then("tracking_ref"),
        )
    )
    held = (
        rows.join(shipped.select("at"), on="at", how="semi", maintain_order="left")
        .filter(pl.col("line_ref") != "")
        .select("at", "line_ref", pl.col("count").fill_null(0))
        .unique(["at", "line_ref"], keep="first", maintain_order=True)
    )
    table = held.join(whole, on="at", how="left", maintain_order="left").select(
        pl.lit(storefront, dtype=pl.String).alias("storefront"),
        "order_ref",
        pl.lit("shipped").alias("shipment_ref"),
        "line_ref",
        (pl.col("count").cast(pl.Decimal(38, 4)) / amounts.MILLIONTHS).cast(QUANTITY).alias("quantity"),
        pl.col("shipped_at").cast(INSTANT),
        "tracking_ref",
        pl.lit(run_id, dtype=pl.String).alias("run_id"),
    )
    return table, whole.select("at", pl.col("shipped_at").cast(INSTANT))
