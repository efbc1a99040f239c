"""X-Cart 5.5: how it is reached, staged and written to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final

from flows.apart.portable import Portable
from flows.mappings.status_words import words_of
from flows.storefronts.kind import Kind, StockUpdate, Transform, stock_change

if TYPE_CHECKING:
    import polars as pl

    from flows.wiring import House
    from tieout.connectors.storefronts.xcart import XCart
    from tieout.settings.storefronts import XCartStorefront
    from tieout.warehouse.session import Session


_PROFILE: Final = (
    "A profile has a login and no name or address; those of an order are its buyer's at that time."
)
_NO_PEOPLE: Final = {
    f"core.customers.{column}": _PROFILE
    for column in ("customer_number", "name", "company", "city", "postal_code", "country_code")
}


class XCartKind(Kind):
    """Payments hang on their order; stock has no location; what is taken off a shipped order is a reduction."""

    name: ClassVar[str] = "xcart"
    subjects: ClassVar[tuple[str, ...]] = ("orders", "payments", "customers", "products")
    tables: ClassVar[tuple[str, ...]] = (
        "core.orders", "core.order_lines", "core.payments", "core.shipments", "core.returns", "core.reductions", "core.customers",
        "core.stock", "core.products", "core.web_prices",
    )  # fmt: skip
    cannot_tell: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "core.order_payments": "Transactions hang on their order and name it themselves.",
            "core.order_tenders": "Gift certificates and credit have no member of their own; what pays by them is a transaction.",
            "core.orders.goods_minor": "Where prices include tax, a discount on the order is already taken off each row.",
            "core.orders.discount_minor": "Where prices include tax, a discount on the order is already taken off each row.",
            "core.order_lines.unit_price": "A row that was reduced states its reduced price only.",
            "core.order_lines.category_ref": "The rows of an order do not name the categories of their products.",
            "core.payments.gateway_ref": "A refund repeats the reference of the charge it gives back.",
            **_NO_PEOPLE,
            "core.stock.location_ref": "There is one figure a product, for the whole shop.",
            "core.stock.on_hand_qty": "The figure is what may be sold: open orders are off it already.",
        }
    )

    def courier(self, house: House, name: str, front: XCartStorefront) -> XCart:
        """A client of the shop's API."""
        from tieout.connectors.storefronts.xcart import XCart

        return XCart(
            api_url=front.api_url,
            api_key=house.secret(front.api_key),
            page_size=front.page_size,
            payments_look_back=timedelta(days=front.payments_look_back_days),
            variants=front.variants,
            keep_personal=house.kept_personal(),
        )

    def transforms(
        self, house: House, run_id: str, name: str, front: XCartStorefront
    ) -> Mapping[str, Transform]:
        """Orders are staged with all their versions, which show what a shrunk one was sold for."""
        from transforms.storefronts import xcart, xcart_catalogue
        from transforms.storefronts.catalogue import both
        from transforms.storefronts.xcart_settings import SHIPMENTS, STATUSES

        policy = xcart.XCartSettings(
            store=front.store,
            stores=front.stores,
            statuses={**words_of(house, name, "order", STATUSES), **front.statuses},
            shipments=words_of(house, name, "shipment", SHIPMENTS),
            tax_key=front.tax_key,
            untaxed=front.untaxed,
            shared_tax=front.shared_tax,
            gift_card_prefixes=front.gift_card_prefixes,
            test_emails=front.test_emails,
        )
        told: dict[str, Any] = {"storefront": name, "run_id": run_id}
        judged = {**told, "settings": policy}
        goods = {"stock": partial(xcart.stock, **told), "goods": partial(xcart_catalogue.products, **told)}
        return {
            "orders": Portable(xcart.orders, judged, versions_of(f"raw.{name}__orders")),
            "payments": Portable(xcart.payments, judged),
            "customers": Portable(xcart.customers, judged),
            "products": Portable(both, goods),
        }

    def write_stock(self, courier: XCart, rows: Iterable[Mapping[str, Any]]) -> Iterator[StockUpdate]:
        """One call to read and one to write per row: X-Cart has no bulk write and no versions."""
        return stock_updates(courier, rows)


def versions_of(table: str) -> Callable[[pl.DataFrame, Session], Mapping[str, pl.DataFrame]]:
    """Every landed version of orders that had landed by the time the version at hand had; an order with no other needs none."""

    def asked(raw: pl.DataFrame, session: Session) -> Mapping[str, pl.DataFrame]:
        by = raw.select("native_ref", shown_no="landing_no")
        landed = session.fetch(table, where=raw.select("native_ref"), columns=["native_ref"])
        several = landed.filter(landed["native_ref"].is_duplicated()).unique()
        known = session.fetch(table, where=several).join(by, on="native_ref")
        return {"versions": known.filter(known["landing_no"] <= known["shown_no"]).drop("shown_no")}

    return asked


def stock_updates(courier: Any, rows: Iterable[Mapping[str, Any]]) -> Iterator[StockUpdate]:
    """Rows of `out.web_stock` written one by one."""
    for write in courier.write_stock([stock_change(row) for row in rows]):
        yield StockUpdate(
            write.sku, write.channel_ref or "", write.before, write.after, write.outcome, write.detail
        )
