"""A provider's settlement report as plain file: landed, staged with the whole payout, read again without doubling anything."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.contracts import ALL
from flows.extract import FILE_KEYS
from flows.plain.storefront import staging_transforms
from tieout.connectors.storefronts.files import ColumnMap, Files
from tieout.warehouse.store import Warehouse
from transforms.storefronts.files_payouts import COLUMNS, payouts

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
REPORT = (
    "Payout ID,Settlement Date,PSP Reference,Type,Gross Amount,Commission,Net Payable,Currency\n"
    "P1,2026-09-12,G1,charge,100.00,1.65,98.35,USD\n"
    "P1,2026-09-12,G2,refund,-30.00,0.00,-30.00,USD\n"
    "P1,2026-09-12,,fee,,9.00,-9.00,USD\n"
)
FIGURES = ("payout_ref", "payment_ref", "kind_code", "gross_minor", "fee_minor", "net_minor")


@pytest.fixture
def desk(tmp_path: Path) -> SimpleNamespace:
    warehouse = Warehouse(tmp_path / "state", lock_seconds=5)
    house: Any = SimpleNamespace(
        settings=SimpleNamespace(path=lambda path: tmp_path / path),
        clock=lambda: NOW,
        mappings={"statuses": ALL["mappings.statuses"].empty()},
        storefront=lambda _name: Files({"payouts": tmp_path / "payouts.csv"}, ColumnMap()),
    )
    front: Any = SimpleNamespace(paths={"payouts": "payouts.csv"}, column_map=None)

    def land(text: str, run: str) -> None:
        (tmp_path / "payouts.csv").write_text(text, encoding="utf-8")
        with Files({"payouts": tmp_path / "payouts.csv"}, ColumnMap()) as files:
            for batch in files.open("payouts"):
                keys = [name for name in FILE_KEYS["payouts"] if name in batch.header]
                with warehouse.write(run_id=run) as session:
                    session.ingest_file(
                        batch.path, batch.format, "raw.web__payouts", source="web", subject="payouts", header=batch.header, run_id=run,
                        fetched_at=NOW, key_columns=keys,
                    )  # fmt: skip

    def staged() -> Any:
        with warehouse.read() as session:
            call = staging_transforms(house, "run-1", "web", front)["payouts"]
            found = call(session.raw_changed("raw.web__payouts"), session)
        return ALL["core.payout_lines"].checked(found["core.payout_lines"], at="in a test"), found.problems

    return SimpleNamespace(land=land, staged=staged)


def test_a_report_with_headings_of_its_own_is_staged_line_by_line(desk: SimpleNamespace) -> None:
    desk.land(REPORT, "run-1")
    lines, problems = desk.staged()
    assert problems.is_empty(), problems.to_dicts()
    assert lines.sort("kind_code").select(FIGURES).rows() == [
        ("P1", "G1", "charge", 10000, 165, 9835),
        ("P1", None, "fee", 0, 900, -900),
        ("P1", "G2", "refund", -3000, 0, -3000),
    ]


def test_the_same_report_again_lands_nothing_and_a_changed_line_replaces_itself(
    desk: SimpleNamespace,
) -> None:
    desk.land(REPORT, "run-1")
    first, _ = desk.staged()
    desk.land(REPORT, "run-2")
    again, _ = desk.staged()
    assert again.sort("line_ref").equals(first.sort("line_ref"))
    desk.land(REPORT.replace("1.65,98.35", "1.70,98.30"), "run-3")
    changed, _ = desk.staged()
    assert changed.height == 3
    assert sorted(changed["fee_minor"].to_list()) == [0, 170, 900]


TEXT = st.one_of(st.none(), st.sampled_from(["1.00", "-5", "1e9", "NaN", "", "USD", "EUR", "charge", "2026-09-12", "x" * 50, "１２", "0x10", "999999999999999999"]), st.text(max_size=6))  # fmt: skip


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(st.fixed_dictionaries(dict.fromkeys(COLUMNS, TEXT)), max_size=4))
def test_whatever_stands_in_a_report_is_a_sound_line_or_a_problem(rows: list[dict[str, str | None]]) -> None:
    import polars as pl

    found = payouts(
        pl.DataFrame(rows, schema=dict.fromkeys(COLUMNS, pl.String)), storefront="web", run_id="r"
    )
    lines = ALL["core.payout_lines"].checked(found["core.payout_lines"], at="in a test")
    assert (lines["gross_minor"] - lines["fee_minor"] == lines["net_minor"]).all()
    assert lines.height + found.problems["native_ref"].n_unique() == len(rows)
