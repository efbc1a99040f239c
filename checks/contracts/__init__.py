"""One contract per table: types, closed lists, keys, and the prose that becomes the table dictionary."""

from __future__ import annotations

from checks.contracts import core, deciding, mappings, ops, out, recon
from checks.contracts.raw import landing
from checks.contracts.table import Column, Table

ALL: dict[str, Table] = {
    table.name: table for module in (core, recon, deciding, out, ops, mappings) for table in module.TABLES
}

__all__ = ["ALL", "Column", "Table", "landing"]
