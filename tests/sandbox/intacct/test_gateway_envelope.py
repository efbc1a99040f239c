"""Envelope, sign-in, sessions, hostile XML: what a caller meets before any business."""

from __future__ import annotations

import pytest

QUERY = "<query><object>CUSTOMER</object><select><field>RECORDNO</field></select></query>"


def open_session(client, inside: str = "<getAPISession/>", **options):
    reply = client.call(inside, **options)
    assert reply.statuses == ["success"], reply.texts
    return reply.data.find("api")


def test_session_answer_has_endpoint_from_host_and_empty_location(client) -> None:
    api = open_session(client)
    assert api.findtext("endpoint") == "http://gateway.test:8080/ia/xml/xmlgw.phtml"
    assert api.find("locationid") is not None
    assert api.findtext("locationid") == ""
    reply = client.call(QUERY, session=api.findtext("sessionid"))
    assert (reply.control, reply.authentication, reply.statuses) == ("success", "success", ["success"])


def test_session_slides_and_ends(client) -> None:
    session = open_session(client).findtext("sessionid")
    for _ in range(3):
        client.clock.forward(minutes=129)
        reply = client.call(QUERY, session=session)
        assert reply.authentication == "success"
    client.clock.forward(minutes=130)
    reply = client.call(QUERY, session=session)
    assert reply.authentication == "failure"
    assert reply.numbers == ["XL03000006"]
    assert reply.texts[0].startswith("Invalid session")
    assert reply.root.findtext("operation/authentication/userid") == ""
    assert reply.root.find("operation/result") is None


def test_timeout_moves_with_each_call(client) -> None:
    session = open_session(client).findtext("sessionid")
    first = client.call(QUERY, session=session).root.findtext("operation/authentication/sessiontimeout")
    client.clock.forward(minutes=10)
    second = client.call(QUERY, session=session).root.findtext("operation/authentication/sessiontimeout")
    assert (first, second) == ("2026-11-02T05:10:00+00:00", "2026-11-02T05:20:00+00:00")


def test_levels_of_a_session(client) -> None:
    api = open_session(client, "<getAPISession><locationid>E200</locationid></getAPISession>")
    assert api.findtext("locationid") == "E200"
    below = open_session(client, session=api.findtext("sessionid"))
    assert below.findtext("locationid") == "E200"
    top = open_session(
        client, "<getAPISession><locationid></locationid></getAPISession>", session=api.findtext("sessionid")
    )
    assert top.findtext("locationid") == ""


@pytest.mark.parametrize(
    ("options", "company"),
    [
        ({"user": "nobody"}, "TIEOUTDEMO"),
        ({"password": "wrong"}, "TIEOUTDEMO"),
        ({"entity": "E999"}, "TIEOUTDEMO"),
        ({}, "OTHER"),
        ({}, "TIEOUTDEMO|E999"),
    ],
)
def test_bad_credentials_and_wrong_entity_look_the_same(client, options, company) -> None:
    body = client.envelope(QUERY, **options).replace(">TIEOUTDEMO<", f">{company}<")
    reply = client.send(body)
    assert (reply.control, reply.authentication) == ("success", "failure")
    assert reply.numbers == ["XL03000006"]
    assert reply.texts == ["Sign-in information is incorrect"]


def test_entity_login_by_element_and_by_pipe(client) -> None:
    by_element = client.call(QUERY, entity="E200")
    by_pipe = client.send(client.envelope(QUERY).replace(">TIEOUTDEMO<", ">TIEOUTDEMO|E200<"))
    console = client.send(client.envelope(QUERY).replace(">TIEOUTDEMO<", ">console|TIEOUTDEMO|E200<"))
    for reply in (by_element, by_pipe, console):
        assert reply.root.findtext("operation/authentication/locationid") == "E200"
    empty = client.send(client.envelope(QUERY).replace("</login>", "<locationid></locationid></login>"))
    assert empty.root.findtext("operation/authentication/locationid") == ""


@pytest.mark.parametrize("sender", [("tieout_mpp", "wrong"), ("other", "demo-sender-secret")])
def test_wrong_sender_has_no_operation(client, sender) -> None:
    reply = client.call(QUERY, sender=sender)
    assert reply.control == "failure"
    assert reply.texts == ["Incorrect Intacct XML Partner ID or password."]
    assert reply.root.find("operation") is None


def test_unusable_requests_get_http_400(client) -> None:
    for body in (b"", b"  ", b"<request/>", b"<request><control><senderid>x</senderid></control></request>"):
        reply = client.send(body)
        assert reply.response.status == 400
        assert reply.numbers == ["GW-0011"]
        assert reply.root.find("control/senderid") is None


def test_wrong_path_and_method(client) -> None:
    from tieout.sandbox.server import Request

    assert client.gateway.handle(Request("POST", "/other")).status == 404
    assert client.gateway.handle(Request("GET", "/ia/xml/xmlgw.phtml")).status == 405


def test_old_content_type_is_accepted_and_whitespace_control_too(client) -> None:
    body = client.envelope(QUERY, more="<includewhitespace>false</includewhitespace>")
    assert client.send(body, **{"Content-Type": "x-intacct-xml-request"}).statuses == ["success"]


@pytest.mark.parametrize(
    "case", ["syntax", "doctype", "entity bomb", "file", "utf-16 doctype", "deep", "root", "order"]
)
def test_hostile_or_broken_xml_is_a_schema_error(client, case, tmp_path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("canary-7731")
    good = client.envelope(QUERY)
    bomb = (
        '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">'
        + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
        + "]>"
    )
    bodies = {
        "syntax": good.replace("</content>", ""),
        "doctype": "<!DOCTYPE request>" + good,
        "entity bomb": bomb + good.replace("CUSTOMER", "&j;"),
        "file": f'<!DOCTYPE r [<!ENTITY x SYSTEM "file://{secret}">]>' + good.replace("CUSTOMER", "&x;"),
        "utf-16 doctype": ("<!DOCTYPE request>" + good).encode("utf-16"),
        "deep": good.replace("<object>", "<a>" * 200 + "</a>" * 200 + "<object>"),
        "root": "<envelope/>",
        "order": good.replace("<uniqueid>true</uniqueid>", "").replace(
            "<dtdversion>3.0</dtdversion>", "<dtdversion>3.0</dtdversion><uniqueid>true</uniqueid>"
        ),
    }
    reply = client.send(bodies[case])
    assert reply.response.status == 200
    assert reply.control == "failure"
    assert set(reply.numbers) == {"XL03000003"}
    assert b"canary-7731" not in reply.response.body
    assert b"demo-" not in reply.response.body


def test_size_limit(make) -> None:
    client = make(max_request_bytes=2000)
    reply = client.call(QUERY.replace("CUSTOMER", "C" * 3000))
    assert (reply.control, reply.numbers) == ("failure", ["XL03000003"])


def test_schema_error_echoes_control_and_lists_every_fault(client, create_invoice) -> None:
    wrong = (
        create_invoice("A")
        .replace("<memo>2 x MUG-BLUE</memo>", "")
        .replace("<amount>59.90</amount>", "<memo>early</memo><amount>59.90</amount>")
    )
    reply = client.call(wrong, create_invoice("B"), wrong.replace(">A<", ">C<"))
    assert reply.control == "failure"
    assert reply.root.findtext("control/senderid") == "tieout_mpp"
    assert reply.root.findtext("control/controlid") == "request-1"
    assert len(reply.numbers) == 2
    assert (
        "Element 'memo': This element is not expected. Expected is one of ( offsetglaccountno, amount )."
        in reply.texts[0]
    )
    assert len(client.books.tables["ARINVOICE"]) == 0, "one misplaced element fails the whole request"


def test_legacy_attributes_and_unknown_functions(client) -> None:
    for call in ("<reverse_invoice><datereversed/></reverse_invoice>", "<frobnicate/>", "<delete_invoice/>"):
        reply = client.call(call)
        assert (reply.control, set(reply.numbers)) == ("failure", {"XL03000003"})
    two = client.envelope(QUERY).replace("</query>", "</query><readUserFormatting/>")
    assert client.send(two).control == "failure"


def test_old_dtd_has_no_generic_functions(client, create_invoice) -> None:
    assert client.call(QUERY, version="2.1").control == "failure"
    assert client.call(create_invoice("OLD"), version="2.1").statuses == ["success"]


def test_concurrency_limit_answers_429(make) -> None:
    client = make(concurrency=1, retry_after_seconds=3)
    client.gateway._busy = 1
    reply = client.call(QUERY)
    assert (reply.response.status, reply.numbers) == (429, ["GW-0010"])
    assert reply.response.headers["Retry-After"] == "3"
    assert reply.texts == ["API rate limit exceeded"]
    client.gateway._busy = 0
    assert client.call(QUERY).statuses == ["success"]
    assert client.gateway._busy == 0


def test_additional_error_information(client) -> None:
    client.customer("C2")
    create = "<create><CUSTOMER><CUSTOMERID>C2</CUSTOMERID><NAME>N</NAME></CUSTOMER></create>"
    plain = client.call(create)
    assert plain.root.find(".//additionalinfo") is None
    told = client.call(create, more="<showadditionalerrorinfo>true</showadditionalerrorinfo>")
    info = told.root.find(".//additionalinfo")
    assert info.findtext("category") == "Duplication Prevention"
    assert {child.tag for child in info} == {
        "errorid",
        "category",
        "target",
        "description",
        "cdescription",
        "correction",
    }


def test_control_ids_are_escaped_and_echoed(client) -> None:
    reply = client.call(QUERY, ids=["inv:a&amp;b&lt;c&gt;&quot;'"])
    assert reply.root.findtext("operation/result/controlid") == "inv:a&b<c>\"'"
