"""Invoices, credit memos, shipments and transactions of the world's orders in Magento's words (Magento REST reference 2.4.8)."""

from __future__ import annotations

from typing import Any

from tieout.sandbox.storefronts.magento_shop import (
    Numbers,
    charges,
    item_id,
    money,
    order_id,
    refunds,
    stamp,
    tender_of,
)
from tieout.sandbox.world.catalog import STORES
from tieout.sandbox.world.orders import Order, Transaction, by_card_or_credit


def invoice(order: Order, nth: int, own: int) -> dict[str, Any]:
    """The invoice of the order's charge number ``nth`` (from 0)."""
    number, pair = Numbers(order.store.digits, own), charges(order)[nth]
    move, used = pair[1], by_card_or_credit(order) if nth == 0 else 0
    per_shipment = order.line.scenario == "two_shipments"
    rows = order.shipments[nth] if per_shipment else [k for k, r in enumerate(order.rows) if r.kind == "item"]
    return {
        "entity_id": own,
        "increment_id": f"I{own:09d}",
        "order_id": order_id(order.index),
        "store_id": STORES.index(order.store) + 1,
        "state": 2,
        "order_currency_code": order.store.currency,
        "base_currency_code": order.store.currency,
        "grand_total": number(money(pair)),
        "base_grand_total": number(money(pair), place=1),
        "transaction_id": move.reference if money(pair) else None,
        "extension_attributes": tender_of(order, used, number) if used else {},
        "created_at": stamp(move.at),
        "updated_at": stamp(move.at),
        "total_qty": sum(order.rows[k].quantity for k in rows),
        "items": [
            {
                "entity_id": own * 100 + k,
                "order_item_id": item_id(order.index, k),
                "sku": _sku(order, k),
                "qty": order.rows[k].quantity,
            }
            for k in rows
        ],
    }


def credit_memo(order: Order, nth: int, own: int) -> dict[str, Any]:
    """The credit memo of the order's refund number ``nth``: its rows, or an adjustment where nothing came back."""
    number, (_, move) = Numbers(order.store.digits, own), refunds(order)[nth]
    rows = [k for k in order.returned_rows if order.rows[k].kind == "item"]
    shipping = [order.rows[k] for k in order.returned_rows if order.rows[k].kind == "shipping"]
    goods = sum(order.rows[k].net for k in rows)
    return {
        "entity_id": own,
        "increment_id": f"C{own:09d}",
        "order_id": order_id(order.index),
        "store_id": STORES.index(order.store) + 1,
        "state": 2,
        "order_currency_code": order.store.currency,
        "base_currency_code": order.store.currency,
        "subtotal": number(goods),
        "shipping_amount": number(sum(row.net for row in shipping)),
        "tax_amount": number(sum(order.rows[k].tax for k in order.returned_rows)),
        "discount_amount": number(0),
        "adjustment_positive": number(0 if order.returned_rows else move.minor),
        "adjustment_negative": number(0),
        "grand_total": number(move.minor),
        "transaction_id": move.reference,
        "created_at": stamp(move.at),
        "updated_at": stamp(move.at),
        "items": [
            {
                "entity_id": own * 100 + k,
                "order_item_id": item_id(order.index, k),
                "sku": _sku(order, k),
                "qty": order.rows[k].quantity,
                "base_cost": None,
                "base_price": number(order.rows[k].net // max(order.rows[k].quantity, 1), place=k),
                "row_total": number(order.rows[k].net),
                "tax_amount": number(order.rows[k].tax),
            }
            for k in rows
        ],
    }


def shipment(order: Order, nth: int, own: int) -> dict[str, Any]:
    """The order's shipment number ``nth``."""
    at = order.line.ships[nth]
    return {
        "entity_id": own,
        "increment_id": f"S{own:09d}",
        "order_id": order_id(order.index),
        "store_id": STORES.index(order.store) + 1,
        "created_at": stamp(at),
        "updated_at": stamp(at),
        "items": [
            {
                "entity_id": own * 100 + k,
                "order_item_id": item_id(order.index, k),
                "sku": _sku(order, k),
                "qty": order.rows[k].quantity,
            }
            for k in order.shipments[nth]
        ],
        "tracks": [
            {
                "entity_id": own,
                "order_id": order_id(order.index),
                "parent_id": own,
                "track_number": f"1Z{own:08d}",
                "title": "Example Parcel",
                "carrier_code": "custom",
                "description": None,
                "weight": None,
                "qty": None,
                "created_at": stamp(at),
            }
        ],
        "comments": [],
        "extension_attributes": {"source_code": order.store.channel},
    }


def transaction(order: Order, move: Transaction, own: int) -> dict[str, Any]:
    """One gateway transaction; it has no amount."""
    kinds = {
        "Authorization": "authorization",
        "Charge": "capture",
        "Refund": "refund",
        "CancelAuthorization": "void",
    }
    return {
        "transaction_id": own,
        "order_id": order_id(order.index),
        "payment_id": order_id(order.index),
        "txn_id": move.reference,
        "parent_txn_id": None,
        "txn_type": kinds[move.type],
        "is_closed": 0,
        "created_at": stamp(move.at),
        "additional_information": ["raw_details"],
        "child_transactions": [],
    }


def _sku(order: Order, row: int) -> str:
    return getattr(order.rows[row].item, "sku", "")
