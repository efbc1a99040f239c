"""From bytes to a checked request: hostile XML refused, envelope and legacy functions held against the published order.

A document type, entities, excessive depth or size are refused as schema errors; nothing outside the request is ever read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from tieout.sandbox.intacct.company import Knobs
from tieout.sandbox.intacct.content import check
from tieout.sandbox.intacct.sequences import (
    ANY_ORDER,
    ENVELOPE_MODELS,
    FUNCTION_MODELS,
    GENERIC,
    MODELS,
    NEEDS_CUSTOMER_ID,
    NEEDS_KEY,
    UNCHECKED,
)

_MAX_FAULTS = 20


@dataclass(slots=True)
class Control:
    """The control block; texts as sent."""

    senderid: str = ""
    password: str = ""
    controlid: str = ""
    uniqueid: bool = True
    dtdversion: str = "3.0"
    policyid: str = ""
    more_errors: bool = False


@dataclass(slots=True)
class Intake:
    """A request that was read: its control block, operations, and what the schema has against it."""

    control: Control = field(default_factory=Control)
    operations: list[Any] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    unusable: bool = False
    too_large: bool = False


def take_in(body: bytes, knobs: Knobs) -> Intake:
    """Read and check one request body. Never raises for bad input: faults and `unusable` say what is wrong."""
    intake = Intake()
    if not body.strip():
        intake.unusable = True
        return intake
    if len(body) > knobs.max_request_bytes:
        intake.too_large = True
        intake.faults.append(
            f"XML Parse schema error: the request is larger than {knobs.max_request_bytes} bytes."
        )
        return intake
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        intake.faults.append("XML Parse schema error: a document type definition is not allowed.")
        return intake
    parser = etree.XMLParser(
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    root: Any
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        intake.faults += _syntax(parser, error)
        return intake
    if root.getroottree().docinfo.doctype:
        intake.faults.append("XML Parse schema error: a document type definition is not allowed.")
        return intake
    if _deeper(root, knobs.max_depth):
        intake.faults.append(f"XML Parse schema error: elements are nested deeper than {knobs.max_depth}.")
        return intake
    if root.tag != "request":
        intake.faults.append(
            f"XML Parse schema error: Error 1845: Element '{root.tag}': No matching global declaration available. "
            "Line: 1, column: 0"
        )
        return intake
    control = root.find("control")
    if control is not None:
        intake.control = _control(control)
    if control is None or not intake.control.senderid or not intake.control.password:
        intake.unusable = True
        return intake
    check(root, ENVELOPE_MODELS["request"], {**ENVELOPE_MODELS}, intake.faults)
    if not intake.faults:
        intake.operations = root.findall("operation")
        for operation in intake.operations:
            for function in operation.iterfind("content/function"):
                _function(function, intake)
    del intake.faults[_MAX_FAULTS:]
    return intake


def _syntax(parser: Any, error: Exception) -> list[str]:
    entries = [entry for entry in parser.error_log if entry.level >= 2][:_MAX_FAULTS]
    if not entries:
        return [f"XML Parse schema error: Fatal Error 4: {error}"]
    return [
        f"XML Parse schema error: {'Fatal Error' if entry.level == 3 else 'Error'} {entry.type}: {entry.message} "
        f"Line: {entry.line}, column: {entry.column}"
        for entry in entries
    ]


def _deeper(root: Any, limit: int) -> bool:
    level = [root]
    for _ in range(limit):
        level = [child for element in level for child in element if len(child)]
        if not level:
            return False
    return True


def _control(element: Any) -> Control:
    def text(name: str, default: str = "") -> str:
        return (element.findtext(name) or "").strip() or default

    return Control(
        text("senderid"),
        element.findtext("password") or "",
        text("controlid"),
        text("uniqueid", "true").lower() != "false",
        text("dtdversion", "3.0"),
        text("policyid"),
        text("showadditionalerrorinfo").lower() == "true",
    )


def _fault(element: Any, sentence: str, number: int = 1843) -> str:
    return (
        f"XML Parse schema error: Error {number}: Element '{element.tag}': {sentence} "
        f"Line: {element.sourceline or 0}, column: 0"
    )


def _function(function: Any, intake: Intake) -> None:
    faults = intake.faults
    if function.get("controlid") is None:
        faults.append(_fault(function, "The attribute 'controlid' is required but missing.", 1868))
    if len(function) != 1:
        faults.append(_fault(function, "Exactly one function element is expected."))
        return
    call = function[0]
    name = call.tag
    if name in GENERIC and intake.control.dtdversion.startswith("2"):
        faults.append(_fault(call, "This element is not expected in this version."))
    elif name in UNCHECKED:
        return
    elif name in ANY_ORDER:
        _any_order(call, ANY_ORDER[name], faults)
    elif name in FUNCTION_MODELS:
        check(call, FUNCTION_MODELS[name], MODELS, faults)
        for attribute, needing in (("key", NEEDS_KEY), ("customerid", NEEDS_CUSTOMER_ID)):
            if name in needing and not call.get(attribute):
                faults.append(_fault(call, f"The attribute '{attribute}' is required but missing.", 1868))
    else:
        faults.append(_fault(call, "This element is not expected."))


def _any_order(call: Any, names: frozenset[str], faults: list[str]) -> None:
    seen: set[str] = set()
    for child in call:
        if child.tag not in names or child.tag in seen:
            faults.append(
                _fault(
                    child, f"This element is not expected. Expected is one of ( {', '.join(sorted(names))} )."
                )
            )
            return
        seen.add(child.tag)
