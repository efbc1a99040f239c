"""What must hold of any reconciliation, whatever the rows: it foots, and nothing but the rows decides it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from reconcile_tables import SEPTEMBER, STORES, assert_foots

from checks.contracts import ALL
from tieout.vocabulary import COMPONENTS, PRECEDENCE
from transforms.reconcile import Inputs, Policy, Result, Tolerance, reconcile

POLICY = Policy(period=SEPTEMBER, tolerance=Tolerance({"USD": 2}))
# No shrinking: a failing world is small enough to read, and shrinking it takes minutes.
FEW = settings(max_examples=12, deadline=None, derandomize=True, phases=(Phase.explicit, Phase.generate))
AMOUNTS = st.sampled_from([0, 1, 3, 999, 1000, 1001, 2000, 5000, 10**15])
DAYS = st.integers(0, 60).map(lambda n: date(2026, 8, 20) + timedelta(days=n))
ENTITIES, CURRENCIES = (
    st.sampled_from(["E100", "E100", "E200"]),
    st.sampled_from(["USD", "USD", "KWD", "EUR"]),
)
NUMBERS = st.sampled_from(["W1", "W2", "W3", "W4", "w-2", "W1; W3", "W2,W4", "X9", None])
REFS = st.sampled_from(["G1", "G2", "G3", "t1", "p2", "zz", None])

_ORDER = st.fixed_dictionaries({"n": st.integers(1, 4), "status_code": st.sampled_from(["open", "complete", "cancelled"]), "total_minor": AMOUNTS, "store_ref": st.sampled_from(["us-web", "eu-web", "pop-up"]),
                                "currency": CURRENCIES, "on": DAYS, "is_test": st.booleans()})  # fmt: skip
_OWED = st.fixed_dictionaries(
    {
        "n": st.integers(1, 5),
        "event_code": st.sampled_from(["sale", "sale", "credit"]),
        "total": AMOUNTS,
        "tax": st.integers(0, 50),
        "currency": CURRENCIES,
        "on": DAYS,
    }
)
_DOCUMENT = st.fixed_dictionaries({"reference": NUMBERS, "prefix": st.sampled_from(["U", "E", ""]), "total": AMOUNTS, "tax": st.integers(0, 50), "entity": ENTITIES, "currency": CURRENCIES, "on": DAYS,
                                   "state": st.sampled_from(["Posted", "Posted", "Draft", "Reversed"]), "kind": st.sampled_from(["invoice", "invoice", "memo"]), "lined": st.booleans()})  # fmt: skip
_PAYMENT = st.fixed_dictionaries(
    {
        "n": st.integers(1, 5),
        "kind_code": st.sampled_from(["charge", "charge", "refund", "chargeback"]),
        "gateway": REFS,
        "amount": AMOUNTS,
        "currency": CURRENCIES,
        "on": DAYS,
    }
)
_RECEIPT = st.fixed_dictionaries(
    {
        "reference": REFS,
        "total": AMOUNTS,
        "entity": ENTITIES,
        "currency": CURRENCIES,
        "on": DAYS,
        "pays": st.integers(0, 4),
        "applied": AMOUNTS,
    }
)
WORLDS = st.fixed_dictionaries({"orders": st.lists(_ORDER, max_size=4, unique_by=lambda o: o["n"]), "owed": st.lists(_OWED, max_size=6), "documents": st.lists(_DOCUMENT, max_size=6),
                                "payments": st.lists(_PAYMENT, max_size=4), "receipts": st.lists(_RECEIPT, max_size=4),
                                "waiting": st.lists(st.tuples(st.integers(1, 4), st.sampled_from(["held", "in_flight", "prepaid"])), max_size=2, unique_by=lambda w: w[0])})  # fmt: skip


def _frame(rows: list[dict[str, Any]], name: str) -> pl.DataFrame:
    table = ALL[f"core.{name}"] if f"core.{name}" in ALL else ALL[f"recon.{name}"]
    columns = {c: t for c, t in table.polars_schema.items() if not rows or c in rows[0]}
    return pl.DataFrame(rows, schema=columns) if rows else table.empty()


def inputs_of(world: dict[str, list[dict[str, Any]]]) -> Inputs:
    """The drawn world as input frames; document and receipt numbers follow the order they were drawn in."""
    at = lambda on: f"{on}T12:00:00+00:00"  # noqa: E731
    orders = [
        {"storefront": "shop", "order_ref": f"o{o['n']}", "order_number": f"W{o['n']}", "store_ref": o["store_ref"], "customer_ref": None, "customer_name": None, "status_code": o["status_code"],
         "placed_at": at(o["on"]), "currency": o["currency"], "total_minor": o["total_minor"], "due_minor": o["total_minor"], "is_test": o["is_test"], "tax_included": False}
        for o in world["orders"]
    ]  # fmt: skip
    owed = [
        {"storefront": "shop", "order_ref": f"o{o['n']}", "order_number": f"W{o['n']}", "event_code": o["event_code"], "event_ref": f"e{k}", "store_ref": "us-web", "entity_code": None, "currency": o["currency"],
         "owed_on": o["on"], **_split(o, -1 if o["event_code"] == "credit" else 1)}
        for k, o in enumerate(world["owed"])
    ]  # fmt: skip
    invoices, memos, lines = [], [], []
    for k, d in enumerate(world["documents"]):
        sign = -1 if d["kind"] == "memo" else 1
        kind = "adjustment" if d["kind"] == "memo" else "invoice"
        parts = _split(d, sign)
        both = {"reference": d["reference"], "entity_code": d["entity"], "customer_id": "GUEST-US", "currency": d["currency"], "state_code": d["state"], "posted_on": d["on"],
                "total_minor": parts["total_minor"], "is_deleted": False}  # fmt: skip
        (memos if sign < 0 else invoices).append(
            {f"{kind}_ref": str(k), f"{kind}_number": f"{d['prefix']}{d['reference'] or k}", **both}
            | ({} if sign < 0 else {"due_on": None})
        )
        if d["lined"]:
            lines += [
                {
                    "document_kind": kind,
                    "document_ref": str(k),
                    "line_ref": f"{k}.{c}",
                    "component_code": c,
                    "amount_minor": parts[f"{c}_minor"],
                }
                for c in ("goods", "tax")
                if parts[f"{c}_minor"]
            ]
    payments = [
        {"storefront": "shop", "payment_ref": f"p{k}", "transaction_ref": f"t{k}", "order_ref": f"o{p['n']}", "kind_code": p["kind_code"], "state_code": "success", "tender_code": None, "gateway_ref": p["gateway"],
         "currency": p["currency"], "amount_minor": p["amount"], "occurred_at": at(p["on"])}
        for k, p in enumerate(world["payments"])
    ]  # fmt: skip
    receipts = [
        {"receipt_ref": str(k), "reference": r["reference"], "entity_code": r["entity"], "customer_id": "GUEST-US", "currency": r["currency"], "state_code": "Complete", "received_on": r["on"], "total_minor": r["total"], "is_deleted": False}
        for k, r in enumerate(world["receipts"])
    ]  # fmt: skip
    known = {row["invoice_ref"] for row in invoices}
    applied = [
        {"application_ref": str(k), "receipt_ref": str(k), "invoice_ref": str(r["pays"]), "adjustment_ref": None, "amount_minor": r["applied"], "credit_minor": 0, "applied_on": r["on"]}
        for k, r in enumerate(world["receipts"])
        if str(r["pays"]) in known
    ]  # fmt: skip
    waiting = pl.DataFrame([{"storefront": "shop", "order_ref": f"o{n}", "event_ref": None, "state": s, "reason": "why"} for n, s in world["waiting"]],
                           schema=dict.fromkeys(("storefront", "order_ref", "event_ref", "state", "reason"), pl.String))  # fmt: skip
    return Inputs(
        orders=_timed(orders, "orders", "placed_at"), owed=_frame(owed, "owed"), stores=STORES, payments=_timed(payments, "payments", "occurred_at"), ar_invoices=_frame(invoices, "ar_invoices"),
        ar_adjustments=_frame(memos, "ar_adjustments"), ar_lines=_frame(lines, "ar_lines"), ar_receipts=_frame(receipts, "ar_receipts"), ar_applications=_frame(applied, "ar_applications"), waiting=waiting,
    )  # fmt: skip


def _timed(rows: list[dict[str, Any]], name: str, column: str) -> pl.DataFrame:
    if not rows:
        return ALL[f"core.{name}"].empty()
    schema = {c: t for c, t in ALL[f"core.{name}"].polars_schema.items() if c in rows[0]} | {
        column: pl.String()
    }
    return pl.DataFrame(rows, schema=schema).with_columns(
        pl.col(column).str.to_datetime(time_unit="us", time_zone="UTC")
    )


def _split(row: dict[str, Any], sign: int) -> dict[str, int]:
    tax = min(row["tax"], row["total"])
    return {f"{c}_minor": 0 for c in COMPONENTS} | {
        "goods_minor": sign * (row["total"] - tax),
        "tax_minor": sign * tax,
        "total_minor": sign * row["total"],
    }


def seen(result: Result) -> list[pl.DataFrame]:
    """Everything a result says."""
    return [
        result.orders,
        result.payments,
        result.waterfall,
        result.ageing,
        result.totals,
        result.footing,
        result.absorbed,
        result.matches,
    ]


def same(left: Result, right: Result) -> None:
    for one, other in zip(seen(left), seen(right), strict=True):
        assert one.equals(other)


def it_foots_keeps_its_contracts_and_its_families_add_up(inputs: Inputs, result: Result) -> None:
    """Proofs are zero, every table is as promised, and what is said of rows adds up to what was given."""
    assert_foots(result)
    for name, frame in (
        ("orders", result.orders),
        ("payments", result.payments),
        ("waterfall", result.waterfall),
        ("ageing", result.ageing),
        ("matches", result.matches),
    ):
        ALL[f"recon.{name}"].checked(ALL[f"recon.{name}"].shaped(frame), at="in the test")
    owed, ledger = (
        inputs.take("owed"),
        pl.concat(
            [inputs.take(n).select("state_code", "total_minor") for n in ("ar_invoices", "ar_adjustments")]
        ),
    )
    assert result.orders["expected_minor"].sum() == owed["total_minor"].sum()
    assert (
        result.orders["actual_minor"].sum()
        == ledger.filter(pl.col("state_code") == "Posted")["total_minor"].sum()
    )
    quiet = result.orders.filter(pl.col("family_code").is_in(["matched", "outside"]))
    assert (quiet["delta_minor"] == 0).all(), "nothing that differs is called matched"
    orders = result.totals.filter(pl.col("tie_out") == "orders")
    assert orders["row_count"].sum() == result.orders.height
    # The primary outcome comes before every secondary one.
    rank = {code: n for n, code in enumerate(PRECEDENCE)}
    for first, rest in result.orders.select("outcome_code", "secondary_codes").iter_rows():
        assert all(rank[first] < rank[code] for code in rest.split(",") if code)


def a_balanced_pair_changes_nothing_else(before: Inputs, left: Result, amount: int) -> None:
    """An order and its invoice more are matched with each other, and every other row stays as it was."""
    order = {
        "n": 77,
        "status_code": "complete",
        "total_minor": amount,
        "store_ref": "us-web",
        "currency": "USD",
        "on": date(2026, 9, 9),
        "is_test": False,
    }
    pair = {
        "orders": [order], "owed": [{"n": 77, "event_code": "sale", "total": amount, "tax": 0, "currency": "USD", "on": date(2026, 9, 9)}], "payments": [], "receipts": [], "waiting": [],
        "documents": [{"reference": "W77", "prefix": "U", "total": amount, "tax": 0, "entity": "E100", "currency": "USD", "on": date(2026, 9, 9), "state": "Posted", "kind": "invoice", "lined": True}],
    }  # fmt: skip
    extra = inputs_of(pair)
    more = {
        "owed": extra.owed.with_columns(event_ref=pl.lit("e77")),
        "ar_invoices": extra.ar_invoices.with_columns(invoice_ref=pl.lit("777")),
        "ar_lines": extra.ar_lines.with_columns(document_ref=pl.lit("777")),
        "orders": extra.orders,
    }
    after = replace(
        before,
        **{name: pl.concat([getattr(before, name), frame], how="diagonal") for name, frame in more.items()},
    )
    right = reconcile(after, POLICY)
    added = right.orders.filter(pl.col("order_ref") == "o77")
    assert added["outcome_code"].to_list() == ["matched"]
    assert right.orders.filter((pl.col("order_ref") != "o77").fill_null(True)).equals(left.orders)
    assert right.payments.equals(left.payments)


# One world is compared once as it is, and what must hold of it is asked of that one result: a comparison takes longer than all questions.
@FEW
@given(WORLDS, st.randoms(use_true_random=False), st.integers(2, 3), st.sampled_from([1, 777, 10**15]))
def test_it_foots_whatever_the_order_of_rows_the_buckets_and_what_balances_beside_it(
    world: dict[str, Any], random: Any, buckets: int, amount: int
) -> None:
    inputs = inputs_of(world)
    result = reconcile(inputs, POLICY)
    it_foots_keeps_its_contracts_and_its_families_add_up(inputs, result)
    mixed = {
        name: frame.sample(fraction=1.0, shuffle=True, seed=random.randint(0, 999))
        for name, frame in vars(inputs).items()
        if frame is not None
    }
    same(result, reconcile(Inputs(**mixed), replace(POLICY, buckets=buckets, bucket_least=1)))
    a_balanced_pair_changes_nothing_else(inputs, result, amount)


@settings(FEW, max_examples=4)
@given(
    st.lists(
        st.tuples(st.integers(2, 10**15), st.integers(1, 10**6), st.integers(0, 3)), min_size=3, max_size=5
    )
)
def test_splitting_an_invoice_under_one_reference_changes_nothing(drawn: list[tuple[int, int, int]]) -> None:
    """Several orders at once, each with an invoice of its total and a surplus, whole on one side and in two parts on the other."""
    day = date(2026, 9, 9)
    order = {"status_code": "complete", "store_ref": "us-web", "currency": "USD", "on": day, "is_test": False}
    document = {"prefix": "U", "tax": 0, "entity": "E100", "currency": "USD", "on": day, "state": "Posted", "kind": "invoice", "lined": True}  # fmt: skip
    base: dict[str, Any] = {"orders": [], "owed": [], "payments": [], "receipts": [], "waiting": []}
    whole, halves = [], []
    for n, (total, wanted, surplus) in enumerate(drawn, 1):
        part = min(wanted, total - 1)
        base["orders"].append({**order, "n": n, "total_minor": total})
        base["owed"].append(
            {"n": n, "event_code": "sale", "total": total, "tax": 0, "currency": "USD", "on": day}
        )
        named = {**document, "reference": f"W{n}"}
        whole.append({**named, "total": total + surplus})
        halves += [{**named, "total": total + surplus - part}, {**named, "total": part}]
    figures = [
        "group_ref",
        "expected_minor",
        "actual_minor",
        "delta_minor",
        "period_expected_minor",
        "period_actual_minor",
        "outcome_code",
        "actual_goods_minor",
    ]
    one, other = (
        reconcile(inputs_of({**base, "documents": documents}), POLICY).orders.select(figures)
        for documents in (whole, halves)
    )
    assert one.height == len(drawn)
    assert other.equals(one)


@pytest.mark.parametrize("left_out", ["orders", "owed", "documents", "payments", "receipts", "everything"])
def test_an_empty_side_is_no_trouble(left_out: str) -> None:
    world: dict[str, Any] = {
        "orders": [{"n": 1, "status_code": "complete", "total_minor": 5, "store_ref": "us-web", "currency": "USD", "on": date(2026, 9, 9), "is_test": False}],
        "owed": [{"n": 1, "event_code": "sale", "total": 5, "tax": 0, "currency": "USD", "on": date(2026, 9, 9)}],
        "documents": [{"reference": "W1", "prefix": "U", "total": 5, "tax": 0, "entity": "E100", "currency": "USD", "on": date(2026, 9, 9), "state": "Posted", "kind": "invoice", "lined": True}],
        "payments": [{"n": 1, "kind_code": "charge", "gateway": "G1", "amount": 5, "currency": "USD", "on": date(2026, 9, 9)}],
        "receipts": [{"reference": "G1", "total": 5, "entity": "E100", "currency": "USD", "on": date(2026, 9, 9), "pays": 0, "applied": 5}], "waiting": [],
    }  # fmt: skip
    for name in world if left_out == "everything" else [left_out]:
        world[name] = []
    assert_foots(reconcile(inputs_of(world), POLICY))
    assert_foots(reconcile(inputs_of(world), Policy()))
