"""Replies mangled at random: nothing is accepted that the gateway did not say plainly, and nothing but a malformed reply is raised."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from tieout.connectors.intacct import replies
from tieout.errors import MalformedReply

IDS = ["inv:1", "inv:2", "inv:3", "inv:4"]
WORDS = [
    "success",
    "failure",
    "aborted",
    "Success",
    "SUCCESS",
    " success ",
    "succes",
    "",
    "pending",
    "ok",
    "true",
    "\u0455uccess",
]


def _reply() -> Any:
    results = "".join(
        f"<result><status>success</status><function>create_invoice</function><controlid>{one}</controlid><key>{n}</key></result>"
        for n, one in enumerate(IDS, 1)
    )
    return etree.fromstring(
        "<response><control><status>success</status><controlid>c</controlid></control><operation><authentication>"
        f"<status>success</status></authentication>{results}</operation></response>"
    )


CHANGE = st.one_of(
    st.tuples(st.just("drop"), st.integers(0, 3)),
    st.tuples(st.just("twice"), st.integers(0, 3)),
    st.tuples(st.just("swap"), st.integers(0, 3), st.integers(0, 3)),
    st.tuples(st.just("word"), st.integers(0, 3), st.sampled_from(WORDS)),
    st.tuples(st.just("name"), st.integers(0, 3), st.sampled_from([*IDS, "", "inv:9", "inv:1 ", "INV:1"])),
    st.tuples(st.just("nest"), st.integers(0, 3), st.integers(1, 300)),
    st.tuples(st.just("second status"), st.integers(0, 3), st.sampled_from(WORDS)),
    st.tuples(st.just("control"), st.sampled_from(WORDS)),
    st.tuples(st.just("sign in"), st.sampled_from(WORDS)),
)


def _mangle(root: Any, change: tuple[Any, ...]) -> None:
    operation = root.find("operation")
    results = operation.findall("result")
    kind, *rest = change
    if kind in ("control", "sign in"):
        root.find("control/status" if kind == "control" else "operation/authentication/status").text = rest[0]
        return
    if not results:
        return
    one = results[rest[0] % len(results)]
    if kind == "drop":
        operation.remove(one)
    elif kind == "twice":
        one.addnext(copy.deepcopy(one))
    elif kind == "swap":
        other = results[rest[1] % len(results)]
        if other is not one:
            place = etree.SubElement(operation, "place")
            one.addprevious(place)
            other.addprevious(one)
            place.addprevious(other)
            operation.remove(place)
    elif kind == "word":
        one.find("status").text = rest[1]
    elif kind == "name":
        one.find("controlid").text = rest[1]
    elif kind == "second status":
        etree.SubElement(one, "status").text = rest[1]
    else:
        inner = one
        for _ in range(rest[1]):
            inner = etree.SubElement(inner, "data")


def _plainly_done(root: Any) -> set[str]:
    """What an honest reader may believe: an orderly reply, each result for what was sent, in order, saying success and nothing else."""
    before = [root.findtext("control/status"), root.findtext("operation/authentication/status")]
    if [(word or "").strip() for word in before] != ["success", "success"]:
        return set()
    named = [one.findtext("controlid") for one in root.iterfind("operation/result")]
    places = [IDS.index(name) if name in IDS else -1 for name in named]
    if -1 in places or places != sorted(set(places)):
        return set()
    return {
        one.findtext("controlid")
        for one in root.iterfind("operation/result")
        if [(word.text or "").strip() for word in one.findall("status")] == ["success"]
    }


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.lists(CHANGE, min_size=1, max_size=4))
def test_only_what_is_said_plainly_is_success(changes: list[tuple[Any, ...]]) -> None:
    root = _reply()
    for change in changes:
        _mangle(root, change)
    believed: set[str] = set()
    try:
        reply = replies.parse(etree.tostring(root))
        if reply.control.ok and reply.authentication is not None and reply.authentication.ok:
            matched = reply.matched(IDS)
            assert list(matched) == IDS
            believed = {name for name, one in matched.items() if one.status == "success"}
    except MalformedReply:
        pass
    assert believed <= _plainly_done(root)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.binary(max_size=12), st.booleans())
def test_cut_or_overwritten_bytes_are_malformed_or_read_the_same(at: int, noise: bytes, cut: bool) -> None:
    whole = etree.tostring(_reply())
    at %= len(whole)
    content = whole[:at] if cut else whole[:at] + noise + whole[at + len(noise) :]
    try:
        matched = replies.parse(content).matched(IDS)
    except MalformedReply:
        return
    done = _plainly_done(etree.fromstring(content))
    assert {name for name, one in matched.items() if one.status == "success"} <= done or not done


def test_deep_nesting_ends() -> None:
    deep = b"<response>" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</response>"
    with pytest.raises(MalformedReply, match="not well-formed"):
        replies.parse(deep)
