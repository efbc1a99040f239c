"""What is kept of every exchange, with nothing secret in it.

Secrets are removed three times over: by element (lxml), by value (each configured secret and each session id, in any escaping), and by
shape (card numbers). A reply that is no XML is kept too, masked by value and shape, because it is what a support case needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from lxml import etree

from tieout.connectors.redaction import MASK, is_secret_name, redact, redact_values

_SECRET_TAGS = frozenset({"password", "sessionid", "newpassword", "session", "accesstoken", "oauth"})
_CARD_PARENTS = frozenset({"onlinecardpayment", "onlineachpayment"})
_DANGEROUS = re.compile(rb"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its reply, redacted. `status` is the HTTP status, or None when no reply came."""

    at: datetime
    entity: str | None
    control_id: str
    control_ids: tuple[str, ...]
    request: bytes = field(repr=False)
    reply: bytes = field(repr=False)
    status: int | None
    elapsed_s: float


def redacted(content: bytes, secrets: Iterable[str] = ()) -> bytes:
    """The bytes with passwords, session ids, card fields, configured secrets and card numbers masked; always valid UTF-8."""
    if not content:
        return b""
    if _is_plain(content):
        return redact_values(content.decode("utf-8"), secrets).encode("utf-8", "replace")
    masked = _by_element(content)
    if masked is None:
        return redact(content.decode("utf-8", "replace"), secrets).encode("utf-8", "replace")
    # Every element has been judged by its name already, so only values are left to look for; that is ten times faster on a long page.
    return redact_values(masked, secrets).encode("utf-8", "replace")


_WHOLE = re.compile(rb"\A\s*<(?:\?xml\b[^>]*>\s*<)?(request|response)\b.*</\1\s*>\s*\Z", re.DOTALL)
_OPENED = re.compile(rb"<([A-Za-z_][\w.:-]*)")


def _is_plain(content: bytes) -> bool:
    """Whether a whole message of the gateway holds no element that is masked by its name; pages of records almost never do, and need not be
    taken apart. Anything cut short, otherwise charset or not XML is looked at the long way."""
    if _WHOLE.match(content) is None or _DANGEROUS.search(content):
        return False
    try:
        content.decode("utf-8")
        return all(
            _kind(name.decode().rpartition(":")[2]) == "plain" for name in set(_OPENED.findall(content))
        )
    except UnicodeDecodeError:
        return False


def _by_element(content: bytes) -> str | None:
    if _DANGEROUS.search(content):
        return None
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=False
    )
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError):
        return None
    for node in root.iter(etree.Element):
        kind = _kind(node.tag)
        if kind == "secret":
            for part in node.iterdescendants():
                part.text = part.tail = None
            node.text = MASK
        elif kind == "card":
            for part in node.iterdescendants(etree.Element):
                if not len(part):
                    part.text = MASK
    return etree.tostring(root, encoding="unicode")


@lru_cache(maxsize=4096)
def _kind(tag: str) -> str:
    """What an element of that name holds: secret, card, or plain. A page has a hundred thousand elements and forty names."""
    name = etree.QName(tag).localname.lower()
    if name in _SECRET_TAGS or is_secret_name(name):
        return "secret"
    return "card" if name in _CARD_PARENTS else "plain"
