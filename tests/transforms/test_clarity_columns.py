"""A field of a Clarity record is the same text whether records are read together or one by one, whatever is missing or odd."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from staged_orders import landed

from transforms.storefronts.clarity_shapes import shapes_of

FIELDS = {
    "customers": {"ref": "id", "changed": "updatedAt", "name": "billing.name", "city": "billing.home.city"}
}
_LEAF = st.one_of(
    st.none(),
    st.integers(-(10**20), 10**20),
    st.text(max_size=6),
    st.sampled_from(["", "null", " a ", "[", "é"]),
)
_RECORD = st.fixed_dictionaries(
    {},
    optional={
        "id": _LEAF,
        "billing": st.one_of(
            st.none(),
            st.fixed_dictionaries(
                {}, optional={"name": _LEAF, "home": st.one_of(st.none(), st.fixed_dictionaries({}, optional={"city": _LEAF}))}
            ),
        ),
    },
)  # fmt: skip


def columns(records: list[dict[str, Any]]) -> dict[str, list[str | None]]:
    shapes = shapes_of(FIELDS)
    found = shapes.decode(landed(*map(json.dumps, records)), "customers")
    assert found.troubles == {}
    return {name: shapes.text("customers", name, found.objects).to_list() for name in ("ref", "name", "city")}


# Unicode's White_Space; Python's own `strip` also takes the separators \x1c to \x1f, which a text may hold.
BLANKS = "".join(chr(one) for one in (*range(9, 14), 32, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000))  # fmt: skip


def said(value: Any) -> str | None:
    text = "" if value is None else str(value).strip(BLANKS)
    return None if text in ("", "null") else text


@settings(deadline=None, max_examples=60)
@example([{"id": "\x1f"}, {"id": "\u2003"}, {"id": "\x85a"}])
@given(st.lists(_RECORD, min_size=1, max_size=5))
def test_columns_are_what_each_record_says(records: list[dict[str, Any]]) -> None:
    billings = [one.get("billing") or {} for one in records]
    assert columns(records) == {
        "ref": [said(one.get("id")) for one in records],
        "name": [said(one.get("name")) for one in billings],
        "city": [said((one.get("home") or {}).get("city")) for one in billings],
    }
