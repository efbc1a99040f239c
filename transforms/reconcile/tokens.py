"""By what a row can be found: every number, reference and identity it carries, as 64-bit numbers.

The homes (see `homes`) tie rows that share one of these. Whoever knows which rows changed finds with them the rows that the changed ones
were tied to, or are now, without looking at any other. A token too many only makes more rows be looked at again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import polars as pl

from transforms.reconcile.hashes import back_hash, identity_hash, line_hash, name_hash, own_hash, plain_hash
from transforms.reconcile.intake import COLUMNS, Frame, read_of
from transforms.reconcile.policy import Policy
from transforms.reconcile.references import SPLIT, bare_number, normalised
from transforms.reconcile.universe import KIND_OF_CROSSWALK

PREFIX: Final = "token_"
LOOSE: Final = "tokens_loose"
"""Numbers that a free text may hold, a list."""
CUSTOMER: Final = f"{PREFIX}customer"
"""By which a changed customer finds its orders; a changed order does not look for others of its customer."""


KEPT: Final = {
    "orders": ("identity", "number", "customer"),
    "owed": ("identity", "gateway", "event", "order"),
    "crosswalk": ("name",),
    "ar_invoices": ("name", "number", "said", "bare", LOOSE),
    "ar_adjustments": ("name", "number", "said", "bare", "back", LOOSE),
    "ar_lines": (LOOSE,),
    "payments": ("identity", "payment", "gateway_ref", "transaction_ref", "payment_ref"),
    "order_payments": ("payment",),
    "ar_receipts": ("name", "said"),
    "customer_ids": ("customer",),
}
"""Tokens that are kept with the rows. What is not kept is found by its home: a row that nothing else names has its own token as home."""


def with_tokens(
    frame: Frame, name: str, policy: Policy, prefixes: Iterable[str], *, every: bool = True
) -> pl.LazyFrame:
    """The rows of an input with every column that is read of it, and their tokens, all of them or those that are kept.

    `prefixes`: the invoice prefixes of all stores.
    """
    rows = read_of(frame, name)
    have = rows.collect_schema().names()
    found = _tokens(name, policy, [*prefixes, *policy.credit_prefixes], have)
    chosen = {key: token for key, token in found.items() if every or key in KEPT.get(name, ())}
    named = {key if key == LOOSE else f"{PREFIX}{key}": token for key, token in chosen.items()}
    absent = [pl.lit(None, kind).alias(one) for one, kind in COLUMNS[name].items() if one not in have]
    return rows.with_columns(absent).with_columns(**named).select(*have, *named)


def _of_storefront(ref: str, salt: int) -> pl.Expr:
    """A payment or customer; null without an id (a null has a hash, and all guests would share it)."""
    return pl.when(pl.col(ref).is_not_null()).then(pl.col("storefront").hash(1) ^ pl.col(ref).hash(salt))


def _tokens(name: str, policy: Policy, prefixes: list[str], have: list[str]) -> dict[str, pl.Expr]:
    if name == "orders":
        return {
            "identity": identity_hash(),
            "number": own_hash(),
            "customer": _of_storefront("customer_ref", 8),
        }
    if name == "owed":
        tender = (pl.col("event_code") == "receipt") & pl.col("payment_ref").is_null()
        columns = {"gateway": "gateway_ref", "event": "event_ref", "order": "order_ref"}
        said = {key: pl.when(tender).then(plain_hash(pl.col(column))) for key, column in columns.items()}
        return {"identity": identity_hash(), "number": own_hash(), **said}
    if name == "crosswalk":
        kinds = {**KIND_OF_CROSSWALK, "receipt": "receipt"}
        of = pl.coalesce(
            pl.when(pl.col("kind_code") == word).then(name_hash(kind, "intacct_key")) for word, kind in kinds.items()
        )  # fmt: skip
        return {"identity": identity_hash(), "name": of}
    if name in ("excluded", "waiting", "order_lines", "refund_outcomes"):
        return {"identity": identity_hash()}
    if name in ("ar_invoices", "ar_adjustments"):
        kind = "invoice" if name == "ar_invoices" else "adjustment"
        loose = None if policy.order_number_pattern else pl.col("reference").str.contains(SPLIT)
        return {
            "name": name_hash(kind, f"{kind}_ref"), "number": name_hash(kind, f"{kind}_number"),
            "said": plain_hash(pl.col("reference")), "bare": plain_hash(bare_number(f"{kind}_number", prefixes)),
            **({"back": back_hash()} if kind == "adjustment" else {}),
            LOOSE: _loose("reference", policy, loose),
        }  # fmt: skip
    if name == "ar_lines":
        return {"name": line_hash(), **({LOOSE: _loose("memo", policy)} if "memo" in have else {})}
    if name == "payments":
        refs = {one: plain_hash(pl.col(one)) for one in ("gateway_ref", "transaction_ref", "payment_ref")}
        return {"identity": identity_hash(), "payment": _of_storefront("payment_ref", 6), **refs}
    if name == "order_payments":
        return {"identity": identity_hash(), "payment": _of_storefront("payment_ref", 6)}
    if name == "ar_receipts":
        return {"name": name_hash("receipt", "receipt_ref"), "said": plain_hash(pl.col("reference"))}
    if name == "ar_applications":
        ends = {kind: name_hash(kind, f"{kind}_ref") for kind in ("invoice", "adjustment", "receipt")}
        return {**ends, "debit": name_hash("adjustment", "debit_ref")}
    if name == "customer_ids":
        return {"customer": _of_storefront("customer_ref", 8)}
    raise KeyError(name)


def _loose(text: str, policy: Policy, which: pl.Expr | None = None) -> pl.Expr:
    """The numbers a text may hold, as `references.pieces` takes them apart."""
    parts = pl.col(text).str.replace_all(SPLIT, " ").str.strip_chars().str.split(" ")
    if policy.order_number_pattern:
        parts = pl.concat_list(pl.col(text).str.extract_all(policy.order_number_pattern), parts)
    hashes = parts.list.eval(normalised(pl.element()).drop_nulls().hash(3))
    there = pl.col(text).is_not_null()
    return pl.when(there if which is None else there & which).then(hashes)
