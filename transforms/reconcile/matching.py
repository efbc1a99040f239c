"""Tie-out 1, who belongs to whom: orders and the invoices and credit memos that are theirs.

Passes in order, each leaving its evidence; a later pass sees only what the earlier ones left:

1. our crosswalk: what this tool posted;
2. the document's reference, then its own number without prefix and suffix, as they stand and then normalised;
3. several numbers in one reference, or a summary each of whose lines names one order: one document for many orders; with many
   documents, N:M groups;
4. debit memos go where the credit memo goes that they take back (in `taken_back`);
5. what people matched and unmatched by hand (in `decided`) overrules all of that;
6. proposals (in `proposals`): never accepted by themselves.

A number that several orders carry is narrowed by store prefix, currency and customer. What is still not unique is `ambiguous`: the
candidates are put in one group and listed, and nobody guesses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from transforms.reconcile import taken_back
from transforms.reconcile.decided import BY_HAND, overruled, pairs, standing
from transforms.reconcile.intake import Inputs
from transforms.reconcile.numbered import among, by_place, left_over, looked_up, pairs_of, repeated
from transforms.reconcile.policy import Policy
from transforms.reconcile.references import bare_number, narrowed, normalised, pieces, smallest_labels
from transforms.reconcile.universe import (
    KIND_OF_CROSSWALK,
    Keys,
    crosswalk_of,
    documents_of,
    orders_of,
    prefixes_of,
)

EDGE = {"d": pl.UInt32, "g": pl.UInt32, "pass_no": pl.UInt8, "how": pl.UInt8, "is_ambiguous": pl.Boolean}
HOW = (
    "no counterpart",
    "posted by this tool (crosswalk)",
    "its reference is the order number",
    "its number is the order number with the store's prefix",
    "its reference is the order number once both are normalised",
    "its number is the order number once both are normalised",
    "its reference names several orders",
    "several orders carry this number and nothing tells them apart",
    "its number and its reference name different orders",
    "a person matched it",
    "each of its lines names an order",
    "its reference names the credit memo it takes back",
)
_TAKES_BACK = 11
"""What made a document match, by code; the wording of `recon.matches.evidence`."""


@dataclass(frozen=True)
class Matched:
    """Orders numbered `g` with the group they belong to (`grp`); documents with theirs, or null; who is in scope; the edges.

    `owed_at`: the position in `orders` of the order of each row of `owed`, of a part; of several parts together it is empty.
    """

    orders: pl.DataFrame
    documents: pl.DataFrame
    edges: pl.DataFrame
    ambiguous: pl.DataFrame
    keys: Keys
    owed_at: pl.Series


def match(inputs: Inputs, policy: Policy) -> Matched:
    """Find the group of every order and of every document in scope that stands."""
    orders, keys, owed_at = orders_of(inputs, policy)
    documents = documents_of(inputs, policy)
    own = _by_crosswalk(inputs, orders, documents, keys)
    documents = documents.with_columns(in_scope=pl.col("by_rule") | among(own["d"], documents.height))
    rest = left_over(documents.filter(pl.col("in_scope")), own, "d")
    edges = pl.concat([own, _by_numbers(rest, orders, policy, prefixes_of(inputs))])
    edges = pl.concat([edges, _by_lines(inputs, left_over(rest, edges, "d"), orders, policy)], rechunk=True)
    takes = taken_back.takes_of(documents, policy)
    if takes.height:
        documents = documents.with_columns(in_scope=pl.col("in_scope") | among(takes["d"], documents.height))
        edges = taken_back.with_edges(edges, takes, _TAKES_BACK)
    edges, documents = _by_hand(inputs, edges, orders, documents)
    counted = edges.filter(documents["is_counted"][edges["d"]])
    orders, groups = _grouped(orders, counted)
    first = by_place(
        edges.select("g", "pass_no", "how"),
        edges["d"],
        documents.height,
        pl.col("g").min(),
        pl.col("pass_no", "how").max(),
    )
    # Documents stand in the order of their numbers.
    documents = looked_up(documents.hstack(first), groups, "g").with_columns(
        grp=pl.coalesce("grp", "g"), pass_no=pl.col("pass_no").fill_null(0), how=pl.col("how").fill_null(0)
    )
    doubtful = counted.filter("is_ambiguous").join(orders.select("g", "grp"), on="g")
    ambiguous = doubtful.group_by("grp").agg(
        pl.col("d").unique().sort(), pl.col("g").unique().sort(), pl.col("how").max()
    )
    documents = _orphans_numbered(documents, orders.height, taken_back.homeless(documents, takes))
    documents = taken_back.joined(documents, takes, _TAKES_BACK)
    return Matched(orders, documents, edges, ambiguous, keys, owed_at)


def of_orders(rows: pl.DataFrame, matched: Matched) -> pl.DataFrame:
    """Rows (storefront, order_ref) of orders that are known, with the number `g` of theirs."""
    if rows.is_empty():
        return rows.with_columns(g=pl.lit(None, pl.UInt32))
    at, order = pairs_of(matched.orders["key"], rows.select(matched.keys.of().alias("key")).to_series())
    return rows.rechunk()[at].with_columns(g=matched.orders["g"][order])


def sizes(matched: Matched) -> int:
    """How many group numbers a part uses: its orders', and after them its documents' without an order."""
    return matched.orders.height + matched.documents.filter("is_orphan").height


def matched_of(parts: Sequence[Matched]) -> Matched:
    """The matches of all parts in one, with numbers that stay apart."""
    if len(parts) == 1:
        return parts[0]
    whole: dict[str, list[pl.DataFrame]] = {"orders": [], "documents": [], "edges": [], "ambiguous": []}
    groups = documents = 0
    for part in parts:
        g, d = pl.lit(groups, pl.UInt32), pl.lit(documents, pl.UInt32)
        whole["orders"].append(part.orders.drop("key", strict=False).with_columns(pl.col("g", "grp") + g))
        numbers = (pl.col("g", "grp") + g, pl.col("d", "takes") + d)
        whole["documents"].append(part.documents.with_columns(*numbers))
        whole["edges"].append(part.edges.with_columns(pl.col("g") + g, pl.col("d") + d))
        lists = [
            pl.col("d").list.eval(pl.element() + documents),
            pl.col("g").list.eval(pl.element() + groups),
        ]
        whole["ambiguous"].append(part.ambiguous.with_columns(pl.col("grp") + g, *lists))
        groups += sizes(part)
        documents += part.documents.height
    return Matched(
        **{name: pl.concat(frames) for name, frames in whole.items()},
        keys=parts[0].keys,
        owed_at=pl.Series("at", [], pl.UInt32),
    )


def names_only(matched: Matched) -> Matched:
    """Matches as a reader of the result needs them: of an order its number, group and name."""
    return replace(
        matched, orders=matched.orders.select("g", "grp", "group_ref"), owed_at=matched.owed_at.clear()
    )


def _edges(frame: pl.DataFrame, pass_no: int, how: int, ambiguous: bool = False) -> pl.DataFrame:
    return frame.select(
        "d", "g",
        pl.lit(pass_no, pl.UInt8).alias("pass_no"), pl.lit(how, pl.UInt8).alias("how"),
        pl.lit(ambiguous).alias("is_ambiguous"),
    )  # fmt: skip


def _by_crosswalk(inputs: Inputs, orders: pl.DataFrame, documents: pl.DataFrame, keys: Keys) -> pl.DataFrame:
    """Pass 1. A key that is no RECORDNO any more (an edited order-entry document gets a new one) is followed by number."""
    ours = (
        crosswalk_of(inputs, keys)
        .with_columns(kind=pl.col("kind_code").replace_strict(KIND_OF_CROSSWALK, default=None))
        .drop_nulls("kind")
    )
    if ours.is_empty():
        return pl.DataFrame(schema=EDGE)
    ours = ours.join(orders.select("key", "g"), on="key").select("kind", "intacct_key", "g")
    names = documents.select("d", "kind", "ref", "number")
    by_ref = ours.join(names, left_on=["kind", "intacct_key"], right_on=["kind", "ref"], how="left")
    by_number = (
        by_ref.filter(pl.col("d").is_null())
        .select("kind", "intacct_key", "g")
        .join(names, left_on=["kind", "intacct_key"], right_on=["kind", "number"])
    )
    return _edges(
        pl.concat([by_ref.drop_nulls("d").select("d", "g"), by_number.select("d", "g")]).unique(), 1, 1
    )


def _by_lines(inputs: Inputs, rest: pl.DataFrame, orders: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """Pass 3 for summaries that are not ours: every line of the document with an amount names exactly one order, and no two fit a line.

    A word of a line's text counts as an order's number only whole, normalised; a line that names none, or several, leaves the document be.
    """
    if inputs.ar_lines is None or "memo" not in inputs.ar_lines.collect_schema() or rest.is_empty():
        return pl.DataFrame(schema=EDGE)
    names = rest.filter("is_counted").select("d", document_kind="kind", document_ref="ref")
    lines = (
        inputs.ar_lines.lazy()
        .filter(pl.col("amount_minor") != 0)
        .select("document_kind", "document_ref", "memo")
        .join(names.lazy(), on=["document_kind", "document_ref"])
        .select("d", "memo")
        .collect(engine="streaming")
        .with_row_index("line")
    )
    # An order's number tells apart only if one order carries it.
    numbers = orders.select("g", plain=normalised("order_number")).drop_nulls()
    numbers = numbers.filter(~pl.col("plain").is_duplicated())
    named = pieces(lines, "line", "memo", policy.order_number_pattern).join(
        numbers, left_on="piece", right_on="plain"
    )
    one = named.filter(~pl.col("line").is_duplicated()).select("line", "g")
    told = lines.join(one, on="line", how="left").filter(pl.col("g").is_not_null().all().over("d"))
    return _edges(told.select("d", "g").unique(), 3, 10)


def _by_hand(
    inputs: Inputs, edges: pl.DataFrame, orders: pl.DataFrame, documents: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Edges and documents after what people said; a document matched by hand is in scope, whatever the rule says of it."""
    decisions = standing(inputs, "orders")
    if decisions.is_empty():
        return edges, documents
    names = documents.select("d", ledger_ref=pl.concat_str("kind", pl.lit(":"), "ref"))
    g = orders.select("g", "group_ref")
    said = {
        kind: pairs(decisions, kind).join(g, on="group_ref").join(names, on="ledger_ref").select("d", "g")
        for kind in ("match", "unmatch")
    }
    mine = _edges(said["match"], BY_HAND, 9)
    documents = documents.with_columns(
        in_scope=pl.col("in_scope") | pl.col("d").is_in(mine.get_column("d").implode())
    )
    return overruled(edges, mine, said["unmatch"], "d", "g"), documents


def _by_numbers(rest: pl.DataFrame, orders: pl.DataFrame, policy: Policy, stores: list[str]) -> pl.DataFrame:
    """Passes 2 and 3 over documents that the crosswalk does not know."""
    numbered = orders.filter(pl.col("order_number").is_not_null() & (pl.col("order_number") != ""))
    numbered = numbered.select("g", "order_number", "prefix", "currency", "customer")
    numbers = numbered.select("g", "order_number")
    prefixes = [*stores, *policy.credit_prefixes]
    docs = rest.select("d", "number", "reference", "currency", "customer_id")

    at, which = pairs_of(numbers["order_number"], docs["reference"])
    exact = docs.select("d", "number", "reference").rechunk()[at].with_columns(g=numbers["g"][which])
    found = [_chosen(exact.select("d", "g"), docs, numbered, policy, 2)]
    conflict = _conflicts(exact, docs, numbered, prefixes)
    if conflict.height:
        found = [found[0].join(conflict, on="d", how="anti"), _edges(conflict, 2, 8, ambiguous=True)]

    left = left_over(docs, exact, "d").with_columns(bare=bare_number("number", prefixes))
    by_number = left.join(numbers, left_on="bare", right_on="order_number").select("d", "g")
    found.append(_chosen(by_number, docs, numbered, policy, 3))
    left = left_over(left, by_number, "d")
    if left.height:
        found += _by_normalised(left, docs, numbered, policy)
    return pl.concat(found)


def _by_normalised(
    left: pl.DataFrame, docs: pl.DataFrame, numbered: pl.DataFrame, policy: Policy
) -> list[pl.DataFrame]:
    plain = numbered.select("g", plain=normalised("order_number")).drop_nulls()
    whole = left.with_columns(plain=normalised("reference")).join(plain, on="plain").select("d", "g")
    found = [_chosen(whole, docs, numbered, policy, 4)]
    left = left.join(whole, on="d", how="anti")
    split = pieces(left, "d", "reference", policy.order_number_pattern).join(
        plain, left_on="piece", right_on="plain"
    )
    found.append(_split(split, docs, numbered, policy))
    left = left.join(split, on="d", how="anti")
    number = left.with_columns(plain=normalised("bare")).join(plain, on="plain").select("d", "g")
    found.append(_chosen(number, docs, numbered, policy, 5))
    return found


def _tested(
    candidates: pl.DataFrame, docs: pl.DataFrame, numbered: pl.DataFrame, policy: Policy
) -> pl.DataFrame:
    heads = [pl.lit(""), *(pl.lit(prefix) for prefix in policy.credit_prefixes)]
    starts = [pl.col("number").str.starts_with(pl.concat_str(head, "prefix")) for head in heads]
    return (
        candidates.join(docs, on="d")
        .join(numbered, on="g", suffix="_order")
        .with_columns(
            fits_prefix=((pl.col("prefix") != "") & pl.any_horizontal(starts)).fill_null(False),
            fits_currency=(pl.col("currency") == pl.col("currency_order")).fill_null(False),
            fits_customer=(pl.col("customer_id") == pl.col("customer")).fill_null(False),
        )
    )


TESTS = ("fits_prefix", "fits_currency", "fits_customer")


def _chosen(
    candidates: pl.DataFrame, docs: pl.DataFrame, numbered: pl.DataFrame, policy: Policy, how: int
) -> pl.DataFrame:
    """Edges of documents with one candidate, or with one left after narrowing; the others stay tied and are marked ambiguous."""
    if not repeated(candidates["d"]):
        return _edges(candidates, 2, how)
    several = candidates.filter(pl.col("d").is_duplicated())
    kept = narrowed(_tested(several, docs, numbered, policy), ["d"], TESTS)
    tied = kept.filter(pl.col("d").is_duplicated())
    sure = pl.concat(
        [
            candidates.filter(~pl.col("d").is_duplicated()),
            kept.join(tied, on="d", how="anti").select("d", "g"),
        ]
    )
    return pl.concat([_edges(sure, 2, how), _edges(tied, 2, 7, ambiguous=True)])


def _split(split: pl.DataFrame, docs: pl.DataFrame, numbered: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """Edges of references that hold several numbers; each number is narrowed by itself."""
    if split.is_empty():
        return pl.DataFrame(schema=EDGE)
    key = ["d", "piece"]
    kept = narrowed(_tested(split.select("d", "piece", "g"), docs, numbered, policy), key, TESTS)
    kept = kept.with_columns(
        is_ambiguous=pl.len().over(key) > 1, is_group=pl.col("piece").n_unique().over("d") > 1
    )
    pass_no = pl.when("is_group").then(3).otherwise(2).cast(pl.UInt8)
    how = pl.when("is_ambiguous").then(7).when("is_group").then(6).otherwise(4).cast(pl.UInt8)
    return kept.select("d", "g", pass_no.alias("pass_no"), how.alias("how"), "is_ambiguous").unique()


def _conflicts(
    exact: pl.DataFrame, docs: pl.DataFrame, numbered: pl.DataFrame, prefixes: list[str]
) -> pl.DataFrame:
    """Documents whose number carries a store's prefix and names another order than their reference: (d, g) of both orders."""
    stores = [prefix for prefix in prefixes if prefix]
    suspect = exact.filter(~pl.col("number").str.ends_with(pl.col("reference")).fill_null(True))
    if suspect.is_empty() or not stores:
        return pl.DataFrame(schema={"d": pl.UInt32, "g": pl.UInt32})
    carries = pl.any_horizontal([pl.col("number").str.starts_with(prefix) for prefix in stores])
    suspect = suspect.filter(carries).with_columns(bare=bare_number("number", stores))
    suspect = suspect.filter(pl.col("bare") != pl.col("reference"))
    other = suspect.join(numbered.select("order_number", other="g"), left_on="bare", right_on="order_number")
    both = pl.concat([other.select("d", "g"), other.select("d", g="other")]).unique()
    return both.filter(pl.col("g").n_unique().over("d") > 1)


def _grouped(orders: pl.DataFrame, edges: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Orders with `grp`, the smallest order of their group; most are alone and keep their own number."""
    several = edges.filter(pl.col("d").is_duplicated()) if repeated(edges["d"]) else edges.clear()
    if several.is_empty():
        return orders.with_columns(grp=pl.col("g")), pl.DataFrame(schema={"g": pl.UInt32, "grp": pl.UInt32})
    labels = smallest_labels(several.select("d", "g"), "d", "g").rename({"label": "grp"})
    orders = looked_up(orders, labels, "g").with_columns(grp=pl.coalesce("grp", "g"))
    return orders, labels


def _orphans_numbered(documents: pl.DataFrame, after: int, aside: pl.Series) -> pl.DataFrame:
    """Documents in scope that stand and belong to no order get group numbers after the orders', by kind and RECORDNO, but for those aside."""
    orphans = (
        left_over(
            documents.filter(pl.col("grp").is_null() & pl.col("in_scope") & pl.col("is_counted")),
            aside.to_frame("d"),
            "d",
        )
        .select("d", orphan_ref=pl.concat_str(pl.lit("intacct:"), "kind", pl.lit(":"), "ref"))
        .sort("orphan_ref")
        .with_row_index("orphan", offset=after)
    )
    return (
        looked_up(documents, orphans, "d")
        .with_columns(grp=pl.coalesce("grp", "orphan"), is_orphan=pl.col("orphan").is_not_null())
        .drop("orphan")
    )
