"""Invariants of recognition and planning over generated trades."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import trade
from drawn import drawn
from drawn_trades import CORE, START, frames, trades
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.contracts import ALL
from checks.findings import Limits, run
from transforms.owed.recognition import Owed, owed
from transforms.postings.planned import Existing, Mappings, Plan, PostingPolicy, plan

NOW = datetime(2026, 11, 2, 3, tzinfo=UTC)
NO_HELD = pl.DataFrame(schema={"storefront": pl.String, "order_ref": pl.String})
ACCOUNTS = drawn(
    ALL["mappings.accounts"],
    "storefront | store_ref | component_code | category_ref | account_code\n"
    + "\n".join(
        f"* | * | {word} | * | {4000 + n}"
        for n, word in enumerate(
            ("goods", "gift_card", "discount", "shipping", "fees", "rounding", "allowance")
        )
    ),
)
MAPPINGS = Mappings(
    stores=trade.STORES,
    items=drawn(ALL["mappings.items"], "storefront | sku | mode | item_ref\n* | * | map | *"),
    accounts=ACCOUNTS,
    taxes=drawn(ALL["mappings.taxes"], "storefront | tax_code | mode | account_code\n* | * | map | 2200"),
    tenders=drawn(
        ALL["mappings.tenders"],
        "storefront | entity_code | tender_code | mode | account_ref | method\n* | * | * | map | CLR | EFT",
    ),
)
CUSTOMERS = drawn(
    ALL["core.customers"],
    "storefront | customer_ref | customer_number | name\nshop | u1 | C-1 | Ana\nshop | u2 | - | Ben",
)


def recognise(core: dict[str, pl.DataFrame]) -> Owed:
    return owed(
        core["core.orders"], core["core.order_lines"], core["core.shipments"], core["core.payments"], core["core.order_payments"],
        core["core.returns"], trade.STORES, policy=trade.POLICY, order_tenders=core["core.order_tenders"],
    )  # fmt: skip


def nothing() -> Existing:
    documents = (
        ALL["out.documents"]
        .empty()
        .with_columns(state_code=pl.lit("", pl.String), intacct_key=pl.lit(None, pl.String))
    )
    return Existing(
        documents, ALL["out.document_lines"].empty(), ALL["core.ar_invoices"].empty(), ALL["core.ar_adjustments"].empty(),
        ALL["core.ar_receipts"].empty(), pl.DataFrame(schema={"customer_id": pl.String}),
    )  # fmt: skip


def planned(found: Owed, there: Existing | None = None, **policy: Any) -> Plan:
    return plan(
        found.owed, found.owed_lines, CUSTOMERS, MAPPINGS, there or nothing(), NO_HELD,
        PostingPolicy(posting_starts_on=date(2026, 9, 1), **policy), run_id="r", planned_at=NOW,
    )  # fmt: skip


def in_outbox(done: Plan, state: str, before: Existing | None = None) -> Existing:
    there = before or nothing()
    documents = done.documents.with_columns(state_code=pl.lit(state), intacct_key=pl.lit(None, pl.String))
    return there._replace(
        documents=pl.concat([there.documents, documents]), lines=pl.concat([there.lines, done.lines])
    )


@settings(max_examples=14, deadline=None, derandomize=True)
@given(trades())
def test_documents_of_an_order_sum_to_what_is_recognised_and_every_cent_has_a_reason(
    rows: dict[str, list[dict[str, Any]]],
) -> None:
    core = frames(rows)
    found = recognise(core)
    trade.adds_up(core["core.orders"], found)
    order = ["storefront", "order_ref"]
    tender = found.owed.filter((pl.col("event_code") == "receipt") & pl.col("payment_ref").is_null())
    sold = found.owed.filter(pl.col("event_code") == "sale").select(order).unique()
    used = core["core.orders"].filter(pl.col("tender_minor") > 0).join(sold, on=order, how="semi")
    sums = tender.group_by(order).agg(pl.col("total_minor").sum())
    both = used.select(*order, "tender_minor").join(sums, on=order, how="full", coalesce=True)
    assert both.filter(pl.col("tender_minor").ne_missing(pl.col("total_minor"))).is_empty()
    done = planned(found)
    tables = {
        "recon.owed": found.owed, "out.documents": done.documents, "out.document_lines": done.lines, "out.document_orders": done.orders,
        "plan.unplanned": done.unplanned, "plan.rounded": done.rounded, "core.ar_invoices": ALL["core.ar_invoices"].empty(),
    }  # fmt: skip
    findings = run(tables, run_id="r", limits=Limits(now=NOW))
    assert findings.is_empty(), findings["sentence"].to_list()
    ALL["out.documents"].checked(done.documents, at="in a test")
    ALL["recon.owed"].checked(found.owed, at="in a test")


# One trade is recognised and planned once as it is, and held against the same trade in another order, in two parts, and planned again.
@settings(max_examples=7, deadline=None, derandomize=True)
@given(
    trades(),
    st.randoms(use_true_random=False),
    st.integers(0, 8),
    st.sampled_from(["planned", "accepted", "unknown", "refused"]),
)
def test_neither_order_nor_batches_matter_and_planning_again_plans_nothing_new(
    rows: dict[str, list[dict[str, Any]]], rng: Any, cut: int, state: str
) -> None:
    found = recognise(frames(rows))
    whole = planned(found)
    the_order_of_arrival_is_irrelevant(rows, found, whole, rng)
    splitting_a_batch_changes_nothing(rows, whole, cut)
    planning_again_plans_nothing_new(found, whole, state)


def the_order_of_arrival_is_irrelevant(
    rows: dict[str, list[dict[str, Any]]], first: Owed, whole: Plan, rng: Any
) -> None:
    shuffled = {name: rng.sample(some, len(some)) for name, some in rows.items()}
    second = recognise(frames(shuffled))
    for one, other in zip(first, second, strict=True):
        assert one.equals(other)
    mixed = Owed(
        second.owed.sample(fraction=1, shuffle=True, seed=3),
        second.owed_lines.sample(fraction=1, shuffle=True, seed=5),
        second.excluded,
    )
    for one, other in zip(whole, planned(mixed), strict=True):
        assert one.equals(other)


def splitting_a_batch_changes_nothing(rows: dict[str, list[dict[str, Any]]], whole: Plan, cut: int) -> None:
    parts = [
        planned(
            recognise(
                frames(
                    {
                        name: [row for row in some if (row["order_ref"] < str(cut)) == early]
                        for name, some in rows.items()
                    }
                )
            )
        )
        for early in (True, False)
    ]
    for name in ("documents", "lines", "unplanned", "rounded"):
        together = pl.concat([getattr(part, name) for part in parts])
        key = [column for column in ("document_id", "line_no") if column in together.columns]
        together = together.unique(key, keep="first").sort(key)
        assert together.equals(getattr(whole, name).sort(key)), name


def planning_again_plans_nothing_new(found: Owed, first: Plan, state: str) -> None:
    second = planned(found, in_outbox(first, state))
    assert second.documents.is_empty(), second.documents.select("kind_code", "number", "total_minor")
    assert set(second.unplanned["document_id"]) >= set(
        first.documents.filter(pl.col("kind_code") != "customer")["document_id"]
    )


@settings(max_examples=4, deadline=None, derandomize=True)
@given(trades(6))
def test_planning_night_by_night_gives_the_documents_of_one_night_and_never_overpays(
    rows: dict[str, list[dict[str, Any]]],
) -> None:
    whole = planned(recognise(frames(rows)))
    there = nothing()
    for day in (1, 2, 4, 12):
        known = START + timedelta(days=day)
        seen = {
            name: [
                row
                for row in some
                if row.get("shipped_at", row.get("occurred_at", row.get("returned_at", START))) < known
            ]
            for name, some in rows.items()
        }
        there = in_outbox(planned(recognise(frames(seen)), there), "accepted", there)
    money = there.documents.filter(pl.col("kind_code") != "customer")
    assert money["document_id"].is_unique().all()
    both = money.join(whole.documents, on="document_id", how="inner", suffix="_whole")
    invoices = both.filter(pl.col("kind_code") == "invoice")
    assert invoices.height == whole.documents.filter(pl.col("kind_code") == "invoice").height
    assert invoices.filter(pl.col("total_minor") != pl.col("total_minor_whole")).is_empty()
    assert invoices.filter(pl.col("number") != pl.col("number_whole")).is_empty()
    paid = (
        there.lines.filter(pl.col("applies_to_id").is_not_null())
        .group_by("applies_to_id")
        .agg(pl.col("amount_minor").sum())
    )
    over = paid.join(there.documents, left_on="applies_to_id", right_on="document_id").filter(
        pl.col("amount_minor") > pl.col("total_minor")
    )
    assert over.is_empty()


def test_content_and_ids_do_not_depend_on_run_or_clock() -> None:
    rows = {name: [] for name in CORE}
    rows["core.orders"] = [
        {"storefront": "shop", "order_ref": "A", "order_number": "W1", "store_ref": "us", "currency": "USD", "status_code": "complete",
         "placed_at": START, "shipped_at": START, "goods_minor": 5, "total_minor": 5, "is_taxed": True, "is_test": False, "customer_ref": "u1"}
    ]  # fmt: skip
    found = recognise(frames(rows))
    plans = [
        plan(
            found.owed,
            found.owed_lines,
            CUSTOMERS,
            MAPPINGS,
            nothing(),
            NO_HELD,
            PostingPolicy(),
            run_id=run_id,
            planned_at=at,
        )
        for run_id, at in (("a", NOW), ("b", NOW + timedelta(days=9)))
    ]
    hashes = [one.documents.select("document_id", "content_sha256").rows() for one in plans]
    assert hashes[0] == hashes[1]
    other = planned(found, namespace="elsewhere").documents["document_id"]
    assert not set(other) & {name for name, _ in hashes[0]}
    assert (
        json.loads(plans[0].documents.filter(pl.col("kind_code") == "customer")["details"][0])["name"]
        == "Ana"
    )
