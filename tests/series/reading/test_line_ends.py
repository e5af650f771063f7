# SPDX-License-Identifier: GPL-2.0-or-later
"""Whose the carriage returns of a patch are: the transport's, an editor's, or the file's."""

from __future__ import annotations

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
