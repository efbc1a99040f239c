"""The third tie-out as a part of the reconciliation: the AR subledger against the general ledger's control accounts, where they are named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from checks.contracts import ALL
from transforms.closing.control import entries_of
from transforms.reconcile.control import Books, Control, tie_control

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.warehouse.session import Session
    from transforms.reconcile import Policy, Result


def accounts(house: House) -> tuple[str, ...]:
    """The AR control accounts of the configuration; none if the company did not name them."""
    named = house.settings.reconciliation.control_accounts
    if named or house.settings.intacct is None:
        return named
    return house.ledger.control_accounts


def tied(house: House, in_scope: pl.DataFrame, policy: Policy) -> Control:
    """The third tie-out over what is in the warehouse; without control accounts it has no rows. `in_scope`: see `in_scope_of`. Raises `DoesNotFoot`."""
    from flows.reconcile import proved_table

    chosen = accounts(house)
    with house.warehouse.read() as session:
        books = Books(
            entries=_of(session, "core.gl_entries", chosen),
            invoices=_of(session, "core.ar_invoices", chosen),
            adjustments=_of(session, "core.ar_adjustments", chosen),
            receipts=_of(session, "core.ar_receipts", chosen),
            lines=_of(session, "core.ar_lines", chosen),
            accounts=chosen,
            in_scope=in_scope,
            is_whole=house.settings.intacct is not None and not house.ledger.control_accounts,
        )
    found = tie_control(books, policy)
    proved_table(found.footing)
    return found


def control_entries(house: House, session: Session) -> pl.DataFrame | None:
    """The entries a close is tied to, of all entities; None if no control account is named or the general ledger was never read."""
    chosen = accounts(house)
    if not chosen or not session.count("core.gl_entries"):
        return None
    return entries_of(session.fetch("core.gl_entries"), chosen)


def standing_with_ledger(house: House, *, is_tied: bool) -> dict[str, Any]:
    """Which control accounts a close is tied to (`accounts`), or in a sentence (`said`) why to none."""
    chosen = accounts(house)
    if is_tied:
        return {"accounts": list(chosen), "said": ""}
    why = (
        f"no entry of the general ledger was read, so control accounts {', '.join(chosen)} have no balance"
        if chosen
        else "no control account is configured"
    )
    return {"accounts": [], "said": f"not tied to the general ledger: {why}"}


def _of(session: Session, table: str, chosen: tuple[str, ...]) -> pl.DataFrame:
    return session.fetch(table) if chosen else ALL[table].empty()


def in_scope_of(result: Result) -> pl.DataFrame:
    """(document_kind, document_ref) of the ledger's rows that belong to the shops."""
    return pl.concat(
        [
            result.matched.documents.filter("in_scope").select(document_kind="kind", document_ref="ref"),
            result.paid.receipts.filter("in_scope").select(
                pl.lit("receipt").alias("document_kind"), document_ref="receipt_ref"
            ),
        ]
    )


def publish(session: Session, control: Control) -> None:
    """Publish recon.ledger and recon.control."""
    for name, frame in (("recon.ledger", control.ledger), ("recon.control", control.control)):
        table = ALL[name]
        session.publish(
            name,
            table.checked(table.shaped(frame), at="when tying out the general ledger"),
            key=table.key,
            mode="replace",
        )


def figures(control: Control) -> dict[str, Any]:
    """What the run's summary says of it."""
    if control.ledger.is_empty():
        return {}
    return {
        "ledger_rows": control.ledger.height,
        "ledger_errors": control.ledger.filter(pl.col("family_code") == "error").height,
    }
