"""Contract of the tenders that orders carry themselves: gift cards, store credit and points used."""

from __future__ import annotations

from checks.contracts.core import CURRENCY, MINOR, ORDER_REF, RUN, STOREFRONT, TEXT
from checks.contracts.table import Column, Table
from tieout.vocabulary import TENDER_KINDS

ORDER_TENDERS = Table(
    "core.order_tenders",
    ("storefront", "order_ref", "tender_ref"),
    "Gift cards, store credit and points used on an order that have no payment of their own; of each order they sum to its tender_minor.",
    (
        STOREFRONT,
        ORDER_REF,
        Column(
            "tender_ref",
            TEXT,
            "Which one of the order: the storefront's id of the card or row, never a card's code; its kind where nothing tells it apart.",
        ),
        Column("kind_code", TEXT, "What kind of tender it is.", words=TENDER_KINDS),
        Column(
            "tender_code",
            TEXT,
            "The word it goes by in tenders.csv: GiftCard, StoreCredit, RewardPoints, or the storefront's own.",
        ),
        CURRENCY,
        Column("amount_minor", MINOR, "How much of the order it paid."),
        RUN,
    ),
)

TABLES = (ORDER_TENDERS,)
