"""Customers of planned documents: which Intacct customer an order belongs to, and customers that must be created first."""

from __future__ import annotations

from typing import Final

import polars as pl

from transforms.addresses import normalised
from transforms.customers import in_ledger
from transforms.identity import fitted, minted
from transforms.postings.terms import Existing, PostingPolicy

_NAME_LENGTH: Final = 100
_DETAILS: Final = (
    "name", "first_name", "last_name", "company", "email", "phone", "street", "city", "state", "postal_code", "country_code",
)  # fmt: skip


def with_customer_ids(
    events: pl.DataFrame, customers: pl.DataFrame, existing: Existing, policy: PostingPolicy
) -> pl.DataFrame:
    """Adds `customer_id`: the customer's own, or the store's guest customer; null if neither is known. `customer_is_ambiguous` marks those
    of whom the ledger has several.

    An id once given is kept through the crosswalk. Otherwise prefix and number, where they fit; numbers that two customers share,
    or that another customer was given before, become a stable short hash.
    """
    ids = customer_ids(customers, existing, policy).with_columns(
        customer_is_ambiguous=pl.col("customer_id").is_null()
    )
    return events.join(
        ids, on=["storefront", "customer_ref"], how="left", maintain_order="left"
    ).with_columns(
        customer_id=pl.when(pl.col("customer_ref").is_null())
        .then(pl.col("guest_customer_id"))
        .otherwise(pl.col("customer_id"))
    )


def customer_ids(customers: pl.DataFrame, existing: Existing, policy: PostingPolicy) -> pl.DataFrame:
    """`storefront`, `customer_ref`, `customer_id` of every customer of the storefronts: the id given before, that of the customer the ledger
    has by the policy's rules, or a new one. Null where several customers of the ledger fit."""
    known = (
        existing.documents.filter(
            (pl.col("kind_code") == "customer") & (pl.col("event_ref") != pl.col("number"))
        )
        .select("storefront", pl.col("event_ref").alias("customer_ref"), pl.col("number").alias("known_id"))
        .unique(["storefront", "customer_ref"], keep="first")
    )
    prefix = pl.col("storefront").replace_strict(
        dict(policy.customer_prefixes), default=policy.customer_prefix, return_dtype=pl.String
    )
    number = pl.coalesce(pl.col("customer_number").str.extract(policy.customer_number, 1), "customer_number")
    named = (
        customers.select(
            "storefront", "customer_ref", wished=prefix + pl.coalesce(number, "customer_ref"), marker=prefix
        )
        .join(known, on=["storefront", "customer_ref"], how="left")
        .join(
            known.select(pl.col("known_id").alias("wished"), is_taken=pl.lit(value=True)).unique(),
            on="wished",
            how="left",
        )
        .sort("storefront", "customer_ref")
    )
    clash = pl.col("wished").is_duplicated() | pl.col("is_taken").fill_null(value=False)
    # A character no id may hold makes `fitted` take the hash of who the customer is instead of the number.
    named = named.with_columns(
        wished=pl.when(clash)
        .then(pl.col("wished") + "|" + pl.col("storefront") + "|" + pl.col("customer_ref"))
        .otherwise(pl.col("wished"))
    )
    parts = [
        group.with_columns(fitted(group["wished"], policy.customer_longest, str(marker)).alias("wished"))
        for (marker,), group in named.group_by("marker", maintain_order=True)
    ]
    if not parts:
        return named.select("storefront", "customer_ref", pl.col("wished").alias("customer_id"))
    found = pl.concat(parts)
    if not policy.match_customers_by:
        return found.select(
            "storefront", "customer_ref", pl.coalesce("known_id", "wished").alias("customer_id")
        )
    who = ["storefront", "customer_ref"]
    matched = in_ledger(customers, existing.customers, policy.match_customers_by)
    return found.join(matched, on=who, how="left", maintain_order="left").select(
        *who,
        pl.when(pl.col("known_id").is_not_null())
        .then(pl.col("known_id"))
        .when(pl.col("is_ambiguous").fill_null(value=False))
        .then(None)
        .otherwise(pl.coalesce("matched_id", "wished"))
        .alias("customer_id"),
    )


def customer_documents(
    drafts: pl.DataFrame, customers: pl.DataFrame, existing: Existing, policy: PostingPolicy
) -> pl.DataFrame:
    """CUSTOMER documents for customers of these documents whom Intacct does not have and who are not on their way there."""
    sent = existing.documents.filter(
        (pl.col("kind_code") == "customer")
        & pl.col("state_code").is_in(["accepted", "sending", "unknown", "cancelled"])
    )
    needed = (
        drafts.sort("storefront", "store_ref", "currency")
        .select("storefront", "store_ref", "currency", "customer_ref", "customer_id")
        .unique("customer_id", keep="first", maintain_order=True)
        .join(existing.customers.select("customer_id"), on="customer_id", how="anti")
        .join(sent.select(pl.col("number").alias("customer_id")), on="customer_id", how="anti")
    )
    known = needed.filter(pl.col("customer_ref").is_not_null()).join(
        normalised(customers).select("storefront", "customer_ref", *_DETAILS),
        on=["storefront", "customer_ref"],
        how="left",
    )
    guests = needed.filter(pl.col("customer_ref").is_null()).with_columns(
        name=pl.concat_str(pl.lit("Web guests"), "storefront", "store_ref", "currency", separator=" ")
    )
    people = pl.concat([known, guests], how="diagonal").with_columns(
        event_ref=pl.coalesce("customer_ref", "customer_id"),
        kind_code=pl.lit("customer"),
        revision=pl.lit(1, dtype=pl.Int64),
        # A guest customer may serve several storefronts: its id does not depend on which asked first.
        owner=pl.when(pl.col("customer_ref").is_not_null()).then(pl.col("storefront")).otherwise(pl.lit("")),
        blank=pl.lit(""),
        name=pl.col("name").str.slice(0, _NAME_LENGTH),
    )
    people = people.with_columns(
        minted(people, policy.namespace, ["owner", "blank", "kind_code", "event_ref", "revision"])
    )
    return people.select(
        "document_id", "kind_code", "revision", "storefront", "event_ref",
        pl.lit("").alias("entity_code"),
        pl.col("customer_id").alias("number"),
        "customer_id",
        pl.lit("").alias("currency"),
        pl.lit(0, dtype=pl.Int64).alias("total_minor"),
        pl.col("name").alias("description"),
        pl.struct(_DETAILS).struct.json_encode().alias("details"),
    )  # fmt: skip
