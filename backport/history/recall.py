# SPDX-License-Identifier: GPL-2.0-or-later
"""What branches have of each other and what they state: from the index where it knows, else from history."""

from __future__ import annotations

from collections.abc import Sequence

from backport.gateway.repository import Repo
from backport.history.index.ledger import ledger_of
from backport.history.sides import Sides, read_sides
from backport.history.statements import Statement, stated
from series.model import Oid


def sides_of(repo: Repo, tip: Oid, top: Oid) -> Sides:
    """What each has that the other has not, and what both have."""
    return ledger_of(repo).sides(tip, top) or read_sides(repo, tip, top)


def own_of(repo: Repo, tip: Oid, top: Oid) -> tuple[Oid, ...]:
    """What ``tip`` alone reaches, newest first."""
    kept = ledger_of(repo).own(tip, top)
    return kept if kept is not None else tuple(repo.log(tip, (top,)))


def statements_of(repo: Repo, commits: Sequence[Oid]) -> tuple[Statement, ...]:
    """What each of them states.  Cost: 6 ms a thousand, or 60 for those that the index does not have."""
    known = ledger_of(repo).statements(commits)
    return tuple(
        known.get(one) or stated(one, repo.when(one).seconds, repo.message(one)) for one in commits
    )
