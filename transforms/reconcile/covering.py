"""Pass 4, sets: several open documents that add up to one open order, or several orders to one document. Proposed, never accepted.

Only documents and orders of one known customer, entity and currency, dated within the stated days of the one they would cover, and no
more than `covering_most` of them: with more, so many sets add up by chance that none means anything. Of the sets that fit, the smallest
count; where several are equally small, all are told and none is preferred. The work is bounded, in an order that rows cannot change.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import polars as pl

from transforms.reconcile.policy import Policy
from transforms.reconcile.wording import money

WORK: Final = 4_000_000
"""Sums tried for one entity in one reconciliation, at most; what is left then is said to be left."""
TOLD: Final = 3
ENOUGH: Final = 8
"""Sets kept for one sum; more than that would not be told."""
_KEYS: Final = ("group_ref", "entity_code", "currency")
_SCHEMA: Final = {**dict.fromkeys(_KEYS, pl.String), "proposal": pl.String}


def smallest_sets(amounts: Sequence[int], target: int) -> list[tuple[int, ...]]:
    """Every smallest set (of two or more) of positions whose amounts add up to `target`, in order of positions.

    All amounts have the sign of the target; those of zero are never part of a set. At most `ENOUGH` sets are found. The number of sums is two to the number of amounts; the caller bounds it.
    """
    sums: dict[int, list[tuple[int, ...]]] = {0: [()]}
    for at, amount in enumerate(amounts):
        if amount == 0:
            continue
        for total, sets in list(sums.items()):
            if abs(total + amount) > abs(target):
                continue
            both = [*sums.get(total + amount, []), *((*one, at) for one in sets)]
            least = min(map(len, both))
            # Of the sets with one sum the smallest are enough: whatever completes one of them completes all.
            sums[total + amount] = [one for one in both if len(one) == least][:ENOUGH]
    return sorted(one for one in sums.get(target, []) if len(one) > 1)


def covering(orders: pl.DataFrame, documents: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """(group_ref, entity_code, currency, proposal) for orders that several documents may cover, and documents that may cover several orders.

    Both frames: group_ref, entity_code, currency, customer, amount, on, name. Rows that have a proposal already are left out by the caller.
    """
    if policy.covering_most < 2:
        return pl.DataFrame(schema=_SCHEMA)
    block = ["entity_code", "currency", "customer"]
    both = [side.drop_nulls([*block, "on"]).filter(pl.col("amount") != 0) for side in (orders, documents)]
    counts = [side.group_by(block).agg(n=pl.len()) for side in both]
    tried = counts[0].join(counts[1], on=block, suffix="_other")
    told: list[tuple[str, str, str, str]] = []
    work: dict[str, int] = {}
    for target, pool, what, n in (
        (both[0], both[1], "invoices", "n_other"),
        (both[1], both[0], "orders", "n"),
    ):
        fit = tried.filter(pl.col(n).is_between(2, policy.covering_most)).select(block)
        targets = target.join(fit, on=block).sort(*_KEYS)
        pools = pool.join(fit, on=block).sort(*block, "group_ref").partition_by(block, as_dict=True)
        # A loop over the open rows of small pools: whether a set adds up has no column form. `WORK` bounds it.
        for row in targets.iter_rows(named=True):
            near = _near(pools[row["entity_code"], row["currency"], row["customer"]], row, policy)
            done = work[row["entity_code"]] = work.get(row["entity_code"], 0) + (1 << len(near))
            if done > WORK:
                told.append(
                    (
                        *(row[key] for key in _KEYS),
                        "Sets that might add up were not looked for: too much is open.",
                    )
                )
                continue
            sets = smallest_sets([one["amount"] for one in near], row["amount"])
            if sets:
                told.append((*(row[key] for key in _KEYS), _said(sets, near, what, row["currency"])))
    return pl.DataFrame(told, schema=_SCHEMA, orient="row")


def _near(pool: pl.DataFrame, row: dict[str, Any], policy: Policy) -> list[dict[str, Any]]:
    days = (pool["on"] - pl.Series([row["on"]])).dt.total_days().abs()
    same_sign = (pool["amount"] > 0) == (row["amount"] > 0)
    return pool.filter((days <= max(policy.proposal_days, 0)) & same_sign).to_dicts()


def _said(sets: Sequence[tuple[int, ...]], near: list[dict[str, Any]], what: str, currency: str) -> str:
    def words() -> Iterator[str]:
        for one in sets[:TOLD]:
            members = pl.DataFrame(
                {
                    "name": [near[at]["name"] for at in one],
                    "amount": [near[at]["amount"] for at in one],
                    "currency": currency,
                },
                schema={"name": pl.String, "amount": pl.Int64, "currency": pl.String},
            )
            shown = members.select(pl.concat_str("name", pl.lit(" ("), money("amount"), pl.lit(")")))
            yield " + ".join(shown.to_series().to_list())

    if len(sets) == 1:
        return f"Possible {what} that add up to it: {next(words())}. Not accepted by themselves."
    more = f" and {len(sets) - TOLD} more" if len(sets) > TOLD else ""
    return (
        f"Several sets of {what} add up to it equally well: {'; or '.join(words())}{more}. None is preferred."
    )
