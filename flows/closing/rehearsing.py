"""Rehearsal and comparison: what other rules would have done to a period, and what changed between two closes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from flows.closing import events, packing, periods
from flows.reconcile import policy, proved_table, read_inputs
from tieout.errors import EXIT_DIFFERENCES, EXIT_OK, InputError, WarehouseError
from tieout.money import decimal_from_text, show, to_minor
from tieout.reports.pack import POLICY, Pack
from transforms.closing.differing import KEY, differing, outcome_rows, tally
from transforms.closing.lifecycle import standing
from transforms.reconcile import Inputs, Policy, proofs
from transforms.reconcile import reconcile as compare

if TYPE_CHECKING:
    from flows.wiring import House

LISTED = 20


def rehearse(
    house: House, *, period: str, entity: str | None = None, tolerance: list[str] | None = None, percent: str | None = None,
    mappings: Path | None = None, limit: int = LISTED,
) -> dict[str, Any]:  # fmt: skip
    """Reconcile a period twice over the same data, under the rules that stand and under changed ones, and tell what differs. Changes nothing.

    The data are today's; of an entity's locked period those its pack holds, and the rules that stand are the pack's. Other mappings need the
    whole trade, so with `mappings` they are always today's.

    `tolerance` are texts like `USD=0.05` in place of the absolute tolerance, `percent` replaces the percentage, `mappings` is a folder of CSV files
    used in place of the house's. Raises `InputError`, and `DoesNotFoot` if either does not.
    """
    if not (tolerance or percent or mappings):
        raise InputError("Say what to rehearse: --tolerance, --percent or --mappings.")
    if entity is not None:
        periods.span_of(house, entity, period)
    sealed = _sealed(house, entity, period) if entity is not None and mappings is None else None
    if sealed is not None:
        return _from_the_pack(sealed, str(entity), tolerance or [], percent, limit)
    with house.warehouse.read() as session:
        inputs = read_inputs(house, session)
        rehearsed = _mapped(house, mappings)
        others = read_inputs(rehearsed, session) if mappings is not None else inputs
    if mappings is not None:
        others = _components(others, rehearsed.mappings["component_accounts"])
    rules = policy(house, period)
    before = _outcomes(inputs, rules, entity)
    after = _outcomes(others, _tolerant(rules, tolerance or [], percent), entity)
    changes = differing(before, after)
    said = []
    if entity is not None:
        with house.warehouse.read() as session:
            said = _against_the_close(house, session, entity, period, before)
    return {
        "text": [*said, *_text("rules", changes, limit)],
        "changes": changes.to_dicts(),
        "tally": tally(changes).to_dicts(),
        "exit_code": EXIT_OK,
    }


def _sealed(house: House, entity: str, period: str) -> Pack | None:
    """The pack of an entity's locked period; None if it is not locked. Raises `WarehouseError` if the pack is gone or not as it was sealed."""
    with house.warehouse.read() as session:
        now = standing(events.events_of(session, entity, period))
        if now.state not in ("locked", "suspended"):
            return None
        closes = session.fetch(
            "ops.closes", where={"entity_code": entity, "period": period, "revision": now.revision}
        )
    folder = house.reports / closes["path"][0]
    if not folder.exists():
        raise WarehouseError(
            f"The pack {folder} of the locked period is gone; restore it from its copy, then rehearse."
        )
    pack = Pack(folder)
    faults = pack.faults()
    if faults:
        raise WarehouseError(
            f"The pack {folder} is not what was sealed ({faults[0]}); restore it, then rehearse."
        )
    return pack


def _from_the_pack(
    pack: Pack, entity: str, tolerance: list[str], percent: str | None, limit: int
) -> dict[str, Any]:
    inputs, rules = packing.inputs_of(pack.frames("inputs")), packing.policy_of(pack.read(POLICY))
    before = _outcomes(inputs, rules, entity)
    changes = differing(before, _outcomes(inputs, _tolerant(rules, tolerance, percent), entity))
    facts = pack.json("close.json")
    said = f"Both runs are over what {entity} {facts['period']} r{facts['revision']} was closed from, as its pack holds it."
    return {
        "text": [said, *_text("rules", changes, limit)],
        "changes": changes.to_dicts(),
        "tally": tally(changes).to_dicts(),
        "exit_code": EXIT_OK,
    }


def _tolerant(rules: Policy, tolerance: list[str], percent: str | None) -> Policy:
    absolute = dict(rules.tolerance.absolute_minor)
    for text in tolerance:
        currency, _, amount = text.partition("=")
        absolute[currency.strip()] = to_minor(decimal_from_text(amount), currency.strip())
    share = rules.tolerance.percent if percent is None else decimal_from_text(percent)
    return replace(rules, tolerance=replace(rules.tolerance, absolute_minor=absolute, percent=share))


def _mapped(house: House, folder: Path | None) -> House:
    if folder is None:
        return house
    from flows.mappings.reading import load_mappings

    if not folder.is_dir():
        raise InputError(
            f"There is no folder {folder} with mappings; copy data/mappings, change the copy, and name it."
        )
    other = replace(house)
    other.__dict__["mappings"] = load_mappings(folder)
    other.__dict__["warehouse"] = house.warehouse
    return other


def _components(inputs: Inputs, accounts: pl.DataFrame) -> Inputs:
    """Lines of the ledger with their components by another account map; staging has written the house's own into them."""
    lines = inputs.ar_lines
    if lines is None or "account_code" not in lines.collect_schema():
        return inputs
    known = accounts.select("account_code", mapped="component_code").unique("account_code").lazy()
    again = (
        lines.lazy()
        .join(known, on="account_code", how="left")
        .with_columns(component_code=pl.coalesce("mapped", pl.lit("other")))
        .drop("mapped")
    )
    return replace(inputs, ar_lines=again)


def _outcomes(inputs: Inputs, rules: Policy, entity: str | None) -> pl.DataFrame:
    result = compare(inputs, rules)
    proved_table(proofs(result))
    rows = outcome_rows(result.orders, result.payments)
    return rows if entity is None else rows.filter(pl.col("entity_code") == entity)


def _against_the_close(house: House, session: Any, entity: str, period: str, now: pl.DataFrame) -> list[str]:
    """Whether today's data under the rules that stand still give what was closed: a rehearsal over moved data says so."""
    where = events.events_of(session, entity, period)
    if not where:
        return [f"{entity} {period} was never closed; both runs are over today's data."]
    closed = _closed_rows(session, entity, period, max(one["revision"] for one in where))
    drift = differing(closed, now)
    if drift.is_empty():
        return [f"Today's data under today's rules give exactly what was closed as {entity} {period}."]
    return [
        f"Today's data under today's rules give {drift.height:,} rows other than {entity} {period} as closed; what follows is between two sets of rules over today's data."
    ]


def _closed_rows(session: Any, entity: str, period: str, revision: int) -> pl.DataFrame:
    rows = session.fetch(
        "ops.closed_outcomes", where={"entity_code": entity, "period": period, "revision": revision}
    )
    return rows.drop("period", "revision").sort(KEY)


def diff(house: House, first: str, second: str, *, limit: int = LISTED) -> dict[str, Any]:
    """What changed between two closes, named `ENTITY/PERIOD/rN`; the second may be `now`: today's data under today's rules.

    Raises `InputError` for a name that is no close. Exit code 1 if anything differs.
    """
    one = _named(house, first)
    if second == "now":
        entity, period, _revision = _parsed(first)
        with house.warehouse.read() as session:
            inputs = read_inputs(house, session)
        other = _outcomes(inputs, policy(house, period), entity)
    else:
        other = _named(house, second)
    changes = differing(one, other)
    code = EXIT_DIFFERENCES if changes.height else EXIT_OK
    return {
        "text": _text(f"{first} and {second}", changes, limit),
        "changes": changes.to_dicts(),
        "tally": tally(changes).to_dicts(),
        "exit_code": code,
    }


def _parsed(name: str) -> tuple[str, str, int]:
    entity, _, rest = name.strip("/").removeprefix("close/").partition("/")
    period, _, revision = rest.partition("/")
    if not (entity and period and revision.startswith("r") and revision[1:].isdigit()):
        raise InputError(f"'{name}' is not a close; name one like E100/2026-09/r1.")
    return entity, period, int(revision[1:])


def _named(house: House, name: str) -> pl.DataFrame:
    entity, period, revision = _parsed(name)
    with house.warehouse.read() as session:
        known = session.fetch("ops.closes", where={"entity_code": entity, "period": period})
        if revision not in known["revision"].to_list():
            there = ", ".join(f"r{one}" for one in sorted(known["revision"].to_list())) or "none"
            raise InputError(f"There is no close {name}; {entity} {period} has {there}.")
        return _closed_rows(session, entity, period, revision)


def _text(what: str, changes: pl.DataFrame, limit: int) -> list[str]:
    if changes.is_empty():
        return [f"Nothing differs between {what}."]
    lines = [f"{changes.height:,} rows differ between {what}"]
    for one in tally(changes).iter_rows(named=True):
        path = " → ".join(
            (code or "none").replace("_", " ")
            for code in (one["before_outcome_code"], one["after_outcome_code"])
        )
        lines.append(
            f"  {one['change_code']:<10}{one['row_count']:>7,}  {one['entity_code']} {one['currency']} {one['tie_out']:<9}{path}, difference moved {show(one['moved_minor'], one['currency'])}"
        )
    for one in changes.head(limit).iter_rows(named=True):
        lines.append(
            f"    {one['order_number'] or one['group_ref']}: {one['change_code']}, {show(one['before_delta_minor'] or 0, one['currency'])} → {show(one['after_delta_minor'] or 0, one['currency'])} {one['currency']}; {one['cause']}"
        )
    if changes.height > limit:
        lines.append(f"    and {changes.height - limit:,} more; --limit shows them")
    return lines
