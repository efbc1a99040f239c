"""How a Clarity shop's payloads are to be read: the member names and words of its profile, and policies of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ClaritySettings:
    """Names, words and policies.

    - `fields`: per group of records, our name of a field and the dotted path of the member that holds it.
    - `statuses`, `transaction_types`, `transaction_states`, `shipment_states`: their words in ours; a word that is missing holds the record.
    - `store`: the `store_ref` of orders that name none.
    - `tax_included`: whether row amounts hold their tax.
    - `gift_card_prefixes`: a SKU that starts so is a gift card sold, a liability.
    """

    fields: Mapping[str, Mapping[str, str]]
    statuses: Mapping[str, str] = field(default_factory=dict)
    transaction_types: Mapping[str, str] = field(default_factory=dict)
    transaction_states: Mapping[str, str] = field(default_factory=dict)
    shipment_states: Mapping[str, str] = field(default_factory=dict)
    store: str = ""
    tax_included: bool = False
    gift_card_prefixes: tuple[str, ...] = ("GIFT-",)
