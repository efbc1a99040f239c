"""Small but complete report data for the print shop's tests: two entities, three currencies, every family."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl

from checks.contracts import ALL
from tieout.reports.data import ReportData
from tieout.vocabulary import COMPONENTS, family_of


def order_row(
    ref: str,
    *,
    entity: str = "E100",
    currency: str = "USD",
    expected: int = 0,
    actual: int = 0,
    outcome: str = "matched",
    customer: str = "Ana Lima",
    evidence: str = "Both sides agree.",
    timing: int = 0,
) -> dict[str, object]:
    """One row of recon.orders, all of it in the period."""
    delta = expected - actual
    row: dict[str, object] = {
        "group_ref": f"shop:{ref}",
        "storefront": "shop",
        "order_ref": ref,
        "order_number": ref.upper(),
        "store_ref": "us-web",
        "entity_code": entity,
        "currency": currency,
        "customer_name": customer,
        "placed_on": date(2026, 9, 3),
        "owed_on": date(2026, 9, 4),
        "document_on": date(2026, 9, 4),
        "documents": f"U{ref.upper()}" if actual else None,
        "gross_minor": expected,
        "expected_minor": expected,
        "actual_minor": actual,
        "delta_minor": delta,
        "period_expected_minor": expected,
        "period_actual_minor": actual,
        "period_timing_minor": timing,
        "period_delta_minor": delta - timing,
        "outcome_code": outcome,
        "family_code": family_of(outcome),
        "secondary_codes": "",
        "pass_no": 2,
        "proposal": None,
        "evidence": evidence,
        "is_in_period": True,
    }
    for name in COMPONENTS:
        row[f"expected_{name}_minor"] = expected if name == "goods" else 0
        row[f"actual_{name}_minor"] = actual if name == "goods" else 0
    return row


def report_data(orders: list[dict[str, object]] | None = None, *, difference: int = 0) -> ReportData:
    """Report data with one waterfall per entity and currency that foots, and `difference` in its only proof."""
    rows = orders or [
        order_row("w1", expected=10_050, actual=10_050),
        order_row(
            "w2", expected=5_000, actual=0, outcome="missing_invoice", evidence="No invoice carries W2."
        ),
        order_row(
            "w3",
            expected=7_777,
            actual=7_778,
            outcome="rounding",
            evidence="Line-level rounding gives 77.78.",
        ),
        order_row(
            "w4", entity="E200", currency="EUR", expected=1_190, actual=1_190, customer="=cmd|' /C calc'!A0"
        ),
        order_row("w5", currency="JPY", expected=3_300, actual=3_300),
        order_row(
            "w6", currency="KWD", expected=12_345, actual=0, outcome="held", evidence="SKU NEW-1 is unmapped."
        ),
        order_row("w7", entity="E200", currency="EUR", expected=900, actual=0, outcome="ambiguous"),
    ]
    frame = pl.DataFrame(rows, schema=ALL["recon.orders"].polars_schema)
    ALL["recon.orders"].checked(frame, at="in a test")
    steps: list[dict[str, object]] = []
    for (entity, currency), block in frame.group_by(["entity_code", "currency"], maintain_order=True):
        expected, actual = int(block["expected_minor"].sum()), int(block["actual_minor"].sum())
        bridge = [
            ("gross", "Gross orders placed", False, expected),
            ("difference", "Errors and timing", False, actual - expected),
            ("invoiced", "Invoiced net of credits", True, actual),
        ]
        steps += [
            {
                "tie_out": "orders",
                "entity_code": entity,
                "store_ref": "us-web",
                "currency": currency,
                "step_no": number,
                "step_code": code,
                "label": label,
                "is_total": total,
                "row_count": block.height,
                "amount_minor": amount,
            }
            for number, (code, label, total, amount) in enumerate(bridge, start=1)
        ]
    ageing = pl.DataFrame(
        [
            {
                "document_kind": "invoice",
                "document_ref": "5512",
                "document_number": "UW1",
                "entity_code": "E100",
                "customer_id": "C1",
                "currency": "USD",
                "document_on": date(2026, 9, 4),
                "due_on": date(2026, 10, 4),
                "days_no": 0,
                "bucket_code": "not_due",
                "open_minor": 10_050,
            }
        ],
        schema=ALL["recon.ageing"].polars_schema,
    )
    proofs = pl.DataFrame(
        [
            {
                "name": "invoiced equals Intacct",
                "entity_code": "E100",
                "currency": "USD",
                "left_minor": 17_828 + difference,
                "right_minor": 17_828,
                "difference_minor": difference,
            }
        ]
    )
    held = pl.DataFrame(
        [
            {
                "order_number": "W6",
                "subject_ref": "shop:w6",
                "rule_code": "sku_unmapped",
                "currency": "KWD",
                "amount_minor": 12_345,
                "sentence": "SKU NEW-1 has no item; add the row shop,NEW-1,map,… to items.csv.",
            }
        ]
    )
    waiting = pl.DataFrame(
        [{"kind": "invoice", "state": "planned", "count": 3, "oldest": "2026-10-01", "reason": None}],
        schema={
            "kind": pl.String,
            "state": pl.String,
            "count": pl.Int64,
            "oldest": pl.String,
            "reason": pl.String,
        },
    )
    return ReportData(
        title="Example Goods – month-end reconciliation",
        period="2026-09",
        entities=["E100", "E200"],
        as_of=datetime(2026, 11, 2, 3, tzinfo=UTC),
        orders=frame,
        payments=ALL["recon.payments"].empty(),
        waterfall=pl.DataFrame(steps, schema=ALL["recon.waterfall"].polars_schema),
        ageing=ageing,
        proofs=proofs,
        parameters=[("Cut-off basis of shop", "shipped"), ("Tolerance", "0")],
        sources=[("shop", "orders", "–", "7", "7", "0", "2026-11-02 03:00")],
        held=held,
        waiting=waiting,
        version="0.1.0",
    )
