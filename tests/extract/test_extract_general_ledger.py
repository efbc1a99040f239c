"""Posted entries of the general ledger: read, signed, in balance, gone when they are gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from ledger_house import LedgerHouse, ledger_house

pytestmark = pytest.mark.usefixtures("kept_attached")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[LedgerHouse]:
    with ledger_house(tmp_path) as found:
        yield found


def _balances(entries: pl.DataFrame) -> dict[tuple[str, str], int]:
    sums = entries.group_by("entity_code", "account_code").agg(pl.col("base_amount_minor").sum())
    return {(entity, account): amount for entity, account, amount in sums.iter_rows() if amount}


def _trial_balance(ledger: LedgerHouse) -> dict[tuple[str, str], int]:
    return {
        (entity, account): amount
        for entity, rows in ledger.books.trial_balance().items()
        for account, amount in rows.items()
    }


def test_entries_are_the_trial_balance_and_the_control_account_is_the_subledger(ledger: LedgerHouse) -> None:
    first = ledger.invoice("U1", "100.00")
    ledger.invoice("E1", "200.00", LOCATIONID="200", CURRENCY="USD")
    ledger.receipt(first, "40.00", "ch_1")
    ledger.books.create(
        "GLBATCH",
        {
            "JOURNAL": "GJ",
            "BATCH_DATE": "10/07/2026",
            "BATCH_TITLE": "By hand",
            "ENTRIES": [
                {"ACCOUNTNO": "1100", "TR_TYPE": "1", "TRX_AMOUNT": "5.00", "LOCATION": "100"},
                {"ACCOUNTNO": "4900", "TR_TYPE": "-1", "TRX_AMOUNT": "5.00", "LOCATION": "100"},
            ],
        },
        None,
    )
    done = ledger.read("r1")
    assert done["errors"] == []
    entries = ledger.fetch("core.gl_entries")
    assert _balances(entries) == _trial_balance(ledger)
    assert set(entries.group_by("batch_ref").agg(pl.col("base_amount_minor").sum())["base_amount_minor"]) == {
        0
    }
    control = entries.filter(pl.col("account_code") == "1100")
    by_module = dict(control.group_by("module_code").agg(pl.col("base_amount_minor").sum()).iter_rows())
    assert by_module["2.GL"] == 500
    assert by_module["4.AR"] == sum(ledger.books.subledger().values())
    foreign = entries.filter((pl.col("entity_code") == "E200") & (pl.col("account_code") == "1100")).row(
        0, named=True
    )
    assert (foreign["currency"], foreign["base_currency"]) == ("USD", "EUR")
    assert foreign["amount_minor"] == 20000
    assert foreign["base_amount_minor"] < 20000
    assert (foreign["record_type"], foreign["document_number"]) == ("ri", "E1")


def test_only_control_accounts_and_only_from_a_day_on(tmp_path: Path) -> None:
    options = {"control_accounts": ["1100", "1201"], "general_ledger_starts_on": "2026-10-06"}
    with ledger_house(tmp_path, **options) as ledger:
        ledger.receipt(ledger.invoice("U1"), "40.00", "ch_1")
        ledger.read("r1")
        entries = ledger.fetch("core.gl_entries")
        assert set(entries["account_code"]) == {"1100", "1201"}
        assert set(entries["posted_on"].dt.strftime("%Y-%m-%d")) == {"2026-10-06"}


def test_it_can_be_left_out(tmp_path: Path) -> None:
    with ledger_house(tmp_path, reads_general_ledger=False) as ledger:
        ledger.invoice("U1")
        done = ledger.read("r1")
        assert "GLDETAIL" not in {one["subject"] for one in done["sources"]}
        assert ledger.fetch("core.gl_entries").is_empty()


def test_entries_of_a_changed_and_a_deleted_document_go(ledger: LedgerHouse) -> None:
    first, second = ledger.invoice("U1"), ledger.invoice("U2", "70.00")
    ledger.read("r1")
    ledger.clock.forward(hours=20)
    line = {"LINE_NO": "1", "TRX_AMOUNT": "90.00"}
    ledger.books.update("ARINVOICE", first, {"ARINVOICEITEMS": [line]}, None)
    ledger.books.delete("ARINVOICE", second, None)
    ledger.read("r2")
    entries = ledger.fetch("core.gl_entries")
    assert _balances(entries) == _trial_balance(ledger) == {("E100", "1100"): 9000, ("E100", "4000"): -9000}
