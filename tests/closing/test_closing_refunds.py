"""The cash leg of refunds in a close: signed, printed and proved again offline, and the same however often the ledger is read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from closing_house import completed, house_in
from drawn import drawn
from forged_packs import forged, not_proved

from checks.contracts import ALL
from flows.close import close_period
from flows.wiring import House
from tieout.reports.pack import MANIFEST, Pack

pytestmark = pytest.mark.usefixtures("kept_attached")

REFUNDS = """
order_ref | order_number | event_ref | event_code | payment_ref | gateway_ref | entity_code | total_minor | owed_on
A1        | A1           | r1        | credit     | pA1         | re_1        | E100        | -3000       | 2026-09-10
A2        | A2           | r2        | credit     | pA2         | re_2        | E100        | -500        | 2026-09-12
A4        | A4           | r4        | credit     | pA4         | re_4        | E100        | -700        | 2026-10-02
B1        | B1           | r9        | credit     | pB1         | re_9        | E200        | -900        | 2026-09-15
"""
ENTRIES = """
entry_ref | batch_ref | account_code | amount_minor | posted_on  | entity_code
1         | 77        | 2400         | 3000         | 2026-09-10 | E100
2         | 77        | 1201         | -3000        | 2026-09-10 | E100
3         | 78        | 2400         | 400          | 2026-09-12 | E100
4         | 78        | 1201         | -400         | 2026-09-12 | E100
5         | 79        | 4000         | -9999        | 2026-09-12 | E100
"""


def read_again(house: House) -> None:
    """A later read of the ledger that finds nothing new."""
    table = ALL["ops.runs"]
    at = house.clock()
    row = {"run_id": f"{at:%Y%m%dT%H%M%S.%fZ}-000009", "stage": "extract", "started_at": at, "ended_at": at, "state_code": "done"}  # fmt: skip
    frame = pl.DataFrame([row], schema={k: v for k, v in table.polars_schema.items() if k in row})
    with house.warehouse.write(run_id=row["run_id"]) as session:  # type: ignore[arg-type]
        session.publish(table.name, table.shaped(frame), key=table.key, mode="append")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    made = house_in(tmp_path_factory.mktemp("refunds"), settings={"journals": {"refunds": "journal"}})
    made.__dict__["mappings"] = {
        **made.mappings,
        "clearing": drawn(ALL["mappings.clearing"], "storefront | entity_code | tender_code | mode | journal_code | clearing_account_code\n* | * | * | map | GJ | 1201"),
    }  # fmt: skip
    head = {"storefront": "shop", "currency": "USD"}
    journals = "document_id | kind_code | order_ref | event_ref | entity_code | number\nJ1 | journal | A1 | r1 | E100 | J1\nJ2 | journal | A2 | r2 | E100 | J2"
    posted = pl.DataFrame({"document_id": ["J1", "J2"], "intacct_key": ["77", "78"]})
    frames = {
        "recon.owed": drawn(ALL["recon.owed"], REFUNDS, **head),
        "core.gl_entries": completed("core.gl_entries", drawn(ALL["core.gl_entries"], ENTRIES, currency="USD")),
        "out.documents": drawn(ALL["out.documents"], journals, **head),
        "out.document_lines": drawn(ALL["out.document_lines"], "document_id | line_no | account_code | amount_minor\nJ1 | 1 | 2400 | 3000\nJ1 | 2 | 1201 | -3000\nJ2 | 1 | 2400 | 500\nJ2 | 2 | 1201 | -500"),
        "ops.outbox": completed("ops.outbox", posted.with_columns(state_code=pl.lit("accepted"), changed_at=pl.lit(datetime(2026, 9, 20, tzinfo=UTC)))),
    }  # fmt: skip
    moved = "payment_ref | transaction_ref | order_ref | kind_code | state_code | gateway_ref | amount_minor | occurred_at\npA1 | r1 | A1 | refund | success | re_1 | 3000 | 2026-09-10 15:00\npA2 | r2 | A2 | refund | success | re_2 | 500 | 2026-09-12 15:00"
    back = completed("core.payments", drawn(ALL["core.payments"], moved, **head))
    with made.warehouse.write(run_id="20260101T000000.000Z-000005") as session:
        session.publish("core.payments", back, key=ALL["core.payments"].key, mode="append")
        for name, frame in frames.items():
            session.publish(name, frame, key=ALL[name].key, mode="replace")
    read_again(made)
    return made


def test_refunds_are_signed_printed_and_proved_again(house: House, tmp_path: Path) -> None:
    close_period(house, period="2026-09", entity="E100")
    packs = house.reports / "close/E100"
    pack = Pack(packs / "2026-09/r1")
    rows = pack.frame("data/refund_entries.parquet")
    assert rows.select("order_ref", "outcome_code", "delta_minor").rows() == [("A1", "matched", 0), ("A2", "gl_amount", -100)]  # fmt: skip
    assert "4000" not in pack.frame("inputs/refund_entries.parquet")["account_code"].to_list()
    paid = pack.frame("data/payments.parquet").filter(kind_code="refund")
    assert paid.select("order_ref", "actual_minor", "outcome_code").rows() == [("A1", -3000, "matched"), ("A2", -400, "gl_amount")]  # fmt: skip
    steps = pack.frame("data/waterfall.parquet").filter(step_code="refund_entries")
    assert steps["amount_minor"].sum() == 3400
    proofs = pack.frame("data/proofs.parquet").filter(pl.col("name").str.contains("refund"))
    assert proofs.select("name", "left_minor", "difference_minor").rows() == [
        ("payment rows hold every entry of a refund", -3400, 0),
        ("refund entries differ by what they list", -800, 0),
        ("refund entries hold every refund", -4200, 0),
    ]
    page = pack.read("reconciliation.html").decode()
    assert 'id="refunds"' in page
    book = openpyxl.load_workbook(packs / "2026-09/r1/reconciliation.xlsx", data_only=True)
    assert "gl amount" in {cell.value for cell in book["Refunds"]["A"]}
    live = openpyxl.load_workbook(packs / "2026-09/r1/reconciliation.xlsx")["Refunds"]
    assert [str(cell.value).split("(")[0] for cell in live[5][2:5]] == ["=SUMIFS"] * 3
    listed = {str(cell.value): at for at, cell in enumerate(book["Refunds"][8]) if cell.value}
    below = [row[listed["Difference"]] for row in book["Refunds"].iter_rows(min_row=9, values_only=True)]
    assert sum(one for one in below if one is not None) == book["Refunds"]["E5"].value == -1
    assert not_proved(packs / "2026-09/r1") == []
    less = pack.frame("inputs/refund_entries.parquet").with_columns(pl.col("amount_minor") - 1)
    found = not_proved(forged(packs, tmp_path / "less", input_refund_entries=less))
    assert any("data/refund_entries.parquet is not what the packed inputs give" in one for one in found)
    part = forged(packs, tmp_path / "part", refund_entries=rows.head(1))
    assert any("data/refund_entries.parquet" in one for one in not_proved(part))


def test_reading_the_ledger_again_closes_the_same(house: House) -> None:
    close_period(house, period="2026-09", entity="E100")
    sealed = Pack(house.reports / "close/E100/2026-09/r1").read(MANIFEST)
    house.clock.ahead(days=1)  # type: ignore[attr-defined]
    read_again(house)
    close_period(house, period="2026-09", entity="E100")
    assert not (house.reports / "close/E100/2026-09/r2").exists()
    assert Pack(house.reports / "close/E100/2026-09/r1").read(MANIFEST) == sealed
