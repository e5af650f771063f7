# SPDX-License-Identifier: GPL-2.0-or-later
"""``fixup!``, ``squash!`` and ``amend!``: each goes into the commit that its subject names, as git's
autosquash has it; where that needs more than moving it, it stays where it is and is named.
"""

from __future__ import annotations

import re

from backport.gateway.repository import Repo
from backport.mend.lineup import Lineup, folded
from series.model import shown

_MARK = re.compile(rb"(fixup|squash|amend)! (.*)")


def fold_marked(repo: Repo, lineup: Lineup) -> tuple[Lineup, tuple[str, ...]]:
    """The lineup with all of them folded that can be; and a note for each that stays."""
    notes: list[str] = []
    at = 0
    while at < len(lineup.stages):
        stage = lineup.stages[at]
        message = repo.message(stage.source)
        mark = _MARK.match(message.split(b"\n", 1)[0])
        if mark is None:
            at += 1
            continue
        into = _named(repo, lineup, at, mark[2])
        if into is None:
            notes.append(f"'{stage.subject}': no commit before it has that subject; it stays")
            at += 1
            continue
        now = lineup.stages[into]
        own = now.message if now.message is not None else repo.message(now.source)
        text = _joined(mark[1], own, message)
        new = folded(repo, lineup, at, into, text)
        if new is None:
            notes.append(f"'{stage.subject}' does not go into '{now.subject}' as it is; it stays")
            at += 1
        else:
            lineup = new
    return lineup, tuple(notes)


def _named(repo: Repo, lineup: Lineup, at: int, wanted: bytes) -> int | None:
    while (mark := _MARK.match(wanted)) is not None:  # fixup! of a fixup!
        wanted = mark[2]
    for into in range(at - 1, -1, -1):
        stage = lineup.stages[into]
        subject = repo.message(stage.source).split(b"\n", 1)[0]
        if subject == wanted or (len(wanted) >= 7 and stage.source.startswith(shown(wanted))):
            return into
    return None


def _joined(kind: bytes, own: bytes, message: bytes) -> bytes | None:
    """The message of both; None where it stays what it was."""
    body = message.partition(b"\n")[2].lstrip(b"\n")
    if kind == b"fixup" or not body:
        return None
    if kind == b"amend":
        return body
    return own.rstrip(b"\n") + b"\n\n" + body
