# SPDX-License-Identifier: GPL-2.0-or-later
"""Quilt series files and the headers their patches carry."""

from __future__ import annotations

import pytest

from series.model import Identity
from series.reading.diff_lines import DiffError
from series.reading.quilt import QuiltEntry, QuiltError, parse_series, read_quilt

US = (Identity(b"Us", b"us@example.org"), "us")
DIFF = b"--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n+b\n"


def test_series_file() -> None:
    data = b"# head\n\none.patch\n  two.patch -p0 # why\ndebian/three.diff -p1 -R\nfour -pab\n"
    assert parse_series(data, "series") == (
        QuiltEntry("one.patch", line=3),
        QuiltEntry("two.patch", 0, line=4),
        QuiltEntry("debian/three.diff", 1, True, line=5),
        QuiltEntry("four", 1, line=6),
    )


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b"ok\n../a/../../evil\n", 2, "leaves"),
        (b"/abs\n", 1, "absolute"),
        (b"a\na\n", 2, "second time"),
        (b"a -x\n", 1, "not known"),
    ],
)
def test_bad_series_file(data: bytes, line: int, words: str) -> None:
    with pytest.raises(QuiltError, match=words) as info:
        parse_series(data, "series")
    assert info.value.line == line


def one(name: str, data: bytes) -> tuple[bytes, bytes, bytes]:
    entry = QuiltEntry(name)
    series = read_quilt([entry], {name: data}, "series", fallback=US)
    assert series.ordered
    patch = series.patches[0]
    return patch.message, patch.author.name, patch.changes[0].path


def test_bare_diff() -> None:
    assert one("fix-it.patch", DIFF) == (b"fix-it\n", b"Us", b"f")


def test_free_text() -> None:
    assert one("x.patch", b"Fix it.\n\nBecause.\n\n" + DIFF) == (
        b"Fix it.\n\nBecause.\n",
        b"Us",
        b"f",
    )


def test_dep3() -> None:
    head = (
        b"Description: Fix it\n Because it\n .\n was broken.\nAuthor: A Thor <a@b.c>\n"
        b"Origin: upstream, 1234567\nLast-Update: 2018-01-11\n\n"
    )
    message, author, _ = one("x.patch", head + DIFF)
    assert (
        message
        == b"Fix it\n\nBecause it\n\nwas broken.\n\nOrigin: upstream, 1234567\nLast-Update: 2018-01-11\n"
    )
    assert author == b"A Thor"


def test_mail_headers() -> None:
    head = (
        b"From: A Thor <a@b.c>\nDate: Thu, 11 Jan 2018 17:48:00 +0000\n"
        b"Subject: [PATCH] Fix it\n\nText.\n---\n"
    )
    assert one("x.patch", head + DIFF) == (b"Fix it\n\nText.\n", b"A Thor", b"f")


def test_strip_and_reverse() -> None:
    diff = b"--- sub/f\n+++ sub/f\n@@ -1 +1 @@\n-a\n+b\n"
    series = read_quilt([QuiltEntry("x", 0, True)], {"x": diff}, "series", fallback=US)
    (change,) = series.patches[0].changes
    assert change.path == b"sub/f"
    assert change.hunks[0].before == (b"b\n",)


def test_missing_and_empty() -> None:
    with pytest.raises(QuiltError, match="no such file"):
        read_quilt([QuiltEntry("x")], {}, "series")
    with pytest.raises(QuiltError, match="x:1: no diff"):
        read_quilt([QuiltEntry("x")], {"x": b"only words\n"}, "series")
    with pytest.raises(QuiltError, match="changes anything"):
        read_quilt([QuiltEntry("x")], {"x": b"\n"}, "series")
    both = [QuiltEntry("x"), QuiltEntry("y")]
    series = read_quilt(both, {"x": b"\n", "y": DIFF}, "s", fallback=US)
    assert [patch.name for patch in series.patches] == ["y"]
    assert series.notes[0].startswith("x changes nothing")


@pytest.mark.parametrize("fold", [b"\n ", b"\n\t"])
def test_a_folded_mail_subject_is_one_line(fold: bytes) -> None:
    """RFC 5322, 2.2.3: what is folded is one line to whoever reads it."""
    head = b"From: A Thor <a@b.c>\nSubject: [PATCH] Fix it" + fold + b"and that\n\nText.\n---\n"
    message, _, _ = one("x.patch", head + DIFF)
    assert message.split(b"\n")[0].split() == [b"Fix", b"it", b"and", b"that"]
    assert message.split(b"\n")[1:] == [b"", b"Text.", b""]


def test_a_dep3_subject_over_two_lines_loses_nothing() -> None:
    """DEP-3: the first line is the short description, what follows is the long one."""
    head = b"Author: A Thor <a@b.c>\nSubject: [PATCH 3/9] Fix it\n because it\n was broken\n\n"
    message, author, _ = one("x.patch", head + DIFF)
    assert message == b"Fix it\n\nbecause it\nwas broken\n"
    assert author == b"A Thor"


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"Fix it.\n\nBecause.\n\n",
        b"Description: Fix\n it\nAuthor: A <a@b>\n\n",
        b"From: A <a@b>\nSubject: Fix it\n\nText.\n---\n",
    ],
    ids=["bare", "text", "DEP-3", "mail"],
)
def test_a_broken_hunk_is_named_by_its_line_in_the_file(head: bytes) -> None:
    data = head + DIFF.replace(b"+b\n", b"*b\n")
    with pytest.raises(DiffError) as info:
        one("x.patch", data)
    assert info.value.where == "x.patch"
    assert data.split(b"\n")[info.value.line - 1] == b"*b"
    assert str(info.value).startswith(f"x.patch:{info.value.line}: ")
