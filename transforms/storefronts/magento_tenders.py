"""Gift cards, store credit and points used on Magento orders, as `core.order_tenders`.

Source of outside facts: Magento REST reference 2.4.8 (sales order: extension attributes of Adobe Commerce `gift_cards`, `gift_cards_amount`,
`customer_balance_amount`, `reward_currency_amount`). The figures of the order are the truth; single cards are told apart only where
their amounts sum to the order's figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from transforms.storefronts.magento_amounts import in_minor, texts
from transforms.storefronts.magento_payloads import Order, text
from transforms.tenders import of_figures, order_tenders

KINDS: Final = {
    "gift_cards_amount": "gift_card",
    "customer_balance_amount": "store_credit",
    "reward_currency_amount": "reward_points",
}
"""Members of an order or document, by the kind of tender they are of."""


def tenders_of(orders: Sequence[Order], heads: pl.DataFrame, *, storefront: str, run_id: str) -> pl.DataFrame:
    """The tenders of a batch of orders; `heads` has the figures in minor units, `at`, `order_ref`, `currency` and `digits`."""
    cards = _cards(orders, heads)
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


def _cards(orders: Sequence[Order], heads: pl.DataFrame) -> pl.DataFrame:
    # Few orders have any: the others are passed over by one look at one member.
    found = [
        (at, card)
        for at, order in enumerate(orders)
        if order.extension_attributes is not None
        for card in order.extension_attributes.gift_cards or ()
    ]
    frame = pl.DataFrame(
        [
            pl.Series("at", [at for at, _ in found], dtype=pl.UInt32),
            pl.Series("card_ref", [text(card.id) for _, card in found], dtype=pl.String),
            texts("amount_minor", [card.amount for _, card in found]),
        ]
    ).join(heads.select("at", "order_ref", "currency", "digits"), on="at", how="left", maintain_order="left")
    return in_minor(frame, ["amount_minor"])
