"""Error numbers and texts to what a person, or the outbox, should do about them.

Intacct's numbers are coarse: XL03000006 and BL01001973 each mean a dozen things. So a row of the table matches the number and the
text, the first row wins, and what is in no row is the record's own fault (`data`): held, shown, never sent again unchanged.
Source: "Sage Intacct Web Services documentation, Error handling" for the classes; the texts are those seen in public recordings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tieout.connectors.intacct.replies import Fault, cause


class ErrorKind(StrEnum):
    """What to do next.

    transport      wait and send again: surely not done
    ambiguous      may have been done: read back by natural key, then decide
    session        sign in again once, then repeat with the same function ids
    duplicate      the id or number exists: read back; equal content is done, other content is a conflict for a person
    rolled_back    another function of the request failed: drop that one and repeat the rest
    config         set-up or credentials are wrong: stop the run and tell a person
    permission     the user lacks a right: stop what needs it and tell a person
    closed_period  the period is closed in Intacct: finance decides
    data           this record is wrong: hold it with its reason
    retry_once     an odd answer that asks to be tried again: once, not more
    schema         the request as a whole broke the schema: find the record by bisection
    """

    TRANSPORT = "transport"
    AMBIGUOUS = "ambiguous"
    SESSION = "session"
    DUPLICATE = "duplicate"
    ROLLED_BACK = "rolled_back"
    CONFIG = "config"
    PERMISSION = "permission"
    CLOSED_PERIOD = "closed_period"
    DATA = "data"
    RETRY_ONCE = "retry_once"
    SCHEMA = "schema"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: number pattern, text pattern (both searched, case-insensitive), kind, and the advice an operator reads."""

    number: str
    text: str
    kind: ErrorKind
    advice: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The kind of an error, its number, and one sentence: what Intacct said and what to do."""

    kind: ErrorKind
    number: str
    sentence: str
    said: str


_K = ErrorKind
RULES: tuple[Rule, ...] = (
    Rule(r"^GW-0010$", r"", _K.TRANSPORT, "Intacct is busy with this company's other requests; it is tried again later."),
    Rule(r"", r"API rate limit exceeded", _K.TRANSPORT, "Intacct is busy with this company's other requests; it is tried again later."),
    Rule(r"^GW-0011$", r"", _K.CONFIG, "Check the endpoint and the sender id: the gateway could not tell who is asking."),
    Rule(r"^XL03000003$", r"", _K.SCHEMA, "A record broke the gateway's schema; it is found by halving the batch."),
    Rule(r"^XL03000006$", r"invalid session|session (has )?(expired|timed out)", _K.SESSION, "A new session is made."),
    Rule(r"^XL03000006$", r"partner id or password", _K.CONFIG, "Correct the sender id or its password."),
    Rule(r"^XL03000006$", r"transport policy", _K.CONFIG, "Remove the policy id: asynchronous delivery is not set up."),
    Rule(
        r"^XL03000006$", r"sign-in information is incorrect", _K.CONFIG,
        "Correct user, company or password; a wrong entity id looks the same.",
    ),
    Rule(
        r"^XL03000006$", r"web services authorization", _K.CONFIG,
        "An administrator of the company must add the sender id under Web Services authorizations.",
    ),
    Rule(
        r"^XL03000006$", r"field|query|select|column", _K.DATA,
        "A field of the query cannot be queried; take it out of the list.",
    ),
    Rule(r"^XL03000006$", r"", _K.CONFIG, "Check the Intacct connection with 'tieout doctor'."),
    Rule(r"^XL03000009$", r"object definition .* not found", _K.CONFIG, "The company has no such object; check its subscriptions."),
    Rule(r"^XL03000009$", r"error processing the function", _K.DATA, "Check the fields of this request."),
    Rule(r"^XL03000009$", r"", _K.ROLLED_BACK, "Another record of the same batch failed; this one is sent again without it."),
    Rule(r"^XL03000027$", r"", _K.DATA, "More is applied than the invoice still owes; check what else was applied to it."),
    Rule(
        r"", r"control\s?id.*(already|duplicate|previous|not unique|been (used|processed))|(duplicate|already).*control\s?id",
        _K.AMBIGUOUS, "Intacct has done a function of this id before; it is read back to see what came of it.",
    ),
    Rule(r"^BL34000061$", r"", _K.DUPLICATE, "It exists already; it is read back and compared."),
    Rule(r"^BL03002185$", r"", _K.DUPLICATE, "The document number exists already; it is read back and compared."),
    Rule(r"^PL05000104$", r"", _K.DUPLICATE, "It exists already; it is read back and compared."),
    Rule(
        r"", r"periods? (is|are|has been|have been) closed|within a (closed period|period that)|books are closed|closed period",
        _K.CLOSED_PERIOD, "The period is closed in Intacct; finance may reopen it, or the document takes another date.",
    ),
    Rule(
        r"^BL01001973$", r"another .* already exists|duplicate account number|already exists",
        _K.DUPLICATE, "It exists already; it is read back and compared.",
    ),
    Rule(r"^BL01001973$", r"entity.only|only at the entity level|entity level", _K.CONFIG, "Set an entity for this kind of document."),
    Rule(
        r"^BL01001973$", r"currently, we can.?t create the transaction", _K.RETRY_ONCE,
        "Intacct gave no reason and asked to try again; it is tried once more.",
    ),
    Rule(
        r"", r"invalid (customer|project|item|location|department|class|account|gl account|term|vendor|employee|warehouse)\b.*specified",
        _K.DATA, "Create it in Intacct, or correct the mapping.",
    ),
    Rule(r"^BL03002128$", r"", _K.DATA, "Send a number, or set a numbering sequence in Intacct."),
    Rule(r"^BL03002101$", r"", _K.DATA, "A line is incomplete; check its amount and account."),
    Rule(r"^BL03001994$", r"", _K.DATA, "Map the store to a location: this company has several entities."),
    Rule(r"^BL03000018$", r"", _K.DATA, "Correct the value at its source or in the mapping."),
    Rule(r"^BL03002129$", r"", _K.DATA, "Correct the action of this document."),
    Rule(r"^PL01000127$", r"", _K.DATA, "Send a document number."),
    Rule(r"^PL04000055$", r"", _K.CONFIG, "The company is an expired demonstration company; use another."),
    Rule(r"^PL04000005$", r"", _K.PERMISSION, "Give the API user the right for this action."),
    Rule(r"^PL0400", r"", _K.CONFIG, "Check the company's subscription and the API user's rights."),
    Rule(r"^WSP001$", r"", _K.PERMISSION, "Give the API user the right for this action."),
    Rule(r"^DL02000001$", r"", _K.PERMISSION, "Intacct gave no reason; a missing right to the object is the usual one."),
    Rule(r"^DL03000005$", r"", _K.DATA, "No record has that key; a document key is not an invoice RECORDNO."),
    Rule(r"query failed|invalid fields list", r"", _K.CONFIG, "The company does not know this object or field."),
    Rule(r"", r"(not|n.t) (have )?(permission|authori[sz]ed)|no permission|permission denied", _K.PERMISSION, "Give the API user the right."),
)  # fmt: skip
_COMPILED = tuple((re.compile(rule.number, re.I), re.compile(rule.text, re.I | re.S), rule) for rule in RULES)
_DEFAULT = Rule("", "", ErrorKind.DATA, "Correct the record or its mapping and release it.")
_STRONG = (
    ErrorKind.AMBIGUOUS,
    ErrorKind.DUPLICATE,
    ErrorKind.CLOSED_PERIOD,
    ErrorKind.SESSION,
    ErrorKind.TRANSPORT,
)


def judge(fault: Fault) -> Rule:
    """The first rule that fits one error; the default (`data`) when none does."""
    text = f"{fault.text} {fault.correction}"
    for number, words, rule in _COMPILED:
        if number.search(fault.number) and words.search(text):
            return rule
    return _DEFAULT


def classify(
    faults: Sequence[Fault], *, replay_numbers: Iterable[str] = (), replay_texts: Iterable[str] = ()
) -> Verdict:
    """One verdict for all errors of a result.

    The sentence is that of the first error that says something. The kind is its kind too, unless a later error of the same
    result names a duplicate, a closed period or a repeated function: those decide what happens next wherever they stand.
    `replay_numbers` and `replay_texts` (regular expressions) add what a company answers to a repeated function id, which is not publicly
    known; without them it is recognised by its words.
    """
    if not faults:
        return Verdict(
            ErrorKind.DATA,
            "",
            "Intacct refused this without giving a reason; look the record up in Intacct.",
            "",
        )
    numbers = set(replay_numbers)
    patterns = [re.compile(text, re.I) for text in replay_texts]
    for fault in faults:
        if fault.number in numbers or any(pattern.search(fault.text) for pattern in patterns):
            advice = "Intacct has done a function of this id before; it is read back to see what came of it."
            return Verdict(ErrorKind.AMBIGUOUS, fault.number, _sentence(fault, advice), fault.text)
    shown = cause(faults) or faults[0]
    rule = judge(shown)
    if rule.kind not in _STRONG:
        for fault in faults:
            other = judge(fault)
            if other.kind in _STRONG:
                shown, rule = fault, other
                break
    return Verdict(rule.kind, shown.number, _sentence(shown, rule.advice), shown.text)


def _sentence(fault: Fault, advice: str) -> str:
    said = fault.text.rstrip(".! ") or fault.correction.rstrip(".! ") or "no reason given"
    if len(said) > 300:
        said = said[:297] + "..."
    number = f" ({fault.number})" if fault.number and " " not in fault.number else ""
    return f"Intacct: {said}{number}. {advice}"
