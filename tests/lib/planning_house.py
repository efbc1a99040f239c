"""A house without a network whose plans can be looked at: drawn trades put into the warehouse, fates of documents, what the ledger shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import trade
from closing_house import SETTINGS, Clock
from drawn import drawn
from drawn_trades import CORE, START, frames

from checks.contracts import ALL
from flows.plan import plan
from flows.wiring import House
from tieout.settings import parse

TABLES = (
    "recon.owed",
    "recon.owed_lines",
    "ops.unplanned",
    "ops.found",
    "out.documents",
    "out.document_lines",
    "out.document_orders",
    "ops.outbox",
)
RUN = ("run_id", "planned_at", "changed_at", "moves_no")
"""What tells one run from another."""
JOURNALS = ("refunds", "chargebacks", "payouts", "fees")
CUSTOMERS = "storefront | customer_ref | customer_number | name\nshop | u1 | C-1 | Ana\nshop | u2 | - | Ben"
MAPPINGS = {
    "stores": trade.STORES,
    "items": drawn(ALL["mappings.items"], "storefront | sku | mode | item_ref\n* | * | map | *"),
    "accounts": drawn(
        ALL["mappings.accounts"],
        "storefront | store_ref | component_code | category_ref | account_code\n"
        + "\n".join(
            f"* | * | {word} | * | {4000 + n}"
            for n, word in enumerate(("goods", "discount", "shipping", "fees", "rounding", "allowance"))
        ),
    ),
    "taxes": drawn(ALL["mappings.taxes"], "storefront | tax_code | mode | account_code\n* | * | map | 2200"),
    "tenders": drawn(
        ALL["mappings.tenders"],
        """
        storefront | entity_code | tender_code  | mode   | account_ref | method
        *          | *           | *            | map    | CLR         | EFT
        *          | *           | store_credit | ignore | -           | -
        """,
    ),
    "clearing": drawn(
        ALL["mappings.clearing"],
        """
        storefront | entity_code | tender_code | mode | journal_code | clearing_account_code | refund_account_code | chargeback_account_code | fee_account_code | bank_account_code
        *          | *           | *           | map  | GJ           | 1090                  | 1095                | 1096                    | 6100             | 1000
        """,
    ),
}  # fmt: skip
Rows = dict[str, list[dict[str, Any]]]
Shop = dict[str, Rows]


def mappings_of(posting: str) -> dict[str, pl.DataFrame]:
    """The mappings of a house whose German store posts as named."""
    empty = {
        name.removeprefix("mappings."): contract.empty()
        for name, contract in ALL.items()
        if name.startswith("mappings.")
    }
    code = pl.when(pl.col("store_ref") == "eu").then(pl.lit(posting)).otherwise("posting_code")
    return {**empty, **MAPPINGS, "stores": trade.STORES.with_columns(posting_code=code)}


def house_in(folder: Path, posting: str, has_journals: bool, clock: Clock) -> House:
    """A house without a network."""
    chosen = {
        "journals": dict.fromkeys(JOURNALS, "journal") if has_journals else {},
        "intacct": {**SETTINGS["intacct"], "posting_starts_on": "2026-10-02", "credit_memos": "applied"},
    }
    house = House(settings=parse({**SETTINGS, **chosen}, folder=folder), environment={}, clock=clock)
    house.__dict__["mappings"] = mappings_of(posting)
    return house


def happens(house: House, shop: Shop, step: dict[str, Any], number: int) -> None:
    """Put a step into the warehouse."""
    shop.update(step["moved"])
    for ref in step["gone"]:
        shop.pop(ref, None)
    for name, one, other in step["shared"]:
        share(shop, name, one, other)
    rows = {name: [row for ref in sorted(shop) for row in shop[ref][name]] for name in CORE}
    run_id = f"20261101T000000.000Z-{number:06d}"
    held = pl.DataFrame({"order_ref": step["held"]}, schema={"order_ref": pl.String})
    with house.warehouse.write(run_id=run_id) as session:
        customers = drawn(ALL["core.customers"], CUSTOMERS)
        for name, frame in {**frames(rows), "core.customers": customers}.items():
            session.publish(name, frame, key=ALL[name].key, mode="replace")
        fated = session.fetch(
            "ops.outbox", where={"state_code": ["planned", "refused", "held", "unknown"]}
        ).sort("document_id")
        fates = pl.Series((step["fates"] * (fated.height + 1))[: fated.height], dtype=pl.String)
        fated = fated.with_columns(state_code=fates).with_columns(
            intacct_key=pl.when(pl.col("state_code") == "accepted").then(pl.lit("K") + pl.col("document_id"))
        )
        session.publish("ops.outbox", fated, key=("document_id",), mode="merge")
        if step["is_read"]:
            read_back(session, step["edited"])
        if step["stranger"] is not None:
            stranger = pl.DataFrame({"invoice_ref": ["Z" + step["stranger"]], "invoice_number": [f"UW{step['stranger']}"], "reference": [f"W{step['stranger']}"], "currency": ["USD"], "entity_code": ["E100"], "total_minor": [5]})  # fmt: skip
            session.publish(
                "core.ar_invoices",
                filled("core.ar_invoices", stranger),
                key=("invoice_ref",),
                mode="merge",
            )
        if step["payout"] is not None:
            ref = step["payout"]
            line = pl.DataFrame({"storefront": ["shop"], "payout_ref": [f"po{ref}"], "line_ref": ["1"], "payment_ref": [f"{ref}c0"], "kind_code": ["charge"], "currency": ["USD"], "gross_minor": [10], "fee_minor": [1], "net_minor": [9]})  # fmt: skip
            session.publish(
                "core.payout_lines",
                filled("core.payout_lines", line),
                key=ALL["core.payout_lines"].key,
                mode="merge",
            )
        check = pl.DataFrame({"run_id": [run_id], "stage": ["check"], "state_code": ["done"]})
        session.publish("ops.runs", filled("ops.runs", check), key=("run_id",), mode="append")
        found = held.with_columns(run_id=pl.lit(run_id), rule_code=pl.lit("drawn"), severity=pl.lit("hold"), storefront=pl.lit("shop"), sentence=pl.lit("Held."))  # fmt: skip
        session.publish("ops.findings", filled("ops.findings", found), key=(), mode="append")


def filled(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """A frame of a contract's columns: null where it may be, else dull."""
    dull: dict[Any, Any] = {
        pl.Int64: 0,
        pl.Boolean: False,
        pl.String: "",
        pl.Date: START.date(),
        pl.Datetime: START,
    }
    missing = [
        pl.lit(None if one.null else dull[type(one.dtype)]).cast(one.dtype).alias(one.name)
        for one in ALL[name].columns
        if one.name not in frame.columns
    ]
    return frame.with_columns(missing).select(pl.col(n).cast(t) for n, t in ALL[name].polars_schema.items())


def share(shop: Shop, name: str, one: str, other: str) -> None:
    """Give an order what another has: a number, or the reference of a payment."""
    table = "core.orders" if name == "order_number" else "core.payments"
    if one == other or one not in shop or other not in shop or not shop[other][table]:
        return
    value = shop[other][table][0][name]
    shop[one] = {
        **shop[one],
        table: [{**row, name: value} for row in shop[one][table][:1]] + shop[one][table][1:],
    }
    if name == "payment_ref" and shop[one][table]:
        link = {"storefront": "shop", "order_ref": one, "payment_ref": value, "run_id": "r"}
        named = [row for row in shop[one]["core.order_payments"] if row["payment_ref"] != value]
        shop[one] = {**shop[one], "core.order_payments": [*named, link]}


def read_back(session: Any, edited: str | None) -> None:
    """The ledger shows what it accepted; the first of its invoices may be paid or deleted by somebody else."""
    accepted = session.fetch(
        "ops.outbox", where={"state_code": "accepted"}, columns=["document_id", "intacct_key"]
    )
    papers = session.fetch("out.documents").join(accepted, on="document_id").sort("document_id")
    is_first = pl.int_range(pl.len()) == 0
    for kind, table, key, number in (
        ("invoice", "core.ar_invoices", "invoice_ref", "invoice_number"),
        ("credit_memo", "core.ar_adjustments", "adjustment_ref", "adjustment_number"),
        ("receipt", "core.ar_receipts", "receipt_ref", "reference"),
    ):
        mine = papers.filter(pl.col("kind_code") == kind).with_columns(
            pl.col("intacct_key").alias(key),
            pl.col("number").alias(number),
            due_minor=pl.when(is_first & (edited == "due_minor")).then(0).otherwise("total_minor"),
            is_deleted=is_first & (edited == "is_deleted"),
            posted_on="document_on",
        )
        rows = mine.select(one for one in ALL[table].polars_schema if one in mine.columns)
        session.publish(table, filled(table, rows.drop("run_id")), key=(key,), mode="merge")


def tables(house: House) -> dict[str, pl.DataFrame]:
    """What a plan leaves, but for what names its run."""
    with house.warehouse.read() as session:
        found = {name: session.fetch(name).drop(RUN, strict=False) for name in TABLES}
    return {name: frame.sort(pl.all()) for name, frame in found.items()}


def planned(house: House, run_id: str, *, full: bool = False) -> dict[str, Any]:
    """A plan as a recorded run; its summary."""
    row = pl.DataFrame({"run_id": [run_id], "stage": ["plan"], "state_code": ["done"]})
    with house.warehouse.write(run_id=run_id) as session:
        session.publish("ops.runs", filled("ops.runs", row), key=("run_id",), mode="append")
    return plan(house, run_id=run_id, full=full)


def difference(made: pl.DataFrame, wanted: pl.DataFrame) -> str:
    """The rows that only one of both has."""
    only = [
        one.join(two, on=one.columns, how="anti", nulls_equal=True)
        for one, two in ((made, wanted), (wanted, made))
    ]
    return f"only there {only[0].to_dicts()[:3]}, missing {only[1].to_dicts()[:3]}"
