# SPDX-License-Identifier: GPL-2.0-or-later
"""``fixup!``, ``squash!`` and ``amend!``: each goes into the commit that its subject names, as git's
autosquash has it; where that needs more than moving it, it stays where it is and is named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from backport.gateway.repository import Repo
from backport.mend.lineup import Lineup, folded
from series.model import Oid

_MARK = re.compile(rb"\s*(fixup|squash|amend)! ")
_ID = re.compile(rb"[0-9a-f]{4,40}")


def fold_marked(repo: Repo, lineup: Lineup) -> tuple[Lineup, tuple[str, ...]]:
    """The lineup with all of them folded that can be; and a note for each that stays."""
    notes: list[str] = []
    messages = [repo.message(stage.source) for stage in lineup.stages]
    meant = _meant(
        [stage.source for stage in lineup.stages], [text.split(b"\n", 1)[0] for text in messages]
    )
    places = list(range(len(messages)))
    """Of those that still stand, in order: which each was."""
    for one, message in enumerate(messages):
        if _MARK.match(message) and one not in meant:
            subject = lineup.stages[one].subject
            notes.append(f"'{subject}': no commit before it has that subject; it stays")
    for root, one in _in_turn(meant):
        at, into = places.index(one), places.index(root)
        now = lineup.stages[into]
        new = folded(repo, lineup, at, into, _joined(now.message or messages[root], messages[one]))
        if new is None:
            subject = lineup.stages[at].subject
            notes.append(f"'{subject}' does not go into '{now.subject}' as it is; it stays")
        else:
            lineup = new
            del places[at]
    return lineup, tuple(notes)


def _in_turn(meant: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    """Each marked commit behind the one that it goes into, in the order that git's autosquash gives them."""
    behind: dict[int, int | None] = {}
    tails: dict[int, int] = {}
    for one, target in sorted(meant.items()):
        last = tails.get(target, target)
        behind[one], behind[last] = behind.get(last), one
        tails[target] = one
    for root in sorted(set(meant.values()) - meant.keys()):
        at = behind[root]
        while at is not None:
            yield root, at
            at = behind[at]


def _meant(commits: Sequence[Oid], subjects: Sequence[bytes]) -> dict[int, int]:
    """The commit that each marked one names, by place, as git's autosquash finds it: the first of that
    subject, else the one with that id, else the first whose subject begins so."""
    found: dict[int, int] = {}
    named: dict[bytes, int] = {}
    for at, subject in enumerate(subjects):
        wanted = subject
        while (mark := _MARK.match(wanted)) is not None:  # fixup! of a fixup!
            wanted = wanted[mark.end() :].lstrip()
        into = named.get(wanted) if wanted != subject else None
        if wanted != subject and into is None and _ID.fullmatch(wanted):
            ids = [k for k, oid in enumerate(commits[:at]) if oid.startswith(wanted.decode())]
            into = ids[0] if len(ids) == 1 else None
        if wanted != subject and into is None:
            likely = (k for k, text in enumerate(subjects[:at]) if text.startswith(wanted))
            into = next(likely, None)
        if into is None:
            named.setdefault(subject, at)
        else:
            found[at] = into
    return found


def _joined(own: bytes, message: bytes) -> bytes | None:
    """The message of both; None where it stays what it was."""
    mark = _MARK.match(message)
    kind = mark[1] if mark is not None else b""
    body = message.partition(b"\n")[2].lstrip(b"\n")
    if kind == b"fixup" or not body:
        return None
    if kind == b"amend":
        return body
    return own.rstrip(b"\n") + b"\n\n" + body
