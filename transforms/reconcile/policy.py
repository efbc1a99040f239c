"""What a company decides about its reconciliation: tolerance, scope, period, zones. Nothing here is computed from data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

import polars as pl

from tieout.errors import InputError

DIRECTIONS = ("both", "under", "over")
REFUND_LEGS = ("elsewhere", "receipt")
AGEING_BASES = ("due", "document")


@dataclass(frozen=True)
class Allowance:
    """How far one amount may lie from the other. `absolute_minor`: per currency, minor units. `percent`: of the expected amount,
    for example `Decimal("0.1")`; the larger of the two holds. `percent_most_minor`: per currency, what the percentage may come to
    at most; a currency without a row is not bounded."""

    absolute_minor: Mapping[str, int] = field(default_factory=dict)
    percent: Decimal = Decimal(0)
    percent_most_minor: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        amounts = [*self.absolute_minor.values(), *self.percent_most_minor.values()]
        if not self.percent.is_finite() or self.percent < 0 or any(value < 0 for value in amounts):
            raise InputError("a tolerance may not be negative; correct the setting.")


@dataclass(frozen=True)
class Tolerance(Allowance):
    """How large a difference may be accepted without a person looking at it.

    The allowance holds for both directions unless `direction` says otherwise: `under` accepts only Intacct below the storefront,
    `over` only above, `both` either. `under` and `over`, where given, are allowances of their own that replace it for that direction.
    `cap_minor`: per currency, how much may be absorbed in all; once the sum of what would be accepted passes it, nothing of
    that currency is accepted (a rule that depended on which difference came first would not be one).
    """

    direction: str = "both"
    cap_minor: Mapping[str, int] | None = None
    under: Allowance | None = None
    over: Allowance | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.direction not in DIRECTIONS:
            raise InputError(
                f"tolerance direction '{self.direction}' is not one of {', '.join(DIRECTIONS)}; correct the setting."
            )

    def of(self, direction: str) -> Allowance | None:
        """The allowance of a direction, `under` or `over`; None if nothing is accepted that way."""
        own = self.under if direction == "under" else self.over
        if own is not None:
            return own
        return self if self.direction in ("both", direction) else None


@dataclass(frozen=True)
class Scope:
    """Which Intacct documents belong to the shops. Everything else is counted as out of scope, never reported as a break.

    `entity_codes`, when given, is a condition that must hold. Of the three prefix lists any one hit is enough, and no list at
    all lets everything in. Invoices and memos are tested on number, reference and customer, receipts on reference and customer;
    a receipt that names a payment of the storefront, or pays a document in scope, is in scope too. What this tool posted itself
    (crosswalk) always is.
    """

    number_prefixes: tuple[str, ...] = ()
    entity_codes: tuple[str, ...] = ()
    customer_prefixes: tuple[str, ...] = ()
    references: tuple[str, ...] = ()

    def hits(self, *, number: str | None, reference: str, customer: str, entity: str) -> pl.Expr:
        """Whether a ledger row belongs to the shops; the arguments name its columns (`number` is None for receipts)."""
        tests = [pl.col(reference).str.starts_with(prefix) for prefix in self.references]
        tests += [pl.col(customer).str.starts_with(prefix) for prefix in self.customer_prefixes]
        if number is not None:
            tests += [pl.col(number).str.starts_with(prefix) for prefix in self.number_prefixes]
        ruled = bool(self.references or self.customer_prefixes or self.number_prefixes)
        if not ruled:
            hit = pl.lit(True)
        elif tests:
            hit = pl.any_horizontal([test.fill_null(False) for test in tests])
        else:
            hit = pl.lit(False)
        return hit & self.stands_in(entity)

    def stands_in(self, entity: str) -> pl.Expr:
        """Whether the row's entity is one of the shops'."""
        return pl.col(entity).is_in(list(self.entity_codes)) if self.entity_codes else pl.lit(True)


@dataclass(frozen=True)
class Period:
    """An accounting period as half-open dates; `by_entity` overrides them where an entity's calendar differs."""

    name: str
    start_on: date
    end_on: date
    by_entity: Mapping[str, tuple[date, date]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for start, end in ((self.start_on, self.end_on), *self.by_entity.values()):
            if start >= end:
                raise InputError(
                    f"period {self.name} starts on {start} and ends on {end}; the end must be later and is itself outside."
                )

    @classmethod
    def month(cls, name: str) -> Period:
        """A calendar month from its name, `2026-09`. Raises `InputError` for another form."""
        try:
            start = date.fromisoformat(f"{name}-01")
        except ValueError:
            raise InputError(f"'{name}' is not a month; write it like 2026-09.") from None
        ahead = start.month % 12 + 1
        return cls(name, start, date(start.year + (ahead == 1), ahead, 1))

    def of(self, entity: str) -> tuple[date, date]:
        """The entity's own dates, the end outside."""
        return self.by_entity.get(entity, (self.start_on, self.end_on))

    def bound(self, entity: str, which: int) -> pl.Expr:
        """Start (0) or end (1) as a column, by the entity column named."""
        found = pl.lit((self.start_on, self.end_on)[which])
        for code, bounds in sorted(self.by_entity.items()):
            found = pl.when(pl.col(entity) == code).then(pl.lit(bounds[which])).otherwise(found)
        return found

    def holds(self, day: str, entity: str) -> pl.Expr:
        """Whether the day column falls in the entity's period; false where there is no day."""
        inside = (pl.col(day) >= self.bound(entity, 0)) & (pl.col(day) < self.bound(entity, 1))
        return inside.fill_null(False)


@dataclass(frozen=True)
class Journals:
    """Which journal and which AR control account write-offs go to; the account may be unknown, then it stays open in the draft."""

    journal: str = "GJ"
    control_account: str | None = None
    namespace: str = "tieout"


@dataclass(frozen=True)
class Policy:
    """Everything a reconciliation may be told.

    `period`: None compares everything as one period. `zones`: entity → IANA time zone of its accounting dates (UTC if unnamed).
    `ledger_digits`: decimals Intacct keeps, whatever the currency (it is 2). `refund_cash_leg`: `elsewhere` counts refunds'
    money as recorded outside, `receipt` expects a negative receipt. `proposal_days`: how far apart two dates may lie for a
    proposal. `ageing_basis`: `due` or `document` date. `buckets`: into how many parts the comparison is cut at least;
    it bounds memory and never changes a result; `bucket_least`, `bucket_most`: rows of a part below which it is not cut smaller, and above which it is.
    `shelved_most`: the same where parts wait on a shelf because memory does not hold them (`reconcile_streamed`).
    `used_up`: (period name, tie-out, currency) whose tolerance the whole company has used up, where only a part of it is compared.
    `abreast`: parts worked on at a time; more than two only where all are in memory anyway. `duplicate_days`: how far apart two documents may lie to be suspected
    of being one posted twice. `trend_least`, `trend_percent`: how many accepted differences there must be, and how improbable in percent
    their one-sidedness, to be told. `covering_most`: how many open documents are tried for a set that adds up. `settlement_days`: how long a payment may wait for its payout. `journals`: where drafted journals go. `credit_prefixes`: prefixes of credit memo numbers. `order_number_pattern`: regular
    expression that finds order numbers inside a free-text reference. `credit_repeats`: whether credit memos that stand twice are looked
    for, and debit memos put to those they take back; false only for packs sealed before that was done.
    `refunds_by_entries`: whether refunds posted as journal entries are judged by these in the tie-out of payments; false only for such packs. `ignored_states`: Intacct's labels of documents that do not
    stand (drafts, reversed ones and their reversals, which net to zero).
    """

    tolerance: Tolerance = field(default_factory=Tolerance)
    scope: Scope = field(default_factory=Scope)
    period: Period | None = None
    zones: Mapping[str, str] = field(default_factory=dict)
    ledger_digits: int = 2
    refund_cash_leg: str = "elsewhere"
    proposal_days: int = 7
    ageing_basis: str = "due"
    buckets: int = 3
    bucket_least: int = 50_000
    bucket_most: int = 400_000
    shelved_most: int = 100_000
    abreast: int = 3
    duplicate_days: int = 3
    trend_least: int = 20
    trend_percent: Decimal = Decimal("0.1")
    covering_most: int = 14
    settlement_days: int = 10
    journals: Journals = field(default_factory=Journals)
    credit_prefixes: tuple[str, ...] = ("CM",)
    order_number_pattern: str | None = None
    used_up: tuple[tuple[str, str, str], ...] = ()
    credit_repeats: bool = True
    refunds_by_entries: bool = True
    ignored_states: tuple[str, ...] = (
        "draft",
        "submitted",
        "declined",
        "reversed",
        "reversal",
        "voided",
        "void",
    )

    def __post_init__(self) -> None:
        if self.refund_cash_leg not in REFUND_LEGS:
            raise InputError(
                f"refund_cash_leg '{self.refund_cash_leg}' is not one of {', '.join(REFUND_LEGS)}; correct the setting."
            )
        if self.ageing_basis not in AGEING_BASES:
            raise InputError(
                f"ageing_basis '{self.ageing_basis}' is not one of {', '.join(AGEING_BASES)}; correct the setting."
            )
        for name in ("buckets", "abreast"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1; correct the setting.")

    def used_up_in(self, tie_out: str) -> list[str]:
        """Currencies of a tie-out whose tolerance is used up in this period beyond what is compared here."""
        name = "" if self.period is None else self.period.name
        return [currency for period, where, currency in self.used_up if (period, where) == (name, tie_out)]

    def in_period(self, day: str, entity: str) -> pl.Expr:
        """Whether a day column falls in the period; always true when no period is set."""
        return pl.lit(True) if self.period is None else self.period.holds(day, entity)

    def local_day(self, instant: str, entity: str) -> pl.Expr:
        """The accounting date of an instant in the zone of the row's entity."""
        found = pl.col(instant).dt.date()
        for code, zone in sorted(self.zones.items()):
            local = pl.col(instant).dt.convert_time_zone(zone).dt.date()
            found = pl.when(pl.col(entity) == code).then(local).otherwise(found)
        return found
