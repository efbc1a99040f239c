"""Rows are held against their contract when they are written and when they are read: the quick look says no exactly where pandera does."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import night
import pandera.errors
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.contracts import ALL
from checks.contracts.table import Column, Table
from tieout.errors import Stopped

DRAWN = Table(
    name="core.drawn",
    key=("ref", "no"),
    about="A table with every kind of promise.",
    columns=(
        Column("ref", pl.String(), "", longest=3),
        Column("no", pl.Int64(), "", least=1),
        Column("word", pl.String(), "", null=True, words=("yes", "no")),
        Column("amount", pl.Decimal(18, 4), "", null=True),
        Column("told_at", pl.Datetime("us", "UTC"), ""),
    ),
)
_ROW = st.fixed_dictionaries(
    {
        "ref": st.sampled_from(["a", "b", "abc", "abcd", None]),
        "no": st.sampled_from([1, 2, 3, 0, None]),
        "word": st.sampled_from(["yes", "no", "maybe", None]),
        "amount": st.decimals(-9, 9, places=4) | st.none(),
        "told_at": st.just(datetime(2026, 11, 1, tzinfo=UTC)) | st.none(),
    }
)
_NOWHERE = {
    "intacct": {"url": "http://127.0.0.1:9/ia/xml/xmlgw.phtml"},
    "commercetools": {"api_url": "http://127.0.0.1:9", "auth_url": "http://127.0.0.1:9", "project_key": "p", "client_id": "c"},
}  # fmt: skip


def _refused(look: Any, frame: pl.DataFrame) -> bool:
    try:
        look(frame, at="here")
    except Stopped:
        return True
    return False


def _pandera_refuses(table: Table, frame: pl.DataFrame) -> bool:
    try:
        table.pandera.validate(frame, lazy=True)
    except pandera.errors.SchemaErrors:
        return True
    return False


def _hardly_wrong(column: str) -> st.SearchStrategy[Any]:
    """Rows that keep every promise, but for one column's now and then: where everything is wrong, a look that forgets one promise is not found."""
    good: dict[str, st.SearchStrategy[Any]] = {
        "ref": st.sampled_from(["a", "b", "c", "abc"]),
        "no": st.sampled_from([1, 2, 3]),
        "word": st.sampled_from(["yes", None]),
        "amount": st.none(),
        "told_at": st.just(datetime(2026, 11, 1, tzinfo=UTC)),
    }
    bad = {"ref": "abcd", "no": 0, "word": "maybe", "amount": None, "told_at": None}
    return st.fixed_dictionaries({**good, column: good[column] | st.just(bad[column]) | st.none()})


_ROWS = st.lists(_ROW, max_size=5) | st.sampled_from(list(DRAWN.polars_schema)).flatmap(
    lambda column: st.lists(_hardly_wrong(column), max_size=4)
)


@given(_ROWS)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_the_quick_look_says_no_exactly_where_pandera_does(rows: list[dict[str, Any]]) -> None:
    frame = pl.DataFrame(rows, schema=DRAWN.polars_schema)
    refused = _pandera_refuses(DRAWN, frame)
    assert _refused(DRAWN.as_promised, frame) == refused
    assert _refused(DRAWN.checked, frame) == refused


def test_a_table_that_is_written_has_the_promised_columns_in_any_order_and_no_other() -> None:
    sound = pl.DataFrame(
        [{"ref": "a", "no": 1, "word": None, "amount": None, "told_at": datetime(2026, 11, 1, tzinfo=UTC)}],
        schema=DRAWN.polars_schema,
    )
    for frame in (sound, sound.select(sorted(sound.columns)), sound.clear()):
        assert not _pandera_refuses(DRAWN, frame)
        assert DRAWN.checked(frame, at="here").equals(frame)
        assert DRAWN.checked(frame.lazy(), at="here").equals(frame)
    for frame in (
        sound.drop("word"),
        sound.with_columns(more=pl.lit(1)),
        sound.drop("word").with_columns(more=pl.lit(1)),
        sound.clear().drop("amount"),
        sound.with_columns(pl.col("no").cast(pl.Int32)),
        sound.with_columns(pl.col("amount").cast(pl.Decimal(18, 2))),
        sound.with_columns(pl.col("told_at").dt.cast_time_unit("ms")),
        sound.clear().with_columns(pl.col("told_at").dt.convert_time_zone("Europe/Berlin")),
    ):
        assert _pandera_refuses(DRAWN, frame)
        with pytest.raises(Stopped, match=r"core\.drawn broke its contract here"):
            DRAWN.checked(frame, at="here")
        with pytest.raises(Stopped):
            DRAWN.checked(frame.lazy(), at="here")


@given(_ROWS, st.sets(st.sampled_from(list(DRAWN.polars_schema)), min_size=1))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_some_columns_are_judged_by_their_own_promises(rows: list[dict[str, Any]], picked: set[str]) -> None:
    frame = pl.DataFrame(rows, schema=DRAWN.polars_schema).select(sorted(picked))
    alone = Table(
        "core.alone",
        DRAWN.key if picked >= set(DRAWN.key) else (),
        "",
        tuple(column for column in DRAWN.columns if column.name in picked),
    )
    assert _refused(DRAWN.as_promised, frame) == _pandera_refuses(alone, frame)


def test_a_column_of_another_type_is_refused() -> None:
    frame = pl.DataFrame({"ref": ["a"], "no": ["1"]})
    with pytest.raises(Stopped, match=r"core\.drawn broke its contract when it was read"):
        DRAWN.as_promised(frame, at="when it was read")


def test_a_column_of_another_version_is_left_alone() -> None:
    frame = pl.DataFrame({"ref": ["a"], "no": [1], "word": ["yes"], "amount": [None], "older": [1.5]}).cast(
        {"amount": pl.Decimal(18, 4)}
    )
    assert DRAWN.as_promised(frame, at="here").equals(frame)


@pytest.mark.parametrize("name", sorted(name for name in ALL if not name.startswith("mappings.")))
def test_every_table_refuses_a_row_of_nulls_when_read(name: str) -> None:
    table = ALL[name]
    row = pl.DataFrame({column: [None] for column in table.polars_schema}, schema=table.polars_schema)
    if all(column.null for column in table.columns):
        pytest.fail(f"{name} promises nothing")
    with pytest.raises(Stopped, match=name.replace(".", r"\.")):
        table.as_promised(row, at="when it was read")


def test_a_warehouse_that_was_changed_by_hand_stops_the_stage_with_one_sentence(tmp_path: Path) -> None:
    import duckdb

    config = night.lay_out(tmp_path / "house", _NOWHERE)
    house = night.house_at(config, night.NightClock("2026-11-02T03:00:00+00:00"))
    path = house.warehouse.path
    with duckdb.connect(str(path)) as con:
        con.execute(
            "INSERT INTO core.order_payments (storefront, order_ref, payment_ref, run_id) VALUES ('shop', NULL, 'p1', 'hand')"
        )
    with pytest.raises(Stopped, match="run stage --full") as told:
        night.steps(house, "check")
    assert told.value.exit_code == 7
    assert "core.order_payments" in str(told.value)
