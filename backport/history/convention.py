# SPDX-License-Identifier: GPL-2.0-or-later
"""By which words a branch says where its commits come from: what its last hundred commits do.

Two maintainers of one branch may each have a way of their own: on Xen's stable branches one writes
``master commit:``, the other picks with ``-x``.  So the committer's own commits count before all.
"""

from __future__ import annotations

from collections import Counter

from backport.gateway.repository import Repo
from backport.levels import Record
from series.model import Identity, Oid
from series.reading.trailers import PICKED, parse_trailers

_LAST = 100
_LEAST = 3
"""Commits that make a convention: one or two come about by chance, on any branch."""
_MASTERS = ("master", "origin/master", "main", "origin/main")


def find_convention(repo: Repo, onto: Oid, who: Identity) -> Record:
    """``cherry`` or ``xen``, whichever is the more frequent; ``none`` where there is neither."""
    own, everybody = Counter[Record](), Counter[Record]()
    for commit, message in repo.recent(onto, _LAST):
        words = _words(message)
        if words is None:
            continue
        everybody[words] += 1
        if repo.committed_by(commit) == who.email:
            own[words] += 1
    for counted in (own, everybody):
        for words, number in counted.most_common(1):
            if number >= _LEAST:
                return words
    return Record.NONE


def on_master(repo: Repo, upstream: str | None, commits: tuple[Oid, ...]) -> bool:
    """Whether ``master commit:`` would be true of all the commits; yes where no master is known.

    Cost: some 20 ms a commit on Xen.
    """
    known = {*repo.branches(), *repo.branches(remote=True)} if upstream is None else set()
    master = upstream or next((name for name in _MASTERS if name in known), None)
    return master is None or all(repo.reaches(repo.branch_tip(master), one) for one in commits)


def _words(message: bytes) -> Record | None:
    if b"commit" not in message:
        return None
    for trailer in reversed(parse_trailers(message)):
        if trailer.key == PICKED:
            return Record.CHERRY
        if trailer.key == "master commit":
            return Record.XEN
    return None
