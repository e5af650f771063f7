# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole words found in long texts, as a pattern would find them."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from series.symbols.lexer import WORD, code_lines, own_text
from series.symbols.pasted import may_paste, mentions, pasted_used
from series.symbols.words import exchanged, holds, places
from tests.series.strategies import change

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


CODE = st.lists(
    st.sampled_from(
        [b"name", b"/*", b"*/", b"//", b'"', b"'", b"\\", b"#", b"(", b" ", b"\n", b"per_cpu", b"1"]
    )
).map(b"".join)


@given(CODE, st.sampled_from([b"a.c", b"a.S", b"Makefile", b"Kconfig"]))
def test_code_has_no_word_that_the_text_lacks(text: bytes, path: bytes) -> None:
    """What lets a change be passed over by a look at its text."""
    made = change(path, b"", text)
    code = [line.clean for _, lines in code_lines(made) for line in lines if line.own]
    words = {word for line in code for word in WORD.findall(line)}
    assert words <= set(WORD.findall(own_text(made)))
    assert may_paste(own_text(made)) or not any(map(pasted_used, code))


@given(CODE, st.sampled_from([b"name", b"per_cpu"]))
def test_a_name_is_mentioned_as_a_pattern_finds_it(text: bytes, name: bytes) -> None:
    assert mentions(text, name) == bool(re.search(rb"\b%b\b" % name, text))
