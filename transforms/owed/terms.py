"""The terms of recognition: policy, what comes out, and every reason for not owing with the sentence people read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

import polars as pl

from tieout.errors import InputError
from tieout.vocabulary import COMPONENTS, CUTOFF_BASES

_INSTANT: Final = pl.Datetime("us", "UTC")

OWED_SCHEMA: Final[dict[str, pl.DataType]] = {
    "storefront": pl.String(),
    "order_ref": pl.String(),
    "order_number": pl.String(),
    "event_code": pl.String(),
    "event_ref": pl.String(),
    "sequence_no": pl.Int64(),
    "payment_ref": pl.String(),
    "gateway_ref": pl.String(),
    "tender_code": pl.String(),
    "store_ref": pl.String(),
    "entity_code": pl.String(),
    "customer_ref": pl.String(),
    "currency": pl.String(),
    "owed_at": _INSTANT,
    "owed_on": pl.Date(),
    **{f"{component}_minor": pl.Int64() for component in COMPONENTS},
    "total_minor": pl.Int64(),
}
OWED_LINES_SCHEMA: Final[dict[str, pl.DataType]] = {
    "storefront": pl.String(),
    "order_ref": pl.String(),
    "event_code": pl.String(),
    "event_ref": pl.String(),
    "line_no": pl.Int64(),
    "component_code": pl.String(),
    "sku": pl.String(),
    "category_ref": pl.String(),
    "tax_code": pl.String(),
    "quantity": pl.Decimal(18, 4),
    "description": pl.String(),
    "currency": pl.String(),
    "amount_minor": pl.Int64(),
    "line_ref": pl.String(),
}
EXCLUDED_SCHEMA: Final[dict[str, pl.DataType]] = {
    "storefront": pl.String(),
    "order_ref": pl.String(),
    "order_number": pl.String(),
    "store_ref": pl.String(),
    "entity_code": pl.String(),
    "currency": pl.String(),
    "event_code": pl.String(),
    "event_ref": pl.String(),
    "amount_minor": pl.Int64(),
    "outcome_code": pl.String(),
    "reason_code": pl.String(),
    "sentence": pl.String(),
}

REASONS: Final[Mapping[str, tuple[str, str]]] = {
    # reason: (outcome of the reconciliation, sentence)
    "unreadable": ("held", "The payload could not be read whole; mend it at the storefront and extract it again."),
    "test": ("not_owed", "A test order owes nothing."),
    "store_ignored": ("not_owed", "The store is deliberately not mapped; its orders are only counted."),
    "zero_total": ("not_owed", "An order or shipment of zero owes nothing."),
    "cancelled": ("not_owed", "Cancelled before it was recognised: nothing is owed for this part."),
    "unpaid": ("not_owed", "Nothing was captured, and its store recognises sales when captured."),
    "not_shipped": ("not_yet_recognised", "Not shipped yet; it is recognised when it is."),
    "not_invoiced": ("not_yet_recognised", "The storefront has not invoiced it yet; it is recognised when it does."),
    "remainder_not_shipped": ("partially_shipped", "The rest of the order waits for its shipment."),
    "prepayment_returned": ("not_owed", "The refund gives back money for what was never invoiced: no credit memo is owed."),
    "payment_unreadable": ("held", "The payment could not be read whole; mend it at the storefront and extract it again."),
    "payment_without_order": ("payment_without_order", "Money moved for no order the storefront shows; find the order."),
}  # fmt: skip
"""Why something is not owed, the outcome it stands for, and the sentence people read."""


@dataclass(frozen=True)
class RecognitionPolicy:
    """When a sale is owed and what is left out. Names of stores are `(storefront, store_ref)`.

    `basis`: `placed`, `captured`, `shipped` or `invoiced`; `bases` overrides it per store. `zones` gives the IANA time zone of
    each entity, in which accounting dates are read; `zone` is for the rest. `partial`: one sale per shipment, or the whole order
    at its first. `refunds`: `mirror` what came back where the returns prove it, or `allowance` for every refund.
    `tender_owes_receipt`: gift cards and credit that an order carries as tender, without a payment of their own, owe a receipt each
    when the sale is first recognised; under `tender_code` where they are not told apart.
    """

    basis: str = "shipped"
    bases: Mapping[tuple[str, str], str] = field(default_factory=dict)
    zone: str = "UTC"
    zones: Mapping[str, str] = field(default_factory=dict)
    partial: Literal["per_shipment", "whole_at_first"] = "per_shipment"
    zero_total: Literal["count", "invoice"] = "count"
    test: Literal["count", "invoice"] = "count"
    refunds: Literal["mirror", "allowance"] = "mirror"
    tender_owes_receipt: bool = True
    tender_code: str = "GiftCard"

    def __post_init__(self) -> None:
        for word in (self.basis, *self.bases.values()):
            if word not in CUTOFF_BASES:
                raise InputError(
                    f"'{word}' is not a cut-off basis; choose one of {', '.join(CUTOFF_BASES)} in the settings of the store."
                )


class Owed(NamedTuple):
    """What is owed (recon.owed), its lines (recon.owed_lines), and what is not owed with reason_code, outcome_code and sentence.

    `excluded` carries, per order, the part of the total that owes no sale; refunds that owe no credit; and payments that
    belong to no order (order_ref is null there). Amounts are signed like the event: refunds negative.
    """

    owed: pl.DataFrame
    owed_lines: pl.DataFrame
    excluded: pl.DataFrame
