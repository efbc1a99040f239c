"""The third tie-out of a close: as of the period's end the ageing, the AR subledger and the balance of the control accounts, with every difference by document.

The ageing holds what belongs to the shops and stands; the subledger and the control accounts hold all documents of the company. Between them lie
other business (with documents that were reversed) and cash or credit that was applied between the shops' documents and others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from transforms.reconcile import Paired, Policy
from transforms.reconcile.control import NO_ENTRIES, Books, tie_control

BALANCES: Final = {
    "entity_code": pl.String(), "currency": pl.String(), "ageing_minor": pl.Int64(), "across_minor": pl.Int64(), "other_minor": pl.Int64(),
    "subledger_minor": pl.Int64(), "gl_minor": pl.Int64(), "difference_minor": pl.Int64(), "timing_minor": pl.Int64(), "error_minor": pl.Int64(),
    "row_count": pl.Int64(), "difference_count": pl.Int64(), "base_currency": pl.String(), "base_gl_minor": pl.Int64(),
}  # fmt: skip
"""Per currency, as of the period's end: ageing + across + other = subledger; subledger − gl = difference = timing + error."""

DIFFERENCES: Final = {
    "document_kind": pl.String(), "document_ref": pl.String(), "document_number": pl.String(), "entity_code": pl.String(), "currency": pl.String(),
    "customer_id": pl.String(), "document_on": pl.Date(), "posted_on": pl.Date(), "accounts": pl.String(), "subledger_minor": pl.Int64(),
    "gl_minor": pl.Int64(), "delta_minor": pl.Int64(), "outcome_code": pl.String(), "family_code": pl.String(), "is_in_scope": pl.Boolean(),
    "evidence": pl.String(),
}  # fmt: skip
"""Documents and journals whose amounts up to the period's end are not the same on both sides."""

_PLACE: Final = ["entity_code", "currency"]
_DOCUMENT: Final = ["document_kind", "document_ref"]


@dataclass(frozen=True)
class Tied:
    """One company's control accounts against its subledger to the period's end, before it is cut by entity.

    `rows`: every document and journal (recon.ledger, with its amounts up to the end and whether the ageing counts it). `entries`: those dated
    before the end. `across`: (entity_code, currency, amount) of what applications moved out of the shops' documents.
    """

    rows: pl.DataFrame
    entries: pl.DataFrame
    across: pl.DataFrame


def entries_of(entries: pl.DataFrame, accounts: tuple[str, ...]) -> pl.DataFrame:
    """What a close reads and packs of core.gl_entries: the entries on control accounts, of every entity, in an order of their own."""
    found = entries.filter(pl.col("account_code").is_in(list(accounts))).select(NO_ENTRIES.columns)
    return found.sort(found.columns, nulls_last=True)


def tied(pairs: Paired, entries: pl.DataFrame, to_end: Policy) -> Tied:
    """Tie every document to `entries` (see `entries_of`) as of the end of `to_end`, whose period begins at the beginning."""
    inputs = pairs.inputs
    if to_end.period is None:
        raise ValueError("a close needs a period")
    documents = pairs.matched.documents.select(
        "in_scope", "is_counted", document_kind="kind", document_ref="ref"
    )
    receipts = pairs.paid.receipts.select(
        "in_scope", "is_counted", pl.lit("receipt").alias("document_kind"), document_ref="receipt_ref"
    )
    mine = pl.concat([documents, receipts.select(documents.columns)]).filter("in_scope")
    found = tie_control(
        Books(
            entries=entries,
            invoices=inputs.take("ar_invoices"),
            adjustments=inputs.take("ar_adjustments"),
            receipts=inputs.take("ar_receipts"),
            lines=None,
            accounts=tuple(entries["account_code"].unique().sort()),
            in_scope=mine.select(_DOCUMENT),
        ),
        to_end,
    )
    counted = mine.filter("is_counted").select(*_DOCUMENT, is_aged=pl.lit(True)).unique()
    until = to_end.period
    moved = pairs.books.movements.rename({"entity": "entity_code"})
    return Tied(
        rows=found.ledger.join(counted, on=_DOCUMENT, how="left").with_columns(
            pl.col("is_aged").fill_null(False)
        ),
        entries=entries.with_columns(pl.col("entity_code").fill_null("")).filter(
            until.holds("posted_on", "entity_code")
        ),
        across=moved.filter(until.holds("on", "entity_code"))
        .group_by(_PLACE)
        .agg(amount=-pl.col("amount").sum()),
    )


def differences(found: Tied | None, entity: str) -> pl.DataFrame:
    """The columns of `DIFFERENCES`: what of one entity is not the same on both sides as of the end."""
    if found is None:
        return pl.DataFrame(schema=DIFFERENCES)
    gap = pl.col("period_subledger_minor") - pl.col("period_gl_minor")
    return (
        found.rows.filter(pl.col("entity_code") == entity, gap != 0)
        .with_columns(subledger_minor="period_subledger_minor", gl_minor="period_gl_minor", delta_minor=gap)
        .select([pl.col(name).cast(dtype) for name, dtype in DIFFERENCES.items()])
        .sort("family_code", *_DOCUMENT, "currency")
    )


def balances(found: Tied | None, ageing: pl.DataFrame, entity: str) -> pl.DataFrame:
    """The columns of `BALANCES` of one entity; no rows where nothing was tied. `ageing` is recon.ageing as of the end.

    `gl_minor` is summed from the entries and not from the rows they were placed in; `base_gl_minor` is null where an entry's is not known.
    """
    if found is None:
        return pl.DataFrame(schema=BALANCES)
    mine = pl.col("entity_code") == entity
    gap = pl.col("period_subledger_minor") - pl.col("period_gl_minor")
    timing = pl.col("family_code") == "timing"
    rows = (
        found.rows.filter(mine)
        .group_by(_PLACE)
        .agg(
            subledger_minor=pl.col("period_subledger_minor").sum(),
            other_minor=pl.col("period_subledger_minor").filter(~pl.col("is_aged")).sum(),
            timing_minor=gap.filter(timing).sum(),
            error_minor=gap.filter(~timing).sum(),
            row_count=pl.len(),
            difference_count=(gap != 0).sum(),
        )
    )
    ledger = (
        found.entries.filter(mine)
        .group_by(_PLACE)
        .agg(
            gl_minor=pl.col("amount_minor").sum(),
            base_currency=pl.col("base_currency").max(),
            base_gl_minor=pl.when(pl.col("base_amount_minor").is_not_null().all()).then(
                pl.col("base_amount_minor").sum()
            ),
        )
    )
    aged = ageing.filter(mine).group_by(_PLACE).agg(ageing_minor=pl.col("open_minor").sum())
    across = found.across.filter(mine).rename({"amount": "across_minor"})
    whole = rows
    for other in (ledger, aged, across):
        whole = whole.join(other, on=_PLACE, how="full", coalesce=True)
    counts = [name for name, dtype in BALANCES.items() if dtype == pl.Int64() and name != "base_gl_minor"]
    return (
        whole.with_columns(pl.col([name for name in counts if name != "difference_minor"]).fill_null(0))
        .with_columns(difference_minor=pl.col("subledger_minor") - pl.col("gl_minor"))
        .select([pl.col(name).cast(dtype) for name, dtype in BALANCES.items()])
        .sort(_PLACE)
    )


def proofs(sums: pl.DataFrame, listed: pl.DataFrame) -> pl.DataFrame:
    """Ageing to subledger, and subledger less the listed differences to control accounts (name, entity_code, currency, left_minor, right_minor,
    difference_minor)."""
    given = listed.group_by(_PLACE).agg(listed_minor=pl.col("delta_minor").sum())
    both = sums.join(given, on=_PLACE, how="left").with_columns(pl.col("listed_minor").fill_null(0))
    pairs = (
        (
            "the ageing, what was applied across and other documents are the AR subledger",
            pl.col("ageing_minor") + pl.col("across_minor") + pl.col("other_minor"),
            pl.col("subledger_minor"),
        ),
        (
            "the AR subledger less the listed differences is the balance of the control accounts",
            pl.col("subledger_minor") - pl.col("listed_minor"),
            pl.col("gl_minor"),
        ),
    )
    return pl.concat(
        both.select(pl.lit(name).alias("name"), *_PLACE, left_minor=left, right_minor=right).with_columns(
            difference_minor=pl.col("left_minor") - pl.col("right_minor")
        )
        for name, left, right in pairs
    )
