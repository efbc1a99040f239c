"""What may be written to a storefront, as values, and what a courier answers for each.

A courier that writes has three members, all of which `flows` call and nothing else:

    cannot_write()     fields of `vocabulary.OWNED_FIELDS` it has no way to write, each with the sentence why. A field that is not in
                       it must be written when asked for.
    write(writes)      one `WriteResult` per `Write`, in order. Values are absolute, never relative: each is read first (`unchanged` if
                       it is there already), written under the version it was decided on where the platform has versions, and told by
                       its key where it has not, so that a second try never makes a second delivery or comment.
    write_stock(rows)  one `StockWrite` per `StockChange`, in order, and `read_stock(rows)` the quantities as the platform holds them now.

`answered` below does what is alike everywhere: unsupported fields, refusals of single records, and answers that were lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import ClassVar, Literal, Protocol

from tieout.errors import Conflict, InputError, MalformedReply, OutcomeUnknown, Rejected
from tieout.vocabulary import OWNED_FIELDS

WRITTEN = "written"
UNCHANGED = "unchanged"
REFUSED = "refused"
UNSUPPORTED = "unsupported"

PaidWord = Literal["open", "partly_paid", "paid", "credit_owed"]


# ── stock ───────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class StockChange:
    """One planned quantity of one SKU at one location.

    channel_ref        id or key of the location (supply channel, source); None where the storefront has none
    quantity           what the storefront's own row must hold afterwards: whole, zero or more
    native_ref         id of that row when the plan knew it
    version            its version then; given together with `expected_on_stock` it saves the first read
    expected_on_stock  quantity the plan was made from
    """

    sku: str
    channel_ref: str | None
    quantity: int
    native_ref: str | None = None
    version: int | None = None
    expected_on_stock: int | None = None

    def __post_init__(self) -> None:
        if not self.sku:
            raise InputError("A stock change needs a SKU; leave out rows without one.")
        if isinstance(self.quantity, bool) or not isinstance(self.quantity, int) or self.quantity < 0:
            raise InputError(
                f"The stock of {self.sku} must be a whole number of zero or more, not {self.quantity}."
            )


@dataclass(frozen=True)
class StockWrite:
    """What became of one change. `before` is None for a row that did not exist, `after` None for one never
    seen.

    outcome  `written` (the platform confirmed it), `unchanged` (nothing to do), `refused` (see `detail`)
    """

    sku: str
    channel_ref: str | None
    before: int | None
    after: int | None
    version: int | None
    outcome: str
    detail: str = ""


# ── everything else ─────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, kw_only=True)
class Write:
    """One value to be there afterwards. `key` names it for ever within the storefront and field: it is what makes a repeat a repeat,
    at most 60 characters of letters, digits, dot, dash and underscore."""

    key: str
    field: ClassVar[str] = ""

    @property
    def subject_ref(self) -> str:
        """The storefront's own id of the record written to."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class _OfOrder(Write):
    order_ref: str
    order_number: str | None = None

    @property
    def subject_ref(self) -> str:
        """The order's id."""
        return self.order_ref


@dataclass(frozen=True)
class LedgerDocument:
    """An invoice or credit memo of the ledger: the number people know it by, and the ledger's own key."""

    kind: str
    number: str
    ledger_key: str
    posted_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class LedgerDocuments(_OfOrder):
    """All documents of the ledger that belong to the order, in the order they were posted; the whole list is the value."""

    field: ClassVar[str] = "order.document"
    documents: tuple[LedgerDocument, ...]

    @property
    def text(self) -> str:
        """Their numbers as one text, for places that hold one."""
        return ", ".join(document.number for document in self.documents)


@dataclass(frozen=True, kw_only=True)
class PaidState(_OfOrder):
    """How far the ledger has the order's invoices paid; `credit_owed` if more was credited or received than invoiced."""

    field: ClassVar[str] = "order.paid_state"
    state: PaidWord


@dataclass(frozen=True, kw_only=True)
class OrderStatus(_OfOrder):
    """The order's state, in the words of `vocabulary.ORDER_STATUSES`."""

    field: ClassVar[str] = "order.status"
    status_code: str


@dataclass(frozen=True)
class ShippedLine:
    """How many of an order line, by the storefront's id of the line, go with a shipment."""

    line_ref: str
    quantity: Decimal


@dataclass(frozen=True, kw_only=True)
class Shipment(_OfOrder):
    """Goods that left the house. `is_whole` says that with it everything of the order has been shipped."""

    field: ClassVar[str] = "order.shipment"
    shipment_ref: str
    lines: tuple[ShippedLine, ...] = ()
    carrier: str | None = None
    tracking_number: str | None = None
    shipped_at: datetime | None = None
    is_whole: bool = False


@dataclass(frozen=True, kw_only=True)
class Price(Write):
    """The price of one SKU in major units of the currency, net or gross as the storefront keeps it; `level` names the storefront's
    customer group for a price that only they pay."""

    field: ClassVar[str] = "price"
    sku: str
    currency: str
    amount: Decimal
    level: str | None = None
    native_ref: str | None = None

    @property
    def subject_ref(self) -> str:
        """The storefront's price, where it has an id of its own; else the SKU."""
        return self.native_ref or self.sku


@dataclass(frozen=True, kw_only=True)
class CustomerAccount(Write):
    """A customer approved in the ledger: the account it has there."""

    field: ClassVar[str] = "customer.account"
    customer_ref: str
    customer_id: str

    @property
    def subject_ref(self) -> str:
        """The storefront's customer."""
        return self.customer_ref


@dataclass(frozen=True)
class WriteResult:
    """What became of a write: `written`, `unchanged`, `refused` or `unsupported` (see `detail`), with the value before and after in
    words fit for a log."""

    write: Write
    outcome: str
    before: str | None = None
    after: str | None = None
    detail: str = ""


class WritesFields(Protocol):
    """A courier that writes."""

    def cannot_write(self) -> Mapping[str, str]:
        """Fields it cannot write, with the sentence why."""
        ...

    def write(self, writes: Iterable[Write]) -> Iterator[WriteResult]:
        """One result per write, in order."""
        ...


class WritesStock(Protocol):
    """A courier that takes stock figures."""

    def write_stock(self, changes: Iterable[StockChange]) -> Iterator[StockWrite]:
        """One result per change, in order."""
        ...

    def read_stock(self, changes: Iterable[StockChange]) -> Iterator[int | None]:
        """The quantity the platform's own row holds now, for each change in order; None where there is no row."""
        ...


Writer = Callable[[Write], WriteResult]


def answered(
    writes: Iterable[Write], writers: Mapping[str, Writer], cannot: Mapping[str, str], *, rounds: int = 5
) -> Iterator[WriteResult]:
    """One result per write by the writer of its field, in order.

    A field in `cannot` is answered `unsupported`. A writer that meets `Conflict` or `OutcomeUnknown` is asked again, up to `rounds`
    times: it must read before it decides. `Rejected` and `MalformedReply` refuse that one record. `Refused`, `Throttled` and
    `Unreachable` end the walk. Raises `InputError` for a field that is neither written nor declared unsupported.
    """
    for write in writes:
        if write.field in cannot:
            yield WriteResult(write, UNSUPPORTED, detail=cannot[write.field])
            continue
        writer = writers.get(write.field)
        if writer is None:
            raise InputError(
                f"This storefront says nothing about writing '{write.field}'; it must write it or say why not."
            )
        yield _answer(write, writer, rounds)


def _answer(write: Write, writer: Writer, rounds: int) -> WriteResult:
    reason = ""
    for _ in range(rounds):
        try:
            result = writer(write)
        except Conflict:
            reason = "somebody else changed the record first; read and decided again"
        except OutcomeUnknown:
            reason = "an answer was lost; the record was read back and decided again"
        except (Rejected, MalformedReply) as fault:
            return WriteResult(write, REFUSED, detail=fault.sentence)
        else:
            # The value is there although we never saw the answer: it was ours.
            arrived = result.outcome == UNCHANGED and "lost" in reason
            return WriteResult(
                write,
                WRITTEN if arrived else result.outcome,
                result.before,
                result.after,
                result.detail or reason,
            )
    return WriteResult(write, REFUSED, detail=f"Gave up after {rounds} rounds: {reason}.")


def unknown_fields(writers: Mapping[str, Writer], cannot: Mapping[str, str]) -> list[str]:
    """Fields a courier neither writes nor declares unsupported; a courier with any is not whole."""
    return sorted(set(OWNED_FIELDS) - {"stock"} - set(writers) - set(cannot))
