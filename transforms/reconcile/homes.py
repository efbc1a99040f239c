"""Which rows belong together, before anybody looks at them closely: a home for every row, so that a comparison can be made in parts.

A home is a 64-bit number, that of an order: the hash of its number as it is compared (normalised), or of its identity where it has no
number. Whatever a pass of the matching could tie to an order carries that order's home: events, payments, waiting rows by identity;
documents by every number that their reference, their own number or their lines may hold; receipts by every reference of a payment;
applications by both their ends; the crosswalk and people's decisions by what they name. A row with several homes ties them, and tied
homes are one (connected components). So rows of different homes never meet in any pass but those that look across on purpose.

Two texts of one hash would only put two orders into one part, never tear one apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import polars as pl

from transforms.abreast import at_once
from transforms.reconcile.decided import pairs, standing
from transforms.reconcile.intake import Inputs
from transforms.reconcile.numbered import looked_up, row_of
from transforms.reconcile.policy import Policy
from transforms.reconcile.references import SPLIT, bare_number, normalised, pieces, smallest_labels
from transforms.reconcile.universe import KIND_OF_CROSSWALK, prefixes_of

HOME = pl.UInt64
_CLAIM = {"i": pl.UInt32, "home": HOME}
_EDGE = {"home": HOME, "other": HOME}
_REFS = ("gateway_ref", "transaction_ref", "payment_ref")
_LEDGER = (("ar_invoices", "invoice"), ("ar_adjustments", "adjustment"))


@dataclass(frozen=True)
class Homes:
    """`of`: the home of every row of an input, in the order of its rows. `customers`: (i, home): rows of `customer_ids` and whose they are.
    `labels`: (home, label) of homes that are tied to others, as `of` has them already."""

    of: Mapping[str, pl.Series]
    customers: pl.DataFrame
    labels: pl.DataFrame


def homes_of(inputs: Inputs, policy: Policy) -> Homes:
    """The home of every row; rows that nothing can be told of (a line of an unknown document) have one of their own."""
    own = inputs.lazily("orders").select(k=identity_hash(), home=own_hash()).collect(engine="streaming")
    owing = inputs.lazily("owed").select(k=identity_hash()).collect(engine="streaming")
    every = pl.concat([own, _lost(inputs, own, owing)]).drop_nulls("k")
    known, twice = _first(every, "k")
    # What these look at is their own; together they keep both processors busy.
    owed, (named, documents, edges), (money, more) = at_once(
        lambda: _looked_up(owing, known),
        lambda: _documents(inputs, policy, known, every.select("home").unique()),
        lambda: _payments(inputs, known),
    )
    found = {"orders": own["home"], "owed": owed}
    for name in ("excluded", "waiting", "order_lines", "crosswalk"):
        if getattr(inputs, name) is not None:
            found[name] = _looked_up(
                inputs.lazily(name).select(k=identity_hash()).collect(engine="streaming"), known
            )
    found |= documents | more
    edges.append(twice)
    receipts = pl.DataFrame(schema={"name": HOME, "home": HOME})
    if inputs.ar_receipts is not None:
        found["ar_receipts"], receipts, tied = _receipts(inputs, money, known)
        edges.append(tied)
    if inputs.ar_applications is not None:
        found["ar_applications"], both = _applications(inputs, named, receipts)
        edges += both
    edges += _by_hand(inputs, found, named, receipts)
    labels = _labels(edges)
    # Homes of all rows are the largest thing here; each is let go as soon as it is relabelled.
    joined = {name: _relabelled(found.pop(name), labels) for name in list(found)}
    return Homes(joined, _customers(inputs, joined["orders"]), labels)


# --- hashes -----------------------------------------------------------------------------------------------------
def identity_hash() -> pl.Expr:
    """An order's identity as one number; null without an order id."""
    both = pl.col("storefront").hash(1) ^ pl.col("order_ref").hash(2)
    return pl.when(pl.col("order_ref").is_not_null()).then(both)


def plain_hash(text: pl.Expr) -> pl.Expr:
    """A text as it is compared; equal for texts that are equal as they stand or normalised; null for null."""
    return pl.when(text.is_not_null()).then(pl.coalesce(normalised(text), text).hash(3))


def name_hash(kind: str, ref: str) -> pl.Expr:
    """A ledger row by its kind and its key or number."""
    word = pl.lit(pl.Series([kind]).hash(5).item(), dtype=HOME)
    return pl.when(pl.col(ref).is_not_null()).then(pl.col(ref).hash(4) ^ word)


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


def _looked_up(rows: pl.DataFrame, known: pl.DataFrame) -> pl.Series:
    """The home of each row by its identity `k`; the identity itself where no order has it, zero where it has none."""
    home = known["home"].gather(row_of(known["k"], rows["k"]))
    return rows.select(home=pl.coalesce(home, "k").fill_null(0)).to_series()


def _first(rows: pl.DataFrame, key: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The first row of each key, and the homes that rows of one key tie."""
    rows = rows.rechunk()  # rows of it are picked later on
    twice = rows.get_column(key).is_duplicated()
    if not twice.any():
        return rows, pl.DataFrame(schema=_EDGE)
    first = rows.unique(key, keep="first", maintain_order=True)
    return first, rows.filter(twice).select("home", other=pl.col("home").min().over(key))


# --- orders and documents ---------------------------------------------------------------------------------------
def own_hash() -> pl.Expr:
    """The home of an order by itself: that of its number, or its identity where it has no number."""
    number = pl.col("order_number")
    return pl.when(number.is_not_null() & (number != "")).then(plain_hash(number)).otherwise(identity_hash())


def _lost(inputs: Inputs, own: pl.DataFrame, owing: pl.DataFrame) -> pl.DataFrame:
    """(k, home) of orders that are owed for but missing among the orders: they get a row, and of their numbers the first (see `universe`)."""
    lost = owing.join(own.select("k"), on="k", how="anti").unique()
    if lost.is_empty():
        return own.clear()
    rows = inputs.lazily("owed").select("storefront", "order_ref", "order_number", k=identity_hash())
    numbered = (
        rows.join(lost.lazy(), on="k", how="semi")
        .group_by("k", "storefront", "order_ref")
        .agg(pl.col("order_number").min())
    )
    return numbered.select("k", home=own_hash()).collect()


def _documents(
    inputs: Inputs, policy: Policy, known: pl.DataFrame, homes: pl.DataFrame
) -> tuple[pl.DataFrame, dict[str, pl.Series], list[pl.DataFrame]]:
    """(name, home) of every document; the homes of documents' and lines' rows; homes that are one. `homes`: those of all orders' numbers."""
    prefixes = [*prefixes_of(inputs), *policy.credit_prefixes]
    given = [(table, kind) for table, kind in _LEDGER if getattr(inputs, table) is not None]

    def lines() -> pl.DataFrame:
        return inputs.lazily("ar_lines").select(k=line_hash()).collect(engine="streaming")

    said, *papers = at_once(
        lines, *(partial(_papers, inputs, policy, known, homes, *one, prefixes) for one in given)
    )
    named, found, edges = [pl.DataFrame(schema={"name": HOME, "home": HOME})], {}, []
    for (table, _), (rows, tied) in zip(given, papers, strict=True):
        named.append(rows)
        found[table] = rows["home"]
        edges.append(tied)
    every, twice = _first(pl.concat(named), "name")
    if inputs.ar_lines is not None:
        found["ar_lines"] = _looked_up(said, every.rename({"name": "k"}))
    return every, found, [*edges, twice]


def _papers(
    inputs: Inputs,
    policy: Policy,
    known: pl.DataFrame,
    homes: pl.DataFrame,
    table: str,
    kind: str,
    prefixes: Sequence[str],
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(name, home) of every row of one table of documents, in their order, and homes that are one."""
    number, numbers = f"{kind}_number", homes["home"].implode()
    rows = (
        inputs.lazily(table)
        .select(
            name=name_hash(kind, f"{kind}_ref"), by_number=name_hash(kind, number), said=plain_hash(pl.col("reference")),
            bare=plain_hash(bare_number(number, prefixes)),
        )
        .collect(engine="streaming")
        .with_row_index("i")
    )  # fmt: skip
    # Nearly every document is told by these two; what else may name it is little.
    plain = {one: rows[one].is_in(numbers).fill_null(False) for one in ("said", "bare")}
    rows = rows.with_columns(pl.when(plain[one]).then(one).alias(one) for one in plain)
    claims = [
        _pieces(inputs.lazily(table).select("reference").with_row_index("i"), "reference", policy, homes),
        _posted(inputs, rows, kind, known),
    ]  # fmt: skip
    claims.append(_lined(inputs, rows, claims, policy, homes))
    home, tied = _settled(rows.select("i", "said", "bare", own="name"), claims)
    return rows.select("name").with_columns(home=home), tied


def _pieces(lazy: pl.LazyFrame, text: str, policy: Policy, homes: pl.DataFrame) -> pl.DataFrame:
    """(i, home) of every number that a free text may hold; a text without a separator is one number, and known as such."""
    if policy.order_number_pattern is None:
        lazy = lazy.filter(pl.col(text).str.contains(SPLIT))
    rows = lazy.collect(engine="streaming")
    if rows.is_empty():
        return pl.DataFrame(schema=_CLAIM)
    found = pieces(rows, "i", text, policy.order_number_pattern)
    return found.select("i", home=pl.col("piece").hash(3)).join(homes, on="home", how="semi")


def _posted(inputs: Inputs, rows: pl.DataFrame, kind: str, known: pl.DataFrame) -> pl.DataFrame:
    """(i, home) of what the crosswalk knows, by key or by number."""
    ours = _confirmed(inputs, known, kind, [word for word, of in KIND_OF_CROSSWALK.items() if of == kind])
    return pl.concat(
        rows.select("i", name=column).drop_nulls().join(ours, on="name").select("i", "home")
        for column in ("name", "by_number")
    ).unique()


def _confirmed(inputs: Inputs, known: pl.DataFrame, kind: str, words: Sequence[str]) -> pl.DataFrame:
    """(name, home) of our documents of a kind that Intacct confirmed."""
    rows = (
        inputs.lazily("crosswalk")
        .filter(pl.col("kind_code").is_in(list(words)))
        .select(name=name_hash(kind, "intacct_key"), k=identity_hash())
        .collect()
    )
    return rows.drop_nulls().join(known, on="k").select("name", "home").unique()


def _lined(
    inputs: Inputs, rows: pl.DataFrame, claims: list[pl.DataFrame], policy: Policy, homes: pl.DataFrame
) -> pl.DataFrame:
    """(i, home) of documents that nothing else names and whose lines may name orders."""
    if inputs.ar_lines is None or "memo" not in inputs.ar_lines.collect_schema():
        return pl.DataFrame(schema=_CLAIM)
    left = rows.filter(pl.col("said").is_null() & pl.col("bare").is_null()).select("i", "name")
    left = left.join(pl.concat(one.select("i") for one in claims), on="i", how="anti")
    lines = (
        inputs.ar_lines.lazy()
        .filter(pl.col("amount_minor") != 0)
        .select("memo", name=line_hash())
        .join(left.lazy(), on="name")
        .select("i", "memo")
        .collect(engine="streaming")
        .drop_nulls()
    )
    found = pieces(lines, "i", "memo", policy.order_number_pattern)
    return found.select("i", home=pl.col("piece").hash(3)).join(homes, on="home", how="semi")


def _settled(rows: pl.DataFrame, claims: list[pl.DataFrame]) -> tuple[pl.Series, pl.DataFrame]:
    """The home of each row `i` (`said`, else `bare`, else its first claim, else `own`), and the homes that a row with several ties."""
    told = pl.coalesce("said", "bare")
    tied = [rows.filter(pl.col("said") != pl.col("bare")).select(home="said", other="bare")]
    every = pl.concat([claim.select("i", "home") for claim in claims])
    if every.height:
        first = every.unique("i", keep="first", maintain_order=True)
        rows = looked_up(rows, first, "i")
        told = pl.coalesce(told, "home")
        tied.append(
            every.join(rows.select("i", other=told), on="i")
            .filter(pl.col("home") != pl.col("other"))
            .drop("i")
        )
    home = rows.select(home=pl.coalesce(told, "own").fill_null(0)).to_series()
    return home, pl.concat(tied)


# --- money ------------------------------------------------------------------------------------------------------
def _payments(inputs: Inputs, known: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, pl.Series]]:
    """Home and references of all payments and of tender that orders carry without one; the homes of the rows of both inputs."""
    found: dict[str, pl.Series] = {}
    payment = pl.col("storefront").hash(1) ^ pl.col("payment_ref").hash(6)
    named = inputs.lazily("order_payments").select("storefront", "order_ref", pk=payment).collect()
    # A payment that several orders name is put to the first of them by id, as the matching does it.
    first = named.group_by("pk").agg(pl.col("storefront").first(), pl.col("order_ref").min())
    first = first.select("pk", k=identity_hash())
    first = first.select("pk", named=_looked_up(first.select("k"), known))
    if inputs.order_payments is not None:
        rows = looked_up(named.select("pk"), first, "pk")
        found["order_payments"] = rows.select(home=pl.coalesce("named", "pk").fill_null(0)).to_series()
    refs = {name: plain_hash(pl.col(name)) for name in _REFS}
    own = payment ^ pl.col("transaction_ref").hash(7)
    moved = (
        inputs.lazily("payments")
        .select(k=identity_hash(), pk=payment, own=own, **refs)
        .collect(engine="streaming")
    )
    # One that says itself whose it is is that order's, known or not.
    whose = known["home"].gather(row_of(known["k"], moved["k"]))
    by_name = first["named"].gather(row_of(first["pk"], moved["pk"]))
    moved = moved.with_columns(whose=whose, by_name=by_name)
    told = pl.when(pl.col("k").is_null()).then("by_name").otherwise("whose")
    moved = moved.with_columns(home=pl.coalesce(told, "own").fill_null(0))
    if inputs.payments is not None:
        found["payments"] = moved["home"]
    tender = (
        inputs.lazily("owed")
        .filter((pl.col("event_code") == "receipt") & pl.col("payment_ref").is_null())
        .select(
            k=identity_hash(), gateway_ref=refs["gateway_ref"], transaction_ref=plain_hash(pl.col("event_ref")), payment_ref=plain_hash(pl.col("order_ref")),
        )
        .collect(engine="streaming")
    )  # fmt: skip
    tender = tender.with_columns(home=_looked_up(tender.select("k"), known))
    return pl.concat([moved.select("home", *_REFS), tender.select("home", *_REFS)]), found


def _receipts(
    inputs: Inputs, money: pl.DataFrame, known: pl.DataFrame
) -> tuple[pl.Series, pl.DataFrame, pl.DataFrame]:
    """The home of every receipt's row, (name, home), and the homes that receipts with several references tie."""
    said = pl.when(pl.col("reference").str.strip_chars() != "").then(pl.col("reference"))
    rows = (
        inputs.lazily("ar_receipts")
        .select(name=name_hash("receipt", "receipt_ref"), said=plain_hash(said))
        .collect(engine="streaming")
        .with_row_index("i")
    )
    told = rows.select("i", "said").drop_nulls()
    claims = [told.join(money.select("home", said=column), on="said").select("i", "home") for column in _REFS]
    ours = _confirmed(inputs, known, "receipt", ["receipt"])
    claims.append(rows.select("i", "name").join(ours, on="name").select("i", "home"))
    none = pl.lit(None, HOME)
    home, tied = _settled(rows.select("i", own="name", said=none, bare=none), claims)
    named, twice = _first(rows.select("name").with_columns(home=home), "name")
    return home, named, pl.concat([tied, twice])


def _applications(
    inputs: Inputs, documents: pl.DataFrame, receipts: pl.DataFrame
) -> tuple[pl.Series, list[pl.DataFrame]]:
    """An application ties what it takes from and what it pays."""
    ends = {"invoice": "invoice_ref", "adjustment": "adjustment_ref", "receipt": "receipt_ref"}
    rows = (
        inputs.lazily("ar_applications")
        .select(**{kind: name_hash(kind, ref) for kind, ref in ends.items()})
        .collect(engine="streaming")
    )
    for kind in ends:
        named = receipts if kind == "receipt" else documents
        home = named["home"].gather(row_of(named["name"], rows[kind]))
        rows = rows.with_columns(pl.coalesce(home, kind).alias(kind))
    rows = rows.with_columns(home=pl.coalesce(*ends).fill_null(0))
    tied = [rows.select("home", other=kind).filter(pl.col("home") != pl.col("other")) for kind in ends]
    return rows["home"], tied


def _by_hand(
    inputs: Inputs, found: Mapping[str, pl.Series], documents: pl.DataFrame, receipts: pl.DataFrame
) -> list[pl.DataFrame]:
    """What people matched or took apart: the order's or payment's home and the ledger row's are one."""
    edges = []
    for tie_out, names in names_by_hand().items():
        ledger = documents if tie_out == "orders" else receipts
        decisions = standing(inputs, tie_out)
        said = pl.concat(pairs(decisions, kind) for kind in ("match", "unmatch"))
        if said.is_empty():
            continue
        said = said.with_columns(name=ledger_hash())
        groups = [
            inputs.lazily(table).select(group_ref=name).collect().with_columns(home=found[table])
            for table, name in names.items()
            if table in found
        ]
        ends = pl.concat(groups).join(said, on="group_ref").select("home", "name")
        edges.append(ends.join(ledger.rename({"home": "other"}), on="name").select("home", "other"))
    return edges


def _customers(inputs: Inputs, home: pl.Series) -> pl.DataFrame:
    """Which rows of `customer_ids` each home may need. One too many does no harm."""
    whose = pl.col("storefront").hash(1) ^ pl.col("customer_ref").hash(8)
    bought = inputs.lazily("orders").select(c=whose).collect(engine="streaming").with_columns(home=home)
    rows = inputs.lazily("customer_ids").select(c=whose).collect(engine="streaming").with_row_index("i")
    return rows.join(bought, on="c").select("i", "home")


# --- homes that are one -----------------------------------------------------------------------------------------
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


def _relabelled(column: pl.Series, labels: pl.DataFrame) -> pl.Series:
    if labels.is_empty():
        return column
    found = looked_up(column.to_frame("home"), labels, "home")
    return found.select(home=pl.coalesce("label", "home")).to_series()
