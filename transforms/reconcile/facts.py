"""What is known of the few rows that do not simply agree: each function answers one question, per key, from the rows themselves."""

from __future__ import annotations

import polars as pl

from tieout.vocabulary import COMPONENTS
from transforms.reconcile.rounding_rules import derived


def tied_places(rows: pl.DataFrame) -> pl.DataFrame:
    """For groups that stand in several entities or currencies: whether other documents' places differ from the orders' own."""
    tied = rows.select("key", "grp", "entity", "currency", "is_base", "is_tied").filter("is_tied")
    if tied.is_empty():
        flags = dict.fromkeys(("other_entity", "other_currency", "has_contra"), pl.Boolean)
        return pl.DataFrame(schema={"key": rows.schema["key"], **flags})
    own = tied.filter("is_base")
    away = tied.filter(~pl.col("is_base"))
    for column in ("entity", "currency"):
        here = own.select("grp", column).unique().with_columns(here=pl.lit(True))
        away = (
            away.join(here, on=["grp", column], how="left")
            .with_columns(pl.col("here").is_null().alias(f"other_{column}"))
            .drop("here")
        )
    per_group = away.group_by("grp").agg(
        pl.col("other_entity", "other_currency").any(), has_contra=pl.lit(True).first()
    )
    based = own.join(per_group, on="grp").select("key", "other_entity", "other_currency", "has_contra")
    return pl.concat([based, away.select("key", "other_entity", "other_currency", has_contra=pl.lit(True))])


def waiting_parts(events: pl.DataFrame) -> pl.DataFrame:
    """Components of what waits by itself, per key: (key, w_<component>, event_state)."""
    waiting = events.filter(pl.col("waits").is_not_null())
    if waiting.is_empty():
        sums = dict.fromkeys((f"w_{c}" for c in COMPONENTS), pl.Int64)
        return pl.DataFrame(schema={"key": events.schema["key"], **sums, "event_state": pl.String})
    return waiting.group_by("key").agg(
        *(pl.col(f"{c}_minor").fill_null(0).sum().alias(f"w_{c}") for c in COMPONENTS),
        event_state=pl.col("waits").min(),
    )


def repeats(rows: pl.DataFrame, documents: pl.DataFrame) -> pl.DataFrame:
    """Whether the surplus of invoices is made of repeats of equal invoices; whether one of several is the whole order."""
    surplus = rows.filter((pl.col("n_invoices") > 1) | (pl.col("invoiced_minor") == pl.col("gross_minor")))
    surplus = surplus.filter(pl.col("invoiced_minor") > pl.col("sales_minor")).select(
        "key", "gross_minor", "sales_minor", over=pl.col("invoiced_minor") - pl.col("sales_minor")
    )
    if surplus.is_empty():
        flags = dict.fromkeys(("repeats", "whole_for_part"), pl.Boolean)
        return pl.DataFrame(schema={"key": rows.schema["key"], **flags})
    counted = (
        documents.filter((pl.col("total_minor") > 0) & pl.col("takes").is_null())
        .join(surplus, on="key")
        .group_by("key", "total_minor")
        .agg(pl.col("gross_minor", "sales_minor", "over").first(), again=pl.len().cast(pl.Int64) - 1)
    )
    total = pl.col("total_minor")
    return counted.group_by("key").agg(
        repeats=(
            (pl.col("again") > 0)
            & (pl.col("over") % total == 0)
            & (pl.col("over") // total <= pl.col("again"))
        ).any()
        | ((pl.col("again") * total).sum() == pl.col("over").first()),
        whole_for_part=(total == pl.col("gross_minor")).any() & (pl.col("sales_minor").first() > 0),
    )


def unmet_sales(rows: pl.DataFrame, events: pl.DataFrame) -> pl.DataFrame:
    """Whether the shortage is exactly one owed sale while invoices are fewer than sales."""
    short = rows.filter((pl.col("n_invoices") < pl.col("n_sales")) & (pl.col("n_invoices") > 0)).select(
        "key", short=pl.col("sales_minor") - pl.col("invoiced_minor")
    )
    if short.is_empty():
        return pl.DataFrame(schema={"key": rows.schema["key"], "one_unmet": pl.Boolean})
    return (
        events.filter("is_sale")
        .join(short, on="key")
        .group_by("key")
        .agg(one_unmet=(pl.col("total_minor") == pl.col("short")).any())
    )


def derivations(rows: pl.DataFrame, order_lines: pl.LazyFrame | None) -> pl.DataFrame:
    """(g, derived): the arithmetic that proves a rounding of tax, for orders that are a few minor units off: see `rounding_rules`."""
    asked = rows.filter(
        pl.col("g").is_not_null() & (pl.col("n_orders") == 1) & (pl.col("n_documents") > 0) & (pl.col("n_credits") == 0)
        & (pl.col("n_memos") == 0) & (pl.col("expected_tax_minor") != pl.col("actual_tax_minor"))
        & (pl.col("sales_minor") == pl.col("gross_minor"))
    ).select("g", "currency", "tax_included", "expected_tax_minor", "actual_tax_minor")  # fmt: skip
    if order_lines is None or asked.is_empty():
        return pl.DataFrame(schema={"g": pl.UInt32, "derived": pl.String})
    lines = order_lines.join(asked.lazy().select("g"), on="g", how="semi").collect(engine="streaming")
    return derived(lines, asked)


def dates(rows: pl.DataFrame, events: pl.DataFrame, documents: pl.DataFrame) -> pl.DataFrame:
    """The date a difference belongs to: of the owed event or document that it is, if one is; else of the last of its kind.

    A pair of an event and a document of the same amount and date explains itself and is left out.
    """
    off = rows.filter(pl.col("delta_minor") != 0).select(
        "key", "delta_minor", sale_gap=pl.col("sales_minor") != pl.col("invoiced_minor")
    )
    if off.is_empty():
        return pl.DataFrame(schema={"key": rows.schema["key"], "attributed_on": pl.Date})
    sides = pl.concat(
        [
            events.select("key", on="owed_on", amount="total_minor", owed=pl.lit(True)),
            documents.select("key", on="posted_on", amount="total_minor", owed=pl.lit(False)),
        ]
    ).join(off, on="key")
    same = pl.col("owed").n_unique().over("key", "on", "amount") == 1
    signed = pl.when("owed").then("amount").otherwise(-pl.col("amount"))
    fits = sides.filter(same & (signed == pl.col("delta_minor"))).group_by("key").agg(fit=pl.col("on").max())
    like = (pl.col("amount") >= 0) == pl.col("sale_gap")
    last = sides.group_by("key").agg(
        owed_like=pl.col("on").filter(pl.col("owed") & like).max(),
        any_like=pl.col("on").filter(like).max(),
        any_owed=pl.col("on").filter("owed").max(),
        any=pl.col("on").max(),
    )
    return last.join(fits, on="key", how="left").select(
        "key", attributed_on=pl.coalesce("fit", "owed_like", "any_like", "any_owed", "any")
    )
