"""Open items as of a day, under ids that survive from month to month, and their roll-forward from one close to the next.

An open item is what a reader still has to do with at the period's end: a difference between both sides of a tie-out (kinds `order` and
`payment`), or a document of accounts receivable that is not settled (kind `document`). It is read from a reconciliation whose period reaches
from the beginning of time to that day, so that its amount is what stood open then, whatever was booked since.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import polars as pl

from transforms.identity import minted

KINDS: Final = ("order", "payment", "document")
STATES: Final = ("new", "carried", "changed", "cleared")
BEGINNING: Final = date(1, 1, 1)
"""The first day of a period that holds everything before its end."""

ID_LENGTH: Final = 12
_SETTLED: Final = ("explained", "outside")
"""Families whose difference is accepted or not ours: it is totalled in the tie-out and is nothing anybody still waits for."""
_LOUD: Final = ("error", "ambiguous")
_ONE: Final = pl.col("currency").is_not_null().cast(pl.Int64)
"""Each row once: every one has a currency."""

SCHEMA: Final = {
    "item_id": pl.String(), "kind_code": pl.String(), "subject_ref": pl.String(), "entity_code": pl.String(), "currency": pl.String(),
    "store_ref": pl.String(), "order_number": pl.String(), "documents": pl.String(), "customer": pl.String(), "since_on": pl.Date(),
    "due_on": pl.Date(), "days_no": pl.Int64(), "bucket_code": pl.String(), "outcome_code": pl.String(), "family_code": pl.String(),
    "open_minor": pl.Int64(), "cleared_on": pl.Date(), "evidence": pl.String(),
}  # fmt: skip
ROLLED: Final = {
    "item_id": pl.String(), "kind_code": pl.String(), "subject_ref": pl.String(), "entity_code": pl.String(), "currency": pl.String(),
    "store_ref": pl.String(), "order_number": pl.String(), "documents": pl.String(), "customer": pl.String(), "first_period": pl.String(),
    "since_on": pl.Date(), "due_on": pl.Date(), "days_no": pl.Int64(), "bucket_code": pl.String(), "outcome_code": pl.String(),
    "family_code": pl.String(), "state_code": pl.String(), "opening_minor": pl.Int64(), "restated_minor": pl.Int64(),
    "new_minor": pl.Int64(), "cleared_minor": pl.Int64(), "changed_minor": pl.Int64(), "closing_minor": pl.Int64(),
    "cleared_on": pl.Date(), "evidence": pl.String(),
}  # fmt: skip
PLACE: Final = ["kind_code", "entity_code", "currency"]


def open_items(
    orders: pl.DataFrame, payments: pl.DataFrame, ageing: pl.DataFrame, end_on: date
) -> pl.DataFrame:
    """Every open item before `end_on` (exclusive), from recon rows of a period that starts at `BEGINNING`; columns of `SCHEMA`.

    `open_minor` is storefront minus Intacct up to that day, or what is open of the document. `cleared_on` is the later day on which both
    sides came to agree, where they since have: the proof that a timing difference was one.
    """
    parts = [
        _differences(orders, "order", ("owed_on", "document_on"), "placed_on", end_on),
        _differences(payments, "payment", ("occurred_on", "received_on"), "occurred_on", end_on),
        _documents(ageing),
    ]
    found = pl.concat(
        [part.select([pl.col(n).cast(t) for n, t in SCHEMA.items() if n != "item_id"]) for part in parts]
    )
    ids = minted(found, "open-item", ["kind_code", "subject_ref", "entity_code", "currency"])
    return (
        found.with_columns(item_id=ids.str.slice(0, ID_LENGTH))
        .select(list(SCHEMA))
        .sort("kind_code", "entity_code", "currency", "item_id")
    )


def _differences(
    rows: pl.DataFrame, kind: str, sides: tuple[str, str], otherwise: str, end_on: date
) -> pl.DataFrame:
    open_then = pl.col("period_expected_minor") - pl.col("period_actual_minor")
    # A break that has no amount (a wrong customer, a receipt on another order) is as open as one that has.
    silent = pl.col("family_code").is_in(_LOUD) & (pl.col("delta_minor") == 0) & pl.col("is_in_period")
    kept = rows.filter(~pl.col("family_code").is_in(_SETTLED) & ((open_then != 0) | silent))
    before = [pl.when(pl.col(day) < end_on).then(pl.col(day)) for day in sides]
    later = pl.max_horizontal(*sides)
    since = pl.coalesce(pl.min_horizontal(*before), otherwise)
    return kept.select(
        kind_code=pl.lit(kind),
        subject_ref="group_ref",
        entity_code="entity_code",
        currency="currency",
        store_ref="store_ref",
        order_number="order_number",
        documents=pl.col("documents") if kind == "order" else pl.coalesce("receipts", "gateway_ref"),
        customer=pl.col("customer_name") if kind == "order" else pl.lit(None, pl.String),
        since_on=since,
        due_on=pl.lit(None, pl.Date),
        days_no=(pl.lit(end_on) - since).dt.total_days() - 1,
        bucket_code=pl.lit(None, pl.String),
        outcome_code="outcome_code",
        family_code="family_code",
        open_minor=open_then,
        cleared_on=pl.when((pl.col("delta_minor") == 0) & (open_then != 0) & (later >= end_on)).then(later),
        evidence="evidence",
    )


def _documents(ageing: pl.DataFrame) -> pl.DataFrame:
    return ageing.select(
        kind_code=pl.lit("document"),
        subject_ref=pl.concat_str("document_kind", pl.lit(":"), "document_ref"),
        entity_code="entity_code",
        currency="currency",
        store_ref=pl.lit(""),
        order_number=pl.lit(None, pl.String),
        documents=pl.coalesce("document_number", "document_ref"),
        customer="customer_id",
        since_on="document_on",
        due_on="due_on",
        days_no="days_no",
        bucket_code="bucket_code",
        outcome_code=pl.lit(None, pl.String),
        family_code=pl.lit("document"),
        open_minor="open_minor",
        cleared_on=pl.lit(None, pl.Date),
        evidence=pl.concat_str(
            pl.col("document_kind").str.replace("_", " ").str.to_titlecase(), pl.lit(" not settled.")
        ),
    )


def rolled(
    last_closing: pl.DataFrame | None, opening: pl.DataFrame, closing: pl.DataFrame, period: str
) -> pl.DataFrame:
    """The register of a period: every item that was open at either end, with the movement between; columns of `ROLLED`.

    `last_closing` is the register of the last close (`item_id`, `closing_minor`, `first_period`, and the rest of `ROLLED`), or None when
    there was none. `opening` and `closing` are `open_items` of today's data at both ends. What the last close said and what today's data say of
    the same day may differ, because something was dated back since: that is `restated_minor`, item by item, never mixed into the month's movement.

        opening + restated + new + cleared + changed = closing
    """
    was = _last(last_closing, opening, period)
    begun = opening.select("item_id", begun_minor="open_minor")
    ended = closing.rename({"open_minor": "closing_minor"})
    told = pl.concat([closing, opening, was.select(closing.columns)]).unique(
        "item_id", keep="first", maintain_order=True
    )
    at_start, at_end = pl.col("begun_minor").is_not_null(), pl.col("closing_minor").is_not_null()
    rows = (
        told.drop("open_minor")
        .join(was.select("item_id", opening_minor="open_minor", first_period="first_period"), on="item_id", how="left")
        .join(begun, on="item_id", how="left")
        .join(ended.select("item_id", "closing_minor"), on="item_id", how="left")
        .with_columns(
            state_code=pl.when(~at_end).then(pl.lit("cleared"))
            .when(~at_start & pl.col("opening_minor").is_null()).then(pl.lit("new"))
            .when(pl.coalesce("begun_minor", pl.lit(0)) == pl.col("closing_minor")).then(pl.lit("carried"))
            .otherwise(pl.lit("changed")),
            first_period=pl.coalesce("first_period", pl.when(at_start).then(pl.lit("before")).otherwise(pl.lit(period))),
        )
        .with_columns(pl.col("opening_minor", "closing_minor").fill_null(0), from_minor=pl.col("begun_minor").fill_null(0))
        .with_columns(restated_minor=pl.col("from_minor") - pl.col("opening_minor"))
        .with_columns(moved=pl.col("closing_minor") - pl.col("from_minor"))
        .with_columns(
            pl.when(pl.col("state_code") == code).then("moved").otherwise(0).alias(f"{code}_minor") for code in ("new", "cleared")
        )
        .with_columns(changed_minor=pl.col("moved") - pl.col("new_minor") - pl.col("cleared_minor"))
    )  # fmt: skip
    return rows.select([pl.col(n).cast(t) for n, t in ROLLED.items()]).sort(
        "kind_code", "entity_code", "currency", "item_id"
    )


def _last(last_closing: pl.DataFrame | None, opening: pl.DataFrame, period: str) -> pl.DataFrame:
    if last_closing is None:
        return opening.with_columns(first_period=pl.lit("before"))
    return _open(last_closing).rename({"closing_minor": "open_minor"}).select([*SCHEMA, "first_period"])


def _open(register: pl.DataFrame) -> pl.DataFrame:
    return register.filter(pl.col("state_code") != "cleared")


def roll_forward(register: pl.DataFrame, last_closing: pl.DataFrame | None) -> pl.DataFrame:
    """The register summed per kind, entity and currency: counts and amounts of each movement."""
    amounts = [pl.col(name).sum() for name in ROLLED if name.endswith("_minor")]
    state = pl.col("state_code")
    # An item is in the opening if it was open in the last close, with or without an amount; what today's data open before the period
    # beside that was dated back since.
    old = (
        state != "new"
        if last_closing is None
        else pl.col("item_id").is_in(_open(last_closing)["item_id"].implode())
    )
    return (
        register.group_by(PLACE)
        .agg(
            *amounts,
            opening_count=old.sum().cast(pl.Int64),
            restated_count=(~old & (state != "new")).sum().cast(pl.Int64),
            new_count=(state == "new").sum().cast(pl.Int64),
            cleared_count=(state == "cleared").sum().cast(pl.Int64),
            closing_count=(state != "cleared").sum().cast(pl.Int64),
        )
        .select(
            *PLACE, "opening_count", "restated_count", "new_count", "cleared_count", "closing_count", "opening_minor", "restated_minor", "new_minor",
            "cleared_minor", "changed_minor", "closing_minor",
        )
        .sort(PLACE)
    )  # fmt: skip


def restated(register: pl.DataFrame) -> pl.DataFrame:
    """The items whose opening is no longer what the last close said, largest first: something was dated back into a closed period."""
    return register.filter(pl.col("restated_minor") != 0).sort(
        pl.col("restated_minor").abs(), "item_id", descending=[True, False]
    )


def proofs(
    register: pl.DataFrame,
    orders: pl.DataFrame,
    payments: pl.DataFrame,
    ageing: pl.DataFrame,
    last_closing: pl.DataFrame | None,
) -> pl.DataFrame:
    """The roll-forward proved by other roads (name, entity_code, currency, left_minor, right_minor, difference_minor): amounts, and in proofs named
    "number of" the count of items in place of an amount.

    `orders`, `payments`, `ageing` are recon rows from the beginning to the period's end.
    """
    register_of = {kind: register.filter(pl.col("kind_code") == kind) for kind in KINDS}
    moved = pl.sum_horizontal(
        "opening_minor", "restated_minor", "new_minor", "cleared_minor", "changed_minor"
    )
    pairs = []
    for kind, rows in register_of.items():
        pairs.append(
            (
                f"{kind} items: opening and movements are the closing",
                _sum(rows, moved),
                _sum(rows, pl.col("closing_minor")),
            )
        )
        if last_closing is not None:
            stood = last_closing.filter(pl.col("kind_code") == kind)
            pairs.append(
                (
                    f"{kind} items: the opening is the last closing",
                    _sum(rows, pl.col("opening_minor")),
                    _sum(stood, pl.col("closing_minor")),
                )
            )
    gap = pl.col("period_expected_minor") - pl.col("period_actual_minor")
    for kind, rows in (("order", orders), ("payment", payments)):
        unsettled = rows.filter(~pl.col("family_code").is_in(_SETTLED))
        pairs.append(
            (
                f"{kind} items are the whole unsettled difference to date",
                _sum(register_of[kind], pl.col("closing_minor")),
                _sum(unsettled, gap),
            )
        )
    rolls = roll_forward(register, last_closing)
    for kind, rows in (
        ("order", _listed(orders)),
        ("payment", _listed(payments)),
        ("document", ageing),
    ):
        mine = rolls.filter(pl.col("kind_code") == kind)
        moved_count = pl.col("opening_count") + pl.col("restated_count") + pl.col("new_count")
        pairs.append((f"number of {kind} items: opening and movements are the closing",
                      _sum(mine, moved_count - pl.col("cleared_count")), _sum(mine, pl.col("closing_count"))))  # fmt: skip
        pairs.append((f"number of {kind} items: the closing is the rows that are open",
                      _sum(mine, pl.col("closing_count")), _sum(rows, _ONE)))  # fmt: skip
        if last_closing is not None:
            stood = _open(last_closing).filter(pl.col("kind_code") == kind)
            pairs.append((f"number of {kind} items: the opening is the last closing",
                          _sum(mine, pl.col("opening_count")), _sum(stood, _ONE)))  # fmt: skip
    pairs.append(
        (
            "document items are the ageing",
            _sum(register_of["document"], pl.col("closing_minor")),
            _sum(ageing, pl.col("open_minor")),
        )
    )
    return pl.concat([_proof(*pair) for pair in pairs]).sort("name", "entity_code", "currency")


def _listed(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of a tie-out that are open items: what differs to date, and loud breaks without an amount."""
    differs = pl.col("period_expected_minor") != pl.col("period_actual_minor")
    silent = pl.col("family_code").is_in(_LOUD) & (pl.col("delta_minor") == 0) & pl.col("is_in_period")
    return rows.filter(~pl.col("family_code").is_in(_SETTLED) & (differs | silent))


def _sum(rows: pl.DataFrame, amount: pl.Expr) -> pl.DataFrame:
    return rows.group_by("entity_code", "currency").agg(amount=amount.sum())


def _proof(name: str, left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    return (
        left.rename({"amount": "left_minor"})
        .join(
            right.rename({"amount": "right_minor"}), on=["entity_code", "currency"], how="full", coalesce=True
        )
        .with_columns(pl.col("left_minor", "right_minor").fill_null(0), name=pl.lit(name))
        .with_columns(difference_minor=pl.col("left_minor") - pl.col("right_minor"))
        .select("name", "entity_code", "currency", "left_minor", "right_minor", "difference_minor")
    )
