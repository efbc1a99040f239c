"""A house without a network for tests of the close: two entities, one shop, and a trade drawn as one table from which both sides follow.

    order | placed_at | shipped_at | total_minor | invoiced_on | invoice_minor | paid_at | received_on

`-` leaves the event out. Orders of the store `eu` are the German entity's, in euro.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
from drawn import table
from trade import STORES

from checks.contracts import ALL
from flows.wiring import House
from tieout.settings import parse

SETTINGS: dict[str, Any] = {
    "installation": {"namespace": "tests", "lock_seconds": 5},
    "entities": [
        {
            "code": "E100",
            "name": "Example Goods Inc",
            "base_currency": "USD",
            "time_zone": "America/New_York",
        },
        {"code": "E200", "name": "Example Goods GmbH", "base_currency": "EUR", "time_zone": "Europe/Berlin"},
    ],
    "intacct": {"endpoint": "https://ledger.test/", "company_id": "C", "user_id": "U", "sender_id": "S"},
    "storefronts": {"shop": {"kind": "files", "paths": {"orders": "orders.csv"}}},
}
PLAIN = """
order | store | placed_at        | shipped_at       | total_minor | invoiced_on | invoice_minor | paid_at          | received_on
A1    | us    | 2026-08-30 15:00 | 2026-08-31 15:00 | 20_000      | 2026-09-02  | 20_000        | 2026-08-30 15:00 | 2026-09-02
A2    | us    | 2026-09-03 15:00 | 2026-09-04 15:00 | 5_000       | 2026-09-04  | 5_000         | 2026-09-03 15:00 | 2026-09-04
A3    | us    | 2026-09-10 15:00 | 2026-09-11 15:00 | 7_000       | -           | -             | 2026-09-10 15:00 | -
A4    | us    | 2026-09-29 15:00 | 2026-09-30 15:00 | 9_000       | 2026-10-01  | 9_000         | 2026-09-29 15:00 | 2026-10-01
A5    | us    | 2026-10-04 15:00 | 2026-10-05 15:00 | 1_100       | 2026-10-05  | 1_100         | 2026-10-04 15:00 | 2026-10-05
B1    | eu    | 2026-09-03 15:00 | 2026-09-04 15:00 | 11_900      | 2026-09-04  | 11_900        | -                | -
"""
"""Two clean orders, one that is invoiced a month late, one never, one across the end of September, one of October, one open in euro."""


@dataclass
class Clock:
    """A clock that a test moves."""

    now: datetime = field(default_factory=lambda: datetime(2026, 11, 3, 9, tzinfo=UTC))

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)  # two events are never of one instant
        return self.now

    def ahead(self, **by: float) -> None:
        """Move it."""
        self.now += timedelta(**by)


def house_in(
    folder: Path,
    drawing: str = PLAIN,
    *,
    settings: dict[str, Any] | None = None,
    clock: Callable[[], datetime] | None = None,
) -> House:
    """A house in a folder whose warehouse holds the drawn trade."""
    house = House(
        settings=parse({**SETTINGS, **(settings or {})}, folder=folder),
        environment={},
        clock=clock or Clock(),
    )
    house.__dict__["mappings"] = _mappings()
    fill(house, drawing)
    return house


def _mappings() -> dict[str, pl.DataFrame]:
    found = {
        name.removeprefix("mappings."): contract.empty()
        for name, contract in ALL.items()
        if name.startswith("mappings.")
    }
    return {**found, "stores": STORES}


def fill(house: House, drawing: str) -> None:
    """Put a drawn trade in place of what the warehouse holds, as a night that read it."""
    trade = table(drawing, {"paid_at": pl.Datetime("us", "UTC")})
    currency = pl.when(pl.col("store") == "eu").then(pl.lit("EUR")).otherwise(pl.lit("USD"))
    entity = pl.when(pl.col("store") == "eu").then(pl.lit("E200")).otherwise(pl.lit("E100"))
    guest = pl.when(pl.col("store") == "eu").then(pl.lit("GUEST-EU-EUR")).otherwise(pl.lit("GUEST-US-USD"))
    prefix = pl.when(pl.col("store") == "eu").then(pl.lit("E")).otherwise(pl.lit("U"))
    rows = trade.with_columns(
        currency=currency, entity_code=entity, customer_id=guest, number=pl.concat_str(prefix, "order")
    )
    invoices = rows.drop_nulls("invoiced_on")
    receipts = rows.drop_nulls("received_on")
    frames = {
        "core.orders": rows.select(
            "placed_at", "shipped_at", "currency", "total_minor", order_ref="order", order_number="order", store_ref="store",
            goods_minor="total_minor", due_minor="total_minor", captured_at="paid_at", changed_at="placed_at",
            status_code=pl.when(pl.col("shipped_at").is_not_null()).then(pl.lit("complete")).otherwise(pl.lit("open")), revision=pl.lit(1),
        ),
        "core.order_lines": rows.select("currency", order_ref="order", net_minor="total_minor", line_ref=pl.lit("l1"), line_no=pl.lit(1), kind_code=pl.lit("item"), sku=pl.lit("MUG")),
        "core.shipments": rows.drop_nulls("shipped_at").select("shipped_at", order_ref="order", shipment_ref=pl.lit("s1"), line_ref=pl.lit("l1")),
        "core.payments": rows.drop_nulls("paid_at").select(
            "currency", payment_ref=pl.concat_str(pl.lit("p"), "order"), transaction_ref=pl.concat_str(pl.lit("t"), "order"), order_ref="order",
            kind_code=pl.lit("charge"), state_code=pl.lit("success"), tender_code=pl.lit("CreditCard"), gateway_ref=pl.concat_str(pl.lit("ch_"), "order"),
            amount_minor="total_minor", occurred_at="paid_at",
        ),
        "core.ar_invoices": invoices.select(
            "entity_code", "customer_id", "currency", invoice_ref=pl.concat_str(pl.lit("1"), pl.col("order").str.slice(1)), invoice_number="number",
            reference="order", invoiced_on="invoiced_on", posted_on="invoiced_on", due_on=pl.col("invoiced_on").dt.offset_by("30d"),
            total_minor="invoice_minor", due_minor="invoice_minor", base_total_minor="invoice_minor", base_currency="currency",
            state_code=pl.lit("Posted"),
        ).with_columns(invoice_ref=pl.concat_str(pl.col("entity_code").str.slice(1, 1), "invoice_ref")),
        "core.ar_lines": invoices.select(
            "currency", document_kind=pl.lit("invoice"), line_ref=pl.concat_str(pl.lit("L"), "number"), component_code=pl.lit("goods"), amount_minor="invoice_minor",
            document_ref=pl.concat_str(pl.col("entity_code").str.slice(1, 1), pl.lit("1"), pl.col("order").str.slice(1)),
        ),
        "core.ar_receipts": receipts.select(
            "entity_code", "customer_id", "currency", receipt_ref=pl.concat_str(pl.when(pl.col("store") == "eu").then(pl.lit("8")).otherwise(pl.lit("9")), pl.col("order").str.slice(1)), reference=pl.concat_str(pl.lit("ch_"), "order"),
            received_on="received_on", total_minor="total_minor", state_code=pl.lit("Complete"),
        ),
        "core.ar_applications": receipts.drop_nulls("invoiced_on").select(
            "currency", application_ref=pl.concat_str(pl.lit("a"), "order"), receipt_ref=pl.concat_str(pl.when(pl.col("store") == "eu").then(pl.lit("8")).otherwise(pl.lit("9")), pl.col("order").str.slice(1)),
            invoice_ref=pl.concat_str(pl.col("entity_code").str.slice(1, 1), pl.lit("1"), pl.col("order").str.slice(1)), amount_minor="invoice_minor", applied_on="received_on",
        ),
    }  # fmt: skip
    run_id = f"{house.clock():%Y%m%dT%H%M%S.%fZ}-000001"
    with house.warehouse.write(run_id=run_id) as session:
        for name, frame in frames.items():
            contract = ALL[name]
            session.publish(name, completed(name, frame), key=contract.key, mode="replace")
        runs = ALL["ops.runs"]
        row = {
            "run_id": run_id,
            "stage": "stage",
            "started_at": house.clock(),
            "ended_at": house.clock(),
            "state_code": "done",
        }
        session.publish(
            "ops.runs",
            runs.shaped(
                pl.DataFrame([row], schema={k: v for k, v in runs.polars_schema.items() if k in row})
            ),
            key=runs.key,
            mode="append",
        )


def post_to_ledger(house: House, *, missing: str, late: str) -> None:
    """Entries on control account 1100 for every invoice and receipt; the order numbered `A<missing>` has none for its invoice, and that of
    `A<late>` is dated in October."""
    with house.warehouse.read() as session:
        invoices, receipts = session.fetch("core.ar_invoices"), session.fetch("core.ar_receipts")
    common = ["entity_code", "currency", "customer_id"]
    posted_late = pl.col("record_ref") == f"11{late}"
    entries = pl.concat(
        [
            invoices.select(
                *common, "posted_on", record_ref="invoice_ref", amount_minor="total_minor", record_type=pl.lit("ri")
            ),
            receipts.select(
                *common, posted_on="received_on", record_ref="receipt_ref", amount_minor=-pl.col("total_minor"), record_type=pl.lit("rp")
            ),
        ]
    ).filter(pl.col("record_ref") != f"11{missing}")  # fmt: skip
    entries = entries.with_columns(
        entry_ref=pl.concat_str("record_type", "record_ref"),
        account_code=pl.lit("1100"),
        base_currency="currency",
        base_amount_minor="amount_minor",
        posted_on=pl.when(posted_late).then(pl.lit(date(2026, 10, 1))).otherwise("posted_on"),
    )
    table_ = ALL["core.gl_entries"]
    with house.warehouse.write(run_id="20260101T000000.000Z-000002") as session:
        session.publish(table_.name, completed(table_.name, entries), key=table_.key, mode="replace")


def completed(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """A frame of a contract's columns with the dull values the drawing leaves out."""
    contract = ALL[name]
    missing = [column for column in contract.columns if column.name not in frame.columns]
    values: dict[Any, Any] = {
        pl.String: "",
        pl.Int64: 0,
        pl.Boolean: False,
        pl.Datetime: datetime(2026, 1, 1, tzinfo=UTC),
        pl.Decimal: 1,
    }
    added = [
        pl.lit(
            _constants(name).get(column.name, None if column.null else values[type(column.dtype)]),
            dtype=column.dtype,
        ).alias(column.name)
        for column in missing
    ]
    whole = frame.with_columns(added).select([pl.col(n).cast(t) for n, t in contract.polars_schema.items()])
    return contract.checked(whole, at="in a test's drawing")


def _constants(name: str) -> dict[str, Any]:
    shop = {"storefront": "shop"} if "storefront" in ALL[name].polars_schema else {}
    return {**shop, "is_taxed": True} if name == "core.orders" else shop


def pay_out(house: House, *orders: str, short: str) -> None:
    """One payout of the provider holds the money of some orders less a fee of 2 %; that of `short` is paid out 1.00 too low."""
    name = "core.payout_lines"
    with house.warehouse.read() as session:
        paid = session.fetch("core.payments").filter(pl.col("order_ref").is_in(orders))
    lines = paid.select(
        "storefront",
        "currency",
        payout_ref=pl.lit("po_1"),
        line_ref="payment_ref",
        payment_ref="gateway_ref",
        kind_code=pl.lit("charge"),
        paid_out_at=pl.col("occurred_at").max(),
        gross_minor=pl.col("amount_minor") - pl.when(pl.col("order_ref") == short).then(100).otherwise(0),
        fee_minor=pl.col("amount_minor") // 50,
    ).with_columns(net_minor=pl.col("gross_minor") - pl.col("fee_minor"))
    with house.warehouse.write(run_id="20260101T000000.000Z-000003") as session:
        session.publish(name, completed(name, lines), key=ALL[name].key, mode="replace")
    fees = {"storefront": "*", "tender_code": "*", "kind_code": "*", "currency": "*", "percent": "2", "valid_from_on": "2026-01-01"}  # fmt: skip
    contract = ALL["mappings.fees"]
    house.__dict__["mappings"] = {**house.mappings, "fees": contract.shaped(pl.DataFrame([fees]))}
