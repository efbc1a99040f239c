"""The client against the stand-in gateway with real books, over real HTTP, faults included.

What is believed about each post is held against the gateway's own ledger: nothing twice, nothing lost, nothing claimed that is not there.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from tieout.connectors.http import RetryPolicy
from tieout.connectors.intacct.amendments import (
    InvoiceChange,
    LineChange,
    ReceiptApplication,
    SalesChange,
    SalesLineChange,
)
from tieout.connectors.intacct.classify import ErrorKind
from tieout.connectors.intacct.documents import (
    Application,
    CreditApplication,
    CreditMemo,
    Customer,
    CustomerUpdate,
    Invoice,
    Journal,
    JournalLine,
    Line,
    Receipt,
    Reversal,
    SalesDocument,
    SalesLine,
    StockLine,
    StockTransaction,
)
from tieout.connectors.intacct.gateway import Intacct
from tieout.connectors.intacct.outcomes import Accepted, RefusedByIntacct, Unknown
from tieout.errors import Refused, Throttled
from tieout.sandbox.faults import FaultBoard
from tieout.sandbox.intacct.company import Company
from tieout.sandbox.intacct.gateway import Gateway
from tieout.sandbox.server import Server

D = Decimal
NOW = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)
STYLES = {
    "legacy": {Customer: "legacy", Invoice: "legacy", CreditMemo: "legacy", Receipt: "legacy"},
    "generic": {Customer: "generic", Invoice: "generic", CreditMemo: "generic", Receipt: "generic"},
}


class World:
    def __init__(self) -> None:
        self.now = NOW
        self.board = FaultBoard()
        self.gateway = Gateway(Company.load(), self.board, lambda: self.now)
        self.server = Server(self.gateway, 0, self.board)
        self.spent: list[tuple[str, int]] = []
        self.kept = []
        self.clients: list[Intacct] = []

    def connect(self, **options) -> Intacct:
        client = Intacct(
            **{
                "endpoint": f"{self.server.url}/ia/xml/xmlgw.phtml",
                "sender_id": "tieout_mpp",
                "sender_password": "demo-sender-secret",
                "company_id": "TIEOUTDEMO",
                "user_id": "sync",
                "user_password": "demo-user-secret",
                "archive": self.kept.append,
                "meter": lambda kind, count: self.spent.append((kind, count)),
                "http_options": {
                    "timeout": (2, 2),
                    "policy": RetryPolicy(attempts=3, base_seconds=0.01, budget_seconds=20),
                    "sleep": lambda _: None,
                },
                **options,
            }
        )
        self.clients.append(client)
        return client

    def fault(self, kind: str, **options) -> None:
        self.board.add({"app": "intacct", "kind": kind, **options})

    def numbers(self, kind: str = "invoices") -> list[str]:
        ledger = json.loads(json.dumps(self.gateway.ledger(), default=str))
        return sorted(row["recordid"] for row in ledger[kind])


@pytest.fixture
def world():
    made = World()
    with made.server:
        yield made
        for client in made.clients:
            client.close()


def _customer(number=1):
    return Customer(
        customer_id=f"WEB-{number:05d}",
        name=f"Ana Müller {number}",
        email=f"ana{number}@example.com",
        terms="Net 30",
    )


def _invoice(number=1, entity_location="100", currency="USD", amount="59.90", **changes):
    values = {
        "number": f"SA-{number}",
        "customer_id": "WEB-00001",
        "invoiced_on": date(2026, 10, 1),
        "terms": "Net 30",
        "reference": f"ORD-{number}",
        "currency": currency,
        "base_currency": "USD" if entity_location == "100" else "EUR",
        "lines": (
            Line(amount=D(amount), account="4000", memo="2 x <MUG> & co", location=entity_location),
            Line(amount=D("6.50"), account="4100", memo="Shipping", location=entity_location),
        ),
    }
    return Invoice(**{**values, **changes})


def _key(outcome, control_id):
    result = outcome.results[control_id]
    assert isinstance(result, Accepted), result
    return int(result.key)


def _with_customer(client, entity="E100"):
    outcome = client.post([("cust:1", _customer())])
    assert isinstance(outcome.results["cust:1"], Accepted), outcome.results["cust:1"]
    return client


@pytest.mark.parametrize("style", ["legacy", "generic"])
def test_customer_invoice_receipt_credit_memo(world, style):
    client = _with_customer(world.connect(styles=STYLES[style]))
    first = client.post([("i1", _invoice(1)), ("i2", _invoice(2, amount="10.00"))], entity="E100")
    one, two = _key(first, "i1"), _key(first, "i2")
    receipt = Receipt(
        customer_id="WEB-00001", received_on=date(2026, 10, 2), amount=D("70.00"), method="Credit Card", currency="USD",
        financial_entity="CLR-CARD-US", reference="ch_1",
        applications=(Application(invoice_key=one, amount=D("66.40")), Application(invoice_key=two, amount=D("3.60"))),
    )  # fmt: skip
    memo = CreditMemo(
        number="CM-1", customer_id="WEB-00001", issued_on=date(2026, 10, 5), reference="SA-2", currency="USD", base_currency="USD",
        lines=(Line(amount=D("5.00"), account="4900", location="100"),),
    )  # fmt: skip
    second = client.post([("r", receipt), ("m", memo)], entity="E100")
    assert set(second.of(Accepted)) == {"r", "m"}, second.results
    found = client.find(
        "ARINVOICE", "RECORDID", ["SA-1", "SA-2", "SA-3"], entity="E100",
        fields=["TRX_TOTALENTERED", "TRX_TOTALPAID", "TRX_TOTALDUE", "STATE", "DOCNUMBER", "MEGAENTITYID"],
    )  # fmt: skip
    assert found["SA-3"] == []
    paid, partly = found["SA-1"][0], found["SA-2"][0]
    assert paid["RECORDNO"] == one
    assert (D(paid["TRX_TOTALENTERED"]), D(paid["TRX_TOTALDUE"]), paid["STATE"]) == (D("66.40"), 0, "Paid")
    assert (D(partly["TRX_TOTALPAID"]), D(partly["TRX_TOTALDUE"])) == (D("3.60"), D("12.90"))
    assert (paid["DOCNUMBER"], paid["MEGAENTITYID"]) == ("ORD-1", "E100")
    adjustment = client.find("ARADJUSTMENT", "RECORDID", ["CM-1"], fields=["TRX_TOTALENTERED"], entity="E100")
    assert D(adjustment["CM-1"][0]["TRX_TOTALENTERED"]) == D("-5.00")
    assert client.find("ARPYMT", "DOCNUMBER", ["ch_1"], fields=["TRX_TOTALENTERED"], entity="E100")["ch_1"]
    applied = Receipt(
        customer_id="WEB-00001", received_on=date(2026, 10, 6), amount=D(0), method="EFT", currency="USD",
        financial_entity="CLR-CARD-US", reference="apply-1",
        applications=(CreditApplication(invoice_key=two, credit_key=adjustment["CM-1"][0]["RECORDNO"], amount=D("5.00")),),
    )  # fmt: skip
    third = client.post([("a", applied)], entity="E100", styles={Receipt: "generic"})
    assert isinstance(third.results["a"], Accepted), third.results
    left = client.find("ARINVOICE", "RECORDID", ["SA-2"], fields=["TRX_TOTALDUE"], entity="E100")["SA-2"][0]
    assert D(left["TRX_TOTALDUE"]) == D("7.90")
    assert sum(count for kind, count in world.spent if kind == "write") == 6


def test_two_entities_two_sessions_two_currencies(world):
    client = _with_customer(world.connect())
    us = client.post([("us", _invoice(1))], entity="E100")
    eu = client.post([("eu", _invoice(2, "200", "EUR", rate_type="Intacct Daily Rate"))], entity="E200")
    _key(us, "us"), _key(eu, "eu")
    crossed = client.post([("x", _invoice(3, "200", "EUR"))], entity="E100").results["x"]
    assert isinstance(crossed, RefusedByIntacct), crossed
    assert client.sign_ins == 3
    rows = client.find("ARINVOICE", "RECORDID", ["SA-1", "SA-2"], fields=["MEGAENTITYID", "CURRENCY"])
    assert {rows[number][0]["MEGAENTITYID"] for number in rows} == {"E100", "E200"}


def test_reading_back_in_pages_is_whole(world):
    client = _with_customer(world.connect())
    for start in range(0, 250, 50):
        outcome = client.post([(f"i{n}", _invoice(n)) for n in range(start, start + 50)], entity="E100")
        assert len(outcome.of(Accepted)) == 50
    pages = list(
        client.read_range(
            "ARINVOICE", fields=["RECORDID", "TRX_TOTALENTERED", "WHENMODIFIED", "NOSUCHFIELD"], page_size=40
        )
    )
    assert [len(page.records) for page in pages] == [40] * 6 + [10]
    numbers = [json.loads(record.payload)["RECORDID"] for page in pages for record in page.records]
    assert sorted(numbers) == world.numbers()
    refs = [int(record.native_ref) for page in pages for record in page.records]
    assert refs == sorted(set(refs))
    assert pages[0].records[0].updated_at == NOW
    assert json.loads(pages[0].records[0].payload)["TRX_TOTALENTERED"] == "66.40"
    assert any("NOSUCHFIELD" in note for note in client.notes)
    assert client.count("ARINVOICE") == 250
    world.now += timedelta(days=1)
    client.post([("late", _invoice(999))], entity="E100")
    changed = client.read_range(
        "ARINVOICE", fields=["RECORDID"], changed_since=world.now - timedelta(hours=1)
    )
    assert [json.loads(record.payload)["RECORDID"] for page in changed for record in page.records] == [
        "SA-999"
    ]
    odd = list(client.read_range("ARINVOICE", fields=["RECORDID", "INVOICENO", "DATEDUE"]))
    assert set(json.loads(odd[0].records[0].payload)) == {"RECORDNO", "RECORDID"}
    assert any("INVOICENO" in note for note in client.notes)
    lines = list(client.read_range("ARINVOICEITEM", fields=["RECORDKEY", "TRX_AMOUNT", "ACCOUNTNO"]))
    assert sum(len(page.records) for page in lines) == 502


@pytest.mark.parametrize("level", ["result", "operation"])
def test_a_replay_is_unknown_and_read_back_finds_it(world, level):
    client = _with_customer(world.connect())
    client.post([("i1", _invoice(1))], entity="E100")
    if level == "operation":
        world.fault("replay_shape", level="operation", times=None)
    again = client.post([("i1", _invoice(1)), ("i2", _invoice(2))], entity="E100")
    assert isinstance(again.results["i1"], Unknown), again.results
    assert client.find("ARINVOICE", "RECORDID", ["SA-1"], fields=[], entity="E100")["SA-1"]
    assert world.numbers().count("SA-1") == 1


def test_a_line_cut_after_the_commit_is_unknown_not_repeated(world):
    client = _with_customer(world.connect())
    world.fault("cut_after", match="create_invoice")
    outcome = client.post([(f"i{n}", _invoice(n)) for n in range(3)], entity="E100")
    assert len(outcome.of(Unknown)) == 3
    assert world.numbers() == ["SA-0", "SA-1", "SA-2"]
    back = client.find(
        "ARINVOICE", "RECORDID", ["SA-0", "SA-1", "SA-2"], fields=["TRX_TOTALENTERED"], entity="E100"
    )
    assert all(len(rows) == 1 for rows in back.values())


@pytest.mark.parametrize("kind", ["server_error", "truncate", "garbage", "wrong_charset", "cut_before"])
def test_other_lost_answers_are_unknown_too(world, kind):
    client = _with_customer(world.connect())
    world.fault(kind, match="create_invoice")
    outcome = client.post([("i1", _invoice(1))], entity="E100")
    assert isinstance(outcome.results["i1"], Unknown)
    assert len(world.numbers()) <= 1


def test_throttling_is_waited_for_and_then_said(world):
    client = _with_customer(world.connect())
    world.fault("throttle", times=2, match="create_invoice")
    _key(client.post([("i1", _invoice(1))], entity="E100"), "i1")
    world.fault("throttle", times=None, match="create_invoice")
    with pytest.raises(Throttled):
        client.post([("i2", _invoice(2))], entity="E100")
    assert world.numbers() == ["SA-1"]


def test_sessions_expire_and_are_replaced(world):
    client = _with_customer(world.connect())
    _key(client.post([("i1", _invoice(1))], entity="E100"), "i1")
    world.fault("expire_session")
    _key(client.post([("i2", _invoice(2))], entity="E100"), "i2")
    assert client.sign_ins == 3
    assert world.numbers() == ["SA-1", "SA-2"]


def test_wrong_credentials_and_entities(world):
    for options in ({"user_password": "wrong-one"}, {"sender_password": "wrong-one"}, {"company_id": "NOPE"}):
        client = world.connect(**options)
        for _ in range(3):
            with pytest.raises(Refused):
                client.post([("cust:1", _customer())])
        assert client.sign_ins == 1
    with pytest.raises(Refused, match="entity"):
        world.connect().post([("c", _customer())], entity="E999")


def test_refusals_by_kind(world):
    client = _with_customer(world.connect())
    client.post([("i1", _invoice(1))], entity="E100")
    bad_line = (Line(amount=D(1), account="9999", location="100"),)
    batch = {
        "same number": (_invoice(1), ErrorKind.DUPLICATE),
        "closed": (_invoice(3, invoiced_on=date(2026, 8, 15)), ErrorKind.CLOSED_PERIOD),
        "nobody": (_invoice(4, customer_id="NOBODY"), ErrorKind.DATA),
        "account": (_invoice(5, lines=bad_line), ErrorKind.DATA),
        "no location": (_invoice(6, lines=(Line(amount=D(1), account="4000"),)), None),
        "fine": (_invoice(7), None),
    }
    outcome = client.post([(name, document) for name, (document, _) in batch.items()], entity="E100")
    for name, (_, kind) in batch.items():
        if kind is not None:
            refused = outcome.results[name]
            assert isinstance(refused, RefusedByIntacct), (name, refused)
            assert refused.kind is kind, (name, refused)
    assert isinstance(outcome.results["fine"], Accepted)
    duplicate = client.post([("c2", _customer())]).results["c2"]
    assert isinstance(duplicate, RefusedByIntacct)
    assert duplicate.kind is ErrorKind.DUPLICATE
    over = Receipt(
        customer_id="WEB-00001", received_on=date(2026, 10, 2), amount=D("1000.00"), method="EFT", currency="USD",
        financial_entity="CLR-CARD-US", reference="too-much",
        applications=(Application(invoice_key=_key(client.post([("i8", _invoice(8))], entity="E100"), "i8"), amount=D("1000.00")),),
    )  # fmt: skip
    refused = client.post([("over", over)], entity="E100").results["over"]
    assert isinstance(refused, RefusedByIntacct)
    assert refused.number == "XL03000027"


def test_a_transaction_goes_again_without_its_culprit(world):
    client = _with_customer(world.connect(transaction=True))
    batch = [("a", _invoice(1)), ("bad", _invoice(2, customer_id="NOBODY")), ("c", _invoice(3))]
    outcome = client.post(batch, entity="E100")
    assert set(outcome.of(Accepted)) == {"a", "c"}, outcome
    assert isinstance(outcome.results["bad"], RefusedByIntacct)
    assert world.numbers() == ["SA-1", "SA-3"]
    world.fault("roll_back_all")
    outcome = client.post([("d", _invoice(4)), ("e", _invoice(5))], entity="E100")
    assert {result.kind for result in outcome.results.values()} == {ErrorKind.ROLLED_BACK}
    assert world.numbers() == ["SA-1", "SA-3"]


def test_half_failing_answers_are_tried_once_more(world):
    client = _with_customer(world.connect())
    world.fault("half_fail", nth=2)
    outcome = client.post([(f"i{n}", _invoice(n)) for n in range(6)], entity="E100")
    assert len(outcome.of(Accepted)) == 6, outcome.results
    assert world.numbers() == [f"SA-{n}" for n in range(6)]
    assert outcome.requests == 2


def test_update_reverse_and_what_the_company_says(world):
    client = _with_customer(world.connect())
    key = _key(client.post([("i1", _invoice(1))], entity="E100"), "i1")
    for style in ("legacy", "generic"):
        change = CustomerUpdate(customer_id="WEB-00001", email=f"{style}@example.com")
        outcome = client.post([(f"u-{style}", change)], styles={CustomerUpdate: style})
        assert isinstance(outcome.results[f"u-{style}"], Accepted), outcome.results
    reverse = client.post(
        [("rev", Reversal(of="invoice", key=key, reversed_on=date(2026, 10, 9)))], entity="E100"
    )
    assert isinstance(reverse.results["rev"], Accepted), reverse.results
    row = client.find("ARINVOICE", "RECORDID", ["SA-1"], fields=["STATE"], entity="E100")["SA-1"][0]
    assert row["STATE"] == "Reversed"
    assert client.ping() == []
    assert client.closed_through("E100") == date(2026, 8, 31)
    assert "TRX_TOTALENTERED" in client.fields("ARINVOICE")
    assert client.learn_limits(["ARINVOICE", "CUSTOMER"]).lengths["Invoice.number"] >= 20
    assert client.stock_totals(entity="E100") == []


def test_deletions_are_told(world):
    client = _with_customer(world.connect())
    key = _key(client.post([("i1", _invoice(1))], entity="E100"), "i1")
    world.gateway.tamper({"op": "delete", "object": "ARINVOICE", "recordno": key})
    gone = list(client.deletions("ARINVOICE", since=NOW))
    assert [deletion.key for deletion in gone] == [str(key)]
    assert gone[0].deleted_at == NOW


def test_a_read_only_user_is_refused_as_permission(world):
    _with_customer(world.connect())
    auditor = world.connect(user_id="auditor", user_password="demo-auditor-secret")
    refused = auditor.post([("i1", _invoice(1))], entity="E100").results["i1"]
    assert isinstance(refused, RefusedByIntacct)
    assert refused.kind is ErrorKind.PERMISSION


def test_nothing_secret_in_the_archive_and_everything_else_in_it(world):
    client = _with_customer(world.connect())
    client.post([("i1", _invoice(1))], entity="E100")
    client.count("ARINVOICE")
    whole = b"".join(exchange.request + exchange.reply for exchange in world.kept).decode()
    sessions = {session.session_id for session in client._sessions._live.values()}
    assert sessions
    for secret in {"demo-sender-secret", "demo-user-secret", *sessions}:
        assert secret not in whole
    for word in ("SA-1", "create_invoice", "WEB-00001", "COUNT.RECORDNO"):
        assert word in whole
    assert all(exchange.status == 200 and exchange.at.tzinfo for exchange in world.kept)


def test_journals_orders_and_stock_movements(world):
    client = _with_customer(world.connect())
    for item in ("MUG", "CUP"):
        world.gateway.books.create("ITEM", {"ITEMID": item, "NAME": item, "ITEMTYPE": "Inventory"}, None)
    journal = Journal(
        journal="GJ", posted_on=date(2026, 10, 31), title="Gateway fees", reference="po_77",
        lines=(
            JournalLine(account="6990", amount=D("12.34"), memo="fees", location="100", currency="USD", rate_type=""),
            JournalLine(account="1201", amount=D("-12.34"), memo="fees", location="100", currency="USD", rate_type=""),
        ),
    )  # fmt: skip
    for style in ("legacy", "generic"):
        outcome = client.post([(f"j-{style}", journal)], entity="E100", styles={Journal: style})
        assert isinstance(outcome.results[f"j-{style}"], Accepted), outcome.results
    moved = StockTransaction(
        definition="Inventory Adjustment Increase", moved_on=date(2026, 10, 1),
        lines=(StockLine(item="MUG", warehouse="wh-east", quantity=D(5), unit="Each"),),
    )  # fmt: skip
    order = SalesDocument(
        definition="Sales Order", customer_id="WEB-00001", ordered_on=date(2026, 10, 1), terms="Net 30", number="SO-1",
        lines=(SalesLine(item="MUG", quantity=D(2), price=D("29.95"), unit="Each", warehouse="wh-east", location="100"),),
    )  # fmt: skip
    outcome = client.post([("ic", moved), ("so", order)], entity="E100")
    assert set(outcome.of(Accepted)) == {"ic", "so"}, outcome.results
    assert outcome.results["so"] == Accepted("Sales Order-SO-1")
    stock = client.stock_totals(item_id="MUG")
    assert {(row["WAREHOUSEID"], row["TOTALNAME"]) for row in stock} >= {("wh-east", "ONHAND")}
    assert D(next(row["QUANTITY"] for row in stock if row["TOTALNAME"] == "ONHAND")) == 5


def test_an_invoice_is_changed_line_by_line_and_lines_are_added(world):
    client = _with_customer(world.connect(), entity=None)
    key = _key(client.post([("inv", _invoice())]), "inv")
    change = InvoiceChange(
        key=key,
        reference="ORD-2",
        changed_lines=(LineChange(line_no=2, amount=D("7.00")),),
        added_lines=(Line(amount=D("1.00"), account="4200", location="100"),),
    )
    assert client.post([("change", change)]).results["change"] == Accepted(str(key))
    row = client.find("ARINVOICE", "RECORDID", ["SA-1"], fields=["TRX_TOTALENTERED", "DOCNUMBER"])["SA-1"][0]
    assert (row["TRX_TOTALENTERED"], row["DOCNUMBER"]) == ("67.90", "ORD-2")
    nowhere = InvoiceChange(key=key, changed_lines=(LineChange(line_no=9, amount=D(1)),))
    assert isinstance(client.post([("nowhere", nowhere)]).results["nowhere"], RefusedByIntacct)
    nothing = client.post([("nothing", InvoiceChange(key=key))]).results["nothing"]
    assert "changes nothing" in nothing.sentence
    assert not nothing.is_sent


def test_money_on_account_is_applied_later_and_given_back_when_reversed(world):
    client = _with_customer(world.connect(), entity=None)
    key = _key(client.post([("inv", _invoice())]), "inv")
    advance = Receipt(
        customer_id="WEB-00001", received_on=date(2026, 10, 2), amount=D("80.00"), method="Credit Card",
        financial_entity="CLR-CARD-US", reference="ch_1", overpayment_location="100",
    )  # fmt: skip
    held = _key(client.post([("adv", advance)], styles={Receipt: "legacy"}), "adv")
    assert world.gateway.books.tables["ARPYMT"].get(held).recordtype == "rr"
    applied = ReceiptApplication(
        key=held,
        applied_on=date(2026, 10, 3),
        applications=(Application(amount=D("66.40"), invoice_key=key),),
    )
    assert isinstance(client.post([("app", applied)]).results["app"], Accepted)
    invoice = world.gateway.books.tables["ARINVOICE"].get(key)
    assert (invoice.state, world.gateway.books.tables["ARPYMT"].get(held).trx_unapplied) == ("Paid", 1360)
    too_much = ReceiptApplication(
        key=held, applied_on=date(2026, 10, 3), applications=(Application(amount=D("99"), invoice_key=key),)
    )
    assert isinstance(client.post([("much", too_much)]).results["much"], RefusedByIntacct)
    back = Reversal(of="receipt", key=held, reversed_on=date(2026, 10, 5))
    assert isinstance(client.post([("back", back)]).results["back"], Accepted)
    assert invoice.state == "Posted"


def test_an_order_is_sold_in_parts_and_an_edit_gives_a_new_receivable(world):
    client = _with_customer(world.connect(), entity=None)
    books = world.gateway.books
    books.create("ITEM", {"ITEMID": "CARD", "NAME": "Card", "ITEMTYPE": "Non-Inventory"}, None)
    line = SalesLine(item="CARD", quantity=D(3), price=D("4.50"), location="100")
    terms = {"customer_id": "WEB-00001", "ordered_on": date(2026, 10, 1), "terms": "Net 30"}
    order = SalesDocument(definition="Sales Order", number="O-1", lines=(line,), **terms)
    posted = client.post([("order", order)]).results["order"]
    assert posted == Accepted("Sales Order-O-1")
    source = books.order_numbers["Sales Order-O-1"].lines[0].recordno
    for number, quantity in (("I-1", 1), ("I-2", 2), ("I-3", 1)):
        part = SalesLine(
            item="CARD", quantity=D(quantity), price=D("4.50"), location="100", source_line_key=source
        )
        invoice = SalesDocument(
            definition="Sales Invoice", number=number, created_from="Sales Order-O-1", lines=(part,), **terms
        )
        found = client.post([(number, invoice)]).results[number]
        assert isinstance(found, Accepted) is (number != "I-3"), "one more than was ordered is refused"
    rows = client.find("ARINVOICE", "RECORDID", ["I-1", "I-2"], fields=["TRX_TOTALENTERED"])
    assert [rows[number][0]["TRX_TOTALENTERED"] for number in ("I-1", "I-2")] == ["4.50", "9.00"]
    before = rows["I-1"][0]["RECORDNO"]
    edit = SalesChange(key="Sales Invoice-I-1", changed_lines=(SalesLineChange(line_no=1, price=D("5.00")),))
    assert isinstance(client.post([("edit", edit)]).results["edit"], Accepted)
    after = client.find("ARINVOICE", "RECORDID", ["I-1"], fields=["TRX_TOTALENTERED"])["I-1"]
    assert [(row["TRX_TOTALENTERED"], row["RECORDNO"] != before) for row in after] == [("5.00", True)]
    assert [one.key for one in client.deletions("ARINVOICE", since=NOW - timedelta(days=1))] == [str(before)]
