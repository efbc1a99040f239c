"""Functions and requests of the XML gateway: values in, bytes out ("Sage Intacct Web Services documentation, Requests").

One envelope at a time: nothing here holds more than the request being built. lxml writes every character, so escaping and
encoding are right by construction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lxml import etree

from tieout.connectors.intacct import generic, legacy
from tieout.connectors.intacct.amendments import AMENDMENTS, Postable
from tieout.connectors.intacct.documents import (
    Receipt,
    Reversal,
    SalesDocument,
    StockTransaction,
    Style,
)
from tieout.connectors.intacct.values import Element, carried, put, put_some
from tieout.errors import InputError

_sub = etree.SubElement

MAX_FUNCTIONS = 100
"""Most functions per request. Sage publishes no figure; integrators stay at or under 100 writes."""
MAX_CONTROL_ID = 256

DEFAULT_STYLES: Mapping[type, Style] = {Receipt: "generic"}
"""Legacy everywhere, because it is what the manual documents, but ARPYMT, which only the generic family carries wholly."""
_LEGACY_ONLY = (SalesDocument, StockTransaction, Reversal, *AMENDMENTS)


@dataclass(frozen=True, slots=True)
class Control:
    """The control block. `control_id` only labels the answer; idempotence hangs on the functions' own ids."""

    sender_id: str
    sender_password: str = field(repr=False)
    control_id: str = "tieout"
    error_detail: bool = True


@dataclass(frozen=True, slots=True)
class Login:
    """Authentication by name; `entity` empty means top level, None leaves the element out."""

    company_id: str
    user_id: str
    user_password: str = field(repr=False)
    entity: str | None = None


@dataclass(frozen=True, slots=True)
class SessionId:
    """Authentication by a session."""

    session_id: str = field(repr=False)


def style_of(document: Postable, styles: Mapping[type, Style] | None = None) -> Style:
    """The family of functions a document is posted with."""
    if isinstance(document, _LEGACY_ONLY):
        return "legacy"
    chosen = (styles or {}).get(type(document))
    return chosen or DEFAULT_STYLES.get(type(document), "legacy")


class Envelope:
    """One request being built: functions go in one by one, then `to_bytes`.

    transaction  true: one failure rolls back every function before it; false: each function stands alone
    uniqueid     true: a function id that once completed is refused when it comes again

    Nothing more than this request is held in memory, however many there are.
    """

    def __init__(
        self,
        *,
        control: Control,
        authentication: Login | SessionId,
        transaction: bool = False,
        uniqueid: bool = True,
    ) -> None:
        self._root = etree.Element("request")
        with carried(self._root):
            _control(_sub(self._root, "control"), control, uniqueid)
            operation = _sub(self._root, "operation", transaction="true" if transaction else "false")
            _authentication(_sub(operation, "authentication"), authentication)
        self._content = _sub(operation, "content")
        self._ids: set[str] = set()

    def add(self, document: Postable, *, control_id: str, style: Style = "legacy") -> None:
        """Add the function of one document. Raises what `function` raises, and InputError for the 101st or a repeated id."""
        write_function(self.named(control_id), document, style)

    def take(self, made: Element) -> None:
        """Move a function made with `function` into this request, out of any it stood in before. Raises what `add` raises for ids."""
        self._admit(made.get("controlid") or "")
        self._content.append(made)

    def named(self, control_id: str) -> Element:
        """Add an empty function for the caller to fill."""
        self._admit(control_id)
        return named_function(control_id, self._content)

    def _admit(self, control_id: str) -> None:
        if control_id in self._ids:
            raise InputError(
                f"Two functions of one request have the same control id '{control_id[:60]}'; results could not be told apart."
            )
        if len(self._ids) == MAX_FUNCTIONS:
            raise InputError(
                f"A request to Intacct holds at most {MAX_FUNCTIONS} functions; split the batch."
            )
        self._ids.add(control_id)

    def to_bytes(self) -> bytes:
        """The request as UTF-8. Raises InputError when there is no function in it."""
        if not self._ids:
            raise InputError("A request to Intacct needs at least one function.")
        return etree.tostring(self._root, xml_declaration=True, encoding="UTF-8")


def function(document: Postable, *, control_id: str, style: Style = "legacy") -> Element:
    """`<function controlid=…>` around exactly one object, so that results map to documents one to one.

    Raises InputError for a control id that is empty or longer than 256, for characters that XML cannot carry, and for what
    the chosen family of functions has no place for.
    """
    node = named_function(control_id)
    write_function(node, document, style)
    return node


def write_function(node: Element, document: Postable, style: Style) -> None:
    """Fill a `<function>` with one document. Raises InputError as `function` does."""
    with carried(node):
        (generic if style == "generic" else legacy).write(node, document)


def named_function(control_id: str, parent: Element | None = None) -> Element:
    """An empty `<function>`; the control id is what Intacct remembers once the function has completed."""
    if not control_id or len(control_id) > MAX_CONTROL_ID:
        raise InputError(
            f"A function control id has 1 to {MAX_CONTROL_ID} characters, not {len(control_id)}; shorten the installation namespace."
        )
    node = etree.Element("function") if parent is None else _sub(parent, "function")
    try:
        node.set("controlid", control_id)
    except (ValueError, UnicodeEncodeError):
        raise InputError("A function control id holds a character that XML cannot carry.") from None
    return node


def request(
    functions: Iterable[Element],
    *,
    control: Control,
    authentication: Login | SessionId,
    transaction: bool = False,
    uniqueid: bool = True,
) -> bytes:
    """A whole request from functions made with `function`; see `Envelope` for the arguments and what is refused."""
    envelope = Envelope(
        control=control, authentication=authentication, transaction=transaction, uniqueid=uniqueid
    )
    for made in functions:
        envelope.take(made)
    return envelope.to_bytes()


def _authentication(node: Element, authentication: Login | SessionId) -> None:
    if isinstance(authentication, SessionId):
        put(node, "sessionid", authentication.session_id)
        return
    login = _sub(node, "login")
    put(login, "userid", authentication.user_id)
    put(login, "companyid", authentication.company_id)
    put(login, "password", authentication.user_password)
    put_some(login, "locationid", authentication.entity)


def _control(node: Element, control: Control, uniqueid: bool) -> None:
    put(node, "senderid", control.sender_id)
    put(node, "password", control.sender_password)
    put(node, "controlid", control.control_id)
    put(node, "uniqueid", "true" if uniqueid else "false")
    put(node, "dtdversion", "3.0")
    put(node, "includewhitespace", "false")
    if control.error_detail:
        # The manual adds this element without giving its place; last is where it disturbs no published order.
        put(node, "showadditionalerrorinfo", "true")
