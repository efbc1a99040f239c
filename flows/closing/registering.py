"""The register of open items between closes: who owns one, what is known of it, what happens next. Every word is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from checks.contracts import ALL
from tieout.errors import InputError
from tieout.money import show

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.warehouse.session import Session

NOTES = "ops.item_notes"
_WORDS = ("owner", "next_step", "note")


def open_register(
    house: House, *, entity: str | None = None, owner: str | None = None, kind: str | None = None
) -> pl.DataFrame:
    """The items that were open at the newest close of each entity, with owner, next step and note; differences first, largest first."""
    with house.warehouse.read() as session:
        found = _newest(session)
        notes = _standing_notes(session)
    rows = found.join(notes, on="item_id", how="left")
    for column, wanted in (("entity_code", entity), ("owner", owner), ("kind_code", kind)):
        if wanted is not None:
            rows = rows.filter(pl.col(column) == wanted)
    order = {"error": 0, "ambiguous": 1, "timing": 2, "document": 3}
    return rows.sort(
        [
            pl.col("family_code").replace_strict(order, default=4, return_dtype=pl.Int64),
            pl.col("closing_minor").abs(),
            pl.col("item_id"),
        ],
        descending=[False, True, False],
    )


def _newest(session: Session) -> pl.DataFrame:
    closes = session.fetch("ops.closes").sort("closed_at")
    # The newest period by its latest close: names of periods do not sort by date across calendars, their closes do.
    spans = closes.group_by("entity_code", "period", maintain_order=True).last()
    newest = (
        spans.sort("period")
        .group_by("entity_code", maintain_order=True)
        .last()
        .select("entity_code", "period", "revision")
    )
    items = (
        session.fetch("ops.open_items", where=newest)
        if newest.height
        else session.fetch("ops.open_items").clear()
    )
    return items.filter(pl.col("state_code") != "cleared")


def _standing_notes(session: Session) -> pl.DataFrame:
    notes = session.fetch(NOTES).sort("item_id", "note_no")
    return notes.group_by("item_id").agg(pl.col(name).drop_nulls().last() for name in _WORDS)


def remark(
    house: House,
    wanted: str,
    *,
    author: str,
    owner: str | None = None,
    note: str | None = None,
    next_step: str | None = None,
) -> list[str]:
    """Write down who owns an item, a note, or its next step. `wanted` is its id, or the beginning of it that fits no other.

    Raises `InputError` if nothing is said, nobody says it, or no single item fits.
    """
    if not author.strip():
        raise InputError("Give your name with --author, or set TIEOUT_AUTHOR: it stays beside the note.")
    given = {"owner": owner, "note": note, "next_step": next_step}
    said = {
        key: " ".join(value.split()) for key, value in given.items() if value is not None and value.strip()
    }
    if not said:
        raise InputError("Say something: --owner, --note or --next-step.")
    run_id = house.run_id()
    with house.warehouse.write(run_id=run_id) as session:
        known = session.fetch("ops.open_items", columns=["item_id"]).unique()
        hits = known.filter(pl.col("item_id").str.starts_with(wanted.strip().upper()))
        if hits.height != 1 or len(wanted.strip()) < 4:
            what = f"{hits.height} items begin" if hits.height else "no item begins"
            raise InputError(
                f"{what} with '{wanted}'; `tieout items list` shows the ids, of which the first four characters or more must fit one."
            )
        item = hits["item_id"][0]
        number = session.fetch(NOTES, where={"item_id": item}, columns=["note_no"]).height + 1
        row = {
            "item_id": item,
            "note_no": number,
            **dict.fromkeys(_WORDS),
            **said,
            "author": " ".join(author.split()),
            "at": house.clock(),
        }
        table = ALL[NOTES]
        frame = table.shaped(pl.DataFrame([row], schema=table.polars_schema))
        session.publish(NOTES, table.checked(frame, at="when noting"), key=table.key, mode="append")
    words = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in said.items())
    return [f"{item}: {words} (note {number})"]


def history(house: House, wanted: str) -> list[str]:
    """Everything that is known of one item: its months and its notes, in order. Raises `InputError` if no item begins so."""
    with house.warehouse.read() as session:
        months = session.fetch("ops.open_items")
        months = months.filter(pl.col("item_id").str.starts_with(wanted.strip().upper()))
        notes = session.fetch(NOTES, where={"item_id": months["item_id"].unique().to_list()}).sort(
            "item_id", "note_no"
        )
        closes = session.fetch("ops.closes", columns=["entity_code", "period", "revision", "closed_at"])
    if months.is_empty():
        raise InputError(f"No item begins with '{wanted}'; `tieout items list` shows the ids.")
    lines: list[str] = []
    rows = months.join(closes, on=["entity_code", "period", "revision"]).sort("item_id", "closed_at")
    for (item,), block in rows.group_by(["item_id"], maintain_order=True):
        last = block.row(-1, named=True)
        lines.append(
            f"{item}  {last['kind_code']} {_name(last)}, {last['entity_code']} {last['currency']}, open since {last['since_on'] or '–'}"
        )
        lines += [
            f"  {one['period']} r{one['revision']}: {one['state_code']}, {show(one['opening_minor'], one['currency'])} → {show(one['closing_minor'], one['currency'])} {one['currency']}  {_what(one)}"
            for one in block.iter_rows(named=True)
        ]
        lines.append(f"  {last['evidence']}")
        lines += [
            f"  {one['at']:%Y-%m-%d %H:%M} {one['author']}: "
            + ", ".join(f"{key.replace('_', ' ')} {one[key]}" for key in _WORDS if one[key])
            for one in notes.filter(pl.col("item_id") == item).iter_rows(named=True)
        ]
    return lines


def _what(one: dict[str, Any]) -> str:
    """The outcome of a difference; of a document what it is."""
    return str(one["outcome_code"] or f"open {one['subject_ref'].partition(':')[0]}").replace("_", " ")


def _name(one: dict[str, Any]) -> str:
    return str(one["order_number"] or one["documents"] or one["subject_ref"])


def listed(rows: pl.DataFrame, limit: int) -> list[str]:
    """The register for a terminal."""
    if rows.is_empty():
        return ["Nothing is open."]
    lines = [
        f"{'item':<13}{'kind':<9}{'order or document':<20}{'since':<11}{'age':>5}  {'amount':>18}  {'what':<24}owner, next step"
    ]
    for one in rows.head(limit).iter_rows(named=True):
        age = "" if one["days_no"] is None else str(one["days_no"])
        who = ", ".join(str(one[key]) for key in ("owner", "next_step") if one[key])
        amount = f"{show(one['closing_minor'], one['currency'])} {one['currency']}"
        what = _what(one)
        lines.append(
            f"{one['item_id']:<13}{one['kind_code']:<9}{_name(one)[:19]:<20}{one['since_on'] or ''!s:<11}{age:>5}  {amount:>18}  {what:<24}{who}"
        )
    if rows.height > limit:
        lines.append(f"and {rows.height - limit:,} more; --limit shows them")
    sums = (
        rows.group_by("kind_code", "currency")
        .agg(pl.len(), pl.col("closing_minor").sum())
        .sort("kind_code", "currency")
    )
    lines += [
        f"{count:,} {kind} items, {show(minor, currency)} {currency}"
        for kind, currency, count, minor in sums.iter_rows()
    ]
    return lines
