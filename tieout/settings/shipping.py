"""Which documents of the ledger say that goods have left the house, and where they say for which order and with which carrier."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from tieout.settings.section import Section

_Name = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]


class Shipping(Section):
    """Order-entry documents that are shipments. Names of transaction definitions are the company's own, and under which names the gateway
    gives tracking numbers back is not documented, so each is a setting; a field the company does not have is left out and said."""

    definitions: Annotated[tuple[str, ...], Field(max_length=100)] = ()
    order_field: _Name = "PONUMBER"
    tracking_field: _Name = "TRACKINGNUMBER"
    carrier_field: _Name = "SHIPPINGMETHOD"
    shipped_on_field: _Name = "SHIPPEDDATE"
