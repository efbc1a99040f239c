"""The mapping files that ship, and the look-up of the row that fits best."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from drawn import table

from checks.contracts import ALL
from transforms.accounts import mapped_item, most_specific
from transforms.identity import fitted, minted, short_hash

MAPPINGS = Path(__file__).resolve().parents[2] / "data" / "mappings"


def read(name: str) -> pl.DataFrame:
    return pl.read_csv(MAPPINGS / f"{name}.csv", infer_schema=False)


@pytest.mark.parametrize(
    "name", sorted(one.removeprefix("mappings.") for one in ALL if one.startswith("mappings."))
)
def test_the_shipped_mappings_keep_their_contracts(name: str) -> None:
    contract = ALL[f"mappings.{name}"]
    frame = read(name)
    assert frame.columns == list(contract.polars_schema)
    contract.checked(frame, at="in data/mappings")


def test_every_account_booked_is_read_back_as_its_own_component() -> None:
    back = dict(read("component_accounts").select("account_code", "component_code").rows())
    booked = read("accounts").select("account_code", "component_code").rows()
    booked += [(account, "tax") for account in read("taxes")["account_code"].drop_nulls()]
    assert {account: back.get(account) for account, _ in booked} == {
        account: {"allowance": "other"}.get(component, component) for account, component in booked
    }


def test_every_mapped_store_has_a_tender_of_each_kind_and_what_posting_needs() -> None:
    stores = read("stores")
    assert (
        stores.select(
            pl.col("entity_code", "location_code", "invoice_prefix", "guest_customer_id").is_null().any()
        ).row(0)
        == (False,) * 4
    )
    # Storefronts that tell one shop's orders share its numbers; within one storefront a prefix names one store.
    assert stores.select(pl.struct("storefront", "invoice_prefix").is_unique().all()).item()
    tenders = read("tenders")
    for entity in stores.filter(pl.col("storefront") == "shop")["entity_code"].unique():
        mine = tenders.filter(pl.col("storefront").is_in(["shop", "*"]) & (pl.col("entity_code") == entity))
        kinds = set(mine["tender_code"])
        # The last is no way to pay: it is the account that applications of credit memos name.
        assert kinds == {"CreditCard", "PayPal", "GiftCard", "StoreCredit", "credit_memo"}


def test_what_the_seeded_world_leaves_out_stays_out() -> None:
    assert "pop-up" not in read("stores")["store_ref"]
    assert "CryptoPay" not in read("tenders")["tender_code"]
    assert "Special Levy" not in read("taxes")["tax_code"]
    assert not any("NEW-1".startswith(sku.removesuffix("*")) for sku in read("items")["sku"])


RULES = """
    storefront | sku    | answer
    *          | *      | any
    shop       | *      | shop
    *          | MUG-*  | family
    shop       | MUG-*  | shop family
    shop       | MUG-1* | shop longer
    *          | MUG-12 | one
    shop       | MUG-12 | shop one
"""


@pytest.mark.parametrize(
    ("storefront", "sku", "answer"),
    [
        ("other", "TEA-1", "any"),
        ("shop", "TEA-1", "shop"),
        ("other", "MUG-9", "family"),
        ("shop", "MUG-9", "shop family"),
        ("shop", "MUG-1", "shop longer"),
        ("other", "MUG-12", "one"),
        ("shop", "MUG-12", "shop one"),
        ("shop", None, "shop"),
    ],
)
def test_the_row_that_fits_best_wins_whatever_the_order_of_the_rows(
    storefront: str, sku: str | None, answer: str
) -> None:
    rules = table(RULES)
    asked = pl.DataFrame(
        {"storefront": [storefront], "sku": [sku]}, schema={"storefront": pl.String, "sku": pl.String}
    )
    for mapping in (rules, rules.reverse()):
        assert most_specific(asked, mapping, ["storefront", "sku"], ["answer"])["answer"].to_list() == [
            answer
        ]


def test_every_row_comes_back_once_in_its_order_and_null_where_nothing_fits() -> None:
    rules = table("storefront | sku | answer\nshop | A* | a\nshop | AB | b")
    asked = table("storefront | sku | n_no\nshop | AB | 1\nshop | C | 2\nshop | A1 | 3\nshop | AB | 4")
    found = most_specific(asked, rules, ["storefront", "sku"], ["answer"])
    assert found.rows() == [
        ("shop", "AB", 1, "b"),
        ("shop", "C", 2, None),
        ("shop", "A1", 3, "a"),
        ("shop", "AB", 4, "b"),
    ]


def test_a_family_keeps_the_rest_of_the_sku() -> None:
    rows = table("sku | item_ref | item_rule\nMUG-1 | M-* | MUG-*\nTEA-1 | TEAPOT | TEA-*\nBAG-1 | - | BAG-*")
    assert rows.select(item=mapped_item())["item"].to_list() == ["M-1", "TEAPOT", None]


def test_ids_are_those_of_their_business_key_and_of_nothing_else() -> None:
    rows = table(
        "storefront | order_ref | kind_code\nshop | A | invoice\nshop | A | receipt\nshop | - | invoice"
    )
    ids = minted(rows, "tieout", ["storefront", "order_ref", "kind_code"])
    assert ids[0] == short_hash("tieout|shop|A|invoice", 20)
    assert ids[2] == short_hash("tieout|shop||invoice", 20)
    assert ids.is_unique().all()
    assert ids.str.contains(r"^[A-Z2-7]{20}$").all()


@pytest.mark.parametrize(
    ("name", "fits"),
    [("UW100123", True), ("U 1/2-3.4_5:6", True), ("x" * 20, True), ("x" * 21, False), ("A&B", False), ("#1", False), ("Ü1", False), ("=1+1", False), ("", False)],
)  # fmt: skip
def test_only_names_intacct_accepts_are_kept(name: str, fits: bool) -> None:
    found = fitted(pl.Series([name]), 20, "X")[0]
    assert (found == name) == fits
    assert fits or (found.startswith("X") and len(found) == 13)
