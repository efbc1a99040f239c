"""The comparison of plain files once they are staged: recognised slice by slice, compared part by part, rows on disk as soon as they are
finished. Memory is bounded by the slice and the part, whatever the files hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from checks.contracts import ALL
from flows.comparing.shelving import FolderShelf
from flows.plain.entities import EVERYTHING, Places, placed_ledger
from flows.plain.rows import RowsOnDisk
from flows.plain.stage import Tables
from flows.plain.text import Text
from tieout.errors import DoesNotFoot
from tieout.money import show
from tieout.vocabulary import COMPONENTS
from transforms.owed.recognition import RecognitionPolicy, owed
from transforms.reconcile import (
    Inputs,
    PaidPart,
    Policy,
    reconcile_paid_streamed,
    reconcile_streamed,
)
from transforms.reconcile.intake import Frame
from transforms.reconcile.parts import parts_of
from transforms.reconcile.references import normalised
from transforms.reconcile.streams import Cut

Progress = Callable[[str, int, int | None], None]
_INVOICED: Final = 900
"""The step of the waterfall that is Intacct's own sum of invoices; what follows it is about receipts."""
_PARTS: Final = tuple(name for name in COMPONENTS if name not in ("other", "rounding"))


@dataclass(frozen=True)
class Compared:
    """What a comparison came to; `rows` are on disk."""

    rows: RowsOnDisk
    waterfall: pl.DataFrame
    ageing: pl.DataFrame
    totals: pl.DataFrame
    footing: pl.DataFrame


def compared(
    given: Mapping[str, Sequence[str]],
    texts: Mapping[str, Text],
    tables: Tables,
    places: Places,
    policy: Policy,
    basis: str,
    progress: Progress,
) -> Compared:
    """Compare what was staged, part by part. `basis`: when a sale counts."""
    for number in range(tables.slices):
        tables.put("placed.orders", places.placed_orders(tables.slice("core.orders", number)), number)
    if "invoices" not in given:
        return _paid(texts, tables, places, policy, progress)
    _recognise(tables, places, policy, basis, progress)
    has_receipts = "receipts" in given
    found, lines = _comparable(texts, tables.scan("recon.owed"), tables.scan("core.ar_lines"))
    if not has_receipts:
        found = found.filter(pl.col("event_code") != "receipt")
    inputs = Inputs(
        orders=tables.scan("placed.orders"),
        owed=found,
        excluded=tables.scan("recon.excluded"),
        stores=places.mapping(),
        payments=tables.scan("core.payments") if has_receipts else None,
        order_lines=tables.scan("core.order_lines"),
        ar_invoices=tables.scan("core.ar_invoices"),
        ar_lines=lines,
        ar_adjustments=tables.scan("core.ar_adjustments"),
        ar_receipts=tables.scan("core.ar_receipts") if has_receipts else None,
        ar_applications=tables.scan("core.ar_applications") if _applied(texts) else None,
        waiting=_waiting(tables),
    )
    folder = tables.folder / "shelf"
    folder.mkdir()
    shelf, sink = FolderShelf(folder), RowsOnDisk(tables.folder / "rows")
    told = reconcile_streamed(_Placed(inputs, places, shelf, progress), policy, sink, shelf)
    return Compared(sink, told.waterfall, told.ageing, told.totals, told.footing)


@dataclass(frozen=True)
class _Placed:
    """The inputs part by part (see `transforms.reconcile.streams.Source`), with an entity in every row of the ledger.

    What tells a ledger row its entity is what ties it to its part: the order or payment it refers to, the invoice it is applied to.
    """

    inputs: Inputs
    places: Places
    shelf: FolderShelf
    progress: Progress

    @property
    def decisions(self) -> Frame | None:
        """Plain files know of no decisions."""
        return None

    def parts(self, policy: Policy) -> Iterator[Inputs]:
        """One part after the other."""
        count = parts_of(self.inputs, policy)
        for number, part in enumerate(Cut(self.inputs, self.shelf).parts(policy)):
            yield self._placed(part)
            self.progress("comparing", number + 1, count)

    def _placed(self, part: Inputs) -> Inputs:
        entities = part.orders.lazy().join(
            self.places.mapping().lazy().select("store_ref", entity="entity_code"), on="store_ref", how="left"
        )
        payments = _scanned(part, "payments")
        ledger = placed_ledger(
            self.places,
            invoices=_scanned(part, "ar_invoices"),
            memos=_scanned(part, "ar_adjustments"),
            receipts=_scanned(part, "ar_receipts"),
            applications=_scanned(part, "ar_applications"),
            order_entities=entities.select(plain=normalised("order_number"), entity="entity"),
            payment_entities=payments.filter(pl.col("gateway_ref").is_not_null())
            .select("order_ref", plain=normalised("gateway_ref"))
            .join(entities.select("order_ref", "entity"), on="order_ref")
            .select("plain", "entity"),
        )
        return replace(
            part,
            ar_invoices=ledger.invoices.collect(),
            ar_adjustments=ledger.memos.collect(),
            ar_receipts=None if part.ar_receipts is None else ledger.receipts.collect(),
        )


def _scanned(part: Inputs, name: str) -> pl.LazyFrame:
    """One input of a part; one that was not given has no rows."""
    frame: Frame | None = getattr(part, name)
    return frame.lazy() if frame is not None else pl.LazyFrame(schema=ALL[f"core.{name}"].polars_schema)


def _knows_lines(texts: Mapping[str, Text]) -> bool:
    return "lines" in texts or texts["orders"].rules.rows == "line"


def _applied(texts: Mapping[str, Text]) -> bool:
    """Whether the files say what is applied to what; where they do not, nothing is judged misapplied or unapplied."""
    return any(
        "invoice_number" in texts[name].stated for name in ("receipts", "credit_memos") if name in texts
    )


def _paid(
    texts: Mapping[str, Text], tables: Tables, places: Places, policy: Policy, progress: Progress
) -> Compared:
    """Orders against what was paid for them, slice by slice: all rows of an order are in one. Only lines that a file shows count as lines."""
    read = pl.col("line_ref").str.starts_with("row ")
    parts = [
        PaidPart(
            tables.scan_slice("placed.orders", number).filter(pl.col("problem").is_null()),
            tables.scan_slice("core.order_lines", number).filter(read) if _knows_lines(texts) else None,
            tables.scan_slice("core.payments", number),
        )
        for number in range(tables.slices)
    ]
    code = places.only or EVERYTHING
    sink = RowsOnDisk(tables.folder / "rows", entity_code=code)
    result = reconcile_paid_streamed(parts, replace(policy, zones={"": _zone(policy)}), sink)
    progress("comparing", tables.slices, tables.slices)
    named = pl.lit(code).alias("entity_code")
    waterfall, totals, footing = (
        frame.with_columns(named) for frame in (result.waterfall, result.totals, result.footing)
    )
    return Compared(sink, waterfall, ALL["recon.ageing"].empty(), totals, footing)


def _recognise(tables: Tables, places: Places, policy: Policy, basis: str, progress: Progress) -> None:
    """What is owed, slice by slice: all of an order is in one slice."""
    rules = RecognitionPolicy(basis=basis, zone=_zone(policy))
    mapping = places.mapping()
    nothing = {
        name: pl.DataFrame(schema=tables.schema(f"core.{name}"))
        for name in ("shipments", "order_payments", "returns")
    }
    for number in range(tables.slices):
        found = owed(
            tables.slice("placed.orders", number),
            tables.slice("core.order_lines", number),
            nothing["shipments"],
            tables.slice("core.payments", number),
            nothing["order_payments"],
            nothing["returns"],
            mapping,
            policy=rules,
            order_tenders=tables.slice("core.order_tenders", number),
        )
        tables.put("recon.owed", found.owed, number)
        tables.put("recon.excluded", found.excluded, number)
        progress("recognising", number + 1, tables.slices)


def _comparable(
    texts: Mapping[str, Text], found: pl.LazyFrame, lines: pl.LazyFrame
) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """Owed amounts and ledger lines by the components that both sides state; what only one side tells apart is `other` on both.

    A ledger export of totals alone is so compared by totals alone, and nothing is called a difference of tax that nobody stated.
    """
    orders, invoices = texts["orders"], texts["invoices"]
    stated = set(orders.stated)
    if _knows_lines(texts):
        of_lines = (
            texts["lines"].stated if "lines" in texts else {name.removeprefix("line_") for name in stated}
        )
        stated |= (
            {"goods"}
            | ({"tax"} & of_lines)
            | ({"shipping", "fees", "discount", "gift_card"} if "kind" in of_lines else set())
        )
    both = [name for name in _PARTS if name in stated and name in invoices.stated]
    folded = [f"{name}_minor" for name in _PARTS if name not in both]
    rounding = [] if both else ["rounding_minor"]
    is_document = pl.col("event_code") != "receipt"
    rest = pl.col("other_minor") + pl.sum_horizontal(*folded, *rounding)
    found = found.with_columns(
        pl.when(is_document).then(rest).otherwise("other_minor").alias("other_minor"),
        *[
            pl.when(is_document).then(0).otherwise(name).cast(pl.Int64).alias(name)
            for name in (*folded, *rounding)
        ],
    )
    kept = pl.col("component_code").is_in(both)
    lines = lines.with_columns(component_code=pl.when(kept).then("component_code").otherwise(pl.lit("other")))
    return found, lines


def _zone(policy: Policy) -> str:
    return next(iter(policy.zones.values()), "UTC")


def _waiting(tables: Tables) -> pl.DataFrame:
    """Orders of which something could not be read, with the sentence."""
    unread = tables.scan("placed.orders").filter(pl.col("problem").is_not_null())
    return unread.select(
        "storefront",
        "order_ref",
        pl.lit(None, dtype=pl.String).alias("event_ref"),
        pl.lit("held").alias("state"),
        pl.col("problem").str.replace(r"^[a-z_]+: ", "").alias("reason"),
    ).collect()


def without_open_items(result: Compared, found: pl.DataFrame) -> tuple[Compared, pl.DataFrame]:
    """Without receipts nobody knows what is open: the bridge ends with what was invoiced, and there is no ageing."""
    bridge = result.waterfall.filter((pl.col("tie_out") != "orders") | (pl.col("step_no") <= _INVOICED))
    told = ~pl.col("name").str.contains("ageing|open|receipt|payment")
    return replace(result, waterfall=bridge, ageing=result.ageing.clear()), found.filter(told)


def proved(footing: pl.DataFrame) -> pl.DataFrame:
    """The proofs of a reconciliation, failures first. Raises `DoesNotFoot` if any is not zero."""
    found = footing.sort(pl.col("difference_minor").abs(), descending=True, maintain_order=True)
    broken = found.filter(pl.col("difference_minor") != 0)
    if broken.height:
        worst = broken.row(0, named=True)
        raise DoesNotFoot(
            f"{broken.height} of {found.height} proofs do not foot; first: {worst['name']} for {worst['entity_code'] or 'all entities'} "
            f"is off by {show(worst['difference_minor'], worst['currency'])} {worst['currency']}. Nothing was written; "
            "this is a defect or damaged data, not a difference to explain away."
        )
    return found
