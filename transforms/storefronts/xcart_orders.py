"""Orders of X-Cart 5.5: decoded payloads to headers and lines, before they are footed.

An order's total is its `sub_total` plus every surcharge that is not inside the prices already. Rows state what they come to after
the order's discounts (`discounted_subtotal`), not before; the row before discounts is price times amount, and is used only where the
rows so reckoned make up the `sub_total` the order states.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from transforms import json_amounts as amounts
from transforms.json_decoding import Decoded
from transforms.staged import PRICE, QUANTITY
from transforms.storefronts.footing import LINE, blame_rows
from transforms.storefronts.xcart_payloads import Order
from transforms.storefronts.xcart_reading import Opened
from transforms.storefronts.xcart_settings import XCartSettings

_KIND_OF: Final = {"discount": "discount", "shipping": "shipping", "handling": "fee", "tax": "tax"}
_ZERO: Final = pl.lit(0, dtype=pl.Int64)
_NULL: Final = pl.lit(None, dtype=pl.String)


def lines_of(
    opened: Opened, heads: pl.DataFrame, settings: XCartSettings
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Lines of every order in the shape `LINE`, per order `tax_included` and `is_taxed` (by `at`), and the rows of goods with their
    `count` in millionths.

    Amounts that cannot be read are troubles of their order and count as zero; what is then missing stands in the rounding line.
    """
    decoded = opened.troubles
    # The position of an order is its row among the headers.
    units = heads["unit"]
    extras = _surcharges(decoded, opened.extras(), units)
    rows = _items(decoded, opened.items(), units)
    row_taxes = _row_taxes(decoded, opened.row_taxes(), rows["at"], units)
    included = pl.when("include").then("minor").otherwise(_ZERO)
    taxed = row_taxes.select("row", row_tax="minor", row_included=included, tax_code="tax_name")
    if taxed["row"].n_unique() < taxed.height:  # few shops have rows with several taxes
        sums = taxed.group_by("row").agg(pl.col("row_tax", "row_included").sum())
        taxed = sums.join(_codes_of_rows(row_taxes), on="row", how="left")
    rows = rows.join(taxed, on="row", how="left", maintain_order="left").with_columns(
        pl.col("row_tax", "row_included").fill_null(0),
        # A row whose taxes have no name has an empty code, one without taxes none.
        tax_code=pl.when(pl.col("row_tax").is_not_null()).then(pl.col("tax_code").fill_null("")),
    )
    added = extras.filter(~pl.col("include") & (pl.col("kind") != "tax"))
    sums = added.filter(pl.col("kind") == "discount").group_by("at").agg(off=pl.col("minor").sum())
    carriers = added.filter((pl.col("kind") != "discount") & (pl.col("minor") != 0))
    rest = _tax_left(extras, row_taxes, carriers, split=settings.shared_tax == "split")
    plan = _plan(heads, rows, sums, rest)
    _blame_rows_without_sum(decoded, rows, plan)
    words = rest.group_by("at").agg(
        tax_included=((pl.col("minor") != 0) & pl.col("include")).any(),
        is_taxed=~((pl.col("rest") != 0) & pl.col("include") & ~pl.col("is_carried")).any(),
    )
    lines = pl.concat(
        [
            _item_lines(rows, plan, settings),
            _extra_lines(carriers, rest),
            _discount_lines(added, plan, opened.coupons()),
            _tax_lines(rest),
        ]
    )
    return lines, words, rows


def _codes_of_rows(row_taxes: pl.DataFrame) -> pl.DataFrame:
    """The names of a row's taxes, sorted and each once, joined by +; only the few rows with several are joined."""
    names = row_taxes.filter(pl.col("tax_name").is_not_null()).select("row", tax_code="tax_name").unique()
    is_one = names["row"].is_unique()
    several = (
        names.filter(~is_one)
        .sort("row", "tax_code")
        .group_by("row", maintain_order=True)
        .agg(pl.col("tax_code").str.join("+"))
    )
    return pl.concat([names.filter(is_one), several])


def _blame_rows_without_sum(decoded: Decoded[Order], rows: pl.DataFrame, plan: pl.DataFrame) -> None:
    if not rows["after_minor"].null_count():
        return
    lost = (
        rows.filter(pl.col("after_minor").is_null() & pl.col("after_odd").is_null())
        .join(plan.filter(~pl.col("by_price")).select("at"), on="at", how="semi")
        .select("at")
        .unique(maintain_order=True)
    )
    if lost.height:
        said = pl.lit("an item has no discounted_subtotal, and price times amount does not make up sub_total")
        blame_rows(decoded, lost.select("at", code=pl.lit("payload_unreadable"), sentence=said))


def _surcharges(decoded: Decoded[Order], given: pl.DataFrame, units: pl.Series) -> pl.DataFrame:
    """Surcharges that are offered, in minor units; those that cannot be read are troubles."""
    frame = given.with_columns(
        units.gather(given["at"]).alias("unit"),
        kind=pl.col("type").replace_strict(_KIND_OF, default="unknown", return_dtype=pl.String),
    )
    unknown = frame.filter(pl.col("kind") == "unknown")
    if unknown.height:
        said = pl.format(
            "a surcharge of type '{}' has no meaning here", pl.col("type").fill_null("").str.slice(0, 40)
        )
        blame_rows(decoded, unknown.select("at", code=pl.lit("payload_unreadable"), sentence=said))
    _blame_amounts(decoded, frame, "value", "the value of one of its surcharges")
    return frame.with_columns(
        kind=pl.when(pl.col("kind") == "unknown").then(pl.lit("fee")).otherwise("kind"),
        minor=amounts.rounded(pl.col("value").fill_null(0), pl.col("unit")),
    )


def _blame_amounts(decoded: Decoded[Order], frame: pl.DataFrame, column: str, word: str) -> None:
    bad = frame.filter(pl.col(column).is_null())
    if bad.height:
        said = pl.format(
            "{} is {}, which is not an amount",
            pl.lit(word),
            pl.col("odd").fill_null("missing").str.slice(0, 40),
        )
        blame_rows(decoded, bad.select("at", code=pl.lit("amount_not_exact"), sentence=said))


def _items(decoded: Decoded[Order], given: pl.DataFrame, units: pl.Series) -> pl.DataFrame:
    frame = given.with_columns(
        units.gather(given["at"]).alias("unit"),
        pl.int_range(given.height, dtype=pl.UInt32, eager=True).alias("row"),
    )
    _blame_amounts(decoded, frame, "count", "the amount of one of its items")
    odd = frame.filter(pl.col("after_odd").is_not_null())
    if odd.height:
        said = pl.format(
            "discounted_subtotal of one of its items is {}, which is not an amount",
            pl.col("after_odd").str.slice(0, 40),
        )
        blame_rows(decoded, odd.select("at", code=pl.lit("amount_not_exact"), sentence=said))
    wide = pl.col("price").cast(pl.Int128) * pl.col("count").fill_null(0).cast(pl.Int128)
    before = (wide // amounts.MILLIONTHS).cast(pl.Int64, strict=False)
    whole = (pl.col("count") % amounts.MILLIONTHS) == 0
    return frame.with_columns(
        before_minor=pl.when(whole).then(amounts.rounded(before, pl.col("unit"))),
        after_minor=amounts.rounded(pl.col("after"), pl.col("unit")),
    )


def _row_taxes(decoded: Decoded[Order], given: pl.DataFrame, at: pl.Series, units: pl.Series) -> pl.DataFrame:
    """The taxes that rows repeat, with the number of their row in the batch; `at` is the order of each row."""
    at = at.gather(given["row"]).set_sorted()
    frame = given.with_columns(at.alias("at"), units.gather(at).alias("unit"))
    _blame_amounts(decoded, frame, "value", "the tax of one of its items")
    return frame.with_columns(minor=amounts.rounded(pl.col("value").fill_null(0), pl.col("unit")))


def _tax_left(
    extras: pl.DataFrame, row_taxes: pl.DataFrame, carriers: pl.DataFrame, *, split: bool
) -> pl.DataFrame:
    """Per order, tax and inclusion: what the order states (`minor`), and what of it is in no row (`rest`).

    `is_carried`: it is the only included tax left over and the order has exactly one line of shipping or fees, which then is the only
    thing that can hold it; with `split`, several may share it. Rows that state no tax at all leave it open.
    """
    key = ["at", "tax_name", "include"]
    stated = (
        extras.filter(pl.col("kind") == "tax").group_by(key, maintain_order=True).agg(pl.col("minor").sum())
    )
    of_rows = row_taxes.group_by(key, maintain_order=True).agg(in_rows=pl.col("minor").sum())
    both = stated.join(
        of_rows, on=key, how="full", coalesce=True, nulls_equal=True, maintain_order="left_right"
    ).with_columns(pl.col("minor", "in_rows").fill_null(0))
    lone = carriers.group_by("at").agg(carriers=pl.len(), carried_most=pl.col("minor").sum().abs())
    rest = both.with_columns(rest=pl.col("minor") - pl.col("in_rows")).join(
        lone, on="at", how="left", maintain_order="left"
    )
    is_left = pl.col("include") & (pl.col("rest") != 0)
    # Only where rows state their taxes does what is left over belong elsewhere; where they are silent it may be theirs.
    speaks = (pl.col("in_rows") != 0).any().over("at") & (pl.col("rest").abs() < pl.col("carried_most"))
    enough = pl.col("carriers") >= 1 if split else pl.col("carriers") == 1
    return rest.with_columns(
        is_carried=is_left & (is_left.sum().over("at") == 1) & (enough & speaks).fill_null(value=False)
    )


def _plan(heads: pl.DataFrame, rows: pl.DataFrame, sums: pl.DataFrame, rest: pl.DataFrame) -> pl.DataFrame:
    """How each order's rows are to be read: `by_price` (before discounts) or after them, and what of the discounts is in no row."""
    of_rows = rows.group_by("at").agg(
        before=pl.col("before_minor").sum(),
        lacks_before=pl.col("before_minor").is_null().any(),
        after=pl.col("after_minor").sum(),
        lacks_after=pl.col("after_minor").is_null().any(),
    )
    included = rest.filter("include").group_by("at").agg(included=pl.col("minor").sum())
    plan = (
        heads.select("at", "sub_total", "unit")
        .join(of_rows, on="at", how="left", maintain_order="left")
        .join(sums, on="at", how="left", maintain_order="left")
        .join(included, on="at", how="left", maintain_order="left")
        .with_columns(
            pl.col("before", "after", "off", "included").fill_null(0),
            pl.col("lacks_before", "lacks_after").fill_null(value=False),
            stated=amounts.rounded(pl.col("sub_total"), pl.col("unit")),
        )
    )
    is_proved = ~pl.col("lacks_before") & (pl.col("before") == pl.col("stated")).fill_null(value=False)
    plan = plan.with_columns(
        by_price=is_proved & (pl.col("lacks_after") | ((pl.col("off") != 0) & (pl.col("included") == 0)))
    )
    open_off = pl.col("stated").fill_null(pl.col("after")) + pl.col("off") - pl.col("after")
    between = ((open_off <= 0) & (open_off >= pl.col("off"))) | (
        (open_off >= 0) & (open_off <= pl.col("off"))
    )
    return plan.with_columns(
        off_line=pl.when("by_price").then("off").when(between).then(open_off).otherwise(_ZERO),
    )


def _item_lines(rows: pl.DataFrame, plan: pl.DataFrame, settings: XCartSettings) -> pl.DataFrame:
    is_card = pl.any_horizontal(
        [pl.col("sku").fill_null("").str.starts_with(one) for one in settings.gift_card_prefixes]
        or [pl.lit(False)]
    )
    whole = rows.join(plan.select("at", "by_price"), on="at", how="left", maintain_order="left")
    net = pl.when("by_price").then("before_minor").otherwise("after_minor").fill_null(0)
    return _lines(
        whole.with_columns(
            kind_code=pl.when(is_card).then(pl.lit("gift_card")).otherwise(pl.lit("item")),
            net_minor=net - pl.col("row_included"),
            discount_minor=_ZERO,
            tax_minor="row_tax",
            quantity=(pl.col("count").fill_null(0).cast(pl.Decimal(38, 0)) / amounts.MILLIONTHS)
            .cast(QUANTITY, strict=False)
            .fill_null(0),
            unit_price=_price("price"),
        )
    )


def _price(column: str) -> pl.Expr:
    """Millionths as an exact decimal."""
    return (
        pl.col(column).cast(pl.Decimal(38, 12)) / pl.lit(amounts.MILLIONTHS).cast(pl.Decimal(38, 0))
    ).cast(PRICE, strict=False)


def _extra_lines(carriers: pl.DataFrame, rest: pl.DataFrame) -> pl.DataFrame:
    """Shipping and fees; a lone one carries the included tax that is in no row."""
    carried = rest.filter("is_carried").select("at", "rest", "tax_name")
    whole = (
        carriers.drop("tax_name")
        .join(carried, on="at", how="left", maintain_order="left")
        .with_columns(pl.col("rest").fill_null(0))
    )
    sharing = (
        whole.filter(pl.col("rest") != 0)
        # Cumulative shares, so that the parts sum to the tax; a lone carrier takes all of it.
        .with_columns(reached=pl.col("minor").cum_sum().over("at"), whole=pl.col("minor").sum().over("at"))
        .with_columns(share=_share("reached") - _share("reached").shift(1, fill_value=0).over("at"))
        .drop("reached", "whole")
    )
    whole = pl.concat([whole.filter(pl.col("rest") == 0).with_columns(share=_ZERO), sharing])
    return _lines(
        whole.with_columns(
            line_ref=pl.col("kind"),
            kind_code="kind",
            sku=_NULL,
            net_minor=pl.col("minor") - pl.col("share"),
            discount_minor=_ZERO,
            tax_minor="share",
            tax_code="tax_name",
            quantity=pl.lit(1).cast(QUANTITY),
        )
    )


def _share(reached: str) -> pl.Expr:
    """The part of `rest` that falls on what is `reached` of the `whole`, rounded half up."""
    whole = pl.col("whole").cast(pl.Int128)
    wide = pl.col("rest").cast(pl.Int128) * pl.col(reached).cast(pl.Int128) * 2 + whole
    part = (wide // pl.when(whole == 0).then(1).otherwise(whole * 2).cast(pl.Int128)).cast(pl.Int64)
    is_all = (pl.col("whole") == pl.col(reached)) | (whole == 0)
    return pl.when(is_all).then("rest").otherwise(part)


def _discount_lines(extras: pl.DataFrame, plan: pl.DataFrame, coupons: pl.DataFrame) -> pl.DataFrame:
    """One line for what the rows do not hold of the order's discounts."""
    found = plan.filter(pl.col("off_line") != 0).select("at", "off_line")
    names = (
        extras.filter(pl.col("kind") == "discount")
        .group_by("at")
        .agg(description=pl.col("description").drop_nulls().unique(maintain_order=True).str.join(", "))
    )
    codes = coupons.group_by("at", maintain_order=True).agg(coupons=pl.col("code").str.join(", "))
    return _lines(
        found.join(codes, on="at", how="left", maintain_order="left")
        .join(names, on="at", how="left", maintain_order="left")
        .with_columns(
            description=pl.concat_str("description", "coupons", separator=" ", ignore_nulls=True),
            line_ref=pl.lit("discount"),
            kind_code=pl.lit("discount"),
            sku=_NULL,
            net_minor=_ZERO,
            discount_minor="off_line",
            tax_minor=_ZERO,
            tax_code=_NULL,
            quantity=pl.lit(1).cast(QUANTITY),
        )
    )


def _tax_lines(rest: pl.DataFrame) -> pl.DataFrame:
    """Tax that neither a row nor a lone carrier holds: a line with nothing but tax. Included tax is taken off the net there too."""
    return _lines(
        rest.filter((pl.col("rest") != 0) & ~pl.col("is_carried")).with_columns(
            line_ref=pl.lit("tax"),
            kind_code=pl.lit("item"),
            sku=_NULL,
            description="tax_name",
            net_minor=pl.when("include").then(-pl.col("rest")).otherwise(_ZERO),
            discount_minor=_ZERO,
            tax_minor="rest",
            tax_code="tax_name",
            # No piece of anything: it is recognised with the first shipment, as shipping is.
            quantity=pl.lit(0).cast(QUANTITY),
        )
    )


def _lines(frame: pl.DataFrame) -> pl.DataFrame:
    columns = [
        pl.lit(None, dtype=dtype).alias(name) if name not in frame.columns else pl.col(name).cast(dtype)
        for name, dtype in LINE.items()
    ]
    return frame.select(columns)
