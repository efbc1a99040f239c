"""A house before a stand-in gateway of its own, over HTTP, and documents put into its outbox as drawn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import posting_desk

from checks.contracts import ALL
from flows.wiring import House
from tieout.sandbox.faults import FaultBoard
from tieout.sandbox.intacct.company import Company
from tieout.sandbox.intacct.gateway import Gateway
from tieout.sandbox.server import Server
from tieout.warehouse import outbox
from transforms.postings.content import rehashed

SECRETS = {"TIEOUT_INTACCT_USER_PASSWORD": "demo-user-secret", "TIEOUT_INTACCT_SENDER_PASSWORD": "demo-sender-secret"}  # fmt: skip
NOW = datetime(2026, 11, 2, 3, tzinfo=UTC)


class Books:
    """A house before a stand-in gateway of its own."""

    def __init__(self, folder: Path, **knobs: Any) -> None:
        self.board = FaultBoard()
        company = Company.load()
        company.knobs = replace(company.knobs, **knobs)
        self.gateway = Gateway(company, self.board, lambda: NOW)
        self.server = Server(self.gateway, 0, self.board)
        self.house: House | None = None
        self.folder = folder

    def open(self) -> House:
        """The house, its gate open."""
        settings = posting_desk.desk_settings(
            self.folder, entity="E100", endpoint=f"{self.server.url}/ia/xml/xmlgw.phtml", company_id="TIEOUTDEMO", sender_id="tieout_mpp",
            user_id="sync", quota_per_month=0,
        )  # fmt: skip
        house = House(settings=settings, environment=dict(SECRETS), clock=posting_desk.Clock())
        posting_desk.open_gate(house)
        return house

    def told(self) -> dict[str, Any]:
        """What the books hold."""
        return self.gateway.ledger()


@contextmanager
def books_of(folder: Path, **knobs: Any) -> Iterator[Books]:
    """Books whose server runs for the length of a block; `knobs` of the company are turned."""
    found = Books(folder, **knobs)
    with found.server:
        yield found


def planned(house: House, documents: list[dict[str, Any]], lines: list[dict[str, Any]]) -> None:
    """Put documents and their lines into the outbox, planned."""
    frames = [pl.DataFrame(of, schema=ALL[name].polars_schema) for of, name in ((documents, "out.documents"), (lines, "out.document_lines"))]  # fmt: skip
    with house.warehouse.write(run_id="plan") as session:
        outbox.plan(session, rehashed(*frames), frames[1], ALL["out.document_orders"].empty(), now=house.clock(), run_id="plan")  # fmt: skip


def line(document: str, number: int, amount: int, **more: Any) -> dict[str, Any]:
    """A row of out.document_lines."""
    return {"document_id": document, "line_no": number, "amount_minor": amount, **more}
