"""Columns of values taken from decoded records, a block of records at a time and without a call per record.

A block is as many documents as the processor's cache holds: their members are gathered column by column while they are there, and then the
block is forgotten. Where the names of members are known, a list comprehension does it at half the cost of anything called for each record.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import polars as pl

from transforms.json_amounts import ABSENT, as_text, lines_of, millionths_lines, texts

BLOCK: Final = 80
"""Documents gathered at a time: many more no longer fit the cache, many fewer cost more calls."""
FLUSHED: Final = 1_000
"""Documents gathered before their texts become columns, while most of them are still in the cache; a multiple would only hold more memory."""

_WHOLE: Final = pl.UInt32


class Texts:
    """A column of texts, whole numbers among them; null for None."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._parts: list[pl.Series] = []

    def flush(self) -> None:
        """Turn what has been put into `values` into a column: until then each is an object of its own."""
        if self.values:
            self._parts.append(written_texts(self.values))
            self.values.clear()

    def column(self, name: str) -> pl.Series:
        """All of it, flushed before."""
        if not self._parts:
            return pl.Series(name, [], dtype=pl.String)
        return pl.concat(self._parts, rechunk=True).alias(name)


class Amounts:
    """Columns of JSON values as they stand in the payload, `null` included; all of them are read at once."""

    def __init__(self) -> None:
        self._parts: dict[str, list[bytes]] = {}
        self._counts: dict[str, int] = {}
        self._read: dict[str, tuple[pl.Series, pl.Series]] | None = None

    def put(self, name: str, values: Sequence[msgspec.Raw]) -> None:
        """Copy values out of the payloads they are part of. A line break inside a list or an object, which is no amount, becomes a space."""
        if not values:
            return
        whole = b"\n".join(values)
        if whole.count(b"\n") != len(values) - 1:
            whole = b"\n".join([bytes(one).replace(b"\n", b" ") for one in values])
        self._parts.setdefault(name, []).append(whole)
        self._counts[name] = self._counts.get(name, 0) + len(values)

    def written(self, name: str) -> pl.Series:
        """A column as text."""
        parts = self._parts.get(name)
        return (lines_of(b"\n".join(parts)) if parts else pl.Series([], dtype=pl.String)).alias(name)

    def millionths(self, name: str) -> tuple[pl.Series, pl.Series]:
        """A column as `json_amounts.millionths` gives it; to be asked for once everything has been put."""
        if self._read is None:
            whole = b"\n".join([part for parts in self._parts.values() for part in parts])
            values, odd = millionths_lines(whole)
            self._read, start = {}, 0
            for one, count in self._counts.items():
                self._read[one] = values.slice(start, count), odd.slice(start, count)
                start += count
        found = self._read.get(name)
        return found or (pl.Series([], dtype=pl.Int64), pl.Series([], dtype=pl.String))


def holders(name: str, counts: Sequence[int]) -> pl.Series:
    """For every element of some lists the number of its list, from how many each has."""
    every = pl.DataFrame(
        [
            pl.int_range(len(counts), dtype=_WHOLE, eager=True).alias(name),
            pl.Series("many", counts, dtype=_WHOLE),
        ]
    )
    # They rise, which makes groups and joins by them cheaper.
    return every.select(pl.col(name).repeat_by("many").explode(empty_as_null=False)).to_series().set_sorted()


def written_texts(values: Sequence[Any]) -> pl.Series:
    """Texts and whole numbers as texts, and other values as they were written; null for a list or an object."""
    # Numbers are tried as numbers first: to be refused as texts costs three times as much.
    first = next((one for one in values if one is not None), None)
    whole = as_text("", values) if first.__class__ is int else None
    if whole is not None:
        return whole
    try:
        return pl.Series(values, dtype=pl.String)
    except (TypeError, ValueError):
        whole = as_text("", values)
        if whole is not None:
            return whole
        return pl.Series(_plain([None if one is ABSENT else one for one in values]), dtype=pl.String)


def _plain(values: Sequence[msgspec.Raw | str | int | None]) -> list[str | None]:
    """Texts, and whole numbers and values as they were written as texts; none for a list or an object."""
    raws = [one for one in values if isinstance(one, msgspec.Raw)]
    written = iter(zip(raws, texts(raws), strict=True))
    plain: list[str | None] = []
    for one in values:
        if isinstance(one, msgspec.Raw):
            raw, text = next(written)
            if text is None or bytes(raw)[:1] in (b"[", b"{"):
                plain.append(None)
            else:
                plain.append(unescaped(text) if "\\" in text else text)
        else:
            plain.append(one if one is None or isinstance(one, str) else str(one))
    return plain


def unescaped(text: str) -> str:
    """The inside of a JSON text without its escapes; what is none stays as it is."""
    try:
        return msgspec.json.decode(f'"{text}"'.encode(), type=str)
    except msgspec.MsgspecError:
        return text
