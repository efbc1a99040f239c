"""Planning of one small shop: an order of goods, shipping, tax and discount, paid by card, with mappings for all of it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache
from typing import Any

import polars as pl
import trade
from drawn import drawn, shown

from checks.contracts import ALL
from transforms.postings.planned import Existing, Mappings, Plan, PostingPolicy, plan

NOW = datetime(2026, 11, 2, 3, tzinfo=UTC)
POLICY = PostingPolicy(posting_starts_on=date(2026, 10, 1))
MAPPINGS = Mappings(
    stores=trade.STORES,
    items=drawn(
        ALL["mappings.items"],
        """
        storefront | sku    | mode   | item_ref | category_ref
        shop       | MUG-*  | map    | M-*      | c1
        shop       | TEA-*  | map    | T-*      | c2
        shop       | MUG-9  | map    | SPECIAL  | c9
        shop       | GIFT-* | ignore | -        | -
        """,
    ),
    accounts=drawn(
        ALL["mappings.accounts"],
        """
        storefront | store_ref | component_code | category_ref | account_code
        *          | *         | goods          | *            | 4000
        *          | *         | goods          | c2           | 4010
        *          | eu        | goods          | *            | 4001
        shop       | eu        | goods          | c2           | 4011
        *          | *         | shipping       | *            | 4100
        *          | *         | discount       | *            | 4800
        *          | *         | gift_card      | *            | 2300
        *          | *         | rounding       | *            | 6990
        *          | *         | allowance      | *            | 4900
        """,
    ),
    taxes=drawn(
        ALL["mappings.taxes"],
        """
        storefront | tax_code | mode | account_code
        shop       | NY       | map  | 2200
        shop       | VAT      | map  | 2210
        """,
    ),
    tenders=drawn(
        ALL["mappings.tenders"],
        """
        storefront | entity_code | tender_code | mode   | account_ref | method
        shop       | E100        | CreditCard  | map    | CLR-CARD-US | Credit Card
        shop       | *           | CreditCard  | map    | CLR-CARD    | Credit Card
        shop       | *           | Voucher     | ignore | -           | -
        """,
    ),
)
CUSTOMERS = drawn(
    ALL["core.customers"],
    """
    storefront | customer_ref | customer_number                              | name      | email
    shop       | u1           | C-10011                                      | Ana Lima  | ana@example.com
    shop       | u2           | LEGACY-IMPORT-2019-EMEA-0000000000-00010012  | Old & Co. | -
    shop       | u3           | -                                            | No Number | -
    """,
)
NO_HELD = pl.DataFrame(schema={"storefront": pl.String, "order_ref": pl.String, "reason": pl.String})


def existing(**frames: pl.DataFrame) -> Existing:
    """What is there already; every table not given is empty."""
    documents = (
        ALL["out.documents"]
        .empty()
        .with_columns(state_code=pl.lit(None, dtype=pl.String), intacct_key=pl.lit(None, dtype=pl.String))
    )
    base = Existing(
        documents,
        ALL["out.document_lines"].empty(),
        ALL["core.ar_invoices"].empty(),
        ALL["core.ar_adjustments"].empty(),
        ALL["core.ar_receipts"].empty(),
        pl.DataFrame(schema={"customer_id": pl.String}),
    )
    return base._replace(**frames)


def planned(
    found: trade.Owed,
    there: Existing | None = None,
    held: pl.DataFrame = NO_HELD,
    policy: PostingPolicy = POLICY,
) -> Plan:
    done = plan(
        found.owed,
        found.owed_lines,
        CUSTOMERS,
        MAPPINGS,
        there or existing(),
        held,
        policy,
        run_id="r",
        planned_at=NOW,
    )
    ALL["out.documents"].checked(done.documents, at="in a test")
    ALL["out.document_lines"].checked(done.lines, at="in a test")
    sums = done.lines.group_by("document_id").agg(pl.col("amount_minor").sum())
    money = done.documents.filter(pl.col("kind_code") != "customer").join(sums, on="document_id", how="left")
    assert money.filter(pl.col("total_minor") != pl.col("amount_minor")).is_empty()
    ALL["out.document_orders"].checked(done.orders, at="in a test")
    parts = done.orders.group_by("document_id").agg(pl.col("amount_minor").sum().alias("orders_minor"))
    apart = money.join(parts, on="document_id", how="full", coalesce=True).filter(
        pl.col("orders_minor").ne_missing(pl.col("total_minor"))
    )
    assert apart.is_empty(), "every document is its orders, to the minor unit"
    total = (
        money["total_minor"].sum()
        + done.rounded["rounded_minor"].sum()
        + done.unplanned["amount_minor"].sum()
    )
    assert total == found.owed["total_minor"].sum()
    return done


def after(done: Plan, state: str, there: Existing | None = None, **keys: Any) -> Existing:
    """The crosswalk once a plan is in the outbox in one state."""
    documents = done.documents.with_columns(
        state_code=pl.lit(state), intacct_key=pl.lit(keys.get("key"), dtype=pl.String)
    )
    before = there or existing()
    return before._replace(
        documents=pl.concat([before.documents, documents]),
        lines=pl.concat([before.lines, done.lines]),
        orders=pl.concat([before.orders, done.orders]),
    )


ORDER = """
    order_ref | order_number | customer_ref | placed_at        | shipped_at       | goods_minor | shipping_minor | discount_minor | tax_minor | total_minor
    A         | W1           | u1           | 2026-10-01 09:00 | 2026-10-02 12:00 | 3000        | 500            | -200           | 330       | 3630
"""
LINES = """
    order_ref | line_ref | kind_code | sku   | quantity | net_minor | discount_minor | tax_minor | tax_code
    A         | l1       | item      | MUG-1 | 2        | 2000      | 0              | 200       | NY
    A         | l2       | item      | TEA-1 | 1        | 1000      | 0              | 80        | NY
    A         | l3       | shipping  | -     | 1        | 500       | 0              | 50        | NY
    A         | l4       | discount  | -     | 1        | 0         | -200           | 0         | -
"""
PAID = """
    payment_ref | transaction_ref | order_ref | kind_code | amount_minor | occurred_at      | gateway_ref
    p           | c1              | A         | charge    | 3630         | 2026-10-01 09:05 | ch_1
"""


@cache
def traded(
    order: str = ORDER, lines: str | None = LINES, paid: str | None = PAID, **constants: Any
) -> trade.Owed:
    return trade.recognised(
        trade.orders(order, **constants),
        None
        if lines is None
        else trade.lines(lines, **{k: v for k, v in constants.items() if k == "currency"}),
        payments=None
        if paid is None
        else trade.charges(paid, **{k: v for k, v in constants.items() if k == "currency"}),
    )


def reasons(done: Plan) -> list[tuple[Any, ...]]:
    """Order, kind and reason of what is not planned."""
    return shown(done.unplanned, "order_ref", "kind_code", "reason_code")
