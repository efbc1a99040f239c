"""A shop that posts summaries: the books hold far fewer documents, each order is traced through them, and a second night posts nothing."""

from __future__ import annotations

from pathlib import Path

import night
import polars as pl
import pytest

from flows.reconcile import read_inputs

pytestmark = pytest.mark.usefixtures("kept_attached")


@pytest.mark.timeout(600)
def test_a_night_of_summaries_is_booked_once_and_adds_up_to_its_orders(tmp_path: Path) -> None:
    with night.world_of(tmp_path / "world", orders=80) as world:
        config = night.lay_out(tmp_path / "house", world.addresses)
        clock = night.NightClock(world.addresses["now"])
        house = night.house_at(config, clock)
        path = house.settings.path(house.settings.installation.mappings) / "stores.csv"
        stores = pl.read_csv(path, infer_schema=False).with_columns(posting_code=pl.lit("summary"))
        stores.write_csv(path)
        done = night.steps(house, *night.TO_POST, "post")
        assert done["post"]["halted"] is None
        assert night.unlike_the_books(house, world) == []
        assert night.waiting(house) == []
        with house.warehouse.read() as session:
            documents = session.fetch(
                "out.documents", where={"kind_code": ["invoice", "credit_memo", "receipt"]}
            )
            orders = session.fetch("out.document_orders")
            owed = session.fetch("recon.owed")
            unplanned = session.fetch("ops.unplanned")
        assert documents["order_ref"].null_count() == documents.height, "every store posts summaries"
        assert documents.height < orders.height * 0.9
        key = ["storefront", "order_ref", "event_code", "event_ref"]
        events = owed.join(orders, on=key, how="left")
        traced = events.filter(pl.col("amount_minor").is_not_null())
        assert traced.height + unplanned.height == owed.height
        with house.warehouse.read() as session:
            ours = read_inputs(house, session).crosswalk
        assert isinstance(ours, pl.DataFrame)
        parts = ours.group_by("document_id").agg(pl.col("part_minor").sum(), orders=pl.len())
        told = documents.join(parts, on="document_id")
        assert told.height == documents.height, "the comparison knows every order's part of every document"
        assert told.filter(pl.col("part_minor") != pl.col("total_minor")).is_empty()
        assert told["orders"].max() > 1
        clock.ahead(hours=1)
        again = night.steps(house, *night.TO_POST, "post")
        assert again["post"]["posted"] == 0
        assert night.unlike_the_books(house, world) == []
