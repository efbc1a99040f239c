"""The control account in a close, drawn: ageing, subledger and general ledger as of the end of September, and what differs between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl
import pytest
from drawn import table
from reconcile_tables import SEPTEMBER, drawn_inputs

from transforms.closing import control, statement
from transforms.closing.translation import RATES
from transforms.reconcile import Policy
from transforms.reconcile.control import NO_ENTRIES
from transforms.reconcile.policy import Scope

NO_RATES = pl.DataFrame(schema=RATES)
OWN = Policy(period=SEPTEMBER, scope=Scope(number_prefixes=("U",), references=("ch_",)))
ORDER = {
    "orders": "order_ref | total_minor\nA | 10000",
    "owed": "order_ref | owed_on | total_minor\nA | 2026-09-10 | 10000",
}
INVOICE = (
    "invoice_ref | invoice_number | reference | posted_on | total_minor\n1 | UA | A | 2026-09-10 | 10000"
)


def entries(text: str, **dull: Any) -> pl.DataFrame:
    """Entries of the general ledger on account 1100 unless drawn otherwise, in the order a close packs them in."""
    found = table(text, dict(NO_ENTRIES.schema))
    given: dict[str, Any] = {
        "account_code": "1100", "entity_code": "E100", "currency": "USD", "base_currency": "USD", "posted_on": SEPTEMBER.start_on, **dull,
    }  # fmt: skip
    for name, dtype in NO_ENTRIES.schema.items():
        if name not in found.columns:
            value = (
                pl.col("amount_minor")
                if name == "base_amount_minor"
                else pl.lit(given.get(name), dtype=dtype)
            )
            found = found.with_columns(value.alias(name))
    return control.entries_of(found, ("1100",))


def closed(
    tables: dict[str, str], ledger: pl.DataFrame | None, entity: str = "E100"
) -> dict[str, pl.DataFrame]:
    """The statement of one entity, all of whose proofs are 0."""
    kept = statement.books(drawn_inputs(tables), OWN, ledger)
    found = statement.statement(kept, entity=entity, base_currency="USD", last_register=None, rates=NO_RATES)
    off = found["proofs"].filter(pl.col("difference_minor") != 0)
    assert off.is_empty(), off.to_dicts()
    return found


ENTRY = "entry_ref | record_type | record_ref | posted_on | amount_minor"


@dataclass(frozen=True)
class Tied:
    """One rule as people read it: the documents, the entries, the balances that come out, and the differences that are listed."""

    title: str
    sentence: str
    documents: dict[str, str]
    gl_entries: str
    expected: str
    listed: str

    @property
    def tables(self) -> dict[str, str]:
        """All that was drawn, for the rule book."""
        return {**self.documents, "gl_entries": self.gl_entries}


CASES = [
    Tied(
        "An open invoice",
        "An open invoice stands in the ageing, the subledger and the control account.",
        {"ar_invoices": INVOICE},
        f"{ENTRY}\n91 | ri | 1 | 2026-09-10 | 10000",
        "ageing_minor | other_minor | subledger_minor | gl_minor | difference_minor\n10000 | 0 | 10000 | 10000 | 0",
        "document_ref | outcome_code | delta_minor",
    ),
    Tied(
        "Other business of the company",
        "Other business of the company is in the control account and not in the ageing.",
        {"ar_invoices": INVOICE + "\n2 | X9 | - | 2026-09-11 | 400"},
        f"{ENTRY}\n91 | ri | 1 | 2026-09-10 | 10000\n92 | ri | 2 | 2026-09-11 | 400",
        "ageing_minor | other_minor | subledger_minor | gl_minor | difference_minor\n10000 | 400 | 10400 | 10400 | 0",
        "document_ref | outcome_code | delta_minor",
    ),
    Tied(
        "A receipt, and an invoice of the month before",
        "A receipt lowers all three, and what was posted before the period counts.",
        {
            "ar_invoices": INVOICE.replace("2026-09-10", "2026-08-10"),
            "ar_receipts": "receipt_ref | reference | received_on | total_minor\n9 | ch_A | 2026-09-12 | 6000",
            "ar_applications": "application_ref | receipt_ref | invoice_ref | amount_minor | applied_on\na | 9 | 1 | 6000 | 2026-09-12",
        },
        f"{ENTRY}\n91 | ri | 1 | 2026-08-10 | 10000\n92 | rp | 9 | 2026-09-12 | -6000",
        "ageing_minor | other_minor | subledger_minor | gl_minor | difference_minor\n4000 | 0 | 4000 | 4000 | 0",
        "document_ref | outcome_code | delta_minor",
    ),
    Tied(
        "A receipt of the shop that paid other business",
        "A receipt of the shop that paid other business is applied across.",
        {
            "ar_invoices": INVOICE + "\n2 | X9 | - | 2026-09-11 | 400",
            "ar_receipts": "receipt_ref | reference | received_on | total_minor\n9 | ch_A | 2026-09-12 | 10000",
            "ar_applications": "application_ref | receipt_ref | invoice_ref | amount_minor | applied_on\na | 9 | 1 | 9600 | 2026-09-12\nb | 9 | 2 | 400 | 2026-09-12",
        },
        f"{ENTRY}\n91 | ri | 1 | 2026-09-10 | 10000\n92 | ri | 2 | 2026-09-11 | 400\n93 | rp | 9 | 2026-09-12 | -10000",
        "ageing_minor | across_minor | other_minor | subledger_minor | gl_minor\n400 | -400 | 400 | 400 | 400",
        "document_ref | outcome_code | delta_minor",
    ),
    Tied(
        "An entry of the month after",
        "An entry dated in the month after is timing.",
        {"ar_invoices": INVOICE},
        f"{ENTRY}\n91 | ri | 1 | 2026-10-01 | 10000",
        "subledger_minor | gl_minor | difference_minor | timing_minor | error_minor\n10000 | 0 | 10000 | 10000 | 0",
        "document_ref | outcome_code | delta_minor\n1 | cut_off | 10000",
    ),
    Tied(
        "No entry, and a journal by hand",
        "A document without an entry and a journal by hand are errors, each listed.",
        {"ar_invoices": INVOICE},
        f"{ENTRY}\n92 | - | - | 2026-09-20 | 300",
        "subledger_minor | gl_minor | difference_minor | timing_minor | error_minor\n10000 | 300 | 9700 | 0 | 9700",
        "document_ref | outcome_code | delta_minor\n1 | gl_missing | 10000\n92 | gl_only | -300",
    ),
    Tied(
        "Another amount in the ledger",
        "Another amount differs by what is between them.",
        {"ar_invoices": INVOICE},
        f"{ENTRY}\n91 | ri | 1 | 2026-09-10 | 9000",
        "subledger_minor | gl_minor | difference_minor | error_minor\n10000 | 9000 | 1000 | 1000",
        "document_ref | outcome_code | delta_minor\n1 | gl_amount | 1000",
    ),
    Tied(
        "Dated after the period",
        "What is dated after the period is no part of its end.",
        {"ar_invoices": INVOICE.replace("2026-09-10", "2026-10-02")},
        f"{ENTRY}\n91 | - | - | 2026-10-05 | 300",
        "subledger_minor | gl_minor | difference_minor\n0 | 0 | 0",
        "document_ref | outcome_code | delta_minor",
    ),
    Tied(
        "Reversed in the month after",
        "An invoice reversed in the month after is other than the ageing, and still in both ledgers.",
        {
            "ar_invoices": "invoice_ref | invoice_number | reference | posted_on | total_minor | state_code\n"
            "1 | UA | A | 2026-09-10 | 10000 | Reversed\n2 | UA-R | A | 2026-10-02 | -10000 | Reversal"
        },
        f"{ENTRY}\n91 | ri | 1 | 2026-09-10 | 10000\n92 | ri | 2 | 2026-10-02 | -10000",
        "ageing_minor | other_minor | subledger_minor | gl_minor | difference_minor\n0 | 10000 | 10000 | 10000 | 0",
        "document_ref | outcome_code | delta_minor",
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_control_account(case: Tied) -> None:
    found = closed({**ORDER, **case.documents}, entries(case.gl_entries))
    for name, text in (("control", case.expected), ("control_differences", case.listed)):
        expected = table(text)
        assert found[name].select(expected.columns).rows() == expected.rows(), found[name].to_dicts()


def test_without_entries_nothing_is_tied_and_no_proof_claims_it() -> None:
    tables = {**ORDER, "ar_invoices": INVOICE}
    bare, tied = (
        closed(tables, None),
        closed(tables, entries(f"{ENTRY}\n91 | ri | 1 | 2026-09-10 | 10000")),
    )
    assert bare["control"].is_empty()
    assert bare["control_differences"].is_empty()
    assert set(tied["proofs"]["name"]) - set(bare["proofs"]["name"]) == {
        "the ageing, what was applied across and other documents are the AR subledger",
        "the AR subledger less the listed differences is the balance of the control accounts",
    }
    assert tied["control"].schema == bare["control"].schema == pl.Schema(control.BALANCES)


def test_each_entity_has_its_own_balance_and_base_currency_is_told_where_every_entry_knows_it() -> None:
    text = "entry_ref | record_type | record_ref | amount_minor | base_amount_minor | entity_code\n91 | ri | 1 | 10000 | 11000 | E100\n92 | - | - | 5 | - | E200"
    ledger = entries(text)
    mine = closed({**ORDER, "ar_invoices": INVOICE}, ledger)["control"]
    theirs = closed({**ORDER, "ar_invoices": INVOICE}, ledger, "E200")["control"]
    assert mine.select("entity_code", "gl_minor", "base_gl_minor").rows() == [("E100", 10000, 11000)]
    assert theirs.select("entity_code", "gl_minor", "base_gl_minor", "error_minor").rows() == [("E200", 5, None, -5)]  # fmt: skip


def test_a_proof_fails_when_a_difference_is_left_off_the_list() -> None:
    found = closed({**ORDER, "ar_invoices": INVOICE}, entries(f"{ENTRY}\n91 | ri | 1 | 2026-09-10 | 9000"))
    off = control.proofs(found["control"], found["control_differences"].clear())
    assert off.filter(pl.col("difference_minor") != 0)["difference_minor"].to_list() == [1000]
