"""Which of the orders behind one document a difference belongs to: what each is owed against its part of what was posted for it.

A summary is one row of the comparison, however many orders it answers. Where this tool posted it, the crosswalk says every order's part,
so the difference splits: the orders that are owed something else than their part, and what Intacct's documents stand for beyond the
parts. The two make up the row's difference.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from transforms.reconcile.intake import WHERE_KNOWN, Inputs, chosen
from transforms.reconcile.matching import Matched
from transforms.reconcile.universe import KIND_OF_CROSSWALK
from transforms.reconcile.wording import money

NAMED: Final = 5
"""Orders that a sentence names; the others are counted."""
_PLACE: Final = ["grp", "entity", "currency"]


def splits(odd: pl.DataFrame, inputs: Inputs, matched: Matched) -> pl.DataFrame:
    """(key, split): one sentence for each row of several orders all of whose documents' parts are known.

    `odd` needs key, grp, entity, currency and n_orders. A document without parts (posted by hand, or before parts were kept) says nothing
    of its orders, so rows that it stands in are left out.
    """
    none = pl.DataFrame(schema={"key": pl.Int64, "split": pl.String})
    rows = odd.filter(pl.col("n_orders") > 1).select("key", *_PLACE)
    if rows.is_empty() or inputs.crosswalk is None:
        return none
    behind = matched.orders.with_row_index("at").with_columns(pl.col("grp").cast(pl.Int64))
    behind = behind.join(rows.select("grp").unique(), on="grp", how="semi")
    behind = behind.select(
        "at", "key", "grp", "g", own="entity", name=pl.coalesce("order_number", "order_ref")
    )
    documents = _documents(rows, matched)
    parts = _parts(inputs, matched, behind, documents)
    if parts.is_empty():
        return none
    alien = documents.join(parts.select("d").unique(), on="d", how="anti").select(_PLACE).unique()
    rows = rows.join(alien, on=_PLACE, how="anti")
    posted = parts.group_by(*_PLACE, "g").agg(posted=pl.col("part_minor").sum())
    gaps = (
        _owed(inputs, matched, behind)
        .join(posted, on=[*_PLACE, "g"], how="full", coalesce=True)
        .with_columns(gap=pl.col("owed").fill_null(0) - pl.col("posted").fill_null(0))
        .filter(pl.col("gap") != 0)
        .join(behind.select("g", "name"), on="g")
        .join(rows, on=_PLACE)
    )
    beyond = (
        documents.join(parts.group_by("d").agg(pl.col("part_minor").sum()), on="d")
        .group_by(_PLACE)
        .agg(beyond=(pl.col("total_minor") - pl.col("part_minor")).sum())
    )
    told = rows.join(_named(gaps), on="key", how="left").join(beyond, on=_PLACE, how="left")
    by_document = pl.when(pl.col("beyond") != 0).then(
        pl.concat_str(
            pl.lit("Intacct's documents differ from what was posted by "), money("beyond"), pl.lit(".")
        )
    )
    by_order = pl.coalesce("named", pl.lit("Every order is owed just its part of what was posted."))
    return told.select("key", split=pl.concat_str(by_order, by_document, separator=" ", ignore_nulls=True))


def _documents(rows: pl.DataFrame, matched: Matched) -> pl.DataFrame:
    """(d, kind, ref, number, total_minor, place) of the documents that stand in the rows."""
    return (
        matched.documents.filter("in_scope", "is_counted")
        .with_columns(pl.col("grp").cast(pl.Int64))
        .join(rows, on=_PLACE, how="semi")
        .select("d", "kind", "ref", "number", "total_minor", *_PLACE)
    )


def _parts(inputs: Inputs, matched: Matched, behind: pl.DataFrame, documents: pl.DataFrame) -> pl.DataFrame:
    """(d, g, part_minor, place): every order's part of a document, found by the document's key or, where it was edited, its number."""
    known = (
        chosen(inputs.crosswalk, "crosswalk", WHERE_KNOWN["crosswalk"])
        .drop_nulls(["intacct_key", "part_minor"])
        .with_columns(
            key=matched.keys.of(), kind=pl.col("kind_code").replace_strict(KIND_OF_CROSSWALK, default=None)
        )
        .drop_nulls("kind")
        .join(behind.lazy().select("key", "g"), on="key")
        .select("kind", "intacct_key", "g", "part_minor")
        .collect()
    )
    names = documents.select("d", "kind", "ref", "number", "total_minor", *_PLACE)
    by_ref = known.join(names, left_on=["kind", "intacct_key"], right_on=["kind", "ref"])
    rest = known.join(names, left_on=["kind", "intacct_key"], right_on=["kind", "ref"], how="anti")
    by_number = rest.join(names, left_on=["kind", "intacct_key"], right_on=["kind", "number"])
    return pl.concat(one.select("d", "g", "part_minor", *_PLACE) for one in (by_ref, by_number))


def _owed(inputs: Inputs, matched: Matched, behind: pl.DataFrame) -> pl.DataFrame:
    """(place, g, owed): what each order owes in sales and credits."""
    owed = inputs.take("owed").with_columns(at=matched.owed_at)
    return (
        owed.filter(pl.col("event_code").is_in(["sale", "credit"]))
        .join(behind.select("at", "grp", "g", "own"), on="at")
        .with_columns(entity=pl.coalesce("entity_code", "own"))
        .group_by(*_PLACE, "g")
        .agg(owed=pl.col("total_minor").sum())
    )


def _named(gaps: pl.DataFrame) -> pl.DataFrame:
    """(key, named): the orders of each row that are owed something else than their part, the largest first."""
    said = pl.concat_str("name", pl.lit(" by "), "said")
    more = pl.col("gap").len().cast(pl.Int64) - NAMED
    others = pl.when(more > 0).then(pl.concat_str(pl.lit(", and "), more.cast(pl.String), pl.lit(" more")))
    return (
        gaps.with_columns(said=money("gap"))
        .with_columns(said=said)
        .sort(pl.col("gap").abs(), "name", descending=[True, False])
        .group_by("key", maintain_order=True)
        .agg(listed=pl.col("said").head(NAMED).str.join(", "), others=others.first())
        .select(
            "key",
            named=pl.concat_str(
                pl.lit("Owed other than posted: "), "listed", pl.col("others").fill_null(""), pl.lit(".")
            ),
        )
    )
