"""Every reply of a stand-in has the shape its platform publishes, member by member; what is planted as damage is the only exception.

X-Cart and Clarity publish no shapes: theirs are in the installation's own pages, or nowhere.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from published_shapes import decoded, published
from shopfronts import shop_of, without_waiting

from tieout.connectors.http import Http, Reply

pytestmark = pytest.mark.usefixtures("kept_attached")

SUBJECTS = {
    "commercetools": {
        "orders": "orders", "payments": "payments", "customers": "customers", "inventory": "inventory", "channels": "channels",
        "customer-groups": "customer_groups", "product-projections": "products", "standalone-prices": "prices",
    },
    "magento": {
        "V1/orders": "orders", "V1/invoices": "invoices", "V1/creditmemos": "creditmemos", "V1/shipments": "shipments",
        "V1/transactions": "transactions", "customers/search": "customers", "V1/products": "products", "inventory/source-items": "source_items",
        "store/storeViews": "stores",
    },
}  # fmt: skip
"""Subject by the end of its path."""
PLANTED = {
    "orders.lineItems[].totalPrice.centAmount is no whole",  # amount_not_exact
    "orders.lineItems is no list",  # payload_unreadable
}


@pytest.fixture(scope="module", params=SUBJECTS)
def told(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, dict[str, list[Any]]]:
    """All records by subject, as they came over the line while the courier read everything, twice with changes between."""
    kind = request.param
    replies: list[tuple[str, bytes]] = []
    send = Http.request

    def noted(self: Http, method: str, path: str, **options: Any) -> Reply:
        reply = send(self, method, path, **options)
        if method == "GET" and reply.status == 200:
            replies.append((path.split("?")[0], reply.content))
        return reply

    every = {"every": {"catalogue": True}} if kind == "commercetools" else {}
    with pytest.MonkeyPatch.context() as patch, without_waiting():
        patch.setattr(Http, "request", noted)
        with shop_of(tmp_path_factory.mktemp(kind), [kind], orders=160, **every) as shop:
            shop.extract()
    records: dict[str, list[Any]] = defaultdict(list)
    for path, body in replies:
        subject = next((name for end, name in SUBJECTS[kind].items() if path.endswith(end)), None)
        assert subject is not None, f"{path} is read, and nothing says what shape its replies have"
        records[subject] += rows_of(decoded(body))
    return kind, records


def rows_of(reply: Any) -> list[Any]:
    """The records of a page."""
    if isinstance(reply, list):
        return reply
    found = reply.get("results", reply.get("items"))
    return found or []


def test_every_reply_has_the_published_shape(told: tuple[str, dict[str, list[Any]]]) -> None:
    kind, records = told
    shapes = published(kind)
    assert set(records) == set(SUBJECTS[kind].values())
    assert min(len(rows) for rows in records.values()) > 0
    found = {
        f"{subject}{fault}"
        for subject, rows in records.items()
        for row in rows
        for fault in shapes.faults(subject, row)
    }
    assert found == (PLANTED if kind == "commercetools" else set())


MONEY = {"type": "centPrecision", "currencyCode": "EUR", "centAmount": 1, "fractionDigits": 2}
MOVE = {"id": "t", "type": "Charge", "amount": MONEY, "state": "Success"}
PAYMENT = {
    "id": "p", "version": 1, "createdAt": "", "lastModifiedAt": "", "amountPlanned": MONEY, "paymentMethodInfo": {}, "paymentStatus": {},
    "transactions": [MOVE], "interfaceInteractions": [],
}  # fmt: skip
PRICE = {
    "id": "p", "version": 1, "createdAt": "", "lastModifiedAt": "", "sku": "A", "value": MONEY, "active": True,
}  # fmt: skip


@pytest.mark.parametrize(
    ("subject", "record", "fault"),
    [
        ("payments", PAYMENT, None),
        ("prices", PRICE, None),
        ("payments", {**PAYMENT, "amountPayed": MONEY}, ".amountPayed is not published"),
        ("payments", {k: v for k, v in PAYMENT.items() if k != "transactions"}, ".transactions is missing"),
        ("payments", {**PAYMENT, "amountPlanned": {**MONEY, "centAmount": "1"}}, ".amountPlanned.centAmount is no whole"),
        ("payments", {**PAYMENT, "version": True}, ".version is no whole"),
        ("payments", {**PAYMENT, "key": None}, ".key is no text"),
        ("payments", {**PAYMENT, "transactions": [{**MOVE, "type": "Sale"}]}, ".transactions[].type is none of the words of TransactionType"),
        ("payments", {**PAYMENT, "transactions": {}}, ".transactions is no list"),
        ("prices", {**PRICE, "value": {**MONEY, "type": "exact"}}, ".value.type names no kind of TypedMoney"),
    ],
)  # fmt: skip
def test_a_record_of_another_shape_is_told(subject: str, record: dict[str, Any], fault: str | None) -> None:
    assert published("commercetools").faults(subject, record) == ([fault] if fault else [])


@pytest.mark.parametrize("kind", SUBJECTS)
def test_tables_say_where_they_are_from(kind: str) -> None:
    table = decoded((Path(__file__).parent / "published" / f"{kind}.json").read_text("utf-8"))
    assert "/" in table["source"]
    assert len(table["revision"]) == 40
    assert set(table["roots"].values()) <= set(table["shapes"])
