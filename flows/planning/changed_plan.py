"""Which orders are planned: those of which something changed since the last plan, that wait, or that are tied to such; or all.

What the last plan left for all others stands: the same rows of the same order, under the same configuration, come to the same plan.
What tells an order's rows apart is one number an order (`ops.plan_marks`), worked out where the rows lie.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import duckdb
import polars as pl

from checks.contracts import ALL
from tieout import __version__
from transforms.ties import in_parts, tied

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.warehouse.session import Session

FORM: Final = 1
EVERY: Final = timedelta(days=7)
"""After so long everything is planned anew, asked for or not."""
PART_ORDERS: Final = 100_000
"""Orders of a part; what fits one and a half is planned at once."""
SETTLED: Final = (
    "already_in_intacct",
    "before_go_live",
    "cancelled_by_hand",
    "credited_already",
    "prepaid",
    "tender_ignored",
    "zero_total",
)
"""Reasons that only a change of the order's own rows can take away, or of the ledger's under its numbers; with any other an order is
planned every time."""
PLANS: Final = "ops.plans"
MARKS: Final = "ops.plan_marks"
_ORDER: Final = ["storefront", "order_ref"]
_LEFT: Final = {"owed_count": "recon.owed", "unplanned_count": "ops.unplanned", "marks_count": MARKS}


@dataclass(frozen=True)
class Looked:
    """What a plan looks at. `orders`: (storefront, order_ref) of the orders that are planned; None for all.

    `changed`: orders whose rows are others than when they were last planned, with what they come to now (`mark_no`); `mark`: what the
    configuration comes to. Both are kept with the plan that was made of them. `plans_no`: how many plans were stored before it.
    """

    orders: pl.DataFrame | None
    changed: pl.DataFrame
    mark: str
    plans_no: int

    @property
    def is_full(self) -> bool:
        """Whether everything is planned."""
        return self.orders is None


def looked_at(house: House, session: Session, held: pl.DataFrame, *, full: bool) -> Looked:
    """What is to be planned now. All orders: asked for by `full`, where nothing that was kept fits, and once in `EVERY`.

    `held`: (storefront, order_ref) of orders that a check holds.
    """
    changed, mark, plans_no = session.query("plan_changed"), mark_of(house), session.count(PLANS)
    if full or not _stands(house, session, mark):
        return Looked(None, changed, mark, plans_no)
    waiting = session.query("plan_waiting", settled=list(SETTLED))
    wanted = pl.concat([changed.select(_ORDER), waiting, held.select(_ORDER)]).unique()
    return Looked(tied(wanted, session.query("plan_ties")), changed, mark, plans_no)


def mark_of(house: House) -> str:
    """A short hash of everything but trade that a plan is made of: the settings, the mappings, and the code."""
    said = hashlib.sha256(f"{FORM}|{__version__}|{duckdb.__version__}|{pl.__version__}".encode())
    said.update(house.settings.model_dump_json(exclude={"folder"}).encode())
    for name, frame in sorted(house.mappings.items()):
        said.update(f"|{name}|".encode())
        said.update(frame.write_csv().encode())
    return said.hexdigest()[:32]


def parts(house: House, session: Session, looked: Looked) -> list[pl.DataFrame | None]:
    """The orders to plan, in parts that are planned one after the other; one part of them all where they are few, or cannot be parted.

    Payouts, summaries and guests told apart by address bring together orders that nothing else ties.
    """
    whole: list[pl.DataFrame | None] = [looked.orders]
    orders = looked.orders
    if orders is None:
        orders = pl.concat([looked.changed.select(_ORDER), session.fetch(MARKS, columns=_ORDER)]).unique()
    journals, stores = house.settings.journals, house.mappings["stores"]
    if (
        orders.height <= PART_ORDERS * 3 // 2
        or "journal" in (journals.payouts, journals.fees)
        or (stores["posting_code"] == "summary").any()
        or _guests_by_address(house)
        or session.query("plan_summaries").height
    ):
        return whole
    return list(in_parts(orders, session.query("plan_ties"), PART_ORDERS))


def publish(
    session: Session,
    looked: Looked,
    among: pl.DataFrame | None,
    tables: Mapping[str, pl.DataFrame],
    *,
    is_first: bool,
) -> None:
    """Put what a piece of the plan came to (`among`: of these orders) into recon.owed, recon.owed_lines, ops.unplanned and ops.found.

    A plan of all orders replaces the tables, one of some the rows of these. Rows of no order (payouts) are worked out every time.
    """
    for name, frame in tables.items():
        table = ALL[name]
        rows = table.checked(frame, at="when planning")
        if looked.orders is None:
            session.publish(name, rows, key=table.key, mode="replace" if is_first else "append")
            continue
        scope = [looked.orders.clear() if among is None else among.select(_ORDER)]
        if name == "ops.unplanned":
            nobody = rows.filter(pl.col("order_ref").is_null()).select(_ORDER)
            scope += [nobody, *([session.query("unplanned_of_no_order").select(_ORDER)] if is_first else [])]
        keys = pl.concat(scope).unique()
        if keys.height:
            session.publish(name, rows, key=table.key, mode="replace_where", scope=keys)


def record(house: House, session: Session, run_id: str, looked: Looked) -> None:
    """Keep what the plan was made of, and say in ops.plans which plan the tables hold. Belongs into the plan's own transaction."""
    marks = ALL[MARKS]
    if session.count(PLANS) != looked.plans_no:
        # Another plan was stored meanwhile, and some of its rows were newer: without marks all these orders are planned next time.
        if looked.orders is None:
            session.publish(MARKS, marks.empty(), key=marks.key, mode="replace")
        elif looked.orders.height:
            session.delete(MARKS, scope=looked.orders.select(_ORDER))
    elif looked.changed.height:
        rows = marks.checked(looked.changed.drop_nulls("mark_no"), at="when planning")
        scope = looked.changed.select(_ORDER)
        session.publish(MARKS, rows, key=marks.key, mode="replace_where", scope=scope)
    table = ALL[PLANS]
    row = {
        "run_id": run_id,
        "sequence_no": session.count(PLANS) + 1,
        "configuration_hash": looked.mark,
        "is_full": looked.is_full,
        "looked_at_count": None if looked.orders is None else looked.orders.height,
        "planned_at": house.clock(),
        **{name: session.count(counted) for name, counted in _LEFT.items()},
    }
    frame = pl.DataFrame([row], schema=table.polars_schema)
    session.publish(PLANS, table.checked(frame, at="when planning"), key=table.key, mode="append")


def _stands(house: House, session: Session, mark: str) -> bool:
    """Whether the tables hold what the last plan left, under this configuration, and everything was planned not too long ago."""
    if _guests_by_address(house):
        return False
    plans = session.fetch(PLANS).sort("sequence_no")
    if plans.is_empty():
        return False
    last = plans.row(-1, named=True)
    if last["configuration_hash"] != mark:
        return False
    if any(last[name] != session.count(counted) for name, counted in _LEFT.items()):
        return False
    whole = plans.filter("is_full")["planned_at"].tail(1).to_list()
    # A clock that was set back says nothing about how long ago that was.
    return bool(whole) and timedelta(0) <= house.clock() - whole[0] < EVERY


def _guests_by_address(house: House) -> bool:
    """Whether who a guest is depends on the other orders of an address."""
    return house.settings.intacct is not None and house.settings.intacct.guests == "email"
