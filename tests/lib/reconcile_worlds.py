"""Small worlds full of ties for the reconciliation, drawn from a seed: few numbers, few references, few amounts."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
from reconcile_tables import SEPTEMBER, STORES

from tieout.vocabulary import COMPONENTS
from transforms.reconcile import Inputs, Policy, Tolerance
from transforms.reconcile.intake import COLUMNS, WHERE_KNOWN

NUMBERS = ("W1", "w-1", "001", "1", "W2", "W3", "W3", "U4", "X 5", "---", "", None)
REFERENCES = (*NUMBERS, "W1; W2", "W3/W7", "about W2 and 1", "W9,W8", "nothing")
GATEWAYS = ("G1", "g-1", "G2", "G3", "t1", "p2", "", None)
PLAIN = Policy(period=SEPTEMBER, tolerance=Tolerance({"USD": 3}), bucket_least=1)
POLICIES = (
    PLAIN,
    replace(PLAIN, period=None, order_number_pattern=r"W\d"),
    replace(PLAIN, tolerance=Tolerance({"USD": 3}, cap_minor={"USD": 2})),
)


def drawn(seed: int) -> Inputs:
    """A small world full of ties, drawn from a seed: few numbers, few references, few amounts."""
    draw = random.Random(seed)

    def day() -> date:
        return date(2026, 8, 20) + timedelta(days=draw.randrange(60))

    def amount() -> int:
        return draw.choice((0, 998, 1000, 1000, 1001, 2000, 5000))

    def at() -> datetime:
        return datetime(2026, 8, 20, 12, tzinfo=UTC) + timedelta(days=draw.randrange(60))

    def front() -> str:
        return draw.choice(("shop", "shop", "outlet"))

    def place() -> dict[str, str]:
        return {
            "entity_code": draw.choice(("E100", "E100", "E200")),
            "currency": draw.choice(("USD", "USD", "EUR")),
        }

    orders = [
        {"storefront": one, "order_ref": f"o{k}", "order_number": draw.choice(NUMBERS), "store_ref": draw.choice(("us-web", "eu-web", "main", "none")),
         "customer_ref": draw.choice(("c1", "c2", None)), "customer_name": None, "status_code": draw.choice(("open", "complete", "cancelled")), "placed_at": at(),
         "currency": draw.choice(("USD", "EUR")), "total_minor": amount(), "due_minor": 0, "tax_included": False, "is_test": draw.random() < 0.1}
        for k in range(draw.randrange(9)) for one in [front()]
    ]  # fmt: skip
    owed = [
        {"storefront": front(), "order_ref": f"o{draw.randrange(10)}", "order_number": draw.choice(NUMBERS), "event_code": draw.choice(("sale", "sale", "credit", "receipt")),
         "event_ref": f"e{k}", "store_ref": "us-web", "payment_ref": draw.choice(("p1", None)), "gateway_ref": draw.choice(GATEWAYS), "tender_code": "gift",
         "owed_on": day(), **place(), **_parts(amount())}
        for k in range(draw.randrange(9))
    ]  # fmt: skip
    ledger: dict[str, list[dict[str, Any]]] = {"invoice": [], "adjustment": []}
    lines = []
    for k in range(draw.randrange(10)):
        kind, total = draw.choice(("invoice", "invoice", "adjustment")), amount()
        reference = draw.choice(REFERENCES)
        total = -total if kind == "adjustment" else total
        ledger[kind].append(
            {f"{kind}_ref": str(k), f"{kind}_number": draw.choice(("U", "E", "CM", "")) + (draw.choice(NUMBERS) or "7") + draw.choice(("", "-2")), "reference": reference,
             "customer_id": draw.choice(("GUEST-US", "C1")), "state_code": draw.choice(("Posted", "Posted", "Posted", "Draft")), "posted_on": day(), "total_minor": total, "is_deleted": False, **place()}
        )  # fmt: skip
        lines += [
            {"document_kind": kind, "document_ref": str(k), "component_code": "goods", "account_code": "4000", "amount_minor": total, "memo": draw.choice((None, "order W1", "W2", "1 and W3"))}
        ]  # fmt: skip
    payments = [
        {"storefront": front(), "payment_ref": f"p{draw.randrange(4)}", "transaction_ref": f"t{k}", "order_ref": draw.choice((f"o{draw.randrange(9)}", None)), "kind_code": draw.choice(("charge", "charge", "refund", "chargeback")),
         "state_code": "success", "tender_code": None, "gateway_ref": draw.choice(GATEWAYS), "currency": "USD", "amount_minor": amount(), "occurred_at": at()}
        for k in range(draw.randrange(7))
    ]  # fmt: skip
    receipts = [
        {"receipt_ref": str(k), "reference": draw.choice((*GATEWAYS, " ", "zz")), "customer_id": "GUEST-US", "state_code": "Complete", "received_on": day(), "total_minor": amount(), "is_deleted": False, **place()}
        for k in range(draw.randrange(7))
    ]  # fmt: skip
    applied: list[dict[str, Any]] = [
        {"application_ref": f"a{k}", "debit_ref": None, "receipt_ref": draw.choice((str(draw.randrange(7)), None)), "invoice_ref": draw.choice((str(draw.randrange(10)), None)),
         "adjustment_ref": draw.choice((str(draw.randrange(10)), None)), "amount_minor": amount(), "credit_minor": draw.choice((0, 500)), "applied_on": day()}
        for k in range(draw.randrange(6))
    ]  # fmt: skip
    crosswalk = [
        {"document_id": f"D{k}", "kind_code": draw.choice(("invoice", "credit_memo", "receipt")), "storefront": front(), "order_ref": f"o{draw.randrange(9)}", "event_ref": f"t{draw.randrange(4)}",
         "intacct_key": draw.choice((str(draw.randrange(10)), "UW1", None)), "part_minor": draw.choice((amount(), None))}
        for k in range(draw.randrange(4))
    ]  # fmt: skip
    decisions = [
        {"decision_id": f"M{k}", "kind_code": draw.choice(("match", "unmatch", "explain", "withdraw")), "tie_out": "orders", "group_ref": f"shop:o{draw.randrange(9)}", "ledger_ref": f"invoice:{draw.randrange(9)}",
         "entity_code": "E100", "currency": "USD", "amount_minor": 1000, "outcome_code": "missing_invoice", "reason": "seen", "author": "ann", "decided_at": at(), "about_id": "M0"}
        for k in range(draw.randrange(3))
    ]  # fmt: skip
    decisions += [
        {**one, "decision_id": f"P{k}", "tie_out": "payments", "group_ref": f"shop:p{k}:t{k}", "ledger_ref": f"receipt:{draw.randrange(6)}"}
        for k, one in enumerate(decisions)
    ]  # fmt: skip
    named = [{"storefront": "shop", "order_ref": f"o{draw.randrange(9)}", "payment_ref": f"p{draw.randrange(4)}"} for _ in range(draw.randrange(4))]  # fmt: skip
    waiting = [{"storefront": "shop", "order_ref": f"o{draw.randrange(9)}", "event_ref": draw.choice((None, "e1")), "state": draw.choice(("held", "in_flight", "prepaid")), "reason": "why"} for _ in range(draw.randrange(3))]  # fmt: skip
    customers = [{"storefront": "shop", "customer_ref": f"c{k}", "customer_id": f"C{k}"} for k in (1, 2)]
    # Drawn by a source of its own, so that the rest of a seed's world stays what it was.
    more = random.Random(seed + 1_000_000)
    memos = [one for one in ledger["adjustment"] if one["total_minor"] < 0]
    for k in range(more.randrange(3) if memos else 0):
        memo = more.choice(memos)
        taken = more.choice((memo["total_minor"], memo["total_minor"], memo["total_minor"] // 2))
        ledger["adjustment"].append(
            {**memo, "adjustment_ref": f"2{k}", "adjustment_number": f"DM{k}", "reference": more.choice((memo["adjustment_number"], f"adjustment:{memo['adjustment_ref']}")),
             "currency": more.choice((memo["currency"], memo["currency"], "EUR")), "total_minor": -taken}
        )  # fmt: skip
        if more.random() < 0.5:
            applied.append({**dict.fromkeys(("receipt_ref", "invoice_ref")), "application_ref": f"b{k}", "adjustment_ref": memo["adjustment_ref"], "debit_ref": f"2{k}", "amount_minor": 0, "credit_minor": -taken, "applied_on": memo["posted_on"]})  # fmt: skip
    refunds = [one for one in payments if one["kind_code"] == "refund" and one["order_ref"]]
    entries = {
        (one["storefront"], one["order_ref"], one["transaction_ref"]): {
            "storefront": one["storefront"], "order_ref": one["order_ref"], "event_ref": more.choice((one["transaction_ref"], f"{one['payment_ref']}:{one['transaction_ref']}")),
            "currency": "USD", "posted_on": one["occurred_at"].date(), "batches": "77", "actual_minor": more.choice((0, -one["amount_minor"], -500)),
            "outcome_code": more.choice(("matched", "matched", "cut_off", "gl_amount", "gl_missing", "held", "gl_only", "ambiguous", "cash_leg_elsewhere")), "evidence": "Seen.",
        }
        for one in refunds if more.random() < 0.8
    }  # fmt: skip
    made = {
        "refund_outcomes": list(entries.values()),
        "orders": orders, "owed": owed, "ar_invoices": ledger["invoice"], "ar_adjustments": ledger["adjustment"], "ar_lines": lines, "payments": payments, "ar_receipts": receipts,
        "ar_applications": applied, "crosswalk": crosswalk, "decisions": decisions, "order_payments": named, "waiting": waiting, "customer_ids": customers,
    }  # fmt: skip
    return Inputs(stores=STORES, **{name: _frame(name, rows, draw) for name, rows in made.items()})


def _parts(total: int) -> dict[str, int]:
    return {f"{name}_minor": 0 for name in COMPONENTS} | {"goods_minor": total, "total_minor": total}


def _frame(name: str, rows: list[dict[str, Any]], draw: random.Random) -> pl.DataFrame:
    kinds = {**COLUMNS[name], **WHERE_KNOWN.get(name, {})}
    return pl.DataFrame(
        draw.sample(rows, len(rows)), schema={c: kinds[c] for c in (rows[0] if rows else kinds)}
    )
