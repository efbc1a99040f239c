"""Tie-out 3: the AR subledger against the general ledger's control accounts, and each document against its own entries.

==================  ==========================================================================================================
code                holds when (document: what it does to AR, invoices positive, credit memos and receipts negative)
==================  ==========================================================================================================
currency, entity    the document's entries stand in another currency or entity
gl_missing          the document has no entry on a control account
gl_only             entries on a control account belong to no document of the subledger
gl_amount           the entries on control accounts add up to another amount; or an account of the document's lines does not have
                    in the general ledger what the lines say
gl_unbalanced       the journal of the document does not add up to zero in base currency
cut_off             equal amounts, dated in different periods
matched             equal amounts in the same period
==================  ==========================================================================================================

Entries are found by the document's RECORDNO and kind, else by its kind and number. Documents that were reversed, and their reversals,
are compared where they have entries; where neither has any, they net to zero. What a difference is in base currency alone is exchange and
stands beside the row. Lines are compared, and journals held against zero, only where entries of more than control accounts were read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import polars as pl

from tieout.vocabulary import OUTCOMES
from transforms.reconcile.intake import Frame
from transforms.reconcile.policy import Policy
from transforms.reconcile.wording import family, money, primary

KINDS: Final = {"ri": "invoice", "ra": "adjustment", "rp": "receipt", "rr": "receipt"}
"""Record types of general ledger entries by the kind of document (Sage Intacct Web Services documentation, General Ledger Details)."""
NEVER_POSTED: Final = ("draft", "submitted", "declined")
PLACE: Final = ["entity_code", "currency"]
KEY: Final = ["document_kind", "document_ref", *PLACE]
COLUMNS: Final = (
    "document_kind", "document_ref", "document_number", "entity_code", "currency", "customer_id", "document_on", "posted_on", "batches",
    "accounts", "subledger_minor", "gl_minor", "delta_minor", "base_currency", "base_delta_minor", "period_subledger_minor",
    "period_gl_minor", "outcome_code", "family_code", "secondary_codes", "evidence", "is_in_scope", "is_in_period",
)  # fmt: skip


NO_ENTRIES: Final = pl.DataFrame(
    schema={
        **dict.fromkeys(
            ("entry_ref", "batch_ref", "batch_title", "account_code", "entity_code", "currency", "base_currency", "record_type", "record_ref",
             "document_number", "memo"), pl.String,
        ),
        "posted_on": pl.Date, "amount_minor": pl.Int64, "base_amount_minor": pl.Int64,
    }
)  # fmt: skip
"""No entries, with the columns that are read of core.gl_entries."""


@dataclass(frozen=True)
class Books:
    """What the third tie-out reads: core.gl_entries, core.ar_invoices, core.ar_adjustments, core.ar_receipts, core.ar_lines.

    `accounts` are the control accounts; `is_whole` says that entries of every account were read, not of control accounts alone.
    `in_scope` has the `document_kind` and `document_ref` of the shops' documents.
    """

    entries: Frame
    invoices: Frame
    adjustments: Frame
    receipts: Frame
    lines: Frame | None
    accounts: tuple[str, ...]
    in_scope: pl.DataFrame
    is_whole: bool = False


@dataclass(frozen=True)
class Control:
    """`ledger` and `control` as the recon tables of these names; `footing`: proofs in the shape of the other tie-outs'."""

    ledger: pl.DataFrame
    control: pl.DataFrame
    footing: pl.DataFrame


def tie_control(books: Books, policy: Policy) -> Control:
    """Compare every document of the subledger with its entries on the control accounts, both ways."""
    documents = _documents(books)
    entries = _placed(books, documents)
    on_control = entries.filter("is_control")
    rows = _sides(documents, on_control, policy)
    rows = _with_facts(rows, documents, entries, books)
    ledger = _worded(_judged(rows), books, policy)
    control = _summed(ledger, on_control, policy)
    return Control(ledger, control, _footing(ledger, documents, on_control, control, policy))


def _documents(books: Books) -> pl.DataFrame:
    """Every document that was ever posted, as what it does to AR."""
    parts = []
    for kind, frame, number, on, sign in (
        ("invoice", books.invoices, "invoice_number", "posted_on", 1),
        ("adjustment", books.adjustments, "adjustment_number", "posted_on", 1),
        ("receipt", books.receipts, "reference", "received_on", -1),
    ):
        has_base = "base_total_minor" in frame.collect_schema()
        base = sign * pl.col("base_total_minor") if has_base else pl.lit(None, dtype=pl.Int64)
        parts.append(
            frame.lazy().select(
                pl.lit(kind).alias("document_kind"), pl.col(f"{kind}_ref").alias("document_ref"), pl.col(number).alias("document_number"),
                pl.col("entity_code").fill_null(""), "currency", "customer_id", pl.col("state_code").str.to_lowercase().fill_null(""),
                pl.col("is_deleted").fill_null(False), pl.col(on).alias("document_on"), amount=sign * pl.col("total_minor"),
                base_amount=base.cast(pl.Int64),
            ).collect(engine="streaming")
        )  # fmt: skip
    return pl.concat(parts).filter(~pl.col("is_deleted") & ~pl.col("state_code").is_in(list(NEVER_POSTED)))


def _placed(books: Books, documents: pl.DataFrame) -> pl.DataFrame:
    """Entries with the document they belong to: by record number and kind, else by kind and number."""
    entries = (
        books.entries.lazy()
        .with_columns(
            document_kind=pl.col("record_type").replace_strict(KINDS, default=None, return_dtype=pl.String),
            is_control=pl.col("account_code").is_in(list(books.accounts)),
            entity_code=pl.col("entity_code").fill_null(""),
        )
        .collect(engine="streaming")
    )
    known = documents.select("document_kind", "document_ref")
    named = entries.join(
        known.with_columns(by_ref="document_ref"), left_on=["document_kind", "record_ref"], right_on=["document_kind", "document_ref"], how="left"
    )  # fmt: skip
    numbers = (
        documents.filter(pl.col("document_kind") != "receipt")
        .select("document_kind", "document_number", by_number="document_ref")
        .drop_nulls()
    )
    # A number that two documents carry names neither.
    numbers = numbers.filter(~pl.struct("document_kind", "document_number").is_duplicated())
    named = named.join(numbers, on=["document_kind", "document_number"], how="left")
    loose = pl.coalesce("batch_ref", "entry_ref")
    found = pl.coalesce("by_ref", pl.when(pl.col("record_ref").is_null()).then("by_number"))
    return named.with_columns(found=found).with_columns(
        document_ref=pl.coalesce("found", loose),
        document_kind=pl.when(pl.col("found").is_null()).then(pl.lit("journal")).otherwise("document_kind"),
    )


def _sides(documents: pl.DataFrame, entries: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    ledger = (
        entries.with_columns(is_in=policy.in_period("posted_on", "entity_code"))
        .group_by(KEY)
        .agg(
            gl_minor=pl.col("amount_minor").sum(),
            gl_base=pl.col("base_amount_minor").sum(),
            knows_base=pl.col("base_amount_minor").is_not_null().all(),
            base_currency=pl.col("base_currency").max(),
            period_gl_minor=pl.col("amount_minor").filter("is_in").sum(),
            posted_on=pl.col("posted_on").max(),
            batches=pl.col("batch_ref").drop_nulls().unique().sort().str.join(","),
            accounts=pl.col("account_code").unique().sort().str.join(","),
            title=pl.coalesce("memo", "batch_title").min(),
        )
    )
    own = documents.with_columns(
        is_in=policy.in_period("document_on", "entity_code"), is_document=pl.lit(True)
    ).drop("is_deleted")
    rows = own.join(ledger, on=KEY, how="full", coalesce=True)
    # Reversed documents and their reversals net to zero where the general ledger has entries of neither.
    nets = (
        pl.col("state_code").is_in(["reversed", "reversal", "void", "voided"]) & pl.col("gl_minor").is_null()
    ).fill_null(False)
    return rows.with_columns(
        subledger_minor=pl.when(nets).then(0).otherwise("amount").fill_null(0),
        period_subledger_minor=pl.when(nets | ~pl.col("is_in")).then(0).otherwise("amount").fill_null(0),
        nets=nets,
        has_entries=pl.col("gl_minor").is_not_null(),
        is_document=pl.col("is_document").fill_null(False),
        gl_minor=pl.col("gl_minor").fill_null(0),
        period_gl_minor=pl.col("period_gl_minor").fill_null(0),
    ).with_columns(delta_minor=pl.col("subledger_minor") - pl.col("gl_minor"))


def _with_facts(
    rows: pl.DataFrame, documents: pl.DataFrame, entries: pl.DataFrame, books: Books
) -> pl.DataFrame:
    """Whether a document's entries stand elsewhere, its journal balances, and its lines stand on the accounts they say."""
    name = ["document_kind", "document_ref"]
    own = documents.select(*name, own_entity="entity_code", own_currency="currency")
    rows = rows.join(own, on=name, how="left").with_columns(
        strays=pl.col("own_entity").is_not_null() & ~pl.col("is_document")
    )
    away = (
        rows.filter("strays")
        .group_by(name)
        .agg(
            other_currency=(pl.col("currency") != pl.col("own_currency")).any(),
            other_entity=(pl.col("entity_code") != pl.col("own_entity")).any(),
        )
    )
    rows = rows.join(away, on=name, how="left")
    nothing = pl.DataFrame(schema={"document_kind": pl.String, "document_ref": pl.String, "said": pl.String})
    lines, unbalanced = nothing, nothing.drop("said").with_columns(off=pl.lit(0, pl.Int64)).clear()
    if books.is_whole:
        unbalanced = (
            entries.filter(pl.col("batch_ref").is_not_null() & (pl.col("document_kind") != "journal"))
            .group_by(name)
            .agg(off=pl.col("base_amount_minor").sum(), known=pl.col("base_amount_minor").is_not_null().all())
            .filter(pl.col("known") & (pl.col("off") != 0))
            .select(*name, "off")
        )
        lines = _lines(entries, books)
    return rows.join(unbalanced, on=name, how="left").join(lines, on=name, how="left")


def _lines(entries: pl.DataFrame, books: Books) -> pl.DataFrame:
    """(document_kind, document_ref, said): accounts on which the document's lines and its entries differ."""
    name = ["document_kind", "document_ref"]
    if books.lines is None or "account_code" not in books.lines.collect_schema():
        return pl.DataFrame(schema={**dict.fromkeys(name, pl.String), "said": pl.String})
    credit = entries.filter(~pl.col("is_control") & pl.col("document_kind").is_in(["invoice", "adjustment"]))
    there = credit.group_by(*name, "account_code", "currency").agg(gl=-pl.col("amount_minor").sum())
    said = (
        books.lines.lazy()
        .filter(pl.col("account_code").is_not_null())
        .group_by(*name, "account_code", "currency")
        .agg(lines=pl.col("amount_minor").sum())
        .collect(engine="streaming")
        .join(there.select(name).unique(), on=name, how="semi")
    )
    both = said.join(there, on=[*name, "account_code", "currency"], how="full", coalesce=True).with_columns(
        pl.col("gl", "lines").fill_null(0)
    )
    text = pl.concat_str(
        pl.lit("account "),
        "account_code",
        pl.lit(" has "),
        money("gl"),
        pl.lit(" and the lines say "),
        money("lines"),
    )
    return (
        both.filter(pl.col("gl") != pl.col("lines"))
        .with_columns(text=text)
        .sort("account_code")
        .group_by(name, maintain_order=True)
        .agg(said=pl.col("text").str.join("; "))
    )


def _judged(rows: pl.DataFrame) -> pl.DataFrame:
    delta = pl.col("delta_minor")
    elsewhere = (pl.col("strays") | (pl.col("other_currency").is_not_null() & (delta != 0))).fill_null(False)
    own = pl.col("is_document") & ~elsewhere
    flags = rows.select(
        currency=elsewhere & pl.col("other_currency"),
        entity=elsewhere & ~pl.col("other_currency"),
        gl_only=~pl.col("is_document") & ~pl.col("strays"),
        gl_missing=own & ~pl.col("has_entries") & (delta != 0),
        gl_amount=own & ((pl.col("has_entries") & (delta != 0)) | pl.col("said").is_not_null()),
        gl_unbalanced=own & pl.col("off").is_not_null(),
        cut_off=own & (delta == 0) & (pl.col("period_subledger_minor") != pl.col("period_gl_minor")),
    ).with_columns(pl.all().fill_null(False))
    flags = flags.with_columns(matched=~pl.any_horizontal(pl.all()))
    first, rest = primary({code: code for code in flags.columns})
    return pl.concat([rows, flags.select(outcome_code=first, secondary_codes=rest)], how="horizontal")


def _worded(rows: pl.DataFrame, books: Books, policy: Policy) -> pl.DataFrame:
    meaning = pl.col("outcome_code").replace_strict(
        {code: entry[1] for code, entry in OUTCOMES.items()}, return_dtype=pl.String
    )
    figures = pl.concat_str(
        pl.lit(" Subledger "), money("subledger_minor"), pl.lit(", control accounts "), money("gl_minor"), pl.lit(", difference "),
        money("delta_minor"), pl.lit("."),
    )  # fmt: skip
    lines = pl.when(pl.col("said").is_not_null()).then(pl.concat_str(pl.lit(" By account: "), "said", pl.lit("."))).otherwise(pl.lit(""))  # fmt: skip
    dates = (
        pl.when(pl.col("outcome_code") == "cut_off")
        .then(
            pl.concat_str(
                pl.lit(" Dated "), pl.col("document_on").cast(pl.String).fill_null("never"), pl.lit(" and "),
                pl.col("posted_on").cast(pl.String).fill_null("never"), pl.lit("."),
            )
        )
        .otherwise(pl.lit(""))
    )  # fmt: skip
    agreed = (
        pl.when("nets")
        .then(pl.lit("It was reversed, and the general ledger holds neither it nor its reversal."))
        .otherwise(pl.lit("The document and its entries on the control account agree."))
    )
    scope = books.in_scope.select("document_kind", "document_ref", is_in_scope=pl.lit(True)).unique()
    knows = pl.col("knows_base") & pl.col("base_amount").is_not_null() & pl.col("has_entries")
    return (
        rows.join(scope, on=["document_kind", "document_ref"], how="left")
        .with_columns(
            is_in_scope=pl.col("is_in_scope").fill_null(False),
            family_code=family(),
            document_number=pl.coalesce("document_number", "title"),
            base_currency=pl.when(knows).then("base_currency"),
            base_delta_minor=pl.when(knows).then(pl.col("base_amount") - pl.col("gl_base")),
            is_in_period=policy.in_period("document_on", "entity_code") | policy.in_period("posted_on", "entity_code"),
            evidence=pl.when(pl.col("outcome_code") == "matched").then(agreed).otherwise(pl.concat_str(meaning, figures, lines, dates)),
        )
        .select(COLUMNS)
        .sort(KEY)
    )  # fmt: skip


def _summed(ledger: pl.DataFrame, entries: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    gap = pl.col("period_subledger_minor") - pl.col("period_gl_minor")
    timing = pl.col("outcome_code") == "cut_off"
    # A document's entries may have several dates, so the balance of the general ledger is summed from them.
    closing = (
        entries.filter(_until("posted_on", policy))
        .group_by(PLACE)
        .agg(closing_gl_minor=pl.col("amount_minor").sum())
    )
    return (
        ledger.group_by(PLACE)
        .agg(
            subledger_minor=pl.col("period_subledger_minor").sum(),
            gl_minor=pl.col("period_gl_minor").sum(),
            delta_minor=gap.sum(),
            timing_minor=gap.filter(timing).sum(),
            error_minor=gap.filter(~timing).sum(),
            closing_subledger_minor=pl.col("subledger_minor").filter(_until("document_on", policy)).sum(),
            row_count=pl.len().cast(pl.Int64),
            error_count=(pl.col("family_code") == "error").sum().cast(pl.Int64),
        )
        .join(closing, on=PLACE, how="left")
        .with_columns(pl.col("closing_gl_minor").fill_null(0))
        .with_columns(closing_delta_minor=pl.col("closing_subledger_minor") - pl.col("closing_gl_minor"))
        .sort(PLACE)
    )


def _until(day: str, policy: Policy) -> pl.Expr:
    if policy.period is None:
        return pl.col(day).is_not_null()
    return (pl.col(day) < policy.period.bound("entity_code", 1)).fill_null(False)


def _footing(
    ledger: pl.DataFrame,
    documents: pl.DataFrame,
    entries: pl.DataFrame,
    control: pl.DataFrame,
    policy: Policy,
) -> pl.DataFrame:
    """Every entry on a control account and every posted document is in a row; the period's difference is dates and errors."""
    inside = entries.filter(policy.in_period("posted_on", "entity_code"))
    reversed_ = ["reversed", "reversal", "void", "voided"]
    standing = documents.filter(~pl.col("state_code").is_in(reversed_))
    rows = ledger.join(standing.select(KEY), on=KEY, how="semi")
    pairs = (
        ("ledger rows hold every entry on a control account", _of(ledger, "gl_minor"), _of(entries, "amount_minor")),
        ("ledger rows hold every document of the subledger", _of(rows, "subledger_minor"), _of(standing, "amount")),
        ("control movement is the general ledger's own", _of(control, "gl_minor"), _of(inside, "amount_minor")),
        ("control difference is dates and errors", _of(control, "delta_minor"), _of(control.with_columns(both=pl.col("timing_minor") + pl.col("error_minor")), "both")),
    )  # fmt: skip
    return pl.concat(
        left.rename({"amount": "left_minor"})
        .join(right.rename({"amount": "right_minor"}), on=PLACE, how="full", coalesce=True)
        .with_columns(pl.col("left_minor", "right_minor").fill_null(0), name=pl.lit(name))
        .with_columns(difference_minor=pl.col("left_minor") - pl.col("right_minor"))
        .select("name", *PLACE, "left_minor", "right_minor", "difference_minor")
        for name, left, right in pairs
    ).sort("name", *PLACE)


def _of(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    return rows.group_by(PLACE).agg(amount=pl.col(column).sum())
