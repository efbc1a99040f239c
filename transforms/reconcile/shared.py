"""Which of the orders or payments behind one document a difference belongs to: each one's own figure against its part of what was posted.

A summary is one row of the comparison, however many orders it answers. Where this tool posted it, the crosswalk says every order's part,
so the difference splits: the orders whose figure is another than their part, and what Intacct's documents stand for beyond the parts. The
two make up the row's difference.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import polars as pl

from transforms.reconcile.intake import WHERE_KNOWN, Inputs, chosen
from transforms.reconcile.matching import Matched
from transforms.reconcile.receipts import Paid
from transforms.reconcile.universe import KIND_OF_CROSSWALK
from transforms.reconcile.wording import money

NAMED: Final = 5
"""Orders that a sentence names; the others are counted."""
_PLACE: Final = ["grp", "entity", "currency"]


class _Words(NamedTuple):
    other: str
    same: str
    beyond: str


_ORDERS: Final = _Words(
    other="Owed other than posted: ",
    same="Every order is owed just its part of what was posted.",
    beyond="Intacct's documents differ from what was posted by ",
)
_PAYMENTS: Final = _Words(
    other="Moved other than posted: ",
    same="Every payment moved just its part of what was posted.",
    beyond="Intacct's receipts differ from what was posted by ",
)


def order_splits(odd: pl.DataFrame, inputs: Inputs, matched: Matched) -> pl.DataFrame:
    """(key, split): one sentence for each row of several orders all of whose documents' parts are known.

    `odd` needs key, grp, entity, currency and n_orders. A document without parts (posted by hand, or before parts were kept) says nothing
    of its orders, so rows that it stands in are left out.
    """
    rows = odd.filter(pl.col("n_orders") > 1).select("key", *_PLACE)
    if rows.is_empty():
        return _nothing()
    orders = _tied(matched.orders.with_row_index("at"), rows)
    behind = orders.select(
        "at", "grp", "key", who="g", own="entity", name=pl.coalesce("order_number", "order_ref")
    )
    documents = _tied(matched.documents.filter("in_scope", "is_counted"), rows)
    documents = documents.join(rows, on=_PLACE, how="semi").rename({"d": "id"})
    posted = (
        _posted(inputs, matched)
        .with_columns(kind=pl.col("kind_code").replace_strict(KIND_OF_CROSSWALK, default=None))
        .drop_nulls("kind")
        .join(behind.select("key", "who"), on="key")
    )
    # A document that was edited has another record number; it is followed by its own number.
    name = ["kind", "ref"]
    posted = posted.rename({"intacct_key": "ref"})
    rest = posted.join(documents, on=name, how="anti")
    found = posted.join(documents, on=name), rest.join(documents.with_columns(ref="number"), on=name)
    parts = pl.concat(one.select("id", "who", "part_minor", *_PLACE) for one in found)
    owed = inputs.take("owed").with_columns(at=matched.owed_at)
    figures = (
        owed.filter(pl.col("event_code").is_in(["sale", "credit"]))
        .join(behind.select("at", "grp", "who", "own"), on="at")
        .select("grp", "currency", "who", entity=pl.coalesce("entity_code", "own"), figure="total_minor")
    )
    return _told(rows, documents, parts, figures, behind, _ORDERS)


def payment_splits(odd: pl.DataFrame, inputs: Inputs, matched: Matched, paid: Paid) -> pl.DataFrame:
    """`order_splits` for payments and their receipts. `odd` needs key, grp, entity, currency and n_payments."""
    rows = odd.filter(pl.col("n_payments") > 1).select("key", *_PLACE)
    if rows.is_empty():
        return _nothing()
    moved = _tied(paid.payments, rows).drop("key").rename({"p": "who"})
    moved = moved.join(matched.orders.select("g", "key"), on="g")
    receipts = _tied(paid.receipts.filter("in_scope", "is_counted"), rows)
    receipts = receipts.join(rows, on=_PLACE, how="semi").drop("key").rename({"r": "id"})
    named = pl.concat(
        moved.select("key", "who", event_ref=name)
        for name in (
            pl.col("transaction_ref"),
            pl.concat_str("payment_ref", pl.lit(":"), "transaction_ref"),
        )
    ).unique()
    parts = (
        _posted(inputs, matched)
        .filter(pl.col("kind_code") == "receipt")
        .join(named, on=["key", "event_ref"])
        .unique(["document_id", "who"])
        .join(receipts, left_on="intacct_key", right_on="receipt_ref")
        .select("id", "who", "part_minor", *_PLACE)
    )
    figures = moved.select(*_PLACE, "who", figure="amount_minor")
    behind = moved.select("who", name=pl.coalesce("order_number", "order_ref"))
    return _told(rows, receipts, parts, figures, behind, _PAYMENTS)


def _nothing() -> pl.DataFrame:
    return pl.DataFrame(schema={"key": pl.Int64, "split": pl.String})


def _tied(frame: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """What is in the groups of the rows, with `grp` of their type."""
    groups = rows.select("grp").unique()
    return frame.with_columns(pl.col("grp").cast(groups.schema["grp"])).join(groups, on="grp", how="semi")


def _posted(inputs: Inputs, matched: Matched) -> pl.DataFrame:
    """Every order's known part of what this tool posted, with the order's key."""
    known = chosen(inputs.crosswalk, "crosswalk", WHERE_KNOWN["crosswalk"])
    return known.drop_nulls(["intacct_key", "part_minor"]).with_columns(key=matched.keys.of()).collect()


def _told(
    rows: pl.DataFrame,
    documents: pl.DataFrame,
    parts: pl.DataFrame,
    figures: pl.DataFrame,
    behind: pl.DataFrame,
    words: _Words,
) -> pl.DataFrame:
    """The sentences. `documents`: id, total_minor, place; `parts`: id, who, part_minor, place; `figures`: who, figure, place; `behind`: who, name."""
    alien = documents.join(parts.select("id").unique(), on="id", how="anti").select(_PLACE).unique()
    rows = rows.join(parts.select(_PLACE).unique(), on=_PLACE, how="semi").join(alien, on=_PLACE, how="anti")
    posted = parts.group_by(*_PLACE, "who").agg(posted=pl.col("part_minor").sum())
    own = figures.group_by(*_PLACE, "who").agg(pl.col("figure").sum())
    gaps = (
        own.join(posted, on=[*_PLACE, "who"], how="full", coalesce=True)
        .with_columns(gap=pl.col("figure").fill_null(0) - pl.col("posted").fill_null(0))
        .filter(pl.col("gap") != 0)
        .join(behind.select("who", "name"), on="who")
        .join(rows, on=_PLACE)
    )
    beyond = (
        documents.join(parts.group_by("id").agg(pl.col("part_minor").sum()), on="id")
        .group_by(_PLACE)
        .agg(beyond=(pl.col("total_minor") - pl.col("part_minor")).sum())
    )
    told = rows.join(_named(gaps, words), on="key", how="left").join(beyond, on=_PLACE, how="left")
    by_document = pl.when(pl.col("beyond") != 0).then(
        pl.concat_str(pl.lit(words.beyond), money("beyond"), pl.lit("."))
    )
    by_order = pl.coalesce("named", pl.lit(words.same))
    return told.select("key", split=pl.concat_str(by_order, by_document, separator=" ", ignore_nulls=True))


def _named(gaps: pl.DataFrame, words: _Words) -> pl.DataFrame:
    """(key, named): those of each row whose figure is not their part, the largest first."""
    more = pl.col("gap").len().cast(pl.Int64) - NAMED
    others = pl.when(more > 0).then(pl.concat_str(pl.lit(", and "), more.cast(pl.String), pl.lit(" more")))
    return (
        gaps.with_columns(said=pl.concat_str("name", pl.lit(" by "), money("gap")))
        .sort(pl.col("gap").abs(), "name", descending=[True, False])
        .group_by("key", maintain_order=True)
        .agg(listed=pl.col("said").head(NAMED).str.join(", "), others=others.first())
        .select(
            "key",
            named=pl.concat_str(pl.lit(words.other), "listed", pl.col("others").fill_null(""), pl.lit(".")),
        )
    )
