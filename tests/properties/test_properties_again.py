"""A comparison made again after changes says what the comparison of everything says: a prefix and then the rest is all."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from reconcile_worlds import POLICIES, drawn

from transforms.reconcile import Inputs, Policy, Result, reconcile
from transforms.reconcile.again import INPUTS, Again, Changes, Kept, compared_again, compared_to_keep
from transforms.reconcile.result import matches_of
from transforms.reconcile.streams import Collected, InMind

KEY = ["group_ref", "entity_code", "currency"]
TOLD = ("waterfall", "ageing", "totals", "footing", "absorbed", "suspects", "tolerated", "out_of_scope")


UNIQUE = {
    "orders": ["storefront", "order_ref"],
    "owed": ["event_ref"],
    "payments": ["transaction_ref"],
    "ar_invoices": ["invoice_ref"],
    "ar_adjustments": ["adjustment_ref"],
    "ar_lines": ["document_kind", "document_ref"],
    "ar_receipts": ["receipt_ref"],
    "ar_applications": ["application_ref"],
    "crosswalk": ["document_id"],
    "customer_ids": ["customer_ref"],
    "refund_outcomes": ["storefront", "order_ref", "event_ref"],
}


def changed(inputs: Inputs, draw: random.Random) -> tuple[Inputs, Changes]:
    """Some rows go; some come as they were in another drawn world, in place of those that have their key."""
    other = drawn(draw.randrange(10_000))
    gone, come, after = {}, {}, {}
    for name in INPUTS:
        rows, more = getattr(inputs, name), getattr(other, name)
        if rows is None or draw.random() < 0.4:
            continue
        goes = rows.sample(min(rows.height, draw.randrange(3)), seed=draw.randrange(999))
        comes = more.sample(min(more.height, draw.randrange(3)), seed=draw.randrange(999))
        comes = pl.concat([rows.clear(), comes], how="diagonal_relaxed").select(rows.columns)
        left = _less(rows, goes)
        if name in UNIQUE:
            replaced = left.join(comes, on=UNIQUE[name], how="semi")
            left, goes = _less(left, replaced), pl.concat([goes, replaced])
        gone[name], come[name], after[name] = goes, comes, pl.concat([left, comes])
    return replace(inputs, **after), Changes(gone, come)


def _less(rows: pl.DataFrame, gone: pl.DataFrame) -> pl.DataFrame:
    nth = pl.int_range(pl.len()).over(rows.columns).alias("nth")
    return rows.with_columns(nth).join(gone.with_columns(nth), on=[*rows.columns, "nth"], how="anti", nulls_equal=True).drop("nth")  # fmt: skip


def first(inputs: Inputs, policy: Policy) -> tuple[dict[str, pl.DataFrame], Kept]:
    sink, shelf = Collected(), InMind()
    summary, kept = compared_to_keep(inputs, policy, sink, shelf)
    return {**{name: getattr(summary, name) for name in TOLD}, **rows_of(sink)}, kept


def rows_of(sink: Collected) -> dict[str, pl.DataFrame]:
    return {
        "orders": pl.concat(sink.orders),
        "payments": pl.concat(sink.payments),
        "matches": pl.concat(matches_of(*one) for one in sink.pairs),
    }


def merged(said: dict[str, pl.DataFrame], again: Again) -> dict[str, pl.DataFrame]:
    """The rows published before, with those of the homes that were looked at replaced."""
    before, after = rows_of(again.before), rows_of(again.after)
    found = {name: getattr(again.summary, name) for name in TOLD}
    for name in before:
        found[name] = pl.concat([_less(said[name], before[name]), after[name]])
    offers = again.proposals.rename({"proposal": "other"}).with_columns(is_other=True)
    orders = found["orders"].join(offers, on=KEY, how="left", nulls_equal=True)
    found["orders"] = orders.with_columns(proposal=pl.when("is_other").then("other").otherwise("proposal")).drop("other", "is_other")  # fmt: skip
    return found


def kept_after(kept: Kept, again: Again, inputs: Inputs) -> Kept:
    alive = ~pl.col("home").is_in(again.homes.implode())
    rows = {name: pl.concat([frame.filter(alive), again.rows[name].lazy()]) for name, frame in kept.rows.items() if name != "customer_ids"}  # fmt: skip
    if "customer_ids" in kept.rows:
        rows["customer_ids"] = compared_to_keep(inputs, Policy(), Collected(), InMind())[1].rows[
            "customer_ids"
        ]
    papers = {name: pl.concat([frame.filter(alive), again.papers[name].lazy()]) for name, frame in kept.papers.items()}  # fmt: skip
    labels = pl.concat([kept.labels.filter(~pl.col("label").is_in(again.homes.implode())), again.labels])
    return Kept(rows, papers, labels, again.tally, again.view, kept.prefixes)


def sorted_(said: dict[str, Any], name: str) -> pl.DataFrame:
    frame = said[name]
    return frame if name in TOLD else frame.sort(pl.all())


def whole(result: Result) -> dict[str, pl.DataFrame]:
    return {name: getattr(result, name) for name in (*TOLD, "orders", "payments", "matches")}


# World 208 has a debit memo that takes back a credit memo, and refunds with entries. In worlds 102 and 123 orders are owed for that are missing among the orders; they went wrong once.
@pytest.mark.parametrize("seed", [102, 123, 8, 208])
def test_a_comparison_made_again_says_what_the_whole_says(seed: int) -> None:
    draw = random.Random(seed * 7 + 1)
    inputs, policy = drawn(seed), replace(POLICIES[seed % len(POLICIES)], buckets=2)
    said, kept = first(inputs, policy)
    made = 0
    for step in range(2):
        inputs, changes = changed(inputs, draw)
        again = compared_again(kept, changes, inputs, policy)
        expected = whole(reconcile(inputs, replace(policy, buckets=1)))
        if again is None:
            said, kept = first(inputs, policy)
        else:
            made += 1
            said, kept = merged(said, again), kept_after(kept, again, inputs)
        for name in expected:
            assert sorted_(said, name).equals(sorted_(expected, name)), f"{name} differs in step {step}"
    assert made, "some step was made again"
