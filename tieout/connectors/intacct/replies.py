"""Reply bytes to plain results, trusting nothing ("Sage Intacct Web Services documentation, Responses").

A reply carries three statuses in turn (control, authentication, result), errors whose numbers may be sentences or nothing at all, and
keys in two shapes. Only the word `success` means success. What cannot be read raises MalformedReply, which for a write means that
its outcome is unknown.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import unquote

import msgspec
from lxml import etree

from tieout.errors import MalformedReply

MAX_BYTES = 64 * 1024 * 1024

Status = Literal["success", "failure", "aborted", "missing"]
Row = dict[str, Any]
"""One record: upper-case field names to text, RECORDNO to int, nested lines to lists of rows."""

Mask = Callable[[str], str]

_SUPPORT = re.compile(r"\s*\[Support ID:\s*([^\]]*)\]\s*")
_GENERIC_NUMBERS = frozenset({"", "BL01001973", "XL03000009", "DL02000001"})
_GENERIC_TEXT = re.compile(
    r"\A(could not (create|update|delete|add|process) .{0,80}|there was an error processing the (request|function).{0,40}"
    r"|the entire transaction in this operation has been rolled back due to an error|)[.!]*\Z",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One `<error>`: `number` is what Intacct calls errorno, which may be a sentence or empty; `text` is fit for people."""

    number: str
    text: str
    correction: str = ""
    support_id: str = ""
    detail: tuple[tuple[str, str], ...] = ()
    """additionalinfo, flattened: errorid, category, object, field, message ids."""

    @property
    def says_something(self) -> bool:
        """Whether this is a cause and not one of the wrapper lines that follow it."""
        return not (self.number in _GENERIC_NUMBERS and _GENERIC_TEXT.match(self.text))


def cause(faults: Sequence[Fault]) -> Fault | None:
    """The first error that says something; else the first of all; None if there is none."""
    return next((fault for fault in faults if fault.says_something), faults[0] if faults else None)


@dataclass(frozen=True, slots=True)
class Block:
    """The control or authentication block: its status word (empty when missing), what it echoes, its errors."""

    status: str = ""
    echo: dict[str, str] = field(default_factory=dict, repr=False)
    errors: tuple[Fault, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the status is exactly `success`."""
        return self.status == "success"


class FunctionResult(msgspec.Struct, frozen=True):
    """What one function came to. `word` is the status as received; anything but success and aborted reads as failure."""

    control_id: str
    status: Status
    word: str = ""
    function: str = ""
    key: str | None = None
    errors: tuple[Fault, ...] = ()
    attributes: dict[str, str] = msgspec.field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    data: etree._Element | None = None

    def __repr__(self) -> str:
        # A sign-in's answer holds a session id in its rows: they are not for printing.
        return f"FunctionResult({self.control_id!r}, {self.status!r}, key={self.key!r}, errors={self.errors!r}, rows={len(self.rows)})"


@dataclass(frozen=True, slots=True)
class Response:
    """A whole reply. `operation_errors` stand in place of results; `results` keep the order received."""

    control: Block
    authentication: Block | None
    results: tuple[FunctionResult, ...]
    operation_errors: tuple[Fault, ...] = ()

    def matched(self, control_ids: Sequence[str]) -> dict[str, FunctionResult]:
        """One result per function sent, in the order sent; `missing` where the reply has none.

        Raises MalformedReply when the reply holds a result for a function that was not sent, two for one, or results in another
        order than the functions: such a reply does not follow the protocol, and no part of it may be believed.
        """
        wanted = {control_id: place for place, control_id in enumerate(control_ids)}
        found: dict[str, FunctionResult] = {}
        last = -1
        for result in self.results:
            place = wanted.get(result.control_id)
            if place is None:
                raise MalformedReply(
                    f"Intacct answered a function that was not sent ('{result.control_id[:60]}'); no result of this reply is believed."
                )
            if result.control_id in found:
                raise MalformedReply(
                    f"Intacct answered the function '{result.control_id[:60]}' twice; no result of this reply is believed."
                )
            if place < last:
                raise MalformedReply(
                    "Intacct answered the functions in another order than they were sent; no result of this reply is believed."
                )
            found[result.control_id] = result
            last = place
        return {
            control_id: found.get(control_id) or FunctionResult(control_id, "missing")
            for control_id in control_ids
        }


_DOCTYPE = re.compile(rb"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)


def parse(content: bytes, *, mask: Mask = str, max_bytes: int = MAX_BYTES) -> Response:
    """Read a reply; `mask` takes secrets out of error texts, which a gateway might echo.

    Raises MalformedReply for anything that is not a whole, plain reply of the gateway.
    """
    root = _root(content, max_bytes)
    control_node = root.find("control")
    if control_node is None:
        raise _malformed("has no control block")
    control = _block(
        control_node,
        _errors(root.find("errormessage"), mask) + _errors(control_node.find("errormessage"), mask),
    )
    operations = root.findall("operation")
    if len(operations) > 1:
        raise _malformed("holds several operations where one was sent")
    if not operations:
        if control.ok and root.find("errormessage") is None:
            raise _malformed("says success but holds no operation")
        return Response(control, None, ())
    operation = operations[0]
    operation_errors = _errors(operation.find("errormessage"), mask)
    who = operation.find("authentication")
    if who is None:
        raise _malformed("has no authentication block")
    own = _errors(who.find("errormessage"), mask)
    authentication = _block(who, own + (() if who.findtext("status") == "success" else operation_errors))
    results = tuple(_result(node, mask) for node in operation.iterchildren("result"))
    return Response(control, authentication, results, operation_errors)


def _malformed(what: str) -> MalformedReply:
    return MalformedReply(
        f"Intacct's reply {what}; keep its copy in the archive and try again, and check the endpoint if it happens twice."
    )


def _root(content: bytes, max_bytes: int) -> etree._Element:
    if not content.strip():
        raise _malformed("is empty")
    if len(content) > max_bytes:
        raise _malformed(f"is larger than {max_bytes} bytes")
    # UTF-16 and UTF-32 would hide a document type from the scan below; the gateway only speaks UTF-8.
    if content[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in content[:64]:
        raise _malformed("is not UTF-8")
    if _DOCTYPE.search(content):
        raise _malformed("declares a document type or entities, which the protocol does not know")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError):
        raise _malformed("is not well-formed XML (cut short, or not XML at all)") from None
    if root.tag != "response":
        raise _malformed(f"begins with <{_name(root)[:40]}> where <response> belongs")
    return root


def _name(node: etree._Element) -> str:
    tag = node.tag
    return tag if isinstance(tag, str) else repr(tag)


def _said_once(node: etree._Element, what: str) -> None:
    """Raises MalformedReply when a block says a status, a control id or a key twice: which of them counts nobody can know."""
    for tag in ("status", "controlid", "key"):
        if len(node.findall(tag)) > 1:
            raise _malformed(f"says the {tag} of a {what} twice")


def _block(node: etree._Element, errors: tuple[Fault, ...]) -> Block:
    _said_once(node, "block")
    echo = {str(child.tag): child.text or "" for child in node.iterchildren() if not len(child)}
    return Block((node.findtext("status") or "").strip(), echo, errors)


def _clean(text: str | None) -> str:
    # The gateway HTML-escapes inside XML, so one more unescaping is due after the parser's own.
    return " ".join(html.unescape(text).split()) if text else ""


def _errors(node: etree._Element | None, mask: Mask) -> tuple[Fault, ...]:
    return () if node is None else tuple(_fault(error, mask) for error in node.iterchildren("error"))


def _fault(node: etree._Element, mask: Mask) -> Fault:
    support = ""
    texts = []
    for tag in ("description2", "description"):
        text = mask(_clean(node.findtext(tag)))
        found = _SUPPORT.search(text)
        if found:
            support = support or unquote(found[1])
            text = _SUPPORT.sub(" ", text).strip()
        texts.append(text)
    number = mask(_clean(node.findtext("errorno")))
    if number.lower() == "null":
        number = ""
    text = texts[0] or texts[1]
    if " " in number:
        # Some functions put the sentence where the number belongs.
        text = f"{number}: {text}" if text else number
    return Fault(
        number,
        text,
        mask(_clean(node.findtext("correction"))),
        support,
        _detail(node.find("additionalinfo"), mask),
    )


def _detail(node: etree._Element | None, mask: Mask) -> tuple[tuple[str, str], ...]:
    if node is None:
        return ()
    found: list[tuple[str, str]] = []
    for child in node.iter(etree.Element):
        name = etree.QName(child).localname
        found += [(f"{name}.{key}", mask(_clean(value))) for key, value in _attributes(child) if value]
        if not len(child) and child.text and child.text.strip():
            found.append((name, mask(_clean(child.text))))
    return tuple(found)


def _attributes(node: etree._Element) -> list[tuple[str, str]]:
    return [(str(name), str(value)) for name, value in node.attrib.items()] if node.attrib else []


def _result(node: etree._Element, mask: Mask) -> FunctionResult:
    parts = {child.tag: child for child in node}
    if len(parts) < len(node):
        _said_once(node, "result")
    word = _text(parts.get("status")).strip()
    status: Status = word if word in ("success", "aborted") else "failure"  # type: ignore[assignment]
    data = parts.get("data")
    rows: tuple[Row, ...] = ()
    attributes: dict[str, str] = {}
    if data is not None:
        attributes = dict(_attributes(data))
        rows = tuple([row(child) for child in data])
    key = _text(parts.get("key")).strip() or None
    if key is None and len(rows) == 1 and attributes.get("listtype") == "objects":
        number = rows[0].get("RECORDNO")
        key = str(number) if number is not None else _first_text(rows[0])
    return FunctionResult(
        control_id=_text(parts.get("controlid")),
        status=status,
        word=word,
        function=_text(parts.get("function")).strip(),
        key=key,
        errors=_errors(parts["errormessage"], mask) if "errormessage" in parts else (),
        attributes=attributes,
        rows=rows,
        data=data,
    )


def _text(node: etree._Element | None) -> str:
    return "" if node is None else node.text or ""


def _first_text(values: Row) -> str | None:
    return next((value for value in values.values() if isinstance(value, str) and value), None)


def row(node: etree._Element) -> Row:
    """One record as a dict: upper-case names, text as received, RECORDNO as int, children with children as lists of rows."""
    values: Row = {}
    for child in node.iterchildren():
        name = str(child.tag).upper()
        if len(child):
            values[name] = [
                row(part) if len(part) else {str(part.tag).upper(): part.text or ""} for part in child
            ]
        else:
            values[name] = child.text or ""
    number = values.get("RECORDNO")
    if isinstance(number, str):
        if not (number.isascii() and number.isdigit()):
            if number:
                raise _malformed(f"holds the RECORDNO '{number[:40]}', which is not a number")
            del values["RECORDNO"]
        else:
            values["RECORDNO"] = int(number)
    return values
