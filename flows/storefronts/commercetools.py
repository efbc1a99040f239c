"""commercetools: how it is reached, staged and written to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from flows.apart.portable import Portable
from flows.mappings.status_words import own_words, words_of
from flows.storefronts.kind import Kind, StockUpdate, Transform, stock_change

if TYPE_CHECKING:
    import polars as pl

    from flows.wiring import House
    from tieout.connectors.storefronts.commercetools import Commercetools
    from tieout.settings.storefronts import CommercetoolsStorefront
    from tieout.warehouse.session import Session


class CommercetoolsKind(Kind):
    """Orders hold their shipments and returns; payments do not name their order; stock hangs on supply channels."""

    name: ClassVar[str] = "commercetools"
    subjects: ClassVar[tuple[str, ...]] = (
        "orders", "payments", "customers", "inventory", "channels", "customer_groups", "products", "prices",
    )  # fmt: skip
    optional: ClassVar[tuple[str, ...]] = ("customer_groups", "products", "prices")
    tables: ClassVar[tuple[str, ...]] = (
        "core.orders", "core.order_lines", "core.order_payments", "core.order_tenders", "core.payments", "core.shipments", "core.returns", "core.customers",
        "core.stock", "core.products", "core.web_prices",
    )  # fmt: skip

    def courier(self, house: House, name: str, front: CommercetoolsStorefront) -> Commercetools:
        """A client of the project."""
        from tieout.connectors.storefronts.commercetools import Commercetools

        return Commercetools(
            api_url=front.api_url,
            auth_url=front.auth_url,
            project_key=front.project_key,
            client_id=front.client_id,
            client_secret=house.secret(front.client_secret),
            page_size=front.page_size,
            sync_channel=front.sync_channel or None,
            keep_personal=house.kept_personal(),
            needed=self.wanted(front),
        )

    def transforms(
        self, house: House, run_id: str, name: str, front: CommercetoolsStorefront
    ) -> Mapping[str, Transform]:
        """Orders, payments, customers and inventory; channels only give inventory its keys."""
        from transforms.storefronts import commercetools, commercetools_catalogue
        from transforms.storefronts.commercetools_settings import SHIPMENTS, STATES, TRANSACTION_STATES

        keeps_shipments = bool(own_words(house, name, "shipment"))
        policy = commercetools.CommercetoolsSettings(
            tender_slugs=front.tender_slugs,
            gift_card_prefixes=front.gift_card_prefixes,
            states=words_of(house, name, "order", STATES),
            transaction_states=words_of(house, name, "payment", TRANSACTION_STATES),
            shipments=words_of(house, name, "shipment", SHIPMENTS) if keeps_shipments else {},
        )
        told: dict[str, Any] = {"storefront": name, "run_id": run_id}

        judged = {**told, "settings": policy}

        def channels(_: pl.DataFrame, session: Session) -> Mapping[str, Any]:
            return {"channels": session.raw_changed(f"raw.{name}__channels")}

        def groups(_: pl.DataFrame, session: Session) -> Mapping[str, Any]:
            found = session.raw_changed(f"raw.{name}__customer_groups")
            return {"groups": commercetools_catalogue.group_keys(found)}

        return {
            "orders": Portable(commercetools.orders, judged),
            "payments": Portable(commercetools.payments, judged),
            "customers": Portable(commercetools.customers, judged),
            "inventory": Portable(commercetools.stock, told, channels),
            "products": Portable(commercetools_catalogue.products, told, groups),
            "prices": Portable(commercetools_catalogue.prices, told, groups),
        }

    def write_stock(self, courier: Commercetools, rows: Iterable[Mapping[str, Any]]) -> Iterator[StockUpdate]:
        """One call per row under the version it was decided on: the platform has no bulk write."""
        changes = [stock_change(row) for row in rows]
        for write in courier.write_stock(changes):
            yield StockUpdate(
                write.sku, write.channel_ref or "", write.before, write.after, write.outcome, write.detail
            )
