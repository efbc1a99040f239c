"""Which amounts of a commercetools order are in another currency than the order, counted in other digits, or missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tieout.money import known_currencies
from transforms.storefronts.commercetools_decode import Trouble
from transforms.storefronts.commercetools_payloads import Money, Order, ShippingInfo, TaxedPrice


def is_unlike(taxed: TaxedPrice, currency: str, digits: int) -> bool:
    """Whether any amount of a taxed price has to be looked at: another currency, or digits that differ or are not stated."""
    net, gross = taxed.total_net, taxed.total_gross
    if (
        net.currency_code != currency
        or gross.currency_code != currency
        or net.fraction_digits != digits
        or gross.fraction_digits != digits
    ):
        return True
    for portion in taxed.tax_portions or ():
        amount = portion.amount
        if amount.currency_code != currency or amount.fraction_digits != digits:
            return True
    return False


def money_troubles(order: Order, infos: Sequence[tuple[str, ShippingInfo]], currency: str) -> list[Trouble]:
    """What is wrong with the amounts of one order, each named by its path."""
    digits = known_currencies().get(currency)
    if digits is None:
        if not currency:
            return []
        said = f"'{currency[:20]}' is not an ISO 4217 currency with minor units"
        return [Trouble("currency_unknown", "totalPrice.currencyCode", said)]
    found = []
    for path, money in _named_amounts(order, infos):
        if money.currency_code != currency:
            said = f"{path} is in {money.currency_code[:20]}, the order in {currency}"
            found.append(Trouble("payload_unreadable", path, said))
        elif money.fraction_digits is not None and money.fraction_digits != digits:
            said = f"{path} counts {money.fraction_digits} fraction digits, {currency} has {digits}"
            found.append(Trouble("amount_not_exact", path, said))
    return found


def _named_amounts(order: Order, infos: Sequence[tuple[str, ShippingInfo]]) -> list[tuple[str, Money]]:
    parts: list[tuple[str, Any]] = [("", order)]
    parts += [(f"lineItems[{row}].", line) for row, line in enumerate(order.line_items)]
    parts += [(f"customLineItems[{row}].", line) for row, line in enumerate(order.custom_line_items)]
    found: list[tuple[str, Money | None]] = [(f"{path}totalPrice", part.total_price) for path, part in parts]
    found += [(f"{path}.price", info.price) for path, info in infos]
    for path, part in [*parts, *((f"{path}.", info) for path, info in infos)]:
        if part.taxed_price is not None:
            found += [(f"{path}taxedPrice.totalNet", part.taxed_price.total_net)]
            found += [(f"{path}taxedPrice.totalGross", part.taxed_price.total_gross)]
            portions = part.taxed_price.tax_portions or ()
            found += [
                (f"{path}taxedPrice.taxPortions[{k}].amount", portion.amount)
                for k, portion in enumerate(portions)
            ]
    off = order.discount_on_total_price
    if off is not None:
        found.append(("discountOnTotalPrice.discountedAmount", off.discounted_amount))
    return [(path, money) for path, money in found if money is not None]


def add_missing(troubles: list[Trouble], path: str) -> None:
    """Add that a member is missing, unless it, or the payload as a whole, has a trouble already."""
    if not any(one.path.startswith(path) or one.path == "" for one in troubles):
        troubles.append(Trouble("payload_unreadable", path, f"{path} is missing"))
