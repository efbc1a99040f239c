"""Instants from ISO 8601 texts, a column at a time."""

from __future__ import annotations

from typing import Final

import polars as pl

_INSTANT: Final = pl.Datetime("us", "UTC")
_FORMS: Final = (
    # The first have a fixed width, so that they cost a third of the others; one of them is what most platforms write.
    "%Y-%m-%dT%H:%M:%S.%3fZ",
    "%Y-%m-%dT%H:%M:%S+00:00",
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%dT%H:%M:%S%:z",
    "%Y-%m-%dT%H:%M:%S%.fZ",
    "%+",
)
_LIKELY: Final = {(24, "Z"): _FORMS[0], (25, "+00:00"): _FORMS[1], (20, "Z"): _FORMS[2]}
"""The form of a text by how wide it is and what follows the time of day."""


def utc(texts: pl.Series) -> pl.Series:
    """ISO 8601 texts with a zone as UTC instants; null where it is none. A form is only tried on what the ones before could not read,
    the form the first text looks like before all others."""
    found = None
    absent = texts.null_count()
    for form in _in_turn(texts):
        if found is None:
            found = _read(texts, form)
            continue
        if found.null_count() == absent:
            break
        left = found.is_null() & texts.is_not_null()
        read = _read(texts.filter(left), form)
        if read.null_count() < len(read):
            found = found.scatter(left.arg_true(), read)
    return (pl.Series([], dtype=_INSTANT) if found is None else found).alias(texts.name)


def _in_turn(texts: pl.Series) -> tuple[str, ...]:
    first = texts.first(ignore_nulls=True) if len(texts) else None
    if not isinstance(first, str):
        return _FORMS
    zone = first[19:] if len(first) == 25 else first[-1:]
    likely = _LIKELY.get((len(first), zone), _FORMS[3])
    return likely, *(form for form in _FORMS if form != likely)


def _read(texts: pl.Series, form: str) -> pl.Series:
    return texts.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False)


def instant(column: str) -> pl.Expr:
    """A column of such texts as an expression."""
    return pl.col(column).map_batches(utc, return_dtype=_INSTANT)
