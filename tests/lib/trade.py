"""Small trades drawn in tests of recognition and posting: what is not drawn is plain."""

from __future__ import annotations

from typing import Any

import polars as pl
from drawn import drawn, table

from checks.contracts import ALL
from transforms.owed.recognition import Owed, RecognitionPolicy, owed

STORES = drawn(
    ALL["mappings.stores"],
    """
    storefront | store_ref | mode   | entity_code | location_code | invoice_prefix | guest_customer_id
    shop       | us        | map    | E100        | 100           | U              | GUEST-US-USD
    shop       | eu        | map    | E200        | 200           | E              | GUEST-EU-EUR
    shop       | kw        | map    | E100        | 100           | K              | GUEST-KW-KWD
    shop       | outlet    | ignore | -           | -             | -              | -
    """,
)
POLICY = RecognitionPolicy(zones={"E100": "America/New_York", "E200": "Europe/Berlin"})


def empty(name: str) -> pl.DataFrame:
    """No rows of a contract."""
    return ALL[name].empty()


def orders(text: str, **constants: Any) -> pl.DataFrame:
    """core.orders; amounts not drawn are zero, the total is due in full."""
    base = {"storefront": "shop", "store_ref": "us", "currency": "USD", "is_taxed": True, "is_test": False}
    return drawn(ALL["core.orders"], text, **{**base, **constants})


def lines(text: str, **constants: Any) -> pl.DataFrame:
    """core.order_lines, numbered in the order drawn."""
    base = {"storefront": "shop", "currency": "USD"}
    frame = drawn(ALL["core.order_lines"], text, **{**base, **constants})
    return frame.with_columns(pl.int_range(1, pl.len() + 1).over("order_ref").cast(pl.Int64).alias("line_no"))


def of(name: str, text: str, **constants: Any) -> pl.DataFrame:
    """Rows of any contract of the storefront `shop`."""
    if "storefront" in ALL[name].polars_schema and "storefront" not in text.strip().splitlines()[0]:
        constants = {"storefront": "shop", **constants}
    return drawn(ALL[name], text, **constants)


def charges(text: str, **constants: Any) -> pl.DataFrame:
    """core.payments in success; kind is `charge` unless drawn."""
    header = text.strip().splitlines()[0]
    base: dict[str, Any] = {
        "state_code": "success",
        "currency": "USD",
        "tender_code": "CreditCard",
        "kind_code": "charge",
    }
    base = {key: value for key, value in base.items() if key not in header}
    frame = of("core.payments", text, **{**base, **constants})
    return frame.with_columns(
        pl.when(pl.col("transaction_ref") == "")
        .then(pl.col("payment_ref"))
        .otherwise(pl.col("transaction_ref"))
        .alias("transaction_ref"),
        pl.coalesce("gateway_ref", "payment_ref").alias("gateway_ref"),
    )


def recognised(
    orders: pl.DataFrame,
    lines: pl.DataFrame | None = None,
    shipments: pl.DataFrame | None = None,
    payments: pl.DataFrame | None = None,
    returns: pl.DataFrame | None = None,
    order_payments: pl.DataFrame | None = None,
    *,
    policy: RecognitionPolicy = POLICY,
    stores: pl.DataFrame = STORES,
    reductions: pl.DataFrame | None = None,
    order_tenders: pl.DataFrame | None = None,
) -> Owed:
    """`owed` over what is given; the results keep their contracts and add up."""

    def some(frame: pl.DataFrame | None, name: str) -> pl.DataFrame:
        return empty(name) if frame is None else frame

    found = owed(
        orders,
        some(lines, "core.order_lines"),
        some(shipments, "core.shipments"),
        some(payments, "core.payments"),
        some(order_payments, "core.order_payments"),
        some(returns, "core.returns"),
        stores,
        policy=policy,
        reductions=reductions,
        order_tenders=order_tenders,
    )
    ALL["recon.owed"].checked(found.owed, at="in a test")
    ALL["recon.owed_lines"].checked(found.owed_lines, at="in a test")
    adds_up(orders, found)
    return found


def adds_up(orders: pl.DataFrame, found: Owed) -> None:
    """Every order's total is owed as sales or excluded with a reason; lines sum to their event, by component too."""
    order = ["storefront", "order_ref"]
    sides = pl.concat(
        [
            found.owed.filter(pl.col("event_code") == "sale").select(*order, amount="total_minor"),
            found.excluded.filter(pl.col("event_code") == "sale").select(*order, amount="amount_minor"),
        ]
    )
    both = orders.join(sides.group_by(order).agg(pl.col("amount").sum()), on=order, how="left")
    wrong = both.filter(pl.col("total_minor") != pl.col("amount").fill_null(0))
    assert wrong.is_empty(), wrong.select(*order, "total_minor", "amount")
    event = [*order, "event_code", "event_ref"]
    per_line = found.owed_lines.group_by(event).agg(
        pl.col("amount_minor").sum(),
        *(
            pl.col("amount_minor").filter(pl.col("component_code") == word).sum().alias(f"_{word}")
            for word in ("goods", "tax", "discount", "shipping", "fees", "gift_card", "rounding", "other")
        ),
    )
    money = found.owed.filter(pl.col("event_code") != "receipt").join(per_line, on=event, how="left")
    for word in ("goods", "tax", "discount", "shipping", "fees", "gift_card", "rounding", "other"):
        assert money.filter(pl.col(f"{word}_minor") != pl.col(f"_{word}")).is_empty(), word
    assert money.filter(pl.col("total_minor") != pl.col("amount_minor")).is_empty()


__all__ = ["POLICY", "STORES", "adds_up", "charges", "empty", "lines", "of", "orders", "recognised", "table"]
