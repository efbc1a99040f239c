"""Every error number that is publicly known, brought about in the stand-in, carried over HTTP and classified by the client.

The numbers are those of the table in `tieout.sandbox.intacct`; a number added there without a row here fails the last test.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests

from tieout.connectors.intacct import replies
from tieout.connectors.intacct.classify import ErrorKind, classify
from tieout.sandbox import intacct as standin
from tieout.sandbox.faults import FaultBoard
from tieout.sandbox.intacct.company import Company
from tieout.sandbox.intacct.gateway import PATH, Gateway
from tieout.sandbox.server import Server

K = ErrorKind
LINE = "<lineitem><glaccountno>4000</glaccountno><amount>{amount}</amount><locationid>{location}</locationid></lineitem>"


class Bench:
    """One gateway over HTTP; `ask` sends functions and gives back every error of the reply, wherever it stands."""

    def __init__(self) -> None:
        self.board = FaultBoard()
        self.gateway = Gateway(Company.load(None), self.board)
        self.server = Server(self.gateway, 0, self.board)
        self.count = 0
        self.gateway.books.create("CUSTOMER", {"CUSTOMERID": "C1", "NAME": "One"}, None)

    def knob(self, **values: Any) -> None:
        self.gateway.company.knobs = replace(self.gateway.company.knobs, **values)
        self.gateway.books.company = self.gateway.company
        for desk in self.gateway.books._desks.values():
            desk.knobs = self.gateway.company.knobs

    def ask(self, *calls: str, **options: Any) -> list[replies.Fault]:
        return self.send(self.body(*calls, **options))

    def send(self, body: str) -> list[replies.Fault]:
        answer = requests.post(f"{self.server.url}{PATH}", body.encode(), timeout=20)
        reply = replies.parse(answer.content)
        found = [*reply.control.errors, *(reply.authentication.errors if reply.authentication else ())]
        for one in reply.results:
            found += one.errors
        return found

    def body(
        self, *calls: str, user: str = "sync", password: str = "demo-user-secret", sender: str = "demo-sender-secret",
        transaction: bool = False, more: str = "", session: str = "",
    ) -> str:  # fmt: skip
        self.count += 1
        functions = "".join(
            f'<function controlid="f{self.count}-{n}">{call}</function>' for n, call in enumerate(calls)
        )
        who = (
            f"<sessionid>{session}</sessionid>"
            if session
            else f"<login><userid>{user}</userid><companyid>TIEOUTDEMO</companyid><password>{password}</password></login>"
        )
        return (
            f"<request><control><senderid>tieout_mpp</senderid><password>{sender}</password><controlid>c</controlid>"
            f"<uniqueid>true</uniqueid><dtdversion>3.0</dtdversion>{more}</control>"
            f'<operation transaction="{str(transaction).lower()}"><authentication>{who}</authentication>'
            f"<content>{functions}</content></operation></request>"
        )


def invoice(
    number: str = "N1",
    *,
    customer: str = "C1",
    amount: str = "5.00",
    location: str = "100",
    month: str = "10",
) -> str:
    line = LINE.format(amount=amount, location=location)
    if not amount:
        line = line.replace("<amount></amount>", "<amount/>")
    named = f"<invoiceno>{number}</invoiceno>" if number else ""
    return (
        f"<create_invoice><customerid>{customer}</customerid><datecreated><year>2026</year><month>{month}</month><day>05</day>"
        "</datecreated><datedue><year>2026</year><month>12</month><day>01</day></datedue>"
        f"{named}<invoiceitems>{line}</invoiceitems></create_invoice>"
    )


def customer(**fields: str) -> str:
    values = {"CUSTOMERID": "C9", "NAME": "Nine", **fields}
    return f"<create><CUSTOMER>{''.join(f'<{name}>{text}</{name}>' for name, text in values.items())}</CUSTOMER></create>"


def receipt(key: str, amount: str, reference: str = "ch_1") -> str:
    named = f"<DOCNUMBER>{reference}</DOCNUMBER>" if reference else ""
    return (
        "<create><ARPYMT><FINANCIALENTITY>CLR-CARD-US</FINANCIALENTITY><PAYMENTMETHOD>Cash</PAYMENTMETHOD>"
        f"<CUSTOMERID>C1</CUSTOMERID>{named}<RECEIPTDATE>10/06/2026</RECEIPTDATE><ARPYMTDETAILS><ARPYMTDETAIL>"
        f"<RECORDKEY>{key}</RECORDKEY><TRX_PAYMENTAMOUNT>{amount}</TRX_PAYMENTAMOUNT></ARPYMTDETAIL></ARPYMTDETAILS>"
        "</ARPYMT></create>"
    )


def query(name: str, field: str = "RECORDNO") -> str:
    return f"<query><object>{name}</object><select><field>{field}</field></select></query>"


def journal(other: str) -> str:
    entries = "".join(
        f"<GLENTRY><ACCOUNTNO>4900</ACCOUNTNO><TRX_AMOUNT>{amount}</TRX_AMOUNT><TR_TYPE>{side}</TR_TYPE><LOCATION>100</LOCATION></GLENTRY>"
        for side, amount in (("1", "5.00"), ("-1", other))
    )
    return (
        "<create><GLBATCH><JOURNAL>GJ</JOURNAL><BATCH_DATE>10/05/2026</BATCH_DATE><BATCH_TITLE>t</BATCH_TITLE>"
        f"<ENTRIES>{entries}</ENTRIES></GLBATCH></create>"
    )


def _twice(bench: Bench, call: str) -> list[replies.Fault]:
    assert bench.ask(call) == []
    return bench.ask(call)


def _struck(bench: Bench, number: str, text: str) -> list[replies.Fault]:
    bench.board.add({"app": "intacct", "kind": "refuse", "errorno": number, "text": text})
    return bench.ask(invoice())


def _knobbed(bench: Bench, call: str, **knobs: Any) -> list[replies.Fault]:
    bench.knob(**knobs)
    return bench.ask(call)


def _replayed(bench: Bench) -> list[replies.Fault]:
    body = bench.body(invoice())
    assert bench.send(body) == []
    return bench.send(body)


def _unauthorised(bench: Bench) -> list[replies.Fault]:
    senders = bench.gateway.company.senders
    senders["tieout_mpp"] = replace(senders["tieout_mpp"], authorised=False)
    return bench.ask(query("CUSTOMER"))


def _expired(bench: Bench) -> list[replies.Fault]:
    bench.gateway.company.expired = True
    return bench.ask(query("CUSTOMER"))


def _powerless(bench: Bench, call: str, *permissions: str) -> list[replies.Fault]:
    users = bench.gateway.company.users
    users["sync"] = replace(users["sync"], permissions=frozenset(permissions))
    return bench.ask(call)


def _throttled(bench: Bench) -> list[replies.Fault]:
    bench.board.add({"app": "intacct", "kind": "throttle"})
    return bench.ask(invoice())


OLD = "<readByQuery><object>{}</object><fields>{}</fields><query></query><pagesize>5</pagesize></readByQuery>"
Provoke = Callable[[Bench], list[replies.Fault]]
TABLE: list[tuple[str, str, Provoke, ErrorKind]] = [
    ("XL03000003", "mismatched tags", lambda b: b.send(b.body(invoice()).replace("</request>", "")), K.SCHEMA),
    ("XL03000003", "an element out of place", lambda b: b.ask(invoice().replace("<invoiceno>N1</invoiceno>", "").replace("</invoiceitems>", "</invoiceitems><invoiceno>N1</invoiceno>")), K.SCHEMA),
    ("XL03000006", "wrong sender", lambda b: b.ask(query("CUSTOMER"), sender="wrong"), K.CONFIG),
    ("XL03000006", "a policy id", lambda b: b.send(b.body(query("CUSTOMER"), more="<policyid>async</policyid>")), K.CONFIG),
    ("XL03000006", "wrong password", lambda b: b.ask(query("CUSTOMER"), password="wrong"), K.CONFIG),
    ("XL03000006", "unknown session", lambda b: b.ask(query("CUSTOMER"), session="gone"), K.SESSION),
    ("XL03000006", "sender without authorisation", _unauthorised, K.CONFIG),
    ("XL03000006", "a field that cannot be queried", lambda b: b.ask(query("CUSTOMER", "SHOESIZE")), K.DATA),
    ("XL03000009", "rolled back", lambda b: b.ask(invoice("A"), invoice("B", customer="GHOST"), transaction=True)[:1], K.ROLLED_BACK),
    ("XL03000009", "an unknown object", lambda b: b.ask(query("SHOES")), K.CONFIG),
    ("XL03000027", "more than is due", lambda b: (b.ask(invoice()), b.ask(receipt("1", "99.00")))[1], K.DATA),
    ("GW-0010", "the rate limit", _throttled, K.TRANSPORT),
    ("GW-0011", "nothing usable", lambda b: b.send(" "), K.CONFIG),
    ("BL01001973", "an unknown customer", lambda b: b.ask(invoice(customer="GHOST")), K.DATA),
    ("BL01001973", "a closed period", lambda b: b.ask(invoice(month="08")), K.CLOSED_PERIOD),
    ("BL01001973", "a repeated function", _replayed, K.AMBIGUOUS),
    ("BL01001973", "an odd answer", lambda b: _struck(b, "BL01001973", "Currently, we can't create the transaction"), K.RETRY_ONCE),
    ("BL01001973", "out of balance", lambda b: b.ask(journal("4.00")), K.DATA),
    ("BL01001973", "create of an invoice where there is none", lambda b: _knobbed(b, "<create><ARINVOICE><CUSTOMERID>C1</CUSTOMERID></ARINVOICE></create>", generic_receivables=False), K.DATA),
    ("BL34000061", "a customer twice", lambda b: _twice(b, customer()), K.DUPLICATE),
    ("PL05000104", "taken, the other way", lambda b: _struck(b, "PL05000104", "The employee exists already"), K.DUPLICATE),
    ("BL03002185", "a number twice", lambda b: _twice(b, invoice()), K.DUPLICATE),
    ("BL03002128", "no number and no sequence", lambda b: _knobbed(b, invoice(""), numbering="required"), K.DATA),
    ("BL03002101", "a line without amount", lambda b: b.ask(invoice(amount="")), K.DATA),
    ("BL03001994", "an empty location", lambda b: b.ask(invoice(location="")), K.DATA),
    ("BL03000018", "a bad e-mail", lambda b: b.ask(customer(DISPLAYCONTACT="<PRINTAS>Nine</PRINTAS><EMAIL1>no mail</EMAIL1>")), K.DATA),
    ("BL03002129", "a transfer's action", lambda b: _struck(b, "BL03002129", "Action is not valid for this transfer type"), K.DATA),
    ("PL01000127", "a receipt without number", lambda b: (b.ask(invoice()), _knobbed(b, receipt("1", "1.00", ""), document_number_missing=True))[1], K.DATA),
    ("PL04000055", "an expired company", _expired, K.CONFIG),
    ("PL04000005", "no right to write", lambda b: _powerless(b, invoice(), "read"), K.PERMISSION),
    ("DL02000001", "the audit trail without the right", lambda b: _powerless(b, query("AUDITHISTORY"), "read", "write"), K.PERMISSION),
    ("DL03000005", "a key of nothing", lambda b: b.ask(receipt("999", "1.00")), K.DATA),
    ("WSP001", "a service permission", lambda b: _struck(b, "WSP001", "No permission"), K.PERMISSION),
    ("Query Failed", "readByQuery of nothing", lambda b: b.ask(OLD.format("SHOES", "*")), K.CONFIG),
    ("Invalid fields list", "readByQuery of no field", lambda b: b.ask(OLD.format("CUSTOMER", "SHOESIZE")), K.CONFIG),
]  # fmt: skip


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    with made.server:
        yield made


@pytest.mark.parametrize(
    ("number", "case", "provoke", "kind"), TABLE, ids=[f"{row[0]}: {row[1]}" for row in TABLE]
)
def test_a_number_from_the_gateway_to_the_verdict(
    bench: Bench, number: str, case: str, provoke: Provoke, kind: ErrorKind
) -> None:
    found = provoke(bench)
    assert found, case
    verdict = classify(found)
    assert verdict.kind is kind, (case, found)
    assert verdict.number.startswith(number)
    assert verdict.sentence.endswith(".")


def test_every_number_the_stand_in_knows_has_a_row() -> None:
    documented = set(re.findall(r"^`([^`]+)` {2,}", standin.__doc__ or "", re.MULTILINE))
    assert len(documented) >= 22
    assert {name.replace(" ...", "") for name in documented} - {number for number, *_ in TABLE} <= {"Invalid"}
    assert {kind for *_, kind in TABLE} == set(ErrorKind)
