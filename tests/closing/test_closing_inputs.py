"""A pack holds every column the reconciliation reads, those included that are read only where an input has them."""

from __future__ import annotations

import pytest

from checks.contracts import ALL
from flows.closing.packing import input_frames, inputs_of
from transforms.reconcile.intake import COLUMNS, WHERE_KNOWN, Inputs


@pytest.mark.parametrize("name", sorted(WHERE_KNOWN))
def test_what_is_read_where_it_is_known_is_packed_and_comes_back(name: str) -> None:
    given = Inputs(
        orders=ALL["core.orders"].empty(),
        owed=ALL["recon.owed"].empty(),
        **{name: ALL[f"core.{name}"].empty()},
    )
    packed = input_frames(given)
    assert packed[name].columns == [*COLUMNS[name], *WHERE_KNOWN[name]]
    again = getattr(inputs_of(packed), name)
    assert dict(again.schema) == {**COLUMNS[name], **WHERE_KNOWN[name]}


def test_what_an_input_does_not_have_is_not_made_up() -> None:
    lines = ALL["core.order_lines"].empty().drop("tax_rate")
    packed = input_frames(
        Inputs(orders=ALL["core.orders"].empty(), owed=ALL["recon.owed"].empty(), order_lines=lines)
    )
    assert "tax_rate" not in packed["order_lines"].columns
