"""The Clarity eCommerce courier: whatever a profile names out, and stock, prices, statuses and tracking in.

Clarity Ventures publishes no reference of this interface; everything particular stands in the profile (see clarity_profile). What is
not known is not relied on: a filter by change time is asked for and checked here again, an order of records is not assumed, and a
list that shifts while it is walked is proved by the shop's own count where the profile says there is one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

import msgspec

from tieout.connectors.http import Http, Reply
from tieout.connectors.json_lists import (
    MEMBERS,
    UNREADABLE,
    Keys,
    Listing,
    Seen,
    Walk,
    at_path,
    listing,
    member,
    record,
    seen,
)
from tieout.connectors.paging import Page, Window
from tieout.connectors.redaction import DEFAULT_PERSONAL
from tieout.connectors.storefronts.clarity_profile import SUBJECTS, Profile, WriteRule
from tieout.connectors.storefronts.clarity_token import Tokens
from tieout.connectors.writes import (
    REFUSED,
    UNCHANGED,
    UNSUPPORTED,
    WRITTEN,
    OrderStatus,
    Price,
    Shipment,
    StockChange,
    StockWrite,
    Write,
    WriteResult,
    answered,
)
from tieout.errors import (
    Incomplete,
    InputError,
    MalformedReply,
    OutcomeUnknown,
    Refused,
    Rejected,
    TieoutError,
)

FRESH_TRIES = 3
"""How often a page that cannot be read is asked for again."""

WALKS = 3
"""How often a walk is begun anew because it fell short of the shop's own count."""

ROUNDS = 5
"""How often a write whose answer was lost is read back and decided again."""

_NOT_LANDED: Final = frozenset({"notes", "internalNotes", "customerNotes", "paymentInfo"})
_HOLE: Final = re.compile(r"\{(\w+)\}")


class Clarity:
    """One Clarity shop, spoken to as a profile says.

    client_id, client_secret   for profiles that sign in by OAuth 2.0; `client_secret` alone is the key of a profile with a fixed header
    page_size                  records per page, at most what the profile allows; None takes that
    keep_personal              kinds of personal data that may be landed (see redaction.PERSONAL_FIELDS)
    http_options               keyword arguments for Http: timeout, policy, max_bytes, pace, sleep, …
    """

    def __init__(
        self,
        *,
        api_url: str,
        profile: Profile,
        client_id: str = "",
        client_secret: str,
        page_size: int | None = None,
        max_pages: int = 200_000,
        keep_personal: Collection[str] = DEFAULT_PERSONAL,
        http_options: Mapping[str, Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        most = profile.paging.most
        if page_size is not None and not 1 <= page_size <= most:
            raise InputError(
                f"The page size of the Clarity profile {profile.profile.name} must be 1 to {most}, not {page_size}."
            )
        if not client_secret or (profile.auth.style == "oauth2" and not client_id):
            raise InputError(
                "Clarity needs the credentials its profile asks for; set client_id and client_secret in the configuration."
            )
        options = dict(http_options or {})
        secrets = (*options.pop("secrets", ()), client_secret)
        self._http = Http(api_url, secrets=secrets, **options)
        self._profile = profile
        self._secret = client_secret
        self._tokens: Tokens | None = None
        if profile.auth.style == "oauth2":
            address = f"{self._http.base_url}{profile.auth.token_path}"
            basic = profile.auth.credentials == "basic"
            self._tokens = Tokens(
                address, client_id, client_secret, basic=basic, http_options=options, clock=clock
            )
        self._page_size = page_size or most
        self._max_pages = max_pages
        keep = frozenset(keep_personal)
        self._keys: dict[str, Keys] = {subject: self._keys_of(subject, keep) for subject in profile.subjects}

    def _keys_of(self, subject: str, keep: frozenset[str]) -> Keys:
        names = self._profile.fields[subject]
        ref = names["sku"] if subject == "inventory" else names["ref"]
        changed = (names["changed"],) if "changed" in names else ()
        return Keys((ref,), changed, _NOT_LANDED, keep)

    def __repr__(self) -> str:
        return f"Clarity({self._http.base_url!r}, profile {self._profile.profile.name!r})"

    @property
    def calls(self) -> int:
        """Requests sent so far, tokens and retries included."""
        return self._http.calls + (self._tokens.calls if self._tokens else 0)

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()
        if self._tokens:
            self._tokens.close()

    def subjects(self) -> tuple[str, ...]:
        """What the profile can read."""
        return tuple(self._profile.subjects)

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────

    def read(self, subject: str, window: Window | None = None) -> Iterator[Page]:
        """All records of a subject, or those changed within the window, page by page; each version of a record once.

        Raises Incomplete when pages repeat, do not end, or hold fewer records than the shop counts; MalformedReply when a page cannot
        be read after three fresh requests; Refused for bad credentials; Unreachable and Throttled as Http does. A subject the profile
        does not name has no pages.
        """
        keys = self._known(subject)
        if keys is None:
            return
        shape = self._named_only if subject == "payments" else None
        walk = Walk(f"{subject} of Clarity", self._max_pages)
        refs: set[str] = set()
        total: int | None = None
        for _ in range(WALKS):
            for number in range(self._max_pages + 1):
                found, size = self._page(subject, number, self._page_size, window)
                if walk.is_old([_placed(subject, seen(raw, keys), self._profile) for raw in found.elements]):
                    found, size = self._page(subject, number, self._page_size, window)
                total = found.whole_number(self._profile.paging.total) if self._profile.paging.total else None
                ones = [
                    _placed(subject, one, self._profile)
                    for one in (seen(raw, keys) for raw in found.elements)
                ]
                refs.update(one.ref for one in ones if one.ref is not None)
                fresh = walk.fresh(ones) if ones else []
                inside = [
                    one for one in fresh if window is None or one.changed is None or one.changed in window
                ]
                if inside:
                    yield Page(tuple(record(one, keys, shape=shape) for one in inside), walk.page_no, size)
                if len(ones) < self._page_size:
                    break
            # Within a window nobody promises that the shop's count heeds the filter: there it proves nothing.
            if total is None or window is not None or len(refs) >= total:
                return
            walk.again()
        raise Incomplete(
            f"Clarity counts {total} {subject} and sent {len(refs)}; records moved while they were read, or the paging of the profile is "
            "wrong. Run it again in a quieter hour, and check [paging]."
        )

    def _named_only(self, one: Seen) -> bytes:
        """A payment with nothing in it but what the profile names: method, references, amounts and states."""
        fields = self._profile.fields
        named = {path.partition(".")[0] for path in fields["payments"].values()}
        kept: dict[str, Any] = {name: value for name, value in one.members.items() if name in named}
        path = fields["payments"]["transactions"]
        if path in kept:
            inner = {inner.partition(".")[0] for inner in fields.get("transactions", {}).values()}
            try:
                moves = msgspec.json.decode(kept[path], type=list[dict[str, msgspec.Raw]] | None) or []
            except UNREADABLE:
                moves = []
            kept[path] = [{name: value for name, value in move.items() if name in inner} for move in moves]
        return msgspec.json.encode(kept)

    def count(self, subject: str, window: Window | None = None) -> int | None:
        """How many records the shop counts, or None where it does not say or a window is asked for: nobody promises that its count
        heeds the filter."""
        if self._known(subject) is None or window is not None or not self._profile.paging.total:
            return None
        return self._page(subject, 0, 1, None)[0].whole_number(self._profile.paging.total)

    def _known(self, subject: str) -> Keys | None:
        if subject not in SUBJECTS:
            raise InputError(f"Clarity has no subject {subject!r}; choose one of {', '.join(SUBJECTS)}.")
        return self._keys.get(subject)

    def _page(self, subject: str, number: int, size: int, window: Window | None) -> tuple[Listing, int]:
        paging, changes = self._profile.paging, self._profile.changes
        position = paging.first + (number if paging.style == "page" else number * size)
        params = [(paging.position, str(position)), (paging.size, str(size))]
        if window is not None and window.start is not None and changes.parameter:
            start = window.start.astimezone(UTC).replace(microsecond=0)
            text = f"{start:%Y-%m-%dT%H:%M:%SZ}" if changes.format == "iso" else str(int(start.timestamp()))
            params.append((changes.parameter, text))
        stuck: MalformedReply | None = None
        for attempt in range(1, FRESH_TRIES + 1):
            what = f"{subject}, page {number + 1}"
            reply = self._send("GET", self._profile.subjects[subject], what, params=params, idempotent=True)  # type: ignore[index]
            try:
                roots = (paging.items,) if paging.items else ()
                found = listing(reply.content, roots, salvage=attempt == FRESH_TRIES)
                if len(found.elements) > size:
                    raise MalformedReply(f"it holds {len(found.elements)} records; {size} were asked for")
            except MalformedReply as error:
                stuck = error
                continue
            return found, len(reply.content)
        assert stuck is not None
        raise MalformedReply(
            f"{subject}, page {number + 1}, of Clarity could not be read in {FRESH_TRIES} tries ({stuck.sentence}); run the extract again, "
            "and if it persists check [paging] of the profile.",
            page=number + 1,
        )

    # ── writing ─────────────────────────────────────────────────────────────────────────────────────────────

    def cannot_write(self) -> Mapping[str, str]:
        """Fields the profile names no way to write, with the sentence why."""
        names = {"price": "price", "status": "order.status", "tracking": "order.shipment"}
        said = {
            field: f"The Clarity profile {self._profile.profile.name} has no [writes.{rule}]."
            for rule, field in names.items()
            if rule not in self._profile.writes
        }
        for field in ("order.document", "order.paid_state", "customer.account"):
            said[field] = "No interface of Clarity for it is known, and the profile names none."
        return said

    def write(self, writes: Iterable[Write]) -> Iterator[WriteResult]:
        """One result per write, in order; raises what `writes.answered` does."""
        writers = {OrderStatus.field: self._status, Shipment.field: self._tracking, Price.field: self._price}
        cannot = self.cannot_write()
        yield from answered(
            writes, {name: one for name, one in writers.items() if name not in cannot}, cannot
        )

    def _status(self, write: Write) -> WriteResult:
        assert isinstance(write, OrderStatus)
        rule = self._profile.writes["status"]
        word = rule.words.get(write.status_code)
        if word is None:
            return WriteResult(
                write,
                UNSUPPORTED,
                detail=f"The profile's [writes.status] has no word for '{write.status_code}'.",
            )
        return self._absolute(write, rule, {"order": write.order_ref, "status": word}, word)

    def _price(self, write: Write) -> WriteResult:
        assert isinstance(write, Price)
        rule = self._profile.writes["price"]
        if write.level is not None and "{level}" not in str(rule.body) + rule.path:
            return WriteResult(
                write, UNSUPPORTED, detail="The profile's [writes.price] has no place for a customer level."
            )
        values = {
            "sku": write.sku,
            "amount": f"{write.amount:f}",
            "currency": write.currency,
            "level": write.level or "",
        }
        return self._absolute(write, rule, values, write.amount)

    def _tracking(self, write: Write) -> WriteResult:
        """A shipment's carrier and number are put on the order; one that is there already is not sent again."""
        assert isinstance(write, Shipment)
        rule = self._profile.writes["tracking"]
        if not write.tracking_number:
            return WriteResult(
                write,
                UNSUPPORTED,
                detail="Clarity is told of a shipment by its tracking number, and this one has none.",
            )
        values = {
            "order": write.order_ref, "carrier": write.carrier or "", "number": write.tracking_number, "shipment": write.shipment_ref,
        }  # fmt: skip
        before = self._value(rule, values, f"order {write.order_ref}")
        if before is not None and _says(before, write.tracking_number):
            return WriteResult(write, UNCHANGED, write.tracking_number, write.tracking_number)
        after = self._sent(rule, values, f"order {write.order_ref}")
        if after is None or not _says(after, write.tracking_number):
            raise Rejected(
                f"Clarity's answer does not show the tracking number of order {write.order_ref}; read it back."
            )
        return WriteResult(write, WRITTEN, None, write.tracking_number)

    def _absolute(self, write: Write, rule: WriteRule, values: Mapping[str, Any], wanted: Any) -> WriteResult:
        what = f"{write.field} of {write.subject_ref}"
        before = _plain(self._value(rule, values, what), wanted)
        if before == wanted:
            return WriteResult(write, UNCHANGED, str(before), str(before))
        after = _plain(self._sent(rule, values, what), wanted)
        if after != wanted:
            raise Rejected(f"Clarity answered with {after} for {what} and was sent {wanted}; read it back.")
        return WriteResult(write, WRITTEN, None if before is None else str(before), str(after))

    def write_stock(self, changes: Iterable[StockChange]) -> Iterator[StockWrite]:
        """Set quantities where they differ, one result per change, in order. No version is known, so each is read right before."""
        for change in changes:
            yield self._stock(change)

    def read_stock(self, changes: Iterable[StockChange]) -> Iterator[int | None]:
        """The quantity the shop holds now, for each change in order; None where there is no such row."""
        rule = self._profile.writes.get("stock")
        for change in changes:
            try:
                yield (
                    None
                    if rule is None
                    else _count(self._value(rule, _stock_values(change), f"the stock of {change.sku}"))
                )
            except Rejected:
                yield None

    def _stock(self, change: StockChange) -> StockWrite:
        rule = self._profile.writes.get("stock")
        name, what = self._profile.profile.name, f"the stock of {change.sku}"
        first: int | None = None
        lost = False
        if rule is None:
            return _refused(change, None, f"The Clarity profile {name} has no [writes.stock].")
        values = _stock_values(change)
        try:
            for _ in range(ROUNDS):
                now = _count(self._value(rule, values, what))
                first = now if first is None else first
                if now == change.quantity:
                    said = "an answer was lost; the row was read back and holds the quantity" if lost else ""
                    return StockWrite(
                        change.sku, change.channel_ref, first, now, None, WRITTEN if lost else UNCHANGED, said
                    )
                try:
                    after = _count(self._sent(rule, values, what))
                except OutcomeUnknown:
                    lost = True
                    continue
                if after != change.quantity:
                    return _refused(
                        change,
                        after,
                        f"Clarity answered with {after} for {change.sku} and was sent {change.quantity}; read it back.",
                    )
                return StockWrite(change.sku, change.channel_ref, now, after, None, WRITTEN)
        except (Rejected, MalformedReply) as fault:
            return _refused(change, first, fault.sentence)
        return _refused(change, first, f"No answer about {what} came in {ROUNDS} tries.")

    def _value(self, rule: WriteRule, values: Mapping[str, Any], what: str) -> msgspec.Raw | None:
        reply = self._send("GET", _route(rule.read, values), what, idempotent=True)
        return at_path(_members(reply, what), rule.answer)

    def _sent(self, rule: WriteRule, values: Mapping[str, Any], what: str) -> msgspec.Raw | None:
        body = msgspec.json.encode(_filled(rule.body, values))
        reply = self._send(
            rule.method, _route(rule.path, values), what, data=body, idempotent=False, expect=_is_object
        )
        return at_path(_members(reply, what), rule.answer)

    # ── requests ────────────────────────────────────────────────────────────────────────────────────────────

    def _send(self, method: str, path: str, what: str, **request: Any) -> Reply:
        """One signed request; a token is renewed once if the shop no longer takes it."""
        auth = self._profile.auth
        for last in (False, True):
            key = self._tokens.bearer() if self._tokens else self._secret
            self._http.hide(key)
            headers = {auth.header: f"{auth.prefix}{key}", "Accept": "application/json"}
            if "data" in request:
                headers["Content-Type"] = "application/json"
            reply = self._http.request(method, path, headers=headers, **request)
            if reply.status != 401 or self._tokens is None:
                break
            self._tokens.forget(key)
            if last:
                raise Refused(
                    f"Clarity refused a fresh token for {what}; check that the client belongs to this shop."
                )
        if reply.status >= 400:
            raise self._refusal(reply, method, what)
        return reply

    def _refusal(self, reply: Reply, method: str, what: str) -> TieoutError:
        words = self._http.redact(_words(reply.content))
        if reply.status in (401, 403):
            return Refused(
                f"Clarity does not allow {what} ({words}); check the credentials and the rights of the client.",
                status=reply.status,
            )
        hint = (
            "check api_url and the paths of the profile"
            if reply.status == 404 and method == "GET"
            else "nothing was changed; correct it and run again"
        )
        return Rejected(
            f"Clarity rejected {what} with HTTP {reply.status} ({words}); {hint}.", status=reply.status
        )

    # ── doctor ──────────────────────────────────────────────────────────────────────────────────────────────

    def ping(self) -> list[str]:
        """What is wrong with this connection, one sentence each; empty when every subject can be read and the profile is no mere
        assumption about a shop that answers otherwise."""
        problems: list[str] = []
        for subject in self._profile.subjects:
            try:
                found, _ = self._page(subject, 0, 1, None)
                for raw in found.elements:
                    one = seen(raw, self._keys[subject])
                    if one.problem:
                        problems.append(
                            f"A record of {subject} does not fit the profile: {one.problem} Correct [fields.{subject}]."
                        )
            except TieoutError as error:
                problems.append(error.sentence)
                if not isinstance(error, Rejected | MalformedReply):
                    break  # the shop itself is unwell, or the credentials are: the other subjects would say the same
        return problems


def _placed(subject: str, one: Seen, profile: Profile) -> Seen:
    """A stock row is one of its SKU and location; a bare SKU would have the rows of two warehouses be one."""
    path = profile.fields[subject].get("location") if subject == "inventory" else None
    where = member(at_path(one.members, path)) if path else None
    if one.ref is None or where is None or where == "":
        return one
    return Seen(one.raw, f"{one.ref}|{where}", one.changed, one.problem, one.members)


def _stock_values(change: StockChange) -> dict[str, Any]:
    return {"sku": change.sku, "quantity": change.quantity, "location": change.channel_ref or ""}


def _route(template: str, values: Mapping[str, Any]) -> str:
    return _HOLE.sub(lambda hole: quote(str(values[hole[1]]), safe=""), template)


def _filled(part: Any, values: Mapping[str, Any]) -> Any:
    """A body with its placeholders filled; a text that is nothing but one becomes the value, and an empty one is left out."""
    if isinstance(part, str):
        whole = _HOLE.fullmatch(part)
        return values[whole[1]] if whole else _HOLE.sub(lambda hole: str(values[hole[1]]), part)
    if isinstance(part, Mapping):
        filled = {name: _filled(value, values) for name, value in part.items()}
        return {name: value for name, value in filled.items() if value != ""}
    return [_filled(value, values) for value in part] if isinstance(part, list) else part


def _members(reply: Reply, what: str) -> Mapping[str, msgspec.Raw]:
    try:
        return MEMBERS.decode(reply.content)
    except UNREADABLE:
        raise MalformedReply(f"The reply to {what} is not a JSON object; run it again later.") from None


def _plain(raw: msgspec.Raw | None, like: Any) -> Any:
    """A member as a decimal where one is compared with, else as text."""
    if raw is None:
        return None
    try:
        if isinstance(like, Decimal):
            return msgspec.json.decode(raw, type=Decimal)
    except UNREADABLE:
        return None
    found = member(raw)
    return None if found is None else str(found)


def _count(raw: msgspec.Raw | None) -> int | None:
    found = _plain(raw, Decimal(0))
    return (
        int(found)
        if isinstance(found, Decimal) and found.is_finite() and found == found.to_integral_value()
        else None
    )


def _says(raw: msgspec.Raw, text: str) -> bool:
    """Whether a member is this text, or a list or object that holds it as one of its texts."""
    try:
        return _holds(msgspec.json.decode(raw), text)
    except UNREADABLE:
        return False


def _holds(value: Any, text: str) -> bool:
    if isinstance(value, list):
        return any(_holds(part, text) for part in value)
    if isinstance(value, dict):
        return any(_holds(part, text) for part in value.values())
    return bool(value == text)


def _refused(change: StockChange, held: int | None, detail: str) -> StockWrite:
    return StockWrite(change.sku, change.channel_ref, held, held, None, REFUSED, detail)


def _words(content: bytes) -> str:
    try:
        members = MEMBERS.decode(content)
    except UNREADABLE:
        return "no reason given"
    for path in ("error.message", "error_description", "message", "error"):
        found = member(at_path(members, path))
        if isinstance(found, str) and found.strip():
            return " ".join(found.split())[:300].rstrip(".")
    return "no reason given"


def _is_object(reply: Reply) -> None:
    try:
        MEMBERS.decode(reply.content)
    except UNREADABLE:
        raise MalformedReply("the answer is not a JSON object") from None
