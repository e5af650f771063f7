# SPDX-License-Identifier: GPL-2.0-or-later
"""Cut a mailbox into mails.

A line that begins with ``From `` is a separator only when it looks like one to git too (mailsplit.c,
is_from_line: a sender, a time of day, a year) and header lines follow: commit messages do hold lines
such as "From the specification:", and even quoted separators.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SEPARATOR = re.compile(
    rb"^From (\S+) +(?:\S+ +){0,3}\d{1,2}:\d\d(?::\d\d)?(?: +[A-Z+-]\S*)? +(?:[A-Z+-]\S* +)?\d{4}"
    rb"[^\n]*\n(?=[A-Za-z][A-Za-z0-9-]*:|>From )",
    re.MULTILINE,
)
_ESCAPED = re.compile(rb"^>(>*From )", re.MULTILINE)
_FORMAT_PATCH = re.compile(rb"[0-9a-f]{40,64}\Z")
_FORMAT_PATCH_DATE = b"Mon Sep 17 00:00:00 2001"


@dataclass(frozen=True, slots=True)
class RawMail:
    """The bytes of one mail after its separator, where it began (1-based), and what that said."""

    data: bytes
    line: int
    commit: str | None = None
    escaped: bool = False
    """Whether body lines may carry mboxrd's ``>`` before ``From ``."""


def split_mbox(data: bytes) -> tuple[RawMail, ...]:
    """All mails of ``data``; a single mail without a separator is one."""
    cuts = [
        match for match in _SEPARATOR.finditer(data) if match.start() == 0 or _parted(data, match)
    ]
    if not cuts or data[: cuts[0].start()].strip():
        return (RawMail(data, 1),) if data.strip() else ()
    mails: list[RawMail] = []
    line, seen = 1, 0
    for number, match in enumerate(cuts):
        end = cuts[number + 1].start() if number + 1 < len(cuts) else len(data)
        line += data.count(b"\n", seen, match.end())
        seen = match.end()
        commit = None
        # git format-patch writes this date and never escapes; real mailboxes do.
        ours = _FORMAT_PATCH_DATE in match[0]
        if ours and _FORMAT_PATCH.match(match[1]):
            commit = match[1].decode()
        mails.append(RawMail(data[match.end() : end], line, commit, escaped=not ours))
    return tuple(mails)


def _parted(data: bytes, match: re.Match[bytes]) -> bool:
    """A blank line parts two mails; git format-patch's own separator needs none, as for git."""
    before = data[max(0, match.start() - 4) : match.start()]
    if before.endswith((b"\n\n", b"\n\r\n", b"-- \n")):
        return True
    return _FORMAT_PATCH_DATE in match[0] and bool(_FORMAT_PATCH.match(match[1]))


def unescape(body: bytes) -> bytes:
    """Take one ``>`` off lines that a mailbox had to escape (mboxrd)."""
    return _ESCAPED.sub(rb"\1", body) if b"\n>" in body or body.startswith(b">") else body
