"""Fiscal calendars of the configuration."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from tieout.settings.section import Section


class Calendar(Section):
    """How a fiscal year is cut into periods, where calendar months do not do it."""

    kind: Literal["month", "4-4-5", "4-5-4", "5-4-4", "table"] = "month"
    year_starts_on: date | None = None
    fiscal_year: Annotated[int, Field(ge=1900, le=9000)] | None = None
    long_years: tuple[int, ...] = ()
    table: Path | None = None

    @model_validator(mode="after")
    def _complete(self) -> Calendar:
        if self.kind == "table" and self.table is None:
            raise ValueError(
                "a calendar of kind table needs table, a CSV file of period, first_on and last_on"
            )
        if "-" in self.kind and (self.year_starts_on is None or self.fiscal_year is None):
            raise ValueError(
                f"a {self.kind} calendar needs year_starts_on and fiscal_year, the first day and the name of one fiscal year"
            )
        return self
