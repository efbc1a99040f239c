"""The column map: every problem at once, and nothing it says is taken on trust."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.connectors.storefronts.files_layout import LAYOUTS, default_layout, fold, read_header, synonyms
from tieout.connectors.storefronts.files_map import ColumnMap, SubjectMap
from tieout.errors import InputError

GOOD = """
[defaults]
decimal = ","
[orders]
date_format = "%d.%m.%Y"
thousands = "."
time_zone = "Europe/Berlin"
rows = "line"
ignore = ["Notes"]
sign = "refunds_negative"
[orders.columns]
order_number = "Order No."
total = ["Net", "VAT"]
[orders.constants]
currency = "EUR"
[orders.status]
paid = "complete"
"""


def test_a_good_map():
    parsed = ColumnMap.parse(GOOD)
    orders = parsed.of("orders")
    assert (orders.decimal, orders.thousands, orders.per_line) == (",", ".", True)
    assert orders.columns == {"order_number": "Order No.", "total": ["Net", "VAT"]}
    assert orders.status == {"paid": "complete"}
    assert parsed.of("stock").decimal == ","
    assert ColumnMap().of("orders") == SubjectMap()


def test_all_problems_come_at_once():
    bad = """
[ordres]
x = 1
[orders]
decimal = ";"
thousand = "."
sign = "minus"
date_format = "%d.%m"
time_zone = "Mars/Olympus"
header_row = 0
encoding = "utf-9"
rows = "both"
[orders.columns]
ordernumber = "Order"
order_number = ["A", "B"]
store = ""
currency = "Cur"
line_sku = "SKU"
[orders.constants]
currency = "EUR"
[payments]
decimal = ","
thousands = ","
"""
    with pytest.raises(InputError) as caught:
        ColumnMap.parse(bad, name="map.toml")
    text = str(caught.value)
    for words in (
        "map.toml has 15 problems", "[ordres]", "[orders] decimal", "thousand;", "[orders] sign", "%d.%m", "Mars/Olympus",
        "header_row", "utf-9", "[orders] rows", "columns.ordernumber", "only amounts can be added", "columns.store is empty",
        "currency is both", "columns.line_sku needs rows", "same mark",
    ):  # fmt: skip
        assert words.rstrip(";") in text, words
    assert "\n" not in text


@pytest.mark.parametrize("text", ["[orders", "a = ", "orders = 1", 'defaults = 1\n[orders]\ndecimal = ","'])
def test_what_is_no_map(text):
    with pytest.raises(InputError):
        ColumnMap.parse(text)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        ColumnMap.load(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_bytes(b"[orders]\ntime_zone = '\xff'\n")
    with pytest.raises(InputError, match="UTF-8"):
        ColumnMap.load(tmp_path / "bad.toml")
    (tmp_path / "good.toml").write_text("\ufeff" + GOOD, encoding="utf-8")
    assert ColumnMap.load(tmp_path / "good.toml").of("orders").per_line


@pytest.mark.parametrize("text", ["%Y-%m-%d", "%d/%m/%y", "%m/%d/%Y", "%d %b %Y", "%d.%m.%Y %H:%M"])
def test_date_formats_that_tell_a_date(text):
    assert ColumnMap.parse(f'[orders]\ndate_format = "{text}"').of("orders").date_format == text


@pytest.mark.parametrize("text", ["", "%Y", "%m/%Y", "DD.MM.YYYY", "%H:%M", "%Q"])
def test_date_formats_that_do_not(text):
    with pytest.raises(InputError, match="does not tell day, month and year"):
        ColumnMap.parse(f'[orders]\ndate_format = "{text}"')


@given(st.text(max_size=120))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_any_text_is_a_map_or_one_clear_error(text):
    try:
        ColumnMap.parse("[orders]\n" + text)
    except InputError as error:
        assert error.sentence.endswith(".")  # noqa: PT017  either outcome is fine, a crash is not


settings_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda x: st.lists(x, max_size=2) | st.dictionaries(st.text(max_size=5), x, max_size=2),
    max_leaves=4,
)


@given(st.sampled_from(SubjectMap.__struct_fields__), settings_values)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_any_value_of_a_setting_is_good_or_an_error_that_names_it(name, value):
    problems: list[str] = []
    from tieout.connectors.storefronts.files_map import _subject

    parsed = _subject("orders", {name: value}, problems)
    assert parsed is not None
    assert all(problem.startswith("[orders]") for problem in problems)


# ── headers ──


def header(subject, headings, **options):
    given_options = {"mapped": {}, "ignore": [], "constants": (), "per_line": False, **options}
    return read_header(subject, headings, **given_options)


@pytest.mark.parametrize("subject", LAYOUTS)
def test_the_documented_layout_needs_no_map(subject):
    headings = [name.rstrip("*") for name in default_layout(subject)[subject]]
    for written in (
        headings,
        [name.upper() for name in headings],
        [name.replace("_", " ").title() for name in headings],
    ):
        reading = header(subject, written)
        assert reading.names == headings
        assert reading.wrong == []
        assert reading.synonyms == {}


# subject | header as exported | canonical
EXPORTS = """
orders       | Name;Created at;Currency;Total;Email;Subtotal;Shipping;Taxes;Discount Amount   | order_number;placed_at;currency;total;email;goods;shipping;tax;discount
orders       | Order #;Order Date;Currency Code;Grand Total                                   | order_number;placed_at;currency;total
orders       | Increment ID;Purchase Date;Currency;Order Total;Customer Email                 | order_number;placed_at;currency;total;email
invoices     | RECORDID;DOCNUMBER;CUSTOMERID;WHENCREATED;CURRENCY;TRX_TOTALENTERED;MEGAENTITYID;RECORDNO;WHENPOSTED | invoice_number;reference;customer;invoiced_on;currency;total;entity;_ignored_8;_ignored_9
invoices     | Invoice No.;Reference no;Invoice date;Currency;Total amount                    | invoice_number;reference;invoiced_on;currency;total
payments     | Transaction ID;Order Number;Payment Date;Amount;Currency;Gateway;Type          | payment_ref;order_number;paid_at;amount;currency;method;kind
receipts     | RECORDNO;DOCNUMBER;RECEIPTDATE;CURRENCY;TRX_TOTALENTERED;CUSTOMERID            | receipt_ref;reference;received_on;currency;amount;customer
credit_memos | RECORDID;WHENCREATED;CURRENCY;TRX_TOTALENTERED;DOCNUMBER                       | credit_memo_number;issued_on;currency;total;reference
stock        | SKU;Warehouse;Qty on hand;Reserved                                             | sku;location;on_hand;allocated
"""


@pytest.mark.parametrize("line", EXPORTS.strip().splitlines())
def test_known_exports_are_recognised(line):
    subject, written, names = (part.strip() for part in line.split("|"))
    reading = header(subject, written.split(";"))
    assert reading.wrong == []
    assert reading.names == names.split(";")


def test_a_synonym_used_is_said():
    reading = header("stock", ["Item", "On hand"])
    assert reading.synonyms == {"Item": "sku"}
    assert reading.notes == ['column "Item" is read as sku']


def test_our_own_name_beats_a_synonym_and_two_synonyms_are_an_error():
    reading = header("stock", ["sku", "Item", "on_hand"])
    assert reading.names == ["sku", "_ignored_2", "on_hand"]
    assert reading.wrong == ['column "Item" is not known; map it, or add it to ignore = ["Item"]']
    reading = header("stock", ["Product code", "Item", "on_hand"])
    assert any("could both be sku" in wrong for wrong in reading.wrong)


def test_missing_extra_and_duplicate_come_together():
    reading = header("orders", ["order_number", "Order Number", "Colour", "total"])
    text = "; ".join(reading.wrong)
    for words in (
        '"Order Number" stands twice',
        '"Colour" is not known',
        "placed_at is missing",
        "currency is missing",
    ):
        assert words in text


def test_constants_lifts_ignores_and_sums():
    reading = header(
        "orders",
        ["order_number", "placed_at", "Net", "VAT", "Note", ""],
        mapped={"total": ["Net", "VAT"]},
        ignore=["*"],
        constants=("currency",),
    )
    assert reading.wrong == []
    assert reading.names == ["order_number", "placed_at", "total__1", "total__2", "_ignored_5", "_ignored_6"]
    assert reading.sums == {"total": ("total__1", "total__2")}
    lines = header("orders", ["order_number", "placed_at", "currency", "line_net"], per_line=True)
    assert lines.wrong == []
    assert header("orders", ["order_number", "placed_at", "currency", "line_net"]).wrong != []


def test_a_mapped_column_that_is_not_there_or_used_twice():
    reading = header(
        "stock", ["sku", "on_hand"], mapped={"location": "Site", "sku": "sku", "on_order": "sku"}
    )
    assert 'column "Site" (for location) is not in the file' in reading.wrong
    assert 'column "sku" is mapped twice, to sku and on_order' in reading.wrong


@pytest.mark.parametrize("subject", LAYOUTS)
def test_no_synonym_hides_a_column(subject):
    layout = LAYOUTS[subject]
    own = {fold(name) for name in layout.columns + layout.line}
    assert own.isdisjoint(synonyms(subject))
    assert set(synonyms(subject).values()) <= set(layout.columns + layout.line)


@given(st.lists(st.text(max_size=12), max_size=8))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_any_header_is_read_without_a_crash_and_names_are_unique(headings):
    for per_line in (False, True):
        reading = header("orders", headings, per_line=per_line)
        assert len(reading.names) == len(headings)
        assert len(set(reading.names)) == len(headings) or any("twice" in wrong for wrong in reading.wrong)
