"""All configuration, read once at the top from `tieout.toml` and the environment, validated whole, passed down as values.

A secret is never written in the file. It is named there, as `env:NAME` or `prefect:BLOCK`, and looked up when the run starts; its type
prints as asterisks. Every problem of the file is listed at once, with the place it stands in.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from datetime import date, time
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from tieout.errors import SettingsError
from tieout.settings.calendars import Calendar
from tieout.settings.journals import Journals
from tieout.settings.order_entry import OrderEntry
from tieout.settings.price_lists import PriceLists
from tieout.settings.reconciling import Reconciliation
from tieout.settings.section import Section
from tieout.settings.shipping import Shipping
from tieout.settings.staging import Staging
from tieout.settings.storefronts import Storefront
from tieout.settings.writing import Ownership, Privacy

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,30}$")]


class Installation(Section):
    """Where this installation keeps what it makes, and the namespace of the ids it mints.

    Change `namespace` when the warehouse is restored from a backup: ids minted after the backup would otherwise be minted again.
    """

    namespace: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{2,12}$")] = "tieout"
    state: Path = Path("state")
    reports: Path = Path("reports")
    mappings: Path = Path("data/mappings")
    locks: Path | None = None
    lock_seconds: Annotated[float, Field(gt=0, le=3600)] = 120
    memory_limit: Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)? ?[KMGT]i?B$")] | None = "2GB"


@cache
def _zones() -> frozenset[str]:
    """Every IANA zone; the list is read from hundreds of files, so it is read once."""
    return frozenset(available_timezones())


class Entity(Section):
    """One Intacct entity: its base currency and the time zone its accounting dates are derived in."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=20)]
    name: str = ""
    base_currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    time_zone: str
    calendar: str = "month"

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in _zones():
            raise ValueError(f"'{value}' is not an IANA time zone such as Europe/Berlin")
        return value

    @property
    def zone(self) -> ZoneInfo:
        """The zone itself."""
        return ZoneInfo(self.time_zone)


class Window(Section):
    """A nightly maintenance window of the company, in UTC: posting waits, it does not fail."""

    start: time
    end: time


class Intacct(Section):
    """How to reach the company and how to post to it."""

    endpoint: str
    company_id: str
    user_id: str
    sender_id: str
    user_password: str = "env:TIEOUT_INTACCT_USER_PASSWORD"  # noqa: S105  (the name of a secret, not a secret)
    sender_password: str = "env:TIEOUT_INTACCT_SENDER_PASSWORD"  # noqa: S105
    allowed_hosts: tuple[str, ...] = ()
    entity_sessions: bool = True
    posting_starts_on: date | None = None
    batch_size: Annotated[int, Field(ge=1, le=99)] = 90
    transaction: bool = False
    credit_memos: Literal["applied", "open"] = "applied"
    change_after_posting: Literal["difference", "hold"] = "difference"
    summary_orders: Annotated[int, Field(ge=1, le=5000)] = 500
    workers: Annotated[int, Field(ge=1, le=10)] = 1
    styles: Mapping[
        Literal["customer", "invoice", "credit_memo", "receipt", "journal"], Literal["legacy", "generic"]
    ] = {}
    quota_per_month: Annotated[int, Field(ge=0)] = 100_000
    time_out_seconds: Annotated[float, Field(gt=0, le=900)] = 120
    look_back_minutes: Annotated[int, Field(ge=0, le=10_080)] = 120
    visibility_seconds: Annotated[int, Field(ge=0, le=86_400)] = 60
    gmt_offset_minutes: Annotated[int, Field(ge=-840, le=840)] = 0
    maintenance: Window | None = None
    terms_days: Annotated[int, Field(ge=0, le=365)] = 30
    number_length: Annotated[int, Field(ge=8, le=45)] = 20
    ledger_digits: Annotated[int, Field(ge=0, le=3)] = 2
    guests: Literal["store", "email"] = "store"
    match_customers_by: tuple[Literal["number", "email", "name"], ...] = ()
    reads_general_ledger: bool = True
    general_ledger_book: str = "ACCRUAL"
    general_ledger_starts_on: date | None = None
    control_accounts: tuple[str, ...] = ()


class Stock(Section):
    """Safety buffer by default (percent of on hand, rounded up) and what happens to figures older than agreed."""

    buffer_percent: Annotated[Decimal, Field(ge=0, le=100)] = Decimal(8)
    oldest_minutes: Annotated[int, Field(ge=1)] = 120
    when_too_old: Literal["stop", "raise_buffer"] = "stop"
    raised_buffer_percent: Annotated[Decimal, Field(ge=0, le=100)] = Decimal(20)
    ledger_figures: Literal["totals", "movements"] = "totals"
    allocated_total: str = "ALLOCATED"
    allocated_includes_web: bool = False
    read_back_sample: Annotated[int, Field(ge=0, le=1000)] = 20


class Checks(Section):
    """Which checks run beside the rules."""

    expectations: bool = True


class Settings(Section):
    """The whole of `tieout.toml`."""

    installation: Installation = Installation()
    entities: tuple[Entity, ...] = ()
    calendars: Mapping[Name, Calendar] = {}
    intacct: Intacct | None = None
    storefronts: Mapping[Name, Storefront] = {}
    reconciliation: Reconciliation = Reconciliation()
    journals: Journals = Journals()
    order_entry: OrderEntry = OrderEntry()
    stock: Stock = Stock()
    shipping: Shipping = Shipping()
    price_lists: PriceLists = PriceLists()
    ownership: Ownership = Ownership()
    privacy: Privacy = Privacy()
    checks: Checks = Checks()
    staging: Staging = Staging()
    folder: Path = Path()

    @model_validator(mode="after")
    def _agree(self) -> Settings:
        codes = [entity.code for entity in self.entities]
        twice = sorted({code for code in codes if codes.count(code) > 1})
        if twice:
            raise ValueError(f"entities are listed twice: {', '.join(twice)}")
        lost = sorted({entity.calendar for entity in self.entities} - {"month", *self.calendars})
        if lost:
            raise ValueError(f"no calendar '{lost[0]}' in [calendars]; add it, or use month")
        if "intacct" in self.storefronts:
            raise ValueError("a storefront cannot be called 'intacct'; that is the ledger's name")
        for name, front in self.storefronts.items():
            asked = [*front.writes_back, *(["stock"] if front.writes_stock else [])]
            against = [field for field in asked if self.owner(field) != "intacct"]
            if against:
                raise ValueError(
                    f"{against[0]} belongs to the storefront by [ownership], so it is not written to {name}; take it out of "
                    "what is written there, or give it to intacct"
                )
            if "order.shipment" in front.writes_back and not self.shipping.definitions:
                raise ValueError(
                    f"{name} is to be told of shipments, and [shipping] names no definitions; name the transaction definitions whose documents are shipments"
                )
        return self

    def owner(self, field: str) -> str:
        """Which side owns a field that can be written back. Raises `KeyError` for any other."""
        table = self.ownership
        return {
            "stock": table.stock,
            "price": table.price,
            "order.document": table.order_document,
            "order.paid_state": table.order_paid_state,
            "order.status": table.order_status,
            "order.shipment": table.order_shipment,
            "customer.account": table.customer_account,
        }[field]

    def path(self, part: Path) -> Path:
        """A path of the file, relative to the folder the file stands in."""
        return part if part.is_absolute() else self.folder / part

    def entity(self, code: str) -> Entity:
        """The entity of a code; raises `SettingsError`."""
        for entity in self.entities:
            if entity.code == code:
                return entity
        raise SettingsError(
            f"No entity '{code}' in tieout.toml; it knows {', '.join(e.code for e in self.entities) or 'none'}."
        )


def load(path: Path) -> Settings:
    """The settings of a file. Raises `SettingsError` with every problem listed at once."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SettingsError(
            f"There is no {path}; run `tieout init` in an empty folder, or name the file with --config."
        ) from None
    except (OSError, UnicodeDecodeError) as fault:
        raise SettingsError(f"{path} cannot be read: {fault}.") from None
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise SettingsError(f"{path} is not valid TOML: {fault}.") from None
    return parse(found, folder=path.resolve().parent, name=path.name)


def parse(found: Mapping[str, Any], *, folder: Path, name: str = "tieout.toml") -> Settings:
    """Settings from a parsed file. Raises `SettingsError`."""
    try:
        return Settings.model_validate({**found, "folder": folder})
    except ValidationError as broken:
        problems = [f"[{_place(fault)}] {_sentence(fault)}" for fault in broken.errors()]
        raise SettingsError(
            f"{name} has {len(problems)} problem(s); nothing was started.", problems
        ) from None


def _place(fault: Any) -> str:
    steps = [str(step) for step in fault["loc"]]
    if steps[:1] == ["storefronts"]:
        # The kind of a storefront decides which class judges it; it is no step on the way to the setting.
        if fault["type"] in ("union_tag_invalid", "union_tag_not_found"):
            steps.append("kind")
        elif len(steps) > 2:
            del steps[2]
    return ".".join(steps) or "file"


def _sentence(fault: Any) -> str:
    if fault["type"] == "union_tag_not_found":
        return "is missing"
    if fault["type"] == "union_tag_invalid":
        return f"is '{fault['ctx']['tag']}'; it must be one of {fault['ctx']['expected_tags']}"
    if fault["type"] == "extra_forbidden":
        return "is not a setting tieout knows; check the spelling"
    if fault["type"] == "missing":
        return "is missing"
    if fault["type"] == "string_pattern_mismatch":
        return f"is '{fault['input']}', which does not have the form {fault['ctx']['pattern']}"
    return str(fault["msg"]).removeprefix("Value error, ")


def secret(
    reference: str, environment: Mapping[str, str], prefect_block: Callable[[str], str] | None = None
) -> SecretStr:
    """The secret behind `env:NAME` or `prefect:BLOCK`. Raises `SettingsError` naming the reference, never the value."""
    kind, _, name = reference.partition(":")
    if kind == "env" and name:
        value = environment.get(name)
        if not value:
            raise SettingsError(f"The environment variable {name} is not set; export it and run again.")
        return SecretStr(value)
    if kind == "prefect" and name and prefect_block is not None:
        try:
            return SecretStr(prefect_block(name))
        except Exception as fault:
            raise SettingsError(
                f"The Prefect Secret block '{name}' could not be read ({type(fault).__name__}); create it or correct its name."
            ) from None
    raise SettingsError(
        "A secret must be given as env:NAME or prefect:BLOCK, never written into the file; correct the setting."
    )
