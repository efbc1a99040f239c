"""September in the gateway's books: what the world meant to write, nothing else, and the answer key nowhere in reach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests

from tieout.sandbox.control import Control
from tieout.sandbox.rehearsal import Rehearsal
from tieout.sandbox.server import Server
from tieout.sandbox.world.ledger import Document, Receipt


@pytest.fixture(scope="module")
def rehearsal() -> Iterator[Rehearsal]:
    with Rehearsal(7, 2400) as running:
        yield running


@pytest.fixture(scope="module")
def door(rehearsal: Rehearsal) -> Iterator[str]:
    with Server(Control(rehearsal)) as server:
        yield server.url


@pytest.fixture(scope="module")
def ledger(door: str) -> dict[str, Any]:
    return requests.get(f"{door}/ledger").json()


def meant(rehearsal: Rehearsal) -> tuple[list[Document], list[Document], list[Receipt]]:
    invoices, credits, receipts = [], [], []
    for _, posted, _ in rehearsal.world.september():
        invoices += posted.invoices
        credits += posted.credits
        receipts += posted.receipts
    for orphan, _ in rehearsal.world.orphan_documents():
        if isinstance(orphan, Receipt):
            receipts.append(orphan)
        else:
            invoices.append(orphan)
    return invoices, credits, receipts


def money(hundredths: int) -> Decimal:
    return Decimal(hundredths).scaleb(-2)


def test_documents_in_the_books_are_the_ones_meant(rehearsal: Rehearsal, ledger: dict[str, Any]) -> None:
    invoices, credits, _ = meant(rehearsal)
    for name, wanted in (("invoices", invoices), ("adjustments", credits)):
        held = Counter(
            (
                row["recordid"],
                row["docnumber"],
                row["customerid"],
                row["entity"],
                row["currency"],
                Decimal(row["trx_total"]),
            )
            for row in ledger[name]
        )
        expected = Counter(
            (one.number, one.order_number, one.customer, one.entity, one.currency, money(one.total))
            for one in wanted
        )
        assert held == expected
    lines = Counter(
        (row["recordid"], line["account"], Decimal(line["trx_amount"]))
        for row in ledger["invoices"]
        for line in row["lines"]
    )
    assert lines == Counter(
        (one.number, account, money(amount)) for one in invoices for account, amount, _ in one.lines
    )


def test_receipts_in_the_books_are_the_ones_meant(rehearsal: Rehearsal, ledger: dict[str, Any]) -> None:
    held = Counter(
        (
            row["docnumber"],
            row["customerid"],
            row["currency"],
            Decimal(row["trx_total"]),
            Decimal(row["trx_unapplied"]),
            tuple(
                sorted(
                    (a["target_number"], Decimal(a["trx_amount"]))
                    for a in row["applications"]
                    if a["target_number"]
                )
            ),
        )
        for row in ledger["receipts"]
    )
    expected = Counter(
        (
            one.reference,
            one.customer,
            one.store.currency,
            money(one.total),
            money(one.on_account),
            tuple(sorted((number, money(amount)) for number, amount in one.applied)),
        )
        for one in meant(rehearsal)[2]
    )
    assert held == expected


def test_each_ledger_fault_is_to_be_seen_in_the_books(rehearsal: Rehearsal, ledger: dict[str, Any]) -> None:
    by_order: dict[str, list[dict]] = {}
    for row in ledger["invoices"]:
        by_order.setdefault(row["docnumber"], []).append(row)
    numbers = {row["recordid"] for row in (*ledger["invoices"], *ledger["adjustments"])}
    references = Counter(row["docnumber"] for row in ledger["receipts"])
    for fault in rehearsal.answer_key()["faults"]:
        kind = fault["kind"]
        if fault["document"] is not None:
            assert fault["document"] in numbers, kind
        if kind == "missing_invoice":
            assert fault["order_number"] not in by_order
        elif kind == "duplicate_invoice":
            totals = [row["trx_total"] for row in by_order[fault["order_number"]]]
            assert len(totals) == 2
            assert len(set(totals)) == 1
        elif kind == "receipt_missing":
            assert references[fault["payment_ref"]] == 0
        elif kind == "duplicate_receipt":
            assert references[fault["payment_ref"]] == 2
        elif kind == "chargeback":
            assert references[fault["payment_ref"]] == 0
        elif kind in ("short_paid", "over_paid", "unapplied", "receipt_without_payment"):
            assert references[fault["payment_ref"]] == 1


def test_october_is_empty_but_for_what_was_planted(rehearsal: Rehearsal, ledger: dict[str, Any]) -> None:
    october = {row["recordid"] for row in ledger["invoices"] if row["posted_on"] >= "2026-10-01"}
    planted = {f["document"] for f in rehearsal.answer_key()["faults"] if f["kind"] == "cut_off"}
    assert october == planted
    assert all(row["received_on"] < "2026-10-01" for row in ledger["receipts"])


def test_the_books_balance_and_the_subledger_is_the_control_account(rehearsal: Rehearsal) -> None:
    balance, subledger = rehearsal.gateway.books.trial_balance(), rehearsal.gateway.books.subledger()
    assert set(balance) == {"E100", "E200"}
    for entity, accounts in balance.items():
        assert sum(accounts.values()) == 0
        assert accounts["1100"] == subledger[entity]


def test_stock_is_on_both_sides(rehearsal: Rehearsal, ledger: dict[str, Any]) -> None:
    held = {
        (row["item"], row["warehouse"]): Decimal(row["quantity"])
        for row in ledger["stock"]
        if row["total"] == "ONHAND"
    }
    assert held == {(one.sku, one.channel): one.on_hand for one in rehearsal.world.shelves if one.on_hand}
    web = {
        (row["sku"], row["channel"]): row["quantityOnStock"]
        for row in rehearsal.storefront_named("commercetools").web_stock()
    }
    differing = [one for one in rehearsal.world.shelves if web.get((one.sku, one.channel)) != one.on_hand]
    assert len(differing) > 50
    assert any(one.web_on_stock is None for one in rehearsal.world.shelves)
    assert any(
        row["availableQuantity"] < row["quantityOnStock"]
        for row in rehearsal.storefront_named("commercetools").web_stock()
    )


def test_neither_stand_in_knows_the_answers(rehearsal: Rehearsal) -> None:
    for server in rehearsal.servers.values():
        for path in ("/answer-key", "/ledger", "/faults", "/reset", "/tamper", "/stock"):
            for method in ("GET", "POST"):
                reply = requests.request(method, f"{server.url}{path}")
                assert reply.status_code in (401, 404, 405), (server.app.name, path, reply.status_code)
                assert "expected" not in reply.text


def test_tampering_with_the_ledger_and_reset(rehearsal: Rehearsal, door: str, ledger: dict[str, Any]) -> None:
    unpaid = next(row for row in ledger["invoices"] if row["state"] == "Posted")
    order = {"app": "intacct", "op": "delete", "object": "ARINVOICE", "recordno": unpaid["recordno"]}
    assert requests.post(f"{door}/tamper", json=order).status_code == 200
    left = requests.get(f"{door}/ledger").json()["invoices"]
    assert unpaid["recordid"] not in {row["recordid"] for row in left}
    assert requests.post(f"{door}/tamper", json=order).status_code == 400
    assert requests.post(f"{door}/reset").json() == {"reset": True}
    again = requests.get(f"{door}/ledger").json()
    assert [row["recordid"] for row in again["invoices"]] == [row["recordid"] for row in ledger["invoices"]]
    assert again["receipts"] == ledger["receipts"]


def test_an_empty_ledger_on_request() -> None:
    rehearsal = Rehearsal(7, 200, ledger=False)
    try:
        assert rehearsal.gateway.ledger()["invoices"] == []
        assert {f["kind"] for f in rehearsal.answer_key()["faults"] if f["side"] == "ledger"} <= {
            "ledger_precision"
        }
    finally:
        rehearsal.stop()
