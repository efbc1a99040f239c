"""The tolerance budget: what was accepted without a person, where it went, and whether it goes one way too often to be chance.

The sign test asks how probable so one-sided a count is if either direction were equally likely. It is worked out in whole numbers; past
a thousand differences Hoeffding's bound stands for it, which is never smaller, so that a trend is rather missed than invented.
"""

from __future__ import annotations

from decimal import Decimal
from math import comb
from typing import Final

import polars as pl

from transforms.reconcile.intake import Inputs
from transforms.reconcile.matching import Matched
from transforms.reconcile.policy import Policy
from transforms.reconcile.wording import money

COLUMNS = (
    "tie_out", "entity_code", "account_code", "currency", "direction", "row_count", "amount_minor", "currency_used_minor", "cap_minor",
    "other_count", "chance_ppm", "is_trend",
)  # fmt: skip
_EXACT: Final = 1000
_MILLION: Final = 1_000_000


def chance_ppm(most: int, other: int) -> int:
    """How probable a split at least as one-sided as `most` against `other` is by chance, two-sided, in parts per million, rounded up."""
    total = most + other
    high = max(most, other)
    if total == 0 or high * 2 == total:
        return _MILLION
    if total <= _EXACT:
        tail = sum(comb(total, k) for k in range(high, total + 1))
        return min(_MILLION, -(-2 * tail * _MILLION // 2**total))
    # 2·exp(−2·(k − n/2)²/n) = 2·exp(−(2k − n)²/(2n))
    bound = 2 * (-Decimal((2 * high - total) ** 2) / (2 * total)).exp()
    return min(_MILLION, int(bound * _MILLION) + 1)


def accepted_of(
    orders: pl.DataFrame, payments: pl.DataFrame, matched: Matched, inputs: Inputs
) -> pl.DataFrame:
    """(tie_out, entity_code, account_code, currency, delta_minor): what a part accepted within tolerance, row by row."""
    return pl.concat([_order_rows(orders, matched, inputs), _payment_rows(payments, inputs)])


def tolerated_of(accepted: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """recon.tolerated: per tie-out, entity, account, currency and direction, from what all parts accepted."""
    rows = accepted.with_columns(
        direction=pl.when(pl.col("delta_minor") > 0).then(pl.lit("under")).otherwise(pl.lit("over"))
    )
    if rows.is_empty():
        return _none()
    place = ["tie_out", "entity_code", "account_code", "currency"]
    used = rows.group_by("tie_out", "currency").agg(currency_used_minor=pl.col("delta_minor").abs().sum())
    counted = rows.group_by(*place, "direction").agg(
        row_count=pl.len().cast(pl.Int64), amount_minor=pl.col("delta_minor").sum()
    )
    counted = counted.with_columns(
        other_count=pl.col("row_count").sum().over(place) - pl.col("row_count")
    ).join(used, on=["tie_out", "currency"])
    # A loop over the handful of accounts that absorbed anything: binomial sums have no column form.
    chances = [
        chance_ppm(one, other) for one, other in counted.select("row_count", "other_count").iter_rows()
    ]
    caps = dict(policy.tolerance.cap_minor or {})
    threshold = int(policy.trend_percent * 10_000)
    many = pl.col("row_count") + pl.col("other_count") >= policy.trend_least
    return (
        counted.with_columns(
            chance_ppm=pl.Series(chances, dtype=pl.Int64),
            cap_minor=pl.col("currency").replace_strict(caps, default=None, return_dtype=pl.Int64),
        )
        .with_columns(
            is_trend=many
            & (pl.col("chance_ppm") <= threshold)
            & (pl.col("row_count") > pl.col("other_count"))
        )
        .select(COLUMNS)
        .sort("tie_out", "entity_code", "account_code", "currency", "direction")
    )


def trends(tolerated: pl.DataFrame) -> pl.DataFrame:
    """recon.findings of code tolerance_trend: many small differences that all go one way."""
    way = pl.when(pl.col("direction") == "under").then(pl.lit("below")).otherwise(pl.lit("above"))
    account = (
        pl.when(pl.col("account_code") == "")
        .then(pl.lit("an unknown account"))
        .otherwise(pl.concat_str(pl.lit("account "), "account_code"))
    )
    return tolerated.filter("is_trend").select(
        finding_code=pl.lit("tolerance_trend"),
        subject_ref=pl.concat_str("tie_out", "entity_code", "account_code", "currency", "direction", separator="/"),
        entity_code="entity_code",
        currency="currency",
        amount_minor="amount_minor",
        row_count="row_count",
        sentence=pl.concat_str(
            pl.col("row_count").cast(pl.String), pl.lit(" accepted differences on "), account, pl.lit(" put Intacct "), way,
            pl.lit(" the storefront and "), pl.col("other_count").cast(pl.String), pl.lit(" the other way, "), money("amount_minor"),
            pl.lit(" in all; by chance that happens less than "), pl.col("chance_ppm").cast(pl.String),
            pl.lit(" times in a million. Look for a rounding or fee that is set up differently on one side."),
        ),
    )  # fmt: skip


def _order_rows(orders: pl.DataFrame, matched: Matched, inputs: Inputs) -> pl.DataFrame:
    rows = orders.filter(pl.col("outcome_code") == "within_tolerance")
    if rows.is_empty():
        return _nothing_accepted()
    parts = [name.removeprefix("expected_").removesuffix("_minor") for name in orders.columns if name.startswith("expected_") and name != "expected_minor"]  # fmt: skip
    differing = pl.concat_list(
        pl.when(pl.col(f"expected_{name}_minor") != pl.col(f"actual_{name}_minor")).then(pl.lit(name))
        for name in parts
    ).list.drop_nulls()
    rows = rows.with_columns(component_code=pl.when(differing.list.len() == 1).then(differing.list.first()))
    accounts = _accounts(rows, matched, inputs)
    return rows.join(accounts, on=["group_ref", "entity_code", "currency"], how="left").select(
        pl.lit("orders").alias("tie_out"),
        "entity_code",
        pl.col("account_code").fill_null(""),
        "currency",
        "delta_minor",
    )


def _accounts(rows: pl.DataFrame, matched: Matched, inputs: Inputs) -> pl.DataFrame:
    """The account of the lines that differ, where one component differs and all its lines stand on one account."""
    key = ["group_ref", "entity_code", "currency"]
    nothing = pl.DataFrame(schema={**dict.fromkeys(key, pl.String), "account_code": pl.String})
    if inputs.ar_lines is None or rows.is_empty() or "account_code" not in inputs.ar_lines.collect_schema():
        return nothing
    heads = matched.orders.select("group_ref", "grp").join(
        rows.select(*key, "component_code"), on="group_ref"
    )
    documents = (
        matched.documents.filter("in_scope", "is_counted")
        .rename({"entity": "entity_code"})
        .join(heads, on=["grp", "entity_code", "currency"])
        .select(*key, "component_code", document_kind="kind", document_ref="ref")
    )
    lines = inputs.ar_lines.lazy().select("document_kind", "document_ref", "component_code", "account_code")
    found = lines.join(documents.lazy(), on=["document_kind", "document_ref", "component_code"]).collect(
        engine="streaming"
    )
    return (
        found.group_by(key)
        .agg(pl.col("account_code").drop_nulls().unique())
        .filter(pl.col("account_code").list.len() == 1)
        .with_columns(pl.col("account_code").list.first())
    )


def _payment_rows(payments: pl.DataFrame, inputs: Inputs) -> pl.DataFrame:
    rows = payments.filter(pl.col("outcome_code") == "within_tolerance")
    if rows.is_empty():
        return _nothing_accepted()
    rows = rows.with_columns(receipt_ref=pl.col("receipts").str.split(",").list.first())
    if inputs.ar_receipts is not None and "account_ref" in inputs.ar_receipts.collect_schema():
        accounts = inputs.ar_receipts.lazy().select("receipt_ref", account_code="account_ref").collect()
        rows = rows.join(accounts, on="receipt_ref", how="left")
    else:
        rows = rows.with_columns(account_code=pl.lit(None, dtype=pl.String))
    return rows.select(
        pl.lit("payments").alias("tie_out"),
        "entity_code",
        pl.col("account_code").fill_null(""),
        "currency",
        "delta_minor",
    )


def _nothing_accepted() -> pl.DataFrame:
    place = ("tie_out", "entity_code", "account_code", "currency")
    return pl.DataFrame(schema={**dict.fromkeys(place, pl.String), "delta_minor": pl.Int64})


def _none() -> pl.DataFrame:
    kinds = {name: pl.Int64 for name in COLUMNS if name.endswith(("_minor", "_count", "_ppm"))} | {
        "is_trend": pl.Boolean
    }
    return pl.DataFrame(schema={name: kinds.get(name, pl.String) for name in COLUMNS})
