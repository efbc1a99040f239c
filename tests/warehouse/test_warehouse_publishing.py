"""Frames into tables: what each mode leaves behind, and every way a publish is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.errors import WarehouseError
from tieout.warehouse.publishing import Counts
from tieout.warehouse.store import Warehouse

SCHEMA = {"storefront": pl.String, "ref": pl.String, "amount_minor": pl.Int64, "run_id": pl.String}


def rows(*given_rows: tuple[str, str, int | None, str]) -> pl.DataFrame:
    return pl.DataFrame(list(given_rows), schema=SCHEMA, orient="row")


def publish(store: Warehouse, frame: pl.DataFrame, mode: str = "merge", **over: object) -> Counts:
    with store.write(run_id="t") as session:
        return session.publish(
            "core.things",
            frame,
            **{"key": ["storefront", "ref"], "mode": mode, **over},  # type: ignore[arg-type]
        )


def stored(store: Warehouse) -> list[tuple[object, ...]]:
    with store.read() as session:
        return sorted(session.fetch("core.things").rows())


def test_merge_inserts_updates_and_leaves_the_rest_alone(warehouse: Warehouse) -> None:
    publish(warehouse, rows(("a", "1", 100, "r1"), ("a", "2", 200, "r1"), ("b", "1", None, "r1")))
    counts = publish(warehouse, rows(("a", "1", 100, "r2"), ("a", "2", 250, "r2"), ("c", "1", 5, "r2")))
    assert counts == Counts(inserted=1, updated=1, unchanged=1)
    # an unchanged row keeps the run that wrote it; null is a value that can be compared
    assert stored(warehouse) == [
        ("a", "1", 100, "r1"),
        ("a", "2", 250, "r2"),
        ("b", "1", None, "r1"),
        ("c", "1", 5, "r2"),
    ]
    assert publish(warehouse, rows(("b", "1", None, "r3"))) == Counts(unchanged=1)
    assert publish(warehouse, rows(("b", "1", 7, "r3"))) == Counts(updated=1)


def test_merge_compares_every_column_when_nothing_is_ignored(warehouse: Warehouse) -> None:
    publish(warehouse, rows(("a", "1", 100, "r1")))
    assert publish(warehouse, rows(("a", "1", 100, "r2")), ignore=()) == Counts(updated=1)
    assert stored(warehouse) == [("a", "1", 100, "r2")]


def test_replace_leaves_exactly_the_frame(warehouse: Warehouse) -> None:
    publish(warehouse, rows(("a", "1", 1, "r1"), ("a", "2", 2, "r1")))
    assert publish(warehouse, rows(("z", "9", 9, "r2")), "replace") == Counts(inserted=1, deleted=2)
    assert stored(warehouse) == [("z", "9", 9, "r2")]


@pytest.mark.parametrize(
    "scope",
    [{"storefront": "a"}, {"storefront": ["a"]}, pl.DataFrame({"storefront": ["a"]})],
    ids=["value", "values", "frame"],
)
def test_replace_where_touches_only_its_scope(warehouse: Warehouse, scope: object) -> None:
    publish(warehouse, rows(("a", "1", 1, "r1"), ("a", "2", 2, "r1"), ("b", "1", 3, "r1")))
    counts = publish(warehouse, rows(("a", "3", 4, "r2")), "replace_where", scope=scope)
    assert counts == Counts(inserted=1, deleted=2)
    assert stored(warehouse) == [("a", "3", 4, "r2"), ("b", "1", 3, "r1")]


def test_rows_outside_the_scope_are_refused(warehouse: Warehouse) -> None:
    publish(warehouse, rows(("a", "1", 1, "r1")))
    with pytest.raises(WarehouseError, match="outside the part being replaced"):
        publish(warehouse, rows(("b", "1", 1, "r2")), "replace_where", scope={"storefront": "a"})
    with pytest.raises(WarehouseError, match="give a scope"):
        publish(warehouse, rows(("b", "1", 1, "r2")), "replace_where")
    assert stored(warehouse) == [("a", "1", 1, "r1")]


def test_a_key_twice_in_the_frame_is_refused_by_name(warehouse: Warehouse) -> None:
    with pytest.raises(WarehouseError, match=r"2 rows for core.things share a key.*'ref': '1'"):
        publish(warehouse, rows(("a", "1", 1, "r"), ("a", "1", 2, "r")))
    with pytest.raises(WarehouseError, match="no value in their key column ref"):
        publish(
            warehouse, pl.DataFrame({"storefront": ["a"], "ref": [None]}, schema_overrides={"ref": pl.String})
        )


@pytest.mark.parametrize("mode", ["append", "replace_where"])
def test_a_key_already_in_the_table_is_refused_and_rolled_back(warehouse: Warehouse, mode: str) -> None:
    publish(warehouse, rows(("a", "1", 1, "r1"), ("b", "2", 2, "r1")))
    frame = rows(("b", "1", 5, "r2"), ("b", "2", 6, "r2"))
    scope = pl.DataFrame({"amount_minor": [5, 6]}) if mode == "replace_where" else None
    with pytest.raises(WarehouseError, match="3 rows under 2 keys"):
        publish(warehouse, frame, mode, scope=scope)
    assert stored(warehouse) == [("a", "1", 1, "r1"), ("b", "2", 2, "r1")]


def test_a_change_of_type_is_refused_and_names_column_and_way_out(warehouse: Warehouse) -> None:
    publish(warehouse, rows(("a", "1", 1, "r1")))
    with pytest.raises(
        WarehouseError, match=r"core.things.amount_minor is stored as BIGINT.*VARCHAR.*[Rr]ebuild"
    ):
        warehouse.ensure({"core.things": pl.DataFrame(schema={**SCHEMA, "amount_minor": pl.String})})
    with pytest.raises(WarehouseError, match=r"core.things.amount_minor is stored as BIGINT"):
        publish(warehouse, rows(("a", "2", 1, "r1")).cast({"amount_minor": pl.Int32}))


def test_a_refused_ensure_changes_nothing_at_all(warehouse: Warehouse) -> None:
    publish(warehouse, rows(("a", "1", 1, "r1")))
    wrong = {"core.first": pl.DataFrame(schema=SCHEMA), "core.things": pl.DataFrame(schema={"ref": pl.Int64})}
    with pytest.raises(WarehouseError):
        warehouse.ensure(wrong)
    with warehouse.read() as session:
        assert not session.exists("core.first")


def test_new_columns_are_added_and_null_in_old_rows(warehouse: Warehouse) -> None:
    publish(warehouse, rows(("a", "1", 1, "r1")))
    warehouse.ensure({"core.things": pl.DataFrame(schema={**SCHEMA, "at": pl.Datetime("us", "UTC")})})
    with warehouse.read() as session:
        assert session.fetch("core.things")["at"].to_list() == [None]


def test_money_as_a_float_never_gets_a_table(warehouse: Warehouse) -> None:
    with pytest.raises(WarehouseError, match=r"core.bad.total_amount is money as a float"):
        warehouse.ensure({"core.bad": pl.DataFrame(schema={"total_amount": pl.Float64})})
    with pytest.raises(WarehouseError, match="stored in UTC with microseconds"):
        warehouse.ensure({"core.bad": pl.DataFrame(schema={"at": pl.Datetime("ms")})})


def test_every_contract_type_comes_back_exactly(warehouse: Warehouse) -> None:
    frame = pl.DataFrame(
        {
            "at": [datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC), None],
            "on": [date(2024, 2, 29), None],
            "order": ["O'Brien \u20ac \x00 {{table}} $1", None],
            "total_minor": [2**63 - 1, -(2**63)],
            "quantity": [Decimal("99999999999999.9999"), None],
            "unit_price": [Decimal("1234567890123456.123456789012"), None],
            "is_test": [True, None],
        },
        schema={
            "at": pl.Datetime("us", "UTC"),
            "on": pl.Date,
            "order": pl.String,
            "total_minor": pl.Int64,
            "quantity": pl.Decimal(18, 4),
            "unit_price": pl.Decimal(28, 12),
            "is_test": pl.Boolean,
        },
    )
    with warehouse.write(run_id="t") as session:
        session.publish("core.types", frame, key=["total_minor"], mode="merge")
        back = session.fetch("core.types").sort("total_minor", descending=True)
        total = session.sql_text('SELECT sum(total_minor) AS s, count("at") AS c FROM core.types')
    assert back.schema == frame.schema
    assert back.equals(frame)
    assert total.schema == {"s": pl.Int64, "c": pl.Int64}
    assert total.row(0) == (-1, 1)


def test_a_sum_beyond_64_bits_is_said_not_wrapped(warehouse: Warehouse) -> None:
    with warehouse.write(run_id="t") as session, pytest.raises(WarehouseError, match="does not fit 64 bits"):
        session.sql_text("SELECT sum(v) AS s FROM (VALUES (9223372036854775807), (1)) AS t(v)")


def test_fetch_by_values_lists_nulls_and_keys(warehouse: Warehouse) -> None:
    publish(warehouse, rows(("a", "1", 1, "r"), ("a", "2", None, "r"), ("b", "1", 3, "r")))
    with warehouse.read() as session:

        def refs(where: object) -> list[tuple[object, ...]]:
            return sorted(session.fetch("core.things", where=where, columns=["storefront", "ref"]).rows())  # type: ignore[arg-type]

        assert refs({"storefront": "a"}) == [("a", "1"), ("a", "2")]
        assert refs({"ref": ["1", "nope"]}) == [("a", "1"), ("b", "1")]
        assert refs({"ref": []}) == []
        assert refs({"amount_minor": None}) == [("a", "2")]
        assert refs(pl.DataFrame({"storefront": ["b", "b"], "ref": ["1", "1"]})) == [("b", "1")]
        assert refs({"storefront": "a'; DROP TABLE core.things; --"}) == []
        with pytest.raises(WarehouseError, match="has no column nope"):
            refs({"nope": 1})
        with pytest.raises(WarehouseError, match=r"no table core\.nothing"):
            session.fetch("core.nothing")
        with pytest.raises(WarehouseError, match="no stored query 'nope'"):
            session.query("nope")


def test_delete_by_scope_spares_what_is_append_only(warehouse: Warehouse) -> None:
    publish(warehouse, rows(("a", "1", 1, "r"), ("a", "2", 2, "r"), ("b", "1", 3, "r")))
    with warehouse.write(run_id="t") as session:
        assert session.delete("core.things", scope={"storefront": "a"}) == 2
        assert session.delete("core.things", scope={"storefront": "a"}) == 0
        with pytest.raises(WarehouseError, match="append-only"):
            session.delete("ops.outbox_moves", scope={"document_id": "x"})
        with pytest.raises(WarehouseError, match="cannot be rebuilt"):
            session.drop("ops.outbox")
    assert stored(warehouse) == [("b", "1", 3, "r")]


KEYS = st.tuples(st.sampled_from("ab"), st.sampled_from("1234"))


@given(
    nights=st.lists(
        st.dictionaries(KEYS, st.one_of(st.none(), st.integers(-5, 5)), max_size=8), min_size=1, max_size=5
    )
)
@settings(max_examples=10, deadline=None, derandomize=True)
def test_merging_night_after_night_equals_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory, nights: list[dict[tuple[str, str], int | None]]
) -> None:
    store = Warehouse(tmp_path_factory.mktemp("nights"))
    truth: dict[tuple[str, str], int | None] = {}
    with store.write(run_id="t") as session:
        for night in nights:
            frame = rows(*[(a, b, amount, "r") for (a, b), amount in night.items()])
            counts = session.publish("core.things", frame, key=["storefront", "ref"], mode="merge")
            assert counts.inserted == len(night.keys() - truth.keys())
            assert counts.updated == sum(k in truth and truth[k] != v for k, v in night.items())
            assert counts.inserted + counts.updated + counts.unchanged == len(night)
            truth.update(night)
        kept = {(a, b): amount for a, b, amount, _ in session.fetch("core.things").rows()}
    assert kept == truth
