"""Every planted difference is found under its code and nothing else is: a small dose of `make accuracy`."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).resolve().parent


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("accuracy_measure", HERE / "measure.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


MEASURE = loaded()


@pytest.mark.parametrize("rate", [20, 60])
def test_precision_and_recall_are_one_for_every_code(rate: int) -> None:
    made = MEASURE.world(300, rate)
    wrong = [one for one in MEASURE.scores([made]) if not one.is_perfect]
    assert wrong == []


def test_every_kind_of_difference_is_planted() -> None:
    planted = set(MEASURE.world(300, 60).truth.values())
    plain = {fault for fault in MEASURE.FAULTS if fault != "gl_cut_off"}
    assert plain <= planted


def test_the_published_table_says_what_the_code_measures_and_is_perfect() -> None:
    text = (MEASURE.PAGE).read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+) \| ([\d,]+) \| ([\d.]+) \| ([\d.]+) \|$", text, re.MULTILINE)
    worlds = set(MEASURE.world(300, 60).truth.values())
    assert {row[0] for row in rows} == worlds
    assert {row[3:] for row in rows} == {("1.0000", "1.0000")}


def test_a_score_is_not_rounded_up() -> None:
    assert MEASURE.share(9_999_999, 10_000_000) == "0.9999"
    assert MEASURE.share(3, 3) == "1.0000"
