"""Forensics of double postings: documents that probably stand twice in Intacct, each with the one it repeats. A suspicion, never a proof.

Two bases, and only where the ledger holds more than the storefront owes, or credits more:

* **reference**: documents of one order with equal amounts, as many of them as the surplus is made of; credit memos where there are more
  of them than refunds;
* **cluster**: a document without an order (or a receipt without a payment) beside another of the same entity, customer, currency and
  amount, dated within the stated days. More than twenty of a kind say nothing and are left out.

The one to keep is what this tool posted, else what was matched, else the earliest.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from transforms.queries import as_written
from transforms.reconcile.intake import Frame, Inputs
from transforms.reconcile.matching import Matched
from transforms.reconcile.numbered import row_of
from transforms.reconcile.policy import Policy
from transforms.reconcile.receipts import Paid
from transforms.reconcile.taken_back import surplus_of
from transforms.reconcile.wording import money

COLUMNS = (
    "cluster_ref", "ledger_ref", "document_number", "entity_code", "customer_id", "currency", "amount_minor", "document_on",
    "is_original", "basis_code", "sentence",
)  # fmt: skip
MOST: Final = 20
_SHAPE = (
    "side", "cluster_ref", "ledger_ref", "document_number", "entity", "customer_id", "currency", "amount_minor", "document_on",
    "is_original", "basis_code",
)  # fmt: skip
_PLACE = ["side", "grp", "entity", "currency"]
_BLOCK = ["entity", "customer_id", "currency", "total_minor"]
_COUNTS = pl.col("in_scope") & pl.col("is_counted") & (pl.col("total_minor") != 0)


_KEPT = (
    "grp",
    "entity",
    "customer_id",
    "currency",
    "total_minor",
    "is_orphan",
    "pass_no",
    "in_scope",
    "is_counted",
)
LEDGER = ("kind", "ref", "number", "posted_on", *_KEPT)
MONEY = ("receipt_ref", "reference", "received_on", *_KEPT)
"""The columns of documents and receipts that the search reads."""


def papers_of(inputs: Inputs, matched: Matched, paid: Paid) -> dict[str, pl.DataFrame]:
    """Documents and receipts of a part as `near` reads them, with the homes of their rows where the inputs have them."""
    stands = pl.col("is_counted") & ~_is_taken_back()
    papers = {
        "documents": matched.documents.with_columns(is_counted=stands).select("d", *LEDGER),
        "receipts": paid.receipts.select("r", *MONEY),
    }
    sources = {"documents": ("ar_invoices", "ar_adjustments"), "receipts": ("ar_receipts",)}
    for name, key in (("documents", "d"), ("receipts", "r")):
        homes = [home for table in sources[name] if (home := _homes(getattr(inputs, table))) is not None]
        if homes:
            # Documents and receipts are numbered in the order of their rows.
            papers[name] = papers[name].with_columns(home=pl.concat(homes)[papers[name][key]])
    return {"documents": papers["documents"].drop("d"), "receipts": papers["receipts"].drop("r")}


def _homes(frame: Frame | None) -> pl.Series | None:
    if frame is None or "home" not in frame.collect_schema():
        return None
    return frame.lazy().select("home").collect().to_series()


def _is_taken_back() -> pl.Expr:
    """Credit memos that debit memos took back whole, and every debit memo that is there to take one back: neither stands twice."""
    return pl.col("is_settled") | pl.col("takes").is_not_null()


def repeats_of(
    orders: pl.DataFrame, payments: pl.DataFrame, matched: Matched, paid: Paid, policy: Policy
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Of a part: what repeats inside an order, and (side, entity, customer_id, currency, total_minor, behind) of its documents without
    an order and receipts without a payment. `orders` and `payments` are its rows."""
    documents = matched.documents.filter(~_is_taken_back())
    surplus = _surplus(orders, payments, matched, paid)
    over, strays = [], []
    for side, frame in (("orders", documents), ("payments", paid.receipts)):
        groups = surplus.filter(pl.col("side") == side)["grp"].unique()
        mine = frame.filter(pl.col("is_orphan") | pl.col("grp").is_in(groups.cast(pl.UInt32).implode()))
        counted = mine.filter(_COUNTS)
        over.append(counted.filter(pl.col("grp").cast(pl.Int64).is_in(groups.implode())))
        strays.append(
            counted.filter("is_orphan")
            .select(pl.lit(side).alias("side"), *_BLOCK)
            .drop_nulls()
            .group_by("side", *_BLOCK)
            .agg(behind=pl.len().cast(pl.Int64))
        )
    repeats = [_by_reference(_documents(*over).filter(pl.col("amount_minor") > 0), surplus)]
    if policy.credit_repeats:
        repeats.append(_credits_by_reference(orders, matched, paid))
    return pl.concat(repeats), pl.concat(strays)


def _credits_by_reference(orders: pl.DataFrame, matched: Matched, paid: Paid) -> pl.DataFrame:
    """Credit memos of one order with equal amounts, as many as there are more of than it owes. They are compared by their size."""
    counted = matched.documents.filter(_COUNTS, ~pl.col("is_orphan"))
    known = orders.filter(pl.col("grp") < matched.orders.height)
    surplus = surplus_of(known, counted).with_columns(side=pl.lit("orders"))
    if surplus.is_empty():
        return _by_reference(_documents(matched.documents.clear(), paid.receipts.clear()), surplus)
    memos = counted.filter(pl.col("total_minor") < 0, ~_is_taken_back())
    mine = memos.filter(pl.col("grp").cast(pl.Int64).is_in(surplus["grp"].implode()))
    found = _by_reference(
        _documents(mine, paid.receipts.clear()).with_columns(-pl.col("amount_minor")), surplus
    )
    return found.with_columns(-pl.col("amount_minor"))


def near(
    documents: Frame,
    receipts: Frame,
    strays: pl.DataFrame,
    repeats: pl.DataFrame,
    aside: pl.Series | None = None,
) -> pl.DataFrame:
    """Of a part: documents (columns LEDGER) and receipts (MONEY) that are like some stray of any part and repeat nothing inside an order.

    `aside`: homes whose rows do not count; the frames then have `home`.
    """
    like = []
    for side, frame in (("orders", documents), ("payments", receipts)):
        blocks = strays.filter(pl.col("side") == side).select(_BLOCK).lazy()
        # Amounts are looked up several times faster than all four columns are joined, and few rows have one of those.
        amounts = strays.filter(pl.col("side") == side)["total_minor"].unique().implode()
        rows = frame.lazy().filter(_COUNTS & pl.col("total_minor").is_in(amounts))
        if strays.is_empty():
            rows = rows.clear()
        found = as_written(rows, frame.height) if isinstance(frame, pl.DataFrame) else rows.collect()
        if aside is not None:
            found = found.filter(~pl.col("home").is_in(aside.implode()))
        like.append(found.lazy().join(blocks, on=_BLOCK, how="semi").collect())
    return _documents(*like).join(repeats, on=["side", "ledger_ref"], how="anti")


def suspects(by_reference: pl.DataFrame, like: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """recon.suspects of both tie-outs, from the repeats of all parts and what is like a stray of any."""
    found = pl.concat([by_reference, _by_cluster(like, policy)])
    if found.is_empty():
        return _none()
    kept = pl.col("is_original")
    said = (
        pl.when(kept)
        .then(pl.lit("The one to keep."))
        .when(pl.col("basis_code") == "reference")
        .then(
            pl.concat_str(
                pl.lit("Same order and amount ("), money("amount_minor"), pl.lit(") as "), "cluster_ref",
                pl.when(pl.col("amount_minor") < 0).then(pl.lit(", and Intacct credits more than the storefront gave back."))
                .otherwise(pl.lit(", and the ledger holds more than the storefront owes.")),
            )
        )
        .otherwise(
            pl.concat_str(
                pl.lit("Same customer, currency and amount ("), money("amount_minor"), pl.lit(") as "), "cluster_ref",
                pl.lit(", about the same date, and nothing of the storefront belongs to it."),
            )
        )
    )  # fmt: skip
    return (
        found.with_columns(sentence=said)
        .rename({"entity": "entity_code"})
        .select(COLUMNS)
        .unique(["cluster_ref", "ledger_ref"], keep="first", maintain_order=True)
        .sort("cluster_ref", "is_original", "ledger_ref", descending=[False, True, False])
    )


def _documents(documents: pl.DataFrame, receipts: pl.DataFrame) -> pl.DataFrame:
    """Documents and receipts in one shape. How one was found decides which of two is the original."""
    common = ["entity", "customer_id", "currency", "is_orphan"]
    group, pass_no = pl.col("grp", "pass_no").cast(pl.Int64), pl.col("pass_no")
    rank = pl.when(pass_no == 1).then(0).when(~pl.col("is_orphan")).then(1).otherwise(2)
    return pl.concat(
        [
            documents.select(
                pl.lit("orders").alias("side"), *common, group, pl.concat_str("kind", pl.lit(":"), "ref").alias("ledger_ref"),
                pl.coalesce("number", "ref").alias("document_number"), amount_minor="total_minor", document_on="posted_on", rank=rank,
            ),
            receipts.select(
                pl.lit("payments").alias("side"), *common, group, pl.concat_str(pl.lit("receipt:"), "receipt_ref").alias("ledger_ref"),
                pl.coalesce("reference", "receipt_ref").alias("document_number"), amount_minor="total_minor", document_on="received_on", rank=rank,
            ),
        ]
    )  # fmt: skip


def _surplus(orders: pl.DataFrame, payments: pl.DataFrame, matched: Matched, paid: Paid) -> pl.DataFrame:
    """(side, grp, entity, currency, over): by how much the ledger holds more than the storefront owes, per group."""
    over = -pl.col("delta_minor")
    place = {"entity": "entity_code", "currency": "currency"}
    billed = orders.select("grp", **place, over=over).filter(
        (pl.col("over") > 0) & (pl.col("grp") < matched.orders.height)
    )
    received = payments.select("group_ref", **place, over=over).filter(pl.col("over") > 0)
    grp = paid.payments["grp"][row_of(paid.payments["group_ref"], received["group_ref"])]
    received = received.with_columns(grp=grp.cast(pl.Int64)).drop_nulls("grp")
    shape = ("grp", *place, "over")
    return pl.concat(
        rows.select(pl.lit(side).alias("side"), *shape)
        for side, rows in (("orders", billed), ("payments", received))
    )


def _by_reference(documents: pl.DataFrame, surplus: pl.DataFrame) -> pl.DataFrame:
    equal = [*_PLACE, "amount_minor"]
    if documents.is_empty() or surplus.is_empty():
        return _no_shape()
    alike = (
        documents.join(surplus, on=_PLACE)
        .sort("rank", "document_on", "ledger_ref", nulls_last=True)
        .with_columns(n=pl.len().over(equal), at=pl.int_range(pl.len()).over(equal))
        .filter((pl.col("n") > 1) & (pl.col("over") >= pl.col("amount_minor")))
    )
    # No more repeats than the surplus is made of; the newest are the suspects.
    spare = pl.min_horizontal(pl.col("n") - 1, pl.col("over") // pl.col("amount_minor"))
    return (
        alike.with_columns(is_original=pl.col("at") == 0, is_spare=pl.col("at") >= pl.col("n") - spare)
        .filter(pl.col("is_original") | pl.col("is_spare"))
        .with_columns(cluster_ref=pl.col("ledger_ref").first().over(equal), basis_code=pl.lit("reference"))
        .select(*_SHAPE)
    )


def _by_cluster(documents: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    kind = pl.col("ledger_ref").str.extract(r"^([a-z]+):")
    known = documents.with_columns(kind=kind).drop_nulls(["customer_id", "document_on"])
    block = ["side", "kind", "entity", "customer_id", "currency", "amount_minor"]
    strays = known.filter("is_orphan")
    if strays.is_empty():
        return _no_shape()
    # Only documents that some stray resembles take part, whatever the size of the month.
    near = known.join(strays.select(block).unique(), on=block, how="semi")
    near = near.filter(pl.len().over(block).is_between(2, MOST))
    pairs = strays.join(near, on=block, suffix="_other").filter(
        (pl.col("ledger_ref") != pl.col("ledger_ref_other"))
        & (
            (pl.col("document_on") - pl.col("document_on_other")).dt.total_days().abs()
            <= policy.duplicate_days
        )
    )
    order = ["rank", "document_on", "ledger_ref"]
    # The original comes before the suspect in rank, date and number; of several the first.
    pairs = (
        pairs.filter(_before(order))
        .sort(*(f"{name}_other" for name in order))
        .unique(["side", "ledger_ref"], keep="first", maintain_order=True)
    )
    copies = pairs.select(
        "side", "ledger_ref", "document_number", "entity", "customer_id", "currency", "amount_minor", "document_on",
        cluster_ref="ledger_ref_other", is_original=pl.lit(False), basis_code=pl.lit("cluster"),
    )  # fmt: skip
    # What a suspect repeats may itself repeat something: then all of them belong to the first.
    chain = copies.select("side", cluster_ref="ledger_ref", first="cluster_ref")
    copies = copies.join(chain, on=["side", "cluster_ref"], how="left").with_columns(
        cluster_ref=pl.coalesce("first", "cluster_ref")
    )
    kept = (
        known.join(
            copies.select("side", ledger_ref="cluster_ref").unique(), on=["side", "ledger_ref"], how="semi"
        )
        .with_columns(cluster_ref="ledger_ref", is_original=pl.lit(True), basis_code=pl.lit("cluster"))
        .select(*_SHAPE)
    )
    return pl.concat([kept, copies.select(*_SHAPE)])


def _before(order: list[str]) -> pl.Expr:
    """Whether the other of a pair comes first, by the columns in turn."""
    found = pl.lit(False)
    for name in reversed(order):
        left, right = pl.col(f"{name}_other"), pl.col(name)
        found = (left < right) | ((left == right) & found)
    return found


def _no_shape() -> pl.DataFrame:
    odd = {"amount_minor": pl.Int64, "document_on": pl.Date, "is_original": pl.Boolean}
    return pl.DataFrame(schema={name: odd.get(name, pl.String) for name in _SHAPE})


def _none() -> pl.DataFrame:
    odd = {"amount_minor": pl.Int64, "document_on": pl.Date, "is_original": pl.Boolean}
    return pl.DataFrame(schema={name: odd.get(name, pl.String) for name in COLUMNS})
