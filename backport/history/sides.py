# SPDX-License-Identifier: GPL-2.0-or-later
"""Two branches, each without what the other reaches, and what both have.

Upstream's order is that of one walk over all of it, also where the index keeps it: so the answer is the same
with and without.
"""

from __future__ import annotations

from collections.abc import Container, Sequence, Set

from msgspec import Struct

from backport.gateway.repository import Repo
from series.model import Oid

_MOST_NEW = 5000
"""Commits that a history is continued by; beyond that it is walked anew."""
_MOST_ADDED = 1000
"""Commits that a branch is continued by."""


class Sides(Struct, frozen=True):
    """``own``: what the tip alone reaches, ``theirs``: what upstream alone does, both newest first."""

    own: tuple[Oid, ...]
    theirs: tuple[Oid, ...]
    shared: Set[Oid]


def read_sides(repo: Repo, tip: Oid, top: Oid, order: Sequence[Oid] | None = None) -> Sides:
    """From history; ``order``: all that ``top`` reaches, where it is known.  Cost on Xen: 0.7 s, or 0.2."""
    every = order if order is not None else tuple(repo.log(top))
    lacked = set(repo.log(top, (tip,)))
    theirs = tuple(one for one in every if one in lacked)
    return Sides(tuple(repo.log(tip, (top,))), theirs, frozenset(every) - lacked)


def added_in_line(repo: Repo, top: Oid, old: Oid) -> tuple[Oid, ...] | None:
    """What has come on ``old``, newest first, where that is one line: then the rest of the walk is as it
    was.  None where it is not, or ``old`` was rewritten."""
    found: list[Oid] = []
    at = top
    while at != old:
        parents = repo.parents(at)
        if len(parents) != 1 or len(found) == _MOST_NEW:
            return None
        found.append(at)
        at = parents[0]
    return tuple(found)


class Continued:
    """Which commit of ``known`` each other has come from, where that is one line; each is asked for once."""

    def __init__(self, repo: Repo, known: Container[Oid]) -> None:
        self._repo = repo
        self._known = known
        self._found: dict[Oid, tuple[Oid, tuple[Oid, ...]]] = {}

    def from_known(self, tip: Oid) -> tuple[Oid, tuple[Oid, ...]]:
        """The known one, and what has come on it, newest first; the commit itself and nothing for none."""
        if tip not in self._found:
            self._found[tip] = self._look(tip)
        return self._found[tip]

    def _look(self, tip: Oid) -> tuple[Oid, tuple[Oid, ...]]:
        added: list[Oid] = []
        at = tip
        while at not in self._known:
            parents = self._repo.parents(at)
            if len(parents) != 1 or len(added) == _MOST_ADDED:
                return tip, ()
            added.append(at)
            at = parents[0]
        return at, tuple(added)
