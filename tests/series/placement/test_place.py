# SPDX-License-Identifier: GPL-2.0-or-later
"""Where hunks go, held against git apply."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from series.binary import apply_delta
from series.lines import split_lines
from series.model import Binary, FileChange, Oid
from series.placement.hunks import PlaceError, apply_change, apply_hunks, is_applied, standing
from series.reading.diff import parse_diff
from series.reverse import reverse_change
from tests.series.strategies import LINES, change, edited, hunks, render, texts

NUMBERS = b"".join(b"%d\n" % number for number in range(1, 31))


def test_exact() -> None:
    placed = apply_change(NUMBERS, change(b"f", NUMBERS, NUMBERS.replace(b"15\n", b"15\nx\n")))
    assert placed.exact
    assert b"15\nx\n16" in placed.text


def test_offset_is_reported() -> None:
    one = change(b"f", NUMBERS, NUMBERS.replace(b"15\n", b"x\n"))
    placed = apply_change(b"new\n" * 4 + NUMBERS, one)
    assert [place.offset for place in placed.hunks] == [4]
    assert not placed.hunks[0].ambiguous


def test_ambiguity_is_reported() -> None:
    text = (b"{\n}\n\n" * 4) + b"end\n"
    lines = split_lines(text)
    lines.insert(4, b"x\n")
    one = change(b"f", text, b"".join(lines), context=1)
    placed = apply_change(b"first\n" + text, one)
    assert placed.hunks[0].ambiguous


def test_misfit_names_hunk_line_and_texts() -> None:
    one = change(b"d/f", NUMBERS, NUMBERS.replace(b"15\n", b"x\n"))
    with pytest.raises(PlaceError) as info:
        apply_change(NUMBERS.replace(b"14\n", b"fourteen\n"), one)
    error = info.value
    assert (error.path, error.hunk, error.line) == (b"d/f", 1, 14)
    assert (error.expected, error.found) == (b"14\n", b"fourteen\n")
    assert "expected '14', found 'fourteen'" in str(error)


def test_beginning_and_end_are_anchors() -> None:
    first = change(b"f", NUMBERS, b"x\n" + NUMBERS)
    last = change(b"f", NUMBERS, NUMBERS + b"x\n")
    for one, text in ((first, b"0\n" + NUMBERS), (last, NUMBERS + b"31\n")):
        with pytest.raises(PlaceError):
            apply_change(text, one)


def test_hunks_without_context_do_not_meet() -> None:
    """git apply --unidiff-zero refuses it as well: the second would change what the first one wrote."""
    text = b"diff --git a/f b/f\n--- a/f\n+++ b/f\n" + b"@@ -1 +1 @@\n-a\n+a\n" * 2
    (twice,) = parse_diff(text, "in")
    with pytest.raises(PlaceError):
        apply_change(b"a\nb\n", twice)


def test_what_hunks_wrote_is_kept_in_mind_in_a_time_that_grows_with_them() -> None:
    spent = []
    for count in (1000, 8000):
        old = [b"%d\n" % number for number in range(6 * count)]
        new = [b"%dx\n" % n if n % 6 == 3 else line for n, line in enumerate(old)]
        text = b"".join(
            b"@@ -%d +%d @@\n-%d\n+%dx\n" % (n + 1, n + 1, n, n) for n in range(3, 6 * count, 6)
        )
        made = parse_diff(b"diff --git a/f b/f\n--- a/f\n+++ b/f\n" + text, "in")[0].hunks
        begun = time.process_time()
        apply_hunks(old, made, b"f")
        spent.append(time.process_time() - begun)
        assert old == new
    assert spent[1] < 24 * spent[0] + 0.5


def test_no_context_stays_on_its_line() -> None:
    one = change(b"f", NUMBERS, NUMBERS.replace(b"15\n", b"15\nx\n"), context=0)
    assert b"15\nx\n16" in apply_change(NUMBERS, one).text


@given(st.data())
def test_round_trip(data: st.DataObject) -> None:
    old = data.draw(texts(LINES))
    new = data.draw(edited(old, LINES))
    one = change(b"f", old, new)
    assert apply_change(old, one).text == new
    assert apply_change(new, reverse_change(one)).text == old
    if old != new:
        assert is_applied(new, one)
        (read,) = parse_diff(render(one), "p")
        assert read.hunks == one.hunks


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_like_git_apply(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A change made for one text, put on another: git and we say the same, or both refuse."""
    old = data.draw(texts(LINES))
    new = data.draw(edited(old, LINES))
    one = change(b"f", old, new, context=data.draw(st.integers(1, 3)))
    bare = any(all(line.op != b" " for line in hunk.lines) for hunk in one.hunks)
    if not one.hunks or bare:
        return  # without context we differ on purpose, see place.py
    if any(not line.text.endswith(b"\n") for hunk in one.hunks for line in hunk.lines):
        return  # git takes "a" without a line end for the beginning of "a\n" and tears the line
    target = data.draw(edited(old, LINES))
    git = _git_apply(tmp_path_factory.mktemp("apply"), target, render(one))
    try:
        ours: bytes | None = apply_change(target, one).text
    except PlaceError:
        ours = None
    assert ours == git


def _git_apply(where: Path, target: bytes, diff: bytes) -> bytes | None:
    (where / "f").write_bytes(target)
    done = subprocess.run(
        ["git", "apply", "--whitespace=nowarn", "-"], cwd=where, input=diff, capture_output=True
    )
    return (where / "f").read_bytes() if done.returncode == 0 else None


def test_create_and_delete() -> None:
    made = change(b"f", None, b"a\nb\n")
    assert apply_change(b"", made).text == b"a\nb\n"
    with pytest.raises(PlaceError, match="exists already"):
        apply_change(b"a\n", made)
    gone = change(b"f", b"a\nb\n", None)
    assert apply_change(b"a\nb\n", gone).text == b""
    with pytest.raises(PlaceError):
        apply_change(b"a\nb\nc\n", gone)
    assert is_applied(None, gone)
    assert not is_applied(b"a\nb\n", gone)
    assert is_applied(b"a\nb\n", made)
    assert not is_applied(None, made)


def test_binary_needs_its_data() -> None:
    one = FileChange("modify", b"f", b"f", binary=True)
    with pytest.raises(PlaceError, match="the patch has none"):
        apply_change(b"x", one)
    two = FileChange(
        "modify",
        b"f",
        b"f",
        binary=True,
        forward=Binary("literal", 1, b"y"),
        reverse=Binary("literal", 1, b"x"),
    )
    assert apply_change(b"x", two).text == b"y"
    assert is_applied(b"y", two)
    assert not is_applied(b"x", two)


@pytest.mark.parametrize(
    ("delta", "words"),
    [
        (b"\x03\x01\x90\x01", "made for 3"),
        (b"\x04\xff\xff\xff\xff\x7f", "limit"),
        (b"\x04\x02\x90\x05", "past the end"),
        (b"\x04\x02\x03ab", "cut short"),
        (b"\x04\x02\x00", "reserved"),
        (b"\x04\x02\x91", "cut short"),
        (b"\x04\x02\x90\x04", "more than"),
        (b"\x04\x05\x90\x04", "not the 5"),
        (b"\x84", "header"),
        (b"\xff" * 20, "header"),
    ],
)
def test_damaged_deltas(delta: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        apply_delta(b"abcd", delta)


def test_delta() -> None:
    assert apply_delta(b"abcd", b"\x04\x05\x91\x02\x02\x03xyz") == b"cdxyz"


def test_hunk_numbers_agree_with_git() -> None:
    (one,) = hunks(NUMBERS, NUMBERS.replace(b"15\n", b""))
    assert (one.old_start, one.old_count, one.new_start, one.new_count) == (12, 7, 12, 6)


def _block(name: bytes, value: bytes) -> bytes:
    body = b"{\n    int rc;\n\n    lock();\n    rc = %s;\n    if ( rc )\n        goto out;\n}\n\n"
    return b"static int f%s(void)\n" % name + body % value


@pytest.mark.parametrize(
    ("text", "line", "sure"),
    [
        (_block(b"a", b"4") + _block(b"b", b"5"), 4, True),
        (b"#include <x.h>\n" * 9 + _block(b"a", b"4"), 13, True),
        # The same lines elsewhere: in a twin alone, in both, in a twin that came to stand there.
        (_block(b"a", b"7") + _block(b"b", b"4"), 14, False),
        (_block(b"a", b"4") + _block(b"b", b"4"), 4, False),
        (_block(b"b", b"4"), 4, False),
    ],
)
def test_a_twin_is_no_proof(text: bytes, line: int, sure: bool) -> None:
    diff = (
        b"--- a/f\n+++ b/f\n@@ -4,5 +4,5 @@ static int fa(void)\n \n     lock();\n-    rc = 3;\n"
        b"+    rc = 4;\n     if ( rc )\n         goto out;\n"
    )
    (one,) = parse_diff(diff, "p")
    found = standing(text, one)
    assert found is not None
    assert (found.line, found.sure) == (line, sure)
    assert standing(_block(b"a", b"9"), one) is None


def test_without_a_section_only_the_stated_line_is_proof() -> None:
    new = NUMBERS.replace(b"15\n", b"x\n")
    one = change(b"f", NUMBERS, new)
    for text, sure in ((new, True), (b"0\n" + new, False)):
        found = standing(text, one)
        assert found is not None
        assert found.sure is sure


def test_a_pure_rename_is_told_by_its_blob() -> None:
    one = FileChange("rename", b"f", b"g")
    assert not is_applied(b"anything\n", one)
    two = replace(one, old_blob=Oid("587be6b"))
    assert is_applied(b"x\n", two)
    assert not is_applied(b"y\n", two)


def test_the_reason_leaves_the_path_out() -> None:
    one = change(b"d/f", NUMBERS, NUMBERS.replace(b"15\n", b"x\n"))
    with pytest.raises(PlaceError) as info:
        apply_change(NUMBERS.replace(b"14\n", b"fourteen\n"), one)
    assert info.value.reason.startswith("line 14, hunk 1: does not fit")
    assert str(info.value) == f"d/f: {info.value.reason}"
