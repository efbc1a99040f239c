"""Stock written to commercetools: under a version, read back when an answer is lost, and only where it differs."""

from __future__ import annotations

import pytest
from commercetools_platform import Platform, courier, stamp

from tieout.connectors.storefronts.commercetools import StockChange
from tieout.errors import InputError


@pytest.fixture
def platform(serve, say):
    def start(orders=(), **options):
        fake = Platform(say, list(orders), **options)
        fake.stub = serve(fake)
        return fake

    return start


def stocked(fake, **quantities):
    for number, (sku, quantity) in enumerate(quantities.items(), 1):
        fake.rows[f"inv-{number}"] = {
            "id": f"inv-{number}", "version": 4, "sku": sku, "quantityOnStock": quantity,
            "supplyChannel": {"typeId": "channel", "id": "ch-1"}, "lastModifiedAt": stamp(0),
        }  # fmt: skip


def writes(fake):
    return [seen for seen in fake.stub.seen if seen.method == "POST" and seen.path != "/oauth/token"]


def test_stock_is_written_only_where_it_differs(platform):
    fake = platform()
    stocked(fake, MUG=5, CUP=7)
    changes = [
        StockChange("MUG", "wh-east", 3),
        StockChange("CUP", "ch-1", 7),
        StockChange("NEW", "wh-berlin", 2),
    ]
    results = list(courier(fake).write_stock(changes))
    assert [(w.sku, w.before, w.after, w.version, w.outcome) for w in results] == [
        ("MUG", 5, 3, 5, "written"),
        ("CUP", 7, 7, 4, "unchanged"),
        ("NEW", None, 2, 1, "written"),
    ]
    assert len(writes(fake)) == 2
    assert [w.outcome for w in courier(fake).write_stock(changes)] == ["unchanged"] * 3
    assert len(writes(fake)) == 2


def test_a_known_row_is_written_without_reading_it_first(platform):
    fake = platform()
    stocked(fake, MUG=5)
    (result,) = courier(fake).write_stock([StockChange("MUG", None, 3, "inv-1", 4, 5)])
    assert (result.outcome, result.after, fake.lists) == ("written", 3, 0)


def test_a_stale_version_is_read_and_decided_again(platform):
    fake = platform()
    stocked(fake, MUG=9, CUP=9)
    decisions = []

    def decide(change, row):
        decisions.append((row.version, row.on_stock))
        return None if row.on_stock == change.quantity else change.quantity

    changes = [StockChange("MUG", "ch-1", 3, "inv-1", 2, 5), StockChange("CUP", "ch-1", 9, "inv-2", 2, 5)]
    mug, cup = courier(fake).write_stock(changes, decide)
    assert (mug.outcome, mug.before, mug.after) == ("written", 9, 3)
    assert (cup.outcome, cup.after) == ("unchanged", 9)
    assert decisions == [(2, 5), (4, 9), (2, 5), (4, 9)]
    assert "decided again" in mug.detail


def test_a_row_that_keeps_changing_is_given_up(platform):
    fake = platform()
    stocked(fake, MUG=9)

    def always_first(seen, body):
        fake.rows["inv-1"]["version"] += 1

    fake.on_write = always_first
    (result,) = courier(fake).write_stock([StockChange("MUG", "ch-1", 3)])
    assert result.outcome == "refused"
    assert "kept changing" in result.detail
    assert len(writes(fake)) == 5


@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("how", ["cut", "500", "garbage"])
def test_a_lost_answer_is_read_back_and_never_sent_blindly(platform, say, how, committed, create):
    """Cut the line before or after the commit: either way the row ends right, and nothing is doubled."""
    fake = platform()
    if not create:
        stocked(fake, MUG=9)
    lost = []

    def lose_first(seen, body):
        if lost:
            return None
        lost.append(1)
        if committed:
            fake.commit(seen)
        return {"cut": say(hang_up=True), "500": say(500, b"x"), "garbage": say(200, b"<html>")}[how]

    fake.on_write = lose_first
    (result,) = courier(fake).write_stock([StockChange("MUG", "ch-1", 3)])
    assert (result.outcome, result.after) == ("written", 3)
    assert result.before == (None if create else 9)
    assert len(fake.rows) == 1
    assert fake.rows["inv-1"]["quantityOnStock"] == 3
    assert len(writes(fake)) == (1 if committed else 2)
    assert "lost" in result.detail


def test_a_refused_change_does_not_stop_the_others(platform, say):
    fake = platform()
    stocked(fake, MUG=9, CUP=9)
    fault = b'{"message":"no","errors":[{"code":"InvalidOperation"}]}'
    fake.on_write = lambda seen, body: say(400, fault) if "inv-1" in seen.path else None
    changes = [StockChange("MUG", "ch-1", 3), StockChange("HAT", "ch-9", 1), StockChange("CUP", "ch-1", 4)]
    mug, hat, cup = courier(fake).write_stock(changes)
    assert (mug.outcome, mug.after, hat.outcome, cup.outcome) == ("refused", 9, "refused", "written")
    assert "'ch-9'" in hat.detail


@pytest.mark.parametrize("quantity", [-1, 1.5, True, "3"])
def test_quantities_are_whole_and_not_negative(quantity):
    with pytest.raises(InputError):
        StockChange("MUG", None, quantity)


# ── parsing, fuzzed ──
