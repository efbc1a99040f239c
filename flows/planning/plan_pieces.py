"""A plan worked out piece by piece, so that working it out takes memory by the piece; what the pieces come to together is what one plan of all would.

Orders that are tied to each other are in one piece (see `transforms.ties`). What could still differ is looked at afterwards, over all
pieces: a number that two of them use. Then one plan of everything decides.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from checks.contracts import ALL
from flows.comparing.shelving import FolderShelf
from flows.planning import journaling, owing, sales_orders
from tieout.errors import WarehouseError
from transforms.identity import ACCEPTED
from transforms.postings.planned import Plan
from transforms.postings.planned import plan as posting_plan
from transforms.reconcile.streams import InMind, Shelf

if TYPE_CHECKING:
    from flows.wiring import House
    from transforms.postings.planned import Existing

Part = pl.DataFrame | None
"""(storefront, order_ref) of the orders of a piece; None for all."""
_NUMBER: Final = ["kind_code", "number"]
_FOLDER: Final = "planning-"
_OLD_SECONDS: Final = 86_400


class Worked(NamedTuple):
    """A plan and what it was made of. `papers`: the part of it that answers what is owed; `made`: all of it."""

    trade: owing.Trade
    there: Existing
    papers: Plan
    made: Plan


@dataclass(frozen=True)
class Pieces:
    """The pieces of a plan, on a shelf: `take("findings", at)` and the like for the piece at a place."""

    parts: Sequence[Part]
    shelf: Shelf

    def take(self, name: str, at: int) -> pl.DataFrame:
        """`documents`, `lines`, `orders`, `owed`, `owed_lines`, `unplanned`, `found`, `alive`, `known` or `findings` of a piece."""
        return self.shelf.take(name, at)

    def tables(self, at: int) -> dict[str, pl.DataFrame]:
        """What a piece leaves in tables of the warehouse, by their names."""
        names = {"recon.owed": "owed", "recon.owed_lines": "owed_lines", "ops.unplanned": "unplanned", "ops.found": "found"}  # fmt: skip
        return {table: self.take(name, at) for table, name in names.items()}

    def papers(self, at: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """Documents, lines and orders of a piece."""
        return self.take("documents", at), self.take("lines", at), self.take("orders", at)


@contextmanager
def shelf_for(house: House, parts: Sequence[Part]) -> Iterator[Shelf]:
    """Where pieces wait for each other: in memory if there is only one, else in a folder beside the warehouse that is gone afterwards.

    Raises `WarehouseError` where the folder cannot be written.
    """
    if len(parts) == 1:
        yield InMind()
        return
    place = house.warehouse.folder
    try:
        for old in place.glob(f"{_FOLDER}*"):  # of a run that was killed
            if time.time() - old.stat().st_mtime > _OLD_SECONDS:
                shutil.rmtree(old, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=_FOLDER, dir=place) as name:
            yield FolderShelf(Path(name))
    except OSError as fault:
        raise WarehouseError(
            f"The pieces of a plan could not be laid down in {place}: {fault.strerror or fault}; nothing was planned. "
            "Make room, and run `tieout run plan` again."
        ) from fault


def laid(house: House, run_id: str, held: pl.DataFrame, parts: Sequence[Part], shelf: Shelf) -> Pieces | None:
    """The plan of each part, judged and laid on the shelf; None if only a plan of everything can tell what is owed."""
    pieces = Pieces(parts, shelf)
    people: list[pl.DataFrame] = []
    for at, among in enumerate(parts):
        work = worked_out(house, run_id, held, among)
        if among is not None and collides(work.made, work.there):
            return None
        # Totals of what is owed are held against the papers; journal entries are no part of them and balance by themselves.
        told = judge_plan(house, run_id, work, work.made._replace(unplanned=work.papers.unplanned))
        for name, frame in (
            ("documents", work.made.documents),
            ("document_lines", work.made.lines),
            ("document_orders", work.made.orders),
        ):
            checked = ALL[f"out.{name}"].checked(frame, at="when planning")
            if name == "documents":
                found = _without_twins(checked, people)
                if found is None:
                    return None
                checked = found
            shelf.put(name.removeprefix("document_"), at, checked)
        for name, frame in {
            "owed": work.trade.owed.owed,
            "owed_lines": work.trade.owed.owed_lines,
            "unplanned": work.made.unplanned,
            "found": work.made.found,
            "alive": work.made.alive,
            "known": work.there.documents.select("document_id"),
            "findings": told,
        }.items():
            shelf.put(name, at, frame)
    return pieces if len(parts) == 1 or _stand_apart(house, pieces) else None


def worked_out(house: House, run_id: str, held: pl.DataFrame, among: pl.DataFrame | None) -> Worked:
    """The plan of some orders (storefront, order_ref), or of all, from what the warehouse holds now. `held`: orders a check holds."""
    with house.warehouse.read() as session:
        trade = owing.trade(house, session, among=among)
        there = owing.existing(session, among=among)
        entries = journaling.journals(house, session, trade, there, held, run_id=run_id, among=among)
    ordered = sales_orders.ordered(house, trade, there)
    # What is owed says it all from here on; of large trade these rows are the most that would lie in memory for nothing.
    trade = replace(
        trade, lines=trade.lines.clear(), shipments=trade.shipments.clear(), returns=trade.returns.clear()
    )
    papers = posting_plan(
        trade.owed.owed,
        trade.owed.owed_lines,
        trade.customers,
        owing.posting_mappings(house),
        there,
        held,
        owing.posting_policy(house),
        run_id=run_id,
        planned_at=house.clock(),
        changes=owing.changes(house, trade.orders),
        ordered=ordered,
    )
    credits = journaling.credits(house, trade, there, held, papers, run_id=run_id)
    closed = sales_orders.closures(house, trade, there, papers, run_id=run_id)
    made = papers
    for more in (entries, credits, closed):
        made = journaling.beside(made, more)
    return Worked(trade, there, papers, made)


def _without_twins(documents: pl.DataFrame, people: list[pl.DataFrame]) -> pl.DataFrame | None:
    """The documents but for customers that a piece before has too; None if one is another there. `people` are those of the pieces before,
    and of this one afterwards."""
    columns = ["document_id", "content_sha256"]
    mine = documents.filter(pl.col("kind_code") == "customer").select(columns)
    before = pl.concat([mine.clear(), *people])
    twins = mine.join(before.rename({"content_sha256": "other"}), on="document_id")
    if twins.filter(pl.col("content_sha256") != pl.col("other")).height:
        return None
    people.append(mine.join(twins, on="document_id", how="anti"))
    return documents.join(twins, on="document_id", how="anti")


def collides(made: Plan, there: Existing) -> bool:
    """Whether a document of a plan of some orders has the number of one that was not looked at; only a plan of all of them can judge that."""
    numbers = made.documents.filter(pl.col("kind_code") != "customer").select(_NUMBER)
    return not numbers.join(there.numbers, on=_NUMBER, how="semi").is_empty()


def _stand_apart(house: House, pieces: Pieces) -> bool:
    """Whether no piece has a number of another, and none took an invoice for a stranger's that is another's."""
    count = range(len(pieces.parts))
    papers = pl.concat(
        pieces.take("documents", at)
        .filter(pl.col("kind_code") != "customer")
        .select(*_NUMBER, part=pl.lit(at), is_paper=pl.lit(value=True))
        for at in count
    )
    others = pl.concat(
        pieces.take("unplanned", at)
        .drop_nulls("number")
        .select(*_NUMBER, part=pl.lit(at), is_paper=pl.lit(value=False))
        for at in count
    )
    both = pl.concat([papers, others])
    twins = both.group_by(_NUMBER).agg(pl.col("part").n_unique(), pl.col("is_paper").any())
    if twins.filter(pl.col("is_paper") & (pl.col("part") > 1)).height:
        return False
    strange = pl.concat(
        pieces.take("unplanned", at).filter(pl.col("reason_code") == "reference_in_intacct") for at in count
    )
    return strange.is_empty() or _are_strangers(house, strange["order_number"].drop_nulls(), both)


def _are_strangers(house: House, order_numbers: pl.Series, ours: pl.DataFrame) -> bool:
    """Whether the invoices that name these orders are nobody's among `ours`. A number that does not fit a reference is not looked for."""
    longest = owing.posting_policy(house).reference_longest
    fits = order_numbers.str.contains(ACCEPTED) & (order_numbers.str.len_chars() <= longest)
    if not fits.all():
        return False
    with house.warehouse.read() as session:
        wanted = order_numbers.unique().alias("reference").to_frame()
        named = session.fetch("core.ar_invoices", where=wanted, columns=["invoice_number"])
    numbers = named.select(kind_code=pl.lit("invoice"), number="invoice_number")
    return numbers.join(ours, on=_NUMBER, how="semi").is_empty()


def judge_plan(house: House, run_id: str, work: Worked, made: Plan) -> pl.DataFrame:
    """Batch rules over the plan: a plan that breaks one is stored, and the gate stays shut."""
    from flows.check import judged

    return judged(
        house,
        run_id,
        {
            "documents": made.documents,
            "document_lines": made.lines,
            "document_orders": made.orders,
            "unplanned": made.unplanned,
            "rounded": made.rounded,
            "found": made.found,
            "owed": work.trade.owed.owed,
            "owed_lines": work.trade.owed.owed_lines,
            "ar_invoices": work.there.invoices,
        },
        module="postings",
    )
