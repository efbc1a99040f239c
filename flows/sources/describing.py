"""What the company said of its objects, kept in `ops.intacct_fields`, so that it is asked once and not every night."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from checks.contracts import ALL
from tieout.connectors.intacct.described import Described

if TYPE_CHECKING:
    from flows.wiring import House

_TABLE = "ops.intacct_fields"
KEPT_FOR = timedelta(days=30)
"""A company's administrators add fields and lengthen them: what is older is asked again."""


def recall(house: House) -> Described:
    """What is known and not too old."""
    with house.warehouse.read() as session:
        rows = session.fetch(_TABLE)
    rows = rows.filter(pl.col("asked_at") > house.clock() - KEPT_FOR)
    found = Described()
    # A few hundred rows, each put into its place.
    for row in rows.iter_rows(named=True):
        name, field_name = row["object_name"], row["field_name"]
        if row["is_listed"]:
            found.names.setdefault(name, []).append(field_name)
        if not row["is_queryable"]:
            found.barred.setdefault(name, set()).add(field_name)
        if row["max_length"] is not None:
            found.lengths.setdefault(name, {})[field_name] = row["max_length"]
    return found


def remember(house: House, run_id: str, described: Described) -> None:
    """Keep what was learnt; nothing is written when nothing was."""
    if not described.is_new:
        return
    objects = {*described.names, *described.barred, *described.lengths}
    rows = [
        {
            "object_name": name,
            "field_name": field_name,
            "is_listed": field_name in described.names.get(name, ()),
            "is_queryable": field_name not in described.barred.get(name, ()),
            "max_length": described.lengths.get(name, {}).get(field_name),
            "asked_at": house.clock(),
            "run_id": run_id,
        }
        for name in sorted(objects)
        for field_name in sorted(
            {
                *described.names.get(name, ()),
                *described.barred.get(name, ()),
                *described.lengths.get(name, {}),
            }
        )
    ]
    table = ALL[_TABLE]
    frame = table.checked(pl.DataFrame(rows, schema=table.polars_schema), at="when keeping what Intacct said")
    with house.warehouse.write(run_id=run_id) as session:
        scope = frame.select("object_name").unique()
        session.publish(_TABLE, frame, key=table.key, mode="replace_where", scope=scope)
    described.is_new = False
