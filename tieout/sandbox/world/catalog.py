"""What never changes in the world: stores, tax rates, items, channels, tenders, accounts and the calendar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from tieout.sandbox.world.arithmetic import half_even, utc_ms

PROJECT_KEY = "tieout-demo"
CLIENT_ID = "demo-client"
CLIENT_SECRET = "demo-secret"  # noqa: S105 - the stand-in's own, known to everybody

START_MS = utc_ms(2026, 9, 1)
END_MS = utc_ms(2026, 11, 1)
NOW_MS = utc_ms(2026, 11, 2, 3)
GO_LIVE = date(2026, 10, 1)

NEW_YORK, BERLIN = "America/New_York", "Europe/Berlin"


@dataclass(frozen=True, slots=True, eq=False)
class Rate:
    """A tax rate as an exact fraction, the account its tax is owed on, and its name as the storefront prints it."""

    name: str
    numerator: int
    denominator: int
    included: bool
    country: str
    account: str

    @property
    def amount(self) -> float:
        """The rate as the JSON number of the payload (a rate, not money)."""
        return self.numerator / self.denominator

    def split(self, price: int) -> tuple[int, int]:
        """Net and tax of a price, tax rounded half-even: from within when the price includes it, else on top."""
        if self.included:
            tax = half_even(price * self.numerator, self.numerator + self.denominator)
            return price - tax, tax
        return price, half_even(price * self.numerator, self.denominator)


US_TAX = Rate("NY Sales Tax 8.875", 71, 800, False, "US", "2200")
US_EXEMPT = Rate("Exempt", 0, 1, False, "US", "2200")
VAT_19 = Rate("DE MwSt 19", 19, 100, True, "DE", "2210")
VAT_7 = Rate("DE MwSt 7", 7, 100, True, "DE", "2210")
VAT_EXEMPT = Rate("Exempt", 0, 1, True, "DE", "2210")
JP_TAX = Rate("JP Consumption Tax 10", 1, 10, True, "JP", "2220")


@dataclass(frozen=True, slots=True, eq=False)
class Store:
    """One storefront store and where its trade is booked."""

    key: str
    name: str
    currency: str
    digits: int
    entity: str
    location: str
    zone: str
    prefix: str
    guest_id: str
    channel: str
    country: str
    standard_rate: Rate | None
    reduced_rate: Rate | None
    exempt_rate: Rate | None
    price_factor: int  # minor units of the store per 1,000 US cents
    dispatch_utc: tuple[
        tuple[int, int], tuple[int, int], tuple[int, int]
    ]  # morning, afternoon, around local midnight
    shipping_prices: tuple[int, ...]
    fee_price: int


_EAST_DISPATCH = ((14, 0), (20, 0), (3, 30))
_BERLIN_DISPATCH = ((8, 0), (14, 0), (22, 30))
STORES: tuple[Store, ...] = (
    Store("us-web", "US web shop", "USD", 2, "E100", "100", NEW_YORK, "U", "GUEST-US-USD", "wh-east", "US",
          US_TAX, US_TAX, US_EXEMPT, 1000, _EAST_DISPATCH, (0, 595, 995), 350),
    Store("eu-web", "EU web shop", "EUR", 2, "E200", "200", BERLIN, "E", "GUEST-EU-EUR", "wh-berlin", "DE",
          VAT_19, VAT_7, VAT_EXEMPT, 950, _BERLIN_DISPATCH, (0, 490, 890), 300),
    Store("jp-web", "Japan web shop", "JPY", 0, "E100", "100", NEW_YORK, "J", "GUEST-JP-JPY", "wh-east", "JP",
          JP_TAX, JP_TAX, None, 1530, _EAST_DISPATCH, (0, 680, 1200), 400),
    Store("kw-web", "Kuwait web shop", "KWD", 3, "E100", "100", NEW_YORK, "K", "GUEST-KW-KWD", "wh-east", "KW",
          None, None, None, 3073, _EAST_DISPATCH, (0, 1525, 2250), 1075),
)  # fmt: skip
US, EU, JP, KW = range(4)
CHANNELS = ("wh-east", "wh-berlin")

CATEGORY_ACCOUNTS = {"c1": "4000", "c2": "4010", "c3": "4020", "c4": "4030", "c5": "4040", "c6": "4050"}
FREIGHT, FEES, DISCOUNTS, ALLOWANCES, ROUNDING, GIFT_LIABILITY = (
    "4100",
    "4200",
    "4800",
    "4900",
    "6990",
    "2300",
)


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One sellable item; ``reduced`` marks the reduced rate of VAT, ``gift_card`` an item that is a liability when sold."""

    sku: str
    name: str
    category: str
    cents: int
    reduced: bool = False
    gift_card: bool = False

    @property
    def account(self) -> str:
        """The account its net amount is booked on."""
        return GIFT_LIABILITY if self.gift_card else CATEGORY_ACCOUNTS[self.category]

    def price(self, store: Store) -> int:
        """Unit price in the store's minor units."""
        if self.gift_card:
            return self.cents
        return max(1, half_even(self.cents * store.price_factor, 1000))


_FAMILIES = (
    ("MUG", "Mug", "c1", 1190, 137),
    ("TEE", "T-shirt", "c2", 1995, 211),
    ("BAG", "Bag", "c3", 3490, 455),
    ("LMP", "Lamp", "c4", 4999, 631),
    ("BOK", "Book", "c5", 899, 173),
    ("TEA", "Tea", "c6", 549, 89),
)
ITEMS: tuple[Item, ...] = tuple(
    Item(f"{code}-{n}", f"{name} no. {n}", category, base + (n - 1) * step, reduced=category in ("c5", "c6"))
    for code, name, category, base, step in _FAMILIES
    for n in range(1, 11)
)
GIFT_CARDS: tuple[Item, ...] = (
    Item("GIFT-25", "Gift card 25", "gift", 2500, gift_card=True),
    Item("GIFT-50", "Gift card 50", "gift", 5000, gift_card=True),
)


@dataclass(frozen=True, slots=True, eq=False)
class Tender:
    """A way to pay: the storefront's words, and Intacct's payment method and clearing account stem."""

    method: str
    interface: str
    reference: str
    intacct_method: str
    clearing: str


CARD = Tender("CreditCard", "PSP", "ch_", "Credit Card", "CLR-CARD")
PAYPAL = Tender("PayPal", "PAYPAL", "PP-", "EFT", "CLR-PAYPAL")
GIFT = Tender("GiftCard", "GIFT", "gc_", "EFT", "CLR-GIFT")
CREDIT = Tender("StoreCredit", "CREDIT", "sc_", "EFT", "CLR-CREDIT")
CRYPTO = Tender("CryptoPay", "CHAIN", "0x", "EFT", "CLR-CARD")


def clearing_account(tender: Tender, entity: str) -> str:
    """The Intacct financial entity a tender's receipts go to."""
    return f"{tender.clearing}-{'EU' if entity == 'E200' else 'US'}"
