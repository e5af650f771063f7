# SPDX-License-Identifier: GPL-2.0-or-later
"""Whose the carriage returns of a patch are: the transport's, an editor's, or the file's."""

from __future__ import annotations

import base64
from collections.abc import Callable
from itertools import product

import pytest

from series.model import Identity
from series.reading.mailinfo import parse_mail
from series.reading.quilt import QuiltEntry, read_quilt

HEAD = b"From: A <a@x.org>\nDate: Mon, 1 Jan 2018 00:00:00 +0000\nSubject: made\n\nWhy.\n---\n"
WHO = Identity(b"A", b"a@x.org")
NAMES = b"--- /dev/null\n+++ b/n.c\n@@ -0,0 +1 @@\n"


def crlf(text: bytes) -> bytes:
    return text.replace(b"\n", b"\r\n")


@pytest.mark.parametrize(
    ("data", "by_patch", "by_am"),
    [
        (HEAD + NAMES + b"+x\n", b"x\n", b"+x\n"),
        (HEAD + NAMES + b"+x\r\n", b"x\r\n", b"+x\r\n"),
        (HEAD + crlf(NAMES) + b"+x\r\n", b"x\n", b"+x\n"),
        (crlf(HEAD + NAMES) + b"+x\r\n", b"x\n", b"+x\n"),
        # git am takes off all; patch(1) asks the lines that name the file.
        (crlf(HEAD) + NAMES + b"+x\r\n", b"x\r\n", b"+x\n"),
    ],
)
def test_whose_they_are(data: bytes, by_patch: bytes, by_am: bytes) -> None:
    (patch,) = read_quilt([QuiltEntry("p")], {"p": data}, "series").patches
    assert patch.changes[0].hunks[0].after == (by_patch,)
    assert patch.message == b"made\n\nWhy.\n"
    assert parse_mail(data).diff.endswith(by_am)


@pytest.mark.parametrize("words", [b"", b"Description: made\n why\n---\n", b"free text\n"])
def test_a_patch_that_is_no_mail(words: bytes) -> None:
    for head in (words, crlf(words)):
        for names, wanted in ((NAMES, b"x\r\n"), (crlf(NAMES), b"x\n")):
            data = head + names + b"+x\r\n"
            read = read_quilt([QuiltEntry("p")], {"p": data}, "series", fallback=(WHO, "a test"))
            assert read.patches[0].changes[0].hunks[0].after == (wanted,)


UNIFIED = b"--- /dev/null\n+++ b/%s\n@@ -0,0 +1 @@\n+x\n"
CONTEXT = b"*** /dev/null\n--- b/%s\n***************\n*** 0 ****\n--- 1 ----\n+ x\n"
SAVED: dict[str, tuple[Callable[[bytes], bytes], bytes]] = {
    "as it is": (lambda text: text, b"x\n"),
    "by an editor": (crlf, b"x\n"),
    "of a file that has them": (lambda text: text.replace(b"x\n", b"x\r\n"), b"x\r\n"),
}


def made(data: bytes) -> list[bytes]:
    read = read_quilt([QuiltEntry("p")], {"p": data}, "series", fallback=(WHO, "a test"))
    return [h.after[0] for p in read.patches for c in p.changes for h in c.hunks]


@pytest.mark.parametrize("form", [UNIFIED, CONTEXT])
@pytest.mark.parametrize("words", [b"", crlf(b"free text\n"), HEAD])
def test_each_file_is_asked_by_its_own_names(form: bytes, words: bytes) -> None:
    """In whichever form; of two files an editor may have saved one."""
    for (one, first), (two, second) in product(SAVED.values(), repeat=2):
        assert made(words + one(form % b"n.c") + two(form % b"m.c")) == [first, second]


def test_names_in_an_encoded_mail() -> None:
    encoded = HEAD.replace(b"\n\n", b"\nContent-Transfer-Encoding: base64\n\n", 1)
    head, _, words = encoded.partition(b"\n\n")
    body = words + crlf(UNIFIED % b"n.c") + UNIFIED % b"m.c"
    assert made(head + b"\n\n" + base64.encodebytes(body)) == [b"x\n", b"x\n"]


def test_what_looks_like_names_within_a_hunk_names_nothing() -> None:
    """A comment of SQL that is taken away, beside a line that begins with two pluses."""
    hunk = b"@@ -1,3 +1,3 @@\n a\r\n--- old\r\n+++ new\r\n c\r\n@@ -9 +9 @@\n-x\r\n+y\r\n"
    read = read_quilt(
        [QuiltEntry("p")],
        {"p": b"--- a/n.sql\n+++ b/n.sql\n" + hunk},
        "series",
        fallback=(WHO, "a test"),
    )
    assert [hunk.after[-1] for hunk in read.patches[0].changes[0].hunks] == [b"c\r\n", b"y\r\n"]
