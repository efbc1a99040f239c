"""When things happen to an order: placed, paid, shipped, cancelled, sent back. No amounts here.

Kept apart from the amounts because a list page needs only ids and change stamps: a million timelines are worked out at the
start, the amounts of an order only when somebody looks at it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from random import Random

from tieout.sandbox.world.arithmetic import DAY_MS, HOUR_MS, local_date, random_of, utc_ms
from tieout.sandbox.world.catalog import END_MS, EU, JP, KW, NOW_MS, START_MS, STORES, US
from tieout.sandbox.world.faults import Planted

# Scenario and its share in per mille of the natural orders of a store that knows it.
_SCENARIOS = (
    ("plain", 450),
    ("captured_at_shipping", 90),
    ("on_account", 80),
    ("two_shipments", 40),
    ("two_shipments_one_charge", 20),
    ("deposit", 40),
    ("gift_card_paid", 15),
    ("gift_card_part", 30),
    ("return_line", 40),
    ("return_all", 15),
    ("allowance", 20),
    ("cancelled", 35),
    ("authorised", 25),
    ("failed", 25),
    ("backorder", 25),
    ("test", 15),
    ("zero_total", 15),
    ("gift_card_sold", 20),
)
_KUWAIT_KNOWS = {"plain", "on_account", "cancelled", "failed", "captured_at_shipping"}
_JAPAN_LACKS = {"gift_card_sold"}
UNSHIPPED = {"cancelled", "authorised", "failed", "backorder"}
PAID_WHEN_PLACED = {
    "plain",
    "two_shipments_one_charge",
    "deposit",
    "gift_card_paid",
    "gift_card_part",
    "return_line",
    "return_all",
    "allowance",
    "backorder",
    "test",
    "gift_card_sold",
}
_SEPTEMBER_END = date(2026, 9, 30)


def _ladder() -> list[tuple[float, str]]:
    total, reached, steps = sum(share for _, share in _SCENARIOS), 0, []
    for name, share in _SCENARIOS:
        reached += share
        steps.append((reached / total, name))
    return steps


_LADDER = _ladder()


@dataclass(slots=True)
class Timeline:
    """What happens to one order, in UTC milliseconds; ``modified`` is the last change, ``payments`` how many payment
    objects it has, ``version`` how often it changed."""

    index: int
    store: int
    scenario: str
    placed: int
    paid: int = 0
    ships: list[int] = field(default_factory=list)
    returned: int = 0
    cancelled: int = 0
    chargeback: int = 0
    payments: int = 1
    modified: int = 0
    version: int = 1
    to_come: bool = False  # a second shipment is still owed


def _pick_store(u: float) -> int:
    return US if u < 0.55 else EU if u < 0.93 else JP if u < 0.97 else KW


def _pick_scenario(u: float, store: int) -> str:
    name = next(name for limit, name in _LADDER if u < limit or limit >= 1)
    if (store == KW and name not in _KUWAIT_KNOWS) or (store == JP and name in _JAPAN_LACKS):
        return "plain"
    return name


def _dispatch(rng: Random, store: int, after: int, days: int) -> int:
    """A dispatch run: two a day, and now and then one around the entity's midnight. Many orders share one instant."""
    hour, minute = STORES[store].dispatch_utc[0 if (u := rng.random()) < 0.45 else 1 if u < 0.9 else 2]
    return after // DAY_MS * DAY_MS + days * DAY_MS + hour * HOUR_MS + minute * 60_000


def timeline(seed: int, index: int, orders: int, planted: Planted | None) -> Timeline:
    """The timeline of order ``index`` of ``orders``."""
    rng = random_of(seed, 1, index)
    draw = rng.random
    placed = START_MS + int((index + draw()) * (END_MS - START_MS) / orders)
    store = _pick_store(draw())
    scenario = _pick_scenario(draw(), store)
    if planted is not None:
        store, scenario = planted.store, planted.scenario
    line = Timeline(index, store, scenario, placed, modified=placed)
    line.paid = placed + 5_000 + int(draw() * 600_000)
    if scenario not in UNSHIPPED:
        _ship(line, rng, planted)
    _pay(line)
    if scenario == "cancelled":
        line.cancelled = placed + HOUR_MS + int(draw() * 20 * HOUR_MS)
        _happen(line, line.cancelled)
    elif scenario in ("return_line", "return_all", "allowance") and line.ships:
        days = 3 + int(draw() * (4 if planted else 16))
        line.returned = line.ships[0] + days * DAY_MS + int(draw() * 6 * HOUR_MS)
        if planted:  # a planted refund stays clear of the month's end
            line.returned = min(line.returned, utc_ms(2026, 9, 29, 20))
        if line.returned > NOW_MS:
            line.returned = 0
        else:
            _happen(line, line.returned)
    if planted is not None and planted.kind.name == "chargeback":
        line.chargeback = line.paid + 6 * DAY_MS
    return line


def _happen(line: Timeline, at: int) -> None:
    line.version += 1
    line.modified = max(line.modified, at)


def _ship(line: Timeline, rng: Random, planted: Planted | None) -> None:
    first = _dispatch(rng, line.store, line.placed, 1 + int(rng.random() * 4))
    if planted is not None and planted.kind.name == "cut_off":
        first = utc_ms(2026, 9, 30, 20 if line.store == US else 14)
    second = _dispatch(rng, line.store, first, 2 + int(rng.random() * 5))
    twice = line.scenario.startswith("two_shipments")
    if line.scenario == "two_shipments_one_charge":
        zone = STORES[line.store].zone
        straddles = (local_date(zone, first) <= _SEPTEMBER_END) != (
            local_date(zone, second) <= _SEPTEMBER_END
        )
        # One charge over two shipments of different months would leave part of a receipt waiting: such orders capture
        # with each shipment instead, as shops with long back orders do.
        if straddles or second > NOW_MS:
            line.scenario = "two_shipments"
    for at in (first, second) if twice else (first,):
        if at <= NOW_MS:
            line.ships.append(at)
            _happen(line, at)
        elif twice and line.ships:
            line.to_come = True


def _pay(line: Timeline) -> None:
    if line.scenario in ("zero_total", "on_account"):
        line.payments = 0
        return
    if line.scenario == "gift_card_part":
        line.payments = 2
    if line.paid > NOW_MS:
        line.paid = NOW_MS
    # The payment is attached to the order a moment after the money moved.
    _happen(line, line.paid + 1_000)


def moves(line: Timeline) -> list[tuple[str, str, int]]:
    """The transactions of the order's main payment as (type, state, instant), in order of time."""
    scenario, paid = line.scenario, line.paid
    if line.payments == 0:
        return []
    if scenario == "failed":
        return [("Charge", "Failure", paid)]
    authorised = ("Authorization", "Success", paid - 2_000)
    if scenario == "authorised":
        return [authorised]
    if scenario == "cancelled":
        return [authorised, ("CancelAuthorization", "Success", line.cancelled)]
    if scenario in ("captured_at_shipping", "two_shipments"):
        return [authorised, *(("Charge", "Success", at + 300_000) for at in line.ships)]
    found = [authorised, ("Charge", "Success", paid)] if line.index % 2 else [("Charge", "Success", paid)]
    if line.index % 19 == 7 and scenario == "plain":
        found.insert(0, ("Charge", "Failure", paid - 60_000))
    if line.returned:
        found.append(("Refund", "Success", line.returned + 1_800_000))
    if line.chargeback:
        found.append(("Chargeback", "Success", line.chargeback))
    return found


def payment_modified(line: Timeline) -> int:
    """When the order's main payment last changed."""
    return max(at for _, _, at in moves(line))
