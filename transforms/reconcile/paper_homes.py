"""Homes of what the ledger holds against orders: documents by the numbers they may hold, and applications by both their ends."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import polars as pl

from transforms.abreast import at_once
from transforms.reconcile.hashes import HOME, back_hash, identity_hash, line_hash, name_hash, plain_hash
from transforms.reconcile.intake import Inputs
from transforms.reconcile.lookup import Homed, Lookup, joined, slices_of
from transforms.reconcile.numbered import looked_up
from transforms.reconcile.policy import Policy
from transforms.reconcile.references import SPLIT, bare_number, pieces
from transforms.reconcile.universe import KIND_OF_CROSSWALK, prefixes_of

CLAIM: Final = {"i": pl.UInt32, "home": HOME}
EDGE: Final = {"home": HOME, "other": HOME}
_LEDGER: Final = (("ar_invoices", "invoice"), ("ar_adjustments", "adjustment"))
_ENDS: Final = {
    "invoice": ("invoice", "invoice_ref"),
    "adjustment": ("adjustment", "adjustment_ref"),
    "debit": ("adjustment", "debit_ref"),
    "receipt": ("receipt", "receipt_ref"),
}


def documents(
    inputs: Inputs, policy: Policy, known: Homed
) -> tuple[Homed, dict[str, pl.Series], list[pl.DataFrame]]:
    """The home of every document by its name; the homes of the rows of both tables; homes that are one, but for those of one name."""
    prefixes, numbers = [*prefixes_of(inputs), *policy.credit_prefixes], Lookup(known.homes)
    given = [(table, kind) for table, kind in _LEDGER if getattr(inputs, table) is not None]
    find = partial(_papers, inputs, policy, known, numbers, prefixes)
    count = 1 if isinstance(inputs.orders, pl.LazyFrame) else 2
    found = at_once(*(partial(find, *one) for one in given), count=count)
    named = Homed.of([names for names, _, _ in found], [homes for _, homes, _ in found])
    own, at = {}, 0
    for (table, _), (names, _, _) in zip(given, found, strict=True):
        own[table] = named.homes.slice(at, len(names))
        at += len(names)
    return named, own, [tied for _, _, tied in found]


def _papers(
    inputs: Inputs,
    policy: Policy,
    known: Homed,
    numbers: Lookup,
    prefixes: Sequence[str],
    table: str,
    kind: str,
) -> tuple[pl.Series, pl.Series, pl.DataFrame]:
    """Names and homes of the rows of one table of documents, in their order, and homes that are one."""
    ours = confirmed(inputs, known, kind, [word for word, of in KIND_OF_CROSSWALK.items() if of == kind])
    text = pl.col("reference")
    if policy.order_number_pattern is None:
        # A text without a separator is one number, and known as such.
        text = pl.when(text.str.contains(SPLIT)).then(text)
    columns = {
        "name": name_hash(kind, f"{kind}_ref"), "by_number": name_hash(kind, f"{kind}_number"), "said": plain_hash(pl.col("reference")),
        "bare": plain_hash(pl.col("bare")), "text": text,
    }  # fmt: skip
    if kind == "adjustment" and policy.credit_repeats:
        columns["back"] = back_hash()
    names, homes, tied, left, at = [], [], [], [pl.DataFrame(schema={"i": pl.UInt32, "name": HOME})], 0
    numbered, backs = [], [pl.DataFrame(schema={"i": pl.UInt32, "back": HOME})]
    for rows in slices_of(inputs, table, columns, first={"bare": bare_number(f"{kind}_number", prefixes)}):
        # Nearly every document is told by these two; what else may name it is little.
        plain = {one: numbers.has(rows[one]) for one in ("said", "bare")}
        rows = rows.with_columns(pl.when(plain[one]).then(one).alias(one) for one in plain).with_row_index(
            "i"
        )
        claims = [
            _numbers_in(rows.select("i", "text"), "text", policy, numbers),
            *(ours.of_all(rows[one]).select("i", "home") for one in ("name", "by_number")),
        ]
        home, more = settled(rows.select("i", "said", "bare", own="name"), claims)
        unclaimed = rows.filter(pl.col("said").is_null() & pl.col("bare").is_null()).select("i", "name")
        unclaimed = unclaimed.join(pl.concat(one.select("i") for one in claims), on="i", how="anti")
        left.append(unclaimed.with_columns(pl.col("i") + at))
        if "back" in columns:
            numbered.append(rows["by_number"])
            backs.append(rows.select(pl.col("i") + at, "back").drop_nulls("back"))
        names.append(rows["name"])
        homes.append(home)
        tied.append(more)
        at += rows.height
    home, more = _lined(inputs, pl.concat(left), joined(homes), policy, numbers)
    back = _taking_back(pl.concat(backs), (joined(names), joined(numbered)), home)
    return joined(names), home, pl.concat([*tied, more, back])


def _taking_back(backs: pl.DataFrame, named: tuple[pl.Series, pl.Series], homes: pl.Series) -> pl.DataFrame:
    """(home, other): of debit memos (i, back) and of every adjustment that their reference may name, by key or number."""
    if backs.is_empty():
        return pl.DataFrame(schema=EDGE)
    wanted = backs["back"].unique().implode()
    found = pl.concat(
        pl.DataFrame({"back": names, "other": homes}).filter(pl.col("back").is_in(wanted)) for names in named
    )
    edges = backs.select("back", home=homes[backs["i"]]).join(found, on="back")
    return edges.select("home", "other").filter(pl.col("home") != pl.col("other"))


def _numbers_in(rows: pl.DataFrame, text: str, policy: Policy, numbers: Lookup) -> pl.DataFrame:
    """(i, home) of every order's number that a free text may hold."""
    rows = rows.drop_nulls(text)
    if rows.is_empty():
        return pl.DataFrame(schema=CLAIM)
    found = pieces(rows, "i", text, policy.order_number_pattern).select("i", home=pl.col("piece").hash(3))
    return found.filter(numbers.has(found["home"]))


def confirmed(inputs: Inputs, known: Homed, kind: str, words: Sequence[str]) -> Homed:
    """The homes of our documents of a kind that Intacct confirmed, by the ledger row's name. One document may be of several orders."""
    names, homes = [], []
    ours = pl.col("kind_code").is_in(list(words))
    for rows in slices_of(
        inputs, "crosswalk", {"name": name_hash(kind, "intacct_key"), "k": identity_hash()}, ours
    ):
        home = known.of_first(rows["k"])
        told = (home.is_not_null() & rows["name"].is_not_null()).arg_true()
        names.append(rows["name"][told])
        homes.append(home[told])
    return Homed.of(names, homes)


def _lined(
    inputs: Inputs, left: pl.DataFrame, homes: pl.Series, policy: Policy, numbers: Lookup
) -> tuple[pl.Series, pl.DataFrame]:
    """The homes, those of documents told that nothing else names (i, name) and whose lines may name orders; and the homes that these tie."""
    if left.is_empty() or inputs.ar_lines is None or "memo" not in inputs.ar_lines.collect_schema():
        return homes, pl.DataFrame(schema=EDGE)
    lines = (
        inputs.ar_lines.lazy()
        .filter(pl.col("amount_minor") != 0)
        .select("memo", name=line_hash())
        .join(left.lazy(), on="name")
        .select("i", "memo")
        .collect(engine="streaming")
    )
    claims = _numbers_in(lines, "memo", policy, numbers)
    first = claims.unique("i", keep="first", maintain_order=True)
    homes = homes.scatter(first["i"], first["home"])
    tied = claims.select("home", other=homes[claims["i"]])
    return homes, tied.filter(pl.col("home") != pl.col("other"))


def settled(rows: pl.DataFrame, claims: Sequence[pl.DataFrame]) -> tuple[pl.Series, pl.DataFrame]:
    """The home of each row `i` (`said`, else `bare`, else its first claim, else `own`), and the homes that a row with several ties."""
    told = pl.coalesce("said", "bare")
    tied = [rows.filter(pl.col("said") != pl.col("bare")).select(home="said", other="bare")]
    every = pl.concat(claims)
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


def applications(inputs: Inputs, papers: Homed, receipts: Homed) -> tuple[pl.Series, list[pl.DataFrame]]:
    """The home of every application's row, and the homes it ties: of what it takes from and what it pays."""
    homes, tied = [], []
    for rows in slices_of(inputs, "ar_applications", {end: name_hash(*of) for end, of in _ENDS.items()}):
        for kind in _ENDS:
            named = receipts if kind == "receipt" else papers
            rows = rows.with_columns(pl.coalesce(named.of_first(rows[kind]).alias(kind), kind))
        rows = rows.with_columns(home=pl.coalesce(*_ENDS).fill_null(0))
        tied += [rows.select("home", other=kind).filter(pl.col("home") != pl.col("other")) for kind in _ENDS]
        homes.append(rows["home"])
    return joined(homes), tied
