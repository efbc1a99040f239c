"""Personal data by the configured policy, at landing: kept, hashed or dropped by kind, before anything is written to disk.

Couriers drop what no posting needs on their own (see redaction); this is for companies that keep less. A hashed value is the same for
the same text, so that orders of one person still belong together, and cannot be read back without the key it was made with.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, Literal

import msgspec

Rule = Literal["keep", "hash", "drop"]

SPELLINGS: Final[Mapping[str, frozenset[str]]] = {
    "name": frozenset(
        {
            "firstname", "lastname", "middlename", "salutation", "companyname", "company", "fullname", "customername",
            "customerfirstname", "customerlastname", "customermiddlename",
        }
    ),
    "email": frozenset({"email", "customeremail", "emailaddress", "login"}),
    "address": frozenset(
        {"address", "addresses", "billingaddress", "shippingaddress", "itemshippingaddresses", "billinginfo"}
    ),
    "phone": frozenset({"phone", "mobile", "fax", "telephone", "phonenumber"}),
    "birth": frozenset({"dateofbirth", "dob", "birthday"}),
    "tax_id": frozenset({"vatid", "taxvat", "customertaxvat", "vatnumber"}),
}  # fmt: skip
"""Members by kind, folded to lower case without separators: the spellings of every storefront there is a courier for."""

_PLACES: Final = frozenset(
    {"id", "key", "addresskey", "type", "country", "countrycode", "countryid", "state", "region", "regioncode", "regionid", "statecode", "customerid"}
)  # fmt: skip
"""Members of an address that say where it lies only as far as tax needs it, or that tie it to its order: never hashed."""

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_encode = msgspec.json.encode


@dataclass(frozen=True)
class Privacy:
    """What happens to each kind of personal data. `salt` keys the hashes: with another one the same person is another hash."""

    rules: Mapping[str, Rule] = field(default_factory=dict)
    salt: str = ""

    def touches(self) -> bool:
        """Whether there is anything to do at all."""
        return any(rule != "keep" for rule in self.rules.values())

    def rule_of(self, name: str) -> Rule:
        """What happens to values under a member or column of this name."""
        kind = _kind(name)
        return self.rules.get(kind, "keep") if kind is not None else "keep"

    def mark(self, text: str, *, as_email: bool) -> str:
        """A text as its hash; the same for the same text whatever its case and surrounding space."""
        mark = hmac.new(self.salt.encode(), text.strip().casefold().encode(), hashlib.sha256).hexdigest()[:24]
        # An address in the reserved domain `.invalid` (RFC 2606) still looks like one and reaches nobody.
        return f"{mark}@hashed.invalid" if as_email else f"hashed-{mark}"

    def applied(self, payload: bytes) -> bytes:
        """The JSON object with its personal members hashed or gone; every other byte stays as received.

        Raises msgspec.DecodeError when the payload is not a JSON object.
        """
        touched = tuple(sorted(kind for kind, rule in self.rules.items() if rule != "keep"))
        # Almost every payload is let through by one look for the names themselves; an escaped name takes the long way.
        if b"\\u" not in payload and not _holds(payload, touched):
            if payload.lstrip()[:1] == b"{":
                return payload
            raise msgspec.DecodeError("not a JSON object")
        before = msgspec.Raw(payload)
        after = self._object(before)
        return payload if after is before else bytes(after)

    def _object(self, raw: msgspec.Raw) -> msgspec.Raw:
        members = _MEMBERS.decode(raw)
        kept: dict[str, msgspec.Raw] = {}
        for name, value in members.items():
            rule = self.rule_of(name)
            if rule == "drop":
                continue
            kept[name] = self._hashed(value, is_email(name)) if rule == "hash" else self._walked(value)
        same = len(kept) == len(members) and all(kept[name] is members[name] for name in members)
        return raw if same else msgspec.Raw(_encode(kept))

    def _walked(self, raw: msgspec.Raw) -> msgspec.Raw:
        head = bytes(raw).lstrip()[:1]
        if head == b"{":
            return self._object(raw)
        if head == b"[":
            elements = _ELEMENTS.decode(raw)
            walked = [self._walked(one) for one in elements]
            same = all(new is old for new, old in zip(walked, elements, strict=True))
            return raw if same else msgspec.Raw(_encode(walked))
        return raw

    def _hashed(self, raw: msgspec.Raw, as_email: bool) -> msgspec.Raw:
        """Every text and number in a value as its hash; what is empty stays empty."""
        head = bytes(raw).lstrip()[:1]
        if head == b"{":
            members = _MEMBERS.decode(raw)
            return msgspec.Raw(
                _encode(
                    {
                        name: value if _folded(name) in _PLACES else self._hashed(value, is_email(name))
                        for name, value in members.items()
                    }
                )
            )
        if head == b"[":
            return msgspec.Raw(_encode([self._hashed(one, as_email) for one in _ELEMENTS.decode(raw)]))
        text = msgspec.json.decode(raw, type=str) if head == b'"' else bytes(raw).strip().decode()
        if text in ("", "null", "true", "false"):
            return raw
        return msgspec.Raw(_encode(self.mark(text, as_email=as_email)))


def is_email(name: str) -> bool:
    """Whether a member or column of this name holds an e-mail address."""
    return _kind(name) == "email"


# Lower case in one pass over the bytes; separators are left out in the same pass.
_LOWER = bytes(c + 32 if 65 <= c <= 90 else c for c in range(256))


@lru_cache(maxsize=64)
def _names(kinds: tuple[str, ...]) -> tuple[bytes, ...]:
    """Members of these kinds as they stand, in quotes, in a text without case and separators."""
    return tuple(sorted(f'"{word}"'.encode() for kind in kinds for word in SPELLINGS[kind]))


def _holds(payload: bytes, kinds: tuple[str, ...]) -> bool:
    """Whether a text in quotes, perhaps a member's name, is spelled like a member of these kinds."""
    plain = payload.translate(_LOWER, b"_-")
    return any(name in plain for name in _names(kinds))


@lru_cache(maxsize=8192)
def _folded(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


@lru_cache(maxsize=8192)
def _kind(name: str) -> str | None:
    folded = _folded(name)
    return next((kind for kind, spelled in SPELLINGS.items() if folded in spelled), None)
