"""What a comparison remembers of the parts it has seen: sums, and the little that is left over in them. Rows are not among it.

Everything here adds up: the tally of two sets of parts is the sum of theirs, and what some rows gave to a tally can be taken out of it
again. So a part can be let go as soon as it was counted, and rows that changed can be counted anew without the others. Every sum says
how many rows are behind it: a place whose last row is gone is gone, even if it came to zero before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Final

import polars as pl

from transforms.queries import as_written
from transforms.reconcile.footing import TOTALS

SUMMED: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "steps": (("amount_minor", "row_count", "behind"), "behind"),
    "sums": (("amount", "behind"), "behind"),
    "totals": (("row_count", *TOTALS), "row_count"),
    "outside": (("row_count", "amount_minor"), "row_count"),
    "days": (("behind",), "behind"),
    "strays": (("behind",), "behind"),
    "places": (("behind",), "behind"),
}
"""Frames of sums: the columns that are summed, and the one that counts the rows behind; the others are the key."""


@dataclass(frozen=True)
class Tally:
    """Sums and leftovers of some parts.

    Sums: `steps` of the waterfall, both `sums` of every proof, `totals` by outcome, what is `outside` the scope, how many items each of
    the `days` has, `strays` (blocks of documents without an order and receipts without a payment), `places` (stores with numbered orders). Rows: what tolerance `accepted`;
    `orders_open` and `documents_open`, for which a counterpart may be proposed, and those that would be open without tolerance
    (`orders_strict`, `documents_strict`); open `items`; `repeats` (probable double postings inside one order).
    """

    steps: pl.DataFrame
    sums: pl.DataFrame
    totals: pl.DataFrame
    outside: pl.DataFrame
    days: pl.DataFrame
    strays: pl.DataFrame
    places: pl.DataFrame
    accepted: pl.DataFrame
    orders_open: pl.DataFrame
    documents_open: pl.DataFrame
    orders_strict: pl.DataFrame
    documents_strict: pl.DataFrame
    items: pl.DataFrame
    repeats: pl.DataFrame

    @property
    def frames(self) -> Mapping[str, pl.DataFrame]:
        """All frames by name."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


def apart(tally: Tally) -> Tally:
    """The same, with texts of its own. A text column keeps all texts of the column it was picked from: two thousand open documents of a
    million held 130 MB."""
    return Tally(
        **{
            name: rows.with_columns(pl.concat_str(pl.col(one), pl.lit("")) for one in _texts(rows))
            if rows.height
            else rows.clear()
            for name, rows in tally.frames.items()
        }
    )


def _texts(rows: pl.DataFrame) -> list[str]:
    return [name for name, kind in rows.schema.items() if kind == pl.String]


def added(tallies: Iterable[Tally]) -> Tally:
    """One tally of several."""
    parts = list(tallies)
    made = {}
    for name in parts[0].frames:
        rows = pl.concat(part.frames[name] for part in parts)
        made[name] = _summed(name, rows) if name in SUMMED else rows
    return Tally(**made)


def with_more(whole: Tally, more: Mapping[str, Iterable[pl.DataFrame]]) -> Tally:
    """A tally with further rows of its sums, by name."""
    every = {name: pl.concat([whole.frames[name], *rows]) for name, rows in more.items()}
    return replace(whole, **{name: _summed(name, rows) for name, rows in every.items()})


def less(whole: Tally, gone: Tally) -> Tally:
    """A tally without what another gave to it. Rows are told apart by what they say; of equal ones as many go as are given."""
    made = {}
    for name, rows in whole.frames.items():
        other = gone.frames[name]
        if name in SUMMED:
            minus = other.with_columns(-pl.col(SUMMED[name][0]))
            made[name] = _summed(name, pl.concat([rows, minus]))
        else:
            made[name] = without(rows, other)
    return Tally(**made)


def _summed(name: str, rows: pl.DataFrame) -> pl.DataFrame:
    if rows.is_empty():
        return rows
    measures, count = SUMMED[name]
    key = [column for column in rows.columns if column not in measures]
    return as_written(
        rows.lazy().group_by(key).agg(pl.col(measures).sum()).filter(pl.col(count) != 0).select(rows.columns)
    )


def without(rows: pl.DataFrame, gone: pl.DataFrame) -> pl.DataFrame:
    """Rows without others, told apart by what the columns of `rows` say; of equal ones as many go as are given."""
    if gone.is_empty():
        return rows
    key = rows.columns
    # What no gone row can be like is not looked at more closely: told by the column that tells most of them apart.
    tells = max(key, key=lambda name: gone[name].n_unique())
    like = rows.select(pl.col(tells).is_in(gone[tells].unique().implode(), nulls_equal=True)).to_series()
    at = like.arg_true()
    nth = pl.int_range(pl.len()).over(key).alias("nth")
    left, right = rows[at].with_columns(nth).hstack([at.alias("at")]), gone.select(key).with_columns(nth)
    taken = left.join(right, on=[*key, "nth"], how="semi", nulls_equal=True)["at"]
    stays = pl.Series("stays", [True]).new_from_index(0, rows.height)
    return rows.filter(stays.scatter(taken, False))
