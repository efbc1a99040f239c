"""What every section of the configuration is: frozen, and strict about names it does not know."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Basis = Literal["placed", "captured", "shipped", "invoiced"]
"""When a sale counts."""


class Section(BaseModel):
    """One section of `tieout.toml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
