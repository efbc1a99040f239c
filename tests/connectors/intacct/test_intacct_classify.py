"""Every error number that is publicly known, with the texts seen for it, and what the client makes of it."""

from __future__ import annotations

import pytest

from tieout.connectors.intacct.classify import RULES, ErrorKind, classify
from tieout.connectors.intacct.replies import Fault

K = ErrorKind
TABLE = [
    ("XL03000003", "XML Parse schema error: Fatal Error 76: mismatched tag line 3 column 9", K.SCHEMA),
    ("XL03000003", "XML Parse schema error: Error 1843: element not expected", K.SCHEMA),
    ("XL03000006", "Incorrect Intacct XML Partner ID or password.", K.CONFIG),
    ("XL03000006", "tieout_async is not a valid transport policy.", K.CONFIG),
    ("XL03000006", "Sign-in information is incorrect", K.CONFIG),
    ("XL03000006", "Invalid session. The session has ended.", K.SESSION),
    ("XL03000006", "Invalid Web Services Authorization", K.CONFIG),
    ("XL03000006", "Fields INVOICENO, DATEDUE cannot be queried", K.DATA),
    ("XL03000006", "something new", K.CONFIG),
    (
        "XL03000009",
        "The entire transaction in this operation has been rolled back due to an error.",
        K.ROLLED_BACK,
    ),
    ("XL03000009", "There was an error processing the function", K.DATA),
    ("XL03000009", "Object definition ARINVOICEX not found", K.CONFIG),
    ("XL03000027", "The payment amount is greater than the amount due", K.DATA),
    ("GW-0010", "", K.TRANSPORT),
    ("", "API rate limit exceeded", K.TRANSPORT),
    ("GW-0011", "Invalid Request", K.CONFIG),
    ("BL01001973", "Duplicate account number", K.DUPLICATE),
    ("BL01001973", "Invalid Project 'P1' specified.", K.DATA),
    ("BL01001973", "Invalid Customer 'C-1' specified.", K.DATA),
    ("BL01001973", "Cannot find customer with key 'x' to delete.", K.DATA),
    ("BL01001973", "Currently, we can't create the transaction", K.RETRY_ONCE),
    ("BL01001973", "This definition may be used only at the entity level", K.CONFIG),
    ("BL01001973", "Could not create Customer record!", K.DATA),
    ("BL01001973", "The control ID 'x' has already been used by a completed operation.", K.AMBIGUOUS),
    ("BL01001973", "Duplicate controlid", K.AMBIGUOUS),
    ("BL34000061", "Another Customer with the given value(s) C-1 already exists", K.DUPLICATE),
    ("PL05000104", "Employee exists", K.DUPLICATE),
    ("BL03002185", "A transaction with that number already exists", K.DUPLICATE),
    ("BL03002128", "A number is required", K.DATA),
    ("BL03002101", "Incomplete line", K.DATA),
    ("BL03001994", "Location '' is invalid", K.DATA),
    ("BL03000018", "Illegal format for: Primary Email Address", K.DATA),
    ("BL03000018", "Missing unit", K.DATA),
    ("BL03002129", "Action not valid for this transfer type", K.DATA),
    ("PL01000127", "Document Number is missing", K.DATA),
    ("PL04000055", "The demo company has expired", K.CONFIG),
    ("PL04000005", "You do not have permission for this action", K.PERMISSION),
    ("PL04000099", "Not subscribed", K.CONFIG),
    ("DL02000001", "There was an error processing the request.", K.PERMISSION),
    ("DL03000005", "No record for that key", K.DATA),
    ("WSP001", "No", K.PERMISSION),
    ("Query Failed", "", K.CONFIG),
    ("Invalid fields list FOO, BAR", "", K.CONFIG),
    ("", "Periods are closed. Your transaction date is within a period that's been closed", K.CLOSED_PERIOD),
    ("BL03001111", "Your transaction date is within a period that's been closed", K.CLOSED_PERIOD),
    ("BL99999999", "never heard of", K.DATA),
    ("", "", K.DATA),
]


@pytest.mark.parametrize(("number", "text", "kind"), TABLE)
def test_table(number, text, kind):
    verdict = classify([Fault(number, text)])
    assert verdict.kind is kind
    assert verdict.sentence.startswith("Intacct")
    assert verdict.sentence.endswith((".", "!"))
    if text:
        assert text.rstrip(".!") in verdict.sentence
    if number and " " not in number:
        assert f"({number})" in verdict.sentence
        # A wrapper after the cause changes nothing.
        wrapped = classify([Fault(number, text), Fault("BL01001973", "Could not create X record!")])
        assert wrapped.kind is kind


def test_every_kind_and_every_rule_is_reached():
    assert {kind for _, _, kind in TABLE} == set(ErrorKind)
    from tieout.connectors.intacct.classify import judge

    reached = {judge(Fault(number, text)) for number, text, _ in TABLE}
    missing = [rule for rule in RULES if rule not in reached]
    # One text per kind of refusal is enough where only the wording of the permission differs.
    assert [rule.kind for rule in missing] in ([], [K.PERMISSION]), missing


def test_what_decides_decides_wherever_it_stands():
    wrapper = Fault("BL01001973", "Something else is wrong")
    assert classify([wrapper, Fault("BL03002185", "number exists")]).kind is K.DUPLICATE
    assert classify([wrapper, Fault("", "Periods are closed.")]).kind is K.CLOSED_PERIOD
    assert classify([wrapper, Fault("BL03000018", "x")]).kind is K.DATA
    assert classify([]).kind is K.DATA


def test_the_companys_own_answer_to_a_replay_is_configured():
    fault = Fault("ZZ-1", "seen it")
    assert classify([fault]).kind is K.DATA
    assert classify([fault], replay_numbers=["ZZ-1"]).kind is K.AMBIGUOUS
    assert classify([fault], replay_texts=["SEEN"]).kind is K.AMBIGUOUS
