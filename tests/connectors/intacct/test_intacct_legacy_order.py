"""Every legacy request, whatever optional fields it has, keeps the published order: judged by the client's table and by the stand-in's own.

The two were written down apart from each other, so that a slip in one shows.
"""

from __future__ import annotations

import types
import typing
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from tieout.connectors.intacct import amendments, documents, envelopes, legacy, sequences
from tieout.connectors.intacct.envelopes import Control, SessionId
from tieout.sandbox.intacct.company import Knobs
from tieout.sandbox.intacct.intake import take_in

CONTROL, SESSION = Control("mpp", "secret", "label"), SessionId("s")
TEXT = st.text("abc XY-1&<", min_size=1, max_size=6)
LEGACY = sorted({*legacy._WRITERS, documents.Reversal}, key=lambda kind: kind.__name__)


def _strategy(kind: Any, name: str) -> st.SearchStrategy[Any]:
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        parts = [_strategy(part, name) for part in inside if part is not type(None)]
        # None often, so that every pair of optional fields comes with and without the other.
        return st.one_of(*(st.none() for part in inside if part is type(None)), *parts)
    if origin is typing.Literal:
        return st.sampled_from(inside)
    if origin is tuple:
        most = st.lists(_strategy(inside[0], name), min_size=2 if name == "lines" else 0, max_size=3)
        return most.map(tuple)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return documents_of(kind)
    if origin is not None and issubclass(origin, typing.Mapping):
        values = TEXT | st.booleans() | st.just(Decimal("1.5")) | st.just(date(2026, 9, 1))
        return st.dictionaries(st.sampled_from(["ORDER", "GIFT"]), values, max_size=2)
    simple: dict[Any, st.SearchStrategy[Any]] = {
        str: TEXT,
        int: st.integers(1, 10**6),
        bool: st.booleans(),
        date: st.dates(date(2020, 1, 1), date(2030, 1, 1)),
        Decimal: st.decimals(1, 10**6, places=2),
    }
    return simple[kind]


def documents_of(kind: type) -> st.SearchStrategy[Any]:
    """Any value of a document class that the legacy family can carry."""
    hints = typing.get_type_hints(kind)
    made = st.fixed_dictionaries({name: _strategy(hint, name) for name, hint in hints.items()})
    return made.map(lambda values: kind(**_possible(kind, values)))


def _possible(kind: type, values: dict[str, Any]) -> dict[str, Any]:
    if kind is documents.Receipt:
        # The rules before sending see to these: one place for the money, whole invoices only.
        places = ["financial_entity", "undeposited_account", "batch_key"]
        kept = next((name for name in places if values[name]), None)
        values |= {name: None for name in places if name != kept}
        values["applications"] = tuple(
            one for one in values["applications"] if isinstance(one, documents.Application)
        )
    if kind is documents.Application:
        values |= {"invoice_key": 7, "debit_memo_key": None, "entry_key": None}
    if kind is documents.Line:
        values["tax_entries"] = values["tax_entries"] or ()
    return values


@pytest.mark.parametrize("kind", LEGACY, ids=lambda kind: kind.__name__)
def test_any_optional_fields_keep_the_published_order(kind: type) -> None:
    seen: set[str] = set()

    @settings(max_examples=60, deadline=None, derandomize=True)
    @given(documents_of(kind))
    def holds(document: Any) -> None:
        node = envelopes.function(document, control_id="x", style="legacy")
        body = envelopes.request([node], control=CONTROL, authentication=SESSION)
        taken = take_in(body, Knobs())
        assert taken.faults == []
        root = etree.fromstring(body)
        for element in root.find("operation/content/function")[0].iter():
            names = [str(child.tag) for child in element]
            if names:
                assert element.tag in sequences.SEQUENCES, f"no published order for {element.tag}"
            assert sequences.faults(str(element.tag), names) == []
            seen.add(str(element.tag))

    holds()
    assert len(seen) > 2


def test_every_class_of_document_is_tried() -> None:
    every = set(typing.get_args(amendments.Postable))
    assert {kind for kind in every if isinstance(kind, type)} == set(LEGACY)
