"""Tie-out 3: the AR subledger against the general ledger's control accounts, document by document and in sums."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
import pytest
from drawn import drawn, table
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.contracts import ALL
from transforms.reconcile import Period, Policy
from transforms.reconcile.control import Books, Control, tie_control

SEPTEMBER = Policy(period=Period.month("2026-09"))
INVOICE = "invoice_ref | invoice_number\n1 | UW1"
ENTRY = "entry_ref | account_code | record_type | record_ref | amount_minor\n91 | 1200 | ri | 1 | 10000"
WHOLE = "entry_ref | account_code | record_type | record_ref | amount_minor | batch_ref"
_TEXTS = ("entry_ref", "batch_ref", "batch_title", "account_code", "entity_code", "currency", "base_currency", "record_type", "record_ref",
          "document_number", "memo")  # fmt: skip
_ENTRIES: dict[str, pl.DataType] = {
    **{name: pl.String() for name in _TEXTS},
    "posted_on": pl.Date(),
    "amount_minor": pl.Int64(),
    "base_amount_minor": pl.Int64(),
}
_DAY = date(2026, 9, 10)


@dataclass(frozen=True)
class Books3:
    """A drawn case of the third tie-out."""

    code: str
    title: str
    sentence: str
    tables: dict[str, str]
    expected: str
    is_whole: bool = False


def _entries(text: str | None) -> pl.DataFrame:
    found = table(text or "entry_ref", dict(_ENTRIES))
    dull: dict[str, Any] = {
        "entity_code": "E100",
        "posted_on": _DAY,
        "currency": "USD",
        "base_currency": "USD",
    }
    for name, dtype in _ENTRIES.items():
        if name not in found.columns:
            value = (
                pl.col("amount_minor") if name == "base_amount_minor" else pl.lit(dull.get(name), dtype=dtype)
            )
            found = found.with_columns(value.alias(name))
    return found


def _side(name: str, text: str | None, **dull: Any) -> pl.DataFrame:
    contract = ALL[name]
    if text is None:
        return contract.empty()
    given_ = [cell.strip() for cell in text.splitlines()[0].split("|")]
    base = {"entity_code": "E100", "currency": "USD", "state_code": "Posted", **dull}
    return drawn(contract, text, **{k: v for k, v in base.items() if k not in given_})


def books_of(tables: dict[str, str], *, is_whole: bool = False) -> Books:
    lines = tables.get("ar_lines")
    return Books(
        entries=_entries(tables.get("gl_entries")),
        invoices=_side("core.ar_invoices", tables.get("ar_invoices"), posted_on=_DAY, total_minor=10000),
        adjustments=_side(
            "core.ar_adjustments", tables.get("ar_adjustments"), posted_on=_DAY, total_minor=-3000
        ),
        receipts=_side("core.ar_receipts", tables.get("ar_receipts"), received_on=_DAY, total_minor=10000),
        lines=drawn(ALL["core.ar_lines"], lines, currency="USD", document_kind="invoice") if lines else None,
        accounts=("1200",),
        in_scope=pl.DataFrame({"document_kind": ["invoice"], "document_ref": ["1"]}),
        is_whole=is_whole,
    )


def tied(tables: dict[str, str], *, is_whole: bool = False, policy: Policy = SEPTEMBER) -> Control:
    """The third tie-out of drawn tables; it foots and keeps its contracts."""
    found = tie_control(books_of(tables, is_whole=is_whole), policy)
    for name, frame in (("recon.ledger", found.ledger), ("recon.control", found.control)):
        ALL[name].checked(ALL[name].shaped(frame), at="in a test")
    assert found.footing.filter(pl.col("difference_minor") != 0).is_empty(), found.footing.to_dicts()
    return found


CASES = [
    Books3("matched", "Invoice and entry agree", "The document's entry on the control account has its amount.",
           {"ar_invoices": INVOICE, "gl_entries": ENTRY}, "document_ref | outcome_code | delta_minor | is_in_scope\n1 | matched | 0 | yes"),
    Books3("matched", "Memo and receipt lower the control account", "A credit memo and a receipt stand there as credits.",
           {"ar_adjustments": "adjustment_ref | adjustment_number\n5 | CM1", "ar_receipts": "receipt_ref | reference\n7 | G1",
            "gl_entries": "entry_ref | account_code | record_type | record_ref | amount_minor\n1 | 1200 | ra | 5 | -3000\n2 | 1200 | rp | 7 | -10000"},
           "document_kind | document_ref | outcome_code | subledger_minor\nadjustment | 5 | matched | -3000\nreceipt | 7 | matched | -10000"),
    Books3("matched", "Several entries of one document", "A document may be split over entries; their sum counts.",
           {"ar_invoices": INVOICE, "gl_entries": "entry_ref | account_code | record_type | record_ref | amount_minor\n91 | 1200 | ri | 1 | 6000\n92 | 1200 | ri | 1 | 4000"},
           "document_ref | outcome_code\n1 | matched"),
    Books3("matched", "Found by number", "Where the company does not show the record number, kind and number will do.",
           {"ar_invoices": INVOICE, "gl_entries": "entry_ref | account_code | record_type | document_number | amount_minor\n91 | 1200 | ri | UW1 | 10000"},
           "document_ref | outcome_code\n1 | matched"),
    Books3("gl_missing", "No entry", "A document that is posted must stand on a control account.",
           {"ar_invoices": INVOICE}, "document_ref | outcome_code | family_code | delta_minor\n1 | gl_missing | error | 10000"),
    Books3("gl_missing", "Posted to another account", "An entry that is on no control account does not count.",
           {"ar_invoices": INVOICE, "gl_entries": ENTRY.replace("1200", "1300")}, "document_ref | outcome_code\n1 | gl_missing"),
    Books3("gl_amount", "Another amount", "The entries add up to another amount.",
           {"ar_invoices": INVOICE, "gl_entries": ENTRY.replace("10000", "9000")}, "document_ref | outcome_code | delta_minor\n1 | gl_amount | 1000"),
    Books3("gl_only", "A journal by hand", "An entry on the control account that belongs to no document.",
           {"ar_invoices": INVOICE, "gl_entries": ENTRY.replace("amount_minor", "amount_minor | batch_ref").replace("10000", "10000 | B1") + "\n92 | 1200 | - | - | 500 | B2"},
           "document_kind | document_ref | outcome_code | delta_minor\ninvoice | 1 | matched | 0\njournal | B2 | gl_only | -500"),
    Books3("gl_only", "A document that is gone", "The subledger lost the document, the general ledger still has it.",
           {"ar_invoices": "invoice_ref | invoice_number | is_deleted\n1 | UW1 | yes", "gl_entries": ENTRY}, "document_kind | outcome_code\njournal | gl_only"),
    Books3("cut_off", "Dated in another month", "Equal amounts in different periods are timing.",
           {"ar_invoices": INVOICE, "gl_entries": ENTRY.replace("amount_minor", "amount_minor | posted_on").replace("10000", "10000 | 2026-10-01")},
           "document_ref | outcome_code | family_code | period_subledger_minor | period_gl_minor\n1 | cut_off | timing | 10000 | 0"),
    Books3("entity", "In another entity", "The document's row and the entries' row both say it.",
           {"ar_invoices": INVOICE, "gl_entries": ENTRY.replace("amount_minor", "amount_minor | entity_code").replace("10000", "10000 | E200")},
           "document_ref | entity_code | outcome_code | delta_minor\n1 | E100 | entity | 10000\n1 | E200 | entity | -10000"),
    Books3("currency", "In another currency", "An amount in another currency is not that amount.",
           {"ar_invoices": INVOICE, "gl_entries": ENTRY.replace("amount_minor", "amount_minor | currency").replace("10000", "10000 | EUR")},
           "document_ref | currency | outcome_code\n1 | EUR | currency\n1 | USD | currency"),
    Books3("matched", "A draft is not posted", "Drafts are in neither ledger.",
           {"ar_invoices": "invoice_ref | invoice_number | state_code\n1 | UW1 | Draft"}, "document_ref | outcome_code"),
    Books3("matched", "Reversed in both", "A reversed document and its reversal stand in the general ledger as two documents.",
           {"ar_invoices": "invoice_ref | invoice_number | state_code | total_minor\n1 | UW1 | Reversed | 10000\n2 | UW1-R | Reversal | -10000",
            "gl_entries": ENTRY + "\n92 | 1200 | ri | 2 | -10000"}, "document_ref | outcome_code\n1 | matched\n2 | matched"),
    Books3("matched", "Reversed and gone from the general ledger", "They net to zero, so nothing is missing.",
           {"ar_invoices": "invoice_ref | invoice_number | state_code\n1 | UW1 | Reversed"}, "document_ref | outcome_code | subledger_minor\n1 | matched | 0"),
    Books3("gl_amount", "An account of the lines differs", "The total agrees and revenue went to another account than the lines say.",
           {"ar_invoices": INVOICE, "ar_lines": "document_ref | line_ref | account_code | component_code | amount_minor\n1 | 11 | 4000 | goods | 10000",
            "gl_entries": WHOLE + "\n91 | 1200 | ri | 1 | 10000 | B1\n92 | 4100 | ri | 1 | -10000 | B1"}, "document_ref | outcome_code | delta_minor\n1 | gl_amount | 0", is_whole=True),
    Books3("matched", "Lines and entries agree", "Each account of the lines has in the general ledger what they say.",
           {"ar_invoices": INVOICE, "ar_lines": "document_ref | line_ref | account_code | component_code | amount_minor\n1 | 11 | 4000 | goods | 9000\n1 | 12 | 2200 | tax | 1000",
            "gl_entries": WHOLE + "\n91 | 1200 | ri | 1 | 10000 | B1\n92 | 4000 | ri | 1 | -9000 | B1\n93 | 2200 | ri | 1 | -1000 | B1"}, "document_ref | outcome_code\n1 | matched", is_whole=True),
    Books3("gl_unbalanced", "A journal that does not balance", "Debits and credits of the document's journal differ.",
           {"ar_invoices": INVOICE, "gl_entries": WHOLE + "\n91 | 1200 | ri | 1 | 10000 | B1\n92 | 4000 | ri | 1 | -9000 | B1"}, "document_ref | outcome_code\n1 | gl_unbalanced", is_whole=True),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_ledger(case: Books3) -> None:
    found = tied(case.tables, is_whole=case.is_whole).ledger
    expected = table(case.expected)
    assert found.select(expected.columns).sort(expected.columns).rows() == expected.sort(expected.columns).rows(), found.to_dicts()  # fmt: skip


def test_the_sums_tell_timing_from_error_and_close_with_balances() -> None:
    found = tied(
        {
            "ar_invoices": "invoice_ref | invoice_number | posted_on | total_minor\n1 | U1 | 2026-08-31 | 500\n2 | U2 | 2026-09-30 | 1000\n3 | U3 | 2026-09-05 | 200",
            "gl_entries": "entry_ref | account_code | record_type | record_ref | amount_minor | posted_on\n1 | 1200 | ri | 1 | 500 | 2026-08-31\n2 | 1200 | ri | 2 | 1000 | 2026-10-01",
        }
    )
    figures = ["subledger_minor", "gl_minor", "delta_minor", "timing_minor", "error_minor", "closing_subledger_minor", "closing_gl_minor", "error_count"]  # fmt: skip
    assert found.control.select(figures).rows() == [(1200, 0, 1200, 1000, 200, 1700, 500, 1)]


def test_what_differs_in_base_currency_alone_is_exchange() -> None:
    found = tied(
        {
            "ar_invoices": "invoice_ref | invoice_number | base_total_minor\n1 | UW1 | 11000",
            "gl_entries": ENTRY.replace("amount_minor", "amount_minor | base_amount_minor").replace(
                "10000", "10000 | 11040"
            ),
        }
    ).ledger
    assert found.select("outcome_code", "delta_minor", "base_delta_minor", "base_currency").rows() == [("matched", 0, -40, "USD")]  # fmt: skip


_DOCUMENT = st.tuples(
    st.integers(1, 4), st.sampled_from([0, 1, 999, 10**15]), st.sampled_from(["E100", "E200"])
)
_ENTRY = st.tuples(st.integers(1, 6), st.sampled_from([-999, 1, 999, 10**15]), st.sampled_from(["1200", "4000"]), st.booleans())  # fmt: skip


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    st.lists(_DOCUMENT, max_size=4, unique_by=lambda d: d[0]),
    st.lists(_ENTRY, max_size=6),
    st.integers(0, 99),
)
def test_it_foots_and_no_order_of_rows_matters(documents: list[Any], entries: list[Any], seed: int) -> None:
    head = "invoice_ref | invoice_number | total_minor | entity_code"
    lines = [f"{n} | U{n} | {total} | {entity}" for n, total, entity in documents]
    there = [f"{k} | {account} | {'ri' if known else '-'} | {n} | {amount}" for k, (n, amount, account, known) in enumerate(entries)]  # fmt: skip
    tables = {
        "ar_invoices": "\n".join([head, *lines]),
        "gl_entries": "\n".join(
            ["entry_ref | account_code | record_type | record_ref | amount_minor", *there]
        ),
    }
    base = tied(tables)
    books = books_of(tables)
    mixed = Books(
        books.entries.sample(fraction=1.0, shuffle=True, seed=seed) if books.entries.height else books.entries,  # type: ignore[union-attr]
        books.invoices.sample(fraction=1.0, shuffle=True, seed=seed) if books.invoices.height else books.invoices,  # type: ignore[union-attr]
        books.adjustments, books.receipts, None, books.accounts, books.in_scope,
    )  # fmt: skip
    again = tie_control(mixed, SEPTEMBER)
    assert again.ledger.equals(base.ledger)
    assert again.control.equals(base.control)
