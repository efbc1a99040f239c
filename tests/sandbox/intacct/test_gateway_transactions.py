"""Control ids, roll-back, partial creates, metering and the gateway's own faults."""

from __future__ import annotations

import pytest

BAD = "<create><CUSTOMER><CUSTOMERID>C1</CUSTOMERID><NAME>N</NAME></CUSTOMER></create>"


def customer(name: str) -> str:
    return f"<create><CUSTOMER><CUSTOMERID>{name}</CUSTOMERID><NAME>{name}</NAME></CUSTOMER></create>"


def test_results_come_in_order_and_failures_do_not_stop_the_rest(client, create_invoice) -> None:
    reply = client.call(create_invoice("A"), BAD, create_invoice("B"), ids=["x", "y", "z"])
    assert reply.statuses == ["success", "failure", "success"]
    assert [node.text for node in reply.root.iterfind("operation/result/controlid")] == ["x", "y", "z"]
    assert [one["recordid"] for one in client.gateway.ledger()["invoices"]] == ["A", "B"]
    client.balanced()


@pytest.mark.parametrize("uniqueid", ["true", None, "True"])
def test_replay_is_refused_and_gives_no_key(client, create_invoice, uniqueid) -> None:
    first = client.call(create_invoice("A"), ids=["inv:1"], uniqueid=uniqueid)
    again = client.call(create_invoice("A"), ids=["inv:1"], uniqueid=uniqueid)
    assert (first.statuses, again.statuses) == (["success"], ["failure"])
    assert again.keys == []
    assert again.texts == ["The control ID 'inv:1' has already been used by a completed operation."]
    assert len(client.gateway.ledger()["invoices"]) == 1


@pytest.mark.parametrize("uniqueid", ["false", "False"])
def test_without_uniqueid_an_id_may_run_again(client, create_invoice, uniqueid) -> None:
    for number in ("A", "B"):
        assert client.call(create_invoice(number), ids=["i"], uniqueid=uniqueid).statuses == ["success"]


def test_request_control_id_is_never_checked(client, create_invoice) -> None:
    body = client.envelope(create_invoice("A"), ids=["one"])
    other = body.replace('"one"', '"two"').replace(">A<", ">B<")
    assert client.send(body).statuses == client.send(other).statuses == ["success"]


def test_failed_function_keeps_its_id_unless_the_knob_says_so(make, client, create_invoice) -> None:
    assert client.call(create_invoice("A", customer="GHOST"), ids=["i"]).statuses == ["failure"]
    assert client.call(create_invoice("A"), ids=["i"]).statuses == ["success"]
    burning = make(failed_id_is_burnt=True)
    burning.customer()
    assert burning.call(create_invoice("A", customer="GHOST"), ids=["i"]).statuses == ["failure"]
    assert "has already been used" in burning.call(create_invoice("A"), ids=["i"]).texts[0]


def test_replay_at_operation_level_and_forgetting(make, create_invoice) -> None:
    client = make(
        replay_level="operation", replay_hours=24, replay_errorno="", replay_text="Seen {id} before"
    )
    client.customer()
    client.call(create_invoice("A"), ids=["i"])
    reply = client.call(create_invoice("B"), create_invoice("A"), ids=["j", "i"])
    assert reply.root.findtext("operation/errormessage/error/description2") == "Seen i before"
    assert reply.statuses == []
    assert len(client.gateway.ledger()["invoices"]) == 1, "nothing of the operation ran"
    client.clock.forward(hours=25)
    assert client.call(create_invoice("C"), ids=["i"]).statuses == ["success"]


def test_same_id_twice_in_one_request(client, create_invoice) -> None:
    reply = client.call(create_invoice("A"), create_invoice("B"), ids=["i", "i"])
    assert reply.statuses == ["success", "failure"]
    together = client.call(create_invoice("C"), create_invoice("D"), ids=["k", "k"], transaction=True)
    assert together.statuses == ["aborted", "failure"]


@pytest.mark.parametrize(
    ("shape", "rest"), [("failure", "aborted"), ("aborted", "aborted"), ("failure", "absent")]
)
def test_roll_back_leaves_no_trace(make, create_invoice, shape, rest) -> None:
    client = make(culprit_shape=shape, after_culprit=rest)
    client.customer()
    client.invoice("OLD", "10.00")
    before = client.gateway.ledger()
    pay = (
        "<create_arpayment><customerid>C1</customerid><paymentamount>4.00</paymentamount>"
        "<bankaccountid>CLR-CARD-US</bankaccountid><refid>r</refid>"
        "<datereceived><year>2026</year><month>09</month><day>05</day></datereceived>"
        "<arpaymentitem><invoicekey>1</invoicekey><amount>4.00</amount></arpaymentitem></create_arpayment>"
    )
    calls = (customer("C2"), create_invoice("A"), pay, BAD, create_invoice("B"))
    reply = client.call(*calls, ids=list("abcde"), transaction=True)
    expected = ["aborted"] * 3 + [shape] + (["aborted"] if rest == "aborted" else [])
    assert reply.statuses == expected
    results = reply.root.findall("operation/result")
    assert [node.text for node in results[0].iter("errorno")] == ["XL03000009"]
    assert [node.text for node in results[3].iter("errorno")] == ["BL34000061", "BL01001973", "XL03000009"]
    assert all(result.find("key") is None for result in results)
    assert client.gateway.ledger() == before
    good = client.call(*(call for call in calls if call is not BAD), ids=list("abce"), transaction=True)
    assert good.statuses == ["success"] * 4, "rolled-back control ids are free again"
    client.balanced()


def test_one_create_with_several_objects_is_not_atomic(client) -> None:
    two = BAD.replace("</create>", "") + customer("C2").replace("<create>", "")
    reply = client.call(two)
    assert reply.statuses == ["failure"]
    assert (reply.data.get("count"), reply.rows) == ("1", [{"RECORDNO": "2", "CUSTOMERID": "C2"}])
    assert reply.numbers[0] == "BL34000061"
    assert {one["customerid"] for one in client.gateway.ledger()["customers"]} == {"C1", "C2"}


def test_metering(client, create_invoice) -> None:
    client.call("<getAPISession/>")
    client.call(create_invoice("A"), create_invoice("B"), BAD)
    client.call(customer("C2").replace("</create>", "") + customer("C3").replace("<create>", ""))
    client.query("ARINVOICE", "RECORDNO")
    client.call("<read><object>ARINVOICE</object><keys>1,2</keys></read>")
    client.call("<delete><object>ARINVOICE</object><keys>1,2</keys></delete>")
    client.call(create_invoice("D"), BAD, transaction=True)
    assert client.gateway.ledger()["metered"] == {"2026-11": {"writes": 6, "reads": 2}}


def test_generic_delete_of_several_is_all_or_nothing(client) -> None:
    key = client.invoice("A", "1.00")
    reply = client.call(f"<delete><object>ARINVOICE</object><keys>{key},999</keys></delete>")
    assert reply.numbers == ["DL03000005"]
    assert len(client.gateway.ledger()["invoices"]) == 1
    assert client.call(f"<delete><object>ARINVOICE</object><keys>{key}</keys></delete>").statuses == [
        "success"
    ]
    assert client.gateway.ledger()["invoices"] == []
    client.balanced()


def test_half_fail(client, create_invoice) -> None:
    client.gateway.board.add({"app": "intacct", "kind": "half_fail", "nth": 2})
    reply = client.call(*(create_invoice(f"N{n}") for n in range(4)))
    assert reply.statuses == ["success", "failure"] * 2
    assert reply.texts[0] == "Currently, we can't create the transaction"
    assert reply.numbers[0] == "BL01001973"
    assert [one["recordid"] for one in client.gateway.ledger()["invoices"]] == ["N0", "N2"]


def test_roll_back_all(client, create_invoice) -> None:
    client.gateway.board.add({"app": "intacct", "kind": "roll_back_all"})
    reply = client.call(create_invoice("A"), create_invoice("B"))
    assert reply.statuses == ["aborted", "aborted"]
    assert set(reply.numbers) == {"XL03000009"}
    assert client.gateway.ledger()["invoices"] == []
    assert client.call(create_invoice("A")).statuses == ["success"]


def test_expire_session(client) -> None:
    session = client.call("<getAPISession/>").data.findtext("api/sessionid")
    client.gateway.board.add({"app": "intacct", "kind": "expire_session"})
    reply = client.call("<readUserFormatting/>", session=session)
    assert reply.authentication == "failure"
    assert reply.texts[0].startswith("Invalid session")


def test_hidden_rows_appear_later(client) -> None:
    client.gateway.board.add({"app": "intacct", "kind": "hide_rows", "seconds": 30, "times": None})
    client.invoice("A", "1.00")
    assert client.query("ARINVOICE", "RECORDID").rows == []
    assert client.call("<read><object>ARINVOICE</object><keys>1</keys></read>").data.get("count") == "0"
    client.clock.forward(seconds=30)
    assert client.query("ARINVOICE", "RECORDID").rows == [{"RECORDID": "A"}]


def test_replay_shape(client, create_invoice) -> None:
    client.call(create_invoice("A"), ids=["i"])
    client.gateway.board.add(
        {
            "app": "intacct",
            "kind": "replay_shape",
            "level": "operation",
            "errorno": "Q1",
            "text": "{id} again",
        }
    )
    reply = client.call(create_invoice("A"), ids=["i"])
    assert (reply.statuses, reply.numbers, reply.texts) == ([], ["Q1"], ["i again"])


def test_ignore_duplicates(client) -> None:
    call = '<create_customer ignoreduplicates="true"><customerid>C1</customerid><name>Other</name></create_customer>'
    assert client.call(call).keys == ["C1"]
    assert client.call(call.replace(' ignoreduplicates="true"', "")).numbers[0] == "BL34000061"
    assert client.gateway.ledger()["customers"][0]["name"] == "Name C1"
