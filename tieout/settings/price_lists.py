"""Where the ledger keeps the entries of its price lists."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from tieout.settings.section import Section

_Name = Annotated[str, StringConstraints(pattern=r"^([A-Z][A-Z0-9_.]*)?$")]


class PriceLists(Section):
    """Object and fields of price list entries. The object's fields are not documented: a company's own are asked of
    `lookup` and named here. Without names no price list is read, and only the base prices of items are told to storefronts."""

    object_name: _Name = "SOPRICELISTENTRY"
    list_field: _Name = ""
    item_field: _Name = ""
    amount_field: _Name = ""
    from_field: _Name = ""
    until_field: _Name = ""
    least_quantity_field: _Name = ""
    status_field: _Name = ""
    kind_field: _Name = ""
    kinds: Annotated[tuple[str, ...], Field(max_length=20)] = ()

    @model_validator(mode="after")
    def _together(self) -> PriceLists:
        needed = {
            "list_field": self.list_field,
            "item_field": self.item_field,
            "amount_field": self.amount_field,
        }
        lacking = [name for name, value in needed.items() if not value]
        if 0 < len(lacking) < len(needed):
            raise ValueError(f"price lists need {', '.join(lacking)} beside the fields that are named")
        if bool(self.kind_field) != bool(self.kinds):
            raise ValueError(
                "kind_field and kinds belong together: which words of the field are an actual price"
            )
        return self
