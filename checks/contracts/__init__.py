"""One contract per table: types, closed lists, keys, and the prose that becomes the table dictionary."""

from __future__ import annotations

from checks.contracts import (
    catalogue,
    closing,
    core,
    deciding,
    general_ledger,
    intacct_fields,
    ledger_tie_out,
    mappings,
    ops,
    out,
    posting,
    recon,
    refund_entries,
    settling,
    shipping,
    tenders,
)
from checks.contracts.raw import landing
from checks.contracts.table import Column, Table

ALL: dict[str, Table] = {
    table.name: table
    for module in (
        core,
        tenders,
        catalogue,
        general_ledger,
        recon,
        ledger_tie_out,
        refund_entries,
        settling,
        deciding,
        out,
        ops,
        posting,
        intacct_fields,
        shipping,
        closing,
        mappings,
    )
    for table in module.TABLES
}

__all__ = ["ALL", "Column", "Table", "landing"]
