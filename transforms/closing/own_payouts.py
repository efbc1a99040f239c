"""An entity's own share of the providers' payouts: the lines of its payments and those of nobody yet; the others as sums."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import polars as pl

from transforms.closing.follow_up import Payouts
from transforms.reconcile.settlements import BEYOND, moved_of, paired_lines, totalled

_LINE: Final = ["storefront", "payout_ref", "line_ref"]
_REFS: Final = ("gateway_ref", "transaction_ref", "payment_ref")


def moved_with_homes(whole: dict[str, pl.DataFrame], named: pl.DataFrame) -> pl.DataFrame:
    """Payments that moved money as payouts are held against them, with their homes. `named`: (group_ref, home)."""
    payments, orders = (whole.get(name, pl.DataFrame()) for name in ("payments", "order_payments"))
    moved = moved_of(payments, orders)
    homes = named.unique("group_ref", keep="any")
    return moved.join(homes, on="group_ref", how="left", maintain_order="left")


def paired(moved: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """(storefront, payout_ref, line_ref, home, tender_code): lines that are a payment's."""
    found = paired_lines(moved.drop("home"), lines)
    return found.join(moved.select("p", "home", "tender_code"), on="p").drop("p")


def widened(mine: pl.DataFrame, moved: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """The homes with those of payments that share the reference of a payout line with one of them: lines are given to such payments in turn."""
    told = lines.select("storefront", ref="payment_ref").drop_nulls().unique()
    names = pl.concat(moved.select("storefront", "home", ref=one) for one in _REFS).drop_nulls()
    names = names.join(told, on=["storefront", "ref"], how="semi").unique()
    while True:
        refs = names.join(mine, on="home", how="semi").select("storefront", "ref").unique()
        more = pl.concat(
            [mine, names.join(refs, on=["storefront", "ref"], how="semi").select("home")]
        ).unique()
        if more.height == mine.height:
            return mine
        mine = more


def cut(payouts: Payouts, whose: pl.DataFrame, mine: pl.DataFrame) -> Payouts:
    """The lines of payments of the homes and of no payment; what the others come to, in `beyond`. `whose` is `paired`."""
    others = whose.join(mine, on="home", how="anti")
    left_out = payouts.lines.join(others.select(*_LINE, "tender_code"), on=_LINE)
    beyond = totalled(left_out, "tender_code").select([pl.col(n).cast(t) for n, t in BEYOND.items()])
    return replace(
        payouts,
        lines=payouts.lines.join(others, on=_LINE, how="anti", maintain_order="left"),
        beyond=beyond.sort(beyond.columns, nulls_last=True),
    )
