"""Small drawn worlds for the reconciliation: what a test does not draw gets the dullest value, and lines follow from components."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import polars as pl
from drawn import table

from tieout.vocabulary import COMPONENTS
from transforms.reconcile import Inputs, Period, Policy, Result, proofs, reconcile

SEPTEMBER = Period.month("2026-09")
STORES = table("""
storefront | store_ref | entity_code | invoice_prefix | guest_customer_id
shop       | us-web    | E100        | U              | GUEST-US
shop       | eu-web    | E200        | E              | GUEST-EU
shop       | kw-web    | E100        | K              | GUEST-KW
outlet     | main      | E100        | O              | GUEST-OUT
""")
_DAY = date(2026, 9, 10)
_PLACED = datetime(2026, 9, 5, 12, tzinfo=UTC)
_DULL: Mapping[str, Mapping[str, Any]] = {
    "orders": {
        "storefront": "shop", "store_ref": "us-web", "status_code": "complete", "placed_at": _PLACED, "currency": "USD",
        "is_test": False, "tax_included": False, "customer_ref": None, "total_minor": 10000,
    },
    "owed": {
        "storefront": "shop", "event_code": "sale", "event_ref": "s1", "currency": "USD", "owed_on": _DAY, "entity_code": "E100",
        "total_minor": 10000, "payment_ref": "p", "store_ref": "us-web",
    },
    "payments": {
        "storefront": "shop", "kind_code": "charge", "state_code": "success", "currency": "USD", "tender_code": "CreditCard",
        "occurred_at": datetime(2026, 9, 10, 12, tzinfo=UTC), "amount_minor": 10000,
    },
    "ar_invoices": {
        "entity_code": "E100", "customer_id": "GUEST-US", "currency": "USD", "state_code": "Posted", "posted_on": _DAY,
        "due_on": None, "total_minor": 10000, "is_deleted": False,
    },
    "ar_adjustments": {
        "entity_code": "E100", "customer_id": "GUEST-US", "currency": "USD", "state_code": "Posted", "posted_on": _DAY,
        "is_deleted": False,
    },
    "ar_receipts": {
        "entity_code": "E100", "customer_id": "GUEST-US", "currency": "USD", "state_code": "Complete", "received_on": _DAY,
        "total_minor": 10000, "is_deleted": False,
    },
    "ar_applications": {"credit_minor": 0, "amount_minor": 10000, "applied_on": _DAY},
    "order_lines": {"storefront": "shop", "discount_minor": 0},
    "waiting": {"storefront": "shop", "event_ref": None, "reason": "a reason"},
    "crosswalk": {"storefront": "shop"},
    "excluded": {"storefront": "shop", "event_code": "sale"},
    "customer_ids": {"storefront": "shop"},
    "decisions": {
        "tie_out": "orders", "entity_code": "E100", "currency": "USD", "reason": "agreed with the customer", "author": "ann",
        "decided_at": datetime(2026, 10, 2, 9, tzinfo=UTC),
    },
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One rule as people read it: a title, a sentence, the drawn tables, and the rows that must come out."""

    code: str
    title: str
    sentence: str
    tables: Mapping[str, str]
    expected: str
    policy: Mapping[str, Any] = field(default_factory=dict)
    lines: bool = True
    tie_out: str = "orders"


def drawn_inputs(tables: Mapping[str, str], *, lines: bool = True) -> Inputs:
    """The inputs a set of drawn tables stands for; every table left out is empty, applications included."""
    frames: dict[str, pl.DataFrame] = {
        "orders": pl.DataFrame(
            {"storefront": [], "order_ref": []}, schema={"storefront": pl.String, "order_ref": pl.String}
        )
    }
    frames["owed"] = frames["orders"]
    for name, text in tables.items():
        frame = table(text)
        dull = {c: v for c, v in _DULL.get(name, {}).items() if c not in frame.columns}
        frames[name] = frame.with_columns(**{c: pl.lit(v) for c, v in dull.items()})
    if "order_number" not in frames["orders"].columns:
        frames["orders"] = frames["orders"].with_columns(order_number="order_ref")
    frames["owed"] = _components(frames["owed"])
    ledger = []
    for name, kind in (("ar_invoices", "invoice"), ("ar_adjustments", "adjustment")):
        if name in frames:
            frames[name] = _components(frames[name])
            ledger.append(_lines(frames[name], kind))
    if lines and ledger and "ar_lines" not in frames:
        frames["ar_lines"] = pl.concat(ledger)
    frames.setdefault(
        "ar_applications", pl.DataFrame({"application_ref": []}, schema={"application_ref": pl.String})
    )
    return Inputs(stores=STORES, **frames)


def _components(frame: pl.DataFrame) -> pl.DataFrame:
    if "total_minor" not in frame.columns:
        return frame
    given = [f"{c}_minor" for c in COMPONENTS if f"{c}_minor" in frame.columns]
    zero = [pl.lit(0, pl.Int64).alias(f"{c}_minor") for c in COMPONENTS if f"{c}_minor" not in given]
    frame = frame.with_columns(zero)
    if "goods_minor" in given:
        return frame
    rest = pl.col("total_minor") - pl.sum_horizontal(f"{c}_minor" for c in COMPONENTS if c != "goods")
    return frame.with_columns(goods_minor=rest)


def _lines(frame: pl.DataFrame, kind: str) -> pl.DataFrame:
    parts = [f"{c}_minor" for c in COMPONENTS]
    return (
        frame.select(pl.col(f"{kind}_ref").alias("document_ref"), *parts)
        .unpivot(parts, index="document_ref", variable_name="component_code", value_name="amount_minor")
        .filter(pl.col("amount_minor") != 0)
        .with_columns(pl.col("component_code").str.strip_suffix("_minor"), document_kind=pl.lit(kind))
    )


def run(tables: Mapping[str, str], *, lines: bool = True, **policy: Any) -> Result:
    """Reconcile drawn tables for September 2026 and insist that everything foots."""
    result = reconcile(drawn_inputs(tables, lines=lines), Policy(**{"period": SEPTEMBER, **policy}))
    assert_foots(result)
    return result


def assert_foots(result: Result) -> None:
    """Every proof is zero."""
    failed = proofs(result).filter(pl.col("difference_minor") != 0)
    assert failed.is_empty(), failed.to_dicts()


def assert_rows(found: pl.DataFrame, expected: str) -> None:
    """The drawn rows are exactly the rows found, in the columns drawn."""
    drawn = table(expected)
    seen = found.select(drawn.columns).cast(dict(drawn.schema))  # type: ignore[arg-type]
    key = drawn.columns
    assert seen.sort(key).to_dicts() == drawn.sort(key).to_dicts(), found.select(
        "group_ref",
        "entity_code",
        "currency",
        "expected_minor",
        "actual_minor",
        "outcome_code",
        "secondary_codes",
        "evidence",
    ).to_dicts()
