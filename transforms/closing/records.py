"""The records a closed period rests on, and which of them moved since: what a sentinel compares.

A record is one event of the shop (a sale, a credit or a charge, as recognised) or one document of Intacct (invoice, adjustment, receipt) with
an accounting date in the period. A record that now lies in another period, or is gone, or is new, has moved as much as one whose amount changed.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import polars as pl

from transforms.reconcile.intake import Inputs
from transforms.reconcile.policy import Period

SCHEMA: Final = {
    "side": pl.String(), "kind_code": pl.String(), "record_ref": pl.String(), "entity_code": pl.String(), "number": pl.String(),
    "order_number": pl.String(), "dated_on": pl.Date(), "currency": pl.String(), "amount_minor": pl.Int64(), "state_code": pl.String(),
    "customer_ref": pl.String(),
}  # fmt: skip
KEY: Final = ["side", "kind_code", "record_ref"]
COMPARED: Final = ("entity_code", "dated_on", "currency", "amount_minor", "state_code", "customer_ref")
CHANGES: Final = ("added", "removed", "changed")
_STANDS: Final = {
    "posted": "stands",
    "paid": "stands",
    "partially paid": "stands",
    "selected": "stands",
    "complete": "stands",
}
"""Labels by which a document stands: an invoice that is paid after the lock has not moved. Whatever else a label says is kept as it is."""


def records(inputs: Inputs, period: Period, entity: str | None) -> pl.DataFrame:
    """Every record of one entity (None: of all) dated in the period, in the columns of `SCHEMA`, sorted by key."""
    owed = inputs.take("owed").select(
        side=pl.lit("storefront"),
        kind_code="event_code",
        record_ref=pl.concat_str("storefront", "order_ref", "event_ref", separator=":"),
        entity_code=pl.col("entity_code").fill_null(""),
        number=pl.coalesce("order_number", "order_ref"),
        order_number="order_number",
        dated_on="owed_on",
        currency="currency",
        amount_minor="total_minor",
        state_code=pl.lit("stands"),
        customer_ref=pl.lit(None, pl.String),
    )
    parts = [owed]
    for kind, name, ref, number, day in (
        ("invoice", "ar_invoices", "invoice_ref", "invoice_number", "posted_on"),
        ("adjustment", "ar_adjustments", "adjustment_ref", "adjustment_number", "posted_on"),
        ("receipt", "ar_receipts", "receipt_ref", "reference", "received_on"),
    ):
        label = pl.col("state_code").fill_null("").str.to_lowercase()
        gone = pl.col("is_deleted").fill_null(False)
        parts.append(
            inputs.take(name).select(
                side=pl.lit("intacct"),
                kind_code=pl.lit(kind),
                record_ref=ref,
                entity_code=pl.col("entity_code").fill_null(""),
                number=number,
                order_number="reference",
                dated_on=day,
                currency="currency",
                amount_minor="total_minor",
                state_code=pl.when(gone).then(pl.lit("deleted")).otherwise(label.replace(_STANDS)),
                customer_ref="customer_id",
            )
        )
    whole = pl.concat([part.select([pl.col(n).cast(t) for n, t in SCHEMA.items()]) for part in parts])
    mine = pl.lit(True) if entity is None else pl.col("entity_code") == entity
    inside = mine & period.holds("dated_on", "entity_code")
    return whole.filter(inside).unique(KEY, keep="first", maintain_order=True).sort(KEY)


def moved(before: pl.DataFrame, now: pl.DataFrame, elsewhere: pl.DataFrame | None = None) -> pl.DataFrame:
    """What differs between two sets of `records`: one row per record with `change_code`, the columns of `SCHEMA` as `before_…` and `after_…`.

    `elsewhere` are today's records outside the period, so that one that was moved away is told with where it went; without it, it is `removed`.
    """
    compared = [*COMPARED, "number", "order_number"]
    left = before.select(*KEY, *(pl.col(name).alias(f"before_{name}") for name in compared), was=pl.lit(True))
    right = now.select(*KEY, *(pl.col(name).alias(f"after_{name}") for name in compared), stands=pl.lit(True))
    if elsewhere is not None and elsewhere.height:
        gone = before.join(now, on=KEY, how="anti").select(KEY)
        away = elsewhere.join(gone, on=KEY, how="semi").select(
            *KEY, *(pl.col(name).alias(f"after_{name}") for name in compared), stands=pl.lit(True)
        )
        right = pl.concat([right, away])
    both = left.join(right, on=KEY, how="full", coalesce=True)
    same = pl.all_horizontal(pl.col(f"before_{n}").eq_missing(pl.col(f"after_{n}")) for n in COMPARED)
    change = (
        pl.when(pl.col("was").is_null()).then(pl.lit("added"))
        .when(pl.col("stands").is_null()).then(pl.lit("removed"))
        .otherwise(pl.lit("changed"))
    )  # fmt: skip
    return (
        both.filter(pl.col("was").is_null() | pl.col("stands").is_null() | ~same)
        .with_columns(change_code=change)
        .drop("was", "stands")
        .select("change_code", *KEY, *(f"before_{n}" for n in compared), *(f"after_{n}" for n in compared))
        .sort(KEY)
    )


def moved_back(known: pl.DataFrame, found: pl.DataFrame, baseline: pl.DataFrame) -> pl.DataFrame:
    """Records that were told as moved and are again as in the baseline: rows like those of `moved`, so that an acceptance covers them too."""
    compared = [*COMPARED, "number", "order_number"]
    gone = known.select(KEY).unique().join(found, on=KEY, how="anti")
    as_was = gone.join(baseline, on=KEY, how="left")
    was = pl.col("dated_on").is_not_null()
    return as_was.select(
        pl.when(was).then(pl.lit("changed")).otherwise(pl.lit("removed")).alias("change_code"),
        *KEY,
        *(pl.col(name).alias(f"before_{name}") for name in compared),
        *(pl.col(name).alias(f"after_{name}") for name in compared),
    ).sort(KEY)


def overlaid(before: pl.DataFrame, accepted: pl.DataFrame) -> pl.DataFrame:
    """The records as last accepted: those of the close, with movements a reviewer has since accepted put over them, the newest last.

    `accepted` has the columns of `moved` and `found_at`.
    """
    if accepted.is_empty():
        return before
    newest = accepted.sort("found_at", *KEY).unique(KEY, keep="last", maintain_order=True)
    kept = before.join(newest, on=KEY, how="anti")
    standing = newest.filter(pl.col("change_code") != "removed").select(
        *KEY, *(pl.col(f"after_{name}").alias(name) for name in SCHEMA if name not in KEY)
    )
    return pl.concat([kept.select(list(SCHEMA)), standing.select(list(SCHEMA))]).sort(KEY)


def corrections(found: pl.DataFrame, *, entity: str, period: Period, draft_on: date) -> pl.DataFrame:
    """What the present period owes the locked one, drafted: one row per moved record and currency whose amount in the period changed.

    `amount_minor` is what the period would now hold more (or, negative, less) than was signed, on the record's side; a record that left the
    period, the entity or the currency, or no longer stands, counts with what it took away. Drafts are for a person to judge; nothing sends them.
    """
    inside = (pl.col("after_entity_code") == entity) & period.holds("after_dated_on", "after_entity_code")
    stood, stands = (pl.col(f"{when}_state_code") == "stands" for when in ("before", "after"))
    sides = [
        found.filter(stood.fill_null(False)).select(*KEY, "change_code", number=_NUMBER, currency="before_currency", amount=-pl.col("before_amount_minor")),
        found.filter((inside & stands).fill_null(False)).select(*KEY, "change_code", number=_NUMBER, currency="after_currency", amount="after_amount_minor"),
    ]  # fmt: skip
    memo = pl.concat_str(
        pl.lit(f"{period.name}: "), "kind_code", pl.lit(" "), "number", pl.lit(" was "), "change_code", pl.lit(" after the lock.")
    )  # fmt: skip
    return (
        pl.concat(sides)
        .group_by(*KEY, "currency", "change_code", "number")
        .agg(amount_minor=pl.col("amount").sum())
        .filter(pl.col("amount_minor") != 0)
        .select(
            *KEY, "currency", "amount_minor", entity_code=pl.lit(entity), draft_on=pl.lit(draft_on), memo=memo
        )
        .sort(*KEY, "currency")
    )


_NUMBER: Final = pl.coalesce("after_number", "before_number", "record_ref")
