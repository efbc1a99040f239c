"""The [order_entry] section: how sales are posted as documents of order entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from tieout.settings.section import Section

Part = Literal["discount", "shipping", "fees", "tax", "rounding", "other"]
_Text = Annotated[str, Field(min_length=1, max_length=100)]
_Definition = Annotated[str, Field(max_length=30)]


class OrderEntry(Section):
    """Sales of stores whose `posting_code` in stores.csv is `order_entry`. Names of transaction definitions, subtotals, items and warehouses are
    the company's own. Not published are how many decimals Intacct keeps of a price, whether it closes an order that is converted in part,
    and which sign amounts of returns have."""

    definition: _Definition = ""
    orders: Literal["none", "placed", "approved"] = "none"
    order_definition: _Definition = ""
    close_cancelled: Literal["all", "unconverted", "none"] = "all"
    return_definition: _Definition = ""
    return_amounts: Literal["positive", "negative"] = "positive"
    items: Mapping[Part, _Text] = {}
    subtotals: Mapping[Part, _Text] = {}
    warehouses: Mapping[str, _Text] = {}
    price_decimals: Annotated[int, Field(ge=0, le=12)] = 10

    @model_validator(mode="after")
    def _orders_have_a_definition(self) -> OrderEntry:
        if self.orders != "none" and not (self.order_definition and self.definition):
            raise ValueError(
                "orders are posted and converted to invoices; name both in order_definition and definition"
            )
        if self.orders != "none" and self.order_definition == self.definition:
            raise ValueError(
                "orders and invoices are documents of one definition; name a definition for orders that does not post to AR"
            )
        return self
