"""Credits: which refunds owe a credit memo, and what it gives back line by line.

A refund with returns since the one before whose gross it equals mirrors those lines (goods and their tax). A refund that leaves nothing
of what was recognised mirrors all that is left. Any other is one line on the allowance account. A refund of money that was never
invoiced returns a prepayment and owes nothing.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from transforms.owed.sales import components
from transforms.owed.shares import share_between, whole_quantity
from transforms.running import position

_LINE: Final = [
    "oid", "event_ref", "line_ref", "line_no", "component_code", "sku", "category_ref", "tax_code", "quantity", "description",
    "amount_minor",
]  # fmt: skip
_SAME: Final = ["oid", "event_ref", "line_ref", "component_code"]
_LAST_LINE_NO: Final = 2_000_000


def credit_events(
    base: pl.DataFrame,
    sales: pl.DataFrame,
    sale_parts: pl.DataFrame,
    refunds: pl.DataFrame,
    returns: pl.DataFrame,
    lines: pl.DataFrame,
    *,
    mirror: bool,
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Credits, their parts (negative, summing to them), and refunds that only returned a prepayment (`amount_minor` negative).

    A refund before the first sale of an order that is recognised later is owed from that sale on. Of a cancelled order, refunds
    count first against what was charged beyond the part that was recognised.
    """
    first = sales.group_by("oid").agg(first_sale_at=pl.col("owed_at").min(), sold=pl.col("event_minor").sum())
    events = (
        refunds.join(base.select("oid", "status_code", "total_minor", "charged_minor"), on="oid")
        .join(first, on="oid", how="left")
        .sort("oid", "occurred_at", "event_ref")
        .with_columns(
            idx=position("oid"),
            owed_at=pl.max_horizontal("occurred_at", "first_sale_at"),
        )
    )
    never = events.filter(pl.col("first_sale_at").is_null()).with_columns(credit=pl.lit(0, dtype=pl.Int64))
    events = events.filter(pl.col("first_sale_at").is_not_null())
    came_back = _returned_parts(events, returns, lines)
    gross = came_back.group_by("oid", "idx").agg(gross=-pl.col("amount_minor").sum())
    events = (
        events.join(gross, on=["oid", "idx"], how="left")
        .with_columns(is_mirror=(pl.col("gross") == pl.col("amount_minor")).fill_null(value=False) & mirror)
        .sort("oid", "idx")
    )
    events = _less_prepayments(events)
    returned = pl.concat([never, events], how="diagonal").filter(pl.col("credit") != pl.col("amount_minor"))
    events = events.filter(pl.col("credit") != 0)
    events = _final_refunds(events, sales, sale_parts, mirror=mirror)
    dated = sale_parts.join(sales.select("oid", "event_ref", "owed_at"), on=["oid", "event_ref"])
    parts = _parts(events, dated, came_back)
    return (
        events.select(
            "oid", pl.lit("credit").alias("event_code"), "event_ref", "owed_at", "payment_ref", "gateway_ref", "tender_code",
            pl.col("paid_currency").alias("event_currency"), (-pl.col("credit")).alias("event_minor"),
        ),
        parts.with_columns(event_code=pl.lit("credit")),
        returned.select("oid", "event_ref", (pl.col("credit") - pl.col("amount_minor")).alias("amount_minor")),
    )  # fmt: skip


def _less_prepayments(events: pl.DataFrame) -> pl.DataFrame:
    """`credit`: the refund less what it gives back of money that was charged for no sale.

    That is money for the cancelled part of an order, and of any other order what was charged beyond its total: to give back what
    was overpaid takes nothing off a sale.
    """
    room = (
        pl.when(pl.col("status_code") == "cancelled")
        .then(
            pl.min_horizontal(
                pl.col("total_minor") - pl.col("sold"), pl.col("charged_minor") - pl.col("sold")
            ).clip(lower_bound=0)
        )
        .otherwise((pl.col("charged_minor") - pl.col("total_minor")).clip(lower_bound=0))
    )
    other = pl.when(pl.col("is_mirror")).then(0).otherwise(pl.col("amount_minor"))
    return (
        events.with_columns(room=room, other=other)
        .with_columns(reached=pl.col("other").cum_sum().over("oid"))
        .with_columns(
            credit=pl.col("amount_minor")
            - (
                pl.min_horizontal("reached", "room")
                - pl.min_horizontal(pl.col("reached") - pl.col("other"), "room")
            )
        )
    )


def _returned_parts(events: pl.DataFrame, returns: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """What came back before each refund and after the one before it, as negative parts with the refund's `idx` and `event_ref`."""
    orders = events.select("storefront", "order_ref", "oid").unique()
    back = (
        returns.join(orders, on=["storefront", "order_ref"])
        .filter(pl.col("line_ref").is_not_null())
        .select("oid", "line_ref", "return_ref", "returned_at", whole_quantity("quantity").alias("back_no"))
    )
    sold = (
        lines.join(orders, on=["storefront", "order_ref"])
        .select(
            "oid", "line_ref", "line_no", "kind_code", "sku", "category_ref", "description", "tax_code",
            whole_quantity("quantity").alias("quantity_no"), "net_minor", "discount_minor", "tax_minor",
            pl.lit(None, dtype=pl.String).alias("header_component"),
        )
        .filter(pl.col("quantity_no") > 0)
    )  # fmt: skip
    line = ["oid", "line_ref"]
    rows = (
        back.join(sold, on=line)
        .sort("oid", "line_ref", "returned_at", "return_ref", nulls_last=False)
        .with_columns(reached=pl.col("back_no").cum_sum().over(line).clip(0, pl.col("quantity_no")))
        .with_columns(before=pl.col("reached").shift(1, fill_value=0).over(line))
        .with_columns(
            *(
                share_between(name, "before", "reached", "quantity_no")
                for name in ("net_minor", "discount_minor", "tax_minor")
            ),
            quantity_no=pl.col("reached") - pl.col("before"),
            # A return without a date is counted with the order's first refund.
            at=pl.col("returned_at").fill_null(pl.datetime(1970, 1, 1, time_zone="UTC")),
        )
        .sort("oid", "at")
    )
    claimed = rows.join_asof(
        events.select("oid", "occurred_at", "idx", "event_ref").sort("oid", "occurred_at"),
        left_on="at",
        right_on="occurred_at",
        by="oid",
        strategy="forward",
        check_sortedness=False,
    ).filter(pl.col("idx").is_not_null())
    wanted = claimed.select(
        "oid", "event_ref", "idx", "line_ref", "line_no", "kind_code", "sku", "category_ref", "description", "tax_code",
        "quantity_no", "net_minor", "discount_minor", "tax_minor", "header_component",
    )  # fmt: skip
    return components(wanted).with_columns(pl.col("amount_minor").neg())


def _final_refunds(
    events: pl.DataFrame, sales: pl.DataFrame, sale_parts: pl.DataFrame, *, mirror: bool
) -> pl.DataFrame:
    """Adds `is_final`: with this refund all that was recognised so far is given back, to the cent or but for the header's rounding."""
    rounding = (
        sale_parts.filter(pl.col("component_code") == "rounding")
        .group_by("oid", "event_ref")
        .agg(rounding=pl.col("amount_minor").sum())
    )
    running = (
        sales.join(events.select("oid").unique(), on="oid", how="semi")
        .join(rounding, on=["oid", "event_ref"], how="left")
        .sort("oid", "owed_at", "event_ref")
        .select(
            "oid",
            "owed_at",
            recognised=pl.col("event_minor").cum_sum().over("oid"),
            rounding=pl.col("rounding").fill_null(0).cum_sum().over("oid"),
        )
    )
    given = pl.col("credit").cum_sum().over("oid")
    return (
        events.sort("oid", "idx")
        .with_columns(given=given)
        .drop("reached")
        .join_asof(running, on="owed_at", by="oid", strategy="backward", check_sortedness=False)
        .with_columns(is_exact=pl.col("given") == pl.col("recognised"))
        .with_columns(
            is_final=~pl.col("is_mirror")
            & mirror
            & (pl.col("is_exact") | (pl.col("given") == pl.col("recognised") - pl.col("rounding")))
        )
    )


def _parts(events: pl.DataFrame, sale_parts: pl.DataFrame, came_back: pl.DataFrame) -> pl.DataFrame:
    """Parts of every credit. What they leave open of the credit's amount is component `other`."""
    mirrored = came_back.join(events.filter("is_mirror").select("oid", "event_ref"), on=["oid", "event_ref"])
    kept = events.filter(~pl.col("is_final")).select("oid", "event_ref", "idx", "owed_at", "credit")
    plain = _with_the_rest(mirrored.select(_LINE), kept)
    finals = events.filter("is_final").select(
        "oid", "owed_at", pl.col("event_ref").alias("final_ref"), pl.col("idx").alias("final_idx"), "is_exact"
    )
    if finals.is_empty():
        return plain
    # A final refund gives back the sales since the final one before it, less what refunds in between gave back already.
    of_sales = sale_parts.join(finals.select("oid").unique(), on="oid", how="semi").drop("event_code")
    return pl.concat([plain, _with_the_rest(_left(of_sales, plain, kept, finals), _finals(events))])


def _finals(events: pl.DataFrame) -> pl.DataFrame:
    return events.filter("is_final").select("oid", "event_ref", "idx", "owed_at", "credit")


def _left(
    of_sales: pl.DataFrame, plain: pl.DataFrame, kept: pl.DataFrame, finals: pl.DataFrame
) -> pl.DataFrame:
    sold = of_sales.sort("oid", "owed_at").join_asof(
        finals.sort("oid", "owed_at"), on="owed_at", by="oid", strategy="forward", check_sortedness=False
    )
    given = (
        plain.join(kept.select("oid", "event_ref", "idx"), on=["oid", "event_ref"])
        .sort("oid", "idx")
        .join_asof(
            finals.sort("oid", "final_idx"),
            left_on="idx",
            right_on="final_idx",
            by="oid",
            strategy="forward",
            check_sortedness=False,
        )
    )
    both = pl.concat([one.select(*_LINE, "final_ref", "is_exact") for one in (sold, given)]).filter(
        pl.col("final_ref").is_not_null() & (pl.col("is_exact") | (pl.col("component_code") != "rounding"))
    )
    return (
        both.with_columns(event_ref=pl.col("final_ref"))
        .sort("oid", "event_ref", "line_no", "component_code")
        .group_by(_SAME, maintain_order=True)
        .agg(
            pl.col("line_no").first(),
            pl.col("sku").first(),
            pl.col("category_ref").first(),
            pl.col("tax_code").first(),
            # What was given back before has the other sign.
            (pl.col("quantity") * pl.col("amount_minor").sign()).sum().cast(pl.Decimal(18, 4)),
            pl.col("description").first(),
            -pl.col("amount_minor").sum(),
        )
        .filter(pl.col("amount_minor") != 0)
        .with_columns(quantity=pl.when(pl.col("quantity") > 0).then("quantity"))
        .select(_LINE)
    )


def _with_the_rest(parts: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """The parts, and what they leave open of their event's credit as one part `other`."""
    rest = (
        events.join(
            parts.group_by("oid", "event_ref").agg(given=pl.col("amount_minor").sum()),
            on=["oid", "event_ref"],
            how="left",
        )
        .with_columns(amount_minor=-pl.col("credit") - pl.col("given").fill_null(0))
        .filter(pl.col("amount_minor") != 0)
    )
    null = {name: pl.lit(None, dtype=pl.String).alias(name) for name in ("sku", "category_ref", "tax_code")}
    return pl.concat(
        [
            parts,
            rest.select(
                "oid",
                "event_ref",
                pl.lit("allowance").alias("line_ref"),
                pl.lit(_LAST_LINE_NO, dtype=pl.Int64).alias("line_no"),
                pl.lit("other").alias("component_code"),
                *null.values(),
                pl.lit(None, dtype=pl.Decimal(18, 4)).alias("quantity"),
                pl.lit("Allowance").alias("description"),
                "amount_minor",
            ),
        ]
    )
