"""What a kind of storefront must be able to say and do for the stages of a night."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from tieout.connectors.writes import StockChange

if TYPE_CHECKING:
    import polars as pl

    from flows.wiring import House
    from tieout.warehouse.session import Session
    from transforms.staged import Staged

Transform = Callable[["pl.DataFrame", "Session"], "Staged"]
"""Newest raw rows of one subject and the session they are staged in, to frames of `core`."""


@dataclass(frozen=True)
class StockUpdate:
    """What became of one stock figure: `outcome` is written, unchanged or refused; quantities are null where they were never seen."""

    sku: str
    location_ref: str
    before_qty: int | None
    after_qty: int | None
    outcome: str
    detail: str = ""


class Kind(ABC):
    """One kind of storefront. The stages know nothing else of it.

    `subjects` are what it lands, in the order in which they are read and staged; `tables` the `core` tables it fills, so that a
    storefront without a subject says so; `cannot_tell` what a platform's interface does not say, or says in its own way, as
    `core.table` or `core.table.column` with the sentence why. `from_files`: its subjects lie in files and are read whole, without windows.
    """

    name: ClassVar[str]
    subjects: ClassVar[tuple[str, ...]]
    tables: ClassVar[tuple[str, ...]]
    cannot_tell: ClassVar[Mapping[str, str]] = MappingProxyType({})
    from_files: ClassVar[bool] = False
    optional: ClassVar[tuple[str, ...]] = ()
    """Subjects read only where the storefront's `catalogue` says so: they need rights of their own."""

    def wanted(self, front: Any) -> tuple[str, ...]:
        """The subjects read with these settings."""
        left_out = () if getattr(front, "catalogue", True) else self.optional
        return tuple(subject for subject in self.subjects if subject not in left_out)

    @abstractmethod
    def courier(self, house: House, name: str, front: Any) -> Any:
        """The courier of the storefront `name` with the settings `front`, its secrets looked up."""

    @abstractmethod
    def transforms(self, house: House, run_id: str, name: str, front: Any) -> Mapping[str, Transform]:
        """How each subject is staged. A subject that only helps another (its channels, its stores) is not among them."""

    def examine(self, courier: Any) -> tuple[Sequence[str], str]:
        """What is wrong with the connection, one sentence each, and the sentence for when nothing is."""
        return courier.ping(), "signs in and may read what is needed"

    def write_stock(self, courier: Any, rows: Iterable[Mapping[str, Any]]) -> Iterator[StockUpdate] | None:
        """Write rows of `out.web_stock`; None where the platform cannot take stock."""
        return None

    def read_stock(self, courier: Any, rows: Iterable[Mapping[str, Any]]) -> Iterator[int | None] | None:
        """The figure the storefront shows now for each row of `out.web_stock`; None where the platform cannot say."""
        if not hasattr(courier, "read_stock"):
            return None
        found: Iterator[int | None] = courier.read_stock([stock_change(row) for row in rows])
        return found


def stock_change(row: Mapping[str, Any]) -> StockChange:
    """A row of `out.web_stock` as a value for a courier."""
    return StockChange(
        sku=row["sku"],
        channel_ref=row["location_ref"] or None,
        quantity=row["publish_qty"],
        native_ref=row["native_ref"],
        version=row["version_no"],
        expected_on_stock=row["current_qty"],
    )
