"""Words of a commercetools order that are worked out once and met again on many rows: taxes, categories, names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from transforms.staged import RATE
from transforms.storefronts.commercetools_payloads import (
    Address,
    Attribute,
    Delivery,
    Order,
    TaxPortion,
    TaxRate,
)
from transforms.storefronts.commercetools_settings import CommercetoolsSettings

Tax = tuple[str | None, bool, Decimal | None, bool]
"""Name, whether there is a rate, the rate if the row states one, and whether the price includes the tax."""


class Taxes:
    """The taxes that rows name, each once; a row holds the number of its tax."""

    def __init__(self) -> None:
        self.known: list[Tax] = []
        self._numbers: dict[tuple[Any, ...], int] = {}

    def number(self, portions: Sequence[TaxPortion], rate: TaxRate | None) -> int:
        """The number of the tax of a row with these portions and this rate."""
        named, included = (None, False) if rate is None else (rate.name, rate.included_in_price)
        key: tuple[Any, ...]
        if len(portions) == 1:
            key = (portions[0].name, portions[0].rate, named, included)
        else:
            key = (tuple((one.name, one.rate) for one in portions), named, included)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.known)
            has_rate = any(portion.rate for portion in portions)
            names = portion_names(portions, rate)
            name = "+".join(names) if names else named
            self.known.append((name, has_rate, _stated_rate(portions), included))
        return number


class Categories:
    """Categories of rows, from the variant attribute that holds them; each value is decoded once."""

    def __init__(self, attribute: str) -> None:
        self._attribute = attribute
        self._known: dict[bytes, str | None] = {}

    def of(self, attributes: Iterable[Attribute]) -> str | None:
        """The category of a row, from the attributes of its variant; None without one."""
        for one in attributes:
            if one.name == self._attribute:
                raw = bytes(one.value)
                if raw not in self._known:
                    self._known[raw] = _category(raw)
                return self._known[raw]
        return None


def _category(raw: bytes) -> str | None:
    value = msgspec.json.decode(raw)
    if isinstance(value, dict):  # enum attributes are objects with a key
        value = value.get("key")
    return value if isinstance(value, str) else None


def _stated_rate(portions: Sequence[TaxPortion]) -> Decimal | None:
    """The rate of a row taxed in one portion, as the payload writes it; None for several, and for what is no rate."""
    if len(portions) != 1 or portions[0].rate is None:
        return None
    # A binary fraction shows the digits it was read from: 0.08875 comes back as 0.08875.
    rate = Decimal(repr(portions[0].rate))
    exponent = rate.as_tuple().exponent
    return rate if 0 <= rate <= 1 and isinstance(exponent, int) and exponent >= -RATE.scale else None


def portion_names(portions: Sequence[TaxPortion] | None, rate: TaxRate | None = None) -> list[str]:
    """Names of tax portions, sorted, each once; a nameless portion goes by the row's rate name, or by its rate."""
    spare = rate.name if rate else None
    return sorted(
        {
            portion.name or spare or f"{portion.rate:g}"
            for portion in portions or ()
            if portion.name or portion.rate
        }
    )


def buyer(order: Order) -> str | None:
    """Who bought: the name of the billing address, else of the shipping address, else the e-mail address."""
    for address in (order.billing_address, order.shipping_address):
        if address is not None and (name := address_name(address)):
            return name
    return order.customer_email or None


def address_name(address: Address) -> str | None:
    """First and last name, else the company."""
    name = f"{address.first_name or ''} {address.last_name or ''}".strip()
    return name or address.company or None


def is_test(order: Order, settings: CommercetoolsSettings) -> bool:
    """Whether the custom field that marks tests says so."""
    value = ((order.custom.fields if order.custom else None) or {}).get(settings.test_field)
    return value is not None and bytes(value).strip() in _TRUE


_TRUE: Final = (b"true", b'"true"')


def local_name(names: dict[str, str] | None) -> str | None:
    """A localised text in English, else in the first of its languages."""
    if not names:
        return None
    return names.get("en") or names[min(names)]


def tracking_of(delivery: Delivery) -> str | None:
    """Carrier and number of a delivery's first parcel that has either."""
    for parcel in delivery.parcels or ():
        data = parcel.tracking_data
        if data is not None and (data.carrier or data.tracking_id):
            carrier, number = data.carrier, data.tracking_id
            return f"{carrier} {number}" if carrier and number else carrier or number
    return None


def returned(at: int, order: Order) -> Iterator[tuple[Any, ...]]:
    """What came back of an order: position, reference, row, SKU, quantity, payment state and time of each returned row."""
    skus = {line.id: line.variant.sku for line in order.line_items if line.variant is not None}
    for back in order.return_info or ():
        for item in back.items or ():
            yield (
                at,
                item.id,
                item.line_item_id or item.custom_line_item_id,
                skus.get(item.line_item_id or ""),
                item.quantity,
                item.payment_state,
                back.return_date or item.created_at,
            )
