"""The company behind the gateway, read from a TOML file and checked as a whole before anything starts.

`Company.load(None)` reads the file shipped beside this module. Every problem of a file is listed at once in
`CompanyError.problems`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from tieout.sandbox.intacct.values import RATE_SCALE

SHIPPED = Path(__file__).with_name("company.toml")


class CompanyError(ValueError):
    """A company file that cannot be used; `problems` lists everything that is wrong with it."""

    def __init__(self, source: str, problems: list[str]) -> None:
        self.problems = tuple(problems)
        listed = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"The company file {source} has {len(problems)} problem(s); correct them:\n{listed}")


@dataclass(frozen=True, slots=True)
class Sender:
    id: str
    password: str
    authorised: bool = True


@dataclass(frozen=True, slots=True)
class User:
    id: str
    password: str
    entities: tuple[str, ...] = ("*",)
    permissions: frozenset[str] = frozenset({"read", "write"})

    def may_enter(self, entity: str) -> bool:
        """Whether this user may log in to the entity; the top level is the empty id and needs "*"."""
        return "*" in self.entities or (entity != "" and entity in self.entities)


@dataclass(slots=True)
class Entity:
    id: str
    name: str
    currency: str
    closed_through: date | None = None
    recordno: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """A location or warehouse; for warehouses `parent` is the location, for locations the entity."""

    id: str
    name: str
    parent: str
    recordno: int


@dataclass(frozen=True, slots=True)
class FinancialEntity:
    id: str
    name: str
    entity: str
    account: str
    currency: str
    location: str


@dataclass(frozen=True, slots=True)
class Definition:
    """An order-entry or inventory transaction definition; `totals` says how a quantity moves each inventory total."""

    name: str
    prefix: str
    posts: str
    entity_only: bool
    totals: dict[str, int]


@dataclass(frozen=True, slots=True)
class Knobs:
    """Behaviour that is not publicly known or differs by company; meanings are in company.toml."""

    session_minutes: float = 130
    replay_errorno: str = "BL01001973"
    replay_text: str = "The control ID '{id}' has already been used by a completed operation."
    replay_level: str = "result"
    replay_hours: float = 0
    failed_id_is_burnt: bool = False
    culprit_shape: str = "failure"
    after_culprit: str = "aborted"
    closed_period_errorno: str = "BL01001973"
    closed_period_text: str = (
        "Periods are closed. Your transaction date is within a period that's been closed."
    )
    duplicate_numbers: str = "company"
    numbering: str = "sequence"
    customer_numbering: str = "required"
    document_number_missing: bool = False
    lengths: str = "refuse"
    forbidden_characters: str = "&<>#?'\""
    check_items: bool = True
    allow_negative_lines: bool = True
    multi_entity: bool = True
    inter_entity: bool = True
    private_hidden_at_top: bool = True
    hide_rows_seconds: float = 0
    concurrency: int = 0
    retry_after_seconds: float = 0
    max_functions: int = 0
    max_request_bytes: int = 20_000_000
    max_depth: int = 60
    bad_login_http_status: int = 200
    user_gmt_offset_hours: float = 0.0
    audit_gmt_offset_hours: float = 0.0
    payment_touches_invoice: bool = True
    result_id_minutes: float = 60
    support_id: bool = False
    monthly_transactions: int = 100_000
    unqueryable_fields: str = ""
    gl_detail_amounts: str = "signed"
    generic_receivables: bool = True
    invalid_errorno: str = "BL01001973"
    unbalanced_errorno: str = "BL01001973"
    too_large_errorno: str = "XL03000003"
    replay_scope: str = "sender"
    result_id_scope: str = "user"
    delete_audit_key: str = "record"
    return_amounts: str = "positive"
    returns_name_adjustment: bool = True
    close_partly_converted: bool = True


@dataclass(slots=True)
class Company:
    """Everything a company set up before the first document: who may enter, where money may go, what is closed."""

    id: str
    name: str
    expired: bool = False
    senders: dict[str, Sender] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    entities: dict[str, Entity] = field(default_factory=dict)
    locations: dict[str, Place] = field(default_factory=dict)
    departments: dict[str, str] = field(default_factory=dict)
    projects: dict[str, str] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)
    warehouses: dict[str, Place] = field(default_factory=dict)
    accounts: dict[str, dict[str, str]] = field(default_factory=dict)
    account_labels: dict[str, str] = field(default_factory=dict)
    posting: dict[str, str] = field(default_factory=dict)
    financial_entities: dict[str, FinancialEntity] = field(default_factory=dict)
    journals: dict[str, str] = field(default_factory=dict)
    terms: dict[str, int] = field(default_factory=dict)
    tax_details: dict[str, tuple[str, Decimal]] = field(default_factory=dict)
    order_definitions: dict[str, Definition] = field(default_factory=dict)
    inventory_definitions: dict[str, Definition] = field(default_factory=dict)
    subtotals: dict[str, str] = field(default_factory=dict)
    customers: list[dict[str, Any]] = field(default_factory=list)
    items: list[dict[str, Any]] = field(default_factory=list)
    lengths: dict[str, int] = field(default_factory=dict)
    custom_fields: dict[str, list[str]] = field(default_factory=dict)
    knobs: Knobs = field(default_factory=Knobs)
    rates: dict[str, list[tuple[date, str, dict[str, Decimal]]]] = field(default_factory=dict)
    currencies: set[str] = field(default_factory=set)
    _rate_cache: dict[tuple[str, str, date, str], int | None] = field(default_factory=dict)

    @classmethod
    def load(cls, path: str | Path | None = None) -> Company:
        """Read and check a company file. Raises CompanyError with all problems, OSError when it cannot be read."""
        source = Path(path) if path is not None else SHIPPED
        try:
            raw = tomllib.loads(source.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as bad:
            raise CompanyError(source.name, [f"not valid TOML: {bad}"]) from bad
        from tieout.sandbox.intacct.company_file import CompanyFile  # it builds the classes of this module

        return CompanyFile(raw, source.name).company()

    def entity_of(self, location: str) -> str:
        """The entity a location belongs to; KeyError when there is no such location."""
        return self.locations[location].parent

    def location_of(self, entity: str) -> str:
        """The first location of an entity, or the entity's own id when it has none."""
        return next((place.id for place in self.locations.values() if place.parent == entity), entity)

    def rate(self, currency: str, base: str, on: date, rate_type: str) -> int | None:
        """Units of base for one unit of currency, times RATE_SCALE; None when the table has no answer."""
        if currency == base:
            return RATE_SCALE
        key = (currency, base, on, rate_type)
        if key not in self._rate_cache:
            self._rate_cache[key] = self._look_up(*key)
        return self._rate_cache[key]

    def _look_up(self, currency: str, base: str, on: date, rate_type: str) -> int | None:
        best = [row for row in self.rates.get(rate_type, []) if row[0] <= on]
        if not best:
            return None
        _, reference, per_unit = best[-1]
        known = {**per_unit, reference: Decimal(1)}
        if currency not in known or base not in known:
            return None
        return int((known[currency] / known[base] * RATE_SCALE).to_integral_value())
