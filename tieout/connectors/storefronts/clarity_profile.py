"""A Clarity profile: paths, parameters, paging, member names and words of one shop's API, as a file that is judged whole.

No reference of Clarity eCommerce's interface is public, so nothing of it is written into code. The shipped profile `seed` is an
assumption and says so.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from tieout.errors import SettingsError
from tieout.vocabulary import ORDER_STATUSES, PAYMENT_KINDS, PAYMENT_STATES, SHIPMENT_STATES

SUBJECTS: Final = ("orders", "payments", "returns", "customers", "inventory", "products")

FIELDS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    # group: (names that must be there, names that may be)
    "orders": (
        ("ref", "changed", "placed", "status", "currency", "total", "lines"),
        (
            "number", "subtotal", "shipping", "fees", "tax", "discount", "store_credit", "gift_card", "coupon", "customer_ref", "customer_name",
            "customer_email", "store", "is_test", "taxes", "shipments", "shipped",
        ),
    ),
    "lines": (("ref", "sku", "quantity"), ("name", "category", "unit_price", "subtotal", "tax", "tax_code", "tax_rate", "tax_percent", "discount")),
    "taxes": (("code", "amount"), ()),
    "shipments": (("ref", "at"), ("status", "carrier", "number", "items", "item_line", "item_quantity")),
    "payments": (("ref", "order_ref", "changed", "currency", "transactions"), ("method",)),
    "transactions": (("ref", "type", "status", "amount"), ("at", "reference", "fee")),
    "returns": (("ref", "order_ref", "changed", "items"), ("status", "item_sku", "item_line", "item_quantity")),
    "customers": (
        ("ref", "changed"),
        (
            "number", "name", "first_name", "last_name", "company", "email", "phone", "street", "city", "state", "postal_code",
            "country_code",
        ),
    ),
    "inventory": (("sku", "quantity"), ("location", "changed")),
    "products": (("sku", "ref"), ("name", "category", "price", "currency", "active", "changed")),
}  # fmt: skip

PLACEHOLDERS: Final[Mapping[str, frozenset[str]]] = {
    "stock": frozenset({"sku", "quantity", "location"}),
    "price": frozenset({"sku", "amount", "currency", "level"}),
    "status": frozenset({"order", "status"}),
    "tracking": frozenset({"order", "carrier", "number", "shipment"}),
}
_HOLE: Final = re.compile(r"\{([^{}]*)\}")
_PATH_WORD = r"^[A-Za-z_$][\w$-]*(\.[A-Za-z_$][\w$-]*)*$"
Dotted = Annotated[str, StringConstraints(pattern=_PATH_WORD)]
Route = Annotated[str, StringConstraints(pattern=r"^/[^\s?#]*$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class About(_Part):
    """What the profile is called, and whether it is only a proposal."""

    name: str
    is_assumption: bool = True


class Auth(_Part):
    """How a request is signed: a token of OAuth 2.0 client credentials, or a fixed key in a header."""

    style: Literal["oauth2", "header"]
    token_path: Route = "/oauth/token"  # noqa: S105  an address
    credentials: Literal["form", "basic"] = "form"
    header: str = "Authorization"
    prefix: str = "Bearer "


class Paging(_Part):
    """How a list is walked. `first` is the number of the first page, or of the first record."""

    style: Literal["page", "start"]
    first: Annotated[int, Field(ge=0, le=1)] = 0
    position: str
    size: str
    most: Annotated[int, Field(ge=1, le=10_000)] = 100
    items: str = ""
    total: str = ""


class Changes(_Part):
    """The parameter for "changed since"; an empty one means that lists are read whole and filtered here."""

    parameter: str = ""
    format: Literal["iso", "unix"] = "iso"


class Words(_Part):
    """Their words in ours."""

    status: Mapping[str, str]
    transaction_types: Mapping[str, str] = {}
    transaction_states: Mapping[str, str] = {}
    shipment_states: Mapping[str, str] = {}

    @model_validator(mode="after")
    def _known(self) -> Words:
        lists = {
            "status": ORDER_STATUSES,
            "transaction_types": PAYMENT_KINDS,
            "transaction_states": PAYMENT_STATES,
            "shipment_states": SHIPMENT_STATES,
        }
        wrong = [
            f"{name}.{theirs} = '{ours}' (one of {', '.join(known)})"
            for name, known in lists.items()
            for theirs, ours in getattr(self, name).items()
            if ours not in known
        ]
        if wrong:
            raise ValueError(f"has words tieout does not know: {'; '.join(wrong)}")
        return self


class WriteRule(_Part):
    """One kind of write: where the value is read, where and how it is sent, and which member of the answer shows it.

    Texts of `body` may hold `{placeholders}`; one that is nothing but a placeholder becomes the value itself.
    """

    read: Route
    method: Literal["PUT", "PATCH", "POST"]
    path: Route
    body: Mapping[str, Any]
    answer: Dotted
    words: Mapping[str, str] = {}


class Profile(_Part):
    """A whole profile, judged."""

    profile: About
    auth: Auth
    paging: Paging
    changes: Changes = Changes()
    subjects: Mapping[Literal["orders", "payments", "returns", "customers", "inventory", "products"], Route]
    fields: Mapping[str, Mapping[str, Dotted]]
    words: Words
    writes: Mapping[Literal["stock", "price", "status", "tracking"], WriteRule] = {}

    @model_validator(mode="after")
    def _whole(self) -> Profile:
        wrong: list[str] = []
        if "orders" not in self.subjects:
            wrong.append("subjects.orders is missing")
        wanted = {name for name in self.subjects if name in FIELDS} | {"orders", "lines"}
        orders = self.fields.get("orders", {})
        wanted |= {name for name in ("taxes", "shipments") if name in orders}
        if "payments" in self.subjects:
            wanted.add("transactions")
        wrong += [f"fields.{name} is missing" for name in sorted(wanted - set(self.fields))]
        for group, names in self.fields.items():
            if group not in FIELDS:
                wrong.append(f"fields.{group} is no group tieout reads ({', '.join(FIELDS)})")
                continue
            must, may = FIELDS[group]
            if group in wanted:
                wrong += [f"fields.{group}.{name} is missing" for name in must if name not in names]
            wrong += [
                f"fields.{group}.{name} is no field tieout reads" for name in names if name not in must + may
            ]
        for kind, rule in self.writes.items():
            for place in (rule.read, rule.path, *_texts(rule.body)):
                wrong += [
                    f"writes.{kind} has the placeholder {{{hole}}}; it may have {', '.join(sorted(PLACEHOLDERS[kind]))}"
                    for hole in _HOLE.findall(place)
                    if hole not in PLACEHOLDERS[kind]
                ]
        if wrong:
            raise ValueError("\n".join(wrong))
        return self


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for part in value.values() for text in _texts(part)]
    if isinstance(value, list):
        return [text for part in value for text in _texts(part)]
    return []


def shipped() -> tuple[str, ...]:
    """Names of the profiles that come with tieout."""
    folder = files("tieout.connectors.storefronts.clarity_profiles")
    return tuple(
        sorted(one.name.removesuffix(".toml") for one in folder.iterdir() if one.name.endswith(".toml"))
    )


def load(name: str, folder: Path = Path()) -> Profile:
    """A shipped profile by name, or one in a file (a path that ends in .toml, relative to `folder`).

    Raises SettingsError that lists every problem of the file at once.
    """
    if name.endswith(".toml"):
        try:
            text = (folder / name).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as fault:
            raise SettingsError(
                f"The Clarity profile {name} cannot be read ({type(fault).__name__}); correct `profile`."
            ) from None
    elif name in shipped():
        text = (files("tieout.connectors.storefronts.clarity_profiles") / f"{name}.toml").read_text(
            encoding="utf-8"
        )
    else:
        raise SettingsError(
            f"There is no Clarity profile '{name}'; name a .toml file, or one of {', '.join(shipped())}."
        )
    return parse(text, name)


def parse(text: str, name: str) -> Profile:
    """A profile from the text of its file. Raises SettingsError that lists every problem at once."""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise SettingsError(f"The Clarity profile {name} is not valid TOML: {fault}.") from None
    problems: list[str] = []
    try:
        return Profile.model_validate(found)
    except ValidationError as broken:
        for one in broken.errors():
            problems += _sentences(one)
    # The file as a whole is only judged by the library when its parts are sound; a person wants to hear of both at once.
    problems += [one for one in _missing_fields(found) if one not in problems]
    raise SettingsError(
        f"The Clarity profile {name} has {len(problems)} problem(s); nothing was started.", problems
    )


def _sentences(fault: Any) -> list[str]:
    place = ".".join(str(step) for step in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return [f"[{place}] is nothing tieout reads; check the spelling"]
    if fault["type"] == "missing":
        return [f"[{place}] is missing"]
    if fault["type"] == "string_pattern_mismatch":
        return [f"[{place}] is '{fault['input']}', which does not have the form {fault['ctx']['pattern']}"]
    said = str(fault["msg"]).removeprefix("Value error, ")
    return [f"[{place or 'file'}] {line}" for line in said.split("\n")]


def _missing_fields(found: Mapping[str, Any]) -> list[str]:
    groups = found.get("fields")
    if not isinstance(groups, Mapping):
        return []
    return [
        f"[file] fields.{group}.{name} is missing"
        for group in ("orders", "lines")
        for name in FIELDS[group][0]
        if isinstance(groups.get(group), Mapping) and name not in groups[group]
    ]
