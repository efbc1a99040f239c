"""Where the ledger keeps the entries of its price lists, by the names a company gives its fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tieout.settings import PriceLists


def is_read(lists: PriceLists) -> bool:
    """Whether entries are read at all: only where the company's fields are named."""
    return bool(lists.list_field)


def field_names(lists: PriceLists) -> dict[str, str]:
    """The company's field by what it holds; only those that are named."""
    named = {
        "price_list": lists.list_field, "item": lists.item_field, "amount": lists.amount_field, "from": lists.from_field,
        "until": lists.until_field, "least": lists.least_quantity_field, "status": lists.status_field, "kind": lists.kind_field,
    }  # fmt: skip
    return {name: value for name, value in named.items() if value}
