"""An official SDK against the stand-in: its recorded requests always, the SDK itself where it is installed.

`TIEOUT_INTACCT_SDK` names a folder with `node_modules/@intacct/intacct-sdk` (`npm install @intacct/intacct-sdk@2.2.1`), and node must be on
the PATH. The SDK is not changed: it insists on hosts under intacct.com, and the driver resolves those to this machine.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

from lxml import etree

from tieout.sandbox.faults import FaultBoard
from tieout.sandbox.intacct.company import Company
from tieout.sandbox.intacct.gateway import Gateway
from tieout.sandbox.server import Server

HERE = Path(__file__).parent
SDK = os.environ.get("TIEOUT_INTACCT_SDK", "")


def _said(reply) -> str:
    """What a reply came to: the status of each result with its first number, or where it failed before."""
    if reply.control != "success":
        return f"control {reply.numbers[0]}"
    if reply.authentication != "success":
        return f"authentication {reply.numbers[0]}"
    found = []
    for result in reply.root.iterfind("operation/result"):
        status = result.findtext("status") or ""
        found.append(f"{status} {result.findtext('.//errorno')}" if status == "failure" else status)
    if any(one.startswith("aborted") for one in found):
        return " ".join(one.partition(" ")[0] for one in found)
    return " ".join(found)


def test_recorded_requests_of_the_sdk_are_understood(make) -> None:
    client = make()
    session = result = ""
    steps = etree.parse(HERE / "sdk_recorded.xml").getroot().findall("step")
    assert len(steps) > 30
    for step in steps:
        body = etree.tostring(step[0], encoding="unicode")
        reply = client.send(body.replace("SESSION", session).replace("RESULT", result))
        assert _said(reply) == step.get("expect"), (step.get("title"), reply.texts)
        session = session or reply.root.findtext(".//sessionid") or ""
        data = reply.data
        result = (data.get("resultId") if data is not None else None) or result
        client.balanced()
    assert {one.recordid for one in client.books.tables["ARINVOICE"]} >= {"SHOP-100", "SHOP-B1"}


if SDK and shutil.which("node"):

    def test_the_sdk_itself_signs_in_creates_reads_pays_and_is_refused() -> None:
        gateway = Gateway(Company.load(None), FaultBoard())
        with Server(gateway, 0, FaultBoard(), 0) as server:
            done = subprocess.run(
                ["node", str(HERE / "sdk_drive.js"), SDK, server.url.rpartition(":")[2]],
                capture_output=True, text=True, timeout=120, check=False,
            )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        first_words = {
            name: value[0].split()[0]
            for name, value in said.items()
            if isinstance(value, list) and isinstance(value[0], str)
        }
        assert first_words == {
            "badLogin": "XL03000006", "badSender": "XL03000006", "customerAgain": "BL34000061", "replay": "BL01001973",
            "duplicate": "BL03002185", "together": "BL03002185", "tooMuch": "XL03000027", "unbalanced": "BL01001973",
            "stale": "XL03000006", "syntax": "XL03000003",
        }  # fmt: skip
        assert said["session"]["endpoint"].startswith("http://standin.intacct.com:")
        assert [page["count"] for page in said["pages"]] == [10, 10, 4]
        ids = [one for page in said["pages"] for one in page["ids"]]
        assert len(ids) == len(set(ids)) == 24
        assert said["batch"] == {"results": 23, "statuses": ["success"], "keys": 23}
        assert said["readMore"] == {
            "first": 20,
            "left": 4,
            "rest": 4,
            "end": 0,
            "row": ["RECORDID", "RECORDNO"],
        }
        assert said["read"] == {"paid": "55.00", "due": "11.40", "state": "Partially Paid", "lines": 2}
        assert (said["order"], said["salesInvoice"]) == ("Sales Order-SO-0001", "Sales Invoice-SI-0001")
        books = gateway.books
        trial, open_items = books.trial_balance(), books.subledger()
        assert trial["E100"]["1100"] == open_items["E100"]
