"""The [order_entry] section: how sales are posted as documents of order entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from tieout.settings.section import Section

Part = Literal["discount", "shipping", "fees", "tax", "rounding"]
_Text = Annotated[str, Field(min_length=1, max_length=100)]


class OrderEntry(Section):
    """Sales of stores whose `posting_code` in stores.csv is `order_entry`. Names of transaction definitions, subtotals, items and warehouses are
    the company's own. How many decimals Intacct keeps of a price is not published."""

    definition: Annotated[str, Field(max_length=30)] = ""
    items: Mapping[Part, _Text] = {}
    subtotals: Mapping[Part, _Text] = {}
    warehouses: Mapping[str, _Text] = {}
    price_decimals: Annotated[int, Field(ge=0, le=12)] = 10
