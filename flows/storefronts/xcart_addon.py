"""X-Cart 5.0 to 5.4 with the REST API add-on: how it is reached, staged and written to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from flows.apart.portable import Portable
from flows.mappings.status_words import words_of
from flows.storefronts.kind import Kind, StockUpdate, Transform
from flows.storefronts.xcart import XCartKind, stock_updates, versions_of

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.connectors.storefronts.xcart_addon import XCartAddon
    from tieout.settings.storefronts import XCartAddonStorefront


class XCartAddonKind(Kind):
    """The older interface of the same shop: one figure of tax an order, payments one by one, and tracking numbers that can be written."""

    name: ClassVar[str] = "xcart_addon"
    subjects: ClassVar[tuple[str, ...]] = ("orders", "payments", "customers", "products")
    tables: ClassVar[tuple[str, ...]] = XCartKind.tables
    cannot_tell: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            **{
                name: why
                for name, why in XCartKind.cannot_tell.items()
                if not name.startswith("core.orders.")
            },
            "core.order_lines.unit_price": "A unit price has no more digits than its currency.",
            "core.orders.shipped_at": "A shipment has no date: the change in which the order was first seen as shipped is taken for it.",
            "core.shipments.shipped_at": "A shipment has no date: the change in which the order was first seen as shipped is taken for it.",
        }
    )

    def courier(self, house: House, name: str, front: XCartAddonStorefront) -> XCartAddon:
        """A client of the add-on."""
        from tieout.connectors.storefronts.xcart_addon import XCartAddon

        return XCartAddon(
            shop_url=front.shop_url,
            api_key=house.secret(front.api_key),
            currency=front.currency,
            page_size=front.page_size,
            schema_parameter=front.schema_parameter,
            payments_look_back=timedelta(days=front.payments_look_back_days),
            keep_personal=house.kept_personal(),
        )

    def transforms(
        self, house: House, run_id: str, name: str, front: XCartAddonStorefront
    ) -> Mapping[str, Transform]:
        """Orders are staged with all their versions, which show what a shrunk one was sold for."""
        from transforms.storefronts import xcart_addon, xcart_catalogue
        from transforms.storefronts.catalogue import both
        from transforms.storefronts.xcart_settings import SHIPMENTS, STATUSES

        policy = xcart_addon.XCartSettings(
            store=front.store,
            statuses={**words_of(house, name, "order", STATUSES), **front.statuses},
            shipments=words_of(house, name, "shipment", SHIPMENTS),
            untaxed=front.untaxed,
            gift_card_prefixes=front.gift_card_prefixes,
            test_emails=front.test_emails,
        )
        told: dict[str, Any] = {"storefront": name, "run_id": run_id}
        judged = {**told, "settings": policy}
        goods = {
            "stock": partial(xcart_addon.stock, **told),
            "goods": partial(xcart_catalogue.products, currency=front.currency, **told),
        }
        return {
            "orders": Portable(xcart_addon.orders, judged, versions_of(f"raw.{name}__orders")),
            "payments": Portable(xcart_addon.payments, judged),
            "customers": Portable(xcart_addon.customers, judged),
            "products": Portable(both, goods),
        }

    def write_stock(self, courier: XCartAddon, rows: Iterable[Mapping[str, Any]]) -> Iterator[StockUpdate]:
        """One call to read and one to write per row: there is no bulk write and no version."""
        return stock_updates(courier, rows)
