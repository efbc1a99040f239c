"""Documents per second from rows to bytes and replies per second from bytes to rows, beside bare lxml doing the same bytes.

Run: `python tests/bench/bench_intacct_xml.py [requests]`. Each figure is the best of several turns taken alternately, so that both
sides meet the same machine. The bare side knows the answer's shape and checks nothing; it is the limit, not a rival.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from lxml import etree

from tieout.connectors.intacct import limits, replies
from tieout.connectors.intacct.documents import Invoice, Line
from tieout.connectors.intacct.envelopes import Control, Envelope, SessionId

FUNCTIONS = 100
LINES = 5
Rows = list[dict[str, Any]]


def rows_of_documents() -> Rows:
    """What the plan hands over: one row per document with its lines."""
    return [
        {
            "id": f"tieout:demo:invoice:{n}:1",
            "number": f"SA-{100000 + n}",
            "customer": f"C-{n:06d}",
            "reference": f"PO {n}",
            "lines": [
                {
                    "account": "4000",
                    "amount": Decimal(f"{n + k}.{k}9"),
                    "memo": f"{k} x MUG-BLUE & co",
                    "location": "100",
                }
                for k in range(LINES)
            ],
        }
        for n in range(FUNCTIONS)
    ]


def ours(rows: Rows) -> bytes:
    envelope = Envelope(control=Control("mpp", "secret", "label"), authentication=SessionId("s"))
    for row in rows:
        document = Invoice(
            number=row["number"],
            customer_id=row["customer"],
            invoiced_on=date(2026, 9, 1),
            due_on=date(2026, 10, 1),
            reference=row["reference"],
            description="Web order",
            currency="USD",
            lines=tuple(
                Line(
                    amount=line["amount"],
                    account=line["account"],
                    memo=line["memo"],
                    location=line["location"],
                )
                for line in row["lines"]
            ),
        )
        envelope.add(document, control_id=row["id"])
    return envelope.to_bytes()


def bare(rows: Rows) -> bytes:
    sub = etree.SubElement

    def day(parent: etree._Element, tag: str, month: str) -> None:
        node = sub(parent, tag)
        sub(node, "year").text = "2026"
        sub(node, "month").text = month
        sub(node, "day").text = "01"

    root = etree.Element("request")
    control = sub(root, "control")
    for tag, text in (
        ("senderid", "mpp"), ("password", "secret"), ("controlid", "label"), ("uniqueid", "true"), ("dtdversion", "3.0"),
        ("includewhitespace", "false"), ("showadditionalerrorinfo", "true"),
    ):  # fmt: skip
        sub(control, tag).text = text
    operation = sub(root, "operation", transaction="false")
    sub(sub(operation, "authentication"), "sessionid").text = "s"
    content = sub(operation, "content")
    for row in rows:
        node = sub(sub(content, "function", controlid=row["id"]), "create_invoice")
        sub(node, "customerid").text = row["customer"]
        day(node, "datecreated", "09")
        day(node, "datedue", "10")
        sub(node, "invoiceno").text = row["number"]
        sub(node, "ponumber").text = row["reference"]
        sub(node, "description").text = "Web order"
        sub(node, "currency").text = "USD"
        sub(node, "exchratetype").text = ""
        items = sub(node, "invoiceitems")
        for line in row["lines"]:
            item = sub(items, "lineitem")
            sub(item, "glaccountno").text = line["account"]
            sub(item, "amount").text = str(line["amount"])
            sub(item, "memo").text = line["memo"]
            sub(item, "locationid").text = line["location"]
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def reply_bytes(rows: Rows) -> bytes:
    """An answer to a post: one result per function, as the generic family gives it."""
    results = "".join(
        f"<result><status>success</status><function>create</function><controlid>{row['id']}</controlid>"
        f'<data listtype="objects" count="1"><arinvoice><RECORDNO>{n}</RECORDNO></arinvoice></data></result>'
        for n, row in enumerate(rows, 1)
    )
    return (
        "<response><control><status>success</status><controlid>label</controlid></control><operation><authentication>"
        f"<status>success</status></authentication>{results}</operation></response>"
    ).encode()


def ours_read(content: bytes, ids: list[str]) -> dict[str, str | None]:
    return {control_id: result.key for control_id, result in replies.parse(content).matched(ids).items()}


def bare_read(content: bytes, _: list[str]) -> dict[Any, Any]:
    root = etree.fromstring(
        content, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    )
    return {
        node.findtext("controlid"): node.findtext("data/arinvoice/RECORDNO")
        for node in root.iter("result")
        if node.findtext("status") == "success"
    }


def page_bytes(rows: int = 1000, fields: int = 20) -> bytes:
    """A page of a query: rows of `fields` fields."""
    inner = "".join(
        f"<ARINVOICE><RECORDNO>{n}</RECORDNO>"
        + "".join(f"<FIELD{k}>value {k}</FIELD{k}>" for k in range(fields - 1))
        + "</ARINVOICE>"
        for n in range(1, rows + 1)
    )
    return (
        "<response><control><status>success</status></control><operation><authentication><status>success</status></authentication>"
        "<result><status>success</status><function>query</function><controlid>r</controlid>"
        f'<data listtype="ARINVOICE" totalcount="{rows}" numremaining="0" count="{rows}" offset="0">{inner}</data></result>'
        "</operation></response>"
    ).encode()


def ours_page(content: bytes, _: list[str]) -> int:
    return len(replies.parse(content).results[0].rows)


def bare_page(content: bytes, _: list[str]) -> int:
    root = etree.fromstring(
        content, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    )
    return len([{cell.tag: cell.text or "" for cell in row} for data in root.iter("data") for row in data])


def raced(first: Callable[[], object], second: Callable[[], object], turns: int) -> tuple[float, float]:
    """Best seconds of each, taken in turn."""
    best = [float("inf"), float("inf")]
    for _ in range(turns):
        for place, run in enumerate((first, second)):
            started = time.perf_counter()
            run()
            best[place] = min(best[place], time.perf_counter() - started)
    return best[0], best[1]


def main(turns: int = 60) -> dict[str, float]:
    rows = rows_of_documents()
    ids = [row["id"] for row in rows]
    assert ours(rows) == bare(rows), "both sides must make the same bytes"
    reply, page = reply_bytes(rows), page_bytes()
    assert ours_read(reply, ids) == bare_read(reply, ids)
    found: dict[str, float] = {}
    for name, count, mine, limit in (
        ("build", FUNCTIONS, lambda: ours(rows), lambda: bare(rows)),
        ("results", FUNCTIONS, lambda: ours_read(reply, ids), lambda: bare_read(reply, ids)),
        ("page rows", 1000, lambda: ours_page(page, ids), lambda: bare_page(page, ids)),
    ):
        own, floor = raced(mine, limit, turns)
        found[f"{name} per second"] = round(count / own)
        found[f"{name} per second, bare lxml"] = round(count / floor)
        found[f"{name} ratio"] = round(own / floor, 2)
    document = Invoice(
        number="SA-1", customer_id="C-1", invoiced_on=date(2026, 9, 1), due_on=date(2026, 9, 2),
        lines=tuple(Line(amount=Decimal("1.00"), account="4000", location="100") for _ in range(LINES)),
    )  # fmt: skip
    started = time.perf_counter()
    for _ in range(500):
        limits.check(document)
    found["checked per second"] = round(500 / (time.perf_counter() - started))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(200):
        ours(rows)
        ours_read(reply, ids)
    found["peak memory growth over 200 batches, KB"] = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    )
    return found


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]) if len(sys.argv) > 1 else 60), indent=1))
