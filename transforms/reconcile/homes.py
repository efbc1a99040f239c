"""Which rows belong together, before anybody looks at them closely: a home for every row, so that a comparison can be made in parts.

A home is a 64-bit number, that of an order: the hash of its number as it is compared (normalised), or of its identity where it has no
number. Whatever a pass of the matching could tie to an order carries that order's home: events, payments, waiting rows by identity;
documents by every number that their reference, their own number or their lines may hold; receipts by every reference of a payment;
applications by both their ends; the crosswalk and people's decisions by what they name. A row with several homes ties them, and tied
homes are one (connected components). So rows of different homes never meet in any pass but those that look across on purpose.

Two texts of one hash would only put two orders into one part, never tear one apart.

Homes are found slice by slice (see `lookup`): of all rows together only hashes and homes of orders, documents, payments, receipts and
applications are held. What belongs to these by name (events, lines, waiting rows) is told its home when it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import polars as pl

from transforms.abreast import abreast, at_once
from transforms.reconcile.decided import pairs, standing
from transforms.reconcile.hashes import HOME, customer_hash, identity_hash, ledger_hash, line_hash, own_hash
from transforms.reconcile.intake import Frame, Inputs, chosen
from transforms.reconcile.lookup import Homed, Lookup, joined, slices_of
from transforms.reconcile.money_homes import money
from transforms.reconcile.paper_homes import applications, documents
from transforms.reconcile.policy import Policy
from transforms.reconcile.references import smallest_labels

BY_IDENTITY: Final = ("owed", "excluded", "waiting", "order_lines", "crosswalk", "refund_outcomes")
Teller = Callable[[Frame, int], pl.Series]
"""The homes of rows of an input, given the rows and the number of the first of them."""


@dataclass(frozen=True)
class Homes:
    """`of`: the home of every row of an input, in the order of its rows. `customers`: (i, home): rows of `customer_ids` and whose they are.
    `labels`: (home, label) of homes that are tied to others, as `of` has them already."""

    of: Mapping[str, pl.Series]
    customers: pl.DataFrame
    labels: pl.DataFrame


def homes_of(inputs: Inputs, policy: Policy) -> Homes:
    """The home of every row; rows that nothing can be told of (a line of an unknown document) have one of their own."""
    tellers, labels = told_by(inputs, policy)
    names = list(tellers)
    found = abreast(lambda name: tellers.pop(name)(getattr(inputs, name), 0), names, 2)
    of = dict(zip(names, found, strict=True))
    return Homes(of, _customers(inputs, of["orders"]), labels)


def told_by(inputs: Inputs, policy: Policy) -> tuple[dict[str, Teller], pl.DataFrame]:
    """Who tells the home of rows, by input, and (home, label) of homes that are tied to others, which they have looked at already.

    What a teller holds is let go with it, and several hold the same: whoever asks slice by slice asks for one input after the other.
    """
    known, edges = _known(inputs)
    # What these look at is their own; together they keep both processors busy. Where rows are read slice by slice, each does so alone.
    (papers, own, tied), (receipts, more, also) = at_once(
        lambda: documents(inputs, policy, known),
        lambda: money(inputs, known),
        count=1 if isinstance(inputs.orders, pl.LazyFrame) else 2,
    )
    own |= more
    edges += [*tied, *also, papers.ties]
    if inputs.ar_applications is not None:
        own["ar_applications"], both = applications(inputs, papers, receipts or Homed.of([], []))
        edges += both
    keyed = {name: partial(_of_key, name, known, identity_hash()) for name in BY_IDENTITY}
    keyed["ar_lines"] = partial(_of_key, "ar_lines", papers, line_hash())
    found: dict[str, Teller] = {"orders": _of_orders}
    found |= {name: teller for name, teller in keyed.items() if getattr(inputs, name) is not None}
    edges += _by_hand(inputs, found, own, papers, receipts)
    found |= {name: partial(_of_row, home) for name, home in own.items()}
    labels = _labels(edges)
    label = Homed.of([labels["home"]], [labels["label"]])
    return {name: partial(_labelled, teller, label) for name, teller in found.items()}, labels


def _known(inputs: Inputs) -> tuple[Homed, list[pl.DataFrame]]:
    """The homes of orders by identity, those included that are owed for but missing among the orders; and homes that are one."""
    keys, homes = [], []
    for rows in slices_of(inputs, "orders", {"k": identity_hash(), "home": own_hash()}):
        keys.append(rows["k"])
        homes.append(rows["home"])
    known = Homed.of(keys, homes)
    del keys, homes
    lost = [pl.Series("k", [], HOME)]
    for rows in slices_of(inputs, "owed", {"k": identity_hash()}):
        lost.append(rows["k"].filter(~known.lookup.has(rows["k"])).unique())
    missing = pl.concat(lost).unique().drop_nulls()
    if len(missing):
        more = _lost(inputs, missing.to_frame())
        known = Homed.of([known.keys, more["k"]], [known.homes, more["home"]])
    return known, [known.ties]


def _lost(inputs: Inputs, missing: pl.DataFrame) -> pl.DataFrame:
    """(k, home) of orders that are owed for but missing among the orders: they get a row, and of their numbers the first (see `universe`)."""
    rows = inputs.lazily("owed").select("storefront", "order_ref", "order_number", k=identity_hash())
    numbered = (
        rows.join(missing.lazy(), on="k", how="semi")
        .group_by("k", "storefront", "order_ref")
        .agg(pl.col("order_number").min())
    )
    return numbered.select("k", home=own_hash()).collect(engine="streaming")


# --- who tells a home -------------------------------------------------------------------------------------------
def _of_orders(rows: Frame, at: int) -> pl.Series:
    return chosen(rows, "orders").select(home=own_hash()).collect(engine="streaming").to_series()


def _of_key(name: str, homes: Homed, key: pl.Expr, rows: Frame, at: int) -> pl.Series:
    """The home that stands by each row's key; the key itself where none does, zero where it has none."""
    keys = chosen(rows, name).select(k=key).collect(engine="streaming")
    found = homes.of_first(keys["k"]).alias("home")
    return keys.select(pl.coalesce(found, "k").fill_null(0)).to_series()


def _of_row(homes: pl.Series, rows: Frame, at: int) -> pl.Series:
    return homes.slice(at, rows.height) if isinstance(rows, pl.DataFrame) else homes.slice(at)


def _labelled(teller: Teller, labels: Homed, rows: Frame, at: int) -> pl.Series:
    homes = teller(rows, at)
    if labels.homes.is_empty():
        return homes
    label = labels.of_first(homes).alias("label")
    return homes.to_frame("home").select(home=pl.coalesce(label, "home")).to_series()


# --- homes that are one -----------------------------------------------------------------------------------------
def names_by_hand() -> dict[str, dict[str, pl.Expr]]:
    """By tie-out and input: the group that a decision names a row by."""
    text = pl.concat_str("storefront", pl.lit(":"), "order_ref")
    payment = pl.concat_str("storefront", pl.lit(":"), "payment_ref", pl.lit(":"), "transaction_ref")
    tender = pl.concat_str("storefront", pl.lit(":"), "order_ref", pl.lit(":"), "event_ref")
    return {"orders": {"orders": text, "owed": text}, "payments": {"payments": payment, "owed": tender}}


def _by_hand(
    inputs: Inputs,
    tellers: Mapping[str, Teller],
    own: Mapping[str, pl.Series],
    papers: Homed,
    receipts: Homed | None,
) -> list[pl.DataFrame]:
    """What people matched or took apart: the order's or payment's home and the ledger row's are one."""
    edges = []
    for tie_out, names in names_by_hand().items():
        ledger = papers if tie_out == "orders" else receipts
        said = pl.concat(pairs(standing(inputs, tie_out), kind) for kind in ("match", "unmatch"))
        if said.is_empty() or ledger is None:
            continue
        said = said.select("group_ref", name=ledger_hash())
        for table, name in names.items():
            if getattr(inputs, table) is None:
                continue
            rows = inputs.lazily(table).with_row_index("i").with_columns(group_ref=name)
            meant = rows.join(said.lazy(), on="group_ref").collect(engine="streaming")
            home = own[table][meant["i"]] if table in own else tellers[table](meant, 0)
            ends = meant.select(home=home, other=ledger.of_first(meant["name"]))
            edges.append(ends.drop_nulls())
    return edges


def _labels(edges: list[pl.DataFrame]) -> pl.DataFrame:
    """(home, label) of homes that are tied to others: the smallest home of their component."""
    found = pl.concat([edge.select("home", "other") for edge in edges]).filter(
        pl.col("home") != pl.col("other")
    )
    if found.is_empty():
        return pl.DataFrame(schema={"home": HOME, "label": HOME})
    found = found.unique().with_row_index("edge")
    both = pl.concat([found.select("edge", "home"), found.select("edge", home="other")])
    return smallest_labels(both, "edge", "home")


# --- customers --------------------------------------------------------------------------------------------------
def _customers(inputs: Inputs, home: pl.Series) -> pl.DataFrame:
    """Which rows of `customer_ids` each home may need. One too many does no harm."""
    bought = (
        inputs.lazily("orders").select(c=customer_hash()).collect(engine="streaming").with_columns(home=home)
    )
    rows = (
        inputs.lazily("customer_ids")
        .select(c=customer_hash())
        .collect(engine="streaming")
        .with_row_index("i")
    )
    return rows.join(bought, on="c").select("i", "home")


class Shoppers:
    """Which parts need which rows of `customer_ids`: those of the customers of their orders, for rows that are read slice by slice."""

    def __init__(self, inputs: Inputs, count: int) -> None:
        keys = [rows["c"] for rows in slices_of(inputs, "customer_ids", {"c": customer_hash()})]
        self._lookup = Lookup(joined(keys))
        self._count = count
        self._needed: list[pl.Series] = [pl.Series("needed", [], pl.UInt64)]

    def bought(self, orders: pl.DataFrame, place: pl.Series) -> None:
        """Orders and the parts they are in."""
        whose = chosen(orders, "orders").select(c=customer_hash()).collect()["c"]
        found = pl.DataFrame({"first": self._lookup.rows(whose), "place": place}).drop_nulls()
        needed = found.select(needed=pl.col("first").cast(pl.UInt64) * self._count + pl.col("place"))
        self._needed.append(needed.to_series().unique())

    def placed(self, slices: Iterable[pl.DataFrame]) -> Iterator[tuple[pl.DataFrame, pl.Series]]:
        """Rows of `customer_ids`, in their order, and the part of each; a row that several parts need comes with each of them."""
        needed = pl.concat(self._needed).sort()
        self._needed.clear()
        again, at = self._lookup.again, 0
        for rows in slices:
            ends = (at * self._count, (at + rows.height) * self._count)
            first, last = (int(needed.search_sorted(end)) for end in ends)
            mine = needed.slice(first, last - first).unique(maintain_order=True).to_frame()
            pieces = [
                mine.select(i=pl.col("needed") // self._count - at, place=pl.col("needed") % self._count)
            ]
            others = again.filter(pl.col("row").is_between(at, at + rows.height, closed="left"))
            if others.height:
                # Rows of a customer whose first row was before.
                whose = (
                    needed.filter((needed // self._count).is_in(others["first"].implode()))
                    .unique()
                    .to_frame()
                )
                whose = whose.select(
                    first=(pl.col("needed") // self._count).cast(pl.UInt32),
                    place=pl.col("needed") % self._count,
                )
                pieces.append(
                    others.join(whose, on="first").select(i=pl.col("row").cast(pl.UInt64) - at, place="place")
                )
            every = pl.concat(pieces).sort("i", "place")
            yield rows[every["i"]], every["place"].cast(pl.UInt16)
            at += rows.height
