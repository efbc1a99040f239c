"""Rows' identities, names and numbers as 64-bit hashes: what homes are made of (see `homes`).

Texts are hashed with a seed for each use, so that an order's identity, a document's name and a number never stand for one another.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from transforms.reconcile.references import normalised

HOME: Final = pl.UInt64


def identity_hash() -> pl.Expr:
    """An order's identity as one number; null without an order id."""
    both = pl.col("storefront").hash(1) ^ pl.col("order_ref").hash(2)
    return pl.when(pl.col("order_ref").is_not_null()).then(both)


def own_hash() -> pl.Expr:
    """The home of an order by itself: that of its number, or its identity where it has no number."""
    number = pl.col("order_number")
    return pl.when(number.is_not_null() & (number != "")).then(plain_hash(number)).otherwise(identity_hash())


def plain_hash(text: pl.Expr) -> pl.Expr:
    """A text as it is compared; equal for texts that are equal as they stand or normalised; null for null."""
    return pl.when(text.is_not_null()).then(pl.coalesce(normalised(text), text).hash(3))


def name_hash(kind: str, ref: str) -> pl.Expr:
    """A ledger row by its kind and its key or number."""
    word = pl.lit(pl.Series([kind]).hash(5).item(), dtype=HOME)
    return pl.when(pl.col(ref).is_not_null()).then(pl.col(ref).hash(4) ^ word)


def back_hash() -> pl.Expr:
    """The credit memo that a debit memo's reference names, as `name_hash` names it by number or key; null for every other adjustment."""
    said = pl.col("reference").str.strip_chars().str.strip_prefix("adjustment:")
    word = pl.lit(pl.Series(["adjustment"]).hash(5).item(), dtype=HOME)
    return pl.when((pl.col("total_minor") > 0) & (said != "")).then(said.hash(4) ^ word)


def line_hash() -> pl.Expr:
    """The document a line is of, as `name_hash` names it."""
    return pl.col("document_ref").hash(4) ^ pl.col("document_kind").hash(5)


def ledger_hash() -> pl.Expr:
    """The ledger row that a decision names, as `name_hash` names it."""
    kind, ref = (pl.col("ledger_ref").str.splitn(":", 2).struct.field(f"field_{at}") for at in (0, 1))
    return ref.hash(4) ^ kind.hash(5)


def names_by_hand() -> dict[str, dict[str, pl.Expr]]:
    """By tie-out and input: the group that a decision names a row by."""
    text = pl.concat_str("storefront", pl.lit(":"), "order_ref")
    payment = pl.concat_str("storefront", pl.lit(":"), "payment_ref", pl.lit(":"), "transaction_ref")
    tender = pl.concat_str("storefront", pl.lit(":"), "order_ref", pl.lit(":"), "event_ref")
    return {"orders": {"orders": text, "owed": text}, "payments": {"payments": payment, "owed": tender}}


def customer_hash() -> pl.Expr:
    """A storefront's customer."""
    return pl.col("storefront").hash(1) ^ pl.col("customer_ref").hash(8)
