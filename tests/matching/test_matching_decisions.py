"""Decisions from the command to the next reconciliation: written once, applied every time, refused in a sentence when they may not be taken."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from drawn import drawn
from typer.testing import CliRunner

from checks.contracts import ALL
from flows.cli import app
from flows.comparing import deciding
from flows.wiring import House
from tieout.errors import InputError
from tieout.settings import parse

pytestmark = pytest.mark.usefixtures("kept_attached")

NOW = datetime(2026, 10, 2, 9, tzinfo=UTC)
SETTINGS = {
    "entities": [{"code": "E100", "name": "Shop", "base_currency": "USD", "time_zone": "UTC"}],
    "reconciliation": {
        "control_accounts": ["1200"],
        "write_off": {"accounts": {"small": "6900"}, "cap_minor": {"USD": 100}},
    },
}
ROWS = """
group_ref | storefront | order_ref | order_number | entity_code | currency | delta_minor | outcome_code  | family_code | documents
shop:A    | shop       | A         | W1           | E100        | USD      | 100         | amount_goods  | error       | UW1
shop:B    | shop       | B         | W2           | E100        | USD      | 101         | amount_goods  | error       | UW2
shop:C    | shop       | C         | W3           | E100        | USD      | 5           | currency      | error       | UW3
shop:C    | shop       | C         | W3           | E100        | EUR      | -5          | currency      | error       | UW3
shop:D    | shop       | D         | W4           | E100        | USD      | 0           | matched       | matched     | UW4
shop:E    | shop       | E         | W5           | E100        | USD      | 0           | customer      | error       | UW5
"""


@pytest.fixture
def house(tmp_path: Path) -> House:
    found = House(settings=parse(SETTINGS, folder=tmp_path), clock=lambda: NOW)
    found.__dict__["mappings"] = {"stores": ALL["mappings.stores"].empty()}
    tables = {
        "recon.orders": drawn(ALL["recon.orders"], ROWS),
        "core.orders": drawn(ALL["core.orders"], "storefront | order_ref | order_number\nshop | A | W1\nshop | B | W2\nother | B | W9"),
        "core.ar_invoices": drawn(ALL["core.ar_invoices"], "invoice_ref | invoice_number\n11 | UW1\n12 | UW2"),
        "core.payments": drawn(ALL["core.payments"], "storefront | payment_ref | transaction_ref | gateway_ref\nshop | p1 | t1 | G1"),
        "core.ar_receipts": drawn(ALL["core.ar_receipts"], "receipt_ref | reference\n7 | G1\n8 | G8"),
    }  # fmt: skip
    with found.warehouse.write(run_id="fill") as session:
        for name, frame in tables.items():
            session.publish(name, frame, key=ALL[name].key, mode="replace")
    return found


def stored(house: House) -> pl.DataFrame:
    with house.warehouse.read() as session:
        return session.fetch("ops.decisions")


def test_a_match_names_order_and_documents_by_what_people_know(house: House) -> None:
    deciding.pair(house, "match", "W1", ["UW1", "invoice:12"], payments=False, reason="by hand", author="ann")
    deciding.pair(house, "unmatch", "G1", ["8"], payments=True, reason="other", author="ann")
    found = stored(house).sort("tie_out", "ledger_ref").select("kind_code", "tie_out", "group_ref", "ledger_ref", "author")  # fmt: skip
    assert found.rows() == [
        ("match", "orders", "shop:A", "invoice:11", "ann"),
        ("match", "orders", "shop:A", "invoice:12", "ann"),
        ("unmatch", "payments", "shop:p1:t1", "receipt:8", "ann"),
    ]


def test_an_explanation_keeps_what_was_seen(house: House) -> None:
    deciding.accept(house, "W1", payments=False, entity=None, currency=None, reason="agreed", author="ann")
    deciding.accept(house, "W3", payments=False, entity=None, currency="EUR", reason="agreed", author="ann")
    found = stored(house).sort("group_ref").select("group_ref", "currency", "amount_minor", "outcome_code")
    assert found.rows() == [("shop:A", "USD", 100, "amount_goods"), ("shop:C", "EUR", -5, "currency")]


@pytest.mark.parametrize(
    ("item", "code", "author", "reason", "says"),
    [
        ("W2", "small", "ann", "small", "more than may be written off (1.00 USD"),
        ("W1", "large", "ann", "small", "no reason code 'large'"),
        ("W5", "small", "ann", "small", "does not differ in amount"),
        ("W1", "small", "", "small", "--author"),
        ("W1", "small", "tieout", "small", "--author"),
        ("W1", "small", "ann", "  ", "--reason"),
        ("W3", "small", "ann", "small", "names 2 open differences"),
        ("W4", "small", "ann", "small", "no open difference"),
        ("nothing", "small", "ann", "small", "no open difference"),
    ],
)
def test_what_may_not_be_written_off_is_refused_and_nothing_is_stored(
    house: House, item: str, code: str, author: str, reason: str, says: str
) -> None:
    with pytest.raises(InputError, match=says.replace("(", r"\(")):
        deciding.accept(house, item, payments=False, entity=None, currency=None, reason=reason, author=author, reason_code=code)  # fmt: skip
    assert stored(house).is_empty()


def test_an_order_of_two_storefronts_is_not_guessed_at(house: House) -> None:
    with pytest.raises(InputError, match="other:B, shop:B"):
        deciding.pair(house, "match", "B", ["UW1"], payments=False, reason="x", author="ann")


def test_a_write_off_drafts_a_journal_that_somebody_else_approves(house: House) -> None:
    from flows.comparing.noticing import journals
    from transforms.reconcile.drafts import drafts

    deciding.accept(house, "W1", payments=False, entity=None, currency=None, reason="small", author="ann", reason_code="small")  # fmt: skip
    (made,) = stored(house)["decision_id"]

    def publish() -> pl.DataFrame:
        rows = pl.DataFrame({"tie_out": ["orders"], "group_ref": ["shop:A"], "entity_code": ["E100"], "currency": ["USD"], "delta_minor": [100], "decision_id": [made]})  # fmt: skip
        heads, lines = drafts(rows, stored(house), ALL["recon.suspects"].empty(), journals(house))
        with house.warehouse.write(run_id="again") as session:
            for name, frame in (("recon.drafts", heads), ("recon.draft_lines", lines)):
                session.publish(name, ALL[name].checked(ALL[name].shaped(frame), at="in a test"), key=ALL[name].key, mode="replace")  # fmt: skip
        assert lines.select("account_code", "amount_minor").rows() == [("6900", -100), ("1200", 100)]
        return heads

    (draft,) = publish()["draft_id"]
    with pytest.raises(InputError, match="another person approves it"):
        deciding.approve(house, draft, reason="seen", author="ann")
    deciding.approve(house, draft, reason="seen", author="bob")
    with house.warehouse.read() as session:
        (planned,) = session.fetch("out.documents").to_dicts()
        lines = (
            session.fetch("out.document_lines").sort("line_no").select("account_code", "amount_minor").rows()
        )
        states = session.fetch("ops.outbox").select("document_id", "state_code").rows()
    assert (planned["kind_code"], planned["account_ref"], planned["entity_code"]) == ("journal", "GJ", "E100")
    assert (planned["document_id"], planned["number"], planned["document_on"]) == (draft, draft, NOW.date())
    assert lines == [("6900", -100), ("1200", 100)]
    assert states == [(draft, "planned")]
    again = publish()
    assert again.select("draft_id", "state_code").rows() == [(draft, "approved")], (
        "approval changes no draft's name"
    )
    with pytest.raises(InputError, match="approved already"):
        deciding.approve(house, draft, reason="seen", author="bob")


def test_a_decision_is_withdrawn_once(house: House) -> None:
    deciding.accept(house, "W1", payments=False, entity=None, currency=None, reason="agreed", author="ann")
    (made,) = stored(house)["decision_id"]
    deciding.withdraw(house, made, reason="mistaken", author="ann")
    with pytest.raises(InputError, match="withdrawn already"):
        deciding.withdraw(house, made, reason="mistaken", author="ann")
    with pytest.raises(InputError, match="no decision"):
        deciding.withdraw(house, "D0", reason="mistaken", author="ann")
    assert any("[withdrawn]" in line for line in deciding.listed(house))


def test_decisions_are_append_only(house: House) -> None:
    from tieout.errors import WarehouseError

    deciding.accept(house, "W1", payments=False, entity=None, currency=None, reason="agreed", author="ann")
    with pytest.raises(WarehouseError), house.warehouse.write(run_id="x") as session:
        session.delete("ops.decisions", scope={"author": "ann"})
    assert stored(house).height == 1


def test_the_command_line_says_what_it_recorded(house: House, tmp_path: Path) -> None:
    config = tmp_path / "tieout.toml"
    config.write_text(
        '[[entities]]\ncode = "E100"\nname = "Shop"\nbase_currency = "USD"\ntime_zone = "UTC"\n'
    )
    told = CliRunner().invoke(
        app, ["explain", "W1", "--reason", "agreed", "--author", "ann", "-c", str(config)]
    )
    assert told.exit_code == 0, told.output
    assert "amount_goods of 1.00 USD on shop:A is explained" in told.output
    listed = CliRunner().invoke(app, ["decisions", "-c", str(config)])
    assert "ann: agreed [holds for no row of the newest reconciliation]" in listed.output
