"""The world's orders and customers in Magento's words; what hangs on an order is told by :mod:`magento_documents`.

Shapes follow the Magento REST reference 2.4.8. Amounts are JSON numbers with up to four decimals; now and then one is written as a long
float or with a residue next to zero, as PHP does. Instants are UTC in whole seconds. Ids are whole numbers that grow with time.
"""

from __future__ import annotations

from typing import Any

from tieout.sandbox.world import people
from tieout.sandbox.world.arithmetic import decimal_text, iso, random_of, split_by_weight
from tieout.sandbox.world.catalog import CARD, GIFT, PAYPAL, STORES, Item
from tieout.sandbox.world.orders import (
    Order,
    Payment,
    Row,
    Transaction,
    by_card_or_credit,
    tenders_of_header,
)

METHODS = {CARD.method: "stripe_payments", PAYPAL.method: "paypal_express"}
_OFFLINE = {"zero_total": "free", "on_account": "purchaseorder"}
CUSTOMER_NUMBER = "erp_customer_number"
"""Attribute in which this shop keeps the number people know a customer by; Magento itself has none."""

CONFIGURABLE = "TEE-"
"""Items of this family are sold as configurable products: a parent row that carries the money and a child row."""


def stamp(ms: int) -> str:
    """An instant as Magento writes it: UTC, whole seconds, no zone."""
    return iso(ms)[:19].replace("T", " ")


def order_id(index: int) -> int:
    """The entity id of order number ``index``."""
    return index + 1


def item_id(index: int, row: int) -> int:
    """The id of an order's row; a child row's is one more."""
    return (index + 1) * 100 + row * 2


class Numbers:
    """Writes minor units as the JSON number PHP would: mostly plain, now and then a long float or a residue."""

    def __init__(self, digits: int, odd: int) -> None:
        self.digits, self.odd = digits, odd

    def __call__(self, minor: int, *, place: int = 0) -> Any:
        """A marker that ``dump`` turns into the bare number."""
        if minor == 0:
            residue = (self.odd + place) % 13 == 3
            return f"@raw:{'-8.8817841970012523e-16' if residue else '0'}"
        text = decimal_text(minor, self.digits)
        if self.digits == 2 and (self.odd + place) % 11 == 4 and abs(minor) < 10**9:
            # One unit in the seventeenth digit below: what a double shows when it is printed too long.
            below = decimal_text(abs(minor) - 1, 2) + "9999999999999"
            return f"@raw:{'-' if minor < 0 else ''}{below[:18]}"
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        return f"@raw:{text}"


class Reckoned:
    """An order's amounts as Magento divides them: the discount by row, the tax after it, and the hidden tax between.

    What of a discount fell on gift wrapping stands in the header alone, and lowers the wrapping's tax.
    """

    def __init__(self, order: Order) -> None:
        self.order = order
        self.items = [k for k, row in enumerate(order.rows) if row.kind == "item"]
        self.fees = [row for row in order.rows if row.kind == "fee"]
        self.shipping = next(row for row in order.rows if row.kind == "shipping")
        self.included = order.store.standard_rate is not None and order.store.standard_rate.included
        rows = [*(order.rows[k] for k in self.items), *self.fees]
        self.cuts = split_by_weight(order.discount, [row.price for row in rows])
        self.less_tax = [0] * len(rows)
        if order.discount:
            for rate in {row.rate for row in rows if row.rate is not None}:
                before = sum(row.tax for row in order.rows if row.rate == rate)
                places = [n for n, row in enumerate(rows) if row.rate == rate]
                drop = before - order.taxes.get(rate, 0)
                parts = split_by_weight(abs(drop), [rows[n].tax for n in places])
                for n, part in zip(places, parts, strict=True):
                    self.less_tax[n] = part if drop > 0 else -part
        self.hidden_tax = sum(self.less_tax) if self.included else 0
        self.fees_net = sum(row.net for row in self.fees)
        self.fees_tax = sum(row.tax for row in self.fees) - sum(self.less_tax[len(self.items) :])

    def tax_of(self, n: int) -> int:
        """Tax of item row ``n`` after the discount."""
        return self.order.rows[self.items[n]].tax - self.less_tax[n]


def charges(order: Order) -> list[tuple[Payment, Transaction]]:
    """Successful charges: each is an invoice. One of a gift card is none of its own, but for an order that was paid with nothing else."""
    return [pair for pair in order.charges() if pair[0].tender is not GIFT or len(order.payments) == 1]


def money(pair: tuple[Payment, Transaction]) -> int:
    """What of a charge went through a gateway."""
    return 0 if pair[0].tender is GIFT else pair[1].minor


def tender_of(order: Order, minor: int, number: Numbers) -> dict[str, Any]:
    """Members of an order or invoice for a gift card used, for store credit, or for both."""
    found: dict[str, Any] = {}
    for _, kind, part in tenders_of_header(order, minor):
        name = {"gift_card": "gift_cards_amount", "store_credit": "customer_balance_amount"}[kind]
        found |= {name: number(part), f"base_{name}": number(part)}
    return found


def refunds(order: Order) -> list[tuple[Payment, Transaction]]:
    """Successful refunds: each is a credit memo."""
    return [
        (p, t) for p in order.payments for t in p.transactions if t.type == "Refund" and t.state == "Success"
    ]


def changed(order: Order) -> int:
    """When the order last changed: invoices, shipments and credit memos touch it too."""
    moves = [t.at for p in order.payments for t in p.transactions if t.state == "Success"]
    return max([order.line.modified, *moves])


class Shop:
    """Renders the documents of one world."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    # ---- orders ----------------------------------------------------------------------------------------------

    def order(self, order: Order) -> dict[str, Any]:
        """The order with its rows, payment and taxes."""
        reckoned, line = Reckoned(order), order.line
        number = Numbers(order.store.digits, order.index)
        own = order_id(order.index)
        state, status = _state(order)
        subtotal = sum(order.rows[k].net for k in reckoned.items)
        paid = sum(money(pair) for pair in charges(order))
        due = order.gross - by_card_or_credit(order)
        back = sum(move.minor for _, move in refunds(order))
        first, last, email = self._buyer(order)
        found: dict[str, Any] = {
            "entity_id": own,
            "increment_id": order.number,
            "state": state,
            "status": status,
            "store_id": STORES.index(order.store) + 1,
            "store_name": f"{order.store.name}\nMain\n{order.store.key}",
            "created_at": stamp(line.placed),
            "updated_at": stamp(changed(order)),
            "base_currency_code": order.store.currency,
            "global_currency_code": "USD",
            "order_currency_code": order.store.currency,
            "base_to_order_rate": 1,
            "customer_is_guest": int(order.customer is None),
            "customer_email": email,
            "remote_ip": "192.0.2.10",
            "subtotal": number(subtotal, place=1),
            "subtotal_incl_tax": number(sum(order.rows[k].gross for k in reckoned.items), place=2),
            "discount_amount": number(-order.discount, place=3),
            "shipping_amount": number(reckoned.shipping.net, place=4),
            "shipping_tax_amount": number(reckoned.shipping.tax, place=5),
            "shipping_incl_tax": number(reckoned.shipping.gross, place=6),
            "shipping_discount_amount": number(0, place=7),
            "tax_amount": number(order.tax, place=8),
            "discount_tax_compensation_amount": number(reckoned.hidden_tax, place=9),
            "shipping_discount_tax_compensation_amount": number(0, place=10),
            "grand_total": number(due, place=11),
            "base_grand_total": number(due, place=12),
            "total_due": number(due - paid, place=13),
            "total_qty_ordered": sum(order.rows[k].quantity for k in reckoned.items),
            "weight": 0,
            "items": self._items(order, reckoned, number),
            "billing_address": _address(order, first, last),
            "payment": self._payment(order, number, paid, back),
            "status_histories": [],
            "extension_attributes": self._extensions(order, reckoned, number),
        }
        if order.customer is not None:
            found["customer_id"] = order.customer + 1
        if first is not None or last is not None:
            found |= {"customer_firstname": first or "", "customer_lastname": last or ""}
        if paid:
            found |= {"total_paid": number(paid, place=14), "total_invoiced": number(paid, place=15)}
        if back:
            found["total_refunded"] = number(back, place=16)
        if line.cancelled:
            found["total_canceled"] = number(due, place=17)
        if order.discount:
            found["discount_description"] = "Autumn"
        return found

    def _buyer(self, order: Order) -> tuple[str | None, str | None, str]:
        if order.customer is not None:
            first, last, _ = people.name_of(self.seed, order.customer)
            email = people.email_of(order.customer)
        else:
            rng = random_of(self.seed, 7, order.index)
            first, last = people.guest_name(rng) if order.named else (None, None)
            email = f"guest{order.index + 1}@example.org"
        if order.line.scenario == "test":
            email = f"tester{order.index % 5}@example.test"
        return first, last, email

    def _items(self, order: Order, reckoned: Reckoned, number: Numbers) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for n, k in enumerate(reckoned.items):
            row, own = order.rows[k], item_id(order.index, k)
            assert row.item is not None
            is_configurable = row.item.sku.startswith(CONFIGURABLE)
            kind = "giftcard" if row.item.gift_card else "configurable" if is_configurable else "simple"
            parent = {
                "item_id": own,
                "order_id": order_id(order.index),
                "sku": row.item.sku,
                "name": row.name,
                "product_type": kind,
                "product_id": product_id(row.item),
                "qty_ordered": row.quantity,
                **_prices(row, reckoned, number, n),
                "row_total": number(row.net, place=20 + n),
                "row_total_incl_tax": number(row.gross, place=21 + n),
                "discount_amount": number(reckoned.cuts[n], place=22 + n),
                "tax_amount": number(reckoned.tax_of(n), place=23 + n),
                "discount_tax_compensation_amount": number(
                    reckoned.less_tax[n] if reckoned.included else 0, place=24 + n
                ),
                "free_shipping": 0,
            }
            found.append(parent)
            if is_configurable:
                found.append(_child(parent, row, number, filled=order.index % 2 == 0))
        return found

    def _payment(self, order: Order, number: Numbers, paid: int, back: int) -> dict[str, Any]:
        method = (
            "free"
            if by_card_or_credit(order) == order.gross
            else _OFFLINE.get(order.line.scenario, "checkmo")
        )
        found: dict[str, Any] = {"entity_id": order_id(order.index), "parent_id": order_id(order.index)}
        if order.payments and order.payments[0].tender is not GIFT:
            method = METHODS[order.payments[0].tender.method]
            held = [m for m in order.payments[0].transactions if m.type == "Authorization"]
            if held:
                found["amount_authorized"] = number(held[0].minor)
            last = [m.reference for m in order.payments[0].transactions if m.state == "Success"]
            if last:
                found["last_trans_id"] = last[-1]
        found |= {
            "method": method,
            "account_status": None,
            "amount_ordered": number(order.gross - by_card_or_credit(order)),
            # What careless modules leave behind; a courier must not carry it on. The number is a well-known test card.
            "additional_information": ["Card", "PAN=4111 1111 1111 1111"],
            "cc_last4": "1111",
            "cc_exp_year": "2029",
        }
        if paid:
            found["amount_paid"] = number(paid)
        if back:
            found["amount_refunded"] = number(back)
        return found

    def _extensions(self, order: Order, reckoned: Reckoned, number: Numbers) -> dict[str, Any]:
        taxes = [
            {
                "code": rate.name,
                "title": rate.name,
                "percent": _percent(rate),
                "amount": number(tax),
                "base_amount": number(tax),
            }
            for rate, tax in order.taxes.items()
        ]
        of_rows: list[dict[str, Any]] = []
        for n, k in enumerate(reckoned.items):
            rate = order.rows[k].rate
            if rate is not None:
                of_rows.append(_applied("product", item_id(order.index, k), rate, number(reckoned.tax_of(n))))
        if reckoned.shipping.rate is not None:
            of_rows.append(_applied("shipping", None, reckoned.shipping.rate, number(reckoned.shipping.tax)))
        found: dict[str, Any] = {"applied_taxes": taxes, "item_applied_taxes": of_rows}
        if used := by_card_or_credit(order):
            found |= tender_of(order, used, number)
            for _, kind, part in tenders_of_header(order, used):
                if kind == "gift_card":
                    own = order_id(order.index)
                    amounts = {"amount": number(part), "base_amount": number(part)}
                    found["gift_cards"] = [{"id": own, "code": f"GC{own:06d}", **amounts}]
        if reckoned.fees:
            # Gift wrapping amounts are text in this interface.
            digits = order.store.digits
            found |= {
                "gw_price": decimal_text(reckoned.fees_net, digits),
                "gw_tax_amount": decimal_text(reckoned.fees_tax, digits),
            }
            rate = reckoned.fees[0].rate
            if rate is not None:
                of_rows.append(_applied("quote_gw", None, rate, number(reckoned.fees_tax)))
        return found

    # ---- masters ---------------------------------------------------------------------------------------------

    def customer(self, customer: int) -> dict[str, Any]:
        """A registered customer."""
        first, last, company = people.name_of(self.seed, customer)
        at = people.customer_modified(self.seed, customer)
        store = people.store_of(customer)
        home = people.address(store, customer, first, last)
        address: dict[str, Any] = {
            "id": customer + 1,
            "customer_id": customer + 1,
            "street": [f"{home['streetName']} {home['streetNumber']}"],
            "city": home["city"],
            "postcode": home["postalCode"],
            "country_id": home["country"],
            "telephone": "555-0100",
            "firstname": first or "",
            "lastname": last or "",
            "default_billing": True,
        }
        if company:
            address["company"] = company
        return {
            "id": customer + 1,
            "group_id": 1,
            "created_at": stamp(at),
            "updated_at": stamp(at),
            "email": people.email_of(customer),
            "firstname": first or "",
            "lastname": last or "",
            "store_id": store + 1,
            "website_id": store + 1,
            "default_billing": str(customer + 1),
            "addresses": [address],
            "custom_attributes": [
                {"attribute_code": CUSTOMER_NUMBER, "value": people.customer_number(customer)}
            ],
        }


def product_id(item: Item) -> int:
    """The entity id of a product: the place of its SKU in the catalogue, spread so that families do not touch."""
    family = ("MUG", "TEE", "BAG", "LMP", "BOK", "TEA", "GIFT").index(item.sku.split("-")[0])
    return family * 100 + int(item.sku.split("-")[1])


def _state(order: Order) -> tuple[str, str]:
    line = order.line
    if line.scenario == "cancelled":
        return "canceled", "canceled"
    if line.scenario == "failed":
        return "pending_payment", "pending_payment"
    if line.scenario == "return_all" and line.returned:
        return "closed", "closed"
    whole = len(line.ships) == len(order.shipments) and not line.to_come
    if whole and line.scenario != "on_account":
        return "complete", "complete"
    return "processing", "processing"


def _prices(row: Row, reckoned: Reckoned, number: Numbers, n: int) -> dict[str, Any]:
    """Unit prices; with tax as the shop shows them, without it to four decimals."""
    digits = reckoned.order.store.digits
    shown = f"@raw:{decimal_text(*row.precise)}" if row.precise else number(row.unit, place=30 + n)
    if not reckoned.included:
        return {"price": shown, "price_incl_tax": number(row.unit + row.tax // max(row.quantity, 1))}
    net = row.net * 10_000 // (max(row.quantity, 1) * 10**digits)
    return {"price": f"@raw:{decimal_text(net, 4)}", "price_incl_tax": shown}


def _child(parent: dict[str, Any], row: Row, number: Numbers, *, filled: bool) -> dict[str, Any]:
    """The simple product behind a configurable; some releases repeat the price on it, others write nothing."""
    return {
        "item_id": parent["item_id"] + 1,
        "order_id": parent["order_id"],
        "parent_item_id": parent["item_id"],
        "sku": parent["sku"],
        "name": parent["name"],
        "product_type": "simple",
        "product_id": parent["product_id"],
        "qty_ordered": row.quantity,
        "price": parent["price"] if filled else 0,
        "row_total": parent["row_total"] if filled else 0,
        "tax_amount": 0,
        "discount_amount": 0,
    }


def _percent(rate: Any) -> Any:
    text = decimal_text(rate.numerator * 1_000_000 // rate.denominator, 4).rstrip("0").rstrip(".")
    return f"@raw:{text or '0'}"


def _applied(kind: str, item: int | None, rate: Any, amount: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"type": kind}
    if item is not None:
        found["item_id"] = item
    found["applied_taxes"] = [
        {
            "code": rate.name,
            "title": rate.name,
            "percent": _percent(rate),
            "amount": amount,
            "base_amount": amount,
        }
    ]
    return found


def _address(order: Order, first: str | None, last: str | None) -> dict[str, Any]:
    home = people.address(STORES.index(order.store), order.index, first, last)
    return {
        "address_type": "billing",
        "firstname": first or "",
        "lastname": last or "",
        "street": [f"{home['streetName']} {home['streetNumber']}"],
        "city": home["city"],
        "postcode": home["postalCode"],
        "country_id": home["country"],
        "telephone": "555-0100",
    }
