"""readByQuery in place of query: the same filter in words, every row once, and totals that must add up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from tieout.connectors.intacct import older_reading
from tieout.connectors.intacct.gateway import Intacct
from tieout.connectors.intacct.older_reading import condition_text
from tieout.connectors.intacct.reading import Both, Filter, Where, write_query
from tieout.errors import Incomplete, InputError
from tieout.sandbox.faults import FaultBoard
from tieout.sandbox.intacct.company import Company
from tieout.sandbox.intacct.gateway import PATH, Gateway
from tieout.sandbox.intacct.where import from_element, from_text
from tieout.sandbox.server import Server

TEXT = st.text("ab'\\\"% _<&=()-é1", max_size=8)
ONE = st.builds(
    Where,
    st.sampled_from(
        ["equalto", "lessthan", "lessthanorequalto", "greaterthan", "greaterthanorequalto", "like", "notlike"]
    ),
    st.sampled_from(["RECORDID", "WHENMODIFIED"]),
    TEXT.map(lambda text: (text,)),
)
MANY = st.builds(
    Where,
    st.sampled_from(["in", "notin"]),
    st.just("CUSTOMERID"),
    st.lists(TEXT, min_size=1, max_size=4).map(tuple),
)
NONE = st.builds(Where, st.sampled_from(["isnull", "isnotnull"]), st.just("WHENMODIFIED"))
FILTER: st.SearchStrategy[Filter] = st.recursive(
    ONE | MANY | NONE,
    lambda inner: st.builds(Both, st.lists(inner, min_size=2, max_size=3).map(tuple), st.booleans()),
    max_leaves=8,
)


def _flat(node):
    """Brackets that join the same way make no difference: and of and is one and."""
    if node[0] not in ("and", "or"):
        return (node[0], node[1], tuple(node[2]))
    parts = []
    for child in map(_flat, node[1]):
        parts += child[1] if child[0] == node[0] else [child]
    return (node[0], parts)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(FILTER)
def test_the_text_says_what_the_elements_say(condition: Filter) -> None:
    root = etree.Element("function")
    write_query(root, "ARINVOICE", fields=["RECORDNO"], condition=condition)
    elements = from_element(root.find("query/filter")[0])
    assert _flat(from_text(condition_text(condition))) == _flat(elements)


def test_between_and_what_has_no_words() -> None:
    assert condition_text(None) == ""
    assert condition_text(Where("between", "RECORDNO", ("3", "9"))) == "(RECORDNO >= '3' AND RECORDNO <= '9')"
    with pytest.raises(InputError, match="readByQuery has no"):
        condition_text(Where("notequalto", "RECORDNO", ("3",)))


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Intacct]:
    monkeypatch.setattr(older_reading, "MAX_READ_PAGE", 4)
    board = FaultBoard()
    gateway = Gateway(Company.load(None), board, lambda: datetime(2026, 11, 2, 3, 0, tzinfo=UTC))
    for number in range(1, 12):
        gateway.books.create("CUSTOMER", {"CUSTOMERID": f"C{number}", "NAME": f"O'Neil \\ {number}"}, None)
    board.add(
        {
            "app": "intacct",
            "kind": "refuse",
            "times": None,
            "match": "<query><object>",
            "errorno": "PL04000005",
            "text": "No.",
        }
    )
    with Server(gateway, 0, board) as server:
        made = Intacct(
            endpoint=server.url + PATH, sender_id="tieout_mpp", sender_password="demo-sender-secret",
            company_id="TIEOUTDEMO", user_id="sync", user_password="demo-user-secret",
        )  # fmt: skip
        made.gateway = gateway
        yield made
        made.close()


def test_every_row_comes_once_over_several_pages(client: Intacct) -> None:
    pages = list(client.read_range("CUSTOMER", fields=["CUSTOMERID", "NAME"]))
    assert [len(page.records) for page in pages] == [4, 4, 3]
    assert len({record.native_ref for page in pages for record in page.records}) == 11
    assert client.count("CUSTOMER", condition=Where("equalto", "NAME", ("O'Neil \\ 7",))) == 1
    assert "CUSTOMER; it is read by readByQuery" in client.notes[-1]


def test_pages_that_do_not_add_up_are_not_believed(client: Intacct) -> None:
    reading = client.gateway.reading
    really = reading._page

    def forgetful(result_id, cursor):
        cursor.rows = cursor.rows[:-1] if cursor.at else cursor.rows
        return really(result_id, cursor)

    reading._page = forgetful
    with pytest.raises(Incomplete, match="says there are 11 rows of CUSTOMER and gave"):
        list(client.read_range("CUSTOMER", fields=["CUSTOMERID"]))
