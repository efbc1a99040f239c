"""Tie-out 2, who belongs to whom: money that moved at the storefront and the AR receipts that are it.

Passes: (1) our crosswalk; (2) the receipt's reference is the provider's, the transaction's or the payment's reference, as it stands,
then normalised; (3) a receipt without any reference that is applied to the order's documents and has the amount of the order's only
payment still open. Candidates that share a reference are narrowed by currency and amount; partial captures of one order that
still share it are compared together; anything else that stays tied is ambiguous.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from tieout.vocabulary import MONEY_MOVES
from transforms.reconcile.applications import ends_of
from transforms.reconcile.comparing import place_key, words_of
from transforms.reconcile.decided import BY_HAND, overruled, pairs, standing
from transforms.reconcile.intake import Inputs
from transforms.reconcile.matching import Matched, sizes
from transforms.reconcile.numbered import among, by_place, left_over, looked_up, pairs_of, repeated
from transforms.reconcile.policy import Policy
from transforms.reconcile.references import narrowed, normalised, smallest_labels
from transforms.reconcile.universe import crosswalk_of, stands
from transforms.text_order import text_order

HOW = (
    "no counterpart",
    "posted by this tool (crosswalk)",
    "its reference is the provider's reference",
    "its reference is the transaction",
    "its reference is the payment",
    "its reference is the payment's once both are normalised",
    "it has no reference, pays the order's invoice and has the amount of the order's only payment without a receipt",
    "several payments fit its reference equally well",
    "a person matched it",
)
EDGE = {"r": pl.UInt32, "p": pl.UInt32, "pass_no": pl.UInt8, "how": pl.UInt8, "is_ambiguous": pl.Boolean}


@dataclass(frozen=True)
class Paid:
    """Payments numbered `p` with their group `grp` and order `g`; receipts numbered `r` with theirs; what receipts are applied to.

    `key` of both: group × entity × currency as an integer, of a part.
    `ends`: what each row of `ar_applications` ties together, of a part; of several parts together it is empty.
    """

    payments: pl.DataFrame
    receipts: pl.DataFrame
    applied: pl.DataFrame
    edges: pl.DataFrame
    ambiguous: pl.DataFrame
    ends: pl.DataFrame
    has_applications: bool


def match_receipts(inputs: Inputs, matched: Matched, policy: Policy) -> Paid:
    """Find the group of every payment that moved money and of every receipt in scope that stands."""
    payments = payments_of(inputs, matched, policy)
    receipts = _receipts_of(inputs, policy)
    ends = ends_of(inputs, matched.documents, receipts)
    applied = _applied(inputs, matched, receipts, ends)
    own = _by_crosswalk(inputs, payments, receipts, matched)
    rest = left_over(receipts, own, "r")
    named = _by_reference(rest, payments)
    edges = pl.concat([own, named])
    edges = pl.concat([edges, _by_application(receipts, payments, applied, edges)])
    edges, by_hand = _by_hand(inputs, edges, payments, receipts)
    # Receipts stand in the order of their numbers.
    known = among(edges["r"], receipts.height) | among(
        applied["r"].filter(applied["to_scope"]), receipts.height
    )
    ours = among(own["r"], receipts.height) | among(by_hand["r"], receipts.height)
    receipts = receipts.with_columns(in_scope=pl.col("by_rule") | (pl.col("in_entity") & known) | ours)
    stands = receipts.select(pl.col("in_scope") & pl.col("is_counted")).to_series()
    edges = edges.filter(stands[edges["r"]])
    several = edges.filter(pl.col("r").is_duplicated()) if repeated(edges["r"]) else edges.clear()
    labels = (
        smallest_labels(several.select("r", "p"), "r", "p").rename({"label": "grp"})
        if several.height
        else None
    )
    if labels is None:
        payments = payments.with_columns(grp=pl.col("p"))
    else:
        payments = looked_up(payments, labels, "p").with_columns(grp=pl.coalesce("grp", "p"))
    first = by_place(
        edges.select("p", "pass_no", "how"),
        edges["r"],
        receipts.height,
        pl.col("p").min(),
        pl.col("pass_no", "how").max(),
    )
    receipts = receipts.hstack(first).hstack(payments.select("grp", "g").rechunk()[first["p"]])
    orphans = (
        receipts.filter(pl.col("p").is_null() & pl.col("in_scope") & pl.col("is_counted"))
        .select("r", orphan_ref=pl.concat_str(pl.lit("intacct:receipt:"), "receipt_ref"))
        .sort("orphan_ref")
        .with_row_index("orphan", offset=payments.height)
    )
    receipts = looked_up(receipts, orphans, "r").with_columns(
        grp=pl.coalesce("grp", "orphan"),
        is_orphan=pl.col("orphan").is_not_null(),
        pass_no=pl.col("pass_no").fill_null(0),
        how=pl.col("how").fill_null(0),
    )
    receipts = receipts.drop("orphan")
    words = [words_of(payments[name], receipts[name]) for name in ("entity", "currency")]
    payments, receipts = (frame.with_columns(key=place_key(*words)) for frame in (payments, receipts))
    doubtful = edges.filter("is_ambiguous").join(payments.select("p", "grp"), on="p")
    ambiguous = doubtful.group_by("grp").agg(pl.col("p").unique().sort())
    return Paid(payments, receipts, applied, edges, ambiguous, ends, inputs.ar_applications is not None)


def paid_of(parts: Sequence[Paid], matched: Sequence[Matched]) -> Paid:
    """The matches of all parts in one, with numbers that stay apart, and orders' groups numbered as in `matched_of`."""
    if len(parts) == 1:
        return parts[0]
    whole: dict[str, list[pl.DataFrame]] = {
        "payments": [],
        "receipts": [],
        "applied": [],
        "edges": [],
        "ambiguous": [],
    }
    payments = receipts = groups = 0
    for part, theirs in zip(parts, matched, strict=True):
        p, r, g = (pl.lit(one, pl.UInt32) for one in (payments, receipts, groups))
        whole["payments"].append(
            part.payments.drop("key").with_columns(pl.col("p", "grp") + p, pl.col("g", "order_grp") + g)
        )
        whole["receipts"].append(
            part.receipts.drop("key").with_columns(pl.col("r") + r, pl.col("p", "grp") + p, pl.col("g") + g)
        )
        whole["applied"].append(part.applied.with_columns(pl.col("r") + r, pl.col("paid_grp") + g))
        whole["edges"].append(part.edges.with_columns(pl.col("r") + r, pl.col("p") + p))
        whole["ambiguous"].append(
            part.ambiguous.with_columns(pl.col("grp") + p, pl.col("p").list.eval(pl.element() + payments))
        )
        payments += part.payments.height + part.receipts.filter("is_orphan").height
        receipts += part.receipts.height
        groups += sizes(theirs)
    frames = {name: pl.concat(found) for name, found in whole.items()}
    return Paid(**frames, ends=parts[0].ends.clear(), has_applications=parts[0].has_applications)


def payment_names_only(paid: Paid) -> Paid:
    """Matches as a reader of the result needs them: of a payment its number, group, kind, name and order."""
    names = paid.payments.select("p", "grp", "g", "order_grp", "kind_code", "group_ref", "key")
    return replace(paid, payments=names, applied=paid.applied.clear(), ends=paid.ends.clear())


def payments_of(inputs: Inputs, matched: Matched, policy: Policy) -> pl.DataFrame:
    """Successful charges, refunds and chargebacks, signed, each with its order; and tender an order carries without a payment.

    A payment that several orders name is put to the first of them by id.
    """
    moves = (pl.col("state_code") == "success") & pl.col("kind_code").is_in(MONEY_MOVES)
    moved = inputs.take("payments").filter(moves)
    if inputs.order_payments is not None:
        named = (
            inputs.take("order_payments")
            .group_by("storefront", "payment_ref")
            .agg(pl.col("order_ref").min().alias("named_ref"), n_named=pl.col("order_ref").n_unique())
        )
        moved = looked_up(moved, named, ["storefront", "payment_ref"]).with_columns(
            order_ref=pl.coalesce("order_ref", "named_ref")
        )
    moved = moved.with_columns(occurred_on=pl.lit(None, dtype=pl.Date), event_ref="transaction_ref")
    tender = (
        inputs.lazily("owed")
        .filter((pl.col("event_code") == "receipt") & pl.col("payment_ref").is_null())
        .select(
            "storefront", "order_ref", "tender_code", "gateway_ref", "currency", "event_ref",
            payment_ref="order_ref", transaction_ref="event_ref", kind_code=pl.lit("charge"), amount_minor="total_minor",
            occurred_on="owed_on",
        )
        .collect()
    )  # fmt: skip
    if tender.height:
        moved = pl.concat([moved, tender], how="diagonal")
    names = matched.orders.select("key", "g", "order_number", "store_ref", "entity", order_grp="grp")
    moved = moved.rechunk().with_columns(key=matched.keys.of())
    moved = (
        looked_up(moved, names, "key")
        .with_columns(
            entity=pl.col("entity").fill_null(""),
            store_ref=pl.col("store_ref").fill_null(""),
            currency=pl.col("currency").fill_null(""),
            group_ref=pl.concat_str("storefront", pl.lit(":"), "payment_ref", pl.lit(":"), "transaction_ref"),
            amount_minor=pl.when(pl.col("kind_code") == "charge")
            .then("amount_minor")
            .otherwise(-pl.col("amount_minor")),
        )
        .with_columns(occurred_on=pl.coalesce("occurred_on", policy.local_day("occurred_at", "entity")))
        .rechunk()
    )
    return moved[text_order(moved["group_ref"])].with_row_index("p")


def _receipts_of(inputs: Inputs, policy: Policy) -> pl.DataFrame:
    return (
        inputs.take("ar_receipts")
        .rename({"entity_code": "entity"})
        .with_columns(
            entity=pl.col("entity").fill_null(""),
            total_minor=pl.col("total_minor").fill_null(0),
            reference=pl.when(pl.col("reference").str.strip_chars() != "").then("reference"),
        )
        .with_columns(
            # One without money only sets a credit against an invoice: it is nobody's payment.
            is_counted=stands(policy) & (pl.col("total_minor").fill_null(0) != 0),
            by_rule=policy.scope.hits(
                number=None, reference="reference", customer="customer_id", entity="entity"
            ),
            in_entity=policy.scope.stands_in("entity"),
        )
        .with_row_index("r")
    )


def _applied(inputs: Inputs, matched: Matched, receipts: pl.DataFrame, ends: pl.DataFrame) -> pl.DataFrame:
    """Applications of receipts: (r, grp of the document's group, amount_minor, to_scope, application_ref, document)."""
    documents = matched.documents.select(
        "d", "is_orphan", "in_scope", document=pl.coalesce("number", "ref"), paid_grp="grp"
    )
    applied = (
        inputs.take("ar_applications")
        .select("application_ref", "amount_minor")
        .hstack(ends.select("d", "r"))
        .filter(receipts["is_counted"][ends["r"]] & (pl.col("amount_minor").fill_null(0) != 0))
    )
    return looked_up(applied, documents, "d").select(
        "r", "application_ref", "amount_minor", "document", "is_orphan", "paid_grp", to_scope=pl.col("in_scope").fill_null(False)
    )  # fmt: skip


def _edges(frame: pl.DataFrame, pass_no: int, how: int, ambiguous: bool = False) -> pl.DataFrame:
    return frame.select(
        "r",
        "p",
        pl.lit(pass_no, pl.UInt8).alias("pass_no"),
        pl.lit(how, pl.UInt8).alias("how"),
        pl.lit(ambiguous).alias("is_ambiguous"),
    )


def _by_crosswalk(
    inputs: Inputs, payments: pl.DataFrame, receipts: pl.DataFrame, matched: Matched
) -> pl.DataFrame:
    ours = crosswalk_of(inputs, matched.keys).filter(pl.col("kind_code") == "receipt")
    if ours.is_empty():
        return pl.DataFrame(schema=EDGE)
    names = payments.drop_nulls("key").select("key", "p", pl.col("transaction_ref").alias("event_ref"))
    twins = payments.drop_nulls("key").select(
        "key", "p", event_ref=pl.concat_str("payment_ref", pl.lit(":"), "transaction_ref")
    )
    keyed = ours.join(pl.concat([twins, names]).unique(), on=["key", "event_ref"])
    return _edges(
        keyed.join(receipts.select("r", "receipt_ref"), left_on="intacct_key", right_on="receipt_ref")
        .select("r", "p")
        .unique(),
        1,
        1,
    )


def _by_hand(
    inputs: Inputs, edges: pl.DataFrame, payments: pl.DataFrame, receipts: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Edges after what people said, and the edges that are theirs."""
    decisions = standing(inputs, "payments")
    if decisions.is_empty():
        return edges, edges.clear()
    names = receipts.select("r", ledger_ref=pl.concat_str(pl.lit("receipt:"), "receipt_ref"))
    p = payments.select("p", "group_ref")
    said = {
        kind: pairs(decisions, kind).join(p, on="group_ref").join(names, on="ledger_ref").select("r", "p")
        for kind in ("match", "unmatch")
    }
    mine = _edges(said["match"], BY_HAND, 8)
    return overruled(edges, mine, said["unmatch"], "r", "p"), mine


def _by_reference(receipts: pl.DataFrame, payments: pl.DataFrame) -> pl.DataFrame:
    """Pass 2, one kind of reference after the other; a receipt takes part until one kind has found something."""
    said = receipts.select("r", "reference", "currency", "total_minor")
    left = said.filter(pl.col("reference").is_not_null()).rechunk()
    facts = payments.select("p", "currency", "amount_minor", "order_grp")
    found = []
    charge = payments["amount_minor"] >= 0
    for how, column in ((2, "gateway_ref"), (3, "transaction_ref"), (4, "payment_ref")):
        at, p = pairs_of(payments[column], left["reference"])
        # Payments stand in the order of their numbers.
        hits = left[at].with_columns(p=p)
        hits = hits.filter((pl.col("total_minor") >= 0) == charge[p])
        found.append(_chosen(hits, facts, how))
        left = left_over(left, hits, "r")
    if left.height:
        plain = left.select(normalised("reference")).to_series()
        every = []
        for column in ("gateway_ref", "transaction_ref", "payment_ref"):
            at, p = pairs_of(payments.select(normalised(column)).to_series(), plain)
            every.append(left[at].with_columns(p=p))
        hits = pl.concat(every).unique()
        found.append(_chosen(hits.filter((pl.col("total_minor") >= 0) == charge[hits["p"]]), facts, 5))
    return pl.concat(found)


def _chosen(hits: pl.DataFrame, facts: pl.DataFrame, how: int) -> pl.DataFrame:
    hits = hits.select("r", "p", "currency", "total_minor")
    if not repeated(hits["r"]):
        return _edges(hits, 2, how)
    several = hits.filter(pl.col("r").is_duplicated())
    tested = several.join(facts, on="p", suffix="_paid").with_columns(
        fits_currency=pl.col("currency") == pl.col("currency_paid"),
        fits_amount=pl.col("total_minor") == pl.col("amount_minor"),
    )
    kept = narrowed(tested, ["r"], ("fits_currency", "fits_amount"))
    one_order = (pl.col("order_grp").n_unique().over("r") == 1) & pl.col(
        "order_grp"
    ).is_not_null().all().over("r")
    kept = kept.with_columns(tied=(pl.len().over("r") > 1) & ~one_order)
    return pl.concat(
        [
            _edges(hits.filter(~pl.col("r").is_duplicated()), 2, how),
            _edges(kept.filter(~pl.col("tied")), 2, how),
            _edges(kept.filter("tied"), 2, 7, ambiguous=True),
        ]
    )


def _by_application(
    receipts: pl.DataFrame, payments: pl.DataFrame, applied: pl.DataFrame, edges: pl.DataFrame
) -> pl.DataFrame:
    """Pass 3: no reference, applied to documents of one order, amount of its only open payment, and the only such receipt."""
    blank = left_over(receipts.filter(pl.col("reference").is_null() & pl.col("is_counted")), edges, "r")
    if blank.is_empty():
        return pl.DataFrame(schema=EDGE)
    target = (
        applied.drop_nulls("paid_grp")
        .group_by("r")
        .agg(pl.col("paid_grp").unique())
        .filter(pl.col("paid_grp").list.len() == 1)
    )
    blank = blank.join(target.explode("paid_grp"), on="r").select("r", "paid_grp", "currency", "total_minor")
    free = (
        payments.join(edges, on="p", how="anti")
        .drop_nulls("order_grp")
        .select("p", "currency", paid_grp="order_grp", total_minor="amount_minor")
    )
    hits = blank.join(free, on=["paid_grp", "currency", "total_minor"])
    unique = hits.filter(~pl.col("r").is_duplicated() & ~pl.col("p").is_duplicated())
    return _edges(unique, 3, 6)
