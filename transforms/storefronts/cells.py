"""Columns from cells: for payloads that have to be read object by object.

A decoded document is dozens of small objects. Reading it at once, while it is in the processor's cache, and forgetting it costs a
fraction of coming back for one member of all documents at a time; and cells of plain values are nothing the garbage collector walks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import polars as pl

READ: Final = 100
"""Payloads at hand at a time: the next ones take their place in the processor's cache."""
FLUSHED: Final = 2_000
"""Documents read before their cells become columns: more would only hold more memory, fewer cost more calls than the cache gives back."""


class Cells:
    """A table that grows cell by cell, row after row, in the order of its schema."""

    def __init__(self, schema: Mapping[str, pl.DataType]) -> None:
        self.schema = schema
        self.cells: list[Any] = []
        self.frames: list[pl.DataFrame] = []

    def flush(self) -> None:
        """Turn what has been put into columns."""
        width = len(self.schema)
        columns = (self.cells[nth::width] for nth in range(width))
        parts = zip(self.schema.items(), columns, strict=True)
        self.frames.append(pl.DataFrame([pl.Series(name, values, dtype=of) for (name, of), values in parts]))
        self.cells.clear()

    def frame(self) -> pl.DataFrame:
        """All rows."""
        return pl.concat(self.frames, rechunk=True)


class Amounts:
    """A table of JSON values as they stood in the payload, that grows cell by cell, row after row."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.cells: list[msgspec.Raw] = []
        self._parts: list[bytes] = []

    def flush(self) -> None:
        """Turn what has been put into text; `null` stays one. A line break inside a list or an object, which is no amount, becomes a space."""
        if not self.cells:
            return
        # One text for all of them, taken apart again by columns, costs a fraction of a text for each.
        whole = b"\n".join(self.cells)
        if whole.count(b"\n") != len(self.cells) - 1:
            whole = b"\n".join(bytes(one).replace(b"\n", b" ") for one in self.cells)
        self._parts.append(whole)
        self.cells.clear()

    def frame(self) -> pl.DataFrame:
        """All rows, by columns: each is every so many of the cells."""
        whole = pl.Series(self._parts, dtype=pl.Binary).cast(pl.String).str.split("\n").explode()
        width = len(self.names)
        return pl.DataFrame(
            [whole.gather_every(width, nth).alias(name) for nth, name in enumerate(self.names)]
        )
