# SPDX-License-Identifier: GPL-2.0-or-later
"""Hunks at their very lines: the applier's text, or nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from series.lines import split_lines
from series.placement.exact import place_exactly
from series.placement.hunks import apply_change
from tests.series.strategies import change, edited, hunks, texts

TEXT = b"".join(b"%d\n" % number for number in range(1, 31))


@given(st.data())
def test_what_stands_is_what_the_applier_makes(data: st.DataObject) -> None:
    old = data.draw(texts())
    new = data.draw(edited(old))
    made = place_exactly(split_lines(old), hunks(old, new))
    assert made is not None
    assert b"".join(made[0]) == new == apply_change(old, change(b"f", old, new)).text
    assert made[1] == hunks(old, new)


def test_lines_that_are_elsewhere() -> None:
    new = TEXT.replace(b"\n10\n", b"\nten\n").replace(b"\n25\n", b"\n25\nmore\n")
    shifted = b"above\n" * 3 + TEXT
    wanted = hunks(TEXT, new)
    assert place_exactly(split_lines(shifted), wanted) is None
    made = place_exactly(split_lines(shifted), wanted, (0, 3))
    assert made is not None
    assert b"".join(made[0]) == b"above\n" * 3 + new
    assert [hunk.old_start for hunk in made[1]] == [hunk.old_start + 3 for hunk in wanted]
    assert place_exactly(split_lines(shifted), wanted, (2, 4)) is None
    assert place_exactly(split_lines(TEXT[:30]), wanted) is None
