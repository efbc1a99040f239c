"""Plain files of every make: what comes out is one kind of CSV with the same values, or one clear sentence."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import resource
import zipfile
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tieout.connectors.storefronts.files import ColumnMap, Files, Source
from tieout.connectors.storefronts.files_csv import normalise
from tieout.connectors.storefronts.files_writing import dates_are_iso, decimal_mark
from tieout.errors import InputError

HEAD = "order_number,placed_at,currency,total,customer\n"
ROW = "W1,2026-09-01T10:00:00Z,EUR,12.50,Zoë\n"


def put(tmp_path: Path, content: bytes | str, name: str = "orders.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def take(path, subject="orders", toml=""):
    files = Files({subject: str(path)}, ColumnMap.parse(toml), work_dir=Path(path).parent / "work")
    (batch,) = files.open(subject)
    return batch


def rows(batch):
    with batch.path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream, strict=True))[1:]


def test_a_plain_file_is_not_copied(tmp_path):
    path = put(tmp_path, HEAD + ROW * 3 + 'W2,2026-09-01T10:00:00Z,EUR,1.00,"a ""b"", c\nd"\n')
    batch = take(path)
    assert batch.path == path
    assert (batch.rows, batch.encoding, batch.delimiter, batch.format) == (4, "utf-8", ",", "csv")
    assert batch.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert batch.header == ["order_number", "placed_at", "currency", "total", "customer"]
    assert batch.problems == ()
    assert rows(batch)[3][4] == 'a "b", c\nd'


SAME = HEAD + ROW + "W2,2026-09-02T10:00:00Z,EUR,7.00,Ann\n"
EXPECTED = [
    ["W1", "2026-09-01T10:00:00Z", "EUR", "12.50", "Zoë"],
    ["W2", "2026-09-02T10:00:00Z", "EUR", "7.00", "Ann"],
]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bom", SAME.encode("utf-8-sig")),
        ("utf-16", SAME.encode("utf-16")),
        ("utf-16 big", b"\xfe\xff" + SAME.encode("utf-16-be")),
        ("utf-16 without mark", SAME.encode("utf-16-le")),
        ("utf-32", SAME.encode("utf-32")),
        ("windows", SAME.encode("cp1252")),
        ("semicolons", SAME.replace(",", ";").encode()),
        ("tabs", SAME.replace(",", "\t").encode()),
        ("bars", SAME.replace(",", "|").encode()),
        ("crlf", SAME.replace("\n", "\r\n").encode()),
        ("cr", SAME.replace("\n", "\r").encode()),
        ("mixed ends", SAME.replace("\n", "\r\n", 1).encode()),
        ("excel hint", ("sep=;\r\n" + SAME.replace(",", ";")).encode()),
        ("blank lines", SAME.replace("\n", "\n\n").encode()),
        ("leading blank", ("\n\n" + SAME).encode()),
        ("leading empty row", (",,,,\n" + SAME).encode()),
        ("empty rows", (SAME + ",,,,\n,,,,\n").encode()),
        ("no last line end", SAME.rstrip("\n").encode()),
        (
            "all quoted",
            "\n".join(",".join(f'"{v}"' for v in line.split(",")) for line in SAME.splitlines()).encode(),
        ),
    ],
)
def test_the_same_orders_in_any_dress(tmp_path, name, content):
    batch = take(put(tmp_path, content))
    assert rows(batch) == EXPECTED
    assert batch.rows == 2
    assert batch.original.name == "orders.csv"
    assert batch.sha256 == hashlib.sha256(content).hexdigest()
    assert (batch.path == batch.original) is (name in ("crlf", "no last line end", "all quoted"))
    assert not list(tmp_path.rglob("*.part"))
    if name == "windows":
        assert any("Windows-1252" in problem for problem in batch.problems)


def test_a_literal_quote_in_an_unquoted_value_is_made_regular(tmp_path):
    batch = take(put(tmp_path, HEAD + 'W1,2026-09-01,EUR,1.00,5" pipe\n'))
    assert rows(batch)[0][4] == '5" pipe'
    assert batch.path != batch.original


def test_rows_above_the_header_are_skipped_by_the_map(tmp_path):
    path = put(tmp_path, "Report of today\nmade by me\n" + SAME)
    assert rows(take(path, toml="[orders]\nheader_row = 3")) == EXPECTED


BAD = {
    "empty": (b"", "is empty"),
    "only a mark": (b"\xef\xbb\xbf\r\n \n", "is empty"),
    "nul": ((HEAD + ROW + "W2,\x00,EUR,1,x\n").encode(), "NUL byte near line 3"),
    "short row": (
        (HEAD + ROW + "W2,2026-09-01\n" + ROW).encode(),
        r"1 row that do(es)? not fit .*line 3 has 2",
    ),
    "long row": ((HEAD + ROW + ROW.strip().encode().decode() + ",x\n").encode(), "line 3 has 6"),
    "cut in a quote": ((HEAD + 'W1,2026-09-01,EUR,1.00,"abc').encode(), "quote is not closed|cut short"),
    "text after a quote": ((HEAD + 'W1,2026-09-01,EUR,1.00,"abc"d\n').encode(), "line 2"),
    "duplicate": ((HEAD.strip() + ",Total\n").encode(), '"Total" stands twice'),
    "missing": (b"order_number,currency\nW1,EUR\n", "placed_at is missing.*total is missing"),
    "extra": ((HEAD.strip() + ",Colour\n").encode(), '"Colour" is not known.*ignore'),
    "gzip": (b"\x1f\x8b\x08" + b"0" * 40, "unpack it first"),
    "pdf": (b"%PDF-1.7 xxxx", "not a table"),
    "zip that is no workbook": (b"PK\x03\x04" + b"x" * 50, "cannot be read as a workbook"),
    "parquet that is none": (b"PAR1" + b"x" * 50, "cannot be read as Parquet"),
}


@pytest.mark.parametrize("how", BAD)
def test_bad_files_get_one_clear_sentence(tmp_path, how):
    content, words = BAD[how]
    with pytest.raises(InputError, match=words) as caught:
        take(put(tmp_path, content))
    assert "orders.csv" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_many_ragged_rows_are_counted_and_the_first_named(tmp_path):
    with pytest.raises(InputError, match=r"9 rows .*line 2 has 2, .*line 6 has 2 and 4 more"):
        take(put(tmp_path, HEAD + "W,1\n" * 9))


def test_a_named_encoding_is_held_to_its_word(tmp_path):
    path = put(tmp_path, SAME.encode("cp1252"))
    with pytest.raises(InputError, match="not valid utf-8"):
        take(path, toml='[orders]\nencoding = "utf-8"')
    assert rows(take(path, toml='[orders]\nencoding = "latin-1"')) == EXPECTED


def test_header_without_rows(tmp_path):
    batch = take(put(tmp_path, HEAD))
    assert batch.rows == 0
    assert any("no rows" in problem for problem in batch.problems)


def test_globs_take_every_file_once_and_twins_are_read_once(tmp_path):
    put(tmp_path, HEAD + ROW, "a.csv")
    put(tmp_path, HEAD + ROW, "b.csv")
    put(tmp_path, SAME.replace(",", ";"), "c.csv")
    files = Files(
        {"orders": Source((str(tmp_path / "*.csv"), str(tmp_path / "a.csv")), "shop")},
        work_dir=tmp_path / "w",
    )
    first, third = files.open("orders")
    assert [first.original.name, third.original.name] == ["a.csv", "c.csv"]
    assert first.source == "shop"
    assert any("b.csv has the same bytes" in problem for problem in first.problems)
    folder = tmp_path / "gone.csv"
    folder.symlink_to(tmp_path / "nowhere")
    for pattern, words in (
        ("gone.csv", "matches no file"),
        ("*.tsv", "matches no file"),
        ("", "is a folder"),
    ):
        with pytest.raises(InputError, match=words):
            Files({"orders": str(tmp_path / pattern)}).open("orders")
    with pytest.raises(InputError, match="No files are given for payments"):
        files.open("payments")
    with pytest.raises(InputError, match="no files of kind ordres"):
        Files({"ordres": "x"})


def test_header_problems_of_all_files_come_together(tmp_path):
    put(tmp_path, "order_number,total\nW1,1\n", "a.csv")
    put(tmp_path, HEAD.strip() + ",Colour\n", "b.csv")
    with pytest.raises(InputError) as caught:
        Files({"orders": str(tmp_path / "*.csv")}).open("orders")
    assert len(caught.value.context["problems"]) == 3


def test_temporary_copies_go_when_closed(tmp_path):
    put(tmp_path, SAME.replace(",", ";"))
    with Files({"orders": str(tmp_path / "orders.csv")}) as files:
        (batch,) = files.open("orders")
        assert batch.path.exists()
    assert not batch.path.exists()


def test_a_mapped_german_export(tmp_path):
    toml = """
[orders]
date_format = "%d.%m.%Y"
thousands = "."
[orders.columns]
order_number = "Bestell-Nr"
placed_at = "Datum"
total = ["Netto", "MwSt"]
[orders.constants]
currency = "EUR"
"""
    path = put(tmp_path, "Bestell-Nr;Datum;Netto;MwSt\nW1;03.09.2026;1.234,50;12,00\n".encode("cp1252"))
    batch = take(path, toml=toml)
    assert batch.header == ["order_number", "placed_at", "total__1", "total__2"]
    assert (batch.decimal, batch.constants, batch.sums) == (
        ",",
        {"currency": "EUR"},
        {"total": ("total__1", "total__2")},
    )
    assert rows(batch) == [["W1", "03.09.2026", "1.234,50", "12,00"]]
    assert any("decimal comma" in problem for problem in batch.problems)
    assert not any("ISO" in problem for problem in batch.problems)


# values | mark | doubt?
MARKS = """
12.50 7.00       | . | no
12,50 7,00       | , | no
1.234,50         | , | no
1,234.50         | . | no
1.234            | - | yes
1,234            | - | yes
12 7 -3          | - | no
12,5 12.5        | - | yes
(12,50) 12,50-   | , | no
€12,50 EUR9,99   | , | no
0.12345          | . | no
1'234.50         | . | no
-                | - | no
"""


@pytest.mark.parametrize("line", MARKS.strip().splitlines())
def test_decimal_marks(line):
    values, mark, doubt = (part.strip() for part in line.split("|"))
    found, sentence = decimal_mark(values.split())
    assert found == (None if mark == "-" else mark)
    assert (sentence is not None) is (doubt == "yes")


def test_iso_dates():
    assert dates_are_iso(["2026-09-01", "", "2026-09-01T10:00:00.123Z", "2026-09-01 10:00:00+02:00"])
    assert not dates_are_iso(["2026-09-01", "01.09.2026"])


# ── Excel and Parquet ──


def workbook(path: Path, sheets: dict[str, list[list[object]]], hidden: str | None = None) -> Path:
    book = xlsxwriter.Workbook(str(path))
    date = book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
    for name, lines in sheets.items():
        sheet = book.add_worksheet(name)
        for row, line in enumerate(lines):
            for column, cell in enumerate(line):
                if isinstance(cell, dt.datetime | dt.date):
                    sheet.write_datetime(row, column, cell, date)
                elif isinstance(cell, str):
                    sheet.write_string(row, column, cell)
                elif cell is not None:
                    sheet.write(row, column, cell)
        if name == hidden:
            sheet.hide()
    book.close()
    return path


HEADINGS = ["Order No.", "Placed at", "Currency", "Total", "Customer"]


def test_a_workbook(tmp_path):
    lines = [
        HEADINGS,
        [100123, dt.datetime(2026, 9, 1, 10, 30), "EUR", 0.1 + 0.2, 'Zoë, "x"\ny'],
        [None, None, None, None, None],
        ["W2", dt.datetime(2026, 9, 2), "EUR", 1234567.89, None],
        ["=cmd()", dt.date(2026, 9, 3), "JPY", 1e15, "'"],
        [1234567890123456, dt.date(2026, 9, 3), "JPY", -5, True],
    ]
    batch = take(
        workbook(tmp_path / "orders.xlsx", {"Hidden": [["x"]], "Data": lines}, hidden="Nothing"),
        toml='[orders]\nsheet = "Data"',
    )
    assert rows(batch) == [
        ["100123", "2026-09-01T10:30:00", "EUR", "0.3", 'Zoë, "x"\ny'],
        ["W2", "2026-09-02", "EUR", "1234567.89", ""],
        ["=cmd()", "2026-09-03", "JPY", "1000000000000000", "'"],
        ["1234567890123460", "2026-09-03", "JPY", "-5", "true"],
    ]
    assert (batch.rows, batch.format, batch.header[0]) == (4, "csv", "order_number")
    assert any("more than 15 digits" in problem for problem in batch.problems)


def test_sheets_are_chosen_by_name_or_said(tmp_path):
    path = workbook(
        tmp_path / "o.xlsx", {"First": [HEADINGS], "Second": [HEADINGS, ["W9", "2026-09-01", "EUR", 1, "x"]]}
    )
    assert any('sheet "First" is read' in problem for problem in take(path).problems)
    assert rows(take(path, toml='[orders]\nsheet = "Second"'))[0][0] == "W9"
    with pytest.raises(InputError, match='no sheet "Third"; it has First, Second'):
        take(path, toml='[orders]\nsheet = "Third"')
    empty = workbook(tmp_path / "e.xlsx", {"Only": []})
    with pytest.raises(InputError, match="is empty"):
        take(empty)


def test_a_zip_bomb_is_not_opened(tmp_path):
    path = tmp_path / "orders.xlsx"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/worksheets/sheet1.xml", "w") as part,
    ):
        for _ in range(100):
            part.write(bytes(1024 * 1024))
    with pytest.raises(InputError, match="unpacks to 100 MiB"):
        take(path)


def test_parquet_is_read_where_it_lies(tmp_path):
    table = pa.table(
        {
            "Order Number": ["W1"],
            "placed_at": [dt.datetime(2026, 9, 1, tzinfo=dt.UTC)],
            "currency": ["EUR"],
            "total": [Decimal("12.50")],
            "tax": [1.5],
        }
    )
    path = tmp_path / "orders.parquet"
    pq.write_table(table, path)
    batch = take(path)
    assert (batch.path, batch.format, batch.rows) == (path, "parquet", 1)
    assert batch.header == ["order_number", "placed_at", "currency", "total", "tax"]
    assert batch.floats == ("tax",)
    assert any("floating point" in problem for problem in batch.problems)


# ── large and fuzzed ──


def test_a_large_file_is_streamed(tmp_path):
    """Forty megabytes are proved regular in place, with the memory of a few chunks."""
    path = tmp_path / "orders.csv"
    block = "".join(
        f"W{n},2026-09-01T10:00:00Z,EUR,12.50,Ann of a rather long name {n}\n" for n in range(20_000)
    )
    with path.open("w") as out:
        out.write(HEAD)
        for _ in range(30):
            out.write(block)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    batch = take(path)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert (batch.rows, batch.path) == (600_000, path)
    assert grown < 30_000


cells = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8) | st.sampled_from(
    ['a"b', "x;y", "1,5", "l1\nl2", ""]
)


@given(
    st.lists(st.lists(cells, min_size=5, max_size=5), max_size=6),
    st.sampled_from(",;\t|"),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["\n", "\r\n"]),
)
@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_is_written_comes_back_value_for_value(tmp_path, lines, delimiter, encoding, end):
    out = io.StringIO(newline="")
    quoting = (
        csv.QUOTE_MINIMAL if end == "\r\n" else csv.QUOTE_ALL
    )  # the writer leaves a lone CR bare otherwise
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerow(HEAD.strip().split(","))
    writer.writerows(lines)
    batch = take(put(tmp_path, out.getvalue().encode(encoding)))
    kept = [line for line in lines if any(line)]
    assert rows(batch) == kept
    assert batch.rows == len(kept)


@given(st.binary(max_size=300))
@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_bytes_are_a_table_or_one_clear_error(tmp_path, noise):
    for content in (noise, HEAD.encode() + noise, HEAD.encode("utf-16") + noise):
        path = put(tmp_path, content)
        try:
            text = normalise(path, tmp_path / "copy.csv")
        except InputError as error:
            assert error.sentence.endswith(".")  # noqa: PT017  either outcome is fine, a crash is not
            continue
        with text.path.open(encoding="utf-8", newline="") as stream:
            widths = {len(row) for row in csv.reader(stream) if row}
        assert widths == {len(text.headings)}
