"""A sheet read row by row says what the whole sheet says, wherever its table lies in it and whatever is empty around it."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import python_calamine
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tieout.connectors.storefronts.files_excel import _text, sheet_to_csv
from tieout.errors import InputError

CALM = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
CELL = st.one_of(st.none(), st.none(), st.sampled_from(["W1", " ", "", "#N/A", "=x"]), st.integers(-5, 10**16), st.sampled_from([2.5, 0.1, 1e15]))  # fmt: skip


@CALM
@given(
    grid=st.lists(st.lists(CELL, min_size=3, max_size=3), max_size=6),
    down=st.integers(0, 3),
    right=st.integers(0, 2),
    header_row=st.integers(1, 4),
)
def test_row_by_row_is_the_whole(
    grid: list[list[object]], down: int, right: int, header_row: int, tmp_path: Path
) -> None:
    path, target = tmp_path / "sheet.xlsx", tmp_path / "sheet.csv"
    book = xlsxwriter.Workbook(str(path), {"strings_to_formulas": False})
    sheet = book.add_worksheet()
    for row, line in enumerate(grid):
        for column, value in enumerate(line):
            if value is not None:
                sheet.write(row + down, column + right, value)
    book.close()
    loaded = python_calamine.CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0)
    whole = [[_text(cell) for cell in line] for line in loaded.to_python(skip_empty_area=False)]
    begun = [at for at, line in enumerate(whole) if at >= header_row - 1 and any(map(str.strip, line))]
    table = whole[begun[0] :] if begun else []
    width = max((place + 1 for line in table for place, text in enumerate(line) if text.strip()), default=0)
    wanted = [line[:width] for line in table if any(line[:width])]
    target.unlink(missing_ok=True)
    if not wanted:
        with pytest.raises(InputError, match="is empty"):
            sheet_to_csv(path, target, sheet=None, header_row=header_row)
        assert not target.exists()
        return
    found = sheet_to_csv(path, target, sheet=None, header_row=header_row)
    with target.open(encoding="utf-8", newline="") as stream:
        assert list(csv.reader(stream)) == wanted
    assert [found.headings, *found.sample] == wanted
    assert found.rows == len(wanted) - 1
