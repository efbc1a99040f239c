"""The `files` storefront's part of staging: raw rows that landed from plain files into `core`.

An order, its lines and everything a row says of it are staged together from the newest version of every row, whichever of them changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import polars as pl

from flows.mappings.status_words import words_of
from flows.plain.file_rows import located
from flows.plain.text import rules_of
from tieout.connectors.storefronts.files_csv import SAMPLE_ROWS
from tieout.connectors.storefronts.files_layout import LAYOUTS
from tieout.connectors.storefronts.files_map import ColumnMap
from tieout.connectors.storefronts.files_writing import decimal_mark
from transforms.staged import PROBLEMS_SCHEMA, Staged
from transforms.storefronts import files as rows_of
from transforms.storefronts import files_payouts
from transforms.storefronts.files import FileRules

if TYPE_CHECKING:
    from flows.wiring import House
    from tieout.settings.storefronts import FilesStorefront
    from tieout.warehouse.session import Session

_ORDER: Final = pl.Struct({"order_number": pl.String()})
_PAYOUT: Final = pl.Struct({"payout_ref": pl.String()})


def staging_transforms(
    house: House, run_id: str, name: str, front: FilesStorefront
) -> Mapping[str, Callable[[pl.DataFrame, Session], Staged]]:
    """How each subject of a `files` storefront is staged: subject → call with (raw rows, session) → `Staged`.

    Only subjects that have paths are named. Files that state no decimal mark in the map are read by the one their amounts show.
    """
    chart = ColumnMap.load(house.settings.path(front.column_map)) if front.column_map else ColumnMap()
    given = set(front.paths)
    words = words_of(house, name, "order", rows_of.STATUSES)

    def orders(raw: pl.DataFrame, session: Session) -> Staged:
        return located(house, name, "orders", _orders(raw, session, chart, given, name, run_id, words))

    def lines(raw: pl.DataFrame, session: Session) -> Staged:
        # A line that changed changes its order: the whole order is staged anew, and only the lines' own problems are counted here.
        changed = _numbers(raw)
        heads = _rows_of_orders(session, f"raw.{name}__orders", changed)
        again = located(house, name, "orders", _orders(heads, session, chart, given, name, run_id, words))
        orphans = changed.join(_numbers(heads), on="order_number", how="anti")
        unknown = raw.with_columns(_number_of(raw)).join(orphans, on="order_number", how="semi")
        lost = rows_of.lines(
            unknown.drop("order_number"),
            _rules(chart, "lines", raw),
            storefront=name,
            run_id=run_id,
            orders=again["core.orders"],
        )
        own = again.problems.filter(pl.col("subject") == "lines")
        return Staged(again.frames, pl.concat([own, lost.problems]))

    def payments(raw: pl.DataFrame, _: Session) -> Staged:
        states = words_of(house, name, "payment", rows_of.STATES)
        return rows_of.payments(raw, _rules(chart, "payments", raw, states), storefront=name, run_id=run_id)

    def refunds(raw: pl.DataFrame, _: Session) -> Staged:
        staged = rows_of.refunds(raw, _rules(chart, "refunds", raw), storefront=name, run_id=run_id)
        own = pl.format("refund {}", "payment_ref").alias("payment_ref")
        return Staged({"core.payments": staged["core.payments"].with_columns(own)}, staged.problems)

    def payouts(raw: pl.DataFrame, session: Session) -> Staged:
        # Lines of a payout that landed at different times are told apart together.
        whole = _rows_of_payouts(session, f"raw.{name}__payouts", raw)
        return files_payouts.payouts(whole, _rules(chart, "payouts", whole), storefront=name, run_id=run_id)

    def stock(raw: pl.DataFrame, _: Session) -> Staged:
        return rows_of.stock(
            raw, _rules(chart, "stock", raw), source=name, run_id=run_id, as_of=house.clock()
        )

    calls = {
        "orders": orders,
        "lines": lines,
        "payments": payments,
        "refunds": refunds,
        "payouts": payouts,
        "stock": stock,
    }

    def told(
        subject: str, call: Callable[[pl.DataFrame, Session], Staged]
    ) -> Callable[[pl.DataFrame, Session], Staged]:
        return lambda raw, session: located(house, name, subject, call(raw, session))

    return {
        subject: call if subject == "orders" else told(subject, call)
        for subject, call in calls.items()
        if subject in given
    }


def _orders(
    raw: pl.DataFrame,
    session: Session,
    chart: ColumnMap,
    given: set[str],
    name: str,
    run_id: str,
    words: Mapping[str, str],
) -> Staged:
    rules = _rules(chart, "orders", raw, words)
    lost = None
    if rules.rows == "line":
        # Rows of one order may have landed at different times; without its number a row belongs to nobody here.
        lost = _unnumbered(raw)
        raw = _rows_of_orders(session, f"raw.{name}__orders", _numbers(raw))
    lines = None
    if "lines" in given:
        lines = _rows_of_orders(session, f"raw.{name}__lines", _numbers(raw))
    staged = rows_of.orders(
        raw,
        rules,
        storefront=name,
        run_id=run_id,
        lines=lines,
        line_rules=_rules(chart, "lines", lines) if lines is not None else None,
    )
    return staged if lost is None else Staged(staged.frames, pl.concat([staged.problems, lost]))


def _unnumbered(raw: pl.DataFrame) -> pl.DataFrame:
    """Rows of a file with several rows per order that do not say whose they are, as problems: rows land and are kept one by one, so that
    the row above is not known here."""
    rows = raw.with_columns(_number_of(raw)).with_row_index("row_no", offset=1)
    return (
        rows.filter(pl.col("order_number").is_null())
        .select(
            row_no=pl.col("row_no").cast(pl.Int64),
            native_ref="native_ref",
            subject=pl.lit("orders"),
            column=pl.lit("order_number"),
            problem=pl.lit(
                "order_number_missing: order_number is empty on a row of an order; let the export repeat the number on every row of its order"
            ),
        )
        .select(list(PROBLEMS_SCHEMA))
    )


def _number_of(raw: pl.DataFrame) -> pl.Expr:
    number = pl.col("payload").str.json_decode(_ORDER).struct.field("order_number").str.strip_chars()
    return pl.when(number != "").then(number).alias("order_number")


def _numbers(raw: pl.DataFrame) -> pl.DataFrame:
    return raw.select(_number_of(raw)).drop_nulls().unique()


def _rows_of_orders(session: Session, table: str, numbers: pl.DataFrame) -> pl.DataFrame:
    """The newest version of every raw row of these orders, in the order in which the rows stood."""
    whole = session.raw_changed(table)
    return (
        whole.with_columns(_number_of(whole))
        .join(numbers, on="order_number", how="semi")
        .drop("order_number")
        .sort("landing_no", "native_ref")
    )


def _payout_of(raw: pl.DataFrame) -> pl.Expr:
    return (
        pl.col("payload")
        .str.json_decode(_PAYOUT)
        .struct.field("payout_ref")
        .str.strip_chars()
        .alias("payout_ref")
    )


def _rows_of_payouts(session: Session, table: str, raw: pl.DataFrame) -> pl.DataFrame:
    """The newest version of every raw row of the payouts these rows belong to, in the order in which the rows stood."""
    changed = raw.select(_payout_of(raw)).drop_nulls().unique()
    whole = session.raw_changed(table)
    lost = raw.filter(_payout_of(raw).is_null())
    mine = whole.with_columns(_payout_of(whole)).join(changed, on="payout_ref", how="semi").drop("payout_ref")
    return pl.concat([mine, lost.select(mine.columns)]).sort("landing_no", "native_ref")


def _rules(
    chart: ColumnMap, subject: str, raw: pl.DataFrame, words: Mapping[str, str] = MappingProxyType({})
) -> FileRules:
    """`words` are the status words of statuses.csv; the column map's own win."""
    settings = chart.of(subject)
    rules = rules_of(settings)
    rules = replace(rules, statuses={**words, **rules.statuses})
    sums = {
        name: tuple(f"{name}__{number}" for number in range(1, len(wanted) + 1))
        for name, wanted in settings.columns.items()
        if not isinstance(wanted, str) and len(wanted) > 1
    }
    rules = replace(rules, sums=sums)
    if settings.decimal is not None or raw.is_empty():
        return rules
    mark, _ = decimal_mark(_amounts(raw, subject, sums))
    return replace(rules, decimal=mark or ".")


def _amounts(raw: pl.DataFrame, subject: str, sums: Mapping[str, Sequence[str]]) -> list[str]:
    names = [part for name in LAYOUTS[subject].amounts for part in sums.get(name, (name,))]
    shape = pl.Struct(dict.fromkeys(names, pl.String()))
    rows = raw.head(SAMPLE_ROWS).select(pl.col("payload").str.json_decode(shape).alias("row")).unnest("row")
    return [value for name in names for value in rows[name].drop_nulls().to_list()]
