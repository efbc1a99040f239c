"""Reads that prove themselves: keyset pages, counts, natural keys, and every way a page can lie."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from tieout.connectors.intacct.reading import Where, day, instant, stamp
from tieout.errors import Incomplete, InputError, MalformedReply, Refused, Rejected, Throttled


class Table:
    """A table behind the scripted gateway that understands our queries; `twist` may alter each page."""

    def __init__(
        self, say, numbers, twist=None, fields=("RECORDNO", "RECORDID", "WHENMODIFIED", "DESCRIPTION")
    ):
        self.say, self.numbers, self.twist, self.fields = say, list(numbers), twist, fields
        self.pages, self.counts, self.lookups = [], [], 0
        self.extra_in_count = 0

    def __call__(self, asked):
        control_id = asked.ids[0]
        query = asked.root.find(".//query")
        if query is None:
            self.lookups += 1
            listed = "".join(f"<Field><ID>{name}</ID></Field>" for name in self.fields)
            data = f'<data listtype="All" count="1"><Type Name="T" DocumentType=""><Fields>{listed}</Fields></Type></data>'
            return self.say.envelope(asked.label, self.say.result(control_id, "success", data, "lookup"))
        last = 0
        for node in query.iter("greaterthan"):
            if node.findtext("field") == "RECORDNO":
                last = int(node.findtext("value"))
        wanted = [value.text for node in query.iter("in", "equalto") for value in node.findall("value")]
        rows = [n for n in self.numbers if n > last and (not wanted or f"A-{n}" in wanted)]
        if query.find("select/count") is not None:
            self.counts.append(query)
            total = len(rows) + self.extra_in_count
            body = f'<data listtype="T" totalcount="1" offset="0" count="1" numremaining="0"><T><COUNT.RECORDNO>{total}</COUNT.RECORDNO></T></data>'
            return self.say.envelope(asked.label, self.say.result(control_id, "success", body, "query"))
        self.pages.append(query)
        size = int(query.findtext("pagesize"))
        page = {"rows": rows[:size], "total": len(rows), "left": max(len(rows) - size, 0)}
        if self.twist is not None:
            page = self.twist(len(self.pages), page)
        inner = "".join(
            f"<T><RECORDNO>{n}</RECORDNO><RECORDID>A-{n}</RECORDID><DESCRIPTION>4111111111111111</DESCRIPTION>"
            f"<WHENMODIFIED>09/01/2026 10:00:00</WHENMODIFIED></T>"
            for n in page["rows"]
        )
        body = f'<data listtype="T" totalcount="{page["total"]}" offset="0" count="{len(page["rows"])}" numremaining="{page["left"]}">{inner}</data>'
        return self.say.envelope(asked.label, self.say.result(control_id, "success", body, "query"))


def _refs(pages):
    return [int(record.native_ref) for page in pages for record in page.records]


def test_a_walk_sees_every_row_once_and_counts_them(scripted, connect, say):
    numbers = [3, 7, 8, 20, 21, 22, 90]
    table = scripted.answer = Table(say, numbers)
    spent = []
    client = connect(meter=lambda kind, count: spent.append((kind, count)))
    pages = list(
        client.read_range("ARINVOICE", fields=["RECORDID", "WHENMODIFIED", "DESCRIPTION"], page_size=3)
    )
    assert _refs(pages) == numbers
    assert [page.page_no for page in pages] == [1, 2, 3]
    assert all(page.bytes > 500 for page in pages)
    assert len(table.counts) == 1
    assert spent == [("read", 1)] * 5  # fields, three pages, count
    query = table.pages[1]
    assert [node.findtext("field") for node in query.findall("orderby/order")] == ["RECORDNO"]
    assert query.findtext("offset") == "0"
    assert query.findtext("filter/greaterthan/value") == "8"
    assert query.findtext("options/showprivate") == "true"
    first = pages[0].records[0]
    assert first.updated_at == datetime(2026, 9, 1, 10, tzinfo=UTC)
    payload = json.loads(first.payload)
    assert payload["RECORDNO"] == 3
    assert payload["RECORDID"] == "A-3"
    assert "4111111111111111" not in payload["DESCRIPTION"]


@pytest.mark.parametrize("count", [0, 1, 5, 10])
def test_edges_of_pages(scripted, connect, say, count):
    scripted.answer = Table(say, range(1, count + 1))
    assert _refs(connect().read_range("T", fields=["RECORDID"], page_size=5)) == list(range(1, count + 1))


def test_fields_are_asked_once_and_unknown_ones_left_out(scripted, connect, say):
    table = scripted.answer = Table(say, [1])
    client = connect()
    for _ in range(2):
        list(client.read_range("T", fields=["RECORDID", "NOSUCH", "CUSTOMER.NAME"]))
    assert table.lookups == 1
    asked = [node.text for node in table.pages[0].findall("select/field")]
    assert asked == ["RECORDNO", "RECORDID", "CUSTOMER.NAME"]
    assert client.notes == ["T has no field NOSUCH in this company; it is left out."]
    with pytest.raises(InputError, match="None of the fields"):
        list(client.read_range("T", fields=["NOSUCH"]))


def test_changed_since_looks_back_in_the_users_zone_and_keeps_undated_rows(scripted, connect, say):
    table = scripted.answer = Table(say, [1])
    client = connect(zone=timezone(timedelta(hours=-7)))
    since = datetime(2026, 9, 1, 12, tzinfo=UTC)
    page = next(iter(client.read_range("T", fields=["RECORDID"], changed_since=since)))
    assert page.records[0].updated_at == datetime(2026, 9, 1, 17, tzinfo=UTC)
    either = table.pages[0].find("filter/or")
    assert either.findtext("greaterthanorequalto/value") == "09/01/2026 03:00:00"
    assert either.findtext("isnull/field") == "WHENMODIFIED"
    assert "WHENMODIFIED" in [node.text for node in table.pages[0].findall("select/field")]
    with pytest.raises(InputError, match="no time zone"):
        client.count("T", changed_since=datetime(2026, 9, 1))


def test_an_object_that_does_not_say_when_it_changed_is_read_whole(scripted, connect, say):
    table = scripted.answer = Table(say, [1, 2], fields=("RECORDNO", "RECORDID"))
    client = connect()
    assert _refs(
        client.read_range("T", fields=["RECORDID"], changed_since=datetime(2026, 9, 1, tzinfo=UTC))
    ) == [1, 2]
    assert table.pages[0].find("filter") is None
    assert "all of it is read" in client.notes[0]


def _unordered(_, page):
    return {**page, "rows": page["rows"][::-1]}


def _same_page_for_ever(_, page):
    return {"rows": [1, 2], "total": 9, "left": 7}


def _short(_, page):
    return {**page, "rows": page["rows"][:-1]}


def _promises(_, page):
    return {"rows": [], "total": 5, "left": 5}


def _twice(_, page):
    return {**page, "rows": [page["rows"][0], *page["rows"][:-1]]}


def _too_many(_, page):
    return {"rows": [1, 2, 3, 4, 5, 6], "total": 6, "left": 0}


@pytest.mark.parametrize("twist", [_unordered, _same_page_for_ever, _short, _promises, _twice, _too_many])
def test_pages_that_lie_are_incomplete(scripted, connect, say, twist):
    scripted.answer = Table(say, range(1, 6), twist)
    with pytest.raises(Incomplete):
        list(connect().read_range("T", fields=["RECORDID"], page_size=2 if twist is not _too_many else 5))


@pytest.mark.parametrize("twist", [_unordered, _short, _promises, _twice])
def test_nothing_is_concluded_from_a_page_that_lies(scripted, connect, say, twist):
    scripted.answer = Table(say, range(1, 6), twist)
    with pytest.raises(Incomplete):
        connect().find("T", "RECORDID", [f"A-{n}" for n in range(1, 6)], fields=[])


def test_a_count_that_is_higher_makes_one_more_walk_then_incomplete(scripted, connect, say):
    table = scripted.answer = Table(say, [1, 2, 3])
    table.extra_in_count = 1
    seen = []
    pages = (page for page in connect().read_range("T", fields=["RECORDID"]) if seen.append(page) is None)
    with pytest.raises(Incomplete, match="counts 4 rows of T and gave 3, twice"):
        list(pages)
    assert _refs(seen) == [1, 2, 3] * 2


def test_a_row_that_becomes_visible_late_is_caught_by_the_second_walk(scripted, connect, say):
    table = Table(say, [1, 3])

    def answer(asked):
        if asked.root.find(".//select/count") is not None and 2 not in table.numbers:
            table.numbers = [1, 2, 3]
        return table(asked)

    scripted.answer = answer
    assert _refs(connect().read_range("T", fields=["RECORDID"])) == [1, 3, 1, 2, 3]


def test_rows_deleted_while_walking_are_no_fault(scripted, connect, say):
    table = scripted.answer = Table(say, [1, 2, 3])
    table.extra_in_count = -1
    assert _refs(connect().read_range("T", fields=["RECORDID"])) == [1, 2, 3]


def test_find_by_natural_key_in_thousands(scripted, connect, say):
    table = scripted.answer = Table(say, range(1, 2501))
    found = connect().find(
        "T", "RECORDID", [*(f"A-{n}" for n in range(1, 2600)), "A-1"], fields=["WHENMODIFIED"]
    )
    assert len(table.pages) == 3
    assert max(len(query.findall("filter/in/value")) for query in table.pages) == 1000
    assert len(found) == 2599
    assert found["A-7"][0]["RECORDNO"] == 7
    assert found["A-2599"] == []
    assert connect().find("T", "RECORDID", ["A-5"], fields=[])["A-5"][0]["RECORDID"] == "A-5"
    assert connect().find("T", "RECORDID", [], fields=[]) == {}


def test_find_keeps_rows_of_another_spelling_and_distrusts_rows_nobody_asked_for(scripted, connect, say):
    scripted.answer = Table(say, [5], lambda _, page: {**page, "rows": [5], "total": 1, "left": 0})
    assert connect().find("T", "RECORDID", ["a-5 "], fields=[])["a-5 "][0]["RECORDNO"] == 5
    with pytest.raises(Incomplete, match="nobody asked for"):
        connect().find("T", "RECORDID", ["A-6"], fields=[])


@pytest.mark.parametrize(
    ("number", "text", "error"),
    [
        ("XL03000006", "These fields cannot be queried: INVOICENO", Rejected),
        ("PL04000005", "No permission", Refused),
        ("DL02000001", "There was an error processing the request.", Refused),
        ("GW-0010", "limit", Throttled),
        ("Query Failed", "", Rejected),
    ],
)
def test_a_read_that_fails_says_what_was_read(scripted, connect, say, number, text, error):
    scripted.answer = lambda asked: say.envelope(
        asked.label, say.failed(asked.ids[0], say.error(number, text))
    )
    with pytest.raises(error, match="Reading the count of ARINVOICE failed"):
        connect().count("ARINVOICE")


def test_reads_are_tried_again_after_a_fault(scripted, connect, say):
    table = Table(say, [1])
    faults = iter([(503, b"busy"), None])
    scripted.answer = lambda asked: next(faults, table(asked)) if len(scripted.asked) < 2 else table(asked)
    assert connect().count("T") == 1


def test_numbers_of_pages_that_are_no_numbers(scripted, connect, say):
    scripted.answer = Table(say, [1], lambda _, page: {**page, "left": "many"})
    with pytest.raises(MalformedReply, match="numremaining"):
        list(connect().read_range("T", fields=["RECORDID"]))


def test_lengths_stock_and_closed_books(scripted, connect, say):
    answers = {
        "inspect": '<data><Type Name="ARINVOICE"><Fields><Field><Name>RECORDID</Name><maxLength>45</maxLength></Field></Fields></Type></data>',
        "get_icitemtotals": '<data listtype="icitemtotal"><icitemtotal><warehouseid>wh-east</warehouseid><itemid>MUG</itemid>'
        "<totalname>ONHAND</totalname><quantity>12.0000</quantity></icitemtotal></data>",
        "get_closedbooksdate": "<data><closedbooksdate><year>2026</year><month>08</month><day>31</day></closedbooksdate></data>",
    }

    def answer(asked):
        name = asked.root.find(".//function")[0].tag
        return say.envelope(asked.label, say.result(asked.ids[0], "success", answers[name], name))

    scripted.answer = answer
    client = connect()
    assert client.learn_limits(["ARINVOICE"]).lengths["Invoice.number"] == 45
    assert client.stock_totals(item_id="MUG", warehouse_id="wh-east") == [
        {"WAREHOUSEID": "wh-east", "ITEMID": "MUG", "TOTALNAME": "ONHAND", "QUANTITY": "12.0000"}
    ]
    assert client.closed_through() == date(2026, 8, 31)
    answers["get_closedbooksdate"] = "<data><closedbooksdate>09/30/2026</closedbooksdate></data>"
    assert client.closed_through("E100") == date(2026, 9, 30)
    answers["get_closedbooksdate"] = "<data/>"
    assert client.closed_through() is None


def test_ping_names_each_problem(scripted, connect, say):
    table = Table(say, [1])
    scripted.answer = table
    assert connect().ping() == []
    denied = say.error("PL04000005", "You do not have permission")

    def answer(asked):
        if asked.root.findtext(".//object") == "ARPYMT":
            return say.envelope(asked.label, say.failed(asked.ids[0], denied))
        return table(asked)

    scripted.answer = answer
    problems = connect().ping()
    assert len(problems) == 1
    assert "ARPYMT" in problems[0]
    assert connect(endpoint="http://127.0.0.1:9/").ping()[0]


def test_queries_that_may_not_be_sent(connect, scripted, say):
    scripted.answer = Table(say, [1])
    for size in (0, 2001):
        with pytest.raises(InputError, match="1 to 2000"):
            list(connect().read_range("T", fields=["RECORDID"], page_size=size))
    for condition in (Where("sounds", "A"), Where("in", "A", tuple(map(str, range(1001))))):
        with pytest.raises(InputError):
            connect().count("T", condition=condition)


def test_times_and_dates():
    zone = timezone(timedelta(hours=2))
    at = datetime(2026, 9, 1, 8, 30, tzinfo=UTC)
    assert instant("09/01/2026 10:30:00", zone) == at
    assert instant("09/01/2026 10:30:00 AM", zone) == at
    assert instant("2026-09-01T10:30:00+02:00") == at
    assert stamp(at, zone) == "09/01/2026 10:30:00"
    assert instant("") is instant(None) is instant("soon") is None
    assert day("02/30/2026") is None
    assert day("2026-09-01") == day("09/01/2026") == date(2026, 9, 1)
