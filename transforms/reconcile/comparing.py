"""Tie-out 1, how much: expected against actual per group, entity and currency, component by component.

The ledger's lines, the owed events and the documents are each summed once per comparison key (an integer made of group, entity and
currency).
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from tieout.vocabulary import COMPONENTS
from transforms.reconcile.intake import Inputs
from transforms.reconcile.matching import Matched, of_orders
from transforms.reconcile.numbered import all_of, by_place, looked_up, row_of
from transforms.reconcile.policy import Policy
from transforms.reconcile.references import positions

E_ = [f"expected_{name}_minor" for name in COMPONENTS]
A_ = [f"actual_{name}_minor" for name in COMPONENTS]
_COMPONENT = pl.Enum(COMPONENTS)


@dataclass(frozen=True)
class Ready:
    """Narrow frames keyed for comparison: `orders`, `events` (owed sales and credits), `documents` and `lines`, each with `key`."""

    orders: pl.DataFrame
    events: pl.DataFrame
    documents: pl.DataFrame
    lines: pl.DataFrame
    width: int
    entities: pl.Enum
    currencies: pl.Enum


def ready(inputs: Inputs, matched: Matched, policy: Policy) -> Ready:
    """Key everything by group × entity × currency, an integer."""
    orders, documents = matched.orders, matched.documents.filter("in_scope", "is_counted")
    owed = inputs.take("owed").with_columns(at=matched.owed_at)
    owed = owed.filter(pl.col("event_code").is_in(["sale", "credit"]) & pl.col("at").is_not_null())
    # What an event takes from its order is picked by position.
    whose = owed["at"]
    owed = owed.with_columns(g=orders["g"][whose], grp=orders["grp"][whose], own=orders["entity"][whose])
    entities = words_of(orders["entity"], documents["entity"], owed["entity_code"])
    currencies = words_of(orders["currency"], documents["currency"], owed["currency"])
    width = len(entities.categories) * len(currencies.categories)
    events = (
        looked_up(owed, waiting_events(inputs, matched), ["g", "event_ref"])
        .with_columns(entity=pl.coalesce("entity_code", "own"), is_sale=pl.col("event_code") == "sale")
        .with_columns(is_in=policy.in_period("owed_on", "entity"), key=place_key(entities, currencies))
        .select(
            "key",
            "is_sale",
            "is_in",
            "owed_on",
            "event_ref",
            "waits",
            "total_minor",
            *(f"{c}_minor" for c in COMPONENTS),
        )
    )
    documents = documents.with_columns(
        is_in=policy.in_period("posted_on", "entity"), key=place_key(entities, currencies)
    )
    lines = inputs.take("ar_lines").with_columns(
        component=pl.col("component_code").cast(_COMPONENT).to_physical()
    )
    keyed = []
    for kind in ("invoice", "adjustment"):
        names = documents.filter(pl.col("kind") == kind).select("key", document_ref="ref")
        mine = lines.filter(pl.col("document_kind") == kind)
        mine = mine.select(
            "component", "amount_minor", key=positions(names, mine.select("document_ref"), "key")
        )
        keyed.append(mine.drop_nulls("key"))
    return Ready(
        orders.with_columns(key=place_key(entities, currencies)),
        events,
        documents,
        pl.concat(keyed),
        width,
        entities,
        currencies,
    )


def waiting_events(inputs: Inputs, matched: Matched) -> pl.DataFrame:
    """Events that wait by themselves (held or in flight): (g, event_ref, waits)."""
    waiting = inputs.take("waiting")
    if waiting.is_empty():
        return pl.DataFrame(schema={"g": pl.UInt32, "event_ref": pl.String, "waits": pl.String})
    waiting = waiting.filter(pl.col("event_ref").is_not_null(), pl.col("state").is_in(["held", "in_flight"]))
    keyed = of_orders(waiting, matched)
    if keyed.is_empty():
        return pl.DataFrame(schema={"g": pl.UInt32, "event_ref": pl.String, "waits": pl.String})
    return keyed.group_by("g", "event_ref").agg(waits=pl.col("state").min())


def compared(stock: Ready) -> pl.DataFrame:
    """Compared rows in the order of their keys: both sides summed once per key, component by component.

    Every key has a place in the result, and what belongs to it is put there. Nearly always that is one row of a kind (an event, a
    document, a line of a component); only of places with several are sums made.
    """
    keys = all_of(stock.orders["key"], stock.documents["key"], stock.events["key"])
    orders = _orders(stock.orders)
    sides = (
        by_place(orders.drop("key"), row_of(keys, orders["key"]), len(keys)),
        _events(stock.events, keys),
        _documents(stock.documents, keys),
        _lines(stock.lines, keys),
    )
    words = keys.to_frame("key").select(place=pl.col("key") % stock.width)["place"]
    wide = len(stock.currencies.categories)
    return (
        pl.concat([keys.to_frame("key"), *sides], how="horizontal")
        .with_columns(
            grp=pl.col("key") // stock.width,
            entity=stock.entities.categories[words // wide],
            currency=stock.currencies.categories[words % wide],
            is_orphan=pl.col("is_orphan").fill_null(False),
            is_settled=pl.col("is_settled").fill_null(False),
        )
        # What a document's total holds beyond its lines stands on no known account: component `other`.
        .with_columns(unlined_minor=pl.col("actual_minor") - pl.sum_horizontal(A_))
        .with_columns(
            actual_other_minor=pl.col("actual_other_minor") + pl.col("unlined_minor"),
            delta_minor=pl.col("expected_minor") - pl.col("actual_minor"),
        )
    )


def _events(events: pl.DataFrame, keys: pl.Series) -> pl.DataFrame:
    rows = events.with_columns(pl.col("total_minor").fill_null(0)).select(
        *(pl.col(f"{c}_minor").fill_null(0).alias(name) for c, name in zip(COMPONENTS, E_, strict=True)),
        expected_minor="total_minor",
        period_expected_minor=pl.when("is_in").then("total_minor").otherwise(0),
        sales_minor=pl.when("is_sale").then("total_minor").otherwise(0),
        period_sales_minor=pl.when(pl.col("is_sale") & pl.col("is_in")).then("total_minor").otherwise(0),
        waiting_minor=pl.when(pl.col("waits").is_not_null()).then("total_minor").otherwise(0),
        n_sales=(pl.col("is_sale") & (pl.col("total_minor") != 0)).cast(pl.Int64),
        n_credits=(~pl.col("is_sale")).cast(pl.Int64),
        owed_on="owed_on",
    )
    return by_place(
        rows, row_of(keys, events["key"]), len(keys), pl.exclude("owed_on").sum(), pl.col("owed_on").max()
    )


def _documents(documents: pl.DataFrame, keys: pl.Series) -> pl.DataFrame:
    customer = pl.when(pl.col("customer_id").is_not_null()).then(pl.col("customer_id").hash())
    taken = pl.col("takes").is_not_null()
    rows = documents.select(
        actual_minor="total_minor",
        period_actual_minor=pl.when("is_in").then("total_minor").otherwise(0),
        # A debit memo that takes back a credit memo lowers the credits and is no invoice.
        invoiced_minor=pl.when((pl.col("total_minor") >= 0) & ~taken).then("total_minor").otherwise(0),
        n_invoices=((pl.col("total_minor") > 0) & ~taken).cast(pl.Int64),
        n_memos=((pl.col("total_minor") < 0) & ~pl.col("is_settled")).cast(pl.Int64),
        n_documents=pl.lit(1, pl.Int64),
        document_on="posted_on",
        pass_no=pl.col("pass_no").cast(pl.Int64),
        how=pl.when(~taken).then("how").otherwise(0),
        is_orphan="is_orphan",
        is_settled="is_settled",
        customer_high=customer,
        customer_low=customer,
        documents=pl.coalesce("number", "ref"),
    )
    return by_place(
        rows,
        row_of(keys, documents["key"]),
        len(keys),
        pl.col(
            "actual_minor", "period_actual_minor", "invoiced_minor", "n_invoices", "n_memos", "n_documents"
        ).sum(),
        pl.col("document_on", "pass_no", "how", "is_orphan", "customer_high").max(),
        pl.col("customer_low", "documents", "is_settled").min(),
    )


def _lines(lines: pl.DataFrame, keys: pl.Series) -> pl.DataFrame:
    """Amounts by component, and how many lines there are, by place."""
    lines = lines.select(
        "component", amount=pl.col("amount_minor").fill_null(0), n=pl.lit(1, pl.Int64)
    ).with_columns(place=row_of(keys, lines["key"]))
    nothing = pl.Series([0], dtype=pl.Int64).new_from_index(0, len(keys))
    found, counts = {}, []
    occur = set(lines["component"].unique().to_list())
    for at, name in enumerate(A_):
        if at not in occur:
            found[name] = nothing
            continue
        mine = lines.filter(pl.col("component") == at)
        sums = by_place(mine.select("amount", "n"), mine["place"], len(keys), pl.all().sum())
        found[name] = sums["amount"]
        counts.append(sums["n"])
    if None in occur:
        more = lines.filter(pl.col("component").is_null())
        counts.append(by_place(more.select("n"), more["place"], len(keys), pl.all().sum())["n"])
    return pl.DataFrame(found).with_columns(n_lines=pl.sum_horizontal([nothing, *counts]))


def _orders(orders: pl.DataFrame) -> pl.DataFrame:
    """One row per comparison key of the storefront's side; orders tied by a shared document are summed into one."""
    chosen = orders.select(
        "key", "g", "group_ref", "storefront", "order_ref", "order_number", "store_ref", "customer_name", "placed_on", "customer",
        "is_cancelled", "is_test", "tax_included", "status_code", gross_minor="total_minor", n_orders=pl.lit(1, pl.Int64),
    )  # fmt: skip
    several = orders.filter(pl.col("g") != pl.col("grp")).select("key").unique()
    if several.is_empty():
        return chosen
    tied = chosen.join(several, on="key", how="semi").sort("g")
    first = (
        "group_ref",
        "storefront",
        "order_ref",
        "store_ref",
        "customer_name",
        "tax_included",
        "status_code",
    )
    # Orders of different customers on one document: whose customer it should carry is not known.
    alike = pl.col("customer").n_unique() == 1
    summed = tied.group_by("key", maintain_order=True).agg(
        pl.col("g").min(),
        *(pl.col(name).first() for name in first),
        pl.when(alike).then(pl.col("customer").first()).alias("customer"),
        pl.col("order_number").drop_nulls().str.join(","),
        pl.col("placed_on").min(),
        pl.col("is_cancelled", "is_test").all(),
        pl.col("gross_minor", "n_orders").sum(),
    )
    return pl.concat([chosen.join(several, on="key", how="anti"), summed.select(chosen.columns)])


def place_key(entities: pl.Enum, currencies: pl.Enum) -> pl.Expr:
    """Group × entity × currency of the columns grp, entity, currency as one integer, in their order."""
    wide = len(currencies.categories)
    entity = pl.col("entity").cast(entities).to_physical().cast(pl.Int64)
    currency = pl.col("currency").cast(currencies).to_physical().cast(pl.Int64)
    return (pl.col("grp").cast(pl.Int64) * len(entities.categories) + entity) * wide + currency


def words_of(*columns: pl.Series) -> pl.Enum:
    """The words that occur in columns, sorted, and the empty one."""
    return pl.Enum(
        sorted(set(pl.concat([column.unique() for column in columns]).drop_nulls().to_list()) | {""})
    )
