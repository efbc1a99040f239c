"""An entity's own share of the company's inputs: the rows its close is made from, so that its pack holds no trade of another entity.

A row belongs to an entity if its home does (see `reconcile.homes`): if anything that could be matched with it, directly or through others, is
the entity's. So an order whose invoice stands in another entity is in the packs of both, and a receipt that pays orders of two entities brings
both. What looks across homes adds to that: open rows that a proposal for one of the entity's was made from, documents that its entries of the
general ledger name, all orders of its payments, payments that share a payout line's reference with its own, and what is nobody's yet and listed with every entity.

What stays whole says nothing of a single order: the stores, with the invoice prefixes in use. Two things of the others are kept as sums: what
their lines of the providers' payouts come to, and in which currencies all entities together used the tolerance up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import polars as pl

from transforms.closing import own_ledger, own_payouts
from transforms.closing.follow_up import Payouts
from transforms.closing.refunds_paid import Refunds
from transforms.closing.statement import Books
from transforms.reconcile import Inputs, Policy
from transforms.reconcile.hashes import HOME, names_by_hand
from transforms.reconcile.intake import COLUMNS, Part
from transforms.reconcile.proposals import within_reach
from transforms.reconcile.universe import prefixes_of

WHOLE: Final = ("stores",)
"""Inputs that every pack holds whole."""
_KEYS: Final = (
    ("ar_invoices", "invoice", "invoice_ref"),
    ("ar_adjustments", "adjustment", "adjustment_ref"),
    ("ar_receipts", "receipt", "receipt_ref"),
)
_ORDER: Final = ["storefront", "order_ref"]


@dataclass(frozen=True)
class Own:
    """What one entity's close is made from, for `statement.books`."""

    inputs: Part
    policy: Policy
    entries: pl.DataFrame | None
    payouts: Payouts | None
    refunds: Refunds | None


def own(kept: Books, entity: str, tables: dict[str, pl.DataFrame]) -> Own:
    """One entity's share of a company's books; `tables` is its statement made from the whole."""
    whole = {
        one.name: kept.inputs.whole(one.name)
        for one in fields(Inputs)
        # How refunds are judged is made again from the entity's own, as whoever has the pack will.
        if one.name in COLUMNS
        and one.name != "refund_outcomes"
        and getattr(kept.inputs, one.name) is not None
    }
    homes, named = kept.homes.of, _named(kept, whole)
    mine = _homes_of_entity(kept, whole, entity)
    nobodys = tables["settlements"].filter((pl.col("entity_code") == "") & pl.col("is_payment"))
    groups = pl.concat([_reached(kept, entity), nobodys.select("group_ref")])
    mine = _with(mine, groups.join(named, on="group_ref").select("home"))
    if kept.entries is not None:
        ends = own_ledger.named_by(kept.entries.filter(pl.col("entity_code") == entity), whole)
        mine = _with(mine, ends.join(named, on="group_ref").select("home"))
    moved = None if kept.payouts is None else own_payouts.moved_with_homes(whole, named)
    while True:
        wider = _with(mine, _paid_with(kept, whole, named, mine))
        if moved is not None and kept.payouts is not None:
            wider = own_payouts.widened(wider, moved, kept.payouts.lines)
        if wider.height == mine.height:
            break
        mine = wider
    rows = {
        name: frame
        if name in WHOLE or name not in homes
        else frame.filter(homes[name].is_in(mine.to_series().implode()) & (homes[name] != 0))
        for name, frame in whole.items()
    }
    if "order_payments" in whole:
        rows["order_payments"] = _links(kept, whole, mine)
    if "customer_ids" in whole:
        bought = kept.homes.customers.join(mine, on="home", how="semi")["i"].unique().sort()
        rows["customer_ids"] = whole["customer_ids"][bought]
    if "decisions" in whole:
        known = named.join(mine, on="home", how="semi").select("group_ref").unique()
        rows["decisions"] = _decided(whole["decisions"], entity, known, tables["drafts"])
    orders = _identities(rows)
    payouts, refunds = kept.payouts, kept.refunds
    if payouts is not None and moved is not None:
        payouts = own_payouts.cut(payouts, own_payouts.paired(moved, payouts.lines), mine)
    return Own(
        inputs=Part(**rows, prefixes=tuple(prefixes_of(kept.inputs))),
        policy=replace(kept.policy, used_up=_used_up(kept)),
        entries=None if kept.entries is None else own_ledger.cut(kept.entries, entity, whole, rows),
        payouts=payouts,
        refunds=None if refunds is None else refunds.of_entity(entity, orders),
    )


def differing(whole: dict[str, pl.DataFrame], mine: dict[str, pl.DataFrame], entity: str) -> list[str]:
    """Names of the tables in which a statement made from an entity's own rows is not that made from the whole.

    What adds up all that was given is left out: completeness, and the proofs that are not the entity's.
    """

    def compared(name: str, frame: pl.DataFrame) -> pl.DataFrame:
        return frame.filter(pl.col("entity_code") == entity) if name == "proofs" else frame

    return [
        name
        for name, frame in whole.items()
        if name != "completeness" and not compared(name, frame).equals(compared(name, mine[name]))
    ]


def extent(whole: dict[str, pl.DataFrame], mine: dict[str, pl.DataFrame]) -> list[list[Any]]:
    """Per input, by name: how many rows the company has and how many of them (or of sums in their place) the pack holds."""
    return [[name, whole[name].height if name in whole else None, mine[name].height] for name in sorted(mine)]


def _named(kept: Books, whole: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """(group_ref, home): every name by which a row of the reconciliation, a decision or a ledger entry means a row of the inputs."""
    homes, parts = kept.homes.of, []
    for names in names_by_hand().values():
        for table, name in names.items():
            if table in whole and table in homes:
                parts.append(whole[table].select(group_ref=name).with_columns(home=homes[table]))
    for table, kind, ref in _KEYS:
        if table in whole:
            rows = whole[table].select(group_ref=pl.concat_str(pl.lit(f"{kind}:"), ref)).with_columns(home=homes[table])  # fmt: skip
            parts += [rows, rows.with_columns(group_ref=pl.concat_str(pl.lit("intacct:"), "group_ref"))]
    found = pl.concat(parts) if parts else pl.DataFrame(schema={"group_ref": pl.String, "home": HOME})
    return found.drop_nulls().unique()


def _homes_of_entity(kept: Books, whole: dict[str, pl.DataFrame], entity: str) -> pl.DataFrame:
    """The homes in which any row is the entity's by itself: its orders, events, payments and documents."""
    homes = kept.homes.of
    orders = kept.whose_orders.filter(pl.col("entity_code") == entity).select(_ORDER)
    payments = kept.whose_payments.filter(pl.col("entity_code") == entity).select("group_ref")
    found = []
    for table in ("orders", "owed"):
        identity = whole[table].select(_ORDER).with_columns(home=homes[table])
        found.append(identity.join(orders, on=_ORDER, how="semi").select("home"))
    for table in ("owed", *(name for name, _, _ in _KEYS)):
        if table in whole:
            found.append(
                whole[table]
                .select("entity_code")
                .with_columns(home=homes[table])
                .filter(pl.col("entity_code") == entity)
                .select("home")
            )
    for table, name in names_by_hand()["payments"].items():
        if table in whole and table in homes:
            said = whole[table].select(group_ref=name).with_columns(home=homes[table])
            found.append(said.join(payments, on="group_ref", how="semi").select("home"))
    return pl.concat(found).unique()


def _with(mine: pl.DataFrame, more: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([mine, more]).drop_nulls().unique()


def _paid_with(
    kept: Books, whole: dict[str, pl.DataFrame], named: pl.DataFrame, mine: pl.DataFrame
) -> pl.DataFrame:
    """The homes of orders that a payment of the homes names, as well as the one it is put to."""
    if "order_payments" not in whole:
        return mine.clear()
    groups = _links(kept, whole, mine).select(
        group_ref=pl.concat_str("storefront", "order_ref", separator=":")
    )
    return groups.join(named, on="group_ref").select("home")


def _links(kept: Books, whole: dict[str, pl.DataFrame], mine: pl.DataFrame) -> pl.DataFrame:
    """Which orders name a payment of the homes: those it is put to, and any other that names one that says itself whose it is."""
    homes, payment = kept.homes.of, ["storefront", "payment_ref"]
    links = whole["order_payments"].with_columns(home=homes["order_payments"]).with_row_index("at")
    found = [links.join(mine, on="home", how="semi")]
    if "payments" in whole:
        paid = whole["payments"].select(payment).with_columns(home=homes["payments"])
        found.append(links.join(paid.join(mine, on="home", how="semi"), on=payment, how="semi"))
    return pl.concat(found).unique("at").sort("at").drop("at", "home")


def _reached(kept: Books, entity: str) -> pl.DataFrame:
    """(group_ref): open rows that a proposal for one of the entity's was made from, at the end of the period, at its start, or in it."""
    views = (kept.period.view, kept.to_end.view, kept.to_start.view)
    found = [within_reach(one.orders, one.documents, kept.policy, entity) for one in views]
    return pl.concat(one.select("group_ref") for one in found).unique()


def _used_up(kept: Books) -> tuple[tuple[str, str, str], ...]:
    """(period name, tie-out, currency) in which all entities together have used the tolerance up."""
    period = kept.policy.period
    names = ("" if period is None else period.name, "to the end", "to the start")
    views = (kept.period.view, kept.to_end.view, kept.to_start.view)
    return tuple(
        (name, tie_out, currency)
        for name, view in zip(names, views, strict=True)
        for tie_out, refused in sorted(view.refused.items())
        for currency in refused
    )


def _decided(decisions: pl.DataFrame, entity: str, known: pl.DataFrame, drafts: pl.DataFrame) -> pl.DataFrame:
    """What people decided about the entity or about rows that are there, with what was said of those decisions later."""
    groups, ids = known["group_ref"].implode(), drafts["draft_id"].implode()
    named = pl.any_horizontal(
        pl.col("entity_code") == entity, pl.col("group_ref").is_in(groups), pl.col("ledger_ref").is_in(groups), pl.col("draft_id").is_in(ids)
    ).fill_null(value=False)  # fmt: skip
    chosen = decisions.filter(named).select("decision_id")
    while True:
        about = decisions.join(chosen, left_on="about_id", right_on="decision_id", how="semi")
        more = pl.concat([chosen, about.select("decision_id")]).unique()
        if more.height == chosen.height:
            return decisions.join(chosen, on="decision_id", how="semi", maintain_order="left")
        chosen = more


def _identities(rows: dict[str, pl.DataFrame]) -> pl.DataFrame:
    found: Iterable[pl.DataFrame] = (rows[name].select(_ORDER) for name in ("orders", "owed"))
    return pl.concat(found).unique()
