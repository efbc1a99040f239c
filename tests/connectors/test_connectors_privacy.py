"""Personal data at landing: kept, hashed or dropped by kind, in every storefront's spelling, and nothing of it left on disk."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shelf import shelf_house

from flows.extract import extract
from flows.sources.personal import guarded
from tieout.connectors.paging import Page, Record
from tieout.connectors.privacy import SPELLINGS, Privacy
from tieout.errors import SettingsError
from tieout.settings import parse

CANARIES = (
    "Zanzibar",
    "Quetzal",
    "quetzal@example.org",
    "Wombatstreet",
    "555-0199",
    "1970-01-02",
    "DE999999999",
)
PAYLOAD: dict[str, Any] = {
    "id": "o1", "version": 1, "lastModifiedAt": "2026-10-01T00:00:00.000Z", "createdAt": "2026-10-01T00:00:00.000Z",
    "customerEmail": "quetzal@example.org", "customer_firstname": "Zanzibar", "customerTaxvat": "DE999999999",
    "billingAddress": {"firstName": "Zanzibar", "lastName": "Quetzal", "streetName": "Wombatstreet", "country": "DE", "phone": "555-0199", "dob": "1970-01-02"},
    "shipping": [{"address": {"street": ["Wombatstreet 1"], "email": "quetzal@example.org", "region_id": 5}}],
    "lineItems": [{"id": "l1", "name": {"en": "Mug"}, "price": 1190.00}],
}  # fmt: skip


def applied(payload: Any, salt: str = "s", **rules: Any) -> Any:
    return json.loads(Privacy(rules, salt).applied(json.dumps(payload).encode()))


def test_what_is_kept_stays_byte_for_byte() -> None:
    text = b'{"email" : "a@b",  "total": 1.10, "x":[ 1,2 ]}'
    assert Privacy({"phone": "drop", "name": "hash"}, "s").applied(text) is text
    assert not Privacy({"name": "keep"}).touches()
    odd = b'{"E-Mail_Address": "a@b", "em\\u0061il": "c@d", "total": 1.10}'
    assert json.loads(Privacy({"email": "drop"}).applied(odd)) == {"total": 1.1}
    assert (
        Privacy({"email": "drop"}).applied(b'{"E-Mail_Address": "a@b", "total": 1.10}') == b'{"total":1.10}'
    )


def test_dropped_kinds_are_gone_wherever_they_stand() -> None:
    found = applied(PAYLOAD, name="drop", email="drop", address="drop", tax_id="drop")
    assert not [one for one in CANARIES if one in json.dumps(found)]
    assert found["lineItems"] == PAYLOAD["lineItems"]
    assert found["shipping"] == [{}]


def test_hashed_kinds_tell_the_same_person_and_nothing_else() -> None:
    every = dict.fromkeys(SPELLINGS, "hash")
    found = applied(PAYLOAD, **every)
    assert not [one for one in CANARIES if one in json.dumps(found)]
    assert found["customerEmail"] == found["shipping"][0]["address"]["email"]
    assert found["customerEmail"].endswith("@hashed.invalid")
    assert found["billingAddress"]["country"] == "DE"
    assert found["shipping"][0]["address"]["region_id"] == 5
    assert found["billingAddress"]["firstName"] == found["customer_firstname"]
    assert applied({"email": " A@b.example "}, email="hash") == applied(
        {"email": "a@B.example"}, email="hash"
    )
    assert applied({"email": "a@b"}, "other", email="hash") != applied({"email": "a@b"}, email="hash")
    assert applied({"email": None, "phone": ""}, email="hash", phone="hash") == {"email": None, "phone": ""}


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["email", "firstName", "address", "total", "items", "dob", "id"]), inner, max_size=4),
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["email", "customer", "billing_address", "sum"]), values, max_size=4))
def test_any_payload_stays_a_payload_and_doing_it_twice_drops_nothing_more(payload: dict[str, Any]) -> None:
    policy = Privacy({"email": "drop", "name": "drop", "birth": "drop"}, "s")
    once = policy.applied(json.dumps(payload).encode())
    assert policy.applied(once) == once
    assert not {"email", "firstName", "dob"} & _names(json.loads(once))
    hashed = json.loads(
        Privacy({"email": "hash", "address": "hash"}, "s").applied(json.dumps(payload).encode())
    )
    assert _names(hashed) == _names(payload)


def _names(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {name for one in value.values() for name in _names(one)}
    if isinstance(value, list):
        return {name for one in value for name in _names(one)}
    return set()


class Shop:
    """A courier that hands over one order with everything in it."""

    def count(self, _subject: str, _window: Any) -> None:
        return None

    def read(self, subject: str, _window: Any) -> Any:
        now = datetime(2026, 10, 1, tzinfo=UTC)
        rows = (Record("o1", 1, now, json.dumps(PAYLOAD).encode()),) if subject == "orders" else ()
        yield Page(rows, 1, 0)


@pytest.mark.parametrize("rule", ["drop", "hash"])
def test_nothing_personal_is_found_in_any_file_after_landing(tmp_path: Path, rule: str) -> None:
    house = shelf_house(tmp_path, privacy={**dict.fromkeys(SPELLINGS, rule), "salt": "env:SALT"})
    house.environment = {"SALT": "a secret"}
    house.fronts["shop"] = Shop()  # type: ignore[assignment]
    summary = extract(house, run_id="r1")
    assert (summary["new"], summary["errors"]) == (1, [])
    with house.warehouse.read() as session:
        (row,) = session.raw_changed("raw.shop__orders").to_dicts()
    assert "lineItems" in row["payload"]
    files = [one for one in tmp_path.rglob("*") if one.is_file()]
    texts = [gzip.decompress(raw) if (raw := one.read_bytes())[:2] == b"\x1f\x8b" else raw for one in files]
    assert len(texts) > 1
    assert [word for word in CANARIES for text in texts if word.encode() in text] == []


def test_by_default_posting_gets_what_it_needs_and_no_more(tmp_path: Path) -> None:
    rules = parse({}, folder=tmp_path).privacy
    assert (rules.name, rules.email, rules.address) == ("keep", "keep", "keep")
    assert (rules.phone, rules.birth, rules.tax_id) == ("drop", "drop", "drop")


def test_hashing_without_a_key_is_refused(tmp_path: Path) -> None:
    house = shelf_house(tmp_path, privacy={"email": "hash"})
    with pytest.raises(SettingsError, match="has no salt"):
        _ = house.privacy


def test_a_record_that_cannot_be_read_lands_its_problem_and_nothing_else(tmp_path: Path) -> None:
    house = shelf_house(tmp_path, privacy={"email": "drop"})
    now = datetime(2026, 10, 1, tzinfo=UTC)
    (page,) = guarded(house, iter([Page((Record("x", 1, now, b'["Zanzibar"'),), 1, 0)]))
    (record,) = page.records
    assert b"Zanzibar" not in record.payload
    assert record.problem == "the record is not a JSON object"
