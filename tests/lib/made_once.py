"""What each house of a process needs and is the same for all: the empty warehouse, made once and copied, and the DuckDB instances.

Making a hundred and more tables, and starting DuckDB, take longer than most tests. What is made by `Warehouse.ensure` is the same file
whatever folder it lies in; only a first making of many tables is copied. Small warehouses, later openings and processes that tests start go
the ordinary way.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from tieout.warehouse.store import Warehouse

MANY = 60
"""Tables from which on a warehouse is that of a whole house."""


@contextmanager
def copied_when_empty(folder: Path) -> Iterator[None]:
    """While the block lasts, a whole house's warehouse that is not there yet is a copy of the first one like it; copies are kept in `folder`,
    where DuckDB would spill as well: instances are kept by their settings, and by their own folders houses could not share one."""
    ensure, config = Warehouse.ensure, Warehouse._config
    made: dict[object, Path] = {}

    def ensured(self: Warehouse, tables: Mapping[str, pl.DataFrame]) -> None:
        if len(tables) < MANY or self.path.exists():
            ensure(self, tables)
            return
        key = tuple((name, *frame.schema.items()) for name, frame in tables.items())
        if key in made:
            shutil.copyfile(made[key], self.path)
            return
        ensure(self, tables)
        # What DuckDB could not take into the file lies beside it; then the file alone is not the warehouse.
        if not self.path.with_name(f"{self.path.name}.wal").exists():
            made[key] = folder / f"{len(made)}.duckdb"
            shutil.copyfile(self.path, made[key])

    def shared(self: Warehouse) -> dict[str, str | bool | int | float | list[str]]:
        return {**config(self), "temp_directory": str(folder / "spill")}

    Warehouse.ensure, Warehouse._config = ensured, shared  # type: ignore[method-assign]
    try:
        yield
    finally:
        Warehouse.ensure, Warehouse._config = ensure, config  # type: ignore[method-assign]
