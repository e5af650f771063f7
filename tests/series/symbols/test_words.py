# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole words found in long texts, as a pattern would find them."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from series.symbols.words import exchanged, holds, places

TEXTS = st.lists(st.sampled_from([b"ab", b"a", b"b", b"_", b"1", b" ", b".", b"\xe9"])).map(
    b"".join
)


@given(TEXTS, st.sampled_from([b"a", b"ab", b"aba"]))
def test_as_a_pattern_finds_them(text: bytes, word: bytes) -> None:
    found = [match.start() for match in re.finditer(rb"\b%b\b" % word, text)]
    assert list(places(text, word)) == found
    assert holds(text, word) == bool(found)


def test_each_in_the_place_of_another() -> None:
    assert exchanged(b"old(older, old) b", {b"old": b"b", b"b": b"old"}) == b"b(older, b) old"
    assert exchanged(b"", {b"a": b"b"}) == b""
