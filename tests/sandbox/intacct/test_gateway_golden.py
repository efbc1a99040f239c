"""Requests and replies as files: one story told in order to one gateway, every reply compared to the byte of its tree.

`TIEOUT_WRITE_GOLDEN=1` writes the replies anew; read the difference before keeping it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from lxml import etree

GOLDEN = Path(__file__).with_name("golden")
CASES = sorted(path.name.removesuffix(".request.xml") for path in GOLDEN.glob("*.request.xml"))
ENVELOPE = """<request><control><senderid>tieout_mpp</senderid><password>demo-sender-secret</password>
<controlid>{name}</controlid><uniqueid>true</uniqueid><dtdversion>3.0</dtdversion>
<includewhitespace>false</includewhitespace></control>{operation}</request>"""
LOGIN = (
    "<authentication><login><userid>sync</userid><companyid>TIEOUTDEMO</companyid>"
    "<password>demo-user-secret</password></login></authentication>"
)


def tidy(body: bytes) -> str:
    root = etree.fromstring(body, etree.XMLParser(remove_blank_text=True))
    for node in root.iter("sessionid"):
        node.text = "(drawn)"
    for node in root.iter("data"):
        if "resultId" in node.attrib:
            node.set("resultId", "(drawn)")
    etree.indent(root)
    return etree.tostring(root, encoding="unicode") + "\n"


def test_there_are_cases() -> None:
    assert len(CASES) >= 20


def test_replies_are_as_recorded(make) -> None:
    client = make()
    client.books.set_stock("MUG-1", "wh-east", "10")
    different = []
    for name in CASES:
        operation = (GOLDEN / f"{name}.request.xml").read_text(encoding="utf-8").replace("<login/>", LOGIN)
        reply = client.send(ENVELOPE.format(name=name, operation=operation)).response
        found, path = tidy(reply.body), GOLDEN / f"{name}.reply.xml"
        if os.environ.get("TIEOUT_WRITE_GOLDEN"):
            path.write_text(found, encoding="utf-8")
        elif path.read_text(encoding="utf-8") != found:
            different.append(name)
        client.clock.forward(minutes=1)
    assert different == []
    client.balanced()


@pytest.mark.parametrize("name", CASES)
def test_recorded_reply_succeeded(name) -> None:
    """The happy path of each function: a golden file that records a failure is caught here."""
    root = etree.parse(str(GOLDEN / f"{name}.reply.xml")).getroot()
    statuses = {node.text for node in root.iterfind("operation/result/status")}
    assert statuses == {"success"}
    assert root.find(".//errormessage") is None
