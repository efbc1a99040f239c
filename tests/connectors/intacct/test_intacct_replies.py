"""Replies are judged, never trusted: shapes, errors in all their spellings, hostile bytes, and noise."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tieout.connectors.intacct import replies
from tieout.connectors.intacct.outcomes import Accepted, Unknown
from tieout.errors import MalformedReply


def _parse_one(say, inner, status="success"):
    return replies.parse(say.envelope("r", say.result("f", status, inner))).results[0]


def test_keys_in_both_shapes(say):
    assert _parse_one(say, "<key>5512</key>").key == "5512"
    assert _parse_one(say, "<key>Sales Order-SO-0007</key>").key == "Sales Order-SO-0007"
    generic = '<data listtype="objects" count="1"><customer><RECORDNO>88</RECORDNO><CUSTOMERID>C-88</CUSTOMERID></customer></data>'
    found = _parse_one(say, generic)
    assert found.key == "88"
    assert found.rows == ({"RECORDNO": 88, "CUSTOMERID": "C-88"},)
    assert _parse_one(say, '<data listtype="objects" count="0"/>').key is None


def test_rows_in_any_letter_case_with_lines_and_dots(say):
    data = (
        '<data listtype="arinvoice" count="1" totalcount="7" numremaining="6" resultId="x">'
        "<arinvoice><RECORDNO>5</RECORDNO><recordid>A&amp;#039;1</recordid><EMPTY/><BILLTO.CONTACTNAME>Ana</BILLTO.CONTACTNAME>"
        "<ARINVOICEITEMS><arinvoiceitem><RECORDNO>9</RECORDNO><AMOUNT>1234567890123456.78</AMOUNT></arinvoiceitem></ARINVOICEITEMS>"
        "</arinvoice></data>"
    )
    found = _parse_one(say, data)
    assert found.attributes["numremaining"] == "6"
    assert found.rows[0] == {
        "RECORDNO": 5,
        "RECORDID": "A&#039;1",
        "EMPTY": "",
        "BILLTO.CONTACTNAME": "Ana",
        "ARINVOICEITEMS": [{"RECORDNO": 9, "AMOUNT": "1234567890123456.78"}],
    }


def test_errors_the_first_that_says_something_and_all_kept(say):
    errors = (
        say.error("BL01001973", "Could not create Customer record!")
        + say.error(
            "BL34000061",
            "Another Contact with the given value(s) &#039;Ana&#039; already exists [Support ID: ab%7Ecd] ",
            "Use a unique value instead.",
        )
        + "<error><errorno>null</errorno><description>x</description></error>"
        + "<error><errorno>Invalid fields list FOO</errorno></error><error/>"
    )
    found = _parse_one(say, f"<errormessage>{errors}</errormessage>", "failure").errors
    assert len(found) == 5
    told = replies.cause(found)
    assert told is not None
    assert (told.number, told.support_id) == ("BL34000061", "ab~cd")
    assert told.text == "Another Contact with the given value(s) 'Ana' already exists"
    assert (found[2].number, found[2].text) == ("", "x")
    assert found[3].text == "Invalid fields list FOO"
    assert replies.cause(()) is None


def test_additional_information_is_kept(say):
    error = (
        "<errormessage><error><errorno>BL01001973</errorno><additionalinfo><errorid>GL-0493</errorid>"
        '<category>Duplication Prevention</category><target object="GLACCOUNT" field=""/>'
        "<description><messageid>IA.DUPLICATE</messageid></description></additionalinfo></error></errormessage>"
    )
    detail = dict(_parse_one(say, error, "failure").errors[0].detail)
    assert detail == {
        "errorid": "GL-0493",
        "category": "Duplication Prevention",
        "target.object": "GLACCOUNT",
        "messageid": "IA.DUPLICATE",
    }


def test_only_the_word_success_is_success(say):
    for word in ("Success", "SUCCESS", "ok", "", "succes", "success_with_warning", "true", "aborted"):
        found = _parse_one(say, "<key>1</key>", word)
        assert found.status != "success", word
        assert found.word == word
    assert _parse_one(say, "<key>1</key>", " success ").status == "success"


BOMB = b'<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">' + b"".join(
    b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9)
) + b"]>"  # fmt: skip
HOSTILE = {
    "entity bomb": BOMB + b"<response><control><status>&j;</status></control></response>",
    "external entity": b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><response><control><status>&x;</status></control></response>',
    "external dtd": b'<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd"><response/>',
    "deep nesting": b"<response>" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</response>",
    "wrong root": b"<html><body>success</body></html>",
    "no control": b"<response><operation/></response>",
    "no operation": b"<response><control><status>success</status></control></response>",
    "no authentication": b"<response><control><status>success</status></control><operation><result/></operation></response>",
    "two operations": b"<response><control><status>success</status></control><operation/><operation/></response>",
    "empty": b"",
    "spaces": b"   \n",
    "not xml": b"%PDF-1.4",
    "utf-16": "<response/>".encode("utf-16"),
    "bad utf-8": b"<response><control><status>\xff\xfe</status></control></response>",
    "nul": b"<response>\x00</response>",
    "undefined entity": b"<response>&nbsp;</response>",
    "unknown charset": b'<?xml version="1.0" encoding="klingon"?><response/>',
    "json": b'{"status": "success"}',
    "long attribute": b"<response a='" + b"x" * 11_000_000 + b"'/>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_replies_are_refused_quickly(name):
    started = time.perf_counter()
    with pytest.raises(MalformedReply):
        replies.parse(HOSTILE[name])
    assert time.perf_counter() - started < 2


def test_a_reply_beyond_the_limit_is_not_parsed():
    with pytest.raises(MalformedReply, match="larger than"):
        replies.parse(b"<response>" + b"x" * 2000 + b"</response>", max_bytes=1000)


def test_a_record_number_that_is_no_number_is_refused(say):
    with pytest.raises(MalformedReply, match="not a number"):
        _parse_one(say, '<data listtype="objects"><a><RECORDNO>12x</RECORDNO></a></data>')


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_replies_to_a_post_accept_nothing(scripted, connect, samples, name):
    scripted.answer = lambda _: HOSTILE[name]
    outcome = connect().post([("a", samples.invoice(1)), ("b", samples.invoice(2))])
    assert all(isinstance(result, Unknown) for result in outcome.results.values())


ORDERS = {
    "not ours": ["a", "x"],
    "twice": ["a", "a", "b"],
    "out of order": ["b", "a"],
    "nameless": ["", "b"],
    "one more": ["a", "b", "c"],
}


@pytest.mark.parametrize("name", ORDERS)
def test_results_that_do_not_match_the_functions_accept_nothing(scripted, connect, samples, say, name):
    scripted.answer = lambda asked: say.envelope(asked.label, "".join(say.made(i) for i in ORDERS[name]))
    outcome = connect().post([("a", samples.invoice(1)), ("b", samples.invoice(2))])
    assert set(outcome.of(Unknown)) == {"a", "b"}


def test_missing_strange_or_contradictory_results_are_unknown(scripted, connect, samples, say):
    scripted.answer = lambda asked: say.envelope(
        asked.label,
        say.result("a", "success", "<data/>")
        + say.result("b", "done", "<key>1</key>")
        + say.result("c", "success", f"<key>1</key><errormessage>{say.error('BL1', 'but')}</errormessage>")
        + say.made("e"),
    )
    outcome = connect().post([(i, samples.invoice(n)) for n, i in enumerate("abcde", 1)])
    assert set(outcome.of(Unknown)) == set("abcd")
    assert outcome.results["e"] == Accepted("1")


def test_an_answer_to_another_request_is_not_believed(scripted, connect, samples, say):
    scripted.answer = lambda asked: say.envelope("somebody else", say.made("a"))
    assert isinstance(connect().post([("a", samples.invoice())]).results["a"], Unknown)


_GOOD = (
    b'<?xml version="1.0"?><response><control><status>success</status><controlid>r</controlid></control><operation>'
    b"<authentication><status>success</status></authentication><result><status>success</status><controlid>f</controlid>"
    b'<data listtype="ARINVOICE" count="1"><ARINVOICE><RECORDNO>5</RECORDNO></ARINVOICE></data></result></operation></response>'
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.data())
def test_no_bytes_make_the_parser_fail_otherwise(data):
    kind = data.draw(st.sampled_from(["cut", "flip", "insert", "noise"]))
    content = bytearray(_GOOD)
    if kind == "noise":
        content = bytearray(data.draw(st.binary(max_size=200)))
    elif kind == "cut":
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        for place in data.draw(st.lists(st.integers(0, len(_GOOD) - 1), min_size=1, max_size=4)):
            if kind == "flip":
                content[place] = data.draw(st.integers(0, 255))
            else:
                content[place:place] = data.draw(
                    st.sampled_from([b"<", b">", b"&", b"<a>", b"</result>", b"\x00", b"]]>", b"<!--"])
                )
    try:
        response = replies.parse(bytes(content))
        matched = response.matched(["f"])
    except MalformedReply:
        return
    assert set(matched) == {"f"}
    if matched["f"].status == "success":
        assert b"<status>success</status><controlid>f</controlid>" in bytes(content)


_LETTERS = "abcXYZ019 \n\t.'&;#<>[]%~:()é漢\U0001f600\x00"


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text(_LETTERS, max_size=60), st.text(_LETTERS, max_size=60))
@example("null", "x [Support ID: ")
def test_any_error_text_becomes_one_verdict(number, text):
    from tieout.connectors.intacct.classify import classify

    verdict = classify([replies.Fault(number, text)])
    assert verdict.sentence.startswith("Intacct")
    assert len(verdict.sentence) < 600


def test_no_file_is_read(tmp_path: Path, say):
    secret = tmp_path / "secret"
    secret.write_text("canary")
    content = f'<!DOCTYPE r [<!ENTITY x SYSTEM "{secret.as_uri()}">]><response><control><status>&x;</status></control></response>'
    with pytest.raises(MalformedReply) as caught:
        replies.parse(content.encode())
    assert "canary" not in str(caught.value)
