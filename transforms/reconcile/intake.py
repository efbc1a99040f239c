"""What a reconciliation reads: the input frames, and the columns it needs of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final

import polars as pl

from tieout.vocabulary import COMPONENTS
from transforms.queries import as_written

Frame = pl.DataFrame | pl.LazyFrame
_TEXT, _INT, _DAY, _FLAG = pl.String(), pl.Int64(), pl.Date(), pl.Boolean()
_INSTANT = pl.Datetime("us", "UTC")
_IDENTITY: Final = {"storefront": _TEXT, "order_ref": _TEXT}

COLUMNS: Final[Mapping[str, Mapping[str, pl.DataType]]] = {
    "orders": {
        **_IDENTITY, "order_number": _TEXT, "store_ref": _TEXT, "customer_ref": _TEXT, "customer_name": _TEXT,
        "status_code": _TEXT, "placed_at": _INSTANT, "currency": _TEXT, "total_minor": _INT, "due_minor": _INT,
        "tax_included": _FLAG, "is_test": _FLAG,
    },
    "owed": {
        **_IDENTITY, "order_number": _TEXT, "event_code": _TEXT, "event_ref": _TEXT, "store_ref": _TEXT,
        "payment_ref": _TEXT, "gateway_ref": _TEXT, "tender_code": _TEXT, "entity_code": _TEXT, "currency": _TEXT, "owed_on": _DAY, **{f"{c}_minor": _INT for c in COMPONENTS},
        "total_minor": _INT,
    },
    "excluded": {
        **_IDENTITY, "event_code": _TEXT, "reason_code": _TEXT, "outcome_code": _TEXT, "sentence": _TEXT,
    },
    "payments": {
        "storefront": _TEXT, "payment_ref": _TEXT, "transaction_ref": _TEXT, "order_ref": _TEXT, "kind_code": _TEXT,
        "state_code": _TEXT, "tender_code": _TEXT, "gateway_ref": _TEXT, "currency": _TEXT, "amount_minor": _INT,
        "occurred_at": _INSTANT,
    },
    "order_payments": {**_IDENTITY, "payment_ref": _TEXT},
    "order_lines": {
        **_IDENTITY, "line_ref": _TEXT, "net_minor": _INT, "discount_minor": _INT, "tax_minor": _INT, "tax_code": _TEXT,
    },
    "stores": {
        "storefront": _TEXT, "store_ref": _TEXT, "entity_code": _TEXT, "invoice_prefix": _TEXT,
        "guest_customer_id": _TEXT,
    },
    "customer_ids": {"storefront": _TEXT, "customer_ref": _TEXT, "customer_id": _TEXT},
    "ar_invoices": {
        "invoice_ref": _TEXT, "invoice_number": _TEXT, "reference": _TEXT, "entity_code": _TEXT, "customer_id": _TEXT,
        "currency": _TEXT, "state_code": _TEXT, "posted_on": _DAY, "due_on": _DAY, "total_minor": _INT, "is_deleted": _FLAG,
    },
    "ar_adjustments": {
        "adjustment_ref": _TEXT, "adjustment_number": _TEXT, "reference": _TEXT, "entity_code": _TEXT, "customer_id": _TEXT,
        "currency": _TEXT, "state_code": _TEXT, "posted_on": _DAY, "total_minor": _INT, "is_deleted": _FLAG,
    },
    "ar_lines": {"document_kind": _TEXT, "document_ref": _TEXT, "component_code": _TEXT, "amount_minor": _INT},
    "ar_receipts": {
        "receipt_ref": _TEXT, "reference": _TEXT, "entity_code": _TEXT, "customer_id": _TEXT, "currency": _TEXT,
        "state_code": _TEXT, "received_on": _DAY, "total_minor": _INT, "unapplied_minor": _INT, "is_deleted": _FLAG,
    },
    "ar_applications": {
        "application_ref": _TEXT, "receipt_ref": _TEXT, "invoice_ref": _TEXT, "adjustment_ref": _TEXT, "debit_ref": _TEXT,
        "amount_minor": _INT, "credit_minor": _INT, "applied_on": _DAY,
    },
    "crosswalk": {
        "document_id": _TEXT, "kind_code": _TEXT, **_IDENTITY, "event_ref": _TEXT, "intacct_key": _TEXT,
    },
    "refund_outcomes": {
        **_IDENTITY, "event_ref": _TEXT, "currency": _TEXT, "posted_on": _DAY, "batches": _TEXT, "actual_minor": _INT,
        "outcome_code": _TEXT, "evidence": _TEXT,
    },
    "waiting": {**_IDENTITY, "event_ref": _TEXT, "state": _TEXT, "reason": _TEXT},
    "decisions": {
        "decision_id": _TEXT, "kind_code": _TEXT, "tie_out": _TEXT, "group_ref": _TEXT, "ledger_ref": _TEXT, "entity_code": _TEXT,
        "currency": _TEXT, "amount_minor": _INT, "outcome_code": _TEXT, "reason": _TEXT, "author": _TEXT, "decided_at": _INSTANT,
        "about_id": _TEXT, "account_code": _TEXT, "reason_code": _TEXT, "draft_id": _TEXT,
    },
}  # fmt: skip
"""The columns read of each input. More may be there and are not looked at; a missing one counts as unknown (null)."""

WHERE_KNOWN: Final[Mapping[str, Mapping[str, pl.DataType]]] = {
    "order_lines": {"quantity": pl.Decimal(18, 4), "unit_price": pl.Decimal(28, 12), "tax_rate": pl.Decimal(28, 12)},
    "ar_lines": {"account_code": _TEXT, "memo": _TEXT},
    "ar_receipts": {"account_ref": _TEXT},
    "crosswalk": {"part_minor": _INT},
}  # fmt: skip
"""Columns read where an input has them (rounding is proved with the first, the tolerance budget is kept by the next, differences of summaries are split by the last); a pack holds them too."""


@dataclass(frozen=True)
class Inputs:
    """The frames of one reconciliation, lazy or not, in any order of rows; a frame that is None is taken as "no such rows".

    Shapes are those of the tables of the same name (`core.*`, `recon.owed`), and: `excluded` (storefront, order_ref, event_code,
    reason_code, outcome_code, sentence): what owes nothing or nothing yet, and the reason recognition gave; `stores` (storefront, store_ref, entity_code, invoice_prefix,
    guest_customer_id; a `*` storefront covers the rest); `customer_ids` (storefront, customer_ref, customer_id: the Intacct
    customer); `crosswalk` (document_id, kind_code, storefront, order_ref, event_ref, intacct_key: RECORDNO or number; part_minor: the order's part of the document, signed like it);
    `waiting` (storefront, order_ref, event_ref or null for the whole order, state `held`, `in_flight` or `prepaid`, reason).

    `decisions` (ops.decisions): what people matched, unmatched, explained and wrote off; see `decided`.
    `refund_outcomes` (recon.refund_entries) is what refunds posted as journal entries are judged by; None where they are recorded elsewhere.
    `order_lines` (core.order_lines) is what a rounding of tax is proved with; without it a cent of tax stays an error.
    `ar_applications` None means that applications are not known (plain files): then nothing is judged misapplied or unapplied.
    """

    orders: Frame
    owed: Frame
    stores: Frame | None = None
    excluded: Frame | None = None
    payments: Frame | None = None
    order_payments: Frame | None = None
    order_lines: Frame | None = None
    customer_ids: Frame | None = None
    ar_invoices: Frame | None = None
    ar_lines: Frame | None = None
    ar_adjustments: Frame | None = None
    ar_receipts: Frame | None = None
    ar_applications: Frame | None = None
    crosswalk: Frame | None = None
    waiting: Frame | None = None
    decisions: Frame | None = None
    refund_outcomes: Frame | None = None

    def lazily(self, name: str) -> pl.LazyFrame:
        """The needed columns of one input, to be selected from; an absent input has no rows."""
        return chosen(getattr(self, name), name)

    def take(self, name: str) -> pl.DataFrame:
        """The columns this reconciliation needs of one input, materialised."""
        return taken(getattr(self, name), name)

    def some(self, name: str, *columns: str) -> pl.DataFrame:
        """A few of the columns this reconciliation needs of one input, materialised."""
        frame: Frame | None = getattr(self, name)
        if frame is None or isinstance(frame, pl.DataFrame):
            return self.take(name)[list(columns)]
        return chosen(frame, name).select(columns).collect(engine="streaming")

    def whole(self, name: str) -> pl.DataFrame:
        """Everything that is read of one input, the columns of `WHERE_KNOWN` that it has included: what a pack must hold."""
        frame: Frame = getattr(self, name)
        more = WHERE_KNOWN.get(name, {})
        return taken(frame, name, {one: kind for one, kind in more.items() if one in frame.collect_schema()})


@dataclass(frozen=True)
class Part(Inputs):
    """A part of a whole (see `parts`), with the invoice prefixes of all stores of the whole."""

    prefixes: tuple[str, ...] = ()


def taken(
    frame: Frame | None, name: str, more: Mapping[str, pl.DataType] = MappingProxyType({})
) -> pl.DataFrame:
    """The needed columns of one input (and `more`) with the right types; absent columns become nulls, an absent frame has no rows."""
    # What is in memory in one piece stays so: rows are picked from one piece at a quarter of what it costs from several.
    if frame is None:
        return _nothing(name, tuple(more.items()))
    wanted = {**COLUMNS[name], **more}
    if isinstance(frame, pl.DataFrame):
        have = frame.schema
        if all(have.get(column) == kind for column, kind in wanted.items()):
            return frame[list(wanted)]
        return as_written(chosen(frame, name, more))
    return chosen(frame, name, more).collect(engine="streaming")


@cache
def _nothing(name: str, more: tuple[tuple[str, pl.DataType], ...]) -> pl.DataFrame:
    return pl.DataFrame(schema={**COLUMNS[name], **dict(more)})


def chosen(
    frame: Frame | None, name: str, more: Mapping[str, pl.DataType] = MappingProxyType({})
) -> pl.LazyFrame:
    """What `taken` takes, not yet materialised."""
    wanted = {**COLUMNS[name], **more}
    if frame is None:
        return pl.LazyFrame(schema=dict(wanted))
    have = frame.collect_schema()
    columns = [
        (pl.col(column) if have[column] == dtype else pl.col(column).cast(dtype))
        if column in have
        else pl.lit(None, dtype=dtype).alias(column)
        for column, dtype in wanted.items()
    ]
    return frame.lazy().select(columns)


def read_of(frame: Frame, name: str) -> pl.LazyFrame:
    """One input with every column that any step reads of it, where it has them, as they are."""
    have = frame.collect_schema()
    return frame.lazy().select([one for one in (*COLUMNS[name], *WHERE_KNOWN.get(name, {})) if one in have])
