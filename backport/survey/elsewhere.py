# SPDX-License-Identifier: GPL-2.0-or-later
"""What the newer stable branches have of upstream, as far as their trees still do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from backport.gateway.repository import Repo
from backport.history.other_branch import Sibling
from backport.history.presence import ABBREVIATED
from backport.history.recall import own_of, statements_of
from backport.history.statements import Statement, by_origin
from backport.survey.holding import Holdings
from backport.survey.lineage import Lineage
from series.model import Oid


class _Newer(Struct, frozen=True):
    """One of them: what it has that upstream does not reach, by origin, newest first."""

    name: str
    named: Mapping[str, tuple[Statement, ...]]
    holdings: Holdings
    without_origin: int


class Elsewhere:
    """The newer branches, nearest first."""

    def __init__(
        self, repo: Repo, lineage: Lineage, newer: Sequence[Sibling], *, believing: bool = False
    ) -> None:
        """``believing``: messages are, and no tree is read."""
        here = {one.commit for one in lineage.own}
        found = []
        for branch in newer:
            reached = own_of(repo, branch.tip, lineage.upstream_tip)
            own = statements_of(repo, reached)
            holdings = Holdings(repo, branch.tip, own, believing=believing)
            without = sum(not one.origins and one.commit not in here for one in own)
            found.append(_Newer(branch.name, by_origin(own), holdings, without))
        self._newer = tuple(found)

    @property
    def origins(self) -> Iterable[str]:
        """All that any of them names, cut to `ABBREVIATED`, in a fixed order."""
        return dict.fromkeys(origin for branch in self._newer for origin in branch.named)

    @property
    def without_origin(self) -> Mapping[str, int]:
        """By branch: commits that name no origin, and cannot be compared."""
        return {branch.name: branch.without_origin for branch in self._newer}

    def names(self, origin: str) -> bool:
        """Whether any of them names it, be it taken back since."""
        return any(origin[:ABBREVIATED] in branch.named for branch in self._newer)

    def versions(self, origin: str) -> tuple[tuple[str, Statement], ...]:
        """By name, nearest first: the commit of each branch that has it, and of which it has something."""
        found = []
        for branch in self._newer:
            for one in branch.named.get(origin[:ABBREVIATED], ()):
                if not branch.holdings.of(one.commit).is_gone:
                    found.append((branch.name, one))
                    break
        return tuple(found)

    @property
    def unread(self) -> Mapping[Oid, str]:
        """Commits whose content could not be read, and why: of those the message was believed."""
        return {oid: why for branch in self._newer for oid, why in branch.holdings.unread.items()}
