"""Lines of planned invoices and credit memos: the account of every component, and amounts in the decimals Intacct keeps."""

from __future__ import annotations

from typing import Final

import polars as pl

from transforms.accounts import mapped_item, most_specific
from transforms.postings.dimensions import with_dimensions
from transforms.postings.order_entry import OrderEntry, is_of_order_entry
from transforms.postings.terms import Mappings
from transforms.running import position

_TITLES: Final = {
    "goods": "Goods",
    "gift_card": "Gift card",
    "discount": "Discount",
    "shipping": "Shipping",
    "fees": "Fees",
    "tax": "Tax",
    "rounding": "Rounding",
    "other": "Allowance",
}
_MEMO_LENGTH: Final = 500


def document_lines(
    events: pl.DataFrame,
    owed_lines: pl.DataFrame,
    mappings: Mappings,
    *,
    item_dimension: bool,
    order_entry: OrderEntry,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Lines of the events' documents, and (`document_id`, `reason_code`) of those with a line that has no account.

    Goods and gift cards go to the account of their item's group, tax to that of its code, a refund that nothing explains to the
    account of `allowance`; the mapping row that fits best wins. Tax is one line per code and document. Lines sum to
    `planned_minor` of their event. Documents of `order_entry` name their items whatever `item_dimension` says.
    """
    event = ["storefront", "order_ref", "event_code", "event_ref"]
    rows = owed_lines.join(
        events.select(
            *event,
            "document_id",
            "store_ref",
            "customer_ref",
            "location_code",
            "department_code",
            "step",
            "planned_minor",
            is_sold=pl.lit(value=item_dimension) | is_of_order_entry(order_entry),
        ),
        on=event,
    )
    rows = _with_accounts(rows, mappings)
    unmapped = (
        rows.filter(pl.col("account_code").is_null() & pl.col("tax_detail_code").is_null())
        .select(
            "document_id",
            reason_code=pl.when(pl.col("sku").is_not_null() & pl.col("item_mode").is_null())
            .then(pl.lit("sku_unmapped"))
            .when(pl.col("component_code") == "tax")
            .then(pl.lit("tax_code_unmapped"))
            .otherwise(pl.lit("account_unmapped")),
        )
        .sort("document_id", "reason_code", descending=[False, True])
    )
    return _in_decimals(with_dimensions(_tax_summed(rows), mappings.dimensions)).select(
        "document_id",
        "line_no",
        "account_code",
        "component_code",
        "amount_minor",
        pl.coalesce("description", "sku", "tax_code", pl.col("component_code").replace_strict(_TITLES))
        .str.slice(0, _MEMO_LENGTH)
        .alias("memo"),
        "location_code",
        "department_code",
        pl.when("is_sold").then("item_ref").alias("item_ref"),
        "class_code",
        "project_code",
        "custom_fields",
        "tax_detail_code",
        "tax_solution",
        "quantity",
        "line_ref",
    ), unmapped


def untaxable(lines: pl.DataFrame) -> pl.DataFrame:
    """(`document_id`, `reason_code`) of documents whose tax entries Intacct would not take: taxes of several solutions, or a tax entry
    with no line before it to belong to."""
    ordered = lines.sort("document_id", "line_no").group_by("document_id", maintain_order=True)
    judged = ordered.agg(
        solutions=pl.col("tax_solution").drop_nulls().n_unique(),
        is_alone=pl.col("tax_detail_code").is_not_null().first(),
    )
    reason = (
        pl.when(pl.col("solutions") > 1)
        .then(pl.lit("tax_solution_mixed"))
        .when("is_alone")
        .then(pl.lit("tax_entry_alone"))
    )
    return judged.with_columns(reason_code=reason).filter(pl.col("reason_code").is_not_null()).select(
        "document_id", "reason_code"
    )  # fmt: skip


def _with_accounts(rows: pl.DataFrame, mappings: Mappings) -> pl.DataFrame:
    """Adds `item_mode`, `item_ref`, `category_ref` of the item, and `account_code`; null where nothing fits."""
    items = mappings.items.rename({"mode": "item_mode", "category_ref": "item_category"}).with_columns(
        item_rule=pl.col("sku")
    )
    with_sku = most_specific(
        rows.filter(pl.col("sku").is_not_null()),
        items,
        ["storefront", "sku"],
        ["item_mode", "item_ref", "item_category", "item_rule"],
    ).with_columns(
        item_ref=mapped_item(),
        category_ref=pl.when(pl.col("item_mode") == "map").then(pl.coalesce("item_category", "category_ref")),
    )
    rows = pl.concat([with_sku, rows.filter(pl.col("sku").is_null())], how="diagonal").with_columns(
        line_component=pl.col("component_code"),
        component_code=pl.col("component_code").replace({"other": "allowance"}),
    )
    rows = most_specific(
        rows,
        mappings.accounts,
        ["storefront", "store_ref", "component_code", "category_ref"],
        ["account_code"],
    )
    taxes = mappings.taxes.rename({"mode": "tax_mode", "account_code": "tax_account"})
    rows = most_specific(
        rows, taxes, ["storefront", "tax_code"], ["tax_mode", "tax_account", "tax_detail", "tax_solution"]
    )
    is_tax = pl.col("component_code") == "tax"
    default = pl.col("tax_code").is_null() | (pl.col("tax_mode") == "ignore").fill_null(value=False)
    return rows.with_columns(
        account_code=pl.when(pl.col("sku").is_not_null() & pl.col("item_mode").is_null())
        .then(None)
        .when(is_tax & default)
        .then(pl.coalesce("tax_account", "account_code"))
        .when(is_tax)
        .then(pl.col("tax_account"))
        .otherwise(pl.col("account_code")),
        component_code=pl.col("line_component"),
        tax_detail_code=pl.when(is_tax & (pl.col("tax_mode") == "map")).then("tax_detail"),
        tax_solution=pl.when(
            is_tax & (pl.col("tax_mode") == "map") & pl.col("tax_detail").is_not_null()
        ).then("tax_solution"),
    ).drop("line_component", "tax_detail")


def _tax_summed(rows: pl.DataFrame) -> pl.DataFrame:
    # A tax entry belongs to the line it taxes, which it follows; a tax on an account is one line a code.
    is_summed = (pl.col("component_code") == "tax") & pl.col("tax_detail_code").is_null()
    tax = rows.filter(is_summed)
    summed = (
        tax.sort("document_id", "line_no")
        .group_by("document_id", "account_code", "tax_code", maintain_order=True)
        .agg(
            pl.col("amount_minor").sum(),
            pl.lit("tax").alias("component_code"),
            (pl.lit(1_000_000, dtype=pl.Int64) + pl.col("line_no").first()).alias("line_no"),
            pl.col(
                "storefront",
                "store_ref",
                "customer_ref",
                "currency",
                "location_code",
                "department_code",
                "step",
                "planned_minor",
                "is_sold",
            ).first(),
        )
        .filter(pl.col("amount_minor") != 0)
    )
    return pl.concat([rows.filter(~is_summed), summed], how="diagonal")


def _in_decimals(rows: pl.DataFrame) -> pl.DataFrame:
    """Amounts in whole steps that sum to the document: each is cut down, and the steps missing go to those cut most."""
    rows = rows.sort("document_id", "line_no").with_columns(line_no=position("document_id"))
    coarse = rows.filter(pl.col("step") > 1)
    if coarse.is_empty():
        return rows
    coarse = coarse.with_columns(whole=pl.col("amount_minor") // pl.col("step")).with_columns(
        cut=pl.col("amount_minor") - pl.col("whole") * pl.col("step")
    )
    missing = pl.col("planned_minor") // pl.col("step") - pl.col("whole").sum().over("document_id")
    turn = (-pl.col("cut")).rank("ordinal").over("document_id").cast(pl.Int64)
    coarse = coarse.with_columns(
        amount_minor=(pl.col("whole") + (turn <= missing).cast(pl.Int64)) * pl.col("step")
    ).filter(pl.col("amount_minor") != 0)
    return pl.concat([rows.filter(pl.col("step") <= 1), coarse.select(rows.columns)]).sort(
        "document_id", "line_no"
    )
