"""Facts that finance edits, looked up by the row that fits best: stores, items, accounts, taxes, tenders, buffers.

A key of a mapping row is an exact word, a prefix ending in `*`, or `*` for anything. The row with the fewest plain `*` wins, then the
one with the fewest prefixes, then the one whose earlier keys fit more closely (an exact word, a longer prefix, a shorter one).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

_EXACT = 1_000_000


def most_specific(
    frame: pl.DataFrame,
    mapping: pl.DataFrame,
    keys: Sequence[str],
    values: Sequence[str],
    *,
    stars_first: bool = True,
) -> pl.DataFrame:
    """The frame with `values` of the best fitting mapping row beside each of its rows; null where no row fits.

    `keys` are text columns of both; a null key in the frame fits only `*`. Columns of the frame with the names of `values`
    are replaced. Every row of the frame comes back once, in its order. The mapping must be unique on its keys. Without
    `stars_first` the keys themselves are the precedence: the closest fit of the first key wins, then of the second, and so on.
    """
    keys, values = list(keys), list(values)
    counted = ["_stars", "_open"] if stars_first else []
    filled = [pl.col(key).fill_null("") for key in keys]
    wanted = frame.select(filled).unique()
    found = wanted
    for key in keys:
        found = found.join(_fits(wanted, mapping, key), on=key)
    found = (
        found.join(
            mapping.select(*(pl.col(key).alias(f"_as_{key}") for key in keys), *values),
            on=[f"_as_{key}" for key in keys],
        )
        .with_columns(
            _stars=pl.sum_horizontal((pl.col(f"_as_{key}") == "*").cast(pl.Int32) for key in keys),
            _open=pl.sum_horizontal(pl.col(f"_as_{key}").str.ends_with("*").cast(pl.Int32) for key in keys),
        )
        .sort(
            *keys,
            *counted,
            *(f"_fit_{key}" for key in keys),
            descending=[False] * (len(keys) + len(counted)) + [True] * len(keys),
        )
        .unique(keys, keep="first", maintain_order=True)
        .select(*(pl.col(key).alias(f"_{key}") for key in keys), *values)
    )
    kept = frame.drop([value for value in values if value in frame.columns])
    return kept.join(
        found,
        left_on=filled,
        right_on=[f"_{key}" for key in keys],
        how="left",
        maintain_order="left",
    ).select(*kept.columns, *values)


def _fits(wanted: pl.DataFrame, mapping: pl.DataFrame, key: str) -> pl.DataFrame:
    """Which of a mapping's words fit each value of one key, and how closely. Only open-ended words, which are few, are crossed."""
    have = wanted.select(key).unique()
    words = mapping.select(pl.col(key).alias(f"_as_{key}")).unique()
    exact = have.join(words, left_on=key, right_on=f"_as_{key}").select(
        key, pl.col(key).alias(f"_as_{key}"), pl.lit(_EXACT).alias(f"_fit_{key}")
    )
    open_ended = (
        have.join(words.filter(pl.col(f"_as_{key}").str.ends_with("*")), how="cross")
        .with_columns(_stem=pl.col(f"_as_{key}").str.strip_suffix("*"))
        .filter((pl.col(key) != pl.col(f"_as_{key}")) & pl.col(key).str.starts_with(pl.col("_stem")))
        .select(key, f"_as_{key}", pl.col("_stem").str.len_chars().cast(pl.Int32).alias(f"_fit_{key}"))
    )
    return pl.concat([exact, open_ended])


def mapped_item() -> pl.Expr:
    """The Intacct item of a line: `item_ref` of its mapping row, where a trailing `*` stands for what the SKU's prefix left open.

    Needs the columns `sku`, `item_ref` and `item_rule` (the mapping row's own `sku`).
    """
    rest = pl.col("sku").str.strip_prefix(pl.col("item_rule").str.strip_suffix("*"))
    return (
        pl.when(pl.col("item_ref").str.ends_with("*"))
        .then(pl.col("item_ref").str.strip_suffix("*") + rest)
        .otherwise(pl.col("item_ref"))
    )
