"""Canaries through a whole night on the command line: no secret, session id, access token or card number rests in anything written or said.

The cards stand where careless shops and careless finance people put them: in comments, names, addresses, gateway texts, and in the memo of
an invoice. The stand-ins tell every session id and token they ever issued; one session and one token are taken away in mid-work.
"""

from __future__ import annotations

import base64
import gzip
import json
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

import duckdb
import night
import polars as pl
import pytest
from written import Hidden, everything_in

CARDS = ("4111111111111111", "5555555555554444", "378282246310005", "6011111111111117")
"""Test numbers the card networks publish; each passes the card check."""
SPELLED = ("card 4111 1111 1111 1111", "MC:5555-5555-5555-4444", "amex 378282246310005, thanks")
LEDGER_TEXT = "paid by 6011111111111117"


@dataclass
class Night:
    """What was written, what was said, and what must be in neither."""

    folder: Path
    said: dict[str, str]
    sessions: list[str]
    tokens: list[str]

    @cached_property
    def places(self) -> list[tuple[str, bytes]]:
        """Everything that was written, unpacked once for all who search it."""
        return list(everything_in(self.folder))


@pytest.fixture(scope="module")
def spent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    base = tmp_path_factory.mktemp("canaries")
    with night.world_of(base / "world", orders=80) as world:
        folder = base / "house"
        night.lay_out(folder, world.addresses)
        faulty = {one.get("order_number") for one in world.ask("/answer-key").get("faults", [])}
        planted, number = 0, 100_001
        while planted < 9:
            order = f"W{number}"
            number += 1
            if order in faulty:
                continue
            text = SPELLED[planted % len(SPELLED)]
            world.tell("POST", "/tamper", {"op": "text_written", "order_number": order, "text": text})
            planted += 1
        book = world.ledger()["invoices"][0]
        world.tell(
            "POST",
            "/tamper",
            {"app": "intacct", "op": "edit", "object": "ARINVOICE", "recordno": book["recordno"], "fields": {"DESCRIPTION": LEDGER_TEXT}},
        )  # fmt: skip
        world.fault("commercetools", "expire_token", after=3)
        world.fault("intacct", "expire_session", match="create_invoice")
        start = datetime.fromisoformat(world.addresses["now"]) + timedelta(hours=1)
        said = {}
        for words in (("run", "nightly"), ("close", "--period", "2026-10")):
            plain = ("--plain",) if words[0] == "run" else ()
            done = night.tieout(folder, *words, *plain, "--as-of", start.isoformat())
            assert done.returncode in (0, 1), done.stdout + done.stderr
            said[" ".join(words)] = done.stdout + done.stderr
        assert world.unstruck() == []
        issued = world.ask("/issued")
        yield Night(folder, said, issued["intacct"], issued["commercetools"])


def _secrets() -> list[str]:
    given = [value for name, value in night.WORLD_SECRETS.items() if "MAGENTO" not in name]
    # What travels in the Basic header when the token is asked for.
    from tieout.sandbox.world.catalog import CLIENT_ID, CLIENT_SECRET

    return [*given, base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()]


def test_nothing_written_or_said_holds_a_canary(spent: Night) -> None:
    assert len(set(spent.sessions)) >= 3, "one an entity, and the one taken away"
    assert len(set(spent.tokens)) >= 2
    hidden = Hidden([*_secrets(), *spent.sessions, *spent.tokens], CARDS)
    places = spent.places
    found = {name: match for name, content in places if (match := hidden.within(content))}
    assert found == {}
    heard = {name: match for name, text in spent.said.items() if (match := hidden.within(text.encode()))}
    assert heard == {}
    for kind in (
        ".ndjson",
        ".xml",
        ".duckdb: raw.",
        ".duckdb: ops.",
        ".xlsx/",
        ".html",
        ".zip/",
        "reports/close/",
    ):
        assert any(kind in name for name, _ in places), f"no {kind} was searched"


def test_the_canaries_did_pass_through(spent: Night) -> None:
    """Masked, they are there: the cards reached the landings, the warehouse and the line of the ledger."""

    def where(text: bytes) -> str:
        return " ".join(name for name, content in spent.places if text in content)

    for masked in (b"card 411111******1111", b"MC:555555******4444", b"amex 378282*****0005"):
        assert "raw.shop__orders" in where(masked), masked
        assert "raw.shop__payments" in where(masked), masked
    assert "raw.intacct__" in where(b"paid by 601111******1117")


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    """A canary in each kind of container that a night writes."""
    canary, card = 'se"cr&t/id', "4111 1111 1111 1111"
    text = f"{json.dumps(canary)} {card}"
    (tmp_path / "plain.log").write_text(text)
    (tmp_path / "landing.ndjson.gz").write_bytes(gzip.compress(text.encode()))
    pl.DataFrame({"a": [1], "b": [text * 500]}).write_parquet(tmp_path / "rows.parquet")
    with zipfile.ZipFile(tmp_path / "pack.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/sheet1.xml", '&quot;se"cr&amp;t/id&quot;' + card)
        packed.write(tmp_path / "rows.parquet", "rows.parquet")
    with sqlite3.connect(tmp_path / "prefect.db") as log:
        log.execute("CREATE TABLE log (message TEXT)")
        log.execute("INSERT INTO log VALUES (?)", [text])
    with duckdb.connect(str(tmp_path / "w.duckdb")) as con:
        con.execute("CREATE SCHEMA ops; CREATE TABLE ops.runs AS SELECT 1 AS n, ? AS t", [text])
    for wanted in (Hidden([canary]), Hidden([], CARDS)):
        found = {name for name, content in everything_in(tmp_path) if wanted.within(content)}
        assert {
            "plain.log",
            "landing.ndjson.gz unpacked",
            "rows.parquet as text",
            "pack.zip/xl/sheet1.xml",
            "pack.zip/rows.parquet as text",
            "w.duckdb: ops.runs",
            "prefect.db: log",
        } <= found


def test_the_file_of_a_defect_holds_none(tmp_path: Path) -> None:
    """An exception of a library that quotes the request, its secrets and a card number."""
    program = (
        "import flows.cli as cli\n"
        "def broken():\n"
        "    raise RuntimeError('<sessionid>abc-DEF_123</sessionid> demo-user-secret Bearer f00dbabe12345678 4111 1111 1111 1111')\n"
        "cli.app = broken\n"
        "cli.main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=night.environment(PYTHONPATH=str(night.ROOT)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 70, done.stderr
    (report,) = tmp_path.glob("tieout-defect-*.txt")
    text = report.read_text(encoding="utf-8") + done.stdout + done.stderr
    assert "RuntimeError" in text
    assert "in broken" in text
    for canary in ("abc-DEF_123", "demo-user-secret", "f00dbabe12345678", "4111 1111 1111 1111"):
        assert canary not in text
