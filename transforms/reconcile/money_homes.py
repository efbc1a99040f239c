"""Homes of money: payments by their order, receipts by every reference that a payment may be named by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import polars as pl

from transforms.reconcile.hashes import HOME, identity_hash, name_hash, plain_hash
from transforms.reconcile.intake import Inputs
from transforms.reconcile.lookup import Homed, Lookup, joined, slices_of
from transforms.reconcile.paper_homes import confirmed

_REFS: Final = ("gateway_ref", "transaction_ref", "payment_ref")
_NONE: Final = 2**64 - 1
"""Stands where no home is told yet. A home that is this number by chance (one world in 10^11) would be told by the receipt's own name."""


def money(inputs: Inputs, known: Homed) -> tuple[Homed | None, dict[str, pl.Series], list[pl.DataFrame]]:
    """The home of every receipt by its name, if there are receipts; the homes of the rows of payments, their orders and receipts; and
    homes that are one, since a receipt has several references."""
    named, own = _of_orders(inputs, known)
    if inputs.ar_receipts is None:
        own |= {"payments": joined([rows["home"] for rows in _payments(inputs, known, named)])}
        return None, {name: home for name, home in own.items() if getattr(inputs, name) is not None}, []
    said = pl.when(pl.col("reference").str.strip_chars() != "").then(pl.col("reference"))
    columns = {"name": name_hash("receipt", "receipt_ref"), "said": plain_hash(said)}
    names, references = [], []
    for rows in slices_of(inputs, "ar_receipts", columns):
        names.append(rows["name"])
        references.append(rows["said"])
    receipts, homes = _Claimed(joined(references)), []
    del references
    for rows in _payments(inputs, known, named):
        receipts.name(rows)
        homes.append(rows["home"])
    own["payments"] = joined(homes)
    for rows in _tender(inputs, known):
        receipts.name(rows)
    home, tied = receipts.settled(joined(names), confirmed(inputs, known, "receipt", ["receipt"]))
    found = Homed.of(names, [home])
    own["ar_receipts"] = found.homes
    own = {name: home for name, home in own.items() if getattr(inputs, name) is not None}
    return found, own, [*tied, found.ties]


def _of_orders(inputs: Inputs, known: Homed) -> tuple[Homed, dict[str, pl.Series]]:
    """The homes of payments that orders name, by payment, and of the rows that name them.

    A payment that several orders name is put to the first of them by id, as the matching does it.
    """
    payments, homes = [], []
    for rows in slices_of(inputs, "order_payments", {"pk": _payment(), "k": identity_hash()}):
        payments.append(rows["pk"])
        homes.append(rows.select(home=pl.coalesce(known.of_first(rows["k"]), "k").fill_null(0)).to_series())
    named = Homed.of(payments, homes)
    again = named.lookup.again
    if again.is_empty():
        return named, {"order_payments": named.homes}
    shared = again.select(pk=named.keys[again["first"]]).unique()
    first = (
        inputs.lazily("order_payments")
        .select("storefront", "order_ref", pk=_payment())
        .join(shared.lazy(), on="pk", how="semi")
        .group_by("pk")
        .agg(pl.col("storefront").first(), pl.col("order_ref").min())
        .select("pk", k=identity_hash())
        .collect(engine="streaming")
    )
    home = first.select(home=pl.coalesce(known.of_first(first["k"]), "k").fill_null(0)).to_series()
    every = named.homes.scatter(named.lookup.rows(first["pk"]), home)
    every = every.scatter(again["row"], every[again["first"]])
    return Homed(named.keys, every), {"order_payments": every}


def _payment() -> pl.Expr:
    return pl.col("storefront").hash(1) ^ pl.col("payment_ref").hash(6)


def _payments(inputs: Inputs, known: Homed, named: Homed) -> Iterator[pl.DataFrame]:
    """Home and references of all payments, slice by slice."""
    own = _payment() ^ pl.col("transaction_ref").hash(7)
    refs = {name: plain_hash(pl.col(name)) for name in _REFS}
    for rows in slices_of(inputs, "payments", {"k": identity_hash(), "pk": _payment(), "own": own, **refs}):
        # One that says itself whose it is is that order's, known or not.
        rows = rows.with_columns(whose=known.of_first(rows["k"]), by_name=named.of_first(rows["pk"]))
        told = pl.when(pl.col("k").is_null()).then("by_name").otherwise("whose")
        yield rows.select(*_REFS, home=pl.coalesce(told, "own").fill_null(0))


def _tender(inputs: Inputs, known: Homed) -> Iterator[pl.DataFrame]:
    """Home and references of tender that orders carry without a payment, slice by slice."""
    columns = {
        "k": identity_hash(), "gateway_ref": plain_hash(pl.col("gateway_ref")), "transaction_ref": plain_hash(pl.col("event_ref")),
        "payment_ref": plain_hash(pl.col("order_ref")),
    }  # fmt: skip
    alone = (pl.col("event_code") == "receipt") & pl.col("payment_ref").is_null()
    for rows in slices_of(inputs, "owed", columns, alone):
        home = pl.coalesce(known.of_first(rows["k"]).alias("home"), "k").fill_null(0)
        yield rows.select(*_REFS, home=home)


class _Claimed:
    """Receipts by their reference, and the first home that each was claimed for; what else claims one is tied to that."""

    def __init__(self, references: pl.Series) -> None:
        self._lookup = Lookup(references)
        self._homes = pl.Series("home", [_NONE], dtype=HOME).new_from_index(0, len(references))
        self._tied: list[pl.DataFrame] = [pl.DataFrame(schema={"home": HOME, "other": HOME})]

    def name(self, rows: pl.DataFrame) -> None:
        """Claim the receipts that refer to one of the references of money, for its home."""
        for ref in _REFS:
            found = self._lookup.rows(rows[ref])
            told = found.is_not_null().arg_true()
            self._claim(found[told], rows["home"][told])

    def _claim(self, at: pl.Series, home: pl.Series) -> None:
        if at.is_empty():
            return
        new = (self._homes[at] == _NONE).arg_true()
        self._homes = self._homes.scatter(at[new], home[new])
        claims = pl.DataFrame({"home": home, "other": self._homes[at]})
        self._tied.append(claims.filter(pl.col("home") != pl.col("other")).unique())

    def settled(self, names: pl.Series, ours: Homed) -> tuple[pl.Series, list[pl.DataFrame]]:
        """The home of every receipt, told by `names` where nothing claims it, with what we posted (`ours`) as a last claim; and homes that are one."""
        again = self._lookup.again
        self._homes = self._homes.scatter(again["row"], self._homes[again["first"]])
        if len(ours.homes):
            claims = ours.of_all(names)
            self._claim(claims["i"], claims["home"])
        told = pl.when(pl.col("home") != _NONE).then("home").otherwise("own").fill_null(0)
        home = pl.DataFrame({"home": self._homes, "own": names}).select(home=told).to_series()
        return home, self._tied
