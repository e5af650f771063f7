# SPDX-License-Identifier: GPL-2.0-or-later
"""Our hunks against unidiff's, on the diffs where both are sound."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from unidiff.patch import PatchSet

from series.reading.diff import parse_diff
from tests.series.strategies import LINES, change, edited, render, texts


@given(st.data())
def test_same_hunks(data: st.DataObject) -> None:
    old = data.draw(texts(LINES))
    new = data.draw(edited(old, LINES))
    text = render(change(b"f", old, new))
    (ours,) = parse_diff(text, "p")
    theirs = PatchSet(text.decode())
    pairs = list(zip(ours.hunks, theirs[0] if ours.hunks else [], strict=True))
    for mine, other in pairs:
        assert (mine.old_start, mine.old_count) == (other.source_start, other.source_length)
        assert (mine.new_start, mine.new_count) == (other.target_start, other.target_length)
        kept = [line for line in other if line.line_type != "\\"]
        assert [line.op.decode() for line in mine.lines] == [line.line_type for line in kept]
        assert [line.text.rstrip(b"\n") for line in mine.lines] == [
            line.value.encode().rstrip(b"\n") for line in kept
        ]
    assert sum(m.new_count - m.old_count for m, _ in pairs) == sum(
        file.added - file.removed for file in theirs
    )
