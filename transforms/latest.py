"""The newest version of each landed record, and half-open windows."""

from __future__ import annotations

from datetime import datetime

import polars as pl

from tieout.errors import InputError

_ORDER = ("version_no", "updated_at", "landing_no")


def newest(
    raw: pl.DataFrame, *, key: tuple[str, ...] = ("native_ref",), as_of: datetime | None = None
) -> pl.DataFrame:
    """The newest version of every record in a raw landing frame.

    Newest is the highest `version_no`, then the latest `updated_at`, then the last landing; the payload's hash breaks what ties are
    left, so that the order of rows never matters. `as_of` (an aware instant) leaves out what was fetched at or after it.
    """
    frame = raw if as_of is None else raw.filter(pl.col("fetched_at") < _aware(as_of))
    by = [*_ORDER, "payload_sha256"]
    return (
        frame.sort(by, nulls_last=False).unique(list(key), keep="last", maintain_order=True).sort(list(key))
    )


def within(frame: pl.DataFrame, column: str, *, start: datetime | None, end: datetime | None) -> pl.DataFrame:
    """Rows whose instant lies in the half-open window `start <= column < end`; an open side is `None`.

    Windows that touch share no row and leave none out. Raises `InputError` for naive instants or an end before its start.
    """
    if start is not None and end is not None and end < start:
        raise InputError(f"The window ends at {end} before it starts at {start}; swap the two.")
    kept = frame
    if start is not None:
        kept = kept.filter(pl.col(column) >= _aware(start))
    if end is not None:
        kept = kept.filter(pl.col(column) < _aware(end))
    return kept


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise InputError(f"The instant {moment} has no time zone; give it one, for example UTC.")
    return moment
