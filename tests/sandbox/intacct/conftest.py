"""A gateway with a clock of its own, and a client that speaks to it the way the published protocol says."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from lxml import etree

from tieout.sandbox.faults import FaultBoard
from tieout.sandbox.intacct.company import Company
from tieout.sandbox.intacct.gateway import PATH, Gateway
from tieout.sandbox.server import Headers, Request, Response

LOGIN = "<login><userid>{user}</userid><companyid>TIEOUTDEMO</companyid><password>{password}</password>{entity}</login>"


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


class Reply:
    """A parsed reply with short ways to its parts."""

    def __init__(self, response: Response) -> None:
        self.response = response
        self.root = etree.fromstring(response.body)

    @property
    def control(self) -> str:
        return self.root.findtext("control/status") or ""

    @property
    def authentication(self) -> str:
        return self.root.findtext("operation/authentication/status") or ""

    @property
    def statuses(self) -> list[str]:
        return [node.text for node in self.root.iterfind("operation/result/status")]

    @property
    def keys(self) -> list[str]:
        return [node.text for node in self.root.iterfind("operation/result/key")]

    @property
    def numbers(self) -> list[str]:
        return [node.text or "" for node in self.root.iter("errorno")]

    @property
    def texts(self) -> list[str]:
        return [node.text or "" for node in self.root.iter("description2")]

    @property
    def data(self) -> Any:
        return self.root.find("operation/result/data")

    @property
    def rows(self) -> list[dict[str, str]]:
        return [{child.tag: child.text or "" for child in row} for row in self.data]


class Client:
    """Posts functions to one gateway; control ids count up unless given."""

    def __init__(self, gateway: Gateway, clock: Clock) -> None:
        self.gateway, self.clock, self.books = gateway, clock, gateway.books
        self._count = 0

    def send(self, body: str | bytes, **headers: str) -> Reply:
        raw = body.encode() if isinstance(body, str) else body
        fields = {"Host": "gateway.test:8080", "Content-Type": "application/xml", **headers}
        return Reply(self.gateway.handle(Request("POST", PATH, "", Headers(fields), raw)))

    def envelope(
        self,
        *calls: str,
        ids: list[str] | None = None,
        transaction: bool = False,
        uniqueid: str | None = "true",
        session: str = "",
        user: str = "sync",
        password: str = "demo-user-secret",
        entity: str = "",
        sender: tuple[str, str] = ("tieout_mpp", "demo-sender-secret"),
        more: str = "",
        version: str = "3.0",
    ) -> str:
        self._count += 1
        names = ids or [f"f{self._count}-{number}" for number in range(len(calls))]
        functions = "".join(
            f'<function controlid="{name}">{call}</function>' for name, call in zip(names, calls, strict=True)
        )
        where = f"<locationid>{entity}</locationid>" if entity else ""
        who = (
            f"<sessionid>{session}</sessionid>"
            if session
            else LOGIN.format(user=user, password=password, entity=where)
        )
        unique = f"<uniqueid>{uniqueid}</uniqueid>" if uniqueid is not None else ""
        return (
            f"<request><control><senderid>{sender[0]}</senderid><password>{sender[1]}</password>"
            f"<controlid>request-{self._count}</controlid>{unique}<dtdversion>{version}</dtdversion>{more}</control>"
            f'<operation transaction="{str(transaction).lower()}"><authentication>{who}</authentication>'
            f"<content>{functions}</content></operation></request>"
        )

    def call(self, *calls: str, **options: Any) -> Reply:
        return self.send(self.envelope(*calls, **options))

    def query(
        self,
        name: str,
        *fields: str,
        where: str = "",
        order: str = "RECORDNO",
        more: str = "",
        **options: Any,
    ) -> Reply:
        chosen = "".join(field if field.startswith("<") else f"<field>{field}</field>" for field in fields)
        ordered = f"<orderby><order><field>{order}</field><ascending/></order></orderby>" if order else ""
        kept = f"<filter>{where}</filter>" if where else ""
        return self.call(
            f"<query><object>{name}</object><select>{chosen}</select>{kept}{ordered}"
            f"<options><showprivate>true</showprivate></options>{more}</query>",
            **options,
        )

    def customer(self, customerid: str = "C1", **fields: Any) -> int:
        return self.books.create(
            "CUSTOMER", {"CUSTOMERID": customerid, "NAME": f"Name {customerid}", **fields}
        )

    def invoice(
        self, number: str, *amounts: str, customer: str = "C1", location: str = "100", **fields: Any
    ) -> int:
        return self.books.create(
            "ARINVOICE",
            {
                "RECORDID": number,
                "CUSTOMERID": customer,
                "WHENCREATED": "09/03/2026",
                "WHENDUE": "10/03/2026",
                "ARINVOICEITEMS": [
                    {"ACCOUNTNO": "4000", "TRX_AMOUNT": amount, "LOCATIONID": location} for amount in amounts
                ],
                **fields,
            },
        )

    def credit(self, number: str, *amounts: str, **fields: Any) -> int:
        return self.books.create(
            "ARADJUSTMENT",
            {
                "RECORDID": number,
                "CUSTOMERID": "C1",
                "WHENCREATED": "09/10/2026",
                "ARADJUSTMENTITEMS": [
                    {"ACCOUNTNO": "4900", "TRX_AMOUNT": amount, "LOCATIONID": "100"} for amount in amounts
                ],
                **fields,
            },
        )

    def receipt(self, *details: dict[str, str], customer: str = "C1", **fields: Any) -> int:
        return self.books.create(
            "ARPYMT",
            {
                "FINANCIALENTITY": "CLR-CARD-US",
                "PAYMENTMETHOD": "Credit Card",
                "CUSTOMERID": customer,
                "DOCNUMBER": "ch_1",
                "RECEIPTDATE": "09/05/2026",
                "ARPYMTDETAILS": list(details),
                **fields,
            },
        )

    def balanced(self) -> None:
        """Each entity's ledger sums to zero, and its control account equals the subledger."""
        trial, open_items = self.books.trial_balance(), self.books.subledger()
        for entity, accounts in trial.items():
            assert sum(accounts.values()) == 0, (entity, accounts)
            assert accounts.get("1100", 0) == open_items.get(entity, 0), entity


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(clock: Clock):
    """Makes a client of a fresh company; keyword arguments are knobs."""

    def build(company: Company | None = None, state_file: Any = None, **knobs: Any) -> Client:
        company = company or Company.load(None)
        company.knobs = dataclasses.replace(company.knobs, **knobs)
        return Client(Gateway(company, FaultBoard(), clock, state_file), clock)

    return build


@pytest.fixture
def client(make) -> Client:
    found = make()
    found.customer()
    return found


@pytest.fixture
def create_invoice():
    """The legacy function for one invoice."""

    def text(
        number: str, amount: str = "59.90", *, customer: str = "C1", location: str = "100", on: str = "09"
    ) -> str:
        return (
            f"<create_invoice><customerid>{customer}</customerid>"
            f"<datecreated><year>2026</year><month>{on}</month><day>01</day></datecreated>"
            "<datedue><year>2026</year><month>12</month><day>01</day></datedue>"
            f"<invoiceno>{number}</invoiceno><invoiceitems><lineitem><glaccountno>4000</glaccountno>"
            f"<amount>{amount}</amount><memo>2 x MUG-BLUE</memo><locationid>{location}</locationid></lineitem>"
            "</invoiceitems></create_invoice>"
        )

    return text
