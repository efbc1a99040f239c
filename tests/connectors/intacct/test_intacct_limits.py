"""What is said about a document before it is sent: one drawn case per rule."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from msgspec.structs import replace

from tieout.connectors.intacct import amendments, documents
from tieout.connectors.intacct.documents import Application, CreditApplication, Journal, JournalLine, Line
from tieout.connectors.intacct.limits import LENGTHS, Limits, check

D = Decimal


def test_good_documents_pass(samples):
    for document in (samples.customer(), samples.invoice(), samples.credit_memo(), samples.receipt()):
        assert check(document) == []


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda s: s.customer(customer_id="9b2f0c1e-4d5a-4f6b-8c7d-0123456789ab"),
            "36 characters, Intacct takes 20",
        ),
        (lambda s: s.customer(customer_id=" "), "customer id is empty"),
        (lambda s: s.customer(customer_id="a&b"), "letters, digits"),
        (lambda s: s.customer(name=""), "name is empty"),
        (lambda s: s.customer(email="nobody"), "not an e-mail address"),
        (lambda s: s.customer(currency="usd"), "three capitals"),
        (lambda s: s.customer(address=documents.Address(line1="x" * 81)), "81 characters, Intacct takes 80"),
        (lambda s: s.customer(custom={"1 bad": "x"}), "integration name"),
        (lambda s: s.customer(custom={"A": 1.5}), "text, a decimal, a date"),
        (lambda s: s.invoice(number="A" * 31), "31 characters, Intacct takes 30"),
        (lambda s: s.invoice(number="A#1?'"), "# ' ?"),
        (lambda s: s.invoice(number=""), "number is empty"),
        (lambda s: s.invoice(reference="x" * 21), "Intacct takes 20"),
        (lambda s: s.invoice(due_on=None), "due date or payment terms"),
        (lambda s: s.invoice(lines=()), "no line"),
        (lambda s: s.invoice(lines=(Line(amount=D(1)),)), "exactly one"),
        (lambda s: s.invoice(lines=(Line(amount=D(1), account="1", label="x"),)), "exactly one"),
        (lambda s: s.invoice(lines=(Line(amount=D(1), account="1", location=""),)), "location is missing"),
        (lambda s: s.invoice(lines=(Line(amount=D("NaN"), account="1"),)), "not an amount"),
        (lambda s: s.invoice(lines=(Line(amount=D("Infinity"), account="1"),)), "not an amount"),
        (lambda s: s.invoice(lines=(Line(amount=D("1e20"), account="1"),)), "too large"),
        (lambda s: s.invoice(lines=(Line(amount=D("1.001"), account="1"),)), "more than two decimals"),
        (lambda s: s.invoice(rate=D("1.1"), rate_type="x"), "never both"),
        (lambda s: s.invoice(rate=D(0)), "above zero"),
        (lambda s: s.invoice(currency=None, rate_type="x"), "needs a currency"),
        (lambda s: s.credit_memo(lines=(Line(amount=D(-1), account="1"),)), "amounts of a memo are positive"),
        (lambda s: s.receipt(financial_entity=None), "exactly one of bank"),
        (lambda s: s.receipt(undeposited_account="1"), "exactly one of bank"),
        (lambda s: s.receipt(method="Bitcoin"), "not a payment method"),
        (lambda s: s.receipt(amount=D("66.39")), "sum to 66.40, the receipt is 66.39"),
        (lambda s: s.receipt(applications=(), amount=D(0)), "moves nothing"),
        (
            lambda s: s.receipt(amount=D(-1), applications=(Application(invoice_key=1, amount=D(-1)),)),
            "above zero",
        ),
        (lambda s: s.receipt(applications=(Application(amount=D("66.40")),)), "an invoice or a debit memo"),
    ],
)
def test_each_rule(samples, make, words):
    assert any(words in sentence for sentence in check(make(samples))), check(make(samples))


def test_styles_of_receipts(samples):
    on_account = samples.receipt(applications=(), amount=D(5))
    assert check(on_account, style="legacy") == []
    assert "ARPYMT needs an invoice" in check(on_account, style="generic")[0]
    long = samples.receipt(reference="ch_3MtwBwLkdIwHu7ix28a3tqPa")
    assert "27 characters, the legacy function takes 20" in check(long, style="legacy")[0]
    assert check(long, style="generic") == []
    assert check(long, Limits().learned("ARPYMT", {"DOCNUMBER": 20}), style="generic")
    credit = samples.receipt(
        amount=D(0), applications=(CreditApplication(invoice_key=1, credit_key=2, amount=D(5)),)
    )
    assert check(credit, style="generic") == []
    assert "generic style" in check(credit, style="legacy")[0]


def test_journals_balance():
    lines = (JournalLine(account="1", amount=D(5)), JournalLine(account="2", amount=D("-4.99")))
    journal = Journal(journal="GJ", posted_on=date(2026, 1, 2), title="t", lines=lines)
    assert "differ by 0.01" in check(journal)[0]
    assert "at least two" in check(replace(journal, lines=lines[:1]))[0]
    assert any("later" in sentence for sentence in check(replace(journal, reverse_on=date(2026, 1, 2))))


def test_the_companys_own_lengths_win(samples):
    long = samples.invoice(number="A" * 40, reference="x" * 30)
    assert len(check(long)) == 2
    learned = Limits().learned("ARINVOICE", {"RECORDID": 45, "DOCNUMBER": 30, "UNKNOWN": 3, "TERMNAME": 0})
    assert check(long, learned) == []
    assert check(long) != [], "the nominal limits are not touched"
    needs = Limits(location_required=True)
    assert "several entities" in check(samples.invoice(lines=(Line(amount=D(1), account="1"),)), needs)[0]


def test_every_length_names_a_field_that_exists():
    for name in LENGTHS:
        kind, field = name.split(".")
        kind = "CreditMemo" if kind == "Memo" else kind
        home = documents if hasattr(documents, kind) else amendments
        assert field in getattr(home, kind).__struct_fields__, name


def test_a_journal_balances_in_every_entity_that_is_known():
    lines = (
        JournalLine(account="1201", amount=D("5.00"), location="100"),
        JournalLine(account="4900", amount=D("-5.00"), location="200"),
    )
    entry = Journal(journal="GJ", posted_on=date(2026, 9, 1), title="Fees", lines=lines)
    assert check(entry) == [], "nobody said which entity a location belongs to"
    known = Limits(entity_of={"100": "E100", "200": "E200"}).learned("CUSTOMER", {})
    assert [sentence.split(";")[0] for sentence in check(entry, known)] == [
        "journal 'Fees': debits and credits of entity E100 differ by 5.00",
        "journal 'Fees': debits and credits of entity E200 differ by -5.00",
    ]
    assert check(entry, Limits(entity_of={"100": "E100", "200": "E100"})) == []
    assert check(entry, Limits(entity_of={"100": "E100"})) == []
    assert check(replace(entry, base_location="100"), known) == []
