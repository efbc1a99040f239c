"""Customers: registered ones as the storefront shows them, and the ids a ledger keeps for them and for guests."""

from __future__ import annotations

from functools import lru_cache
from random import Random
from typing import Any

from tieout.sandbox.world.arithmetic import DAY_MS, identifier, iso, random_of
from tieout.sandbox.world.catalog import EU, JP, KW, START_MS, STORES, US
from tieout.sandbox.world.orders import has_long_number

_FIRST = ("Ana", "Ben", "Chloé", "Dmitri", "Elif", "Farid", "Grace", "Hana", "Iván", "Jürgen", "Kenji", "Lucía",
          "Mei", "Noor", "Olga", "Pavel", "Quinn", "Rosa", "Søren", "Tala")  # fmt: skip
_LAST = ("Almeida", "Brandt", "Castillo", "Doyle", "Eriksen", "Fischer", "García", "Hoffmann", "Ito", "Jansen",
         "Köhler", "Lima", "Müller", "Novák", "O'Neill", "Park", "Quintero", "Rossi", "Schäfer", "Tanaka")  # fmt: skip
_CITIES = {
    US: ("New York", "10001"),
    EU: ("Berlin", "10115"),
    JP: ("Tokyo", "100-0001"),
    KW: ("Kuwait City", "13001"),
}
FORMULA_NAME = "=cmd|' /C calc'!A0"


def store_of(customer: int) -> int:
    """The store a registered customer shops at."""
    slot = customer % 20
    return US if slot < 11 else EU if slot < 18 else JP if slot == 18 else KW


def customer_number(customer: int) -> str:
    """The storefront's customer number; a few came from an old system and are far too long for Intacct."""
    if has_long_number(customer):
        return f"LEGACY-IMPORT-2019-EMEA-0000000000-{customer + 10_001:08d}"
    return f"C-{customer + 10_001}"


def ledger_customer_id(customer: int | None, store: int) -> str:
    """The Intacct customer id: ``C`` and the digits of the number, or the store's guest account."""
    if customer is None:
        return STORES[store].guest_id
    return f"C{customer + 10_001}"


@lru_cache(maxsize=65_536)
def name_of(seed: int, customer: int) -> tuple[str | None, str | None, str | None]:
    """First name, last name and company of a registered customer; any of them may be absent."""
    rng = random_of(seed, 5, customer)
    first, last = _pick(rng, _FIRST), _pick(rng, _LAST)
    if customer % 41 == 5:
        return FORMULA_NAME, last, None
    if customer % 37 == 3:
        return None, None, None
    return first, last, f"{last} & Co." if rng.random() < 0.15 else None


def display_name(seed: int, customer: int) -> str:
    """What a ledger calls a registered customer: company, else full name, else the customer number."""
    first, last, company = name_of(seed, customer)
    return company or " ".join(part for part in (first, last) if part) or customer_number(customer)


def email_of(customer: int) -> str:
    """A registered customer's e-mail address."""
    return f"customer{customer + 10_001}@example.com"


@lru_cache(maxsize=65_536)
def customer_id(seed: int, customer: int) -> str:
    """The storefront's own id of a registered customer."""
    return identifier(seed, "customer", customer)


def customer_modified(seed: int, customer: int) -> int:
    """When a registered customer last changed: some before the world begins, some within it."""
    return (
        START_MS
        - 200 * DAY_MS
        + int(random_of(seed, 6, customer).random() * 255) * DAY_MS
        + customer * 61_007
    )


def customer_payload(seed: int, customer: int) -> dict[str, Any]:
    """A customer as commercetools shows it (commercetools API reference, Customer)."""
    first, last, company = name_of(seed, customer)
    changed = customer_modified(seed, customer)
    found: dict[str, Any] = {
        "id": customer_id(seed, customer),
        "version": 1 + customer % 4,
        "createdAt": iso(min(changed, START_MS - 210 * DAY_MS + customer * 1_009)),
        "lastModifiedAt": iso(changed),
        "customerNumber": customer_number(customer),
        "email": email_of(customer),
    }
    for key, value in (("firstName", first), ("lastName", last), ("companyName", company)):
        if value is not None:
            found[key] = value
    found["addresses"] = [{"id": "a1", **address(store_of(customer), customer, first, last)}]
    found["defaultBillingAddressId"] = "a1"
    found.update(
        customerGroupAssignments=[],
        shippingAddressIds=["a1"],
        billingAddressIds=["a1"],
        stores=[],
        isEmailVerified=True,
        authenticationMode="Password",
    )
    return found


def address(store: int, number: int, first: str | None, last: str | None) -> dict[str, Any]:
    """A postal address in the store's country, with names where there are any."""
    city, postal = _CITIES[store]
    found: dict[str, Any] = {
        "streetName": "Example Street",
        "streetNumber": str(1 + number % 199),
        "postalCode": postal,
        "city": city,
        "country": STORES[store].country,
    }
    if first:
        found["firstName"] = first
    if last:
        found["lastName"] = last
    return found


def guest_name(rng: Random) -> tuple[str, str]:
    """A guest's first and last name."""
    return _pick(rng, _FIRST), _pick(rng, _LAST)


def _pick(rng: Random, pool: tuple[str, ...]) -> str:
    return pool[int(rng.random() * len(pool))]
