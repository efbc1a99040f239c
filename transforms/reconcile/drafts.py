"""Drafts: journals for what people wrote off, reversals for what stands twice, of a credit memo by a debit memo. Drafted here, approved by a person, never sent by themselves."""

from __future__ import annotations

import polars as pl

from transforms.identity import minted
from transforms.reconcile.intake import Frame
from transforms.reconcile.policy import Journals
from transforms.reconcile.wording import money

DRAFT_COLUMNS = (
    "draft_id", "kind_code", "tie_out", "entity_code", "currency", "reason_code", "ledger_ref", "journal_code", "amount_minor",
    "rows_no", "state_code", "sentence", "authors",
)  # fmt: skip
LINE_COLUMNS = ("draft_id", "line_no", "account_code", "currency", "amount_minor", "decision_id", "memo")


def drafts(
    rows: pl.DataFrame,
    decisions: pl.DataFrame,
    suspects: pl.DataFrame,
    journals: Journals,
    ledger_lines: Frame | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """recon.drafts and recon.draft_lines.

    `rows`: published rows of both tie-outs with tie_out, group_ref, entity_code, currency, delta_minor and decision_id; `decisions`:
    all of ops.decisions; `suspects`: recon.suspects. One journal per tie-out, entity, currency, reason code and approval: what was
    approved together stays together, and what was written off since makes a journal of its own.
    `ledger_lines`: lines of AR documents, which debit memos mirror line by line (`debit_lines`); None drafts none, only that it ought to be reversed.
    """
    journal, lines = _journals(rows, decisions, journals)
    reversal = _reversals(suspects, decisions, journals, by_memo=ledger_lines is not None)
    if ledger_lines is not None:
        lines = pl.concat([lines, debit_lines(reversal, ledger_lines)])
    return pl.concat([journal, reversal]).sort("draft_id"), lines.sort("draft_id", "line_no")


def tied_rows(orders: pl.DataFrame, payments: pl.DataFrame) -> pl.DataFrame:
    """The rows of both tie-outs in one frame, as far as decisions look at them."""
    columns = ["group_ref", "entity_code", "currency", "delta_minor", "decision_id"]
    return pl.concat(
        rows.select(pl.lit(name).alias("tie_out"), *columns)
        for name, rows in (("orders", orders), ("payments", payments))
    )


def _approvals(decisions: pl.DataFrame) -> pl.DataFrame:
    """(draft_id, about_id) of approvals nobody withdrew; `about_id` is the write-off a journal carries out, null for a reversal."""
    gone = decisions.filter(pl.col("kind_code") == "withdraw").select(decision_id="about_id").drop_nulls()
    return (
        decisions.filter(pl.col("kind_code") == "approve")
        .join(gone, on="decision_id", how="anti")
        .select("draft_id", "about_id")
        .unique()
    )


def _journals(
    rows: pl.DataFrame, decisions: pl.DataFrame, journals: Journals
) -> tuple[pl.DataFrame, pl.DataFrame]:
    offs = decisions.filter(pl.col("kind_code") == "write_off").select(
        "decision_id", "account_code", "reason_code", "author"
    )
    # A write-off lowers what the ledger says is owed: by what was invoiced too much, or what was received too little.
    owed = pl.when(pl.col("tie_out") == "orders").then(-pl.col("delta_minor")).otherwise("delta_minor")
    approved = _approvals(decisions).drop_nulls("about_id")
    used = (
        rows.drop_nulls("decision_id")
        .join(offs, on="decision_id")
        .with_columns(amount_minor=owed)
        .join(
            approved.rename({"about_id": "decision_id", "draft_id": "approved_id"}),
            on="decision_id",
            how="left",
        )
        .sort("decision_id", "group_ref", "entity_code", "currency")
    )
    if used.is_empty():
        return _no_drafts(), _no_lines()
    by = ["tie_out", "entity_code", "currency", "reason_code", "account_code"]
    fresh = (
        used.filter(pl.col("approved_id").is_null())
        .group_by(by, maintain_order=True)
        .agg(ids=pl.col("decision_id").str.join(","), amount=pl.col("amount_minor").sum())
    )
    fresh = fresh.with_columns(
        new_id=minted(fresh, journals.namespace, ["tie_out", *by[1:], "ids", "amount"])
    )
    members = (
        used.join(fresh.select(*by, "new_id"), on=by, how="left")
        .with_columns(draft_id=pl.coalesce("approved_id", "new_id"))
        .sort("draft_id", "decision_id", "group_ref")
    )
    heads = (
        members.group_by("draft_id", maintain_order=True)
        .agg(
            *(pl.col(name).first() for name in by),
            net=pl.col("amount_minor").sum(),
            rows_no=pl.len().cast(pl.Int64),
            authors=pl.col("author").unique().sort().str.join(", "),
            done=pl.col("approved_id").is_not_null().all(),
        )
        .with_columns(
            kind_code=pl.lit("journal"),
            ledger_ref=pl.lit(None, dtype=pl.String),
            journal_code=pl.lit(journals.journal),
            amount_minor=pl.col("net").abs(),
            state_code=pl.when("done").then(pl.lit("approved")).otherwise(pl.lit("drafted")),
        )
    )
    sentence = pl.concat_str(
        pl.lit("Writes "), money("amount_minor"), pl.lit(" of "), pl.col("rows_no").cast(pl.String), pl.lit(" difference(s) off to account "),
        "account_code", pl.lit(" for reason "), "reason_code", pl.lit("; nothing is sent before it is approved."),
    )  # fmt: skip
    heads = heads.with_columns(sentence=sentence).select(DRAFT_COLUMNS)
    lines = _lines(members, journals)
    return heads, lines


def _lines(members: pl.DataFrame, journals: Journals) -> pl.DataFrame:
    memo = pl.concat_str(
        pl.lit("Write-off of "), "group_ref", pl.lit(" ("), "reason_code", pl.lit("), "), "author"
    )
    debit = members.select(
        "draft_id", "account_code", "currency", "amount_minor", "decision_id", memo=memo, side=pl.lit(0)
    )
    credit = members.select(
        "draft_id", pl.lit(journals.control_account, dtype=pl.String).alias("account_code"), "currency",
        -pl.col("amount_minor"), "decision_id", memo=memo, side=pl.lit(1),
    )  # fmt: skip
    return (
        pl.concat([debit, credit])
        .sort("draft_id", "decision_id", "side")
        .with_columns(line_no=pl.int_range(1, pl.len() + 1).over("draft_id").cast(pl.Int64))
        .select(LINE_COLUMNS)
    )


MIRRORED = ("account_code", "component_code", "memo", "amount_minor")
"""By which the lines of a document are put in order where they are mirrored."""


def debit_lines(reversals: pl.DataFrame, ledger_lines: Frame) -> pl.DataFrame:
    """Lines of the debit memos that take back credit memos: each line of the credit memo with the other sign, so that they sum to what is
    taken back. A credit memo has none where its lines do not sum to it or are not known."""
    credits_ = reversals.filter(_is_credit()).select(
        "draft_id", "currency", "amount_minor", document_ref=pl.col("ledger_ref").str.strip_prefix("adjustment:")
    )  # fmt: skip
    if credits_.is_empty():
        return _no_lines()
    text = pl.lit(None, pl.String)
    have = ledger_lines.collect_schema().names()
    known = ledger_lines.lazy().filter(
        pl.col("document_kind") == "adjustment", pl.col("document_ref").is_in(credits_["document_ref"].implode())
    )  # fmt: skip
    found = (
        known.select(
            "document_ref", *((pl.col(name) if name in have else text).alias(name) for name in MIRRORED)
        )
        .filter(pl.col("amount_minor") != 0)
        .collect()
        .sort("document_ref", *MIRRORED, nulls_last=True)
        .join(credits_.rename({"amount_minor": "total"}), on="document_ref")
        .filter(pl.col("amount_minor").sum().over("draft_id") == pl.col("total"))
        .with_columns(line_no=pl.int_range(1, pl.len() + 1).over("draft_id").cast(pl.Int64))
    )
    return found.select(
        "draft_id", "line_no", "account_code", "currency", -pl.col("amount_minor"), decision_id=text, memo=pl.col("memo").fill_null("")
    ).select(LINE_COLUMNS)  # fmt: skip


def _is_credit() -> pl.Expr:
    """A credit memo: Intacct reverses no adjustment, so it takes a debit memo."""
    return pl.col("ledger_ref").str.starts_with("adjustment:") & (pl.col("amount_minor") < 0)


def _reversals(
    suspects: pl.DataFrame, decisions: pl.DataFrame, journals: Journals, *, by_memo: bool
) -> pl.DataFrame:
    twice = suspects.filter(~pl.col("is_original"))
    if twice.is_empty():
        return _no_drafts()
    tie_out = (
        pl.when(pl.col("ledger_ref").str.starts_with("receipt:"))
        .then(pl.lit("payments"))
        .otherwise(pl.lit("orders"))
    )
    rows = twice.with_columns(
        draft_id=minted(twice, journals.namespace, ["ledger_ref", "cluster_ref", "amount_minor", "currency"])
    )
    return (
        rows.join(
            _approvals(decisions).select("draft_id", done=pl.lit(True)).unique(), on="draft_id", how="left"
        )
        .with_columns(
            kind_code=pl.lit("reversal"), tie_out=tie_out, reason_code="basis_code", journal_code=pl.lit(None, dtype=pl.String),
            rows_no=pl.lit(1, pl.Int64), authors=pl.lit(""),
            state_code=pl.when(pl.col("done").fill_null(False)).then(pl.lit("approved")).otherwise(pl.lit("drafted")),
            sentence=pl.when(_is_credit() & by_memo).then(_credited_twice()).otherwise(pl.concat_str(
                pl.lit("Reverse "), pl.coalesce("document_number", "ledger_ref"), pl.lit(" ("), money("amount_minor"),
                pl.lit("), which stands beside "), "cluster_ref", pl.lit(f". {_LOOK}"),
            )),
        )
        .select(DRAFT_COLUMNS)
    )  # fmt: skip


_LOOK = "Look at both first: this is a suspicion, not a proof."


def _credited_twice() -> pl.Expr:
    return pl.concat_str(
        pl.lit("Take back the credit memo "), pl.coalesce("document_number", "ledger_ref"), pl.lit(" ("), money("amount_minor"),
        pl.lit("), which stands beside "), "cluster_ref",
        pl.lit(f", by a debit memo with the same lines; a person then applies the one to the other in Intacct. {_LOOK}"),
    )  # fmt: skip


def _no_drafts() -> pl.DataFrame:
    whole = {"amount_minor": pl.Int64, "rows_no": pl.Int64}
    return pl.DataFrame(schema={name: whole.get(name, pl.String) for name in DRAFT_COLUMNS})


def _no_lines() -> pl.DataFrame:
    whole = {"amount_minor": pl.Int64, "line_no": pl.Int64}
    return pl.DataFrame(schema={name: whole.get(name, pl.String) for name in LINE_COLUMNS})
