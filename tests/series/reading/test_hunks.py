# SPDX-License-Identifier: GPL-2.0-or-later
"""Hunks byte for byte: against an independent reader on generated diffs, and what unidiff lacks."""

from __future__ import annotations

import re
from typing import Any

import pytest
import unidiff.patch
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from series.model import Hunk, HunkLine
from series.reading.diff import parse_diff
from series.reading.diff_lines import DiffError
from tests.series.reading.hunk_reader import read_plainly
from tests.series.strategies import LINES, change, edited, render, texts

# Whatever a line may hold: any byte but its end, and what cuts lines elsewhere, or looks like a header.
HOSTILE = st.one_of(
    LINES,
    st.binary(max_size=12).map(lambda text: text.replace(b"\n", b"") + b"\n"),
    st.sampled_from(
        [
            b"-- a/f\n",
            b"++ b/f\n",
            b"@@ -1 +1 @@\n",
            b"diff --git a/f b/f\n",
            b"a\x0bb\x0cc\x1cd\x1d\x1e\x85\n",
            "a\u2028b\u2029\n".encode(),
            b"\r\n",
            b"\\ No newline at end of file\n",
            b"\xff\xfe\n",
        ]
    ),
)


def both(diff: bytes) -> tuple[tuple[Hunk, ...], tuple[Hunk, ...]]:
    found = parse_diff(diff, "p", partial=True)  # some of these change nothing
    return found[0].hunks if found else (), read_plainly(
        diff[diff.index(b"@@ -") :]
    ) if b"@@ -" in diff else ()


@given(st.data())
def test_same_hunks_as_an_independent_reader(data: st.DataObject) -> None:
    old = data.draw(texts(HOSTILE))
    new = data.draw(edited(old, HOSTILE))
    made = change(b"f", old, new, context=data.draw(st.sampled_from([0, 1, 3])))
    section = data.draw(st.binary(max_size=8)).replace(b"\n", b"").rstrip(b"\r").lstrip(b" ")
    diff = render(made).replace(b" @@\n", b" @@ " + section + b"\n", 1)
    ours, theirs = both(diff)
    assert ours == theirs
    if made.hunks and b"@@" not in old + new:
        assert [x.lines for x in ours] == [x.lines for x in made.hunks]
        assert ours[0].section == section


@given(st.data())
def test_blanks_lost_on_the_way(data: st.DataObject) -> None:
    old = data.draw(texts())
    diff = render(change(b"f", old, data.draw(edited(old))))
    stripped = diff.replace(b"\n \n", b"\n\n").replace(b"\n \n", b"\n\n")
    assert both(stripped)[0] == both(diff)[0]


HEAD = b"--- a/f\n+++ b/f\n"


def hunks(text: bytes) -> tuple[Hunk, ...]:
    (found,) = parse_diff(HEAD + text, "p")
    return found.hunks


@pytest.mark.parametrize("mark", [b"\\ No newline at end of file", b"\\ Kein Zeilenumbruch"])
def test_the_mark_of_a_line_without_an_end_in_any_language(mark: bytes) -> None:
    (one,) = hunks(b"@@ -1 +1 @@\n-a\n" + mark + b"\n+b\n" + mark + b"\n")
    assert one.lines == (HunkLine(b"-", b"a"), HunkLine(b"+", b"b"))
    first, second = hunks(b"@@ -1 +1 @@\n-a\n+b\n" + mark + b"\n@@ -9 +9 @@\n-c\n+d\n")
    assert first.lines[1] == HunkLine(b"+", b"b")
    assert second.old_start == 9


def test_hunks_of_no_lines() -> None:
    empty, full, last = hunks(b"@@ -3,0 +4,0 @@ here\n@@ -9 +9 @@\n-c\n+d\n@@ -0,0 +0,0 @@\n")
    assert empty == Hunk(3, 0, 4, 0, b"here", ())
    assert full.old_start == 9
    assert last == Hunk(0, 0, 0, 0, b"", ())


def test_lines_that_look_like_the_names_of_a_file() -> None:
    (one,) = hunks(b"@@ -1,2 +1,2 @@\n--- a/x\n-@@ -1 +1 @@\n+++ b/x\n+@@ -1 +1 @@\n")
    assert [x.text for x in one.lines] == [
        b"-- a/x\n",
        b"@@ -1 +1 @@\n",
        b"++ b/x\n",
        b"@@ -1 +1 @@\n",
    ]


def test_counts_that_are_not_written_are_one() -> None:
    (one,) = hunks(b"@@ -7 +7,2 @@ f(x)\r\n a\n+b\n")
    assert (one.old_count, one.new_count, one.section) == (1, 2, b"f(x)")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (
            b"@@ -1,2 +1,2 @@\n a\n",
            3,
            "claims 2 lines before and 2 after, but only 1 follows; if an editor stripped",
        ),
        (
            b"@@ -1,3 +1,3 @@\n a\n-b\n+c\n",
            6,
            "1 line before and 1 after are missing; if an editor stripped",
        ),
        (b"@@ -1,2 +1,2 @@\n a\nb\nc\n", 5, "(header on line 3) is broken"),
        (b"@@ -1,2 +1,2 @@\n a\n\r\n", 5, "(header on line 3) is broken"),
        (b"@@ -1,1 +1,2 @@\n a\n-b\n+c\n", 5, "other lines than its header counts"),
        (b"@@ -1 +1 @@\n\\ No newline\n-a\n+b\n", 4, "before any line"),
        (b"@@ -1,0 +1,0 @@\n\\ No newline\n", 4, "before any line"),
        (b"@@ -1 +1 @\n-a\n+b\n", 3, "header of hunk 1 does not parse"),
    ],
)
def test_errors_name_the_line(text: bytes, line: int, said: str) -> None:
    with pytest.raises(DiffError, match=re.escape(said)) as info:
        hunks(text)
    assert info.value.line == line


def test_unidiff_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    real = unidiff.patch.PatchedFile._parse_hunk

    def louder(self: unidiff.patch.PatchedFile, *given: Any) -> None:
        real(self, *given)
        for line in self[-1]:
            line.value = line.value.upper()

    quiet = hunks(b"@@ -1 +1 @@\n-a\n+b\n")[0]
    monkeypatch.setattr(unidiff.patch.PatchedFile, "_parse_hunk", louder)
    loud = hunks(b"@@ -1 +1 @@\n-a\n+b\n")[0]
    assert loud == replace(quiet, lines=(HunkLine(b"-", b"A\n"), HunkLine(b"+", b"B\n")))
