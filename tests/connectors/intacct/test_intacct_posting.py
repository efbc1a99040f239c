"""Posting on real HTTP: every document ends as accepted, refused, unknown or not sent, whatever the gateway does."""

from __future__ import annotations

import math
import random
from decimal import Decimal

import pytest
from msgspec.structs import replace

from tieout.connectors.intacct.classify import ErrorKind
from tieout.connectors.intacct.outcomes import Accepted, NotSent, RefusedByIntacct, Unknown
from tieout.errors import InputError, Refused, Throttled, Unreachable


def _batch(samples, count=3):
    return [(f"inv:{n}", samples.invoice(n)) for n in range(1, count + 1)]


def test_each_result_finds_its_document(scripted, connect, samples, say):
    scripted.answer = lambda asked: say.envelope(
        asked.label,
        say.result("inv:1", "success", "<key>771</key>")
        + say.failed("inv:2", say.error("BL03000018", "Illegal format for: Date"))
        + say.made("inv:3", 88),
    )
    spent = []
    outcome = connect(meter=lambda kind, count: spent.append((kind, count))).post(_batch(samples))
    assert outcome.results["inv:1"] == Accepted("771")
    assert outcome.results["inv:3"] == Accepted("88")
    refused = outcome.results["inv:2"]
    assert isinstance(refused, RefusedByIntacct)
    assert (refused.kind, refused.number) == (ErrorKind.DATA, "BL03000018")
    assert "Illegal format for: Date (BL03000018)" in refused.sentence
    assert list(outcome.results) == ["inv:1", "inv:2", "inv:3"]
    assert spent == [("write", 2)]
    assert outcome.halted is None
    assert scripted.asked[0].root.findtext("control/uniqueid") == "true"
    assert scripted.asked[0].root.find("operation").get("transaction") == "false"


def test_a_bad_record_stays_home_and_the_rest_goes(scripted, connect, samples, say):
    scripted.answer = lambda asked: say.envelope(asked.label, "".join(say.made(i) for i in asked.ids))
    batch = _batch(samples)
    batch[1] = ("inv:2", samples.invoice(2, customer_id="c" * 36, description="bell \x07"))
    outcome = connect().post(batch)
    held = outcome.results["inv:2"]
    assert isinstance(held, RefusedByIntacct)
    assert not held.is_sent
    assert "36 characters" in held.sentence
    assert "control character" in held.sentence
    assert scripted.asked[0].ids == ["inv:1", "inv:3"]


def test_a_batch_of_nothing_sendable_sends_nothing(scripted, connect, samples):
    outcome = connect().post([("a", samples.invoice(lines=()))])
    assert isinstance(outcome.results["a"], RefusedByIntacct)
    assert connect().post([]).results == {}
    assert not scripted.asked
    assert not scripted.sign_ins


def test_batches_that_may_not_be_sent(connect, samples, scripted):
    with pytest.raises(InputError, match="same control id"):
        connect().post([("x", samples.invoice(1)), ("x", samples.invoice(2))])
    with pytest.raises(InputError, match="at most 100"):
        connect().post(_batch(samples, 101))
    assert not scripted.sign_ins


@pytest.mark.parametrize(
    "answer",
    [
        None,
        (502, b"<html>bad gateway</html>"),
        (200, b"<html>maintenance</html>"),
        (200, b""),
        (200, b"\x1f\x8b not xml"),
        (408, b"<response/>"),
    ],
)
def test_a_lost_or_unreadable_answer_is_unknown_and_sent_once(scripted, connect, samples, answer):
    scripted.answer = lambda _: answer
    outcome = connect().post(_batch(samples))
    assert all(isinstance(result, Unknown) for result in outcome.results.values())
    assert len(scripted.asked) == 1


def test_a_reply_cut_short_is_unknown(scripted, connect, samples, say):
    def answer(asked):
        whole = say.envelope(asked.label, "".join(say.made(i) for i in asked.ids))
        return 200, whole[:-40], {"Content-Length": str(len(whole))}

    scripted.answer = answer
    assert all(isinstance(result, Unknown) for result in connect().post(_batch(samples)).results.values())


def test_throttling_before_anything_was_done_is_raised(scripted, connect, samples, say):
    scripted.answer = lambda _: (
        429,
        say.control_failure(say.error("GW-0010", "limit")),
        {"Retry-After": "7"},
    )
    with pytest.raises(Throttled) as caught:
        connect().post(_batch(samples))
    assert caught.value.retry_after == 7


def test_no_connection_is_raised(connect, samples):
    with pytest.raises(Unreachable):
        connect(endpoint="http://127.0.0.1:9/x").post(_batch(samples))


def test_bisection_finds_the_poison(scripted, connect, samples, say):
    poison = {"inv:5", "inv:12"}

    def answer(asked):
        if poison & set(asked.ids):
            return say.control_failure(
                say.error("XL03000003", "XML Parse schema error: Error 1843 element not expected")
            )
        return say.envelope(asked.label, "".join(say.made(i) for i in asked.ids))

    scripted.answer = answer
    outcome = connect().post(_batch(samples, 16))
    refused = outcome.of(RefusedByIntacct)
    assert set(refused) == poison
    assert {result.number for result in refused.values()} == {"XL03000003"}
    assert "Error 1843" in refused["inv:5"].sentence
    assert len(outcome.of(Accepted)) == 14
    sent = [i for asked in scripted.asked if not poison & set(asked.ids) for i in asked.ids]
    assert sorted(sent) == sorted({f"inv:{n}" for n in range(1, 17)} - poison), "nothing is carried out twice"
    assert outcome.requests == len(scripted.asked) <= 16


@pytest.mark.parametrize(("count", "seeds"), [(1, 4), (2, 4), (5, 3), (40, 1)])
def test_bisection_keeps_its_bound_wherever_the_poison_lies(scripted, connect, samples, say, count, seeds):
    def answer(asked):
        if poison & set(asked.ids):
            return say.control_failure(say.error("XL03000003", "XML Parse schema error"))
        return say.envelope(asked.label, "".join(say.made(i) for i in asked.ids))

    scripted.answer = answer
    for seed in range(seeds):
        n = 40
        poison = {f"inv:{one}" for one in random.Random(seed).sample(range(1, n + 1), count)}
        outcome = connect().post(_batch(samples, n))
        assert set(outcome.of(RefusedByIntacct)) == poison
        assert outcome.requests <= min(1 + 2 * count * math.ceil(math.log2(n)), 2 * n - 1)


def test_a_request_refused_as_too_large_is_halved(scripted, connect, samples, say):
    def answer(asked):
        if len(asked.ids) > 4:
            return 400, say.control_failure(say.error("ZZ-1", "Too many functions in one request"))
        return say.envelope(asked.label, "".join(say.made(i) for i in asked.ids))

    scripted.answer = answer
    outcome = connect().post(_batch(samples, 10))
    assert len(outcome.of(Accepted)) == 10
    assert [len(asked.ids) for asked in scripted.asked] == [10, 5, 2, 3, 5, 2, 3]


def test_a_gateway_that_cannot_tell_who_asks_stops_everything(scripted, connect, samples, say):
    scripted.answer = lambda _: (400, say.control_failure(say.error("GW-0011", "Invalid Request")))
    with pytest.raises(Refused, match="GW-0011"):
        connect().post(_batch(samples))
    assert len(scripted.asked) == 1


def test_throttling_during_bisection_keeps_what_is_known(scripted, connect, samples, say):
    def answer(asked):
        if len(asked.ids) == 4:
            return say.control_failure(say.error("XL03000003", "XML Parse schema error"))
        if asked.ids == ["inv:1", "inv:2"]:
            return say.envelope(asked.label, "".join(say.made(i) for i in asked.ids))
        return 429, b"slow down"

    scripted.answer = answer
    outcome = connect().post(_batch(samples, 4))
    assert set(outcome.of(Accepted)) == {"inv:1", "inv:2"}
    assert set(outcome.of(NotSent)) == {"inv:3", "inv:4"}
    assert isinstance(outcome.halted, Throttled)


BACK = "The entire transaction in this operation has been rolled back due to an error."


@pytest.mark.parametrize("culprit_shape", ["failure", "aborted"])
@pytest.mark.parametrize("after", ["aborted", "absent"])
def test_a_rolled_back_batch_goes_again_without_the_culprit(
    scripted, connect, samples, say, culprit_shape, after
):
    def answer(asked):
        if "inv:2" not in asked.ids:
            return say.envelope(asked.label, "".join(say.made(i, 9) for i in asked.ids))
        rolled = say.error("XL03000009", BACK)
        return say.envelope(
            asked.label,
            say.failed("inv:1", rolled, status="aborted")
            + say.failed(
                "inv:2", say.error("PL01000127", "Document Number is missing"), rolled, status=culprit_shape
            )
            + (say.failed("inv:3", rolled, status="aborted") if after == "aborted" else ""),
        )

    scripted.answer = answer
    outcome = connect(transaction=True).post(_batch(samples))
    assert outcome.results["inv:1"] == outcome.results["inv:3"] == Accepted("9")
    assert outcome.results["inv:2"].number == "PL01000127"
    assert [asked.ids for asked in scripted.asked] == [["inv:1", "inv:2", "inv:3"], ["inv:1", "inv:3"]]
    assert scripted.asked[0].root.find("operation").get("transaction") == "true"


def test_all_aborted_and_no_culprit_is_not_success(scripted, connect, samples, say):
    scripted.answer = lambda asked: say.envelope(
        asked.label,
        "".join(say.failed(i, say.error("XL03000009", BACK), status="aborted") for i in asked.ids),
    )
    for transaction in (True, False):
        outcome = connect(transaction=transaction).post(_batch(samples))
        assert {result.kind for result in outcome.results.values()} == {ErrorKind.ROLLED_BACK}
    assert len(scripted.asked) == 2


def test_success_beside_a_roll_back_is_not_believed(scripted, connect, samples, say):
    scripted.answer = lambda asked: say.envelope(
        asked.label,
        "".join(
            say.made(i) if i == "inv:1" else say.failed(i, say.error("BL03002101", "line incomplete"))
            for i in asked.ids
        ),
    )
    outcome = connect(transaction=True).post(_batch(samples, 2))
    assert isinstance(outcome.results["inv:1"], Unknown)


def test_the_odd_answer_is_tried_exactly_once_more(scripted, connect, samples, say):
    odd = say.error(
        "BL01001973", "Currently, we can't create the transaction", "Check the transaction, then try again."
    )
    scripted.answer = lambda asked: say.envelope(
        asked.label, "".join(say.failed(i, odd) if i == "inv:2" else say.made(i) for i in asked.ids)
    )
    outcome = connect().post(_batch(samples))
    assert [asked.ids for asked in scripted.asked] == [["inv:1", "inv:2", "inv:3"], ["inv:2"]]
    assert outcome.results["inv:2"].kind is ErrorKind.RETRY_ONCE
    assert len(outcome.of(Accepted)) == 2


def test_a_refused_replay_is_neither_success_nor_failure(scripted, connect, samples, say):
    scripted.answer = lambda asked: say.envelope(
        asked.label,
        say.failed("inv:1", say.error("BL01001973", "The control ID 'inv:1' has already been used."))
        + say.failed("inv:2", say.error("ZZ-77", "no"))
        + say.failed("inv:3", say.error("BL01001973", "Seen before, my friend")),
    )
    outcome = connect(replay_numbers=("ZZ-77",), replay_texts=("seen before",)).post(_batch(samples))
    assert all(isinstance(result, Unknown) for result in outcome.results.values())


def test_an_operation_refused_as_a_whole_is_unknown(scripted, connect, samples, say):
    scripted.answer = lambda asked: say.envelope(
        asked.label, f"<errormessage>{say.error('XL03000099', 'Duplicate control id')}</errormessage>"
    )
    outcome = connect().post(_batch(samples))
    assert all(isinstance(result, Unknown) for result in outcome.results.values())


def test_duplicates_and_closed_periods_are_named(scripted, connect, samples, say):
    wrapper = say.error("BL01001973", "Could not create ARInvoice record!")
    scripted.answer = lambda asked: say.envelope(
        asked.label,
        say.failed("inv:1", wrapper, say.error("BL03002185", "A transaction with that number already exists"))
        + say.failed(
            "inv:2",
            say.error("BL01001973", "Periods are closed. Your transaction date is within ..."),
            wrapper,
        )
        + say.failed(
            "inv:3", say.error("BL01001973", "Invalid Customer &#039;C-1&#039; specified."), wrapper
        ),
    )
    outcome = connect().post(_batch(samples))
    assert [result.kind for result in outcome.results.values()] == [
        ErrorKind.DUPLICATE,
        ErrorKind.CLOSED_PERIOD,
        ErrorKind.DATA,
    ]
    assert "Invalid Customer 'C-1' specified" in outcome.results["inv:3"].sentence
    assert len(outcome.results["inv:1"].all_errors) == 2


def test_the_same_batch_makes_the_same_bytes(scripted, connect, samples, say):
    scripted.answer = lambda asked: say.envelope(asked.label, "".join(say.made(i) for i in asked.ids))
    client = connect()
    client.post(_batch(samples))
    client.post(_batch(samples))
    assert scripted.asked[0].raw == scripted.asked[1].raw


def test_a_float_never_leaves(connect, samples, scripted):
    line = samples.invoice().lines[0]
    outcome = connect().post([("a", samples.invoice(lines=(replace(line, amount=59.9),)))])
    assert "binary float" in outcome.results["a"].sentence
    outcome = connect().post([("a", samples.invoice(lines=(replace(line, amount=Decimal("1.005")),)))])
    assert "more than two decimals" in outcome.results["a"].sentence
    scripted.sign_in = lambda asked: (401, b"no")
    with pytest.raises(Refused):
        connect().post(_batch(samples))
