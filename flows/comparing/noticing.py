"""What a reconciliation leaves beside its rows: drafts, findings, and how long a row has been open; published in the same transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from checks.contracts import ALL
from flows.comparing.ledger_tie_out import accounts
from transforms.reconcile import completeness
from transforms.reconcile.budget import trends
from transforms.reconcile.drafts import drafts, tied_rows
from transforms.reconcile.policy import Journals

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.warehouse.session import Session
    from transforms.reconcile import Result


def publish(house: House, session: Session, result: Result, *, is_whole: bool = True) -> dict[str, Any]:
    """Publish recon.drafts, recon.draft_lines, recon.findings and ops.lingering, and return their figures.

    Only a reconciliation of all trade (`is_whole`) is a cycle: a look at one month, taken as often as somebody likes, makes nothing older.
    """
    rules = house.settings.reconciliation
    decisions = session.fetch("ops.decisions")
    heads, lines = drafts(
        tied_rows(result.orders, result.payments), decisions, result.suspects, journals(house), _mirrored(session, result.suspects)
    )  # fmt: skip
    open_rows = session.fetch("ops.lingering")
    if is_whole:
        began = pl.col("first_at").fill_null(pl.lit(house.clock(), pl.Datetime("us", "UTC")))
        open_rows = completeness.cycles(result.orders, result.payments, open_rows).with_columns(
            first_at=began
        )
    placed = result.orders.drop_nulls("order_ref").unique(["storefront", "order_ref"])
    findings = pl.concat(
        [
            trends(result.tolerated),
            completeness.number_gaps(
                session.fetch("core.orders", columns=["storefront", "store_ref", "order_number"])
            ),
            completeness.without_orders(result.payments),
            completeness.lingering(open_rows, rules.lingering_cycles),
            completeness.odd_volumes(placed),
        ]
    )
    for name, frame in (
        ("recon.drafts", heads),
        ("recon.draft_lines", lines),
        ("recon.findings", findings),
        ("ops.lingering", open_rows),
    ):
        table = ALL[name]
        session.publish(
            name, table.checked(table.shaped(frame), at="when reconciling"), key=table.key, mode="replace"
        )
    return {
        "drafts": heads.filter(pl.col("state_code") == "drafted").height,
        "suspects": result.suspects.filter(~pl.col("is_original")).height,
        "findings": findings.height,
    }


def _mirrored(session: Session, suspects: pl.DataFrame) -> pl.DataFrame:
    """The lines of credit memos that stand twice."""
    refs = suspects.filter(~pl.col("is_original"))["ledger_ref"]
    refs = refs.filter(refs.str.starts_with("adjustment:")).str.strip_prefix("adjustment:")
    where = pl.DataFrame({"document_ref": refs.unique()}).with_columns(document_kind=pl.lit("adjustment"))
    return session.fetch("core.ar_lines", where=where)


def journals(house: House) -> Journals:
    """Where drafted journals go, from the configuration."""
    rules = house.settings.reconciliation
    named = accounts(house)
    control = named[0] if len(named) == 1 else None
    return Journals(
        journal=rules.write_off.journal,
        control_account=control,
        namespace=house.settings.installation.namespace,
    )
