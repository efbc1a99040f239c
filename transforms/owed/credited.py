"""Credits of one order whose events change their names: what was posted for one of them is not posted again for another.

An order that is lowered and refunded owes one credit for both, named after what is known of it. Whichever is known first may be posted; when
the other comes, the credit may be owed under its name. What the order's credits come to is then compared as a whole.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from transforms.owed.shares import share_between
from transforms.postings.terms import Existing

_ORDER: Final = ["storefront", "order_ref"]
_EVENT: Final = [*_ORDER, "event_code", "event_ref"]
_SENT: Final = ("accepted", "sending", "unknown")
_NOTHING: Final = pl.DataFrame(
    schema={
        **dict.fromkeys((*_EVENT, "order_number", "entity_code", "currency"), pl.String()),
        "amount_minor": pl.Int64(),
    }
)


def with_credits_settled(
    owed: pl.DataFrame, owed_lines: pl.DataFrame, existing: Existing
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Owed events and lines, and what of the events is left out (UNPLANNED_SCHEMA without ids and sentence), in which credits that were posted under another event of their order are not owed again.

    Of what an order's credits come to, events keep first what was posted for them; the rest goes to the others in the order of time.
    Lines are shared out in proportion and sum to their event. Orders whose posted credits all stand as they are owed are left alone.
    """
    sent = existing.documents.filter(pl.col("state_code").is_in(list(_SENT))).select("document_id")
    posted = (
        existing.orders.filter(pl.col("event_code") == "credit")
        .join(sent, on="document_id", how="semi")
        .group_by(_EVENT)
        .agg(posted=pl.col("amount_minor").sum().neg())
        .filter(pl.col("posted") > 0)
    )
    if posted.is_empty():
        return owed, owed_lines, _NOTHING
    credits = (
        owed.filter(pl.col("event_code") == "credit")
        .join(posted.select(_ORDER).unique(), on=_ORDER, how="semi")
        .select(*_EVENT, "owed_at", "currency", due=pl.col("total_minor").neg())
    )
    both = posted.join(credits, on=_EVENT, how="full", coalesce=True).with_columns(
        pl.col("posted", "due").fill_null(0)
    )
    # Only where money was posted for an event that owes less of it now can another event be owed the same again.
    moved = both.filter(pl.col("posted") > pl.col("due")).select(_ORDER).unique()
    others = both.filter(pl.col("posted") < pl.col("due")).select(_ORDER).unique()
    both = both.join(moved, on=_ORDER, how="semi").join(others, on=_ORDER, how="semi")
    if both.is_empty():
        return owed, owed_lines, _NOTHING
    kept = _kept(both)
    changed = kept.filter(pl.col("kept") != pl.col("due")).join(credits.select(_EVENT), on=_EVENT, how="semi")
    gone = changed.filter(pl.col("kept") == 0)
    shared = changed.filter(pl.col("kept") > 0).select(*_EVENT, "kept")
    left_out = owed.join(changed.select(*_EVENT, "due", "kept"), on=_EVENT, maintain_order="left").select(
        *_NOTHING.columns[:-1], amount_minor=pl.col("kept") - pl.col("due")
    )
    owed = owed.join(gone, on=_EVENT, how="anti", maintain_order="left")
    owed = (
        owed.join(shared, on=_EVENT, how="left", maintain_order="left")
        .with_columns(total_minor=pl.coalesce(pl.col("kept").neg(), "total_minor"))
        .drop("kept")
    )
    lines = owed_lines.join(gone, on=_EVENT, how="anti", maintain_order="left")
    return owed, _shared_out(lines, shared), left_out


def _kept(both: pl.DataFrame) -> pl.DataFrame:
    """`kept` of every event: first what was posted for it, then by time what is left, as far as each is owed; growth of posted ones last."""
    turn = both.sort(*_ORDER, pl.col("posted") == 0, "owed_at", "event_ref", nulls_last=True).with_columns(
        whole=pl.col("due").sum().over(_ORDER)
    )
    until = pl.col("posted").cum_sum().over(_ORDER)
    turn = turn.with_columns(
        first=(pl.min_horizontal(until, "whole") - pl.min_horizontal(until - pl.col("posted"), "whole"))
    )
    left = pl.col("whole") - pl.col("first").sum().over(_ORDER)
    room = pl.when(pl.col("posted") == 0).then("due").otherwise(0)
    reached = room.cum_sum().over(_ORDER)
    turn = turn.with_columns(
        second=pl.min_horizontal(reached, left) - pl.min_horizontal(reached - room, left)
    )
    left = pl.col("whole") - (pl.col("first") + pl.col("second")).sum().over(_ORDER)
    room = (
        pl.when(pl.col("posted") > 0)
        .then((pl.col("due") - pl.col("posted")).clip(lower_bound=0))
        .otherwise(0)
    )
    reached = room.cum_sum().over(_ORDER)
    third = pl.min_horizontal(reached, left) - pl.min_horizontal(reached - room, left)
    return turn.with_columns(kept=pl.col("first") + pl.col("second") + third)


def _shared_out(lines: pl.DataFrame, shared: pl.DataFrame) -> pl.DataFrame:
    """The lines of these events in proportion to what they were, summing to `kept` (as a credit)."""
    if shared.is_empty():
        return lines
    mine = lines.join(shared, on=_EVENT).sort(*_EVENT, "line_no")
    size = pl.col("amount_minor").abs()
    mine = mine.with_columns(
        until=size.cum_sum().over(_EVENT), whole=size.sum().over(_EVENT), target=pl.col("kept").neg()
    )
    mine = mine.with_columns(before=pl.col("until") - size).with_columns(
        share_between("target", "before", "until", "whole").alias("amount_minor")
    )
    rest = lines.join(shared, on=_EVENT, how="anti", maintain_order="left")
    return pl.concat([rest, mine.filter(pl.col("amount_minor") != 0).select(lines.columns)]).sort(
        *_EVENT, "line_no"
    )
