"""Policies of the reconciliation: scope, tolerance, what people may write off, and what is watched."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from tieout.settings.section import Section


class Scope(Section):
    """Which Intacct documents belong to the shops. A document is in scope if any of the given rules fits; the rest is counted as other business."""

    number_prefixes: tuple[str, ...] = ()
    customer_prefixes: tuple[str, ...] = ()


class AllowanceRule(Section):
    """What may differ in one direction, in place of the general tolerance."""

    absolute_minor: Mapping[str, int] = {}
    percent: Decimal = Decimal(0)
    percent_most_minor: Mapping[str, int] = {}


class ToleranceRule(AllowanceRule):
    """What may differ without a person looking: totalled, and capped per currency. Zero unless stated."""

    direction: Literal["both", "under", "over"] = "both"
    cap_minor: Mapping[str, int] = {}


class WriteOff(Section):
    """What a person may write off: to which account for which reason, and how much at a time."""

    accounts: Mapping[str, str] = {}
    cap_minor: Mapping[str, int] = {}
    journal: str = "GJ"


class Reconciliation(Section):
    """Policies of the reconciliation; each is printed on the reports."""

    tolerance: ToleranceRule = ToleranceRule()
    tolerance_under: AllowanceRule | None = None
    tolerance_over: AllowanceRule | None = None
    scope: Scope = Scope()
    write_off: WriteOff = WriteOff()
    control_accounts: tuple[str, ...] = ()
    trend_least: Annotated[int, Field(ge=2)] = 20
    trend_percent: Annotated[Decimal, Field(gt=0, le=50)] = Decimal("0.1")
    duplicate_days: Annotated[int, Field(ge=0, le=60)] = 3
    covering_most: Annotated[int, Field(ge=0, le=24)] = 14
    lingering_cycles: Annotated[int, Field(ge=2, le=1000)] = 5
    settlement_days: Annotated[int, Field(ge=0, le=120)] = 10
    proposal_days: Annotated[int, Field(ge=0, le=60)] = 7
    ageing_basis: Literal["due", "document"] = "due"
    buckets: Annotated[int, Field(ge=1, le=256)] = 3
    refund_cash_leg: Literal["elsewhere"] = "elsewhere"
    rounding_limit_minor: Annotated[int, Field(ge=0, le=1000)] = 5
