"""Who a customer is: guests as people of their own where the company wants that, and customers the ledger knows already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import polars as pl

from transforms.identity import short_hash

MatchRule = Literal["number", "email", "name"]
GUEST_PREFIX: Final = "guest:"
_WHO: Final = ["storefront", "customer_ref"]


def guests_by_email(orders: pl.DataFrame, customers: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(orders, customers) in which every guest who left an e-mail is a customer of the storefront: one per e-mail, whatever its case.

    Orders of guests without an e-mail keep no customer, and fall to the store's customer for guests. The newest order gives the name.
    """
    is_guest = pl.col("customer_ref").is_null() & (
        pl.col("customer_email").str.strip_chars() != ""
    ).fill_null(value=False)
    emails = orders.filter(is_guest)["customer_email"].unique().to_list()
    # A loop over distinct addresses: hashing has no column form.
    refs = {one: GUEST_PREFIX + short_hash(one.strip().casefold(), 16) for one in emails}
    if not refs:
        return orders, customers
    ref = pl.col("customer_email").replace_strict(refs, default=None, return_dtype=pl.String)
    named = orders.with_columns(customer_ref=pl.when(is_guest).then(ref).otherwise(pl.col("customer_ref")))
    guests = (
        named.filter(pl.col("customer_ref").str.starts_with(GUEST_PREFIX).fill_null(value=False))
        .sort("placed_at", "order_ref")
        .unique(_WHO, keep="last", maintain_order=True)
        .select(
            *_WHO,
            name=pl.coalesce("customer_name", "customer_email"),
            email=pl.col("customer_email").str.strip_chars(),
            changed_at="placed_at",
            payload_sha256="payload_sha256",
            run_id="run_id",
        )
    )
    known = customers.select(_WHO)
    added = guests.join(known, on=_WHO, how="anti")
    return named, pl.concat([customers, added], how="diagonal").select(customers.columns)


def in_ledger(customers: pl.DataFrame, ledger: pl.DataFrame, rules: Sequence[MatchRule]) -> pl.DataFrame:
    """Which customers the ledger has already: `storefront`, `customer_ref`, `matched_id`, `is_ambiguous`; one row per customer that a rule
    finds anything for.

    `ledger` has `customer_id`, `name`, `email`, `is_active`; inactive ones are not matched. The first rule that finds anybody decides:
    one candidate is the customer, several are ambiguous, and `matched_id` is null.
    """
    active = ledger.filter(pl.col("is_active"))
    mine = {"number": pl.col("customer_number"), "email": _folded("email"), "name": _words("name")}
    theirs = {"number": pl.col("customer_id"), "email": _folded("email"), "name": _words("name")}
    open_ones = customers.select(*_WHO, "customer_number", "email", "name")
    found: list[pl.DataFrame] = []
    for rule in rules:
        keyed = active.select("customer_id", key=theirs[rule]).filter(pl.col("key") != "")
        hits = (
            open_ones.with_columns(key=mine[rule])
            .join(keyed, on="key")
            .group_by(_WHO)
            .agg(matched_id=pl.col("customer_id").min(), candidates=pl.col("customer_id").n_unique())
        )
        found.append(
            hits.select(
                *_WHO,
                matched_id=pl.when(pl.col("candidates") == 1).then(pl.col("matched_id")),
                is_ambiguous=pl.col("candidates") > 1,
            )
        )
        open_ones = open_ones.join(hits, on=_WHO, how="anti")
    if not found:
        return pl.DataFrame(
            schema={
                "storefront": pl.String,
                "customer_ref": pl.String,
                "matched_id": pl.String,
                "is_ambiguous": pl.Boolean,
            }
        )
    return pl.concat(found).sort(_WHO)


def _folded(column: str) -> pl.Expr:
    return pl.col(column).str.strip_chars().str.to_lowercase()


def _words(column: str) -> pl.Expr:
    """A name without case, signs and stray blanks."""
    return pl.col(column).str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]+", " ").str.strip_chars()
