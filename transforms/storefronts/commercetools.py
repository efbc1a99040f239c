"""commercetools: raw landings to core (commercetools API reference, Order, Payment, Customer, InventoryEntry).

Every function takes the newest version of each record (`transforms.latest.newest`) with the raw landing columns, and returns a
`Staged`. A record that does not fit never loses its neighbours: an order stays, with a `problem` that has it held.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from tieout.money import known_currencies
from tieout.vocabulary import NO_MEANING
from transforms.instants import instant
from transforms.running import distinct
from transforms.staged import INSTANT, PROBLEMS_SCHEMA, QUANTITY, Staged, sentence_of, together
from transforms.storefronts.commercetools_decode import Trouble, decode
from transforms.storefronts.commercetools_orders import stage_orders
from transforms.storefronts.commercetools_payloads import (
    Address,
    Channel,
    Customer,
    Inventory,
    Money,
    Payment,
)
from transforms.storefronts.commercetools_reader import NO_CURRENCY
from transforms.storefronts.commercetools_settings import CommercetoolsSettings
from transforms.storefronts.commercetools_words import address_name

__all__ = ["CommercetoolsSettings", "customers", "orders", "payments", "stock"]

_KINDS: Final = {
    "Authorization": "authorization",
    "CancelAuthorization": "void",
    "Charge": "charge",
    "Refund": "refund",
    "Chargeback": "chargeback",
}
_USUAL: Final = CommercetoolsSettings()


def orders(
    raw: pl.DataFrame, *, storefront: str, run_id: str, settings: CommercetoolsSettings = _USUAL
) -> Staged:
    """`core.orders`, `core.order_lines`, `core.order_payments`, `core.order_tenders`, `core.shipments` and `core.returns`.

    Lines sum to their order, component by component and in tax. The total is `taxedPrice.totalGross`, with negative custom rows that
    are tenders taken back out (they stand in `tender_minor`); without `taxedPrice` it is `totalPrice`, `is_taxed` is false and the
    order has the problem `tax_unknown` unless the settings accept it. `shipped_at` is the first delivery's; an order without
    deliveries has none, whatever its `shipmentState` says, because that word has no date. `captured_at` and `cancelled_at` stay null:
    an order does not say them. Amounts that could not be read count as zero, and what is then missing to the total is in
    `rounding_minor`; `problem` says so.
    """
    return together(stage_orders(raw, storefront=storefront, run_id=run_id, settings=settings))


def payments(
    raw: pl.DataFrame, *, storefront: str, run_id: str, settings: CommercetoolsSettings = _USUAL
) -> Staged:
    """`core.payments`: one row per transaction.

    `gateway_ref` is the transaction's `interactionId`, else its `interfaceId`, else the payment's. `occurred_at` is the transaction's
    timestamp, else the payment's last change. A transaction that cannot be read whole is a pending authorization of zero with a
    problem, so that it moves no money; the payment's other transactions stand.
    """
    decoded = decode(raw["payload"].to_list(), raw["problem"].to_list(), Payment)
    owners = [at for at, payment in enumerate(decoded.objects) for _ in payment.transactions or (None,)]
    numbers = [number for payment in decoded.objects for number in range(max(1, len(payment.transactions)))]
    moves = [
        payment.transactions[number] if payment.transactions else None
        for payment in decoded.objects
        for number in range(max(1, len(payment.transactions)))
    ]
    makers = [decoded.objects[at] for at in owners]
    amounts = [move.amount if move else None for move in moves]
    known = known_currencies()
    said = [
        _payment_troubles(decoded.troubles.get(at, []), number, money, known)
        if move or at in decoded.troubles
        else None
        for at, number, move, money in zip(owners, numbers, moves, amounts, strict=True)
    ]
    frame = pl.DataFrame(
        [
            pl.Series("at", owners, dtype=pl.UInt32),
            pl.Series("is_move", [move is not None for move in moves], dtype=pl.Boolean),
            pl.Series("payment", [payment.id for payment in makers], dtype=pl.String),
            pl.Series("transaction_ref", [move.id if move else "" for move in moves], dtype=pl.String),
            pl.Series("type", [move.type if move else None for move in moves], dtype=pl.String),
            pl.Series("state", [move.state if move else None for move in moves], dtype=pl.String),
            pl.Series(
                "tender_code",
                [
                    payment.payment_method_info.method if payment.payment_method_info else None
                    for payment in makers
                ],
                dtype=pl.String,
            ),
            pl.Series(
                "gateway_ref",
                [
                    (move.interaction_id or move.interface_id if move else None)
                    or payment.interface_id
                    or None
                    for move, payment in zip(moves, makers, strict=True)
                ],
                dtype=pl.String,
            ),
            pl.Series(
                "currency",
                [
                    _code(money or payment.amount_planned)
                    for money, payment in zip(amounts, makers, strict=True)
                ],
                dtype=pl.String,
            ),
            pl.Series("amount", [money.cent_amount if money else None for money in amounts], dtype=pl.Int64),
            pl.Series("when", [move.timestamp if move else None for move in moves], dtype=pl.String),
            pl.Series("changed", [payment.last_modified_at for payment in makers], dtype=pl.String),
            pl.Series("problem", said, dtype=pl.String),
        ]
    )
    landed = raw.with_row_index("at").select("at", "native_ref", "updated_at", "fetched_at", "payload_sha256")
    kind = pl.col("type").replace_strict(_KINDS, default=None, return_dtype=pl.String)
    state = pl.col("state").replace_strict(
        dict(settings.transaction_states), default=None, return_dtype=pl.String
    )
    whole = (
        frame.filter(pl.col("is_move") | pl.col("problem").is_not_null())
        .join(landed, on="at", how="left", maintain_order="left")
        .with_columns(kind=kind, ended=state)
        .with_columns(
            problem=pl.coalesce(
                "problem",
                pl.when(pl.col("is_move") & pl.col("kind").is_null()).then(
                    pl.format(
                        "payload_unreadable: the transaction's type '{}' is none that is known",
                        pl.col("type").fill_null(""),
                    )
                ),
                pl.when(pl.col("is_move") & pl.col("ended").is_null()).then(
                    pl.when(pl.col("state").is_null())
                    .then(pl.lit("payload_unreadable: the transaction's state is missing"))
                    .otherwise(
                        pl.format(
                            "status_unknown: the payment status '{}' {}",
                            pl.col("state").str.slice(0, 40),
                            pl.lit(NO_MEANING),
                        )
                    )
                ),
            )
        )
    )
    sound = pl.col("problem").is_null()
    table = whole.select(
        pl.lit(storefront, dtype=pl.String).alias("storefront"),
        pl.when(pl.col("payment") != "").then("payment").otherwise("native_ref").alias("payment_ref"),
        "transaction_ref",
        pl.lit(None, dtype=pl.String).alias("order_ref"),
        pl.when(sound).then("kind").otherwise(pl.lit("authorization")).alias("kind_code"),
        pl.when(sound).then("ended").otherwise(pl.lit("pending")).alias("state_code"),
        "tender_code",
        "gateway_ref",
        "currency",
        pl.when(sound).then("amount").otherwise(pl.lit(0, dtype=pl.Int64)).alias("amount_minor"),
        pl.lit(None, dtype=pl.Int64).alias("fee_minor"),
        pl.coalesce(instant("when"), instant("changed"), "updated_at", "fetched_at").alias("occurred_at"),
        pl.lit(None, dtype=pl.String).alias("payout_ref"),
        "problem",
        "payload_sha256",
        pl.lit(run_id, dtype=pl.String).alias("run_id"),
    )
    table = table.with_columns(transaction_ref=distinct(table, "transaction_ref", "payment_ref"))
    problems = pl.concat([table, whole.select("native_ref")], how="horizontal").filter(
        pl.col("problem").is_not_null()
    )
    return Staged({"core.payments": table}, _problems(problems, "payments"))


def customers(
    raw: pl.DataFrame, *, storefront: str, run_id: str, settings: CommercetoolsSettings = _USUAL
) -> Staged:
    """`core.customers`. The name for people falls back from person to company, e-mail, customer number and id.

    A customer whose payload cannot be read at all is only in `problems`; one with a bad member stands with that member empty.
    """
    del settings
    decoded = decode(raw["payload"].to_list(), raw["problem"].to_list(), Customer)
    people = decoded.objects
    homes = [_home(one) for one in people]
    columns: dict[str, list[str | None]] = {
        "customer_ref": [one.id or None for one in people],
        "customer_number": [one.customer_number or None for one in people],
        "name": [_customer_name(one, home) for one, home in zip(people, homes, strict=True)],
        "first_name": [one.first_name or None for one in people],
        "last_name": [one.last_name or None for one in people],
        "company": [
            one.company_name or home.company or None for one, home in zip(people, homes, strict=True)
        ],
        "email": [one.email or None for one in people],
        "phone": [home.phone or None for home in homes],
        "street": [
            " ".join(part for part in (home.street_name, home.street_number) if part) or None
            for home in homes
        ],
        "city": [home.city or None for home in homes],
        "state": [home.state or home.region or None for home in homes],
        "postal_code": [home.postal_code or None for home in homes],
        "country_code": [home.country or None for home in homes],
        "changed": [one.last_modified_at for one in people],
    }
    frame = pl.DataFrame([pl.Series(name, values, dtype=pl.String) for name, values in columns.items()])
    whole = pl.concat(
        [frame, raw.select("native_ref", "updated_at", "fetched_at", "payload_sha256")], how="horizontal"
    )
    table = whole.filter(pl.col("customer_ref").is_not_null()).select(
        pl.lit(storefront, dtype=pl.String).alias("storefront"),
        *[name for name in columns if name != "changed"],
        pl.coalesce(instant("changed"), "updated_at", "fetched_at").alias("changed_at"),
        "payload_sha256",
        pl.lit(run_id, dtype=pl.String).alias("run_id"),
    )
    return Staged({"core.customers": table}, _told(decoded.troubles, raw, "customers"))


def stock(raw: pl.DataFrame, *, storefront: str, run_id: str, channels: pl.DataFrame | None = None) -> Staged:
    """`core.stock` from inventory entries: on hand, and what the platform reserved for its own open orders.

    `channels` is the raw landing of channels; with it `location_ref` is the channel's key, without it (or for a channel that is not
    there) the channel's id. Empty text stands for stock without a channel. An entry without SKU or quantity is only in `problems`.
    """
    decoded = decode(raw["payload"].to_list(), raw["problem"].to_list(), Inventory)
    keys: dict[str, str] = {}
    if channels is not None:
        seen = decode(channels["payload"].to_list(), channels["problem"].to_list(), Channel).objects
        keys = {one.id: one.key for one in seen if one.id and one.key}
    entries = decoded.objects
    for at, entry in enumerate(entries):  # to name what is missing; sound entries pass two comparisons
        if not entry.sku or entry.quantity_on_stock is None:
            missing = "sku" if not entry.sku else "quantityOnStock"
            decoded.troubles.setdefault(at, []).append(
                Trouble("payload_unreadable", missing, f"{missing} is missing")
            )
    where = [
        entry.supply_channel.id or entry.supply_channel.key or "" if entry.supply_channel else ""
        for entry in entries
    ]
    frame = pl.DataFrame(
        [
            pl.Series("sku", [entry.sku for entry in entries], dtype=pl.String),
            pl.Series("location_ref", [keys.get(one, one) for one in where], dtype=pl.String),
            pl.Series("version", [entry.version for entry in entries], dtype=pl.Int64),
            pl.Series("on_stock", [entry.quantity_on_stock for entry in entries], dtype=pl.Int64),
            pl.Series("available", [entry.available_quantity for entry in entries], dtype=pl.Int64),
        ]
    )
    whole = pl.concat([frame, raw.select("native_ref", "version_no", "fetched_at")], how="horizontal")
    table = whole.filter(
        pl.col("sku").is_not_null() & pl.col("on_stock").is_not_null() & (pl.col("sku") != "")
    ).select(
        pl.lit(storefront, dtype=pl.String).alias("source"),
        "sku",
        "location_ref",
        "native_ref",
        pl.coalesce("version", "version_no").alias("version_no"),
        pl.col("on_stock").cast(QUANTITY).alias("on_hand_qty"),
        pl.lit(None, dtype=QUANTITY).alias("on_order_qty"),
        pl.lit(None, dtype=QUANTITY).alias("allocated_qty"),
        (pl.col("on_stock") - pl.col("available")).cast(QUANTITY).alias("reserved_qty"),
        pl.col("fetched_at").cast(INSTANT).alias("as_of_at"),
        pl.lit(run_id, dtype=pl.String).alias("run_id"),
    )
    return Staged({"core.stock": table}, _told(decoded.troubles, raw, "inventory"))


def _payment_troubles(
    troubles: list[Trouble], number: int, money: Money | None, known: dict[str, int]
) -> str | None:
    """What touches this transaction: troubles of the payment as a whole, and of `transactions[number]`, and its own amount."""
    prefix = f"transactions[{number}]"
    mine = [
        (one.code, one.sentence)
        for one in troubles
        if not one.path.startswith(("transactions[", "amountPlanned")) or one.path.split(".", 1)[0] == prefix
    ]
    if money is None:
        if not mine:
            mine.append(("payload_unreadable", f"{prefix}.amount is missing"))
    elif money.currency_code not in known:
        said = f"'{money.currency_code[:20]}' is not an ISO 4217 currency with minor units"
        mine.append(("currency_unknown", said))
    elif money.fraction_digits is not None and money.fraction_digits != known[money.currency_code]:
        said = f"{prefix}.amount counts {money.fraction_digits} fraction digits, {money.currency_code} has {known[money.currency_code]}"
        mine.append(("amount_not_exact", said))
    elif money.cent_amount < 0:
        mine.append(("payload_unreadable", f"{prefix}.amount is negative; the type gives the direction"))
    return sentence_of(mine)


def _code(money: Money | None) -> str:
    return money.currency_code if money is not None and len(money.currency_code) == 3 else NO_CURRENCY


def _home(customer: Customer) -> Address:
    """The billing address, else the shipping address, else the first one."""
    for wanted in (customer.default_billing_address_id, customer.default_shipping_address_id):
        for address in customer.addresses:
            if wanted and address.id == wanted:
                return address
    return customer.addresses[0] if customer.addresses else Address()


def _customer_name(customer: Customer, home: Address) -> str:
    person = f"{customer.first_name or ''} {customer.last_name or ''}".strip()
    rest = customer.company_name or address_name(home) or customer.email or customer.customer_number
    return person or rest or customer.id


def _told(troubles: dict[int, list[Trouble]], raw: pl.DataFrame, subject: str) -> pl.DataFrame:
    refs = raw["native_ref"].to_list()
    said = {
        at: sentence_of([(one.code, one.sentence) for one in some]) for at, some in sorted(troubles.items())
    }
    frame = pl.DataFrame(
        [
            pl.Series("native_ref", [refs[at] for at in said], dtype=pl.String),
            pl.Series("problem", list(said.values()), dtype=pl.String),
        ]
    )
    return _problems(frame, subject)


def _problems(frame: pl.DataFrame, subject: str) -> pl.DataFrame:
    return frame.select(
        subject=pl.lit(subject),
        native_ref="native_ref",
        row_no=pl.lit(None, dtype=pl.Int64),
        column=pl.lit(None, dtype=pl.String),
        problem="problem",
    ).select(list(PROBLEMS_SCHEMA))
