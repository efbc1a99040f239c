"""Mappings that finance edits, applied: a frame and a mapping in, what is mapped and what is not out.

A key column of a mapping row may be an exact value, a prefix ending in `*`, or `*` for any. The most specific row wins: fewest stars,
then fewest prefixes, then the longest prefixes, then the row that is exact in the leftmost column.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from tieout.errors import InputError

CORRECTABLE: Final = ("store_ref", "customer_ref", "status_code")
"""Fields of an order that a correction may set; `tender_code` is one of its payments'."""

_EVIDENCE: Final = {
    "storefront": pl.String(),
    "order_number": pl.String(),
    "field": pl.String(),
    "before": pl.String(),
    "after": pl.String(),
    "author": pl.String(),
    "corrected_on": pl.String(),
    "reason": pl.String(),
    "is_applied": pl.Boolean(),
}


def resolve(
    frame: pl.DataFrame, mapping: pl.DataFrame, on: Sequence[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Join the most specific mapping row to every row of a frame, by the key columns `on`.

    Returns (mapped, unmapped). `mapped` has the frame's rows and order, with the mapping's other columns beside them (a name that the
    frame has already is replaced); it holds rows with `mode` `ignore` too, so that a deliberate non-mapping is visible and not
    missing. `unmapped` are the frame's other rows, as they came. A null key matches only `*`. Raises `InputError` for a mapping with
    two rows for the same key, or without a key column.
    """
    keys = list(on)
    best = _best(frame.select(keys).unique(), mapping, keys)
    values = [name for name in mapping.columns if name not in keys]
    base = frame.drop([name for name in values if name in frame.columns])
    joined = base.with_columns(_at=pl.int_range(pl.len())).join(
        best, on=keys, how="left", nulls_equal=True, maintain_order="left"
    )
    mapped = joined.filter(pl.col("_is_mapped").is_not_null()).drop("_at", "_is_mapped")
    lost = joined.filter(pl.col("_is_mapped").is_null())["_at"]
    return mapped, frame[lost]


def _best(wanted: pl.DataFrame, mapping: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """The winning mapping row for each distinct key of a frame, with the mark `_is_mapped`."""
    missing = [name for name in keys if name not in mapping.columns or name not in wanted.columns]
    if missing:
        raise InputError(f"The mapping cannot be applied: column {missing[0]} is missing; add it.")
    clean = mapping.with_columns(pl.col(keys).cast(pl.String).str.strip_chars())
    twice = clean.filter(clean.select(keys).is_duplicated()).select(keys).unique().sort(keys)
    if twice.height:
        shown = ", ".join(str(value) for value in twice.row(0))
        raise InputError(f"The mapping has more than one row for {shown}; keep one of them.")
    kinds = [
        pl.when(pl.col(name) == "*")
        .then(-1)
        .when(pl.col(name).str.ends_with("*"))
        .then(pl.col(name).str.len_chars().cast(pl.Int64) - 1)
        .otherwise(-2)
        .cast(pl.Int64)
        .alias(f"_k_{number}")
        for number, name in enumerate(keys)
    ]
    shaped = clean.with_columns(kinds)
    marks = [f"_k_{number}" for number in range(len(keys))]
    shapes = sorted(shaped.select(marks).unique().rows(), key=_rank)
    values = [name for name in mapping.columns if name not in keys]
    open_keys = wanted.with_columns(pl.col(keys).cast(pl.String))
    found: list[pl.DataFrame] = []
    # One join per shape of key (exact, prefix of a length, any): a handful, however many rows there are.
    for shape in shapes:
        rows = shaped.filter(*[pl.col(mark) == kind for mark, kind in zip(marks, shape, strict=True)])
        left, right = [], []
        for number, (name, kind) in enumerate(zip(keys, shape, strict=True)):
            if kind == -1:
                continue
            left.append(
                (pl.col(name) if kind == -2 else pl.col(name).str.slice(0, kind)).alias(f"_j_{number}")
            )
            right.append(
                (pl.col(name) if kind == -2 else pl.col(name).str.slice(0, kind)).alias(f"_j_{number}")
            )
        payload = rows.select(*values, *right, _is_mapped=pl.lit(True))
        if left:
            names = [expression.meta.output_name() for expression in left]
            hit = open_keys.with_columns(left).join(payload, on=names, how="inner").drop(names)
        else:
            hit = open_keys.join(payload, how="cross")
        found.append(hit.select(*keys, *values, "_is_mapped"))
        open_keys = open_keys.join(hit.select(keys), on=keys, how="anti", nulls_equal=True)
    if not found:
        empty = {name: mapping.schema[name] for name in values}
        return pl.DataFrame(
            schema={**{name: pl.String() for name in keys}, **empty, "_is_mapped": pl.Boolean()}
        )
    return pl.concat(found)


def _rank(shape: tuple[int, ...]) -> tuple[int, int, int, tuple[int, ...]]:
    stars = sum(kind == -1 for kind in shape)
    prefixes = [kind for kind in shape if kind >= 0]
    leftmost = tuple(0 if kind == -2 else 1 if kind >= 0 else 2 for kind in shape)
    return stars, len(prefixes), -sum(prefixes), leftmost


def coverage(
    frame: pl.DataFrame,
    mapping: pl.DataFrame,
    on: Sequence[str],
    *,
    amount: str,
    currency: str = "currency",
    document: str | None = None,
) -> pl.DataFrame:
    """Codes without a mapping, ranked by the money that waits for them, each with the CSV row to add.

    Columns: the keys, `currency`, `rows`, `documents` (distinct values of the `document` column, else rows), `waiting_minor` (sum of
    absolute amounts), and `csv_row` in the mapping's column order with what is to be filled in left empty and `mode` set to `map`.
    Amounts of different currencies are never added; the ranking is within a currency, and currencies go by name.
    """
    _, unmapped = resolve(frame, mapping, on)
    keys = list(on)
    counted = pl.col(document).n_unique() if document else pl.len()
    cells = [
        _csv_cell(pl.col(name)) if name in keys else pl.lit("map" if name == "mode" else "")
        for name in mapping.columns
    ]
    return (
        unmapped.group_by(*keys, currency)
        .agg(
            rows=pl.len().cast(pl.Int64),
            documents=counted.cast(pl.Int64),
            waiting_minor=pl.col(amount).abs().sum(),
        )
        .sort(currency, "waiting_minor", *keys, descending=[False, True, *[False] * len(keys)])
        .with_columns(csv_row=pl.concat_str(cells, separator=","))
    )


def _csv_cell(value: pl.Expr) -> pl.Expr:
    text = value.cast(pl.String).fill_null("*")
    quoted = pl.format('"{}"', text.str.replace_all('"', '""', literal=True))
    return pl.when(text.str.contains(r'[",\r\n]')).then(quoted).otherwise(text)


def correct_orders(orders: pl.DataFrame, corrections: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Apply corrections (`mappings.corrections`) of `store_ref`, `customer_ref` and `status_code` to orders.

    Returns (orders, evidence). Evidence has one row per correction and order with the value before and after, author, day and reason;
    a correction that meets no order is there with `is_applied` false. Orders keep their rows and their order. A storefront of `*`
    means any. Raises `InputError` for two corrections of the same field of the same order.
    """
    changed, told = orders, []
    for name in CORRECTABLE:
        mine = corrections.filter(pl.col("field") == name)
        changed, evidence = _corrected(changed, mine, name, ["storefront", "order_number"])
        told.append(evidence)
    return changed, pl.concat(told)


def correct_tenders(
    payments: pl.DataFrame, corrections: pl.DataFrame, *, orders: pl.DataFrame, order_payments: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Apply corrections of `tender_code` to the payments of an order, by its number; evidence as for `correct_orders`.

    A payment belongs to the order it names itself, else to the one that names it (`order_payments`).
    """
    mine = corrections.filter(pl.col("field") == "tender_code")
    named = order_payments.select("storefront", "payment_ref", _named="order_ref").unique(
        ["storefront", "payment_ref"], keep="first", maintain_order=True
    )
    numbers = orders.select("storefront", _owner="order_ref", order_number="order_number")
    numbered = (
        payments.join(named, on=["storefront", "payment_ref"], how="left", maintain_order="left")
        .with_columns(_owner=pl.coalesce("order_ref", "_named"))
        .join(numbers, on=["storefront", "_owner"], how="left", maintain_order="left")
    )
    changed, evidence = _corrected(numbered, mine, "tender_code", ["storefront", "order_number"])
    return changed.select(payments.columns), evidence.unique(maintain_order=True)


def _corrected(
    frame: pl.DataFrame, corrections: pl.DataFrame, name: str, keys: list[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    about = ["author", "corrected_on", "reason"]
    notes = corrections.select(*keys, _after="value", **{f"_{one}": one for one in about})
    mapped, _ = resolve(frame.select(keys).unique(), notes, keys)
    joined = frame.join(mapped, on=keys, how="left", nulls_equal=True, maintain_order="left")
    hit = joined.filter(pl.col("_after").is_not_null())
    done = hit.select(
        *keys,
        field=pl.lit(name),
        before=pl.col(name),
        after="_after",
        **{one: pl.col(f"_{one}") for one in about},
        is_applied=pl.lit(True),
    )
    met = hit.select("order_number").unique()
    idle = corrections.join(met, on="order_number", how="anti").select(
        *keys,
        field=pl.lit(name),
        before=pl.lit(None, dtype=pl.String),
        after="value",
        **{one: pl.col(one) for one in about},
        is_applied=pl.lit(False),
    )
    evidence = pl.concat([done, idle]).select(
        [pl.col(column).cast(dtype) for column, dtype in _EVIDENCE.items()]
    )
    changed = joined.with_columns(pl.coalesce("_after", name).alias(name)).select(frame.columns)
    return changed, evidence
