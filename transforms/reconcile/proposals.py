"""Pass 4: possible counterparts of orders without an invoice and documents without an order. Never accepted by themselves."""

from __future__ import annotations

import polars as pl

from transforms.reconcile.covering import covering
from transforms.reconcile.policy import Policy
from transforms.reconcile.wording import money

MOST = 20
"""More rows than this with one customer, currency, amount and week say nothing; the proposal then only says how many there are."""


_KEYS = ["group_ref", "entity_code", "currency"]


def open_sides(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Of rows: orders without an invoice and documents without an order, each (group_ref, entity_code, currency, customer, amount, on, name)."""
    orders = rows.filter((pl.col("outcome_code") == "missing_invoice") & (pl.col("actual_minor") == 0))
    documents = rows.filter(pl.col("outcome_code") == "missing_order")
    name = pl.coalesce("order_number", "order_ref")
    return (
        orders.select(*_KEYS, "customer", amount="expected_minor", on="owed_on", name=name),
        documents.select(*_KEYS, customer="payer", amount="actual_minor", on="document_on", name="documents"),
    )


def proposals(orders: pl.DataFrame, documents: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """(group_ref, entity_code, currency, proposal) for orders without invoice and orphan documents of all parts; see `open_sides`.

    Same customer (or unknown on both sides), same currency, amounts apart by no more than the absolute tolerance, dates by no more
    than `proposal_days`. Candidates are found by blocks of amount and date, so that a thousand equal orders cannot multiply.
    """
    keys = _KEYS
    if orders.is_empty() or documents.is_empty():
        return pl.DataFrame(schema={**dict.fromkeys(keys, pl.String), "proposal": pl.String})
    spread = pl.col("currency").replace_strict(
        dict(policy.tolerance.absolute_minor), default=0, return_dtype=pl.Int64
    )
    days = max(policy.proposal_days, 0)
    block = ["customer", "currency", "by_amount", "by_date"]
    left = _blocked(orders, spread, days)
    right = _blocked(documents, spread, days)
    near = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    reach = pl.concat(
        [left.with_columns(pl.col("by_amount") + a, pl.col("by_date") + b) for a, b in near]
    ).join(right, on=block, suffix="_other", nulls_equal=True)
    counts = ["n", "n_other"]
    fits = reach.filter(
        (pl.max_horizontal(counts) <= MOST)
        & ((pl.col("amount") - pl.col("amount_other")).abs() <= spread)
        & ((pl.col("on") - pl.col("on_other")).dt.total_days().abs() <= days)
    )
    crowded = reach.filter(pl.max_horizontal(counts) > MOST)
    other = [f"{name}_other" for name in keys if name != "currency"]
    single = pl.concat(
        [
            _said(fits, crowded, keys, "name_other", "amount_other", "invoice"),
            _said(fits, crowded, [other[0], other[1], "currency"], "name", "amount", "order").rename(
                {"group_ref_other": "group_ref", "entity_code_other": "entity_code"}
            ),
        ]
    )
    sides = [side.join(single, on=keys, how="anti") for side in (orders, documents)]
    return pl.concat([single, covering(sides[0], sides[1], policy)])


def within_reach(orders: pl.DataFrame, documents: pl.DataFrame, policy: Policy, entity: str) -> pl.DataFrame:
    """(group_ref, entity_code, currency) of the open rows, of any entity, that the proposals of one entity's rows are made from.

    Both sides as `proposals` takes them. They are the rows of the entity, what counts with them, and what lies in the blocks around them.
    """
    if orders.is_empty() or documents.is_empty():
        return pl.DataFrame(schema=dict.fromkeys(_KEYS, pl.String))
    spread = pl.col("currency").replace_strict(
        dict(policy.tolerance.absolute_minor), default=0, return_dtype=pl.Int64
    )
    block = ["customer", "currency", "by_amount", "by_date"]
    sides = [_blocked(side, spread, max(policy.proposal_days, 0)) for side in (orders, documents)]
    found = []
    for one, other in (sides, sides[::-1]):
        own = one.filter(pl.col("entity_code") == entity).select(block).unique()
        near = pl.concat(
            own.with_columns(pl.col("by_amount") + a, pl.col("by_date") + b)
            for a in (-1, 0, 1)
            for b in (-1, 0, 1)
        ).unique()
        found += [
            one.join(own, on=block, how="semi", nulls_equal=True),
            other.join(near, on=block, how="semi", nulls_equal=True),
        ]
    return pl.concat(rows.select(_KEYS) for rows in found).unique()


def _blocked(side: pl.DataFrame, spread: pl.Expr, days: int) -> pl.DataFrame:
    block = ["customer", "currency", "by_amount", "by_date"]
    return side.with_columns(
        by_amount=pl.col("amount") // (spread + 1), by_date=pl.col("on").cast(pl.Int32) // (days + 1)
    ).with_columns(n=pl.len().over(block))


def _said(
    fits: pl.DataFrame, crowded: pl.DataFrame, keys: list[str], name: str, amount: str, what: str
) -> pl.DataFrame:
    text = pl.concat_str(pl.col(name), pl.lit(" ("), money(amount), pl.lit(")"))
    one = (
        fits.with_columns(text=text)
        .sort(name)
        .group_by(keys, maintain_order=True)
        .agg(pl.col("text").unique(maintain_order=True))
        .select(
            *keys,
            proposal=pl.concat_str(
                pl.when(pl.col("text").list.len() == 1)
                .then(pl.lit(f"Possible {what}, same customer, amount and about the same date: "))
                .otherwise(pl.lit(f"Several {what}s fit equally well: ")),
                pl.col("text").list.join(", "),
                pl.lit(". Not accepted by itself."),
            ),
        )
    )
    many = (
        crowded.join(one, on=keys, how="anti", nulls_equal=True)
        .select(keys)
        .unique()
        .with_columns(
            proposal=pl.lit(
                f"More than {MOST} {what}s of the same customer and amount are near; none is proposed."
            )
        )
    )
    return pl.concat([one, many])
