# SPDX-License-Identifier: GPL-2.0-or-later
"""Hunks found in the bytes at their stated lines, held against the search by lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from series.lines import split_lines
from series.placement.hunks import PlaceError, apply_change, apply_hunks
from series.placement.stated import Edit, edited, edits_as_stated
from tests.series.strategies import LINES, change, hunks, texts
from tests.series.strategies import edited as redrawn

NUMBERS = b"".join(b"%d\n" % number for number in range(1, 31))


@given(st.data())
def test_as_the_search_by_lines_has_it(data: st.DataObject) -> None:
    old = data.draw(texts(LINES))
    made = hunks(old, data.draw(redrawn(old, LINES)), context=data.draw(st.integers(0, 3)))
    target = data.draw(st.one_of(st.just(old), redrawn(old, LINES)))
    edits = edits_as_stated(target, made)
    lines = split_lines(target)
    try:
        places = apply_hunks(lines, made, b"f")
    except PlaceError:
        assert edits is None
        return
    at_home = not any(place.offset for place in places)
    if edits is not None:
        assert edited(target, edits) == b"".join(lines)
        assert at_home
    elif target == old:
        assert any(not b"".join(hunk.before) for hunk in made)


def test_only_what_changes_is_in_an_edit() -> None:
    text = NUMBERS.replace(b"8\n", b"eight\n", 1).replace(b"25\n", b"")
    edits = edits_as_stated(NUMBERS, hunks(NUMBERS, text, context=1))
    assert edits == (
        Edit(NUMBERS.index(b"7\n"), 6, b"7\neight\n9\n"),
        Edit(NUMBERS.index(b"24\n"), 9, b"24\n26\n"),
    )


def test_a_twin_above_is_not_taken() -> None:
    text = b"{\n}\n\n" * 9
    lines = split_lines(text)
    lines.insert(16, b"x\n")
    made = hunks(text, b"".join(lines), context=2)
    edits = edits_as_stated(text, made)
    assert edits is not None
    assert edited(text, edits) == b"".join(lines)


def test_the_end_of_another_line_is_no_line() -> None:
    made = hunks(b"b\nc\nd\ne\n", b"b\nc\nd\ne\nx\n", context=1)
    assert edits_as_stated(b"b\nc\nd\nee\n", made) is None


def test_a_text_of_equal_lines_is_left_to_the_search_by_lines() -> None:
    text = b"\n" * 10_000
    new = b"\n" * 5_000 + b"x\n" + b"\n" * 5_000
    one = change(b"f", b"\n" * 10, b"\n" * 5 + b"x\n" + b"\n" * 5).hunks[0]
    far = type(one)(4_998, one.old_count, 4_998, one.new_count, one.section, one.lines)
    assert edits_as_stated(text, [far]) is None
    moved = change(b"f", b"a\n", b"b\n")
    placed = apply_change(text, type(moved)("modify", b"f", b"f", hunks=(far,)))
    assert placed.exact
    assert placed.text == new
    assert placed.edits == ()
