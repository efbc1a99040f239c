"""Customers: guests by e-mail, and customers the ledger knows already, by a configured rule."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from drawn import drawn, shown, table

from checks.contracts import ALL
from transforms.customers import guests_by_email, in_ledger
from transforms.postings.customers import customer_ids, with_customer_ids
from transforms.postings.terms import Existing, PostingPolicy

ORDERS = """
    order_ref | customer_ref | customer_email | customer_name | placed_at
    a         | -            | Ana@x.test     | Ana           | 2026-10-01 10:00
    b         | -            | ana@x.test     | Ana Lopez     | 2026-10-03 10:00
    c         | -            | -              | -             | 2026-10-02 10:00
    d         | u1           | ben@x.test     | Ben           | 2026-10-02 10:00
    e         | -            | cleo@x.test    | -             | 2026-10-02 10:00
"""
CUSTOMERS = """
    customer_ref | customer_number | name       | email
    u1           | 101             | Ben Smith  | ben@x.test
    u2           | 102             | ACME, Inc. | buy@acme.test
    u3           | 103             | Dora       | dora@x.test
"""
LEDGER = """
    customer_id | name      | email       | is_active
    101         | Somebody  | -           | yes
    X-BEN       | Ben Smith | BEN@x.test  | yes
    X-ACME      | acme inc  | -           | yes
    X-DORA1     | Dora      | dora@x.test | yes
    X-DORA2     | Dora      | dora@x.test | yes
    X-OLD       | Dora      | dora@x.test | no
"""


def people() -> pl.DataFrame:
    return drawn(ALL["core.customers"], CUSTOMERS, storefront="shop")


def ledger(text: str = LEDGER) -> pl.DataFrame:
    return table(text)


def test_guests_with_an_email_are_one_customer_each_whatever_its_case() -> None:
    orders = drawn(ALL["core.orders"], ORDERS, storefront="shop")
    named, customers = guests_by_email(orders, people())
    refs = dict(shown(named, "order_ref", "customer_ref"))
    assert refs["a"] == refs["b"]
    assert refs["a"].startswith("guest:")
    assert (refs["c"], refs["d"]) == (None, "u1")
    assert len({refs["a"], refs["e"]}) == 2
    added = customers.filter(pl.col("customer_ref").str.starts_with("guest:"))
    assert sorted(added["name"].to_list()) == ["Ana Lopez", "cleo@x.test"]
    ALL["core.customers"].checked(customers, at="in a test")
    again = guests_by_email(named, customers)
    assert again[0].equals(named)
    assert again[1].equals(customers)


@pytest.mark.parametrize(
    ("rules", "wanted"),
    [
        ((), []),
        (("email",), [("u1", "X-BEN", False), ("u3", None, True)]),
        (("name",), [("u1", "X-BEN", False), ("u2", "X-ACME", False), ("u3", None, True)]),
        (("number", "email", "name"), [("u1", "101", False), ("u2", "X-ACME", False), ("u3", None, True)]),
    ],
)
def test_the_first_rule_that_finds_anybody_decides_and_several_are_ambiguous(
    rules: Any, wanted: list[tuple[Any, ...]]
) -> None:
    assert shown(in_ledger(people(), ledger(), rules), "customer_ref", "matched_id", "is_ambiguous") == wanted


def existing(
    documents: str = "document_id | kind_code | event_ref | number\nD | invoice | x | y",
) -> Existing:
    frame = drawn(ALL["out.documents"], documents, storefront="shop")
    states = frame.with_columns(state_code=pl.lit("accepted"), intacct_key=pl.lit("1"))
    return Existing(
        documents=states, lines=ALL["out.document_lines"].empty(), invoices=ALL["core.ar_invoices"].empty(),
        adjustments=ALL["core.ar_adjustments"].empty(), receipts=ALL["core.ar_receipts"].empty(), customers=ledger(),
    )  # fmt: skip


def test_a_customer_the_ledger_has_is_used_and_an_ambiguous_one_gets_no_id() -> None:
    policy = PostingPolicy(match_customers_by=("email", "name"))
    found = customer_ids(people(), existing(), policy)
    assert shown(found, "customer_ref", "customer_id") == [("u1", "X-BEN"), ("u2", "X-ACME"), ("u3", None)]
    events = pl.DataFrame(
        {"storefront": "shop", "customer_ref": ["u1", "u3", "u9", None], "guest_customer_id": "G"},
        schema_overrides={"customer_ref": pl.String},
    )
    marked = with_customer_ids(events, people(), existing(), policy)
    assert marked.select("customer_id", "customer_is_ambiguous").rows() == [
        ("X-BEN", False), (None, True), (None, None), ("G", None),
    ]  # fmt: skip


def test_an_id_once_given_is_kept_whatever_the_rule_would_find_now() -> None:
    given = "document_id | kind_code | event_ref | number\nD | customer | u3 | C103"
    policy = PostingPolicy(match_customers_by=("email",))
    found = customer_ids(people(), existing(given), policy)
    assert dict(shown(found, "customer_ref", "customer_id"))["u3"] == "C103"


def test_without_a_rule_ids_are_made_as_ever() -> None:
    found = customer_ids(people(), existing(), PostingPolicy())
    assert shown(found, "customer_ref", "customer_id") == [("u1", "C101"), ("u2", "C102"), ("u3", "C103")]
