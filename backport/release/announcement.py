# SPDX-License-Identifier: GPL-2.0-or-later
"""What is new in a release, as Markdown and as a mail: security first, then by area.

Subjects come from strangers: in Markdown each of their letters that means something is escaped.  What the
branch still owes is the maintainer's to know: it stands on his screen and in the JSON, not here.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.policy import SMTP

from backport.counted import counted
from backport.release.changes_since import Contents, Entry
from backport.verdicts import State
from series.model import escaped

_MARK = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~&])")
_WIDTH = 72


def to_markdown(contents: Contents, tag: str) -> str:
    """For a page of releases."""
    lines = [f"# {_quoted(tag)}", "", _quoted(_intro(contents)), "", _quoted(_proof(contents)), ""]
    if contents.security:
        lines += ["## Security", ""]
        lines += [_item(entry, _quoted, lead=True) for entry in contents.security] + [""]
    for area, entries in contents.areas:
        lines += [f"## {_quoted(area)}", ""]
        lines += [_item(entry, _quoted) for entry in entries] + [""]
    return "\n".join(lines)


def to_mail(contents: Contents, tag: str, who: str) -> bytes:
    """For a mailing list; nothing is sent."""
    message = EmailMessage(policy=SMTP.clone(linesep="\n", max_line_length=998, cte_type="8bit"))
    message["From"] = who
    message["Subject"] = f"[ANNOUNCE] {escaped(tag)}"
    lines = [*_wrapped(_intro(contents)), "", *_wrapped(_proof(contents)), ""]
    if contents.security:
        lines += ["Security:", ""]
        for entry in contents.security:
            lines += _wrapped(_item(entry, _same, lead=True))
        lines.append("")
    for area, entries in contents.areas:
        lines += [f"{area}:", ""]
        for entry in entries:
            lines += _wrapped(_item(entry, _same))
        lines.append("")
    message.set_content("\n".join(lines).rstrip() + "\n", charset="utf-8", cte="8bit")
    return bytes(message)


def _intro(contents: Contents) -> str:
    fixes = len(contents.security)
    said = f"{counted(len(contents.entries), 'change')} since {contents.last}"
    return f"{said}, {fixes} of them for security." if fixes else f"{said}."


def _proof(contents: Contents) -> str:
    good = contents.count(State.PASSED, State.ABSENT)
    whole = len(contents.entries)
    left = contents.count(None, State.CANNOT_TELL)
    said = f"Proven: {good} of {whole}"
    return f"{said}; {left} not proven." if left else f"{said}."


def _item(entry: Entry, quote: Callable[[str], str], *, lead: bool = False) -> str:
    head = f"{', '.join(entry.advisories)}: " if lead else ""
    origin = ""
    if entry.origin:
        how = {None: "", True: ", adapted", False: ", as it is"}[entry.adapted]
        origin = f" ({entry.commit[:12]}, from {entry.origin}{how})"
    else:
        origin = f" ({entry.commit[:12]})"
    return f"- {quote(head + entry.subject + origin)}"


def _quoted(text: str) -> str:
    return _MARK.sub(r"\\\1", text)


def _same(text: str) -> str:
    return text


def _wrapped(text: str) -> Iterator[str]:
    yield from textwrap.wrap(
        text,
        _WIDTH,
        subsequent_indent="  " if text.startswith("- ") else "",
        break_long_words=False,
        break_on_hyphens=False,
    )
