"""What posting will cost in API transactions, and what the month will come to at this pace."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from checks.contracts import ALL
from tieout.warehouse import runs

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.warehouse.session import Session


@dataclass(frozen=True)
class Forecast:
    """API transactions of a month: used so far, one per planned document, what the days left will use at this month's pace, and the limit."""

    month: str
    used: int
    planned: int
    pace: int
    limit: int

    @property
    def total(self) -> int:
        """What the month will come to."""
        return self.used + self.planned + self.pace

    @property
    def fits_now(self) -> bool:
        """Whether what is planned can be posted within the limit."""
        return not self.limit or self.used + self.planned <= self.limit

    def sentence(self) -> str:
        """For people."""
        said = f"{self.planned:,} planned documents cost as many API transactions; {self.month} stands at {self.used:,}"
        if not self.limit:
            return said
        ending = "" if self.total <= self.limit else f", {self.total - self.limit:,} more than it includes"
        return f"{said} of {self.limit:,} and will end near {self.total:,} at this pace{ending}"


def forecast(house: House, session: Session) -> Forecast:
    """The month's forecast, from what was metered this month and what is planned now. At least one day's pace is assumed to have passed."""
    now = house.clock()
    month = f"{now:%Y-%m}"
    used = runs.used(session, month=month)
    planned = session.fetch("ops.outbox", where={"state_code": "planned"}, columns=["document_id"]).height
    limit = house.settings.intacct.quota_per_month if house.settings.intacct else 0
    return Forecast(month, used, planned, _pace(now, used), limit)


def _pace(now: datetime, used: int) -> int:
    begun = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    whole = monthrange(now.year, now.month)[1] * 86_400
    passed = max(int((now - begun).total_seconds()), 86_400)
    return used * max(whole - passed, 0) // passed


def keep(house: House, session: Session, found: Forecast, *, run_id: str) -> None:
    """Store the forecast for `report.api_quota`; the newest of a month counts."""
    row = {
        "month": found.month,
        "used_no": found.used,
        "planned_no": found.planned,
        "pace_no": found.pace,
        "forecast_no": found.total,
        "limit_no": found.limit,
        "at": house.clock(),
        "run_id": run_id,
    }
    frame = pl.DataFrame([row], schema=ALL["ops.quota_forecast"].polars_schema)
    session.change("quota_forecast_keep", frame, rows=1)
