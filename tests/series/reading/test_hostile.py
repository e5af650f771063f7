# SPDX-License-Identifier: GPL-2.0-or-later
"""Input from strangers: whatever comes, an answer or a SeriesError, and soon."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from series.errors import SeriesError
from series.model import FileChange, Hunk, HunkLine
from series.ordering.recovery import recover_order
from series.placement.hunks import PlaceError, apply_change
from series.reading.diff import parse_diff
from series.reading.mail import read_mbox
from series.reading.mailinfo import parse_mail
from series.reading.quilt import parse_series
from series.symbols.definitions import definitions
from series.symbols.uses import uses
from tests.series.strategies import DictBase, as_patches, histories, render

SEED = (
    b"From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n"
    b"From: =?utf-8?q?A=C3=A4?= <a@b.c>\nSubject: [PATCH v2 1/2] x\nDate: Thu, 11 Jan 2018 17:48:00 +0000\n"
    b'Content-Type: multipart/mixed; boundary="xx"\n\n--xx\nContent-Transfer-Encoding: base64\n\n'
    b'VGV4dC4K\n--xx\n\n---\ndiff --git "a/\\303\\266" b/f\nindex 123..456\nrename from a\n'
    b"GIT binary patch\nliteral 3\nKcmZQz\n\n--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n--xx--\n"
)
PIECES = [line + b"\n" for line in SEED.split(b"\n")]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=20)), max_size=40))
def test_readers_answer_or_refuse(parts: list[bytes]) -> None:
    data = b"".join(parts)
    for read in (
        lambda: read_mbox(data, "t"),
        lambda: parse_diff(data, "t"),
        lambda: parse_series(data, "t"),
    ):
        try:
            read()
        except SeriesError as exc:
            assert str(exc).startswith("t")


@settings(max_examples=100, deadline=None)
@given(histories(), st.data())
def test_damaged_mailboxes(
    history: tuple[dict[bytes, bytes], list[dict[bytes, bytes]]], data: st.DataObject
) -> None:
    """Bytes lost or changed anywhere: an order for whatever still reads, or an error."""
    base, trees = history
    head = PIECES[0] + b"From: A <a@b.c>\nSubject: [PATCH %d/9] x\n\nt\n---\n"
    mbox = b"".join(
        head % number + b"".join(map(render, patch.changes)) + b"-- \n2.39\n\n"
        for number, patch in enumerate(as_patches(base, trees, blobs=True), 1)
    )
    start = data.draw(st.integers(0, len(mbox) - 1))
    size = data.draw(st.integers(0, 40))
    damaged = mbox[:start] + data.draw(st.binary(max_size=8)) + mbox[start + size :]
    try:
        series = read_mbox(damaged, "t")
    except SeriesError:
        return
    found = recover_order(series, DictBase(base))
    assert sorted(found.order) == list(range(len(series.patches)))


BIG = 300_000


@pytest.mark.torture
@pytest.mark.parametrize(
    "act",
    [
        lambda: parse_mail(b"Subject: " + b":" * BIG + b"\n\n"),
        lambda: parse_mail(b"Subject: " + b"[x]" * BIG + b"\n\n"),
        lambda: parse_mail(b"Subject: " + b"=?a?q?" * BIG + b"\n\n"),
        lambda: parse_mail(b"From: " + b"(" * BIG + b"\n\n"),
        lambda: parse_mail(b"A: b\n" + b" c\n" * BIG + b"\n"),
        lambda: parse_mail(b"Message-Id: " + b"<" * BIG + b"\n\n"),
        lambda: read_mbox(b"From a 12:00:00 2018\nA: b\n\n" * 20_000, "t"),
        lambda: read_mbox(b"From " + b"a " * BIG, "t"),
        lambda: parse_diff(b"--- a\n" * BIG, "t"),
        lambda: parse_diff(b'diff --git "' + b"\\" * BIG + b"\n", "t"),
        lambda: definitions(_code(b"  a " + b"*" * BIG + b"\n")),
        lambda: definitions(_code(b"struct " * BIG + b"\n")),
        lambda: uses(_code(b"/* " * BIG + b"\n"), {b"x"}),
    ],
)
def test_long_input_is_read_in_linear_time(act: Callable[[], object]) -> None:
    start = time.perf_counter()
    try:
        act()
    except SeriesError as exc:
        assert str(exc)
    assert time.perf_counter() - start < 60  # a quadratic reader takes many minutes


def _code(line: bytes) -> FileChange:
    hunk = Hunk(0, 0, 1, 1, b"", (HunkLine(b"+", line),))
    return FileChange("create", None, b"a.c", hunks=(hunk,))


@pytest.mark.torture
def test_a_text_of_equal_lines_is_searched_in_bounds() -> None:
    size = 40_000
    lines = (*[HunkLine(b" ", b"x\n")] * size, HunkLine(b"-", b"y\n"), HunkLine(b" ", b"z\n"))
    hunk = Hunk(9, size + 2, 9, size + 1, b"", lines)
    start = time.perf_counter()
    with pytest.raises(PlaceError):
        apply_change(b"x\n" * 3 * size, FileChange("modify", b"f", b"f", hunks=(hunk,)))
    assert time.perf_counter() - start < 60  # a quadratic reader takes many minutes
