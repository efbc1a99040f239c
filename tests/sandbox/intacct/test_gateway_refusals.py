"""Every documented error number is produced, with its text, and leaves no trace in the books."""

from __future__ import annotations

import pytest

CUSTOMER = "<create><CUSTOMER><CUSTOMERID>{0}</CUSTOMERID><NAME>N</NAME>{1}</CUSTOMER></create>"
ARINVOICE = (
    "<create><ARINVOICE><RECORDID>{number}</RECORDID><CUSTOMERID>{customer}</CUSTOMERID><WHENCREATED>{on}</WHENCREATED>"
    "<WHENDUE>12/01/2026</WHENDUE>{more}<ARINVOICEITEMS><ARINVOICEITEM><ACCOUNTNO>{account}</ACCOUNTNO>{amount}"
    "<LOCATIONID>{location}</LOCATIONID>{line}</ARINVOICEITEM></ARINVOICEITEMS></ARINVOICE></create>"
)


def arinvoice(**changes: str) -> str:
    usual = {
        "number": "N-1",
        "customer": "C1",
        "on": "09/03/2026",
        "more": "",
        "account": "4000",
        "location": "100",
    }
    return ARINVOICE.format(**{**usual, "amount": "<TRX_AMOUNT>10.00</TRX_AMOUNT>", "line": "", **changes})


def pay(
    key: str, amount: str = "10.00", more: str = "<DOCNUMBER>ch_1</DOCNUMBER>", bank: str = "CLR-CARD-US"
) -> str:
    return (
        f"<create><ARPYMT><FINANCIALENTITY>{bank}</FINANCIALENTITY><PAYMENTMETHOD>Credit Card</PAYMENTMETHOD>"
        f"<CUSTOMERID>C1</CUSTOMERID><RECEIPTDATE>09/05/2026</RECEIPTDATE>{more}<ARPYMTDETAILS><ARPYMTDETAIL>"
        f"<RECORDKEY>{key}</RECORDKEY><TRX_PAYMENTAMOUNT>{amount}</TRX_PAYMENTAMOUNT></ARPYMTDETAIL></ARPYMTDETAILS>"
        "</ARPYMT></create>"
    )


def query(name: str, field: str = "RECORDNO", filter_: str = "") -> str:
    return f"<query><object>{name}</object><select><field>{field}</field></select>{filter_}</query>"


def by_query(name: str, field: str = "*", where: str = "") -> str:
    return f"<readByQuery><object>{name}</object><query>{where}</query><fields>{field}</fields></readByQuery>"


EMAIL = "<DISPLAYCONTACT><EMAIL1>not an address</EMAIL1></DISPLAYCONTACT>"
CONTACT = "<DISPLAYCONTACT><CONTACTNAME>Name C1(C1)</CONTACTNAME></DISPLAYCONTACT>"
CASES = [
    # call, first number, part of the first text
    (CUSTOMER.format("C1", ""), "BL34000061", "Another Customer with the given value(s)"),
    (CUSTOMER.format("C9", CONTACT), "BL34000061", "Another Contact with the given value(s)"),
    (CUSTOMER.format("C9", EMAIL), "BL03000018", "Primary Email Address"),
    (CUSTOMER.format("X" * 21, ""), "BL03000018", "longer than 20"),
    (CUSTOMER.format("A#B", ""), "BL03000018", "Illegal format"),
    (CUSTOMER.format("C9", "<TERMNAME>Net 99</TERMNAME>"), "BL01001973", "Invalid Term 'Net 99' specified."),
    (
        "<create><CUSTOMER><CUSTOMERID>C9</CUSTOMERID></CUSTOMER></create>",
        "BL01001973",
        "Customer Name is missing",
    ),
    (arinvoice(customer="GHOST"), "BL01001973", "Invalid Customer 'GHOST' specified."),
    (arinvoice(account="9999"), "BL01001973", "Invalid GL Account '9999' specified."),
    (arinvoice(location="900"), "BL01001973", "Invalid Location '900' specified."),
    (arinvoice(location=""), "BL03001994", "location of line 1 is empty"),
    (arinvoice(amount=""), "BL03002101", "extra or incomplete"),
    (arinvoice(amount="<TRX_AMOUNT>1,000.00</TRX_AMOUNT>"), "BL03000018", "Illegal format"),
    (arinvoice(amount="<TRX_AMOUNT>NaN</TRX_AMOUNT>"), "BL03000018", "Illegal format"),
    (arinvoice(amount="<TRX_AMOUNT>1e3</TRX_AMOUNT>"), "BL03000018", "Illegal format"),
    (arinvoice(on="31/12/2026"), "BL03000018", "Illegal format"),
    (arinvoice(on="08/31/2026"), "BL01001973", "Periods are closed."),
    (arinvoice(number="TAKEN"), "BL03002185", "A transaction with that number already exists"),
    (arinvoice(number="A&amp;B"), "BL03000018", "Invoice number"),
    (arinvoice(number="N" * 31), "BL03000018", "longer than 30"),
    (arinvoice(more="<CURRENCY>XXQ</CURRENCY>"), "BL01001973", "Invalid Currency 'XXQ' specified."),
    (arinvoice(line="<ITEMID>NO</ITEMID>"), "BL01001973", "Invalid Item 'NO' specified."),
    (arinvoice(line="<PROJECTID>NO</PROJECTID>"), "BL01001973", "Invalid Project 'NO' specified."),
    (arinvoice(line="<DEPARTMENTID>NO</DEPARTMENTID>"), "BL01001973", "Invalid Department 'NO' specified."),
    (
        arinvoice(
            more="<EXCHANGE_RATE>1</EXCHANGE_RATE><EXCH_RATE_TYPE_ID>Intacct Daily Rate</EXCH_RATE_TYPE_ID>"
        ),
        "BL01001973",
        "not both",
    ),
    (pay("1", "10.01"), "XL03000027", "greater than the amount due 10.00"),
    (pay("999999"), "DL03000005", "record key '999999'"),
    (pay("not-a-key"), "DL03000005", "record key 'not-a-key'"),
    (pay("1", bank="NOBANK"), "BL01001973", "Invalid Bank Account 'NOBANK' specified."),
    (pay("1", "0"), "BL01001973", "more than zero"),
    (pay("1", more="<OVERPAYMENTAMOUNT>5</OVERPAYMENTAMOUNT>"), "BL03001994", "overpayment"),
    (
        "<delete><object>CUSTOMER</object><keys>GHOST</keys></delete>",
        "BL01001973",
        "Cannot find customer with key 'GHOST' to delete.",
    ),
    ("<delete><object>ARINVOICE</object><keys>999</keys></delete>", "DL03000005", "record key '999'"),
    (query("NOSUCH"), "XL03000009", "Object definition NOSUCH not found"),
    (query("ARINVOICE", "INVOICENO"), "XL03000006", "cannot be queried on ARINVOICE: INVOICENO"),
    (query("ARINVOICE", filter_="<filter><weird/></filter>"), "XL03000006", "not a filter operator"),
    (by_query("NOSUCH"), "Query Failed", "Object definition NOSUCH not found"),
    (by_query("CUSTOMER", "NAME,NOPE"), "Invalid fields list NOPE", ""),
    (by_query("CUSTOMER", "*", "NAME = = 3"), "XL03000006", "Unexpected"),
    (
        "<readMore><resultId>unknown</resultId></readMore>",
        "DL02000001",
        "There was an error processing the request.",
    ),
    ("<read><object>ARINVOICE</object><keys>UW1</keys></read>", "DL03000005", "record key 'UW1'"),
    ("<create><NOSUCH><A>1</A></NOSUCH></create>", "XL03000009", "Object definition NOSUCH not found"),
]


@pytest.fixture
def prepared(client):
    assert client.invoice("TAKEN", "10.00") == 1
    return client


@pytest.mark.parametrize(("call", "number", "text"), CASES)
def test_refusal(prepared, call, number, text) -> None:
    before = prepared.gateway.ledger()
    reply = prepared.call(call)
    assert (reply.control, reply.authentication, reply.statuses) == ("success", "success", ["failure"])
    assert reply.numbers[0] == number, reply.texts
    assert text in reply.texts[0]
    after = prepared.gateway.ledger()
    before.pop("metered"), after.pop("metered")
    assert after == before, "a refused function leaves no trace"
    prepared.balanced()


def test_failed_create_says_count_zero_and_adds_the_wrapper(client) -> None:
    reply = client.call(CUSTOMER.format("C1", ""))
    assert (reply.data.get("listtype"), reply.data.get("count"), len(reply.data)) == ("objects", "0", 0)
    assert reply.numbers == ["BL34000061", "BL01001973"]
    assert reply.texts[1] == "Could not create Customer record!"


def test_support_id_is_percent_encoded(make) -> None:
    reply = make(support_id=True).call(CUSTOMER.format("", ""))
    assert reply.texts[0].endswith("%7EaXk1mT]")


@pytest.mark.parametrize(
    ("knobs", "call", "number"),
    [
        ({"numbering": "required"}, arinvoice(number=""), "BL03002128"),
        ({"document_number_missing": True}, pay("1", more=""), "PL01000127"),
        ({"closed_period_errorno": "XX1"}, arinvoice(on="08/31/2026"), "XX1"),
        ({"allow_negative_lines": False}, arinvoice(amount="<TRX_AMOUNT>-1</TRX_AMOUNT>"), "BL01001973"),
    ],
)
def test_refusals_behind_knobs(make, knobs, call, number) -> None:
    client = make(**knobs)
    client.customer()
    client.invoice("TAKEN", "10.00")
    assert client.call(call).numbers[0] == number


@pytest.mark.parametrize("errorno", ["PL05000104", "BL03002129", "WSP001", "DL02000001", ""])
def test_any_number_can_be_ordered(client, errorno) -> None:
    client.gateway.board.add({"app": "intacct", "kind": "refuse", "errorno": errorno, "text": "As ordered."})
    reply = client.call(arinvoice())
    assert (reply.numbers, reply.texts) == ([errorno], ["As ordered."])
    assert client.call(arinvoice()).statuses == ["success"]


def test_numbers_are_free_when_not_unique(make) -> None:
    client = make(duplicate_numbers="off")
    client.customer()
    client.invoice("TAKEN", "10.00")
    assert client.call(arinvoice(number="TAKEN")).statuses == ["success"]
    per_customer = make(duplicate_numbers="customer")
    per_customer.customer()
    per_customer.customer("C2")
    per_customer.invoice("TAKEN", "10.00")
    assert per_customer.call(arinvoice(number="TAKEN", customer="C2")).statuses == ["success"]
    assert per_customer.call(arinvoice(number="TAKEN")).numbers[0] == "BL03002185"


def test_lengths_can_be_cut_instead(make) -> None:
    client = make(lengths="truncate")
    client.customer()
    client.call(arinvoice(more="<DOCNUMBER>" + "D" * 25 + "</DOCNUMBER>"))
    assert client.gateway.ledger()["invoices"][0]["docnumber"] == "D" * 20


def test_expired_company_policy_and_authorisation(client) -> None:
    from tieout.sandbox.intacct.company import Sender

    body = client.envelope(query("CUSTOMER")).replace("</dtdversion>", "</dtdversion><policyid>P1</policyid>")
    reply = client.send(body)
    assert (reply.control, reply.texts) == ("failure", ["P1 is not a valid transport policy."])
    client.gateway.company.senders["tieout_mpp"] = Sender("tieout_mpp", "demo-sender-secret", False)
    reply = client.call(query("CUSTOMER"))
    assert (reply.control, reply.authentication, reply.numbers) == ("success", "failure", ["XL03000006"])
    assert (
        reply.root.findtext("operation/errormessage/error/description")
        == "Invalid Web Services Authorization"
    )
    client.gateway.company.expired = True
    reply = client.call(query("CUSTOMER"))
    assert (reply.control, reply.numbers) == ("failure", ["PL04000055"])


def test_read_only_user(prepared) -> None:
    auditor = {"user": "auditor", "password": "demo-auditor-secret"}
    assert prepared.call(arinvoice(), **auditor).numbers == ["PL04000005"]
    assert prepared.call(query("AUDITHISTORY"), **auditor).statuses == ["success"]
    without = prepared.gateway.company.users["auditor"]
    prepared.gateway.company.users["auditor"] = type(without)(
        without.id, without.password, ("*",), frozenset({"read"})
    )
    assert prepared.call(query("AUDITHISTORY"), **auditor).numbers == ["DL02000001"]


def test_entity_session_cannot_reach_another_entity(prepared) -> None:
    reply = prepared.call(arinvoice(location="200"), entity="E100")
    assert reply.statuses == ["failure"]
    assert "E200" in reply.texts[0]
    german = prepared.invoice("DE-1", "10.00", location="200")
    assert prepared.query("ARINVOICE", "RECORDID", entity="E100").rows == [{"RECORDID": "TAKEN"}]
    assert prepared.query("ARINVOICE", "RECORDID", entity="E200").rows == [{"RECORDID": "DE-1"}]
    hidden = prepared.call(f"<read><object>ARINVOICE</object><keys>{german}</keys></read>", entity="E100")
    assert hidden.data.get("count") == "0"
    assert prepared.call(f'<delete_invoice key="{german}"/>', entity="E100").statuses == ["failure"]
    mixed = arinvoice().replace(
        "</ARINVOICEITEMS>",
        "<ARINVOICEITEM><ACCOUNTNO>4000</ACCOUNTNO><TRX_AMOUNT>1</TRX_AMOUNT><LOCATIONID>200</LOCATIONID>"
        "</ARINVOICEITEM></ARINVOICEITEMS>",
    )
    assert "E100, E200" in prepared.call(mixed).texts[0]
    assert prepared.call(arinvoice(location=""), entity="E100").statuses == ["success"], (
        "the entity is the default"
    )
