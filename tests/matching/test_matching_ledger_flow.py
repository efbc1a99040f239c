"""The third tie-out and the payouts as parts of the reconcile stage: read from the warehouse, proved, published, seen in the views."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from drawn import drawn

from checks.contracts import ALL
from flows.comparing import ledger_tie_out, settling
from flows.views import publish_views
from flows.wiring import House
from tieout.settings import parse
from transforms.reconcile import Inputs, Policy, reconcile

pytestmark = pytest.mark.usefixtures("kept_attached")

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 10, 2, 9, tzinfo=UTC)
NOTHING = reconcile(Inputs(orders=ALL["core.orders"].empty(), owed=ALL["recon.owed"].empty()), Policy())


def house_of(folder: Path, *, accounts: list[str]) -> House:
    found = House(
        settings=parse(
            {
                "installation": {"mappings": str(ROOT / "data" / "mappings")},
                "entities": [{"code": "E100", "name": "Shop", "base_currency": "USD", "time_zone": "UTC"}],
                "reconciliation": {"control_accounts": accounts},
            },
            folder=folder,
        ),
        clock=lambda: NOW,
    )
    common = {"entity_code": "E100", "currency": "USD"}
    tables = {
        "core.ar_invoices": drawn(ALL["core.ar_invoices"], "invoice_ref | invoice_number | total_minor\n1 | U1 | 500\n2 | U2 | 700", state_code="Posted", **common),
        "core.gl_entries": drawn(ALL["core.gl_entries"], "entry_ref | account_code | record_type | record_ref | amount_minor\n9 | 1200 | ri | 1 | 500\n8 | 1200 | - | - | 33", **common),
        "core.payments": drawn(ALL["core.payments"], "storefront | payment_ref | transaction_ref | gateway_ref | amount_minor\nshop | p1 | t1 | G1 | 500", currency="USD", kind_code="charge", state_code="success", tender_code="Card"),
        "core.payout_lines": drawn(ALL["core.payout_lines"], "storefront | payout_ref | line_ref | payment_ref | gross_minor | fee_minor | net_minor\nshop | P1 | l1 | G1 | 500 | 20 | 480", currency="USD", kind_code="charge"),
    }  # fmt: skip
    with found.warehouse.write(run_id="fill") as session:
        for name, frame in tables.items():
            session.publish(name, frame, key=ALL[name].key, mode="replace")
    return found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return house_of(tmp_path_factory.mktemp("ledger"), accounts=["1200"])


def test_subledger_and_control_account_are_compared_and_published(house: House) -> None:
    control = ledger_tie_out.tied(house, ledger_tie_out.in_scope_of(NOTHING), Policy())
    with house.warehouse.write(run_id="r") as session:
        ledger_tie_out.publish(session, control)
        publish_views(session)
    with house.warehouse.read() as session:
        rows = session.fetch("recon.ledger").sort("document_kind", "document_ref")
        (sums,) = session.fetch("report.control_account").to_dicts()
        told = session.fetch("report.ledger_differences")
    assert rows.select("document_ref", "outcome_code").rows() == [("1", "matched"), ("2", "gl_missing"), ("8", "gl_only")]  # fmt: skip
    assert (str(sums["subledger_amount"]), str(sums["gl_amount"]), sums["error_count"]) == (
        "12.0000",
        "5.3300",
        2,
    )
    assert told.height == 2
    assert ledger_tie_out.figures(control) == {"ledger_rows": 3, "ledger_errors": 2}


def test_without_control_accounts_nothing_is_compared_and_nothing_is_claimed(tmp_path: Path) -> None:
    control = ledger_tie_out.tied(
        house_of(tmp_path, accounts=[]), ledger_tie_out.in_scope_of(NOTHING), Policy()
    )
    assert control.ledger.is_empty()
    assert ledger_tie_out.figures(control) == {}


def test_payouts_are_compared_and_published(house: House) -> None:
    found = settling.settled(house)
    with house.warehouse.write(run_id="s") as session:
        settling.publish(session, found)
        publish_views(session)
    with house.warehouse.read() as session:
        (row,) = session.fetch("report.settlements").to_dicts()
        (payout,) = session.fetch("report.payouts").to_dicts()
    assert (row["outcome_code"], str(row["fee_amount"]), row["payouts"]) == ("tender_fee", "0.2000", "P1")
    assert (str(payout["gross_amount"]), str(payout["net_amount"])) == ("5.0000", "4.8000")
    assert settling.figures(found) == {"settlement_rows": 1, "settlement_errors": 0}
