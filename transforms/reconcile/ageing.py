"""Open AR in scope as of a day: invoices less what was applied to them, memos and receipts less what they were applied to.

An application counts from the day on which all it ties together exists: the latest of its own date and the accounting dates of the
receipt, the memo and the document. So the open amount of any day is the documents less the receipts dated up to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from transforms.reconcile.applications import applied_by_end
from transforms.reconcile.intake import Inputs
from transforms.reconcile.matching import Matched
from transforms.reconcile.numbered import by_place, looked_up
from transforms.reconcile.policy import Policy
from transforms.reconcile.receipts import Paid
from transforms.reconcile.wording import on_few

CELL = ["entity", "store_ref", "currency"]
COLUMNS = (
    "document_kind", "document_ref", "document_number", "entity_code", "customer_id", "currency", "document_on", "due_on",
    "days_no", "bucket_code", "open_minor",
)  # fmt: skip


@dataclass(frozen=True)
class Subledger:
    """Signed items (documents positive and negative, receipts negative), numbered `item` within their part, and signed movements on
    them, all with a date `on`."""

    items: pl.DataFrame
    movements: pl.DataFrame


def subledger(inputs: Inputs, matched: Matched, paid: Paid) -> Subledger:
    """Every item in scope that stands, with its store, and every application with its effective date."""
    every = _placed(matched.documents, matched.orders, ["g"])
    after = pl.lit(matched.documents.height, pl.UInt32)
    documents = every.filter("in_scope", "is_counted")
    memo = pl.when(pl.col("total_minor") < 0).then(pl.lit("credit_memo")).otherwise(pl.lit("invoice"))
    owed = documents.select(
        "ref", "number", "entity", pl.col("store_ref").fill_null(""), "customer_id", "currency", "due_on",
        kind="kind", shown=memo, on="posted_on", amount="total_minor", item="d",
    )  # fmt: skip
    money = _placed(paid.receipts, paid.payments, ["grp", "entity", "currency", "p"])
    receipts = money.filter("in_scope", "is_counted").select(
        pl.col("receipt_ref").alias("ref"), pl.col("reference").alias("number"), "entity", pl.col("store_ref").fill_null(""),
        "customer_id", "currency", pl.lit(None, pl.Date).alias("due_on"), kind=pl.lit("receipt"), shown=pl.lit("receipt"),
        on="received_on", amount=-pl.col("total_minor"), item=pl.col("r") + after,
    )  # fmt: skip
    items = pl.concat([owed, receipts.select(owed.columns)])
    # What an application may tie together: everything, with its place only where it is open AR in scope.
    stands = pl.col("in_scope") & pl.col("is_counted")
    place = [pl.when(stands).then("entity").alias("entity"), pl.when(stands).then(pl.col("store_ref").fill_null("")).alias("store_ref"),
             pl.when(stands).then("currency").alias("currency")]  # fmt: skip
    ledger = every.select("d", "is_counted", *place, item="d", dated="posted_on")
    giving = money.select("r", "is_counted", *place, item=pl.col("r") + after, dated="received_on")
    return Subledger(items, _movements(applied_by_end(inputs, paid.ends, ledger, giving)))


def _placed(rows: pl.DataFrame, own: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Ledger rows with the store of their group: of its side in the same entity and currency, else of its first in the order `by`."""
    key = ["grp", "entity", "currency"]
    own = own.select(*dict.fromkeys([*key, *by, "store_ref"]))
    alone = own.filter(~pl.col("grp").is_duplicated()).select("grp", "store_ref")
    several = own.join(alone, on="grp", how="anti").sort(by)
    first = several.unique("grp", keep="first", maintain_order=True).select("grp", "store_ref")
    rows = looked_up(rows, pl.concat([alone, first]), "grp")
    if several.is_empty():
        return rows
    same = several.unique(key, keep="first", maintain_order=True).select(*key, same="store_ref")
    rows = on_few(rows, pl.col("grp").is_in(first["grp"].implode()).fill_null(False), same, key)
    return rows.with_columns(store_ref=pl.coalesce("same", "store_ref")).drop("same")


def _movements(pairs: pl.DataFrame) -> pl.DataFrame:
    """One row per item touched by an application: (item, on, amount, by_cash), signed as it changes the item's open amount.

    Cash applied lowers the invoice and uses up the receipt; credit applied lowers the invoice and uses up the memo.
    """
    # An application to or from something that does not stand does not stand either.
    pairs = pairs.filter(pl.col("is_counted").fill_null(True) & pl.col("is_counted_from").fill_null(True))
    pairs = pairs.with_columns(on=pl.max_horizontal("applied_on", "dated", "dated_from"))
    lowered = pairs.drop_nulls("entity").select("item", *CELL, "on", "by_cash", amount=-pl.col("amount"))
    used = pairs.drop_nulls("entity_from").select(
        "on", "amount", "by_cash", item="item_from", **{name: f"{name}_from" for name in CELL}
    )
    return pl.concat([lowered, used.select(lowered.columns)])


def _until(frame: pl.DataFrame, policy: Policy, which: int) -> pl.DataFrame:
    if policy.period is None:
        return frame if which else frame.clear()
    return frame.filter(pl.col("on") < policy.period.bound("entity", which))


def open_items(books: Subledger, policy: Policy) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Items open at the period's end with `open_minor`, and (on, behind): how many items each day up to then has; for `aged` of all parts."""
    items = books.items
    if items.is_empty():
        return items.with_columns(open_minor="amount").drop("item"), _days(items)
    movements = _until(books.movements.select("entity", "on", "item", "amount"), policy, 1)
    # Items are numbered, so a number is a place.
    numbers = [int(one) for one in (items["item"].max(), movements["item"].max()) if isinstance(one, int)]
    moved = by_place(movements.select("amount"), movements["item"], max(numbers) + 1, pl.all().sum())
    left = items["amount"] + moved["amount"][items["item"]]
    until = _until(items.select("entity", "on", at=pl.int_range(pl.len(), dtype=pl.UInt32)), policy, 1)
    open_ = until["at"].filter(left[until["at"]] != 0)
    return items[open_].drop("item").with_columns(open_minor=left[open_]), _days(until)


def _days(items: pl.DataFrame) -> pl.DataFrame:
    return items.group_by("on").agg(behind=pl.len().cast(pl.Int64)).drop_nulls("on")


def aged(items: pl.DataFrame, days: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """recon.ageing: what is open at the period's end (without a period: on the last of the `days` of all), per document, with days overdue and bucket."""
    if policy.period is None:
        end = pl.lit(days["on"].max(), dtype=pl.Date)
    else:
        end = policy.period.bound("entity", 1).dt.offset_by("-1d")
    from_day = pl.coalesce("due_on", "on") if policy.ageing_basis == "due" else pl.col("on")
    overdue = (end - from_day).dt.total_days()
    bucket = (
        pl.when(pl.col("days_no") <= 0).then(pl.lit("not_due"))
        .when(pl.col("days_no") <= 30).then(pl.lit("1-30"))
        .when(pl.col("days_no") <= 60).then(pl.lit("31-60"))
        .when(pl.col("days_no") <= 90).then(pl.lit("61-90"))
        .otherwise(pl.lit("over_90"))
    )  # fmt: skip
    return (
        items.with_columns(days_no=overdue.cast(pl.Int64))
        .with_columns(bucket_code=bucket)
        .select(
            "customer_id", "currency", "due_on", "days_no", "bucket_code", "open_minor", document_kind="shown", document_ref="ref",
            document_number="number", entity_code="entity", document_on="on",
        )
        .select(COLUMNS)
        .sort("document_kind", "document_ref")
    )  # fmt: skip
