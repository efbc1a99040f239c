"""What people decided, applied anew on every run: pairs matched and unmatched by hand, differences explained or written off.

A decision is a row that is never changed; a later row withdraws it. Matching by hand replaces whatever the passes found for a ledger
document; unmatching takes one pair out. An explanation holds for one row (group, entity, currency) and only while its outcome code and
its difference are what they were when somebody looked: a difference that has moved since is open again, and its evidence says so.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from transforms.reconcile.intake import Inputs
from transforms.reconcile.wording import family, money

BY_HAND: Final = 5
"""The pass number of what a person matched."""
_CODES: Final = {"explain": "explained_by_hand", "write_off": "write_off"}
_OPEN: Final = ("error", "ambiguous")


def standing(inputs: Inputs, tie_out: str) -> pl.DataFrame:
    """The decisions of a tie-out that nobody withdrew, in the order they were taken."""
    rows = inputs.take("decisions")
    if rows.is_empty():
        return rows
    gone = rows.filter(pl.col("kind_code") == "withdraw").select(decision_id="about_id")
    return (
        rows.filter(pl.col("tie_out") == tie_out)
        .join(gone.drop_nulls().unique(), on="decision_id", how="anti")
        .sort("decided_at", "decision_id")
    )


def pairs(decisions: pl.DataFrame, kind: str) -> pl.DataFrame:
    """(group_ref, ledger_ref) matched or unmatched by hand; of two decisions on one pair the later one counts."""
    last = decisions.filter(pl.col("kind_code").is_in(["match", "unmatch"])).drop_nulls(
        ["group_ref", "ledger_ref"]
    )
    last = last.unique(["group_ref", "ledger_ref"], keep="last", maintain_order=True)
    return last.filter(pl.col("kind_code") == kind).select("group_ref", "ledger_ref")


def overruled(
    edges: pl.DataFrame, by_hand: pl.DataFrame, taken_out: pl.DataFrame, left: str, right: str
) -> pl.DataFrame:
    """Edges with what people said: pairs taken out are gone, and a document matched by hand has those edges and no others."""
    kept = edges.join(taken_out, on=[left, right], how="anti").join(by_hand, on=left, how="anti")
    return pl.concat([kept, by_hand.select(edges.columns)]) if by_hand.height else kept


def explained(rows: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """Published rows with what people explained or wrote off: outcome, family, `decision_id`, and the words of it in the evidence.

    `rows` has group_ref, entity_code, currency, delta_minor, outcome_code, family_code, secondary_codes, evidence.
    """
    key = ["group_ref", "entity_code", "currency"]
    if decisions.is_empty():
        return rows.with_columns(decision_id=pl.lit(None, dtype=pl.String))
    last = (
        decisions.filter(pl.col("kind_code").is_in(list(_CODES)))
        .unique(key, keep="last", maintain_order=True)
        .select(
            *key, "decision_id", said_by="author", said_why="reason", said_was="outcome_code", said_minor="amount_minor",
            said_code=pl.col("kind_code").replace_strict(_CODES, return_dtype=pl.String),
            said_on=pl.col("decided_at").dt.date().cast(pl.String),
        )
    )  # fmt: skip
    if last.is_empty():
        return rows.with_columns(decision_id=pl.lit(None, dtype=pl.String))
    open_ = pl.col("family_code").is_in(list(_OPEN))
    fits = (
        open_
        & (pl.col("outcome_code") == pl.col("said_was"))
        & (pl.col("delta_minor") == pl.col("said_minor"))
    ).fill_null(False)
    stale = open_ & pl.col("decision_id").is_not_null() & ~fits
    holds = pl.concat_str(
        "said_by", pl.lit(" accepted this on "), "said_on", pl.lit(": "), "said_why", pl.lit(" (decision "), "decision_id",
        pl.lit("; it was "), "said_was", pl.lit("). "), "evidence",
    )  # fmt: skip
    lapsed = pl.concat_str(
        "evidence", pl.lit(" Decision "), "decision_id", pl.lit(" of "), "said_by", pl.lit(" no longer fits: it accepted "),
        money("said_minor"), pl.lit(" as "), "said_was", pl.lit("."),
    )  # fmt: skip
    found = rows.join(last, on=key, how="left", maintain_order="left").with_columns(fits=fits, stale=stale)
    return (
        found.with_columns(
            evidence=pl.when("fits").then(holds).when("stale").then(lapsed).otherwise("evidence"),
            outcome_code=pl.when("fits").then("said_code").otherwise("outcome_code"),
            decision_id=pl.when("fits").then("decision_id"),
        )
        .with_columns(family_code=family())
        .drop("said_by", "said_why", "said_was", "said_minor", "said_code", "said_on", "fits", "stale")
    )
