"""Magento 2 and Adobe Commerce: how a shop is reached, staged and written to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl

from flows.apart.portable import Portable
from flows.mappings.status_words import own_words, words_of
from flows.storefronts.kind import Kind, StockUpdate, Transform, stock_change

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.connectors.storefronts.magento import Magento
    from tieout.connectors.storefronts.magento_auth import SignIn
    from tieout.settings.storefronts import MagentoStorefront
    from tieout.warehouse.session import Session
    from transforms.staged import Staged


class MagentoKind(Kind):
    """Money, returns and shipments are documents beside their order.

    Documents are read and staged before orders: an order changes with each of its documents, so whichever order is staged finds all
    that was known of it. What documents need of their orders is looked up where the orders landed.
    """

    name: ClassVar[str] = "magento"
    subjects: ClassVar[tuple[str, ...]] = (
        "stores", "invoices", "creditmemos", "shipments", "transactions", "orders", "customers", "products", "source_items",
    )  # fmt: skip
    tables: ClassVar[tuple[str, ...]] = (
        "core.orders", "core.order_lines", "core.order_payments", "core.order_tenders", "core.payments", "core.shipments", "core.returns", "core.customers",
        "core.stock", "core.products", "core.web_prices",
    )  # fmt: skip
    cannot_tell: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "core.order_lines.category_ref": "The rows of an order do not name the categories of their products."
        }
    )

    def courier(self, house: House, name: str, front: MagentoStorefront) -> Magento:
        """A client of the shop, signed in as configured."""
        from tieout.connectors.storefronts.magento import Magento

        return Magento(
            base_url=front.base_url,
            sign_in=_sign_in(house, front),
            store_code=front.store_code,
            is_cloud=front.sign_in == "client_credentials",
            page_size=front.page_size,
            keep_personal=house.kept_personal(),
            stock_batch=front.stock_batch,
            bulk=front.stock_in_bulk,
            bulk_wait_seconds=front.bulk_wait_seconds,
            price_stores=front.price_stores,
        )

    def transforms(
        self, house: House, run_id: str, name: str, front: MagentoStorefront
    ) -> Mapping[str, Transform]:
        """Documents, orders, customers and source items. Stores give orders their codes; transactions are landed only."""
        from transforms.storefronts import magento, magento_catalogue
        from transforms.storefronts.magento_settings import DOCUMENT_STATES, STATES

        policy = magento.MagentoSettings(
            gift_card_prefixes=front.gift_card_prefixes,
            test_email_suffixes=front.test_email_suffixes,
            tax_included_stores=front.tax_included_stores,
            customer_number=front.customer_number_attribute,
            states=words_of(house, name, "order", STATES),
            statuses=own_words(house, name, "order"),
        )
        told: dict[str, Any] = {"storefront": name, "run_id": run_id}
        moved = {**told, "states": words_of(house, name, "payment", DOCUMENT_STATES)}

        judged = {**told, "settings": policy}

        def landed(raw: pl.DataFrame, session: Session) -> Mapping[str, Any]:
            return {"landed": _orders_of(raw, session, name)}

        def document(call: Callable[..., Staged], told: Mapping[str, Any]) -> Transform:
            return Portable(magento.documents, {**told, "call": call}, landed, _dating)

        def stores(_: pl.DataFrame, session: Session) -> Mapping[str, Any]:
            return {"stores": magento.store_codes(session.raw_changed(f"raw.{name}__stores"))}

        def whole(staged: Staged, raw: pl.DataFrame, session: Session) -> Staged:
            return _with_documents(staged, raw, session, magento.known_orders)

        def currency(_: pl.DataFrame, session: Session) -> Mapping[str, Any]:
            return {"currency": magento_catalogue.base_currency(session.raw_changed(f"raw.{name}__stores"))}

        return {
            "invoices": document(magento.invoices, moved),
            "creditmemos": document(magento.creditmemos, moved),
            "shipments": document(magento.shipments, told),
            "orders": Portable(magento.orders, judged, stores, after=whole),
            "customers": Portable(magento.customers, judged),
            "products": Portable(magento_catalogue.products, told, currency),
            "source_items": Portable(magento.stock, told),
        }

    def write_stock(self, courier: Magento, rows: Iterable[Mapping[str, Any]]) -> Iterator[StockUpdate]:
        """Source items, many a call."""
        for write in courier.write_stock([stock_change(row) for row in rows]):
            yield StockUpdate(
                write.sku, write.channel_ref or "", write.before, write.after, write.outcome, write.detail
            )


def _sign_in(house: House, front: MagentoStorefront) -> SignIn:
    from tieout.connectors.storefronts import magento_auth as ways

    if front.sign_in == "signed":
        return ways.Signed(
            front.consumer_key,
            house.secret(front.consumer_secret),
            house.secret(front.access_token),
            house.secret(front.access_token_secret),
        )
    if front.sign_in == "bearer":
        return ways.Bearer(house.secret(front.access_token))
    if front.sign_in == "admin":
        return ways.AdminToken(
            front.base_url, front.user_name, house.secret(front.password), hours=front.token_hours, options={}
        )
    return ways.ClientCredentials(
        front.token_url, front.client_id, house.secret(front.client_secret), front.organisation, options={}
    )


def _orders_of(raw: pl.DataFrame, session: Session, name: str) -> pl.DataFrame:
    """The newest landed version of the orders that documents name."""
    table = f"raw.{name}__orders"
    refs = (
        raw.select(native_ref=pl.col("payload").str.extract(r'"order_id"\s*:\s*"?(\d+)', 1))
        .drop_nulls()
        .unique()
    )
    if refs.is_empty() or not session.exists(table):
        return pl.DataFrame(schema={"native_ref": pl.String, "payload": pl.String})
    landed = session.fetch(table, where=refs, columns=["native_ref", "updated_at", "landing_no", "payload"])
    return landed.sort("updated_at", "landing_no", nulls_last=False).unique(
        "native_ref", keep="last", maintain_order=True
    )


def _with_documents(
    staged: Staged, raw: pl.DataFrame, session: Session, known_orders: Callable[[pl.DataFrame], pl.DataFrame]
) -> Staged:
    """Orders with the instants their documents tell; and the tender of documents that had landed before their order."""
    from transforms.staged import Staged as Whole

    orders = staged["core.orders"]
    refs = orders.select(_ORDER)
    paid = session.fetch("core.payments", where=refs)
    frames = {
        **staged.frames,
        "core.orders": _dated(orders, paid, session.fetch("core.shipments", where=refs)),
    }
    stray = paid.filter(pl.col("tender_code").is_null() & (pl.col("kind_code") != "authorization"))
    if stray.height:
        methods = known_orders(raw).select("order_ref", "tender_code").drop_nulls()
        found = stray.drop("tender_code").join(methods, on="order_ref", how="inner").select(paid.columns)
        frames["core.payments"] = pl.concat([frames["core.payments"], found])
    return Whole(frames, staged.problems)


_ORDER = ["storefront", "order_ref"]


def _dating(staged: Staged, _raw: pl.DataFrame, session: Session) -> Staged:
    """Documents as they are; the orders that are staged already are told what these say of them: documents may come later, in any order
    of windows."""
    _date_orders(staged, session)
    return staged


def _date_orders(staged: Staged, session: Session) -> None:
    refs = pl.concat([frame.select(_ORDER) for frame in staged.frames.values()]).drop_nulls().unique()
    orders = session.fetch("core.orders", where=refs) if refs.height else pl.DataFrame()
    if orders.is_empty():
        return
    known = {}
    for table, key in (("core.payments", "payment_ref"), ("core.shipments", "shipment_ref")):
        held = session.fetch(table, where=refs)
        new = staged.frames.get(table)
        if new is not None:
            held = pl.concat([held.join(new, on=["storefront", key], how="anti"), new.select(held.columns)])
        known[table] = held
    dated = _dated(orders, known["core.payments"], known["core.shipments"]).select(orders.columns)
    if not dated.equals(orders, null_equal=True):
        session.publish("core.orders", dated, key=_ORDER, mode="merge")


def _dated(orders: pl.DataFrame, paid: pl.DataFrame, shipped: pl.DataFrame) -> pl.DataFrame:
    """Orders with `invoiced_at`, `captured_at` and `shipped_at` from all that is known of their documents."""
    charges = paid.filter((pl.col("kind_code") == "charge") & (pl.col("state_code") != "failure"))
    instants = (
        charges.group_by(_ORDER).agg(
            invoiced_at=pl.col("occurred_at").min(),
            captured_at=pl.col("occurred_at").filter(pl.col("state_code") == "success").min(),
        ),
        shipped.group_by(_ORDER).agg(pl.col("shipped_at").min()),
    )
    found = orders.drop("invoiced_at", "captured_at", "shipped_at", strict=False)
    for frame in instants:
        found = found.join(frame, on=_ORDER, how="left", maintain_order="left")
    return found
