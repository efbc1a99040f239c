"""A house with nothing but an Intacct company: the stand-in gateway over HTTP inside this process, its books at hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flows.starter import starter_folder
from flows.wiring import House
from tieout.sandbox.faults import FaultBoard
from tieout.sandbox.intacct.company import Company
from tieout.sandbox.intacct.gateway import PATH, Gateway
from tieout.sandbox.server import Server
from tieout.settings import parse

SECRETS = {
    "TIEOUT_INTACCT_USER_PASSWORD": "demo-user-secret",
    "TIEOUT_INTACCT_SENDER_PASSWORD": "demo-sender-secret",
}


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        """Move it."""
        self.now += timedelta(**by)


class LedgerHouse:
    """The gateway, its books, and a house that reads them."""

    def __init__(self, folder: Path, url: str, gateway: Gateway, clock: Clock, **intacct: Any) -> None:
        self.gateway, self.books, self.clock = gateway, gateway.books, clock
        raw = {
            "installation": {"state": str(folder / "state"), "mappings": str(starter_folder() / "mappings")},
            "entities": [
                {"code": "E100", "base_currency": "USD", "time_zone": "America/New_York"},
                {"code": "E200", "base_currency": "EUR", "time_zone": "Europe/Berlin"},
            ],
            "intacct": {
                "endpoint": url,
                "company_id": "TIEOUTDEMO",
                "user_id": "sync",
                "sender_id": "tieout_mpp",
                **intacct,
            },
        }
        self.house = House(settings=parse(raw, folder=folder), environment=dict(SECRETS), clock=clock)

    def invoice(self, number: str, amount: str = "100.00", **more: Any) -> int:
        """An invoice of one line in the books; a location of 200 makes it the German entity's."""
        location = more.pop("LOCATIONID", "100")
        line = {"ACCOUNTNO": "4000", "TRX_AMOUNT": amount, "LOCATIONID": location}
        fields = {
            "RECORDID": number,
            "CUSTOMERID": "C1",
            "WHENCREATED": "10/05/2026",
            "WHENDUE": "11/05/2026",
            "ARINVOICEITEMS": [line],
            **more,
        }
        return self.books.create("ARINVOICE", fields, None)

    def receipt(self, invoice: int, amount: str, reference: str, **more: Any) -> int:
        """A receipt applied to one invoice."""
        detail = {"RECORDKEY": str(invoice), "TRX_PAYMENTAMOUNT": amount}
        fields = {
            "FINANCIALENTITY": "CLR-CARD-US",
            "PAYMENTMETHOD": "Credit Card",
            "CUSTOMERID": "C1",
            "DOCNUMBER": reference,
            "RECEIPTDATE": "10/06/2026",
            "CURRENCY": "USD",
            "ARPYMTDETAILS": [detail],
            **more,
        }
        return self.books.create("ARPYMT", fields, None)

    def read(self, run_id: str, **options: Any) -> dict[str, Any]:
        """Extract and stage; returns the extract's summary."""
        from flows.extract import extract
        from flows.stage import stage

        done = extract(self.house, run_id=run_id, **options)
        stage(self.house, run_id=run_id)
        return done

    def fetch(self, table: str) -> Any:
        """A table of the warehouse."""
        with self.house.warehouse.read() as session:
            return session.fetch(table)

    def reads(self) -> int:
        """API transactions of reading so far, as the gateway counts them."""
        return sum(month["reads"] for month in self.gateway.metered.values())


@contextmanager
def ledger_house(folder: Path, *, company: Company | None = None, **intacct: Any) -> Iterator[LedgerHouse]:
    """A ledger house for the length of a block, with one customer, C1; settings of [intacct] by name."""
    clock, board = Clock(), FaultBoard()
    gateway = Gateway(company or Company.load(None), board, clock)
    gateway.books.create("CUSTOMER", {"CUSTOMERID": "C1", "NAME": "One"}, None)
    with Server(gateway, 0, board, 0) as server:
        yield LedgerHouse(folder, server.url + PATH, gateway, clock, **intacct)
