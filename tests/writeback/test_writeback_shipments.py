"""Shipments of the ledger on their way to storefronts: told once, further numbers added, and what cannot be told said so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from drawn import drawn
from shopfronts import SECRETS, SETTINGS, without_waiting

from checks.contracts import ALL
from flows.extract import extract
from flows.running import run_stage
from flows.sources.intacct import condition_of, subjects_of
from flows.stage import stage
from flows.views import publish_views
from flows.wiring import House
from flows.writeback import plan_writes, write_back
from tieout.errors import SettingsError
from tieout.sandbox.rehearsal import Rehearsal
from tieout.settings import Settings, parse

pytestmark = pytest.mark.usefixtures("kept_attached")

FRONTS: Mapping[str, Any] = {
    "commercetools": SETTINGS["commercetools"],
    "magento": SETTINGS["magento"],
    "xcart": lambda at: {"api_url": at["api_url"], "api_key": "env:XCART_KEY", "shared_tax": "split"},
}  # fmt: skip
OPENING = {
    **SECRETS,
    "XCART_KEY": "demo-xcart-key",
    "TIEOUT_INTACCT_USER_PASSWORD": "demo-user-secret",
    "TIEOUT_INTACCT_SENDER_PASSWORD": "demo-sender-secret",
}
TOLD = {"writes_back": ["order.shipment"]}
ITEMS = "storefront | sku | mode | item_ref\n* | GIFT-* | ignore | -\n* | * | map | *"


def settings_of(folder: Path, addresses: Mapping[str, Any], **sections: Any) -> Settings:
    fronts = {name: {"kind": name, **make(addresses[name]), **TOLD} for name, make in FRONTS.items()}
    fronts["commercetools"]["catalogue"] = True
    raw = {
        "storefronts": fronts,
        "intacct": {
            "endpoint": addresses["intacct"]["url"], "company_id": "TIEOUTDEMO", "user_id": "sync", "sender_id": "tieout_mpp",
            "reads_general_ledger": False,
        },
        "entities": [{"code": "E100", "base_currency": "USD", "time_zone": "UTC"}],
        "ownership": {"order_shipment": "intacct"},
        "shipping": {"definitions": ["Shipper"]},
        **sections,
    }  # fmt: skip
    return parse(raw, folder=folder)


@dataclass
class Yard:
    """A world whose goods leave the house by the ledger's documents."""

    rehearsal: Rehearsal
    house: House
    sent: dict[str, int] = field(default_factory=dict)
    """RECORDNO of the shipper by storefront."""

    def night(self, *sources: str) -> dict[str, Any]:
        """Read these sources (all of them if none is named), stage, and write back."""
        done = run_stage(self.house, "extract", extract, **({"sources": sources} if sources else {}))
        assert not done["errors"]
        run_stage(self.house, "stage", stage)
        return run_stage(self.house, "writeback", write_back)

    def core(self, table: str) -> pl.DataFrame:
        with self.house.warehouse.read() as session:
            return session.fetch(table)

    def ship(self, order: Mapping[str, Any], lines: pl.DataFrame, **more: str) -> int:
        """A shipper in the books for some lines of an order."""
        books = self.rehearsal.gateway.books
        fields = {
            "TRANSACTIONTYPE": "Shipper", "CUSTOMERID": "C1", "WHENCREATED": "11/01/2026", "WHENDUE": "11/30/2026",
            "REFERENCENO": order["order_number"] or order["order_ref"],
            "LINES": [
                {"ITEMID": sku, "QUANTITY": str(quantity), "WAREHOUSEID": "wh-east"}
                for sku, quantity in lines.select("sku", "quantity").iter_rows()
            ],
            **more,
        }  # fmt: skip
        return int(books.create("SODOCUMENT", fields, None, at=self.rehearsal.clock(), user="warehouse"))

    def shown(self, name: str, ref: str) -> dict[str, Any]:
        """An order as the storefront shows it."""
        pages = self.house.storefront(name).read("orders")
        return next(
            msgspec.json.decode(one.payload)
            for page in pages
            for one in page.records
            if one.native_ref == ref
        )


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """One order of every storefront shipped whole by the ledger."""
    folder = tmp_path_factory.mktemp("yard")
    with without_waiting(), Rehearsal(79, 60, only=[*FRONTS, "intacct"], ledger=False) as rehearsal:
        house = House(
            settings=settings_of(folder, rehearsal.addresses()),
            environment=dict(OPENING),
            clock=rehearsal.clock,
        )
        empty = {
            name.removeprefix("mappings."): table.empty()
            for name, table in ALL.items()
            if name.startswith("mappings.")
        }
        house.__dict__["mappings"] = {**empty, "items": drawn(ALL["mappings.items"], ITEMS)}
        rehearsal.gateway.books.create("CUSTOMER", {"CUSTOMERID": "C1", "NAME": "One"}, None)
        found = Yard(rehearsal, house)
        run_stage(house, "extract", extract)
        run_stage(house, "stage", stage)
        for name in FRONTS:
            order, lines = waiting(found, name)
            more = {"TRACKINGNUMBER": f"1Z{name}", "SHIPPINGMETHOD": "Parcel Co", "SHIPPEDDATE": "11/01/2026"}
            found.sent[name] = found.ship(order, lines, **more)
        nobody = {"order_number": "NOBODY", "order_ref": "x"}
        found.sent |= {"lost": found.ship(nobody, lines), "draft": found.ship(nobody, lines, STATE="Draft")}
        found.first = found.night("intacct")  # type: ignore[attr-defined]
        yield found


def waiting(yard: Yard, name: str) -> tuple[dict[str, Any], pl.DataFrame]:
    """The first order of a storefront that may be shipped and is not, and its goods."""
    key = ["storefront", "order_ref"]
    goods = yard.core("core.order_lines").filter(
        (pl.col("kind_code") == "item") & ~pl.col("sku").str.starts_with("GIFT-")
    )
    orders = (
        yard.core("core.orders")
        .filter((pl.col("storefront") == name) & pl.col("status_code").is_in(["open", "processing"]))
        .filter(pl.col("problem").is_null() & ~pl.col("is_test"))
        .join(yard.core("core.shipments"), on=key, how="anti")
        .join(goods, on=key, how="semi")
        .sort("order_ref")
    )
    order = orders.row(0, named=True)
    return order, goods.filter((pl.col("storefront") == name) & (pl.col("order_ref") == order["order_ref"]))


def test_every_storefront_is_told_in_its_own_way(yard: Yard) -> None:
    first = yard.first  # type: ignore[attr-defined]
    assert (first["errors"], first["refused"]) == ([], 0)
    assert (first["planned"], first["written"]) == (3, 3)
    found = yard.core("out.ledger_shipments").filter(outcome_code="placed")
    placed = {row["storefront"]: row for row in found.to_dicts()}
    order = {name: yard.shown(name, row["order_ref"]) for name, row in placed.items()}
    (delivery,) = order["commercetools"]["shippingInfo"]["deliveries"]
    assert delivery["parcels"][0]["trackingData"] == {
        "carrier": "Parcel Co", "trackingId": "1Zcommercetools", "isReturn": False,
    }  # fmt: skip
    assert order["commercetools"]["shipmentState"] == "Shipped"
    assert order["xcart"]["shipping_status"]["code"] == "S"
    said = {row["storefront"]: row["detail"] for row in yard.core("ops.writes").to_dicts()}
    assert said["xcart"] == "the API of X-Cart 5.5 takes no tracking number: enter it in the shop"
    assert [said[name] for name in sorted(FRONTS) if name != "xcart"] == [None, None]


def test_what_the_shops_offer_is_the_same_in_core(yard: Yard) -> None:
    goods, prices = yard.core("core.products"), yard.core("core.web_prices")
    listed = {name: set(goods.filter(storefront=name)["sku"]) for name in FRONTS}
    sold = {sku for sku in listed["commercetools"] if not sku.startswith("GIFT-")}
    assert len(sold) > 20
    assert all(listed[name] >= sold for name in FRONTS)
    assert goods.select("name", "product_ref").null_count().sum_horizontal().item() == 0
    dollars = prices.filter(
        (pl.col("currency") == "USD") & pl.col("level_ref").is_null(), storefront="commercetools"
    )
    assert set(dollars["sku"]) >= sold
    trade = prices.filter(pl.col("level_ref") == "trade")  # the group's key, not its id
    assert set(trade["storefront"]) == {"commercetools"}
    assert set(trade["sku"]) >= sold


def test_what_fits_nothing_waits_visibly(yard: Yard) -> None:
    with yard.house.warehouse.write(run_id="views") as session:
        publish_views(session)
    rows = yard.core("report.ledger_shipments")
    assert rows.filter(pl.col("told_at").is_not_null()).height == 3
    waits = rows.filter(pl.col("outcome_code") != "placed")
    assert waits["outcome_code"].to_list() == ["no_order"]
    assert waits["document_number"].item() in waits["sentence"].item()
    draft = str(yard.sent["draft"])
    assert yard.core("core.ledger_shipments").filter(document_ref=draft)["is_deleted"].item()


def test_the_next_night_tells_only_what_is_new_and_forgets_what_is_gone(yard: Yard) -> None:
    books = yard.rehearsal.gateway.books
    at = yard.rehearsal.clock() + timedelta(minutes=1)
    for name in ("commercetools", "magento"):
        document = books.tables["SODOCUMENT"].get(yard.sent[name])
        books.journal.set(document, "extra", {**document.extra, "TRACKINGNUMBER": f"1Z{name},2Z{name}"})
        books.journal.set(document, "modified_at", at)
    lost = str(yard.sent["lost"])
    books.delete("SODOCUMENT", lost, None)
    more = yard.night("commercetools", "magento", "xcart", "intacct")
    assert (more["planned"], more["written"], more["errors"]) == (2, 2, [])
    key = ["storefront", "order_ref"]
    placed = yard.core("out.ledger_shipments").select(*key, "document_ref")
    shipped = yard.core("core.shipments").select(*key, "shipment_ref").unique().join(placed, on=key)
    assert sorted(shipped["storefront"]) == [
        "commercetools",
        "magento",
        "xcart",
    ]  # one delivery each, the one told
    assert lost not in placed["document_ref"]
    assert yard.core("core.ledger_shipment_lines").filter(document_ref=lost).is_empty()
    ref = placed.filter(storefront="commercetools")["order_ref"].item()
    (delivery,) = yard.shown("commercetools", ref)["shippingInfo"]["deliveries"]
    numbers = [parcel["trackingData"]["trackingId"] for parcel in delivery["parcels"]]
    assert numbers == ["1Zcommercetools", "2Zcommercetools"]
    assert plan_writes(yard.house).is_empty()


def test_documents_are_read_only_where_somebody_is_told_of_shipments(tmp_path: Path, yard: Yard) -> None:
    assert "SODOCUMENT" in subjects_of(yard.house)
    addresses = yard.rehearsal.addresses()
    front = {"kind": "commercetools", **SETTINGS["commercetools"](addresses["commercetools"])}
    quiet = House(settings=settings_of(tmp_path, addresses, storefronts={"shop": front}), environment={})
    assert not {"SODOCUMENT", "SODOCUMENTENTRY", "ITEM"} & set(subjects_of(quiet))


def test_several_definitions_are_one_question(yard: Yard) -> None:
    several = yard.house.settings.shipping.model_copy(update={"definitions": ("Shipper", "Sales Invoice")})
    client = yard.house.intacct()
    try:
        one = [
            client.count(name, condition=condition_of(name, yard.house.ledger, yard.house.settings.shipping))
            for name in ("SODOCUMENT", "SODOCUMENTENTRY")
        ]
        two = [
            client.count(name, condition=condition_of(name, yard.house.ledger, several))
            for name in ("SODOCUMENT", "SODOCUMENTENTRY")
        ]
    finally:
        client.close()
    assert one == two
    assert min(one) > 0


def test_being_told_of_shipments_needs_ownership_and_definitions(tmp_path: Path, yard: Yard) -> None:
    addresses = yard.rehearsal.addresses()
    with pytest.raises(SettingsError) as said:
        settings_of(tmp_path, addresses, ownership={})
    assert "order.shipment belongs to the storefront" in str(said.value)
    with pytest.raises(SettingsError) as said:
        settings_of(tmp_path, addresses, shipping={})
    assert "[shipping] names no definitions" in str(said.value)
