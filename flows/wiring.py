"""The composition root: settings in, live objects out. The only place that knows which class serves which word of the configuration."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from checks.contracts import ALL, Table, landing
from flows.storefronts import KINDS, Kind
from tieout import settings as configuration
from tieout.connectors.privacy import Privacy
from tieout.errors import Refused, SettingsError
from tieout.settings import Settings

if TYPE_CHECKING:
    from tieout.connectors.intacct.described import Described
    from tieout.connectors.intacct.gateway import Intacct
    from tieout.warehouse.store import Warehouse

INTACCT_SUBJECTS = (
    "CUSTOMER",
    "ARINVOICE",
    "ARINVOICEITEM",
    "ARADJUSTMENT",
    "ARADJUSTMENTITEM",
    "ARPYMT",
    "ARPYMTDETAIL",
    "GLDETAIL",
    "ITEM",
    "PRICE_LIST_ENTRIES",
    "SODOCUMENT",
    "SODOCUMENTENTRY",
)


def utc_now() -> datetime:
    """The real clock, aware and in UTC."""
    return datetime.now(UTC)


def _silent(_text: str) -> None:
    return None


def _no_progress(_label: str, _done: int, _total: int | None) -> None:
    return None


def _as_promised(name: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of a table as they are read, held against its contract."""
    table = ALL.get(name)
    return rows if table is None else table.as_promised(rows, at="when it was read")


@dataclass
class House:
    """Everything a stage needs: settings, the warehouse, couriers, mappings, a clock and a way to say how it goes."""

    settings: Settings
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    clock: Callable[[], datetime] = utc_now
    say: Callable[[str], None] = _silent
    progress: Callable[[str, int, int | None], None] = _no_progress
    comparisons: dict[Any, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def warehouse(self) -> Warehouse:
        """The warehouse, with every table of the contracts in place."""
        from tieout.warehouse.store import Warehouse

        found = Warehouse(
            self.settings.path(self.settings.installation.state),
            lock_seconds=self.settings.installation.lock_seconds,
            memory_limit=self.settings.installation.memory_limit,
            judge=_as_promised,
        )
        tables = {table.name: table.empty() for table in self.tables()}
        found.ensure(tables)
        return found

    def tables(self) -> list[Table]:
        """Contracts of every table the warehouse holds, raw ones included."""
        stored = [table for name, table in ALL.items() if not name.startswith("mappings.")]
        raws = [
            landing(name, subject)
            for name, front in self.settings.storefronts.items()
            for subject in KINDS[front.kind].subjects
        ]
        raws += [landing("intacct", subject) for subject in (*INTACCT_SUBJECTS, "stock_totals")]
        return stored + raws

    @cached_property
    def mappings(self) -> dict[str, pl.DataFrame]:
        """Finance's mappings, guarded by their contracts."""
        from flows.mappings.reading import load_mappings

        return load_mappings(self.settings.path(self.settings.installation.mappings))

    @cached_property
    def privacy(self) -> Privacy:
        """What is done to personal data before it is landed. Raises `SettingsError` if something is hashed without a key."""
        table = self.settings.privacy
        rules = {
            "name": table.name, "email": table.email, "address": table.address, "phone": table.phone, "birth": table.birth,
            "tax_id": table.tax_id,
        }  # fmt: skip
        if "hash" not in rules.values():
            return Privacy(rules)
        if not table.salt:
            raise SettingsError(
                "[privacy] hashes something and has no salt; name a secret there, such as env:TIEOUT_PRIVACY_SALT."
            )
        return Privacy(rules, self.secret(table.salt))

    def kept_personal(self) -> frozenset[str]:
        """Kinds of personal data that a courier may hand over: those kept, and those hashed before they are landed."""
        return frozenset(kind for kind, rule in self.privacy.rules.items() if rule != "drop")

    @property
    def reports(self) -> Path:
        """Where reports are written."""
        return self.settings.path(self.settings.installation.reports)

    def secret(self, reference: str) -> str:
        """The plain value of a secret reference, for handing to a courier and nothing else."""
        return configuration.secret(reference, self.environment, _prefect_secret).get_secret_value()

    def kind(self, name: str) -> Kind:
        """What kind of storefront a name is. Raises `SettingsError` for a name the configuration does not have."""
        front = self.settings.storefronts.get(name)
        if front is None:
            known = ", ".join(self.settings.storefronts) or "none"
            raise SettingsError(f"No storefront '{name}' in tieout.toml; it knows {known}.")
        return KINDS[front.kind]

    def storefront(self, name: str) -> Any:
        """The courier of a storefront, of the class its kind has. Raises `SettingsError` as `kind` does."""
        return self.kind(name).courier(self, name, self.settings.storefronts[name])

    def intacct(
        self,
        *,
        archive: Callable[[Any], None] | None = None,
        meter: Any = None,
        described: Described | None = None,
        although_halted: bool = False,
        entity_of: Mapping[str, str] | None = None,
    ) -> Intacct:
        """A client of the company, with what the company said of its objects before. Raises `SettingsError` if there is no [intacct] section
        or a secret is missing, and `Refused` while an alert stands that its credentials were refused: repeated tries lock accounts.
        """
        from tieout.connectors.intacct.gateway import Intacct
        from tieout.connectors.intacct.limits import Limits

        if not although_halted:
            self._not_halted("intacct")
        ledger = self.ledger
        return Intacct(
            endpoint=ledger.endpoint,
            sender_id=ledger.sender_id,
            sender_password=self.secret(ledger.sender_password),
            company_id=ledger.company_id,
            user_id=ledger.user_id,
            user_password=self.secret(ledger.user_password),
            allowed_hosts=ledger.allowed_hosts,
            http_options={"timeout": (10, ledger.time_out_seconds)},
            archive=archive,
            meter=meter,
            transaction=ledger.transaction,
            zone=timezone(timedelta(minutes=ledger.gmt_offset_minutes)),
            described=described,
            limits=Limits(entity_of=entity_of or {}),
            clock=self.clock,
        )

    @property
    def locks(self) -> Path:
        """Where runs that post to the same company find each other."""
        found = self.settings.path(self.settings.installation.locks or self.settings.installation.state)
        found.mkdir(parents=True, exist_ok=True)
        return found

    def halt(self, system: str, fault: Refused, *, run_id: str) -> None:
        """After refused credentials, keep everything that talks to a system from trying again. Refused rights to one thing halt nothing."""
        from tieout.warehouse import alerts

        if not fault.context.get("sign_in"):
            return
        with self.warehouse.write(run_id=run_id) as session:
            alerts.raise_alerts(
                session, "credentials", [(system, str(fault))], now=self.clock(), run_id=run_id
            )

    def resume(self, system: str) -> None:
        """Sign-in works again: take back the halt."""
        from tieout.warehouse import alerts

        with self.warehouse.read() as session:
            if alerts.standing(session, kind="credentials", subject=system).is_empty():
                return
        with self.warehouse.write(run_id="doctor") as session:
            alerts.settle_subjects(
                session, "credentials", [system], reason="sign-in works again", now=self.clock()
            )

    def _not_halted(self, system: str) -> None:
        from tieout.warehouse import alerts

        with self.warehouse.read() as session:
            found = alerts.standing(session, kind="credentials", subject=system)
        if found.height:
            at, said = found.select("raised_at", "sentence").row(0)
            raise Refused(
                f"Credentials of {system} were refused at {at:%Y-%m-%d %H:%M} UTC and nothing has been tried since: {said} "
                "Mend them and run `tieout doctor`; it takes this halt back once sign-in works."
            )

    @property
    def entity_of_location(self) -> dict[str, str]:
        """The entity of every location that stores.csv names."""
        stores = self.mappings["stores"].select("location_code", "entity_code").drop_nulls()
        return dict(stores.iter_rows())

    @property
    def ledger(self) -> configuration.Intacct:
        """The [intacct] section. Raises `SettingsError` if there is none."""
        if self.settings.intacct is None:
            raise SettingsError(
                "tieout.toml has no [intacct] section; add it to read from or post to Intacct."
            )
        return self.settings.intacct

    def canaries(self) -> tuple[str, ...]:
        """Every secret value that is set: what must never be found in anything written."""
        wanted = []
        if self.settings.intacct is not None:
            wanted += [self.ledger.sender_password, self.ledger.user_password]
        if self.settings.privacy.salt:
            wanted.append(self.settings.privacy.salt)
        wanted += [
            getattr(front, secret)
            for front in self.settings.storefronts.values()
            for secret in front.secrets
            if getattr(front, secret)
        ]
        found = []
        for reference in wanted:
            try:
                found.append(self.secret(reference))
            except SettingsError:
                continue
        return tuple(found)

    def run_id(self) -> str:
        """A new run id: sorts by time, unique without coordination."""
        return f"{self.clock().strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(4)}"


def _prefect_secret(name: str) -> str:
    from prefect.blocks.system import Secret

    return str(Secret.load(name).get())  # type: ignore[union-attr]


def open_house(
    config: Path,
    *,
    clock: Callable[[], datetime] = utc_now,
    say: Callable[[str], None] = _silent,
) -> House:
    """A house from a configuration file. Raises `SettingsError` with all problems of the file."""
    return House(settings=configuration.load(config), clock=clock, say=say)
