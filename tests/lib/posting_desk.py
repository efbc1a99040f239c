"""A posting desk for tests: a house with one entity, drawn documents in its outbox, and a company that answers as it is told."""

from __future__ import annotations

import atexit
import shutil
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import polars as pl

from checks.contracts import ALL
from flows.wiring import House
from tieout.connectors.intacct.outcomes import Accepted, BatchOutcome, Outcome
from tieout.errors import TieoutError
from tieout.settings import Settings, parse
from tieout.warehouse import outbox, runs
from tieout.warehouse.store import Warehouse
from transforms.postings.content import rehashed

_MAPPINGS = Path(__file__).resolve().parents[2] / "data" / "mappings"
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def ahead(self, **by: float) -> None:
        """Move it."""
        self.now += timedelta(**by)


@dataclass
class Company:
    """What the desk talks to instead of the gateway: accepts everything but what `answers` says otherwise, by document number."""

    answers: dict[str, Outcome] = field(default_factory=dict)
    closed: dict[str | None, date | None] = field(default_factory=dict)
    fault: TieoutError | None = None
    books: dict[str, int] = field(default_factory=dict)
    sent: list[list[str]] = field(default_factory=list)
    asked: int = 0
    hook: Any = None

    def post(self, batch: Any, **_options: Any) -> BatchOutcome:
        """Every document accepted under a new key, unless told otherwise."""
        if self.fault is not None:
            raise self.fault
        numbers = [getattr(one, "number", None) or getattr(one, "customer_id", "") for _, one in batch]
        self.sent.append(numbers)
        if self.hook is not None:
            self.hook()
        results: dict[str, Outcome] = {}
        for (control_id, _), number in zip(batch, numbers, strict=True):
            told = self.answers.get(number)
            if told is None:
                self.books[number] = self.books.get(number, 0) + 1
                told = Accepted(str(1000 + len(self.books)))
            results[control_id] = told
        return BatchOutcome(results)

    def find(self, _object: str, key: str, values: Any, **_options: Any) -> dict[str, list[dict[str, Any]]]:
        """Nothing is ever found: what was sent and refused is not there."""
        return {one: [] for one in values}

    def closed_through(self, entity: str | None = None) -> date | None:
        """The last closed day of an entity."""
        self.asked += 1
        return self.closed.get(entity)

    def close(self) -> None:
        """Nothing to give back."""


class DeskHouse(House):
    """A house whose Intacct is a `Company`; a halt is respected as in the real one."""

    company: Company

    def intacct(self, *, although_halted: bool = False, **_options: Any) -> Any:
        """The company."""
        if not although_halted:
            self._not_halted("intacct")
        return self.company


_TEMPLATES: dict[str, Path] = {}
"""A warehouse with all tables, made once and copied: making the tables takes longer than most tests."""


def desk_settings(folder: Path, *, entity: str = "US", **intacct: Any) -> Settings:
    """Settings of one entity and a company that sees everything at once."""
    return parse(
        {
            "installation": {"mappings": str(_MAPPINGS)},
            "entities": [{"code": entity, "base_currency": "USD", "time_zone": "America/New_York"}],
            "intacct": {
                "endpoint": "http://127.0.0.1/ia/xml/xmlgw.phtml",
                "company_id": "acme",
                "user_id": "sync",
                "sender_id": "acme",
                "visibility_seconds": 0,
                **intacct,
            },
        },
        folder=folder,
    )


def desk_house(folder: Path, **intacct: Any) -> DeskHouse:
    """A house in a folder with a finished check, so that the gate is open."""
    settings = desk_settings(folder, **intacct)
    house = DeskHouse(settings=settings, environment={}, clock=Clock())
    house.company = Company()
    template = _TEMPLATES.get("state")
    if template is None:
        template = _TEMPLATES["state"] = Path(mkdtemp(prefix="tieout-desk-")) / "state"
        atexit.register(shutil.rmtree, template.parent, ignore_errors=True)
        shutil.copytree(house.warehouse.folder, template)
    else:
        shutil.copytree(template, folder / "state")
        house.__dict__["warehouse"] = Warehouse(folder / "state", lock_seconds=10)
    open_gate(house)
    return house


def open_gate(house: House) -> None:
    """Record a finished check that found nothing."""
    with house.warehouse.write(run_id="setup") as session:
        runs.start_run(session, run_id="20261120T110000-check", stage="check", now=NOON)
        runs.end_run(session, run_id="20261120T110000-check", now=NOON, summary={})


def invoice(identity: str, **over: Any) -> dict[str, Any]:
    """A row of out.documents: an invoice of one line over 10.00 USD."""
    return {
        "document_id": identity,
        "kind_code": "invoice",
        "revision": 1,
        "storefront": "shop",
        "order_ref": f"order-{identity}",
        "order_number": f"N-{identity}",
        "event_ref": f"event-{identity}",
        "entity_code": "US",
        "number": f"NO-{identity}",
        "customer_id": "GUEST",
        "document_on": date(2026, 11, 1),
        "due_on": date(2026, 11, 10),
        "currency": "USD",
        "total_minor": 1000,
        "planned_at": NOON,
        "run_id": "plan-1",
        "content_sha256": "",
        **over,
    }


def put(house: House, *rows: dict[str, Any], run_id: str = "plan-1") -> outbox.Planned:
    """Plan documents, each with one line for all of it and one order behind it."""
    documents = pl.DataFrame(list(rows), schema=ALL["out.documents"].polars_schema)
    lines = pl.DataFrame(
        [
            {"document_id": one["document_id"], "line_no": 1, "amount_minor": one["total_minor"], "account_code": "4000", "component_code": "goods"}
            for one in rows
        ],
        schema=ALL["out.document_lines"].polars_schema,
    )  # fmt: skip
    orders = documents.select(
        "document_id", "storefront", "order_ref", "order_number", "event_ref", "currency",
        event_code=pl.lit("sale"), amount_minor="total_minor",
    ).select(*ALL["out.document_orders"].polars_schema)  # fmt: skip
    with house.warehouse.write(run_id=run_id) as session:
        return outbox.plan(
            session, rehashed(documents, lines), lines, orders, now=house.clock(), run_id=run_id
        )


def states(house: House) -> dict[str, str]:
    """State by document id."""
    with house.warehouse.read() as session:
        return dict(session.fetch("ops.outbox", columns=["document_id", "state_code"]).sort("document_id").iter_rows())  # fmt: skip


def table(house: House, name: str) -> list[dict[str, Any]]:
    """All rows of a table."""
    with house.warehouse.read() as session:
        return session.fetch(name).to_dicts()
