"""Trades drawn by hypothesis as core rows: orders with lines, shipments, returns, payments and tenders of any size and sign a shop could produce."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import strategies as st

from checks.contracts import ALL
from tieout.vocabulary import TENDER_KINDS

START = datetime(2026, 10, 1, 12, tzinfo=UTC)
CORE = (
    "core.orders",
    "core.order_lines",
    "core.shipments",
    "core.payments",
    "core.order_payments",
    "core.returns",
    "core.order_tenders",
)


@st.composite
def orders(draw: st.DrawFn, ref: str) -> dict[str, list[dict[str, Any]]]:
    """One order with lines, shipments, returns, payments and tenders of its own; amounts of any size and sign a shop could produce.

    Where not all tenders are told apart, one receipt of the whole is owed.
    """
    store, currency = draw(st.sampled_from([("us", "USD"), ("eu", "EUR"), ("kw", "KWD")]))
    items = draw(
        st.lists(
            st.tuples(st.integers(1, 5), st.integers(0, 90_000), st.integers(0, 9_000)),
            min_size=1,
            max_size=3,
        )
    )
    shipping, fee = draw(st.integers(0, 2_000)), draw(st.sampled_from([0, 0, 350]))
    goods = sum(net for _, net, _ in items)
    discount = -draw(st.integers(0, goods))
    rounding = draw(st.sampled_from([0, 0, 1, -1]))
    tax = sum(one for _, _, one in items)
    total = goods + discount + shipping + fee + tax + rounding
    key = {"storefront": "shop", "order_ref": ref, "run_id": "r"}
    rows = [
        {"line_ref": f"i{n}", "kind_code": "item", "sku": f"S{n}", "quantity": qty, "net_minor": net, "tax_minor": one, "tax_code": "T"}
        for n, (qty, net, one) in enumerate(items)
    ]  # fmt: skip
    rows += [
        {"line_ref": kind, "kind_code": kind, "quantity": 1, column: amount}
        for kind, column, amount in (
            ("shipping", "net_minor", shipping), ("fee", "net_minor", fee),
            ("discount", "discount_minor", discount), ("rounding", "net_minor", rounding),
        )
        if amount
    ]  # fmt: skip
    shipments, returns, payments = [], [], []
    left = [qty for qty, _, _ in items]
    for number in range(draw(st.integers(0, 3))):
        for n in range(len(items)):
            take = draw(st.integers(0, left[n]))
            left[n] -= take
            if take:
                shipments.append(
                    {
                        **key,
                        "shipment_ref": f"d{number}",
                        "line_ref": f"i{n}",
                        "quantity": take,
                        "shipped_at": START + timedelta(days=number),
                    }
                )
    tenders = draw(
        st.dictionaries(st.sampled_from(TENDER_KINDS), st.integers(1, max(total // 4, 1)), max_size=3)
        if total > 0
        else st.just({})
    )
    used = sum(tenders.values())
    due = total - used
    charges = draw(st.sampled_from([[due], [due // 2, due - due // 2], [due + 5], []]))
    told = draw(st.sampled_from([list(tenders), list(tenders), list(tenders)[1:]]))
    for n, amount in enumerate(one for one in charges if one > 0):
        payments.append(
            {
                "transaction_ref": f"{ref}c{n}",
                "kind_code": "charge",
                "amount_minor": amount,
                "occurred_at": START + timedelta(hours=n),
            }
        )
    if payments and draw(st.booleans()):
        qty, net, one = items[0]
        returns.append(
            {
                **key,
                "return_ref": "b",
                "line_ref": "i0",
                "quantity": qty,
                "returned_at": START + timedelta(days=8),
            }
        )
        refund = draw(st.sampled_from([net + one, total, 7]))
        if refund > 0:
            payments.append(
                {
                    "transaction_ref": f"{ref}r",
                    "kind_code": "refund",
                    "amount_minor": refund,
                    "occurred_at": START + timedelta(days=9),
                }
            )
    head = {
        **key, "order_number": f"W{ref}", "store_ref": store, "currency": currency,
        "customer_ref": draw(st.sampled_from([None, "u1", "u2"])),
        "status_code": draw(st.sampled_from(["complete", "processing", "cancelled"])), "placed_at": START,
        "goods_minor": goods, "discount_minor": discount, "shipping_minor": shipping, "fees_minor": fee, "tax_minor": tax,
        "rounding_minor": rounding, "total_minor": total, "tender_minor": used, "is_taxed": True, "is_test": False,
    }  # fmt: skip
    return {
        "core.orders": [head],
        "core.order_lines": [{**key, "currency": currency, "line_no": n, **row} for n, row in enumerate(rows, 1)],
        "core.shipments": shipments,
        "core.payments": [
            {**key, "payment_ref": f"p{ref}", "state_code": "success", "currency": currency, "tender_code": "Card", "gateway_ref": one["transaction_ref"], **one}
            for one in payments
        ],
        "core.order_payments": [{**key, "payment_ref": f"p{ref}"}] if payments else [],
        "core.returns": returns,
        "core.order_tenders": [
            {**key, "tender_ref": kind, "kind_code": kind, "tender_code": kind, "currency": currency, "amount_minor": tenders[kind]}
            for kind in told
        ],
    }  # fmt: skip


def trades(count: int = 8) -> st.SearchStrategy[dict[str, list[dict[str, Any]]]]:
    """So many orders with all that is theirs, as rows by table."""
    return st.tuples(*(orders(f"{n}") for n in range(count))).map(
        lambda parts: {name: [row for part in parts for row in part[name]] for name in CORE}
    )


def frames(rows: dict[str, list[dict[str, Any]]]) -> dict[str, pl.DataFrame]:
    """The rows as frames of their contracts; what a row leaves out is dull."""
    found = {}
    for name in CORE:
        contract = ALL[name]
        dull = {"tax_included": False, "problem": None}
        filled = [
            {
                column.name: row.get(
                    column.name,
                    dull.get(
                        column.name,
                        None if column.null else {pl.Int64: 0, pl.String: ""}.get(type(column.dtype), START),
                    ),
                )
                for column in contract.columns
            }
            for row in rows[name]
        ]
        frame = pl.DataFrame(
            filled,
            schema={
                n: (pl.Float64() if isinstance(t, pl.Decimal) else t)
                for n, t in contract.polars_schema.items()
            },
        )
        found[name] = frame.cast(contract.polars_schema)  # type: ignore[arg-type]
    return found
