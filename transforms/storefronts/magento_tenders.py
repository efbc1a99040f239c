"""Gift cards, store credit and points used on Magento orders, as `core.order_tenders`.

Source of outside facts: Magento REST reference 2.4.8 (sales order: extension attributes of Adobe Commerce `gift_cards`, `gift_cards_amount`,
`customer_balance_amount`, `reward_currency_amount`). The figures of the order are the truth; single cards are told apart only where
their amounts sum to the order's figure.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from transforms.owed.tenders import of_figures, order_tenders
from transforms.storefronts.magento_amounts import in_minor

KINDS: Final = {
    "gift_cards_amount": "gift_card",
    "customer_balance_amount": "store_credit",
    "reward_currency_amount": "reward_points",
}
"""Members of an order or document, by the kind of tender they are of."""


def tenders_of(cards: pl.DataFrame, heads: pl.DataFrame, *, storefront: str, run_id: str) -> pl.DataFrame:
    """The tenders of a batch of orders: from its gift cards with their amounts as text, and from `heads`, which has the figures in minor
    units, `at`, `order_ref`, `currency` and `digits`."""
    named = heads.select("at", "order_ref", "currency", "digits")
    cards = in_minor(cards.join(named, on="at", how="left", maintain_order="left"), ["amount_minor"])
    sums = cards.group_by("at").agg(
        listed=pl.col("amount_minor").sum(), unread=pl.col("amount_minor").null_count()
    )
    apart = (
        heads.select("at", "gift_cards_amount")
        .join(sums, on="at")
        .filter((pl.col("listed") == pl.col("gift_cards_amount")) & (pl.col("unread") == 0))
    )
    whole = heads.with_columns(
        gift_cards_amount=pl.when(~pl.col("at").is_in(apart["at"].implode())).then("gift_cards_amount")
    )
    listed = cards.join(apart.select("at"), on="at", how="semi").select(
        "order_ref",
        tender_ref=pl.coalesce("card_ref", pl.lit("gift_card")),
        kind_code=pl.lit("gift_card"),
        tender_code=pl.lit(None, dtype=pl.String),
        currency="currency",
        amount_minor="amount_minor",
    )
    return order_tenders(pl.concat([of_figures(whole, KINDS), listed]), storefront=storefront, run_id=run_id)
