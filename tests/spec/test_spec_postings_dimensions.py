"""Taxes as tax entries, and departments, classes, projects and a company's own dimensions by what order and line say, as drawn cases."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import trade
from drawn import drawn, shown
from lxml import etree
from planning import MAPPINGS, after, nothing, planned

from checks.contracts import ALL
from flows.mappings.reading import read_mapping
from flows.posting.building import build
from tieout.connectors.intacct import generic, legacy
from tieout.errors import SettingsError
from tieout.warehouse.outbox import Claim
from transforms.postings.content import rehashed
from transforms.postings.planned import Plan
from transforms.postings.terms import SPARSE

ORDER = """
    order_ref | order_number | customer_ref | store_ref | placed_at        | shipped_at       | goods_minor | shipping_minor | tax_minor | total_minor
    A         | W1           | u1           | us        | 2026-10-01 09:00 | 2026-10-02 12:00 | 3000        | 500            | 665       | 4165
"""
LINES = """
    order_ref | line_ref | kind_code | sku   | category_ref | quantity | net_minor | tax_minor | tax_code
    A         | l1       | item      | MUG-1 | c1           | 1        | 1000      | 190       | VAT 19
    A         | l2       | item      | TEA-1 | c2           | 1        | 2000      | 380       | VAT 19
    A         | l3       | shipping  | -     | -            | 1        | 500       | 95        | VAT 19
"""
VAT = "storefront | tax_code | mode | account_code | tax_detail | tax_solution\n* | * | map | {} | {} | {}"


@cache
def sold(order: str = ORDER, lines: str = LINES) -> trade.Owed:
    return trade.recognised(trade.orders(order), trade.lines(lines))


def with_vat(account: str = "-", detail: str = "UK-STD", solution: str = "UK VAT", **more: Any) -> Any:
    taxes = drawn(ALL["mappings.taxes"], VAT.format(account, detail, solution))
    return MAPPINGS._replace(taxes=taxes, **more)


def dimensions(text: str) -> Any:
    return MAPPINGS._replace(dimensions=drawn(ALL["mappings.dimensions"], text))


def lines_of(done: Plan, *columns: str) -> list[tuple[Any, ...]]:
    return list(done.lines.sort("document_id", "line_no").select(columns).iter_rows())


def sent(done: Plan) -> Any:
    """The invoices of a plan as the client is given them."""
    claim = Claim(
        "b",
        documents=done.documents.filter(pl.col("kind_code") != "customer").with_columns(
            control_id=pl.lit("c")
        ),
        lines=done.lines.with_columns(applies_to_key=pl.lit(None, dtype=pl.String)),
    )
    return [document for _, document in build(claim, ledger_digits=2)]


# ── tax ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_tax_with_an_account_is_one_line_a_code_and_one_with_a_detail_follows_the_line_it_taxes() -> None:
    plain = lines_of(planned(sold()), "component_code", "amount_minor", "account_code")
    assert plain[-1] == ("tax", 665, "2200")
    done = planned(sold(), mappings=with_vat())
    assert lines_of(done, "component_code", "amount_minor", "tax_detail_code", "tax_solution") == [
        ("goods", 1000, None, None),
        ("tax", 190, "UK-STD", "UK VAT"),
        ("goods", 2000, None, None),
        ("tax", 380, "UK-STD", "UK VAT"),
        ("shipping", 500, None, None),
        ("tax", 95, "UK-STD", "UK VAT"),
    ]
    (invoice,) = sent(done)
    assert invoice.tax_solution == "UK VAT"
    assert [
        (line.amount, [(one.detail_id, one.amount) for one in line.tax_entries]) for line in invoice.lines
    ] == [
        (Decimal("10.00"), [("UK-STD", Decimal("1.90"))]),
        (Decimal("20.00"), [("UK-STD", Decimal("3.80"))]),
        (Decimal("5.00"), [("UK-STD", Decimal("0.95"))]),
    ]
    for style in (legacy, generic):
        root = etree.Element("function")
        style.write(root, invoice)
        text = etree.tostring(root).decode().lower()
        assert text.count("<detailid>uk-std</detailid>") == 3
        assert "<trx_tax>3.80</trx_tax>" in text
        assert "<taxsolutionid>uk vat</taxsolutionid>" in text


def test_taxes_of_two_solutions_are_not_put_into_one_document() -> None:
    taxes = drawn(
        ALL["mappings.taxes"],
        "storefront | tax_code | mode | tax_detail | tax_solution\n* | VAT 19 | map | A | UK VAT\n* | VAT 7 | map | B | FR VAT",
    )
    lines = LINES.replace("2000      | 380       | VAT 19", "2000      | 380       | VAT 7")
    done = planned(sold(lines=lines), mappings=MAPPINGS._replace(taxes=taxes))
    assert done.documents.filter(pl.col("kind_code") == "invoice").is_empty()
    assert shown(done.unplanned.filter(pl.col("kind_code") == "invoice"), "reason_code") == [
        ("tax_solution_mixed",)
    ]


def test_a_difference_of_tax_alone_waits_because_a_tax_entry_needs_a_line() -> None:
    there = after(planned(sold(), mappings=with_vat()), "accepted")
    order = ORDER.replace("665       | 4165", "675       | 4175")
    lines = LINES.replace("500       | 95", "500       | 105")
    done = planned(
        sold(order, lines),
        there,
        mappings=with_vat(),
        changes="order_ref | changed_on | is_cancelled\nA | 2026-10-20 | no",
    )
    assert done.documents.is_empty()
    assert ("tax_entry_alone",) in shown(done.unplanned, "reason_code")


def test_a_credit_memo_gives_the_tax_entries_back() -> None:
    there = after(planned(sold(), mappings=with_vat()), "accepted")
    order = ORDER.replace("3000        | 500            | 665       | 4165", "2000 | 500 | 475 | 2975")
    lines = "\n".join(line for line in LINES.splitlines() if "l1" not in line)
    done = planned(
        sold(order, lines),
        there,
        mappings=with_vat(),
        changes="order_ref | changed_on | is_cancelled\nA | 2026-10-20 | no",
    )
    (memo,) = sent(done)
    assert memo.tax_solution == "UK VAT"
    assert [(line.amount, [one.amount for one in line.tax_entries]) for line in memo.lines] == [
        (Decimal("10.00"), [Decimal("1.90")])
    ]


# ── dimensions ──────────────────────────────────────────────────────────────────────────────────────────────


def test_the_attribute_closest_to_the_line_gives_the_dimension() -> None:
    mappings = dimensions(
        """
        storefront | attribute | value    | dimension      | code
        *          | store     | *        | class          | WEB
        shop       | component | shipping | class          | FREIGHT
        *          | sku       | MUG-*    | class          | MUGS
        *          | customer  | u1       | project        | P-KEY
        *          | currency  | USD      | project        | P-USD
        *          | component | goods    | department     | 40
        *          | sku       | TEA-1    | custom:CHANNEL | tea
        *          | store     | us       | custom:REGION  | north
        mart       | store     | *        | class          | OTHER
        """
    )
    found = lines_of(
        planned(sold(), mappings=mappings),
        "component_code",
        "class_code",
        "project_code",
        "department_code",
        "custom_fields",
    )
    north, tea = {"REGION": "north"}, {"CHANNEL": "tea", "REGION": "north"}
    told = [(*row[:4], {name: one for name, one in json.loads(row[4]).items() if one}) for row in found]
    assert told == [
        ("goods", "MUGS", "P-KEY", "40", north),
        ("goods", "WEB", "P-KEY", "40", tea),
        ("shipping", "FREIGHT", "P-KEY", None, north),
        ("tax", "WEB", "P-KEY", None, north),
    ]


def test_dimensions_reach_the_xml_in_both_styles() -> None:
    mappings = dimensions(
        """
        storefront | attribute | value | dimension      | code
        *          | sku       | MUG-1 | class          | MUGS
        *          | sku       | MUG-1 | project        | P-1
        *          | sku       | MUG-1 | custom:CHANNEL | web
        """
    )
    (invoice,) = sent(planned(sold(), mappings=mappings))
    assert [(line.class_, line.project, dict(line.custom)) for line in invoice.lines][:2] == [
        ("MUGS", "P-1", {"CHANNEL": "web"}),
        (None, None, {}),
    ]
    for style in (legacy, generic):
        root = etree.Element("function")
        style.write(root, invoice)
        text = etree.tostring(root).decode()
        assert all(word in text for word in ("MUGS", "P-1", "CHANNEL", "web"))


def test_without_rows_nothing_changes_and_neither_does_the_hash_of_what_was_planned_before() -> None:
    done = planned(sold())
    assert done.lines.select(pl.col(SPARSE).is_not_null().any()).row(0) == (False,) * len(SPARSE)
    again = planned(sold(), after(done, "planned"))
    assert again.documents.is_empty()
    hashed = rehashed(done.documents, done.lines)["content_sha256"].to_list()
    filled = done.lines.with_columns(project_code=pl.when(pl.col("line_no") == 1).then(pl.lit("P")))
    other = rehashed(done.documents, filled)["content_sha256"].to_list()
    assert hashed == done.documents["content_sha256"].to_list()
    changed = [
        kind for kind, one, two in zip(done.documents["kind_code"], hashed, other, strict=True) if one != two
    ]
    assert changed == ["invoice"]


def test_summaries_keep_lines_of_different_dimensions_apart() -> None:
    mappings = dimensions("storefront | attribute | value | dimension | code\n* | sku | MUG-* | class | MUGS")
    stores = trade.STORES.with_columns(posting_code=pl.lit("summary"))
    done = planned(sold(), nothing(), mappings=mappings._replace(stores=stores))
    assert sorted(lines_of(done, "component_code", "class_code", "amount_minor"), key=str) == [
        ("goods", "MUGS", 1000),
        ("goods", None, 2000),
        ("shipping", None, 500),
        ("tax", None, 665),
    ]


@pytest.mark.parametrize("word", ["klass", "custom:", "custom:lower", "location"])
def test_a_dimension_that_is_none_is_refused_with_its_line(tmp_path: Path, word: str) -> None:
    path = tmp_path / "dimensions.csv"
    path.write_text(
        f"storefront,attribute,value,dimension,code,note\n*,sku,*,class,A,\n*,sku,*,{word},A,\n",
        encoding="utf-8",
    )
    with pytest.raises(SettingsError) as said:
        read_mapping(path, ALL["mappings.dimensions"])
    assert "line(s) 3" in str(said.value)
