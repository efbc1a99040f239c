"""Reading back: filters against a plain Python answer, pages that are complete, orders that are not promised."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.sandbox.intacct.where import from_text


@pytest.fixture
def filled(client):
    client.customer("C2")
    numbers = random.Random(3)
    for number in range(60):
        client.invoice(
            f"N-{number:03d}",
            f"{numbers.randint(1, 9)}.{numbers.randint(0, 99):02d}",
            customer=f"C{1 + number % 2}",
            DOCNUMBER=f"W{number % 7}" if number % 5 else "",
            WHENCREATED=f"09/{1 + number % 28:02d}/2026",
        )
        client.clock.forward(minutes=7)
    return client


FILTERS = [
    ("<equalto><field>CUSTOMERID</field><value>C2</value></equalto>", lambda r: r["CUSTOMERID"] == "C2"),
    (
        "<notequalto><field>DOCNUMBER</field><value>W1</value></notequalto>",
        lambda r: r["DOCNUMBER"] not in ("W1", ""),
    ),
    ("<lessthan><field>RECORDNO</field><value>20</value></lessthan>", lambda r: int(r["RECORDNO"]) < 20),
    ("<greaterthan><field>RECORDNO</field><value>9</value></greaterthan>", lambda r: int(r["RECORDNO"]) > 9),
    (
        "<greaterthanorequalto><field>TRX_TOTALENTERED</field><value>5.5</value></greaterthanorequalto>",
        lambda r: Decimal(r["TRX_TOTALENTERED"]) >= Decimal("5.5"),
    ),
    (
        "<between><field>WHENCREATED</field><value>09/05/2026</value><value>09/10/2026</value></between>",
        lambda r: "09/05/2026" <= r["WHENCREATED"] <= "09/10/2026",
    ),
    (
        "<in><field>DOCNUMBER</field><value>W1</value><value>W3</value></in>",
        lambda r: r["DOCNUMBER"] in ("W1", "W3"),
    ),
    (
        "<notin><field>DOCNUMBER</field><value>W1</value><value>W3</value></notin>",
        lambda r: r["DOCNUMBER"] not in ("W1", "W3", ""),
    ),
    ("<like><field>RECORDID</field><value>N-_1%</value></like>", lambda r: r["RECORDID"][3] == "1"),
    ("<notlike><field>RECORDID</field><value>%5</value></notlike>", lambda r: r["RECORDID"][-1] != "5"),
    ("<isnull><field>DOCNUMBER</field></isnull>", lambda r: r["DOCNUMBER"] == ""),
    ("<isnotnull><field>DOCNUMBER</field></isnotnull>", lambda r: r["DOCNUMBER"] != ""),
    (
        "<greaterthanorequalto><field>WHENMODIFIED</field><value>11/02/2026 05:00:00</value></greaterthanorequalto>",
        lambda r: r["WHENMODIFIED"] >= "11/02/2026 05:00:00",
    ),
    ("<equalto><field>STATE</field><value>Posted</value></equalto>", lambda r: True),
    ("<equalto><field>STATE</field><value>A</value></equalto>", lambda r: False),
    (
        "<and><greaterthan><field>RECORDNO</field><value>9</value></greaterthan>"
        "<or><equalto><field>CUSTOMERID</field><value>C2</value></equalto>"
        "<isnull><field>DOCNUMBER</field></isnull></or></and>",
        lambda r: int(r["RECORDNO"]) > 9 and (r["CUSTOMERID"] == "C2" or r["DOCNUMBER"] == ""),
    ),
    (
        "<equalto><field>CUSTOMER.NAME</field><value>Name C2</value></equalto>",
        lambda r: r["CUSTOMERID"] == "C2",
    ),
]
FIELDS = (
    "RECORDNO",
    "RECORDID",
    "CUSTOMERID",
    "DOCNUMBER",
    "TRX_TOTALENTERED",
    "WHENCREATED",
    "WHENMODIFIED",
    "STATE",
)


@pytest.mark.parametrize(("where", "expected"), FILTERS)
def test_filters(filled, where, expected) -> None:
    everything = filled.query("ARINVOICE", *FIELDS, more="<pagesize>100</pagesize>").rows
    assert len(everything) == 60
    found = filled.query("ARINVOICE", *FIELDS, where=where, more="<pagesize>100</pagesize>").rows
    assert found == [row for row in everything if expected(row)]


def test_case_insensitive(filled) -> None:
    where = "<equalto><field>CUSTOMERID</field><value>c2</value></equalto>"
    assert filled.query("ARINVOICE", "RECORDNO", where=where).rows == []
    call = (
        f"<query><object>ARINVOICE</object><select><field>RECORDNO</field></select><filter>{where}</filter>"
        "<options><showprivate>true</showprivate><caseinsensitive>true</caseinsensitive></options></query>"
    )
    assert filled.call(call).data.get("totalcount") == "30"


def test_private_rows_need_showprivate_at_top_level(filled) -> None:
    call = "<query><object>ARINVOICE</object><select><field>RECORDNO</field></select></query>"
    assert filled.call(call).data.get("totalcount") == "0"
    assert filled.call(call, entity="E100").data.get("totalcount") == "60"


def test_pages_are_complete_and_ordered(filled) -> None:
    seen = []
    for offset in range(0, 60, 25):
        data = filled.query(
            "ARINVOICE", "RECORDNO", more=f"<pagesize>25</pagesize><offset>{offset}</offset>"
        ).data
        assert (data.get("totalcount"), data.get("offset")) == ("60", str(offset))
        seen += [int(row[0].text) for row in data]
        assert int(data.get("numremaining")) == 60 - len(seen)
        assert data.get("count") == str(len(data))
    assert seen == list(range(1, 61))
    assert filled.query("ARINVOICE", "RECORDNO").data.get("count") == "60"
    assert len(filled.query("ARINVOICE", "RECORDNO", more="<pagesize>7</pagesize>").rows) == 7


def test_without_order_rows_are_shuffled_differently_each_time(filled) -> None:
    orders = [
        [row["RECORDNO"] for row in filled.query("ARINVOICE", "RECORDNO", order="").rows] for _ in range(3)
    ]
    assert len({tuple(order) for order in orders}) == 3
    assert all(sorted(order) == sorted(orders[0]) for order in orders)


def test_descending_and_ties(filled) -> None:
    call = (
        "<query><object>ARINVOICE</object><select><field>CUSTOMERID</field><field>RECORDNO</field></select><orderby>"
        "<order><field>CUSTOMERID</field><descending/></order><order><field>RECORDNO</field><ascending/></order></orderby>"
        "<options><showprivate>true</showprivate></options></query>"
    )
    rows = [(row["CUSTOMERID"], int(row["RECORDNO"])) for row in filled.call(call).rows]
    assert rows == sorted(sorted(rows, key=lambda row: row[1]), key=lambda row: row[0], reverse=True)


def test_aggregates(filled) -> None:
    rows = filled.query("ARINVOICE", "CUSTOMERID", "TRX_TOTALENTERED").rows
    reply = filled.query(
        "ARINVOICE",
        "CUSTOMERID",
        "<count>RECORDNO</count>",
        "<sum>TRX_TOTALENTERED</sum>",
        "<min>WHENCREATED</min>",
        "<max>TRX_TOTALENTERED</max>",
        order="",
    )
    found = {row["CUSTOMERID"]: row for row in reply.rows}
    for name in ("C1", "C2"):
        amounts = [Decimal(row["TRX_TOTALENTERED"]) for row in rows if row["CUSTOMERID"] == name]
        assert found[name]["COUNT.RECORDNO"] == "30"
        assert Decimal(found[name]["TRX_TOTALENTERED"]) == sum(amounts)
        assert Decimal(found[name]["MAX.TRX_TOTALENTERED"]) == max(amounts)
    assert found["C1"]["MIN.WHENCREATED"] == "09/01/2026"
    empty = filled.query(
        "ARINVOICE",
        "<count>RECORDNO</count>",
        where="<lessthan><field>RECORDNO</field><value>0</value></lessthan>",
        order="",
    )
    assert empty.rows == [{"COUNT.RECORDNO": "0"}]


@pytest.mark.parametrize(
    "call",
    [
        "<query><object>ARINVOICE</object><select/></query>",
        "<query><object>ARINVOICE</object><select><field>*</field></select></query>",
        "<query><object>ARINVOICE</object><select><field>RECORDNO</field></select><pagesize>2001</pagesize></query>",
        "<query><object>ARINVOICE</object><select><field>RECORDNO</field></select><pagesize>-1</pagesize></query>",
        "<query><object>ARINVOICE</object><select><field>RECORDNO</field></select><filter><and><isnull><field>STATE</field>"
        "</isnull></and></filter></query>",
        "<query><object>ARINVOICE</object><select><field>RECORDNO</field></select><filter><in><field>RECORDNO</field>"
        + "<value>1</value>" * 1001
        + "</in></filter></query>",
        "<query><object>ARINVOICE</object><select><field>RECORDNO</field></select><filter><equalto><field>RECORDNO</field>"
        "<value>x</value></equalto></filter></query>",
        "<query><object>ARINVOICE</object><select><sum>RECORDID</sum></select></query>",
        "<readByQuery><object>ARINVOICE</object><query/><fields>*</fields><pagesize>1001</pagesize></readByQuery>",
    ],
)
def test_queries_that_are_refused(filled, call) -> None:
    reply = filled.call(call)
    assert (reply.statuses, reply.numbers) == (["failure"], ["XL03000006"])


def test_read_by_query_pages_stay_tied_while_data_change(filled) -> None:
    call = (
        "<readByQuery><object>ARINVOICE</object><query>CUSTOMERID = 'C1' AND RAWSTATE = 'A'</query>"
        "<fields>RECORDNO,RECORDID</fields><pagesize>12</pagesize></readByQuery>"
    )
    reply = filled.call(call)
    data = reply.data
    assert (data.get("listtype"), data.get("count"), data.get("totalcount")) == ("arinvoice", "12", "30")
    assert data[0].tag == "arinvoice"
    seen = [row["RECORDNO"] for row in reply.rows]
    filled.invoice("LATE", "1.00")
    while reply.data.get("numremaining") != "0":
        reply = filled.call(f"<readMore><resultId>{data.get('resultId')}</resultId></readMore>")
        seen += [row["RECORDNO"] for row in reply.rows]
    assert len(seen) == len(set(seen)) == 30
    filled.clock.forward(hours=2)
    late = filled.call(f"<readMore><resultId>{data.get('resultId')}</resultId></readMore>")
    assert late.numbers == ["DL02000001"]


def test_read_by_query_compares_states_by_code(filled) -> None:
    for where, count in (("STATE = 'A'", "60"), ("STATE = 'Posted'", "0")):
        call = f"<readByQuery><object>ARINVOICE</object><query>{where}</query><fields>STATE</fields></readByQuery>"
        assert filled.call(call).data.get("totalcount") == count


WHERE = [
    ("RECORDNO &gt; 5 and RECORDNO &lt;= 8", {6, 7, 8}),
    ("RECORDID in ('N-000', 'N-003')", {1, 4}),
    ("RECORDID not like 'N-0%'", set()),
    ("RECORDNO &lt; 4 and not_a = 1", None),
    ("(RECORDNO = 1 or RECORDNO = 2) AND CUSTOMERID = 'C1'", {1}),
    ("RECORDNO &lt; 7 and DOCNUMBER is null", {1, 6}),
    ("RECORDNO &lt; 3 and DOCNUMBER IS NOT NULL", {2}),
    ("RECORDID = 'O\\'Neil'", set()),
    ("RECORDNO = 1 or", None),
    ("(RECORDNO = 1", None),
    ("RECORDNO in ()", None),
]


@pytest.mark.parametrize(("where", "expected"), WHERE)
def test_where_texts(filled, where, expected) -> None:
    reply = filled.call(
        f"<readByQuery><object>ARINVOICE</object><query>{where}</query><fields>RECORDNO</fields></readByQuery>"
    )
    if expected is None:
        assert reply.statuses == ["failure"]
    else:
        assert {int(row["RECORDNO"]) for row in reply.rows} == expected


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_where_parser_refuses_or_reads_anything(text) -> None:
    from tieout.sandbox.intacct.refusals import BookError

    try:
        from_text(text)
    except BookError as refusal:
        found = refusal.errorno
    else:
        found = "XL03000006"
    assert found == "XL03000006"


def test_read_gives_lines_and_skips_missing_keys(client) -> None:
    key = client.invoice("A", "10.00", "2.50")
    reply = client.call(f"<read><object>ARINVOICE</object><keys>{key},999</keys><fields>*</fields></read>")
    assert (reply.data.get("listtype"), reply.data.get("count")) == ("ARINVOICE", "1")
    lines = reply.data[0].find("ARINVOICEITEMS")
    assert [(line.tag, line.findtext("TRX_AMOUNT")) for line in lines] == [
        ("arinvoiceitem", "10.00"),
        ("arinvoiceitem", "2.50"),
    ]
    narrow = client.call(
        f"<read><object>ARINVOICE</object><keys>{key}</keys><fields>RECORDID</fields></read>"
    )
    assert narrow.rows == [{"RECORDID": "A"}]
    by_name = client.call(
        "<readByName><object>CUSTOMER</object><keys>C1,C9</keys><fields>NAME</fields></readByName>"
    )
    assert by_name.rows == [{"NAME": "Name C1"}]


def test_every_field_of_every_object_renders(filled) -> None:
    filled.receipt({"RECORDKEY": "1", "TRX_PAYMENTAMOUNT": "1.00"})
    filled.books.set_stock("MUG-1", "wh-east", "5", "2", "1")
    for name, kind in filled.gateway.reading.reader.objects.items():
        reply = filled.query(name, *kind.fields, order="", more="<pagesize>3</pagesize>")
        assert reply.statuses == ["success"], (name, reply.texts)
        looked = filled.call(f"<lookup><object>{name}</object></lookup>")
        assert {node.text for node in looked.root.iter("ID")} == set(kind.fields)


def test_inspect_tells_lengths(client) -> None:
    detailed = client.call('<inspect detail="1"><object>ARINVOICE</object></inspect>').root
    lengths = {node.findtext("Name"): node.findtext("maxLength") for node in detailed.iter("Field")}
    assert (lengths["RECORDID"], lengths["DOCNUMBER"], lengths["STATE"]) == ("30", "20", "")
    plain = client.call("<inspect><object>ARINVOICE</object></inspect>").root
    assert "RECORDID" in [node.text for node in plain.iter("Field")]
    assert "ARPYMT" in [
        node.text for node in client.call("<inspect><object>*</object></inspect>").root.iter("type")
    ]


def test_stock_totals_are_sums_of_movements(client) -> None:
    client.books.set_stock("MUG-1", "wh-east", "5", "2", "1")
    client.books.set_stock("MUG-1", "wh-east", "3.5", "2", "4")
    client.books.set_stock("MUG-1", "wh-berlin", "9")
    rows = client.call(
        "<get_icitemtotals><itemid>MUG-1</itemid><warehouseid>wh-east</warehouseid></get_icitemtotals>"
    )
    assert {(row["totalname"], row["quantity"]) for row in rows.rows} == {
        ("ONHAND", "3.5"),
        ("ONORDER", "2"),
        ("ALLOCATED", "4"),
    }
    summed = client.query(
        "INVENTORYTOTALDETAIL", "WAREHOUSEKEY", "TOTALNAME", "<sum>QUANTITY</sum>", order=""
    ).rows
    warehouses = {
        row["RECORDNO"]: row["WAREHOUSEID"]
        for row in client.query("WAREHOUSE", "RECORDNO", "WAREHOUSEID").rows
    }
    found = {(warehouses[row["WAREHOUSEKEY"]], row["TOTALNAME"]): row["QUANTITY"] for row in summed}
    assert found[("wh-east", "ONHAND")] == "3.5"
    assert found[("wh-berlin", "ONHAND")] == "9"


def test_closed_books_and_zone_of_stamps(make) -> None:
    client = make(user_gmt_offset_hours=-7.0)
    client.customer()
    client.invoice("A", "1.00")
    row = client.query("ARINVOICE", "WHENMODIFIED", "AUWHENCREATED").rows[0]
    assert row == {"WHENMODIFIED": "11/01/2026 20:00:00", "AUWHENCREATED": "11/02/2026 03:00:00"}
    where = "<equalto><field>WHENMODIFIED</field><value>11/01/2026 20:00:00</value></equalto>"
    assert len(client.query("ARINVOICE", "RECORDNO", where=where).rows) == 1
    closed = client.call("<get_closedbooksdate/>").data[0]
    assert [child.text for child in closed] == ["2026", "08", "31"]


def test_custom_fields_are_kept_and_queried(client) -> None:
    client.invoice("A", "1.00", STOREFRONT_ORDER="W100001", UNKNOWN="x")
    assert client.query("ARINVOICE", "STOREFRONT_ORDER").rows == [{"STOREFRONT_ORDER": "W100001"}]
    assert client.query("ARINVOICE", "UNKNOWN").statuses == ["failure"]
