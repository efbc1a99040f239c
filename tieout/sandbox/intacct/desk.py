"""What every desk of the books has in common: who acts, what a posting leg is, and how a record is found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tieout.sandbox.intacct.records import Line
from tieout.sandbox.intacct.refusals import BUSINESS, BookError, missing

if TYPE_CHECKING:
    from tieout.sandbox.intacct.books import Books


@dataclass(slots=True)
class Actor:
    """Who writes: user, entity of the session ("" at top level), source as the audit history shows it."""

    user: str
    entity: str
    at: datetime
    source: str = "api"
    force: bool = False


@dataclass(slots=True)
class Leg:
    """One side of a posting before it is in the ledger; amounts signed, debit positive.

    `currency` is only given where the legs of one posting differ in it.
    """

    account: str
    location: str
    trx_amount: int
    amount: int
    memo: str = ""
    department: str = ""
    line: Line | None = None
    currency: str = ""


class Desk:
    """Writes one kind of record. `by_id` says that people name its records by an id, not by RECORDNO."""

    object_name = ""
    noun = ""
    by_id = False

    def __init__(self, books: Books) -> None:
        self.books = books
        self.company = books.company
        self.knobs = books.company.knobs

    def find(self, key: int | str) -> Any | None:
        """The record with this RECORDNO, or None."""
        text = str(key).strip()
        return (
            self.books.tables[self.object_name].get(int(text)) if text.isascii() and text.isdigit() else None
        )

    def audit_key(self, record: Any) -> str:
        """The OBJECTKEY of the audit history; how it names a record differs by object, so it is a knob."""
        shape = self.knobs.delete_audit_key
        if shape == "id" and getattr(record, "recordid", None):
            return str(record.recordid)
        return f"{record.recordno}--1" if shape == "suffixed" else str(record.recordno)

    def create(self, fields: dict[str, Any], actor: Actor) -> Any:
        raise self.cannot("created")

    def update(self, record: Any, fields: dict[str, Any], actor: Actor) -> Any:
        raise self.cannot("updated")

    def delete(self, record: Any, actor: Actor) -> None:
        raise self.cannot("deleted")

    def reverse(self, record: Any, on: Any, actor: Actor) -> None:
        raise self.cannot("reversed")

    def cannot(self, done: str) -> BookError:
        """The refusal of an action that this kind of record does not have."""
        return BookError(BUSINESS, f"{self.noun} records cannot be {done} here.", "Use another function.")


def required(fields: dict[str, Any], name: str, label: str) -> str:
    """A field that must be there, as stripped text. Raises BookError when it is missing or empty."""
    value = fields.get(name)
    if type(value) is str and (text := value.strip()):
        return text
    if value is None or isinstance(value, (dict, list)) or not str(value).strip():
        raise missing(label)
    return str(value).strip()
