"""The stand-in's books in a file: taken up after a restart, thrown away by a reset."""

from __future__ import annotations

from pathlib import Path

import pytest

from tieout.sandbox.__main__ import _port
from tieout.sandbox.rehearsal import Rehearsal


def test_books_survive_a_restart_and_a_reset_forgets_them(tmp_path: Path) -> None:
    state = tmp_path / "books" / "company.jsonl"
    first = Rehearsal(seed=7, orders=60, only="intacct", state=state)
    start = first.gateway.ledger()
    assert start["invoices"]
    first.clock.not_before(first.clock().replace(year=first.clock().year + 1))
    first.gateway.books.create("CUSTOMER", {"CUSTOMERID": "LATE", "NAME": "Late"}, None)
    end = first.gateway.ledger()
    second = Rehearsal(seed=7, orders=60, only="intacct", state=state)
    assert second.gateway.ledger() == end
    assert second.clock() >= first.gateway.books.customers["LATE"].created_at
    second.reset()
    assert second.gateway.ledger() == start
    assert Rehearsal(seed=7, orders=60, only="intacct", state=state).gateway.ledger() == start


def test_a_state_file_belongs_to_the_intacct_stand_in(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="intacct stand-in"):
        Rehearsal(orders=5, only="commercetools", state=tmp_path / "x")


def test_a_port_alone_is_the_only_stand_ins() -> None:
    assert _port("8080", ["intacct"]) == _port("intacct=8080", []) == ("intacct", 8080)
    for text, parts in (
        ("8080", []),
        ("8080", ["all"]),
        ("8080", ["intacct", "commercetools"]),
        ("x=99999", ["x"]),
    ):
        with pytest.raises(ValueError, match="NAME=N"):
            _port(text, parts)
