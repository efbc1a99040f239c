"""The commercetools client, unchanged, against a stand-in that somebody else wrote."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from foreign_commercetools import KEPT, Foreign, by, foreign, read_raw
from polars.testing import assert_frame_equal

from tieout.connectors.http import RetryPolicy
from tieout.connectors.paging import Window
from tieout.connectors.storefronts.commercetools import PATHS, Commercetools, StockChange, StockRow
from tieout.errors import Incomplete
from tieout.sandbox.rehearsal import Rehearsal
from transforms.storefronts import commercetools as staging

ORDERS = 60
OPTIONS: dict[str, Any] = {"http_options": {"policy": RetryPolicy(attempts=3, base_seconds=0.01, cap_seconds=0.05)}}  # fmt: skip


@pytest.fixture(scope="module")
def ours() -> Iterator[tuple[Commercetools, dict[str, list[dict[str, Any]]]]]:
    """Our stand-in's courier and records."""
    with Rehearsal(7, ORDERS, only=["commercetools"]) as rehearsal:
        address = rehearsal.addresses()["commercetools"]
        courier = Commercetools(
            api_url=address["api_url"], auth_url=address["auth_url"], project_key=address["project_key"], client_id=address["client_id"],
            client_secret="demo-secret", **OPTIONS,
        )  # fmt: skip
        yield courier, {subject: read_raw(address, "demo-secret", PATHS[subject]) for subject in KEPT}


@pytest.fixture(scope="module")
def by_id(
    ours: tuple[Any, dict[str, list[dict[str, Any]]]],
) -> Iterator[tuple[Foreign, dict[str, list[Any]]]]:
    """Theirs, with our records in the order of a whole walk; and those it does not know the shape of."""
    with foreign() as theirs:
        yield theirs, {subject: theirs.put(subject, sorted(rows, key=by("id"))) for subject, rows in ours[1].items()}  # fmt: skip


def refs(client: Commercetools, subject: str, window: Window | None = None) -> list[str]:
    return [record.native_ref for page in client.read(subject, window) for record in page.records]


def test_what_they_do_not_know_is_known_to_us(by_id: tuple[Foreign, dict[str, list[Any]]]) -> None:
    unknown = by_id[1]
    assert {subject for subject, rows in unknown.items() if rows} == {"orders"}
    # The SDK's list of words is older than the published one; and orders are damaged on purpose.
    canceled = [row for row in unknown["orders"] if row.get("shipmentState") == "Canceled"]
    damaged = [row for row in unknown["orders"] if not isinstance(row["lineItems"], list)]
    assert len(canceled) + len(damaged) == len(unknown["orders"]) < ORDERS // 6
    assert canceled


@pytest.mark.parametrize("subject", KEPT)
def test_every_subject_is_read_whole_with_its_count_as_proof(
    subject: str, ours: Any, by_id: tuple[Foreign, dict[str, list[Any]]]
) -> None:
    theirs, unknown = by_id
    left_out = {row["id"] for row in unknown[subject]}
    client = theirs.courier(page_size=37, **OPTIONS)
    found = refs(client, subject)
    assert sorted(found) == sorted(row["id"] for row in ours[1][subject] if row["id"] not in left_out)
    assert client.count(subject) == len(found) > 0


def test_windows_share_a_walk_by_change_time(ours: Any) -> None:
    with foreign() as theirs:
        left_out = {
            row["id"]
            for row in theirs.put("orders", sorted(ours[1]["orders"], key=by("lastModifiedAt", "id")))
        }
        client = theirs.courier(page_size=20, **OPTIONS)
        middle = datetime(2026, 10, 1, tzinfo=UTC)
        parts = [
            refs(client, "orders", Window(*ends))
            for ends in (
                (datetime(2020, 1, 1, tzinfo=UTC), middle),
                (middle, datetime(2030, 1, 1, tzinfo=UTC)),
            )
        ]
    assert min(map(len, parts)) > 0
    assert sorted(parts[0] + parts[1]) == sorted(
        row["id"] for row in ours[1]["orders"] if row["id"] not in left_out
    )


def test_a_source_that_sorts_nothing_is_found_out(ours: Any) -> None:
    with foreign() as theirs:
        theirs.put("payments", sorted(ours[1]["payments"], key=by("lastModifiedAt", "id")))
        with pytest.raises(Incomplete, match="out of the order asked for"):
            refs(theirs.courier(page_size=20, **OPTIONS), "payments")


def test_the_same_core_rows_come_of_their_replies_as_of_ours(
    ours: Any, by_id: tuple[Foreign, dict[str, list[Any]]]
) -> None:
    theirs, unknown = by_id
    for subject, stage in (
        ("orders", staging.orders),
        ("payments", staging.payments),
        ("customers", staging.customers),
    ):
        left_out = {row["id"] for row in unknown[subject]}
        # An amount that is no whole number is made one by the SDK: what we find out about it is lost on the way.
        left_out |= {
            row["id"]
            for row in ours[1][subject]
            if subject == "orders"
            for line in row["lineItems"]
            if isinstance(line, dict) and not isinstance(line["totalPrice"]["centAmount"], int)
        }
        told = [
            stage(landed(client, subject, left_out), storefront="shop", run_id="r")
            for client in (ours[0], theirs.courier(**OPTIONS))
        ]
        assert told[0].frames.keys() == told[1].frames.keys()
        for name, frame in told[0].frames.items():
            mine, other = (one.drop("payload_sha256", strict=False) for one in (frame, told[1][name]))
            assert_frame_equal(other, mine, check_row_order=False)
        assert max(frame.height for frame in told[0].frames.values()) > 30


def landed(client: Commercetools, subject: str, left_out: set[str]) -> pl.DataFrame:
    """Records as they land."""
    rows = [
        (one.native_ref, one.version or 0, one.updated_at, one.payload.decode(), one.problem)
        for page in client.read(subject)
        for one in page.records
        if one.native_ref not in left_out
    ]
    return pl.DataFrame(
        rows, schema={"native_ref": pl.String, "version_no": pl.Int64, "updated_at": pl.Datetime("us", "UTC"), "payload": pl.String, "problem": pl.String}, orient="row",
    ).sort("native_ref").with_columns(fetched_at=pl.lit(datetime(2026, 11, 2, tzinfo=UTC)).cast(pl.Datetime("us", "UTC")), payload_sha256=pl.lit("-"), landing_no=pl.lit(1))  # fmt: skip


def test_stock_is_written_under_a_version_and_decided_again(ours: Any) -> None:
    row = next(one for one in ours[1]["inventory"] if "supplyChannel" in one)
    with foreign() as theirs:
        theirs.put("inventory", [row])
        theirs.put("channels", ours[1]["channels"])
        client, channel = theirs.courier(**OPTIONS), row["supplyChannel"]["id"]
        known = StockChange(row["sku"], channel, 3, row["id"], row["version"], row["quantityOnStock"])
        (first,) = client.write_stock([known])
        assert (first.outcome, first.after) == ("written", 3)
        theirs.change(
            f"inventory/{row['id']}",
            {"version": first.version, "actions": [{"action": "addQuantity", "quantity": 4}]},
        )
        seen: list[int] = []

        def decide(change: StockChange, now: StockRow) -> int | None:
            seen.append(now.on_stock)
            return change.quantity + 1

        # Said under the version that was ours: theirs refuses it, and the row as it is now decides.
        stale = StockChange(row["sku"], channel, 5, row["id"], first.version, 3)
        (second,) = client.write_stock([stale], decide)
        assert (second.outcome, second.before, second.after, seen) == ("written", 7, 6, [3, 7])
        assert list(client.read_stock([stale])) == [6]
        (third,) = client.write_stock([StockChange(row["sku"], channel, 6)])
        assert third.outcome == "unchanged"
