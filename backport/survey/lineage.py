# SPDX-License-Identifier: GPL-2.0-or-later
"""A stable branch and its upstream, each without what the other reaches: what messages state of both.

No merge base is asked for, so merges that cross make no difference.
"""

from __future__ import annotations

from collections.abc import Set
from functools import cached_property

from msgspec import Struct

from backport.errors import UsageError
from backport.gateway.repository import Repo
from backport.history.recall import sides_of, statements_of
from backport.history.siblings import version_in
from backport.history.statements import Abbreviations, Statement
from series.model import Oid


class Lineage(Struct, frozen=True, dict=True):
    """``own`` and ``upstream`` are newest first; ``shared`` is what both have."""

    branch: str
    tip: Oid
    upstream_name: str
    upstream_tip: Oid
    own: tuple[Statement, ...]
    upstream: tuple[Statement, ...]
    shared: Set[Oid]
    notes: tuple[str, ...] = ()

    @property
    def version(self) -> tuple[int, ...] | None:
        """The version in the branch's name."""
        return version_in(self.branch)

    @cached_property
    def upstream_ids(self) -> frozenset[Oid]:
        """The commits that upstream alone has."""
        return frozenset(one.commit for one in self.upstream)

    @cached_property
    def ids(self) -> Abbreviations:
        """Every commit of both."""
        own, theirs = (x.commit for x in self.own), (x.commit for x in self.upstream)
        return Abbreviations({*own, *theirs, *self.shared})

    def is_upstream(self, commit: Oid) -> bool:
        """Whether upstream reaches it."""
        return commit in self.shared or commit in self.upstream_ids


def read_lineage(repo: Repo, branch: str, upstream: str | None) -> Lineage:
    """Read both.  Raises `UsageError` where they share nothing, or no upstream is named."""
    if upstream is None:
        raise UsageError(
            "no upstream given", "--upstream REF, or `git config backport.upstream REF`"
        )
    return lineage_between(repo, branch, repo.branch_tip(branch), upstream)


def lineage_between(repo: Repo, branch: str, tip: Oid, upstream: str) -> Lineage:
    """The same of a branch as it is, or was, at ``tip``."""
    top = repo.branch_tip(upstream)
    shallow = (repo.common_dir / "shallow").exists()
    sides = sides_of(repo, tip, top)
    if not sides.shared:
        where = " in this shallow clone" if shallow else ""
        raise UsageError(
            f"{branch} and {upstream} share no history{where}: nothing can be said of what one has of"
            " the other",
            "`git fetch --unshallow` gets the rest"
            if shallow
            else "name the upstream that the branch was made from with --upstream",
        )
    own, theirs = statements_of(repo, sides.own), statements_of(repo, sides.theirs)
    notes: tuple[str, ...] = ()
    if shallow:
        notes = (
            "this is a shallow clone: what lies before its edge is not known"
            " (`git fetch --unshallow`)",
        )
    return Lineage(branch, tip, upstream, top, own, theirs, sides.shared, notes)
