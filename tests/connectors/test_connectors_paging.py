"""Windows are half-open, walks end, and a page that leads nowhere is noticed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.connectors.paging import Key, Progress, Window, milliseconds_up, stamp, surrogate_ref
from tieout.errors import Incomplete, InputError

NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)


def test_a_window_holds_its_start_and_not_its_end():
    window = Window(NOON, NOON + timedelta(hours=1))
    assert NOON in window
    assert NOON + timedelta(hours=1) not in window
    assert NOON - timedelta(microseconds=1) not in window
    assert NOON in Window()


@given(st.integers(0, 10**9), st.integers(1, 10**9), st.integers(0, 2 * 10**9))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_neighbouring_windows_share_no_instant_and_leave_none_out(start, length, probe):
    a, b, c = (NOON + timedelta(microseconds=m) for m in (start, start + length, start + 2 * length))
    instant = NOON + timedelta(microseconds=probe)
    assert (instant in Window(a, b)) + (instant in Window(b, c)) == (instant in Window(a, c))


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (NOON, NOON),
        (NOON, NOON - timedelta(1)),
        (NOON.replace(tzinfo=None), None),
        (None, NOON.replace(tzinfo=None)),
    ],
)
def test_windows_that_make_no_sense(start, end):
    with pytest.raises(InputError):
        Window(start, end)


def test_overlap_moves_the_start_only():
    assert Window(NOON, None).widened(timedelta(minutes=5)) == Window(NOON - timedelta(minutes=5), None)
    assert Window(None, NOON).widened(timedelta(minutes=5)) == Window(None, NOON)


def test_stamps_round_up_because_sources_keep_milliseconds():
    assert stamp(NOON) == "2026-09-01T12:00:00.000Z"
    assert stamp(NOON + timedelta(microseconds=1)) == "2026-09-01T12:00:00.001Z"
    assert stamp(NOON + timedelta(microseconds=999_999)) == "2026-09-01T12:00:01.000Z"
    berlin = timezone(timedelta(hours=2))
    assert stamp(datetime(2026, 9, 1, 14, tzinfo=berlin)) == "2026-09-01T12:00:00.000Z"


@given(st.integers(0, 10**7), st.integers(0, 10**4))
@settings(max_examples=80, deadline=None, derandomize=True)
def test_a_rounded_bound_selects_the_same_milliseconds(bound, kept):
    edge, instant = NOON + timedelta(microseconds=bound), NOON + timedelta(milliseconds=kept)
    assert (instant >= edge) == (instant >= milliseconds_up(edge))


def at(seconds: int, ref: str) -> Key:
    instant = NOON + timedelta(seconds=seconds)
    return Key(ref, instant, stamp(instant))


# last page's end   this page's end   refs of this page   moves?
MOVES = """
0 b    0 c    c,d     yes
0 b    5 a    a       yes
0 b    0 b    b       no
0 b    0 a    a       no
5 b    0 z    z       no
0 b    1 b    a,b     yes
0 a    0 b    a,b     no
"""


@pytest.mark.parametrize("line", MOVES.strip().splitlines())
def test_whether_a_page_moves_the_walk(line):
    s1, r1, s2, r2, refs, answer = line.split()
    progress = Progress("things")
    progress.advance(["a", "b"], at(int(s1), r1))
    assert progress.moves(refs.split(","), at(int(s2), r2)) is (answer == "yes")


def test_a_page_without_any_key_is_only_good_as_the_last():
    progress = Progress("things")
    assert not progress.moves([], None)
    assert progress.moves([], None, last=True)


def test_a_walk_has_a_last_page():
    progress = Progress("things", max_pages=2)
    progress.advance(["a"], Key("a"))
    progress.advance(["b"], Key("b"))
    with pytest.raises(Incomplete, match="did not end after 2 pages"):
        progress.advance(["c"], Key("c"))


def test_ids_of_other_alphabets_are_left_to_the_source():
    progress = Progress("things")
    progress.advance(["É1"], Key("É1"))
    assert progress.moves(["Z9"], Key("Z9"))
    assert not progress.moves(["É1"], Key("É1"))


def test_surrogates_follow_the_bytes():
    assert surrogate_ref(b"x") == surrogate_ref(b"x") != surrogate_ref(b"y")
    assert surrogate_ref(b"x").startswith("sha256:")
