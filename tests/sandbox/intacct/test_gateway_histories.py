"""Random histories of the books: balanced after every step, restored by a roll-back, told again from a state file."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.sandbox.intacct.books import Books
from tieout.sandbox.intacct.company import Company
from tieout.sandbox.intacct.refusals import BookError
from tieout.sandbox.intacct.state import StateError
from tieout.sandbox.intacct.values import money

OPERATION = st.tuples(
    st.sampled_from(
        [
            "invoice",
            "credit",
            "debit",
            "pay",
            "apply",
            "credit_pay",
            "debit_pay",
            "reverse",
            "delete",
            "edit",
            "advance",
            "sell",
            "edit_sale",
            "unsell",
            "journal",
        ]
    ),
    st.integers(0, 30),
    st.integers(1, 9000),
    st.sampled_from(["USD", "EUR", "JPY", "KWD"]),
    st.sampled_from(["100", "200"]),
)


class History:
    """Carries out drawn operations; refusals are fine, imbalance is not."""

    def __init__(self, books: Books) -> None:
        self.books = books
        books.create("CUSTOMER", {"CUSTOMERID": "C1", "NAME": "Ann"})
        books.create("ITEM", {"ITEMID": "CARD", "NAME": "Card", "ITEMTYPE": "Non-Inventory"})
        self.count = 0

    def run(self, operation: tuple[str, int, int, str, str]) -> bool:
        kind, pick, amount, currency, location = operation
        self.count += 1
        try:
            getattr(self, kind)(pick, money(amount), currency, location)
        except BookError:
            return False
        return True

    def pick(self, table: str, number: int) -> str:
        rows = list(self.books.tables[table].rows)
        return str(rows[number % len(rows)]) if rows else "0"

    def document(self, name: str, amount: str, currency: str, location: str) -> None:
        lines = [
            {"ACCOUNTNO": "4000", "TRX_AMOUNT": amount, "LOCATIONID": location},
            {
                "ACCOUNTNO": "2200",
                "TRX_AMOUNT": "-0.37" if name == "ARINVOICE" else "0.11",
                "LOCATIONID": location,
            },
        ]
        self.books.create(
            name,
            {
                "RECORDID": f"{name}-{self.count}",
                "CUSTOMERID": "C1",
                "WHENCREATED": "09/03/2026",
                "WHENDUE": "10/03/2026",
                "CURRENCY": currency,
                f"{name}ITEMS": lines,
            },
        )

    def invoice(self, pick: int, amount: str, currency: str, location: str) -> None:
        self.document("ARINVOICE", amount, currency, location)

    def credit(self, pick: int, amount: str, currency: str, location: str) -> None:
        self.document("ARADJUSTMENT", "-" + amount, currency, location)

    def debit(self, pick: int, amount: str, currency: str, location: str) -> None:
        self.document("ARADJUSTMENT", amount, currency, location)

    def debit_pay(self, pick: int, amount: str, currency: str, location: str) -> None:
        key = self.pick("ARADJUSTMENT", pick)
        target = self.books.tables["ARADJUSTMENT"].get(int(key))
        currency = target.currency if target is not None else currency
        self.money_in({"POSADJKEY": key, "TRX_PAYMENTAMOUNT": amount}, currency, location)

    def sell(self, pick: int, amount: str, currency: str, location: str) -> None:
        line = {"ITEMID": "CARD", "QUANTITY": str(pick % 4 + 1), "PRICE": amount, "LOCATIONID": location}
        self.books.create(
            "SODOCUMENT",
            {
                "TRANSACTIONTYPE": "Sales Invoice" if pick % 3 else "Sales Order",
                "CUSTOMERID": "C1",
                "WHENCREATED": "09/04/2026",
                "WHENDUE": "10/04/2026",
                "CURRENCY": currency,
                "LINES": [line],
            },
        )

    def edit_sale(self, pick: int, amount: str, currency: str, location: str) -> None:
        line = {"LINE_NUM": "1", "PRICE": amount}
        self.books.update("SODOCUMENT", self.pick("SODOCUMENT", pick), {"LINES": [line]})

    def unsell(self, pick: int, amount: str, currency: str, location: str) -> None:
        self.books.delete("SODOCUMENT", self.pick("SODOCUMENT", pick))

    def journal(self, pick: int, amount: str, currency: str, location: str) -> None:
        sides = [("1", "1201", amount), ("-1", "4900", amount if pick % 4 else "0.01")]
        entries = [
            {
                "ACCOUNTNO": account,
                "TR_TYPE": side,
                "TRX_AMOUNT": part,
                "LOCATION": location,
                "CURRENCY": currency,
            }
            for side, account, part in sides
        ]
        fields = {"JOURNAL": "GJ", "BATCH_DATE": "10/02/2026", "BATCH_TITLE": "By hand", "ENTRIES": entries}
        self.books.create("GLBATCH", fields)

    def money_in(self, detail: dict[str, str], currency: str, location: str, **more: str) -> None:
        bank = "CLR-CARD-US" if location == "100" else "CLR-CARD-EU"
        fields = {
            "FINANCIALENTITY": bank,
            "PAYMENTMETHOD": "Cash",
            "CUSTOMERID": "C1",
            "RECEIPTDATE": "10/05/2026",
        }
        self.books.create("ARPYMT", {**fields, "CURRENCY": currency, "ARPYMTDETAILS": [detail], **more})

    def pay(self, pick: int, amount: str, currency: str, location: str) -> None:
        target = self.books.tables["ARINVOICE"].get(int(self.pick("ARINVOICE", pick)))
        if target is not None:
            currency = target.currency
            if pick % 2:
                amount = money(max(target.trx_due, 0))
        detail = {"RECORDKEY": self.pick("ARINVOICE", pick), "TRX_PAYMENTAMOUNT": amount}
        extra = {"OVERPAYMENTAMOUNT": "3.33", "OVERPAYMENTLOCATIONID": location} if pick % 3 == 0 else {}
        self.money_in(detail, currency, location, **extra)

    def credit_pay(self, pick: int, amount: str, currency: str, location: str) -> None:
        invoice, credit = self.pick("ARINVOICE", pick), self.pick("ARADJUSTMENT", pick)
        target = self.books.tables["ARINVOICE"].get(int(invoice))
        currency = target.currency if target is not None else currency
        self.money_in(
            {"RECORDKEY": invoice, "ADJUSTMENTKEY": credit, "TRX_ADJUSTMENTAMOUNT": amount},
            currency,
            location,
        )

    def advance(self, pick: int, amount: str, currency: str, location: str) -> None:
        bank = "BANK-US" if location == "100" else "BANK-EU"
        fields = {
            "FINANCIALENTITY": bank,
            "PAYMENTMETHOD": "EFT",
            "CUSTOMERID": "C1",
            "RECEIPTDATE": "09/30/2026",
        }
        self.books.create(
            "ARADVANCE", {**fields, "CURRENCY": currency, "ARADVANCEITEMS": [{"TRX_AMOUNT": amount}]}
        )

    def apply(self, pick: int, amount: str, currency: str, location: str) -> None:
        detail = {"RECORDKEY": self.pick("ARINVOICE", pick), "TRX_PAYMENTAMOUNT": amount}
        self.books.apply(self.pick("ARPYMT", pick), {"PAYMENTDATE": "10/06/2026", "ARPYMTDETAILS": [detail]})

    def reverse(self, pick: int, amount: str, currency: str, location: str) -> None:
        table = ("ARINVOICE", "ARADJUSTMENT", "ARPYMT")[pick % 3]
        self.books.reverse(table, self.pick(table, pick), {"DATEREVERSED": "10/20/2026"})

    def delete(self, pick: int, amount: str, currency: str, location: str) -> None:
        table = ("ARINVOICE", "ARADJUSTMENT", "ARPYMT")[pick % 3]
        self.books.delete(table, self.pick(table, pick))

    def edit(self, pick: int, amount: str, currency: str, location: str) -> None:
        rows = [{"LINE_NO": "1", "TRX_AMOUNT": amount}]
        self.books.update(
            "ARINVOICE", self.pick("ARINVOICE", pick), {"CURRENCY": currency, "ARINVOICEITEMS": rows}
        )


def proven(books: Books) -> None:
    trial, open_items = books.trial_balance(), books.subledger()
    for entity in ("E100", "E200"):
        accounts = trial.get(entity, {})
        assert sum(accounts.values()) == 0
        assert accounts.get("1100", 0) == open_items.get(entity, 0)
    for name in ("ARINVOICE", "ARADJUSTMENT"):
        for one in books.tables[name]:
            assert one.trx_total == sum(line.trx_amount for line in one.lines)
            assert one.trx_paid == sum(line.trx_paid for line in one.lines)
            assert one.paid == sum(line.paid for line in one.lines)
            assert (one.state == "Paid") == (one.trx_paid == one.trx_total and one.state != "Reversed")
            if one.state == "Paid":
                assert one.paid == one.total
    for receipt in books.tables["ARPYMT"]:
        assert receipt.trx_unapplied >= 0
        if receipt.trx_unapplied == 0:
            assert receipt.unapplied == 0


@given(st.lists(OPERATION, min_size=4, max_size=40))
@settings(max_examples=120, deadline=None, derandomize=True)
def test_books_balance_after_any_history(operations) -> None:
    books = Books(Company.load(None))
    history = History(books)
    history.run(("invoice", 0, 5000, "EUR", "100"))
    for operation in operations:
        history.run(operation)
        proven(books)
    assert books.journal.entries == []


@given(st.lists(OPERATION, min_size=3, max_size=20), st.lists(OPERATION, min_size=1, max_size=8))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_roll_back_restores_every_history(before, after) -> None:
    from tieout.sandbox.intacct.dump import ledger

    books = Books(Company.load(None))
    history = History(books)
    for operation in before:
        history.run(operation)
    snapshot = ledger(books)
    books.keep_journal = True
    for operation in after:
        history.run(operation)
    books.journal.roll_back()
    assert ledger(books) == snapshot


@given(st.lists(OPERATION, min_size=3, max_size=15))
@settings(max_examples=8, deadline=None, derandomize=True)
def test_state_file_tells_the_same_story(tmp_path_factory, operations) -> None:
    from tieout.sandbox.intacct.gateway import Gateway

    path = tmp_path_factory.mktemp("state") / "books.jsonl"
    first = Gateway(Company.load(None), state_file=path)
    history = History(first.books)
    for operation in operations:
        history.run(operation)
    first.books.set_stock("MUG-1", "wh-east", "3")
    second = Gateway(Company.load(None), state_file=path)
    assert second.restored
    assert second.ledger() == first.ledger()
    third = Gateway(Company.load(None), state_file=path)
    assert third.ledger() == first.ledger(), "reading the state does not write it again"


def test_state_file_keeps_control_ids_and_survives_a_cut_line(make, create_invoice, tmp_path) -> None:
    path = tmp_path / "books.jsonl"
    client = make(state_file=path)
    client.customer()
    client.call(create_invoice("A"), create_invoice("X", customer="GHOST"), ids=["i", "j"])
    client.call(create_invoice("B"), create_invoice("X", customer="GHOST"), ids=["k", "l"], transaction=True)
    with path.open("a") as file:
        file.write('{"op":"create","obj')
    again = make(state_file=path)
    assert [one["recordid"] for one in again.gateway.ledger()["invoices"]] == ["A"]
    assert again.gateway.ledger()["metered"] == {"2026-11": {"writes": 1, "reads": 0}}
    assert "already been used" in again.call(create_invoice("A"), ids=["i"]).texts[0]
    assert again.call(create_invoice("B"), ids=["k"]).statuses == ["success"]
    assert all(json.loads(line) for line in path.read_text().splitlines())
    path.write_text("nonsense\n")
    with pytest.raises(StateError, match="Line 1 of the state file"):
        make(state_file=path)
