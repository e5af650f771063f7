# SPDX-License-Identifier: GPL-2.0-or-later
"""Cut a mailbox into mails.

A line that begins with ``From `` is a separator when a blank line stands before it and a mail's
headers follow; with a date and headers that only a mail has, also without the blank line.

Where it has a time and a year, as git wants it (mailsplit.c, is_from_line), any header will do.
pipermail writes ``From anna at example.com  Fri …`` and some programs no date at all; there the
headers must be a mail's own, for commit messages hold lines such as "From the specification:".
"""

from __future__ import annotations

import re

from msgspec import Struct

_SEPARATOR = re.compile(rb"^From [^\n]*\n(?=[A-Za-z][A-Za-z0-9-]*:|>From )", re.MULTILINE)
_DATED = re.compile(
    rb"From .*\s\d{1,2}:\d\d(?::\d\d)?(?:\s+\S+){0,2}\s+\d{4}(?:\s+[+-]\d{4})?\s*\Z"
)
_MAIL_HEADER = re.compile(
    rb"(?:from|subject|date|to|cc|message-id|return-path|received|delivered-to|reply-to|sender"
    rb"|mime-version|content-[a-z-]+|in-reply-to|references|list-[a-z-]+|status|x-[a-z0-9-]+|bcc"
    rb"|user-agent|dkim-[a-z-]+|arc-[a-z-]+|authentication-results|precedence|errors-to|organization"
    rb"|envelope-to|delivery-date|mail-followup-to|thread-[a-z]+|archived-at|lines|importance):",
    re.IGNORECASE,
)
_OWN_HEADER = re.compile(rb"(?:from|subject):", re.IGNORECASE)
# A blank line, or MMDF's mark, before what may be a mail's first header.
_HEADED = re.compile(
    rb"\n\r?\n(?:\x01{4}\n)*(?=(?:From|Return-Path|Received|Subject|Date|Message-Id|Message-ID): )"
)
_MMDF = b"\1\1\1\1\n"
_BOUNDARY = re.compile(
    rb"^Content-Type:\s*multipart/[^\n]*(?:\n[ \t][^\n]*)*?boundary=(\"[^\"\n]+\"|[^\s;]+)",
    re.M | re.I,
)
_ESCAPED = re.compile(rb"^>(>*From )", re.MULTILINE)
_FORMAT_PATCH = re.compile(rb"From ([0-9a-f]{40,64}) Mon Sep 17 00:00:00 2001\s*\Z")
_MOST_HEADERS = 200


class RawMail(Struct, frozen=True):
    """The bytes of one mail after its separator, where it began (1-based), and what that said."""

    data: bytes
    line: int
    commit: str | None = None
    escaped: bool = False
    """Whether body lines may carry mboxrd's ``>`` before ``From ``."""


def split_mbox(data: bytes) -> tuple[RawMail, ...]:
    """All mails of ``data``, with what stands before the first separator as one more, if anything
    does; a single mail without a separator is one.
    """
    if data.startswith(_MMDF):
        data = data.replace(_MMDF, b"\n")  # each mail stands between two of them
    if _is_one_of_parts(data):
        return (RawMail(data, 1),)
    cuts = [match for match in _SEPARATOR.finditer(data) if _is_separator(data, match)]
    if not cuts and b"\nSubject:" in data:
        return _headed(data)
    mails: list[RawMail] = []
    first = cuts[0].start() if cuts else len(data)
    if data[:first].strip():
        mails.append(RawMail(data[:first], 1))
    line, seen = 1, 0
    for number, match in enumerate(cuts):
        end = cuts[number + 1].start() if number + 1 < len(cuts) else len(data)
        line += data.count(b"\n", seen, match.end())
        seen = match.end()
        ours = _FORMAT_PATCH.match(match[0])
        # git format-patch never escapes; real mailboxes do.
        mails.append(
            RawMail(
                data[match.end() : end],
                line,
                ours[1].decode() if ours else None,
                escaped=ours is None,
            )
        )
    return tuple(mails)


def _is_one_of_parts(data: bytes) -> bool:
    """Whether a file is one mail of several parts, without a separator before it: what looks like one
    inside belongs to a part, as git format-patch's first line does in an attachment."""
    if data.startswith(b"From ") or not _heads_a_mail(data, 0):
        return False
    head = data[: data.find(b"\n\n") + 1]
    match = _BOUNDARY.search(head)
    return match is not None and b"--" + match[1].strip(b'"') + b"--" in data


def _headed(data: bytes) -> tuple[RawMail, ...]:
    """Mails put one behind the other without any separator: where a mail's headers follow a diff."""
    starts = [0]
    for match in _HEADED.finditer(data):
        before = data[starts[-1] : match.start()]
        if b"\n@@ -" in before and _heads_a_mail(data, match.end()):
            starts.append(match.end())
    mails: list[RawMail] = []
    line = 1
    for start, end in zip(starts, (*starts[1:], len(data)), strict=True):
        if data[start:end].strip():
            mails.append(RawMail(data[start:end], line))
        line += data.count(b"\n", start, end)
    return tuple(mails)


def _is_separator(data: bytes, match: re.Match[bytes]) -> bool:
    if _FORMAT_PATCH.match(match[0]):
        return True  # needs no blank line before it, as for git
    dated = _DATED.match(match[0]) is not None
    before = data[max(0, match.start() - 4) : match.start()]
    if match.start() and not before.endswith((b"\n\n", b"\n\r\n", b"-- \n")):
        # Files put one behind the other: git wants no blank line, and we a mail's own headers.
        return dated and _heads_a_mail(data, match.end())
    return dated or _heads_a_mail(data, match.end())


def _heads_a_mail(data: bytes, at: int) -> bool:
    """Whether headers that only a mail has follow: all of a mail's, From or Subject among them."""
    own = False
    for _ in range(_MOST_HEADERS):
        end = data.find(b"\n", at)
        line = data[at : end if end >= 0 else len(data)]
        if not line.strip():
            break
        if line[:1] not in (b" ", b"\t"):
            if not _MAIL_HEADER.match(line):
                return False
            own = own or _OWN_HEADER.match(line) is not None
        if end < 0:
            break
        at = end + 1
    return own


def unescape(body: bytes) -> bytes:
    """Take one ``>`` off lines that a mailbox had to escape (mboxrd)."""
    return _ESCAPED.sub(rb"\1", body) if b"\n>" in body or body.startswith(b">") else body
