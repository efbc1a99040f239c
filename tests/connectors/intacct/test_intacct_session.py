"""Sign-in, the life of sessions, where credentials may go, and that nothing secret is ever written down."""

from __future__ import annotations

import logging
import traceback

import pytest

from tieout.connectors.intacct.outcomes import Accepted, NotSent
from tieout.connectors.intacct.transport import Addresses
from tieout.errors import InputError, MalformedReply, Refused, Rejected, TieoutError, Unreachable


def _accept_all(say):
    return lambda asked: say.envelope(asked.label, "".join(say.made(i) for i in asked.ids))


def _gone(say, asked):
    return say.envelope(
        asked.label,
        f"<errormessage>{say.error('XL03000006', 'Invalid session. Please sign in again.')}</errormessage>",
        auth="failure",
    )


def test_one_session_per_entity_is_reused(scripted, connect, samples, say):
    scripted.answer = _accept_all(say)
    client = connect()
    for entity in ("E100", "E200", "E100", None, "E200", None):
        client.post([("a", samples.invoice())], entity=entity)
    assert [asked.entity for asked in scripted.sign_ins] == ["E100", "E200", None]
    assert [asked.session[-1] for asked in scripted.asked] == ["1", "2", "1", "3", "2", "3"]
    assert scripted.sign_ins[0].root.find(".//getAPISession") is not None
    assert len(scripted.sign_ins[0].ids) == 1


def test_a_session_is_renewed_before_it_ends_and_kept_alive_by_use(scripted, connect, samples, say):
    now = [0.0]
    scripted.answer = _accept_all(say)
    client = connect(monotonic=lambda: now[0])
    for minute in (0, 50, 100, 150):  # each answer promises 60 more minutes
        now[0] = minute * 60
        client.post([("a", samples.invoice())])
    assert client.sign_ins == 1
    now[0] += 59 * 60
    client.post([("a", samples.invoice())])
    assert client.sign_ins == 2


def test_an_expired_session_is_replaced_once_with_the_same_function_ids(scripted, connect, samples, say):
    def answer(asked):
        return _gone(say, asked) if asked.session.endswith("-1") else _accept_all(say)(asked)

    scripted.answer = answer
    outcome = connect().post([("a", samples.invoice(1)), ("b", samples.invoice(2))])
    assert set(outcome.of(Accepted)) == {"a", "b"}
    assert [asked.ids for asked in scripted.asked] == [["a", "b"], ["a", "b"]]
    assert scripted.asked[0].label == scripted.asked[1].label
    assert len(scripted.sign_ins) == 2


def test_a_session_refused_twice_stops(scripted, connect, samples, say):
    scripted.answer = lambda asked: _gone(say, asked)
    with pytest.raises(Rejected, match="session it has just given"):
        connect().post([("a", samples.invoice())])
    assert len(scripted.sign_ins) == 2


@pytest.mark.parametrize(
    ("level", "text"),
    [
        ("control", "Incorrect Intacct XML Partner ID or password."),
        ("auth", "Sign-in information is incorrect"),
        ("auth", "Invalid Web Services Authorization"),
    ],
)
def test_bad_credentials_are_refused_and_never_tried_again(scripted, connect, samples, say, level, text):
    said = say.error("XL03000006", text)
    scripted.sign_in = lambda asked: (
        say.control_failure(said)
        if level == "control"
        else say.envelope(asked.label, f"<errormessage>{said}</errormessage>", auth="failure")
    )
    client = connect()
    for entity in (None, "E100", None):
        with pytest.raises(Refused, match=text.split()[-1].rstrip(".")):
            client.post([("a", samples.invoice())], entity=entity)
    assert len(scripted.sign_ins) == 1
    assert client.ping()


def test_a_wrong_entity_does_not_close_the_others(scripted, connect, samples, say):
    scripted.answer = _accept_all(say)

    def sign_in(asked):
        if asked.entity == "E999":
            said = say.error("XL03000006", "Sign-in information is incorrect")
            return say.envelope(asked.label, f"<errormessage>{said}</errormessage>", auth="failure")
        scripted.sessions += 1
        return scripted.session_reply(asked)

    scripted.sign_in = sign_in
    client = connect()
    client.post([("a", samples.invoice())], entity="E100")
    for _ in range(3):
        with pytest.raises(Refused, match="wrong entity id looks the same"):
            client.post([("a", samples.invoice())], entity="E999")
    client.post([("a", samples.invoice())], entity="E200")
    assert [asked.entity for asked in scripted.sign_ins] == ["E100", "E999", "E200"]


def test_losing_the_right_to_sign_in_halfway_keeps_what_is_known(scripted, connect, samples, say):
    def answer(asked):
        if len(asked.ids) == 2:
            return say.control_failure(say.error("XL03000003", "XML Parse schema error"))
        if asked.ids == ["b"]:
            scripted.sign_in = lambda _: (403, b"")
            return _gone(say, asked)
        return _accept_all(say)(asked)

    scripted.answer = answer
    outcome = connect().post([("a", samples.invoice(1)), ("b", samples.invoice(2))])
    assert outcome.results["a"] == Accepted("1")
    assert isinstance(outcome.results["b"], NotSent)
    assert isinstance(outcome.halted, Refused)


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://evil.example/ia/xml/xmlgw.phtml",
        "https://intacct.com.evil.example/x",
        "https://evilintacct.com/x",
        "http://api.intacct.com/x",
        "https://user:pw@api.intacct.com/x",
        "ftp://api.intacct.com/x",
        "not an address",
        "https://[::1",
    ],
)
def test_credentials_do_not_follow_a_strange_endpoint(scripted, connect, samples, endpoint):
    scripted.endpoint = endpoint
    with pytest.raises(Refused):
        connect().post([("a", samples.invoice())])
    assert not scripted.asked


def test_hosts_that_are_accepted():
    sage = Addresses("https://api.intacct.com/ia/xml/xmlgw.phtml", frozenset({"proxy.example"}))
    for url in ("https://na12.intacct.com/x", "https://api.intacct.com:443/y", "https://proxy.example/z"):
        assert sage.accept(url) == url
    for url in ("http://na12.intacct.com/x", "http://proxy.example/x"):
        with pytest.raises(Refused):
            sage.accept(url)
    with pytest.raises(InputError, match="in the clear"):
        Addresses("http://api.intacct.com/x")
    with pytest.raises(InputError):
        Addresses("api.intacct.com")


def test_a_sign_in_without_session_or_with_rubbish(scripted, connect, samples, say):
    scripted.sign_in = lambda asked: say.envelope(asked.label, say.result(asked.ids[0], "success", "<data/>"))
    with pytest.raises(MalformedReply):
        connect().post([("a", samples.invoice())])
    scripted.sign_in = lambda _: b"<html/>"
    with pytest.raises(MalformedReply):
        connect().post([("a", samples.invoice())])
    scripted.sign_in = lambda _: None
    with pytest.raises(Unreachable):
        connect().post([("a", samples.invoice())])


def test_empty_credentials_are_said_before_anything_is_sent(connect, scripted):
    with pytest.raises(InputError, match="user password is empty"):
        connect(user_password="")


def test_no_secret_is_ever_written_down(scripted, connect, samples, say, caplog):
    caplog.set_level(logging.DEBUG)
    kept, texts = [], []
    canaries = [say.sender_secret, say.user_secret, "user-canary", "session-canary", "4111111111111111"]

    def echo(asked):  # the worst gateway: it says back everything it was told
        text = f"{say.sender_secret} {asked.session} {say.user_secret}"
        return say.envelope(asked.label, "".join(say.failed(i, say.error("BL1", text)) for i in asked.ids))

    client = connect(archive=kept.append)
    scripted.answer = echo
    outcome = client.post([("a", samples.invoice(description="card 4111 1111 1111 1111 4111111111111111"))])
    texts += [
        repr(client),
        repr(client._sessions),
        repr(client._sessions.get(None)),
        repr(client._sessions.control("x")),
    ]
    answers = [
        lambda asked: (502, asked.raw),
        lambda asked: b"<response>" + asked.raw[40:],
        lambda asked: asked.raw[:-30],
        lambda asked: (404, asked.raw),
        lambda asked: say.control_failure(say.error("XL03000006", f"{asked.session} {say.user_secret}")),
        lambda asked: (429, asked.raw),
    ]
    for answer in answers:
        scripted.answer = answer
        for attempt in (lambda: client.post([("a", samples.invoice())]), lambda: client.count("CUSTOMER")):
            try:
                texts.append(repr(attempt()))
            except TieoutError as error:
                texts += [
                    str(error),
                    repr(error),
                    repr(error.context),
                    "".join(traceback.format_exception(error)),
                ]
    scripted.sign_in = lambda asked: b"<response><junk>" + asked.raw
    try:
        connect(archive=kept.append).post([("a", samples.invoice())])
    except TieoutError as error:
        texts += ["".join(traceback.format_exception(error))]
    texts += [exchange.request.decode() + exchange.reply.decode() + repr(exchange) for exchange in kept]
    texts += [record.getMessage() for record in caplog.records]
    assert len(kept) >= 15
    assert kept[1].control_ids == ("a",)
    assert b"<create_invoice>" in kept[1].request
    assert b"<controlid>" in kept[1].reply
    everything = "\n".join(texts)
    for canary in canaries:
        assert canary not in everything, canary
    said = outcome.results["a"].sentence
    assert "session-canary" not in said
    assert say.sender_secret not in said
