"""What goes into the pack of one entity: of a company of several entities only the entity's own share of the inputs, and nothing else's orders or customers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from flows.closing import packing
from flows.report import held_rows, waiting_rows
from transforms.closing import statement
from transforms.closing.own import differing, extent, own

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.warehouse.session import Session
    from transforms.reconcile import Policy

Tables = dict[str, pl.DataFrame]
_ORDER = ["storefront", "order_ref"]


@dataclass(frozen=True)
class Packed:
    """What a pack holds beside the entity's own tables: `tables` as proved from `inputs` under `policy`; `extent` for the facts, None where the
    company is the entity; `orders` (storefront, order_ref) of the entity, None where nothing is left out."""

    tables: Tables
    inputs: Tables
    policy: Policy
    extent: dict[str, Any] | None = None
    orders: pl.DataFrame | None = None
    decisions: pl.DataFrame | None = None


def packed(
    house: House,
    kept: statement.Books,
    entity: str,
    stated: Callable[[statement.Books], Tables],
) -> Packed:
    """The entity's share of the company's inputs, and its statement made again from that share; `stated` makes one and raises `DoesNotFoot`.

    The share must give what the whole gives, table by table. Should it ever not, the pack holds the whole company's inputs and says so: a close is
    never held up by what is left out of its pack, and never signed over other figures.
    """
    tables, whole = stated(kept), frames_of(kept)
    if len(house.settings.entities) < 2:
        return Packed(tables, whole, kept.policy)
    share = own(kept, entity, tables)
    mine = statement.books(share.inputs, share.policy, share.entries, share.payouts, share.refunds)
    again = stated(mine)
    odd = differing(tables, again, entity)
    inputs = whole if odd else frames_of(mine)
    rows = extent(whole, inputs)
    if odd:
        said = (
            f"Holds the inputs of ALL entities: those of {entity} alone gave another {odd[0].replace('_', ' ')} than the whole. "
            "Do not hand it to the auditor of one entity; report this as a defect of tieout."
        )
        house.say(f"{entity}: {said}")
        return Packed(tables, whole, kept.policy, {"is_own": False, "said": said, "rows": rows})
    said = (
        f"Holds the inputs of {entity} and whatever of other entities could be matched with them, and no other trade of the company. "
        f"The figures were made from the whole company's {sum(frame.height for frame in whole.values()):,} rows and, equal in every table, from those of this pack."
    )
    told = {"is_own": True, "said": said, "rows": rows}
    return Packed(again, inputs, share.policy, told, _orders(kept, entity), share.inputs.take("decisions"))


def frames_of(kept: statement.Books) -> Tables:
    """Everything a close was made from, by the names its frames have in a pack."""
    found = packing.input_frames(kept.inputs)
    if kept.entries is not None:
        found[packing.ENTRIES] = kept.entries
    if kept.payouts is not None:
        found |= {
            "payout_lines": kept.payouts.lines,
            "fees": kept.payouts.fees,
            "rates": kept.payouts.rates,
        }
        if kept.payouts.beyond is not None:
            found[packing.BEYOND] = kept.payouts.beyond
    if kept.refunds is not None:
        found |= kept.refunds.frames()
    return found


def _orders(kept: statement.Books, entity: str) -> pl.DataFrame:
    return kept.whose_orders.filter(pl.col("entity_code") == entity).select(_ORDER).unique()


# --- what else is printed ---------------------------------------------------------------------------------------
def held_of(house: House, session: Session, found: Packed, entity: str) -> pl.DataFrame:
    """What the newest check held back or stopped for, of the entity's orders and of what is no order and can only be the entity's."""
    if found.orders is None:
        return held_rows(session)
    rows = held_rows(session, with_order=True)
    stores = house.mappings["stores"].filter(pl.col("mode") == "map")
    others = stores.filter(pl.col("entity_code") != entity)["storefront"].unique()
    fronts = [] if "*" in others else [one for one in house.settings.storefronts if one not in others]
    known = rows.join(found.orders, on=_ORDER, how="semi")
    nobodys = rows.filter(pl.col("order_ref").is_null() & pl.col("storefront").is_in(["", *fronts]))
    kept = pl.concat([known, nobodys]).drop(_ORDER)
    return kept.sort("rule_code", "order_number", "subject_ref", nulls_last=True)


def waiting_of(session: Session, found: Packed, entity: str) -> pl.DataFrame:
    """Documents that wait, of the entity and of customers it has documents for."""
    if found.orders is None:
        return waiting_rows(session)
    documents = session.fetch(
        "out.documents", columns=["document_id", "kind_code", "entity_code", "customer_id"]
    )
    mine = documents.filter(pl.col("entity_code") == entity)
    customers = documents.filter(pl.col("kind_code") == "customer").join(mine, on="customer_id", how="semi")
    return waiting_rows(session, only=pl.concat([mine, customers]).select("document_id"))


def decided(decisions: pl.DataFrame, found: Packed, entity: str) -> pl.DataFrame:
    """What people decided about rows of the entity, with the approvals and withdrawals, which name no entity of their own."""
    if found.decisions is not None:
        mine = decisions.join(found.decisions, on="decision_id", how="semi", maintain_order="left")
    else:
        mine = decisions.filter(pl.col("entity_code").is_null() | (pl.col("entity_code") == entity))
    kept = [name for name in decisions.columns if name != "run_id" and not decisions[name].is_null().all()]
    return mine.select(kept or decisions.columns)


def mappings_of(house: House, kept: statement.Books, found: Packed) -> dict[str, pl.DataFrame]:
    """The mappings as the pack shows them: corrections of single orders only of the entity's."""
    if found.orders is None:
        return house.mappings
    orders = kept.inputs.take("orders").join(found.orders, on=_ORDER, how="semi")
    corrections = house.mappings["corrections"]
    mine = corrections.join(orders, on=["storefront", "order_number"], how="semi", maintain_order="left")
    return {**house.mappings, "corrections": mine}
