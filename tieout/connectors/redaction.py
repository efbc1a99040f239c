"""What may be printed and what may rest: secrets out of every text, card data out of every payload.

`redact` is for people's eyes (log lines, exception texts, archived requests): it masks generously. `scrub` is
for data at rest (landed payloads): it removes exactly what must not be kept and leaves every other byte of
the JSON text as received, so that amounts keep their spelling and a payload that needs no scrubbing is
returned unchanged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

import msgspec

MASK = "***"

# Names that always carry a secret, in query strings, headers, JSON and XML alike.
_HIDING_WORDS = (
    r"password|passwd|passphrase|secret|token|sessionid|session_id|signature|private_key|secret_key|access_key|"
    r"api_?key|apikey|credential"
)
_CARD_WORDS = (
    r"card_?number|cc_?number|credit_?card_?number|account_?number|primary_?account_?number|pan|cvv2?|cvc2?|card_?code|card_?cvc|"
    r"security_?code|track_?[12]|track_?data|magstripe|iban|routing_?number"
)
_HEADER = re.compile(
    r"(?im)^(\s*(?:proxy-)?authorization|\s*(?:set-)?cookie|\s*x-[a-z-]*(?:key|token))(\s*:\s*)[^\r\n]*"
)
_BEARER = re.compile(r"(?i:\bbearer)(\s+)[A-Za-z0-9._~+/=-]{6,}")
_BASIC = re.compile(r"(?i:\bbasic)(\s+)(?=[A-Za-z0-9+/]*[0-9A-Z=])[A-Za-z0-9+/]{8,}={0,2}")
_QUOTED = re.compile(
    rf"""(?ix)(["'](?:[\w.-]*(?:{_HIDING_WORDS})|(?:[\w.-]*_)?(?:{_CARD_WORDS})|_key|authorization|cookie)["']\s*[:=]\s*)
    (?:"(?:[^"\\]|\\.)*(?:"|$)|'(?:[^'\\]|\\.)*(?:'|$)|[^\s,}}\]"']+)"""
)
_PAIR = re.compile(
    rf"(?i)((?<![A-Za-z0-9])(?:[\w.-]*(?:{_HIDING_WORDS})|(?:{_CARD_WORDS})|_key)=)(?:\"[^\"]*\"|'[^']*'|[^&\s\"'<>;,)]+)"
)
_ELEMENT = re.compile(
    rf"(?is)(<(?:[\w.-]+:)?(?:[\w.-]*(?:{_HIDING_WORDS})|{_CARD_WORDS})(?:\s[^<>]*)?>)"
    r"(?:<!\[CDATA\[.*?(?:\]\]>|\Z)|[^<])+"
)
# Contiguous, or grouped the way cards print their number: 4-4-4-4(-3), 4-6-5 and 4-6-4.
_PAN = re.compile(
    r"(?<!\d)(?:\d{13,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{2,4}(?:\1\d{1,3})?|\d{4}([ -])\d{6}\2\d{4,5})(?!\d)"
)


def luhn(digits: str) -> bool:
    """Whether the check digit of a card number is right (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = ord(digit) - 48
        if place % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0


def _issued(digits: str) -> bool:
    """Whether a number lies in a range that card schemes issue (14 to 19 digits), so that barcodes and ids
    are left alone.
    """
    length, two, three, four = len(digits), int(digits[:2]), int(digits[:3]), int(digits[:4])
    return (
        (digits[0] == "4" and length in (16, 19))
        or (51 <= two <= 55 and length == 16)
        or (2221 <= four <= 2720 and length == 16)
        or (two in (34, 37) and length == 15)
        or ((two in (36, 38, 39) or 300 <= three <= 305) and 14 <= length <= 19)
        or ((four == 6011 or two == 65 or 644 <= three <= 649) and 16 <= length <= 19)
        or (3528 <= four <= 3589 and 16 <= length <= 19)
        or (two == 62 and 16 <= length <= 19)
        or ((two == 50 or 56 <= two <= 58 or two in (63, 67)) and 16 <= length <= 19)
    )


def _mask_digits(found: str) -> str:
    digits = re.sub(r"\D", "", found)
    return f"{digits[:6]}{'*' * (len(digits) - 10)}{digits[-4:]}"


# A search for fixed bytes in a translated copy is some thirty times faster on a long page than the pattern that finds the numbers.
_DIGITS_ALIKE = bytes(0x30 if 0x30 <= c <= 0x39 else 0x2D if c in b" -" else 0x78 for c in range(256))
_CARD_RUNS = (b"0" * 13, b"0000-0000-0000", b"0000-000000-0000")


def _stretches(text: str) -> list[tuple[int, int]]:
    """Where digits, spaces and dashes follow each other in a run long enough for a card number, plain or grouped: a number lies wholly in
    one. `\\d` also means digits of other scripts: a text with any is one stretch as a whole."""
    if not text.isascii() and any(c.isdecimal() and not c.isascii() for c in set(text)):
        return [(0, len(text))]
    # One byte a character, so that places in the one are places in the other.
    shapes = text.encode("latin-1", "replace").translate(_DIGITS_ALIKE)
    found: set[tuple[int, int]] = set()
    for run in _CARD_RUNS:
        place = shapes.find(run)
        while place >= 0:
            end = shapes.find(b"x", place)
            end = len(shapes) if end < 0 else end
            found.add((shapes.rfind(b"x", 0, place) + 1, end))
            place = shapes.find(run, end)
    return sorted(found)


def mask_pans(text: str, *, strict: bool = True) -> str:
    """Card numbers in a text as first six and last four digits (what PCI DSS 4.0, requirement 3.4.1, lets
    people see).

    `strict` masks only numbers in issued ranges, which is right for data; otherwise every run of 13 to 19
    digits with a valid check digit is masked, which is right for logs.
    """

    def replace(match: re.Match[str]) -> str:
        digits = re.sub(r"\D", "", match[0])
        if not luhn(digits) or (strict and not _issued(digits)):
            return match[0]
        if strict and _inside_hex(text, begin + match.start(), begin + match.end()):
            return match[0]
        return _mask_digits(match[0])

    pieces, done = [], 0
    for begin, end in _stretches(text):
        pieces += [text[done:begin], _PAN.sub(replace, text[begin:end])]
        done = end
    return "".join([*pieces, text[done:]]) if pieces else text


def _inside_hex(text: str, start: int, end: int) -> bool:
    """Whether the digits are part of a long hexadecimal id or a UUID, where a valid check digit is chance."""
    alphabet = "abcdefABCDEF0123456789-" if "-" in text[start:end] else "abcdefABCDEF0123456789"
    left, right = start, end
    while left and text[left - 1] in alphabet:
        left -= 1
    while right < len(text) and text[right] in alphabet:
        right += 1
    return right - left >= 24 and (right - left) > (end - start)


@lru_cache(maxsize=64)
def _spellings(secrets: frozenset[str]) -> re.Pattern[str] | None:
    """One pattern for every secret in each way it may be written: plain, URL-quoted, XML-escaped,
    JSON-escaped.
    """
    spelled: set[str] = set()
    for secret in secrets:
        if len(secret) >= 4:  # shorter ones would shred every sentence and protect nothing
            spelled |= {secret, quote(secret, safe=""), quote(secret), quote_plus(secret)}
            spelled |= {
                escape(secret),
                escape(secret, {'"': "&quot;", "'": "&apos;"}),
                json.dumps(secret)[1:-1],
            }
    if not spelled:
        return None
    return re.compile(
        "|".join(re.escape(word) for word in sorted(spelled, key=lambda word: (-len(word), word)))
    )


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text with nothing secret in it, for logs, exceptions and archives.

    Masked: each of `secrets` in any of its spellings, authorization headers and tokens, values of keys such
    as `password`, `client_secret`, `_key` or `sessionid` in query strings, JSON and XML, card fields, and
    digit runs that pass the card check. Redacting twice gives the same text.
    """
    pattern = _spellings(frozenset(secrets))
    if pattern is not None:
        text = pattern.sub(MASK, text)
    text = _HEADER.sub(rf"\1\2{MASK}", text)
    text = _BEARER.sub(rf"Bearer\1{MASK}", text)
    text = _BASIC.sub(rf"Basic\1{MASK}", text)
    text = _QUOTED.sub(rf'\1"{MASK}"', text)
    text = _PAIR.sub(rf"\1{MASK}", text)
    text = _ELEMENT.sub(rf"\1{MASK}", text)
    return mask_pans(text, strict=False)


_SECRET_NAME = re.compile(rf"(?i)(?:[\w.-]*(?:{_HIDING_WORDS})|{_CARD_WORDS})\Z")


@lru_cache(maxsize=8192)
def is_secret_name(name: str) -> bool:
    """Whether a member or element of this name always carries a secret or a card number."""
    return _SECRET_NAME.match(name) is not None


def redact_values(text: str, secrets: Iterable[str] = ()) -> str:
    """Masks secrets by their value and card numbers by their shape; for structured texts whose names were judged one by one."""
    pattern = _spellings(frozenset(secrets))
    if pattern is not None:
        text = pattern.sub(MASK, text)
    return mask_pans(text, strict=False)


def redact_headers(headers: Mapping[str, str], secrets: Iterable[str] = ()) -> dict[str, str]:
    """Headers fit for a log: values that authenticate are masked whole."""
    hidden = re.compile(r"(?i)authorization|cookie|key|token|secret")
    return {name: MASK if hidden.search(name) else redact(value, secrets) for name, value in headers.items()}


# ── data at rest ────────────────────────────────────────────────────────────────────────────────────────────

DEFAULT_PERSONAL = frozenset({"name", "email", "address"})
"""Kinds of personal data kept unless configured otherwise; invoices and customers in a ledger need them."""

PERSONAL_FIELDS: Mapping[str, frozenset[str]] = {
    "name": frozenset(
        {
            "firstName", "lastName", "middleName", "title", "salutation", "companyName",
            "firstname", "lastname", "middlename", "customer_firstname", "customer_lastname", "customer_middlename",
        }
    ),
    "email": frozenset({"email", "customerEmail", "customer_email"}),
    "address": frozenset(
        {"addresses", "billingAddress", "shippingAddress", "itemShippingAddresses", "billing_address"}
    ),
    "phone": frozenset({"phone", "mobile", "fax", "telephone"}),
    "birth": frozenset({"dateOfBirth", "dob", "customer_dob"}),
    "tax_id": frozenset({"vatId", "vat_id", "taxvat", "customer_taxvat"}),
}  # fmt: skip
"""JSON members by kind of personal data (commercetools API reference, Customer and BaseAddress; Magento REST reference, Order and
Customer)."""

_ALWAYS_DROPPED = frozenset({"interfaceInteractions", "password", "cardToken", "paymentToken"})
_CARD_FIELD = re.compile(
    rf"(?i)\A(?:[\w.-]*[_.-])?(?:{_CARD_WORDS}|card_?expiry(?:_?date)?|expiry_?(?:date|month|year)|card_?holder(?:_?name)?)\Z"
)
# A title or a name may also belong to an item; only members of people and addresses are dropped, found by
# their own spelling.
_KEPT_IDENTIFIERS = frozenset(
    {"id", "sku", "orderNumber", "key", "version", "centAmount", "preciseAmount", "gtin", "ean"}
)

PAYMENT_MEMBERS: Mapping[str, frozenset[str]] = {
    "": frozenset(
        {
            "id", "version", "createdAt", "lastModifiedAt", "key", "externalId", "interfaceId", "customer", "anonymousId",
            "amountPlanned", "paymentMethodInfo", "paymentStatus", "transactions", "custom",
        }
    ),
    "paymentMethodInfo": frozenset({"paymentInterface", "method"}),
    "paymentStatus": frozenset({"interfaceCode", "state"}),
    "transactions": frozenset({"id", "timestamp", "type", "amount", "interactionId", "interfaceId", "state", "custom"}),
}  # fmt: skip
"""What is kept of a payment: method, references, amounts and states (commercetools API reference, Payment).

All else is dropped.
"""

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_encode = msgspec.json.encode

# Two quick looks that let almost every payload pass untouched: one at its digits, one at its member names.
_RUNS = (b"0" * 14, b"0000-0000-0000", b"0000-000000-0000")
_NAMES = re.compile(rb'"([^"\\]*)"\s*:')


def _may_hold_a_pan(payload: bytes) -> bool:
    shapes = payload.translate(_DIGITS_ALIKE)
    for run in _RUNS:
        place = shapes.find(run)
        while place >= 0:
            # Enough around it to see the whole number, and the id it may be part of.
            around = payload[max(0, place - 48) : place + 72].decode("utf-8", "replace")
            if mask_pans(around) != around:
                return True
            place = shapes.find(run, place + 10)
    return False


def _names(payload: bytes) -> set[bytes]:
    """Every member name of a JSON text, whatever its depth."""
    if b"\\" in payload:
        return set(_NAMES.findall(payload))
    pieces = payload.split(
        b'"'
    )  # without escapes, every other piece is a text, and a name is one before a colon
    return {
        name for name, after in zip(pieces[1::2], pieces[2::2], strict=False) if after.lstrip()[:1] == b":"
    }


@lru_cache(maxsize=16)
def _dropped(keep_personal: frozenset[str]) -> frozenset[str]:
    return _ALWAYS_DROPPED.union(
        *(fields for kind, fields in PERSONAL_FIELDS.items() if kind not in keep_personal)
    )


@lru_cache(maxsize=8192)
def _is_card_field(name: str) -> bool:
    return _CARD_FIELD.match(name) is not None


@lru_cache(maxsize=8192)
def _is_dropped(name: bytes, keep_personal: frozenset[str]) -> bool:
    text = name.decode("utf-8", "replace")
    return text in _dropped(keep_personal) or _is_card_field(text)


def scrub(
    payload: bytes, *, payment: bool = False, keep_personal: Collection[str] = DEFAULT_PERSONAL
) -> bytes:
    """A landed JSON object without card data and without the personal data nobody asked to keep.

    Dropped: gateway interactions, card fields by name, password hashes, personal members whose kind is not in
    `keep_personal` and, for a `payment`, every member beyond method, references, amounts and states. Card
    numbers inside any other text are cut to first six and last four digits. Everything else stays byte for
    byte: numbers are never decoded.

    Raises msgspec.DecodeError when the payload is not a JSON object.
    """
    keep = frozenset(keep_personal)
    if payment:
        payload = _only(payload)
    if (
        b"\\u" not in payload
        and not any(_is_dropped(name, keep) for name in _names(payload))
        and not _may_hold_a_pan(payload)
    ):
        return payload
    before = msgspec.Raw(payload)
    after = _clean(before, _dropped(keep), "")
    return payload if after is before else bytes(after)


def _only(payload: bytes) -> bytes:
    members = _MEMBERS.decode(payload)
    kept: dict[str, msgspec.Raw] = {}
    changed = False
    for name, raw in members.items():
        if name not in PAYMENT_MEMBERS[""]:
            changed = True
            continue
        kept[name] = raw
        allowed = PAYMENT_MEMBERS.get(name)
        if allowed is not None:
            smaller = _narrow(raw, allowed)
            changed = changed or smaller is not raw
            kept[name] = smaller
    return _encode(kept) if changed else payload


def _narrow(raw: msgspec.Raw, allowed: frozenset[str]) -> msgspec.Raw:
    text = bytes(raw).lstrip()
    if text[:1] == b"{":
        members = _MEMBERS.decode(text)
        if members.keys() <= allowed:
            return raw
        return msgspec.Raw(_encode({name: value for name, value in members.items() if name in allowed}))
    if text[:1] == b"[":
        elements = _ELEMENTS.decode(text)
        narrowed = [_narrow(element, allowed) for element in elements]
        if all(new is old for new, old in zip(narrowed, elements, strict=True)):
            return raw
        return msgspec.Raw(_encode(narrowed))
    # A scalar where an object belongs cannot be told apart from a card number; the row is held later for its
    # missing member.
    return raw if text in (b"null",) else msgspec.Raw(b"null")


def _clean(raw: msgspec.Raw, dropped: frozenset[str], name: str) -> msgspec.Raw:
    text = bytes(raw).strip()
    head = text[:1]
    if head == b"{":
        members = _MEMBERS.decode(text)
        cleaned = {
            key: _clean(value, dropped, key)
            for key, value in members.items()
            if key not in dropped and not _is_card_field(key)
        }
        same = len(cleaned) == len(members) and all(cleaned[key] is members[key] for key in members)
        return raw if same else msgspec.Raw(_encode(cleaned))
    if head == b"[":
        elements = _ELEMENTS.decode(text)
        new = [_clean(element, dropped, name) for element in elements]
        same = all(after is before for after, before in zip(new, elements, strict=True))
        return raw if same else msgspec.Raw(_encode(new))
    if name in _KEPT_IDENTIFIERS:
        return raw
    if head == b'"':
        before = msgspec.json.decode(text, type=str)
        after = mask_pans(before)
        return raw if after == before else msgspec.Raw(_encode(after))
    digits = text.decode("ascii", "replace")
    if digits.isdigit() and 14 <= len(digits) <= 19 and _issued(digits) and luhn(digits):
        return msgspec.Raw(_encode(_mask_digits(digits)))
    return raw
