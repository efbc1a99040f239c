"""Magento 2 and Adobe Commerce: raw landings to core (Magento REST reference 2.4.8).

Every function takes the newest version of each record with the raw landing columns, and returns a `Staged`. A record that does not fit
never loses its neighbours: an order stays, with a `problem` that has it held.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import polars as pl

from transforms.staged import INSTANT, QUANTITY, Staged, together
from transforms.storefronts.magento_amounts import four_places, texts
from transforms.storefronts.magento_documents import known_orders, moved, problems_of, returned, shipped
from transforms.storefronts.magento_orders import stage_orders
from transforms.storefronts.magento_payloads import Address, Customer, SourceItem, Store, decoded, text
from transforms.storefronts.magento_reading import instant
from transforms.storefronts.magento_settings import DOCUMENT_STATES, MagentoSettings

__all__ = [
    "MagentoSettings", "creditmemos", "customers", "documents", "invoices", "known_orders", "orders", "shipments", "stock", "store_codes",
]  # fmt: skip

_USUAL: Final = MagentoSettings()


def store_codes(raw: pl.DataFrame) -> dict[str, str]:
    """Code of each store view by its id, from the raw landing of stores."""
    found, _ = decoded(raw["payload"], raw["problem"], Store)
    return {text(one.id) or "": one.code for one in found if one.id is not None and one.code}


def orders(
    raw: pl.DataFrame,
    *,
    storefront: str,
    run_id: str,
    settings: MagentoSettings = _USUAL,
    stores: Mapping[str, str] | None = None,
) -> Staged:
    """`core.orders`, `core.order_lines`, `core.order_payments`, `core.order_tenders` and, of `core.payments`, the authorisation an order's payment says.

    The total is the header's grand_total with gift cards, store credit and points added again: these are tender. Lines sum to their
    order, component by component and in tax; a row's discount stands on the row. `store_ref` is the store view's code where `stores`
    (see `store_codes`) knows it, else its id. Shipments, charges and refunds are documents of their own.
    """
    return together(
        stage_orders(raw, storefront=storefront, run_id=run_id, settings=settings, stores=stores or {})
    )


def documents(raw: pl.DataFrame, *, call: Callable[..., Staged], landed: pl.DataFrame, **told: Any) -> Staged:
    """What `call` (`invoices`, `creditmemos` or `shipments`) makes of documents; `landed` are the raw orders they name."""
    return call(raw, orders=known_orders(landed), **told)


def invoices(
    raw: pl.DataFrame,
    *,
    storefront: str,
    run_id: str,
    orders: pl.DataFrame,
    states: Mapping[str, str] = DOCUMENT_STATES,
) -> Staged:
    """`core.payments`: a charge per invoice, in success once the invoice is paid. `orders` is what `known_orders` gave, `states` the
    states of documents in our words of payments."""
    table, problems, _ = moved(
        raw,
        storefront=storefront,
        run_id=run_id,
        subject="invoices",
        kind="charge",
        orders=orders,
        states=states,
    )
    return Staged({"core.payments": table}, problems)


def creditmemos(
    raw: pl.DataFrame,
    *,
    storefront: str,
    run_id: str,
    orders: pl.DataFrame,
    states: Mapping[str, str] = DOCUMENT_STATES,
) -> Staged:
    """`core.payments`: a refund per credit memo; `core.returns`: the rows it names. Adjustments are in its total and name no row."""
    table, problems, documents = moved(
        raw,
        storefront=storefront,
        run_id=run_id,
        subject="creditmemos",
        kind="refund",
        orders=orders,
        states=states,
    )
    back = returned(documents, orders, storefront=storefront, run_id=run_id, states=states)
    return Staged({"core.payments": table, "core.returns": back}, problems)


def shipments(raw: pl.DataFrame, *, storefront: str, run_id: str, orders: pl.DataFrame) -> Staged:
    """`core.shipments` with tracking. `orders` is what `known_orders` gave."""
    return shipped(raw, storefront=storefront, run_id=run_id, orders=orders)


def customers(
    raw: pl.DataFrame, *, storefront: str, run_id: str, settings: MagentoSettings = _USUAL
) -> Staged:
    """`core.customers`. The name for people falls back from person to company, e-mail and id."""
    people, troubles = decoded(raw["payload"], raw["problem"], Customer)
    homes = [_home(one) for one in people]
    numbers = [_attribute(one, settings.customer_number) for one in people]
    columns: dict[str, list[Any]] = {
        "customer_ref": [text(one.id) for one in people],
        "customer_number": [number or text(one.id) for number, one in zip(numbers, people, strict=True)],
        "name": [_name(one, home) for one, home in zip(people, homes, strict=True)],
        "first_name": [one.firstname or None for one in people],
        "last_name": [one.lastname or None for one in people],
        "company": [home.company or None for home in homes],
        "email": [one.email or None for one in people],
        "phone": [home.telephone or None for home in homes],
        "street": [" ".join(part for part in home.street or () if part) or None for home in homes],
        "city": [home.city or None for home in homes],
        "state": [_region(home) for home in homes],
        "postal_code": [home.postcode or None for home in homes],
        "country_code": [home.country_id or None for home in homes],
        "changed": [one.updated_at for one in people],
    }
    frame = pl.DataFrame([pl.Series(name, values, dtype=pl.String) for name, values in columns.items()])
    landed = raw.select("native_ref", "updated_at", "fetched_at", "payload_sha256")
    table = (
        pl.concat([frame, landed], how="horizontal")
        .filter(pl.col("customer_ref").is_not_null())
        .select(
            pl.lit(storefront, dtype=pl.String).alias("storefront"),
            *[name for name in columns if name != "changed"],
            pl.coalesce(instant("changed"), "updated_at", "fetched_at").alias("changed_at"),
            "payload_sha256",
            pl.lit(run_id, dtype=pl.String).alias("run_id"),
        )
    )
    return Staged({"core.customers": table}, _told(troubles, raw, "customers"))


def stock(raw: pl.DataFrame, *, storefront: str, run_id: str) -> Staged:
    """`core.stock` from source items: what lies at each source.

    `reserved_qty` stays null: the platform subtracts its own open orders from what is sold and leaves the source's quantity alone, so
    the quantity written is what lies there, never less the shop's own orders (Magento inventory documentation, reservations).
    """
    items, troubles = decoded(raw["payload"], raw["problem"], SourceItem)
    frame = pl.DataFrame(
        [
            pl.Series("sku", [one.sku for one in items], dtype=pl.String),
            pl.Series("location_ref", [one.source_code or "" for one in items], dtype=pl.String),
            texts("qty", (one.quantity for one in items)),
        ]
    ).with_columns(quantity=four_places("qty"))
    whole = pl.concat([frame, raw.select("native_ref", "fetched_at")], how="horizontal").with_columns(
        problem=pl.when(pl.col("sku").is_null() | (pl.col("sku") == "") | pl.col("quantity").is_null()).then(
            pl.lit("payload_unreadable: sku or quantity is missing")
        )
    )
    table = whole.filter(pl.col("problem").is_null()).select(
        pl.lit(storefront, dtype=pl.String).alias("source"),
        "sku",
        "location_ref",
        "native_ref",
        pl.lit(None, dtype=pl.Int64).alias("version_no"),
        (pl.col("quantity").cast(pl.Decimal(38, 4)) / 10_000).cast(QUANTITY).alias("on_hand_qty"),
        pl.lit(None, dtype=QUANTITY).alias("on_order_qty"),
        pl.lit(None, dtype=QUANTITY).alias("allocated_qty"),
        pl.lit(None, dtype=QUANTITY).alias("reserved_qty"),
        pl.col("fetched_at").cast(INSTANT).alias("as_of_at"),
        pl.lit(run_id, dtype=pl.String).alias("run_id"),
    )
    told = pl.concat([problems_of(whole, "source_items"), _told(troubles, raw, "source_items")]).unique(
        "native_ref", keep="first", maintain_order=True
    )
    return Staged({"core.stock": table}, told)


def _told(troubles: Mapping[int, str], raw: pl.DataFrame, subject: str) -> pl.DataFrame:
    refs = raw["native_ref"].to_list()
    frame = pl.DataFrame(
        [
            pl.Series("native_ref", [refs[at] for at in troubles], dtype=pl.String),
            pl.Series("problem", list(troubles.values()), dtype=pl.String),
        ]
    )
    return problems_of(frame, subject)


def _home(customer: Customer) -> Address:
    """The billing address, else the first one."""
    for address in customer.addresses or ():
        if address.default_billing:
            return address
    return customer.addresses[0] if customer.addresses else Address()


def _attribute(customer: Customer, code: str) -> str | None:
    for one in customer.custom_attributes or ():
        if code and one.attribute_code == code and isinstance(one.value, str | int):
            return str(one.value) or None
    return None


def _region(home: Address) -> str | None:
    """A region is text, or an object that names it."""
    if isinstance(home.region, dict):
        return next(
            (str(home.region[key]) for key in ("region_code", "region") if home.region.get(key)), None
        )
    return home.region if isinstance(home.region, str) and home.region else None


def _name(customer: Customer, home: Address) -> str | None:
    person = f"{customer.firstname or ''} {customer.lastname or ''}".strip()
    return person or home.company or customer.email or text(customer.id)
