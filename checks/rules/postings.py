"""Table rules on the plan: a batch that breaks one of them is stopped whole, because then the plan itself is wrong."""

from __future__ import annotations

import polars as pl

from checks.findings import Limits, Tables, rule

_DOCUMENTS = "out.documents"
_LINES = "out.document_lines"
_ORDERS = "out.document_orders"
_AGAIN = "nothing is sent; look at the document and plan again."


def _findings(documents: pl.DataFrame, sentence: pl.Expr) -> pl.DataFrame:
    return documents.select(
        "storefront",
        "order_ref",
        "order_number",
        "currency",
        pl.col("document_id").alias("subject_ref"),
        pl.col("total_minor").alias("amount_minor"),
        sentence.alias("sentence"),
    )


@rule("Lines sum to their document.", code="lines_do_not_sum", severity="stop", reads=(_DOCUMENTS, _LINES))
def lines_do_not_sum(tables: Tables, limits: Limits) -> pl.DataFrame:
    """Sales orders, invoices, memos, applications and journals whose lines do not sum to their total, and lines of no document."""
    documents, lines = tables[_DOCUMENTS], tables[_LINES]
    sums = lines.group_by("document_id").agg(lines_minor=pl.col("amount_minor").sum())
    wrong = (
        documents.filter(
            pl.col("kind_code").is_in(
                ["sales_order", "invoice", "credit_memo", "debit_memo", "application", "journal"]
            )
        )
        .join(sums, on="document_id", how="left")
        .with_columns(pl.col("lines_minor").fill_null(0))
        .filter(pl.col("lines_minor") != pl.col("total_minor"))
    )
    stray = sums.join(documents.select("document_id"), on="document_id", how="anti").select(
        subject_ref="document_id",
        amount_minor="lines_minor",
        sentence=pl.format(f"Lines of document {{}} have no document; {_AGAIN}", "document_id"),
    )
    told = _findings(
        wrong,
        pl.format(
            f"The lines of {{}} {{}} sum to {{}} and not to its total of {{}} minor units; {_AGAIN}",
            "kind_code", "number", "lines_minor", "total_minor",
        ),
    )  # fmt: skip
    return pl.concat([told, stray], how="diagonal")


@rule("One number, one document.", code="duplicate_document_number", severity="stop", reads=(_DOCUMENTS,))
def duplicate_document_number(tables: Tables, limits: Limits) -> pl.DataFrame:
    """Documents of one kind that share a number."""
    twins = tables[_DOCUMENTS].filter(pl.len().over("kind_code", "number") > 1)
    return _findings(
        twins, pl.format(f"Number {{}} is given to more than one {{}}; {_AGAIN}", "number", "kind_code")
    )


@rule(
    "Applications sum to their receipt.",
    code="unbalanced_applications",
    severity="stop",
    reads=(_DOCUMENTS, _LINES),
)
def unbalanced_applications(tables: Tables, limits: Limits) -> pl.DataFrame:
    """Receipts whose applications do not sum to them, are not positive, or point at two invoices at once."""
    both = pl.col("applies_to_id").is_not_null() & pl.col("applies_to_ref").is_not_null()
    sums = (
        tables[_LINES]
        .group_by("document_id")
        .agg(applied_minor=pl.col("amount_minor").sum(), is_odd=(both | (pl.col("amount_minor") <= 0)).any())
    )
    wrong = (
        tables[_DOCUMENTS].filter(pl.col("kind_code") == "receipt")
        .join(sums, on="document_id", how="left")
        .with_columns(pl.col("applied_minor").fill_null(0), pl.col("is_odd").fill_null(value=True))
        .filter((pl.col("applied_minor") != pl.col("total_minor")) | pl.col("is_odd"))
    )  # fmt: skip
    return _findings(
        wrong,
        pl.format(
            f"Receipt {{}} of {{}} minor units is applied for {{}}; {_AGAIN}",
            "number",
            "total_minor",
            "applied_minor",
        ),
    )


@rule(
    "No invoice is paid beyond what is open.", code="receipt_exceeds_due", severity="stop",
    reads=(_DOCUMENTS, _LINES, "core.ar_invoices"),
)  # fmt: skip
def receipt_exceeds_due(tables: Tables, limits: Limits) -> pl.DataFrame:
    """Invoices to which receipts of the plan apply more than their total (ours) or than Intacct shows open (others)."""
    documents, lines = tables[_DOCUMENTS], tables[_LINES]
    ours = (
        lines.filter(pl.col("applies_to_id").is_not_null())
        .group_by("applies_to_id")
        .agg(applied=pl.col("amount_minor").sum())
        .join(documents, left_on="applies_to_id", right_on="document_id")
        .rename({"applies_to_id": "document_id"})
        .filter(pl.col("applied") > pl.col("total_minor"))
    )
    ledger = tables["core.ar_invoices"].filter(~pl.col("is_deleted"))
    theirs = (
        lines.filter(pl.col("applies_to_ref").is_not_null())
        .group_by("applies_to_ref")
        .agg(applied=pl.col("amount_minor").sum())
        .join(ledger, left_on="applies_to_ref", right_on="invoice_ref", how="left")
        .with_columns(pl.col("due_minor").fill_null(0))
        .filter(pl.col("applied") > pl.col("due_minor"))
        .select(
            subject_ref="applies_to_ref",
            currency="currency",
            amount_minor="applied",
            sentence=pl.format(
                f"Receipts apply {{}} minor units to invoice {{}}, of which {{}} are open; {_AGAIN}",
                "applied", pl.coalesce("invoice_number", "applies_to_ref"), "due_minor",
            ),
        )
    )  # fmt: skip
    told = _findings(
        ours,
        pl.format(
            f"Receipts apply {{}} minor units to invoice {{}} of {{}}; {_AGAIN}",
            "applied",
            "number",
            "total_minor",
        ),
    )
    return pl.concat([told, theirs], how="diagonal")


@rule(
    "Every document but a customer names its entity.",
    code="document_without_entity",
    severity="stop",
    reads=(_DOCUMENTS,),
)
def document_without_entity(tables: Tables, limits: Limits) -> pl.DataFrame:
    """Documents that would be posted at the top level by mistake."""
    homeless = tables[_DOCUMENTS].filter(
        (pl.col("kind_code") != "customer") & (pl.col("entity_code").fill_null("") == "")
    )
    return _findings(homeless, pl.format(f"The {{}} {{}} names no entity; {_AGAIN}", "kind_code", "number"))


@rule(
    "The orders of a document sum to it.",
    code="orders_do_not_sum",
    severity="stop",
    reads=(_DOCUMENTS, _ORDERS),
)
def orders_do_not_sum(tables: Tables, limits: Limits) -> pl.DataFrame:
    """Documents whose parts by order do not sum to their total, so that they could not be traced back to the orders behind them."""
    sums = tables[_ORDERS].group_by("document_id").agg(orders_minor=pl.col("amount_minor").sum())
    wrong = (
        tables[_DOCUMENTS].filter(pl.col("kind_code").is_in(["invoice", "credit_memo", "receipt"]))
        .join(sums, on="document_id", how="left")
        .with_columns(pl.col("orders_minor").fill_null(0))
        .filter(pl.col("orders_minor") != pl.col("total_minor"))
    )  # fmt: skip
    return _findings(
        wrong,
        pl.format(
            f"The orders of {{}} {{}} sum to {{}} and not to its total of {{}} minor units; {_AGAIN}",
            "kind_code", "number", "orders_minor", "total_minor",
        ),
    )  # fmt: skip


@rule(
    "What is owed is planned, rounded away, or unplanned with a reason.", code="batch_total_differs", severity="stop",
    reads=("recon.owed", _ORDERS, "plan.unplanned", "plan.rounded"),
)  # fmt: skip
def batch_total_differs(tables: Tables, limits: Limits) -> pl.DataFrame:
    """Control totals per event and currency: owed less unplanned less rounded away must be the plan, to the minor unit.

    A document counts for the event it answers, whatever its kind: a sale that became smaller is answered by a credit memo. A sales order
    answers nothing that is owed.
    """
    kinds = {"sale": "invoice", "credit": "credit_memo", "receipt": "receipt"}
    kind = pl.col("event_code").replace_strict(kinds, return_dtype=pl.String).alias("kind_code")
    sides = [
        tables["recon.owed"].select(kind, "currency", side=pl.lit("owed"), amount="total_minor"),
        tables[_ORDERS].select(kind, "currency", side=pl.lit("plan"), amount="amount_minor"),
        tables["plan.rounded"].select("kind_code", "currency", side=pl.lit("plan"), amount="rounded_minor"),
        tables["plan.unplanned"].select("kind_code", "currency", side=pl.lit("plan"), amount="amount_minor"),
    ]
    totals = (
        pl.concat(sides)
        .filter(pl.col("kind_code").is_in(list(kinds.values())))
        .group_by("kind_code", "currency")
        .agg(
            owed=pl.col("amount").filter(pl.col("side") == "owed").sum(),
            plan=pl.col("amount").filter(pl.col("side") == "plan").sum(),
        )
        .filter(pl.col("owed") != pl.col("plan"))
    )
    return totals.select(
        pl.concat_str("kind_code", "currency", separator="/").alias("subject_ref"),
        "currency",
        (pl.col("owed") - pl.col("plan")).alias("amount_minor"),
        pl.format(
            "Of kind {} in {}, {} minor units are owed and {} are planned, rounded or explained; nothing is sent, plan again.",
            "kind_code", "currency", "owed", "plan",
        ).alias("sentence"),
    )  # fmt: skip
