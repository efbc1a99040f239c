"""The ledger side of plain files: invoices, receipts and credit memos from text to the tables that Intacct's own rows go to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from transforms.staged import INSTANT, RATE, Staged
from transforms.storefronts.files_rules import USUAL, FileRules, Reading, distinct
from transforms.text_values import read_days

_COMPONENTS: Final = ("goods", "discount", "shipping", "fees", "tax")
_ACCOUNTS: Final = {"account_code": pl.String(), "component_code": pl.String()}


def invoices(
    frame: pl.DataFrame,
    rules: FileRules = USUAL,
    *,
    run_id: str,
    component_accounts: pl.DataFrame | None = None,
) -> Staged:
    """`core.ar_invoices` and `core.ar_lines`.

    With `rules.rows` `line` the file has one row per account and amount, and `component_accounts` (`account_code`, `component_code`)
    says what an account stands for; else the component columns become one line each. What no line explains is a line of component
    `other`, so that lines sum to their invoice. `invoice_ref` is the invoice's number, made distinct (`I1`, `I1#2`). Paid and due
    fill each other in; without either the invoice is taken as open. Rows that cannot be read are only in `problems`.
    """
    columns = ("invoice_number", "reference", "customer", "invoiced_on", "currency", "total", *_COMPONENTS)
    read = Reading(
        frame, "invoices", (*columns, "paid", "due", "entity", "state", "gl_account", "amount"), rules
    )
    read.upper_currency()
    read.amounts("total", *_COMPONENTS, "paid", "due", "amount")
    read.take(read_days(read.frame, ("invoiced_on",), rules.formats))
    read.must("invoice_number", "invoiced_on", "currency")
    if rules.rows == "line":
        read.must("amount")
        heads, lines = _by_line(read.sound(), component_accounts, run_id)
    else:
        read.must("total")
        heads = read.sound().with_columns(ref=distinct("invoice_number"))
        lines = _by_component(heads, _COMPONENTS, "invoice", run_id)
    due = pl.coalesce("due", pl.col("total") - pl.col("paid"), "total")
    table = heads.select(
        pl.col("ref").alias("invoice_ref"),
        "invoice_number",
        "reference",
        *_party(),
        pl.col("state").fill_null("Posted").alias("state_code"),
        "invoiced_on",
        pl.col("invoiced_on").alias("posted_on"),
        pl.lit(None, dtype=pl.Date).alias("due_on"),
        pl.col("total").alias("total_minor"),
        (pl.col("total") - due).alias("paid_minor"),
        due.alias("due_minor"),
        pl.lit(None, dtype=pl.Int64).alias("base_total_minor"),
        pl.lit(None, dtype=pl.Int64).alias("base_due_minor"),
        pl.lit(None, dtype=RATE).alias("exchange_rate"),
        pl.lit(None, dtype=pl.String).alias("module_code"),
        pl.lit(None, dtype=pl.String).alias("description"),
        pl.lit(None, dtype=INSTANT).alias("created_at"),
        *_tail(run_id),
    )
    return Staged({"core.ar_invoices": table, "core.ar_lines": lines}, read.problems())


def credit_memos(frame: pl.DataFrame, rules: FileRules = USUAL, *, run_id: str) -> Staged:
    """`core.ar_adjustments` with negative totals whichever sign the file writes, their `core.ar_lines`, and, where a memo names the
    invoice it credits, `core.ar_applications`."""
    parts = ("goods", "tax", "shipping")
    columns = (
        "credit_memo_number",
        "reference",
        "invoice_number",
        "customer",
        "issued_on",
        "currency",
        "total",
    )
    read = Reading(frame, "credit_memos", (*columns, *parts, "entity", "state"), rules)
    read.upper_currency()
    read.amounts("total", *parts)
    read.take(read_days(read.frame, ("issued_on",), rules.formats))
    read.must("credit_memo_number", "issued_on", "currency", "total")
    # A memo's parts have the sign of its total in the file; the whole memo is turned, never a part alone.
    turn = pl.when(pl.col("total") > 0).then(-1).otherwise(1)
    memos = read.sound().with_columns(
        *[(pl.col(name) * turn).alias(name) for name in ("total", *parts)], ref=distinct("credit_memo_number")
    )
    lines = _by_component(memos, parts, "adjustment", run_id)
    is_applied = pl.col("invoice_number").is_not_null()
    table = memos.select(
        pl.col("ref").alias("adjustment_ref"),
        pl.col("credit_memo_number").alias("adjustment_number"),
        "reference",
        *_party(),
        pl.col("state").fill_null("Posted").alias("state_code"),
        pl.col("issued_on").alias("adjusted_on"),
        pl.col("issued_on").alias("posted_on"),
        pl.col("total").alias("total_minor"),
        pl.when(is_applied).then(0).otherwise("total").cast(pl.Int64).alias("due_minor"),
        pl.lit(None, dtype=pl.Int64).alias("base_total_minor"),
        pl.lit(None, dtype=pl.Int64).alias("base_due_minor"),
        pl.lit(None, dtype=pl.String).alias("description"),
        *_tail(run_id),
    )
    applied = memos.filter(is_applied).select(
        pl.format("credit {}", "ref").alias("application_ref"),
        pl.lit(None, dtype=pl.String).alias("receipt_ref"),
        pl.col("invoice_number").alias("invoice_ref"),
        pl.col("ref").alias("adjustment_ref"),
        pl.lit(None, dtype=pl.String).alias("debit_ref"),
        "currency",
        pl.lit(0, dtype=pl.Int64).alias("amount_minor"),
        (-pl.col("total")).alias("credit_minor"),
        pl.col("issued_on").alias("applied_on"),
        pl.lit(run_id, dtype=pl.String).alias("run_id"),
    )
    frames = {"core.ar_adjustments": table, "core.ar_lines": lines, "core.ar_applications": applied}
    return Staged(frames, read.problems())


def receipts(
    frame: pl.DataFrame, rules: FileRules = USUAL, *, run_id: str, names_invoices: bool | None = None
) -> Staged:
    """`core.ar_receipts` and `core.ar_applications`.

    A receipt over several invoices is several rows with one `receipt_ref`; its total is their sum. A row without an invoice is money on
    account, if other rows of the file do name one (`names_invoices`, where these rows are not all of the file); a file that names none
    does not say, and nothing is called unapplied. `payment_ref` is the storefront's reference; without it `reference` is.
    """
    columns = (
        "receipt_ref",
        "reference",
        "invoice_number",
        "received_on",
        "currency",
        "amount",
        "customer",
        "entity",
    )
    read = Reading(frame, "receipts", (*columns, "payment_ref", "method", "state"), rules)
    read.upper_currency()
    read.amounts("amount")
    read.take(read_days(read.frame, ("received_on",), rules.formats))
    read.must("receipt_ref", "received_on", "currency", "amount")
    rows = read.sound()
    if names_invoices is None:
        names_invoices = not rows["invoice_number"].is_null().all()
    on_account = pl.col("amount").filter(pl.col("invoice_number").is_null()).sum()
    first = (
        "reference",
        "payment_ref",
        "customer",
        "entity",
        "state",
        "method",
        "payload_sha256",
        "updated_at",
    )
    # One receipt is one reference, day and currency: a reference used again on another day is another receipt.
    key = ["receipt_ref", "received_on", "currency"]
    heads = (
        rows.group_by(key, maintain_order=True)
        .agg(
            *[pl.col(name).drop_nulls().first() for name in first],
            total=pl.col("amount").sum(),
            unapplied=on_account if names_invoices else pl.lit(0, dtype=pl.Int64).first(),
        )
        .with_columns(ref=distinct("receipt_ref"))
    )
    table = heads.select(
        pl.col("ref").alias("receipt_ref"),
        pl.coalesce("payment_ref", "reference").alias("reference"),
        *_party(),
        pl.col("state").fill_null("Posted").alias("state_code"),
        "method",
        pl.lit(None, dtype=pl.String).alias("account_ref"),
        "received_on",
        pl.col("total").alias("total_minor"),
        pl.col("unapplied").alias("unapplied_minor"),
        pl.lit(None, dtype=pl.Int64).alias("base_total_minor"),
        pl.lit(None, dtype=pl.String).alias("description"),
        *_tail(run_id),
    )
    applied = (
        rows.filter(pl.col("invoice_number").is_not_null())
        .join(heads.select(*key, "ref"), on=key, how="left", maintain_order="left")
        .select(
            pl.format("row {}", "row_no").alias("application_ref"),
            pl.col("ref").alias("receipt_ref"),
            pl.col("invoice_number").alias("invoice_ref"),
            pl.lit(None, dtype=pl.String).alias("adjustment_ref"),
            pl.lit(None, dtype=pl.String).alias("debit_ref"),
            "currency",
            pl.col("amount").alias("amount_minor"),
            pl.lit(0, dtype=pl.Int64).alias("credit_minor"),
            pl.col("received_on").alias("applied_on"),
            pl.lit(run_id, dtype=pl.String).alias("run_id"),
        )
    )
    return Staged({"core.ar_receipts": table, "core.ar_applications": applied}, read.problems())


def _by_line(
    rows: pl.DataFrame, component_accounts: pl.DataFrame | None, run_id: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Invoices of a file with one row per account; a stated total that its rows do not make up gets an `other` line."""
    accounts = component_accounts if component_accounts is not None else pl.DataFrame(schema=_ACCOUNTS)
    heads_of = (
        "reference",
        "customer",
        "invoiced_on",
        "currency",
        "entity",
        "state",
        "paid",
        "due",
        "payload_sha256",
    )
    heads = (
        rows.group_by("invoice_number", maintain_order=True)
        .agg(
            *[pl.col(name).drop_nulls().first() for name in (*heads_of, "updated_at")],
            stated=pl.col("total").drop_nulls().first(),
            summed=pl.col("amount").sum(),
        )
        .with_columns(ref=pl.col("invoice_number"), total=pl.coalesce("stated", "summed"))
    )
    known = accounts.select("account_code", "component_code").unique("account_code")
    lines = rows.join(
        known, left_on="gl_account", right_on="account_code", how="left", maintain_order="left"
    ).select(
        ref="invoice_number",
        line=pl.format("row {}", "row_no"),
        account="gl_account",
        component=pl.col("component_code").fill_null("other"),
        currency="currency",
        amount="amount",
    )
    rest = heads.filter(pl.col("total") != pl.col("summed")).select(
        "ref",
        line=pl.lit("other"),
        account=pl.lit(None, dtype=pl.String),
        component=pl.lit("other"),
        currency="currency",
        amount=pl.col("total") - pl.col("summed"),
    )
    return heads, _shaped(pl.concat([lines, rest]), "invoice", run_id)


def _by_component(heads: pl.DataFrame, parts: Sequence[str], kind: str, run_id: str) -> pl.DataFrame:
    """One line per component that is stated and not zero, and one of component `other` for what they leave of the total."""
    signed = heads
    if "discount" in parts:
        # Some exports state the discount beside goods that are already net of it: then the total is reached without it.
        others = pl.sum_horizontal(pl.col(name).fill_null(0) for name in parts if name != "discount")
        signed = heads.with_columns(
            discount=pl.when(others == pl.col("total")).then(0).otherwise(-pl.col("discount").abs())
        )
    summed = pl.sum_horizontal(pl.col(name).fill_null(0) for name in parts)
    whole = signed.select("ref", "currency", *parts, other=pl.col("total") - summed)
    lines = (
        whole.unpivot(
            [*parts, "other"], index=["ref", "currency"], variable_name="component", value_name="amount"
        )
        .filter(pl.col("amount").is_not_null() & (pl.col("amount") != 0))
        .select(
            "ref",
            line="component",
            account=pl.lit(None, dtype=pl.String),
            component="component",
            currency="currency",
            amount="amount",
        )
    )
    return _shaped(lines, kind, run_id)


def _shaped(lines: pl.DataFrame, kind: str, run_id: str) -> pl.DataFrame:
    return lines.sort("ref", maintain_order=True).select(
        pl.lit(kind, dtype=pl.String).alias("document_kind"),
        pl.col("ref").alias("document_ref"),
        pl.format("{}/{}", "ref", "line").alias("line_ref"),
        pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("ref").alias("line_no"),
        pl.col("account").alias("account_code"),
        pl.col("component").alias("component_code"),
        "currency",
        pl.col("amount").alias("amount_minor"),
        pl.lit(None, dtype=pl.String).alias("memo"),
        pl.lit(None, dtype=pl.String).alias("location_code"),
        pl.lit(None, dtype=pl.String).alias("department_code"),
        pl.lit(None, dtype=pl.String).alias("item_ref"),
        pl.lit(run_id, dtype=pl.String).alias("run_id"),
    )


def _party() -> list[pl.Expr]:
    return [
        pl.col("entity").fill_null("").alias("entity_code"),
        pl.col("customer").alias("customer_id"),
        "currency",  # type: ignore[list-item]
        pl.lit(None, dtype=pl.String).alias("base_currency"),
    ]


def _tail(run_id: str) -> list[pl.Expr]:
    return [
        pl.col("updated_at").alias("changed_at"),
        pl.lit(False).alias("is_deleted"),
        pl.col("payload_sha256").fill_null(""),
        pl.lit(run_id, dtype=pl.String).alias("run_id"),
    ]
