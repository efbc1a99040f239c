"""The planted faults: what each kind means, how many there are, and which orders carry them.

One order carries at most one fault. Ledger faults sit in September, which a previous integration posted; orders that a row
rule must hold sit in October. ``delta`` is storefront minus ledger in minor units of the order's currency.

=========================== ======================================================================= =====================
kind                        set-up                                                                  expected code
=========================== ======================================================================= =====================
missing_invoice             shipped on account, no invoice                                          missing_invoice
duplicate_invoice           invoiced twice in full, second number ends in -2                        duplicate_invoice
missing_order               invoice by hand whose order number was never used                       missing_order
amount_goods                first goods line of the invoice differs                                 amount_goods
amount_shipping             freight line differs                                                    amount_shipping
amount_tax                  tax line differs by a unit of currency or more                          amount_tax
amount_discount             discount on the total left out of the invoice                           amount_discount
rounding                    tax worked out once on the total, not row by row: one cent              rounding (explained)
currency                    euro order invoiced in dollars, same digits                             currency
entity                      invoice in the other entity                                             entity
customer                    invoice on another customer                                             customer
cancelled_but_invoiced      cancelled before shipping, invoiced nevertheless                        cancelled_but_invoiced
over_invoiced               second of two shipments invoiced at the order's whole total             over_invoiced
refund_without_credit_memo  refund with return, no credit memo                                      refund_without_credit_memo
credit_memo_without_refund  credit memo, nothing was paid back                                      credit_memo_without_refund
receipt_missing             charged and invoiced, no receipt                                        receipt_missing
misapplied                  receipt of one guest's order applied to another guest's invoice         misapplied (both orders)
unapplied                   receipt kept on account, applied to nothing                             unapplied
short_paid                  receipt less than the charge                                            short_paid
over_paid                   receipt more than the charge (deposit on a larger invoice)              over_paid
duplicate_receipt           one charge received twice (deposit, so the invoice had room)            duplicate_receipt
chargeback                  storefront shows a chargeback, ledger knows nothing                     chargeback
cut_off                     shipped on 30 September local time, invoice dated 1 October             cut_off (timing)
receipt_without_payment     receipt on account whose reference is no charge                         receipt_without_payment
ledger_precision            not planted but natural: third decimal of a KWD invoice lost            rounding (explained)
tax_unknown                 order and its rows without taxedPrice                                   tax_unknown (held)
order_number_missing        order without orderNumber                                               order_number_missing (held)
amount_not_exact            a row's totalPrice.centAmount is float text, 29.949999999999999         amount_not_exact (held)
currency_unknown            every amount of the order in XXQ                                        currency_unknown (held)
parts_exceed_rounding_limit header total and gross 50 to 450 units above what the parts give        (same, held)
store_unmapped              store key pop-up                                                        store_unmapped (held)
sku_unmapped                first row's SKU is NEW-n                                                sku_unmapped (held)
tender_unmapped             paid by CryptoPay                                                       tender_unmapped (held)
tax_code_unmapped           the first row's tax rate has a name nobody mapped, everywhere          tax_code_unmapped (held)
payload_unreadable          lineItems is text instead of a list                                     payload_unreadable (held)
duplicate_order_number      two orders carry one number; both are listed                            (same, held)
payment_without_order       successful charge on a payment no order refers to                       payment_without_order
=========================== ======================================================================= =====================

What looks odd but is no fault: customer numbers of 36 characters and more, names like ``=cmd|' /C calc'!A0``, ``-0`` as an
amount, guests without names, high-precision unit prices, gift rows, fees, several captures, deposits, orders on account,
gift cards as tender, test and zero-total orders, cancelled, failed and merely authorised ones, rows that differ from the
header by a unit under unit-price tax calculation.
"""

from __future__ import annotations

from dataclasses import dataclass

from tieout.sandbox.world.arithmetic import random_of, utc_ms
from tieout.sandbox.world.catalog import END_MS, EU, START_MS, US

RATE_PER_MILLION = 1500
MINIMUM_PER_KIND = 2

SEPTEMBER, OCTOBER = "2026-09", "2026-10"


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of fault shapes the order that carries it. ``scenarios`` and ``stores`` are drawn from in turn."""

    name: str
    side: str
    code: str
    family: str
    scenarios: tuple[str, ...] = ("plain",)
    stores: tuple[int, ...] = (US, EU)
    features: frozenset[str] = frozenset()
    orders_each: int = 1


def _ledger(name: str, *scenarios: str, **more: object) -> Kind:
    return Kind(name, "ledger", name, "error", scenarios or ("plain",), **more)  # type: ignore[arg-type]


def _payload(name: str, **more: object) -> Kind:
    return Kind(name, "payload", name, "held", **more)  # type: ignore[arg-type]


def _features(*names: str) -> frozenset[str]:
    return frozenset(names)


LEDGER_KINDS: tuple[Kind, ...] = (
    _ledger("missing_invoice", "on_account"),
    _ledger("duplicate_invoice", "on_account"),
    _ledger("amount_goods", "plain", "on_account"),
    _ledger("amount_shipping", "plain", "on_account", features=_features("shipping")),
    _ledger("amount_tax", "plain", "on_account", features=_features("no_discount")),
    _ledger("amount_discount", "plain", "on_account", features=_features("discount")),
    Kind(
        "rounding",
        "ledger",
        "rounding",
        "explained",
        ("on_account",),
        (US,),
        _features("uneven_tax", "no_discount"),
    ),
    _ledger("currency", "on_account", stores=(EU,)),
    _ledger("entity", "on_account"),
    _ledger("customer", "on_account"),
    _ledger("cancelled_but_invoiced", "cancelled"),
    _ledger("over_invoiced", "two_shipments"),
    _ledger("refund_without_credit_memo", "return_line"),
    _ledger("credit_memo_without_refund", "plain", features=_features("no_discount")),
    _ledger("receipt_missing"),
    _ledger("misapplied", features=_features("guest"), orders_each=2),
    _ledger("unapplied"),
    _ledger("short_paid"),
    _ledger("over_paid", "deposit"),
    _ledger("duplicate_receipt", "deposit"),
    Kind("chargeback", "storefront", "chargeback", "error"),
    Kind("cut_off", "ledger", "cut_off", "timing", ("on_account",)),
)
ORPHAN_KINDS: tuple[Kind, ...] = (
    _ledger("missing_order"),
    _ledger("receipt_without_payment"),
    Kind("payment_without_order", "storefront", "payment_without_order", "error"),
)
PRECISION = Kind("ledger_precision", "ledger", "rounding", "explained")
PAYLOAD_KINDS: tuple[Kind, ...] = (
    _payload("tax_unknown"),
    _payload("order_number_missing"),
    _payload("amount_not_exact"),
    _payload("currency_unknown"),
    _payload("parts_exceed_rounding_limit"),
    _payload("store_unmapped"),
    _payload("sku_unmapped"),
    _payload("tender_unmapped"),
    _payload("tax_code_unmapped"),
    _payload("payload_unreadable"),
    _payload("duplicate_order_number", orders_each=2),
)
KINDS = {kind.name: kind for kind in (*LEDGER_KINDS, *ORPHAN_KINDS, PRECISION, *PAYLOAD_KINDS)}


@dataclass(frozen=True, slots=True)
class Planted:
    """The fault one order carries. ``partner`` is the other order of a pair, ``role`` 0 or 1 within the pair,
    ``serial`` counts the faults of the kind."""

    kind: Kind
    scenario: str
    store: int
    serial: int
    role: int = 0
    partner: int = -1

    def wants(self, feature: str) -> bool:
        """Whether the order must have this feature for the fault to show."""
        return feature in self.kind.features


def index_at(ms: int, orders: int) -> int:
    """The first order placed at or after an instant: orders are spread evenly over the two months."""
    return max(0, min(orders, -(-(ms - START_MS) * orders // (END_MS - START_MS))))


def plan(seed: int, orders: int) -> tuple[dict[int, Planted], int]:
    """Which order carries which fault, and how many faults of each kind there are.

    Each kind strikes ``max(2, 0.15 % of orders)`` times; a world too small to hold that many carries as many as fit.
    """
    wanted = max(MINIMUM_PER_KIND, -(-orders * RATE_PER_MILLION // 1_000_000)) if orders else 0
    windows = {
        "ledger": _shuffled(
            seed, 1, *(index_at(ms, orders) for ms in (utc_ms(2026, 9, 2), utc_ms(2026, 9, 19)))
        ),
        "cut_off": _shuffled(
            seed, 2, *(index_at(ms, orders) for ms in (utc_ms(2026, 9, 27), utc_ms(2026, 9, 30)))
        ),
        "payload": _shuffled(
            seed, 3, *(index_at(ms, orders) for ms in (utc_ms(2026, 10, 2), utc_ms(2026, 10, 25)))
        ),
    }
    ledger_slots = sum(kind.orders_each for kind in LEDGER_KINDS if kind.name != "cut_off")
    payload_slots = sum(kind.orders_each for kind in PAYLOAD_KINDS)
    # At most half of a window's orders may be faulty, or the natural ones would become the exception.
    each = min(
        wanted,
        len(windows["ledger"]) // (2 * ledger_slots),
        len(windows["payload"]) // (2 * payload_slots),
        len(windows["cut_off"]) // 2,
    )
    planted: dict[int, Planted] = {}
    for kind in (*LEDGER_KINDS, *PAYLOAD_KINDS):
        window = windows[
            "cut_off" if kind.name == "cut_off" else "payload" if kind.side == "payload" else "ledger"
        ]
        for serial in range(each):
            members = [window.pop() for _ in range(kind.orders_each)]
            store = kind.stores[serial % len(kind.stores)]
            for role, index in enumerate(members):
                scenario = kind.scenarios[serial // 2 % len(kind.scenarios)]
                if kind.name == "misapplied" and role == 1:
                    scenario = "on_account"
                partner = members[1 - role] if len(members) == 2 else -1
                planted[index] = Planted(kind, scenario, store, serial, role, partner)
    return planted, each


def _shuffled(seed: int, stream: int, start: int, end: int) -> list[int]:
    numbers = list(range(start, end))
    rng = random_of(seed, 0x70 + stream, 0)
    for k in range(len(numbers) - 1, 0, -1):
        other = int(rng.random() * (k + 1))
        numbers[k], numbers[other] = numbers[other], numbers[k]
    return numbers
