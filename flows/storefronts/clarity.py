"""Clarity eCommerce: how it is reached, staged and written to, all by the profile of the configuration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from flows.apart.portable import Portable
from flows.mappings.status_words import words_of
from flows.storefronts.kind import Kind, StockUpdate, Transform
from flows.storefronts.xcart import stock_updates

if TYPE_CHECKING:
    import polars as pl

    from flows.wiring import House
    from tieout.connectors.storefronts.clarity import Clarity
    from tieout.connectors.storefronts.clarity_profile import Profile
    from tieout.settings.storefronts import ClarityStorefront
    from tieout.warehouse.session import Session


class ClarityKind(Kind):
    """Orders hold their shipments; payments, returns, customers and stock have lists of their own, as far as the profile names them."""

    name: ClassVar[str] = "clarity"
    subjects: ClassVar[tuple[str, ...]] = (
        "orders",
        "payments",
        "returns",
        "customers",
        "inventory",
        "products",
    )
    tables: ClassVar[tuple[str, ...]] = (
        "core.orders", "core.order_lines", "core.order_tenders", "core.payments", "core.shipments", "core.returns", "core.customers", "core.stock",
        "core.products", "core.web_prices",
    )  # fmt: skip
    cannot_tell: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "core.order_payments": "Payments have a list of their own and name their order themselves.",
            "core.orders.tax_included": "An order does not say it; one setting says it for the whole shop.",
            "core.order_lines.unit_price": "A unit price has no more digits than its currency.",
            "core.stock.on_hand_qty": "The figure is what may be sold: open orders are off it already.",
            "core.customers.city": "The shipped profile names no such member.",
            "core.customers.postal_code": "The shipped profile names no such member.",
        }
    )

    def courier(self, house: House, name: str, front: ClarityStorefront) -> Clarity:
        """A client of the shop, speaking as its profile says. Raises `SettingsError` with every problem of the profile."""
        from tieout.connectors.storefronts.clarity import Clarity

        return Clarity(
            api_url=front.api_url,
            profile=_profile(house, front),
            client_id=front.client_id,
            client_secret=house.secret(front.client_secret),
            page_size=front.page_size,
            keep_personal=house.kept_personal(),
        )

    def transforms(
        self, house: House, run_id: str, name: str, front: ClarityStorefront
    ) -> Mapping[str, Transform]:
        """Subjects the profile names."""
        from transforms.storefronts import clarity, clarity_catalogue

        profile = _profile(house, front)
        policy = clarity.ClaritySettings(
            fields=profile.fields,
            statuses=words_of(house, name, "order", profile.words.status),
            transaction_types=profile.words.transaction_types,
            transaction_states=words_of(house, name, "payment", profile.words.transaction_states),
            shipment_states=words_of(house, name, "shipment", profile.words.shipment_states),
            store=front.store,
            tax_included=front.tax_included,
            gift_card_prefixes=front.gift_card_prefixes,
        )
        told: dict[str, Any] = {"storefront": name, "run_id": run_id, "settings": policy}

        def lines(_: pl.DataFrame, session: Session) -> Mapping[str, Any]:
            wanted = ["order_ref", "line_ref", "sku"]
            return {"lines": session.fetch("core.order_lines", where={"storefront": name}, columns=wanted)}

        every: dict[str, Transform] = {
            "orders": Portable(clarity.orders, told),
            "payments": Portable(clarity.payments, told),
            "returns": Portable(clarity.returns, told, lines),
            "customers": Portable(clarity.customers, told),
            "inventory": Portable(clarity.stock, told),
            "products": Portable(clarity_catalogue.products, told),
        }
        return {subject: one for subject, one in every.items() if subject in profile.subjects}

    def write_stock(self, courier: Clarity, rows: Iterable[Mapping[str, Any]]) -> Iterator[StockUpdate]:
        """One call to read and one to write per row, as the profile says."""
        return stock_updates(courier, rows)


def _profile(house: House, front: ClarityStorefront) -> Profile:
    from tieout.connectors.storefronts import clarity_profile

    return clarity_profile.load(front.profile, house.settings.folder)
