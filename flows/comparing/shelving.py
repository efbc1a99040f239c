"""A comparison that memory does not hold: a shelf of Arrow files for what waits, a sink of Parquet files for finished rows."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import polars as pl

from transforms.reconcile.matching import Matched
from transforms.reconcile.receipts import Paid
from transforms.reconcile.result import matches_of


class FolderShelf:
    """Frames of parts as files of a folder, which is its owner's to delete (see `transforms.reconcile.streams.Shelf`)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[tuple[str, int], list[Path]] = defaultdict(list)

    def put(self, name: str, part: int, frame: pl.DataFrame) -> None:
        """Write the rows as one more file. Raises `OSError` where the disk is full."""
        known = self._files[name, part]
        path = self.folder / f"{name}-{part:05d}-{len(known):05d}.arrow"
        frame.write_ipc(path, compression="lz4")
        known.append(path)

    def take(self, name: str, part: int) -> pl.DataFrame:
        """The rows of all files of that name and part. Raises `KeyError` for what was never put."""
        if (name, part) not in self._files:
            raise KeyError(f"{name} of part {part} was never laid down")
        return pl.concat(pl.read_ipc(path) for path in self._files[name, part])


class ParquetSink:
    """Finished rows as Parquet files of a folder: `orders-*.parquet`, `payments-*.parquet` and, where asked for, `matches-*.parquet`."""

    def __init__(self, folder: Path, *, matches: bool = True) -> None:
        self.folder = folder
        self._matches = matches
        self._numbers: dict[str, int] = defaultdict(int)

    def rows(self, orders: pl.DataFrame, payments: pl.DataFrame) -> None:
        """Write the rows of one call."""
        self._write("orders", orders)
        self._write("payments", payments)

    def found(self, matched: Matched, paid: Paid) -> None:
        """Write who belongs to whom."""
        if self._matches:
            self._write("matches", matches_of(matched, paid))

    def _write(self, name: str, frame: pl.DataFrame) -> None:
        if frame.height:
            frame.write_parquet(self.folder / f"{name}-{self._numbers[name]:05d}.parquet")
            self._numbers[name] += 1
