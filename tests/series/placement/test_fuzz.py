# SPDX-License-Identifier: GPL-2.0-or-later
"""Hunks placed with less context: what patch(1) would take, where it fits in one place only."""

from __future__ import annotations

from series.placement.fuzz import Difference, place_with_fuzz
from series.reading.diff import parse_diff

TEXT = b"".join(b"line %d\n" % n for n in range(1, 21))
DIFF = b"""--- a/f
+++ b/f
@@ -8,7 +8,7 @@
 line 8
 line 9
 line 10
-line 11
+line ELEVEN
 line 12
 line 13
 line 14
"""
(CHANGE,) = parse_diff(DIFF, "t")
AFTER = TEXT.replace(b"line 11\n", b"line ELEVEN\n")


def test_one_line_of_context_may_differ() -> None:
    text = TEXT.replace(b"line 8\n", b"line eight\n")
    fuzzy = place_with_fuzz(text, CHANGE)
    assert fuzzy is not None
    assert (fuzzy.fuzz, fuzzy.text) == (1, AFTER.replace(b"line 8\n", b"line eight\n"))
    assert fuzzy.differences == (Difference(8, b"line 8\n", b"line eight\n"),)
    assert place_with_fuzz(text, CHANGE, 0) is None


def test_the_least_fuzz_is_found_and_bounded() -> None:
    text = TEXT.replace(b"line 9\n", b"line nine\n")
    fuzzy = place_with_fuzz(text, CHANGE)
    assert fuzzy is not None and fuzzy.fuzz == 2
    assert place_with_fuzz(text, CHANGE, 1) is None
    assert place_with_fuzz(TEXT.replace(b"line 11\n", b"other\n"), CHANGE) is None


def test_a_hunk_that_moved_must_fit_in_one_place_only() -> None:
    block = TEXT.replace(b"line 8\n", b"line eight\n")
    assert place_with_fuzz(b"new\n" * 5 + block, CHANGE) is not None
    assert place_with_fuzz(b"new\n" * 5 + block + block, CHANGE) is None


def test_a_hunk_without_context_that_moved() -> None:
    (bare,) = parse_diff(b"--- a/f\n+++ b/f\n@@ -11 +11 @@\n-line 11\n+line ELEVEN\n", "t")
    fuzzy = place_with_fuzz(b"new\n" + TEXT, bare)
    assert fuzzy is not None and fuzzy.text == b"new\n" + AFTER
    assert fuzzy.bare == (12,)
    assert place_with_fuzz(b"line 11\n" + TEXT, bare) is None
