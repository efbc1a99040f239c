"""The taxes a Magento order names: what they are called and the rate they state.

Source of outside facts: Magento REST reference 2.4.8 (sales order: `item_applied_taxes`; order item: `tax_percent`). A rate is stated as a
percentage, of a row once per tax that was applied to it and once for the row as a whole; 0 stands there too where none was written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import polars as pl

from transforms.staged import RATE
from transforms.storefronts.magento_amounts import four_places
from transforms.storefronts.magento_payloads import NULL, Item, Tax

_RESIDUE: Final = 10**9
"""What PHP prints beyond the four decimals that are kept, in units of the eighteenth decimal: a billionth of a percent."""


def names_of(taxes: Sequence[Tax] | None) -> str | None:
    """The names of taxes, each once, joined by +; None if none is named."""
    if not taxes:
        return None
    if len(taxes) == 1:
        return taxes[0].title or taxes[0].code or None
    return "+".join(dict.fromkeys(name for tax in taxes if (name := tax.title or tax.code))) or None


def percent_of(taxes: Sequence[Tax] | None) -> msgspec.Raw:
    """The percentage as it stands in the payload, of one tax that may be listed more than once; null for none and for several."""
    if not taxes:
        return NULL
    if len(taxes) == 1:
        return taxes[0].percent
    found = {(tax.title or tax.code, bytes(tax.percent)): tax.percent for tax in taxes}
    return next(iter(found.values())) if len(found) == 1 else NULL


def row_percent(item: Item, taxes: Sequence[Tax]) -> msgspec.Raw:
    """What a row states as its percentage: that of its one tax, else its own; of several taxes neither is the rate of one."""
    if len(taxes) > 1 and len({tax.title or tax.code for tax in taxes}) > 1:
        return NULL
    if not taxes:
        return item.tax_percent
    stated = percent_of(taxes)
    return item.tax_percent if bytes(stated) == b"null" else stated


def rate_of(column: str) -> pl.Expr:
    """A text column of percentages as rates (8.875 is 0.08875); null where it is no percentage above 0 and up to 100 of four decimals.

    Magento keeps a percentage with four decimals; what PHP prints beyond them (19.600000000000001) is no part of it.
    """
    exact = pl.col(column).str.strip_chars('"').cast(pl.Decimal(38, 18), strict=False).to_physical()
    kept = four_places(column)
    residue = (exact - kept.cast(pl.Int128) * 10**14).abs()
    stated = (kept > 0) & (kept <= 1_000_000) & (residue <= _RESIDUE)
    return (pl.when(stated).then(kept).cast(pl.Decimal(38, 12)) / 1_000_000).cast(RATE)
