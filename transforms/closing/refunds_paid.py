"""The cash leg of refunds in a close: what was paid back against the journal entries posted for it, as the pack can prove it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from typing import Any, Final, Self

import polars as pl

from transforms.refund_entries import COLUMNS, refund_entries

_TEXT, _INT, _DAY = pl.String(), pl.Int64(), pl.Date()
_INSTANT: Final = pl.Datetime("us", "UTC")
_EVENT: Final = ["storefront", "order_ref", "event_ref"]
_READ_AT: Final = datetime(2000, 1, 1, tzinfo=UTC)
_PROOF: Final = ("name", "entity_code", "currency", "left_minor", "right_minor", "difference_minor")
REFUND_ENTRIES: Final = {
    name: _INT if name.endswith(("_minor", "_no")) else _DAY if name.endswith("_on") else _TEXT
    for name in COLUMNS
}
"""recon.refund_entries; empty text where an entity is not known."""
_KEPT: Final[Mapping[str, tuple[str, ...]]] = {
    "owed": (
        "storefront", "order_ref", "event_code", "event_ref", "order_number", "payment_ref", "entity_code", "currency", "tender_code", "gateway_ref",
        "owed_on", "total_minor",
    ),
    "journals": (
        "document_id", "storefront", "order_ref", "event_ref", "order_number", "entity_code", "currency", "state_code", "intacct_key", "changed_at",
    ),
    "lines": ("document_id", "account_code", "amount_minor"),
    "entries": (
        "entry_ref", "batch_ref", "account_code", "posted_on", "amount_minor", "currency", "entity_code", "record_ref", "reference", "document_number",
    ),
    "unplanned": ("kind_code", "storefront", "order_ref", "event_ref", "reason_code", "sentence"),
    "chargebacks": ("storefront", "event_ref"),
    "clearing": ("clearing_account_code",),
    "terms": ("decimals",),
}  # fmt: skip


@dataclass(frozen=True)
class Refunds:
    """What refunds are held against their entries with, cut to what is read of it; see `transforms.refund_entries.refund_entries`.

    `terms` has one row: the `decimals` Intacct keeps. Instants of journals say only their order and whether the ledger was read since, so
    that reading it again changes nothing.
    """

    owed: pl.DataFrame
    journals: pl.DataFrame
    lines: pl.DataFrame
    entries: pl.DataFrame
    unplanned: pl.DataFrame
    chargebacks: pl.DataFrame
    clearing: pl.DataFrame
    terms: pl.DataFrame

    @classmethod
    def of(cls, *, decimals: int, read_at: datetime | None, **given: pl.DataFrame) -> Self:
        """From the tables as they are read."""
        accounts = pl.concat([given["lines"]["account_code"], given["clearing"]["clearing_account_code"]])
        unseen = pl.col("changed_at") >= pl.lit(read_at, dtype=_INSTANT)
        place = pl.duration(seconds=pl.col("changed_at").rank("dense"))
        given = {
            **given,
            "owed": given["owed"].filter(
                (pl.col("event_code") == "credit") & pl.col("payment_ref").is_not_null()
            ),
            "journals": given["journals"].with_columns(
                changed_at=(
                    pl.when(unseen).then(pl.lit(_READ_AT)).otherwise(pl.lit(datetime(1970, 1, 1, tzinfo=UTC)))
                    + place
                ).cast(_INSTANT)
            ),
            "entries": given["entries"].filter(pl.col("account_code").is_in(accounts.drop_nulls().implode())),
            "unplanned": given["unplanned"].filter(pl.col("kind_code") == "journal"),
            "terms": pl.DataFrame({"decimals": [decimals]}, schema={"decimals": pl.Int64}),
        }
        return cls(
            **{
                name: given[name].select(columns).unique().sort(columns, nulls_last=True)
                if name in ("chargebacks", "clearing")
                else given[name].select(columns).sort(columns, nulls_last=True)
                for name, columns in _KEPT.items()
            }
        )

    def frames(self) -> dict[str, pl.DataFrame]:
        """By the names they have in a pack."""
        return {f"refund_{one.name}": getattr(self, one.name) for one in fields(self)}

    @classmethod
    def packed(cls, frames: Mapping[str, pl.DataFrame]) -> Self:
        """From a pack's frames, all of `NAMES`."""
        found: dict[str, Any] = {name: frames[f"refund_{name}"] for name in _KEPT}
        return cls(**found)

    def of_entity(self, entity: str, orders: pl.DataFrame) -> Self:
        """What is held against each other for one entity: its refunds and journals, those of `orders` (storefront, order_ref), of nobody
        yet, and whatever shares an event or a provider's reference with one of them."""
        mine = pl.col("entity_code").fill_null("").is_in([entity, ""])
        owed, journals = (frame.with_row_index("at") for frame in (self.owed, self.journals))
        refunds = pl.concat([owed.filter(mine), owed.join(orders, on=["storefront", "order_ref"], how="semi")]).unique("at")  # fmt: skip
        booked = journals.filter(mine)
        while True:
            events = pl.concat([refunds.select(_EVENT), booked.select(_EVENT)]).unique()
            wider = pl.concat(
                [
                    refunds,
                    owed.join(events, on=_EVENT, how="semi"),
                    owed.join(refunds.select("gateway_ref").drop_nulls(), on="gateway_ref", how="semi"),
                ]
            ).unique("at")
            more = pl.concat([booked, journals.join(events, on=_EVENT, how="semi")]).unique("at")
            if (wider.height, more.height) == (refunds.height, booked.height):
                break
            refunds, booked = wider, more
        refunds, booked = refunds.sort("at").drop("at"), booked.sort("at").drop("at")
        ours, theirs = (
            frame["intacct_key"].drop_nulls().unique().implode() for frame in (booked, self.journals)
        )
        named = refunds["gateway_ref"].drop_nulls().unique().implode()
        by_hand = pl.col("record_ref").is_null() & ~pl.col("batch_ref").fill_null("").is_in(theirs)
        says = pl.any_horizontal(pl.col("reference").is_in(named), pl.col("document_number").is_in(named)).fill_null(value=False)  # fmt: skip
        return replace(
            self,
            owed=refunds,
            journals=booked,
            lines=self.lines.join(booked, on="document_id", how="semi", maintain_order="left"),
            entries=self.entries.filter(
                pl.col("batch_ref").is_in(ours).fill_null(value=False) | (by_hand & says)
            ),
            unplanned=self.unplanned.join(refunds, on=_EVENT, how="semi", maintain_order="left"),
            chargebacks=self.chargebacks.join(
                booked, on=["storefront", "event_ref"], how="semi", maintain_order="left"
            ),
        )

    def compared(self) -> pl.DataFrame:
        """Every refund with its entry, of all entities; the columns of `REFUND_ENTRIES`."""
        rows = refund_entries(
            self.owed,
            self.journals,
            self.lines,
            self.entries,
            self.unplanned,
            self.chargebacks,
            self.clearing,
            decimals=int(self.terms["decimals"][0]),
            read_at=_READ_AT,
        )
        return rows.with_columns(pl.col("entity_code").fill_null("")).select(
            [pl.col(name).cast(kind) for name, kind in REFUND_ENTRIES.items()]
        )


NAMES: Final = tuple(f"refund_{name}" for name in _KEPT)
"""The frames in a pack; there only where refunds are posted as journal entries and the ledger is read whole."""


def within(found: pl.DataFrame | None, entity: str, first_on: date, end_on: date) -> pl.DataFrame:
    """The columns of `REFUND_ENTRIES`: what was paid back or posted in the period, of the entity or of nobody yet."""
    if found is None:
        return pl.DataFrame(schema=REFUND_ENTRIES)
    days = [pl.col(day).is_between(first_on, end_on, closed="left") for day in ("owed_on", "posted_on")]
    return found.filter(
        pl.col("entity_code").is_in([entity, ""]), pl.any_horizontal(days).fill_null(value=False)
    )


def proofs(refunds: Refunds | None, found: pl.DataFrame | None, entity: str) -> pl.DataFrame:
    """Every refund of the entity is compared once, and what differs is what was paid back less what the entries took."""
    if refunds is None or found is None:
        return pl.DataFrame(schema={name: _INT if name.endswith("_minor") else _TEXT for name in _PROOF})
    owed = refunds.owed.filter(pl.col("entity_code") == entity)
    mine = found.filter(pl.col("entity_code") == entity)
    sums = mine.group_by("currency").agg(pl.col("expected_minor", "actual_minor", "delta_minor").sum())
    paid = owed.group_by("currency").agg(paid=pl.col("total_minor").sum())
    both = sums.join(paid, on="currency", how="full", coalesce=True).with_columns(pl.col("*").exclude("currency").fill_null(0))  # fmt: skip
    parts = [
        both.select("currency", name=pl.lit(name), left_minor=left, right_minor=right)
        for name, left, right in (
            ("refund entries hold every refund", pl.col("paid"), pl.col("expected_minor")),
            ("refund entries differ by what they list", pl.col("expected_minor") - pl.col("actual_minor"), pl.col("delta_minor")),
        )
    ]  # fmt: skip
    return (
        pl.concat(parts)
        .with_columns(
            entity_code=pl.lit(entity), difference_minor=pl.col("left_minor") - pl.col("right_minor")
        )
        .select(_PROOF)
    )
