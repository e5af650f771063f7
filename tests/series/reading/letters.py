# SPDX-License-Identifier: GPL-2.0-or-later
"""Mails as people and programs write them, from a few words."""

from __future__ import annotations

from itertools import count

_NUMBER = count(1)
SEPARATOR = "From lists@example.org Fri Apr 15 09:20:{:02} 2022"


def diff(name: str, old: str = "a", new: str = "b") -> str:
    """A diff of one line of the file ``name``."""
    return (
        f"diff --git a/{name} b/{name}\n--- a/{name}\n+++ b/{name}\n@@ -1 +1 @@\n-{old}\n+{new}\n"
    )


def letter(
    subject: str,
    change: str | None = None,
    *,
    body: str = "Why.\n",
    author: str = "A U Thor <a@example.org>",
    msgid: str = "",
    reply: str = "",
    separator: str | None = None,
    headers: str = "",
) -> bytes:
    """One mail of a mailbox; each is sent a second after the one before."""
    at = next(_NUMBER)
    head = (SEPARATOR.format(at % 60) if separator is None else separator) + "\n"
    head += f"From: {author}\n" if author else ""
    clock = f"{at // 3600 % 24:02}:{at // 60 % 60:02}:{at % 60:02}"
    head += f"Subject: {subject}\nDate: Fri, 15 Apr 2022 {clock} +0000\n"
    head += f"Message-Id: <{msgid}>\n" if msgid else ""
    head += f"In-Reply-To: <{reply}>\n" if reply else ""
    tail = f"---\n{change}-- \n2.39.5\n\n" if change is not None else "\n"
    return f"{head}{headers}\n{body}{tail}".encode()
