"""Who may do what to a close in which state: every pair of state and event, drawn; and histories that nobody may write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tieout.errors import InputError
from transforms.closing.lifecycle import (
    KINDS,
    LEGAL,
    Standing,
    after,
    check_clock,
    check_signer,
    standing,
)

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


def event(
    no: int, kind: str, author: str = "tieout", content: str = "c1", revision: int = 1
) -> dict[str, Any]:
    return {
        "event_no": no,
        "kind_code": kind,
        "author": author,
        "content_sha256": content,
        "revision": revision,
        "at": NOON + timedelta(minutes=no),
        "reason": "",
    }


def history(*kinds: str) -> list[dict[str, Any]]:
    authors = {"prepared": "Ana", "locked": "Ben", "reinstated": "Ben", "reopened": "Cleo"}
    return [event(no, kind, authors.get(kind, "tieout")) for no, kind in enumerate(kinds, start=1)]


ALLOWED = """
          closed  voided  prepared  locked  suspended  reinstated  reopened
open      yes     no      no        no      no         no          no
closed    yes     no      yes       no      no         no          yes
prepared  no      yes     no        yes     no         no          yes
locked    no      no      no        no      yes        no          yes
suspended no      no      no        no      no         yes         yes
"""
REACHED = {
    "open": [], "closed": ["closed"], "prepared": ["closed", "prepared"], "locked": ["closed", "prepared", "locked"],
    "suspended": ["closed", "prepared", "locked", "suspended"],
}  # fmt: skip


def cells() -> list[tuple[str, str, bool]]:
    lines = ALLOWED.strip("\n").splitlines()
    heads = lines[0].split()
    return [
        (line.split()[0], kind, word == "yes")
        for line in lines[1:]
        for kind, word in zip(heads, line.split()[1:], strict=True)
    ]


@pytest.mark.parametrize(("state", "kind", "allowed"), cells())
def test_only_the_drawn_moves_are_legal(state: str, kind: str, allowed: bool) -> None:
    now = standing(history(*REACHED[state]))
    assert now.state == state
    if allowed:
        assert after(now, event(9, kind)).state == LEGAL[kind][state]
    else:
        with pytest.raises(InputError):
            after(now, event(9, kind))


def test_the_table_draws_every_event() -> None:
    assert {kind for _state, kind, _ in cells()} == set(KINDS) == set(LEGAL)


def test_a_lock_names_both_and_reopening_forgets_them() -> None:
    locked = standing(history("closed", "prepared", "locked"))
    assert (locked.preparer, locked.reviewer, locked.content_sha256) == ("Ana", "Ben", "c1")
    again = standing(history("closed", "prepared", "locked", "reopened"))
    assert (again.state, again.preparer, again.reviewer) == ("open", "", "")


def test_other_content_voids_the_preparers_signature() -> None:
    events = [*history("closed", "prepared", "voided"), event(4, "closed", content="c2", revision=2)]
    now = standing(events)
    assert (now.state, now.preparer, now.content_sha256, now.revision) == ("closed", "", "c2", 2)


@pytest.mark.parametrize("name", ["Ana", "ana", " ANA ", "Ana\t"])
def test_the_preparer_cannot_review_under_any_spelling(name: str) -> None:
    now = standing(history("closed", "prepared"))
    with pytest.raises(InputError, match="another person"):
        check_signer(now, "reviewer", name)


@pytest.mark.parametrize(
    ("role", "author", "said"),
    [("auditor", "Ben", "not a role"), ("preparer", "  ", "needs a name"), ("reviewer", "", "needs a name")],
)
def test_a_signature_needs_a_role_and_a_name(role: str, author: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_signer(standing(history("closed", "prepared")), role, author)


def test_a_clock_that_was_moved_back_is_refused() -> None:
    now = standing(history("closed"))
    check_clock(now, NOON + timedelta(hours=1))
    with pytest.raises(InputError, match="clock"):
        check_clock(now, NOON - timedelta(days=1))
    check_clock(Standing(), NOON)


@settings(deadline=None)
@given(st.lists(st.sampled_from(KINDS), max_size=12))
def test_no_history_locks_a_close_that_two_people_did_not_sign(kinds: list[str]) -> None:
    now = Standing()
    for no, kind in enumerate(kinds, start=1):
        author = {"prepared": "Ana", "locked": "Ben", "reinstated": "Ben"}.get(kind, "tieout")
        if now.state not in LEGAL[kind]:
            with pytest.raises(InputError, match=r"period"):
                after(now, event(no, kind, author))
            continue
        now = after(now, event(no, kind, author))
        if now.state in ("locked", "suspended"):
            assert (now.preparer, now.reviewer) == ("Ana", "Ben")
        if now.state in ("open", "closed"):
            assert (now.preparer, now.reviewer) == ("", "")
