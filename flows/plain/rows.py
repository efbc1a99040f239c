"""Rows of a comparison of plain files, on disk from the moment they are finished: held against their contract, then written in small groups."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import polars as pl

from checks.contracts import ALL
from transforms.reconcile.matching import Matched
from transforms.reconcile.receipts import Paid

_GROUP_ROWS: Final = 10_000
"""Rows of a Parquet row group: a report reads ranges of all files, and skips the groups outside them."""


class RowsOnDisk:
    """Takes rows of both tie-outs (see `transforms.reconcile.streams.Sink`) and hands them back as scans, in no order."""

    def __init__(self, folder: Path, *, entity_code: str | None = None) -> None:
        """`entity_code` is written into every row, where the comparison knows of no entities."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._entity = entity_code
        self._files: dict[str, list[Path]] = {"orders": [], "payments": []}

    def rows(self, orders: pl.DataFrame, payments: pl.DataFrame) -> None:
        """Keep finished rows. Raises `CheckError` where one breaks the contract of its table."""
        for name, frame in (("orders", orders), ("payments", payments)):
            files = self._files[name]
            # The first one is kept even without rows: it says what the columns are.
            if frame.is_empty() and files:
                continue
            placed = frame if self._entity is None else frame.with_columns(entity_code=pl.lit(self._entity))
            table = ALL[f"recon.{name}"]
            table.checked(table.shaped(placed), at="when reconciling files")
            path = self._folder / f"{name}-{len(files):05d}.parquet"
            placed.write_parquet(path, compression="lz4", row_group_size=_GROUP_ROWS)
            files.append(path)

    def found(self, matched: Matched, paid: Paid) -> None:
        """Who belongs to whom stands in the rows already."""

    @property
    def orders(self) -> pl.LazyFrame:
        """Rows as in `recon.orders`."""
        return self._scan("orders")

    @property
    def payments(self) -> pl.LazyFrame:
        """Rows as in `recon.payments`."""
        return self._scan("payments")

    def _scan(self, name: str) -> pl.LazyFrame:
        files = self._files[name]
        return pl.scan_parquet(files) if files else pl.LazyFrame(schema=ALL[f"recon.{name}"].polars_schema)
