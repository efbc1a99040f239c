"""GLDETAIL rows become signed entries, whichever way the company shows debits and credits."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.contracts import ALL
from checks.contracts.raw import LANDING_COLUMNS
from transforms.intacct.general_ledger import gl_entries

NOW = datetime(2026, 11, 2, tzinfo=UTC)
BASES = {"E100": "USD", "E200": "EUR", "E300": "JPY"}
ROW = {
    "RECORDNO": "9",
    "BATCHKEY": "4",
    "ACCOUNTNO": "1100",
    "TR_TYPE": "1",
    "CURRENCY": "USD",
    "MODULEKEY": "4.AR",
    "ENTRY_DATE": "10/05/2026",
    "MEGAENTITYID": "E100",
}


def raw(*rows: dict[str, str | None]) -> pl.DataFrame:
    schema = {column.name: column.dtype for column in LANDING_COLUMNS}
    return pl.DataFrame(
        [
            {
                "source": "intacct",
                "subject": "GLDETAIL",
                "native_ref": f"n{at}",
                "payload": json.dumps(row),
                "payload_sha256": "0" * 64,
                "fetched_at": NOW,
                "run_id": "r",
                "landing_no": 1,
            }
            for at, row in enumerate(rows)
        ],
        schema=schema,
    )


def entries(*rows: dict[str, str | None], **more: object) -> pl.DataFrame:
    found = gl_entries(raw(*rows), run_id="r", base_currencies=BASES, **more)
    assert found.problems.is_empty(), found.problems["problem"].to_list()
    return ALL["core.gl_entries"].checked(found["core.gl_entries"], at="in a test")


SIGNS = [
    ({"TR_TYPE": "-1", "AMOUNT": "5.00", "TRX_AMOUNT": "5.00"}, (-500, -500)),
    ({"TR_TYPE": "-1", "AMOUNT": "-5.00", "TRX_AMOUNT": "-5.00"}, (-500, -500)),
    ({"TR_TYPE": "1", "AMOUNT": "5.00", "TRX_AMOUNT": "5.00"}, (500, 500)),
    ({"TR_TYPE": "1", "AMOUNT": "-5.00", "TRX_AMOUNT": "-5.00"}, (-500, -500)),
    (
        {"TR_TYPE": "-1", "AMOUNT": "5", "DEBITAMOUNT": "0", "CREDITAMOUNT": "5", "TRX_AMOUNT": "5"},
        (-500, -500),
    ),
    ({"TR_TYPE": "-1", "AMOUNT": "5", "CREDITAMOUNT": "-5", "TRX_CREDITAMOUNT": "-5"}, (500, 500)),
    ({"TR_TYPE": "1", "AMOUNT": "5", "TRX_AMOUNT": None}, (500, 500)),
]


@pytest.mark.parametrize(("change", "wanted"), SIGNS)
def test_a_credit_is_negative_however_it_is_shown(change: dict, wanted: tuple[int, int]) -> None:
    row = entries({**ROW, **change}).row(0, named=True)
    assert (row["amount_minor"], row["base_amount_minor"]) == wanted


def test_entity_by_location_and_two_currencies() -> None:
    row = {
        **ROW,
        "AMOUNT": "100",
        "TRX_AMOUNT": "9500.00",
        "CURRENCY": "JPY",
        "MEGAENTITYID": "",
        "LOCATIONID": "L2",
    }
    found = entries(row, entity_of_location={"L2": "E200"}).row(0, named=True)
    assert (found["entity_code"], found["base_currency"], found["base_amount_minor"]) == (
        "E200",
        "EUR",
        10000,
    )
    assert (found["currency"], found["amount_minor"]) == ("JPY", 9500)
    own = entries({**row, "LOCATIONID": "E300", "CURRENCY": ""}).row(0, named=True)
    assert (own["entity_code"], own["currency"], own["base_amount_minor"]) == ("E300", "JPY", 100)


def test_an_entity_nobody_configured_has_no_base_amount_and_is_no_fault() -> None:
    found = entries({**ROW, "MEGAENTITYID": "E999", "AMOUNT": "7", "TRX_AMOUNT": "7"}).row(0, named=True)
    assert (found["base_currency"], found["base_amount_minor"], found["amount_minor"]) == (None, None, 700)


def test_rows_that_cannot_be_read_are_told() -> None:
    bad = [
        {**ROW, "AMOUNT": "5", "TRX_AMOUNT": "five"},
        {**ROW, "AMOUNT": "5", "TRX_AMOUNT": "5", "ACCOUNTNO": ""},
        {**ROW, "AMOUNT": "5", "TRX_AMOUNT": "5", "ENTRY_DATE": "", "BATCH_DATE": ""},
        {**ROW, "AMOUNT": "", "TRX_AMOUNT": ""},
    ]
    found = gl_entries(raw(*bad), run_id="r", base_currencies=BASES)
    assert found["core.gl_entries"].is_empty()
    assert sorted(set(found.problems["native_ref"])) == ["n0", "n1", "n2", "n3"]
    assert gl_entries(raw(), run_id="r", base_currencies=BASES)["core.gl_entries"].is_empty()


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=20), st.booleans())
def test_a_batch_in_balance_is_in_balance_either_way_it_is_shown(amounts: list[int], absolute: bool) -> None:
    rows = []
    for at, cents in enumerate([*amounts, -sum(amounts)]):
        shown = f"{'-' if cents < 0 and not absolute else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"
        rows.append(
            {
                **ROW,
                "RECORDNO": str(at),
                "TR_TYPE": "1" if cents >= 0 else "-1",
                "AMOUNT": shown,
                "TRX_AMOUNT": shown,
            }
        )
    found = entries(*rows)
    assert found["base_amount_minor"].to_list() == [*amounts, -sum(amounts)]
    assert found["amount_minor"].sum() == 0
