"""Reading references: how numbers are normalised, taken apart and followed to what they name.

A reference is compared as it stands first. Only what that leaves over is normalised (upper case, letters and digits only, leading
zeros dropped) and split (`W1;W2`, `W1, W2`); a range such as `W1-W5` is not guessed at.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from transforms.reconcile.numbered import row_of

SPLIT = r"[;,|/+&\s]+"
SUFFIX = r"-\d{1,3}$"
_ODD = r"^0|^$|[^0-9A-Z]"
_FOREIGN = r"[^0-9A-Z]"
_NEITHER = r"[^0-9A-Z\p{L}]"


def normalised(column: str | pl.Expr) -> pl.Expr:
    """Upper case, letters and digits only, no leading zeros; null if nothing is left."""
    text = pl.col(column) if isinstance(column, str) else column
    return text.map_batches(_normal, return_dtype=pl.String, is_elementwise=True)


def _normal(texts: pl.Series) -> pl.Series:
    """Texts normalised. Nearly every number is normal as it stands, and to see that costs a tenth of normalising it."""
    odd = texts.str.contains(_ODD)
    count = odd.sum()
    if not count:
        return texts
    if count * 2 > len(texts):
        return _plain(texts)
    return texts.clone().scatter(odd.arg_true(), _plain(texts.filter(odd)))


def _plain(texts: pl.Series) -> pl.Series:
    """Upper case and so on; a step that no text needs is left out, which is cheaper to see than to take."""
    plain = texts.str.to_uppercase()
    if plain.str.contains(_FOREIGN).any():
        # Dashes are what numbers have most of, and are taken out at a quarter of the cost of anything.
        plain = plain.str.replace_all("-", "", literal=True)
        odd = plain.str.contains(_FOREIGN)
        if odd.any():
            plain = plain.scatter(odd.arg_true(), plain.filter(odd).str.replace_all(_NEITHER, ""))
    if plain.str.starts_with("0").any():
        plain = plain.str.strip_chars_start("0")
    empty = plain == ""
    return plain.set(empty, None) if empty.any() else plain


def bare_number(column: str, prefixes: Sequence[str]) -> pl.Expr:
    """A document number without the suffix of second and later documents and without the longest known prefix it starts with."""
    text = pl.col(column).str.replace(SUFFIX, "")
    found = text
    for prefix in sorted({p for p in prefixes if p}, key=lambda p: (len(p), p)):
        found = pl.when(text.str.starts_with(prefix)).then(text.str.slice(len(prefix))).otherwise(found)
    return found


def pieces(rows: pl.DataFrame, key: str, reference: str, pattern: str | None) -> pl.DataFrame:
    """One row (key, piece_no, piece) per number a free reference may hold, normalised and without repeats."""
    parts = pl.col(reference).str.replace_all(SPLIT, " ").str.strip_chars().str.split(" ")
    if pattern:
        parts = pl.concat_list(pl.col(reference).str.extract_all(pattern), parts)
    return (
        rows.lazy()
        .filter(pl.col(reference).is_not_null())
        .select(key, piece=parts)
        .explode("piece")
        .with_columns(piece=normalised("piece"))
        .drop_nulls("piece")
        .unique()
        .collect()
    )


def narrowed(candidates: pl.DataFrame, key: Sequence[str], tests: Sequence[str]) -> pl.DataFrame:
    """Candidates of each key, narrowed by one test column after the other: where any passes, those that fail are dropped."""
    for test in tests:
        candidates = candidates.filter(pl.col(test) | ~pl.col(test).any().over(key))
    return candidates


def smallest_labels(edges: pl.DataFrame, left: str, right: str) -> pl.DataFrame:
    """Connected components: (right, label) where label is the smallest `right` reachable through shared `left`s.

    Min-labels spread along the edges with pointer jumping, so the number of rounds grows with the logarithm of the longest
    chain; each round is one vectorised pass, and only rows tied by a shared reference take part.
    """
    labels = edges.select(right).unique().with_columns(label=pl.col(right))
    while True:
        spread = (
            edges.join(labels, on=right)
            .with_columns(low=pl.col("label").min().over(left))
            .group_by(right)
            .agg(pl.col("low").min(), pl.col("label").first())
            .with_columns(low=pl.min_horizontal("low", "label"))
        )
        jumped = spread.join(
            spread.select(pl.col(right).alias("low"), pl.col("low").alias("far")), on="low", how="left"
        )
        after = jumped.select(right, label=pl.coalesce("far", "low"))
        if after.join(labels, on=[right, "label"], how="anti").is_empty():
            return after
        labels = after


def positions(names: pl.DataFrame, rows: pl.DataFrame, found: str) -> pl.Series:
    """`names[found]` for each row by the one other column that both frames have; null where there is none, the first where there are several."""
    (key,) = (name for name in names.columns if name != found)
    return names[found].rechunk()[row_of(names[key], rows[key])]
